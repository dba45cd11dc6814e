//! What a restore's writes will set off, told before the first one, through the binary.
//!
//! Key decision: what is told is held against what then happens: the active rule refuses, the inactive one does not. The
//! simulated org's own automation is all there is, so that a plan has one right list of warnings.
//! Not here: how the org is asked, which is the connector's tests'.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::BTreeMap;

use halite_simulator::{Deed, Permission};
use serde_json::{Value, json};

use crate::cli_restore::Stage;
use crate::cli_restore_to::sandbox;

/// The warnings of a plan: sObject and what.
fn warnings(told: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = told["warnings"].as_array().unwrap();
    all.iter()
        .map(|warning| {
            assert!(!text(&warning["remedy"]).is_empty(), "{warning}");
            (text(&warning["sobject"]), text(&warning["what"]))
        })
        .collect()
}

fn plan<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let plan = ["restore", "plan", "acme", "--at", "1", "-o", "plan"];
    [&plan[..], more].concat()
}

fn is(told: &Value, wanted: &[(&str, &str)]) {
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect();
    assert_eq!(warnings(told), wanted, "{told}");
}

/// A contact that is gone for good, one in the bin, and a lead that was edited.
fn disaster() -> Stage {
    let stage = Stage::new();
    let org = &stage.org;
    let make = |name: &str| org.create("Contact", &json!({ "LastName": name })).unwrap();
    let (gone, binned) = (make("Gone"), make("Binned"));
    let lead = org
        .create("Lead", &json!({ "LastName": "Was", "Company": "c" }))
        .unwrap();
    stage.backup();
    org.expire(&[&gone]).unwrap();
    org.delete(&binned).unwrap();
    org.update(&lead, &json!({ "LastName": "Is" })).unwrap();
    stage
}

#[test]
fn what_fires_is_told_by_sobject_kind_and_action_and_what_is_off_is_not() {
    let stage = disaster();
    let org = &stage.org;
    let task = BTreeMap::from([("Subject".to_owned(), "'back'".to_owned())]);
    let note = || Deed::CreateRow("Task".into(), task.clone());
    org.on_save("Contact", "Guard", None, note()).unwrap();
    org.on_undelete("Contact", "Guard", None, note()).unwrap();
    org.on_undelete("Contact", "Risen", None, note()).unwrap();
    org.on_delete("Contact", "Fallen", None, note()).unwrap();
    org.on_save("Case", "Elsewhere", None, note()).unwrap();
    org.flow_on_save("Lead", "Score", None, note()).unwrap();
    org.add_workflow_rule("Tell", "Lead", "onCreateOnly");
    org.add_workflow_rule("Told", "Lead", "onAllChanges");
    org.add_duplicate_rule("Twins", "Contact", &["Email"], false);
    org.add_rule("Contact", "LastName = \"Gone\"", "not him", None)
        .unwrap();
    org.add_rule("Lead", "LastName = \"Was\"", "not her", None)
        .unwrap();
    assert_eq!(org.activate("Lead.Rule_2", false), 1);

    let told = stage.on(0, &plan(&["--sobject", "Contact,Lead"]));
    let besides = "undelete, where a record must be edited or created besides";
    let rule = format!("active validation rule Rule_1: fires on create and {besides}");
    let twins = format!("active duplicate rule Twins: fires on create and {besides}");
    is(
        &told,
        &[
            ("Contact", "active Apex trigger Risen: fires on undelete"),
            (
                "Contact",
                "active Apex trigger Guard: fires on undelete and create",
            ),
            ("Contact", &rule),
            ("Contact", &twins),
            ("Lead", "active flow Score: fires on edit"),
            ("Lead", "active workflow rule Told: fires on edit"),
        ],
    );
    let shown = stage.on(0, &["restore", "show", "plan"]);
    assert_eq!(shown["warnings"], told["warnings"]);
    let remedies: Vec<&str> = told["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| w["remedy"].as_str().unwrap())
        .collect();
    assert!(
        remedies[2].contains("Setup, Object Manager, Contact, Validation Rules"),
        "{remedies:?}"
    );
    assert!(remedies[4].contains("Setup, Flows"), "{remedies:?}");

    // As it was told: the rule that is active refuses, the one that is off does not.
    let tasks = org.rows("Task").len();
    let applied = stage.on(3, &["restore", "apply", "plan"]);
    assert_eq!(
        applied["counts"],
        json!({ "refused": 1, "undeleted": 1, "edited": 1 }),
        "{applied}"
    );
    assert_eq!(org.rows("Task").len(), tasks + 3, "Guard, Risen, Score");
}

#[test]
fn what_cannot_be_seen_is_said_with_the_right_that_is_missing() {
    let stage = disaster();
    let org = &stage.org;
    org.add_rule("Contact", "LastName = \"Gone\"", "not him", None)
        .unwrap();
    org.permit(&org.api_user(), |p| p.revoke(Permission::ViewSetup));
    let told = stage.on(0, &plan(&["--sobject", "Contact"]));
    let all = warnings(&told);
    let [(sobject, what)] = &all[..] else {
        panic!("{told}")
    };
    assert_eq!(sobject, "*");
    assert!(
        what.starts_with(
            "what fires on the plan's writes is not known: Apex triggers, duplicate rules, flows,"
        ),
        "{what}"
    );
    let remedy = told["warnings"][0]["remedy"].as_str().unwrap();
    assert!(remedy.contains("\"View Setup and Configuration\""), "{remedy}");
    let rehearsed = stage.on(0, &["rehearse", "--plan", "plan"]);
    assert_eq!(
        rehearsed["counts"],
        json!({ "created": 1, "undeleted": 1 }),
        "it does not know the rule"
    );
    // The plan for what was refused does not forget it.
    stage.on(3, &["restore", "apply", "plan"]);
    let next = stage.on(0, &["restore", "again", "plan", "-o", "next"]);
    assert_eq!(next["warnings"][0], told["warnings"][0], "{next}");
}

#[test]
fn the_org_that_is_written_to_is_asked() {
    let stage = disaster();
    let (twin, _server) = sandbox(&stage);
    stage
        .org
        .add_rule("Lead", "LastName = \"x\"", "no", None)
        .unwrap();
    twin.on_save(
        "Lead",
        "Theirs",
        None,
        Deed::SetField("Title".into(), "'t'".into()),
    )
    .unwrap();
    let told = stage.on(0, &plan(&["--to", "dev", "--sobject", "Lead"]));
    let fires = (
        "Lead".to_owned(),
        "active Apex trigger Theirs: fires on create".to_owned(),
    );
    assert!(warnings(&told).contains(&fires), "{told}");
    assert!(
        !told["warnings"].to_string().contains("validation rule"),
        "{told}"
    );
}
