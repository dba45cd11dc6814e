//! Records that did not come: whether they are gone, and how; and those that came older than they were known.
//!
//! Key decision: a tombstone needs a proof. The record is asked for by Id, twice, and in between and afterwards the
//! user must be one who sees every row; then it is purged if the log of deletions names it, else vanished. Where that
//! cannot be proved the record stays as it was last seen, and is counted as out of sight.

use std::collections::BTreeSet;

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::format::page::VersionKind;
use crate::ops::capture::Capture;
use crate::ops::capture::read::{Ask, Take, about_one};
use crate::ops::ingest::{Ids, Merged};
use crate::ops::org::Source;

/// Ids asked for in one reading.
pub(super) const IDS_AT_ONCE: usize = 2000;

impl<'v> Capture<'v, '_> {
    /// After all rows: asks by themselves for those that came older than the snapshot before knows them. That holds.
    pub(super) fn settle_doubts(
        &mut self,
        source: &mut dyn Source,
        ask: &Ask,
        take: &mut Take<'v>,
    ) -> Result<()> {
        let writer = &mut self.writer;
        let Some(ingest) = &mut take.ingest else {
            return Ok(());
        };
        if !ingest.has_doubts(writer)? {
            return Ok(());
        }
        let mut doubts = ingest.doubtful(&mut self.writer)?;
        loop {
            let mut some = doubts.next_few(IDS_AT_ONCE)?;
            if some.is_empty() {
                break;
            }
            some.dedup();
            self.read_ids(source, ask, take, &some)?;
        }
        let writer = &mut self.writer;
        take.with(|ingest| ingest.decided(writer))
    }

    /// After all rows: looks into what did not come and should have, and into what the log of deletions names.
    pub(super) fn prove_absence(
        &mut self,
        source: &mut dyn Source,
        ask: &Ask,
        take: &mut Take<'v>,
    ) -> Result<()> {
        let Some(ingest) = &mut take.ingest else {
            return Ok(());
        };
        if ask.full() {
            let missing = ingest.missing(&mut self.writer)?;
            let unseen = self.bury_absent(source, ask, take, missing)?;
            if let Some(ingest) = &mut take.ingest {
                ingest.captured.out_of_sight = unseen;
            }
            return Ok(());
        }
        let mut named: Vec<RecordId> = ask
            .log
            .iter()
            .flat_map(|log| log.ids.iter().map(|(id, _)| *id))
            .collect();
        if named.is_empty() {
            return Ok(());
        }
        named.sort_unstable();
        named.dedup();
        let mut current = ingest.current(&mut self.writer)?;
        let mut alive = Ids::default();
        current.seek(named[0])?;
        let mut next = current.next(false)?;
        for id in named {
            while next.as_ref().is_some_and(|v| v.key.id < id) {
                // Few are named among many: look each up instead of walking there.
                current.seek(id)?;
                next = current.next(false)?;
            }
            if next
                .as_ref()
                .is_some_and(|v| v.key.id == id && v.key.kind.is_live())
            {
                alive.push(id)?;
            }
        }
        alive.end_segment();
        let alive = alive.merged()?;
        self.bury_absent(source, ask, take, alive)?;
        Ok(())
    }

    /// Asks for these records; says of those that are gone that they are, and how many are out of sight.
    pub(super) fn bury_absent(
        &mut self,
        source: &mut dyn Source,
        ask: &Ask,
        take: &mut Take<'v>,
        mut ids: Merged,
    ) -> Result<u64> {
        let logged: BTreeSet<RecordId> = ask
            .log
            .iter()
            .flat_map(|log| log.ids.iter().map(|(id, _)| *id))
            .collect();
        let mut unseen = 0;
        loop {
            let some = ids.next_few(IDS_AT_ONCE)?;
            if some.is_empty() {
                return Ok(unseen);
            }
            let mut left = self.still_absent(source, ask, take, some)?;
            if left.is_empty() {
                continue;
            }
            let seen = self.sees_all(source, ask)?;
            left = self.still_absent(source, ask, take, left)?;
            if left.is_empty() {
                continue;
            }
            if !(seen && self.sees_all(source, ask)?) {
                unseen += left.len() as u64;
                continue;
            }
            let (purged, vanished): (Vec<_>, Vec<_>) = left.into_iter().partition(|id| logged.contains(id));
            let writer = &mut self.writer;
            take.with(|ingest| {
                ingest.bury(writer, purged, VersionKind::Purged)?;
                ingest.bury(writer, vanished, VersionKind::Vanished)
            })?;
        }
    }

    /// Those of `ids` that do not come when they are asked for; none once the sObject failed.
    fn still_absent(
        &mut self,
        source: &mut dyn Source,
        ask: &Ask,
        take: &mut Take<'v>,
        ids: Vec<RecordId>,
    ) -> Result<Vec<RecordId>> {
        let came = self.read_ids(source, ask, take, &ids)?;
        if take.ingest.is_none() {
            return Ok(Vec::new());
        }
        Ok(ids
            .into_iter()
            .filter(|id| came.binary_search(id).is_err())
            .collect())
    }

    fn sees_all(&self, source: &mut dyn Source, ask: &Ask) -> Result<bool> {
        match source.sees_all(&ask.describe.name) {
            Err(error) if about_one(&error) => Ok(false),
            answer => answer,
        }
    }
}
