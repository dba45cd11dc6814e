//! `halite rehearse` through the binary: it foretells what a restore does, and touches nothing.
//!
//! Key decision: the same plan is rehearsed and then applied in earnest, and the two must come to the same; that the org is
//! not touched is counted by the org. Not here: what a restore writes.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::fs;

use serde_json::{Value, json};

use crate::cli_restore::Stage;

/// Contacts that are edited, in the bin, and gone for good since the first snapshot.
fn changed() -> (Stage, [String; 3]) {
    let stage = Stage::new();
    let org = &stage.org;
    let account = stage.ids("Account").remove(0);
    let make = |name: &str| {
        let values = json!({ "LastName": name, "AccountId": account });
        org.create("Contact", &values).unwrap()
    };
    let ids = [make("Edited"), make("Binned"), make("Purged")];
    stage.backup();
    org.update(&ids[0], &json!({ "LastName": "Changed" })).unwrap();
    org.update(&ids[1], &json!({ "LastName": "Otherwise" })).unwrap();
    stage.backup();
    org.delete(&ids[1]).unwrap();
    org.expire(&[&ids[2]]).unwrap();
    stage.backup();
    (stage, ids)
}

#[test]
fn a_rehearsal_foretells_the_restore_and_touches_nothing() {
    let (stage, ids) = changed();
    let plan = stage.on(0, &["restore", "plan", "acme", "--at", "1", "-o", "plan"]);
    let before = stage.org.rows("Contact");
    stage.org.reset_calls();
    let told = stage.on(0, &["rehearse", "--plan", "plan", "--report", "report"]);
    assert_eq!(
        stage.org.calls().values().sum::<u64>(),
        0,
        "{:?}",
        stage.org.calls()
    );
    assert_eq!(stage.org.rows("Contact"), before);
    assert_eq!(
        (&told["differing"], &told["not_done"]),
        (&json!({}), &json!([])),
        "{told}"
    );
    assert_eq!(told["left_out"], json!([]), "{told}");
    let done = told["counts"].as_object().unwrap();
    assert_eq!(
        done.values().filter_map(Value::as_u64).sum::<u64>(),
        plan["operations"]
    );
    for how in ["edited", "undeleted", "created"] {
        assert!(done.contains_key(how), "nothing was {how}: {told}");
    }
    assert!(stage.dir().join("report/report.html").exists());

    let applied = stage.on(0, &["restore", "apply", "plan"]);
    assert_eq!(applied["counts"], told["counts"]);
    let name = |id: &str| stage.org.row(id).unwrap()["LastName"].clone();
    assert_eq!((name(&ids[0]), name(&ids[1])), (json!("Edited"), json!("Binned")));
}

#[test]
fn what_would_be_refused_is_told_with_its_remedy() {
    let (stage, ids) = changed();
    stage.on(
        0,
        &[
            "restore",
            "plan",
            "acme",
            "--at",
            "1",
            "--sobject",
            "Contact",
            "-o",
            "plan",
        ],
    );
    let path = stage.dir().join("plan");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replace(
            "\"LastName\":\"Edited\"",
            &format!("\"LastName\":\"{}\"", "x".repeat(200)),
        ),
    )
    .unwrap();
    let told = stage.on(3, &["rehearse", "--plan", "plan"]);
    let [refused] = &told["not_done"].as_array().unwrap()[..] else {
        panic!("{told}")
    };
    assert_eq!(refused["id"], ids[0]);
    assert!(
        refused["cause"].as_str().unwrap().starts_with("STRING_TOO_LONG"),
        "{refused}"
    );
    assert!(
        refused["remedy"].as_str().unwrap().contains("shorten"),
        "{refused}"
    );
}

#[test]
fn a_rehearsal_needs_neither_a_plan_nor_the_org() {
    let (stage, _) = changed();
    stage.on(0, &["disconnect", "acme"]);
    let told = stage.on(0, &["rehearse", "--at", "1", "--sobject", "Contact"]);
    assert_eq!(
        told["counts"],
        json!({ "created": 1, "edited": 1, "undeleted": 1 }),
        "{told}"
    );
    stage.on(2, &["rehearse"]);
    stage.on(2, &["rehearse", "--at", "1", "--plan", "plan"]);
}
