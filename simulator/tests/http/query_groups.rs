//! Aggregate queries and named days.
//!
//! Key decision: sums are held against the same sums over the rows of a plain query; the clock is the org's,
//! and days are chosen from it.
//! Not here: relations (`query_relations`), conditions of one object (`query`).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Session, code};

fn records(s: &Session, soql: &str) -> Vec<Value> {
    let (status, page) = s.query(soql);
    assert_eq!((status, &page["done"]), (200, &json!(true)), "{soql}: {page}");
    let rows = page["records"].as_array().unwrap().clone();
    assert_eq!(page["totalSize"], json!(rows.len()));
    rows
}

fn refused(s: &Session, soql: &str, wanted: &str, words: &str) {
    let reply = s.query(soql);
    assert_eq!(code(&reply), (400, wanted), "{soql}");
    let message = reply.1[0]["message"].as_str().unwrap();
    assert!(message.contains(words), "{soql}: {message}");
}

#[test]
fn groups_sum_up_their_rows() {
    let s = Session::sample();
    let (rows, _) = s.rows("/query", "SELECT StageName, Amount FROM Opportunity");
    let mut sums: BTreeMap<String, (u64, f64, f64)> = BTreeMap::new();
    for row in &rows {
        let (stage, amount) = (
            row["StageName"].as_str().unwrap(),
            row["Amount"].as_f64().unwrap(),
        );
        let sum = sums.entry(stage.to_owned()).or_default();
        *sum = (sum.0 + 1, sum.1 + amount, sum.2.max(amount));
    }
    let groups = records(
        &s,
        "SELECT StageName, COUNT(Id), SUM(Amount) total, MAX(Amount), AVG(Amount) FROM Opportunity GROUP BY StageName ORDER BY StageName",
    );
    let names: Vec<&str> = groups.iter().map(|g| g["StageName"].as_str().unwrap()).collect();
    assert_eq!(names, sums.keys().map(String::as_str).collect::<Vec<_>>());
    for group in &groups {
        assert_eq!(group["attributes"], json!({"type": "AggregateResult"}));
        let (count, total, most) = sums[group["StageName"].as_str().unwrap()];
        assert_eq!(group["expr0"], json!(count));
        assert!((group["total"].as_f64().unwrap() - total).abs() < 1e-5);
        assert_eq!(group["expr1"].as_f64(), Some(most));
        assert!((group["expr2"].as_f64().unwrap() - total / count as f64).abs() < 1e-5);
    }
}

#[test]
fn one_group_without_group_by() {
    let s = Session::sample();
    let rows = records(
        &s,
        "SELECT COUNT(ParentId), COUNT_DISTINCT(ParentId) parents, MIN(NumberOfEmployees), SUM(NumberOfEmployees), MAX(CreatedDate) newest FROM Account",
    );
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0]["expr0"], &rows[0]["parents"]), (&json!(54), &json!(24)));
    assert_eq!((&rows[0]["expr1"], &rows[0]["expr2"]), (&json!(0), &json!(12390)));
    assert!(rows[0]["newest"].as_str().unwrap().ends_with(".000+0000"));
    let none = records(
        &s,
        "SELECT COUNT(Id), SUM(AnnualRevenue) FROM Account WHERE Name = 'nobody'",
    );
    assert_eq!((&none[0]["expr0"], &none[0]["expr1"]), (&json!(0), &Value::Null));
}

#[test]
fn having_order_and_limit() {
    let s = Session::sample();
    let rows = records(
        &s,
        "SELECT ParentId p, COUNT(Id) n FROM Account WHERE ParentId != null GROUP BY ParentId HAVING COUNT(Id) > 2 AND ParentId != '001000000000000' ORDER BY COUNT(Id) DESC, ParentId LIMIT 4",
    );
    let counts: Vec<i64> = rows.iter().map(|r| r["n"].as_i64().unwrap()).collect();
    assert_eq!(counts.len(), 4);
    assert!(counts.is_sorted_by(|a, b| a >= b) && counts[3] > 2);
    assert!(rows[0]["p"].is_string());
}

#[test]
fn keys_may_be_parents_fields_and_parts_of_days() {
    let s = Session::sample();
    let by_parent = records(
        &s,
        "SELECT Account.Industry, COUNT(Id) FROM Contact GROUP BY Account.Industry",
    );
    let total: i64 = by_parent.iter().map(|r| r["expr0"].as_i64().unwrap()).sum();
    assert_eq!(total, 120);
    assert!(by_parent.iter().any(|r| r["Industry"].is_null()));
    let years = records(
        &s,
        "SELECT CALENDAR_YEAR(CloseDate), CALENDAR_MONTH(CloseDate) m, COUNT(Id) n FROM Opportunity WHERE CALENDAR_YEAR(CloseDate) >= 2020 GROUP BY CALENDAR_YEAR(CloseDate), CALENDAR_MONTH(CloseDate) ORDER BY CALENDAR_YEAR(CloseDate)",
    );
    assert_eq!(years[0]["expr0"], json!(2020));
    let plain = s
        .query("SELECT COUNT() FROM Opportunity WHERE CloseDate >= 2020-01-01")
        .1["totalSize"]
        .clone();
    let total: i64 = years.iter().map(|r| r["n"].as_i64().unwrap()).sum();
    assert_eq!(json!(total), plain);
    let days = records(
        &s,
        "SELECT DAY_ONLY(CreatedDate) day, FORMAT(MAX(AnnualRevenue)) most FROM Account GROUP BY DAY_ONLY(CreatedDate)",
    );
    assert_eq!(
        days[0],
        json!({"attributes": {"type": "AggregateResult"}, "day": "2026-01-05", "most": "1,728,355"})
    );
}

#[test]
fn refusals_of_groups() {
    let s = Session::sample();
    for (soql, wanted, words) in [
        (
            "SELECT Industry, COUNT(Id) FROM Account",
            "MALFORMED_QUERY",
            "Field must be grouped or aggregated: Industry",
        ),
        (
            "SELECT COUNT(Id) FROM Account GROUP BY AnnualRevenue",
            "INVALID_FIELD",
            "can not be grouped in a query call",
        ),
        (
            "SELECT COUNT(Id) FROM Account GROUP BY Description",
            "INVALID_FIELD",
            "can not be grouped in a query call",
        ),
        (
            "SELECT SUM(Name) FROM Account",
            "MALFORMED_QUERY",
            "field Name does not support aggregate operator SUM",
        ),
        (
            "SELECT MAX(IsDeleted) FROM Account",
            "MALFORMED_QUERY",
            "does not support aggregate operator MAX",
        ),
        (
            "SELECT MAX(CreatedDate) FROM Account LIMIT 1",
            "MALFORMED_QUERY",
            "cannot also use LIMIT",
        ),
        (
            "SELECT COUNT(Id) n, MAX(Name) n FROM Account",
            "MALFORMED_QUERY",
            "duplicate alias: n",
        ),
        (
            "SELECT COUNT(Id) FROM Account WHERE COUNT(Id) > 1",
            "MALFORMED_QUERY",
            "not allowed here",
        ),
        (
            "SELECT Industry FROM Account GROUP BY Industry HAVING Name = 'x'",
            "MALFORMED_QUERY",
            "grouped or aggregated",
        ),
        (
            "SELECT Industry FROM Account GROUP BY Industry ORDER BY Name",
            "MALFORMED_QUERY",
            "grouped or aggregated",
        ),
        (
            "SELECT CALENDAR_YEAR(CreatedDate) FROM Account",
            "MALFORMED_QUERY",
            "grouped or aggregated",
        ),
        (
            "SELECT COUNT(Id), (SELECT Id FROM Contacts) FROM Account",
            "MALFORMED_QUERY",
            "Grouped queries",
        ),
        (
            "SELECT COUNT() FROM Account GROUP BY Name",
            "MALFORMED_QUERY",
            "COUNT()",
        ),
        (
            "SELECT COUNT(Id) FROM Account HAVING COUNT(Id) > 'x'",
            "INVALID_FIELD",
            "must be of type int",
        ),
    ] {
        refused(&s, soql, wanted, words);
    }
}

#[test]
fn groups_beyond_one_batch_are_refused() {
    let s = Session::on(halite_simulator::Org::empty());
    for n in 0..2001 {
        s.org
            .create("Lead", &json!({"LastName": format!("l{n}"), "Company": "x"}))
            .unwrap();
    }
    refused(
        &s,
        "SELECT LastName, COUNT(Id) FROM Lead GROUP BY LastName",
        "EXCEEDED_ID_LIMIT",
        "does not support queryMore()",
    );
    assert_eq!(
        records(
            &s,
            "SELECT LastName, COUNT(Id) FROM Lead GROUP BY LastName LIMIT 2000"
        )
        .len(),
        2000
    );
}

#[test]
fn days_are_the_clocks() {
    let s = Session::on(halite_simulator::Org::empty());
    let clock = s.org.clock();
    // Wednesday 11 February 2026; one row a day from ten days before to ten days after.
    for n in -10i32..=10 {
        let day = day_after(n);
        s.org
            .create(
                "Opportunity",
                &json!({"Name": day, "StageName": "Prospecting", "CloseDate": day}),
            )
            .unwrap();
    }
    clock.set("2026-02-11T23:30:00Z".parse().unwrap());
    s.org
        .create("Lead", &json!({"LastName": "late", "Company": "x"}))
        .unwrap();
    let count = |filter: &str| {
        s.query(&format!(
            "SELECT COUNT() FROM Opportunity WHERE CloseDate {filter}"
        ))
        .1["totalSize"]
            .clone()
    };
    for (filter, found) in [
        ("= TODAY", 1),
        ("!= TODAY", 20),
        ("< TODAY", 10),
        ("<= today", 11),
        ("> TODAY", 10),
        (">= TODAY", 11),
        ("= LAST_N_DAYS:3", 4),
        ("= NEXT_N_DAYS:3", 3),
        ("= THIS_WEEK", 7),
        ("= LAST_WEEK", 7),
        ("> LAST_MONTH", 21),
        ("= THIS_MONTH", 21),
        ("IN (YESTERDAY, TOMORROW, 2026-02-11)", 3),
        ("NOT IN (YESTERDAY, TOMORROW)", 19),
    ] {
        assert_eq!(count(filter), json!(found), "{filter}");
    }
    let leads = |filter: &str| {
        s.query(&format!("SELECT COUNT() FROM Lead WHERE CreatedDate {filter}"))
            .1["totalSize"]
            .clone()
    };
    assert_eq!(
        (leads("= TODAY"), leads("< TODAY"), leads("= N_DAYS_AGO:1")),
        (json!(1), json!(0), json!(0))
    );
    clock.set("2026-02-12T00:30:00Z".parse().unwrap());
    assert_eq!((leads("= TODAY"), leads("= YESTERDAY")), (json!(0), json!(1)));
    refused(
        &s,
        "SELECT Id FROM Lead WHERE Name = TODAY",
        "INVALID_FIELD",
        "must be of type string",
    );
    refused(
        &s,
        "SELECT Id FROM Lead WHERE CreatedDate = LAST_N_DAYS",
        "MALFORMED_QUERY",
        "unexpected token",
    );
}

/// The day so many days after 11 February 2026.
fn day_after(after: i32) -> String {
    let day = 11 + after;
    format!("2026-02-{day:02}")
}
