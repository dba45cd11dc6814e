//! Bodies of files from end to end: fetched once, never again without a reason, given back whole, told when missing.
//!
//! Key decision: the org counts what is asked of it, and its own bytes are the truth. The engine's own sObjects for bodies
//! are looked at through its public face alone. It does not test how a cut body is gone on with: the connector's tests do.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use base64::Engine;
use halite_connector::{Connect, Grant, Patience, SalesforceOrg, Secret as Hidden};
use halite_engine::base::id::RecordId;
use halite_engine::ops::bodies::body;
use halite_engine::ops::capture::{self, BackupOptions, unfinished};
use halite_engine::ops::check::{CheckOptions, Level, check};
use halite_engine::ops::erase::{EraseOptions, erase};
use halite_engine::ops::org::Source;
use halite_engine::ops::prune::{PruneOptions, prune};
use halite_engine::ops::repair::repair;
use halite_engine::ops::report::Report;
use halite_engine::ops::state::State;
use halite_engine::store::backend::Backend;
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_simulator::{CLIENT_ID, CLIENT_SECRET, Fault, Org, Plan, Server};
use serde_json::json;

/// An org with files, and a vault.
struct Place {
    org: Org,
    server: Server,
    store: Memory,
    vault: Vault,
}

const FILES: [(&str, &str); 2] = [("ContentVersion", "VersionData"), ("Attachment", "Body")];

impl Place {
    fn new() -> Self {
        let org = Org::generate(&Plan {
            records: 600,
            files: 0.4,
            ..Plan::default()
        });
        let server = Server::start(org.clone()).unwrap();
        let store = Memory::new();
        let vault = Vault::create(
            std::sync::Arc::new(store.clone()),
            &Secret::None,
            VaultOptions::default(),
        );
        Self {
            org,
            server,
            store,
            vault: vault.unwrap(),
        }
    }

    fn connect(&self) -> SalesforceOrg {
        let grant = Grant::ClientCredentials {
            client_id: CLIENT_ID.into(),
            client_secret: Hidden::new(CLIENT_SECRET),
        };
        let url = self.server.url().parse().unwrap();
        // A fault that stays is given up soon.
        let patience = Patience {
            tries: 2,
            first_wait: Duration::from_millis(1),
            ..Patience::default()
        };
        Connect::new(url).grant(grant).patience(patience).open().unwrap()
    }

    fn backup(&self) -> Report {
        self.org.clock().advance(Duration::from_secs(7200));
        capture::backup(
            &self.vault,
            &mut self.connect(),
            &BackupOptions::default(),
            &mut |_| (),
        )
        .unwrap()
    }

    fn state(&self) -> State<'_> {
        let org = self.vault.orgs()[0];
        let newest = self.vault.snapshots(org).unwrap().pop().unwrap();
        State::at(&self.vault, &newest)
    }

    /// The body as the vault has it.
    fn kept(&self, sobject: &str, field: &str, id: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let id = id.parse::<RecordId>().unwrap();
        body(&self.vault, &self.state(), sobject, field, id, &mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })
        .ok()
        .map(|_| bytes)
    }

    /// Every file of the org, with its bytes, is in the newest state, and no other.
    fn agrees(&self) -> usize {
        let mut count = 0;
        for (sobject, field) in FILES {
            let rows = self.org.rows(sobject);
            for row in &rows {
                let id = row["Id"].as_str().unwrap();
                let truth = self.org.file(id, field);
                assert_eq!(self.kept(sobject, field, id), truth, "{sobject} {id}");
            }
            let mut held = 0;
            let each = &mut |_: &_| {
                held += 1;
                Ok(())
            };
            self.state().each(&format!("{sobject}.{field}"), each).unwrap();
            assert_eq!(held, rows.len(), "{sobject}");
            count += held;
        }
        count
    }

    fn sound(&self) {
        let all = CheckOptions {
            level: Level::All,
            ..CheckOptions::default()
        };
        let report = check(&self.vault, &all).unwrap();
        assert!(report.is_sound(), "{report:?}");
    }

    fn first(&self, sobject: &str) -> String {
        let rows = self.org.rows(sobject);
        rows[rows.len() / 2]["Id"].as_str().unwrap().to_owned()
    }
}

#[test]
fn bodies_come_once_and_again_only_for_a_reason() {
    let place = Place::new();
    let first = place.backup();
    assert!(first.complete(), "{first:?}");
    assert_eq!(first.spent.files as usize, place.agrees(), "one call a file");
    assert!(first.spent.files > 50);
    assert_eq!(place.backup().spent.files, 0, "nothing changed");

    let (version, attachment) = (place.first("ContentVersion"), place.first("Attachment"));
    place
        .org
        .update(&version, &json!({"Title": "Another title"}))
        .unwrap();
    assert_eq!(place.backup().spent.files, 0, "the checksum is the same");
    place
        .org
        .update(&attachment, &json!({"Description": "touched"}))
        .unwrap();
    assert_eq!(place.backup().spent.files, 1, "an attachment has no checksum");

    let document = &place.org.row(&version).unwrap()["ContentDocumentId"];
    let bytes = place.org.file(&version, "VersionData").unwrap();
    let another = |bytes: &[u8]| {
        let data = base64::engine::general_purpose::STANDARD.encode(bytes);
        let values = json!({"ContentDocumentId": document, "Title": "v", "PathOnClient": "v.bin", "VersionData": data});
        place.org.create("ContentVersion", &values).unwrap()
    };
    another(&bytes);
    assert_eq!(
        place.backup().spent.files,
        0,
        "the document has that content already"
    );
    another(&[&bytes[..], b"more"].concat());
    assert_eq!(place.backup().spent.files, 1);
    place.org.delete(&attachment).unwrap();
    assert_eq!(place.backup().spent.files, 0);
    assert_eq!(place.kept("Attachment", "Body", &attachment), None);
    place.agrees();
    place.sound();
}

#[test]
fn a_capture_without_bodies_loses_none() {
    let place = Place::new();
    place.backup();
    let attachment = place.first("Attachment");
    place
        .org
        .update(&attachment, &json!({"Description": "touched"}))
        .unwrap();
    place.org.clock().advance(Duration::from_secs(7200));
    let without = BackupOptions {
        files: false,
        ..BackupOptions::default()
    };
    let report = capture::backup(&place.vault, &mut place.connect(), &without, &mut |_| ()).unwrap();
    assert_eq!(report.spent.files, 0);
    assert_eq!(place.backup().spent.files, 1);
    place.agrees();
}

#[test]
fn what_cannot_be_fetched_is_told_and_asked_for_again() {
    let place = Place::new();
    let refused = place.first("ContentVersion");
    let fault = Fault::Error {
        status: 403,
        code: "INSUFFICIENT_ACCESS",
        message: "not this one",
    };
    place.org.fault(&format!("{refused}/VersionData"), 1, fault);
    let report = place.backup();
    assert!(!report.complete());
    let told = report
        .sobjects
        .iter()
        .find(|s| s.name == "ContentVersion.VersionData")
        .unwrap();
    assert_eq!(told.standing, "short 1");
    let again = place.backup();
    assert_eq!((again.spent.files, again.complete()), (1, true));
    place.agrees();
}

#[test]
fn a_capture_that_is_cut_off_fetches_no_body_twice() {
    let place = Place::new();
    place.org.fault("/Body", u32::MAX, Fault::Drop);
    let options = BackupOptions {
        save_every: 1,
        ..BackupOptions::default()
    };
    let (mut files, mut failed) = (0, true);
    while failed {
        let mut org = place.connect();
        failed = capture::backup(&place.vault, &mut org, &options, &mut |_| ()).is_err();
        files += Source::spent(&org).files;
        place.org.clear_faults();
    }
    let org = place.vault.orgs()[0];
    assert_eq!(unfinished(&place.vault, org).unwrap(), []);
    // Three in a row broke off although the org answered: these are asked for again.
    assert_eq!(files as usize, place.agrees() + 3);
}

#[test]
fn bodies_live_and_die_with_their_records() {
    let place = Place::new();
    place.backup();
    let at_once = PruneOptions {
        grace: 0,
        ..PruneOptions::default()
    };
    for _ in 0..3 {
        prune(&place.vault, &at_once).unwrap();
    }
    place.agrees();
    place.sound();
    let id: RecordId = place.first("Attachment").parse().unwrap();
    let before = place.store.bytes();
    let gone = erase(
        &place.vault,
        place.vault.orgs()[0],
        &[id],
        &EraseOptions::default(),
        &mut |_| (),
    )
    .unwrap();
    assert!(
        gone.proof.holds() && gone.versions >= 2,
        "the row and its body: {gone:?}"
    );
    assert!(place.store.bytes() < before);
    assert_eq!(place.kept("Attachment", "Body", &id.to_string()), None);
    place.sound();
}

#[test]
fn pieces_that_are_lost_are_fetched_again() {
    let place = Place::new();
    place.backup();
    let packs = || place.store.list("packs/").unwrap();
    let before = packs();
    let mut word = 1_u64;
    let noise: Vec<u8> = (0..1_000_000)
        .map(|_| {
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (word >> 56) as u8
        })
        .collect();
    let data = base64::engine::general_purpose::STANDARD.encode(&noise);
    let account = place.first("Account");
    let values = json!({"ParentId": account, "Name": "noise.bin", "Body": data});
    let id = place.org.create("Attachment", &values).unwrap();
    place.backup();
    assert_eq!(place.kept("Attachment", "Body", &id).as_ref(), Some(&noise));
    let large = |name: &&String| place.store.size(name).unwrap() > 900_000 && !before.contains(name);
    let all = packs();
    place.store.delete(all.iter().find(large).unwrap()).unwrap();
    let found = repair(&place.vault).unwrap();
    assert!(found.losses_entered > 0);
    let report = place.backup();
    assert!(report.complete() && report.spent.files >= 1, "{report:?}");
    assert_eq!(place.kept("Attachment", "Body", &id), Some(noise));
    repair(&place.vault).unwrap();
    place.agrees();
    place.sound();
}
