//! A copy of a vault: it is the vault, follows it, is whole or what it was wherever it is interrupted, and never goes
//! over what somebody else wrote.
//!
//! Key decision: copies are opened and compared with the model, as vaults are; faults are at every write of a copy.
//! It does not test commands.

use std::sync::Arc;

use halite_engine::base::error::Kind;
use halite_engine::ops::copy::{CopyReport, copy};
use halite_engine::ops::retain::forget_org;
use halite_engine::store::backend::Backend;
use halite_engine::store::faulty::{Fault, Faulty};
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, Vault, VaultOptions};

use super::{make, open, org, packs, prune_times, rows, sound, truth};

fn copied(vault: &Vault, target: &Memory) -> CopyReport {
    copy(vault, target, &mut |_| ()).unwrap()
}

fn refused(vault: &Vault, target: &dyn Backend) -> Kind {
    copy(vault, target, &mut |_| ()).unwrap_err().kind()
}

#[test]
fn a_copy_is_the_vault_and_follows_it() {
    let (source, target, back) = (Memory::new(), Memory::new(), Memory::new());
    let vault = make(&source);
    rows(&vault, org(1), 1, 0, 500).unwrap();
    let first = copied(&vault, &target);
    assert!(first.packs > 2 && first.sent == first.packs);
    let (one, two) = (truth(0, 500), truth(0, 600));
    sound(&target, &[(org(1), 1, &one)]);

    rows(&vault, org(1), 2, 0, 600).unwrap();
    let second = copied(&vault, &target);
    assert!(second.sent > 0 && second.sent < second.packs);
    sound(&target, &[(org(1), 1, &one), (org(1), 2, &two)]);
    assert_eq!(packs(&target).len(), packs(&source).len());

    let quiet = Faulty::over(target.clone(), 1);
    let third = copy(&vault, &quiet, &mut |_| ()).unwrap();
    assert_eq!((third.sent, third.bytes, quiet.mutations()), (0, 0, 0));

    copied(&open(&target), &back);
    assert_eq!(back.root().unwrap(), source.root().unwrap());
    sound(&back, &[(org(1), 1, &one), (org(1), 2, &two)]);
}

#[test]
fn a_copy_that_is_interrupted_anywhere_leaves_what_was_and_goes_on() {
    let (one, two) = (truth(0, 300), truth(0, 400));
    let truths = [(org(1), 1, &one), (org(1), 2, &two)];
    for earlier in [false, true] {
        for fault in [Fault::Before, Fault::After, Fault::Full, Fault::Crash] {
            for nth in 1.. {
                let (source, under) = (Memory::new(), Memory::new());
                let vault = make(&source);
                rows(&vault, org(1), 1, 0, 300).unwrap();
                if earlier {
                    copied(&vault, &under);
                }
                rows(&vault, org(1), 2, 0, 400).unwrap();
                let store = Faulty::over(under, nth);
                store.fail_at(nth, fault);
                let done = copy(&vault, &store, &mut |_| ());
                let left = store.crash_image();
                let opened = Vault::open(Arc::new(left.clone()), &Secret::None, VaultOptions::default());
                let there = opened.map_or(0, |vault| vault.snapshots(org(1)).unwrap().len());
                assert!(there == 2 || (done.is_err() && there == usize::from(earlier)));
                if there > 0 {
                    sound(&left, &truths[..there]);
                }
                copied(&vault, &left);
                sound(&left, &truths);
                if store.mutations() < nth {
                    assert!(nth > 5, "packs, keys, root: {nth}");
                    break;
                }
            }
        }
    }
}

#[test]
fn what_somebody_else_wrote_is_not_gone_over() {
    let (source, target, newer) = (Memory::new(), Memory::new(), Memory::new());
    let vault = make(&source);
    rows(&vault, org(1), 1, 0, 200).unwrap();
    let other = Memory::new();
    rows(&make(&other), org(1), 1, 0, 100).unwrap();
    assert_eq!(refused(&vault, &other), Kind::Invalid);
    sound(&other, &[(org(1), 1, &truth(0, 100))]);

    copied(&vault, &target);
    rows(&open(&target), org(2), 1, 0, 100).unwrap();
    (2..5).for_each(|day| drop(rows(&vault, org(1), day, 0, 200).unwrap()));
    assert_eq!(refused(&vault, &target), Kind::Busy);
    sound(
        &target,
        &[(org(1), 1, &truth(0, 200)), (org(2), 1, &truth(0, 100))],
    );

    let old = Memory::new();
    copied(&vault, &old);
    rows(&vault, org(1), 6, 0, 300).unwrap();
    copied(&vault, &newer);
    assert_eq!(refused(&open(&old), &newer), Kind::Busy);
    assert_eq!(newer.root().unwrap(), source.root().unwrap());
}

#[test]
fn damage_is_not_copied() {
    let source = Arc::new(Faulty::new(1));
    let vault = Vault::create(source.clone(), &Secret::None, VaultOptions::default()).unwrap();
    rows(&vault, org(1), 1, 0, 300).unwrap();
    for name in source.list("packs/").unwrap() {
        let at = source.size(&name).unwrap() as usize / 2;
        source.corrupt(&name, at);
        let target = Memory::new();
        assert_eq!(refused(&vault, &target), Kind::Corrupt, "{name}");
        assert!(target.root().unwrap().is_none() && target.get(&name).is_err());
        source.corrupt(&name, at);
    }
    copied(&vault, &Memory::new());
}

#[test]
fn what_is_collected_meanwhile_is_not_missed() {
    let (source, target) = (Memory::new(), Memory::new());
    let vault = make(&source);
    (1..12).for_each(|day| drop(rows(&vault, org(1), day, 0, 40 * u32::from(day)).unwrap()));
    rows(&vault, org(2), 1, 0, 700).unwrap();
    let mut pruned = false;
    let report = copy(&vault, &target, &mut |_| {
        if !std::mem::replace(&mut pruned, true) {
            forget_org(&open(&source), org(2), &[]).unwrap();
            prune_times(&source, 4);
        }
    });
    assert!(pruned && report.unwrap().version == open(&source).catalog().version());
    let truths: Vec<_> = (1..12).map(|day| truth(0, 40 * day)).collect();
    let all: Vec<_> = (1..)
        .zip(&truths)
        .map(|(number, truth)| (org(1), number, truth))
        .collect();
    sound(&target, &all);
}

#[test]
fn a_slot_that_the_source_has_no_more_is_told() {
    let (source, target) = (Memory::new(), Memory::new());
    let vault = make(&source);
    copied(&vault, &target);
    target.put_new("keys/00", b"old").unwrap();
    assert_eq!(copied(&vault, &target).left, ["keys/00"]);
}
