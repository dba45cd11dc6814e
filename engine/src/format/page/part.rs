//! Values by column, on the way to disk.
//!
//! Key decision: a column is constant, a small dictionary, Ids without checksums, instants as numbers, or plain
//! bytes behind their lengths; zstd does the rest. What each saves stands in `docs/decisions/`. A column that no
//! row has is not written.

use crate::base::stamp::Stamp;
use crate::format::codec::{put_bytes, put_signed, put_varint};
use crate::format::record::CellKind;

/// Collects the cells of a page row by row and writes them column by column. Reuse it: it keeps its memory.
#[derive(Debug, Default)]
pub struct PartBuilder {
    columns: Vec<ColumnBuffer>,
    rows: u32,
}

#[derive(Debug, Default)]
struct ColumnBuffer {
    name: String,
    data: Vec<u8>,
    cells: Vec<Place>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    row: u32,
    start: u32,
    len: u32,
    kind: CellKind,
}

pub(super) const VERSION: u8 = 1;
pub(super) const CONSTANT: u8 = 0;
pub(super) const DICTIONARY: u8 = 1;
pub(super) const FIXED: u8 = 2;
pub(super) const PLAIN: u8 = 3;
pub(super) const IDS: u8 = 4;
pub(super) const INSTANTS: u8 = 5;
pub(super) const MIXED_KINDS: u8 = 0xff;
/// Beyond this many distinct values a dictionary is not tried.
pub(super) const DICTIONARY_MAX: usize = 32;

impl PartBuilder {
    /// For columns of these names, in byte order; a cell names its column by position.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let columns = names
            .into_iter()
            .map(|name| ColumnBuffer {
                name,
                ..ColumnBuffer::default()
            })
            .collect();
        Self { columns, rows: 0 }
    }

    /// Adds a value to the row at hand.
    pub fn push(&mut self, column: usize, kind: CellKind, bytes: &[u8]) {
        let row = self.rows;
        if let Some(column) = self.columns.get_mut(column) {
            column.cells.push(Place {
                row,
                start: column.data.len() as u32,
                len: bytes.len() as u32,
                kind,
            });
            column.data.extend_from_slice(bytes);
        }
    }

    /// Ends the row at hand.
    pub fn end_row(&mut self) {
        self.rows += 1;
    }

    /// Whether no row has any value.
    pub fn is_empty(&self) -> bool {
        self.columns.iter().all(|c| c.cells.is_empty())
    }

    /// Appends the part to `out` and empties the builder.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        out.push(VERSION);
        put_varint(out, u64::from(self.rows));
        put_varint(
            out,
            self.columns.iter().filter(|c| !c.cells.is_empty()).count() as u64,
        );
        for column in self.columns.iter_mut().filter(|c| !c.cells.is_empty()) {
            column.write(self.rows, out);
            column.data.clear();
            column.cells.clear();
        }
        self.rows = 0;
    }
}

impl ColumnBuffer {
    fn bytes(&self, place: &Place) -> &[u8] {
        &self.data[place.start as usize..(place.start + place.len) as usize]
    }

    fn write(&self, rows: u32, out: &mut Vec<u8>) {
        put_bytes(out, self.name.as_bytes());
        self.presence(rows, out);
        let first = self.cells[0].kind;
        if self.cells.iter().all(|c| c.kind == first) {
            out.push(first as u8);
        } else {
            out.push(MIXED_KINDS);
            out.extend(self.cells.iter().map(|c| c.kind as u8));
        }
        let uniform = self.cells.iter().all(|c| c.kind == first);
        match first {
            _ if self.small(out) => {}
            CellKind::Id if uniform && self.cells.iter().all(|c| c.len == 18) => self.ids(out),
            CellKind::DateTime if uniform && self.instants(out) => {}
            _ => self.plain(out),
        }
    }

    /// 0 if every row has a value, else 1 and a bit a row, low bits first.
    fn presence(&self, rows: u32, out: &mut Vec<u8>) {
        if self.cells.len() == rows as usize {
            out.push(0);
            return;
        }
        out.push(1);
        let start = out.len();
        out.resize(start + rows.div_ceil(8) as usize, 0);
        for cell in &self.cells {
            out[start + cell.row as usize / 8] |= 1 << (cell.row % 8);
        }
    }

    /// Writes a constant or a dictionary if the values are few.
    fn small(&self, out: &mut Vec<u8>) -> bool {
        let mut distinct: Vec<&[u8]> = Vec::with_capacity(DICTIONARY_MAX);
        let mut picks = Vec::with_capacity(self.cells.len());
        for cell in &self.cells {
            let bytes = self.bytes(cell);
            let known = distinct.iter().position(|d| *d == bytes);
            if known.is_none() && (distinct.len() == DICTIONARY_MAX || distinct.len() * 2 > self.cells.len())
            {
                return false;
            }
            picks.push(known.unwrap_or(distinct.len()) as u8);
            if known.is_none() {
                distinct.push(bytes);
            }
        }
        if let [one] = distinct[..] {
            out.push(CONSTANT);
            put_bytes(out, one);
        } else {
            out.push(DICTIONARY);
            put_varint(out, distinct.len() as u64);
            distinct.iter().for_each(|d| put_bytes(out, d));
            out.extend_from_slice(&picks);
        }
        true
    }

    /// What all Ids begin with once, then the rest of the 15 characters of each.
    fn ids(&self, out: &mut Vec<u8>) {
        let ids = || self.cells.iter().map(|c| &self.bytes(c)[..15]);
        let first = self.bytes(&self.cells[0]);
        let common = ids()
            .map(|id| id.iter().zip(first).take_while(|(a, b)| a == b).count())
            .min()
            .unwrap_or(0);
        out.push(IDS);
        put_bytes(out, &first[..common]);
        ids().for_each(|id| out.extend_from_slice(&id[common..]));
    }

    /// The earliest, whether all are whole seconds apart, then the distance of each.
    fn instants(&self, out: &mut Vec<u8>) -> bool {
        let stamps: Option<Vec<i64>> = self
            .cells
            .iter()
            .map(|c| Stamp::parse(self.bytes(c)).map(Stamp::millis))
            .collect();
        let Some(stamps) = stamps else { return false };
        let least = stamps.iter().copied().min().unwrap_or(0);
        let seconds = stamps.iter().all(|s| (s - least) % 1000 == 0);
        out.push(INSTANTS);
        put_signed(out, least);
        out.push(u8::from(seconds));
        stamps
            .iter()
            .for_each(|s| put_varint(out, ((s - least) / if seconds { 1000 } else { 1 }) as u64));
        true
    }

    fn plain(&self, out: &mut Vec<u8>) {
        let len = self.cells[0].len;
        if self.cells.iter().all(|c| c.len == len) {
            out.push(FIXED);
            put_varint(out, u64::from(len));
        } else {
            out.push(PLAIN);
            self.cells.iter().for_each(|c| put_varint(out, u64::from(c.len)));
        }
        out.extend_from_slice(&self.data);
    }
}
