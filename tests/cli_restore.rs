//! What follows a restore, through the binary: comparison, report, and the plan for what failed.
//!
//! Key decision: values of the simulated org are hostile (markup, formulas), and what its automation does is known, so
//! that each line of a report has one right content. Not here: what a restore writes, which is the engine's tests'.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use halite_simulator::{Bin, CLIENT_ID, Deed, Org, Server};
use serde_json::{Value, json};

use crate::cli_demo::on;

const MARKUP: &str = "<script>alert(1)</script>";
const FORMULA: &str = "=HYPERLINK(\"http://evil\")";

/// A vault that is connected to a sample org.
pub(crate) struct Stage {
    scratch: tempfile::TempDir,
    pub(crate) org: Org,
    _server: Server,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let org = Org::sample();
        let server = Server::start(org.clone()).unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let stage = Self {
            scratch,
            org,
            _server: server,
        };
        stage.on(0, &["init"]);
        stage.connect("acme", &stage._server);
        stage
    }

    /// Connects to another org, or to this one.
    pub(crate) fn connect(&self, name: &str, to: &Server) {
        let url = to.url();
        let place = ["connect", name, "--environment", &url];
        let app = ["--client-id", CLIENT_ID, "--client-secret-env", "APP_SECRET"];
        self.on(0, &[place, app].concat());
    }

    pub(crate) fn dir(&self) -> &Path {
        self.scratch.path()
    }

    pub(crate) fn on(&self, status: i32, args: &[&str]) -> Value {
        on(self.dir(), status, args)
    }

    pub(crate) fn backup(&self) {
        self.org.clock().advance(Duration::from_secs(3600));
        self.on(0, &["backup", "acme"]);
        self.org.clock().advance(Duration::from_secs(3600));
    }

    pub(crate) fn ids(&self, object: &str) -> Vec<String> {
        let rows = self.org.rows(object);
        rows.iter()
            .map(|row| row["Id"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.dir().join(name)).unwrap()
    }
}

/// Four contacts: one whose value is refused, one whose value the org changes, one that is gone for good, and one whose
/// text names the third.
fn failed() -> (Stage, [String; 4]) {
    let stage = Stage::new();
    let org = &stage.org;
    let make = || org.create("Contact", &json!({ "LastName": "New" })).unwrap();
    let ids = [make(), make(), make(), make()];
    let link = format!("see https://acme.my.salesforce.com/{}?x=1", &ids[2][..15]);
    let edit = |id: &str, values: Value| org.update(id, &values).unwrap();
    edit(&ids[0], json!({ "LastName": "Blocked" }));
    edit(&ids[1], json!({ "LastName": "Auto", "Department": "Sales" }));
    edit(&ids[2], json!({ "FirstName": FORMULA, "LastName": MARKUP }));
    edit(&ids[3], json!({ "Description": link }));
    stage.backup();
    edit(&ids[0], json!({ "LastName": "Open" }));
    edit(&ids[1], json!({ "Department": "Changed" }));
    org.purge(&[&ids[2]]).unwrap();
    let message = format!("not now, {MARKUP}");
    org.add_rule("Contact", "LastName = \"Blocked\"", &message, Some("LastName"))
        .unwrap();
    let deed = Deed::SetField("Department".into(), "\"Automatic\"".into());
    org.on_save("Contact", "Departments", Some("LastName = \"Auto\""), deed)
        .unwrap();
    stage.backup();
    stage.on(0, &["restore", "plan", "acme", "--at", "1", "-o", "plan"]);
    (stage, ids)
}

fn line<'r>(report: &'r Value, id: &str) -> &'r Value {
    let lines = report["operations"].as_array().unwrap();
    lines.iter().find(|line| line["old_id"] == id).unwrap()
}

#[test]
fn a_report_has_a_line_for_each_operation_and_its_remedy() {
    let (stage, ids) = failed();
    let applied = stage.on(3, &["restore", "apply", "plan", "--report", "report"]);
    let report: Value = serde_json::from_str(&stage.text("report/report.json")).unwrap();
    let lines = report["operations"].as_array().unwrap();
    assert_eq!(lines.len(), applied["outcomes"].as_array().unwrap().len());

    let refused = line(&report, &ids[0]);
    assert_eq!(refused["outcome"], "refused");
    assert_eq!(refused["code"], "FIELD_CUSTOM_VALIDATION_EXCEPTION");
    assert!(
        refused["remedy"].as_str().unwrap().contains("validation rule"),
        "{refused}"
    );
    let differs = line(&report, &ids[1]);
    assert_eq!(
        (&differs["outcome"], &differs["remedy"]),
        (&json!("edited"), &Value::Null)
    );
    let expected = json!([{ "field": "Department", "wanted": "\"Sales\"", "found": "\"Automatic\"" }]);
    assert_eq!(differs["differing"], expected);
    let made = line(&report, &ids[2]);
    let new = applied["new_ids"][&ids[2]].as_str().unwrap();
    assert_eq!(
        (&made["outcome"], &made["new_id"]),
        (&json!("created"), &json!(new))
    );
    assert_eq!(made["name"], format!("{FORMULA} {MARKUP}"));
    assert_eq!(made["differing"], json!([]));
    let text =
        json!({ "sobject": "Contact", "id": ids[3], "field": "Description", "old": ids[2], "new": new });
    assert_eq!(report["texts"], json!([text]));
    let summary = &report["summary"];
    assert_eq!(summary["differing"], 1);
    assert_eq!(summary["outcomes"]["refused"], 1);
    assert_eq!(applied["verified"]["differing"].as_object().unwrap().len(), 1);

    // An older report, and none but the owner may read it.
    stage.on(3, &["restore", "report", "plan", "--report", "report"]);
    let again: Value = serde_json::from_str(&stage.text("report/report.json")).unwrap();
    assert_eq!(again["operations"], report["operations"]);
    assert_eq!(again["texts"], report["texts"]);
    let files: Vec<_> = fs::read_dir(stage.dir().join("report"))
        .unwrap()
        .flatten()
        .collect();
    assert_eq!(files.len(), 5);
    #[cfg(unix)]
    for file in files {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn nothing_in_a_report_is_markup_or_a_formula() {
    let (stage, ids) = failed();
    stage.on(3, &["restore", "apply", "plan", "--report", "report"]);
    let page = stage.text("report/report.html");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
    assert!(
        !page.contains("<script") && !page.contains("http://") && !page.contains("src="),
        "{page}"
    );
    for shown in [&ids[0], &ids[2], &ids[3], "Automatic", "validation rule"] {
        assert!(page.contains(shown), "{shown} is missing in {page}");
    }
    let table = stage.text("report/outcomes.csv");
    assert!(
        table.contains(&format!("\"'{}", FORMULA.replace('"', "\"\""))),
        "{table}"
    );
    assert!(!table.contains("\"="), "{table}");
    let ids_table = stage.text("report/ids.csv");
    assert!(
        ids_table.starts_with("\"old_id\",\"new_id\",\"sobject\"\r\n"),
        "{ids_table}"
    );
    assert_eq!(ids_table.lines().count(), 2);
    assert_eq!(stage.text("report/texts.csv").lines().count(), 2);
}

#[test]
fn what_failed_is_planned_again() {
    let (stage, ids) = failed();
    stage.on(1, &["restore", "again", "plan", "-o", "next"]);
    stage.on(3, &["restore", "apply", "plan"]);
    let next = stage.on(0, &["restore", "again", "plan", "-o", "next"]);
    assert_eq!(next["operations"], 1);
    stage.on(1, &["restore", "again", "plan", "-o", "next"]);
    // Mended by hand: another value that the rule lets pass.
    let text = stage.text("next");
    assert!(text.contains("\"Blocked\""), "{text}");
    fs::write(
        stage.dir().join("next"),
        text.replace("\"Blocked\"", "\"Mended\""),
    )
    .unwrap();
    let applied = stage.on(0, &["restore", "apply", "next"]);
    assert_eq!(applied["counts"], json!({ "edited": 1 }));
    assert_eq!(stage.org.row(&ids[0]).unwrap()["LastName"], "Mended");
    let none = stage.on(1, &["restore", "again", "next", "-o", "third"]);
    assert!(
        none.as_str().unwrap().contains("every operation succeeded"),
        "{none}"
    );
}

#[test]
fn a_conflict_is_planned_again_by_what_the_record_holds_now() {
    let stage = Stage::new();
    let id = stage.ids("Contact").remove(0);
    let edit = |name: &str| stage.org.update(&id, &json!({ "LastName": name })).unwrap();
    edit("First");
    stage.backup();
    edit("Second");
    stage.on(0, &["restore", "plan", "acme", "--at", "1", "-o", "plan"]);
    edit("Third");
    let applied = stage.on(3, &["restore", "apply", "plan"]);
    assert_eq!(applied["counts"], json!({ "conflict": 1 }));
    // Without a look since, the plan would conflict again; a backup is one.
    stage.backup();
    stage.on(0, &["restore", "again", "plan", "-o", "next"]);
    assert!(stage.text("next").contains("\"before\":{\"LastName\":\"Third\"}"));
    let applied = stage.on(0, &["restore", "apply", "next"]);
    assert_eq!(applied["counts"], json!({ "edited": 1 }));
    assert_eq!(stage.org.row(&id).unwrap()["LastName"], "First");
}

#[test]
fn what_is_made_anew_compares_well_with_its_references() {
    let stage = Stage::new();
    let org = &stage.org;
    let make = |object: &str, values: Value| org.create(object, &values).unwrap();
    let account = make("Account", json!({ "Name": "Salt" }));
    let contact = make("Contact", json!({ "LastName": "Pan", "AccountId": account }));
    stage.backup();
    org.expire(&[&account]).unwrap();
    stage.backup();
    assert_eq!(org.bin(&contact), Bin::Gone);
    stage.on(0, &["restore", "plan", "acme", "--at", "1", "-o", "plan"]);
    let applied = stage.on(0, &["restore", "apply", "plan", "--report", "report"]);
    let verified = &applied["verified"];
    assert_eq!(verified["differing"], json!({}), "{applied}");
    let all = applied["outcomes"].as_array().unwrap().len();
    assert_eq!(
        (&verified["records"], &verified["unseen"]),
        (&json!(all), &json!({}))
    );
    let ids = applied["new_ids"].as_object().unwrap();
    for old in [&account, &contact] {
        assert!(ids.contains_key(old), "{old} did not come back: {applied}");
    }
    // The way back deletes them, and is compared too.
    stage.on(0, &["restore", "undo", "plan", "-o", "back"]);
    let back = stage.on(0, &["restore", "apply", "back"]);
    assert_eq!(back["verified"]["differing"], json!({}));
    assert_eq!(org.bin(ids[&account].as_str().unwrap()), Bin::InBin);
    // What somebody brings back meanwhile shows in a report that is made afterwards.
    org.undelete(ids[&account].as_str().unwrap()).unwrap();
    stage.backup();
    stage.on(3, &["restore", "report", "back", "--report", "later"]);
    let later: Value = serde_json::from_str(&stage.text("later/report.json")).unwrap();
    let there = line(&later, ids[&account].as_str().unwrap());
    assert_eq!(there["differing"][0]["field"], "Id", "{there}");
}

#[test]
fn the_next_plan_points_at_what_the_first_made() {
    let stage = Stage::new();
    let org = &stage.org;
    let account = org.create("Account", &json!({ "Name": "Salt" })).unwrap();
    let values = json!({ "LastName": "Blocked", "AccountId": account });
    let contact = org.create("Contact", &values).unwrap();
    stage.backup();
    org.expire(&[&account]).unwrap();
    org.add_rule("Contact", "LastName = \"Blocked\"", "not now", None)
        .unwrap();
    stage.backup();
    stage.on(0, &["restore", "plan", "acme", "--at", "1", "-o", "plan"]);
    let first = stage.on(3, &["restore", "apply", "plan"]);
    let parent = &first["new_ids"][&account];
    assert!(
        parent.is_string() && first["new_ids"][&contact].is_null(),
        "{first}"
    );
    stage.on(0, &["restore", "again", "plan", "-o", "next"]);
    let text = stage.text("next").replace("\"Blocked\"", "\"Mended\"");
    fs::write(stage.dir().join("next"), text).unwrap();
    let next = stage.on(0, &["restore", "apply", "next", "--report", "report"]);
    let made = next["new_ids"][&contact].as_str().unwrap();
    assert_eq!(&org.row(made).unwrap()["AccountId"], parent);
    assert_eq!(next["verified"]["differing"], json!({}));
    // What the second did can be taken back by itself.
    stage.on(0, &["restore", "undo", "next", "-o", "back"]);
    stage.on(0, &["restore", "apply", "back"]);
    assert_eq!(
        (org.bin(made), org.bin(parent.as_str().unwrap())),
        (Bin::InBin, Bin::Live)
    );
}

#[test]
fn a_journal_that_ends_within_a_character_is_gone_on_with() {
    let stage = Stage::new();
    let org = &stage.org;
    let contact = org.create("Contact", &json!({ "LastName": "Then" })).unwrap();
    let name = || org.row(&contact).unwrap()["LastName"].clone();
    let spoil = || {
        org.update(&contact, &json!({ "LastName": "Andr\u{e9}" }))
            .unwrap()
    };
    stage.backup();
    spoil();
    stage.backup();
    stage.on(0, &["restore", "plan", "acme", "--at", "1", "-o", "plan"]);
    stage.on(0, &["restore", "apply", "plan"]);
    assert_eq!(name(), "Then");
    // The machine went off while the intent was being written, and nothing of it reached the org.
    let journal = stage.dir().join("plan.journal");
    let text = fs::read(&journal).unwrap();
    let within = text
        .windows(2)
        .position(|two| two == "\u{e9}".as_bytes())
        .unwrap()
        + 1;
    fs::write(&journal, &text[..within]).unwrap();
    spoil();
    let applied = stage.on(0, &["restore", "apply", "plan"]);
    assert_eq!(applied["counts"], json!({ "edited": 1 }), "{applied}");
    assert_eq!(name(), "Then");
    for line in stage.text("plan.journal").lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
}
