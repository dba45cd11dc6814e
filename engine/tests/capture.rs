//! Captures of a model org: every snapshot, every diff and every history against the model.
//!
//! Key decision: random histories with a memory bound so small that flushing is exercised.
//! It is not a test of any API: the org is a map.

use std::collections::BTreeMap;
use std::sync::Arc;

use halite_engine::base::clock::Clock;
use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use halite_engine::format::page::VersionKind;
use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::ops::diff::{ChangeKind, diff};
use halite_engine::ops::history::history;
use halite_engine::ops::state::State;
use halite_engine::store::backend::Backend;
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use proptest::prelude::*;

use crate::model::{Model, id};

fn vault() -> Vault {
    vault_in(&Arc::new(Memory::new()))
}

fn vault_in(store: &Arc<Memory>) -> Vault {
    let clock = Clock::driven(Stamp::from_millis(1_700_000_000_000), 1);
    Vault::create(
        Arc::<Memory>::clone(store),
        &Secret::None,
        VaultOptions {
            clock,
            ..VaultOptions::default()
        },
    )
    .unwrap()
}

fn state(vault: &Vault, number: u64) -> BTreeMap<RecordId, String> {
    let org = vault.orgs()[0];
    let state = State::at(vault, &vault.find_snapshot(org, &number.to_string()).unwrap());
    let mut all = BTreeMap::new();
    state
        .each("Thing__c", &mut |r| {
            all.insert(r.id, r.json.clone());
            Ok(())
        })
        .unwrap();
    for (id, json) in &all {
        assert_eq!(
            &state.get("Thing__c", *id).unwrap().unwrap().json,
            json,
            "one and all agree"
        );
    }
    all
}

#[derive(Debug, Clone)]
enum Step {
    Put(u32, String, Option<i64>),
    Delete(u32),
    Purge(u32),
    Backup { full: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..40_u32, ".{0,12}", proptest::option::of(-1000..1000_i64)).prop_map(|(n, name, size)| Step::Put(n, name, size)),
        2 => (0..40_u32).prop_map(Step::Delete),
        2 => (0..40_u32).prop_map(Step::Purge),
        2 => any::<bool>().prop_map(|full| Step::Backup { full }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_snapshot_is_the_org_as_it_was(steps in proptest::collection::vec(step(), 1..80)) {
        let (vault, mut model) = (vault(), Model { now: 1_700_000_000_000, ..Model::default() });
        let mut truths = Vec::new();
        for step in steps.into_iter().chain([Step::Backup { full: false }]) {
            match step {
                Step::Put(n, name, size) => model.put(n, name.trim(), size),
                Step::Delete(n) => model.delete(n),
                Step::Purge(n) => model.purge(n),
                Step::Backup { full } => {
                    let options = BackupOptions { full, overlap_millis: 0, memory: 2000, ..BackupOptions::default() };
                    let report = backup(&vault, &mut model, &options, &mut |_| ()).unwrap();
                    prop_assert!(report.complete());
                    truths.push(model.truth());
                    model.now += 5000;
                }
            }
        }
        let org = vault.orgs()[0];
        for (i, truth) in truths.iter().enumerate() {
            prop_assert_eq!(&state(&vault, i as u64 + 1), truth);
        }
        for (a, b) in [(0, truths.len() - 1), (truths.len() / 2, truths.len() - 1), (truths.len() - 1, 0)] {
            let snapshots = vault.snapshots(org).unwrap();
            let mut found = BTreeMap::new();
            diff(&vault, &snapshots[a], &snapshots[b], None, &mut |c| { found.insert(c.id, c.kind); Ok(()) }).unwrap();
            prop_assert_eq!(found, model_diff(&truths[a], &truths[b]));
        }
    }
}

/// What differs apart from stamps.
pub(crate) fn model_diff(
    a: &BTreeMap<RecordId, String>,
    b: &BTreeMap<RecordId, String>,
) -> BTreeMap<RecordId, ChangeKind> {
    let content = |json: &String| {
        let mut value: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).unwrap();
        value.retain(|name, _| !["SystemModstamp", "LastModifiedDate", "Twice__c"].contains(&name.as_str()));
        value
    };
    let mut out = BTreeMap::new();
    for id in a.keys().chain(b.keys()) {
        match (a.get(id), b.get(id)) {
            (None, Some(_)) => {
                out.insert(*id, ChangeKind::Created);
            }
            (Some(_), None) => {
                out.insert(*id, ChangeKind::Deleted);
            }
            (Some(x), Some(y)) if content(x) != content(y) => {
                out.insert(*id, ChangeKind::Edited);
            }
            _ => {}
        }
    }
    out
}

#[test]
fn a_record_has_its_history() {
    let (vault, mut model) = (
        vault(),
        Model {
            now: 1_700_000_000_000,
            ..Model::default()
        },
    );
    let run = |model: &mut Model| {
        backup(&vault, model, &BackupOptions::default(), &mut |_| ()).unwrap();
        model.now += 1000;
    };
    model.put(1, "one", Some(1));
    run(&mut model);
    model.put(1, "one", Some(1));
    run(&mut model);
    model.put(1, "uno", None);
    run(&mut model);
    model.delete(1);
    run(&mut model);
    model.put(1, "uno", None);
    run(&mut model);
    let kinds: Vec<_> = history(&vault, vault.orgs()[0], id(1))
        .unwrap()
        .into_iter()
        .map(|v| (v.kind, v.fields))
        .collect();
    let stamps = ["LastModifiedDate", "SystemModstamp"].map(str::to_owned).to_vec();
    let edit = [
        "LastModifiedDate",
        "Name",
        "Size__c",
        "SystemModstamp",
        "Twice__c",
    ]
    .map(str::to_owned)
    .to_vec();
    assert_eq!(kinds[0], (VersionKind::Value, vec![]));
    assert_eq!(kinds[1], (VersionKind::Stamps, stamps));
    assert_eq!(
        (kinds[2].0, kinds[2].1.len()),
        (VersionKind::Value, edit.len() - 1 + 1)
    );
    assert_eq!(kinds[3].0, VersionKind::Deleted);
    assert_eq!(kinds[4].0, VersionKind::Value);
    assert!(history(&vault, vault.orgs()[0], id(2)).is_err());
}

#[test]
fn many_records_make_many_pages_and_a_quiet_day_is_free() {
    let (vault, mut model) = (
        vault(),
        Model {
            now: 1_700_000_000_000,
            ..Model::default()
        },
    );
    for n in 0..5000 {
        model.put(n, &format!("name {n}"), Some(i64::from(n)));
    }
    let options = BackupOptions {
        memory: 100_000,
        ..BackupOptions::default()
    };
    backup(&vault, &mut model, &options, &mut |_| ()).unwrap();
    assert_eq!(state(&vault, 1).len(), 5000);
    model.now += 3_600_000;
    let quiet = backup(
        &vault,
        &mut model,
        &BackupOptions {
            full: true,
            ..options.clone()
        },
        &mut |_| (),
    )
    .unwrap();
    assert_eq!(
        (
            quiet.bytes_added,
            quiet.sobjects[0].read,
            quiet.sobjects[0].edited
        ),
        (0, 5000, 0)
    );
    assert_eq!(
        quiet.sobjects[1].skipped.as_deref(),
        Some("a platform event is not stored")
    );
    assert_eq!(state(&vault, 2), model.truth());
}

#[test]
fn rows_that_come_in_no_order_take_the_room_of_those_that_do() {
    let added = [false, true].map(|swapped| {
        let mut model = Model {
            now: 1_700_000_000_000,
            swapped,
            ..Model::default()
        };
        (0..5000).for_each(|n| model.put(n, &format!("name {n} and so on"), Some(i64::from(n))));
        let options = BackupOptions {
            memory: 100_000,
            ..BackupOptions::default()
        };
        let store = Arc::new(Memory::new());
        let vault = vault_in(&store);
        backup(&vault, &mut model, &options, &mut |_| ()).unwrap();
        assert_eq!(state(&vault, 1), model.truth());
        let sizes = store
            .list("")
            .unwrap()
            .into_iter()
            .map(|name| store.size(&name).unwrap());
        sizes.sum::<u64>()
    });
    assert!(
        added[0].abs_diff(added[1]) < added[0] / 100,
        "in order and not: {added:?} bytes"
    );
}
