//! An ingest that stops and goes on: what it has taken, as a slot of a draft.
//!
//! Key decision: whatever is held is written first, and a page ends early there, so that a slot is a list of
//! references and a few counts. What was written for reading back only belongs to the draft from then on, and is
//! dead once the snapshot is published. It does not say where the source stood: that is the capture's.

use crate::base::error::{Error, Result};
use crate::format::draft::{SeenIds, StoredRun, UnderWay};
use crate::format::place::ChunkRef;
use crate::format::seal::{ChunkKind, Compressor};
use crate::ops::ingest::{Ingest, Rules, Target};
use crate::vault::run::StateCursor;
use crate::vault::writer::Writer;

/// Bytes of a list of Ids in one chunk.
const IDS_CHUNK: usize = 1 << 20;

impl<'v> Ingest<'v> {
    /// Goes on from a slot.
    pub fn resume(target: Target<'v>, rules: Rules, slot: &UnderWay) -> Result<Self> {
        let vault = target.vault;
        let mut ingest = Self::new(target, rules)?;
        ingest.captured = slot.captured.clone();
        ingest.earlier = slot.runs.clone();
        // A slot does not tell how its pages were written.
        ingest.passing = !slot.runs.is_empty();
        for chunk in &slot.seen.chunks {
            ingest.seen.load(&vault.chunk(ChunkKind::Ids, chunk)?)?;
        }
        ingest.seen.loaded(&slot.seen.ends);
        let (ends, bytes) = ingest.seen.ends();
        if ends.last().copied().unwrap_or(0) != bytes || !ends.is_sorted() {
            return Err(Error::corrupt("draft slot", "its lists of Ids end elsewhere"));
        }
        ingest.saved = slot.seen.clone();
        Ok(ingest)
    }

    /// Writes everything that was taken: the runs so far and the Ids that came. Durable once the writer has synced.
    pub fn pause(&mut self, writer: &mut Writer<'v>) -> Result<(Vec<StoredRun>, SeenIds)> {
        self.drain(writer)?;
        if let Some(scratch) = self.scratch.take() {
            writer.absorb(scratch)?;
        }
        let name = self.target.schema.sobject();
        let mut runs = self.earlier.clone();
        for run in &mut self.runs {
            let head = run.head(writer, name)?;
            runs.push((run.rows, writer.put_meta(ChunkKind::RunHead, &head.encode())?));
        }
        self.save_seen(writer)?;
        Ok((runs, self.saved.clone()))
    }

    /// Writes the lists of Ids that came since the last time.
    fn save_seen(&mut self, writer: &mut Writer<'v>) -> Result<()> {
        let from = self.saved.ends.last().copied().unwrap_or(0);
        let (ends, to) = self.seen.ends();
        self.saved.ends = ends.to_vec();
        let mut compressor = Compressor::new(self.target.vault.level);
        let mut at = from;
        while at < to {
            let mut bytes = vec![0; IDS_CHUNK.min((to - at) as usize)];
            self.seen.read(at, &mut bytes)?;
            at += bytes.len() as u64;
            let chunk = compressor.prepare(&self.target.vault.keys, ChunkKind::Ids, &bytes)?;
            let (id, at) = (chunk.id, writer.put(&chunk)?);
            self.saved.chunks.push(ChunkRef { id, at });
        }
        Ok(())
    }

    /// Writes what is held, so that little memory is taken until more rows come.
    pub fn rest(&mut self, writer: &mut Writer<'v>) -> Result<()> {
        self.drain(writer)?;
        self.scratch.as_mut().map_or(Ok(()), Writer::sync)?;
        self.seen.spill()
    }

    /// What was taken, without the state before: of each record the last word.
    pub fn news(&mut self, writer: &mut Writer<'v>) -> Result<StateCursor<'v>> {
        self.drain(writer)?;
        let runs = self.own_runs(writer)?;
        Ok(StateCursor::over(runs, self.target.snapshot))
    }

    /// The state as it is now, with all that was taken.
    pub fn current(&mut self, writer: &mut Writer<'v>) -> Result<StateCursor<'v>> {
        self.drain(writer)?;
        let mut runs = self.runs_before()?;
        runs.extend(self.own_runs(writer)?);
        Ok(StateCursor::over(runs, self.target.snapshot))
    }
}
