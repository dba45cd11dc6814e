//! Pages into packs, and the directory of the run that they make.
//!
//! Key decision: the key parts of a run lie together; the parts of its directory are written as they are finished,
//! so that memory does not grow with the run, unless they are few: those go into the packs of the commit. It neither
//! makes pages nor names the run in a catalog.

use std::collections::HashMap;

use crate::base::error::{Error, Result};
use crate::base::id::{ChunkId, RecordId};
use crate::base::limits::RUN_PART_PAGES;
use crate::format::draft::StoredRun;
use crate::format::pack::Location;
use crate::format::page::IdHash;
use crate::format::place::{ChunkRef, MetaRef};
use crate::format::run::{Filter, PageEntry, PartEntry, RunHead, RunPart};
use crate::format::seal::{ChunkKind, Prepared};
use crate::vault::commit::Edit;
use crate::vault::writer::Writer;

/// Key parts are held back up to this many bytes, so that those of a run lie together.
const KEYS_HELD: usize = 4 << 20;
/// Parts of a directory are held back up to this many bytes.
const PARTS_HELD: usize = 256 << 10;

/// A chunk of a page: to be written, or one that is in a live pack.
pub enum PageChunk {
    /// To be written, unless it is known.
    New(Prepared),
    /// It is known.
    Known(ChunkId),
}

impl PageChunk {
    fn id(&self) -> ChunkId {
        match self {
            Self::New(chunk) => chunk.id,
            Self::Known(id) => *id,
        }
    }
}

/// A page ready to be placed.
pub struct ReadyPage {
    /// Smallest and largest Id.
    pub ids: (RecordId, RecordId),
    /// Versions.
    pub rows: u32,
    /// Lowest and highest snapshot, counted from the run's lowest.
    pub span: (u64, u64),
    /// Whether the versions of the first Id began in the page before.
    pub continued: bool,
    /// The key part.
    pub keys: PageChunk,
    /// The values.
    pub values: Option<PageChunk>,
    /// The derived values.
    pub derived: Option<PageChunk>,
    /// Of all Ids, for the filter.
    pub hashes: Vec<IdHash>,
}

/// The pages of a run to be, with the finished parts of its directory.
#[derive(Default)]
pub struct RunPages {
    /// Versions.
    pub rows: u64,
    /// The largest Id so far.
    pub last: Option<RecordId>,
    parts: Vec<(RecordId, RecordId, Part)>,
    parts_held: usize,
    pages: Vec<(PageEntry, Option<Prepared>, Vec<IdHash>)>,
    keys_held: usize,
}

/// A part of the directory.
enum Part {
    Held(Vec<u8>),
    Written(MetaRef),
}

impl RunPages {
    /// Whether it has no page.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Adds pages, which follow on those before.
    pub fn add(&mut self, writer: &mut Writer<'_>, pages: Vec<ReadyPage>) -> Result<()> {
        let chunks = |page: &ReadyPage| {
            let keys = matches!(page.keys, PageChunk::Known(_)).then_some(page.keys.id());
            let others = [&page.values, &page.derived]
                .into_iter()
                .flatten()
                .map(PageChunk::id);
            keys.into_iter().chain(others).collect::<Vec<_>>()
        };
        let wanted: Vec<_> = pages.iter().flat_map(chunks).collect();
        let present = writer.present(&wanted)?;
        let known: HashMap<_, _> = wanted
            .into_iter()
            .zip(present)
            .filter_map(|(id, at)| Some((id, at?)))
            .collect();
        for page in pages {
            self.place(writer, &known, page)?;
        }
        Ok(())
    }

    fn place(
        &mut self,
        writer: &mut Writer<'_>,
        known: &HashMap<ChunkId, Location>,
        page: ReadyPage,
    ) -> Result<()> {
        let mut put = |chunk: Option<PageChunk>| -> Result<Option<ChunkRef>> {
            let Some(chunk) = chunk else { return Ok(None) };
            let at = match (known.get(&chunk.id()), &chunk) {
                (Some(at), _) => *at,
                (None, PageChunk::New(chunk)) => writer.put(chunk)?,
                (None, PageChunk::Known(id)) => return Err(lost(id)),
            };
            Ok(Some(ChunkRef { id: chunk.id(), at }))
        };
        let (values, derived) = (put(page.values)?, put(page.derived)?);
        let nowhere = Location {
            pack: crate::base::id::PackId([0; 32]),
            offset: 0,
            len: 0,
        };
        let id = page.keys.id();
        let (at, keys) = match page.keys {
            PageChunk::New(keys) => (nowhere, Some(keys)),
            PageChunk::Known(id) => (known.get(&id).copied().ok_or_else(|| lost(&id))?, None),
        };
        self.last = Some(page.ids.1);
        self.rows += u64::from(page.rows);
        self.keys_held += keys.as_ref().map_or(0, Prepared::stored_len);
        let entry = PageEntry {
            first: page.ids.0,
            last: page.ids.1,
            rows: page.rows,
            span: page.span,
            continued: page.continued,
            keys: ChunkRef { id, at },
            values,
            derived,
        };
        self.pages.push((entry, keys, page.hashes));
        if self.keys_held > KEYS_HELD || self.pages.len() >= 4 * RUN_PART_PAGES {
            self.place_keys(writer)?;
        }
        Ok(())
    }

    /// Puts the key parts held back into packs, side by side.
    fn place_keys(&mut self, writer: &mut Writer<'_>) -> Result<()> {
        for (entry, keys, _) in &mut self.pages {
            if let Some(chunk) = keys.take() {
                entry.keys.at = writer.put(&chunk)?;
            }
        }
        self.keys_held = 0;
        while self.pages.len() >= RUN_PART_PAGES {
            self.part(writer, RUN_PART_PAGES)?;
        }
        Ok(())
    }

    /// Makes a part of the directory of the first pages.
    fn part(&mut self, writer: &mut Writer<'_>, count: usize) -> Result<()> {
        let (mut pages, mut hashes) = (Vec::with_capacity(count), Vec::new());
        for (entry, _, of_page) in self.pages.drain(..count) {
            hashes.extend(of_page);
            pages.push(entry);
        }
        if let (Some(first), Some(last)) = (pages.first().map(|p| p.first), pages.last().map(|p| p.last)) {
            let filter = Filter::of(&hashes);
            let bytes = RunPart { pages, filter }.encode();
            self.parts_held += bytes.len();
            self.parts.push((first, last, Part::Held(bytes)));
        }
        if self.parts_held > PARTS_HELD {
            self.write_parts(writer)?;
        }
        Ok(())
    }

    fn write_parts(&mut self, writer: &mut Writer<'_>) -> Result<()> {
        for (_, _, part) in &mut self.parts {
            if let Part::Held(bytes) = part {
                *part = Part::Written(writer.put_meta(ChunkKind::RunPart, bytes)?);
            }
        }
        self.parts_held = 0;
        Ok(())
    }

    /// Writes what was held back, but for a few parts of the directory.
    pub fn finish(&mut self, writer: &mut Writer<'_>) -> Result<()> {
        self.place_keys(writer)?;
        if self.pages.is_empty() {
            return Ok(());
        }
        self.part(writer, self.pages.len())
    }

    /// Finishes it so that it can be read before it is published, once the writer has synced.
    pub fn head(&mut self, writer: &mut Writer<'_>, sobject: &str) -> Result<RunHead> {
        self.finish(writer)?;
        self.write_parts(writer)?;
        self.directory(sobject, |_| {
            Err(Error::invalid("a part of a directory is not written"))
        })
    }

    /// Writes the head, and the parts that are still held, with a commit.
    pub fn enter(&self, edit: &mut Edit<'_>, sobject: &str) -> Result<MetaRef> {
        let head = self.directory(sobject, |bytes| edit.put(ChunkKind::RunPart, bytes))?;
        edit.put(ChunkKind::RunHead, &head.encode())
    }

    fn directory(&self, sobject: &str, mut put: impl FnMut(&[u8]) -> Result<MetaRef>) -> Result<RunHead> {
        let mut parts = Vec::with_capacity(self.parts.len());
        for (first, last, part) in &self.parts {
            let part = match part {
                Part::Held(bytes) => put(bytes)?,
                Part::Written(at) => *at,
            };
            parts.push(PartEntry {
                first: *first,
                last: *last,
                part,
            });
        }
        Ok(RunHead {
            sobject: sobject.to_owned(),
            rows: self.rows,
            parts,
        })
    }
}

/// A run to be named in a catalog.
pub enum NewRun {
    /// Its directory goes with the commit that names it.
    Pages(RunPages),
    /// It is written.
    Written(StoredRun),
}

impl NewRun {
    /// Writes what is not written, with a commit; none for a run without pages.
    pub fn enter(&self, edit: &mut Edit<'_>, sobject: &str) -> Result<Option<StoredRun>> {
        match self {
            Self::Pages(run) if run.is_empty() => Ok(None),
            Self::Pages(run) => Ok(Some((run.rows, run.enter(edit, sobject)?))),
            Self::Written(run) => Ok(Some(*run)),
        }
    }
}

fn lost(id: &ChunkId) -> Error {
    Error::corrupt(format_args!("chunk {id}"), "no live pack has it").hint("run `halite check`")
}
