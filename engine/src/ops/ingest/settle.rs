//! Several runs of one snapshot into one, with one version an Id, before it is published.
//!
//! Key decision: each flush compared its rows with the flushes before it too, so digests and the number of live
//! records are right already; here the last word on each Id is compared with the snapshot before, which gives the
//! counts and leaves out what came back to what it was. What only the flushes needed is deleted. It never publishes.

use crate::base::error::Result;
use crate::format::page::{KeyRow, VersionKind};
use crate::format::run::RunHead;
use crate::format::seal::ChunkKind;
use crate::ops::ingest::Ingest;
use crate::vault::merge::{Kept, Merge, retain};
use crate::vault::run::{Run, RunPages, StateCursor};
use crate::vault::writer::Writer;

impl<'v> Ingest<'v> {
    /// The runs of the state before.
    pub(super) fn runs_before(&self) -> Result<Vec<Run<'v>>> {
        let vault = self.target.vault;
        self.target.runs.iter().map(|run| Run::open(vault, run)).collect()
    }

    /// The runs written so far, so that they can be read.
    pub(super) fn own_runs(&mut self, writer: &mut Writer<'v>) -> Result<Vec<Run<'v>>> {
        let (vault, low, name) = (
            self.target.vault,
            self.target.snapshot,
            self.target.schema.sobject(),
        );
        let mut own = Vec::new();
        for (_, head) in &self.earlier {
            let head = RunHead::decode(&vault.meta(ChunkKind::RunHead, head)?)?;
            own.push(Run::of(vault, low, head));
        }
        for run in &mut self.runs {
            // Where there is a scratch all runs are going to be merged.
            let writer = self.scratch.as_mut().unwrap_or(&mut *writer);
            own.push(Run::of(vault, low, run.head(writer, name)?));
        }
        writer.sync()?;
        self.scratch.as_mut().map_or(Ok(()), Writer::sync)?;
        Ok(own)
    }

    /// One run of all that was written.
    pub(super) fn settle(&mut self, writer: &mut Writer<'v>) -> Result<RunPages> {
        let runs = self.own_runs(writer)?;
        let columns = self
            .target
            .schema
            .fields()
            .iter()
            .map(|field| field.name.clone())
            .collect();
        let merge = Merge {
            vault: self.target.vault,
            runs,
            columns,
            reuse: false,
        };
        let mut before = StateCursor::open(self.target.vault, &self.target.runs, self.target.snapshot)?;
        let mut old = before.next(false)?;
        let counts = &mut self.captured;
        (counts.created, counts.edited, counts.stamps, counts.deleted) = (0, 0, 0, 0);
        let target = &self.target;
        let merged = merge.run(writer, &mut |versions, last| {
            retain(versions, &[], false, last);
            let Some(id) = last.first().map(|kept| kept.key.id) else {
                return Ok(());
            };
            while old.as_ref().is_some_and(|v| v.key.id < id) {
                old = before.next(false)?;
            }
            let was = old.as_ref().map(|v| v.key).filter(|key| key.id == id);
            let wanting = target.wanting(id);
            last.retain_mut(|kept| against(kept, was.as_ref(), wanting));
            for kept in last.iter() {
                count(counts, &kept.key, was.is_some_and(|was| was.kind.is_live()));
            }
            Ok(())
        });
        if let Some(scratch) = self.scratch.take() {
            scratch.discard();
        }
        Ok(merged?.pages)
    }
}

/// Compares the last word on an Id with the snapshot before; false if nothing came of it. Where what is known is
/// `wanting`, it stays as it is.
fn against(kept: &mut Kept, was: Option<&KeyRow>, wanting: bool) -> bool {
    let stamps = |key: &KeyRow| (key.system, key.modified, key.modified_by);
    let (live, was_live) = (kept.key.kind.is_live(), was.filter(|was| was.kind.is_live()));
    if !live {
        return was.is_none_or(|was| was.kind.is_live());
    }
    let Some(was) = was_live.filter(|was| was.hash == kept.key.hash && !wanting) else {
        return true;
    };
    (kept.key.kind, kept.values) = (VersionKind::Stamps, None);
    stamps(was) != stamps(&kept.key)
}

/// Counts one version.
pub(super) fn count(counts: &mut crate::format::manifest::Captured, key: &KeyRow, was_live: bool) {
    match (key.kind, was_live) {
        (VersionKind::Value, false) => counts.created += 1,
        (VersionKind::Value, true) => counts.edited += 1,
        (VersionKind::Stamps, _) => counts.stamps += 1,
        (_, true) => counts.deleted += 1,
        (_, false) => {}
    }
}
