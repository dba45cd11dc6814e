//! Several runs into one, in which all versions of a record lie side by side.
//!
//! Key decision: all versions of one Id are gathered, a rule says which stay, pages end where the Ids say; a page
//! in whose range no other run has an Id, and of which all versions stay, is taken over by reference. Memory: a page
//! of each run, and the pages being written. It neither picks the runs nor commits.

mod inputs;
mod pages;
mod retain;

use crate::base::error::Result;
use crate::format::page::{IdHash, KeyRow, encode_keys, id_hash};
use crate::format::seal::{ChunkKind, Compressor};
use crate::vault::open::Vault;
use crate::vault::run::{PageChunk, ReadyPage, Run, RunPages};
use crate::vault::writer::Writer;

use inputs::Input;
pub(crate) use inputs::Inputs;
use pages::PageMaker;
pub use retain::{Kept, retain};

/// What is to be merged.
pub struct Merge<'v> {
    /// The vault.
    pub vault: &'v Vault,
    /// The runs, the later arrival last.
    pub runs: Vec<Run<'v>>,
    /// All columns that any version may have, in byte order.
    pub columns: Vec<String>,
    /// Whether pages may be taken over: all runs are live, and the rule only looks.
    pub reuse: bool,
}

/// What became of it.
pub struct Merged {
    /// The new run; empty if nothing stays.
    pub pages: RunPages,
    /// Versions read.
    pub read: u64,
    /// Pages taken over as they were.
    pub reused: u64,
}

/// Says which versions of one Id stay.
pub type Rule<'a> = dyn FnMut(&[KeyRow]) -> Result<Vec<Kept>> + 'a;

impl<'v> Merge<'v> {
    /// Merges, asking `rule` of each Id, in ascending order of Ids.
    pub fn run(self, writer: &mut Writer<'v>, rule: &mut Rule<'_>) -> Result<Merged> {
        let low = self.runs.iter().map(|run| run.low).min().unwrap_or(0);
        let mut maker = PageMaker::new(self.vault, low, self.columns);
        let mut inputs = Inputs::open(self.runs)?;
        let (mut read, mut reused) = (0, 0);
        while let Some(id) = inputs.least() {
            if self.reuse
                && maker.is_at_start()
                && let Some(input) = inputs.alone()
                && let Some(page) = take_over(self.vault, low, input, rule)?
            {
                read += u64::from(page.rows);
                reused += 1;
                maker.place(writer, page)?;
                inputs.skip_page()?;
                continue;
            }
            let versions = inputs.take(id)?;
            read += versions.len() as u64;
            let keys: Vec<KeyRow> = versions.iter().map(|(key, _)| *key).collect();
            let kept = rule(&keys)?.into_iter().map(|kept| {
                let values = kept.values.and_then(|i| versions[i].1.clone());
                (kept.key, values)
            });
            let hash = id_hash(self.vault.keys.cut_key(), id);
            maker.add(writer, hash, kept.collect())?;
        }
        let pages = maker.finish(writer)?;
        Ok(Merged { pages, read, reused })
    }
}

/// The page at hand as it is, if all its versions stay as they are.
fn take_over(vault: &Vault, low: u64, input: &Input<'_>, rule: &mut Rule<'_>) -> Result<Option<ReadyPage>> {
    let (keys, Some(page)) = (input.keys(), input.page()) else {
        return Ok(None);
    };
    let mut hashes: Vec<IdHash> = Vec::new();
    for versions in keys.chunk_by(|a, b| a.id == b.id) {
        let kept = rule(versions)?;
        if kept.len() != versions.len() || kept.iter().zip(versions).any(|(kept, key)| kept.key != *key) {
            return Ok(None);
        }
        hashes.push(id_hash(vault.keys.cut_key(), versions[0].id));
    }
    let behind = input.low() - low;
    let keys = if behind == 0 {
        PageChunk::Known(page.keys.id)
    } else {
        let bytes = encode_keys(low, keys);
        PageChunk::New(Compressor::new(vault.level).prepare(&vault.keys, ChunkKind::PageKeys, &bytes)?)
    };
    Ok(Some(ReadyPage {
        ids: (page.first, page.last),
        rows: page.rows,
        span: (page.span.0 + behind, page.span.1 + behind),
        continued: false,
        keys,
        values: page.values.as_ref().map(|chunk| PageChunk::Known(chunk.id)),
        derived: page.derived.as_ref().map(|chunk| PageChunk::Known(chunk.id)),
        hashes,
    }))
}
