//! Collector against writer against reader: the losses of others, each with its interleaving, and our own.
//!
//! Key decision: named after the report in which somebody lost data this way. Each would lose data here too with one
//! check taken out. Each in memory and in a bucket, but those whose store is broken on purpose. It does not repeat what
//! the fault tests try at every call.

use std::sync::{Arc, Mutex};

use halite_engine::ops::prune::{PruneOptions, execute, plan, prune};
use halite_engine::ops::retain::{forget, forget_org};
use halite_engine::ops::state::State;
use halite_engine::store::backend::Backend;
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_engine::{Error, Kind};

use super::bucket::places;
use super::{
    AT_ONCE, Hooked, Truth, When, capture, make, model, open, org, packs, prune_times, rows, sound, state,
    truth,
};

/// A store with org 1, and org 2 whose values are those of org 1; then org 1 is forgotten, so that the pack that it
/// brought is half dead.
fn half_dead() -> [Arc<dyn Backend>; 2] {
    places().map(|store| {
        let vault = make(&store);
        rows(&vault, org(1), 1, 0, 900).unwrap();
        rows(&vault, org(2), 1, 0, 900).unwrap();
        forget_org(&vault, org(1), &[]).unwrap();
        store
    })
}

/// Proxmox PSA-2025-00019-1: the collector lists what there is; a new snapshot is added that shares chunks with its
/// parent, and the parent is dropped before it is marked; the chunks of both are deleted.
#[test]
fn proxmox_psa_2025_00019_1() {
    // Marked while the parent stood, or marked as dead and then relied upon.
    for dead_when_planned in [false, true] {
        for store in half_dead() {
            let vault = open(&store);
            if dead_when_planned {
                forget_org(&vault, org(2), &[]).unwrap();
            }
            let planned = plan(&vault, &AT_ONCE).unwrap();
            assert!(!planned.is_empty());
            let other = open(&store);
            rows(&other, org(3), 1, 0, 900).unwrap();
            if !dead_when_planned {
                forget_org(&other, org(2), &[]).unwrap();
            }
            execute(&vault, &planned).unwrap();
            sound(&store, &[(org(3), 1, &truth(0, 900))]);
            prune_times(&store, 4);
            sound(&store, &[(org(3), 1, &truth(0, 900))]);
        }
    }
}

/// slatedb 352: what fenced a stale writer was collected, so that its late write was taken. Here the fence is the
/// newest snapshot: it is forgotten with its org, and another of the same number takes its place.
#[test]
fn slatedb_352() {
    // With the stale writer's packs still there, and with them deleted.
    for times in [0, 4] {
        for store in places() {
            let mut first = model();
            (0..50).for_each(|n| first.put(n, "old", Some(1)));
            capture(&make(&store), &mut first).unwrap();
            first.put(1, "an increment upon what is gone", None);
            let mut second = model();
            (100..120).for_each(|n| second.put(n, "new", Some(2)));
            let held: Truth = second.truth();
            let under = store.clone();
            let stale = Hooked::over(&store, When::Swap, move || {
                forget_org(&open(&under), org(1), &[]).unwrap();
                capture(&open(&under), &mut second).unwrap();
                prune_times(&under, times);
            });
            let refused = capture(&open(&stale), &mut first).unwrap_err();
            assert!(stale.done());
            assert_eq!(refused.kind(), Kind::Busy, "{refused}");
            sound(&store, &[(org(1), 1, &held)]);
        }
    }
}

/// slatedb 604: what a job had written was deleted before the manifest that names it was there. Here a writer sleeps
/// between its packs and its publication for longer than any grace, so that even the mark that they were condemned is gone.
#[test]
fn slatedb_604() {
    for times in 1..=4 {
        for store in places() {
            make(&store);
            let under = store.clone();
            let asleep = Hooked::over(&store, When::Stored, move || {
                prune_times(&under, times);
            });
            let published = rows(&open(&asleep), org(1), 1, 0, 300);
            assert!(asleep.done());
            match published {
                // Noted as a stray, which a commit may adopt.
                Ok(_) => assert_eq!(times, 1),
                Err(error) => {
                    assert_eq!(error.kind(), Kind::Busy, "{error}");
                    sound(&store, &[]);
                    rows(&open(&store), org(1), 1, 0, 300).unwrap();
                }
            }
            prune_times(&store, 4);
            sound(&store, &[(org(1), 1, &truth(0, 300))]);
        }
    }
}

/// slatedb 1622: flushed writes were lost, since the collector and the writer disagreed on what had been committed. Here
/// the collector works right behind the swap, before the writer knows that it went through.
#[test]
fn slatedb_1622() {
    for store in half_dead() {
        let under = store.clone();
        let behind = Hooked::over(&store, When::Swapped, move || {
            prune_times(&under, 4);
        });
        rows(&open(&behind), org(3), 1, 0, 950).unwrap();
        assert!(behind.done());
        sound(
            &store,
            &[(org(2), 1, &truth(0, 900)), (org(3), 1, &truth(0, 950))],
        );
    }
}

/// rustic docs 144: a backup paused in the middle of its writing, a prune in between, and its packs were gone. Within the
/// grace it goes on as if nothing had been.
#[test]
fn rustic_docs_144() {
    for store in places() {
        make(&store);
        let under = store.clone();
        let paused = Hooked::over(&store, When::Stored, move || {
            let patient = PruneOptions::default();
            let first = prune(&open(&under), &patient).unwrap();
            assert_eq!(first.strays, 1);
            let second = prune(&open(&under), &patient).unwrap();
            assert_eq!(
                (second.strays, second.packs_condemned, second.packs_deleted),
                (0, 0, 0)
            );
        });
        rows(&open(&paused), org(1), 1, 0, 300).unwrap();
        assert!(paused.done());
        assert!(
            open(&store).catalog().condemned().unwrap().is_empty(),
            "the note is dropped by who adopts the pack"
        );
        prune_times(&store, 4);
        sound(&store, &[(org(1), 1, &truth(0, 300))]);
    }
}

/// borg 9748: after an interrupted compaction the index claimed chunks that were deleted, the next backup did not write
/// them again, and its references led nowhere. The index here is kept in a folder across all of it.
#[test]
fn borg_9748() {
    use halite_engine::store::faulty::{Fault, Faulty};
    let dir = tempfile::tempdir().unwrap();
    let options = || VaultOptions {
        cache_dir: Some(dir.path().to_owned()),
        ..VaultOptions::default()
    };
    let mut nth = 1;
    loop {
        let store = Arc::new(Faulty::new(nth));
        let vault = Vault::create(store.clone(), &Secret::None, options()).unwrap();
        rows(&vault, org(1), 1, 0, 300).unwrap();
        rows(&vault, org(2), 1, 0, 350).unwrap();
        forget_org(&vault, org(1), &[]).unwrap();
        forget_org(&vault, org(2), &[]).unwrap();
        drop(vault);
        let before = store.mutations();
        store.fail_at(nth, Fault::Crash);
        for _ in 0..3 {
            let opened = Vault::open(store.clone(), &Secret::None, options());
            drop(opened.and_then(|vault| prune(&vault, &AT_ONCE)));
        }
        let left = store.crash_image();
        let vault = Vault::open(Arc::new(left.clone()), &Secret::None, options()).unwrap();
        rows(&vault, org(3), 1, 0, 300).unwrap();
        sound(&left, &[(org(3), 1, &truth(0, 300))]);
        if store.mutations() - before < nth {
            break;
        }
        nth += 1;
    }
    assert!(nth > 5, "commits, deletions: {nth}");
}

/// borg 9904: a repack of the index was interrupted, and a part of it taken for the whole. Here reading the directories
/// ends in the middle, once at each pack.
#[test]
fn borg_9904() {
    let store = Memory::new();
    let vault = make(&store);
    let these =
        |vault: &Vault, of: u8, n: u8| rows(vault, org(of), 1, u32::from(n) * 400, u32::from(n) * 400 + 300);
    (1..5).for_each(|n| drop(these(&vault, n, n).unwrap()));
    // What four other orgs cost that have the same rows.
    let sizes = |store: &Memory, options: VaultOptions| {
        let vault = Vault::open(Arc::new(store.clone()), &Secret::None, options)?;
        let written = (1..5).map(|n| these(&vault, 4 + n, n));
        written
            .map(|report| report.map(|r| r.bytes_added))
            .collect::<Result<Vec<_>, Error>>()
    };
    let whole = sizes(&store.fork(), VaultOptions::default()).unwrap();
    for gone in packs(&store) {
        let dir = tempfile::tempdir().unwrap();
        let options = || VaultOptions {
            cache_dir: Some(dir.path().to_owned()),
            ..VaultOptions::default()
        };
        let broken = store.fork();
        broken.delete(&gone).unwrap();
        // It fails, or has nothing to ask of that pack; in the folder is what it had read by then.
        drop(sizes(&broken, options()));
        let again = sizes(&store.fork(), options()).unwrap();
        // Padding makes a few bytes many: the names of packs are random, and compress as they will.
        let found = again
            .iter()
            .zip(&whole)
            .all(|(again, whole)| again * 5 < whole * 6);
        assert!(found, "chunks that are there are not found: {again:?} {whole:?}");
    }
}

#[test]
fn a_writer_loses_its_commit_if_a_pack_it_relied_on_is_condemned() {
    for store in places() {
        rows(&make(&store), org(1), 1, 0, 300).unwrap();
        let under = store.clone();
        let late = Hooked::over(&store, When::Swap, move || {
            forget_org(&open(&under), org(1), &[]).unwrap();
            assert!(prune_times(&under, 1).packs_condemned > 0);
        });
        let vault = open(&late);
        let refused = rows(&vault, org(2), 1, 0, 300).unwrap_err();
        assert!(late.done());
        assert_eq!(refused.kind(), Kind::Busy, "{refused}");
        assert!(refused.to_string().contains("relied on"), "{refused}");
        prune_times(&store, 3);
        rows(&vault, org(2), 1, 0, 300).unwrap();
        sound(&store, &[(org(2), 1, &truth(0, 300))]);
    }
}

#[test]
fn two_collectors_at_once_lose_nothing() {
    for times in 1..=4 {
        for store in half_dead() {
            let under = store.clone();
            let slow = Hooked::over(&store, When::Swap, move || {
                prune_times(&under, times);
            });
            let done = prune(&open(&slow), &AT_ONCE);
            assert!(slow.done());
            // Each may have chosen another copy of a chunk to stay (soak, seed 20660): the slower one gives way.
            assert_eq!(done.unwrap_err().kind(), Kind::Busy);
            sound(&store, &[(org(2), 1, &truth(0, 900))]);
            prune_times(&store, 4);
            sound(&store, &[(org(2), 1, &truth(0, 900))]);
        }
    }
}

/// What another one has deleted meanwhile is not damaged.
#[test]
fn a_collector_that_was_overtaken_is_told_to_run_again() {
    for store in half_dead() {
        let vault = open(&store);
        let planned = plan(&vault, &AT_ONCE).unwrap();
        prune_times(&store, 3);
        let refused = execute(&vault, &planned).map(drop).unwrap_err();
        assert_eq!(refused.kind(), Kind::Busy, "{refused}");
        sound(&store, &[(org(2), 1, &truth(0, 900))]);
    }
}

#[test]
fn a_reader_goes_on_when_its_packs_are_deleted() {
    for store in half_dead() {
        // Enough dead metadata that it goes too.
        (1..9).for_each(|day| drop(rows(&open(&store), org(4), day, 0, 5).unwrap()));
        let options = VaultOptions {
            cache_bytes: 0,
            ..VaultOptions::default()
        };
        let vault = Vault::open(Arc::new(store.clone()), &Secret::None, options).unwrap();
        let reading = State::at(&vault, &vault.find_snapshot(org(2), "latest").unwrap());
        let before = packs(&store);
        let mut read = Truth::new();
        reading
            .each("Thing__c", &mut |record| {
                if read.len() == 10 {
                    prune_times(&store, 3);
                    let now = packs(&store);
                    let kept = before.iter().filter(|name| now.contains(name)).count();
                    assert!(
                        kept < before.len() - 5,
                        "{kept} of {} packs are left",
                        before.len()
                    );
                }
                assert_eq!(read.insert(record.id, record.json.clone()), None, "given twice");
                Ok(())
            })
            .unwrap();
        assert_eq!(read, truth(0, 900));
        assert_eq!(
            reading
                .get("Thing__c", crate::model::id(5))
                .unwrap()
                .unwrap()
                .json,
            truth(5, 6).into_values().next().unwrap()
        );
    }
}

#[test]
fn a_reader_whose_snapshot_is_dropped_is_told() {
    for store in half_dead() {
        // What is at hand need not be asked for.
        let options = VaultOptions {
            cache_bytes: 0,
            ..VaultOptions::default()
        };
        let vault = Vault::open(Arc::new(store.clone()), &Secret::None, options).unwrap();
        let reading = State::at(&vault, &vault.find_snapshot(org(2), "latest").unwrap());
        let seen = Mutex::new(0);
        let ended = reading.each("Thing__c", &mut |_| {
            let mut seen = seen.lock().unwrap();
            *seen += 1;
            if *seen == 10 {
                forget_org(&open(&store), org(2), &[]).unwrap();
                prune_times(&store, 3);
            }
            Ok(())
        });
        let error = ended.unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound, "{error}");
        assert!(
            error.to_string().contains("was dropped while it was being read"),
            "{error}"
        );
    }
}

#[test]
fn the_newest_snapshot_and_held_ones_are_not_forgotten() {
    use halite_engine::base::stamp::Stamp;
    use halite_engine::ops::hold::{hold, holds, release};
    for store in places() {
        let vault = make(&store);
        (1..4).for_each(|day| drop(rows(&vault, org(1), day, 0, 20 * u32::from(day)).unwrap()));
        let all = vault.snapshots(org(1)).unwrap();
        assert_eq!(
            forget(&vault, org(1), &all[2..]).unwrap_err().kind(),
            Kind::Invalid
        );
        let held = hold(&vault, &all[0], "an audit", Stamp::NONE).unwrap();
        for refused in [forget(&vault, org(1), &all[..2]), forget_org(&vault, org(1), &[])] {
            assert_eq!(refused.unwrap_err().kind(), Kind::Busy);
        }
        forget(&vault, org(1), &all[1..2]).unwrap();
        prune_times(&store, 3);
        sound(&store, &[(org(1), 1, &truth(0, 20)), (org(1), 3, &truth(0, 60))]);
        let vault = open(&store);
        assert_eq!(holds(&vault).unwrap(), std::slice::from_ref(&held));
        assert_eq!(release(&vault, &held.name.to_string()[..8]).unwrap(), held);
        forget(&vault, org(1), &all[..1]).unwrap();
        assert_eq!(state(&vault, org(1), 3), truth(0, 60));
        let verbs: Vec<String> = vault
            .catalog()
            .activity()
            .unwrap()
            .into_iter()
            .map(|a| a.verb)
            .collect();
        assert!(
            ["hold", "forget", "release"]
                .iter()
                .all(|verb| verbs.iter().any(|v| v == verb)),
            "{verbs:?}"
        );
    }
}

#[test]
fn a_merge_that_is_overtaken_is_done_anew() {
    use halite_engine::ops::compact::{CompactOptions, compact};
    let all = CompactOptions {
        keep_single: 0,
        all: true,
    };
    for store in places() {
        let vault = make(&store);
        (1..4).for_each(|day| drop(rows(&vault, org(1), day, 0, 100 * u32::from(day)).unwrap()));
        let under = store.clone();
        let overtaken = Hooked::over(&store, When::Swap, move || {
            // A snapshot goes that the merge was to keep, and all is merged without it.
            let vault = open(&under);
            let all_snapshots = vault.snapshots(org(1)).unwrap();
            forget(&vault, org(1), &all_snapshots[1..2]).unwrap();
            compact(&vault, &all, &mut |_| ()).unwrap();
        });
        compact(&open(&overtaken), &all, &mut |_| ()).unwrap();
        assert!(overtaken.done());
        assert_eq!(open(&store).catalog().runs(org(1), "Thing__c").unwrap().len(), 1);
        sound(
            &store,
            &[(org(1), 1, &truth(0, 100)), (org(1), 3, &truth(0, 300))],
        );
    }
}
