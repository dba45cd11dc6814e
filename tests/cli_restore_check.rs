//! What `restore plan` foretells, through the binary: each line is about something that `restore apply` then meets.
//!
//! Key decision: the simulated org is changed as an admin would between the backup and the plan, one cause a record, so that
//! a warning has one right set of operations. Not here: the proof of a plan, which is the engine's tests'.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cli_restore::Stage;

/// The warnings of a plan about one sObject that hold this text; each with the Ids that it is about.
fn about(stage: &Stage, plan: &str, text: &str) -> Vec<Vec<String>> {
    let lines: Vec<Value> = stage
        .text(plan)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let id = |number: &Value| {
        let op = lines.iter().find(|line| line["operation"]["number"] == *number);
        op.unwrap()["operation"]["id"].as_str().unwrap().to_owned()
    };
    let warnings = lines.iter().map(|line| &line["warning"]);
    warnings
        .filter(|warning| warning["what"].as_str().is_some_and(|what| what.contains(text)))
        .map(|warning| {
            assert!(!warning["remedy"].as_str().unwrap().is_empty(), "{warning}");
            warning["operations"].as_array().unwrap().iter().map(id).collect()
        })
        .collect()
}

#[test]
fn what_will_be_refused_is_foretold_with_its_operations() {
    let stage = Stage::new();
    let org = &stage.org;
    let text = |length: u32| json!({ "name": "Code__c", "type": "string", "length": length });
    let pick = |active: bool| {
        let values = json!([{ "value": "Old", "active": active }, { "value": "New", "active": true }]);
        json!({ "name": "Kind__c", "type": "picklist", "restrictedPicklist": true, "picklistValues": values })
    };
    let unique = json!({ "name": "Badge__c", "type": "string", "length": 20, "unique": true });
    let extra = json!({ "name": "Extra__c", "type": "string", "length": 20 });
    for field in [&text(20), &pick(true), &unique, &extra] {
        org.set_field("Contact", field).unwrap();
    }
    let owner = org
        .create("User", &user(&org.row(&org.ui_user()).unwrap()["ProfileId"]))
        .unwrap();
    let make = |values: Value| org.create("Contact", &values).unwrap();
    let long = make(json!({ "LastName": "Long", "Code__c": "0123456789" }));
    let short = make(json!({ "LastName": "Short", "Code__c": "01234" }));
    let chosen = make(json!({ "LastName": "Chosen", "Kind__c": "Old" }));
    let owned = make(json!({ "LastName": "Owned", "OwnerId": owner }));
    let held = make(json!({ "LastName": "Held", "Badge__c": "Gold" }));
    let other = make(json!({ "LastName": "Other", "Badge__c": "Tin", "Kind__c": "New" }));
    let lost = make(json!({ "LastName": "Lost", "Extra__c": "x" }));
    stage.backup();
    let all = [&long, &short, &chosen, &owned, &held, &other, &lost];
    org.expire(&all.map(String::as_str)).unwrap();
    org.set_field("Contact", &text(5)).unwrap();
    org.set_field("Contact", &pick(false)).unwrap();
    org.remove_field("Contact", "Extra__c").unwrap();
    org.update(&owner, &json!({ "IsActive": false })).unwrap();
    make(json!({ "LastName": "New", "Badge__c": "GOLD" }));
    let told = stage.on(
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
    for (text, id) in [
        ("Code__c takes 5 characters", &long),
        (
            "Kind__c, a restricted picklist, has no such active value now: Old",
            &chosen,
        ),
        ("the owner is inactive", &owned),
        ("Badge__c is unique", &held),
        ("Extra__c had a value, and cannot be set today", &lost),
    ] {
        assert_eq!(about(&stage, "plan", text), [vec![id.clone()]], "{text}: {told}");
    }
    assert_eq!(told["warnings"].as_array().unwrap().len(), 5, "{told}");
    let applied = stage.on(3, &["restore", "apply", "plan"]);
    assert_eq!(
        applied["counts"],
        json!({ "created": 4, "refused": 3 }),
        "{applied}"
    );
}

fn user(profile: &Value) -> Value {
    json!({
        "LastName": "Gone", "Username": "gone@halite.example", "Email": "gone@halite.example", "Alias": "gone",
        "IsActive": true, "TimeZoneSidKey": "GMT", "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8",
        "LanguageLocaleKey": "en_US", "ProfileId": profile,
    })
}

#[test]
fn many_records_of_one_cause_are_one_warning() {
    let stage = Stage::new();
    let org = &stage.org;
    let text = |length: u32| json!({ "name": "Code__c", "type": "string", "length": length });
    org.set_field("Contact", &text(20)).unwrap();
    let make = |n: u32| {
        let values = json!({ "LastName": format!("L{n}"), "Code__c": "0123456789" });
        org.create("Contact", &values).unwrap()
    };
    let mut ids: Vec<String> = (0..30).map(make).collect();
    stage.backup();
    let gone: Vec<&str> = ids.iter().map(String::as_str).collect();
    org.expire(&gone).unwrap();
    org.set_field("Contact", &text(5)).unwrap();
    stage.on(0, &["restore", "plan", "acme", "--at", "1", "-o", "plan"]);
    let mut found = about(&stage, "plan", "Code__c takes 5 characters");
    assert_eq!(found.len(), 1);
    found[0].sort();
    ids.sort();
    assert_eq!(found[0], ids);
}

#[test]
fn a_field_that_came_since_keeps_its_values() {
    let stage = Stage::new();
    let org = &stage.org;
    let [edited, binned] =
        ["One", "Two"].map(|name| org.create("Contact", &json!({ "LastName": name })).unwrap());
    stage.backup();
    let since = json!({ "name": "Since__c", "type": "string", "length": 20 });
    org.set_field("Contact", &since).unwrap();
    for id in [&edited, &binned] {
        org.update(id, &json!({ "LastName": "Changed", "Since__c": "kept" }))
            .unwrap();
    }
    org.delete(&binned).unwrap();
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
    stage.on(0, &["restore", "apply", "plan"]);
    for (id, name) in [(&edited, "One"), (&binned, "Two")] {
        let row = org.row(id).unwrap();
        assert_eq!(
            (&row["LastName"], &row["Since__c"]),
            (&json!(name), &json!("kept"))
        );
    }
}

/// Contacts that are gone for good, are in the bin, and were edited.
fn disaster(gone: usize, binned: usize, edited: usize) -> (Stage, Vec<String>) {
    let stage = Stage::new();
    let org = &stage.org;
    // As many as fit, as in an org of narrow rows.
    org.configure(|s| (s.page_size, s.even_pages) = (2000, true));
    let make = |n| {
        org.create("Contact", &json!({ "LastName": format!("L{n}"), "Title": "Was" }))
            .unwrap()
    };
    let ids: Vec<String> = (0..gone + binned + edited).map(make).collect();
    stage.backup();
    let (lost, rest) = ids.split_at(gone);
    org.expire(&lost.iter().map(String::as_str).collect::<Vec<_>>())
        .unwrap();
    let (thrown, changed) = rest.split_at(binned);
    thrown.iter().for_each(|id| org.delete(id).unwrap());
    for id in changed {
        org.update(id, &json!({ "Title": "Is" })).unwrap();
    }
    (stage, ids)
}

const PLAN: [&str; 9] = [
    "restore",
    "plan",
    "acme",
    "--at",
    "1",
    "--sobject",
    "Contact",
    "-o",
    "plan",
];

#[test]
fn what_a_plan_costs_is_foretold() {
    for (gone, binned, edited) in [(450, 210, 230), (0, 0, 900), (1, 1, 1)] {
        let (stage, _) = disaster(gone, binned, edited);
        let told = stage.on(0, &PLAN);
        let foretold = told["header"]["calls"].as_f64().unwrap();
        stage.org.reset_calls();
        let applied = stage.on(0, &["restore", "apply", "plan"]);
        let counted = applied["calls"].as_f64().unwrap();
        assert!(
            (foretold - counted).abs() <= counted * 0.2,
            "{foretold} foretold, {counted} counted: {:?}",
            stage.org.calls()
        );
    }
}

/// Requests that the org counted, without those of signing in.
fn counted(calls: BTreeMap<String, u64>) -> u64 {
    let of_sign_in = ["token", "identity", "userinfo", "versions", "authorize"];
    calls
        .into_iter()
        .filter(|(kind, _)| !of_sign_in.contains(&kind.as_str()))
        .map(|(_, n)| n)
        .sum()
}

#[test]
fn a_budget_of_calls_ends_a_run_that_goes_on_later() {
    let (stage, ids) = disaster(450, 210, 230);
    let plan = stage.on(3, &[&PLAN[..], &["--calls-at-most", "2"]].concat());
    assert!(plan["header"]["calls"].as_u64().unwrap() > 2);
    let mut runs = 0;
    let mut new = BTreeMap::new();
    loop {
        stage.org.reset_calls();
        let mut command = crate::cli_demo::command(
            stage.dir(),
            &["restore", "apply", "plan", "--calls-at-most", "10"],
        );
        let output = command.output().unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        if output.status.code() == Some(0) {
            let made = told["new_ids"].as_object().unwrap();
            new.extend(
                made.iter()
                    .map(|(old, new)| (old.clone(), new.as_str().unwrap().to_owned())),
            );
            break;
        }
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(told["stopped"].as_str().unwrap().contains("spent"), "{told}");
        let calls = counted(stage.org.calls());
        assert!(calls <= 10, "{calls} calls: {:?}", stage.org.calls());
        runs += 1;
        assert!(runs < 20, "it does not get on: {told}");
    }
    assert!(runs > 1, "it never stopped");
    for id in &ids {
        let row = stage.org.row(new.get(id).unwrap_or(id)).unwrap();
        assert_eq!(row["Title"], "Was");
    }
    let titles = stage
        .org
        .rows("Contact")
        .into_iter()
        .filter(|row| row["Title"] == "Was");
    assert_eq!(titles.count(), ids.len(), "none is made twice");
}

#[test]
fn a_plan_is_shown_as_a_tree_and_its_flags_in_its_head() {
    let stage = Stage::new();
    let org = &stage.org;
    let marker =
        json!({ "name": "Old__c", "type": "string", "length": 18, "externalId": true, "unique": true });
    org.set_field("Contact", &marker).unwrap();
    let account = org.create("Account", &json!({ "Name": "Parent" })).unwrap();
    for n in 0..12 {
        let values = json!({ "LastName": format!("L{n}"), "AccountId": account });
        org.create("Contact", &values).unwrap();
    }
    stage.backup();
    org.expire(&[&account]).unwrap();
    let made = [
        "restore",
        "plan",
        "acme",
        "--at",
        "1",
        "-o",
        "plan",
        "--overwrite",
        "--marker",
    ];
    let none = stage.on(1, &[&made[..], &["None__c"]].concat());
    assert!(none.as_str().unwrap().contains("None__c"), "{none}");
    stage.on(0, &[&made[..], &["Old__c"]].concat());
    let shown = stage.on(0, &["restore", "show", "plan"]);
    assert_eq!(
        (&shown["header"]["marker"], &shown["header"]["overwrite"]),
        (&json!("Old__c"), &json!(true))
    );
    let top = &shown["tree"]["shown"][0];
    assert_eq!((&top["id"], &top["name"]), (&json!(account), &json!("Parent")));
    let under = &top["under"];
    assert_eq!(
        (under["shown"].as_array().unwrap().len(), &under["more"]),
        (10, &json!(2))
    );
    assert!(
        shown["warnings"].to_string().contains("no field Old__c"),
        "{shown}"
    );
    let text = crate::cli_demo::halite(&["restore", "show", "plan"])
        .current_dir(stage.dir())
        .output()
        .unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    for words in [
        "(Parent): create",
        "    and 2 more",
        "old Ids are kept in: Old__c",
        "13 operations",
    ] {
        assert!(text.contains(words), "`{words}` is missing in {text}");
    }
    stage.on(0, &["restore", "apply", "plan"]);
    let contacts = org.rows("Contact").into_iter();
    assert_eq!(contacts.filter(|row| row["Old__c"].is_string()).count(), 12);
}
