"""Describes, single records, files, replication and the client's exceptions."""

import base64
import os
import tempfile
from datetime import timedelta
from email.utils import format_datetime

from simple_salesforce import (
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)

from support import ORG, Case, admin, advance, connect, now, settings


class Records(Case):
    def setUp(self):
        self.sf = connect()

    def test_describes(self):
        names = {o["name"]: o for o in self.sf.describe()["sobjects"]}
        self.assertEqual(names["Account"]["keyPrefix"], "001")
        fields = {f["name"]: f for f in self.sf.Account.describe()["fields"]}
        self.assertIs(fields["Customer_Number__c"]["externalId"], True)
        self.assertEqual(self.sf.Account.metadata()["objectDescribe"]["name"], "Account")
        self.refused(SalesforceResourceNotFound, "NOT_FOUND", self.sf.Nothing__c.describe)

    def test_a_describe_that_did_not_change_is_304(self):
        self.sf.Contact.describe()
        advance(60)
        since = format_datetime(now(), usegmt=True)
        with self.assertRaises(SalesforceGeneralError) as caught:  # the client takes 304 for an error
            self.sf.Contact.describe(headers={"If-Modified-Since": since})
        self.assertEqual((caught.exception.status, caught.exception.content), (304, ""))
        early = format_datetime(now() - timedelta(days=3650), usegmt=True)
        self.assertEqual(self.sf.Contact.describe(headers={"If-Modified-Since": early})["name"], "Contact")

    def test_a_record_lives(self):
        accounts = self.sf.Account
        id = self.saved(accounts.create({"Name": "Søby \"Salt\" 🧂", "AnnualRevenue": 15}))
        read = accounts.get(id)
        self.assertEqual((read["Name"], read["AnnualRevenue"]), ("Søby \"Salt\" 🧂", 15))
        self.assertEqual(read["attributes"]["type"], "Account")
        self.assertEqual(accounts.update(id, {"Name": "Other", "AnnualRevenue": None}), 204)
        self.assertIsNone(accounts.get(id)["AnnualRevenue"])
        self.assertEqual(accounts.delete(id), 204)
        self.refused(SalesforceResourceNotFound, "ENTITY_IS_DELETED", accounts.delete, id)
        self.refused(SalesforceResourceNotFound, "ENTITY_IS_DELETED", accounts.get, id)

    def test_upsert_by_an_external_id(self):
        key = "Customer_Number__c/P%201%2Fä"
        self.assertEqual(self.sf.Account.upsert(key, {"Name": "Up"}), 201)
        self.assertEqual(self.sf.Account.upsert(key, {"Name": "Up 2"}), 200)
        rows = self.sf.query("SELECT Name FROM Account WHERE Customer_Number__c = 'P 1/ä'")["records"]
        self.assertEqual([r["Name"] for r in rows], ["Up 2"])
        self.sf.Account.upsert("Customer_Number__c/P-2", {"Name": "Plain"})
        self.assertEqual(self.sf.Account.get_by_custom_id("Customer_Number__c", "P-2")["Name"], "Plain")

    def test_exceptions_bear_the_code_of_the_api(self):
        accounts, sf = self.sf.Account, self.sf
        bad = SalesforceMalformedRequest
        self.refused(bad, "REQUIRED_FIELD_MISSING", accounts.create, {})
        self.refused(bad, "INVALID_FIELD", accounts.create, {"Name": "x", "Nothing__c": 1})
        self.refused(bad, "JSON_PARSER_ERROR", accounts.create, {"Name": "x", "NumberOfEmployees": "many"})
        self.refused(bad, "STRING_TOO_LONG", accounts.create, {"Name": "x", "Customer_Number__c": "x" * 21})
        self.refused(bad, "MALFORMED_QUERY", sf.query, "SELECT FROM")
        self.refused(bad, "INVALID_FIELD", sf.query, "SELECT Nothing FROM Account")
        self.refused(bad, "INVALID_TYPE", sf.query, "SELECT Id FROM Nothing__c")
        self.refused(SalesforceResourceNotFound, "NOT_FOUND", accounts.get, "001000000000000AAA")
        taken = {"Name": "Dup", "Customer_Number__c": "DUP"}
        accounts.create(taken)
        self.refused(bad, "DUPLICATE_VALUE", accounts.create, taken)

    def test_the_daily_allowance(self):
        before = admin("GET", "settings")["daily_requests"]
        self.addCleanup(lambda: settings(daily_requests=before))
        settings(daily_requests=1)
        self.refused(SalesforceRefusedRequest, "REQUEST_LIMIT_EXCEEDED", self.sf.limits)

    def test_limits_and_identity(self):
        limits = self.sf.limits()["DailyApiRequests"]
        self.assertLess(limits["Remaining"], limits["Max"])
        self.assertEqual(self.sf.api_usage["api-usage"].total, limits["Max"])
        self.assertEqual(self.sf.oauth2("userinfo")["user_id"], ORG["user_id"])
        self.assertIs(self.sf.is_sandbox(), True)

    def test_collections_through_restful(self):
        rows = [{"attributes": {"type": "Contact"}, "LastName": n} for n in ("R1", None)]
        body = {"allOrNone": False, "records": rows}
        good, bad = self.sf.restful("composite/sobjects", method="POST", json=body)
        id = self.saved(good)
        self.assertEqual(bad["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING")
        gone = self.sf.restful("composite/sobjects", method="DELETE", params={"ids": id})
        self.assertIs(gone[0]["success"], True)

    def test_updated_and_deleted(self):
        advance(180)
        start = now()
        advance(180)
        kept = self.saved(self.sf.Campaign.create({"Name": "Kept"}))
        gone = self.saved(self.sf.Campaign.create({"Name": "Gone"}))
        self.sf.Campaign.delete(gone)
        advance(180)
        end = now()
        self.assertEqual(self.sf.Campaign.updated(start, end)["ids"], [kept])
        deleted = self.sf.Campaign.deleted(start, end)
        self.assertEqual([r["id"] for r in deleted["deletedRecords"]], [gone])
        self.assertIn("latestDateCovered", deleted)
        self.refused(SalesforceMalformedRequest, "INVALID_REPLICATION_DATE", self.sf.Campaign.deleted, end, start)


class Files(Case):
    def setUp(self):
        self.sf = connect()
        self.file = tempfile.NamedTemporaryFile()
        self.addCleanup(self.file.close)

    def write(self, content):
        self.file.seek(0)
        self.file.truncate()
        self.file.write(content)
        self.file.flush()
        return self.file.name

    def test_an_attachment_up_and_down(self):
        parent = self.saved(self.sf.Account.create({"Name": "With a letter"}))
        id = self.saved(self.sf.Attachment.create({"ParentId": parent, "Name": "a.bin", "Body": "AA=="}))
        content = os.urandom(4000)
        self.assertEqual(self.sf.Attachment.update_base64(id, self.write(content)), 204)
        self.assertEqual(self.sf.Attachment.get_base64(id), content)
        self.assertEqual(self.sf.Attachment.get(id)["BodyLength"], 4000)

    def test_upload_base64_sends_the_bytes_alone(self):
        # It sends no other field, and both kinds of file need one.
        sf, path = self.sf, self.write(b"x")
        for kind, field in ((sf.Attachment, "Body"), (sf.ContentVersion, "VersionData")):
            self.refused(SalesforceMalformedRequest, "REQUIRED_FIELD_MISSING", kind.upload_base64, path, field)

    def test_a_content_version_comes_back_byte_by_byte(self):
        content = os.urandom(5000)
        id = self.saved(
            self.sf.ContentVersion.create(
                {"Title": "x", "PathOnClient": "x.bin", "VersionData": base64.b64encode(content).decode()}
            )
        )
        self.assertEqual(self.sf.ContentVersion.get_base64(id, "VersionData"), content)
