//! Recorded JSON replies, each with the request that gives its like.
//!
//! Key decision: one org for all rows: the sample with two recorded objects added, so that even names agree.
//! Rows run in the order of the table.
//! Not here: describes (`describes`), exchanges of several calls (`cassettes`).

use std::fs;

use halite_simulator::Org;
use serde_json::{Value, json};

use super::shape::Rule::{self, Each, More, Same};
use super::shape::differences;
use crate::support::{Session, recorded};

/// A recorded reply: file, rule, keys that do not count, and the request.
type Row = (&'static str, Rule, &'static [&'static str], fn(&Session) -> Value);

/// URLs that only some kinds of objects have.
const URLS: &[&str] = &[
    "approvalLayouts",
    "caseArticleSuggestions",
    "caseRowArticleSuggestions",
    "compactLayouts",
    "defaultValues",
    "eventSeriesUpdates",
    "layouts",
    "listviews",
    "namedLayouts",
    "passwordUtilities",
    "push",
    "quickActions",
    "runAs",
    "feed",
    "eventSchema",
    "workOrderArticleSuggestions",
    "workOrderLineItemArticleSuggestions",
    "workOrderLineItemRowArticleSuggestions",
    "workOrderRowArticleSuggestions",
];
/// Of orgs with state and country picklists.
const STATES: &[&str] = &["countryCode", "stateCode"];

fn get(s: &Session, path: &str) -> Value {
    s.get(path).1
}

fn query(s: &Session, soql: &str) -> Value {
    s.query(soql).1
}

fn id_of(s: &Session, object: &str) -> String {
    s.org.rows(object)[0]["Id"].as_str().unwrap().to_owned()
}

fn row_of(s: &Session, object: &str) -> Value {
    get(s, &format!("/sobjects/{object}/{}", id_of(s, object)))
}

/// A page of `size` rows of a query of 41.
fn paged(s: &Session, soql: &str, size: usize, last: bool) -> Value {
    s.org.configure(|c| (c.page_size, c.even_pages) = (size, true));
    let mut page = query(s, soql);
    while let (true, Some(next)) = (last, page["nextRecordsUrl"].as_str().map(str::to_owned)) {
        page = get(s, &next);
    }
    s.org.configure(|c| (c.page_size, c.even_pages) = (120, false));
    page
}

fn deleted_again(s: &Session) -> Value {
    let id = s.org.create("Account", &json!({"Name": "gone"})).unwrap();
    s.json(s.request("DELETE", &format!("/sobjects/Account/{id}")));
    s.json(s.request("DELETE", &format!("/sobjects/Account/{id}"))).1
}

fn composite(s: &Session) -> Value {
    let part = |name: &str| json!({"method": "POST", "url": "/services/data/v67.0/sobjects/Account", "referenceId": name, "body": {"Name": name}});
    s.send(
        "POST",
        "/composite",
        &json!({"compositeRequest": [part("a"), part("b")]}),
    )
    .1
}

fn expired(_: &Session) -> Value {
    let s = Session::sample();
    s.org.expire_sessions();
    get(&s, "/sobjects")
}

fn two_of_a_key(s: &Session) -> Value {
    s.send(
        "PATCH",
        "/sobjects/Whizbang/Key__c/same",
        &json!({"Text_Label": "x"}),
    )
    .1
}

const WHIZ: &str = "SELECT Checkbox_Label, Text_Label, Date_Label, DateTime_Label, Picklist_Multiselect_Label, ParentWhizbang__r.Name, ParentWhizbang__r.Text_Label, (SELECT Name FROM Whizbangs__r) FROM Whizbang";
const CONTACTS: &str = "SELECT Id FROM Contact";
const CASES: &str = "SELECT Id, CaseNumber, SystemModstamp, Account.Name, Account.SystemModstamp, Contact.Name, Contact.SystemModstamp FROM Case";
const TASKS: &str =
    "SELECT WhatId, ActivityDate, Status, COUNT(Id) MyCount FROM Task GROUP BY WhatId, ActivityDate, Status";
const ORDERS: &str = "SELECT Id, OrderNumber, AccountId, Status, EffectiveDate, BillToContactId FROM Order";
const FRIENDS: &str = "SELECT Id, SynchronizationId__c, SystemModstamp, LastModifiedById, Name, Example_Field__c, Friend__c FROM CustomObject__c";
const NONE: &str = "SELECT Id FROM Account WHERE Name = 'nobody has this'";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("bulk2/query_job_created.json", More, &[], |s| s.send("POST", "/jobs/query", &json!({"operation": "query", "query": CONTACTS})).1),
    ("camel/describeGlobal-4.json", More, URLS, |s| get(s, "/sobjects")),
    ("camel/describeGlobal-7.json", More, URLS, |s| get(s, "/sobjects")),
    ("camel/limits.json", Each, &[], |s| get(s, "/limits")),
    ("camel/composite_success.json", Same, &["warnings"], composite),
    ("cumulusci/describeGlobal.json", Same, URLS, |s| get(s, "/sobjects")),
    ("cumulusci/retrieve_Organization.json", Same, &[], |s| row_of(s, "Organization")),
    ("elasticio/contact_records.json", More, &[], |s| json!([row_of(s, "Contact")])),
    ("elasticio/describeGlobal.json", More, URLS, |s| get(s, "/sobjects")),
    ("js-sf-cli-plugin/orders-1.json", Same, &[], |s| paged(s, ORDERS, 20, false)),
    ("js-sf-cli-plugin/query_empty.json", Same, &[], |s| query(s, NONE)),
    ("netcoreforce/account.json", More, STATES, |s| row_of(s, "Account")),
    ("netcoreforce/contact.json", More, STATES, |s| row_of(s, "Contact")),
    ("netcoreforce/batch-1.json", Same, &[], |s| paged(s, CONTACTS, 20, false)),
    ("netcoreforce/batch-2.json", Same, &[], |s| paged(s, CONTACTS, 20, false)),
    ("netcoreforce/batch-3.json", Same, &[], |s| paged(s, CONTACTS, 20, false)),
    ("netcoreforce/batch-4.json", Same, &[], |s| paged(s, CONTACTS, 20, true)),
    ("netcoreforce/count_query.json", Same, &[], |s| query(s, "SELECT COUNT() FROM Case")),
    ("netcoreforce/query_case_result.json", Same, &[], |s| query(s, CASES)),
    ("netcoreforce/query_empty_result.json", Same, &[], |s| query(s, NONE)),
    ("netcoreforce/versions.json", Same, &[], |s| get(s, "/services/data")),
    ("restforce-db/create_201.json", Same, &[], |s| s.send("POST", "/sobjects/Account", &json!({"Name": "x"})).1),
    ("restforce-db/delete_404.json", Same, &[], deleted_again),
    ("restforce-db/query_rows.json", Same, &[], |s| query(s, FRIENDS)),
    ("restforce-db/query_zero.json", Same, &[], |s| query(s, NONE)),
    ("restforce-db/services_root.json", Each, &[], |s| get(s, "/services/data/v67.0")),
    ("restforce/create_success_response.json", Same, &[], |s| s.send("POST", "/sobjects/Whizbang", &json!({"Text_Label": "x"})).1),
    ("restforce/delete_error_response.json", Same, &[], |s| s.json(s.request("DELETE", "/sobjects/Whizbang/rid/1")).1),
    ("restforce/expired_session_response.json", Same, &[], expired),
    ("restforce/get_deleted_success_response.json", Same, &[], |s| get(s, "/sobjects/Account/deleted/?start=2026-01-05T07:00:00Z&end=2026-01-05T20:00:00Z")),
    ("restforce/list_sobjects_success_response.json", More, URLS, |s| get(s, "/sobjects")),
    ("restforce/org_query_response.json", Same, &[], |s| query(s, "SELECT Id FROM Organization")),
    ("restforce/query_aggregate_success_response.json", Same, &[], |s| query(s, "SELECT CampaignId, AVG(Amount) FROM Opportunity GROUP BY CampaignId")),
    ("restforce/query_empty_response.json", Same, &[], |s| query(s, NONE)),
    ("restforce/query_error_response.json", Same, &[], |s| query(s, "SELECT Nope FROM Account")),
    ("restforce/query_paginated_first_page_response.json", Same, &[], |s| paged(s, "SELECT Text_Label FROM Whizbang", 1, false)),
    ("restforce/query_success_response.json", Same, &[], |s| query(s, WHIZ)),
    ("restforce/services_data_success_response.json", Same, &[], |s| get(s, "/services/data")),
    ("restforce/sobject_describe_error_response.json", Same, &[], |s| get(s, "/sobjects/Nope/describe")),
    ("restforce/sobject_find_error_response.json", Same, &[], |s| get(s, "/sobjects/Whizbang/23foo")),
    ("restforce/sobject_find_success_response.json", More, &[], |s| row_of(s, "Whizbang")),
    ("restforce/upsert_created_success_response.json", More, &[], |s| s.send("PATCH", "/sobjects/Whizbang/Key__c/new", &json!({"Text_Label": "x"})).1),
    ("restforce/upsert_error_response.json", Same, &[], |s| s.send("PATCH", "/sobjects/Whizbang/Namez/x", &json!({"Text_Label": "x"})).1),
    ("restforce/upsert_multiple_error_response.json", Same, &[], two_of_a_key),
    ("sf-api-connector/basicSObjectMetadata.json", More, URLS, |s| get(s, "/sobjects/Account")),
    ("sf-api-connector/create.json", Same, &[], |s| s.send("POST", "/sobjects/Account", &json!({"Name": "x"})).1),
    ("sf-api-connector/describeGlobal.json", More, URLS, |s| get(s, "/sobjects")),
    ("sf-api-connector/query.json", Same, &[], |s| query(s, "SELECT Id, Name, Description FROM Product2")),
    ("sf-api-connector/queryWithSubquery.json", Same, &[], |s| query(s, "SELECT Id, Name, AnnualRevenue, (SELECT Id, FirstName, Email FROM Contacts), (SELECT Id FROM Tasks) FROM Account")),
    ("sf-api-connector/retrieve.json", Same, &[], |s| get(s, &format!("/sobjects/Contact/{}?fields=FirstName,LastName,Id", id_of(s, "Contact")))),
    ("swiftly/limits.json", Each, &[], |s| get(s, "/limits")),
    ("swiftly/query_aggregate.json", Same, &[], |s| query(s, TASKS)),
    ("swiftly/retrieve_Account.json", Same, &["CleanStatus", "DunsNumber", "NaicsCode", "NaicsDesc", "Tradestyle", "YearStarted"], swiftly),
];

pub fn files() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|(file, ..)| *file)
}

fn load(path: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(recorded(path).unwrap()).unwrap()).unwrap()
}

/// A record of the org that the describe beside the recording tells of.
fn swiftly(_: &Session) -> Value {
    let org = Org::empty()
        .with_describe(&load("describes/swiftly/Account.json"))
        .unwrap();
    org.create("Account", &json!({"Name": "x"})).unwrap();
    row_of(&Session::on(org), "Account")
}

fn session() -> Session {
    // The replies about this object call its fields labels, the describe fields.
    let path = recorded("describes/restforce/Whizbang.json").unwrap();
    let text = fs::read_to_string(path).unwrap().replace("_Field\"", "_Label\"");
    let mut whizbang: Value = serde_json::from_str(&text).unwrap();
    let mut key = whizbang["fields"]
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["name"] == "Text_Label")
        .unwrap()
        .clone();
    for (flag, value) in [
        ("name", json!("Key__c")),
        ("externalId", json!(true)),
        ("unique", json!(false)),
    ] {
        key[flag] = value;
    }
    whizbang["fields"].as_array_mut().unwrap().push(key);
    whizbang["childRelationships"] = json!([{"cascadeDelete": false, "childSObject": "Whizbang",
        "deprecatedAndHidden": false, "field": "ParentWhizbang__c", "relationshipName": "Whizbangs__r"}]);
    let friends = load("describes/restforce-db/CustomObject__c.json");
    let org = Org::sample()
        .with_describe(&whizbang)
        .unwrap()
        .with_describe(&friends)
        .unwrap();
    let s = Session::on(org);
    let make = |object: &str, values: Value| s.org.create(object, &values).unwrap();
    let whole = json!({"Text_Label": "x", "Checkbox_Label": true, "Date_Label": "2010-01-01", "DateTime_Label": "2010-01-01T00:00:00Z",
        "Picklist_Multiselect_Label": "four", "Key__c": "same"});
    let parent = make("Whizbang", whole.clone());
    let mut child = whole;
    child["ParentWhizbang__c"] = json!(parent);
    make("Whizbang", child);
    let contact = id_of(&s, "Contact");
    make("CustomObject__c", json!({"Friend__c": contact}));
    let account = id_of(&s, "Account");
    for n in 0..41 {
        make(
            "Order",
            json!({"AccountId": account, "Status": "Draft", "EffectiveDate": "2026-01-01"}),
        );
        make(
            "Contact",
            json!({"LastName": format!("c{n}"), "FirstName": "x", "Email": "x@example.com"}),
        );
    }
    make("Product2", json!({"Name": "p", "Description": "d"}));
    deleted_again(&s);
    s.send("POST", "/sobjects/Account", &json!({"Name": "seen last"}));
    s
}

#[test]
fn json_replies_have_the_recorded_shape() {
    if recorded("responses").is_none() {
        return;
    }
    let s = session();
    let mut wrong = Vec::new();
    for (file, rule, skip, ask) in ROWS.iter().filter(|(f, ..)| !super::AWAITED.contains(f)) {
        let ours = ask(&s);
        let found = differences(*rule, skip, &load(&format!("responses/{file}")), &ours);
        if !found.is_empty() {
            let shown: String = ours.to_string().chars().take(200).collect();
            wrong.push(format!("{file}: {found:#?} in {shown}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
