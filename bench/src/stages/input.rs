//! What the stages are fed with: seeded records as text, and what earlier stages make of them.
//!
//! Key decision: keys come from a driven clock, so that the same records give the same bytes, cuts and names in every
//! run. It holds the text alone; rows and pages are made anew for each stage that asks, since none may see another's.

use std::ops::Range;
use std::sync::Arc;

use halite_engine::base::clock::Clock;
use halite_engine::base::id::ContentHash;
use halite_engine::base::stamp::Stamp;
use halite_engine::format::describe::Describe;
use halite_engine::format::page::{
    Cutter, KeyRow, PartBuilder, VersionKind, encode_derived, encode_keys, id_hash,
};
use halite_engine::format::record::{Canon, Cell, Mode, Row, Rows};
use halite_engine::format::schema::Schema;
use halite_engine::format::seal::{ChunkKind, Keys, MasterKey};

use crate::stages::Outcome;
use crate::{Corpus, Shape, describe};

/// The sObject.
pub const CONTACT: &str = "Contact";
/// 2026-01-01.
pub const FIRST: i64 = 1_767_225_600_000;
/// Mean bytes of a record.
pub const BYTES: usize = 1_240;

/// Records as lines of JSON, and what it takes to read them.
pub struct Input {
    text: Vec<u8>,
    lines: Vec<Range<usize>>,
    /// The schema of all of them.
    pub schema: Arc<Schema>,
    /// The keys of a vault.
    pub keys: Keys,
}

/// The keys of a page, and which rows it holds.
pub struct Page {
    pub keys: Vec<KeyRow>,
    pub rows: Range<usize>,
}

impl Input {
    /// So many records of the corpus.
    ///
    /// # Errors
    /// The describe does not read.
    pub fn new(records: u64, seed: u64) -> Outcome<Arc<Self>> {
        let corpus = Corpus::new(Shape {
            records,
            bytes: BYTES,
            seed,
            day: 0,
            edit_percent: 0.0,
            add_percent: 0.0,
        });
        let mut text = Vec::new();
        (0..records).for_each(|row| corpus.line(row, &mut text));
        Self::of(text)
    }

    /// The records of a dump that the corpus wrote.
    ///
    /// # Errors
    /// The describe does not read.
    pub fn of(text: Vec<u8>) -> Outcome<Arc<Self>> {
        let (mut lines, mut start) = (Vec::new(), 0);
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            lines.push(start..start + line.trim_ascii_end().len());
            start += line.len();
        }
        let schema = Schema::of(&Describe::parse(describe(CONTACT).as_bytes())?)?;
        let clock = Clock::driven(Stamp::from_millis(FIRST), 1);
        Ok(Arc::new(Self {
            text,
            lines,
            schema: Arc::new(schema),
            keys: Keys::derive(&MasterKey::generate(&clock)?),
        }))
    }

    /// The records, without ends of lines.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.lines.iter().map(|line| &self.text[line.clone()])
    }

    /// All of it, as it stands in a file.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where the lines stand in the text.
    pub fn places(&self) -> &[Range<usize>] {
        &self.lines
    }

    /// What reads them.
    pub fn canon(&self) -> Canon {
        Canon::new(Arc::clone(&self.schema), self.keys.record_key(), Mode::Refuse)
    }

    /// The rows that they are.
    pub fn rows(&self) -> Outcome<Rows> {
        let (mut canon, mut rows) = (self.canon(), Rows::default());
        for line in self.lines() {
            canon.json(line, &mut rows)?;
        }
        Ok(rows)
    }

    /// The pages that the rows fall into.
    pub fn pages(&self, rows: &Rows) -> Vec<Page> {
        let (mut cutter, mut pages, mut start) = (Cutter::default(), Vec::new(), 0);
        for (at, row) in rows.rows.iter().enumerate() {
            let hash = id_hash(self.keys.cut_key(), row.id);
            if cutter.ends_after(&hash, 1, value_bytes(rows, row)) || at + 1 == rows.rows.len() {
                pages.push(Page {
                    keys: rows.rows[start..=at].iter().map(key).collect(),
                    rows: start..at + 1,
                });
                start = at + 1;
            }
        }
        pages
    }

    /// The three parts of each page, in turn.
    pub fn parts(&self) -> Outcome<Vec<Part>> {
        let (rows, mut layout) = (self.rows()?, Layout::new(self));
        let pages = self.pages(&rows);
        Ok(pages.iter().flat_map(|page| layout.parts(&rows, page)).collect())
    }
}

/// A part of a page.
pub struct Part {
    pub kind: ChunkKind,
    pub bytes: Vec<u8>,
    /// Where frames end, but for the last.
    pub ends: Vec<usize>,
}

/// Lays pages out by column, as the engine does.
pub struct Layout {
    content: PartBuilder,
    derived: PartBuilder,
}

impl Layout {
    /// For rows of the input's schema.
    pub fn new(input: &Input) -> Self {
        let names = || input.schema.fields().iter().map(|field| field.name.clone());
        Self {
            content: PartBuilder::new(names()),
            derived: PartBuilder::new(names()),
        }
    }

    /// Keys, values, derived values.
    pub fn parts(&mut self, rows: &Rows, page: &Page) -> [Part; 3] {
        for row in &rows.rows[page.rows.clone()] {
            fill(&mut self.content, rows, rows.content(row));
            fill(&mut self.derived, rows, rows.derived(row));
        }
        let (mut content, mut derived) = (Vec::new(), Vec::new());
        let alike = self.content.finish(&mut content);
        self.derived.finish(&mut derived);
        let read = vec![Stamp::from_millis(FIRST); page.rows.len()];
        let (keys, hashes) = encode_keys(1, &page.keys);
        let part = |kind, bytes, ends: &[usize]| Part {
            kind,
            bytes,
            ends: ends.to_vec(),
        };
        [
            part(ChunkKind::PageKeys, keys, &hashes),
            part(ChunkKind::PageValues, content, &alike),
            part(ChunkKind::PageDerived, encode_derived(&read, &derived), &[]),
        ]
    }
}

fn fill(part: &mut PartBuilder, rows: &Rows, cells: &[Cell]) {
    for cell in cells {
        part.push(usize::from(cell.field), cell.kind, rows.value(cell));
    }
    part.end_row();
}

/// The bytes of a row's values.
pub fn value_bytes(rows: &Rows, row: &Row) -> usize {
    let cells = rows.content(row).iter().chain(rows.derived(row));
    cells.map(|cell| cell.len as usize).sum()
}

fn key(row: &Row) -> KeyRow {
    KeyRow {
        id: row.id,
        snapshot: 1,
        kind: VersionKind::Value,
        schema: 1,
        hash: row.hash,
        replaced: ContentHash::NONE,
        system: row.system,
        modified: row.modified,
        modified_by: row.modified_by,
        winner: None,
    }
}
