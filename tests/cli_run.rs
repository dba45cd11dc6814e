//! `halite run` through the binary: what is due, what is stopped, what fails, and what goes on.
//!
//! Key decision: what a run does is seen from the vault and from what it says as JSON; an org falls silent, or waits, where
//! something is to happen in the middle. Not here: when a schedule is due, which the engine's own tests show minute by
//! minute.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

use halite_engine::ops::capture::unfinished;
use halite_simulator::{CLIENT_ID, Fault, Org, Script, Server};

use crate::cli_connections::Place;

#[test]
fn what_is_due_is_run_once_and_retention_follows() {
    let place = Place::new();
    place.connect(&[
        "--schedule",
        "0 2 1 1 *",
        "--first",
        "now",
        "--only",
        "Account,Contact",
    ]);
    assert_eq!(place.events(0, &["run", "--once"]), ["begun", "done", "end"]);
    assert_eq!(place.snapshots(), 1);
    assert_eq!(place.events(0, &["run", "--once"]), ["end"], "it was run");
    // A backup by hand of what is set counts, one of a part does not.
    let again = [
        "connection",
        "acme",
        "--schedule",
        "@yearly",
        "--first",
        "now",
        "--keep-last",
        "1",
    ];
    place.ends(0, &again);
    place.ends(0, &["backup", "acme", "--only", "Account"]);
    assert_eq!(
        place.events(0, &["run", "--once"]),
        ["begun", "done", "retained", "end"]
    );
    assert_eq!(place.snapshots(), 1, "one is kept of three");
    place.ends(
        0,
        &["connection", "acme", "--schedule", "@monthly", "--first", "now"],
    );
    place.ends(0, &["backup", "acme"]);
    assert_eq!(place.events(0, &["run", "--once"]), ["end"]);
    let listed = &place.json(0, &["connections"])[0][0];
    assert_eq!(listed["last"]["outcome"], "done", "{listed}");
    assert!(
        listed["next"].as_str().unwrap().ends_with("-01T00:00:00.000Z"),
        "{listed}"
    );
}

#[test]
fn a_run_that_reaches_the_ceiling_goes_on_with_the_next() {
    let place = Place::new();
    place.connect(&["--schedule", "@yearly", "--first", "now"]);
    let used = |place: &Place| place.json(0, &["backup", "acme", "--dry-run"])[0]["forecast"].clone();
    let forecast = used(&place);
    assert_eq!(
        (forecast["reaches_ceiling"].as_bool(), place.snapshots()),
        (Some(false), 0),
        "{forecast}"
    );
    let calls = forecast["calls"].as_u64().unwrap();
    assert!(
        calls > 8 && forecast["sobjects"].as_u64().unwrap() > 8,
        "{forecast}"
    );
    place.configure(|s| s.daily_requests = 60);
    assert_eq!(used(&place)["reaches_ceiling"], true);
    assert_eq!(place.events(3, &["run", "--once"]), ["begun", "paused", "end"]);
    assert_eq!(place.snapshots(), 0);
    let listed = &place.json(0, &["connections"])[0][0];
    assert_eq!(listed["last"]["outcome"], "paused", "{listed}");
    place.configure(|s| s.daily_requests = 5_000_000);
    let told = place.json(0, &["run", "--once"]);
    assert!(
        told.iter()
            .any(|event| event["unfinished"]["done"].as_u64().is_some()),
        "{told:?}"
    );
    assert_eq!(told[0]["again"], true);
    assert_eq!(place.snapshots(), 1);
    assert_eq!(place.events(0, &["run", "--once"]), ["end"]);
}

#[test]
fn one_connection_that_fails_does_not_keep_others() {
    let place = Place::new();
    let now = ["--schedule", "@yearly", "--first", "now", "--only", "Account"];
    place.connect(&now);
    let other = Org::sample();
    let server = Server::start(other).unwrap();
    let bolt = ["connect", "bolt", "--client-id", CLIENT_ID, "--environment"];
    place.ends(0, &[&bolt[..], &[&server.url()], &now].concat());
    let locked = Fault::Error {
        status: 400,
        code: "inactive_org",
        message: "organization is locked",
    };
    place.org.fault("/oauth2/token", 1, locked);
    let told = place.json(1, &["run", "--once"]);
    let of = |name: &str, event: &str| {
        told.iter()
            .any(|t| t["connection"] == name && t["event"] == event)
    };
    assert!(of("acme", "failed") && of("bolt", "done"), "{told:?}");
    let log = place.json(0, &["activity"])[0].clone();
    let failed = log
        .as_array()
        .unwrap()
        .iter()
        .find(|line| line["outcome"] == "failed")
        .unwrap();
    assert!(
        failed["detail"].as_str().unwrap().contains("inactive_org"),
        "{failed}"
    );
    assert_eq!(
        place.events(0, &["run", "--once"]),
        ["begun", "done", "end"],
        "it is tried again"
    );
}

#[test]
fn a_write_that_fails_is_over_with_the_next_backup() {
    let place = Place::new();
    let now = ["--schedule", "@yearly", "--first", "now", "--only", "Account"];
    place.connect(&now);
    let other = Org::sample();
    let server = Server::start(other.clone()).unwrap();
    let bolt = ["connect", "bolt", "--client-id", CLIENT_ID, "--environment"];
    place.ends(0, &[&bolt[..], &[&server.url()], &now].concat());
    // Nothing can be written in a folder that is a file.
    let folder = place.dir.path().join("vault/tmp");
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "").unwrap();
    let mut child = place
        .command(&["run", "--once"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = String::new();
    // The second org answers nothing before the folder is there again.
    other.configure(|_| {
        while !said.contains("acme: failed") {
            said.push_str(&lines.next().unwrap().unwrap());
        }
        fs::remove_file(&folder).unwrap();
    });
    lines.for_each(|line| said.push_str(&line.unwrap()));
    assert!(said.contains("bolt: snapshot 1, complete"), "{said}");
    assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
    // The log could not be told of the failure: it is due as before.
    assert_eq!(place.events(0, &["run", "--once"]), ["begun", "done", "end"]);
}

#[test]
fn a_connection_that_cannot_be_read_keeps_no_other() {
    let place = Place::new();
    let now = ["--schedule", "@yearly", "--first", "now", "--only", "Account"];
    place.connect(&now);
    place.vault().put_grant("newer", b"9\n").unwrap();
    let told = place.json(1, &["run", "--once"]);
    let of = |name: &str, event: &str| {
        told.iter()
            .find(|t| t["connection"] == name && t["event"] == event)
            .unwrap_or_else(|| panic!("no {event} of {name} in {told:?}"))
    };
    let why = of("newer", "failed")["why"].as_str().unwrap();
    assert!(why.contains("has version 9"), "{why}");
    of("acme", "done");
}

/// Runs what is due against an org that falls silent in the middle, ends it with that signal once something was saved,
/// and gives how it ended and what it said.
#[cfg(unix)]
fn ended_in_the_middle(place: &Place, signal: &str) -> (Option<i32>, String) {
    place.org.script(Script {
        contains: "/composite".into(),
        after: 20,
        times: 10_000,
        ..Script::new(Fault::Delay(Duration::from_secs(3600)))
    });
    let mut child = place
        .command(&["run"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let vault = place.vault();
    let org = place.org.org_id().parse().unwrap();
    while unfinished(&vault, org).unwrap().is_empty() {
        vault.refresh().unwrap();
        std::thread::yield_now();
    }
    let kill = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    place.org.clear_faults();
    (child.wait().unwrap().code(), said)
}

#[cfg(unix)]
#[test]
fn a_capture_that_was_stopped_or_killed_goes_on() {
    for (signal, outcome) in [("-TERM", Some("paused")), ("-KILL", None)] {
        let place = Place::new();
        place.connect(&["--schedule", "@yearly", "--first", "2026-01-01"]);
        let (status, said) = ended_in_the_middle(&place, signal);
        assert_eq!((status, place.snapshots()), (outcome.map(|_| 0), 0), "{said}");
        let listed = place.json(0, &["connections"])[0][0].clone();
        assert_eq!(listed["last"]["outcome"].as_str(), outcome, "{listed}");
        if outcome.is_some() {
            assert!(said.ends_with("stopped\n"), "{said}");
        }
        let told = place.json(0, &["run", "--once"]);
        let of = |event: &str| told.iter().filter(|t| t["event"] == event).count();
        assert_eq!((of("begun"), of("done"), of("end")), (1, 1, 1), "{told:?}");
        assert!(
            told.iter().any(|t| t["unfinished"]["done"].is_u64()),
            "it went on: {told:?}"
        );
        assert_eq!(place.snapshots(), 1, "one run for all that were missed");
        assert_eq!(place.events(0, &["run", "--once"]), ["end"]);
    }
}

#[cfg(unix)]
#[test]
fn a_run_ends_clean_when_it_is_told_to() {
    let place = Place::new();
    place.connect(&["--schedule", "0 2 1 1 *", "--only", "Account"]);
    let mut child = place
        .command(&["run"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(
        first.contains("acme: next backup") && first.contains("-01-01T02:00"),
        "{first}"
    );
    let kill = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    assert!(lines.next().unwrap().unwrap().ends_with("stopped"));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
