//! A copy of a vault: it is the vault, follows it, is whole or what it was wherever it is interrupted, and never goes
//! over what somebody else wrote.
//!
//! Key decision: copies are opened and compared with the model, as vaults are; faults are at every write of a copy.
//! It does not test commands.

use std::sync::Arc;

use halite_engine::base::error::Kind;
use halite_engine::format::pack::PackRole;
use halite_engine::ops::copy::{CopyReport, copy, copy_orgs};
use halite_engine::ops::prune::{PruneOptions, plan};
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

/// Three orgs, some of whose pages are the same.
fn three_orgs() -> (Memory, Vault) {
    let source = Memory::new();
    let vault = make(&source);
    for (number, from) in [(1, 0), (2, 200), (3, 4000)] {
        rows(&vault, org(number), 1, from, from + 400).unwrap();
        rows(&vault, org(number), 2, from, from + 500).unwrap();
    }
    vault.put_grant("acme", b"token").unwrap();
    (source, vault)
}

#[test]
fn some_orgs_alone_are_a_vault_of_their_own() {
    let (source, vault) = three_orgs();
    let (before, target) = (source.root().unwrap(), Memory::new());
    let place: Arc<dyn Backend> = Arc::new(target.clone());
    let report = copy_orgs(&vault, &place, &[org(1), org(3)], &mut |_| ()).unwrap();
    let truths = [
        (1, 1, truth(0, 400)),
        (1, 2, truth(0, 500)),
        (3, 1, truth(4000, 4400)),
        (3, 2, truth(4000, 4500)),
    ];
    let truths: Vec<_> = truths
        .iter()
        .map(|(n, number, truth)| (org(*n), *number, truth))
        .collect();
    sound(&target, &truths);
    let there = open(&target);
    assert_eq!((there.orgs(), there.grants()), (vec![org(1), org(3)], vec![]));
    let told = |line: &halite_engine::format::mark::ActivityEntry| line.org;
    assert!(
        there
            .catalog()
            .activity()
            .unwrap()
            .iter()
            .all(|line| told(line) != Some(org(2)))
    );
    // The same states, by digest; in packs that are nowhere else, and in which nothing is that they do not need.
    for n in [1, 3] {
        let states = |vault: &Vault| {
            let objects = vault.catalog().objects(org(n)).unwrap();
            objects
                .into_iter()
                .map(|(name, o)| (name, o.live, o.content, o.stamps))
                .collect::<Vec<_>>()
        };
        assert_eq!(states(&there), states(&vault));
    }
    assert!(packs(&target).iter().all(|name| !packs(&source).contains(name)));
    assert_eq!(
        (report.sent, report.bytes),
        (packs(&target).len() as u64, target_packs(&target))
    );
    let least = PruneOptions {
        max_unused: 0.0,
        ..PruneOptions::default()
    };
    let left = plan(&there, &least).unwrap();
    let data = |pack: &halite_engine::ops::prune::PackUse| pack.role == PackRole::Data;
    assert!(!left.repack.iter().any(data) && !left.dead.iter().any(data) && left.strays.is_empty());
    assert_eq!(source.root().unwrap(), before);
    // It goes its own way.
    rows(&there, org(1), 3, 0, 600).unwrap();
    prune_times(&target, 3);
    assert_eq!(there.refresh().unwrap().snapshots(org(1)).unwrap().len(), 3);
}

fn target_packs(target: &Memory) -> u64 {
    packs(target).iter().map(|name| target.size(name).unwrap()).sum()
}

#[test]
fn some_orgs_go_to_an_empty_place_whole_or_not_at_all() {
    let (_, vault) = three_orgs();
    let some = |target: &Arc<Faulty>, n| {
        let place: Arc<dyn Backend> = target.clone();
        copy_orgs(&vault, &place, &[org(n)], &mut |_| ())
    };
    let empty = || Arc::new(Faulty::new(1));
    assert_eq!(some(&empty(), 4).unwrap_err().kind(), Kind::NotFound);
    let taken = empty();
    copied(&vault, &taken.memory());
    assert_eq!(some(&taken, 1).unwrap_err().kind(), Kind::Invalid);
    for nth in 1.. {
        for fault in [Fault::Before, Fault::After, Fault::Crash] {
            let target = empty();
            target.fail_at(nth, fault);
            let done = some(&target, 2);
            if target.mutations() < nth {
                assert!(nth > 5, "packs, keys, root, marker: {nth}");
                return;
            }
            let left = target.crash_image();
            match Vault::open(Arc::new(left.clone()), &Secret::None, VaultOptions::default()) {
                Ok(_) => sound(
                    &left,
                    &[(org(2), 1, &truth(200, 600)), (org(2), 2, &truth(200, 700))],
                ),
                Err(error) => assert!(done.is_err() && error.kind() == Kind::NotFound, "{error}"),
            }
        }
    }
}
