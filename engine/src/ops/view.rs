//! One snapshot through a catalog that may grow old: reading goes on after what was being read has been collected.
//!
//! Key decision: in one place. A read that finds a chunk collected takes the newest root, finds the snapshot in it by
//! name, opens its runs anew and goes on behind the last Id it gave; states are the same under every catalog. It does
//! not go on if the snapshot was dropped, and it repeats nothing that was given.

use std::cell::RefCell;
use std::sync::Arc;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::RecordId;
use crate::format::entry::RunEntry;
use crate::vault::catalog::{Catalog, SnapshotInfo};
use crate::vault::open::Vault;
use crate::vault::run::{StateCursor, Version};

/// A snapshot, and the catalog it is read through.
pub struct View<'v> {
    /// The vault.
    pub vault: &'v Vault,
    /// The snapshot.
    pub snapshot: SnapshotInfo,
    catalog: RefCell<Arc<Catalog>>,
}

impl<'v> View<'v> {
    /// A snapshot through the catalog at hand.
    pub fn new(vault: &'v Vault, snapshot: &SnapshotInfo) -> Self {
        Self {
            vault,
            snapshot: snapshot.clone(),
            catalog: RefCell::new(vault.catalog()),
        }
    }

    /// The catalog in use.
    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog.borrow())
    }

    /// The runs of an sObject with versions above snapshot `low` that this one may see.
    pub fn runs(&self, sobject: &str, low: u64) -> Result<Vec<RunEntry>> {
        let mut runs = self.catalog().runs(self.snapshot.org, sobject)?;
        runs.retain(|run| run.low <= self.snapshot.number && run.high > low);
        Ok(runs)
    }

    /// Does a read, and again through a newer catalog if what it read was collected.
    pub fn steady<T>(&self, mut read: impl FnMut() -> Result<T>) -> Result<T> {
        loop {
            match read() {
                Err(error) if error.kind() == Kind::Busy => self.renew(error)?,
                done => return done,
            }
        }
    }

    /// The newest versions above snapshot `low`, in order of Ids.
    pub fn rows(&self, sobject: &str, low: u64) -> Rows<'_, 'v> {
        Rows {
            view: self,
            sobject: sobject.to_owned(),
            low,
            cursor: None,
            last: None,
        }
    }

    /// Takes the newest catalog in use; `error` if it is in use already.
    fn renew(&self, error: Error) -> Result<()> {
        let newest = self.vault.refresh()?;
        if newest.version() == self.catalog().version() {
            return Err(error);
        }
        let SnapshotInfo {
            org, number, name, ..
        } = self.snapshot;
        if !newest.snapshots(org)?.iter().any(|s| s.name == name) {
            let message = format!("snapshot {number} of org {org} was dropped while it was being read");
            return Err(Error::new(Kind::NotFound, message)
                .hint("read another one; a hold keeps a snapshot while it is needed"));
        }
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
    last: Option<RecordId>,
}

impl Rows<'_, '_> {
    /// As [`StateCursor::next`].
    pub fn next(&mut self, with_values: bool) -> Result<Option<Version>> {
        let view = self.view;
        let version = view.steady(|| {
            let version = self.step(with_values);
            if version.is_err() {
                // It stands somewhere in the middle: the next one is opened anew.
                self.cursor = None;
            }
            version
        })?;
        self.last = version.as_ref().map(|version| version.key.id).or(self.last);
        Ok(version)
    }

    fn step(&mut self, with_values: bool) -> Result<Option<Version>> {
        let cursor = match &mut self.cursor {
            Some(cursor) => cursor,
            None => {
                let runs = self.view.runs(&self.sobject, self.low)?;
                let mut cursor = StateCursor::open(self.view.vault, &runs, self.view.snapshot.number)?;
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
