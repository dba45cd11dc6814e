//! What pruning gives back, and that it comes to rest.
//!
//! Key decision: measured in the store, against a vault that never held what was dropped.
//! It does not measure time.

use halite_engine::ops::compact::{CompactOptions, compact};
use halite_engine::ops::prune::{PruneOptions, plan, prune, survey};
use halite_engine::ops::retain::{forget, forget_org};
use halite_engine::store::backend::Backend;
use halite_engine::store::memory::Memory;

use super::{AT_ONCE, capture, make, model, open, org, packs, prune_times, rows, sound, truth, words};

fn pack_bytes(store: &Memory) -> u64 {
    packs(store).iter().map(|name| store.size(name).unwrap()).sum()
}

#[test]
fn a_forgotten_org_gives_back_its_space() {
    let (store, never) = (Memory::new(), Memory::new());
    rows(&make(&never), org(2), 1, 3000, 4000).unwrap();
    let vault = make(&store);
    let before = store.bytes();
    rows(&vault, org(1), 1, 0, 6000).unwrap();
    let used = store.bytes() - before;
    rows(&vault, org(2), 1, 3000, 4000).unwrap();
    forget_org(&vault, org(1), &["nobody".to_owned()]).unwrap();
    let planned = plan(&vault, &AT_ONCE).unwrap().report();
    assert_eq!(planned.bytes_before, pack_bytes(&store), "a plan changes nothing");
    let first = prune(&vault, &AT_ONCE).unwrap();
    assert_eq!(
        (first.packs_repacked, first.packs_condemned),
        (planned.packs_repacked, planned.packs_condemned)
    );
    assert!(
        pack_bytes(&store) >= planned.bytes_before,
        "nothing is deleted by the run that condemns it"
    );
    let second = prune(&vault, &AT_ONCE).unwrap();
    assert_eq!(second.packs_deleted, first.packs_condemned);
    let left = store.bytes().saturating_sub(never.bytes());
    assert!(left * 10 < used, "{left} of {used} bytes were not given back");
    sound(&store, &[(org(2), 1, &truth(3000, 4000))]);
}

#[test]
fn dropped_snapshots_give_back_their_space() {
    let (store, never) = (Memory::new(), Memory::new());
    let mut truths = Vec::new();
    for (store, dropped) in [(&store, true), (&never, false)] {
        let (vault, mut org_now) = (make(store), model());
        (0..8000).for_each(|n| org_now.put(n, &words(n), None));
        capture(&vault, &mut org_now).unwrap();
        let first = org_now.truth();
        for day in 1..=12 {
            // The last day touches every record that the days before it touched.
            let touched = (0..8000).filter(|n| day == 12 || n % 12 == day - 1);
            touched.for_each(|n| org_now.put(n, &words(n + 10_000 * day), None));
            if dropped || day == 12 {
                capture(&vault, &mut org_now).unwrap();
            }
        }
        // The clock of the other org went another way.
        if dropped {
            truths = vec![first, org_now.truth()];
        }
    }
    let used = store.bytes() - never.bytes();
    let vault = open(&store);
    let snapshots = vault.snapshots(vault.orgs()[0]).unwrap();
    forget(&vault, vault.orgs()[0], &snapshots[1..12]).unwrap();
    for store in [&store, &never] {
        let all = CompactOptions {
            keep_single: 0,
            ..CompactOptions::default()
        };
        compact(&open(store), &all, &mut |_| ()).unwrap();
        prune_times(store, 4);
    }
    let left = store.bytes().saturating_sub(never.bytes());
    assert!(left * 10 < used, "{left} of {used} bytes were not given back");
    sound(&store, &[(org(1), 1, &truths[0]), (org(1), 13, &truths[1])]);
}

#[test]
fn nothing_goes_within_the_grace() {
    let store = Memory::new();
    let vault = make(&store);
    rows(&vault, org(1), 1, 0, 500).unwrap();
    rows(&vault, org(2), 1, 600, 900).unwrap();
    forget_org(&vault, org(1), &[]).unwrap();
    let patient = PruneOptions::default();
    assert!(prune(&vault, &patient).unwrap().packs_condemned > 0);
    let before = packs(&store);
    assert_eq!(prune(&vault, &patient).unwrap().packs_deleted, 0);
    assert_eq!(packs(&store), before);
}

#[test]
fn the_metadata_of_many_commits_comes_together() {
    let store = Memory::new();
    let (vault, mut org_now) = (make(&store), model());
    let mut truths = Vec::new();
    for n in 0..60 {
        org_now.put(n, &format!("name {n}"), None);
        capture(&vault, &mut org_now).unwrap();
        truths.push(org_now.truth());
    }
    let before = (packs(&store).len(), store.bytes());
    prune_times(&store, 3);
    let after = (packs(&store).len(), store.bytes());
    assert!(
        after.0 < before.0 - 80,
        "two packs of metadata each: {before:?}, {after:?}"
    );
    assert!(after.1 * 2 < before.1, "{before:?}, {after:?}");
    let all: Vec<_> = (1..).zip(&truths).map(|(n, truth)| (org(1), n, truth)).collect();
    sound(&store, &all);
    let survey = survey(&open(&store), open(&store).catalog()).unwrap();
    let (alive, dead) = survey.packs.iter().fold((0, 0), |(alive, dead), pack| {
        (alive + pack.alive, dead + pack.dead)
    });
    assert!(dead * 10 < alive * 6, "{dead} of {alive}");
    prune_times(&store, 3);
    let version = open(&store).catalog().version();
    prune_times(&store, 2);
    assert_eq!(
        open(&store).catalog().version(),
        version,
        "it does not come to rest"
    );
}

/// Wherever the overlays of the catalog stand when it begins: they are short just after they became a base.
#[test]
fn a_prune_is_not_the_reason_of_the_next() {
    let store = Memory::new();
    let (vault, mut org_now) = (make(&store), model());
    for n in 0..50 {
        org_now.put(n, &words(n), None);
        capture(&vault, &mut org_now).unwrap();
        let image = store.fork();
        let version = || open(&image).catalog().version();
        let rests = (0..8).any(|_| {
            let before = version();
            prune_times(&image, 1);
            version() == before
        });
        assert!(rests, "still busy after 8 runs, {n} captures");
    }
}

#[test]
fn the_root_is_settled_before_anything_is_deleted() {
    use std::sync::Arc;

    use halite_engine::store::faulty::Faulty;
    use halite_engine::vault::{Secret, Vault, VaultOptions};
    let store = Memory::new();
    drop(rows(&make(&store), org(1), 1, 0, 300).unwrap());
    forget_org(&open(&store), org(1), &[]).unwrap();
    prune_times(&store, 1);
    let watched = Arc::new(Faulty::over(store, 1));
    let vault = Vault::open(watched.clone(), &Secret::None, VaultOptions::default()).unwrap();
    watched.take_log();
    assert!(prune(&vault, &AT_ONCE).unwrap().packs_deleted > 0);
    let log = watched.take_log();
    let first = |verb| log.iter().position(|call| call.verb == verb).unwrap();
    assert!(
        first("swap") < first("delete"),
        "another process's root may not be durable yet"
    );
}
