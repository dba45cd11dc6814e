//! Captures that are interrupted, gone on with, superseded and pruned meanwhile; and rows whose stamp went back.
//!
//! Key decision: the org gives its rows in pages that can be gone on behind, and is gone after so many calls; every
//! such number is tried, and the outcome is compared with a capture that nothing disturbed. It tests no API.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use halite_engine::base::clock::Clock;
use halite_engine::base::id::{OrgId, RecordId};
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::capture::{BackupOptions, backup, unfinished};
use halite_engine::ops::org::{EachRow, Identity, Read, SObjectInfo, Scope, Sink, Source};
use halite_engine::ops::prune::{PruneOptions, prune};
use halite_engine::ops::report::Report;
use halite_engine::ops::state::State;
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_engine::{Error, Kind, Result};

use crate::model::{DESCRIBE, Model, Row, id};

mod workers;

const PAGE: usize = 7;

/// An org of several sObjects with the same rows, in pages, and for so many calls only.
#[derive(Clone)]
struct Paged {
    model: Model,
    left: u64,
    /// Rows given in all.
    given: usize,
    fields: &'static str,
    /// The user's rights: given at the first and at the later questions.
    rights: [u8; 2],
    /// What a reading by stamp gives of one row instead of what it is.
    stale: Option<(RecordId, Row)>,
}

impl Paged {
    fn of(rows: u32) -> Self {
        let mut model = Model {
            now: 1_700_000_000_000,
            ..Model::default()
        };
        (0..rows).for_each(|n| model.put(n * 31 % 1009, &format!("row {n}"), Some(i64::from(n))));
        Self {
            model,
            left: u64::MAX,
            given: 0,
            fields: "",
            rights: [0, 0],
            stale: None,
        }
    }

    fn call(&mut self) -> Result<()> {
        self.model.calls += 1;
        if self.left == 0 {
            return Err(Error::new(Kind::Io, "the org is gone"));
        }
        self.left -= 1;
        Ok(())
    }
}

impl Source for Paged {
    fn identity(&mut self) -> Result<Identity> {
        self.model.identity()
    }

    fn now(&mut self) -> Result<Stamp> {
        self.model.now()
    }

    fn sobjects(&mut self) -> Result<Vec<SObjectInfo>> {
        self.call()?;
        let info = |n| SObjectInfo {
            name: format!("Thing{n}__c"),
            unreadable: None,
        };
        Ok((0..3).map(info).collect())
    }

    fn describe(&mut self, sobject: &str) -> Result<Vec<u8>> {
        self.call()?;
        let text = DESCRIBE.replace("Thing__c", sobject);
        Ok(text
            .replace(r#""fields":["#, &format!(r#""fields":[{}"#, self.fields))
            .into())
    }

    fn read(&mut self, read: Read<'_>, each: &mut EachRow<'_>) -> Result<()> {
        self.call()?;
        let Scope::Ids(_) = read.scope else {
            return self.model.read(read, each);
        };
        self.model.read(read, &mut |row| {
            self.given += 1;
            each(row)
        })
    }

    fn read_all(&mut self, reads: &[Read<'_>], sink: &mut dyn Sink) -> Result<()> {
        for (at, read) in reads.iter().enumerate() {
            let from = read
                .from
                .map_or(0, |from| usize::from_le_bytes(from.try_into().unwrap()));
            let since = match read.scope {
                Scope::Since(stamp) => stamp.millis(),
                _ => i64::MIN,
            };
            let mut rows: Vec<_> = self
                .model
                .rows
                .iter()
                .map(|(id, row)| (*id, row.clone()))
                .collect();
            rows.retain(|(_, row)| row.stamp >= since);
            rows.extend(self.stale.clone().filter(|(_, row)| row.stamp >= since));
            for (n, page) in rows.chunks(PAGE).enumerate().skip(from) {
                self.call()?;
                for (id, row) in page {
                    self.given += 1;
                    sink.json(at, Model::json(*id, row).as_bytes())?;
                }
                sink.reached(at, &(n + 1).to_le_bytes())?;
            }
            sink.done(at, Ok(()))?;
        }
        Ok(())
    }

    fn count(&mut self, sobject: &str) -> Result<u64> {
        self.call()?;
        self.model.count(sobject)
    }

    fn ids(&mut self, sobject: &str, each: &mut dyn FnMut(RecordId) -> Result<()>) -> Result<()> {
        self.model.ids(sobject, each)
    }

    fn rights(&mut self) -> Result<Vec<u8>> {
        self.rights.rotate_left(1);
        Ok(vec![self.rights[1]])
    }

    fn calls(&self) -> u64 {
        self.model.calls
    }
}

fn org_id() -> OrgId {
    "00D000000000001".parse().unwrap()
}

fn open(store: &Memory) -> Vault {
    // Each opening draws names of its own.
    static SEED: AtomicU64 = AtomicU64::new(1);
    let seed = SEED.fetch_add(1, Ordering::Relaxed);
    let options = VaultOptions {
        clock: Clock::driven(Stamp::from_millis(1_700_000_000_000), seed),
        ..VaultOptions::default()
    };
    match Vault::open(Arc::new(store.clone()), &Secret::None, options.clone()) {
        Ok(vault) => vault,
        Err(_) => Vault::create(Arc::new(store.clone()), &Secret::None, options).unwrap(),
    }
}

fn options(save_every: u64) -> BackupOptions {
    BackupOptions {
        save_every,
        memory: 3000,
        ..BackupOptions::default()
    }
}

fn capture(store: &Memory, org: &mut Paged, save_every: u64) -> Result<Report> {
    backup(&open(store), org, &options(save_every), &mut |_| ())
}

/// What a snapshot holds of each sObject: rows and digests.
fn held(store: &Memory) -> Vec<(String, u64, String)> {
    let vault = open(store);
    let newest = vault.snapshots(vault.orgs()[0]).unwrap().pop().unwrap();
    let state = State::at(&vault, &newest);
    let mut all = Vec::new();
    for n in 0..3 {
        let (name, mut rows, mut text) = (format!("Thing{n}__c"), 0, String::new());
        state
            .each(&name, &mut |record| {
                rows += 1;
                text.push_str(&record.json);
                Ok(())
            })
            .unwrap();
        all.push((name, rows, text));
    }
    all
}

#[test]
fn a_capture_that_stops_anywhere_goes_on_and_reads_little_twice() {
    let (whole, mut calm) = (Memory::new(), Paged::of(100));
    capture(&whole, &mut calm, 2).unwrap();
    let (truth, calls) = (held(&whole), calm.model.calls);
    assert_eq!(truth[0].1, 100);
    for stop in 1..calls {
        let (store, mut org) = (Memory::new(), Paged::of(100));
        org.left = stop;
        capture(&store, &mut org, 2).unwrap_err();
        let given = org.given;
        org.left = u64::MAX;
        // What nothing names but a draft is not pruned.
        let at_once = PruneOptions {
            grace: 0,
            ..PruneOptions::default()
        };
        for _ in 0..2 {
            prune(&open(&store), &at_once).unwrap();
        }
        let report = capture(&store, &mut org, 2).unwrap();
        assert!(report.complete(), "after {stop} calls");
        assert_eq!(held(&store), truth, "after {stop} calls");
        assert!(
            org.given <= 300 + 2 * PAGE,
            "{} of {given} again after {stop}",
            org.given
        );
        assert_eq!(unfinished(&open(&store), org_id()).unwrap(), []);
    }
}

#[test]
fn a_capture_that_stops_again_and_again_ends() {
    let (whole, store) = (Memory::new(), Memory::new());
    capture(&whole, &mut Paged::of(100), 2).unwrap();
    let (mut org, mut tries) = (Paged::of(100), 0);
    loop {
        // The list, describes, a page or two.
        org.left = 8;
        tries += 1;
        assert!(tries < 100, "it does not come on");
        if capture(&store, &mut org, 1).is_ok() {
            break;
        }
    }
    assert!(tries > 5, "{tries}");
    assert_eq!(held(&store), held(&whole));
}

#[test]
fn a_draft_does_not_outlive_its_options_its_schema_or_its_predecessor() {
    let stopped = || {
        let (store, mut org) = (Memory::new(), Paged::of(100));
        org.left = 20;
        capture(&store, &mut org, 1).unwrap_err();
        org.left = u64::MAX;
        let vault = open(&store);
        let waiting = unfinished(&vault, org_id()).unwrap();
        assert!(waiting[0].under_way > 0, "{waiting:?}");
        org.given = 0;
        (store, org)
    };
    let (store, mut org) = stopped();
    capture(&store, &mut org, 1).unwrap();
    assert!(org.given < 300, "it went on: {}", org.given);

    let (store, mut org) = stopped();
    let full = BackupOptions {
        full: true,
        ..options(1)
    };
    backup(&open(&store), &mut org, &full, &mut |_| ()).unwrap();
    assert_eq!(org.given, 300, "other options, another capture");

    let (store, mut org) = stopped();
    org.fields = r#"{"name":"New__c","type":"string"},"#;
    capture(&store, &mut org, 1).unwrap();
    let held = held(&store);
    assert_eq!(held[0].1, 100);
    let vault = open(&store);
    assert_eq!(unfinished(&vault, org_id()).unwrap(), []);
}

#[test]
fn a_row_whose_stamp_went_back_is_asked_for_by_itself() {
    let (store, mut org) = (Memory::new(), Paged::of(20));
    capture(&store, &mut org, 8).unwrap();
    // It says less than was known, and that is how it is.
    let back = org.model.rows.get_mut(&id(31)).unwrap();
    (back.name, back.stamp) = ("back".to_owned(), back.stamp - 500);
    // An old answer about another; asked again, it is how it was.
    let mut old = org.model.rows[&id(62)].clone();
    (old.name, old.stamp) = ("old".to_owned(), old.stamp - 500);
    org.stale = Some((id(62), old));
    capture(&store, &mut org, 8).unwrap();
    let vault = open(&store);
    let newest = vault.snapshots(vault.orgs()[0]).unwrap().pop().unwrap();
    let state = State::at(&vault, &newest);
    let name = |n| state.get("Thing1__c", id(n)).unwrap().unwrap().json;
    assert!(name(31).contains(r#""Name":"back""#), "{}", name(31));
    assert!(name(62).contains(r#""Name":"row 2""#), "{}", name(62));
}

#[test]
fn what_was_read_under_changing_rights_is_read_again() {
    let (store, mut org) = (Memory::new(), Paged::of(20));
    assert!(capture(&store, &mut org, 8).unwrap().complete());
    org.model.now += 3_600_000;
    org.model.put(500, "late", None);
    org.rights = [1, 2];
    // It did not see the new row.
    let seen = org.model.rows.remove(&id(500));
    let report = capture(&store, &mut org, 8).unwrap();
    assert!(!report.sees_all && !report.complete());
    org.model.rows.extend(seen.map(|row| (id(500), row)));
    org.model.now += 3_600_000;
    org.rights = [3, 3];
    assert!(capture(&store, &mut org, 8).unwrap().complete());
    assert_eq!(held(&store)[0].1, 21);

    // Rights that differ from those of a draft are another capture's.
    let (store, mut org) = (Memory::new(), Paged::of(100));
    org.left = 20;
    capture(&store, &mut org, 1).unwrap_err();
    (org.left, org.given, org.rights) = (u64::MAX, 0, [4, 4]);
    capture(&store, &mut org, 1).unwrap();
    assert_eq!(org.given, 300);
}
