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
use halite_engine::format::page::{Cutter, KeyRow, PartBuilder, VersionKind, encode_keys, id_hash};
use halite_engine::format::record::{Canon, Mode, Row, Rows};
use halite_engine::format::schema::Schema;
use halite_engine::format::seal::{Keys, MasterKey};

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

    /// What lays values out by column.
    pub fn part(&self) -> PartBuilder {
        PartBuilder::new(self.schema.fields().iter().map(|field| field.name.clone()))
    }

    /// The key part and the value part of each page, in turn.
    pub fn parts(&self) -> Outcome<Vec<Vec<u8>>> {
        let (rows, mut part, mut parts) = (self.rows()?, self.part(), Vec::new());
        for page in self.pages(&rows) {
            parts.push(encode_keys(1, &page.keys));
            let mut bytes = Vec::new();
            lay_out(&rows, &page, &mut part, &mut bytes);
            parts.push(bytes);
        }
        Ok(parts)
    }
}

/// Lays the values of a page out by column.
pub fn lay_out(rows: &Rows, page: &Page, part: &mut PartBuilder, out: &mut Vec<u8>) {
    for row in &rows.rows[page.rows.clone()] {
        for cell in rows.content(row) {
            part.push(usize::from(cell.field), cell.kind, rows.value(cell));
        }
        part.end_row();
    }
    part.finish(out);
}

/// The bytes of a row's values.
pub fn value_bytes(rows: &Rows, row: &Row) -> usize {
    rows.content(row).iter().map(|cell| cell.len as usize).sum()
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
