//! A prune, and a capture before a prune, that fails at its first, second, third ... write, in each way a store can fail.
//!
//! Key decision: after each failure the vault is opened on what a crash would leave, must hold every state, and must
//! come to the same rest as one that nothing happened to. It does not search for races.

use std::sync::Arc;

use halite_engine::ops::prune::prune;
use halite_engine::ops::retain::forget_org;
use halite_engine::store::faulty::{Fault, Faulty};
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, Vault, VaultOptions};

use super::{AT_ONCE, capture, make, model, open, org, packs, prune_times, rows, sound, truth};

const FAULTS: [Fault; 4] = [Fault::Before, Fault::After, Fault::Full, Fault::Crash];

/// After enough runs nothing is in the store but what is live.
fn comes_to_rest(store: &Memory) {
    let version = || open(store).catalog().version();
    let rests = (0..8).any(|_| {
        let before = version();
        prune_times(store, 1);
        version() == before
    });
    assert!(rests, "still busy after 8 runs");
    assert_eq!(packs(store).len(), open(store).catalog().packs().len());
}

#[test]
fn a_prune_that_fails_anywhere_loses_nothing() {
    for fault in FAULTS {
        for nth in 1.. {
            let under = Memory::new();
            let vault = make(&under);
            rows(&vault, org(1), 1, 0, 500).unwrap();
            rows(&vault, org(2), 1, 0, 500).unwrap();
            rows(&vault, org(3), 1, 600, 700).unwrap();
            forget_org(&vault, org(1), &[]).unwrap();
            forget_org(&vault, org(3), &[]).unwrap();
            let store = Arc::new(Faulty::over(under, nth));
            store.fail_at(nth, fault);
            for _ in 0..4 {
                let opened = Vault::open(store.clone(), &Secret::None, VaultOptions::default());
                drop(opened.and_then(|vault| prune(&vault, &AT_ONCE)));
            }
            let reached = store.mutations() >= nth;
            let left = store.crash_image();
            sound(&left, &[(org(2), 1, &truth(0, 500))]);
            comes_to_rest(&left);
            sound(&left, &[(org(2), 1, &truth(0, 500))]);
            if !reached {
                assert!(nth > 8, "packs, roots, deletions: {nth}");
                break;
            }
        }
    }
}

#[test]
fn a_capture_that_fails_anywhere_and_a_prune_lose_nothing() {
    for fault in FAULTS {
        for nth in 1.. {
            let under = Memory::new();
            let mut org_now = model();
            (0..300).for_each(|n| org_now.put(n, &format!("name {n}"), Some(i64::from(n))));
            capture(&make(&under), &mut org_now).unwrap();
            let first = org_now.truth();
            (0..300).step_by(3).for_each(|n| org_now.put(n, "edited", None));
            let store = Arc::new(Faulty::over(under, nth));
            store.fail_at(nth, fault);
            let vault = Vault::open(store.clone(), &Secret::None, VaultOptions::default()).unwrap();
            let done = capture(&vault, &mut org_now);
            let left = store.crash_image();
            let (second, there) = (org_now.truth(), open(&left).snapshots(org(1)).unwrap().len());
            assert!(there == 2 || done.is_err());
            let truths = [(org(1), 1, &first), (org(1), 2, &second)];
            comes_to_rest(&left);
            sound(&left, &truths[..there]);
            if store.mutations() < nth {
                break;
            }
        }
    }
}

#[test]
fn an_import_that_fails_anywhere_and_a_prune_lose_nothing() {
    for fault in FAULTS {
        for nth in 1.. {
            let under = Memory::new();
            rows(&make(&under), org(1), 1, 0, 300).unwrap();
            let store = Arc::new(Faulty::over(under, nth));
            store.fail_at(nth, fault);
            let vault = Vault::open(store.clone(), &Secret::None, VaultOptions::default()).unwrap();
            let done = rows(&vault, org(2), 1, 0, 400);
            let left = store.crash_image();
            let there = open(&left).orgs().len();
            assert!(there == 2 || done.is_err());
            let (one, two) = (truth(0, 300), truth(0, 400));
            comes_to_rest(&left);
            sound(&left, &[(org(1), 1, &one), (org(2), 1, &two)][..there]);
            if store.mutations() < nth {
                break;
            }
        }
    }
}
