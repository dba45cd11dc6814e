//! Several runs into one, in which all versions of a record lie side by side.
//!
//! Key decision: all versions of one Id are gathered, a rule says which stay, pages end where the Ids say; a page
//! in whose range no other run has an Id, and of which all versions stay, is taken over by reference. Memory: a page
//! of each run, and the pages being written. It neither picks the runs nor commits.

mod inputs;
mod pages;
mod retain;

use std::sync::mpsc::sync_channel;

use crate::base::error::Result;
use crate::format::page::{IdHash, KeyRow, encode_keys, id_hash};
use crate::format::seal::{ChunkKind, Compressor};
use crate::vault::open::Vault;
use crate::vault::run::{PageChunk, ReadyPage, Run, RunPages};
use crate::vault::writer::Writer;

use inputs::Input;
pub(crate) use inputs::Inputs;
use pages::{PageMaker, PageWriter};
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

/// Says which versions of one Id stay: adds them to what is empty.
pub type Rule<'a> = dyn FnMut(&[KeyRow], &mut Vec<Kept>) -> Result<()> + 'a;

impl<'v> Merge<'v> {
    /// Merges, asking `rule` of each Id, in ascending order of Ids.
    pub fn run(self, writer: &mut Writer<'v>, rule: &mut Rule<'_>) -> Result<Merged> {
        let low = self.runs.iter().map(|run| run.low).min().unwrap_or(0);
        let pages = PageWriter {
            vault: self.vault,
            low,
            columns: self.columns,
        };
        let (runs, vault, reuse) = (self.runs, self.vault, self.reuse);
        let (steps, coming) = sync_channel(1);
        std::thread::scope(|scope| {
            let writing = scope.spawn(move || pages.run(writer, coming));
            let gathered = gather(vault, runs, low, reuse, PageMaker::new(steps), rule);
            let pages = writing
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            let (read, reused) = gathered?;
            Ok(Merged { pages, read, reused })
        })
    }
}

/// Hands the pages of a merge on: versions read, pages taken over. Ends early where they are taken no more.
fn gather(
    vault: &Vault,
    runs: Vec<Run<'_>>,
    low: u64,
    reuse: bool,
    mut maker: PageMaker,
    rule: &mut Rule<'_>,
) -> Result<(u64, u64)> {
    let mut inputs = Inputs::open(runs)?;
    let (mut read, mut reused) = (0, 0);
    let (mut versions, mut keys, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(id) = inputs.least() {
        if reuse
            && maker.is_at_start()
            && let Some(input) = inputs.alone()
            && let Some(page) = take_over(vault, low, input, rule)?
        {
            read += u64::from(page.rows);
            reused += 1;
            if !maker.place(page) {
                break;
            }
            inputs.skip_page()?;
            continue;
        }
        inputs.take(id, &mut versions)?;
        read += versions.len() as u64;
        keys.clear();
        keys.extend(versions.iter().map(|version| version.key));
        rule(&keys, &mut kept)?;
        let rows = kept.drain(..).map(|kept: Kept| {
            let values = kept.values.and_then(|i| versions[i].values.clone());
            (kept.key, values)
        });
        let hash = id_hash(vault.keys.cut_key(), id);
        if !maker.add(hash, rows) {
            break;
        }
    }
    maker.finish();
    Ok((read, reused))
}

/// The page at hand as it is, if all its versions stay as they are.
fn take_over(vault: &Vault, low: u64, input: &Input<'_>, rule: &mut Rule<'_>) -> Result<Option<ReadyPage>> {
    let (keys, Some(page)) = (input.keys(), input.page()) else {
        return Ok(None);
    };
    let (mut hashes, mut kept): (Vec<IdHash>, Vec<Kept>) = (Vec::new(), Vec::new());
    for versions in keys.chunk_by(|a, b| a.id == b.id) {
        kept.clear();
        rule(versions, &mut kept)?;
        if kept.len() != versions.len() || kept.iter().zip(versions).any(|(kept, key)| kept.key != *key) {
            return Ok(None);
        }
        hashes.push(id_hash(vault.keys.cut_key(), versions[0].id));
    }
    let behind = input.low() - low;
    let keys = if behind == 0 {
        PageChunk::Known(page.keys.id)
    } else {
        let (bytes, hashes_lie) = encode_keys(low, keys);
        let mut compressor = Compressor::new(vault.level);
        PageChunk::New(compressor.prepare_in_parts(&vault.keys, ChunkKind::PageKeys, &bytes, &hashes_lie)?)
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
