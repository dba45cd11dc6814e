//! Recorded exchanges of a whole run of CumulusCI, played against the org.
//!
//! Key decision: the recorded requests are sent as they are, with the Ids of the recording replaced by those
//! that our org gave in the same places; each reply is compared with the recorded one. Requests of Bulk API 1
//! are passed over, and what they would have created is put in place instead.
//! Not here: the describes that the cassettes include (`describes`).

use std::collections::BTreeMap;
use std::fs;

use halite_simulator::Org;
use serde_json::{Value, json};
use serde_saphyr::options::DuplicateKeyPolicy;

use super::shape::Rule::Same;
use super::shape::differences;
use crate::support::{Session, recorded};

pub const FILES: &[&str] = &[
    "cumulusci/cassettes/TestSelect.test_select_random_strategy.yaml",
    "cumulusci/cassettes/TestSelect.test_select_similarity_select_and_insert_strategy_bulk.yaml",
    "cumulusci/cassettes/TestSnowfakery.test_run_until_records_in_org__multiple_needed.yaml",
    "cumulusci/cassettes/TestUpdatesIntegrationTests.test_updates_task.yaml",
    "cumulusci/cassettes/TestUpsert.test_upsert__rest.yaml",
    "cumulusci/cassettes/TestUpsert.test_upsert_complex_fields__bulk.yaml",
    "cumulusci/cassettes/TestUpsert.test_upsert_external_id_field.yaml",
];

/// An org with a row of each object that the exchanges read.
fn stocked() -> Org {
    let org = Org::empty();
    let make = |object: &str, values: Value| org.create(object, &values).unwrap();
    let account = make(
        "Account",
        json!({"Name": "a", "Description": "d", "Phone": "1", "AccountNumber": "2"}),
    );
    let contact = make(
        "Contact",
        json!({"LastName": "l", "FirstName": "f", "Email": "e@example.com", "AccountId": account}),
    );
    make("Lead", json!({"LastName": "l", "Company": "c"}));
    for what in [json!(account), Value::Null] {
        let event = json!({"Subject": "s", "DurationInMinutes": 1, "ActivityDateTime": "2024-11-07T07:00:00Z",
            "WhoId": contact, "WhatId": what});
        make("Event", event);
    }
    let name = json!({"Name": "o", "StageName": "New", "CloseDate": "2026-01-01", "AccountId": account, "ContactId": contact});
    make("Opportunity", name);
    org
}

/// Notes which of our Ids stands where a recorded one does.
fn pair(real: &Value, ours: &Value, ids: &mut BTreeMap<String, String>) {
    match (real, ours) {
        (Value::String(a), Value::String(b)) if a.len() == 18 && b.len() == 18 => {
            ids.insert(a.clone(), b.clone());
        }
        (Value::Array(a), Value::Array(b)) => {
            for (i, a) in a.iter().enumerate().filter(|_| !b.is_empty()) {
                pair(a, &b[i % b.len()], ids);
            }
        }
        (Value::Object(a), Value::Object(b)) => {
            for (key, a) in a {
                pair(a, b.get(key).unwrap_or(&Value::Null), ids);
            }
        }
        _ => {}
    }
}

/// Plays one cassette; gives what differs and how many replies were compared.
fn play(file: &str) -> (Vec<String>, usize) {
    let text = fs::read_to_string(recorded(&format!("responses/{file}")).unwrap()).unwrap();
    // One of the recordings says its status twice.
    let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::LastWins };
    let cassette: Value = serde_saphyr::from_str_with_options(&text, options).unwrap();
    let s = Session::on(stocked());
    let mut ids = BTreeMap::from([("00D0xORGID00000000".to_owned(), s.org.org_id())]);
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for exchange in cassette["interactions"].as_array().unwrap() {
        let (request, response) = (&exchange["request"], &exchange["response"]);
        let Some((_, path)) = request["uri"]
            .as_str()
            .and_then(|u| u.split_once("/services/data/"))
        else {
            continue;
        };
        let Ok(real) = serde_json::from_str::<Value>(response["body"]["string"].as_str().unwrap_or_default())
        else {
            continue;
        };
        let mine = |text: &str| ids.iter().fold(text.to_owned(), |t, (a, b)| t.replace(a, b));
        let path = mine(path.split_once('/').unwrap().1).replace("query/?", "query?");
        let mut call = s.request(request["method"].as_str().unwrap(), &format!("/{path}"));
        if let Some(body) = request["body"].as_str() {
            call = call.header("Content-Type", "application/json").body(mine(body));
        }
        let (status, ours) = s.json(call);
        let found = differences(Same, &[], &real, &ours);
        if status != 200 || !found.is_empty() {
            let shown: String = ours.to_string().chars().take(300).collect();
            wrong.push(format!("{file}: {path}: {status} {found:?} in {shown}"));
        }
        pair(&real, &ours, &mut ids);
        compared += 1;
    }
    (wrong, compared)
}

#[test]
fn recorded_exchanges_run_against_the_org() {
    if recorded("responses").is_none() {
        return;
    }
    let mut wrong = Vec::new();
    for file in FILES.iter().filter(|f| !super::AWAITED.contains(f)) {
        let (differing, compared) = play(file);
        assert!(compared > 0, "{file}");
        wrong.extend(differing);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
