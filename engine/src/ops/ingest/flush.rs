//! One flush: the rows held are sorted, compared with the state before, and what changed is written as pages.
//!
//! Key decision: a page that is not full yet stays behind with its rows, so that pages end where the Ids say and
//! not where the memory ended. Nothing older replaces anything newer. It does not decide about absence.

use std::collections::HashMap;

use crate::base::error::{Error, Result};
use crate::base::id::{ContentHash, RecordId};
use crate::base::limits::RUN_PART_PAGES;
use crate::base::stamp::Stamp;
use crate::format::page::{IdHash, KeyRow, VersionKind};
use crate::format::place::ChunkRef;
use crate::format::record::Row;
use crate::format::run::{Filter, PageEntry, RunPart};
use crate::format::seal::Prepared;
use crate::ops::ingest::Ingest;
use crate::ops::ingest::pages::{Context, Entry, Ready, cut, encode};
use crate::vault::run::StateCursor;

/// Key parts are held back up to this many bytes, so that those of a run lie together.
const KEYS_HELD: usize = 8 << 20;

/// The pages of a run to be, with the finished parts of its directory.
#[derive(Default)]
pub struct RunPages {
    /// Parts: smallest and largest Id, and the bytes of the chunk.
    pub parts: Vec<(RecordId, RecordId, Vec<u8>)>,
    /// Versions.
    pub rows: u64,
    last: Option<RecordId>,
    pages: Vec<(PageEntry, Option<Prepared>, Vec<IdHash>)>,
    held: usize,
}

impl Ingest<'_, '_> {
    /// Writes the pages of the rows held; keeps an unfinished page back unless this is the `last` time.
    pub(super) fn flush(&mut self, last: bool) -> Result<()> {
        let mut order = self.order();
        self.newest_of_each(&mut order)?;
        let changes = self.compare(&order)?;
        let target = &self.target;
        let context = Context {
            keys: &target.vault.keys,
            level: target.vault.level,
            schema: &target.schema,
            snapshot: target.snapshot,
            read: target.read,
        };
        let (hashes, mut ends) = cut(&context, &changes, &self.batches);
        let full = ends.last().copied().unwrap_or(0);
        // Rows from this Id on wait for the rest of their page.
        let wait = if last {
            None
        } else {
            changes.get(full).map(|e| e.key.id)
        };
        if last && full < changes.len() {
            ends.push(changes.len());
        }
        let done = ends.last().copied().unwrap_or(0);
        let ready = encode(&context, &changes[..done], &hashes, &ends, &self.batches)?;
        self.count(&changes[..done], &ready);
        let settled = order.partition_point(|(id, ..)| wait.is_none_or(|wait| *id < wait));
        if self.rules.full {
            self.seen.add(order[..settled].iter().map(|(id, ..)| *id));
        }
        self.place(ready)?;
        self.keep_from(wait);
        self.settled = order[..settled].last().map(|(id, ..)| *id).or(self.settled);
        if last {
            self.settled = None;
            self.buried.clear();
            for run in &mut self.runs {
                run.finish(self.writer)?;
            }
        }
        Ok(())
    }

    fn row(&self, at: &(RecordId, Stamp, u32, u32)) -> &Row {
        &self.batches[at.2 as usize].rows[at.3 as usize]
    }

    /// All rows held, by Id, then stamp, then arrival.
    fn order(&self) -> Vec<(RecordId, Stamp, u32, u32)> {
        let mut order = Vec::new();
        for (b, batch) in self.batches.iter().enumerate() {
            order.extend(
                batch
                    .rows
                    .iter()
                    .enumerate()
                    .map(|(r, row)| (row.id, row.system, b as u32, r as u32)),
            );
        }
        if !order.is_sorted() {
            order.sort_unstable();
        }
        order
    }

    /// Keeps the newest row of each Id.
    fn newest_of_each(&self, order: &mut Vec<(RecordId, Stamp, u32, u32)>) -> Result<()> {
        if self.rules.once
            && let Some(twice) = order.windows(2).find(|w| w[0].0 == w[1].0)
        {
            let name = self.target.schema.sobject();
            return Err(Error::invalid(format!(
                "{name}: the Id {} comes twice",
                twice[0].0
            )));
        }
        order.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                *kept = *later;
            }
            same
        });
        Ok(())
    }

    /// What differs from the state before, in order of Ids.
    fn compare(&self, order: &[(RecordId, Stamp, u32, u32)]) -> Result<Vec<Entry>> {
        let mut buried = self.buried.clone();
        buried.sort_unstable_by_key(|(id, _)| *id);
        let mut before = StateCursor::open(self.target.vault, &self.target.runs, self.target.snapshot)?;
        if let Some(first) = order.iter().map(|o| o.0).chain(buried.iter().map(|b| b.0)).min() {
            before.seek(first)?;
        }
        let (mut changes, mut old) = (Vec::new(), before.next(false)?);
        let mut rows = order.iter().peekable();
        let mut graves = buried.iter().peekable();
        loop {
            let next = [rows.peek().map(|o| o.0), graves.peek().map(|g| g.0)]
                .into_iter()
                .flatten()
                .min();
            let Some(id) = next else { return Ok(changes) };
            while old.as_ref().is_some_and(|v| v.key.id < id) {
                old = before.next(false)?;
            }
            let was = old.as_ref().filter(|v| v.key.id == id).map(|v| v.key);
            let row = rows.next_if(|o| o.0 == id);
            let grave = graves.next_if(|g| g.0 == id);
            match (row, grave) {
                (Some(at), _) => changes.extend(self.change(self.row(at), (at.2, at.3), was)),
                (None, Some((_, kind))) => changes.extend(self.tombstone(id, *kind, None, was)),
                (None, None) => {}
            }
        }
    }

    /// What a row does to the version before.
    fn change(&self, row: &Row, at: (u32, u32), was: Option<KeyRow>) -> Option<Entry> {
        if was.is_some_and(|was| row.system.is_some() && row.system < was.system) {
            return None;
        }
        if row.deleted {
            let kind = if row.master.is_some() {
                VersionKind::Merged
            } else {
                VersionKind::Deleted
            };
            let mut entry = self.tombstone(row.id, kind, row.master, was)?;
            (entry.key.system, entry.key.modified) = (row.system, row.modified);
            entry.key.modified_by = row.modified_by;
            return Some(entry);
        }
        let live = was.filter(|was| was.kind.is_live());
        let same = live.is_some_and(|was| was.hash == row.hash);
        let still = live.is_some_and(|was| {
            (was.system, was.modified, was.modified_by) == (row.system, row.modified, row.modified_by)
        });
        if same && still {
            return None;
        }
        let key = KeyRow {
            id: row.id,
            snapshot: self.target.snapshot,
            kind: if same {
                VersionKind::Stamps
            } else {
                VersionKind::Value
            },
            schema: self.target.schema_number,
            hash: row.hash,
            replaced: live.map_or(ContentHash::NONE, |was| was.hash),
            system: row.system,
            modified: row.modified,
            modified_by: row.modified_by,
            winner: None,
        };
        Some(Entry {
            key,
            before: live.map(|was| (was.system, was.modified)),
            row: at,
        })
    }

    /// A record that is gone; nothing if that is known. One that was never seen live is noted too: it may come
    /// back with its parent.
    fn tombstone(
        &self,
        id: RecordId,
        kind: VersionKind,
        winner: Option<RecordId>,
        was: Option<KeyRow>,
    ) -> Option<Entry> {
        if was.is_some_and(|was| !was.kind.is_live()) {
            return None;
        }
        let key = KeyRow {
            id,
            snapshot: self.target.snapshot,
            kind,
            schema: self.target.schema_number,
            hash: ContentHash::NONE,
            replaced: was.map_or(ContentHash::NONE, |was| was.hash),
            system: Stamp::NONE,
            modified: Stamp::NONE,
            modified_by: None,
            winner,
        };
        Some(Entry {
            key,
            before: was.map(|was| (was.system, was.modified)),
            row: (0, 0),
        })
    }

    fn count(&mut self, changes: &[Entry], ready: &[Ready]) {
        let captured = &mut self.captured;
        for Entry { key, before, .. } in changes {
            match (key.kind, before) {
                (VersionKind::Value, None) => {
                    captured.created += 1;
                    captured.live += 1;
                }
                (VersionKind::Value, Some(_)) => captured.edited += 1,
                (VersionKind::Stamps, _) => captured.stamps += 1,
                (_, Some(_)) => {
                    captured.deleted += 1;
                    captured.live -= 1;
                }
                (_, None) => {}
            }
        }
        for page in ready {
            captured.content.add(&page.digests[0]);
            captured.stamps_digest.add(&page.digests[1]);
        }
    }

    /// Drops the batches in which no row waits.
    fn keep_from(&mut self, wait: Option<RecordId>) {
        let Some(wait) = wait else {
            self.batches.clear();
            self.held = 0;
            return;
        };
        for batch in &mut self.batches {
            batch.rows.retain(|row| row.id >= wait);
        }
        self.batches.retain(|batch| !batch.rows.is_empty());
        self.held = self.batches.iter().map(crate::format::record::Rows::bytes).sum();
        // A page may be larger than the memory set aside: do not come back for every row.
        self.held = self.held.min(self.rules.memory / 2);
    }

    /// Puts pages into packs and into a run: the last one if they follow on it, else a new one.
    fn place(&mut self, ready: Vec<Ready>) -> Result<()> {
        let Some(first) = ready.first().map(|page| page.first) else {
            return Ok(());
        };
        if self
            .runs
            .last()
            .is_none_or(|run| run.last.is_some_and(|last| last >= first))
        {
            self.runs.push(RunPages::default());
        }
        let wanted: Vec<_> = ready
            .iter()
            .flat_map(|p| [&p.values, &p.derived])
            .flatten()
            .map(|c| c.id)
            .collect();
        let present = self.writer.present(&wanted)?;
        let known: HashMap<_, _> = wanted
            .into_iter()
            .zip(present)
            .filter_map(|(id, at)| Some((id, at?)))
            .collect();
        for page in ready {
            let mut put = |chunk: Option<Prepared>| -> Result<Option<ChunkRef>> {
                let Some(chunk) = chunk else { return Ok(None) };
                let at = known
                    .get(&chunk.id)
                    .copied()
                    .map_or_else(|| self.writer.put(&chunk), Ok)?;
                Ok(Some(ChunkRef { id: chunk.id, at }))
            };
            let (values, derived) = (put(page.values)?, put(page.derived)?);
            let Some(run) = self.runs.last_mut() else { continue };
            run.last = Some(page.last);
            run.rows += u64::from(page.rows);
            run.held += page.keys.stored_len();
            let nowhere = crate::format::pack::Location {
                pack: crate::base::id::PackId([0; 32]),
                offset: 0,
                len: 0,
            };
            let keys = ChunkRef {
                id: page.keys.id,
                at: nowhere,
            };
            let (first, last, rows) = (page.first, page.last, page.rows);
            let entry = PageEntry {
                first,
                last,
                rows,
                span: (0, 0),
                continued: false,
                keys,
                values,
                derived,
            };
            run.pages.push((entry, Some(page.keys), page.hashes));
            if run.held > KEYS_HELD {
                run.place_keys(self.writer)?;
            }
        }
        Ok(())
    }
}

impl RunPages {
    /// Puts the key parts held back into packs, side by side.
    fn place_keys(&mut self, writer: &mut crate::vault::writer::Writer<'_>) -> Result<()> {
        for (entry, keys, _) in &mut self.pages {
            if let Some(chunk) = keys.take() {
                entry.keys.at = writer.put(&chunk)?;
            }
        }
        self.held = 0;
        while self.pages.len() >= RUN_PART_PAGES {
            self.part(RUN_PART_PAGES);
        }
        Ok(())
    }

    /// Makes a part of the directory of the first pages.
    fn part(&mut self, count: usize) {
        let (mut pages, mut hashes) = (Vec::with_capacity(count), Vec::new());
        for (entry, _, of_page) in self.pages.drain(..count) {
            hashes.extend(of_page);
            pages.push(entry);
        }
        if let (Some(first), Some(last)) = (pages.first().map(|p| p.first), pages.last().map(|p| p.last)) {
            let part = RunPart {
                pages,
                filter: Filter::of(&hashes),
            };
            self.parts.push((first, last, part.encode()));
        }
    }

    fn finish(&mut self, writer: &mut crate::vault::writer::Writer<'_>) -> Result<()> {
        self.place_keys(writer)?;
        if !self.pages.is_empty() {
            self.part(self.pages.len());
        }
        Ok(())
    }
}
