//! What a plan is about when something is chosen, through the binary.
//!
//! Key decision: what is planned is held against a plain rule over the org's own rows at the time that is restored. Not here:
//! what conditions mean, which the parser's tests say.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::BTreeSet;
use std::fs;

use halite_simulator::Org;
use serde_json::{Value, json};

use crate::cli_restore::Stage;
use crate::cli_restore_to::sandbox;

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

type Named = BTreeSet<String>;

/// Plans, and gives the Ids of the plan's operations.
fn planned(stage: &Stage, flags: &[&str]) -> Named {
    drop(fs::remove_file(stage.dir().join("plan")));
    let mut all = vec!["restore", "plan", "acme", "-o", "plan"];
    all.extend(flags);
    stage.on(0, &all);
    let ids = operations(stage, "plan").into_iter();
    ids.map(|op| op["id"].as_str().unwrap().to_owned()).collect()
}

fn named<const N: usize>(ids: [&String; N]) -> Named {
    ids.into_iter().cloned().collect()
}

fn contacts<const N: usize>(org: &Org) -> [String; N] {
    let make = |n: usize| org.create("Contact", &json!({ "LastName": format!("L{n}"), "Title": "Old" }));
    std::array::from_fn(|n| make(n).unwrap())
}

fn entitle(org: &Org, id: &str, title: &str) {
    org.update(id, &json!({ "Title": title })).unwrap();
}

/// Contacts to which something happened before the first, second and third backup, and since.
fn days() -> (Stage, [String; 8]) {
    let stage = Stage::new();
    let org = &stage.org;
    let field = |name: &str| json!({ "name": name, "type": "string", "length": 20, "custom": true, "nillable": true });
    org.set_field("Contact", &field("Kind__c")).unwrap();
    let all = contacts(org);
    let [gone, edited, twice, back, later, early, late, new] = &all;
    org.update(late, &json!({ "Kind__c": "x" })).unwrap();
    stage.backup();
    org.delete(early).unwrap();
    stage.backup();
    org.delete(gone).unwrap();
    entitle(org, edited, "New");
    entitle(org, twice, "New");
    org.delete(back).unwrap();
    org.undelete(back).unwrap();
    entitle(org, later, "New");
    // Neither stamps that move nor a field that goes are changes.
    org.restamp("Contact").unwrap();
    org.remove_field("Contact", "Kind__c").unwrap();
    stage.backup();
    entitle(org, late, "New");
    entitle(org, twice, "Newer");
    org.delete(later).unwrap();
    org.purge(&[new]).unwrap();
    (stage, all)
}

#[test]
fn records_are_chosen_by_when_they_went_or_changed() {
    let (stage, [gone, edited, twice, _, later, early, late, new]) = &days();
    let plan = |flags: &[&str]| planned(stage, flags);
    // The look at the org ends the newest span.
    assert_eq!(plan(&["--deleted-between", "3", "latest"]), named([later, new]));
    assert_eq!(
        plan(&["--at", "1", "--deleted-between", "1", "2"]),
        named([early])
    );
    assert_eq!(plan(&["--deleted-between", "2", "3"]), named([gone]));
    let third = [gone, edited, twice, later];
    assert_eq!(plan(&["--at", "1", "--changed-between", "2", "3"]), named(third));
    // Without a time it is the beginning of the span: what was gone by then stays gone.
    assert_eq!(
        plan(&["--changed-between", "1", "3"]),
        named([gone, edited, twice, later, early])
    );
    assert_eq!(plan(&["--changed-between", "2", "3"]), named(third));
    let set = operations(stage, "plan")
        .into_iter()
        .find(|op| op["id"] == **twice)
        .unwrap();
    assert_eq!(
        (&set["fields"]["Title"], &set["before"]["Title"]),
        (&json!("Old"), &json!("Newer"))
    );
    assert_eq!(
        plan(&["--changed-between", "3", "latest"]),
        named([late, twice, later, new])
    );
    // All of them together.
    let both = [
        "--changed-between",
        "2",
        "3",
        "--deleted-between",
        "3",
        "latest",
        "--sobject",
        "Contact",
    ];
    assert_eq!(plan(&both), named([later]));
    // The earlier of two spans says where it goes back to.
    let header =
        |plan: &str| serde_json::from_str::<Value>(stage.text(plan).lines().next().unwrap()).unwrap();
    let begins = header("plan")["header"]["at"].clone();
    plan(&["--at", "2", "--deleted-between", "3", "latest"]);
    assert_eq!(begins, header("plan")["header"]["at"]);
    assert_eq!(
        plan(&["--changed-between", "2", "3", "--where", "LastName = 'L1'"]),
        named([edited])
    );
    assert_eq!(
        plan(&["--changed-between", "2", "3", "--mode", "existing"]),
        named([edited, twice])
    );
    let shown = stage.on(0, &["restore", "show", "plan"]);
    assert_eq!(shown["header"]["choice"], "--changed-between 2 3");
}

#[test]
fn records_are_chosen_by_who_changed_them_last() {
    let stage = Stage::new();
    let org = &stage.org;
    org.configure(|s| s.delete_signs = true);
    let [edited, mine, deleted, my_own, again, lost] = &contacts(org);
    stage.backup();
    entitle(org, edited, "New");
    entitle(org, again, "New");
    org.delete(deleted).unwrap();
    org.expire(&[lost]).unwrap();
    org.sit_down(&org.api_user());
    entitle(org, mine, "New");
    entitle(org, again, "Newer");
    org.delete(my_own).unwrap();

    let user = org.row(&org.api_user()).unwrap()["Username"]
        .as_str()
        .unwrap()
        .to_uppercase();
    assert_eq!(
        planned(&stage, &["--at", "1", "--by", &user]),
        named([mine, my_own, again])
    );
    let warnings = stage.on(0, &["restore", "show", "plan"])["warnings"].clone();
    let unknown = warnings
        .as_array()
        .unwrap()
        .iter()
        .find(|warning| warning["sobject"] == "Contact");
    let said = unknown.unwrap()["what"].as_str().unwrap();
    assert!(
        said.starts_with("1 records differ and the org does not say who"),
        "{said}"
    );
    let id = org.api_user();
    assert_eq!(
        planned(&stage, &["--at", "1", "--by", &id, "--mode", "deleted"]),
        named([my_own])
    );
    let ids = [mine, edited].map(String::as_str).join(",");
    assert_eq!(
        planned(&stage, &["--at", "1", "--by", &id, "--id", &ids]),
        named([mine])
    );
    assert_eq!(
        planned(&stage, &["--by", &id, "--deleted-between", "1", "latest"]),
        named([my_own])
    );
}

#[test]
fn what_is_pointed_at_and_gone_comes_along() {
    let stage = Stage::new();
    let org = &stage.org;
    let make = |object: &str, values: Value| org.create(object, &values).unwrap();
    let top = make("Account", json!({ "Name": "Top" }));
    let firm = make("Account", json!({ "Name": "Firm", "ParentId": top }));
    let other = make("Account", json!({ "Name": "Other", "ParentId": top }));
    let cook = make("Contact", json!({ "LastName": "Cook", "AccountId": firm }));
    let stray = make("Account", json!({ "Name": "Stray" }));
    stage.backup();
    org.update(&other, &json!({ "Name": "Changed" })).unwrap();
    org.purge(&[&firm]).unwrap();
    org.delete(&top).unwrap();
    org.delete(&stray).unwrap();

    assert_eq!(planned(&stage, &["--at", "1", "--id", &cook]), named([&cook]));
    let along = [
        "--at",
        "1",
        "--id",
        &cook,
        "--sobject",
        "Contact",
        "--with-parents",
    ];
    assert_eq!(planned(&stage, &along), named([&cook, &firm, &top]));
    stage.on(0, &["restore", "apply", "plan"]);
    let made = org
        .rows("Contact")
        .into_iter()
        .find(|row| row["LastName"] == "Cook")
        .unwrap();
    let made = org.row(made["AccountId"].as_str().unwrap()).unwrap();
    assert_eq!((&made["Name"], &made["ParentId"]), (&json!("Firm"), &json!(top)));

    // An edit needs what its fields name; in mode deleted it is none.
    org.delete(&top).unwrap();
    let edit = ["--at", "1", "--id", &other, "--with-parents"];
    assert_eq!(planned(&stage, &edit), named([&other, &top]));
    let name = [&edit[..], &["--fields", "Name"]].concat();
    assert_eq!(planned(&stage, &name), named([&other]));
    let deleted = [&edit[..], &["--mode", "deleted"]].concat();
    assert_eq!(planned(&stage, &deleted), named([]));
}

#[test]
fn what_pointed_at_the_chosen_and_differs_comes_along() {
    let stage = Stage::new();
    let org = &stage.org;
    let make = |object: &str, values: Value| org.create(object, &values).unwrap();
    let hire = |name: &str, field: &str, to: &str| make("Contact", json!({ "LastName": name, field: to }));
    let firm = make("Account", json!({ "Name": "Firm" }));
    let boss = make("Contact", json!({ "LastName": "Boss" }));
    let [gone, edited, same] = ["Gone", "Edited", "Same"].map(|name| hire(name, "AccountId", &firm));
    let [aide, hers] = [&same, &boss].map(|to| hire("Aide", "ReportsToId", to));
    let stray = hire("Stray", "ReportsToId", &hers);
    org.update(&gone, &json!({ "ReportsToId": boss })).unwrap();
    stage.backup();
    org.delete(&gone).unwrap();
    org.delete(&boss).unwrap();
    for id in [&edited, &aide, &hers, &stray] {
        entitle(org, id, "New");
    }

    let plan = |flags: &[&str]| planned(&stage, &[&["--at", "1", "--id"], flags].concat());
    // A record that is named and is as it was has children too, and so has one that the way leads over.
    assert_eq!(plan(&[&firm, "--with-children", "1"]), named([&gone, &edited]));
    assert_eq!(
        plan(&[&firm, "--with-children", "2"]),
        named([&gone, &edited, &aide])
    );
    let family = plan(&[&firm, "--with-children", "2", "--with-parents"]);
    assert_eq!(family, named([&gone, &edited, &aide, &boss]));
    let deleted = [
        &firm,
        "--with-children",
        "2",
        "--with-parents",
        "--mode",
        "deleted",
    ];
    assert_eq!(plan(&deleted), named([&gone, &boss]));
    // They are not held to what chooses, and what is not chosen has none.
    let by_value = [
        "--at",
        "1",
        "--where",
        "LastName = 'Boss'",
        "--with-children",
        "1",
    ];
    assert_eq!(planned(&stage, &by_value), named([&boss, &gone, &hers]));
    let none = plan(&[&firm, "--with-children", "1", "--where", "Name = 'Other'"]);
    assert_eq!(none, named([]));
}

/// What comes along is masked as what is chosen.
fn masks_reach(stage: &Stage, plan: &dyn Fn(&[&str]) -> Named, firm: &str, cook: &str) {
    let kin = [
        (
            [firm, "--sobject", "Account", "--with-children=1"],
            "Contact.LastName",
            cook,
        ),
        (
            [cook, "--sobject", "Contact", "--with-parents"],
            "Account.Name",
            firm,
        ),
    ];
    for (flags, field, id) in kin {
        fs::write(stage.dir().join("masks"), format!("{field} fixed Hidden\n")).unwrap();
        plan(&[&flags[..], &["--mask", "masks"]].concat());
        let made = operations(stage, "plan")
            .into_iter()
            .find(|op| op["id"] == *id)
            .unwrap();
        assert_eq!(made["fields"][field.split_once('.').unwrap().1], "Hidden");
    }
}

#[test]
fn kin_goes_along_into_another_org() {
    let stage = Stage::new();
    let org = &stage.org;
    let make = |object: &str, values: Value| org.create(object, &values).unwrap();
    let top = make("Account", json!({ "Name": "Top" }));
    let firm = make("Account", json!({ "Name": "Firm", "ParentId": top }));
    let cook = make("Contact", json!({ "LastName": "Cook", "AccountId": firm }));
    let aide = make("Contact", json!({ "LastName": "Aide", "ReportsToId": cook }));
    stage.backup();
    let (twin, _server) = sandbox(&stage);
    let to = ["--at", "1", "--to", "dev", "--id"];
    let plan = |flags: &[&str]| planned(&stage, &[&to[..], flags].concat());
    masks_reach(&stage, &plan, &firm, &cook);
    assert_eq!(plan(&[&cook, "--sobject", "Contact"]), named([&cook]));
    let up = [&cook, "--sobject", "Contact", "--with-parents"];
    assert_eq!(plan(&up), named([&cook, &firm, &top]));
    assert_eq!(
        plan(&[&firm, "--sobject", "Account", "--with-children", "1"]),
        named([&firm, &cook])
    );
    let all = [
        &firm,
        "--sobject",
        "Account",
        "--with-children",
        "2",
        "--with-parents",
    ];
    assert_eq!(plan(&all), named([&firm, &cook, &aide, &top]));
    stage.on(0, &["restore", "apply", "plan"]);
    let called = |object: &str, field: &str| {
        let rows = twin.rows(object).into_iter();
        rows.map(|row| row[field].as_str().unwrap().to_owned())
            .collect::<Named>()
    };
    assert_eq!(
        called("Account", "Name"),
        ["Firm", "Top"].map(String::from).into()
    );
    assert_eq!(
        called("Contact", "LastName"),
        ["Aide", "Cook"].map(String::from).into()
    );
    // What stands there by its name is not made.
    assert_eq!(plan(&up), named([&cook]));
    // But children are what is to be made.
    assert_eq!(
        plan(&[&firm, "--sobject", "Account", "--with-children", "1"]),
        named([&firm, &cook])
    );
}

#[test]
fn a_choice_by_the_past_that_makes_no_sense_is_refused() {
    let (stage, _) = stage();
    stage.backup();
    let cases: [(i32, &[&str], &str); 10] = [
        (
            1,
            &["--changed-between", "2", "1"],
            "the span ends before it begins",
        ),
        (
            1,
            &["--deleted-between", "2", "2"],
            "no snapshot was taken in the span",
        ),
        (1, &["--deleted-between", "1", "99"], "has no snapshot `99`"),
        (
            1,
            &["--at", "1", "--by", "no.one@example.com"],
            "no user has the Username",
        ),
        (
            1,
            &["--at", "1", "--by", "005000000000ZZZ"],
            "no snapshot has a user",
        ),
        (
            1,
            &["--at", "1", "--mode", "existing", "--with-parents"],
            "so no parents either",
        ),
        (2, &["--at", "1", "--with-children", "0"], "0 is not in 1.."),
        (2, &["--by", "no.one@example.com"], "--at"),
        (
            2,
            &["--at", "1", "--by", "no.one@example.com", "--to", "acme"],
            "cannot be used with '--to",
        ),
        (
            2,
            &["--deleted-between", "1", "2", "--to", "acme"],
            "cannot be used with '--to",
        ),
    ];
    for (status, flags, words) in cases {
        let error = stage.on(
            status,
            &[&["restore", "plan", "acme", "-o", "plan"], flags].concat(),
        );
        assert!(error.as_str().unwrap().contains(words), "{error}");
    }
}
