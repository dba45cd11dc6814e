//! Canonical rows in memory: one arena of text, a cell for each value, a small fixed part for each row.
//!
//! Key decision: the arena holds the value of each cell in its canonical JSON text without quotes, so that a page
//! is laid out by column with plain copies. It is a buffer that is filled and dropped, not a store.

use std::ops::Range;

use crate::base::id::{ContentHash, RecordId};
use crate::base::stamp::Stamp;

/// The hash of a record's content: of the canonical object of its content fields, under the vault's key for records.
pub fn content_hash(key: &[u8; 32], object: &[u8]) -> ContentHash {
    let mut short = [0; 16];
    short.copy_from_slice(&blake3::keyed_hash(key, object).as_bytes()[..16]);
    ContentHash(short)
}

/// How the bytes of a cell are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum CellKind {
    /// A JSON string; the bytes are its escaped inside.
    Text = 0,
    /// `true` or `false`, or a canonical decimal.
    Bare = 1,
    /// A record Id of 18 characters.
    Id = 2,
    /// An instant, `YYYY-MM-DDTHH:MM:SS.sssZ`.
    DateTime = 3,
    /// An encrypted value seen masked: `{"$masked":".."}`; never restored.
    Masked = 4,
    /// A value that the describe's type refuses, kept as it came: `{"$raw":".."}`.
    Raw = 5,
    /// A file body: `{"$blob":"<chunk id>"}`.
    Blob = 6,
}

impl CellKind {
    /// The kind of a code on disk.
    pub fn from_u8(code: u8) -> Option<Self> {
        use CellKind::{Bare, Blob, DateTime, Id, Masked, Raw, Text};
        [Text, Bare, Id, DateTime, Masked, Raw, Blob]
            .get(usize::from(code))
            .copied()
    }

    /// What stands before and after the bytes in JSON.
    pub fn frame(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Self::Text | Self::Id | Self::DateTime => (b"\"", b"\""),
            Self::Bare => (b"", b""),
            Self::Masked => (b"{\"$masked\":\"", b"\"}"),
            Self::Raw => (b"{\"$raw\":\"", b"\"}"),
            Self::Blob => (b"{\"$blob\":\"", b"\"}"),
        }
    }

    /// Appends the value as JSON.
    pub fn write(self, out: &mut Vec<u8>, bytes: &[u8]) {
        let (before, after) = self.frame();
        out.extend_from_slice(before);
        out.extend_from_slice(bytes);
        out.extend_from_slice(after);
    }
}

/// One value of a row: which field, what kind, where in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Position in the schema.
    pub field: u16,
    /// How to read the bytes.
    pub kind: CellKind,
    /// Where they start.
    pub start: u32,
    /// How many.
    pub len: u32,
}

/// The fixed part of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The record.
    pub id: RecordId,
    /// The hash of its content under the vault's key.
    pub hash: ContentHash,
    /// `SystemModstamp`.
    pub system: Stamp,
    /// `LastModifiedDate`.
    pub modified: Stamp,
    /// `LastModifiedById`.
    pub modified_by: Option<RecordId>,
    /// Whether the org says that it is deleted.
    pub deleted: bool,
    /// The winner of a merge, if it was merged away.
    pub master: Option<RecordId>,
    /// First content cell.
    pub cells: u32,
    /// First derived cell: content cells end here.
    pub derived: u32,
    /// End of the derived cells.
    pub end: u32,
}

/// A batch of rows. At most 4 GiB of text.
#[derive(Debug, Default)]
pub struct Rows {
    /// Canonical text of all cells.
    pub arena: Vec<u8>,
    /// Cells of all rows, those of a row side by side, in schema order.
    pub cells: Vec<Cell>,
    /// The rows, in order of arrival.
    pub rows: Vec<Row>,
    /// Values that the describe's type refused.
    pub refused: u64,
}

impl Rows {
    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.arena.len() + self.cells.len() * size_of::<Cell>() + self.rows.len() * size_of::<Row>()
    }

    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.cells.clear();
        self.rows.clear();
        self.refused = 0;
    }

    /// The content cells of a row.
    pub fn content(&self, row: &Row) -> &[Cell] {
        &self.cells[range(row.cells, row.derived)]
    }

    /// The derived cells of a row.
    pub fn derived(&self, row: &Row) -> &[Cell] {
        &self.cells[range(row.derived, row.end)]
    }

    /// The bytes of a cell.
    pub fn value(&self, cell: &Cell) -> &[u8] {
        &self.arena[range(cell.start, cell.start + cell.len)]
    }
}

fn range(from: u32, to: u32) -> Range<usize> {
    from as usize..to as usize
}
