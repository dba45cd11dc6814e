//! The state of one sObject at a snapshot: runs merged into one version an Id, the newest at or before it.
//!
//! Key decision: of each page the rows that count at that snapshot are found from its keys alone, one an Id, and
//! only their values are decoded, so that a page of many versions costs little more than one of a single version; who
//! skips to an Id has the keys of a few decoded at a time. A heap of the runs gives the next Id. It holds one page a run
//! and never writes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::base::stamp::Stamp;
use crate::format::entry::RunEntry;
use crate::format::page::{KeyRow, Sight, VersionKind};
use crate::format::run::PageEntry;
use crate::vault::open::Vault;
use crate::vault::run::{Pages, Run, Values, Version};

/// Ids of a page whose keys are decoded at first for who skips.
const FEW: usize = 4;

/// Merges runs into one version an Id: the newest at or before a snapshot.
pub struct StateCursor<'v> {
    sources: Vec<Source<'v>>,
    /// The next Id of each run, and the run.
    heap: BinaryHeap<Reverse<(RecordId, usize)>>,
    /// The runs that have the Id at hand, in order of arrival.
    same: Vec<usize>,
    begun: bool,
    span: Span,
    /// Of the Id given last, the oldest version in the span.
    oldest: Option<KeyRow>,
}

/// Snapshots above the first and up to the second.
#[derive(Clone, Copy)]
struct Span {
    after: u64,
    at: u64,
}

/// One run, and what its page at hand says of the snapshot.
struct Source<'v> {
    pages: Pages<'v>,
    page: Option<PageEntry>,
    plain: Vec<u8>,
    /// The first Id of the page that was not looked at, and how many are looked at together.
    behind: Option<RecordId>,
    ids: usize,
    /// The keys that are in sight, and of each how many values stand before it.
    keys: Vec<KeyRow>,
    ordinals: Vec<u32>,
    slots: Vec<Slot>,
    next: usize,
    /// The rows of the value part that slots name.
    rows: Vec<u32>,
    values: Option<Values>,
}

/// One Id of a page: its newest version in sight, and its newest with values.
#[derive(Clone, Copy)]
struct Slot {
    key: usize,
    oldest: usize,
    /// Where in `rows`, and which version that is.
    value: Option<(usize, Age)>,
}

/// Newer is greater.
type Age = (u64, Stamp);

fn age(key: &KeyRow) -> Age {
    (key.snapshot, key.system)
}

impl<'v> StateCursor<'v> {
    /// The state of one sObject at snapshot number `at`.
    pub fn open(vault: &'v Vault, runs: &[RunEntry], at: u64) -> Result<Self> {
        let runs = runs.iter().filter(|run| run.low <= at);
        let runs = runs
            .map(|run| Run::open(vault, run))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self::over(runs, at))
    }

    /// What became of records between two snapshots: the newest version of each Id above `after` and up to `at`.
    pub fn between(vault: &'v Vault, runs: &[RunEntry], after: u64, at: u64) -> Result<Self> {
        let runs: Vec<_> = runs.iter().filter(|run| run.high > after).cloned().collect();
        let mut cursor = Self::open(vault, &runs, at)?;
        cursor.span.after = after;
        Ok(cursor)
    }

    /// The state over open runs, the later arrival last.
    pub fn over(runs: Vec<Run<'v>>, at: u64) -> Self {
        let source = |run| Source {
            pages: Pages::new(run),
            page: None,
            plain: Vec::new(),
            behind: None,
            ids: usize::MAX,
            keys: Vec::new(),
            ordinals: Vec::new(),
            slots: Vec::new(),
            next: 0,
            rows: Vec::new(),
            values: None,
        };
        Self {
            sources: runs.into_iter().map(source).collect(),
            heap: BinaryHeap::new(),
            same: Vec::new(),
            begun: false,
            span: Span { after: 0, at },
            oldest: None,
        }
    }

    /// Goes to the first Id that is `id` or greater.
    pub fn seek(&mut self, id: RecordId) -> Result<()> {
        self.heap.clear();
        self.begun = true;
        for (i, source) in self.sources.iter_mut().enumerate() {
            source.seek(id, usize::MAX, self.span)?;
            self.heap.extend(source.id().map(|id| Reverse((id, i))));
        }
        Ok(())
    }

    /// Goes on to the first Id that is `id` or greater, if that is not behind it; pages that lie between are not read.
    pub fn skip_to(&mut self, id: RecordId) -> Result<()> {
        if !self.begun {
            return self.seek(id);
        }
        self.heap.clear();
        for (i, source) in self.sources.iter_mut().enumerate() {
            source.skip_to(id, self.span)?;
            self.heap.extend(source.id().map(|id| Reverse((id, i))));
        }
        Ok(())
    }

    /// The next Id's newest version, tombstones too; with its values if `with_values` and it is live.
    pub fn next(&mut self, with_values: bool) -> Result<Option<Version>> {
        if !self.begun {
            self.begun = true;
            for (i, source) in self.sources.iter_mut().enumerate() {
                source.turn(self.span)?;
                self.heap.extend(source.id().map(|id| Reverse((id, i))));
            }
        }
        let Some(Reverse((id, _))) = self.heap.peek().copied() else {
            return Ok(None);
        };
        while self.heap.peek().is_some_and(|top| top.0.0 == id) {
            self.same.extend(self.heap.pop().map(|top| top.0.1));
        }
        let (mut newest, mut oldest): (Option<KeyRow>, Option<KeyRow>) = (None, None);
        let mut winner: Option<(Age, usize, usize)> = None;
        for &i in &self.same {
            let source = &self.sources[i];
            let slot = source.slots[source.next];
            let (key, last) = (source.keys[slot.key], source.keys[slot.oldest]);
            if newest.is_none_or(|n| age(&n) <= age(&key)) {
                newest = Some(key);
            }
            if oldest.is_none_or(|o| age(&o) > age(&last)) {
                oldest = Some(last);
            }
            if let Some((row, of)) = slot.value.filter(|(_, of)| winner.is_none_or(|w| w.0 <= *of)) {
                winner = Some((of, i, row));
            }
        }
        let live = newest.is_some_and(|key| key.kind.is_live());
        let values = match winner.filter(|_| with_values && live) {
            Some((_, i, row)) => self.sources[i].value(row)?,
            None => None,
        };
        while let Some(i) = self.same.pop() {
            self.sources[i].advance(self.span)?;
            self.heap.extend(self.sources[i].id().map(|id| Reverse((id, i))));
        }
        self.oldest = oldest;
        Ok(newest.map(|key| Version { key, values }))
    }
}

impl StateCursor<'_> {
    /// Of the Id given last, the oldest version in the span: it says what it replaced.
    pub fn oldest(&self) -> Option<&KeyRow> {
        self.oldest.as_ref()
    }
}

impl Source<'_> {
    fn id(&self) -> Option<RecordId> {
        self.slots.get(self.next).map(|slot| self.keys[slot.key].id)
    }

    fn advance(&mut self, span: Span) -> Result<()> {
        self.next += 1;
        if self.next < self.slots.len() {
            return Ok(());
        }
        self.turn(span)
    }

    /// Goes to the first Id that is `id` or greater, and looks at so many together.
    fn seek(&mut self, id: RecordId, ids: usize, span: Span) -> Result<()> {
        self.pages.seek(id)?;
        self.behind = None;
        self.turn_from(id, ids, span)
    }

    fn skip_to(&mut self, id: RecordId, span: Span) -> Result<()> {
        if self.id().is_none_or(|next| id <= next) {
            return Ok(());
        }
        if self.page.as_ref().is_some_and(|page| page.last < id) {
            return self.seek(id, FEW, span);
        }
        let behind = |slot: &Slot| self.keys[slot.key].id < id;
        self.next = self.slots.partition_point(behind);
        if self.next < self.slots.len() {
            return Ok(());
        }
        self.behind = self.behind.map(|next| next.max(id));
        self.turn_from(id, FEW, span)
    }

    /// Goes on behind what was looked at.
    fn turn(&mut self, span: Span) -> Result<()> {
        let ids = self.ids.saturating_mul(4);
        self.turn_from(RecordId::MIN, ids, span)
    }

    /// Looks at the next Ids, from that one on, of which the snapshot sees something.
    fn turn_from(&mut self, from: RecordId, ids: usize, span: Span) -> Result<()> {
        self.next = 0;
        self.slots.clear();
        self.ids = ids;
        loop {
            if self.behind.is_none() && !self.next_page(from, span)? {
                return Ok(());
            }
            let (Some(page), Some(from)) = (&self.page, self.behind) else {
                return Ok(());
            };
            let sight = Sight {
                span: (span.after + 1, span.at),
                from,
                ids: self.ids,
            };
            let (keys, ordinals) = (&mut self.keys, &mut self.ordinals);
            self.behind = self.pages.run.look(page, &self.plain, &sight, keys, ordinals)?;
            self.see();
            if !self.slots.is_empty() {
                return Ok(());
            }
            self.ids = self.ids.saturating_mul(4);
        }
    }

    /// Reads the keys of the next page that the snapshot may see something of.
    fn next_page(&mut self, from: RecordId, span: Span) -> Result<bool> {
        while let Some(page) = self.pages.turn()? {
            let low = self.pages.run.low;
            if low + page.span.0 > span.at || low + page.span.1 <= span.after {
                continue;
            }
            self.plain = self.pages.run.plain_keys(&page)?;
            self.behind = Some(from);
            self.page = Some(page);
            return Ok(true);
        }
        Ok(false)
    }

    /// Finds what the snapshot sees of the keys at hand.
    fn see(&mut self) {
        (self.values, self.next) = (None, 0);
        self.rows.clear();
        for (i, key) in self.keys.iter().enumerate() {
            match self.slots.last_mut() {
                Some(slot) if self.keys[slot.key].id == key.id => slot.oldest = i,
                _ => self.slots.push(Slot {
                    key: i,
                    oldest: i,
                    value: None,
                }),
            }
            if key.kind == VersionKind::Value
                && let Some(slot) = self.slots.last_mut().filter(|slot| slot.value.is_none())
            {
                slot.value = Some((self.rows.len(), age(key)));
                self.rows.push(self.ordinals[i]);
            }
        }
    }

    fn value(&mut self, row: usize) -> Result<Option<Values>> {
        if self.values.is_none() {
            let Some(page) = &self.page else { return Ok(None) };
            self.values = self.pages.run.values(page, Some(&self.rows))?;
        }
        Ok(self.values.as_ref().map(|v| Values { row, ..v.clone() }))
    }
}
