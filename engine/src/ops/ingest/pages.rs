//! From changed rows to the chunks of a page: laid out, compressed and checked, on all cores.
//!
//! Key decision: where pages end is decided first and is cheap; then every page is encoded on its own, so threads
//! share nothing. It writes nothing: placing chunks in packs is sequential and comes after.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use crate::base::error::Result;
use crate::base::id::ContentHash;
use crate::base::stamp::Stamp;
use crate::format::digest::Digest;
use crate::format::page::{
    Cutter, IdHash, KeyRow, PartBuilder, VersionKind, encode_derived, encode_keys, id_hash,
};
use crate::format::record::{Cell, Rows};
use crate::format::schema::Schema;
use crate::format::seal::{ChunkKind, Compressor, Keys};
use crate::vault::run::{PageChunk, ReadyPage};

/// A version to be written, and where its values are.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its keys.
    pub key: KeyRow,
    /// Stamps of the live version before, if there was one.
    pub before: Option<(Stamp, Stamp)>,
    /// Batch and row; unused for tombstones.
    pub row: (u32, u32),
}

/// A page, and what it adds to the digests of content and stamps less what it takes away.
pub struct Ready {
    /// The page.
    pub page: ReadyPage,
    /// Content, stamps.
    pub digests: [Digest; 2],
}

/// What encoding needs to know.
pub struct Context<'a> {
    /// The vault's keys.
    pub keys: &'a Keys,
    /// Level of zstd of pages that stay.
    pub level: i32,
    /// Whether pages are read once and deleted, since they are going to be merged.
    pub passing: bool,
    /// The schema of all rows.
    pub schema: &'a Schema,
    /// The snapshot.
    pub snapshot: u64,
    /// When derived values were read.
    pub read: Stamp,
}

/// The hash of each entry's Id, and the ends of pages (exclusive) among them; the last page may be unfinished.
pub fn cut(context: &Context<'_>, entries: &[Entry], batches: &[Rows]) -> (Vec<IdHash>, Vec<usize>) {
    let key = context.keys.cut_key();
    let hashes: Vec<IdHash> = entries.par_iter().map(|e| id_hash(key, e.key.id)).collect();
    let (mut cutter, mut ends) = (Cutter::default(), Vec::new());
    for (i, (entry, hash)) in entries.iter().zip(&hashes).enumerate() {
        if cutter.ends_after(hash, 1, value_bytes(entry, batches)) {
            ends.push(i + 1);
        }
    }
    (hashes, ends)
}

fn value_bytes(entry: &Entry, batches: &[Rows]) -> usize {
    if entry.key.kind != VersionKind::Value {
        return 0;
    }
    let batch = &batches[entry.row.0 as usize];
    let row = &batch.rows[entry.row.1 as usize];
    batch.cells[row.cells as usize..row.end as usize]
        .iter()
        .map(|c| c.len as usize)
        .sum()
}

/// Encodes the pages that end at `ends`.
pub fn encode(
    context: &Context<'_>,
    entries: &[Entry],
    hashes: &[IdHash],
    ends: &[usize],
    batches: &[Rows],
    workers: &Workers,
) -> Result<Vec<Ready>> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let spans: Vec<_> = starts.zip(ends.iter().copied()).collect();
    let page = |worker: &mut Lent<'_>, (from, to): (usize, usize)| {
        let one = one(
            context,
            &entries[from..to],
            &hashes[from..to],
            batches,
            worker.worker.get_or_insert_with(|| Worker::new(context)),
        );
        if one.is_err() {
            // It may hold half a page.
            worker.worker = None;
        }
        one
    };
    spans
        .into_par_iter()
        .with_min_len(4)
        .map_init(|| workers.lend(context.passing), page)
        .collect()
}

/// What encodes pages, kept from page to page and, in an import, from flush to flush.
#[derive(Default)]
pub struct Workers(Mutex<Vec<Worker>>);

struct Worker {
    passing: bool,
    compressor: Compressor,
    content: PartBuilder,
    derived: PartBuilder,
    bytes: Vec<u8>,
}

/// A worker that goes back when it is dropped.
struct Lent<'a> {
    workers: &'a Workers,
    worker: Option<Worker>,
}

impl Workers {
    fn lend(&self, passing: bool) -> Lent<'_> {
        let worker = self.idle().pop().filter(|worker| worker.passing == passing);
        Lent {
            workers: self,
            worker,
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let worker = self.worker.take();
        self.workers.idle().extend(worker);
    }
}

impl Worker {
    fn new(context: &Context<'_>) -> Self {
        let names = || context.schema.fields().iter().map(|f| f.name.clone());
        Self {
            passing: context.passing,
            compressor: if context.passing {
                Compressor::passing()
            } else {
                Compressor::new(context.level)
            },
            content: PartBuilder::new(names()),
            derived: PartBuilder::new(names()),
            bytes: Vec::new(),
        }
    }
}

fn one(
    context: &Context<'_>,
    entries: &[Entry],
    hashes: &[IdHash],
    batches: &[Rows],
    worker: &mut Worker,
) -> Result<Ready> {
    let Worker {
        compressor,
        content,
        derived,
        bytes,
        ..
    } = worker;
    let mut values = 0;
    for entry in entries.iter().filter(|e| e.key.kind == VersionKind::Value) {
        let batch = &batches[entry.row.0 as usize];
        let row = &batch.rows[entry.row.1 as usize];
        fill(content, batch, batch.content(row));
        fill(derived, batch, batch.derived(row));
        values += 1;
    }
    let keys: Vec<KeyRow> = entries.iter().map(|e| e.key).collect();
    let mut prepare =
        |kind, bytes: &[u8], ends: &[usize]| compressor.prepare_in_parts(context.keys, kind, bytes, ends);
    let (keys, hashes_lie) = encode_keys(context.snapshot, &keys);
    let keys = prepare(ChunkKind::PageKeys, &keys, &hashes_lie)?;
    let has_derived = !derived.is_empty();
    bytes.clear();
    let ends = content.finish(bytes);
    let value_part = if values > 0 {
        Some(prepare(ChunkKind::PageValues, bytes, &ends)?)
    } else {
        None
    };
    bytes.clear();
    derived.finish(bytes);
    let derived = if has_derived {
        Some(prepare(
            ChunkKind::PageDerived,
            &encode_derived(&vec![context.read; values], bytes),
            &[],
        )?)
    } else {
        None
    };
    let page = ReadyPage {
        ids: (entries[0].key.id, entries[entries.len() - 1].key.id),
        rows: entries.len() as u32,
        span: (0, 0),
        continued: false,
        keys: PageChunk::New(keys),
        values: value_part.map(PageChunk::New),
        derived: derived.map(PageChunk::New),
        hashes: hashes.to_vec(),
    };
    Ok(Ready {
        page,
        digests: digests(context, entries),
    })
}

fn fill(part: &mut PartBuilder, batch: &Rows, cells: &[Cell]) {
    for cell in cells {
        part.push(usize::from(cell.field), cell.kind, batch.value(cell));
    }
    part.end_row();
}

/// What these entries do to the digests of content and of stamps.
fn digests(context: &Context<'_>, entries: &[Entry]) -> [Digest; 2] {
    let (key, sobject) = (context.keys.digest_key(), context.schema.sobject());
    let [mut content, mut stamps] = [Digest::default(), Digest::default()];
    for Entry { key: row, before, .. } in entries {
        if row.kind.is_live() {
            content.add(&Digest::content(key, sobject, row.id, &row.hash));
            stamps.add(&Digest::stamps(key, sobject, row.id, row.system, row.modified));
        }
        if let Some((system, modified)) = before {
            let replaced: ContentHash = row.replaced;
            content.sub(&Digest::content(key, sobject, row.id, &replaced));
            stamps.sub(&Digest::stamps(key, sobject, row.id, *system, *modified));
        }
    }
    [content, stamps]
}
