//! Every fault on the simulator's list against every kind of request that a backup makes: what the user sees.
//!
//! Key decision: the vault is held against the org itself after each run, so that a backup that ends well with something
//! missing is found, whatever it says. Not here: how each answer is told from another, which the connector's own tests
//! show.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::BTreeMap;
use std::time::Duration;

use halite_engine::ops::state::State;
use halite_simulator::{Fault, Org, Plan, Script};
use serde_json::{Value, json};

use crate::cli_connections::Place;

/// A refusal that says nothing of rights, sessions or allowances.
const REFUSED: Fault = Fault::Error {
    status: 400,
    code: "FUNCTIONALITY_NOT_ENABLED",
    message: "The requested functionality is not enabled for this organization.",
};
const BROKEN: Fault = Fault::Error {
    status: 500,
    code: "UNKNOWN_EXCEPTION",
    message: "An unexpected error occurred.",
};

/// One that is live is deleted, and purged so long ago that only the log of deletions tells.
fn purge_one(place: &Place, sobject: &str) -> String {
    let gone = place.org.rows(sobject)[0]["Id"].as_str().unwrap().to_owned();
    place.org.delete(&gone).unwrap();
    place.org.purge(&[&gone]).unwrap();
    place.org.expire_purged();
    gone
}

#[test]
fn a_log_of_deletions_that_fails_hides_nobody() {
    for fault in [REFUSED, BROKEN] {
        let place = Place::new();
        place.connect(&[]);
        place.ends(0, &["backup", "acme", "--patience", "100ms"]);
        let gone = purge_one(&place, "Opportunity");
        // Asked one by one, so that it is one sObject's log that fails.
        place.org.fault("/composite", 10_000, REFUSED);
        place.org.fault("/Opportunity/deleted/", 10_000, fault.clone());
        let text = place.ends(0, &["backup", "acme", "--patience", "100ms"]);
        for words in [
            "Opportunity: its log of deletions could not be had",
            "Opportunity: 0 new, 0 edited, 1 deleted",
        ] {
            assert!(
                words.split('|').any(|words| text.contains(words)),
                "`{words}` is missing after {fault:?}: {text}"
            );
        }
        place.ends(1, &["show", &gone]);
        // Neither the log nor the Ids: nothing is known, and nothing is claimed.
        let next = purge_one(&place, "Opportunity");
        place.org.fault("SELECT+Id+FROM+Opportunity", 10_000, REFUSED);
        let text = place.ends(3, &["backup", "acme", "--patience", "100ms"]);
        assert!(text.contains("Opportunity: could not be read"), "{text}");
        place.ends(0, &["show", &next]);
        place.org.clear_faults();
        let text = place.ends(0, &["backup", "acme", "--patience", "100ms"]);
        assert!(text.contains("Opportunity: 0 new, 0 edited, 1 deleted"), "{text}");
        place.ends(1, &["show", &next]);
    }
}

/// The sObjects that are backed up.
const ONLY: &str = "Account,Contact,ContentVersion";

/// A kind of request: its name, what its path holds, its method, how many of them pass before.
type Asked = (&'static str, &'static str, &'static str, u32);

/// Every fault on the simulator's list, and what a message about it says.
fn faults() -> Vec<(Fault, &'static str)> {
    let busy = Fault::Busy {
        status: 429,
        retry_after: Some("1"),
    };
    vec![
        (BROKEN, "500 UNKNOWN_EXCEPTION: An unexpected error occurred."),
        (Fault::Html(503), "503 without a reason"),
        (busy, "429 without a reason"),
        (Fault::Empty(200), "an empty body|0 bytes came"),
        (Fault::HalfBody, "broke off"),
        (Fault::CutBody(10), "broke off"),
        (Fault::WrongLength, ""),
        (Fault::BrokenChunks, "broke off"),
        (Fault::CutJson, "does not parse|does not read|not XML|bytes"),
        (Fault::CutGzip, "broke off"),
        (Fault::BadGzip, "broke off"),
        (Fault::Slow(1 << 20), ""),
        (Fault::Delay(Duration::from_millis(5)), ""),
        (Fault::Drop, "no reply"),
        (Fault::AppliedButLost, "no reply"),
        (Fault::SessionExpires, "INVALID_SESSION_ID"),
    ]
}

/// Id and name of every live record, in the org and in the newest snapshot.
fn truth(org: &Org) -> BTreeMap<String, Value> {
    let named = |row: &halite_simulator::Record| {
        let name = ["LastName", "Name", "Title"]
            .iter()
            .find_map(|field| row.get(*field));
        (
            row["Id"].as_str().unwrap().to_owned(),
            name.cloned().unwrap_or_default(),
        )
    };
    ONLY.split(',')
        .flat_map(|sobject| org.rows(sobject).iter().map(named).collect::<Vec<_>>())
        .collect()
}

fn held(place: &Place) -> BTreeMap<String, Value> {
    let vault = place.vault();
    let snapshot = vault.find_snapshot(vault.orgs()[0], "latest").unwrap();
    let state = State::at(&vault, &snapshot);
    let mut all = BTreeMap::new();
    for sobject in ONLY.split(',') {
        let mut take = |record: &halite_engine::ops::state::Record| {
            let row: Value = serde_json::from_str(&record.json).unwrap();
            let name = ["LastName", "Name", "Title"]
                .iter()
                .find_map(|field| row.get(*field));
            all.insert(record.id.to_string(), name.cloned().unwrap_or_default());
            Ok(())
        };
        state.each(sobject, &mut take).unwrap();
    }
    all
}

/// One record is new, one is changed, and the one that was new last is gone for good; there is one file more.
fn change(org: &Org, n: usize) {
    let contacts = org.rows("Contact");
    let name = |row: &halite_simulator::Record| row["LastName"].as_str().unwrap().to_owned();
    let (new, old): (Vec<_>, Vec<_>) = contacts.iter().partition(|row| name(row).starts_with("New "));
    org.update(
        old[0]["Id"].as_str().unwrap(),
        &json!({"LastName": format!("Edited {n}")}),
    )
    .unwrap();
    org.create("Contact", &json!({"LastName": format!("New {n}")}))
        .unwrap();
    for gone in new.iter().map(|row| row["Id"].as_str().unwrap()) {
        org.delete(gone).unwrap();
        org.purge(&[gone]).unwrap();
    }
    org.expire_purged();
    let file =
        json!({"Title": format!("File {n}"), "PathOnClient": "a.txt", "VersionData": "SGVsbG8gd29ybGQ="});
    org.create("ContentVersion", &file).unwrap();
}

/// Every fault against these requests: first once, then for as long as it is asked.
fn every_fault(flags: &[&str], one_by_one: bool, asked: &[Asked]) {
    let place = Place::of(Org::generate(&Plan {
        records: 200,
        files: 0.2,
        ..Plan::default()
    }));
    place.configure(|s| s.page_size = 20);
    place.connect(&["--only", ONLY]);
    let args = |patience| [&["backup", "acme", "--patience", patience][..], flags].concat();
    change(&place.org, 0);
    place.ends(0, &args("10s"));
    for (n, ((what, contains, method, after), (fault, words))) in asked
        .iter()
        .flat_map(|asked| faults().into_iter().map(move |fault| (*asked, fault)))
        .enumerate()
    {
        let script = |times| {
            place.org.clear_faults();
            if one_by_one {
                place.org.fault("/composite", 1000, REFUSED);
            }
            place.org.script(Script {
                contains: contains.to_owned(),
                method: Some(method.to_owned()),
                after,
                times,
                fault: fault.clone(),
            });
        };
        let about = format!("{what}, {fault:?}");
        change(&place.org, 2 * n + 1);
        script(1);
        let met = place.org.faults_left();
        let text = place.ends(0, &args("10s"));
        assert!(place.org.faults_left() < met, "{about}: not met");
        assert_eq!(held(&place), truth(&place.org), "{about}: {text}");
        change(&place.org, 2 * n + 2);
        script(10_000);
        let output = place.command(&args("30ms")).output().unwrap();
        let status = output.status.code().unwrap();
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        if status == 0 {
            assert_eq!(held(&place), truth(&place.org), "{about}: {text}");
        } else {
            assert!(
                [1, 3].contains(&status) && words.split('|').any(|words| text.contains(words)),
                "{about}: {status}, {text}"
            );
        }
        place.org.clear_faults();
        let text = place.ends(0, &args("10s"));
        assert_eq!(held(&place), truth(&place.org), "{about}, afterwards: {text}");
    }
}

#[test]
fn requests_before_rows() {
    every_fault(
        &[],
        false,
        &[
            ("the token", "/oauth2/token", "POST", 0),
            ("versions", "/services/data", "GET", 0),
            ("who is signed in", "/oauth2/userinfo", "GET", 0),
            ("the org", "FROM+Organization", "GET", 0),
            ("what the user sees", "FROM+UserPermissionAccess", "GET", 0),
            ("permission sets", "FROM+PermissionSetAssignment", "GET", 0),
            ("the clock", "/services/Soap", "POST", 0),
            ("all sObjects", "/sobjects", "GET", 0),
        ],
    );
}

#[test]
fn requests_in_composite_calls() {
    every_fault(
        &[],
        false,
        &[
            ("describes", "/composite", "POST", 0),
            ("logs of deletions", "/composite", "POST", 1),
            ("increments", "/composite", "POST", 2),
            ("counts", "/composite", "POST", 3),
        ],
    );
}

#[test]
fn requests_one_by_one() {
    every_fault(
        &[],
        true,
        &[
            ("a describe", "/Contact/describe", "GET", 0),
            ("a log of deletions", "/Contact/deleted/", "GET", 0),
            ("an increment", "/queryAll", "GET", 0),
            ("a count", "SELECT+COUNT()+FROM+Contact", "GET", 0),
        ],
    );
}

#[test]
fn requests_for_rows_read_whole() {
    every_fault(
        &["--full"],
        false,
        &[
            ("record counts", "/limits/recordCount", "GET", 0),
            ("first pages", "/composite", "POST", 2),
            ("a further page", "/query/", "GET", 0),
        ],
    );
}

#[test]
fn requests_of_bulk() {
    every_fault(
        &["--full", "--bulk-from", "10"],
        false,
        &[
            ("making a job", "/jobs/query", "POST", 0),
            ("looking at a job", "/jobs/query/", "GET", 0),
            ("results", "/results", "GET", 0),
            ("deleting a job", "/jobs/query/", "DELETE", 0),
        ],
    );
}

#[test]
fn requests_for_files() {
    every_fault(&[], false, &[("a file's body", "/VersionData", "GET", 0)]);
}
