//! SOQL over REST: what it finds, how it pages, what it refuses.
//!
//! Key decision: refusals are checked by code and by the words a client would look for.
//! Not here: the grammar's corners (`soql::tests`).

use std::collections::BTreeSet;
use std::time::Duration;

use halite_simulator::Permission;
use serde_json::{Value, json};

use crate::support::{Session, code};

fn ids(rows: &[Value]) -> BTreeSet<String> {
    rows.iter()
        .map(|r| r["Id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn pages_vary_and_hold_every_row_once() {
    let s = Session::sample();
    s.org.configure(|c| c.page_size = 13);
    let (rows, pages) = s.rows("/query", "SELECT Id, Name FROM Contact");
    assert_eq!(rows.len(), 120);
    assert_eq!(ids(&rows).len(), 120);
    assert!(pages > 9);
    let in_order: Vec<&str> = rows.iter().map(|r| r["Id"].as_str().unwrap()).collect();
    assert!(!in_order.is_sorted(), "rows without ORDER BY came sorted");
    let (sorted, _) = s.rows("/query", "SELECT Id FROM Contact ORDER BY Id");
    assert!(sorted.iter().map(|r| r["Id"].as_str().unwrap()).is_sorted());
}

#[test]
fn the_batch_size_header_is_a_hint() {
    let s = Session::sample();
    s.org.configure(|c| c.page_size = 2000);
    let soql = [("q", "SELECT Id FROM Account")];
    let (_, all) = s.json(s.request("GET", "/query").query(&soql));
    assert_eq!(
        (all["done"].clone(), all["totalSize"].clone()),
        (json!(true), json!(60))
    );
    assert!(all.get("nextRecordsUrl").is_none());
    s.org.configure(|c| c.even_pages = true);
    let request = s
        .request("GET", "/query")
        .query(&[("q", "SELECT Id FROM Contact")]);
    let (_, page) = s.json(request.header("Sforce-Query-Options", "batchSize=1"));
    assert_eq!(page["records"].as_array().unwrap().len(), 120);
}

#[test]
fn a_cursor_keeps_its_ids_and_reads_values_late() {
    let s = Session::sample();
    s.org.configure(|c| c.page_size = 10);
    let (_, first) = s.query("SELECT Id, Description FROM Account ORDER BY Id");
    let next = first["nextRecordsUrl"].as_str().unwrap();
    let all = s.org.rows("Account");
    let (changed, gone) = (all[12]["Id"].as_str().unwrap(), all[59]["Id"].as_str().unwrap());
    s.org
        .update(changed, &json!({"Description": "changed between pages"}))
        .unwrap();
    s.org.delete(gone).unwrap();
    let added = s.org.create("Account", &json!({"Name": "late"})).unwrap();
    let mut rows = Vec::new();
    let mut at = next.to_owned();
    loop {
        let (status, page) = s.get(&at);
        assert_eq!((status, &page["totalSize"]), (200, &json!(60)));
        rows.extend(page["records"].as_array().unwrap().clone());
        match page["nextRecordsUrl"].as_str() {
            Some(url) => at = url.to_owned(),
            None => break,
        }
    }
    let seen = rows.iter().find(|r| r["Id"] == json!(changed)).unwrap();
    assert_eq!(seen["Description"], json!("changed between pages"));
    assert!(!ids(&rows).contains(&added) && !ids(&rows).contains(gone));
}

#[test]
fn locators_die() {
    let s = Session::sample();
    s.org.configure(|c| c.page_size = 10);
    let next = |s: &Session| {
        s.query("SELECT Id FROM Account").1["nextRecordsUrl"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let url = next(&s);
    assert_eq!(s.get(&url).0, 200);
    s.org.clock().advance(Duration::from_secs(3 * 24 * 3600));
    assert_eq!(code(&s.get(&url)), (400, "INVALID_QUERY_LOCATOR"));
    let url = next(&s);
    s.org.expire_locators();
    assert_eq!(code(&s.get(&url)), (400, "INVALID_QUERY_LOCATOR"));
    assert_eq!(
        code(&s.get("/query/01gnope-2000")),
        (400, "INVALID_QUERY_LOCATOR")
    );
}

#[test]
fn shapes_of_values() {
    let s = Session::sample();
    let (_, page) = s.query("SELECT Name, Value__c, Purity__c, Opened__c, Shift_Start__c, Last_Inspection__c, Place__c, Shafts__c, Total_Depth__c, Title__c, Products__c, Operator__r.Name, Operator__r.Parent.Name, Owner.Name, Owner.Type, CreatedDate FROM Mine__c WHERE Name = 'MINE 7'");
    let row = &page["records"][0];
    assert_eq!(row["attributes"]["type"], json!("Mine__c"));
    assert_eq!(row["Value__c"], json!(1_234_567.89));
    assert_eq!(row["Shift_Start__c"], json!("06:00:00.000Z"));
    assert_eq!(row["Last_Inspection__c"], json!("2025-12-08T23:59:59.000+0000"));
    assert_eq!(row["Place__c"], json!({"latitude": 48.5, "longitude": 13.0}));
    assert_eq!(
        (&row["Shafts__c"], &row["Total_Depth__c"]),
        (&json!(5.0), &json!(512.5))
    );
    assert_eq!(row["Title__c"], json!("Mine 7 (0.9725)"));
    assert_eq!(row["Operator__r"]["attributes"]["type"], json!("Account"));
    assert!(row["Operator__r"]["Parent"]["Name"].is_string());
    assert_eq!(row["Owner"]["attributes"]["type"], json!("Name"));
    assert_eq!(
        (&row["Owner"]["Name"], &row["Owner"]["Type"]),
        (&json!("Ada Lovelace"), &json!("User"))
    );
    let (_, page) = s.query("SELECT NumberOfEmployees, AnnualRevenue, BillingAddress, ShippingAddress, Fax, Parent.Name FROM Account WHERE Customer_Number__c = 'C-00001'");
    let row = &page["records"][0];
    assert_eq!(row["NumberOfEmployees"].to_string(), "7");
    assert_eq!(row["AnnualRevenue"].to_string(), "1012345.0");
    assert_eq!(row["BillingAddress"]["city"], json!("Hallein"));
    assert_eq!(row["BillingAddress"].as_object().unwrap().len(), 8);
    assert_eq!(
        (&row["ShippingAddress"], &row["Fax"], &row["Parent"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
}

#[test]
fn attributes_come_first_and_fields_in_order() {
    let s = Session::sample();
    let request = s
        .request("GET", "/query")
        .query(&[("q", "SELECT Name, Id FROM Account LIMIT 1")]);
    let text = request.send().unwrap().text().unwrap();
    let places: Vec<usize> = ["attributes", "\"Name\"", "\"Id\""]
        .iter()
        .map(|k| text.find(k).unwrap())
        .collect();
    assert!(places.is_sorted(), "{text}");
}

#[test]
fn conditions() {
    let s = Session::sample();
    let count = |filter: &str| {
        let (status, page) = s.query(&format!("SELECT COUNT() FROM Account WHERE {filter}"));
        assert_eq!((status, &page["records"]), (200, &json!([])), "{filter}: {page}");
        page["totalSize"].as_u64().unwrap()
    };
    assert_eq!(count("ParentId = null"), 6);
    assert_eq!(count("ParentId != null"), 54);
    assert_eq!(count("NumberOfEmployees < 70 AND NumberOfEmployees >= 7"), 9);
    assert_eq!(
        count("(NumberOfEmployees = 7 OR NumberOfEmployees = 14) AND NOT (NumberOfEmployees = 14)"),
        1
    );
    assert_eq!(count("Name LIKE '%GMBH 1_'"), count("Name LIKE '%gmbh 1_'"));
    assert_eq!(count("Customer_Number__c IN ('C-00001', 'c-00002', 'x')"), 2);
    assert_eq!(count("Customer_Number__c NOT IN ('C-00001', 'C-00002')"), 58);
    assert_eq!(count("Interests__c INCLUDES ('Road salt;Brine')"), 30);
    assert_eq!(count("Interests__c INCLUDES ('Bath salt', 'Brine')"), 60);
    assert_eq!(count("Interests__c EXCLUDES ('Brine')"), 30);
    assert_eq!(count("Fax != 'x'"), 60);
    assert_eq!(count("Fax = ''"), 60);
    assert_eq!(count("Parent.ParentId = null"), 24);
    assert_eq!(count("IsDeleted = false"), 60);
    assert_eq!(count("CreatedDate > 2026-01-05T08:00:00Z"), 60);
    assert_eq!(count("CreatedDate > 2026-01-05T09:00:00+01:00"), 60);
    assert_eq!(count("SystemModstamp >= 2030-01-01T00:00:00.000Z"), 0);
    assert_eq!(count("Website = 'https://firm1.example/?q=salt&n=1'"), 1);
    assert_eq!(
        s.query("SELECT COUNT() FROM Contact WHERE Email = 'PERSON1@firm.example'")
            .1["totalSize"],
        json!(1)
    );
    assert_eq!(
        s.query("SELECT COUNT() FROM Opportunity WHERE CloseDate >= 2026-01-01")
            .1["totalSize"]
            .as_u64()
            .unwrap(),
        8
    );
}

#[test]
fn the_keyset_of_a_backup() {
    let s = Session::sample();
    let mut seen: Vec<(String, String)> = Vec::new();
    loop {
        let filter = seen.last().map_or(String::new(), |(stamp, id)| {
            let stamp = stamp.replace("+0000", "Z");
            format!("WHERE SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND Id > '{id}')")
        });
        let (status, page) = s.query(&format!(
            "SELECT Id, SystemModstamp FROM Contact {filter} ORDER BY SystemModstamp, Id LIMIT 7"
        ));
        assert_eq!(status, 200, "{page}");
        let rows = page["records"].as_array().unwrap();
        if rows.is_empty() {
            break;
        }
        seen.extend(rows.iter().map(|r| {
            (
                r["SystemModstamp"].as_str().unwrap().to_owned(),
                r["Id"].as_str().unwrap().to_owned(),
            )
        }));
    }
    assert_eq!(seen.len(), 120);
    assert!(seen.is_sorted());
}

#[test]
fn orders_limits_offsets() {
    let s = Session::sample();
    let names = |tail: &str| -> Vec<Value> {
        s.rows(
            "/query",
            &format!("SELECT Description, Customer_Number__c FROM Account {tail}"),
        )
        .0
    };
    let rows = names("ORDER BY Customer_Number__c DESC LIMIT 3 OFFSET 2");
    let numbers: Vec<&str> = rows
        .iter()
        .map(|r| r["Customer_Number__c"].as_str().unwrap())
        .collect();
    assert_eq!(numbers, ["C-00057", "C-00056", "C-00055"]);
    let rows = s
        .rows(
            "/query",
            "SELECT ParentId FROM Account ORDER BY ParentId NULLS LAST",
        )
        .0;
    assert!(!rows[0]["ParentId"].is_null() && rows[59]["ParentId"].is_null());
    let rows = s
        .rows(
            "/query",
            "SELECT ParentId FROM Account ORDER BY ParentId DESC NULLS FIRST",
        )
        .0;
    assert!(rows[0]["ParentId"].is_null());
}

#[test]
fn refusals() {
    let s = Session::sample();
    for (soql, wanted, words) in [
        (
            "SELECT Id FROM Nope",
            "INVALID_TYPE",
            "sObject type 'Nope' is not supported",
        ),
        (
            "SELECT Id, Nope FROM Account",
            "INVALID_FIELD",
            "No such column 'Nope' on entity 'Account'",
        ),
        (
            "SELECT Nope.Name FROM Account",
            "INVALID_FIELD",
            "Didn't understand relationship 'Nope'",
        ),
        (
            "SELECT Owner.Department FROM Lead",
            "INVALID_FIELD",
            "entity 'Name'",
        ),
        (
            "SELECT Id FROM Account WHERE SystemModstamp > '2024-01-01T00:00:00Z'",
            "INVALID_FIELD",
            "must be of type dateTime and should not be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Account WHERE Name = 5",
            "INVALID_FIELD",
            "must be of type string and should be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Account WHERE NumberOfEmployees = '5'",
            "INVALID_FIELD",
            "must be of type int",
        ),
        (
            "SELECT Id FROM Account WHERE Description = 'x'",
            "INVALID_FIELD",
            "can not be filtered",
        ),
        (
            "SELECT Id FROM Account ORDER BY Description",
            "INVALID_FIELD",
            "can not be sorted",
        ),
        (
            "SELECT Id FROM Account WHERE BillingAddress = 'x'",
            "INVALID_FIELD",
            "can not be filtered",
        ),
        (
            "SELECT Id FROM Account WHERE Id = 'abc'",
            "INVALID_QUERY_FILTER_OPERATOR",
            "invalid ID field: abc",
        ),
        (
            "SELECT Id FROM Account WHERE IsDeleted > false",
            "INVALID_QUERY_FILTER_OPERATOR",
            "invalid operator",
        ),
        (
            "SELECT Id, id FROM Account",
            "INVALID_FIELD",
            "duplicate field selected",
        ),
        (
            "SELECT Id FROM Account WHERE",
            "MALFORMED_QUERY",
            "unexpected token",
        ),
        ("SELECT FROM Account", "MALFORMED_QUERY", "unexpected token"),
        (
            "SELECT Id FROM Account WHERE Name = 'x' AND Name = 'y' OR Name = 'z'",
            "MALFORMED_QUERY",
            "unexpected token: 'OR'",
        ),
        (
            "SELECT Id FROM Account WHERE Name = 'open",
            "MALFORMED_QUERY",
            "closing quote",
        ),
        (
            "SELECT Id FROM Account WHERE CreatedDate > 2024-13-45T00:00:00Z",
            "INVALID_FIELD",
            "dateTime",
        ),
        (
            "SELECT Id FROM Account ALL ROWS",
            "MALFORMED_QUERY",
            "ALL ROWS not allowed",
        ),
        (
            "SELECT Id FROM Account LIMIT 5 OFFSET 2001",
            "NUMBER_OUTSIDE_VALID_RANGE",
            "2000",
        ),
        (
            "SELECT Name, COUNT(Id) FROM Account",
            "MALFORMED_QUERY",
            "Field must be grouped or aggregated: Name",
        ),
        (
            "SELECT Id FROM Account; DROP",
            "MALFORMED_QUERY",
            "unexpected token: ';'",
        ),
    ] {
        let reply = s.query(soql);
        assert_eq!(code(&reply), (400, wanted), "{soql}");
        assert!(
            reply.1[0]["message"].as_str().unwrap().contains(words),
            "{soql}: {}",
            reply.1
        );
    }
    assert_eq!(code(&s.get("/query")), (400, "MALFORMED_QUERY"));
}

#[test]
fn content_document_links_need_a_filter_without_the_permission() {
    let s = Session::sample();
    let all = "SELECT Id, ContentDocumentId FROM ContentDocumentLink";
    assert_eq!(s.query(all).1["totalSize"], json!(5));
    s.org
        .permit(&s.org.api_user(), |p| p.revoke(Permission::QueryAllFiles));
    assert_eq!(code(&s.query(all)), (400, "MALFORMED_QUERY"));
    let account = s.org.rows("Account")[0]["Id"].as_str().unwrap().to_owned();
    assert_eq!(
        s.query(&format!("{all} WHERE LinkedEntityId IN ('{account}')")).1["totalSize"],
        json!(1)
    );
    assert_eq!(
        s.query("SELECT PermissionsQueryAllFiles FROM UserPermissionAccess")
            .1["records"][0]["PermissionsQueryAllFiles"],
        json!(false)
    );
}

#[test]
fn a_target_too_long_is_414_and_headers_too_many_431() {
    let s = Session::sample();
    let long = format!("SELECT Id FROM Account WHERE Name = '{}'", "x".repeat(17_000));
    assert_eq!(s.query(&long).0, 414);
    let half = format!("SELECT Id FROM Account WHERE Name = '{}'", "x".repeat(3_000));
    assert_eq!(s.query(&half).0, 200);
    let request = s.request("GET", "/query").query(&[("q", half.as_str())]);
    assert_eq!(s.json(request.header("X-Padding", "y".repeat(14_000))).0, 431);
}

#[test]
fn query_all_sees_the_deleted() {
    let s = Session::sample();
    let id = s.org.create("Account", &json!({"Name": "short-lived"})).unwrap();
    s.org.delete(&id).unwrap();
    let soql = format!("SELECT Id, IsDeleted FROM Account WHERE Id = '{}'", &id[..15]);
    assert_eq!(s.query(&soql).1["totalSize"], json!(0));
    assert_eq!(s.rows("/queryAll", &soql).0[0]["IsDeleted"], json!(true));
    s.org.purge(&[&id]).unwrap();
    assert_eq!(s.rows("/queryAll", &soql).0.len(), 1);
    s.org.expire(&[&id]).unwrap();
    assert_eq!(s.rows("/queryAll", &soql).0.len(), 0);
}
