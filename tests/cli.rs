//! The command as people type it: bad input, exit statuses, and JSON that is JSON.
//!
//! Key decision: every test runs the binary in a folder of its own and looks at its status and its two streams.
//! Not here: what the engine does with good input, beyond the one way through import, show, diff and export.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const ORG: &str = "00D000000000001";
const DESCRIBE: &str = r#"{"name":"Account","queryable":true,"keyPrefix":"001","fields":[
    {"name":"Id","type":"id"},{"name":"Name","type":"string"},{"name":"Open","type":"boolean"}]}"#;

/// A folder with a vault in `vault` and a dump in `dump`.
pub(crate) struct Place(TempDir);

impl Place {
    /// With a vault that is not sealed.
    pub(crate) fn open() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.done(&["init", "--no-encryption"]);
        place
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn dump(&self, files: &[(&str, &str)]) -> String {
        let dir = self.path("dump");
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).unwrap();
        for (name, text) in files {
            fs::write(Path::new(&dir).join(name), text).unwrap();
        }
        dir
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_halite"));
        command
            .args(args)
            .env("HALITE_VAULT", self.path("vault"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env_remove("HALITE_PASSPHRASE")
            .env_remove("HALITE_NEW_PASSPHRASE")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command that must end with 0; gives its standard output.
    pub(crate) fn done(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{args:?}: {}",
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    /// Runs a command that must fail with that status; gives its one line of error.
    pub(crate) fn fails(&self, status: i32, args: &[&str]) -> String {
        refused(&self.run(args), status)
    }

    pub(crate) fn import(&self, as_of: &str, files: &[(&str, &str)]) -> Output {
        let dir = self.dump(files);
        self.run(&["import", "--org", ORG, "--as-of", as_of, &dir])
    }

    /// An import that must be refused, of which nothing may be left.
    fn refuses(&self, files: &[(&str, &str)], words: &[&str]) {
        let error = refused(&self.import("2026-01-01", files), 1);
        for word in words {
            assert!(error.contains(word), "`{word}` is missing in: {error}");
        }
        assert_eq!(
            self.done(&["snapshots", "--json"]).trim(),
            "[]",
            "something was left of {files:?}"
        );
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn refused(output: &Output, status: i32) -> String {
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{error}");
    if status == 1 {
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.starts_with("error: "), "{error}");
    }
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
    error
}

const GOOD: &str =
    "{\"Id\":\"001000000000001\",\"Name\":\"Acme\"}\n{\"Id\":\"001000000000002\",\"Name\":\"Bolt\"}\n";

#[test]
fn a_wrong_passphrase_opens_nothing() {
    let place = Place(tempfile::tempdir().unwrap());
    let made = place
        .command(&["init"])
        .env("HALITE_PASSPHRASE", "right")
        .output()
        .unwrap();
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let wrong = place
        .command(&["snapshots"])
        .env("HALITE_PASSPHRASE", "wrong")
        .output()
        .unwrap();
    let error = refused(&wrong, 1).to_lowercase();
    assert!(
        error.contains("passphrase") || error.contains("secret") || error.contains("key"),
        "{error}"
    );
    assert!(
        place.fails(1, &["snapshots"]).contains("HALITE_PASSPHRASE"),
        "no terminal to ask at"
    );
    let right = place.run(&["snapshots", "--json", "--passphrase-command", "echo right"]);
    assert_eq!((right.status.code(), text(&right.stdout).trim()), (Some(0), "[]"));
}

#[test]
fn what_is_no_vault_is_said_to_be_none() {
    let place = Place(tempfile::tempdir().unwrap());
    assert!(place.fails(1, &["snapshots"]).contains("halite init"));
    fs::create_dir(place.path("vault")).unwrap();
    fs::write(place.path("vault/mine.txt"), "mine").unwrap();
    assert!(place.fails(1, &["snapshots"]).contains("is not a vault"));
    assert!(place.fails(1, &["init", "--no-encryption"]).contains("not empty"));
    assert_eq!(fs::read_dir(place.path("vault")).unwrap().count(), 1);
}

#[test]
fn a_newer_format_is_refused() {
    let place = Place::open();
    let marker = place.path("vault/vault");
    let newer = fs::read_to_string(&marker)
        .unwrap()
        .replace("format 1", "format 9");
    fs::remove_file(&marker).unwrap();
    fs::write(&marker, newer).unwrap();
    assert!(place.fails(1, &["snapshots"]).contains("format 9"));
}

#[test]
fn usage_is_status_2() {
    let place = Place::open();
    place.fails(2, &["shwo"]);
    place.fails(2, &["import", "--as-of", "2026-01-01", "."]);
    place.fails(2, &["diff", "1"]);
    let none = place
        .command(&["snapshots"])
        .env_remove("HALITE_VAULT")
        .output()
        .unwrap();
    assert!(refused(&none, 2).contains("--vault DIR"));
}

#[test]
fn malformed_lines_are_named_and_nothing_is_taken() {
    let place = Place::open();
    let broken = format!("{GOOD}{{\"Id\":\"0010000000000\n");
    let good = ("Account.ndjson", GOOD);
    place.refuses(
        &[good, ("Contact.ndjson", &broken)],
        &["Contact.ndjson", "line 3"],
    );
    place.refuses(
        &[("Account.ndjson", &format!("{GOOD}{{\"Name\":\"x\"}}\n"))],
        &["Account.ndjson", "line 3", "Id"],
    );
    place.refuses(
        &[("Account.ndjson", &format!("{GOOD}{{\"Id\":\"zzz\"}}\n"))],
        &["Account.ndjson", "line 3"],
    );
    place.refuses(
        &[("Account.csv", "Id,Name\n001000000000001,Acme\n001000000000002\n")],
        &["Account.csv", "line 3"],
    );
    place.refuses(&[("Account.csv", "Name\nAcme\n")], &["Account.csv", "Id"]);
}

#[test]
fn an_id_comes_once() {
    let place = Place::open();
    let twice = format!("{GOOD}{{\"Id\":\"001000000000001AAA\",\"Name\":\"Again\"}}\n");
    place.refuses(
        &[("Account.ndjson", &twice)],
        &["Account.ndjson", "001000000000001"],
    );
}

#[test]
fn what_the_describe_refuses_is_refused_or_kept_and_counted() {
    let place = Place::open();
    let rows = format!("{GOOD}{{\"Id\":\"001000000000003\",\"Open\":\"perhaps\"}}\n");
    let files = [
        ("Account.ndjson", rows.as_str()),
        ("Account.describe.json", DESCRIBE),
    ];
    let output = place.import("2026-01-01", &files);
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(
        said.contains("Account") && (said.contains("against the describe") || said.contains("line 3")),
        "{said}"
    );
    let unknown = format!("{GOOD}{{\"Id\":\"001000000000003\",\"Nonsense\":1}}\n");
    let files = [
        ("Account.ndjson", unknown.as_str()),
        ("Account.describe.json", DESCRIBE),
    ];
    let place = Place::open();
    place.refuses(&files, &["Account.ndjson", "Nonsense"]);
}

#[test]
fn unknown_things_are_named() {
    let place = Place::open();
    assert!(
        place
            .fails(1, &["show", "001000000000001"])
            .contains("no snapshot")
    );
    assert_eq!(
        place
            .import("2026-01-01", &[("Account.ndjson", GOOD)])
            .status
            .code(),
        Some(0)
    );
    assert!(
        place
            .fails(1, &["diff", "1", "1", "--sobject", "Acount"])
            .contains("Acount")
    );
    assert!(
        place
            .fails(1, &["export", "--to", &place.path("x"), "--sobject", "Acount"])
            .contains("Acount")
    );
    assert!(
        place
            .fails(1, &["export", "--to", &place.path("y"), "--format", "csv"])
            .contains("ndjson")
    );
    assert!(place.fails(1, &["show", "001"]).contains("not a Salesforce Id"));
    assert!(
        place
            .fails(1, &["show", "001000000000009"])
            .contains("001000000000009")
    );
    assert!(
        place
            .fails(1, &["show", "001000000000001", "--at", "2020-01-01"])
            .contains("halite snapshots")
    );
    assert!(
        place
            .fails(1, &["history", "001000000000009"])
            .contains("001000000000009")
    );
    assert!(place.fails(1, &["backup", "nobody"]).contains("halite connect"));
    assert!(
        place
            .fails(1, &["snapshots", "--org", "00D000000000009"])
            .contains("00D000000000009")
    );
    let late = place.import("2025-01-01", &[("Account.ndjson", GOOD)]);
    assert!(refused(&late, 1).contains("--as-of"));
}

#[test]
fn nonsense_plans_are_refused() {
    let place = Place::open();
    let plan = place.path("plan");
    fs::write(&plan, "{\"header\":{\"format\":\"a shopping list\"}}\n").unwrap();
    assert!(place.fails(1, &["restore", "show", &plan]).contains("line 1"));
    assert!(place.fails(1, &["restore", "apply", &plan]).contains("line 1"));
    fs::write(&plan, "").unwrap();
    assert!(place.fails(1, &["restore", "show", &plan]).contains("plan"));
}

#[test]
fn the_way_through_speaks_json() {
    let place = Place::open();
    let json = |args: &[&str]| -> Value { serde_json::from_str(&place.done(args)).unwrap() };
    assert_eq!(
        place
            .import("2026-01-01", &[("Account.ndjson", GOOD)])
            .status
            .code(),
        Some(0)
    );
    let dir = place.dump(&[("Account.ndjson", &GOOD.replace("Bolt", "Nut"))]);
    let report = json(&["import", "--json", "--org", ORG, "--as-of", "2026-02-01", &dir]);
    assert_eq!(
        (&report["snapshot"], &report["sobjects"][0]["edited"]),
        (&2.into(), &1.into())
    );
    assert_eq!(json(&["snapshots", "--json"]).as_array().unwrap().len(), 2);
    let id = "001000000000002";
    assert_eq!(
        json(&["show", id, "--json", "--at", "1"])["record"]["Name"],
        "Bolt"
    );
    assert_eq!(
        json(&["show", id, "--json", "--at", "2026-01-15"])["record"]["Name"],
        "Bolt"
    );
    assert_eq!(json(&["show", id, "--json"])["record"]["Name"], "Nut");
    assert_eq!(json(&["history", id, "--json"]).as_array().unwrap().len(), 2);
    let change = json(&["diff", "1", "2", "--json"]);
    assert_eq!(
        (&change["kind"], &change["fields"][0]),
        (&"edited".into(), &"Name".into())
    );
    assert_eq!(
        json(&["diff", "1", "2", "--summary", "--json"])["sobjects"]["Account"]["edited"],
        1
    );
    assert_eq!(
        json(&["export", "--json", "--to", &place.path("out")])["records"],
        2
    );
    let written = fs::read_to_string(place.path("out/Account.ndjson")).unwrap();
    assert_eq!(written.lines().count(), 2);
    assert_eq!(json(&["connections", "--json"]), Value::Array(Vec::new()));
    assert!(
        place
            .fails(1, &["export", "--to", &place.path("out")])
            .contains("not empty")
    );
}

/// Runs a command under a passphrase, and perhaps a new one.
fn keyed(place: &Place, args: &[&str], key: &str, new: Option<&str>) -> Output {
    let mut command = place.command(args);
    command.env("HALITE_PASSPHRASE", key);
    if let Some(new) = new {
        command.env("HALITE_NEW_PASSPHRASE", new);
    }
    command.output().unwrap()
}

#[test]
fn keys_are_added_listed_removed_and_renewed() {
    let place = Place(tempfile::tempdir().unwrap());
    assert!(keyed(&place, &["init"], "one", None).status.success());
    let asked = keyed(&place, &["key", "add"], "one", None);
    assert_eq!(asked.status.code(), Some(1));
    assert!(
        text(&asked.stderr).contains("--new-key-file"),
        "{}",
        text(&asked.stderr)
    );
    assert!(
        keyed(&place, &["key", "add"], "one", Some("two"))
            .status
            .success()
    );
    let listed = |count: usize| {
        let keys: Value = serde_json::from_str(&place.done(&["key", "list", "--json"])).unwrap();
        assert_eq!(keys.as_array().unwrap().len(), count, "{keys}");
        keys
    };
    let keys = listed(2);
    let ids: Vec<&str> = (0..2).map(|n| keys[n]["id"].as_str().unwrap()).collect();
    assert!(
        keys[0]["wrap"] == "passphrase" && keys[0]["whole"] == true,
        "{keys}"
    );
    // One of them is the one that `two` opens: it stays.
    let removed = |id: &&str| {
        keyed(&place, &["key", "remove", id], "two", None)
            .status
            .success()
    };
    assert_eq!(ids.iter().copied().filter(removed).count(), 1);
    listed(1);
    assert_eq!(keyed(&place, &["snapshots"], "one", None).status.code(), Some(1));
    assert!(
        keyed(&place, &["key", "add"], "two", Some("three"))
            .status
            .success()
    );
    let renewed = keyed(&place, &["rekey", "--json"], "two", None);
    let renewed: Value = serde_json::from_str(&text(&renewed.stdout)).unwrap();
    assert!(
        renewed["generation"] == 2 && renewed["removed"].as_array().unwrap().len() == 2,
        "{renewed}"
    );
    assert_eq!(listed(1)[0]["generation"], 2);
    assert!(keyed(&place, &["snapshots"], "two", None).status.success());
    assert_eq!(
        keyed(&place, &["snapshots"], "three", None).status.code(),
        Some(1)
    );
    assert!(keyed(&place, &["key", "repair"], "two", None).status.success());
}
