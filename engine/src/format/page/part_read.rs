//! Values by column, on the way back.
//!
//! Key decision: only the rows asked for are decoded, and their text stays where it lies: a span points into the
//! plaintext, or into a second buffer for what is made anew (Ids, instants). Every count and length is checked
//! against what is there before memory is asked for. It does not put a record together: stamps and Ids come from
//! the key part.

use std::ops::Range;
use std::sync::Arc;

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::base::limits::{CHUNK_BYTES_MAX, FIELDS_MAX, PAGE_VERSIONS_MAX};
use crate::base::stamp::Stamp;
use crate::format::codec::{Reader, put_signed, put_varint};
use crate::format::page::part::{
    ALL, BY_NAME, CONSTANT, DICTIONARY, DICTIONARY_MAX, FIXED, GROUPED, GROUPED_BY_NAME, IDS, INSTANTS,
    MIXED_KINDS, PLAIN, REPEATS, SOME, VERSION,
};
use crate::format::record::CellKind;

/// A decoded part, or the rows of it that were asked for.
#[derive(Debug, Default)]
pub struct Part {
    /// How many rows.
    pub rows: usize,
    /// Its columns, in byte order of their names.
    pub columns: Vec<Column>,
    plain: Arc<Vec<u8>>,
    /// What is not in the plaintext as it is shown.
    made: Vec<u8>,
}

/// One column.
#[derive(Debug)]
pub struct Column {
    /// The field's name.
    pub name: String,
    /// One a row; `None` where the row has no value.
    pub cells: Vec<Option<Span>>,
}

/// Where a value lies in the part's text.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// How to read it.
    pub kind: CellKind,
    made: bool,
    start: u32,
    len: u32,
}

/// The rows that are asked for, and the group of each.
struct Wanted {
    rows: Vec<u32>,
    groups: Vec<u32>,
    /// Rows of the part; its groups; rows that are not the first of their group.
    total: usize,
    grouped: usize,
    joined: Vec<u32>,
}

/// The cells of one column as they stand on disk. They are asked for in ascending order.
enum Cells<'a> {
    Constant(Span),
    Dictionary(Vec<Span>, &'a [u8]),
    Fixed(usize, usize),
    Plain(usize, Vec<u32>),
    Ids([u8; 15], usize, &'a [u8]),
    Instants(Vec<i64>),
}

impl Part {
    /// Reads what [`super::PartBuilder::finish`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        Self::decode_rows(&Arc::new(bytes.to_vec()), None)
    }

    /// The same for these rows alone, in ascending order, which become rows 0, 1, 2 ...
    pub fn decode_rows(bytes: &Arc<Vec<u8>>, rows: Option<&[u32]>) -> Result<Self> {
        let mut part = Self::default();
        let mut r = Reader::new(bytes, "page values");
        part.read(&mut r, rows)?;
        r.end()?;
        part.plain = Arc::clone(bytes);
        Ok(part)
    }

    fn read(&mut self, r: &mut Reader<'_>, rows: Option<&[u32]>) -> Result<usize> {
        let version = r.u8()?;
        let grouped = match version {
            VERSION | BY_NAME => false,
            GROUPED | GROUPED_BY_NAME => true,
            _ => return Err(r.bad("unknown version")),
        };
        let total = r.count(PAGE_VERSIONS_MAX)?;
        let wanted = Wanted::read(r, total, grouped, rows)?;
        let count = r.count(FIELDS_MAX)?;
        self.rows = wanted.rows.len();
        self.columns.reserve(count);
        for _ in 0..count {
            let column = self.column(r, &wanted)?;
            self.columns.push(column);
        }
        self.columns.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(total)
    }

    /// The bytes of a value: canonical JSON without its frame.
    pub fn bytes(&self, span: &Span) -> &[u8] {
        let text = if span.made { &self.made } else { &*self.plain };
        &text[span.start as usize..(span.start + span.len) as usize]
    }

    /// The value of a row in the column of that name.
    pub fn get(&self, row: usize, name: &str) -> Option<(CellKind, &[u8])> {
        let column = self.columns.iter().find(|c| c.name == name)?;
        let span = column.cells.get(row)?.as_ref()?;
        Some((span.kind, self.bytes(span)))
    }

    fn make(&mut self, r: &Reader<'_>, write: impl FnOnce(&mut Vec<u8>)) -> Result<Span> {
        let start = self.made.len();
        if start > CHUNK_BYTES_MAX * 4 {
            return Err(r.bad("values too long"));
        }
        write(&mut self.made);
        Ok(Span {
            made: true,
            ..span(start, self.made.len() - start)
        })
    }

    fn column(&mut self, r: &mut Reader<'_>, wanted: &Wanted) -> Result<Column> {
        let name = r.text()?.to_owned();
        let mut mode = r.u8()?;
        let (mut kept, mut changes) = (wanted.total, None);
        if mode == REPEATS {
            let changed = wanted.changes(r)?;
            kept = wanted.grouped + changed.len();
            changes = Some(changed);
            mode = r.u8()?;
        }
        let present = match mode {
            ALL => None,
            SOME => Some(r.take(kept.div_ceil(8))?),
            _ => return Err(r.bad("unknown presence")),
        };
        let count = present.map_or(kept, |bits| ones(bits, 0..kept));
        let (one, kinds) = match r.u8()? {
            MIXED_KINDS => (CellKind::Text, r.take(count)?),
            code => (kind(code, r)?, &[][..]),
        };
        let layout = Cells::read(r, count)?;
        let mut cells = Vec::with_capacity(wanted.rows.len());
        let (mut at, mut rank, mut last) = (0, 0, None::<(usize, Span)>);
        let mut changed = changes.as_deref().unwrap_or_default().iter().peekable();
        let mut differ = 0;
        for (&row, &group) in wanted.rows.iter().zip(&wanted.groups) {
            while changed.next_if(|&&c| c <= row).is_some() {
                differ += 1;
            }
            let index = if changes.is_some() {
                group as usize + differ
            } else {
                row as usize
            };
            rank += present.map_or(index - at, |bits| ones(bits, at..index));
            at = index;
            if present.is_some_and(|bits| bits[index / 8] >> (index % 8) & 1 == 0) {
                cells.push(None);
                continue;
            }
            let found = match last {
                Some((before, found)) if before == rank => found,
                _ => {
                    let kind = kinds.get(rank).map_or(Ok(one), |&code| kind(code, r))?;
                    Span {
                        kind,
                        ..self.cell(r, &layout, rank)?
                    }
                }
            };
            last = Some((rank, found));
            cells.push(Some(found));
        }
        Ok(Column { name, cells })
    }

    /// The cell of that number, of those that are there.
    fn cell(&mut self, r: &Reader<'_>, layout: &Cells<'_>, i: usize) -> Result<Span> {
        let none = || r.bad("no such cell");
        match layout {
            Cells::Constant(span) => Ok(*span),
            Cells::Dictionary(entries, picks) => {
                let pick = picks.get(i).and_then(|&pick| entries.get(usize::from(pick)));
                pick.copied().ok_or_else(|| r.bad("no such dictionary entry"))
            }
            Cells::Fixed(start, len) => Ok(span(start + i * len, *len)),
            Cells::Plain(start, ends) => {
                let from = i
                    .checked_sub(1)
                    .map_or(Some(0), |i| ends.get(i).copied())
                    .ok_or_else(none)?;
                let to = ends.get(i).copied().ok_or_else(none)?;
                Ok(span(start + from as usize, (to - from) as usize))
            }
            Cells::Ids(common, len, rests) => {
                let (mut id, rest) = (*common, 15 - len);
                id[*len..].copy_from_slice(rests.get(i * rest..(i + 1) * rest).ok_or_else(none)?);
                let id = RecordId::parse(&id).ok_or_else(|| r.bad("malformed Id"))?;
                self.make(r, |made| made.extend_from_slice(&id.to_18()))
            }
            Cells::Instants(millis) => {
                let stamp = Stamp::from_millis(*millis.get(i).ok_or_else(none)?);
                self.make(r, |made| stamp.write(made))
            }
        }
    }
}

impl Wanted {
    fn read(r: &mut Reader<'_>, total: usize, grouped: bool, rows: Option<&[u32]>) -> Result<Self> {
        let all = || (0..total as u32).collect::<Vec<_>>();
        let rows = rows.map_or_else(all, <[u32]>::to_vec);
        if rows.last().is_some_and(|&last| last as usize >= total) || !rows.is_sorted() {
            return Err(r.bad("no such row"));
        }
        if !grouped {
            let groups = rows.clone();
            let (grouped, joined) = (total, Vec::new());
            return Ok(Self {
                rows,
                groups,
                total,
                grouped,
                joined,
            });
        }
        let count = r.count(total)?;
        let (mut groups, mut joined) = (Vec::with_capacity(total), Vec::with_capacity(total - count));
        for group in 0..count as u32 {
            let size = r.count(total - groups.len())?;
            if size == 0 {
                return Err(r.bad("an empty group"));
            }
            let start = groups.len() as u32;
            joined.extend(start + 1..start + size as u32);
            groups.resize(groups.len() + size, group);
        }
        if groups.len() != total {
            return Err(r.bad("groups and rows differ in number"));
        }
        let groups = rows.iter().map(|&row| groups[row as usize]).collect();
        Ok(Self {
            rows,
            groups,
            total,
            grouped: count,
            joined,
        })
    }

    /// The rows that differ from the row above, of those that are not the first of their group.
    fn changes(&self, r: &mut Reader<'_>) -> Result<Vec<u32>> {
        let count = r.count(self.joined.len())?;
        let (mut next, mut changes) = (0, Vec::with_capacity(count));
        for _ in 0..count {
            let at = next + r.count(self.joined.len())?;
            changes.push(*self.joined.get(at).ok_or_else(|| r.bad("no such row"))?);
            next = at + 1;
        }
        Ok(changes)
    }
}

impl<'a> Cells<'a> {
    fn read(r: &mut Reader<'a>, count: usize) -> Result<Self> {
        Ok(match r.u8()? {
            CONSTANT => Self::Constant(text(r)?),
            DICTIONARY => {
                let entries = (0..r.count(DICTIONARY_MAX)?)
                    .map(|_| text(r))
                    .collect::<Result<_>>()?;
                Self::Dictionary(entries, r.take(count)?)
            }
            FIXED => {
                let (len, start) = (r.count(r.left())?, r.at());
                r.take(len * count)?;
                Self::Fixed(start, len)
            }
            PLAIN => {
                let (mut ends, mut end) = (Vec::with_capacity(count), 0_usize);
                for _ in 0..count {
                    end += r.count(CHUNK_BYTES_MAX)?;
                    ends.push(u32::try_from(end).map_err(|_| r.bad("values too long"))?);
                }
                let start = r.at();
                r.take(end)?;
                Self::Plain(start, ends)
            }
            IDS => {
                let bytes = r.bytes()?;
                let mut common = [0; 15];
                let Some(rest) = 15_usize.checked_sub(bytes.len()) else {
                    return Err(r.bad("malformed Ids"));
                };
                common[..bytes.len()].copy_from_slice(bytes);
                Self::Ids(common, bytes.len(), r.take(rest * count)?)
            }
            INSTANTS => {
                let (least, unit) = (r.signed()?, if r.u8()? == 1 { 1000 } else { 1 });
                let mut millis = Vec::with_capacity(count);
                for _ in 0..count {
                    let offset = i64::try_from(r.varint()?).ok().and_then(|v| v.checked_mul(unit));
                    let at = offset.and_then(|v| v.checked_add(least));
                    millis.push(at.ok_or_else(|| r.bad("instant too large"))?);
                }
                Self::Instants(millis)
            }
            _ => return Err(r.bad("unknown kind of column")),
        })
    }
}

/// A length and the text behind it.
fn text(r: &mut Reader<'_>) -> Result<Span> {
    let len = r.bytes()?.len();
    Ok(span(r.at() - len, len))
}

fn span(start: usize, len: usize) -> Span {
    Span {
        kind: CellKind::Text,
        made: false,
        start: start as u32,
        len: len as u32,
    }
}

/// How many bits of that range are set.
fn ones(bits: &[u8], range: Range<usize>) -> usize {
    range.filter(|i| bits[i / 8] >> (i % 8) & 1 == 1).count()
}

fn kind(code: u8, r: &Reader<'_>) -> Result<CellKind> {
    CellKind::from_u8(code).ok_or_else(|| r.bad("unknown kind of value"))
}

/// The bytes of a derived part: the time each row was read, then the values.
pub fn encode_derived(read: &[Stamp], values: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(values.len() + 16);
    let mut times = read.to_vec();
    times.sort_unstable();
    times.dedup();
    put_varint(&mut out, read.len() as u64);
    let one = times.len() < 2;
    out.push(if one { ONE_TIME } else { MANY_TIMES });
    if !one {
        put_varint(&mut out, times.len() as u64);
    }
    times.iter().for_each(|s| put_signed(&mut out, s.millis()));
    if !one {
        let which = |s| times.binary_search(s).unwrap_or(0) as u64;
        read.iter().for_each(|s| put_varint(&mut out, which(s)));
    }
    out.extend_from_slice(values);
    out
}

const ONE_TIME: u8 = 0;
const MANY_TIMES: u8 = 1;

/// Reads what [`encode_derived`] wrote.
pub fn decode_derived(bytes: &[u8]) -> Result<(Vec<Stamp>, Part)> {
    decode_derived_rows(&Arc::new(bytes.to_vec()), None)
}

/// The same for these rows alone; see [`Part::decode_rows`].
pub fn decode_derived_rows(bytes: &Arc<Vec<u8>>, rows: Option<&[u32]>) -> Result<(Vec<Stamp>, Part)> {
    let mut r = Reader::new(bytes, "derived values");
    let count = r.count(PAGE_VERSIONS_MAX)?;
    let mut times = match r.u8()? {
        ONE_TIME if count == 0 => Vec::new(),
        ONE_TIME => vec![Stamp::from_millis(r.signed()?); count],
        MANY_TIMES => {
            let distinct = (0..r.count(count)?).map(|_| r.signed().map(Stamp::from_millis));
            let distinct = distinct.collect::<Result<Vec<_>>>()?;
            let mut times = Vec::with_capacity(count);
            for _ in 0..count {
                let which = r.count(distinct.len())?;
                times.push(*distinct.get(which).ok_or_else(|| r.bad("no such time"))?);
            }
            times
        }
        _ => return Err(r.bad("unknown times")),
    };
    let mut part = Part::default();
    let total = part.read(&mut r, rows)?;
    r.end()?;
    if total != count {
        return Err(r.bad("times and rows differ in number"));
    }
    if let Some(rows) = rows {
        times = rows
            .iter()
            .filter_map(|&row| times.get(row as usize).copied())
            .collect();
    }
    part.plain = Arc::clone(bytes);
    Ok((times, part))
}

#[cfg(test)]
mod tests {
    use super::super::PartBuilder;
    use super::*;

    type Wanted = Option<(CellKind, Vec<u8>)>;
    use proptest::prelude::*;

    fn cell() -> impl Strategy<Value = Option<(CellKind, Vec<u8>)>> {
        let id =
            "[0-9A-Za-z]{15}".prop_map(|s| (CellKind::Id, s.parse::<RecordId>().unwrap().to_18().to_vec()));
        let instant = (-62_000_000_000_000..250_000_000_000_000_i64).prop_map(|ms| {
            (
                CellKind::DateTime,
                Stamp::from_millis(ms).to_string().into_bytes(),
            )
        });
        let text = proptest::collection::vec(any::<u8>(), 0..20).prop_map(|b| (CellKind::Text, b));
        let bare = (0..3_u8).prop_map(|n| (CellKind::Bare, vec![b'0' + n]));
        let raw = Just((CellKind::Raw, b"odd".to_vec()));
        proptest::option::weighted(
            0.8,
            prop_oneof![4 => text, 2 => bare, 3 => id, 3 => instant, 1 => raw],
        )
    }

    proptest! {
        #[test]
        fn parts_round_trip(columns in proptest::collection::vec((0..6_u8, proptest::collection::vec(cell(), 40)), 0..6)) {
            // A column holds one kind, or a mix, or one value over and over.
            let columns: Vec<Vec<_>> = columns.into_iter().map(|(shape, cells)| match shape {
                0 => cells,
                1 => vec![cells[0].clone(); 40],
                _ => {
                    let kind = cells[0].as_ref().map(|c| c.0);
                    cells.into_iter().map(|c| c.filter(|c| Some(c.0) == kind)).collect()
                }
            }).collect();
            let mut builder = PartBuilder::new((0..columns.len()).map(|i| format!("f{i}")));
            for row in 0..40 {
                for (i, column) in columns.iter().enumerate() {
                    if let Some((kind, bytes)) = &column[row] {
                        builder.push(i, *kind, bytes);
                    }
                }
                builder.end_row();
            }
            let mut out = Vec::new();
            builder.finish(&mut out);
            let part = Part::decode(&out).unwrap();
            for (i, column) in columns.iter().enumerate() {
                for (row, want) in column.iter().enumerate() {
                    let want = want.as_ref().map(|(k, b)| (*k, &b[..]));
                    prop_assert_eq!(part.get(row, &format!("f{i}")), want);
                }
            }
        }

        /// Versions side by side: every row, and any few of them, read back whatever the page looks like.
        #[test]
        fn versions_round_trip(
            columns in proptest::collection::vec(proptest::collection::vec((cell(), 0..4_u8), 60), 1..5),
            joins in proptest::collection::vec(any::<bool>(), 60), picks in proptest::collection::vec(any::<bool>(), 60),
        ) {
            let mut builder = PartBuilder::new((0..columns.len()).map(|i| format!("f{i}")));
            let mut want: Vec<Vec<Wanted>> = vec![Vec::new(); columns.len()];
            for row in 0..60 {
                for (i, column) in columns.iter().enumerate() {
                    let (fresh, dice) = &column[row];
                    let cell = if joins[row] && row > 0 && *dice > 0 { want[i][row - 1].clone() } else { fresh.clone() };
                    if let Some((kind, bytes)) = &cell {
                        builder.push(i, *kind, bytes);
                    }
                    want[i].push(cell);
                }
                if joins[row] { builder.end_version() } else { builder.end_row() }
            }
            let mut out = Vec::new();
            builder.finish(&mut out);
            let all: Vec<u32> = (0..60).collect();
            let some: Vec<u32> = all.iter().copied().filter(|&r| picks[r as usize]).collect();
            for rows in [all, some] {
                let part = Part::decode_rows(&Arc::new(out.clone()), Some(&rows)).unwrap();
                prop_assert_eq!(part.rows, rows.len());
                for (i, column) in want.iter().enumerate() {
                    for (at, row) in rows.iter().enumerate() {
                        let want = column[*row as usize].as_ref().map(|(k, b)| (*k, &b[..]));
                        prop_assert_eq!(part.get(at, &format!("f{i}")), want);
                    }
                }
            }
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = Part::decode(&bytes);
            let _ = decode_derived(&bytes);
        }
    }
}
