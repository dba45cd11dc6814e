//! One org read by several processes, a part each: `halite backup --worker`.
//!
//! Key decision: they run at once, as they would on several machines, and a backup by one alone afterwards must find
//! nothing that they missed. Not here: ends, stops and crashes in every order, which the engine's own tests show.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::BTreeSet;
use std::process::Stdio;

use serde_json::Value;

use crate::cli_connections::Place;

fn names(report: &Value) -> BTreeSet<String> {
    let all = report["sobjects"].as_array().unwrap().iter();
    all.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn workers_at_once_make_one_snapshot_that_lacks_nothing() {
    let place = Place::new();
    place.connect(&[]);
    let parts = ["1/3", "2/3", "3/3"];
    let spawn = |part: &&str| {
        let mut command = place.command(&["backup", "acme", "--worker", part, "--json"]);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let running: Vec<_> = parts.iter().map(spawn).collect();
    let reports = running.into_iter().map(|child| {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    });
    let reports: Vec<Value> = reports.collect();
    let published = |report: &&Value| report["waits_for"].as_array().unwrap().is_empty();
    let whole: Vec<&Value> = reports.iter().filter(published).collect();
    assert_eq!(whole.len(), 1, "{reports:?}");
    let parts = reports.iter().filter(|report| !published(report)).map(names);
    assert!(
        parts
            .clone()
            .all(|part| !part.is_empty() && part.is_subset(&names(whole[0])))
    );
    assert_eq!(place.snapshots(), 1);
    place.ends(0, &["check", "--read", "all"]);

    // By one alone: the same sObjects, of which nothing is new.
    let alone = place.json(0, &["backup", "acme", "--full"]).pop().unwrap();
    assert_eq!(names(&alone), names(whole[0]));
    for one in alone["sobjects"].as_array().unwrap() {
        let changes = ["created", "edited", "deleted"].map(|kind| one[kind].as_u64().unwrap());
        assert_eq!(changes, [0, 0, 0], "{one}");
    }
}

#[test]
fn a_part_says_for_whom_it_waits_and_counts_as_no_backup() {
    let place = Place::new();
    place.connect(&[]);
    let said = place.ends(0, &["backup", "acme", "--worker", "2/3"]);
    assert!(
        said.contains("this part has ended; snapshot 1 waits for workers 1, 3"),
        "{said}"
    );
    assert_eq!(place.snapshots(), 0);
    let log = place.json(0, &["activity"]).pop().unwrap();
    let line = log.as_array().unwrap().last().unwrap();
    assert_eq!(
        line["detail"],
        "a part of snapshot 1, which waits for workers 1, 3"
    );
    let said = place.ends(0, &["backup", "acme", "--worker", "1/3"]);
    assert!(said.contains("waits for worker 3"), "{said}");
    let said = place.ends(0, &["backup", "acme", "--worker", "3/3"]);
    assert!(
        said.contains("snapshot 1 of") && !said.contains("waits"),
        "{said}"
    );
    let said = place.ends(2, &["backup", "acme", "--worker", "4/3"]);
    assert!(said.contains("`4/3` is not a part of an org"), "{said}");
}
