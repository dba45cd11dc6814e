//! Generated orgs: the same for the same plan, and sound by what their own describes say.
//!
//! Key decision: rules are checked from the describe and the rows as a client sees them, not from the generator.
//! Not here: how fast and how large (the measuring program of the bench).

use std::collections::BTreeSet;

use halite_simulator::{Bin, Org, Plan};
use serde_json::Value;

use crate::support::Session;

fn plan(records: usize) -> Plan {
    Plan {
        records,
        deleted: 0.03,
        ..Plan::default()
    }
}

/// Every row of every object, as text.
fn all(org: &Org) -> Vec<String> {
    let rows = org
        .objects()
        .into_iter()
        .flat_map(|o| org.every_row(&o, "", usize::MAX));
    rows.map(|(bin, row)| format!("{bin:?} {}", Value::Object(row)))
        .collect()
}

fn text<'a>(row: &'a serde_json::Map<String, Value>, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_default()
}

#[test]
fn the_same_plan_gives_the_same_org() {
    let (a, b) = (Org::generate(&plan(600)), Org::generate(&plan(600)));
    assert_eq!(all(&a), all(&b));
    assert_eq!(
        (a.change_a_day(5, 0.1), all(&a)),
        (b.change_a_day(5, 0.1), all(&b))
    );
    let other = Org::generate(&Plan { seed: 2, ..plan(600) });
    assert_ne!(all(&other), all(&Org::generate(&plan(600))));
}

#[test]
fn it_has_as_many_rows_as_asked_for() {
    let (empty, org) = (
        all(&Org::generate(&plan(0))).len(),
        all(&Org::generate(&plan(3_000))).len(),
    );
    // A file is several rows, and the last one may pass the number.
    assert!((2_970..=3_020).contains(&(org - empty)), "{}", org - empty);
}

#[test]
fn rows_obey_their_describes() {
    let session = Session::on(Org::generate(&plan(3_000)));
    let org = &session.org;
    for object in [
        "Account",
        "Contact",
        "Task",
        "Case",
        "Consignment__c",
        "ContentVersion",
        "ContentDocumentLink",
        "Attachment",
    ] {
        let describe = session.get(&format!("/sobjects/{object}/describe")).1;
        let rows = org.rows(object);
        assert!(!rows.is_empty(), "{object}");
        for field in describe["fields"].as_array().unwrap() {
            let name = field["name"].as_str().unwrap();
            let values = || rows.iter().map(|row| &row[name]).filter(|v| !v.is_null());
            if field["nillable"] == false {
                assert_eq!(values().count(), rows.len(), "{object}.{name}");
            }
            let targets: Vec<&str> = field["referenceTo"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(Value::as_str)
                .collect();
            for id in values().filter_map(Value::as_str).filter(|_| !targets.is_empty()) {
                let target = targets
                    .iter()
                    .find(|t| session.get(&format!("/sobjects/{t}/describe")).1["keyPrefix"] == id[..3]);
                assert!(
                    target.is_some() && org.bin(id) == Bin::Live,
                    "{object}.{name} = {id}"
                );
            }
            let choices: BTreeSet<&str> = field["picklistValues"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|c| c["value"].as_str())
                .collect();
            for value in values().filter_map(Value::as_str).filter(|_| !choices.is_empty()) {
                assert!(
                    value.split(';').all(|v| choices.contains(v)),
                    "{object}.{name} = {value}"
                );
            }
        }
    }
}

#[test]
fn it_is_skewed_deep_and_hot() {
    let org = Org::generate(&plan(4_000));
    let accounts = org.rows("Account");
    let mut deepest = 0;
    for account in &accounts {
        let (mut at, mut depth) = (account.clone(), 0);
        while let Some(parent) = at["ParentId"].as_str() {
            (at, depth) = (org.row(parent).unwrap(), depth + 1);
            assert!(depth < 100, "a circle");
        }
        deepest = deepest.max(depth);
    }
    assert!(deepest >= 3, "{deepest}");
    let contacts = org.rows("Contact");
    let first = text(&accounts[0], "Id");
    let of_first = contacts.iter().filter(|c| text(c, "AccountId") == first).count();
    assert!(of_first * accounts.len() > 3 * contacts.len(), "{of_first}");
    let edited = |since: &str| {
        contacts
            .iter()
            .filter(|c| text(c, "SystemModstamp") >= since)
            .count()
    };
    let made = |since: &str| {
        contacts
            .iter()
            .filter(|c| text(c, "CreatedDate") >= since)
            .count()
    };
    assert!(edited("2025-10") > 3 * made("2025-10"));
    assert!(
        contacts
            .iter()
            .all(|c| text(c, "CreatedDate") <= text(c, "SystemModstamp"))
    );
    let who: BTreeSet<&str> = ["003", "00Q"].into();
    let tasks = org.rows("Task");
    let kinds: BTreeSet<&str> = tasks
        .iter()
        .filter_map(|t| t["WhoId"].as_str())
        .map(|id| &id[..3])
        .collect();
    assert_eq!(kinds, who);
    let bins: Vec<Bin> = org
        .every_row("Task", "", usize::MAX)
        .into_iter()
        .map(|(bin, _)| bin)
        .collect();
    assert!([Bin::InBin, Bin::Purged].iter().all(|b| bins.contains(b)));
}

#[test]
fn versions_of_a_document_differ_a_little() {
    let session = Session::on(Org::generate(&plan(4_000)));
    let versions = session.org.rows("ContentVersion");
    let body = |row: &serde_json::Map<String, Value>| {
        let path = format!("/sobjects/ContentVersion/{}/VersionData", text(row, "Id"));
        session.request("GET", &path).send().unwrap().bytes().unwrap()
    };
    let second = versions.iter().find(|v| v["VersionNumber"] == "2").unwrap();
    let of = |v: &&serde_json::Map<String, Value>| {
        v["ContentDocumentId"] == second["ContentDocumentId"] && v["VersionNumber"] == "1"
    };
    let first = versions.iter().find(of).unwrap();
    let (old, new) = (body(first), body(second));
    assert_eq!(second["ContentSize"], new.len());
    let same = old.iter().zip(&new).filter(|(a, b)| a == b).count();
    assert!(old != new && same + 10 > old.len(), "{same} of {}", old.len());
}

#[test]
fn a_day_of_change_moves_stamps_of_recent_rows() {
    let org = Org::generate(&plan(2_000));
    let (before, now) = (
        org.rows("Contact").len() + org.rows("Task").len(),
        org.clock().now(),
    );
    let change = org.change_a_day(9, 0.2);
    assert!(
        change.edited > 300 && change.added > 50 && change.deleted > 5,
        "{change:?}"
    );
    assert_eq!(org.clock().now().duration_since(now).as_hours(), 24);
    let hot = |row: &serde_json::Map<String, Value>| text(row, "SystemModstamp") >= "2026-01-05T08:00";
    let rows = [org.rows("Contact"), org.rows("Task")].concat();
    assert!(rows.len() > before - 10, "{}", rows.len());
    let (old, new) = rows.split_at(org.rows("Contact").len() / 2);
    let share =
        |rows: &[serde_json::Map<String, Value>]| rows.iter().filter(|r| hot(r)).count() * 100 / rows.len();
    assert!(share(new) > share(old), "{} and {}", share(new), share(old));
}
