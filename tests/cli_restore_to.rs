//! Restores into another org, through the binary: a sandbox is seeded with masked records, compared, and emptied again.
//!
//! Key decision: the other org is the first one's twin, with other Ids for its users, so that what is not mapped shows.
//! Not here: every sample org, which restore_empty.rs makes again.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::fs;

use halite_simulator::{Org, Server};

use crate::cli_restore::Stage;

/// What is made: data without files.
const DATA: &str = "Account,Contact,Opportunity,OpportunityContactRole,Case,Lead,Campaign,CampaignMember";

/// The twin of a stage's org, connected as `dev`.
pub(crate) fn sandbox(stage: &Stage) -> (Org, Server) {
    let twin = stage.org.twin().unwrap();
    let server = Server::start(twin.clone()).unwrap();
    stage.connect("dev", &server);
    (twin, server)
}

#[test]
fn a_sandbox_is_seeded_and_emptied_again() {
    let stage = Stage::new();
    let ada = stage.org.ui_user();
    let first = stage.ids("Account").remove(0);
    stage
        .org
        .update(&first, &serde_json::json!({ "OwnerId": ada }))
        .unwrap();
    stage.backup();
    let (twin, _server) = sandbox(&stage);
    fs::write(
        stage.dir().join("masks"),
        "*.Email email # no letters to customers\n",
    )
    .unwrap();
    let plan = [
        "restore",
        "plan",
        "acme",
        "--at",
        "1",
        "--to",
        "dev",
        "--sobject",
        DATA,
        "--mask",
        "masks",
        "-o",
        "plan",
    ];
    let told = stage.on(0, &plan);
    assert_eq!(told["header"]["to"], twin.org_id());
    assert_eq!(told["impossible"].as_array().unwrap().len(), 0, "{told}");

    let rehearsed = stage.on(0, &["rehearse", "--plan", "plan"]);
    assert_eq!(twin.rows("Account").len(), 0, "a rehearsal touches no org");
    let applied = stage.on(0, &["restore", "apply", "plan", "--report", "report"]);
    assert_eq!(
        applied["verified"]["differing"].as_object().unwrap().len(),
        0,
        "{applied}"
    );
    assert_eq!(rehearsed["counts"], applied["counts"]);
    for object in DATA.split(',') {
        assert_eq!(twin.rows(object).len(), stage.org.rows(object).len(), "{object}");
    }
    let new = applied["new_ids"][&first].as_str().unwrap();
    assert_eq!(twin.row(new).unwrap()["OwnerId"], twin.ui_user());
    let mails = twin
        .rows("Contact")
        .into_iter()
        .filter_map(|row| row["Email"].as_str().map(str::to_owned));
    let mails: Vec<String> = mails.collect();
    assert!(
        !mails.is_empty() && mails.iter().all(|mail| mail.ends_with("@example.invalid")),
        "{mails:?}"
    );

    stage.on(0, &["restore", "undo", "plan", "-o", "back"]);
    stage.on(0, &["restore", "apply", "back"]);
    for object in DATA.split(',') {
        assert_eq!(twin.rows(object).len(), 0, "{object}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let stage = Stage::new();
    stage.backup();
    let (_twin, _server) = sandbox(&stage);
    let plan = ["restore", "plan", "acme", "--at", "1", "-o", "plan"];
    fs::write(stage.dir().join("masks"), "Contact.Emial email\n").unwrap();
    for (status, flags) in [
        (1, &["--to", "acme"][..]),
        (1, &["--to", "nobody"]),
        (1, &["--to", "dev", "--mode", "existing"]),
        (1, &["--to", "dev", "--mask", "masks"]),
        (1, &["--to", "dev", "--map", "005=006"]),
        (
            1,
            &["--to", "dev", "--map", "005Ha0000000009IAA=005Hb0000000009IAA"],
        ),
        (1, &["--to", "dev", "--id", "001Ha0000000ZZZIAA"]),
        (2, &["--mask", "masks"]),
    ] {
        stage.on(status, &[&plan[..], flags].concat());
        assert!(!stage.dir().join("plan").exists(), "{flags:?}");
    }
}
