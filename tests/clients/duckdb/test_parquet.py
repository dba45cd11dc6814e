"""Exports read in place: counts, values and types of every sample org, and of values at the edges of their types."""

import json

from support import Case, columns, describe, sample_orgs, simulated

FIELDS = {
    "Id": "id",
    "Name": "string",
    "Open__c": "boolean",
    "Count__c": "int",
    "Big__c": "long",
    "Revenue__c": "currency",
    "Share__c": "percent",
    "Ratio__c": "double",
    "Born__c": "date",
    "Seen__c": "datetime",
    "At__c": "time",
    "Picks__c": "multipicklist",
    "Text__c": "textarea",
    "Any__c": "anyType",
    "Where__c": "address",
    "OwnerId": "reference",
    "IsDeleted": "boolean",
    "SystemModstamp": "datetime",
}
THING = {"name": "Thing__c", "keyPrefix": "a00", "fields": [{"name": n, "type": t} for n, t in FIELDS.items()]}


def thing(n):
    """A record, some of its fields null."""
    full = {
        "Id": f"a00{n:012}",
        "Name": f'Søl "{n}"\t🧂',
        "Open__c": n % 2 == 0,
        "Count__c": n - 2**31,
        "Big__c": 2**63 - 1 - n,
        "Revenue__c": n / 100 - 5,
        "Share__c": n / 3,
        "Ratio__c": 5e-324 if n % 2 else 1.7976931348623157e308,
        "Born__c": ["1700-01-01", "1969-12-31", "1970-01-01", "2024-02-29", "4000-12-31"][n % 5],
        "Seen__c": ["1700-01-01T00:00:00.001Z", "1969-12-31T23:59:59.999Z", "2026-01-31T12:30:00.000Z"][n % 3],
        "At__c": ["00:00:00.000Z", "23:59:59.999Z"][n % 2],
        "Picks__c": "Straße;naïve;C",
        "Text__c": "größer\n" * (18_000 if n == 1001 else n % 40) or None,
        "Any__c": '{"a":[1,null]}',
        "OwnerId": "005000000000001AAA",
        "SystemModstamp": "2026-01-01T00:00:00.000Z",
    }
    kept = {name: value for i, (name, value) in enumerate(full.items()) if name == "Id" or (n + i) % 4}
    return {**kept, "IsDeleted": False}


class Parquet(Case):
    def test_values_at_the_edges_of_their_types(self):
        self.day("2026-01-01", THING, map(thing, range(3000)))
        lines, tables = self.export("edges")
        self.assertEqual(self.types(tables / "Thing__c"), columns(THING))
        self.assertEqual(self.same(tables / "Thing__c", lines / "Thing__c.ndjson"), 3000)
        [(oldest,)] = self.duck.execute(
            f"SELECT min(Id) FROM '{tables}/Thing__c/*.parquet' WHERE Born__c < DATE '1800-01-01'"
        ).fetchall()
        old = (thing(n)["Id"] for n in range(3000) if thing(n).get("Born__c") == "1700-01-01")
        self.assertEqual(oldest[:15], min(old))

    def test_records_that_are_gone_are_in_no_state(self):
        self.day("2026-01-01", THING, map(thing, range(10)))
        self.day("2026-01-02", THING, map(thing, range(5)))
        self.day("2026-01-03", THING, [])
        for at, count in [("1", 10), ("2", 5), ("3", 0)]:
            lines, tables = self.export(at, "--at", at)
            self.assertEqual(self.same(tables / "Thing__c", lines / "Thing__c.ndjson"), count)
            self.assertEqual(self.types(tables / "Thing__c"), columns(THING))

    def test_a_column_that_became_text(self):
        self.day("2026-01-01", THING, [{"Id": "a00000000000001", "Ratio__c": 1}])
        odd = {"Id": "a00000000000002AAA", "Ratio__c": 12345678901234567, "Count__c": 7}
        self.day("2026-01-02", THING, [odd], "--delta")
        told, notes = self.halite("export", "--format", "parquet", "--to", "odd", "--json")
        self.assertEqual(json.loads(told)["sobjects"][0]["as_text"], [{"field": "Ratio__c", "id": odd["Id"]}])
        self.assertIn("Thing__c.Ratio__c", notes)
        self.assertEqual(self.types(self.dir / "odd/Thing__c"), {**columns(THING), "Ratio__c": "VARCHAR"})
        self.assertEqual([row["Ratio__c"] for row in self.rows(self.dir / "odd/Thing__c")], ["1", "12345678901234567"])

    def test_changes(self):
        self.day("2026-01-01", THING, map(thing, range(10)))
        edited = {**thing(3), "Name": "Other", "Born__c": "2026-01-02"}
        self.day("2026-01-02", THING, [*map(thing, range(3)), edited, *map(thing, range(4, 9)), thing(10)])
        self.halite("export", "--format", "parquet", "--to", "changes", "--changes-since", "1")
        table = self.dir / "changes/Thing__c"
        front = {"_change_type": "VARCHAR", "_changed_fields": "VARCHAR"}
        self.assertEqual(list(self.types(table).items()), list({**front, **columns(THING)}.items()))
        told = self.duck.execute(
            f"""SELECT _change_type, Id[1:15], Name, CAST(from_json(_changed_fields, '["VARCHAR"]') AS VARCHAR)
                FROM '{table}/*.parquet' ORDER BY Id, _change_type DESC"""
        ).fetchall()
        fields = "[Born__c, Name]"
        self.assertEqual(
            told,
            [
                ("update_preimage", "a00000000000003", thing(3).get("Name"), fields),
                ("update_postimage", "a00000000000003", "Other", fields),
                ("delete", "a00000000000009", thing(9).get("Name"), None),
                ("insert", "a00000000000010", thing(10).get("Name"), None),
            ],
        )

    def test_exports_side_by_side_are_partitions(self):
        self.day("2026-01-01", THING, map(thing, range(10)))
        self.day("2026-01-02", {**THING, "fields": [*THING["fields"], {"name": "New__c", "type": "int"}]}, [])
        for at in ["2026-01-01", "2026-01-02"]:
            self.halite("export", "--format", "parquet", "--at", at, "--to", f"lake/as_of={at}")
        counts = self.duck.execute(
            f"""SELECT as_of, count(*), count(New__c) FROM read_parquet('{self.dir}/lake/*/Thing__c/*.parquet',
                hive_partitioning = true, union_by_name = true) GROUP BY ALL"""
        ).fetchall()
        self.assertEqual([(str(day), *rest) for day, *rest in counts], [("2026-01-01", 10, 0)])

    def test_every_sample_org(self):
        compared = 0
        for number, folder in enumerate(sample_orgs()):
            with self.subTest(folder=folder), simulated(folder) as org:
                vault = {"HALITE_VAULT": str(self.dir / f"vault-{number}")}
                self.halite("init", "--no-encryption", **vault)
                secret = {**vault, "HALITE_CLIENT_SECRET": org["client_secret"]}
                self.halite("connect", "org", "--environment", org["url"], "--client-id", org["client_id"], **secret)
                self.halite("backup", "org", **vault)
                lines, tables = self.dir / f"lines-{number}", self.dir / f"tables-{number}"
                self.halite("export", "--to", lines, **vault)
                self.halite("export", "--format", "parquet", "--to", tables, **vault)
                names = sorted(path.stem for path in lines.iterdir())
                self.assertEqual(names, sorted(path.name for path in tables.iterdir()))
                for name in names:
                    self.assertEqual(self.types(tables / name), columns(describe(org, name)), name)
                    compared += self.same(tables / name, lines / f"{name}.ndjson")
        self.assertGreater(compared, 20)
