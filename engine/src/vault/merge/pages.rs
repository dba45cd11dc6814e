//! The pages of a merged run: versions gathered until the Ids say that a page ends, then encoded on all cores.
//!
//! Key decision: pages end as those of a capture do, so that a range in which nothing changed gives the same value
//! part again. A page that would grow beyond a reader's bound ends inside an Id's versions, and the next one says so.
//! Encoding goes on beside the gathering, in a thread of its own. It does not decide which versions stay.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

use rayon::prelude::*;

use crate::base::error::{Error, Result};
use crate::base::limits::{PAGE_BYTES_MAX, PAGE_VERSIONS_MAX};
use crate::base::stamp::Stamp;
use crate::format::page::{Cutter, IdHash, KeyRow, Part, PartBuilder, Span, encode_derived, encode_keys};
use crate::format::seal::{ChunkKind, Compressor};
use crate::vault::open::Vault;
use crate::vault::run::{PageChunk, ReadyPage, RunPages, Values};
use crate::vault::writer::Writer;

/// Pages are encoded when so many, or so many bytes of them, have come together.
const PAGES_AT_ONCE: usize = 16;
const BYTES_AT_ONCE: usize = 4 << 20;
/// One Id's versions are cut at so many bytes.
const ID_BYTES_MAX: usize = 4 * PAGE_BYTES_MAX;

type Row = (KeyRow, Option<Values>);

/// Pages on their way into the run.
pub enum Step {
    /// To be encoded.
    Made(Vec<Draft>),
    /// Ready.
    Ready(Box<ReadyPage>),
}

/// Gathers versions into pages.
pub struct PageMaker {
    cutter: Cutter,
    page: Draft,
    full: Vec<Draft>,
    bytes: usize,
    steps: SyncSender<Step>,
}

/// Encodes pages and writes them into a run.
pub struct PageWriter<'v> {
    /// The vault.
    pub vault: &'v Vault,
    /// The lowest snapshot of the run.
    pub low: u64,
    /// All columns.
    pub columns: Vec<String>,
}

/// A page to be.
#[derive(Default)]
pub struct Draft {
    rows: Vec<Row>,
    hashes: Vec<IdHash>,
    continued: bool,
    bytes: usize,
}

impl PageMaker {
    /// Hands its pages on to a [`PageWriter`].
    pub fn new(steps: SyncSender<Step>) -> Self {
        Self {
            cutter: Cutter::default(),
            page: Draft::default(),
            full: Vec::new(),
            bytes: 0,
            steps,
        }
    }

    /// Whether a page begins with the next Id.
    pub fn is_at_start(&self) -> bool {
        self.page.rows.is_empty()
    }

    /// Adds an Id with its versions; false if they are taken no more, since writing failed.
    pub fn add(&mut self, hash: IdHash, rows: impl Iterator<Item = Row>) -> bool {
        let mut rows = rows.peekable();
        if rows.peek().is_none() {
            return true;
        }
        self.page.hashes.push(hash);
        let (mut above, mut count, mut bytes) = (None, 0, 0);
        for (key, values) in rows {
            if self.page.rows.len() >= PAGE_VERSIONS_MAX || self.page.bytes >= ID_BYTES_MAX {
                self.end_page();
                self.page.hashes.push(hash);
                self.page.continued = true;
                (count, bytes, self.cutter) = (0, 0, Cutter::default());
            }
            let own = values.as_ref().map_or(0, |values| size(values, above.as_ref()));
            self.page.bytes += own;
            (count, bytes) = (count + 1, bytes + own);
            above = values.clone().or(above);
            self.page.rows.push((key, values));
        }
        if self.cutter.ends_after(&hash, count, bytes) {
            self.end_page();
        }
        self.full.len() < PAGES_AT_ONCE && self.bytes < BYTES_AT_ONCE || self.hand_on()
    }

    fn end_page(&mut self) {
        self.bytes += self.page.bytes;
        self.full.push(std::mem::take(&mut self.page));
    }

    /// Places a page that is ready, behind all that was added; false as [`PageMaker::add`].
    pub fn place(&mut self, page: ReadyPage) -> bool {
        self.hand_on() && self.steps.send(Step::Ready(Box::new(page))).is_ok()
    }

    /// Hands on the rest.
    pub fn finish(mut self) {
        if !self.page.rows.is_empty() {
            self.end_page();
        }
        self.hand_on();
    }

    fn hand_on(&mut self) -> bool {
        self.bytes = 0;
        let full = std::mem::take(&mut self.full);
        full.is_empty() || self.steps.send(Step::Made(full)).is_ok()
    }
}

impl PageWriter<'_> {
    /// Writes what comes until nothing does any more.
    pub fn run(&self, writer: &mut Writer<'_>, steps: Receiver<Step>) -> Result<RunPages> {
        let mut run = RunPages::default();
        for step in steps {
            match step {
                Step::Made(pages) => run.add(writer, self.encode(pages)?)?,
                Step::Ready(page) => run.add(writer, vec![*page])?,
            }
        }
        run.finish(writer)?;
        Ok(run)
    }

    fn encode(&self, full: Vec<Draft>) -> Result<Vec<ReadyPage>> {
        let worker = || Encoder {
            vault: self.vault,
            low: self.low,
            columns: &self.columns,
            compressor: Compressor::new(self.vault.level),
            parts: [(); 2].map(|()| PartBuilder::new(self.columns.iter().cloned())),
        };
        full.into_par_iter().map_init(worker, Encoder::page).collect()
    }
}

/// The bytes of a version that are not those of the version above.
fn size(values: &Values, above: Option<&Values>) -> usize {
    let parts = |values: &Values| (Arc::as_ptr(&values.content), values.row);
    if above.is_some_and(|above| parts(above) == parts(values)) {
        return 0;
    }
    let cells = |part: &Part, above: Option<(&Part, usize)>| -> usize {
        let new = |(i, column): (usize, &crate::format::page::Column)| {
            let bytes = part.bytes(column.cells.get(values.row)?.as_ref()?);
            let same = above.is_some_and(|(other, row)| {
                let column = other.columns.get(i).filter(|c| c.name == column.name);
                let cell = column.and_then(|c| c.cells.get(row)?.as_ref());
                cell.is_some_and(|cell| other.bytes(cell) == bytes)
            });
            (!same).then_some(bytes.len())
        };
        part.columns.iter().enumerate().filter_map(new).sum()
    };
    let derived = values.derived.as_ref();
    cells(&values.content, above.map(|above| (&*above.content, above.row)))
        + derived.map_or(0, |derived| {
            let above = above.and_then(|above| Some((&above.derived.as_ref()?.1, above.row)));
            cells(&derived.1, above)
        })
}

/// Encodes pages on one thread.
struct Encoder<'a> {
    vault: &'a Vault,
    low: u64,
    columns: &'a [String],
    compressor: Compressor,
    parts: [PartBuilder; 2],
}

impl Encoder<'_> {
    fn page(&mut self, draft: Draft) -> Result<ReadyPage> {
        let keys: Vec<KeyRow> = draft.rows.iter().map(|(key, _)| *key).collect();
        let (mut read, mut above) = (Vec::new(), None);
        let (mut content, mut derived) = (Places::default(), Places::default());
        for (key, values) in &draft.rows {
            let Some(values) = values else { continue };
            let joins = above == Some(key.id);
            above = Some(key.id);
            content.fill(
                &mut self.parts[0],
                self.columns,
                &values.content,
                values.row,
                joins,
            )?;
            let computed = values.derived.as_deref();
            read.push(
                computed
                    .and_then(|(read, _)| read.get(values.row).copied())
                    .unwrap_or(Stamp::NONE),
            );
            let nothing = Part::default();
            let part = computed.map_or(&nothing, |(_, part)| part);
            derived.fill(&mut self.parts[1], self.columns, part, values.row, joins)?;
        }
        let vault = self.vault;
        let mut prepare = |kind, bytes: &[u8], ends: &[usize]| {
            self.compressor
                .prepare_in_parts(&vault.keys, kind, bytes, ends)
                .map(PageChunk::New)
        };
        let has_derived = !self.parts[1].is_empty();
        let [mut values, mut computed] = [Vec::new(), Vec::new()];
        let ends = self.parts[0].finish(&mut values);
        self.parts[1].finish(&mut computed);
        let (key_part, hashes_lie) = encode_keys(self.low, &keys);
        let snapshots = || keys.iter().map(|key| key.snapshot - self.low);
        Ok(ReadyPage {
            ids: (keys[0].id, keys[keys.len() - 1].id),
            rows: keys.len() as u32,
            span: (snapshots().min().unwrap_or(0), snapshots().max().unwrap_or(0)),
            continued: draft.continued,
            keys: prepare(ChunkKind::PageKeys, &key_part, &hashes_lie)?,
            values: (!read.is_empty())
                .then(|| prepare(ChunkKind::PageValues, &values, &ends))
                .transpose()?,
            derived: has_derived
                .then(|| prepare(ChunkKind::PageDerived, &encode_derived(&read, &computed), &[]))
                .transpose()?,
            hashes: draft.hashes,
        })
    }
}

/// Which column of the page each column of an input is, for the inputs met in this page.
#[derive(Default)]
struct Places(Vec<(*const Part, Vec<usize>)>);

impl Places {
    fn fill(
        &mut self,
        into: &mut PartBuilder,
        columns: &[String],
        part: &Part,
        row: usize,
        joins: bool,
    ) -> Result<()> {
        let known = self
            .0
            .iter()
            .rposition(|(known, _)| *known == std::ptr::from_ref(part));
        let known = match known {
            Some(known) => known,
            None => {
                let place = |column: &crate::format::page::Column| {
                    let place = columns.binary_search(&column.name).ok();
                    place.ok_or_else(|| {
                        Error::corrupt("page", format_args!("a field {} of no schema", column.name))
                    })
                };
                let places = part.columns.iter().map(place).collect::<Result<_>>()?;
                self.0.push((std::ptr::from_ref(part), places));
                self.0.len() - 1
            }
        };
        for (column, place) in part.columns.iter().zip(&self.0[known].1) {
            let cell: Option<&Span> = column.cells.get(row).and_then(Option::as_ref);
            if let Some(cell) = cell {
                into.push(*place, cell.kind, part.bytes(cell));
            }
        }
        if joins {
            into.end_version();
        } else {
            into.end_row();
        }
        Ok(())
    }
}
