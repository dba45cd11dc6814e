"""The real command on a vault in moto's S3, which was written by others from the same documentation as ours.

Key decision: beside the vault in the bucket stands one in a folder that is given the same, and what is read from both must
be equal. It fails no request: the S3 of our own tests does.
"""

import json
import os
import subprocess
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3

HALITE, S3 = os.environ["HALITE"], os.environ["HALITE_S3"]
ORG, OTHER = "00D000000000001", "00D000000000002"
BUCKET = "vaults"
SETTINGS = {
    "AWS_ENDPOINT_URL": S3,
    "AWS_ALLOW_HTTP": "true",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "HALITE_PASSPHRASE": "salt",
    "NO_PROXY": "127.0.0.1",
}


STORE = boto3.client(
    "s3",
    endpoint_url=S3,
    region_name=SETTINGS["AWS_REGION"],
    aws_access_key_id=SETTINGS["AWS_ACCESS_KEY_ID"],
    aws_secret_access_key=SETTINGS["AWS_SECRET_ACCESS_KEY"],
)


class Vaults(unittest.TestCase):
    """Each test has a prefix and a folder of its own."""

    @classmethod
    def setUpClass(cls):
        STORE.create_bucket(Bucket=BUCKET)

    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.url = f"s3://{BUCKET}/{self._testMethodName}"

    def path(self, name):
        return Path(self.scratch.name) / name

    def run_(self, vault, args):
        settings = {**os.environ, **SETTINGS, "XDG_CACHE_HOME": str(self.path("cache"))}
        command = [HALITE, "--vault", str(vault), *map(str, args)]
        return subprocess.run(command, env=settings, stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def halite(self, vault, *args):
        """Runs a command that must succeed; gives what it printed."""
        done = self.run_(vault, args)
        self.assertEqual(done.returncode, 0, f"{args}: {done.stderr}")
        return done.stdout

    def fails(self, vault, *args):
        """Runs a command that must fail; gives what it said."""
        done = self.run_(vault, args)
        self.assertEqual(done.returncode, 1, f"{args}: {done.stdout}")
        return done.stderr

    def dump(self, day, records):
        """A folder to import: some records differ from day to day."""
        folder = self.path(f"dump-{day}-{records}")
        folder.mkdir(exist_ok=True)
        lines = (
            json.dumps({"Id": f"001{n:012}", "Name": f"name {n} of {day if n % 7 == day % 7 else 0}"})
            for n in range(records)
        )
        (folder / "Account.ndjson").write_text("\n".join(lines) + "\n")
        return folder

    def import_(self, vault, org, day, records):
        self.halite(vault, "import", "--org", org, "--as-of", f"2026-03-{day:02}", self.dump(day, records))

    def exported(self, vault, at):
        to = Path(tempfile.mkdtemp(dir=self.scratch.name))
        self.halite(vault, "export", "--at", at, "--to", to)
        return (to / "Account.ndjson").read_bytes()

    def root(self, vault):
        """The root of a vault; it holds the digest of the catalog."""
        if str(vault).startswith("s3://"):
            key = str(vault).removeprefix(f"s3://{BUCKET}/")
            return STORE.get_object(Bucket=BUCKET, Key=f"{key}/root")["Body"].read()
        return (vault / "root").read_bytes()

    def test_a_bucket_holds_what_a_folder_holds(self):
        folder = self.path("folder")
        both = [self.url, folder]
        for vault in both:
            self.halite(vault, "init")
            self.import_(vault, ORG, 1, 2000)
            self.import_(vault, ORG, 2, 2010)
        compared = [json.loads(self.halite(vault, "diff", "1", "2", "--summary", "--json")) for vault in both]
        self.assertEqual(compared[0]["sobjects"], compared[1]["sobjects"])
        self.assertTrue(compared[0]["sobjects"], compared)
        for at in ["1", "2"]:
            self.assertEqual(self.exported(self.url, at), self.exported(folder, at))
        self.halite(self.url, "forget", "1")
        self.halite(self.url, "compact", "--keep-single", "0", "--all")
        for _ in range(3):
            self.halite(self.url, "prune", "--grace", "0s", "--max-unused", "0%")
        self.halite(self.url, "check", "--read", "all")
        self.assertEqual(self.exported(self.url, "latest"), self.exported(folder, "latest"))
        self.assertIn("no snapshot", self.fails(self.url, "export", "--at", "1", "--to", self.path("none")))

    def test_a_vault_goes_to_a_folder_and_back(self):
        there, back = self.path("there"), f"{self.url}-back"
        self.halite(self.url, "init")
        for day in [1, 2]:
            self.import_(self.url, ORG, day, 500)
            self.halite(self.url, "copy", "--to", there)
        self.halite(there, "copy", "--to", back)
        for vault in [there, back]:
            self.assertEqual(self.root(vault), self.root(self.url))
            self.assertEqual(self.exported(vault, "2"), self.exported(self.url, "2"))
            self.halite(vault, "check", "--read", "all")

    def test_two_writers_at_once_lose_nothing(self):
        self.halite(self.url, "init")
        days = range(1, 4)

        def writes(org):
            for day in days:
                self.import_(self.url, org, day, 300)

        with ThreadPoolExecutor() as writers:
            for done in [writers.submit(writes, org) for org in [ORG, OTHER]]:
                done.result()
        for org in [ORG, OTHER]:
            kept = json.loads(self.halite(self.url, "snapshots", "--org", org, "--json"))
            self.assertEqual([snapshot["number"] for snapshot in kept], list(days))
        self.halite(self.url, "check", "--read", "all")
