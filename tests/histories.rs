//! Random histories of an org, kept as snapshots, compared and brought back, against what the org itself knows.
//!
//! Key decision: the org's own tables are the truth, put into canonical form here by rules written a second time;
//! all else goes over HTTP through the connector, and plans are made by the very code that the command uses.
//! The org rests while it is read: reading while others write is not tested here, nor are faults and quotas.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use halite_connector::{Connect, Grant, SalesforceOrg, Secret as Hidden};
use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use halite_engine::format::describe::Describe;
use halite_engine::format::schema::{Role, Schema};
use halite_engine::ops::capture::{self, BackupOptions};
use halite_engine::ops::diff::{self, ChangeKind};
use halite_engine::ops::org::Source;
use halite_engine::ops::restore::apply::{self, Applied};
use halite_engine::ops::restore::between::{self, Scope};
use halite_engine::ops::restore::journal::{Lines, replay};
use halite_engine::ops::restore::plan::Plan;
use halite_engine::ops::restore::undo::undo;
use halite_engine::ops::state::State;
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, SnapshotInfo, Vault, VaultOptions};
use halite_simulator::{CLIENT_ID, CLIENT_SECRET, Org, Server};
use proptest::prelude::*;
use serde_json::Value;

mod steps;
mod truth;

use steps::{Step, steps};
use truth::{Described, Truth, moved, relinked, rid};

/// Parents come before what needs them. Two trees, a master with details, and a ring of two lookups.
const OBJECTS: [&str; 6] = [
    "Account",
    "Contact",
    "Mine__c",
    "Shaft__c",
    "Shipment__c",
    "Crystal__c",
];

/// Rows of the sample that each history begins with, an object.
const KEPT: usize = 3;

/// An org under way, with every snapshot and what was true when it was taken.
struct History {
    org: Org,
    source: SalesforceOrg,
    vault: Vault,
    described: BTreeMap<&'static str, Described>,
    taken: Vec<(SnapshotInfo, Truth)>,
    serial: u32,
    /// The first snapshot that can be brought back without making twice what a restore has made anew.
    first: usize,
    _server: Server,
}

impl History {
    fn begin(cascade_stamps: bool) -> Self {
        let org = Org::sample();
        org.configure(|s| s.cascade_stamps = cascade_stamps);
        for object in OBJECTS.iter().rev() {
            for row in org.rows(object).iter().skip(KEPT) {
                let _ = org.expire(&[row["Id"].as_str().unwrap()]);
            }
        }
        let server = Server::start(org.clone()).unwrap();
        let grant = Grant::ClientCredentials {
            client_id: CLIENT_ID.into(),
            client_secret: Hidden::new(CLIENT_SECRET),
        };
        let mut source = Connect::new(server.url().parse().unwrap())
            .grant(grant)
            .open()
            .unwrap();
        let described = OBJECTS.map(|object| {
            let describe = Describe::parse(&source.describe(object).unwrap()).unwrap();
            let schema = Schema::of(&describe).unwrap();
            (object, Described { describe, schema })
        });
        let place = Arc::new(Memory::new());
        Self {
            org,
            source,
            vault: Vault::create(place, &Secret::None, VaultOptions::default()).unwrap(),
            described: described.into(),
            taken: Vec::new(),
            serial: 0,
            first: 0,
            _server: server,
        }
    }

    fn play(&mut self, steps: &[Step]) {
        self.backup(false);
        for step in steps {
            self.step(step);
        }
        self.restore(steps.len());
        self.backup(true);
        for (info, truth) in &self.taken {
            self.check_state(info, truth);
        }
    }

    fn step(&mut self, step: &Step) {
        let org = &self.org;
        match *step {
            Step::Create(object, seed) => {
                let values = self.values(OBJECTS[object], seed);
                let _ = self.org.create(OBJECTS[object], &values);
            }
            Step::Edit(object, row, seed) => {
                if let Some(id) = self.pick(object, row) {
                    let mut values = self.values(OBJECTS[object], seed.rotate_left(7));
                    let mut at = 0;
                    values.as_object_mut().unwrap().retain(|name, _| {
                        at += 1;
                        seed >> (at % 13) & 1 == 1 && !(OBJECTS[object] == "Shaft__c" && name == "Mine__c")
                    });
                    let _ = self.org.update(&id, &values);
                }
            }
            Step::Delete(object, row) => drop(self.pick(object, row).map(|id| org.delete(&id))),
            Step::Purge(object, row) => drop(self.pick_any(object, row).map(|id| org.purge(&[&id]))),
            Step::Undelete(object, row) => drop(self.pick_deleted(object, row).map(|id| org.undelete(&id))),
            Step::Again(object, row, seed, purge) => self.again(object, row, seed, purge),
            Step::Expire => org.expire_purged(),
            Step::View(object, row) => drop(self.pick(object, row).map(|id| org.view(&id))),
            Step::Wait(minutes) => org.clock().advance(Duration::from_secs(u64::from(minutes) * 60)),
            Step::Backup(full) => self.backup(full),
            Step::Restore(to) => self.restore(to),
        }
    }

    fn pick(&self, object: usize, row: usize) -> Option<String> {
        let rows = self.org.rows(OBJECTS[object]);
        let row = rows.get(row.checked_rem(rows.len())?)?;
        row["Id"].as_str().map(str::to_owned)
    }

    fn pick_deleted(&self, object: usize, row: usize) -> Option<String> {
        let ids = self.org.deleted(OBJECTS[object]);
        ids.get(row.checked_rem(ids.len())?).cloned()
    }

    fn pick_any(&self, object: usize, row: usize) -> Option<String> {
        if row.is_multiple_of(2) {
            self.pick(object, row / 2)
        } else {
            self.pick_deleted(object, row / 2)
        }
    }

    fn again(&mut self, object: usize, row: usize, seed: u32, purge: bool) {
        let Some(id) = self.pick(object, row) else { return };
        let old = self.org.row(&id).unwrap();
        let gone = if purge {
            self.org.purge(&[&id])
        } else {
            self.org.delete(&id)
        };
        let mut values = self.values(OBJECTS[object], seed);
        for name in ["Name", "FirstName", "LastName"] {
            if let Some(value) = values.get_mut(name) {
                *value = old[name].clone();
            }
        }
        if gone.is_ok() {
            let _ = self.org.create(OBJECTS[object], &values);
        }
    }

    fn values(&mut self, object: &str, seed: u32) -> Value {
        self.serial += 1;
        steps::values(object, seed, self.serial, |object, row| self.pick(object, row))
    }

    fn truth(&self) -> Truth {
        let table = |(object, described): (&&'static str, &Described)| {
            let rows = self.org.rows(object).into_iter();
            let rows = rows.map(|r| (rid(r["Id"].as_str().unwrap()), described.canonical(&r)));
            (*object, rows.collect())
        };
        self.described.iter().map(table).collect()
    }

    /// Takes a snapshot and checks it, and its difference to every one before.
    fn backup(&mut self, full: bool) {
        self.org.clock().advance(Duration::from_secs(60));
        let options = BackupOptions {
            only: Some(OBJECTS.map(str::to_owned).into()),
            full,
            ..BackupOptions::default()
        };
        let report = capture::backup(&self.vault, &mut self.source, &options, &mut |_| {}).unwrap();
        assert!(report.complete(), "{report:?}");
        let info = self
            .vault
            .find_snapshot(report.org.parse().unwrap(), &report.name)
            .unwrap();
        let truth = self.truth();
        self.check_state(&info, &truth);
        for (earlier, was) in &self.taken {
            self.check_diff((earlier, was), (&info, &truth));
            self.check_diff((&info, &truth), (earlier, was));
        }
        self.taken.push((info, truth));
    }

    fn check_state(&self, info: &SnapshotInfo, truth: &Truth) {
        let state = State::at(&self.vault, info);
        for (object, rows) in truth {
            let mut found = BTreeMap::new();
            state
                .each(object, &mut |record| {
                    found.insert(record.id, self.described[object].kept(&record.json));
                    Ok(())
                })
                .unwrap();
            assert_eq!(&found, rows, "{object} in snapshot {}", info.number);
        }
    }

    fn check_diff(&self, (a, was): (&SnapshotInfo, &Truth), (b, is): (&SnapshotInfo, &Truth)) {
        let mut found = BTreeMap::new();
        diff::diff(&self.vault, a, b, None, &mut |change| {
            found.insert((change.sobject, change.id), (change.kind, change.fields));
            Ok(())
        })
        .unwrap();
        let mut expected = BTreeMap::new();
        for (object, described) in &self.described {
            let names = described.names(&[Role::Content]);
            let ids: BTreeSet<_> = was[object].keys().chain(is[object].keys()).collect();
            for id in ids {
                let change = match (was[object].get(id), is[object].get(id)) {
                    (None, _) => (ChangeKind::Created, Vec::new()),
                    (_, None) => (ChangeKind::Deleted, Vec::new()),
                    (Some(x), Some(y)) => {
                        let differ = names.iter().filter(|n| x.get(**n) != y.get(**n));
                        (ChangeKind::Edited, differ.map(|n| (*n).to_owned()).collect())
                    }
                };
                if change.0 != ChangeKind::Edited || !change.1.is_empty() {
                    expected.insert(((*object).to_owned(), *id), change);
                }
            }
        }
        assert_eq!(found, expected, "from snapshot {} to {}", a.number, b.number);
    }

    /// Brings an earlier snapshot back and checks the org against it.
    fn restore(&mut self, to: usize) {
        self.backup(false);
        let since = &self.taken[self.first..];
        let (then, was) = &since[to % since.len()];
        let (now, is) = &self.taken[self.taken.len() - 1];
        let bin = OBJECTS.iter().flat_map(|o| self.org.deleted(o));
        let bin: BTreeSet<RecordId> = bin.map(|id| rid(&id)).collect();
        let scope = Scope::default();
        let plan = between::plan(&self.vault, then, now, &scope).unwrap();
        assert!(plan.impossible.is_empty(), "{:?}", plan.impossible);
        let mut journal = Lines(Vec::new());
        let applied = apply::apply(&plan, &mut self.source, &mut journal, &mut |_, _| {}).unwrap();
        check_outcomes(&plan, &applied);
        let after = self.truth();
        for (object, described) in &self.described {
            let mut expected = BTreeSet::new();
            for (old, row) in &was[object] {
                let id = applied.id_map.get(old).unwrap_or(old);
                expected.insert(*id);
                let found = after[object].get(id);
                let found = found.unwrap_or_else(|| panic!("{object} {old} did not come back: {plan:?}"));
                let before = is[object].get(old);
                for field in described.settable() {
                    let wanted = row.get(&field.name).map(|text| moved(text, field, &applied));
                    let found = found.get(&field.name);
                    if found != wanted.as_ref() && !relinked(before, &field.name, found, &bin) {
                        let at = format!("{object} {old} {} of snapshot {}", field.name, then.number);
                        panic!("{at}: {wanted:?} wanted, {found:?} found: {plan:?} {applied:?}");
                    }
                }
            }
            let newer = |id: &&RecordId| is[object].contains_key(id);
            let lost = is[object].keys().find(|id| !after[object].contains_key(id));
            assert_eq!(lost, None, "{object}: a restore deletes nothing");
            let mut rest = after[object]
                .keys()
                .filter(|id| !expected.contains(id) && !newer(id));
            assert_eq!(
                rest.find(|id| !bin.contains(id)),
                None,
                "{object}: out of nowhere"
            );
        }
        if to.is_multiple_of(3) {
            let is = is.clone();
            self.undo(&plan, std::str::from_utf8(&journal.0).unwrap(), &is);
        }
        if !applied.id_map.is_empty() {
            self.first = self.taken.len();
            self.backup(false);
        }
    }
}

impl History {
    /// Takes a restore back and checks the org against what it was before.
    fn undo(&mut self, plan: &Plan, journal: &str, was: &Truth) {
        let past = replay(journal.lines()).unwrap();
        let back = undo(plan, &past, Stamp::from_millis(1)).unwrap();
        let mut written = Vec::new();
        back.write(&mut written).unwrap();
        let back = Plan::read(&written[..]).unwrap();
        let undone = apply::apply(&back, &mut self.source, &mut Lines(Vec::new()), &mut |_, _| {}).unwrap();
        check_outcomes(&back, &undone);
        let after = self.truth();
        for (object, described) in &self.described {
            let ids = |truth: &Truth| truth[object].keys().copied().collect::<BTreeSet<_>>();
            assert_eq!(ids(&after), ids(was), "{object}: {journal} {back:?}");
            for (id, row) in &was[object] {
                for field in described.settable() {
                    let (was, is) = (row.get(&field.name), after[object][id].get(&field.name));
                    assert_eq!(was, is, "{object} {id} {}: {journal} {back:?}", field.name);
                }
            }
        }
    }
}

/// Every operation did what the plan wanted.
fn check_outcomes(plan: &Plan, applied: &Applied) {
    let bad: Vec<_> = applied
        .outcomes
        .ends
        .iter()
        .filter(|(_, end)| !end.is_done())
        .collect();
    assert!(bad.is_empty(), "{bad:?}\n{:?}", plan.operations);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn snapshots_diffs_and_restores_agree_with_the_org(cascade_stamps: bool, steps in steps()) {
        History::begin(cascade_stamps).play(&steps);
    }
}
