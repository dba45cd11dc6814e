//! Files brought back: documents with all their versions in order, where they are shared, attachments, byte for byte.
//!
//! Key decision: what the org itself holds before the disaster is the truth; everything goes over HTTP through the real
//! connector. It does not test how bodies are captured: files.rs does.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use halite_connector::{Connect, Grant, Patience, SalesforceOrg, Secret as Hidden};
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::capture::{self, BackupOptions};
use halite_engine::ops::restore::apply::{self, Applied, Stored};
use halite_engine::ops::restore::between::{self, Scope};
use halite_engine::ops::restore::journal::{Lines, Past, replay};
use halite_engine::ops::restore::plan::Plan;
use halite_engine::ops::restore::undo::undo;
use halite_engine::ops::state::State;
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, SnapshotInfo, Vault, VaultOptions};
use halite_simulator::{CLIENT_ID, CLIENT_SECRET, Fault, Org, Server};
use serde_json::{Value, json};

struct Place {
    org: Org,
    source: SalesforceOrg,
    vault: Vault,
    _server: Server,
}

/// Title, then its versions' bytes in order, then who sees it.
type Document = (String, Vec<String>, BTreeSet<String>);

impl Place {
    /// An org with documents of one to three versions, shared with accounts, and attachments.
    fn new() -> Self {
        let org = Org::sample();
        let accounts = ids(&org, "Account");
        for n in 0..6_usize {
            let first = json!({"Title": format!("Letter {n}"), "PathOnClient": format!("letter \"{n}\".txt"),
                "VersionData": base64(format!("first of {n}")), "FirstPublishLocationId": accounts[n]});
            let version = org.create("ContentVersion", &first).unwrap();
            let document = org.row(&version).unwrap()["ContentDocumentId"].clone();
            for later in 0..n % 3 {
                let next = json!({"Title": format!("Letter {n}"), "PathOnClient": "letter.txt",
                    "VersionData": base64(format!("{later} of {n}")), "ContentDocumentId": document});
                org.create("ContentVersion", &next).unwrap();
            }
            let link =
                json!({"ContentDocumentId": document, "LinkedEntityId": accounts[n + 1], "ShareType": "V"});
            org.create("ContentDocumentLink", &link).unwrap();
            let attachment = json!({"Name": format!("a{n}.bin"), "ParentId": accounts[n], "Body": base64(format!("attached {n}"))});
            org.create("Attachment", &attachment).unwrap();
        }
        let server = Server::start(org.clone()).unwrap();
        let grant = Grant::ClientCredentials {
            client_id: CLIENT_ID.into(),
            client_secret: Hidden::new(CLIENT_SECRET),
        };
        let patience = Patience {
            first_wait: Duration::from_millis(1),
            ..Patience::default()
        };
        let connect = Connect::new(server.url().parse().unwrap())
            .grant(grant)
            .patience(patience);
        Self {
            source: connect.open().unwrap(),
            vault: Vault::create(Arc::new(Memory::new()), &Secret::None, VaultOptions::default()).unwrap(),
            org,
            _server: server,
        }
    }

    fn backup(&mut self) -> SnapshotInfo {
        self.org.clock().advance(Duration::from_secs(7200));
        let options = BackupOptions {
            count_all: true,
            ..BackupOptions::default()
        };
        let report = capture::backup(&self.vault, &mut self.source, &options, &mut |_| ()).unwrap();
        assert!(report.complete(), "{report:?}");
        self.vault
            .find_snapshot(report.org.parse().unwrap(), &report.name)
            .unwrap()
    }

    fn apply(&mut self, plan: &Plan, then: &SnapshotInfo, past: Past) -> (Applied, String) {
        let mut journal = Lines(Vec::new());
        let state = State::at(&self.vault, then);
        let mut bodies = Stored {
            vault: &self.vault,
            state,
        };
        let applied = apply::resume(
            plan,
            &mut self.source,
            &mut journal,
            past,
            &mut bodies,
            &mut |_, _| (),
        )
        .unwrap();
        (applied, String::from_utf8(journal.0).unwrap())
    }

    fn plan(&mut self, then: &SnapshotInfo) -> Plan {
        let now = self.backup();
        let plan = between::plan(&self.vault, then, &now, &Scope::default()).unwrap();
        assert!(plan.impossible.is_empty(), "{:?}", plan.impossible);
        let mut text = Vec::new();
        plan.write(&mut text).unwrap();
        Plan::read(&text[..]).unwrap()
    }

    fn documents(&self) -> BTreeMap<String, Document> {
        let mut found = BTreeMap::new();
        for row in self.org.rows("ContentDocument") {
            let is_of = |other: &Value| *other == row["Id"];
            let mut versions: Vec<_> = self
                .org
                .rows("ContentVersion")
                .into_iter()
                .filter(|v| is_of(&v["ContentDocumentId"]))
                .collect();
            versions.sort_by_key(|v| v["VersionNumber"].as_str().unwrap().parse::<u32>().unwrap());
            let bytes = versions
                .iter()
                .map(|v| text(self.org.file(v["Id"].as_str().unwrap(), "VersionData")));
            let links = self
                .org
                .rows("ContentDocumentLink")
                .into_iter()
                .filter(|l| is_of(&l["ContentDocumentId"]));
            let links = links.map(|l| format!("{} {}", l["LinkedEntityId"], l["ShareType"]));
            let title = row["Title"].as_str().unwrap().to_owned();
            found.insert(
                row["Id"].as_str().unwrap().to_owned(),
                (title, bytes.collect(), links.collect()),
            );
        }
        found
    }

    fn attachments(&self) -> BTreeSet<(String, String, Vec<u8>)> {
        let rows = self.org.rows("Attachment").into_iter();
        rows.map(|row| {
            let bytes = self.org.file(row["Id"].as_str().unwrap(), "Body").unwrap();
            (row["Name"].to_string(), row["ParentId"].to_string(), bytes)
        })
        .collect()
    }
}

fn ids(org: &Org, object: &str) -> Vec<String> {
    org.rows(object)
        .iter()
        .map(|row| row["Id"].as_str().unwrap().to_owned())
        .collect()
}

fn text(bytes: Option<Vec<u8>>) -> String {
    String::from_utf8(bytes.unwrap()).unwrap()
}

fn base64(text: String) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn all_done(applied: &Applied) {
    let open: Vec<_> = applied
        .outcomes
        .ends
        .iter()
        .filter(|(_, end)| !end.is_done())
        .collect();
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn files_come_back_with_versions_links_and_bytes_and_go_again() {
    let mut place = Place::new();
    let (then, documents, attachments) = (place.backup(), place.documents(), place.attachments());
    // In the bin; purged and still shown; gone altogether.
    for (n, id) in ids(&place.org, "ContentDocument").iter().enumerate().skip(1) {
        place.org.delete(id).unwrap();
        if n % 3 != 0 {
            place.org.purge(&[id]).unwrap();
        }
        if n % 3 == 2 {
            place.org.expire(&[id]).unwrap();
        }
    }
    for (n, id) in ids(&place.org, "Attachment").iter().enumerate().skip(1) {
        place.org.delete(id).unwrap();
        if n % 2 == 0 {
            place.org.purge(&[id]).unwrap();
        }
    }
    let (left, few) = (place.documents(), place.attachments());
    let plan = place.plan(&then);
    let (applied, journal) = place.apply(&plan, &then, Past::default());
    all_done(&applied);
    let now = place.documents();
    assert_eq!(now.len(), documents.len(), "{applied:?}");
    for (id, document) in &documents {
        let new = applied
            .id_map
            .get(&id.parse().unwrap())
            .map_or(id.clone(), ToString::to_string);
        let (title, versions, links) = &now[&new];
        assert_eq!((title, versions), (&document.0, &document.1), "{id}");
        // The org links whoever creates a document to it.
        let lost: Vec<_> = document.2.difference(links).collect();
        assert!(
            lost.is_empty() && links.len() <= document.2.len() + 1,
            "{id}: {lost:?} {links:?}"
        );
    }
    assert_eq!(place.attachments(), attachments);

    let past = replay(journal.lines()).unwrap();
    let back = undo(&plan, &past, Stamp::from_millis(1)).unwrap();
    let (undone, _) = place.apply(&back, &then, Past::default());
    all_done(&undone);
    assert_eq!((place.documents(), place.attachments()), (left, few));
}

#[test]
fn a_file_whose_reply_is_lost_is_not_there_twice() {
    let mut place = Place::new();
    let (then, attachments) = (place.backup(), place.attachments());
    for id in ids(&place.org, "Attachment") {
        place.org.delete(&id).unwrap();
        place.org.purge(&[&id]).unwrap();
        place.org.expire(&[&id]).unwrap();
    }
    let plan = place.plan(&then);
    place.org.fault("/sobjects/Attachment", 1, Fault::AppliedButLost);
    place.org.fault("/sobjects/Attachment", 1, Fault::Drop);
    let (_, journal) = place.apply(&plan, &then, Past::default());
    place.org.clock().advance(Duration::from_secs(3600));
    let (applied, _) = place.apply(&plan, &then, replay(journal.lines()).unwrap());
    all_done(&applied);
    assert_eq!(place.attachments(), attachments);
    assert_eq!(ids(&place.org, "Attachment").len(), attachments.len());
}

#[test]
fn a_file_that_the_vault_has_not_is_told() {
    let mut place = Place::new();
    place.org.clock().advance(Duration::from_secs(7200));
    let without = BackupOptions {
        files: false,
        ..BackupOptions::default()
    };
    let report = capture::backup(&place.vault, &mut place.source, &without, &mut |_| ()).unwrap();
    let then = place
        .vault
        .find_snapshot(report.org.parse().unwrap(), &report.name)
        .unwrap();
    let id = ids(&place.org, "Attachment").remove(0);
    place.org.delete(&id).unwrap();
    place.org.purge(&[&id]).unwrap();
    place.org.expire(&[&id]).unwrap();
    let now = place.backup();
    let plan = between::plan(&place.vault, &then, &now, &Scope::default()).unwrap();
    let told = plan
        .impossible
        .iter()
        .find(|record| record.id.to_string() == id)
        .unwrap();
    assert!(told.reason.contains("its file is not in the vault"), "{told:?}");
}
