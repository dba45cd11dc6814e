//! The demo through the binary, and a restore through the commands one by one, on simulated orgs.
//!
//! Key decision: the demo judges itself by reading the org afresh, so a test needs only its last line, its status
//! and its figures. Sample orgs are read from `HALITE_SHARED_DATA`; where they are absent the test says so.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use halite_simulator::{CLIENT_ID, CLIENT_SECRET, Org, Server};
use serde_json::{Value, json};

pub(crate) fn halite(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_halite"));
    command.args(args).env_remove("HALITE_VAULT").stdin(Stdio::null());
    command
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Why a demo is not good, or nothing.
fn complaint(output: &Output) -> Option<String> {
    let said = out(output);
    let last = said.lines().last().unwrap_or_default();
    let good = output.status.success() && last.ends_with(" newer kept, 0 differences");
    (!good).then(|| {
        format!(
            "{}\n{said}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

#[test]
fn the_demo_ends_without_differences() {
    let output = halite(&["demo"]).output().unwrap();
    assert_eq!(complaint(&output), None);
    let output = halite(&["demo", "--json"]).output().unwrap();
    let figures: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(figures["differences"], 0);
    assert!(figures["restored"].as_u64().unwrap() > 20, "{figures}");
    let steps: Vec<&str> = figures["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|s| s["step"].as_str())
        .collect();
    let expected = [
        "connect", "backup 1", "change", "backup 2", "diff", "backup 3", "plan", "apply", "backup 4",
        "verify",
    ];
    assert_eq!(steps, expected);
    let change = &figures["steps"][2];
    for kind in ["edited", "relinked", "added", "deleted", "cascaded", "purged"] {
        assert!(change[kind].as_u64().unwrap() > 0, "nothing was {kind}: {change}");
    }
}

#[test]
fn the_demo_ends_without_differences_on_every_sample_org() {
    let data =
        std::env::var_os("HALITE_SHARED_DATA").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    let Ok(entries) = fs::read_dir(data.join("sample-orgs")) else {
        eprintln!(
            "SKIPPED: no sample orgs in {}; set HALITE_SHARED_DATA",
            data.display()
        );
        return;
    };
    let mut orgs: Vec<PathBuf> = entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.is_dir())
        .collect();
    orgs.sort();
    let mut bad = Vec::new();
    for org in &orgs {
        let output = halite(&["demo", "--org", org.to_str().unwrap()])
            .output()
            .unwrap();
        bad.extend(complaint(&output).map(|why| format!("{}: {why}", org.display())));
    }
    assert!(
        bad.is_empty(),
        "{} of {} orgs:\n{}",
        bad.len(),
        orgs.len(),
        bad.join("\n")
    );
}

#[test]
fn a_folder_that_is_no_project_is_refused() {
    let output = halite(&["demo", "--org", "/nonexistent/project"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: "));
}

/// A command on the vault in a folder, answering in JSON.
pub(crate) fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = halite(args);
    command
        .arg("--json")
        .current_dir(dir)
        .env("HALITE_VAULT", dir.join("vault"))
        .env("XDG_CACHE_HOME", dir.join("cache"))
        .env("HALITE_PASSPHRASE", "a passphrase")
        .env("APP_SECRET", CLIENT_SECRET);
    command
}

/// Runs a command on the vault in `dir`; it must end with `status`.
pub(crate) fn on(dir: &Path, status: i32, args: &[&str]) -> Value {
    let output = command(dir, args).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{args:?}: {error}");
    serde_json::from_slice(&output.stdout).unwrap_or(Value::String(error))
}

#[test]
fn a_restore_by_commands_brings_records_back() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let org = Org::sample();
    let server = Server::start(org.clone()).unwrap();
    let url = server.url();
    on(dir, 0, &["init"]);
    let wrong = [
        "connect",
        "acme",
        "--environment",
        &url,
        "--client-id",
        "wrong",
        "--client-secret-env",
        "APP_SECRET",
    ];
    assert!(on(dir, 1, &wrong).as_str().unwrap().starts_with("error: "));
    assert_eq!(
        on(dir, 0, &["connections"]),
        json!([]),
        "nothing is kept of a refused sign-in"
    );
    let right = [
        "connect",
        "acme",
        "--environment",
        &url,
        "--client-id",
        CLIENT_ID,
        "--client-secret-env",
        "APP_SECRET",
    ];
    on(dir, 0, &right);
    assert_eq!(on(dir, 0, &["connections"])[0]["name"], "acme");
    on(dir, 0, &["backup", "acme"]);

    let ids: Vec<String> = org
        .rows("Contact")
        .iter()
        .map(|r| r["Id"].as_str().unwrap().to_owned())
        .collect();
    org.clock().advance(std::time::Duration::from_secs(3600));
    org.update(&ids[0], &json!({ "LastName": "Changed" })).unwrap();
    org.purge(&[&ids[1]]).unwrap();
    on(dir, 0, &["backup", "acme"]);
    let plan = on(dir, 0, &["restore", "plan", "acme", "--at", "1", "-o", "plan"]);
    assert!(plan["operations"].as_u64().unwrap() >= 2, "{plan}");
    on(dir, 1, &["restore", "plan", "acme", "--at", "1", "-o", "plan"]);
    assert_eq!(
        on(dir, 0, &["restore", "show", "plan"])["operations"],
        plan["operations"]
    );
    let applied = on(dir, 0, &["restore", "apply", "plan"]);
    let id = &ids[1];
    assert!(applied["new_ids"][id].is_string(), "{applied}");
    assert_ne!(org.row(&ids[0]).unwrap()["LastName"], "Changed");
    let again = on(dir, 0, &["restore", "apply", "plan"]);
    assert_eq!(
        again["new_ids"], applied["new_ids"],
        "a second apply goes on where the first ended: nowhere"
    );
    assert_eq!(org.rows("Contact").len(), ids.len());
    an_erased_record_stays_away(dir, &ids[0], id);
}

/// Two records are erased in the vault, of which the org has one still.
fn an_erased_record_stays_away(dir: &Path, there: &str, gone: &str) {
    let erased = on(dir, 0, &["erase", "--yes", gone, there]);
    assert_eq!(erased["report"]["records"], 2, "{erased}");
    let refused = on(dir, 1, &["restore", "apply", "plan"]);
    assert!(refused.as_str().unwrap().contains("was erased"), "{refused}");
    // In full, since not every increment counts every sObject.
    let report = on(dir, 0, &["backup", "acme", "--full"]);
    let contacts = report["sobjects"].as_array().unwrap().iter();
    let contacts = contacts.filter(|s| s["name"] == "Contact");
    assert_eq!(contacts.map(|s| &s["erased"]).collect::<Vec<_>>(), [&json!(1)]);
    on(dir, 1, &["show", there]);
}
