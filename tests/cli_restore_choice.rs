//! What a plan is about when something is chosen, through the binary.
//!
//! Key decision: what is planned is held against a plain rule over the org's own rows at the time that is restored. Not here:
//! what conditions mean, which the parser's tests say.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cli_restore::Stage;

/// The operations of a plan.
fn operations(stage: &Stage, plan: &str) -> Vec<Value> {
    let lines = stage.text(plan);
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .map(|line| line["operation"].clone())
        .filter(|op| !op.is_null())
        .collect()
}

/// Forty contacts, all of them edited or gone since the backup.
fn stage() -> (Stage, Vec<(String, String, bool)>) {
    let stage = Stage::new();
    let org = &stage.org;
    let make = |n: usize| {
        let title = ["Cook", "cooper", "Baker"][n % 3].to_owned();
        let values = json!({ "LastName": format!("L{n}"), "Title": title, "DoNotCall": n.is_multiple_of(2) });
        (
            org.create("Contact", &values).unwrap(),
            title,
            n.is_multiple_of(2),
        )
    };
    let all: Vec<_> = (0..40).map(make).collect();
    stage.backup();
    for (n, (id, ..)) in all.iter().enumerate() {
        match n % 4 {
            0 => org.delete(id).unwrap(),
            _ => org
                .update(id, &json!({ "Title": "Changed", "Department": "New" }))
                .unwrap(),
        }
    }
    (stage, all)
}

#[test]
fn records_are_chosen_by_their_values_of_then() {
    let (stage, all) = stage();
    let condition = "title LIKE 'COO%' AND NOT (DoNotCall = true OR LastName IN ('L1', 'L3'))";
    stage.on(
        0,
        &[
            "restore", "plan", "acme", "--at", "1", "--where", condition, "-o", "plan",
        ],
    );
    let planned: BTreeSet<String> = operations(&stage, "plan")
        .iter()
        .map(|op| op["id"].as_str().unwrap().to_owned())
        .collect();
    let wanted = all.iter().enumerate().filter(|(n, (_, title, quiet))| {
        title.to_lowercase().starts_with("coo") && !quiet && ![1, 3].contains(n)
    });
    let wanted: BTreeSet<String> = wanted.map(|(_, (id, ..))| id.clone()).collect();
    assert!(wanted.len() > 5);
    assert_eq!(planned, wanted);
    let shown = stage.on(0, &["restore", "show", "plan"]);
    assert!(
        shown["header"]["choice"].as_str().unwrap().contains(condition),
        "{shown}"
    );
}

#[test]
fn only_the_chosen_fields_are_edited() {
    let (stage, all) = stage();
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
            "--fields",
            "title",
            "-o",
            "plan",
        ],
    );
    stage.on(0, &["restore", "apply", "plan"]);
    for (n, (id, title, _)) in all.iter().enumerate() {
        let row = stage.org.row(id).unwrap();
        let department = if n % 4 == 0 { Value::Null } else { json!("New") };
        assert_eq!(
            (&row["Title"], row["Department"].clone()),
            (&json!(title), department),
            "{n}"
        );
    }
}

#[test]
fn a_choice_that_makes_no_sense_is_refused_with_its_place() {
    let (stage, _) = stage();
    for (flag, value, words) in [
        ("--where", "Title = ", "at character 9: expected a text in quotes"),
        ("--where", "Titel = 'Cook'", "no chosen sObject had a field Titel"),
        ("--fields", "Titel", "no chosen sObject had a field Titel"),
    ] {
        let error = stage.on(
            1,
            &["restore", "plan", "acme", "--at", "1", flag, value, "-o", "plan"],
        );
        assert!(error.as_str().unwrap().contains(words), "{error}");
    }
}
