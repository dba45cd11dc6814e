//! One flush: the rows held are sorted, compared with the state before, and what changed is written as pages.
//!
//! Key decision: a page that is not full yet stays behind with its rows, so that pages end where the Ids say and
//! not where the memory ended. Nothing older replaces anything newer. It does not decide about absence.

use rayon::prelude::*;

use crate::base::error::{Error, Result};
use crate::base::id::{ContentHash, RecordId};
use crate::base::stamp::Stamp;
use crate::format::page::{KeyRow, VersionKind};
use crate::format::record::{Row, Rows};
use crate::ops::ingest::pages::{Context, Entry, Ready, Workers, cut, encode};
use crate::ops::ingest::{Ingest, settle};
use crate::vault::run::{AheadOf, Run, RunPages, StateCursor, Version};
use crate::vault::writer::Writer;

/// Rows that are worth a thread to be compared.
const SPAN_MIN: usize = 1 << 10;

/// Id and stamp of a row, its batch and its place there.
type Place = (RecordId, Stamp, u32, u32);
/// A record that is gone, and how.
type Grave = (RecordId, VersionKind);

/// How a row stands to what is known of its record.
enum Age {
    Newer,
    Older,
    Doubtful,
}

impl<'v> Ingest<'v> {
    /// Writes the pages of the rows held; keeps an unfinished page back unless this is the `last` time.
    pub(super) fn flush(&mut self, writer: &mut Writer<'v>, last: bool) -> Result<()> {
        let (mut order, sorted) = self.order();
        // What does not follow on what was written is merged with it in the end, and so is all that comes then.
        let goes_back = self.goes_back(&order);
        self.passing |= goes_back || !(last || sorted);
        self.newest_of_each(&mut order)?;
        let changes = self.compare(writer, &order, goes_back)?;
        let target = &self.target;
        let context = Context {
            keys: &target.vault.keys,
            level: target.vault.level,
            passing: self.passing,
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
        let ready = encode(
            &context,
            &changes[..done],
            &hashes,
            &ends,
            &self.batches,
            &self.workers,
        )?;
        self.count(&changes[..done], &ready);
        let settled = order.partition_point(|(id, ..)| wait.is_none_or(|wait| *id < wait));
        if self.rules.full {
            self.seen.add(order[..settled].iter().map(|(id, ..)| *id))?;
        }
        self.place(writer, ready)?;
        self.keep_from(wait);
        // Files come one after the other; of an org many sObjects are under way, each with what it would keep.
        if last || !self.rules.once {
            self.spare = Vec::new();
            self.workers = Workers::default();
        }
        if last {
            self.buried.clear();
            if let (false, [run]) = (self.passing, &mut self.runs[..]) {
                run.finish(writer)?;
            }
        }
        Ok(())
    }

    fn row(&self, at: &Place) -> &Row {
        &self.batches[at.2 as usize].rows[at.3 as usize]
    }

    /// All rows held, by Id, then stamp, then arrival.
    fn order(&self) -> (Vec<Place>, bool) {
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
        let sorted = order.is_sorted();
        if !sorted {
            order.par_sort_unstable();
        }
        (order, sorted)
    }

    /// Keeps the newest row of each Id.
    fn newest_of_each(&self, order: &mut Vec<Place>) -> Result<()> {
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

    /// Whether some of what is held may lie among what was written, and not behind it.
    fn goes_back(&self, order: &[Place]) -> bool {
        let rows = order.first().map(|row| row.0).into_iter();
        let first = rows.chain(self.buried.iter().map(|grave| grave.0)).min();
        let among = !self.earlier.is_empty() || self.runs.iter().any(|run| run.last >= first);
        first.is_some() && among
    }

    /// What differs from the state before, in order of Ids.
    fn compare(&mut self, writer: &mut Writer<'v>, order: &[Place], goes_back: bool) -> Result<Vec<Entry>> {
        if order.is_empty() && self.buried.is_empty() {
            return Ok(Vec::new());
        }
        let mut buried = self.buried.clone();
        buried.sort_unstable_by_key(|(id, _)| *id);
        let mut runs = self.runs_before()?;
        // What this snapshot has written already is what its later rows are compared with.
        if goes_back {
            runs.extend(self.own_runs(writer)?);
        }
        let _ahead = expect(&runs, order, &buried)?;
        let per = order.len().div_ceil(rayon::current_num_threads() * 2);
        let compared = spans(order, &buried, per.max(SPAN_MIN))
            .into_par_iter()
            .map(|(rows, graves)| self.compare_span(runs.clone(), rows, graves));
        let compared = compared.collect::<Result<Vec<_>>>()?;
        let mut changes = Vec::new();
        for (changed, doubts) in compared {
            changes.extend(changed);
            doubts.into_iter().try_for_each(|id| self.doubts.push(id))?;
        }
        self.doubts.end_segment();
        Ok(changes)
    }

    /// What differs from the state before in a span, and the Ids that are in doubt.
    fn compare_span(
        &self,
        runs: Vec<Run<'v>>,
        rows: &[Place],
        graves: &[Grave],
    ) -> Result<(Vec<Entry>, Vec<RecordId>)> {
        let (mut changes, mut doubts) = (Vec::new(), Vec::new());
        let mut before = StateCursor::over(runs, self.target.snapshot);
        let (mut rows, mut graves) = (rows.iter().peekable(), graves.iter().peekable());
        let first = rows
            .peek()
            .map(|row| row.0)
            .into_iter()
            .chain(graves.peek().map(|grave| grave.0));
        if let Some(first) = first.min() {
            before.seek(first)?;
        }
        let mut old = before.next(false)?;
        loop {
            let next = [rows.peek().map(|o| o.0), graves.peek().map(|g| g.0)]
                .into_iter()
                .flatten()
                .min();
            let Some(id) = next else { break };
            let behind = |old: &Option<Version>| old.as_ref().is_some_and(|v| v.key.id < id);
            if behind(&old) {
                old = before.next(false)?;
            }
            if behind(&old) {
                before.skip_to(id)?;
                old = before.next(false)?;
            }
            let was = old.as_ref().filter(|v| v.key.id == id).map(|v| v.key);
            let row = rows.next_if(|o| o.0 == id);
            let grave = graves.next_if(|g| g.0 == id);
            match (row, grave) {
                (Some(at), _) => match self.staleness(self.row(at), was) {
                    Age::Newer => changes.extend(self.change(self.row(at), (at.2, at.3), was)),
                    Age::Older => {}
                    Age::Doubtful => doubts.push(id),
                },
                (None, Some((_, kind))) => changes.extend(self.tombstone(id, *kind, None, was)),
                (None, None) => {}
            }
        }
        Ok((changes, doubts))
    }

    /// How a row stands to what is known of its record. A file is one state and holds as it is; an org may send a row
    /// twice, and the older one later. Where the *snapshot before* knows a newer one the stamp went back, as when an
    /// old transaction commits late, or the answer is an old one: who asks for the row again will know.
    fn staleness(&self, row: &Row, was: Option<KeyRow>) -> Age {
        match was.filter(|was| !self.rules.once && row.system.is_some() && row.system < was.system) {
            Some(was) if was.snapshot == self.target.snapshot => Age::Older,
            Some(_) if !self.deciding => Age::Doubtful,
            _ => Age::Newer,
        }
    }

    /// What a row does to the version before.
    fn change(&self, row: &Row, at: (u32, u32), was: Option<KeyRow>) -> Option<Entry> {
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
        let wanting = self.target.wanting(row.id);
        if same && still && !wanting {
            return None;
        }
        let key = KeyRow {
            id: row.id,
            snapshot: self.target.snapshot,
            kind: if same && !wanting {
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
            settle::count(captured, key, before.is_some());
            match (key.kind.is_live(), before) {
                (true, None) => captured.live += 1,
                (false, Some(_)) => captured.live -= 1,
                _ => {}
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
            self.spare.append(&mut self.batches);
            self.spare.iter_mut().for_each(Rows::clear);
            self.held = 0;
            return;
        };
        self.buried.retain(|(id, _)| *id >= wait);
        for batch in &mut self.batches {
            batch.rows.retain(|row| row.id >= wait);
        }
        let done = self.batches.extract_if(.., |batch| batch.rows.is_empty());
        self.spare.extend(done.map(|mut batch| {
            batch.clear();
            batch
        }));
        self.held = self.batches.iter().map(Rows::bytes).sum();
        // A page may be larger than the memory set aside: do not come back for every row.
        self.held = self.held.min(self.rules.memory / 2);
    }

    /// Puts pages into packs and into a run: the last one if they follow on it, else a new one.
    fn place(&mut self, writer: &mut Writer<'v>, ready: Vec<Ready>) -> Result<()> {
        let Some(first) = ready.first().map(|ready| ready.page.ids.0) else {
            return Ok(());
        };
        let follows = |run: &RunPages| run.last.is_none_or(|last| last < first);
        if !self.runs.last().is_some_and(follows) {
            self.runs.push(RunPages::default());
        }
        let vault = self.target.vault;
        let writer = if self.passing {
            self.scratch.get_or_insert_with(|| Writer::new(vault))
        } else {
            writer
        };
        let Some(run) = self.runs.last_mut() else {
            return Ok(());
        };
        run.add(writer, ready.into_iter().map(|ready| ready.page).collect())
    }
}

/// Says which keys the rows and graves are going to be compared with.
fn expect<'v>(runs: &[Run<'v>], rows: &[Place], graves: &[Grave]) -> Result<Vec<AheadOf<'v>>> {
    let ids = || {
        let mut ids: Vec<_> = rows
            .iter()
            .map(|row| row.0)
            .chain(graves.iter().map(|grave| grave.0))
            .collect();
        ids.sort_unstable();
        ids
    };
    let mut known = None;
    let far = runs.iter().filter(|run| run.is_far());
    far.map(|run| run.expect_keys(known.get_or_insert_with(ids)))
        .collect()
}

/// Rows and graves, both in order, cut behind so many rows at the same Ids, so that each span can be compared by itself.
fn spans<'a>(mut rows: &'a [Place], mut graves: &'a [Grave], per: usize) -> Vec<(&'a [Place], &'a [Grave])> {
    let mut spans = Vec::new();
    while rows.len() > per {
        let (span, rest) = rows.split_at(per);
        let (buried, others) = graves.split_at(graves.partition_point(|grave| grave.0 < rest[0].0));
        spans.push((span, buried));
        (rows, graves) = (rest, others);
    }
    spans.push((rows, graves));
    spans
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn spans_are_all_of_it_in_order(
            rows in proptest::collection::btree_set(0..400_u32, 0..90),
            graves in proptest::collection::btree_set(0..400_u32, 0..90), per in 1..40_usize,
        ) {
            let id = |n: u32| RecordId::from_number(n.into()).unwrap();
            let rows: Vec<Place> = rows.into_iter().map(|n| (id(n), Stamp::NONE, 0, n)).collect();
            let graves: Vec<Grave> = graves.into_iter().map(|n| (id(n), VersionKind::Deleted)).collect();
            let (mut met_rows, mut met_graves, mut end) = (Vec::new(), Vec::new(), None);
            for (some, others) in spans(&rows, &graves, per) {
                prop_assert!(some.len() <= per);
                let ids = || some.iter().map(|row| row.0).chain(others.iter().map(|grave| grave.0));
                prop_assert!(ids().min().is_none_or(|first| end.is_none_or(|end| end < first)));
                end = ids().max().or(end);
                met_rows.extend_from_slice(some);
                met_graves.extend_from_slice(others);
            }
            prop_assert_eq!(met_rows, rows);
            prop_assert_eq!(met_graves, graves);
        }
    }
}
