//! Reading runs: opening one, its pages in order, and the values of a page.
//!
//! Key decision: a run is opened by its head, its directory is read part by part and its pages one at a time, so that
//! memory does not depend on its size; of a page only the rows that are asked for are decoded. Reading takes no lock,
//! and it never decides what a change means. Above it: [`StateCursor`] (a state), [`Finder`] (one record), and the
//! merge in [`crate::vault::merge`].

mod ahead;
mod find;
mod state;
mod write;

use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::id::RecordId;
use crate::base::stamp::Stamp;
use crate::format::entry::RunEntry;
use crate::format::page::{KeyRow, Part, Sight, decode_derived_rows, decode_keys_sight};
use crate::format::place::ChunkRef;
use crate::format::run::{PageEntry, RunHead, RunPart};
use crate::format::seal::ChunkKind;
use crate::vault::open::Vault;

pub use ahead::AheadOf;
pub use find::{Finder, versions};
pub use state::StateCursor;
pub use write::{NewRun, PageChunk, ReadyPage, RunPages};

/// The values of one version: a row of a decoded page.
#[derive(Clone)]
pub struct Values {
    /// The stored fields.
    pub content: Arc<Part>,
    /// The derived fields, and when each row was read.
    pub derived: Option<Arc<(Vec<Stamp>, Part)>>,
    /// The row.
    pub row: usize,
}

/// One version of a record, as a run has it.
#[derive(Clone)]
pub struct Version {
    /// Who, when, what kind, which content.
    pub key: KeyRow,
    /// Its values, if they were asked for and it is live.
    pub values: Option<Values>,
}

/// An open run.
#[derive(Clone)]
pub struct Run<'v> {
    vault: &'v Vault,
    /// The lowest of its snapshots, from which its pages count.
    pub low: u64,
    /// The parts of its directory.
    pub head: RunHead,
}

impl<'v> Run<'v> {
    /// Opens a run that the catalog names; one whose head is known to be lost is empty.
    pub fn open(vault: &'v Vault, run: &RunEntry) -> Result<Self> {
        let head = match vault.unless_lost(&run.head.id, vault.meta(ChunkKind::RunHead, &run.head))? {
            Some(bytes) => RunHead::decode(&bytes)?,
            None => RunHead::default(),
        };
        Ok(Self::of(vault, run.low, head))
    }

    /// A run that no catalog names yet.
    pub fn of(vault: &'v Vault, low: u64, head: RunHead) -> Self {
        Self { vault, low, head }
    }

    /// A part of the directory; `None` behind the last, empty if it is known to be lost.
    pub fn part(&self, number: usize) -> Result<Option<RunPart>> {
        let Some(entry) = self.head.parts.get(number) else {
            return Ok(None);
        };
        let part = self.vault.meta(ChunkKind::RunPart, &entry.part);
        match self.vault.unless_lost(&entry.part.id, part)? {
            Some(bytes) => {
                let part = RunPart::decode(&bytes)?;
                let ends = part.pages.first().zip(part.pages.last());
                if ends.is_none_or(|(a, b)| (a.first, b.last) != (entry.first, entry.last)) {
                    let what = format_args!("run part {}", entry.part.id);
                    return Err(Error::corrupt(what, "its Ids are not those that the head says"));
                }
                Ok(Some(part))
            }
            None => Ok(Some(RunPart::default())),
        }
    }

    /// The keys of a page; none if they are known to be lost, which is for who reads a state to tell.
    pub fn keys(&self, page: &PageEntry, into: &mut Vec<KeyRow>) -> Result<()> {
        let plain = self.plain_keys(page)?;
        self.look(page, &plain, &Sight::ALL, into, &mut Vec::new())
            .map(drop)
    }

    /// The bytes of the keys of a page, to [look](Self::look) at; none if they are known to be lost.
    pub fn plain_keys(&self, page: &PageEntry) -> Result<Vec<u8>> {
        self.vault.go_on()?;
        let keys = self.vault.chunk(ChunkKind::PageKeys, &page.keys);
        Ok(self.vault.unless_lost(&page.keys.id, keys)?.unwrap_or_default())
    }

    /// The keys in sight of a page; see [`decode_keys_sight`].
    pub fn look(
        &self,
        page: &PageEntry,
        plain: &[u8],
        sight: &Sight,
        into: &mut Vec<KeyRow>,
        ordinals: &mut Vec<u32>,
    ) -> Result<Option<RecordId>> {
        if plain.is_empty() {
            into.clear();
            ordinals.clear();
            return Ok(None);
        }
        let next = decode_keys_sight(self.low, plain, sight, into, ordinals)?;
        let ends = into.first().zip(into.last());
        if ends.is_some_and(|(first, last)| first.id < page.first || page.last < last.id) {
            let what = format_args!("page keys {}", page.keys.id);
            return Err(Error::corrupt(what, "it has Ids outside those in the directory"));
        }
        Ok(next)
    }

    /// The plaintext of the values of a page; `None` if no version in it has some, or if they are known to be lost
    /// and the vault was opened to be read despite losses.
    pub fn plain(&self, page: &PageEntry) -> Result<Option<PlainValues>> {
        let Some(content) = &page.values else {
            return Ok(None);
        };
        let Some(content) = self.values_chunk(ChunkKind::PageValues, content)? else {
            return Ok(None);
        };
        let derived = match &page.derived {
            Some(chunk) => self.values_chunk(ChunkKind::PageDerived, chunk)?,
            None => None,
        };
        Ok(Some(PlainValues { content, derived }))
    }

    fn values_chunk(&self, kind: ChunkKind, chunk: &ChunkRef) -> Result<Option<Arc<Vec<u8>>>> {
        let bytes = self.vault.chunk(kind, chunk);
        let bytes = self.vault.unless_lost(&chunk.id, bytes)?;
        if bytes.is_none() {
            self.vault
                .pass_over(format_args!("{}: {kind} {}", self.head.sobject, chunk.id))?;
        }
        Ok(bytes.map(Arc::new))
    }

    /// The values of a page, of these of its rows with values (all if `None`); they become rows 0, 1, 2 ...
    pub fn values(&self, page: &PageEntry, rows: Option<&[u32]>) -> Result<Option<Values>> {
        self.plain(page)?.map(|plain| plain.decode(rows)).transpose()
    }
}

/// The value parts of a page, not decoded yet.
pub struct PlainValues {
    content: Arc<Vec<u8>>,
    derived: Option<Arc<Vec<u8>>>,
}

impl PlainValues {
    /// Decodes these rows, all if `None`; they become rows 0, 1, 2 ...
    pub fn decode(&self, rows: Option<&[u32]>) -> Result<Values> {
        let derived = self
            .derived
            .as_ref()
            .map(|bytes| decode_derived_rows(bytes, rows).map(Arc::new));
        Ok(Values {
            content: Arc::new(Part::decode_rows(&self.content, rows)?),
            derived: derived.transpose()?,
            row: 0,
        })
    }
}

/// The pages of a run, in order.
pub struct Pages<'v> {
    /// The run.
    pub run: Run<'v>,
    part: Option<RunPart>,
    next_part: usize,
    next_page: usize,
    ahead: AheadOf<'v>,
}

impl<'v> Pages<'v> {
    /// Before the first page.
    pub fn new(run: Run<'v>) -> Self {
        Self {
            ahead: AheadOf::directory(&run),
            run,
            part: None,
            next_part: 0,
            next_page: 0,
        }
    }

    /// Goes before the first page that may hold `id` or a greater one.
    pub fn seek(&mut self, id: RecordId) -> Result<()> {
        let number = self.run.head.parts.partition_point(|p| p.last < id);
        if self.part.is_none() || self.next_part != number + 1 {
            self.turn_to(number)?;
        }
        let pages = self.part.as_ref().map_or(&[][..], |part| &part.pages);
        self.next_page = pages.partition_point(|page| page.last < id);
        Ok(())
    }

    /// The next page.
    pub fn turn(&mut self) -> Result<Option<PageEntry>> {
        loop {
            if let Some(page) = self.part.as_ref().and_then(|part| part.pages.get(self.next_page)) {
                self.next_page += 1;
                return Ok(Some(page.clone()));
            }
            self.turn_to(self.next_part)?;
            if self.part.is_none() {
                self.next_part -= 1;
                return Ok(None);
            }
            self.next_page = 0;
        }
    }

    fn turn_to(&mut self, number: usize) -> Result<()> {
        self.part = self.run.part(number)?;
        self.next_part = number + 1;
        self.ahead.turn_to(self.run.vault, self.part.as_ref());
        Ok(())
    }
}
