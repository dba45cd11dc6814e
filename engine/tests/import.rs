//! Imports: what a folder of files becomes, and what refuses it.
//!
//! Key decision: every refusal is checked to name the line and to leave the vault as it was.
//! No org and no API is needed here.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use halite_engine::base::id::OrgId;
use halite_engine::ops::import::import;
use halite_engine::ops::state::State;
use halite_engine::store::faulty::Faulty;
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

/// What a day changes in records that are there, by number and name: counts of new, edited and gone.
fn expected(was: &BTreeMap<u32, String>, is: &BTreeMap<u32, String>) -> (u64, u64, u64) {
    let new = is.keys().filter(|n| !was.contains_key(n)).count();
    let edited = is
        .iter()
        .filter(|(n, name)| was.get(n).is_some_and(|old| old != *name))
        .count();
    let gone = was.keys().filter(|n| !is.contains_key(n)).count();
    (new as u64, edited as u64, gone as u64)
}

/// Rows by the thousand are compared in spans of Ids side by side, over several runs, some Ids far apart: nothing of it
/// shows.
#[test]
fn a_large_import_is_compared_as_a_small_one() {
    let vault = vault();
    let mut was = BTreeMap::new();
    for day in 1..=6_u32 {
        let mut is = was.clone();
        match day {
            1 => is.extend((0..9000).map(|n| (n * 3, format!("first {n}")))),
            // Few, far apart.
            2 => is.extend((0..27_000).step_by(2999).map(|n| (n, format!("second {n}")))),
            // Some are gone, one in nine edited, some new.
            3 => {
                is.retain(|n, _| n % 11 != 5 && !(8000..8400).contains(n));
                is.extend((0..27_500).step_by(9).map(|n| (n, format!("third {n}"))));
            }
            4 => is.retain(|n, _| n % 2000 > 40),
            5 => is.extend((20_000..33_000).step_by(2).map(|n| (n, "fifth".to_owned()))),
            _ => is.retain(|n, _| n % 7 > 0),
        }
        let delta = day % 2 == 0;
        let changed = |n: &u32, name: &String| !delta || was.get(n) != Some(name);
        let rows: String = is
            .iter()
            .filter(|(n, name)| changed(n, name))
            .map(|(n, name)| line(*n, name))
            .collect();
        let gone: Vec<String> = was
            .keys()
            .filter(|n| !is.contains_key(n))
            .map(|n| id(*n).to_string())
            .collect();
        let mut files = vec![
            ("Thing__c.ndjson", &rows[..]),
            ("Thing__c.describe.json", DESCRIBE),
        ];
        let gone = gone.join("\n");
        if delta && !gone.is_empty() {
            files.push(("Thing__c.deleted", &gone));
        }
        let report = run(&vault, day, &files, delta).unwrap();
        let told = &report.sobjects[0];
        assert_eq!(
            (told.created, told.edited, told.deleted),
            expected(&was, &is),
            "day {day}"
        );
        assert_eq!(told.live, is.len() as u64, "day {day}");
        assert!(names(&vault, day.into()).iter().eq(is.values()), "day {day}");
        was = is;
    }
}

#[test]
fn an_increment_reads_the_pages_that_its_records_lie_in() {
    let store = Arc::new(Faulty::new(1));
    let options = || VaultOptions::default();
    let vault = Vault::create(Arc::<Faulty>::clone(&store), &Secret::None, options()).unwrap();
    let all: String = (0..30_000).map(|n| line(n, "a")).collect();
    run(
        &vault,
        1,
        &[("Thing__c.ndjson", &all), ("Thing__c.describe.json", DESCRIBE)],
        false,
    )
    .unwrap();
    let vault = Vault::open(Arc::<Faulty>::clone(&store), &Secret::None, options()).unwrap();
    let mut ranges = Vec::new();
    for (day, count) in [(2, 4), (3, 30_000)] {
        let rows: String = (0..30_000)
            .step_by(30_000 / count)
            .map(|n| line(n, &format!("day {day}")))
            .collect();
        store.take_log();
        run(
            &vault,
            day,
            &[("Thing__c.ndjson", &rows), ("Thing__c.describe.json", DESCRIBE)],
            true,
        )
        .unwrap();
        ranges.push(
            store
                .take_log()
                .iter()
                .filter(|call| call.verb == "range")
                .count(),
        );
    }
    assert!(ranges[0] + 50 < ranges[1], "{ranges:?}");
}

#[test]
fn a_line_is_named_by_its_number_however_far_it_is() {
    let long = "x".repeat(400);
    let mut rows: String = (0..30_000).map(|n| line(n, &long)).collect();
    rows += "\n  \n{\"Id\":\"nonsense\"}\n";
    assert!(rows.len() > 12 << 20);
    let refused = |rows: &str| {
        let files = [("Thing__c.ndjson", rows), ("Thing__c.describe.json", DESCRIBE)];
        run(&vault(), 1, &files, false).unwrap_err()
    };
    let told = refused(&rows);
    assert!(told.contains("line 30003: "), "{told}");
    // A line of many blocks, behind one that is well.
    let told = refused(&(line(1, "a") + &line(2, &"y".repeat(20 << 20))));
    assert!(
        told.contains("line 2: ") && told.contains("a record of"),
        "{told}"
    );
    let told = refused(&(line(1, "a") + &line(2, &"y".repeat(5 << 20)) + &line(3, "b")));
    assert!(
        told.contains("line 2: ") && told.contains("a record of"),
        "{told}"
    );
}
