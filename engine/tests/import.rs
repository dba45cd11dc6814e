//! Imports: what a folder of files becomes, and what refuses it.
//!
//! Key decision: every refusal is checked to name the line and to leave the vault as it was.
//! No org and no API is needed here.

use std::fs;
use std::sync::Arc;

use halite_engine::base::id::OrgId;
use halite_engine::ops::import::import;
use halite_engine::ops::state::State;
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, Vault, VaultOptions};

use crate::model::{DESCRIBE, id};

fn org() -> OrgId {
    "00D000000000001".parse().unwrap()
}

fn vault() -> Vault {
    Vault::create(Arc::new(Memory::new()), &Secret::None, VaultOptions::default()).unwrap()
}

fn run(
    vault: &Vault,
    day: u32,
    files: &[(&str, &str)],
    delta: bool,
) -> Result<halite_engine::ops::report::Report, String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let at = format!("2026-01-{day:02}").parse().unwrap();
    import(vault, org(), at, dir.path(), delta, &mut |_| ()).map_err(|e| e.to_string())
}

fn line(n: u32, name: &str) -> String {
    format!(
        "{{\"Id\":\"{}\",\"Name\":\"{name}\",\"SystemModstamp\":\"2026-01-01T00:00:00.000Z\"}}\n",
        id(n)
    )
}

fn names(vault: &Vault, number: u64) -> Vec<String> {
    let state = State::at(vault, &vault.find_snapshot(org(), &number.to_string()).unwrap());
    let mut names = Vec::new();
    state
        .each("Thing__c", &mut |r| {
            names.push(
                r.json
                    .split("\"Name\":\"")
                    .nth(1)
                    .unwrap()
                    .split('"')
                    .next()
                    .unwrap()
                    .to_owned(),
            );
            Ok(())
        })
        .unwrap();
    names
}

#[test]
fn a_folder_is_a_state_and_a_delta_is_a_change() {
    let vault = vault();
    let all = line(3, "c") + &line(1, "a") + &line(2, "b");
    let first = run(
        &vault,
        1,
        &[("Thing__c.ndjson", &all), ("Thing__c.describe.json", DESCRIBE)],
        false,
    )
    .unwrap();
    assert_eq!((first.sobjects[0].created, first.sobjects[0].live), (3, 3));
    run(
        &vault,
        2,
        &[
            ("Thing__c.ndjson", &(line(1, "a") + &line(2, "B"))),
            ("Thing__c.describe.json", DESCRIBE),
        ],
        false,
    )
    .unwrap();
    let deleted = id(1).to_string();
    let third = run(
        &vault,
        3,
        &[
            ("Thing__c.ndjson", &line(9, "z")),
            ("Thing__c.deleted", &deleted),
            ("Thing__c.describe.json", DESCRIBE),
        ],
        true,
    );
    assert_eq!(
        (
            third.as_ref().unwrap().sobjects[0].created,
            third.unwrap().sobjects[0].deleted
        ),
        (1, 1)
    );
    assert_eq!(names(&vault, 1), ["a", "b", "c"]);
    assert_eq!(names(&vault, 2), ["a", "B"]);
    assert_eq!(names(&vault, 3), ["B", "z"]);
}

#[test]
fn json_and_csv_of_the_same_records_are_one_state() {
    let vault = vault();
    run(
        &vault,
        1,
        &[
            ("Thing__c.ndjson", &(line(1, "a") + &line(2, "b"))),
            ("Thing__c.describe.json", DESCRIBE),
        ],
        false,
    )
    .unwrap();
    let csv = format!(
        "\"Id\",\"NAME\",\"SystemModstamp\"\n\"{}\",\"a\",\"2026-01-01T00:00:00.000Z\"\n\"{}\",\"b\",\"2026-01-01T00:00:00.000Z\"\n",
        id(1),
        id(2)
    );
    let report = run(
        &vault,
        2,
        &[("Thing__c.csv", &csv), ("Thing__c.describe.json", DESCRIBE)],
        false,
    )
    .unwrap();
    assert_eq!(
        (
            report.bytes_added,
            report.sobjects[0].edited,
            report.sobjects[0].live
        ),
        (0, 0, 2)
    );
}

#[test]
fn a_wrong_line_refuses_everything_and_says_where() {
    let describe = ("Thing__c.describe.json", DESCRIBE);
    let good = line(1, "a");
    for (bad, says) in [
        ("{\"Id\":", "line 2: malformed JSON"),
        ("{\"Name\":\"x\"}", "line 2: a record of Thing__c without Id"),
        ("{\"Id\":\"zzz\"}", "line 2: the field Id"),
        (
            &format!("{{\"Id\":\"{}\",\"Size__c\":\"many\"}}", id(2)),
            "line 2: the field Size__c (Number) cannot hold `many`",
        ),
        (
            &format!("{{\"Id\":\"{}\",\"Nope\":1}}", id(2)),
            "line 2: Thing__c has no field Nope",
        ),
        (good.trim(), "comes twice"),
    ] {
        let vault = vault();
        let error = run(
            &vault,
            1,
            &[("Thing__c.ndjson", &format!("{good}{bad}\n")), describe],
            false,
        )
        .unwrap_err();
        assert!(
            error.contains(says) && error.contains("Thing__c.ndjson"),
            "{error}"
        );
        assert!(vault.orgs().is_empty());
    }
    let vault = vault();
    assert!(
        run(&vault, 1, &[], false)
            .unwrap_err()
            .contains("no <sObject>.ndjson")
    );
    run(&vault, 2, &[("Thing__c.ndjson", &good), describe], false).unwrap();
    assert!(
        run(&vault, 2, &[("Thing__c.ndjson", &good), describe], false)
            .unwrap_err()
            .contains("not later")
    );
}

#[test]
fn columns_that_nobody_described_are_text() {
    let vault = vault();
    let text = format!("{{\"Id\":\"{}\",\"N\":4.50,\"Name\":\"x\"}}\n", id(1));
    run(&vault, 1, &[("Thing__c.ndjson", &text)], false).unwrap();
    let state = State::at(&vault, &vault.find_snapshot(org(), "latest").unwrap());
    assert_eq!(
        state.get("Thing__c", id(1)).unwrap().unwrap().json,
        format!("{{\"Id\":\"{}\",\"N\":\"4.50\",\"Name\":\"x\"}}", id(1))
    );
}

/// An org's rows never grow younger, but a file is what it is.
#[test]
fn a_file_with_older_stamps_holds_as_it_is() {
    let vault = vault();
    let older = |n: u32, name: &str| line(n, name).replace("2026-01-01", "2025-01-01");
    let text = line(1, "a") + &line(2, "b") + &line(3, "c");
    run(&vault, 1, &[("Thing__c.ndjson", &text)], false).unwrap();
    run(&vault, 2, &[("Thing__c.ndjson", &line(1, "a"))], false).unwrap();
    let text = older(1, "of old") + &older(2, "came back");
    run(&vault, 3, &[("Thing__c.ndjson", &text)], false).unwrap();
    assert_eq!(names(&vault, 3), ["of old", "came back"]);
    run(&vault, 4, &[("Thing__c.ndjson", &older(3, "too"))], true).unwrap();
    assert_eq!(names(&vault, 4), ["of old", "came back", "too"]);
}
