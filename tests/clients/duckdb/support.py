"""What the DuckDB tests need: the `halite` command with a vault of its own, simulated orgs, and tables to compare.

Key decision: DuckDB reads the folders that `halite export --format parquet` made, in place; the truth is the NDJSON that
the command wrote of the same snapshot, and the describe of the org. Nothing of Halite's code is asked.
"""

import json
import os
import subprocess
import tempfile
import unittest
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import duckdb

HALITE = os.environ["HALITE"]
ORG = "00D000000000001"
# Which column the type of a field is; all others are VARCHAR, and those of NONE are no columns.
TYPES = {
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "double": "DOUBLE",
    "currency": "DOUBLE",
    "percent": "DOUBLE",
    "date": "DATE",
    "datetime": "TIMESTAMP WITH TIME ZONE",
    "time": "TIME",
}
NONE = {"address", "location", "base64"}


def sample_orgs():
    """The folders of the sample orgs; the built-in org is None."""
    shared = Path(os.environ.get("HALITE_SHARED_DATA", Path(__file__).parents[4] / "shared/data")) / "sample-orgs"
    if not shared.is_dir():
        print(f"SKIPPED: no sample orgs in {shared}; set HALITE_SHARED_DATA")
        return [None]
    return [None, *sorted(path for path in shared.iterdir() if path.is_dir())]


@contextmanager
def simulated(folder):
    """A simulated org, of a project's folder or the built-in one; gives what it says of itself."""
    org = ["--org", str(folder)] if folder else []
    command = [HALITE, "simulate", "--json", *org]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.kill()


def describe(org, sobject):
    """What the org says of an sObject."""
    url = f"{org['url']}/services/data/v60.0/sobjects/{sobject}/describe"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {org['access_token']}"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)


def columns(described):
    """The columns that an sObject should have, with their types, from its describe."""
    fields = [field for field in described["fields"] if field["type"] not in NONE]
    return {field["name"]: TYPES.get(field["type"], "VARCHAR") for field in sorted(fields, key=lambda f: f["name"])}


class Case(unittest.TestCase):
    """A test case with a vault in a folder that goes with it."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.dir = Path(scratch.name)
        self.halite("init", "--no-encryption")
        self.duck = duckdb.connect()

    def halite(self, *args, **more):
        """Runs the command; gives what it says on standard output, and its notes."""
        env = {**os.environ, "HALITE_VAULT": str(self.dir / "vault"), "XDG_CACHE_HOME": str(self.dir / "cache"), **more}
        done = subprocess.run([HALITE, *map(str, args)], env=env, cwd=self.dir, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout, done.stderr

    def day(self, as_of, describe, records, *more):
        """Imports records as the state of a day."""
        dump = self.dir / "dump"
        dump.mkdir(exist_ok=True)
        (dump / f"{describe['name']}.describe.json").write_text(json.dumps(describe))
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (dump / f"{describe['name']}.ndjson").write_text(lines)
        self.halite("import", "--org", ORG, "--as-of", as_of, dump, *more)

    def export(self, to, *more):
        """Exports as NDJSON and Parquet; gives both folders."""
        lines, tables = self.dir / f"{to}-lines", self.dir / f"{to}-tables"
        self.halite("export", "--to", lines, *more)
        self.halite("export", "--format", "parquet", "--to", tables, *more)
        return lines, tables

    def types(self, table):
        """Names and types of the columns that DuckDB sees."""
        return {name: type for name, type, *_ in self.duck.execute(f"DESCRIBE SELECT * FROM '{table}/*.parquet'").fetchall()}

    def rows(self, table):
        """All rows as DuckDB reads them, by Id: dicts without nulls, with values in the texts of NDJSON."""
        shown = {
            "TIMESTAMP WITH TIME ZONE": "strftime(make_timestamp(epoch_us({0})), '%Y-%m-%dT%H:%M:%S.%gZ')",
            "DATE": "strftime({0}, '%Y-%m-%d')",
            "TIME": "strftime(DATE '2000-01-01' + {0}, '%H:%M:%S.%gZ')",
        }
        names = self.types(table)
        wanted = ", ".join(shown.get(type, "{0}").format(f'"{name}"') + f' AS "{name}"' for name, type in names.items())
        read = self.duck.execute(f"SELECT {wanted} FROM '{table}/*.parquet'").fetchall()
        return [{name: value for name, value in zip(names, row) if value is not None} for row in read]

    def same(self, table, lines):
        """Asserts that DuckDB reads in a table what NDJSON says; gives how many rows."""
        wanted = [json.loads(line) for line in lines.read_text().splitlines()]
        read = self.rows(table)
        self.assertEqual(read, wanted)
        for one, other in zip(read, wanted):
            for name, value in other.items():
                self.assertIs(type(one[name]) is bool, type(value) is bool, name)
                self.assertIs(type(one[name]) is str, type(value) is str, name)
        return len(read)
