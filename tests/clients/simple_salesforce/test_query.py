"""Queries of many pages, deleted rows, and Bulk API 2.0 reading."""

import csv
import io
import tempfile
from pathlib import Path

from simple_salesforce import SalesforceMalformedRequest, format_soql

from support import Case, admin, connect, settings

SOQL = "SELECT Id, LastName, Description FROM Contact WHERE LastName LIKE 'Page%'"
AWKWARD = 'quoted "salt", and\na second line 🧂'
SMALL = {"Sforce-Query-Options": "batchSize=200"}


def rows(texts):
    """The rows of CSV pages."""
    return [row for text in texts for row in csv.DictReader(io.StringIO(text, newline=""))]


class Query(Case):
    @classmethod
    def setUpClass(cls):
        cls.sf = connect()
        record = {"attributes": {"type": "Contact"}, "Description": AWKWARD}
        for start in range(0, 450, 150):
            records = [{**record, "LastName": f"Page {n}"} for n in range(start, start + 150)]
            saved = cls.sf.restful("composite/sobjects", method="POST", json={"records": records})
            assert all(r["success"] for r in saved), saved

    def test_query_more(self):
        page = self.sf.query(SOQL, headers=SMALL)
        self.assertEqual((page["totalSize"], page["done"]), (450, False))
        locator = page["nextRecordsUrl"].rsplit("/", 1)[1]
        second = self.sf.query_more(locator)
        self.assertFalse({r["Id"] for r in page["records"]} & {r["Id"] for r in second["records"]})

    def test_query_all_reads_every_page(self):
        everything = self.sf.query_all(SOQL, headers=SMALL)
        self.assertEqual(len({r["Id"] for r in everything["records"]}), 450)
        lazily = self.sf.query_all_iter(SOQL, headers=SMALL)
        self.assertEqual(len({r["Id"] for r in lazily}), 450)

    def test_a_locator_that_is_over(self):
        page = self.sf.query(SOQL, headers=SMALL)
        admin("POST", "locators/expire")
        more = self.sf.query_more, page["nextRecordsUrl"], True
        self.refused(SalesforceMalformedRequest, "INVALID_QUERY_LOCATOR", *more)

    def test_texts_are_escaped_as_the_org_reads_them(self):
        name = "O'Neil \\ \"x\"\n%"
        id = self.saved(self.sf.Account.create({"Name": name.replace("\n", " ")}))
        soql = format_soql("SELECT Id FROM Account WHERE Name = {}", name.replace("\n", " "))
        self.assertEqual([r["Id"] for r in self.sf.query(soql)["records"]], [id])

    def test_deleted_rows(self):
        id = self.saved(self.sf.Lead.create({"LastName": "Gone", "Company": "Salt"}))
        self.sf.Lead.delete(id)
        soql = format_soql("SELECT Id, IsDeleted FROM Lead WHERE Id = {}", id)
        self.assertEqual(self.sf.query(soql)["totalSize"], 0)
        self.assertIs(self.sf.query(soql, include_deleted=True)["records"][0]["IsDeleted"], True)
        self.assertEqual(len(list(self.sf.query_all_iter(soql, include_deleted=True))), 1)
        texts = self.sf.bulk2.Lead.query_all(soql, wait=0)
        self.assertEqual(rows(texts), [{"Id": id, "IsDeleted": "true"}])

    def test_bulk_query_reads_every_page(self):
        pages = list(self.sf.bulk2.Contact.query(SOQL, max_records=100, wait=0))
        self.assertGreater(len(pages), 4)
        read = rows(pages)
        self.assertEqual(len({r["Id"] for r in read}), 450)
        self.assertEqual({r["Description"] for r in read}, {AWKWARD})

    def test_bulk_download_to_files(self):
        with tempfile.TemporaryDirectory() as path:
            parts = self.sf.bulk2.Contact.download(SOQL, path=path, max_records=200, wait=0)
            read = rows(Path(p["file"]).read_text(encoding="utf-8") for p in parts)
            self.assertEqual(sum(p["number_of_records"] for p in parts), 450)
        self.assertEqual(len({r["Id"] for r in read}), 450)

    def test_bulk_with_another_delimiter(self):
        pages = self.sf.bulk2.Contact.query(SOQL, column_delimiter="SEMICOLON", line_ending="CRLF", wait=0)
        self.assertTrue(next(pages).startswith('"Id";"LastName";"Description"\r\n'))

    def test_bulk_refuses_at_once(self):
        pages = self.sf.bulk2.Contact.query("SELECT COUNT(Id) FROM Contact", wait=0)
        self.refused(SalesforceMalformedRequest, "API_ERROR", lambda: next(pages))

    def test_an_empty_result(self):
        settings(bulk={"polls": 0})
        self.assertEqual(rows(self.sf.bulk2.Contact.query(SOQL + " AND LastName = 'x'", wait=0)), [])
