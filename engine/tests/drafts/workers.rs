//! Workers that read one org together: whoever ends last publishes, and no end, stop or crash loses anything.
//!
//! Key decision: the outcome is held against a capture by one alone, after every number of calls at which one may stop
//! and every write of the last one that may fail. It runs no two threads: what comes between comes where progress is heard.

use std::sync::Arc;

use halite_engine::Kind;
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::capture::{BackupOptions, Worker, backup, unfinished};
use halite_engine::ops::prune::{PruneOptions, prune};
use halite_engine::ops::report::Report;
use halite_engine::store::faulty::{Fault, Faulty};
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, Vault, VaultOptions};

use super::{Paged, capture, held, open, options, org_id};

fn part(number: u32, of: u32) -> BackupOptions {
    BackupOptions {
        worker: Some(format!("{number}/{of}").parse().unwrap()),
        ..options(1)
    }
}

fn work(store: &Memory, org: &mut Paged, number: u32, of: u32) -> halite_engine::Result<Report> {
    backup(&open(store), org, &part(number, of), &mut |_| ())
}

fn snapshots(store: &Memory) -> usize {
    open(store).snapshots(org_id()).unwrap_or_default().len()
}

fn truth() -> Vec<(String, u64, String)> {
    let store = Memory::new();
    capture(&store, &mut Paged::of(100), 2).unwrap();
    held(&store)
}

#[test]
fn the_last_to_end_publishes_what_all_have_read() {
    let names = ["Thing0__c", "Thing1__c", "Thing2__c"];
    for of in 1..=4 {
        let (store, mut given, mut readers) = (Memory::new(), 0, 0);
        // The last number first: no part is special.
        for number in (1..=of).rev() {
            let mut org = Paged::of(100);
            org.model.now += i64::from(number) * 1000;
            let report = work(&store, &mut org, number, of).unwrap();
            let waits: Vec<u32> = (1..number).collect();
            assert_eq!(
                (&report.waits_for, snapshots(&store)),
                (&waits, usize::from(number == 1))
            );
            given += org.given;
            readers += u32::from(org.given > 0);
            if number > 1 {
                continue;
            }
            assert!(report.complete());
            let told: Vec<&str> = report.sobjects.iter().map(|one| one.name.as_str()).collect();
            assert_eq!(told, names);
            let info = open(&store).find_snapshot(org_id(), "1").unwrap();
            let seconds = |stamp: Stamp| (stamp.millis() - Paged::of(100).model.now) / 1000;
            assert_eq!((seconds(info.from), seconds(info.until)), (1, i64::from(of)));
        }
        assert_eq!(given, 300, "each sObject once");
        assert!(of < 3 || readers > 1, "one of {of} had everything");
        assert_eq!(held(&store), truth());
        assert_eq!(unfinished(&open(&store), org_id()).unwrap(), []);
        // The next one is an increment for each.
        let mut org = Paged::of(100);
        org.model.put(500, "new", None);
        for number in 1..=of {
            work(&store, &mut org, number, of).unwrap();
        }
        assert_eq!((snapshots(&store), held(&store)[0].1), (2, 101));
    }
}

#[test]
fn a_worker_that_stops_anywhere_goes_on_and_keeps_nobody_else() {
    let (truth, mut stops) = (truth(), 0);
    for stop in 1.. {
        let (store, mut org) = (Memory::new(), Paged::of(100));
        org.left = stop;
        if work(&store, &mut org, 1, 2).is_ok() {
            break;
        }
        stops += 1;
        org.left = u64::MAX;
        let second = work(&store, &mut org, 2, 2).unwrap();
        assert_eq!((second.waits_for, snapshots(&store)), (vec![1], 0));
        let at_once = PruneOptions {
            grace: 0,
            ..PruneOptions::default()
        };
        for _ in 0..2 {
            prune(&open(&store), &at_once).unwrap();
        }
        // Run again, who has ended reads nothing and still waits.
        let given = org.given;
        assert_eq!(work(&store, &mut org, 2, 2).unwrap().waits_for, [1]);
        assert_eq!(org.given, given);
        let report = work(&store, &mut org, 1, 2).unwrap();
        assert_eq!((report.waits_for, snapshots(&store)), (vec![], 1));
        assert_eq!(held(&store), truth, "after {stop} calls");
    }
    assert!(stops > 5, "{stops}");
}

#[test]
fn whatever_write_of_the_last_one_fails_the_snapshot_comes_once() {
    let truth = truth();
    let mut failed = 0;
    for (nth, fault) in
        (1..).flat_map(|nth| [Fault::Before, Fault::After, Fault::Crash].map(|fault| (nth, fault)))
    {
        let (store, mut org) = (Memory::new(), Paged::of(100));
        work(&store, &mut org, 1, 2).unwrap();
        let faulty = Arc::new(Faulty::over(store, nth));
        let vault = Vault::open(faulty.clone(), &Secret::None, VaultOptions::default()).unwrap();
        faulty.fail_at(nth, fault);
        let ended = backup(&vault, &mut org, &part(2, 2), &mut |_| ());
        if faulty.mutations() < nth {
            break;
        }
        failed += u32::from(ended.is_err());
        let store = faulty.crash_image();
        // Either of them brings it to its end.
        let again = if nth % 2 == 0 { [1, 2] } else { [2, 1] };
        for number in again
            .into_iter()
            .filter(|_| snapshots(&store) == 0)
            .collect::<Vec<_>>()
        {
            if snapshots(&store) == 0 {
                work(&store, &mut org, number, 2).unwrap();
            }
        }
        assert_eq!(snapshots(&store), 1, "{fault:?} at write {nth}");
        assert_eq!(held(&store), truth, "{fault:?} at write {nth}");
        assert_eq!(unfinished(&open(&store), org_id()).unwrap(), []);
    }
    assert!(failed > 5, "{failed}");
}

#[test]
fn one_that_publishes_before_the_last_has_told_is_not_taken_for_a_stranger() {
    let (store, mut org) = (Memory::new(), Paged::of(100));
    work(&store, &mut org, 1, 2).unwrap();
    let (vault, mut other, mut published) = (open(&store), org.clone(), false);
    let report = backup(&vault, &mut org, &part(2, 2), &mut |_| {
        // After each saving; the last one says that it has ended.
        published |= work(&store, &mut other, 1, 2).unwrap().waits_for.is_empty();
    });
    let report = report.unwrap();
    assert!(published, "it was not quicker");
    assert_eq!(
        (report.waits_for, report.sobjects.len(), snapshots(&store)),
        (vec![], 3, 1)
    );
    assert_eq!(held(&store), truth());
}

#[test]
fn workers_are_superseded_by_whoever_publishes_before_them() {
    let (store, mut org) = (Memory::new(), Paged::of(100));
    work(&store, &mut org, 1, 2).unwrap();
    let (vault, mut other) = (open(&store), org.clone());
    let mut once = true;
    let error = backup(&vault, &mut org, &part(2, 2), &mut |_| {
        if std::mem::take(&mut once) {
            capture(&store, &mut other, 8).unwrap();
        }
    });
    assert_eq!(error.unwrap_err().kind(), Kind::Busy);
    assert_eq!((snapshots(&store), held(&store)), (1, truth()));
    assert_eq!(unfinished(&open(&store), org_id()).unwrap(), []);
    // Other parts are another capture: three of three do not wait for one of two.
    work(&store, &mut org, 1, 2).unwrap();
    for (number, waits) in [(1, vec![2, 3]), (2, vec![3]), (3, vec![])] {
        assert_eq!(work(&store, &mut org, number, 3).unwrap().waits_for, waits);
    }
    assert_eq!(snapshots(&store), 2);
}

#[test]
fn parts_are_numbers_from_one_on() {
    for bad in ["", "1", "0/2", "3/2", "1/101", "a/b", "1/2/3", "-1/2"] {
        let error = bad.parse::<Worker>().unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{bad}");
    }
    for of in [1, 2, 7, 100] {
        let workers: Vec<Worker> = (1..=of).map(|n| format!("{n}/{of}").parse().unwrap()).collect();
        for n in 0..500 {
            let name = format!("Thing{n}__c");
            assert_eq!(workers.iter().filter(|worker| worker.reads(&name)).count(), 1);
        }
    }
}
