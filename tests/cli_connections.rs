//! Connections through the binary: settings, forecasts, the activity log, and what becomes of secrets.
//!
//! Key decision: what a run does is seen from the vault and from the org's own count of calls, not from its words alone.
//! Not here: what `halite run` does (`cli_run`).

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use halite_engine::store::local::Local;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_simulator::{CLIENT_ID, CLIENT_SECRET, Fault, Org, Plan, Server, Settings};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Place {
    pub(crate) dir: TempDir,
    pub(crate) org: Org,
    pub(crate) url: String,
    pub(crate) env: Vec<(&'static str, String)>,
    _server: Server,
}

impl Place {
    /// A vault, and a sample org that answers.
    pub(crate) fn new() -> Self {
        Self::of(Org::sample())
    }

    /// The same for another org.
    pub(crate) fn of(org: Org) -> Self {
        let server = Server::start(org.clone()).unwrap();
        let place = Self {
            dir: tempfile::tempdir().unwrap(),
            org,
            url: server.url(),
            env: Vec::new(),
            _server: server,
        };
        place.ends(0, &["init", "--no-encryption"]);
        place
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_halite"));
        command
            .args(args)
            .env("HALITE_VAULT", self.dir.path().join("vault"))
            .env("XDG_CACHE_HOME", self.dir.path().join("cache"))
            .env("HALITE_CLIENT_SECRET", CLIENT_SECRET)
            .env("USER", "ada")
            .env_remove("LOGNAME")
            .env_remove("HALITE_AS")
            .env_remove("HALITE_PASSPHRASE")
            .envs(self.env.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command that must end with that status; gives both its streams.
    pub(crate) fn ends(&self, status: i32, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        let text = both(&output);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {text}");
        text
    }

    /// The JSON on standard output of a command that must end with that status, line by line.
    pub(crate) fn json(&self, status: i32, args: &[&str]) -> Vec<Value> {
        let output = self.command(&[args, &["--json"]].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{args:?}: {}", both(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub(crate) fn connect(&self, more: &[&str]) -> String {
        let sign_in = [
            "connect",
            "acme",
            "--environment",
            &self.url,
            "--client-id",
            CLIENT_ID,
        ];
        self.ends(0, &[&sign_in[..], more].concat())
    }

    pub(crate) fn vault(&self) -> Vault {
        let place = Local::open(&self.dir.path().join("vault")).unwrap();
        Vault::open(Arc::new(place), &Secret::None, VaultOptions::default()).unwrap()
    }

    pub(crate) fn snapshots(&self) -> usize {
        self.json(0, &["snapshots"])[0].as_array().unwrap().len()
    }

    pub(crate) fn events(&self, status: i32, args: &[&str]) -> Vec<String> {
        let told = self.json(status, args).into_iter();
        told.map(|value| value["event"].as_str().unwrap().to_owned())
            .filter(|event| event != "note")
            .collect()
    }

    pub(crate) fn configure(&self, change: impl FnOnce(&mut Settings)) {
        self.org.configure(change);
    }
}

fn both(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn settings_are_kept_shown_and_changed_one_by_one() {
    let place = Place::new();
    let more = [
        "--schedule",
        "0 2 * * *",
        "--except",
        "Task,Event",
        "--keep-daily",
        "7",
    ];
    let text = place.connect(&more);
    assert!(
        text.contains("the first backup is due") && text.contains("T02:00:00.000Z"),
        "{text}"
    );
    place.ends(
        0,
        &["connection", "acme", "--zone", "Europe/Vienna", "--ceiling", "30"],
    );
    let kept = &place.json(0, &["connection", "acme"])[0]["settings"];
    let expected: [(&str, Value); 5] = [
        ("/schedule/cron", "0 2 * * *".into()),
        ("/schedule/zone", "Europe/Vienna".into()),
        ("/except/1", "Event".into()),
        ("/keep/daily", 7.into()),
        ("/ceiling", 30.into()),
    ];
    for (path, value) in expected {
        assert_eq!(kept.pointer(path), Some(&value), "{path} in {kept}");
    }
    let listed = &place.json(0, &["connections"])[0][0];
    assert!(listed["next"].is_string() && listed["last"].is_null(), "{listed}");
    let text = place.ends(
        0,
        &[
            "connection",
            "acme",
            "--schedule",
            "never",
            "--keep-all",
            "--all-objects",
        ],
    );
    assert!(
        text.contains("never by itself") && text.contains("every sObject\n"),
        "{text}"
    );
    assert!(place.json(0, &["connections"])[0][0]["next"].is_null());
    // It can sign in as before, and connecting anew keeps what was set.
    place.connect(&[]);
    let text = place.ends(0, &["backup", "acme", "--only", "Account"]);
    assert!(text.contains("snapshot 1"), "{text}");
    assert!(place.ends(0, &["connection", "acme"]).contains("ceiling: 30 %"));
    for (flags, words) in [
        (["--schedule", "61 * * * *"], "minute `61`"),
        (["--schedule", "often"], "five fields"),
        (["--zone", "Vienna"], "without a schedule"),
    ] {
        let error = place.ends(1, &[&["connection", "acme"][..], &flags].concat());
        assert!(error.contains(words), "{error}");
    }
    assert!(
        place
            .ends(1, &["connection", "bolt"])
            .contains("there is no connection `bolt`")
    );
}

#[test]
fn files_are_foretold_until_they_are_there() {
    let place = Place::of(Org::generate(&Plan {
        records: 200,
        files: 0.4,
        ..Plan::default()
    }));
    place.connect(&["--only", "ContentVersion,Attachment"]);
    let foretold = |flags: &[&str]| {
        let args = [&["backup", "acme", "--dry-run"], flags].concat();
        place.json(0, &args)[0]["forecast"]["files"].as_u64().unwrap()
    };
    let (files, without) = (foretold(&[]), foretold(&["--no-files"]));
    let report = place.json(0, &["backup", "acme"]).remove(0);
    let fetched = report["spent"]["files"].as_u64().unwrap();
    assert!(
        fetched > 10 && files >= fetched && files <= fetched * 2 && without == 0,
        "{files} foretold, {fetched} fetched, {without} without files"
    );
    assert_eq!(report["forecast"]["files"], files);
    assert_eq!(foretold(&[]), 0);
}

#[test]
fn the_log_says_who_did_what_and_how_it_ended() {
    let place = Place::new();
    place.connect(&["--only", "Account"]);
    place.ends(0, &["backup", "acme", "--as", "nightly of ops"]);
    place.ends(0, &["connection", "acme", "--ceiling", "20"]);
    place.ends(0, &["disconnect", "acme"]);
    let log = place.json(0, &["activity"])[0].as_array().unwrap().clone();
    let verbs: Vec<&str> = log.iter().map(|line| line["verb"].as_str().unwrap()).collect();
    assert_eq!(verbs, ["connect", "backup", "connection", "disconnect"]);
    let asked: Vec<&str> = log
        .iter()
        .map(|line| line["asked_by"].as_str().unwrap())
        .collect();
    assert_eq!(asked, ["ada", "nightly of ops", "ada", "ada"]);
    let backup = &log[1];
    assert!(backup["user"].as_str().unwrap().contains("(005"), "{backup}");
    assert_eq!(backup["detail"], "snapshot 1");
    let rows = backup["counts"]["rows"].as_u64().unwrap();
    assert!(
        rows > 0 && backup["counts"]["calls"].as_u64().unwrap() > 0,
        "{backup}"
    );
    assert_eq!(
        log[2]["detail"],
        "ceiling: 20 % of the day's calls; REST and Bulk"
    );
    let text = place.ends(0, &["activity"]);
    assert!(
        text.contains("snapshot 1; sobjects 1, rows ") && text.contains("by nightly of ops / acme / "),
        "{text}"
    );
    assert!(place.ends(0, &["connections"]).contains("no connections"));
    assert_eq!(place.snapshots(), 1, "snapshots outlive their connection");
}

#[test]
fn a_refresh_token_is_rotated_kept_and_revoked() {
    let mut place = Place::new();
    place.configure(|s| s.auth.app.rotate_refresh_tokens = true);
    place.env.push(("REFRESH", place.org.refresh_token()));
    place.connect(&["--refresh-token-env", "REFRESH", "--only", "Account"]);
    for _ in 0..3 {
        place.ends(0, &["backup", "acme"]);
        place.ends(0, &["connection", "acme", "--ceiling", "40"]);
    }
    // The first one is dead: it was rotated away, and only the vault has the one that lives.
    let error = place.ends(
        1,
        &[
            "connect",
            "bolt",
            "--environment",
            &place.url,
            "--client-id",
            CLIENT_ID,
            "--refresh-token-env",
            "REFRESH",
        ],
    );
    assert!(error.contains("expired access/refresh token"), "{error}");
    assert!(
        place
            .ends(0, &["disconnect", "acme"])
            .contains("took the token back")
    );
}

#[test]
fn a_token_is_dead_after_disconnecting_and_stays_alive_where_the_org_was_not_told() {
    let mut place = Place::new();
    place.env.push(("TOKEN", place.org.access_token()));
    let url = place.url.clone();
    let with_token = |name| {
        [
            "connect",
            name,
            "--environment",
            &url,
            "--token-env",
            "TOKEN",
            "--instance-url",
            &url,
        ]
    };
    place.ends(0, &with_token("one"));
    place.ends(0, &with_token("two"));
    let refuse = Fault::Error {
        status: 400,
        code: "unsupported_token_type",
        message: "this token type is not supported",
    };
    place.org.fault("/oauth2/revoke", 1, refuse);
    let error = place.ends(1, &["disconnect", "one"]);
    assert!(
        error.contains("nothing was removed") && error.contains("--force"),
        "{error}"
    );
    place.ends(0, &["backup", "one", "--only", "Account"]);
    place.ends(0, &["disconnect", "one"]);
    let error = place.ends(1, &["backup", "two"]);
    assert!(error.contains("no longer valid"), "{error}");
}

#[test]
fn no_secret_is_ever_said() {
    let mut place = Place::new();
    let refresh = place.org.refresh_token();
    place.env.push(("REFRESH", refresh.clone()));
    place.env.push(("RUST_LOG", "trace".into()));
    let mut said = place.connect(&["--refresh-token-env", "REFRESH"]);
    for args in [
        &["backup", "acme", "--only", "Account"][..],
        &["connections", "--json"],
        &["activity", "--json"],
        &["connection", "acme"],
        &["disconnect", "acme"],
    ] {
        said.push_str(&place.ends(0, args));
    }
    assert!(said.contains("signed in"), "the log is on");
    // An access token is the org's Id, a `!`, and this.
    let token = place.org.access_token();
    let mark = &token[token.find('!').unwrap()..][..3];
    for secret in [CLIENT_SECRET, &refresh, mark] {
        assert!(!said.contains(secret), "{secret} was said");
    }
}

#[test]
fn progress_is_lines_or_json_where_it_is_asked_for() {
    let place = Place::new();
    place.connect(&["--only", "Account,Contact"]);
    let args = ["backup", "acme", "--full", "--progress"];
    let told = |mode| {
        let output = place.command(&[&args[..], &[mode]].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", both(&output));
        String::from_utf8(output.stderr).unwrap()
    };
    let lines = told("lines");
    let mut lines = lines.lines();
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("forecast for 2 sObjects: about ")
    );
    assert_eq!(lines.next(), Some("0 of 2 done; 2 sObjects to read"));
    for line in told("json").lines().skip(1) {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["of"], 2, "{line}");
    }
    assert_eq!(told("none").lines().count(), 1, "the forecast alone");
}
