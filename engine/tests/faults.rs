//! A backup into a store that fails at its first, second, third ... write, in each way that a store can fail.
//!
//! Key decision: after each failure the vault is opened anew on what a crash would leave; the first snapshot must
//! read as it was, the second must be absent or whole, and the next backup must work. Time and threads are real:
//! it does not search for races.

use std::collections::BTreeMap;
use std::sync::Arc;

use halite_engine::Kind;
use halite_engine::base::id::RecordId;
use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::ops::state::State;
use halite_engine::store::backend::Backend;
use halite_engine::store::faulty::{Fault, Faulty};
use halite_engine::vault::{Secret, Vault, VaultOptions};

use crate::model::Model;

type Truth = BTreeMap<RecordId, String>;

fn open(store: Arc<dyn Backend>) -> Vault {
    Vault::open(store, &Secret::None, VaultOptions::default()).unwrap()
}

fn state(vault: &Vault, number: u64) -> Truth {
    let org = vault.orgs()[0];
    let state = State::at(vault, &vault.find_snapshot(org, &number.to_string()).unwrap());
    let mut all = Truth::new();
    state
        .each("Thing__c", &mut |r| {
            all.insert(r.id, r.json.clone());
            Ok(())
        })
        .unwrap();
    all
}

/// A store with one backup, the org as it is after some edits, and what the backup holds.
fn begin(seed: u64) -> (Arc<Faulty>, Model, Truth) {
    let store = Arc::new(Faulty::new(seed));
    let vault = Vault::create(store.clone(), &Secret::None, VaultOptions::default()).unwrap();
    let mut model = Model {
        now: 1_700_000_000_000,
        ..Model::default()
    };
    (0..300).for_each(|n| model.put(n, &format!("name {n}"), Some(i64::from(n))));
    backup(&vault, &mut model, &BackupOptions::default(), &mut |_| ()).unwrap();
    let first = model.truth();
    (0..300).step_by(3).for_each(|n| model.put(n, "edited", None));
    (0..300).step_by(7).for_each(|n| model.delete(n));
    (store, model, first)
}

#[test]
fn a_backup_that_fails_anywhere_loses_nothing() {
    for fault in [Fault::Before, Fault::After, Fault::Full, Fault::Crash] {
        let (mut nth, mut published) = (1, false);
        while !published {
            let (store, mut model, first) = begin(nth);
            let (before, packs) = (store.mutations(), store.memory().list("packs/").unwrap());
            store.fail_at(nth, fault);
            let vault = open(store.clone());
            let result = backup(&vault, &mut model, &BackupOptions::default(), &mut |_| ());
            if nth == 1 && fault != Fault::Crash {
                assert_eq!(
                    store.memory().list("packs/").unwrap(),
                    packs,
                    "{fault:?}: what was not published is left"
                );
            }
            let reached = store.mutations() - before >= nth;
            let survivor = open(Arc::new(store.crash_image()));
            let kept = survivor.snapshots(survivor.orgs()[0]).unwrap().len();
            assert_eq!(state(&survivor, 1), first, "{fault:?} at {nth}");
            if kept == 2 {
                assert_eq!(state(&survivor, 2), model.truth(), "{fault:?} at {nth}");
            }
            assert!(
                kept == 2 || result.is_err(),
                "{fault:?} at {nth}: said to be done, and is not there"
            );
            if let (Err(error), Fault::Full) = (&result, fault) {
                assert_eq!(
                    error.kind(),
                    Kind::Quota,
                    "the full disk must reach the caller: {error}"
                );
            }
            model.now += 1000;
            backup(&survivor, &mut model, &BackupOptions::default(), &mut |_| ()).unwrap();
            assert_eq!(
                state(&survivor, kept as u64 + 1),
                model.truth(),
                "{fault:?} at {nth}"
            );
            published = !reached;
            nth += 1;
        }
        assert!(
            nth > 4,
            "a backup makes at least a pack, two copies of metadata and a root: {nth}"
        );
    }
}

#[test]
fn a_vault_that_is_opened_anew_writes_again() {
    let (store, mut model, first) = begin(1);
    let vault = open(store.clone());
    store.fail_at(1, Fault::Before);
    let mut attempt = |vault: &Vault| {
        model.now += 1000;
        backup(vault, &mut model, &BackupOptions::default(), &mut |_| ())
    };
    attempt(&vault).unwrap_err();
    let refused = attempt(&vault).unwrap_err();
    assert!(
        refused.message().contains("after an earlier failure"),
        "{refused}"
    );
    let anew = vault.reopen().unwrap();
    attempt(&anew).unwrap();
    assert_eq!((state(&anew, 1), state(&anew, 2)), (first, model.truth()));
}

#[test]
fn a_damaged_copy_of_metadata_is_read_from_the_other() {
    let (store, _, first) = begin(1);
    let packs = store.memory().list("packs/").unwrap();
    let mut unreadable = 0;
    for name in packs {
        let copy = Faulty::over(store.crash_image(), 1);
        copy.lose(&name);
        match Vault::open(Arc::new(copy), &Secret::None, VaultOptions::default()) {
            Ok(vault) => {
                let org = vault.orgs()[0];
                let state = State::at(&vault, &vault.find_snapshot(org, "1").unwrap());
                let mut read = Truth::new();
                let all = state.each("Thing__c", &mut |r| {
                    read.insert(r.id, r.json.clone());
                    Ok(())
                });
                match all {
                    Ok(()) => assert_eq!(read, first),
                    Err(error) => {
                        assert_eq!(error.kind(), Kind::Corrupt, "{error}");
                        unreadable += 1;
                    }
                }
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
    assert_eq!(
        unreadable, 1,
        "only the loss of the one pack of records may be felt, and it is named"
    );
}

/// "A newer format" said by a pack is the vault's trouble: the sObject is not left out as if the org had refused it.
#[test]
fn a_capture_does_not_take_the_vaults_trouble_for_the_orgs() {
    let (store, model, _) = begin(1);
    let mut failed = 0;
    for name in store.memory().list("packs/").unwrap() {
        let copy = Arc::new(Faulty::over(store.crash_image(), 1));
        // The version in the footer.
        copy.change(&name, |bytes| {
            let at = bytes.len() - 12;
            bytes[at] = 33;
        });
        let mut org = model.clone();
        let opened = Vault::open(copy, &Secret::None, VaultOptions::default());
        match opened.and_then(|vault| backup(&vault, &mut org, &BackupOptions::default(), &mut |_| ())) {
            Ok(report) => assert!(report.failed.is_empty(), "{:?}", report.sobjects),
            Err(error) => {
                assert_eq!(error.kind(), Kind::Unsupported, "{error}");
                failed += 1;
            }
        }
    }
    assert!(failed > 0, "nobody looked at a footer");
}

#[test]
fn a_vault_whose_making_was_interrupted_says_so() {
    for nth in 1.. {
        let store = Arc::new(Faulty::new(nth));
        store.fail_at(nth, Fault::Crash);
        let made = Vault::create(store.clone(), &Secret::None, VaultOptions::default());
        let left: Arc<dyn Backend> = Arc::new(store.crash_image());
        if made.is_ok() && store.mutations() < nth {
            open(left);
            assert!(nth > 4, "keys twice, metadata twice, root and marker: {nth}");
            return;
        }
        let opened = Vault::open(left.clone(), &Secret::None, VaultOptions::default());
        if let Err(error) = opened {
            assert_eq!(error.kind(), Kind::NotFound, "half a vault is no vault: {error}");
            let again = Vault::create(left, &Secret::None, VaultOptions::default());
            assert!(again.is_ok() || again.is_err_and(|e| e.to_string().contains("interrupted")));
        }
    }
}
