//! One snapshot through a catalog that may grow old: reading goes on after what was being read has been collected.
//!
//! Key decision: in one place. A read that finds a chunk collected takes the newest root, finds the snapshot in it by
//! name, opens its runs anew and goes on behind the last Id it gave; states are the same under every catalog. It does
//! not go on if the snapshot was dropped, or the one it is compared with, and it repeats nothing that was given.

use std::cell::RefCell;
use std::sync::Arc;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::RecordId;
use crate::format::entry::RunEntry;
use crate::format::loss::HoleEntry;
use crate::format::page::KeyRow;
use crate::vault::catalog::{Catalog, SnapshotInfo};
use crate::vault::open::Vault;
use crate::vault::run::{Finder, StateCursor, Version};

/// A snapshot, and the catalog it is read through.
pub struct View<'v> {
    /// The vault.
    pub vault: &'v Vault,
    /// The snapshot.
    pub snapshot: SnapshotInfo,
    /// Another snapshot of the org that is compared with it: what is read means nothing once that is dropped.
    pub beside: Option<SnapshotInfo>,
    catalog: RefCell<Arc<Catalog>>,
}

/// A finder over the runs of one sObject as one version of the root has them; none at first.
pub struct AtHand<'v> {
    finder: Option<(u64, Finder<'v>)>,
    keeps: usize,
}

impl Default for AtHand<'_> {
    fn default() -> Self {
        Self::keeping(1)
    }
}

impl AtHand<'_> {
    /// Of a finder that keeps so many parts of each directory; see [`Finder::keeping`].
    pub fn keeping(keeps: usize) -> Self {
        Self { finder: None, keeps }
    }
}

impl<'v> View<'v> {
    /// A snapshot through the catalog at hand.
    pub fn new(vault: &'v Vault, snapshot: &SnapshotInfo) -> Self {
        Self {
            vault,
            snapshot: snapshot.clone(),
            beside: None,
            catalog: RefCell::new(vault.catalog()),
        }
    }

    /// The catalog in use.
    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog.borrow())
    }

    /// The runs of an sObject with versions above snapshot `low` that this one may see.
    ///
    /// # Errors
    /// `NotFound` if the snapshot is not kept any more: what it alone saw may have been merged away.
    pub fn runs(&self, sobject: &str, low: u64) -> Result<Vec<RunEntry>> {
        let catalog = self.kept()?;
        let mut runs = catalog.runs(self.snapshot.org, sobject)?;
        runs.retain(|run| run.low <= self.snapshot.number && run.high > low);
        Ok(runs)
    }

    /// The holes of an sObject that show: here, or at snapshot `since` where the reading begins (0: nowhere).
    pub fn holes(&self, sobject: &str, since: u64) -> Result<Vec<HoleEntry>> {
        let mut holes = self.catalog().holes(self.snapshot.org, sobject)?;
        holes.retain(|(_, hole)| {
            let shows = hole.shows_at(self.snapshot.number) || since > 0 && hole.shows_at(since);
            hole.costs_versions() && shows
        });
        Ok(holes.into_iter().map(|(_, hole)| hole).collect())
    }

    /// Sees that nothing lost would be missing from what is read: of a whole sObject, or of one record.
    pub fn whole(&self, sobject: &str, since: u64, id: Option<RecordId>) -> Result<()> {
        for hole in self.holes(sobject, since)? {
            if id.is_none_or(|id| hole.covers(id)) {
                self.vault.pass_over(format_args!("{sobject}, {hole}"))?;
            }
        }
        Ok(())
    }

    /// Does a read, and again through a newer catalog if what it read was collected.
    pub fn steady<T>(&self, mut read: impl FnMut() -> Result<T>) -> Result<T> {
        loop {
            let under = self.catalog().version();
            match read() {
                Err(error) if error.kind() == Kind::Busy => self.renew(under, error)?,
                done => return done,
            }
        }
    }

    /// Does a read with a finder over the runs of an sObject above snapshot `low`, as [`View::steady`] does; the finder
    /// stays in `at_hand` for the next read of the same.
    pub fn find<T>(
        &self,
        (sobject, low): (&str, u64),
        at_hand: &mut AtHand<'v>,
        mut read: impl FnMut(&mut Finder<'v>) -> Result<T>,
    ) -> Result<T> {
        self.steady(|| {
            let under = self.catalog().version();
            let mut finder = match at_hand.finder.take() {
                Some((version, finder)) if version == under => finder,
                _ => Finder::new(self.vault, &self.runs(sobject, low)?).keeping(at_hand.keeps),
            };
            let found = read(&mut finder)?;
            at_hand.finder = Some((under, finder));
            Ok(found)
        })
    }

    /// The newest versions above snapshot `low`, in order of Ids.
    pub fn rows(&self, sobject: &str, low: u64) -> Rows<'_, 'v> {
        Rows {
            view: self,
            sobject: sobject.to_owned(),
            low,
            cursor: None,
            under: 0,
            last: None,
        }
    }

    /// The catalog in use.
    ///
    /// # Errors
    /// `NotFound` if it does not keep the snapshot, or the one that it is compared with.
    pub fn kept(&self) -> Result<Arc<Catalog>> {
        let catalog = self.catalog();
        self.stands(&catalog).map(|()| catalog)
    }

    /// Whether what is read through a catalog means anything.
    fn stands(&self, catalog: &Catalog) -> Result<()> {
        for needed in [Some(&self.snapshot), self.beside.as_ref()].into_iter().flatten() {
            let SnapshotInfo { org, number, .. } = *needed;
            let there = catalog.snapshot_entry(org, number);
            if !there.is_ok_and(|entry| entry.name == needed.name) {
                let message = format!("snapshot {number} of org {org} was dropped while it was being read");
                return Err(Error::new(Kind::NotFound, message)
                    .hint("read another one; a hold keeps a snapshot while it is needed"));
            }
        }
        Ok(())
    }

    /// Takes the newest catalog in use, unless another read has done so since the one that failed `under` its own;
    /// gives `error` if there is no newer one.
    pub(super) fn renew(&self, under: u64, error: Error) -> Result<()> {
        if under < self.catalog().version() {
            return Ok(());
        }
        let newest = self.vault.refresh()?;
        if newest.version() == self.catalog().version() {
            return Err(error);
        }
        self.stands(&newest)?;
        tracing::info!(%error, version = newest.version(), "reading goes on under a newer root");
        self.catalog.replace(newest);
        Ok(())
    }
}

/// A cursor that survives a collection.
pub struct Rows<'w, 'v> {
    view: &'w View<'v>,
    sobject: String,
    low: u64,
    cursor: Option<StateCursor<'v>>,
    /// The version of the root that it was opened under.
    under: u64,
    last: Option<RecordId>,
}

impl Rows<'_, '_> {
    /// As [`StateCursor::next`].
    pub fn next(&mut self, with_values: bool) -> Result<Option<Version>> {
        loop {
            match self.step(with_values) {
                Ok(version) => {
                    self.last = version.as_ref().map(|version| version.key.id).or(self.last);
                    return Ok(version);
                }
                // It stands somewhere in the middle: another one is opened behind what was given.
                Err(error) if error.kind() == Kind::Busy => {
                    self.view.renew(self.under, error)?;
                    self.cursor = None;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// As [`StateCursor::oldest`].
    pub fn oldest(&self) -> Option<&KeyRow> {
        self.cursor.as_ref().and_then(StateCursor::oldest)
    }

    fn step(&mut self, with_values: bool) -> Result<Option<Version>> {
        let cursor = match &mut self.cursor {
            Some(cursor) => cursor,
            None => {
                self.under = self.view.catalog().version();
                self.view.whole(&self.sobject, self.low, None)?;
                let runs = self.view.runs(&self.sobject, self.low)?;
                let number = self.view.snapshot.number;
                let mut cursor = StateCursor::between(self.view.vault, &runs, self.low, number)?;
                if let Some(last) = self.last {
                    cursor.seek(last)?;
                }
                self.cursor.insert(cursor)
            }
        };
        loop {
            let version = cursor.next(with_values)?;
            if version
                .as_ref()
                .is_none_or(|version| Some(version.key.id) > self.last)
            {
                return Ok(version);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::OrgId;
    use crate::base::stamp::Stamp;
    use crate::format::entry::prefix;
    use crate::ops::compact::{CompactOptions, compact};
    use crate::ops::diff::{diff, touched};
    use crate::ops::import::import;
    use crate::ops::prune::{PruneOptions, prune};
    use crate::ops::retain::{forget, forget_org};
    use crate::ops::state::State;
    use crate::store::memory::Memory;
    use crate::vault::{Secret, VaultOptions};

    fn org(n: u8) -> OrgId {
        format!("00D00000000000{n}").parse().unwrap()
    }

    fn id(n: usize) -> String {
        format!("001{n:012}")
    }

    fn ids(from: usize) -> Vec<String> {
        let id = |n| id(n).parse::<RecordId>().unwrap().to_string();
        (from..900).map(id).collect()
    }

    fn rows(vault: &Vault, org: OrgId, day: u8, count: usize) {
        let dir = tempfile::tempdir().unwrap();
        let line = |n: usize| format!("{{\"Id\":\"{}\",\"Name\":\"name {n}\"}}\n", id(n));
        let text: String = (0..count).map(line).collect();
        std::fs::write(dir.path().join("Account.ndjson"), text).unwrap();
        let at: Stamp = format!("2026-01-{day:02}").parse().unwrap();
        import(vault, org, at, dir.path(), false, &mut |_| ()).unwrap();
    }

    /// Two orgs that come from the same state to the same state by other runs, and a handle that keeps nothing in memory.
    fn begin() -> (Memory, Vault) {
        let store = Memory::new();
        Vault::create(Arc::new(store.clone()), &Secret::None, VaultOptions::default()).unwrap();
        let options = VaultOptions {
            cache_bytes: 0,
            ..VaultOptions::default()
        };
        let vault = Vault::open(Arc::new(store.clone()), &Secret::None, options).unwrap();
        for (org, between) in [(org(1), 600), (org(2), 450)] {
            let counts = [300, between, 900];
            (1..)
                .zip(counts)
                .for_each(|(day, count)| rows(&vault, org, day, count));
        }
        (store, vault)
    }

    /// Gives org 1 the runs of org 2, as if they had been merged, and takes away what it had.
    fn replace(store: &Memory) {
        let options = VaultOptions::default();
        let vault = Vault::open(Arc::new(store.clone()), &Secret::None, options).unwrap();
        let runs = |edit: &crate::vault::commit::Edit<'_>, n| {
            let node = edit.before.node(org(n)).unwrap();
            let entries = node.scan(&[prefix::RUN]).map(|(k, v)| (k.to_vec(), v.to_vec()));
            entries.collect::<Vec<_>>()
        };
        vault
            .commit(&[], &mut |edit| {
                for (key, _) in runs(edit, 1) {
                    edit.node(Some(org(1))).remove(&key);
                }
                for (key, run) in runs(edit, 2) {
                    edit.node(Some(org(1))).put(key, run);
                }
                Ok(())
            })
            .unwrap();
        forget_org(&vault, org(2), &[]).unwrap();
        let at_once = PruneOptions {
            max_unused: 0.0,
            grace: 0,
        };
        for _ in 0..3 {
            prune(&vault, &at_once).unwrap();
        }
    }

    #[test]
    fn a_state_is_read_to_its_end_when_its_runs_were_replaced() {
        let (store, vault) = begin();
        let state = State::at(&vault, &vault.find_snapshot(org(1), "3").unwrap());
        let (mut seen, version) = (Vec::new(), state.view.catalog().version());
        state
            .each("Account", &mut |record| {
                if seen.len() == 10 {
                    replace(&store);
                }
                seen.push(record.id.to_string());
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, ids(0));
        assert!(
            state.view.catalog().version() > version,
            "nothing was collected under it"
        );
    }

    #[test]
    fn lines_are_read_to_their_end_when_their_runs_were_replaced() {
        let (store, vault) = begin();
        let state = State::at(&vault, &vault.find_snapshot(org(1), "3").unwrap());
        let (mut text, mut blocks, version) = (Vec::new(), 0, state.view.catalog().version());
        state
            .lines("Account", &mut |lines, _| {
                if blocks == 0 {
                    replace(&store);
                }
                blocks += 1;
                text.extend_from_slice(lines);
                Ok(())
            })
            .unwrap();
        let seen: Vec<String> = String::from_utf8(text)
            .unwrap()
            .lines()
            .map(|line| line[7..25].to_owned())
            .collect();
        assert_eq!(seen, ids(0));
        assert!(
            state.view.catalog().version() > version,
            "nothing was collected under it"
        );
    }

    /// What a version replaced is rewritten to what the snapshots kept by then saw before it.
    #[test]
    fn a_difference_is_not_told_of_a_snapshot_that_was_dropped() {
        for (a, b) in [("1", "3"), ("3", "1")] {
            let (store, vault) = begin();
            let at = |number| vault.find_snapshot(org(1), number).unwrap();
            let (a, b, mut seen) = (at(a), at(b), 0);
            let told = diff(&vault, &a, &b, None, &mut |_| {
                seen += 1;
                if seen == 10 {
                    let other = Vault::open(Arc::new(store.clone()), &Secret::None, VaultOptions::default());
                    let (other, first) = (other.unwrap(), at("1"));
                    drop(forget(&other, org(1), &[first]));
                    replace(&store);
                }
                Ok(())
            });
            let error = told.unwrap_err();
            assert_eq!(error.kind(), Kind::NotFound, "{error}");
        }
    }

    #[test]
    fn a_snapshot_that_was_dropped_before_is_not_read() {
        let (_, vault) = begin();
        let [first, second] = ["1", "2"].map(|number| vault.find_snapshot(org(1), number).unwrap());
        forget(&vault, org(1), std::slice::from_ref(&first)).unwrap();
        let all = CompactOptions {
            keep_single: 0,
            all: true,
        };
        compact(&vault, &all, &mut |_| ()).unwrap();
        let state = State::at(&vault, &first).each("Account", &mut |_| Ok(()));
        let found = touched(&vault, &first, &second, None, &mut |_| Ok(()));
        forget_org(&vault, org(1), &[]).unwrap();
        let third = touched(&vault, &first, &second, None, &mut |_| Ok(()));
        for refused in [state, found, third] {
            assert_eq!(refused.unwrap_err().kind(), Kind::NotFound);
        }
    }

    #[test]
    fn a_difference_is_read_to_its_end_when_its_runs_were_replaced() {
        let (store, vault) = begin();
        let at = |number| vault.find_snapshot(org(1), number).unwrap();
        let mut seen = Vec::new();
        diff(&vault, &at("1"), &at("3"), None, &mut |change| {
            if seen.len() == 10 {
                replace(&store);
            }
            seen.push(change.id.to_string());
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, ids(300));
    }
}
