//! Merging runs changes nothing that anybody can see: random histories with merges between, against a plain map.
//!
//! Key decision: the model is the org itself as it was at each snapshot; captures run with so little memory that
//! they flush again and again. Merges are also interrupted at each of their writes. It does not test which runs are
//! merged when: that is beside the policy.

use std::collections::BTreeMap;
use std::sync::Arc;

use halite_engine::base::clock::Clock;
use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use halite_engine::format::manifest::Captured;
use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::ops::compact::{CompactOptions, compact};
use halite_engine::ops::diff::diff;
use halite_engine::ops::history::history;
use halite_engine::ops::org::{EachRow, Read, Scope, Source};
use halite_engine::ops::retain::forget;
use halite_engine::ops::state::State;
use halite_engine::store::faulty::{Fault, Faulty};
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, SnapshotInfo, Vault, VaultOptions};
use halite_engine::{Kind, Result};
use proptest::prelude::*;

use crate::capture::model_diff;
use crate::model::{Model, Row, id};

pub(crate) type Truth = BTreeMap<RecordId, String>;

/// The model, read in any order, and some rows twice: as they were a moment ago, and then as they are.
struct Shuffled<'m> {
    model: &'m mut Model,
    /// Rows that come first.
    stale: Vec<Vec<u8>>,
    turn: usize,
}

impl Source for Shuffled<'_> {
    crate::forward::pass_on_but_read!(model);

    fn read(&mut self, read: Read<'_>, each: &mut EachRow<'_>) -> Result<()> {
        if !matches!(read.scope, Scope::Ids(_)) {
            self.stale.iter().try_for_each(|row| each(row))?;
        }
        let mut rows = Vec::new();
        self.model.read(read, &mut |row| {
            rows.push(row.to_vec());
            Ok(())
        })?;
        let at = self.turn % rows.len().max(1);
        rows.rotate_left(at);
        rows.iter().try_for_each(|row| each(row))
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Put(u32, u8, i64),
    Touch(u32),
    Delete(u32),
    Purge(u32),
    Backup { full: bool, memory: usize },
    Compact { keep_single: usize, all: bool },
    Drop(usize),
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let n = || 0..300_u32;
    prop_oneof![
        12 => (n(), 0..4_u8, 0..4_i64).prop_map(|(n, name, size)| Step::Put(n, name, size)),
        4 => n().prop_map(Step::Touch),
        4 => n().prop_map(Step::Delete),
        1 => n().prop_map(Step::Purge),
        8 => (any::<bool>(), prop_oneof![Just(1_usize << 20), Just(6000)])
            .prop_map(|(full, memory)| Step::Backup { full, memory }),
        4 => (0..4_usize, any::<bool>()).prop_map(|(keep_single, all)| Step::Compact { keep_single, all }),
        2 => (0..50_usize).prop_map(Step::Drop),
    ]
}

/// Every third row as it was a moment before its last change.
fn halfway(model: &Model) -> Vec<Vec<u8>> {
    let rows = model.rows.iter().step_by(3).map(|(id, row)| {
        let row = Row {
            name: "halfway".to_owned(),
            stamp: row.stamp - 500,
            deleted: false,
            ..row.clone()
        };
        Model::json(*id, &row).into_bytes()
    });
    rows.collect()
}

/// A vault under way, with what the org was at each snapshot.
pub(crate) struct Under {
    pub(crate) vault: Vault,
    model: Model,
    pub(crate) truths: BTreeMap<u64, Truth>,
    turn: usize,
}

impl Under {
    pub(crate) fn begin(place: Arc<dyn halite_engine::store::backend::Backend>) -> Self {
        let options = VaultOptions {
            clock: Clock::driven(Stamp::from_millis(1_700_000_000_000), 7),
            ..VaultOptions::default()
        };
        let mut model = Model {
            now: 1_700_000_000_000,
            writable: true,
            ..Model::default()
        };
        (0..200).for_each(|n| model.put(n, &format!("name {}", n % 7), Some(i64::from(n % 5))));
        Self {
            vault: Vault::create(place, &Secret::None, options).unwrap(),
            model,
            truths: BTreeMap::new(),
            turn: 0,
        }
    }

    pub(crate) fn backup(&mut self, full: bool, memory: usize) -> Captured {
        self.turn += 37;
        let options = BackupOptions {
            full,
            memory,
            overlap_millis: 3000,
            only: None,
            ..BackupOptions::default()
        };
        let mut source = Shuffled {
            turn: self.turn,
            stale: halfway(&self.model),
            model: &mut self.model,
        };
        let report = backup(&self.vault, &mut source, &options, &mut |_| ()).unwrap();
        self.model.now += 1000;
        self.truths.insert(report.snapshot, self.model.truth());
        let info = self.find(report.snapshot);
        let manifest = State::at(&self.vault, &info).manifest().unwrap();
        manifest
            .sobjects
            .into_iter()
            .find(|s| s.name == "Thing__c")
            .unwrap()
    }

    pub(crate) fn find(&self, number: u64) -> SnapshotInfo {
        self.vault
            .find_snapshot(self.vault.orgs()[0], &number.to_string())
            .unwrap()
    }

    pub(crate) fn take(&mut self, step: &Step) {
        let model = &mut self.model;
        match *step {
            Step::Put(n, name, size) => model.put(n, &format!("name {name}"), (size > 0).then_some(size)),
            Step::Touch(n) => {
                if let Some(row) = model.rows.get(&id(n)).cloned().filter(|row| !row.deleted) {
                    model.put(n, &row.name, row.size);
                }
            }
            Step::Delete(n) => model.delete(n),
            Step::Purge(n) => model.purge(n),
            Step::Backup { full, memory } => drop(self.backup(full, memory)),
            Step::Compact { keep_single, all } => {
                compact(&self.vault, &CompactOptions { keep_single, all }, &mut |_| ()).unwrap();
            }
            Step::Drop(n) => {
                // The newest always stays.
                let old: Vec<u64> = self.truths.keys().rev().skip(1).copied().collect();
                if let Some(number) = old.get(n % old.len().max(1)) {
                    forget(&self.vault, self.vault.orgs()[0], &[self.find(*number)]).unwrap();
                    self.truths.remove(number);
                }
            }
        }
    }

    /// Every kept snapshot reads as the org was.
    fn check(&self) {
        for (number, truth) in &self.truths {
            let (info, mut found) = (self.find(*number), Truth::new());
            let state = State::at(&self.vault, &info);
            let each = state.each("Thing__c", &mut |r| {
                found.insert(r.id, r.json.clone());
                Ok(())
            });
            each.unwrap();
            assert_eq!(found, *truth, "snapshot {number}");
            for n in (0..300).step_by(7) {
                let one = state.get("Thing__c", id(n)).unwrap().map(|r| r.json);
                assert_eq!(one.as_ref(), truth.get(&id(n)), "record {n} at {number}");
            }
            let manifest = state.manifest().unwrap();
            let live = manifest
                .sobjects
                .iter()
                .find(|s| s.name == "Thing__c")
                .unwrap()
                .live;
            assert_eq!(live, truth.len() as u64, "live at {number}");
        }
        let all: Vec<_> = self.truths.iter().collect();
        for (a, b) in all
            .iter()
            .zip(all.iter().skip(1))
            .chain(all.first().zip(all.last()))
        {
            for (a, b) in [(a, b), (b, a)] {
                let mut found = BTreeMap::new();
                let each = diff(&self.vault, &self.find(*a.0), &self.find(*b.0), None, &mut |c| {
                    found.insert(c.id, c.kind);
                    Ok(())
                });
                each.unwrap();
                assert_eq!(found, model_diff(a.1, b.1), "{} to {}", a.0, b.0);
            }
        }
        self.check_histories();
    }

    /// What each kept snapshot saw of a record is in its history, in order.
    fn check_histories(&self) {
        for n in (0..300).step_by(23) {
            let seen: Vec<_> = self
                .truths
                .values()
                .filter_map(|truth| truth.get(&id(n)))
                .collect();
            if seen.is_empty() {
                continue;
            }
            let told = history(&self.vault, self.vault.orgs()[0], id(n)).unwrap();
            let mut told = told.iter().filter_map(|version| version.json.as_ref()).peekable();
            for json in seen {
                while told.peek().is_some_and(|told| *told != json) {
                    told.next();
                }
                assert_eq!(told.peek(), Some(&json), "record {n}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn merges_change_nothing(steps in proptest::collection::vec(step(), 1..60)) {
        let mut under = Under::begin(Arc::new(Memory::new()));
        under.backup(true, 1 << 20);
        for step in &steps {
            under.take(step);
        }
        under.check();
        compact(&under.vault, &CompactOptions { keep_single: 0, all: true }, &mut |_| ()).unwrap();
        let org = under.vault.orgs()[0];
        prop_assert!(under.vault.catalog().runs(org, "Thing__c").unwrap().len() <= 1);
        under.check();
        under.backup(true, 1 << 20);
        under.check();
    }
}

/// A row that comes twice, once in each of two flushes, is counted once, and leaves the digests that it would leave
/// if it came once.
#[test]
fn rows_that_come_in_two_flushes_are_counted_once() {
    let mut told = Vec::new();
    for memory in [1 << 20, 4000] {
        let mut under = Under::begin(Arc::new(Memory::new()));
        under.backup(true, memory);
        for n in 0..120 {
            under.model.put(n, "edited", Some(1));
        }
        (120..130).for_each(|n| under.model.delete(n));
        (200..250).for_each(|n| under.model.put(n, "new", None));
        let first = under.backup(true, memory);
        let runs = under
            .vault
            .catalog()
            .runs(under.vault.orgs()[0], "Thing__c")
            .unwrap();
        assert!(runs.len() <= 2, "one run a snapshot: {}", runs.len());
        (0..60).for_each(|n| under.model.put(n, "again", Some(2)));
        (60..70).for_each(|n| under.model.put(n, "edited", Some(1)));
        let second = under.backup(false, memory);
        under.check();
        let counts = |c: &Captured| {
            (
                c.created,
                c.edited,
                c.stamps,
                c.deleted,
                c.live,
                c.content,
                c.stamps_digest,
            )
        };
        told.push([counts(&first), counts(&second)]);
    }
    assert_eq!(told[0], told[1]);
    let [(created, edited, stamps, deleted, live, ..), _] = told[0];
    assert_eq!((created, edited, stamps, deleted, live), (50, 120, 0, 10, 240));
}

#[test]
fn a_merge_that_fails_anywhere_leaves_what_was_there() {
    for fault in [Fault::Before, Fault::After, Fault::Full, Fault::Crash] {
        let mut nth = 1;
        loop {
            let store = Arc::new(Faulty::new(nth));
            let mut under = Under::begin(store.clone());
            for day in 0..5 {
                (0..200)
                    .skip(day)
                    .step_by(9)
                    .for_each(|n| under.model.put(n, &format!("day {day}"), None));
                under.backup(false, 1 << 20);
            }
            let before = store.mutations();
            store.fail_at(nth, fault);
            let options = CompactOptions {
                keep_single: 0,
                all: true,
            };
            let result = compact(&under.vault, &options, &mut |_| ());
            let reached = store.mutations() - before >= nth;
            let survivor = Arc::new(store.crash_image());
            under.vault = Vault::open(survivor, &Secret::None, VaultOptions::default()).unwrap();
            under.check();
            if let (Err(error), Fault::Full) = (&result, fault) {
                assert_eq!(error.kind(), Kind::Quota, "{error}");
            }
            let again = compact(&under.vault, &options, &mut |_| ()).unwrap();
            assert_eq!(again.runs_after, 1, "{fault:?} at {nth}");
            under.check();
            if !reached {
                assert!(
                    result.is_ok() && nth > 3,
                    "a pack, metadata twice and a root: {nth}"
                );
                break;
            }
            nth += 1;
        }
    }
}
