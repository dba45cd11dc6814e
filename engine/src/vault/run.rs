//! Reading runs: a cursor over the versions of one, and the merge of several into the state at a snapshot.
//!
//! Key decision: cursors hold one decoded page each, so memory does not depend on the size of a run; values are
//! fetched only when asked for. Reading takes no lock, and it never decides what a change means.

use std::sync::Arc;

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::base::stamp::Stamp;
use crate::format::entry::RunEntry;
use crate::format::page::{KeyRow, Part, VersionKind, decode_derived, decode_keys, id_hash};
use crate::format::place::MetaRef;
use crate::format::run::{PageEntry, RunHead, RunPart};
use crate::format::seal::ChunkKind;
use crate::vault::open::Vault;

/// The values of one version: a row of a decoded page.
#[derive(Clone)]
pub struct Values {
    /// The stored fields.
    pub content: Arc<Part>,
    /// The derived fields, and when each row was read.
    pub derived: Option<Arc<(Vec<Stamp>, Part)>>,
    /// The row.
    pub row: usize,
}

/// One version of a record, as a run has it.
#[derive(Clone)]
pub struct Version {
    /// Who, when, what kind, which content.
    pub key: KeyRow,
    /// Its values, if they were asked for and it is live.
    pub values: Option<Values>,
}

/// Walks the versions of one run in order of (Id, snapshot descending).
pub struct RunCursor<'v> {
    vault: &'v Vault,
    low: u64,
    head: RunHead,
    next_part: usize,
    part: Option<RunPart>,
    next_page: usize,
    page: Option<PageEntry>,
    keys: Vec<KeyRow>,
    row: usize,
    ordinal: usize,
    values: Option<Values>,
}

impl<'v> RunCursor<'v> {
    /// A cursor before the first version.
    pub fn open(vault: &'v Vault, run: &RunEntry) -> Result<Self> {
        let head = RunHead::decode(&vault.meta(ChunkKind::RunHead, &run.head)?)?;
        Ok(Self {
            vault,
            low: run.low,
            head,
            next_part: 0,
            part: None,
            next_page: 0,
            page: None,
            keys: Vec::new(),
            row: 0,
            ordinal: 0,
            values: None,
        })
    }

    /// Goes to the first version whose Id is `id` or greater.
    pub fn seek(&mut self, id: RecordId) -> Result<()> {
        self.next_part = self.head.parts.partition_point(|p| p.last < id);
        self.part = None;
        self.page = None;
        self.keys.clear();
        self.row = 0;
        if let Some(entry) = self.head.parts.get(self.next_part) {
            let part = self.load_part(&entry.part)?;
            self.next_page = part.pages.partition_point(|p| p.last < id);
            self.part = Some(part);
            self.next_part += 1;
        }
        while self.peek()?.is_some_and(|key| key.id < id) {
            self.advance();
        }
        Ok(())
    }

    /// Whether the run may hold `id`: directory and filter only.
    pub fn may_hold(&self, id: RecordId) -> Result<bool> {
        let hash = id_hash(self.vault.keys.cut_key(), id);
        let parts = self.head.parts.iter().filter(|p| p.first <= id && id <= p.last);
        for entry in parts {
            if self.load_part(&entry.part)?.filter.may_hold(&hash) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn load_part(&self, part: &MetaRef) -> Result<RunPart> {
        RunPart::decode(&self.vault.meta(ChunkKind::RunPart, part)?)
    }

    /// The version at hand; `None` behind the last.
    pub fn peek(&mut self) -> Result<Option<KeyRow>> {
        while self.row >= self.keys.len() {
            if !self.turn()? {
                return Ok(None);
            }
        }
        Ok(self.keys.get(self.row).copied())
    }

    /// Goes to the next version.
    pub fn advance(&mut self) {
        if self
            .keys
            .get(self.row)
            .is_some_and(|key| key.kind == VersionKind::Value)
        {
            self.ordinal += 1;
        }
        self.row += 1;
    }

    /// Loads the next page; false if there is none.
    fn turn(&mut self) -> Result<bool> {
        loop {
            if let Some(page) = self.part.as_ref().and_then(|part| part.pages.get(self.next_page)) {
                self.keys = decode_keys(self.low, &self.vault.chunk(ChunkKind::PageKeys, &page.keys)?)?;
                self.page = Some(page.clone());
                self.next_page += 1;
                (self.row, self.ordinal, self.values) = (0, 0, None);
                return Ok(true);
            }
            let Some(entry) = self.head.parts.get(self.next_part) else {
                return Ok(false);
            };
            self.part = Some(self.load_part(&entry.part)?);
            self.next_part += 1;
            self.next_page = 0;
        }
    }

    /// The values of the version at hand; `None` if it has none of its own.
    pub fn values(&mut self) -> Result<Option<Values>> {
        if self
            .keys
            .get(self.row)
            .is_none_or(|key| key.kind != VersionKind::Value)
        {
            return Ok(None);
        }
        if self.values.is_none() {
            let Some(page) = &self.page else { return Ok(None) };
            let Some(content) = &page.values else {
                return Ok(None);
            };
            let content = Arc::new(Part::decode(&self.vault.chunk(ChunkKind::PageValues, content)?)?);
            let derived = match &page.derived {
                Some(chunk) => Some(Arc::new(decode_derived(
                    &self.vault.chunk(ChunkKind::PageDerived, chunk)?,
                )?)),
                None => None,
            };
            self.values = Some(Values {
                content,
                derived,
                row: 0,
            });
        }
        Ok(self.values.as_ref().map(|v| Values {
            row: self.ordinal,
            ..v.clone()
        }))
    }
}

/// Merges runs into one version an Id: the newest at or before a snapshot.
pub struct StateCursor<'v> {
    runs: Vec<RunCursor<'v>>,
    at: u64,
}

impl<'v> StateCursor<'v> {
    /// The state of one sObject at snapshot number `at`.
    pub fn open(vault: &'v Vault, runs: &[RunEntry], at: u64) -> Result<Self> {
        let runs = runs
            .iter()
            .filter(|run| run.low <= at)
            .map(|run| RunCursor::open(vault, run));
        Ok(Self {
            runs: runs.collect::<Result<_>>()?,
            at,
        })
    }

    /// Goes to the first Id that is `id` or greater.
    pub fn seek(&mut self, id: RecordId) -> Result<()> {
        self.runs.iter_mut().try_for_each(|run| run.seek(id))
    }

    /// The next Id's newest version, tombstones too; with its values if `with_values` and it is live.
    pub fn next(&mut self, with_values: bool) -> Result<Option<Version>> {
        loop {
            let mut least: Option<RecordId> = None;
            for run in &mut self.runs {
                if let Some(key) = run.peek()? {
                    least = Some(least.map_or(key.id, |id| id.min(key.id)));
                }
            }
            let Some(id) = least else { return Ok(None) };
            if let Some(version) = self.take(id, with_values)? {
                return Ok(Some(version));
            }
        }
    }

    /// Takes all versions of `id` and returns the newest in sight.
    fn take(&mut self, id: RecordId, with_values: bool) -> Result<Option<Version>> {
        let mut newest: Option<KeyRow> = None;
        let mut found: Option<(u64, Values)> = None;
        for run in &mut self.runs {
            while let Some(key) = run.peek()?.filter(|key| key.id == id) {
                if key.snapshot <= self.at {
                    if newest.is_none_or(|n| (n.snapshot, n.system) <= (key.snapshot, key.system)) {
                        newest = Some(key);
                    }
                    if with_values
                        && key.kind == VersionKind::Value
                        && found
                            .as_ref()
                            .is_none_or(|(snapshot, _)| *snapshot <= key.snapshot)
                    {
                        found = run.values()?.map(|values| (key.snapshot, values));
                    }
                }
                run.advance();
            }
        }
        let values = found.map(|(_, values)| values);
        Ok(newest.map(|key| Version {
            values: if key.kind.is_live() { values } else { None },
            key,
        }))
    }
}

/// All versions of one Id that are kept, newest first.
pub fn versions(vault: &Vault, runs: &[RunEntry], id: RecordId) -> Result<Vec<Version>> {
    let mut all = Vec::new();
    for run in runs {
        let mut cursor = RunCursor::open(vault, run)?;
        if !cursor.may_hold(id)? {
            continue;
        }
        cursor.seek(id)?;
        while let Some(key) = cursor.peek()?.filter(|key| key.id == id) {
            all.push(Version {
                key,
                values: cursor.values()?,
            });
            cursor.advance();
        }
    }
    all.sort_by_key(|v: &Version| std::cmp::Reverse((v.key.snapshot, v.key.system)));
    // A version whose stamps alone moved has the values of the one before it.
    let mut below: Option<Values> = None;
    for version in all.iter_mut().rev() {
        match version.key.kind {
            VersionKind::Value => below = version.values.clone(),
            VersionKind::Stamps => version.values = below.clone(),
            _ => {}
        }
    }
    Ok(all)
}
