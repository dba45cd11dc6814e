//! Values by column, on the way to disk.
//!
//! Key decision: a column is constant, a small dictionary, Ids without checksums, instants as numbers, or plain
//! bytes behind their lengths; zstd does the rest, and columns whose bytes are alike (words, Ids, digits) lie together
//! for it. Where versions of a record lie side by side, a column holds only the cells that differ from the row above.
//! What each saves stands in `docs/decisions/`. A column that no row has is not written.

use crate::base::stamp::Stamp;
use crate::format::codec::{put_bytes, put_signed, put_varint};
use crate::format::record::CellKind;

/// Collects the cells of a page row by row and writes them column by column. Reuse it: it keeps its memory.
#[derive(Debug, Default)]
pub struct PartBuilder {
    columns: Vec<ColumnBuffer>,
    rows: u32,
    /// Whether each row is another version of the record of the row above.
    joined: Vec<bool>,
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

/// Every row is a record of its own.
pub(super) const VERSION: u8 = 3;
/// Rows come in groups, one a record.
pub(super) const GROUPED: u8 = 4;
/// The same two, with all columns in order of their names.
pub(super) const BY_NAME: u8 = 1;
pub(super) const GROUPED_BY_NAME: u8 = 2;
/// Every row has a value; some have, a bit each; cells repeat inside a group but where it is said.
pub(super) const ALL: u8 = 0;
pub(super) const SOME: u8 = 1;
pub(super) const REPEATS: u8 = 2;
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
        Self {
            columns,
            ..Self::default()
        }
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
        self.end(false);
    }

    /// Ends the row at hand, which is another version of the record of the row above: what is equal is not written
    /// again.
    pub fn end_version(&mut self) {
        self.end(self.rows > 0);
    }

    fn end(&mut self, joins: bool) {
        self.rows += 1;
        self.joined.push(joins);
    }

    /// Whether no row has any value.
    pub fn is_empty(&self) -> bool {
        self.columns.iter().all(|c| c.cells.is_empty())
    }

    /// Appends the part to `out` and empties the builder. Returns where in `out` words end and Ids do: what lies
    /// between is compressed better by itself.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> [usize; 2] {
        let grouped = self.joined.contains(&true);
        out.push(if grouped { GROUPED } else { VERSION });
        put_varint(out, u64::from(self.rows));
        if grouped {
            self.groups(out);
        }
        put_varint(
            out,
            self.columns.iter().filter(|c| !c.cells.is_empty()).count() as u64,
        );
        let mut ends = [0; 3];
        for (likeness, end) in [Likeness::Words, Likeness::Ids, Likeness::Digits]
            .into_iter()
            .zip(&mut ends)
        {
            for column in self.columns.iter_mut().filter(|c| c.likeness() == Some(likeness)) {
                put_bytes(out, column.name.as_bytes());
                if grouped {
                    column.write_grouped(&self.joined, out);
                } else {
                    column.all(self.rows).write(out);
                }
                column.data.clear();
                column.cells.clear();
            }
            *end = out.len();
        }
        self.rows = 0;
        self.joined.clear();
        [ends[0], ends[1]]
    }

    /// How many groups, and the rows of each.
    fn groups(&self, out: &mut Vec<u8>) {
        let starts = (0..)
            .zip(&self.joined)
            .filter(|(_, joins)| !**joins)
            .map(|(row, _)| row);
        let starts: Vec<u64> = starts.collect();
        put_varint(out, starts.len() as u64);
        let ends = starts.iter().skip(1).copied().chain([u64::from(self.rows)]);
        starts
            .iter()
            .zip(ends)
            .for_each(|(start, end)| put_varint(out, end - start));
    }
}

/// What the bytes of a column are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Likeness {
    Words,
    Ids,
    Digits,
}

/// Cells that are looked at for it.
const LOOKED_AT: usize = 16;

impl ColumnBuffer {
    /// By the first cells; `None` if there is none.
    fn likeness(&self) -> Option<Likeness> {
        let first = self.cells.first()?;
        Some(match first.kind {
            CellKind::Id => Likeness::Ids,
            CellKind::Bare | CellKind::DateTime => Likeness::Digits,
            _ => {
                let looked_at = &self.cells[..self.cells.len().min(LOOKED_AT)];
                let end = looked_at.last().map_or(0, |last| last.start + last.len) as usize;
                let digits = self.data[..end].iter().filter(|b| b.is_ascii_digit()).count();
                if digits * 2 > end {
                    Likeness::Digits
                } else {
                    Likeness::Words
                }
            }
        })
    }

    fn all(&self, rows: u32) -> Cells<'_> {
        Cells {
            data: &self.data,
            cells: &self.cells,
            rows,
        }
    }

    /// Which joined rows differ from the row above, then the cells of those and of the first row of each group.
    fn write_grouped(&self, joined: &[bool], out: &mut Vec<u8>) {
        let all = self.all(joined.len() as u32);
        if self.cells.len() == joined.len() && all.constant() {
            return all.write(out);
        }
        let (mut kept, mut rows, mut changes) = (Vec::with_capacity(self.cells.len()), 0, Vec::new());
        let (mut cells, mut above, mut versions) = (self.cells.iter().peekable(), None, 0_u64);
        for (row, joins) in (0..).zip(joined) {
            let cell = cells.next_if(|cell| cell.row == row);
            if !joins || !all.same(cell, above) {
                kept.extend(cell.map(|cell| Place { row: rows, ..*cell }));
                rows += 1;
                if *joins {
                    changes.push(versions);
                }
            }
            versions += u64::from(*joins);
            above = cell;
        }
        out.push(REPEATS);
        put_varint(out, changes.len() as u64);
        let mut next = 0;
        for change in changes {
            put_varint(out, change - next);
            next = change + 1;
        }
        Cells {
            data: &self.data,
            cells: &kept,
            rows,
        }
        .write(out);
    }
}

/// The length and the last bytes of a value: equal for equal values.
fn mark(bytes: &[u8]) -> u64 {
    let tail = bytes.iter().rev().take(7);
    tail.fold(bytes.len() as u64, |mark, byte| mark << 8 | u64::from(*byte))
}

/// The cells of a column that are written, and how many rows they are of.
struct Cells<'a> {
    data: &'a [u8],
    cells: &'a [Place],
    rows: u32,
}

impl Cells<'_> {
    fn bytes(&self, place: &Place) -> &[u8] {
        &self.data[place.start as usize..(place.start + place.len) as usize]
    }

    fn same(&self, one: Option<&Place>, other: Option<&Place>) -> bool {
        match (one, other) {
            (Some(a), Some(b)) => a.kind == b.kind && self.bytes(a) == self.bytes(b),
            (None, None) => true,
            _ => false,
        }
    }

    fn constant(&self) -> bool {
        self.cells.windows(2).all(|w| self.same(Some(&w[0]), Some(&w[1])))
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.presence(out);
        let first = self.cells[0].kind;
        let uniform = self.cells.iter().all(|c| c.kind == first);
        if uniform {
            out.push(first as u8);
        } else {
            out.push(MIXED_KINDS);
            out.extend(self.cells.iter().map(|c| c.kind as u8));
        }
        match first {
            _ if self.small(out) => {}
            CellKind::Id if uniform && self.cells.iter().all(|c| c.len == 18) => self.ids(out),
            CellKind::DateTime if uniform && self.instants(out) => {}
            _ => self.plain(out),
        }
    }

    /// 0 if every row has a value, else 1 and a bit a row, low bits first.
    fn presence(&self, out: &mut Vec<u8>) {
        if self.cells.len() == self.rows as usize {
            out.push(ALL);
            return;
        }
        out.push(SOME);
        let start = out.len();
        out.resize(start + self.rows.div_ceil(8) as usize, 0);
        for cell in self.cells {
            out[start + cell.row as usize / 8] |= 1 << (cell.row % 8);
        }
    }

    /// Writes a constant or a dictionary if the values are few.
    fn small(&self, out: &mut Vec<u8>) -> bool {
        let mut distinct: Vec<&[u8]> = Vec::with_capacity(DICTIONARY_MAX);
        // Most values that differ do so in their ends or lengths: those are compared first.
        let mut marks = [0_u64; DICTIONARY_MAX];
        let mut picks = Vec::with_capacity(self.cells.len());
        for cell in self.cells {
            let bytes = self.bytes(cell);
            let mark = mark(bytes);
            let mut same = marks[..distinct.len()].iter().enumerate();
            let known = same.find_map(|(i, m)| (*m == mark && distinct[i] == bytes).then_some(i));
            if known.is_none() && (distinct.len() == DICTIONARY_MAX || distinct.len() * 2 > self.cells.len())
            {
                return false;
            }
            picks.push(known.unwrap_or(distinct.len()) as u8);
            if known.is_none() {
                marks[distinct.len()] = mark;
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
        self.cells
            .iter()
            .for_each(|c| out.extend_from_slice(self.bytes(c)));
    }
}
