//! Rights through the binary: what preflight finds, and another user who takes over a connection.
//!
//! Key decision: rights are taken in the simulated org as an admin would, and the words that come back name the very right
//! that gives them again. Not here: what a backup does without a right, which the tests of captures show.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::fs;

use halite_engine::base::id::RecordId;
use halite_simulator::{CLIENT_ID, Org, Permission, Server, Sharing};
use serde_json::Value;

use crate::cli_connections::Place;

/// The rights that preflight names, needed ones first.
fn missing(place: &Place, status: i32, purpose: &str) -> (Vec<String>, Vec<String>) {
    let told = place
        .json(status, &["preflight", "acme", "--for", purpose])
        .remove(0);
    let all = told["found"]["missing"].as_array().unwrap().clone();
    let (needed, advised): (Vec<Value>, Vec<Value>) = all.into_iter().partition(|one| one["needed"] == true);
    let names = |all: Vec<Value>| {
        all.iter()
            .map(|one| one["right"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    (names(needed), names(advised))
}

/// A connected org with an admin whose rights are written down.
fn place() -> Place {
    let place = Place::new();
    place.connect(&[]);
    let admin = place.org.ui_user();
    place.org.permit(&admin, |_| {});
    place
}

#[test]
fn a_user_with_every_right_passes() {
    let place = place();
    for purpose in ["backup", "restore-all", "restore-existing", "restore-deleted"] {
        let (needed, advised) = missing(&place, 0, purpose);
        let expected: &[&str] = match purpose {
            "backup" => &[],
            "restore-existing" => &["Update Records with Inactive Owners"],
            _ => &[
                "Set Audit Fields upon Record Creation",
                "Update Records with Inactive Owners",
            ],
        };
        assert_eq!(
            (needed.as_slice(), advised),
            (&[][..], expected.iter().map(|s| (*s).to_owned()).collect()),
            "{purpose}"
        );
    }
    let text = place.ends(0, &["preflight", "acme"]);
    assert!(text.contains("nothing that is needed is missing"), "{text}");
}

#[test]
fn each_right_that_is_missing_is_named() {
    let place = place();
    let user = place.org.api_user();
    place.org.permit(&user, |p| {
        for permission in [
            Permission::ViewAllData,
            Permission::ModifyAllData,
            Permission::QueryAllFiles,
        ] {
            p.revoke(permission);
        }
        p.object("Contact").read = false;
        p.field("Account", "Phone").read = false;
        p.field("Account", "Website").edit = false;
        p.object("Case").edit = false;
        p.object("Lead").create = false;
    });
    let (needed, _) = missing(&place, 3, "backup");
    assert_eq!(
        needed,
        [
            "View All Data",
            "Query All Files",
            "Read Access to Account.Phone",
            "Read on Contact"
        ]
    );
    let (all, _) = missing(&place, 3, "restore-all");
    let more = [
        "Modify All Data",
        "Edit Access to Account.Website",
        "Edit on Case",
        "Create on Lead",
    ];
    assert!(
        more.iter().all(|right| all.contains(&(*right).to_owned())),
        "{all:?}"
    );
    let (existing, _) = missing(&place, 3, "restore-existing");
    assert!(
        existing.contains(&"Edit on Case".to_owned()) && !existing.contains(&"Create on Lead".to_owned())
    );
    let (deleted, _) = missing(&place, 3, "restore-deleted");
    assert!(!deleted.contains(&"Edit on Case".to_owned()) && deleted.contains(&"Create on Lead".to_owned()));
    let text = place.ends(3, &["preflight", "acme"]);
    assert!(
        text.contains("Object Settings, Contact, Object Permissions") && text.contains("4 rights missing"),
        "{text}"
    );
    // A restore is about what the vault has.
    place.ends(3, &["backup", "acme", "--only", "Account"]);
    let (restore, _) = missing(&place, 3, "restore-all");
    assert!(!restore.contains(&"Edit on Case".to_owned()), "{restore:?}");
    // Who may not look at rights is told so, and nothing is made up.
    place.org.permit(&user, |p| p.revoke(Permission::ViewSetup));
    let (needed, advised) = missing(&place, 3, "backup");
    assert_eq!(needed, ["View All Data", "Query All Files"]);
    assert_eq!(advised, ["View Setup and Configuration"]);
}

#[test]
fn an_org_without_the_api_is_told_as_that() {
    let place = place();
    let user = place.org.api_user();
    place.org.permit(&user, |p| p.revoke(Permission::ApiEnabled));
    let (needed, _) = missing(&place, 3, "backup");
    assert_eq!(needed, ["API Enabled"]);
    let text = place.ends(3, &["preflight", "acme"]);
    assert!(text.contains("Professional Edition as an add-on"), "{text}");
}

#[test]
fn another_user_is_compared_with_the_last_snapshot_first() {
    let mut place = place();
    place.ends(0, &["backup", "acme"]);
    let other = place.org.ui_user();
    place.env.push(("TOKEN", place.org.access_token_of(&other)));
    let url = place.url.clone();
    let again = [
        "connect",
        "acme",
        "--environment",
        &url,
        "--token-env",
        "TOKEN",
        "--instance-url",
        &url,
    ];
    let text = place.ends(0, &again);
    assert!(text.contains("sees as much as the last snapshot has"), "{text}");
    place.connect(&[]);
    place.org.configure(|s| {
        s.access.sharing.insert("Account".into(), Sharing::Private);
    });
    place.org.permit(&other, |p| {
        p.object("Contact").read = false;
        p.field("Lead", "Phone").read = false;
        p.revoke(Permission::ViewAllData);
        p.revoke(Permission::ModifyAllData);
    });
    let who = || place.json(0, &["connections"])[0][0]["settings"]["user"].clone();
    let before = who();
    let error = place.ends(1, &again);
    for words in [
        "Contact is not seen: ",
        "Lead.Phone is not seen",
        "no terminal to ask at",
        "nothing was kept",
    ] {
        assert!(error.contains(words), "`{words}` is missing in {error}");
    }
    assert_eq!(who(), before);
    place.ends(0, &[&again[..], &["--yes"]].concat());
    assert_ne!(who(), before);
    // The same user is not compared again.
    let text = place.ends(0, &again);
    assert!(!text.contains("is not seen"), "{text}");
}

#[test]
fn a_name_stands_for_one_org() {
    let place = place();
    // The same org but for its Id, as after a refresh of a sandbox.
    let file = place.dir.path().join("org.json");
    place.org.save(&file).unwrap();
    let id = place.org.org_id();
    let new: RecordId = format!("{}9", &id[..14]).parse().unwrap();
    let text = fs::read_to_string(&file).unwrap().replace(&id, &new.to_string());
    fs::write(&file, text).unwrap();
    let server = Server::start(Org::load_saved(&file).unwrap()).unwrap();
    let url = server.url();
    let with = ["connect", "acme", "--client-id", CLIENT_ID, "--environment", &url];
    let error = place.ends(1, &with);
    assert!(
        error.contains(&id) && error.contains(&new.to_string()) && error.contains("under another name"),
        "{error}"
    );
    place.ends(0, &[&with[..], &["--yes"]].concat());
    let listed = &place.json(0, &["connections"])[0][0];
    assert_eq!(listed["org"], new.to_string());
}

#[test]
fn an_allowance_beyond_all_bounds_is_no_reason_to_stop() {
    let place = place();
    place.org.configure(|s| s.daily_requests = u64::MAX);
    let told = place.json(0, &["backup", "acme", "--dry-run"]).remove(0);
    assert_eq!(told["forecast"]["allowed"].as_u64(), Some(u64::MAX), "{told}");
    assert_eq!(told["forecast"]["reaches_ceiling"], false);
}
