//! Rows of one sObject on their way into a snapshot: canonicalised, sorted, compared, paged.
//!
//! Key decision: rows are buffered to a fixed bound, sorted by Id and compared with the state before by its key
//! parts alone; only what changed is written. Input in order of Ids becomes one run; input that is not, and that
//! passes the bound, becomes several, which are merged at the end. It never publishes: that is [`super::publish`].

mod draft;
mod flush;
mod lines;
mod page;
mod pages;
mod seen;
mod settle;

use std::collections::BTreeSet;
use std::sync::Arc;

use rayon::prelude::*;

use crate::base::error::{Error, Result};
use crate::base::id::{ChunkId, RecordId};
use crate::base::stamp::Stamp;
use crate::format::digest::Tally;
use crate::format::draft::{SeenIds, StoredRun};
use crate::format::entry::{ObjectEntry, RunEntry};
use crate::format::loss::HoleEntry;
use crate::format::manifest::Captured;
use crate::format::page::VersionKind;
use crate::format::record::{Canon, Mode, Rows};
use crate::format::schema::Schema;
use crate::vault::erased::Erased;
use crate::vault::open::Vault;
use crate::vault::run::{NewRun, RunPages, StateCursor};
use crate::vault::writer::Writer;

use pages::Workers;
pub use seen::{Ids, Merged};

/// Raw text is canonicalised when this much has come together.
const RAW_BYTES: usize = 8 << 20;

/// What a record that is gone takes in memory, about.
const BURIED_BYTES: usize = 64;

/// What rows are taken into.
pub struct Target<'v> {
    /// The vault.
    pub vault: &'v Vault,
    /// Number of the snapshot to be.
    pub snapshot: u64,
    /// Number of the schema.
    pub schema_number: u32,
    /// The schema.
    pub schema: Arc<Schema>,
    /// The live runs of the sObject.
    pub runs: Vec<RunEntry>,
    /// How the snapshot before left it.
    pub before: Option<ObjectEntry>,
    /// When the rows are read.
    pub read: Stamp,
    /// Open holes of the sObject, which reading all of it fills: none if not all is read.
    pub holes: Vec<(ChunkId, HoleEntry)>,
    /// The records that were erased, whose rows are left out.
    pub erased: Erased,
}

impl Target<'_> {
    /// Whether an Id lies in a hole: then what is known of it may be wanting, and it is written with its values.
    fn wanting(&self, id: RecordId) -> bool {
        self.holes.iter().any(|(_, hole)| hole.covers(id))
    }

    /// The counts and digests of the state before; where versions are lost, those of what can be read.
    fn counts(&self, full: bool) -> Result<Captured> {
        let mut counts = Captured {
            name: self.schema.sobject().to_owned(),
            schema: self.schema_number,
            ..Captured::default()
        };
        if let Some(before) = &self.before {
            counts.agreed = before.agreed;
            if !full {
                (counts.left_out, counts.out_of_sight) = (before.left_out, before.out_of_sight);
            }
        }
        if !self.holes.iter().any(|(_, hole)| hole.costs_versions()) {
            if let Some(before) = &self.before {
                counts.live = before.live;
                (counts.content, counts.stamps_digest) = (before.content, before.stamps);
            }
            return Ok(counts);
        }
        let mut cursor = StateCursor::open(self.vault, &self.runs, self.snapshot)?;
        let (key, mut tally) = (self.vault.keys.digest_key(), Tally::default());
        while let Some(version) = cursor.next(false)? {
            if version.key.kind.is_live() {
                tally.add(&Tally::of(key, self.schema.sobject(), &version.key));
            }
        }
        counts.live = tally.live;
        (counts.content, counts.stamps_digest) = (tally.content, tally.stamps);
        Ok(counts)
    }
}

/// How rows are taken.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// What to do with refused values.
    pub mode: Mode,
    /// Whether every record is going to be read: then absence means something.
    pub full: bool,
    /// Whether an Id that comes twice is an error.
    pub once: bool,
    /// Bytes of rows to hold before pages are written.
    pub memory: usize,
}

/// Takes the rows of one sObject.
pub struct Ingest<'v> {
    target: Target<'v>,
    rules: Rules,
    raw: Vec<u8>,
    ends: Vec<(usize, u64)>,
    direct: Option<(Canon, Rows)>,
    batches: Vec<Rows>,
    held: usize,
    /// Batches that an import has written, to be filled again.
    spare: Vec<Rows>,
    workers: Workers,
    seen: Ids,
    /// Runs of an earlier attempt, which are written.
    earlier: Vec<StoredRun>,
    runs: Vec<RunPages>,
    /// What of the Ids that came is written already.
    saved: SeenIds,
    /// Whether all that was written is going to be merged: pages from then on are read once and deleted.
    passing: bool,
    /// Writes those.
    scratch: Option<Writer<'v>>,
    buried: Vec<(RecordId, VersionKind)>,
    /// Counts so far.
    pub captured: Captured,
    /// Records whose live rows were left out, since they were erased.
    left_out: BTreeSet<RecordId>,
    /// Records whose rows are older than what is known of them, and whether those are asked for.
    doubts: Ids,
    deciding: bool,
}

impl<'v> Ingest<'v> {
    /// Begins with nothing.
    pub fn new(target: Target<'v>, rules: Rules) -> Result<Self> {
        let captured = target.counts(rules.full)?;
        Ok(Self {
            target,
            rules,
            raw: Vec::new(),
            ends: Vec::new(),
            direct: None,
            batches: Vec::new(),
            held: 0,
            spare: Vec::new(),
            workers: Workers::default(),
            seen: Ids::default(),
            earlier: Vec::new(),
            saved: SeenIds::default(),
            runs: Vec::new(),
            passing: false,
            scratch: None,
            buried: Vec::new(),
            captured,
            left_out: BTreeSet::new(),
            doubts: Ids::default(),
            deciding: false,
        })
    }

    /// Takes the JSON text of a row; `line` stands in errors.
    pub fn json(&mut self, writer: &mut Writer<'v>, line: u64, text: &[u8]) -> Result<()> {
        self.raw.extend_from_slice(text);
        self.ends.push((self.raw.len(), line));
        if self.raw.len() >= RAW_BYTES.min(self.rules.memory) {
            self.digest(writer)
        } else {
            Ok(())
        }
    }

    /// Names the columns of CSV rows.
    pub fn columns(&mut self, names: &[&str]) -> Result<()> {
        let mut canon = self.canon();
        canon.columns(names)?;
        self.direct = Some((canon, Rows::default()));
        Ok(())
    }

    /// Takes a CSV row.
    pub fn csv<V: AsRef<[u8]>>(
        &mut self,
        writer: &mut Writer<'v>,
        line: u64,
        values: impl IntoIterator<Item = V>,
    ) -> Result<()> {
        let Some((canon, rows)) = &mut self.direct else {
            return Err(Error::invalid("a CSV row without columns"));
        };
        canon
            .csv(values, rows)
            .map_err(|e| e.within(format_args!("line {line}")))?;
        if rows.arena.len() < RAW_BYTES.min(self.rules.memory) {
            return Ok(());
        }
        let full = std::mem::replace(rows, self.spare.pop().unwrap_or_default());
        self.hold(writer, vec![full])
    }

    fn canon(&self) -> Canon {
        Canon::new(
            Arc::clone(&self.target.schema),
            self.target.vault.keys.record_key(),
            self.rules.mode,
        )
    }

    /// Canonicalises the rows that were held back as they came.
    fn digest(&mut self, writer: &mut Writer<'v>) -> Result<()> {
        self.target.vault.go_on()?;
        let (raw, ends) = (std::mem::take(&mut self.raw), std::mem::take(&mut self.ends));
        let per = ends.len().div_ceil(rayon::current_num_threads() * 2).max(1);
        let starts = (0..ends.len()).step_by(per).collect();
        let batches = self.canonicalise(starts, |canon, from: usize, rows| {
            let mut start = from.checked_sub(1).map_or(0, |before| ends[before].0);
            for &(end, line) in &ends[from..ends.len().min(from + per)] {
                canon
                    .json(&raw[start..end], rows)
                    .map_err(|e| e.within(format_args!("line {line}")))?;
                start = end;
            }
            Ok(())
        })?;
        (self.raw, self.ends) = (raw, ends);
        self.raw.clear();
        self.ends.clear();
        self.hold(writer, batches)
    }

    /// Canonicalises pieces of text on all cores, into batches that were used before if there are any.
    fn canonicalise<T: Send>(
        &mut self,
        pieces: Vec<T>,
        rows_of: impl Fn(&mut Canon, T, &mut Rows) -> Result<()> + Sync,
    ) -> Result<Vec<Rows>> {
        let pieces: Vec<(T, Rows)> = pieces
            .into_iter()
            .map(|piece| (piece, self.spare.pop().unwrap_or_default()))
            .collect();
        let batch = |(piece, mut rows): (T, Rows)| {
            rows_of(&mut self.canon(), piece, &mut rows)?;
            Ok(rows)
        };
        pieces.into_par_iter().map(batch).collect()
    }

    fn hold(&mut self, writer: &mut Writer<'v>, batches: Vec<Rows>) -> Result<()> {
        for mut batch in batches {
            self.captured.read += batch.rows.len() as u64;
            self.leave_out(&mut batch);
            self.captured.refused += batch.refused;
            self.held += batch.bytes();
            self.batches.push(batch);
        }
        if self.held < self.rules.memory {
            return Ok(());
        }
        self.flush(writer, false)
    }

    /// Drops the rows of records that were erased.
    fn leave_out(&mut self, batch: &mut Rows) {
        if self.target.erased.is_empty() {
            return;
        }
        let (erased, keys) = (&self.target.erased, &self.target.vault.keys);
        let left_out = &mut self.left_out;
        batch.rows.retain(|row| {
            let stays = !erased.has(keys, row.id);
            if !stays && row.deleted {
                left_out.remove(&row.id);
            } else if !stays {
                left_out.insert(row.id);
            }
            stays
        });
    }

    /// Whether a record was erased: its rows are left out.
    pub fn is_erased(&self, id: RecordId) -> bool {
        self.target.erased.has(&self.target.vault.keys, id)
    }

    /// Takes what is still held back.
    fn drain(&mut self, writer: &mut Writer<'v>) -> Result<()> {
        self.digest(writer)?;
        if let Some((_, rows)) = &mut self.direct {
            let rest = std::mem::take(rows);
            self.hold(writer, vec![rest])?;
        }
        self.flush(writer, true)
    }

    /// After all rows, where none may come twice.
    pub fn check_once(&mut self, writer: &mut Writer<'v>) -> Result<()> {
        self.drain(writer)?;
        let mut came = std::mem::take(&mut self.seen).merged()?;
        let mut next = came.next()?;
        while next.is_some() {
            self.step(&mut came, &mut next)?;
        }
        Ok(())
    }

    /// After all rows: the Ids that were live before and did not come. Fails if an Id came twice and may not.
    pub fn missing(&mut self, writer: &mut Writer<'v>) -> Result<Merged> {
        self.drain(writer)?;
        let mut came = std::mem::take(&mut self.seen).merged()?;
        let mut before = StateCursor::open(self.target.vault, &self.target.runs, self.target.snapshot)?;
        let (mut missing, mut next) = (Ids::default(), came.next()?);
        while let Some(version) = before.next(false)? {
            while next.is_some_and(|id| id < version.key.id) {
                self.step(&mut came, &mut next)?;
            }
            if version.key.kind.is_live() && next != Some(version.key.id) {
                missing.push(version.key.id)?;
            }
        }
        while next.is_some() {
            self.step(&mut came, &mut next)?;
        }
        missing.end_segment();
        // They are asked for again where a row of this sObject is read once more, or when this is saved.
        self.seen = came.into_ids();
        missing.merged()
    }

    /// The records whose rows are older than what the snapshot before holds: to be asked for by themselves, and what
    /// comes until [`Ingest::decided`] is how they are.
    pub fn doubtful(&mut self, writer: &mut Writer<'v>) -> Result<Merged> {
        self.drain(writer)?;
        self.doubts.end_segment();
        self.deciding = true;
        std::mem::take(&mut self.doubts).merged()
    }

    /// What was doubtful was asked for.
    pub fn decided(&mut self, writer: &mut Writer<'v>) -> Result<()> {
        self.drain(writer)?;
        self.deciding = false;
        Ok(())
    }

    /// Whether rows were left out that are to be asked for again: what was taken is not all that came.
    pub fn has_doubts(&mut self, writer: &mut Writer<'v>) -> Result<bool> {
        self.drain(writer)?;
        Ok(self.deciding || !self.doubts.is_empty())
    }

    fn step(&self, came: &mut Merged, next: &mut Option<RecordId>) -> Result<()> {
        let last = next.take();
        *next = came.next()?;
        if self.rules.once && next.is_some() && *next == last {
            let id = last.map(|id| id.to_string()).unwrap_or_default();
            let name = self.target.schema.sobject();
            return Err(Error::invalid(format!("{name}: the Id {id} comes twice")));
        }
        Ok(())
    }

    /// Says that records are gone, and how.
    pub fn bury(
        &mut self,
        writer: &mut Writer<'v>,
        ids: impl IntoIterator<Item = RecordId>,
        kind: VersionKind,
    ) -> Result<()> {
        let (erased, keys) = (&self.target.erased, &self.target.vault.keys);
        let ids = ids.into_iter().filter(|id| !erased.has(keys, *id));
        self.buried.extend(ids.map(|id| (id, kind)));
        if self.buried.len() * BURIED_BYTES < self.rules.memory {
            return Ok(());
        }
        self.digest(writer)?;
        self.flush(writer, true)
    }

    /// Writes the rest and returns the runs and the counts.
    pub fn finish(mut self, writer: &mut Writer<'v>) -> Result<(Vec<NewRun>, Captured)> {
        self.rules.once = false;
        self.drain(writer)?;
        if self.rules.full {
            self.captured.left_out = self.left_out.len() as u64;
        }
        if self.passing {
            let settled = NewRun::Pages(self.settle(writer)?);
            return Ok((vec![settled], self.captured));
        }
        let runs = self.runs.into_iter().map(NewRun::Pages);
        Ok((runs.collect(), self.captured))
    }
}
