//! A publication whose answer is lost: what the new root names must still be there.
//!
//! Key decision: a store that swaps the root, says that it failed, and cannot be asked for a while, which is what
//! a network does. It does not crash: that is the business of the crash tests of the store.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::ops::state::State;
use halite_engine::store::backend::Backend;
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_engine::{Error, Kind, Result};

use crate::model::Model;

/// A store over a network that breaks at the worst time; `armed` counts the calls about the root left to fail.
struct Lossy {
    under: Memory,
    armed: AtomicU32,
    /// Whether a swap is sent twice, and the second answer is given.
    twice: AtomicBool,
    /// What somebody else does between a swap that took place and its lost answer.
    meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Lossy {
    fn new() -> Self {
        Self {
            under: Memory::new(),
            armed: AtomicU32::new(0),
            twice: AtomicBool::new(false),
            meanwhile: Mutex::default(),
        }
    }

    fn fails(&self) -> bool {
        let step = |left: u32| left.checked_sub(1);
        self.armed
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, step)
            .is_ok()
    }
}

fn lost() -> Error {
    Error::new(Kind::Io, "the connection was lost")
}

impl Backend for Lossy {
    crate::forward::pass_on!(under: put_new, get, get_range, size, list, delete);

    fn root(&self) -> Result<Option<Vec<u8>>> {
        if self.fails() {
            Err(lost())
        } else {
            self.under.root()
        }
    }

    fn swap_root(&self, expected: Option<&[u8]>, new: &[u8]) -> Result<bool> {
        let mut swapped = self.under.swap_root(expected, new);
        if self.twice.load(Ordering::SeqCst) {
            swapped = self.under.swap_root(expected, new);
        }
        if !self.fails() {
            return swapped;
        }
        if let Some(act) = self.meanwhile.lock().unwrap().take() {
            act();
        }
        Err(lost())
    }

    fn describe(&self) -> String {
        "lossy".to_owned()
    }
}

#[test]
fn a_lost_answer_is_settled_though_others_have_committed_since() {
    let store = Arc::new(Lossy::new());
    let vault = Vault::create(store.clone(), &Secret::None, VaultOptions::default()).unwrap();
    let under = Arc::new(store.under.clone());
    *store.meanwhile.lock().unwrap() = Some(Box::new(move || {
        let other = Vault::open(under, &Secret::None, VaultOptions::default()).unwrap();
        other.put_grant("other", b"token").unwrap();
    }));
    let mut model = Model {
        now: 1_700_000_000_000,
        ..Model::default()
    };
    (0..20).for_each(|n| model.put(n, "a", Some(1)));
    let arm = |calls| store.armed.store(calls, Ordering::SeqCst);
    backup(&vault, &mut model, &BackupOptions::default(), &mut |_| arm(1)).unwrap();
    assert!(store.meanwhile.lock().unwrap().is_none(), "nobody committed");
    assert_eq!(vault.grants(), ["other"]);
    assert_eq!(vault.snapshots(vault.orgs()[0]).unwrap().len(), 1);
}

/// A network that repeats requests by itself hears "no" to the second of a swap whose first went through.
#[test]
fn a_swap_that_was_sent_twice_is_settled_by_looking() {
    let store = Arc::new(Lossy::new());
    let vault = Vault::create(store.clone(), &Secret::None, VaultOptions::default()).unwrap();
    store.twice.store(true, Ordering::SeqCst);
    let mut model = Model {
        now: 1_700_000_000_000,
        ..Model::default()
    };
    (0..20).for_each(|n| model.put(n, "a", Some(1)));
    backup(&vault, &mut model, &BackupOptions::default(), &mut |_| ()).unwrap();
    let vault = Vault::open(store, &Secret::None, VaultOptions::default()).unwrap();
    assert_eq!(vault.snapshots(vault.orgs()[0]).unwrap().len(), 1);
}

#[test]
fn packs_stay_if_the_root_may_name_them() {
    let store = Arc::new(Lossy::new());
    let vault = Vault::create(store.clone(), &Secret::None, VaultOptions::default()).unwrap();
    let mut model = Model {
        now: 1_700_000_000_000,
        ..Model::default()
    };
    (0..20).for_each(|n| model.put(n, "a", Some(1)));
    let options = BackupOptions {
        full: false,
        overlap_millis: 0,
        memory: 1 << 20,
        only: None,
        ..BackupOptions::default()
    };
    // Called when an sObject is read: the swap and the look at what became of it are still to come.
    let arm = |calls| store.armed.store(calls, Ordering::SeqCst);
    assert!(backup(&vault, &mut model, &options, &mut |_| arm(2)).is_err());
    arm(0);
    let vault = Vault::open(store, &Secret::None, VaultOptions::default()).unwrap();
    let org = vault.orgs()[0];
    let state = State::at(&vault, &vault.find_snapshot(org, "latest").unwrap());
    let mut found = 0;
    state
        .each("Thing__c", &mut |_| {
            found += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(found, 20);
}
