//! Erasing while others write and read, under holds, and with every write failing once.
//!
//! Key decision: others act from hooks in the store, as in the races of prune; after each failure a second run must
//! finish and prove. That the store holds nothing byte by byte is tested beside the code, where keys are at hand.

use std::sync::Arc;

use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::ops::check::{CheckOptions, Level, check};
use halite_engine::ops::compact::{CompactOptions, compact};
use halite_engine::ops::erase::{EraseOptions, EraseReport, Stage, erase, plan as plan_erase, prove};
use halite_engine::ops::history::history;
use halite_engine::ops::hold::{hold, release};
use halite_engine::ops::org::{EachRow, Read, Source};
use halite_engine::ops::prune::{execute, plan};
use halite_engine::ops::retain::forget;
use halite_engine::ops::state::State;
use halite_engine::store::faulty::{Fault, Faulty};
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_engine::{Kind, Result};

use super::{
    AT_ONCE, Hooked, Truth, When, capture, make, model, open, org, packs, prune_times, rows, sound, state,
};
use crate::model::{Model, id};

fn gone(vault: &Vault, ids: &[RecordId]) -> Result<EraseReport> {
    erase(vault, org(1), ids, &EraseOptions::default(), &mut |_| ())
}

fn less(truth: &Truth, ids: &[RecordId]) -> Truth {
    let mut truth = truth.clone();
    truth.retain(|id, _| !ids.contains(id));
    truth
}

fn proved(store: &Memory, ids: &[RecordId]) {
    let proof = prove(&open(store), org(1), &ids.iter().copied().collect()).unwrap();
    assert!(proof.holds(), "{proof:?}");
    let all = CheckOptions {
        level: Level::All,
        ..CheckOptions::default()
    };
    let report = check(&open(store), &all).unwrap();
    assert!(report.is_sound(), "{:?}", report.damages);
    assert!(report.states_proved > 0 && report.states_unproved == 0);
}

/// Two kept snapshots, two runs merged, a deleted record, and dead chunks of a third snapshot.
fn history_of(store: &Memory) -> (Model, Truth, Truth) {
    let (vault, mut org_now) = (make(store), model());
    (0..400).for_each(|n| org_now.put(n, &format!("name {n}"), Some(i64::from(n))));
    capture(&vault, &mut org_now).unwrap();
    let first = org_now.truth();
    // Of the last pages nothing changes: what is alive of them lies beside what is dead.
    (0..120)
        .step_by(5)
        .for_each(|n| org_now.put(n, &format!("edited {n}"), None));
    capture(&vault, &mut org_now).unwrap();
    org_now.delete(20);
    (0..120)
        .step_by(7)
        .for_each(|n| org_now.put(n, &format!("again {n}"), None));
    capture(&vault, &mut org_now).unwrap();
    forget(&vault, org(1), &[vault.find_snapshot(org(1), "2").unwrap()]).unwrap();
    let options = CompactOptions {
        keep_single: 1,
        all: true,
    };
    compact(&vault, &options, &mut |_| ()).unwrap();
    (org_now.clone(), first, org_now.truth())
}

const HAD: [u32; 5] = [10, 20, 35, 101, 350];

fn had() -> [RecordId; 5] {
    HAD.map(id)
}

#[test]
fn a_capture_at_work_fails_and_the_next_one_leaves_the_record_out() {
    for when in [When::Stored, When::Swap] {
        let store = Memory::new();
        let (mut org_now, first, third) = history_of(&store);
        org_now.put(10, "once more", None);
        org_now.put(11, "and this", None);
        let under = store.clone();
        let racing = Hooked::over(&store, when, move || drop(gone(&open(&under), &had()).unwrap()));
        let refused = capture(&open(&racing), &mut org_now).unwrap_err();
        assert!(racing.done());
        assert_eq!(refused.kind(), Kind::Busy, "{refused}");
        let (first, third) = (less(&first, &had()), less(&third, &had()));
        sound(&store, &[(org(1), 1, &first), (org(1), 3, &third)]);
        proved(&store, &had());
        let report = capture(&open(&store), &mut org_now).unwrap();
        let told = report.sobjects.iter().find(|s| s.name == "Thing__c").unwrap();
        // Four are live in the org; one is in its bin. The org's count is explained, once all were read.
        assert_eq!((told.erased, told.counted), (4, Some(told.live + 4)));
        assert!(report.complete());
        let fourth = less(&org_now.truth(), &had());
        sound(
            &store,
            &[(org(1), 1, &first), (org(1), 3, &third), (org(1), 4, &fourth)],
        );
        proved(&store, &had());
        // Erased in the org too: the Ids are compared once, then increments serve again.
        HAD.iter().for_each(|n| org_now.purge(*n));
        org_now.put(12, "edited", None);
        let report = capture(&open(&store), &mut org_now).unwrap();
        assert!(report.complete(), "{report:?}");
        org_now.put(12, "edited again", None);
        let report = capture(&open(&store), &mut org_now).unwrap();
        assert!(report.complete() && report.sobjects[0].read < 200, "{report:?}");
    }
}

/// The org, during whose first reading something else happens.
struct Meanwhile<'m> {
    model: &'m mut Model,
    act: Option<Box<dyn FnOnce() + 'm>>,
}

impl Source for Meanwhile<'_> {
    crate::forward::pass_on_but_read!(model);

    fn read(&mut self, read: Read<'_>, each: &mut EachRow<'_>) -> Result<()> {
        if let Some(act) = self.act.take() {
            act();
        }
        self.model.read(read, each)
    }
}

/// It knows nothing of the erasure, and writes when that is over and has searched everything.
#[test]
fn what_a_capture_writes_after_the_proof_is_not_published() {
    let store = Memory::new();
    let (vault, mut org_now) = (make(&store), model());
    (0..100).for_each(|n| org_now.put(n, "name", None));
    capture(&vault, &mut org_now).unwrap();
    let first = org_now.truth();
    org_now.put(300, "new, and erased before the vault has it", None);
    let mut source = Meanwhile {
        model: &mut org_now,
        act: Some(Box::new(|| drop(gone(&open(&store), &[id(300)]).unwrap()))),
    };
    let refused = backup(&vault, &mut source, &BackupOptions::default(), &mut |_| ()).unwrap_err();
    assert_eq!(refused.kind(), Kind::Busy);
    assert!(refused.to_string().contains("erased meanwhile"), "{refused}");
    sound(&store, &[(org(1), 1, &first)]);
    proved(&store, &[id(300)]);
    drop(source);
    let told = capture(&vault, &mut org_now).unwrap();
    assert!(told.sobjects[0].erased == 1 && told.complete());
    sound(&store, &[(org(1), 1, &first), (org(1), 2, &first)]);
}

#[test]
fn an_import_or_a_prune_at_work_fails_and_a_merge_begins_anew() {
    let begin = || {
        let store = Memory::new();
        let (_, first, third) = history_of(&store);
        (store, less(&first, &had()), less(&third, &had()))
    };
    for when in [When::Stored, When::Swap] {
        for job in ["import", "merge", "prune"] {
            let (store, first, third) = begin();
            let under = store.clone();
            let racing = Hooked::over(&store, when, move || drop(gone(&open(&under), &had()).unwrap()));
            let vault = open(&racing);
            let done = match job {
                "import" => rows(&vault, org(2), 1, 0, 300).map(drop),
                "merge" => {
                    let options = CompactOptions {
                        keep_single: 0,
                        all: true,
                    };
                    compact(&vault, &options, &mut |_| ()).map(drop)
                }
                _ => plan(&vault, &AT_ONCE).and_then(|planned| execute(&vault, &planned).map(drop)),
            };
            assert!(racing.done());
            match job {
                // What it replaced is dead, and of dead values nobody can tell whose they were.
                "merge" => {
                    done.unwrap();
                    prune_times(&store, 3);
                }
                _ => assert_eq!(done.unwrap_err().kind(), Kind::Busy, "{job}"),
            }
            proved(&store, &had());
            sound(&store, &[(org(1), 1, &first), (org(1), 3, &third)]);
            prune_times(&store, 4);
            sound(&store, &[(org(1), 1, &first), (org(1), 3, &third)]);
        }
    }
}

/// What was alive when the plan was made may have been erased before it is carried out.
#[test]
fn a_prune_planned_before_copies_nothing_back() {
    let store = Memory::new();
    let (_, first, third) = history_of(&store);
    let vault = open(&store);
    let planned = plan(&vault, &AT_ONCE).unwrap();
    assert!(!planned.repack.is_empty());
    let again = plan(&vault, &AT_ONCE).unwrap();
    let (mut refused, none) = (Vec::new(), EraseOptions::default());
    let erased = erase(&open(&store), org(1), &had(), &none, &mut |stage| {
        // The records are out of every state; their packs are there, and then they are not.
        match stage {
            Stage::TakingOut => {}
            Stage::Deleting => refused.push(execute(&open(&store), &planned).unwrap_err()),
            Stage::Proving => refused.push(execute(&vault, &again).unwrap_err()),
        }
    });
    assert!(erased.unwrap().proof.holds());
    assert!(
        refused.len() == 2 && refused.iter().all(|e| e.kind() == Kind::Busy),
        "{refused:?}"
    );
    proved(&store, &had());
    let (first, third) = (less(&first, &had()), less(&third, &had()));
    sound(&store, &[(org(1), 1, &first), (org(1), 3, &third)]);
}

#[test]
fn what_others_commit_meanwhile_is_gone_after_too() {
    for when in [When::Stored, When::Swap, When::Swapped] {
        for job in ["capture", "merge", "prune"] {
            let store = Memory::new();
            let (mut org_now, first, third) = history_of(&store);
            let (first, third) = (less(&first, &had()), less(&third, &had()));
            org_now.put(10, "once more", None);
            org_now.put(11, "and this", None);
            let fourth = less(&org_now.truth(), &had());
            let under = store.clone();
            let racing = Hooked::over(&store, when, move || match job {
                "capture" => drop(capture(&open(&under), &mut org_now).unwrap()),
                "merge" => {
                    let options = CompactOptions {
                        keep_single: 0,
                        all: true,
                    };
                    compact(&open(&under), &options, &mut |_| ()).unwrap();
                }
                _ => drop(prune_times(&under, 3)),
            });
            let report = gone(&open(&racing), &had()).unwrap();
            assert!(racing.done() && report.proof.holds());
            proved(&store, &had());
            let mut truths = vec![(org(1), 1, &first), (org(1), 3, &third)];
            if job == "capture" {
                truths.push((org(1), 4, &fourth));
            }
            sound(&store, &truths);
        }
    }
}

#[test]
fn an_erasure_that_is_raced_each_time_gives_up_with_nothing_half_done() {
    let store = Memory::new();
    let (mut org_now, first, third) = history_of(&store);
    let under = store.clone();
    let once = EraseOptions { tries: 1 };
    org_now.put(10, "once more", None);
    let racing = Hooked::over(&store, When::Swap, move || {
        drop(capture(&open(&under), &mut org_now).unwrap());
    });
    let refused = erase(&open(&racing), org(1), &had(), &once, &mut |_| ()).unwrap_err();
    assert_eq!(refused.kind(), Kind::Busy, "{refused}");
    let fourth = state(&open(&store), org(1), 4);
    assert!(fourth.contains_key(&id(10)));
    sound(
        &store,
        &[(org(1), 1, &first), (org(1), 3, &third), (org(1), 4, &fourth)],
    );
}

#[test]
fn a_hold_on_a_snapshot_that_sees_a_record_is_in_the_way() {
    let store = Memory::new();
    let (_, first, third) = history_of(&store);
    let vault = open(&store);
    let at = |number: &str| vault.find_snapshot(org(1), number).unwrap();
    let refused = |ids: &[RecordId]| {
        let planned = plan_erase(&vault, org(1), ids).unwrap_err();
        let refused = gone(&vault, ids).unwrap_err();
        assert_eq!((planned.kind(), refused.kind()), (Kind::Busy, Kind::Busy));
        assert_eq!(planned.to_string(), refused.to_string());
        refused.to_string()
    };
    let until: Stamp = "2100-05-06".parse().unwrap();
    hold(&vault, &at("1"), "an audit", until).unwrap();
    hold(&vault, &at("3"), "another", "2099-01-01".parse().unwrap()).unwrap();
    assert!(refused(&[id(20)]).contains("from 2100-05-06T00:00:00.000Z on"));
    let for_ever = hold(&vault, &at("3"), "a court", Stamp::NONE).unwrap();
    assert!(refused(&[id(10)]).contains("never"));
    sound(&store, &[(org(1), 1, &first), (org(1), 3, &third)]);
    // In the newest snapshot it is gone already, and the other holds say when they end.
    assert!(refused(&[id(20)]).contains("from 2100-05-06"));
    // A record that no held snapshot sees may go, and so may one that the vault never had.
    gone(&vault, &[id(4000)]).unwrap();
    release(&vault, &for_ever.name.to_string()).unwrap();
    assert!(refused(&[id(10)]).contains("from 2100-05-06"));
}

#[test]
fn a_hold_that_comes_before_the_commit_is_in_the_way_too() {
    let store = Memory::new();
    let (_, first, third) = history_of(&store);
    let under = store.clone();
    let racing = Hooked::over(&store, When::Swap, move || {
        let vault = open(&under);
        let first = vault.find_snapshot(org(1), "1").unwrap();
        drop(hold(&vault, &first, "an audit", Stamp::NONE).unwrap());
    });
    let refused = gone(&open(&racing), &had()).unwrap_err();
    assert!(
        racing.done() && refused.to_string().contains("never"),
        "{refused}"
    );
    sound(&store, &[(org(1), 1, &first), (org(1), 3, &third)]);
}

#[test]
fn a_reader_goes_on_without_the_record() {
    let store = Memory::new();
    let (_, first, _) = history_of(&store);
    let options = VaultOptions {
        cache_bytes: 0,
        ..VaultOptions::default()
    };
    let vault = Vault::open(Arc::new(store.clone()), &Secret::None, options).unwrap();
    let reading = State::at(&vault, &vault.find_snapshot(org(1), "1").unwrap());
    let before = packs(&store);
    let mut read = Truth::new();
    reading
        .each("Thing__c", &mut |record| {
            if read.len() == 5 {
                gone(&open(&store), &had()).unwrap();
                assert!(before.iter().filter(|name| packs(&store).contains(name)).count() < before.len());
            }
            assert_eq!(read.insert(record.id, record.json.clone()), None, "given twice");
            Ok(())
        })
        .unwrap();
    // A page that was decoded already may still have given one.
    assert_eq!(less(&read, &had()), less(&first, &had()));
    assert!(
        !read.contains_key(&id(350)),
        "its page was read after it was erased"
    );
    assert_eq!(reading.get("Thing__c", id(10)).unwrap(), None);
    assert_eq!(
        history(&vault, org(1), id(10)).unwrap_err().kind(),
        Kind::NotFound
    );
}

#[test]
fn an_erasure_that_fails_anywhere_is_finished_by_the_next() {
    let begun = Memory::new();
    let (_, first, third) = history_of(&begun);
    let before = [(org(1), 1, &first), (org(1), 3, &third)];
    let (one, three) = (less(&first, &had()), less(&third, &had()));
    let after = [(org(1), 1, &one), (org(1), 3, &three)];
    for fault in [Fault::Before, Fault::After, Fault::Full, Fault::Crash] {
        for nth in 1.. {
            let store = Arc::new(Faulty::over(begun.fork(), nth));
            store.fail_at(nth, fault);
            let vault = Vault::open(store.clone(), &Secret::None, VaultOptions::default()).unwrap();
            let done = gone(&vault, &had());
            let left = store.crash_image();
            let taken = !state(&open(&left), org(1), 1).contains_key(&id(10));
            assert!(taken || done.is_err());
            // All of it or nothing.
            sound(&left, if taken { &after } else { &before });
            let report = gone(&open(&left), &had()).unwrap();
            assert_eq!(report.versions > 0, !taken, "{fault:?} at {nth}");
            proved(&left, &had());
            sound(&left, &after);
            prune_times(&left, 5);
            assert_eq!(packs(&left).len(), open(&left).catalog().packs().len());
            sound(&left, &after);
            if store.mutations() < nth {
                assert!(done.is_ok() && nth > 10, "packs, roots, deletions: {nth}");
                break;
            }
        }
    }
}

#[test]
fn nonsense_is_refused_and_stages_are_told() {
    let store = Memory::new();
    history_of(&store);
    let vault = open(&store);
    let none = EraseOptions::default();
    let fails = |of, ids: &[RecordId]| erase(&vault, of, ids, &none, &mut |_| ()).unwrap_err().kind();
    assert_eq!(fails(org(2), &had()), Kind::NotFound);
    assert_eq!(fails(org(1), &[org(1)]), Kind::Invalid);
    assert_eq!(fails(org(1), &[]), Kind::Invalid);
    let mut stages = Vec::new();
    erase(&vault, org(1), &had(), &none, &mut |stage| stages.push(stage)).unwrap();
    assert_eq!(stages, [Stage::TakingOut, Stage::Deleting, Stage::Proving]);
}

#[test]
fn packs_under_a_former_key_are_erased_from_too() {
    use halite_engine::vault::keys::Cost;
    use halite_engine::vault::rekey::rekey;
    let store = Memory::new();
    let (_, first, last) = history_of(&store);
    let place: Arc<dyn halite_engine::store::backend::Backend> = Arc::new(store.clone());
    let options = VaultOptions::default();
    rekey(&place, &Secret::None, &Secret::None, options, Cost::FOR_TESTS).unwrap();
    let ids = [id(3), id(7), id(200)];
    let report = gone(&open(&store), &ids).unwrap();
    assert!(report.versions >= 3 && report.proof.holds());
    proved(&store, &ids);
    let vault = open(&store);
    let snapshots = vault.snapshots(org(1)).unwrap();
    let states = [&first, &last].map(|truth| less(truth, &ids));
    for (snapshot, truth) in snapshots.iter().zip(&states) {
        assert_eq!(&state(&vault, org(1), snapshot.number), truth);
    }
}
