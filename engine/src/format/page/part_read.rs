//! Values by column, on the way back.
//!
//! Key decision: a part is decoded whole into one text buffer with a span a cell, so that any row can be written
//! out with plain copies. Every count and length is checked against what is there before memory is asked for.
//! It does not put a record together: stamps and Ids come from the key part.

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::base::limits::{CHUNK_BYTES_MAX, FIELDS_MAX, PAGE_ROWS_MAX};
use crate::base::stamp::Stamp;
use crate::format::codec::{Reader, put_signed, put_varint};
use crate::format::page::part::{
    CONSTANT, DICTIONARY, DICTIONARY_MAX, FIXED, IDS, INSTANTS, MIXED_KINDS, PLAIN, VERSION,
};
use crate::format::record::CellKind;

/// A decoded part.
#[derive(Debug, Default)]
pub struct Part {
    /// How many rows.
    pub rows: usize,
    /// Its columns, in byte order of their names.
    pub columns: Vec<Column>,
    text: Vec<u8>,
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
    start: u32,
    len: u32,
}

impl Part {
    /// Reads what [`super::PartBuilder::finish`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes, "page values");
        let part = Self::read(&mut r)?;
        r.end()?;
        Ok(part)
    }

    fn read(r: &mut Reader<'_>) -> Result<Self> {
        if r.u8()? != VERSION {
            return Err(r.bad("unknown version"));
        }
        let rows = r.count(PAGE_ROWS_MAX * 4)?;
        let count = r.count(FIELDS_MAX)?;
        let mut part = Part {
            rows,
            columns: Vec::with_capacity(count),
            text: Vec::with_capacity(r.left() * 2),
        };
        for _ in 0..count {
            let column = part.column(r)?;
            part.columns.push(column);
        }
        Ok(part)
    }

    /// The bytes of a value: canonical JSON without its frame.
    pub fn bytes(&self, span: &Span) -> &[u8] {
        &self.text[span.start as usize..(span.start + span.len) as usize]
    }

    /// The value of a row in the column of that name.
    pub fn get(&self, row: usize, name: &str) -> Option<(CellKind, &[u8])> {
        let column = self.columns.iter().find(|c| c.name == name)?;
        let span = column.cells.get(row)?.as_ref()?;
        Some((span.kind, self.bytes(span)))
    }

    fn add(&mut self, r: &Reader<'_>, kind: CellKind, bytes: &[u8]) -> Result<Span> {
        let start = self.text.len();
        if start + bytes.len() > CHUNK_BYTES_MAX * 4 {
            return Err(r.bad("values too long"));
        }
        self.text.extend_from_slice(bytes);
        Ok(Span {
            kind,
            start: start as u32,
            len: bytes.len() as u32,
        })
    }

    fn column(&mut self, r: &mut Reader<'_>) -> Result<Column> {
        let name = r.text()?.to_owned();
        let present = presence(r, self.rows)?;
        let count = present.iter().filter(|&&p| p).count();
        let kinds = kinds(r, count)?;
        let spans = match r.u8()? {
            CONSTANT => {
                let bytes = r.bytes()?;
                let span = self.add(r, CellKind::Text, bytes)?;
                vec![span; count]
            }
            DICTIONARY => self.dictionary(r, count)?,
            FIXED => {
                let len = r.count(r.left())?;
                let lens = vec![len; count];
                self.plain(r, &lens)?
            }
            PLAIN => {
                let lens = (0..count)
                    .map(|_| r.count(CHUNK_BYTES_MAX))
                    .collect::<Result<Vec<_>>>()?;
                self.plain(r, &lens)?
            }
            IDS => self.ids(r, count)?,
            INSTANTS => self.instants(r, count)?,
            _ => return Err(r.bad("unknown kind of column")),
        };
        let mut next = spans
            .into_iter()
            .zip(kinds)
            .map(|(span, kind)| Span { kind, ..span });
        let cells = present
            .into_iter()
            .map(|p| if p { next.next() } else { None })
            .collect();
        Ok(Column { name, cells })
    }

    fn dictionary(&mut self, r: &mut Reader<'_>, count: usize) -> Result<Vec<Span>> {
        let mut entries = Vec::new();
        for _ in 0..r.count(DICTIONARY_MAX)? {
            let bytes = r.bytes()?;
            entries.push(self.add(r, CellKind::Text, bytes)?);
        }
        let picks = r.take(count)?;
        let pick = |&i: &u8| {
            entries
                .get(usize::from(i))
                .copied()
                .ok_or_else(|| r.bad("no such dictionary entry"))
        };
        picks.iter().map(pick).collect()
    }

    fn plain(&mut self, r: &mut Reader<'_>, lens: &[usize]) -> Result<Vec<Span>> {
        lens.iter()
            .map(|&len| {
                let bytes = r.take(len)?;
                self.add(r, CellKind::Text, bytes)
            })
            .collect()
    }

    fn ids(&mut self, r: &mut Reader<'_>, count: usize) -> Result<Vec<Span>> {
        let common = r.bytes()?;
        let Some(rest) = 15_usize.checked_sub(common.len()) else {
            return Err(r.bad("malformed Ids"));
        };
        let mut id = [0; 15];
        id[..common.len()].copy_from_slice(common);
        let mut spans = Vec::with_capacity(count);
        for _ in 0..count {
            id[common.len()..].copy_from_slice(r.take(rest)?);
            let id = RecordId::parse(&id).ok_or_else(|| r.bad("malformed Id"))?;
            spans.push(self.add(r, CellKind::Id, &id.to_18())?);
        }
        Ok(spans)
    }

    fn instants(&mut self, r: &mut Reader<'_>, count: usize) -> Result<Vec<Span>> {
        let (least, unit) = (r.signed()?, if r.u8()? == 1 { 1000 } else { 1 });
        let mut spans = Vec::with_capacity(count);
        let mut text = Vec::with_capacity(24);
        for _ in 0..count {
            let offset = i64::try_from(r.varint()?).ok().and_then(|v| v.checked_mul(unit));
            let millis = offset
                .and_then(|v| v.checked_add(least))
                .ok_or_else(|| r.bad("instant too large"))?;
            text.clear();
            Stamp::from_millis(millis).write(&mut text);
            spans.push(self.add(r, CellKind::DateTime, &text)?);
        }
        Ok(spans)
    }
}

fn presence(r: &mut Reader<'_>, rows: usize) -> Result<Vec<bool>> {
    match r.u8()? {
        0 => Ok(vec![true; rows]),
        1 => {
            let bits = r.take(rows.div_ceil(8))?;
            Ok((0..rows).map(|i| bits[i / 8] >> (i % 8) & 1 == 1).collect())
        }
        _ => Err(r.bad("unknown presence")),
    }
}

fn kinds(r: &mut Reader<'_>, count: usize) -> Result<Vec<CellKind>> {
    let kind =
        |code: u8, r: &Reader<'_>| CellKind::from_u8(code).ok_or_else(|| r.bad("unknown kind of value"));
    match r.u8()? {
        MIXED_KINDS => {
            let codes = r.take(count)?;
            codes.iter().map(|&code| kind(code, r)).collect()
        }
        code => Ok(vec![kind(code, r)?; count]),
    }
}

/// The bytes of a derived part: the time each row was read, then the values.
pub fn encode_derived(read: &[Stamp], values: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(values.len() + 16);
    let first = read.first().copied().unwrap_or(Stamp::NONE);
    let same = read.iter().all(|&s| s == first);
    put_varint(&mut out, read.len() as u64);
    out.push(u8::from(!same));
    let times = if same {
        read.get(..1).unwrap_or_default()
    } else {
        read
    };
    times.iter().for_each(|s| put_signed(&mut out, s.millis()));
    out.extend_from_slice(values);
    out
}

/// Reads what [`encode_derived`] wrote.
pub fn decode_derived(bytes: &[u8]) -> Result<(Vec<Stamp>, Part)> {
    let mut r = Reader::new(bytes, "derived values");
    let count = r.count(PAGE_ROWS_MAX * 4)?;
    let times = match r.u8()? {
        0 if count == 0 => Vec::new(),
        0 => vec![Stamp::from_millis(r.signed()?); count],
        1 => (0..count)
            .map(|_| r.signed().map(Stamp::from_millis))
            .collect::<Result<_>>()?,
        _ => return Err(r.bad("unknown times")),
    };
    let part = Part::read(&mut r)?;
    r.end()?;
    if part.rows != count {
        return Err(r.bad("times and rows differ in number"));
    }
    Ok((times, part))
}

#[cfg(test)]
mod tests {
    use super::super::PartBuilder;
    use super::*;
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

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = Part::decode(&bytes);
            let _ = decode_derived(&bytes);
        }
    }
}
