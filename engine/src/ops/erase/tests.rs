//! Erasures against a plain map, with digests proved and the store searched byte by byte under its keys.
//!
//! Key decision: in here, since digests and chunks cannot be looked at without keys; the search is written anew and
//! shares nothing with the proof. Races and faults are tried from outside, not here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::*;
use crate::base::stamp::Stamp;
use crate::format::digest::Tally;
use crate::format::page::{Part, VersionKind, decode_derived, decode_keys};
use crate::format::scan::scan;
use crate::format::seal::ChunkKind;
use crate::ops::compact::{CompactOptions, compact};
use crate::ops::diff::diff;
use crate::ops::history::history;
use crate::ops::import::import;
use crate::ops::prune::{PruneOptions, prune};
use crate::ops::retain::forget;
use crate::ops::state::State;
use crate::store::backend::{Backend, pack_name, pack_of_name};
use crate::store::memory::Memory;
use crate::vault::run::StateCursor;
use crate::vault::{Secret, VaultOptions};
use proptest::prelude::*;

const DESCRIBE: &str = r#"{"name":"Account","keyPrefix":"001","fields":[{"name":"Id","type":"id"},
  {"name":"Name","type":"string"},{"name":"ParentId","type":"reference"},
  {"name":"Loud","type":"string","calculated":true},{"name":"SystemModstamp","type":"datetime"},
  {"name":"LastModifiedDate","type":"datetime"},{"name":"LastModifiedById","type":"reference"}]}"#;

type Truth = BTreeMap<RecordId, String>;

fn org(n: u8) -> OrgId {
    format!("00D00000000000{n}").parse().unwrap()
}

fn id(n: u32) -> RecordId {
    format!("001{:012}", n * 37).parse().unwrap()
}

/// What a record says; `None` of a parent is none.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    name: u32,
    stamp: u32,
    parent: Option<u32>,
}

fn json(n: u32, row: &Row) -> String {
    let stamp = Stamp::from_millis(1_700_000_000_000 + i64::from(row.stamp) * 1000);
    let parent = row
        .parent
        .map_or(String::new(), |p| format!(r#","ParentId":"{}""#, id(p)));
    // In byte order of names, as the engine gives it.
    format!(
        r#"{{"Id":"{}","LastModifiedById":"005000000000001AAA","LastModifiedDate":"{stamp}","Loud":"LOUD {}","Name":"name {}"{parent},"SystemModstamp":"{stamp}"}}"#,
        id(n),
        row.name,
        row.name
    )
}

struct Under {
    store: Memory,
    vault: Vault,
    day: u32,
    rows: BTreeMap<u32, Row>,
    truths: BTreeMap<u64, Truth>,
    erased: BTreeSet<RecordId>,
}

impl Under {
    fn begin() -> Self {
        let store = Memory::new();
        let vault = Vault::create(Arc::new(store.clone()), &Secret::None, VaultOptions::default()).unwrap();
        Self {
            store,
            vault,
            day: 0,
            rows: BTreeMap::new(),
            truths: BTreeMap::new(),
            erased: BTreeSet::new(),
        }
    }

    fn take(&mut self, of: OrgId) -> crate::ops::report::Report {
        self.day += 1;
        let dir = tempfile::tempdir().unwrap();
        let text: String = self.rows.iter().map(|(n, row)| json(*n, row) + "\n").collect();
        std::fs::write(dir.path().join("Account.ndjson"), text).unwrap();
        std::fs::write(dir.path().join("Account.describe.json"), DESCRIBE).unwrap();
        let at = Stamp::from_millis(1_750_000_000_000 + i64::from(self.day) * 3_600_000);
        import(&self.vault, of, at, dir.path(), false, &mut |_| ()).unwrap()
    }

    fn snapshot(&mut self) {
        let report = self.take(org(1));
        let mut truth: Truth = self.rows.iter().map(|(n, row)| (id(*n), json(*n, row))).collect();
        let came = truth.len();
        truth.retain(|id, _| !self.erased.contains(id));
        assert_eq!(report.sobjects[0].erased, (came - truth.len()) as u64);
        self.truths.insert(report.snapshot, truth);
    }

    fn erase(&mut self, ids: &[RecordId]) -> EraseReport {
        let planned = plan(&self.vault, org(1), ids).unwrap();
        let had = self
            .truths
            .values()
            .any(|truth| ids.iter().any(|id| truth.contains_key(id)));
        let report = erase(&self.vault, org(1), ids, &EraseOptions::default(), &mut |_| ()).unwrap();
        assert_eq!((planned.versions, planned.runs), (report.versions, report.runs));
        assert!(!had || (report.versions > 0 && report.packs_deleted > 0));
        assert!(
            report.proof.holds() && report.proof.unpublished == 0,
            "{report:?}"
        );
        self.erased.extend(ids);
        for truth in self.truths.values_mut() {
            truth.retain(|id, _| !ids.contains(id));
        }
        report
    }

    fn find(&self, number: u64) -> crate::vault::SnapshotInfo {
        self.vault.find_snapshot(org(1), &number.to_string()).unwrap()
    }

    /// States, differences, histories and digests are the model's, and the store holds nothing of what was erased.
    fn check(&self) {
        let there: Vec<u64> = self
            .vault
            .snapshots(org(1))
            .unwrap()
            .iter()
            .map(|s| s.number)
            .collect();
        assert_eq!(there, self.truths.keys().copied().collect::<Vec<_>>());
        let mut before: Option<(u64, &Truth)> = None;
        for (number, truth) in &self.truths {
            let (info, mut found) = (self.find(*number), Truth::new());
            let state = State::at(&self.vault, &info);
            if self.vault.catalog().object(org(1), "Account").unwrap().is_some() {
                let each = state.each("Account", &mut |r| {
                    found.insert(r.id, r.json.clone());
                    Ok(())
                });
                each.unwrap();
            }
            assert_eq!(found, *truth, "snapshot {number}");
            if let Some((other, was)) = before {
                let mut changed = BTreeSet::new();
                diff(&self.vault, &self.find(other), &info, None, &mut |c| {
                    changed.insert(c.id);
                    Ok(())
                })
                .unwrap();
                let ids = was.keys().chain(truth.keys());
                let content = |t: &Truth, id: &RecordId| {
                    t.get(id).map(|j| {
                        j.split_once("Loud")
                            .unwrap()
                            .1
                            .split_once("\"SystemModstamp")
                            .unwrap()
                            .0
                            .to_owned()
                    })
                };
                let model: BTreeSet<RecordId> = ids
                    .filter(|id| content(was, id) != content(truth, id))
                    .copied()
                    .collect();
                assert_eq!(changed, model, "{other} to {number}");
            }
            before = Some((*number, truth));
        }
        for id in &self.erased {
            assert_eq!(
                history(&self.vault, org(1), *id).unwrap_err().kind(),
                Kind::NotFound
            );
        }
        digests(&self.vault, org(1));
        let raw = raw(&self.vault, &self.store, &self.erased);
        assert_eq!((raw.versions, raw.other), (0, 0));
    }
}

/// Every digest and every number of live records that a manifest or the state of an sObject tells, computed anew.
fn digests(vault: &Vault, org: OrgId) {
    let catalog = vault.catalog();
    let of = |sobject: &str, number: u64| {
        let (keys, mut tally) = (vault.keys.digest_key(), Tally::default());
        let mut cursor = StateCursor::open(vault, &catalog.runs(org, sobject).unwrap(), number).unwrap();
        while let Some(version) = cursor.next(false).unwrap() {
            if version.key.kind.is_live() {
                tally.add(&Tally::of(keys, sobject, &version.key));
            }
        }
        (tally.live, tally.content, tally.stamps)
    };
    for snapshot in catalog.snapshots(org).unwrap() {
        for told in State::at(vault, &snapshot).manifest().unwrap().sobjects {
            let proved = of(&told.name, snapshot.number);
            assert_eq!(
                (told.live, told.content, told.stamps_digest),
                proved,
                "snapshot {}",
                snapshot.number
            );
        }
    }
    for (name, told) in catalog.objects(org).unwrap() {
        assert_eq!(
            (told.live, told.content, told.stamps),
            of(&name, u64::MAX),
            "{name}"
        );
    }
}

#[derive(Debug, Default, PartialEq)]
struct Raw {
    versions: usize,
    /// Values that name one.
    values: usize,
    /// Any other chunk that has the text of one.
    other: usize,
}

/// Every chunk of every pack in the store.
fn raw(vault: &Vault, store: &Memory, ids: &BTreeSet<RecordId>) -> Raw {
    let mut raw = Raw::default();
    let names = |text: &[u8]| ids.iter().any(|id| text.windows(15).any(|w| w == id.as_bytes()));
    for name in store.list("packs/").unwrap() {
        let pack = pack_of_name(&name).unwrap();
        for chunk in scan(&vault.keys, &pack, &store.get(&name).unwrap()) {
            let (entry, plain) = chunk.unwrap();
            let mut cells = |part: &Part| {
                let spans = part.columns.iter().flat_map(|c| c.cells.iter().flatten());
                raw.values += spans.filter(|span| names(part.bytes(span))).count();
            };
            match entry.kind {
                ChunkKind::PageKeys => {
                    let keys = decode_keys(0, &plain).unwrap();
                    raw.versions += keys.iter().filter(|key| ids.contains(&key.id)).count();
                }
                ChunkKind::PageValues => cells(&Part::decode(&plain).unwrap()),
                ChunkKind::PageDerived => cells(&decode_derived(&plain).unwrap().1),
                _ => raw.other += usize::from(names(&plain)),
            }
        }
    }
    raw
}

#[derive(Debug, Clone)]
enum Step {
    Put(u32, u32),
    Touch(u32),
    Delete(u32),
    Snapshot,
    Compact,
    Forget(usize),
    Prune(i64),
    Erase(u32, u32),
}

fn step() -> impl Strategy<Value = Step> {
    let n = || 0..200_u32;
    prop_oneof![
        8 => (n(), 0..50_u32).prop_map(|(n, name)| Step::Put(n, name)),
        3 => n().prop_map(Step::Touch),
        3 => n().prop_map(Step::Delete),
        6 => Just(Step::Snapshot),
        2 => Just(Step::Compact),
        2 => (0..9_usize).prop_map(Step::Forget),
        2 => prop_oneof![Just(0), Just(86_400_000)].prop_map(Step::Prune),
        2 => (n(), 1..4_u32).prop_map(|(n, step)| Step::Erase(n, step)),
    ]
}

fn row(name: u32, stamp: u32) -> Row {
    Row {
        name,
        stamp,
        parent: name.is_multiple_of(3).then_some(name),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_is_erased_is_nowhere_and_all_else_is_as_it_was(steps in proptest::collection::vec(step(), 1..50)) {
        let mut under = Under::begin();
        under.rows.extend((0..150).map(|n| (n, row(n, 0))));
        under.snapshot();
        let mut now = 0;
        for step in steps {
            now += 1;
            match step {
                Step::Put(n, name) => drop(under.rows.insert(n, row(name, now))),
                Step::Touch(n) => drop(under.rows.get_mut(&n).map(|row| row.stamp = now)),
                Step::Delete(n) => drop(under.rows.remove(&n)),
                Step::Snapshot => under.snapshot(),
                Step::Compact => {
                    let options = CompactOptions { keep_single: (now % 3) as usize, all: now % 2 == 0 };
                    compact(&under.vault, &options, &mut |_| ()).unwrap();
                }
                Step::Forget(which) => {
                    let old: Vec<u64> = under.truths.keys().rev().skip(1).copied().collect();
                    if let Some(number) = old.get(which % old.len().max(1)) {
                        forget(&under.vault, org(1), &[under.find(*number)]).unwrap();
                        under.truths.remove(number);
                    }
                }
                Step::Prune(grace) => {
                    prune(&under.vault, &PruneOptions { max_unused: 0.3, grace }).unwrap();
                }
                Step::Erase(n, many) => {
                    let ids: Vec<RecordId> = (0..many).map(|i| id(n + 7 * i)).collect();
                    under.erase(&ids);
                }
            }
        }
        under.erase(&[id(3), id(4), id(900)]);
        under.check();
        // The dump still has them.
        under.rows.insert(3, row(1, now + 1));
        under.snapshot();
        under.check();
        compact(&under.vault, &CompactOptions { keep_single: 0, all: true }, &mut |_| ()).unwrap();
        for _ in 0..3 {
            prune(&under.vault, &PruneOptions { max_unused: 0.0, grace: 0 }).unwrap();
        }
        under.check();
        prop_assert_eq!(under.erase(&[id(3), id(4)]).versions, 0);
    }
}

#[test]
fn a_whole_sobject_can_be_erased_and_mentions_are_counted() {
    let mut under = Under::begin();
    under.rows = (0..5).map(|n| (n, row(n, n))).collect();
    under.rows.insert(
        9,
        Row {
            name: 1,
            stamp: 1,
            parent: Some(2),
        },
    );
    under.snapshot();
    under.rows.get_mut(&2).unwrap().name = 77;
    under.snapshot();
    let planned = plan(&under.vault, org(1), &[id(2), id(2)]).unwrap();
    assert_eq!(
        (
            planned.ids,
            planned.records,
            planned.versions,
            planned.runs,
            planned.snapshots
        ),
        (1, 1, 2, 2, 2)
    );
    let report = under.erase(&[id(2)]);
    assert_eq!(
        (report.ids, report.records, report.versions, report.runs),
        (1, 1, 2, 2)
    );
    assert_eq!(report.proof.mentions, BTreeMap::from([("Account".to_owned(), 1)]));
    assert_eq!(raw(&under.vault, &under.store, &under.erased).values, 1);
    under.check();
    let all: Vec<RecordId> = under.rows.keys().map(|n| id(*n)).collect();
    under.erase(&all);
    under.check();
    assert!(under.truths.values().all(Truth::is_empty));
    assert!(under.vault.catalog().runs(org(1), "Account").unwrap().is_empty());
    under.rows.insert(30, row(1, 1));
    under.snapshot();
    under.check();
    let log = under.vault.catalog().activity().unwrap();
    let told: Vec<&str> = log
        .iter()
        .filter(|line| line.verb == "erase")
        .map(|line| &*line.detail)
        .collect();
    assert_eq!(told[0], "1 Ids: 2 versions of 1 records taken out of 2 runs");
    assert!(
        told[1].starts_with("1 Ids, 2 versions: ") && told[1].ends_with(" searched, nothing found"),
        "{told:?}"
    );
    assert!(told.iter().all(|line| {
        under
            .erased
            .iter()
            .all(|id| !line.contains(&id.to_string()[..15]))
    }));
}

#[test]
fn the_same_ids_of_another_org_stay() {
    let mut under = Under::begin();
    under.rows = (0..300).map(|n| (n, row(n, n))).collect();
    under.take(org(2));
    under.snapshot();
    let report = erase(
        &under.vault,
        org(1),
        &[id(7)],
        &EraseOptions::default(),
        &mut |_| (),
    )
    .unwrap();
    assert_eq!((report.versions, report.proof.other_orgs), (1, 1));
    let state = |of| {
        let (info, mut count) = (under.vault.find_snapshot(of, "latest").unwrap(), 0);
        let each = State::at(&under.vault, &info).each("Account", &mut |_| {
            count += 1;
            Ok(())
        });
        each.map(|()| count).unwrap()
    };
    assert_eq!((state(org(1)), state(org(2))), (299, 300));
    digests(&under.vault, org(1));
    digests(&under.vault, org(2));
    // A later import of the other org is not told to leave it out.
    assert_eq!(under.take(org(2)).sobjects[0].erased, 0);
    let proof = prove(&under.vault, org(2), &BTreeSet::from([id(7)])).unwrap();
    assert!(!proof.holds() && proof.versions > 0, "{proof:?}");
}

/// A pack that a killed writer left, and one that prune condemned and did not delete yet.
#[test]
fn strays_and_condemned_packs_go_too() {
    let mut under = Under::begin();
    under.rows = (0..100).map(|n| (n, row(n, n))).collect();
    under.snapshot();
    let before = under.store.fork();
    under.rows.insert(5, row(99, 400));
    under.snapshot();
    // As if the second import had died before its commit.
    let root = before.root().unwrap();
    let now = under.store.root().unwrap();
    assert!(under.store.swap_root(now.as_deref(), &root.unwrap()).unwrap());
    under.truths.remove(&2);
    under.vault = Vault::open(
        Arc::new(under.store.clone()),
        &Secret::None,
        VaultOptions::default(),
    )
    .unwrap();
    let patient = PruneOptions {
        max_unused: 0.0,
        grace: 86_400_000,
    };
    under.snapshot();
    forget(&under.vault, org(1), &[under.find(1)]).unwrap();
    under.truths.remove(&1);
    compact(
        &under.vault,
        &CompactOptions {
            keep_single: 0,
            all: true,
        },
        &mut |_| (),
    )
    .unwrap();
    let condemned = prune(&under.vault, &patient).unwrap();
    assert!(
        condemned.packs_condemned > 0 && condemned.strays > 0,
        "{condemned:?}"
    );
    let wanted = BTreeSet::from([id(5)]);
    assert!(raw(&under.vault, &under.store, &wanted).versions >= 3);
    assert!(!prove(&under.vault, org(1), &wanted).unwrap().holds());
    under.erase(&[id(5)]);
    under.check();
    // One that a crash brought back is condemned still, and goes with the next prune.
    let gone = under.vault.catalog().condemned().unwrap()[0].0;
    under.store.put_new(&pack_name(&gone), b"back").unwrap();
    prune(
        &under.vault,
        &PruneOptions {
            max_unused: 1.0,
            grace: 0,
        },
    )
    .unwrap();
    assert!(under.store.get(&pack_name(&gone)).is_err());
}

#[test]
fn losses_and_holds_name_nobody() {
    use crate::base::id::ChunkId;
    use crate::format::entry::{named, prefix};
    use crate::format::loss::LossEntry;
    use crate::ops::hold::{hold, holds};
    let mut under = Under::begin();
    under.rows = (0..10).map(|n| (n, row(n, n))).collect();
    under.snapshot();
    under.rows.remove(&4);
    under.rows.remove(&6);
    under.snapshot();
    let lost = |what: String| {
        let at = Stamp::from_millis(1);
        LossEntry { kind: 2, at, what }.encode()
    };
    // So many that the node's full copy names them, and few that are to change.
    under
        .vault
        .commit(&[], &mut |edit| {
            for n in 0..200 {
                let low = match n {
                    1 => id(4),
                    2 => id(5),
                    _ => id(3),
                };
                let (high, key) = (&id(6).to_string()[..15], ChunkId([n; 32]));
                let what = format!("Account, Ids {low} to {high}");
                edit.node(None).put(named(prefix::LOSS, &key.0), lost(what));
            }
            Ok(())
        })
        .unwrap();
    hold(
        &under.vault,
        &under.find(2),
        &format!("about {}", id(4)),
        Stamp::NONE,
    )
    .unwrap();
    under.erase(&[id(4)]);
    under.check();
    under.erase(&[id(6)]);
    under.check();
    let told = |n: usize| under.vault.catalog().losses().unwrap()[n].1.what.clone();
    assert_eq!(told(1), "Account, Ids (erased) to (erased)");
    assert_eq!(told(2), format!("Account, Ids {} to (erased)", id(5)));
    assert_eq!(holds(&under.vault).unwrap()[0].entry.reason, "about (erased)");
    // One that is made later is found by the next.
    hold(
        &under.vault,
        &under.find(2),
        &format!("again {}", id(4)),
        Stamp::NONE,
    )
    .unwrap();
    under.erase(&[id(4)]);
    under.check();
}

#[test]
fn tombstones_are_versions_too() {
    let mut under = Under::begin();
    under.rows = (0..10).map(|n| (n, row(n, n))).collect();
    under.snapshot();
    under.rows.remove(&4);
    under.snapshot();
    let kinds: Vec<VersionKind> = history(&under.vault, org(1), id(4))
        .unwrap()
        .iter()
        .map(|v| v.kind)
        .collect();
    assert_eq!(kinds, [VersionKind::Value, VersionKind::Vanished]);
    assert_eq!(under.erase(&[id(4)]).versions, 2);
    under.check();
    let among = |of, ids: &[RecordId]| erased_among(&under.vault, of, ids.iter().copied()).unwrap();
    assert_eq!(among(org(1), &[id(5), id(4)]), Some(id(4)));
    assert_eq!((among(org(1), &[id(5)]), among(org(2), &[id(4)])), (None, None));
    // A dump of changes that tells of its end does not bring its Id back.
    let dir = tempfile::tempdir().unwrap();
    let changed = |name: &str, text: String| std::fs::write(dir.path().join(name), text).unwrap();
    changed("Account.deleted", format!("{}\n{}\n", id(4), id(5)));
    changed(
        "Account.ndjson",
        json(6, &row(8, 900)) + "\n" + &json(4, &row(8, 900)) + "\n",
    );
    changed("Account.describe.json", DESCRIBE.to_owned());
    let at = Stamp::from_millis(1_850_000_000_000);
    let report = import(&under.vault, org(1), at, dir.path(), true, &mut |_| ()).unwrap();
    under.rows.remove(&5);
    under.rows.insert(6, row(8, 900));
    under.truths.insert(
        report.snapshot,
        under
            .rows
            .iter()
            .map(|(n, row)| (id(*n), json(*n, row)))
            .collect(),
    );
    under.check();
}
