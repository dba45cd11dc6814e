//! Queries across objects: children, parents of several kinds, semi-joins, and groups of fields.
//!
//! Key decision: what a query finds is held against what plain queries say, or against a few known rows.
//! Not here: groups and days (`query_groups`), one object's conditions and pages (`query`).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Session, code};

fn texts(rows: &[Value], field: &str) -> BTreeSet<String> {
    let value = |r: &Value| r[field].as_str().map(str::to_owned);
    rows.iter().filter_map(value).collect()
}

fn refused(s: &Session, soql: &str, wanted: &str, words: &str) {
    let reply = s.query(soql);
    assert_eq!(code(&reply), (400, wanted), "{soql}");
    let message = reply.1[0]["message"].as_str().unwrap();
    assert!(message.contains(words), "{soql}: {message}");
}

#[test]
fn children_stand_inside_their_parent() {
    let s = Session::sample();
    let (status, page) = s.query(
        "SELECT Name, (SELECT Id, Email, Account.Name FROM Account.Contacts WHERE Email LIKE 'person%' ORDER BY Email DESC), (SELECT Id FROM Tasks) \
         FROM Account WHERE Customer_Number__c IN ('C-00001', 'C-00021') ORDER BY Customer_Number__c",
    );
    assert_eq!(status, 200, "{page}");
    let row = &page["records"][0];
    let contacts = &row["Contacts"];
    assert_eq!(
        (&contacts["totalSize"], &contacts["done"]),
        (&json!(2), &json!(true))
    );
    assert_eq!(contacts["records"][0]["attributes"]["type"], json!("Contact"));
    assert_eq!(contacts["records"][0]["Email"], json!("person61@firm.example"));
    assert_eq!(contacts["records"][1]["Email"], json!("person1@firm.example"));
    assert_eq!(contacts["records"][1]["Account"]["Name"], row["Name"]);
    assert_eq!(row["Tasks"]["totalSize"], json!(1));
    assert_eq!(page["records"][1]["Tasks"], Value::Null);
}

#[test]
fn many_children_come_in_pages() {
    let s = Session::sample();
    let parent = s.org.create("Account", &json!({"Name": "many"})).unwrap();
    for n in 0..25 {
        let child = json!({"LastName": format!("c{n}"), "AccountId": parent});
        s.org.create("Contact", &child).unwrap();
    }
    s.org.configure(|c| c.page_size = 8);
    let soql = format!("SELECT Id, (SELECT Id, LastName FROM Contacts) FROM Account WHERE Id = '{parent}'");
    let (_, page) = s.query(&soql);
    assert_eq!(page["done"], json!(true));
    let mut inner = page["records"][0]["Contacts"].clone();
    assert_eq!((&inner["totalSize"], &inner["done"]), (&json!(25), &json!(false)));
    let mut names = BTreeSet::new();
    loop {
        names.extend(texts(inner["records"].as_array().unwrap(), "LastName"));
        match inner["nextRecordsUrl"].as_str() {
            Some(url) => inner = s.get(url).1,
            None => break,
        }
    }
    assert_eq!(names.len(), 25);
}

#[test]
fn children_of_children_down_to_five_levels() {
    let s = Session::sample();
    let (status, page) = s.query(
        "SELECT Id, (SELECT Id, (SELECT Id FROM Contacts) FROM ChildAccounts) FROM Account WHERE Customer_Number__c = 'C-00000'",
    );
    assert_eq!(status, 200, "{page}");
    let child = &page["records"][0]["ChildAccounts"]["records"][0];
    assert!(child["Contacts"]["totalSize"].as_u64().unwrap() > 0);
    let nested = |depth: usize| {
        let open = "(SELECT Id, ".repeat(depth);
        let close = " FROM ChildAccounts)".repeat(depth);
        format!("SELECT Id, {open}Name{close} FROM Account LIMIT 1")
    };
    assert_eq!(s.query(&nested(4)).0, 200);
    assert_eq!(code(&s.query(&nested(6))), (400, "QUERY_TOO_COMPLICATED"));
}

#[test]
fn deleted_children_are_for_query_all() {
    let s = Session::sample();
    let parent = s.org.create("Account", &json!({"Name": "p"})).unwrap();
    let child = json!({"LastName": "gone", "AccountId": parent});
    let child = s.org.create("Contact", &child).unwrap();
    s.org.delete(&child).unwrap();
    let soql = format!("SELECT Id, (SELECT Id FROM Contacts) FROM Account WHERE Id = '{parent}'");
    assert_eq!(s.query(&soql).1["records"][0]["Contacts"], Value::Null);
    let all = s.rows("/queryAll", &soql).0;
    assert_eq!(all[0]["Contacts"]["records"][0]["Id"], json!(child));
}

#[test]
fn a_parent_of_several_kinds() {
    let s = Session::sample();
    let count =
        |filter: &str| s.query(&format!("SELECT COUNT() FROM Task WHERE {filter}")).1["totalSize"].clone();
    assert_eq!(count("What.Type = 'Account' AND Who.Type = 'Contact'"), json!(20));
    assert_eq!(count("What.Type IN ('Opportunity', 'Case')"), json!(0));
    let (_, page) =
        s.query("SELECT Owner.Name, Owner.Type, Owner.Profile.Name FROM Lead ORDER BY Owner.Type");
    let (first, last) = (&page["records"][0]["Owner"], &page["records"][39]["Owner"]);
    assert_eq!(
        (&first["Type"], &first["Profile"]),
        (&json!("Group"), &Value::Null)
    );
    assert_eq!(first["attributes"]["type"], json!("Name"));
    assert!(last["Profile"]["Name"].is_string(), "{last}");
}

#[test]
fn typeof_chooses_fields_by_kind() {
    let s = Session::sample();
    let task = |values: Value| s.org.create("Task", &values).unwrap();
    let account = s.org.rows("Account")[0]["Id"].clone();
    let case = s.org.rows("Case")[0]["Id"].clone();
    let ids = [
        task(json!({"Subject": "a", "Status": "Completed", "WhatId": account})),
        task(json!({"Subject": "b", "Status": "Completed", "WhatId": case})),
        task(json!({"Subject": "c", "Status": "Completed"})),
    ];
    let query = |typed: &str| {
        let list = ids.join("','");
        let soql = format!(
            "SELECT Subject, TYPEOF What {typed} END FROM Task WHERE Id IN ('{list}') ORDER BY Subject"
        );
        let (status, page) = s.query(&soql);
        assert_eq!(status, 200, "{page}");
        page["records"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["What"].clone())
            .collect::<Vec<_>>()
    };
    let found = query("WHEN Account THEN Phone, NumberOfEmployees, Owner.Name ELSE Name, Type");
    assert_eq!(found[0]["attributes"]["type"], json!("Account"));
    assert_eq!(found[0]["NumberOfEmployees"], json!(0));
    assert_eq!(found[0]["Owner"]["Name"], json!("Ada Lovelace"));
    assert_eq!(
        (&found[1]["Type"], &found[1]["attributes"]["type"]),
        (&json!("Case"), &json!("Name"))
    );
    assert_eq!(found[2], Value::Null);
    assert_eq!(query("WHEN Account THEN Phone")[1], Value::Null);
    refused(
        &s,
        "SELECT TYPEOF Account WHEN Account THEN Name END FROM Contact",
        "MALFORMED_QUERY",
        "polymorphic",
    );
    refused(
        &s,
        "SELECT TYPEOF What WHEN Lead THEN Name END FROM Task",
        "MALFORMED_QUERY",
        "does not refer",
    );
    refused(
        &s,
        "SELECT What.Name, TYPEOF What WHEN Account THEN Name END FROM Task",
        "MALFORMED_QUERY",
        "TYPEOF",
    );
}

#[test]
fn semi_joins_and_anti_joins() {
    let s = Session::sample();
    let accounts = |soql: &str| texts(&s.rows("/query", soql).0, "Id");
    let used = texts(
        &s.rows(
            "/query",
            "SELECT AccountId FROM Opportunity WHERE StageName = 'Closed Won'",
        )
        .0,
        "AccountId",
    );
    assert!(!used.is_empty() && used.len() < 60);
    let closed = "(SELECT AccountId FROM Opportunity WHERE StageName = 'Closed Won')";
    assert_eq!(
        accounts(&format!("SELECT Id FROM Account WHERE Id IN {closed}")),
        used
    );
    let others = accounts(&format!("SELECT Id FROM Account WHERE Id NOT IN {closed}"));
    assert_eq!(others.len() + used.len(), 60);
    assert!(others.is_disjoint(&used));
    let both = accounts(&format!(
        "SELECT Id FROM Account WHERE Id IN {closed} AND NumberOfEmployees > 100 AND Id IN (SELECT AccountId FROM Contact WHERE DoNotCall = true)"
    ));
    assert!(both.is_subset(&used) && both.len() < used.len());
    assert_eq!(
        s.query("SELECT COUNT() FROM Task WHERE WhoId IN (SELECT Id FROM Contact WHERE Email = 'person3@firm.example')").1["totalSize"],
        json!(1)
    );
}

#[test]
fn restrictions_of_semi_joins() {
    let s = Session::sample();
    let inner = "Id IN (SELECT AccountId FROM Contact)";
    for (filter, words) in [
        (
            format!("Name = 'x' OR {inner}"),
            "not allowed with the 'OR' operator",
        ),
        (format!("NOT {inner}"), "'NOT' operator"),
        (
            format!("Name != 'x' AND (Name != 'y' AND {inner})"),
            "top level WHERE",
        ),
        (format!("{inner} AND {inner} AND {inner}"), "Maximum 2"),
        (
            "Name IN (SELECT AccountId FROM Contact)".into(),
            "should be an id field, cannot use: 'Name'",
        ),
        (
            "Id IN (SELECT LastName FROM Contact)".into(),
            "can only query id fields, cannot use:'LastName'",
        ),
        (
            "Id IN (SELECT OwnerId FROM Contact)".into(),
            "should point to the same object type",
        ),
        ("Id IN (SELECT ParentId FROM Account)".into(), "same object type"),
        (
            "Id IN (SELECT AccountId FROM Contact WHERE Id IN (SELECT WhoId FROM Task))".into(),
            "Nesting",
        ),
        (
            "Id IN (SELECT AccountId FROM Contact LIMIT 1)".into(),
            "cannot have",
        ),
        (
            "Id IN (SELECT COUNT(Id) FROM Contact)".into(),
            "not allowed in sub-selects",
        ),
    ] {
        refused(
            &s,
            &format!("SELECT Id FROM Account WHERE {filter}"),
            "MALFORMED_QUERY",
            words,
        );
    }
}

#[test]
fn groups_of_fields() {
    let s = Session::sample();
    let keys = |group: &str| {
        let (status, page) = s.query(&format!("SELECT FIELDS({group}) FROM Account LIMIT 200"));
        assert_eq!(status, 200, "{page}");
        let row = page["records"][0].as_object().unwrap();
        row.keys()
            .filter(|k| *k != "attributes")
            .cloned()
            .collect::<BTreeSet<String>>()
    };
    let (all, standard, custom) = (keys("ALL"), keys("STANDARD"), keys("CUSTOM"));
    assert_eq!(
        custom,
        ["Customer_Number__c", "Interests__c"].map(str::to_owned).into()
    );
    assert_eq!(standard.union(&custom).cloned().collect::<BTreeSet<_>>(), all);
    assert!(standard.contains("BillingAddress"));
    let limit = "must have a LIMIT of at most 200";
    refused(&s, "SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY", limit);
    refused(
        &s,
        "SELECT FIELDS(CUSTOM) FROM Account LIMIT 201",
        "MALFORMED_QUERY",
        limit,
    );
    refused(
        &s,
        "SELECT Id, FIELDS(STANDARD) FROM Account",
        "INVALID_FIELD",
        "duplicate field selected: Id",
    );
    assert_eq!(
        s.query("SELECT FIELDS(STANDARD), Interests__c FROM Account").0,
        200
    );
}

#[test]
fn names_given_in_from() {
    let s = Session::sample();
    let (status, page) = s.query("SELECT c.Email, a.Name, a.Parent.Name FROM Contact c, c.Account a WHERE a.Customer_Number__c = 'C-00007' AND c.Email != null");
    assert_eq!((status, &page["totalSize"]), (200, &json!(2)), "{page}");
    assert!(page["records"][0]["Account"]["Parent"]["Name"].is_string());
}

#[test]
fn functions_of_fields() {
    let s = Session::sample();
    let (status, page) = s.query("SELECT toLabel(Industry), FORMAT(AnnualRevenue) shown, FORMAT(CreatedDate) FROM Account WHERE Customer_Number__c = 'C-00001'");
    assert_eq!(status, 200, "{page}");
    let row = &page["records"][0];
    assert!(row["Industry"].is_string());
    assert_eq!(row["shown"], json!("1,012,345"));
    assert_eq!(row["CreatedDate"], json!("1/5/2026, 8:00 AM"));
    refused(
        &s,
        "SELECT Name n FROM Account",
        "MALFORMED_QUERY",
        "only aggregate expressions use field aliasing",
    );
    refused(
        &s,
        "SELECT NOPE(Name) FROM Account",
        "MALFORMED_QUERY",
        "unknown function: NOPE",
    );
    refused(
        &s,
        "SELECT FORMAT(Name) FROM Account",
        "INVALID_FIELD",
        "does not support the function",
    );
}

#[test]
fn clauses_that_change_no_row() {
    let s = Session::sample();
    for tail in [
        "FOR VIEW",
        "FOR REFERENCE",
        "FOR UPDATE",
        "WHERE Name != null WITH SECURITY_ENFORCED LIMIT 60",
        "UPDATE TRACKING, VIEWSTAT",
    ] {
        let (status, page) = s.query(&format!("SELECT Id FROM Account {tail}"));
        assert_eq!((status, &page["totalSize"]), (200, &json!(60)), "{tail}");
    }
    let owned =
        |scope: &str| s.query(&format!("SELECT Id FROM Lead USING SCOPE {scope}")).1["totalSize"].clone();
    assert_eq!((owned("everything"), owned("Mine")), (json!(40), json!(0)));
    s.send(
        "POST",
        "/sobjects/Lead",
        &json!({"LastName": "mine", "Company": "x"}),
    );
    assert_eq!(owned("mine"), json!(1));
    refused(
        &s,
        "SELECT Id FROM Lead USING SCOPE nobody",
        "MALFORMED_QUERY",
        "filter scope 'nobody'",
    );
}

#[test]
fn names_that_lead_nowhere() {
    let s = Session::sample();
    refused(
        &s,
        "SELECT Id, (SELECT Id FROM Contactss) FROM Account",
        "INVALID_TYPE",
        "Didn't understand relationship 'Contactss' in FROM part of query call",
    );
    refused(
        &s,
        "SELECT Id, (SELECT Id FROM Contacts OFFSET 1) FROM Account",
        "MALFORMED_QUERY",
        "OFFSET",
    );
    refused(
        &s,
        "SELECT Id, (SELECT COUNT() FROM Contacts) FROM Account",
        "MALFORMED_QUERY",
        "COUNT()",
    );
    refused(
        &s,
        "SELECT Parent.Parent.Parent.Parent.Parent.Parent.Name FROM Account",
        "INVALID_FIELD",
        "5 levels",
    );
    refused(
        &s,
        "SELECT Id FROM ActivityHistory",
        "INVALID_TYPE_FOR_OPERATION",
        "entity type ActivityHistory does not support query",
    );
    refused(
        &s,
        "SELECT Id FROM AccountChangeEvent",
        "INVALID_TYPE_FOR_OPERATION",
        "does not support query",
    );
}

#[test]
fn objects_that_ask_for_a_filter() {
    let field =
        |name: &str, kind: &str| json!({"name": name, "type": kind, "filterable": true, "label": name});
    let object = |name: &str, fields: Value| json!({"name": name, "label": name, "fields": fields, "queryable": true, "custom": false});
    let id = field("Id", "id");
    let s = Session::on(
        halite_simulator::Org::empty()
            .with_describe(&object("Vote", json!([id, field("ParentId", "reference")])))
            .and_then(|o| o.with_describe(&object("SiteDetail", json!([id, field("DurableId", "string")]))))
            .unwrap(),
    );
    refused(
        &s,
        "SELECT Id FROM Vote",
        "MALFORMED_QUERY",
        "Implementation restriction",
    );
    refused(
        &s,
        "SELECT Id FROM SiteDetail",
        "MALFORMED_QUERY",
        "SiteDetail: a filter on a reified column is required [DurableId]",
    );
    assert_eq!(s.query("SELECT Id FROM SiteDetail WHERE DurableId = 'x'").0, 200);
    assert_eq!(
        s.query("SELECT Id FROM Vote WHERE ParentId = '001000000000000' AND Id != null")
            .0,
        200
    );
    refused(
        &s,
        "SELECT Id FROM Vote WHERE ParentId = '001000000000000' OR Id != null",
        "MALFORMED_QUERY",
        "restriction",
    );
}
