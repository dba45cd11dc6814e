//! Every sample org and dataset lost, and made again: in the same org after everything was purged, and in an empty other
//! one; and values masked on the way.
//!
//! Key decision: truth is what the simulated orgs hold, compared row by row through the map of Ids, references re-pointed;
//! everything goes over HTTP through the real connector. It does not test the command: cli_restore.rs does.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use halite_connector::{Connect, Grant, Patience, SalesforceOrg, Secret as Hidden};
use halite_engine::ops::capture::{self, BackupOptions};
use halite_engine::ops::org::Source;
use halite_engine::ops::restore::apply::{self, Stored};
use halite_engine::ops::restore::between::{self, Scope};
use halite_engine::ops::restore::journal::{Lines, Past};
use halite_engine::ops::restore::masking::Masks;
use halite_engine::ops::restore::moved::Moved;
use halite_engine::ops::restore::plan::Plan;
use halite_engine::ops::state::State;
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, SnapshotInfo, Vault, VaultOptions};
use halite_simulator::{CLIENT_ID, CLIENT_SECRET, Org, Server};
use serde_json::Value;

const NPSP: [(&str, &str); 5] = [
    ("1k/test_data.sql", "mapping.yml"),
    ("dev_org/test_data.sql", "dev_org/mapping.yml"),
    ("qa_org/test_data.sql", "qa_org/mapping.yml"),
    ("rd2/data.sql", "rd2/mapping_managed.yml"),
    ("trailhead/test_data.sql", "trailhead/mapping.yml"),
];

/// What the org itself keeps, and says otherwise of a record that was made anew.
const OWN: [&str; 17] = [
    "ClosedDate",
    "SharingOption",
    "SharingPrivacy",
    "Id",
    "attributes",
    "CreatedDate",
    "CreatedById",
    "LastModifiedDate",
    "LastModifiedById",
    "SystemModstamp",
    "LastViewedDate",
    "LastReferencedDate",
    "LastActivityDate",
    "VersionData",
    "Body",
    "PublishStatus",
    "ContentBodyId",
];

fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var("HALITE_SHARED_DATA").map_or_else(
        |_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")),
        PathBuf::from,
    );
    let path = root.join(path);
    if !path.exists() {
        eprintln!("{}: not there, not tested", path.display());
        return None;
    }
    Some(path)
}

/// The built-in org, and every org of the shared data, by name.
pub(crate) fn orgs() -> Vec<(String, Org)> {
    let mut all = vec![("built in".to_owned(), Org::sample())];
    if let Some(dir) = shared("sample-orgs") {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                all.push((name, Org::load(&path).unwrap().0));
            }
        }
    }
    if let Some(dir) = shared("npsp") {
        for (dump, mapping) in NPSP {
            let org = Org::load(&dir).unwrap().0;
            let sets = dir.join("datasets");
            org.load_dump(&sets.join(dump), &sets.join(mapping)).unwrap();
            all.push((format!("npsp {dump}"), org));
        }
    }
    all
}

/// An org that one is signed in to.
pub(crate) struct Place {
    org: Org,
    source: SalesforceOrg,
    _server: Server,
}

impl Place {
    pub(crate) fn of(org: Org) -> Self {
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
            org,
            _server: server,
        }
    }

    pub(crate) fn backup(&mut self, vault: &Vault) -> SnapshotInfo {
        self.org.clock().advance(Duration::from_secs(7200));
        let options = BackupOptions {
            count_all: true,
            ..BackupOptions::default()
        };
        let report = capture::backup(vault, &mut self.source, &options, &mut |_| ()).unwrap();
        assert!(report.complete(), "{report:?}");
        vault
            .find_snapshot(report.org.parse().unwrap(), &report.name)
            .unwrap()
    }
}

pub(crate) fn vault() -> Vault {
    Vault::create(Arc::new(Memory::new()), &Secret::None, VaultOptions::default()).unwrap()
}

/// Carries out what brings `then` back in `place`; the plan as its file says it, and which Id is which.
fn restore(vault: &Vault, then: &SnapshotInfo, place: &mut Place, scope: &Scope) -> (Plan, Moved) {
    let now = place.backup(vault);
    let plan = between::plan(vault, then, &now, scope).unwrap();
    let mut text = Vec::new();
    plan.write(&mut text).unwrap();
    let plan = Plan::read(&text[..]).unwrap();
    let mut bodies = Stored {
        vault,
        state: State::at(vault, then),
    };
    let applied = apply::resume(
        &plan,
        &mut place.source,
        &mut Lines(Vec::new()),
        Past::default(),
        &mut bodies,
        &mut |_, _| (),
    )
    .unwrap();
    for (number, end) in &applied.outcomes.ends {
        assert!(
            end.is_done(),
            "{end:?}\n{:?}",
            plan.operations[*number as usize - 1]
        );
    }
    let moved = Moved::of(&plan, &applied.outcomes);
    (plan, moved)
}

/// Rows of each object that a restore makes, by Id.
type Rows = BTreeMap<String, BTreeMap<String, BTreeMap<String, Value>>>;

fn rows(org: &Org, objects: &BTreeSet<String>) -> Rows {
    let of = |object: &String| {
        let rows = org.rows(object).into_iter().map(|row| {
            let id = row["Id"].as_str().unwrap().to_owned();
            let kept = row
                .into_iter()
                .filter(|(name, value)| !OWN.contains(&name.as_str()) && !value.is_object());
            (id, kept.collect())
        });
        (object.clone(), rows.collect())
    };
    objects.iter().map(of).collect()
}

/// A text in which every Id is the one that it has now, as 15 characters or 18: formulas hold them too.
fn moved_text(text: &str, moved: &Moved) -> String {
    let mut out = String::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let word = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        match word.parse() {
            Ok(id) if matches!(word.len(), 15 | 18) => out.push_str(&moved.now(id).to_string()[..word.len()]),
            _ => out.push_str(word),
        }
        out.push_str(&part[word.len()..]);
    }
    out
}

/// The rows as they should be: references, and formulas, which may hold Ids, by the Ids of now; texts as they were.
fn moved_rows(rows: Rows, moved: &Moved, facts: &Facts) -> Rows {
    let mut all = Rows::new();
    for (object, rows) in rows {
        let follows = |name: &str| facts.follow.contains(&format!("{object}.{name}"));
        let row = |(id, row): (String, BTreeMap<String, Value>)| {
            let values = row.into_iter().map(|(name, held)| match held {
                Value::String(text) if follows(&name) => (name, Value::String(moved_text(&text, moved))),
                held => (name, held),
            });
            (moved_text(&id, moved), values.collect())
        };
        all.insert(object.clone(), rows.into_iter().map(row).collect());
    }
    all
}

/// What differs, for people.
fn differences(wanted: &Rows, found: &Rows, numbered: &BTreeSet<String>) -> Vec<String> {
    let mut all = Vec::new();
    for (object, rows) in wanted {
        let there = &found[object];
        for id in rows.keys().chain(there.keys()).collect::<BTreeSet<_>>() {
            let (Some(a), Some(b)) = (rows.get(id), there.get(id)) else {
                all.push(format!(
                    "{object} {id}: {}",
                    if rows.contains_key(id) {
                        "missing"
                    } else {
                        "too many"
                    }
                ));
                continue;
            };
            for (name, value) in a {
                let is = b.get(name).unwrap_or(&Value::Null);
                if value != is && !numbered.contains(&format!("{object}.{name}")) {
                    all.push(format!("{object} {id} {name}: {is}, not {value}"));
                }
            }
        }
    }
    all
}

/// What the describes say of fields, each as `Object.Field`.
#[derive(Default)]
struct Facts {
    /// Numbers that the org gives out itself.
    numbered: BTreeSet<String>,
    /// References and formulas.
    follow: BTreeSet<String>,
}

fn facts(place: &mut Place) -> Facts {
    let mut facts = Facts::default();
    for object in place.org.objects() {
        let text = place.source.describe(&object).unwrap();
        let describe: Value = serde_json::from_slice(&text).unwrap();
        for field in describe["fields"].as_array().unwrap() {
            let name = format!("{object}.{}", field["name"].as_str().unwrap());
            if field["autoNumber"] == true {
                facts.numbered.insert(name.clone());
            }
            if field["type"] == "reference" || field["calculated"] == true {
                facts.follow.insert(name);
            }
        }
    }
    facts
}

/// Objects with rows of their own, by which a restore is judged; files are those of restore_files.rs.
fn judged(vault: &Vault, then: &SnapshotInfo, plan: &Plan) -> BTreeSet<String> {
    let made: BTreeSet<String> = plan.operations.iter().map(|op| op.sobject.clone()).collect();
    let live = State::at(vault, then)
        .manifest()
        .unwrap()
        .sobjects
        .into_iter()
        .filter(|s| s.live > 0);
    live.map(|s| s.name)
        .filter(|name| made.contains(name) && !name.starts_with("Content"))
        .collect()
}

#[test]
fn every_org_is_made_again_in_an_empty_one() {
    for (name, org) in orgs() {
        let vault = vault();
        let twin = org.twin().unwrap();
        let mut place = Place::of(org);
        let then = place.backup(&vault);
        let mut other = Place::of(twin);
        let facts = facts(&mut place);
        let (plan, moved) = restore(&vault, &then, &mut other, &Scope::default());
        assert!(plan.impossible.is_empty(), "{name}: {:?}", plan.impossible);
        let objects = judged(&vault, &then, &plan);
        let wanted = moved_rows(rows(&place.org, &objects), &moved, &facts);
        let differing = differences(&wanted, &rows(&other.org, &objects), &facts.numbered);
        let count: usize = wanted.values().map(BTreeMap::len).sum();
        assert!(
            differing.is_empty(),
            "{name}: {} differ: {:#?}",
            differing.len(),
            &differing[..differing.len().min(20)]
        );
        assert!(count > 0, "{name}: nothing was compared");
    }
}

#[test]
fn every_org_comes_back_after_all_of_it_was_purged() {
    for (name, org) in orgs() {
        let vault = vault();
        let mut place = Place::of(org.clone());
        let then = place.backup(&vault);
        let facts = facts(&mut place);
        let all: BTreeSet<String> = org.objects().into_iter().collect();
        let before = rows(&org, &all);
        lose(&org);
        let (plan, moved) = restore(&vault, &then, &mut place, &Scope::default());
        assert!(plan.impossible.is_empty(), "{name}: {:?}", plan.impossible);
        let objects = judged(&vault, &then, &plan);
        let before = before
            .into_iter()
            .filter(|(object, _)| objects.contains(object))
            .collect();
        let wanted = moved_rows(before, &moved, &facts);
        let differing = differences(&wanted, &rows(&org, &objects), &facts.numbered);
        assert!(
            differing.is_empty(),
            "{name}: {} differ: {:#?}",
            differing.len(),
            &differing[..differing.len().min(20)]
        );
    }
}

/// What no disaster of data takes along.
const SETUP: [&str; 11] = [
    "FieldPermissions",
    "Group",
    "ObjectPermissions",
    "Organization",
    "PermissionSet",
    "PermissionSetAssignment",
    "Profile",
    "QueueSobject",
    "RecordType",
    "User",
    "UserPermissionAccess",
];

/// Purges every row that can be deleted, until none is left that can.
fn lose(org: &Org) {
    loop {
        let mut lost = 0;
        for object in org.objects() {
            for row in org.rows(&object) {
                let id = row["Id"].as_str().unwrap().to_owned();
                if !SETUP.contains(&object.as_str())
                    && row.get("IsStandard") != Some(&Value::Bool(true))
                    && org.purge(&[&id]).is_ok()
                {
                    lost += 1;
                }
            }
        }
        if lost == 0 {
            break;
        }
    }
    org.expire_purged();
}

#[test]
fn masked_values_stay_joined_and_tell_nothing() {
    let org = Org::sample();
    let email = "Ada.Lovelace@Engines.example";
    let contact = org.rows("Contact")[0]["Id"].as_str().unwrap().to_owned();
    let lead = org.rows("Lead")[0]["Id"].as_str().unwrap().to_owned();
    org.update(
        &contact,
        &serde_json::json!({"Email": email, "Phone": "+43 6245 80 12"}),
    )
    .unwrap();
    org.update(&lead, &serde_json::json!({"Email": email.to_lowercase()}))
        .unwrap();
    let vault = vault();
    let mut place = Place::of(org.clone());
    let then = place.backup(&vault);
    let masks = Masks::parse(
        "*.Email email\nContact.LastName keep\n*.Phone letters\nAccount.Description null # gone\nContact.Title fixed Engineer",
    )
    .unwrap();
    let scope = Scope {
        masks,
        ..Scope::default()
    };
    let mut other = Place::of(org.twin().unwrap());
    let (plan, moved) = restore(&vault, &then, &mut other, &scope);
    let mut file = Vec::new();
    plan.write(&mut file).unwrap();
    assert!(
        !String::from_utf8(file)
            .unwrap()
            .to_lowercase()
            .contains("ada.lovelace")
    );
    let made = |id: &str| {
        other
            .org
            .row(&moved.now(id.parse().unwrap()).to_string())
            .unwrap()
    };
    let (contact, lead) = (made(&contact), made(&lead));
    assert_eq!(contact["Email"], lead["Email"]);
    assert!(contact["Email"].as_str().unwrap().ends_with("@example.invalid"));
    let phone = contact["Phone"].as_str().unwrap();
    assert_ne!(phone, "+43 6245 80 12");
    let shape: String = phone
        .chars()
        .map(|c| if c.is_ascii_digit() { '9' } else { c })
        .collect();
    assert_eq!(shape, "+99 9999 99 99");
    let of = |org: &Org, field: &str| {
        org.rows("Account")
            .iter()
            .filter(|row| !row[field].is_null())
            .count()
    };
    assert!(of(&org, "Description") > 0 && of(&other.org, "Description") == 0);

    let now = other.backup(&vault);
    let scope = Scope {
        masks: Masks::parse("Contact.Emial email").unwrap(),
        ..Scope::default()
    };
    let error = between::plan(&vault, &then, &now, &scope).unwrap_err();
    assert!(error.to_string().contains("line 1: Contact.Emial"), "{error}");
}
