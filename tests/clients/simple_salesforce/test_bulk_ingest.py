"""Bulk API 2.0, writing."""

import csv
import tempfile
from pathlib import Path

from simple_salesforce import SalesforceMalformedRequest
from simple_salesforce.exceptions import SalesforceOperationError

from support import Case, connect


class Ingest(Case):
    def setUp(self):
        self.sf = connect()
        self.accounts = self.sf.bulk2.Account

    def results(self, done):
        """What became of the rows of a load's only job."""
        self.assertEqual(len(done), 1, done)
        return self.accounts.get_all_ingest_records(done[0]["job_id"])

    def by_name(self, pattern):
        soql = f"SELECT Id, Name, Phone FROM Account WHERE Name LIKE '{pattern}' ORDER BY Name"
        return self.sf.query_all(soql)["records"]

    def test_rows_live_by_jobs_alone(self):
        names = ["In 0", 'In "1", quoted', "In 2 🧂"]
        done = self.accounts.insert(records=[{"Name": n, "Phone": "1"} for n in names], wait=0)
        self.assertEqual((done[0]["numberRecordsProcessed"], done[0]["numberRecordsFailed"]), (3, 0))
        made = self.results(done)
        self.assertEqual((made["failedRecords"], made["unprocessedRecords"]), ([], []))
        rows = self.by_name("In %")
        self.assertCountEqual([r["Name"] for r in rows], names)
        self.assertCountEqual([r["sf__Id"] for r in made["successfulRecords"]], [r["Id"] for r in rows])
        self.assertEqual({r["sf__Created"] for r in made["successfulRecords"]}, {"true"})

        phones = ["#N/A", "2", "2"]
        self.accounts.update(records=[{"Id": r["Id"], "Phone": p} for r, p in zip(rows, phones)], wait=0)
        self.assertEqual([r["Phone"] for r in self.by_name("In %")], [None, "2", "2"])

        ids = [{"Id": r["Id"]} for r in rows]
        self.assertEqual(len(self.results(self.accounts.delete(records=ids, wait=0))["successfulRecords"]), 3)
        self.assertEqual(self.by_name("In %"), [])
        hard = self.accounts.hard_delete
        self.refused(SalesforceMalformedRequest, "FEATURENOTENABLED", hard, records=ids, wait=0)

    def test_an_upsert_makes_what_is_not_there(self):
        self.saved(self.sf.Account.create({"Name": "Old", "Customer_Number__c": "B-1"}))
        rows = [{"Customer_Number__c": key, "Name": f"Ups {key}"} for key in ("B-1", "B-2")]
        done = self.accounts.upsert(records=rows, external_id_field="Customer_Number__c", wait=0)
        created = [(r["Customer_Number__c"], r["sf__Created"]) for r in self.results(done)["successfulRecords"]]
        self.assertCountEqual(created, [("B-1", "false"), ("B-2", "true")])

    def test_each_row_fails_by_itself(self):
        rows = [{"Name": "Half good", "Customer_Number__c": "H-1"}, {"Name": "", "Customer_Number__c": "H-2"}]
        done = self.accounts.insert(records=rows, wait=0)
        self.assertEqual((done[0]["numberRecordsProcessed"], done[0]["numberRecordsFailed"]), (2, 1))
        read = self.results(done)
        self.assertEqual([r["Name"] for r in read["successfulRecords"]], ["Half good"])
        (failed,) = read["failedRecords"]
        self.assertEqual(failed["Customer_Number__c"], "H-2")
        self.assertTrue(failed["sf__Error"].startswith("REQUIRED_FIELD_MISSING:"), failed)

    def test_a_file_goes_up_in_parts_and_results_come_down_as_files(self):
        with tempfile.TemporaryDirectory() as path:
            file = Path(path, "rows.csv")
            file.write_text("Name;Phone\n" + "".join(f"Part {n};1\n" for n in range(500)))
            done = self.accounts.insert(str(file), batch_size=200, column_delimiter="SEMICOLON", wait=0)
            self.assertEqual([d["numberRecordsProcessed"] for d in done], [200, 200, 100])
            out = Path(path, "out.csv")
            self.accounts.get_successful_records(done[2]["job_id"], file=str(out))
            with out.open(newline="", encoding="utf-8") as text:
                self.assertEqual(len(list(csv.DictReader(text, delimiter=";"))), 100)
        self.assertEqual(len(self.by_name("Part %")), 500)

    def test_an_upload_with_a_flaw_fails_the_job(self):
        with self.assertRaisesRegex(SalesforceOperationError, "InvalidBatch : Field name not found : Nothing__c"):
            self.accounts.insert(records=[{"Nothing__c": "x"}], wait=0)

    def test_an_order_that_makes_no_sense(self):
        make = self.sf.bulk2.Nothing__c.insert
        self.refused(SalesforceMalformedRequest, "INVALIDJOB", make, records=[{"Name": "x"}], wait=0)
