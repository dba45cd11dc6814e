//! The key part of a page on its way back: all rows, or those that a span of snapshots sees of a few Ids.
//!
//! Key decision: Ids, flags and snapshots are read first; a page of which nothing is in sight ends there, and of the
//! columns behind them only the cells of rows in sight are made, so that looking at two days among a thousand, or at one
//! record among two hundred, costs little. The seal has vouched for the bytes; what is passed over is not looked at more
//! closely.

use std::ops::Range;

use crate::base::error::Result;
use crate::base::id::{ContentHash, RecordId};
use crate::base::limits::PAGE_VERSIONS_MAX;
use crate::base::stamp::Stamp;
use crate::format::codec::Reader;
use crate::format::page::keys::{
    BELOW, KIND, KeyRow, MODIFIED, MODIFIED_BY, REPLACED, SYSTEM, VERSION, VersionKind, has_hash,
};

/// What of a key part rows are made of.
#[derive(Debug, Clone, Copy)]
pub struct Sight {
    /// Snapshots at or above the first and at or below the second.
    pub span: (u64, u64),
    /// Ids from this one on.
    pub from: RecordId,
    /// So many of them, counted whether a snapshot sees them or not; all versions of each.
    pub ids: usize,
}

impl Sight {
    /// All of it.
    pub const ALL: Self = Self {
        span: (0, u64::MAX),
        from: RecordId::MIN,
        ids: usize::MAX,
    };
}

/// Reads what [`super::encode_keys`] wrote, with rows in order and complete.
pub fn decode(base: u64, bytes: &[u8]) -> Result<Vec<KeyRow>> {
    let mut rows = Vec::new();
    decode_into(base, bytes, &mut rows)?;
    Ok(rows)
}

/// The same into memory that is used again; what was in `rows` is gone.
pub fn decode_into(base: u64, bytes: &[u8], rows: &mut Vec<KeyRow>) -> Result<()> {
    decode_sight(base, bytes, &Sight::ALL, rows, &mut Vec::new()).map(drop)
}

/// Only the rows in sight; `ordinals` says of each how many rows with values stand before it in the page. Gives the
/// first Id that was not looked at because there were enough.
pub fn decode_sight(
    base: u64,
    bytes: &[u8],
    sight: &Sight,
    rows: &mut Vec<KeyRow>,
    ordinals: &mut Vec<u32>,
) -> Result<Option<RecordId>> {
    rows.clear();
    ordinals.clear();
    let mut r = Reader::new(bytes, "page keys");
    if r.u8()? != VERSION {
        return Err(r.bad("unknown version"));
    }
    let count = r.count(PAGE_VERSIONS_MAX)?;
    let ids = Ids::find(&mut r, count, sight)?;
    let flags = flags(&mut r, count)?;
    let (mut snapshots, mut seen) = (Column::read(&mut r, count)?, Vec::with_capacity(ids.rows.len()));
    snapshots.skip(ids.rows.start)?;
    for _ in ids.rows.clone() {
        let snapshot = base.checked_add(snapshots.next()?);
        let snapshot = snapshot.ok_or_else(|| r.bad("snapshot number too large"))?;
        seen.push((sight.span.0 <= snapshot && snapshot <= sight.span.1).then_some(snapshot));
    }
    let next = ids.next;
    if seen.iter().any(Option::is_some) {
        Cells::read(&mut r, ids, &flags)?.rows(&flags, &seen, rows, ordinals)?;
    }
    Ok(next)
}

/// The kind of each row, and what is said of it.
fn flags(r: &mut Reader<'_>, count: usize) -> Result<Vec<u8>> {
    let mut kinds = Column::read(r, count)?;
    let known = |flag: u64| {
        u8::try_from(flag)
            .ok()
            .filter(|flag| VersionKind::from_code(flag & KIND).is_some())
    };
    let bad = || r.bad("unknown kind of version");
    if let Some(flag) = kinds.constant {
        return Ok(vec![known(flag).ok_or_else(bad)?; count]);
    }
    (0..count).map(|_| known(kinds.next()?).ok_or_else(bad)).collect()
}

/// Where the Ids in sight stand.
struct Ids<'a> {
    rows: Range<usize>,
    /// Before the difference of the first of them, and the number of the Id before it.
    each: Reader<'a>,
    before: u128,
    /// The Id behind them.
    next: Option<RecordId>,
}

impl<'a> Ids<'a> {
    /// Passes over all Ids.
    fn find(r: &mut Reader<'a>, count: usize, sight: &Sight) -> Result<Self> {
        let mut found = Self {
            rows: 0..count,
            each: r.clone(),
            before: 0,
            next: None,
        };
        if sight.from == RecordId::MIN && sight.ids >= count {
            return r.skip_varints(count).map(|()| found);
        }
        let (from, mut number, mut met) = (sight.from.to_number(), 0_u128, 0);
        for row in 0..count {
            let (at, before) = (r.clone(), number);
            let delta = r.varint128()?;
            let too_large = || at.bad("Id too large");
            number = number.checked_add(delta).ok_or_else(too_large)?;
            if number < from {
                continue;
            }
            if met == 0 {
                (found.rows.start, found.each, found.before) = (row, at.clone(), before);
            }
            met += usize::from(met == 0 || delta > 0);
            if met > sight.ids {
                found.rows.end = row;
                found.next = Some(RecordId::from_number(number).ok_or_else(too_large)?);
                r.skip_varints(count - row - 1)?;
                break;
            }
        }
        if met == 0 {
            found.rows.start = count;
        }
        Ok(found)
    }
}

/// A column of numbers: one for all rows, or one each.
struct Column<'a> {
    constant: Option<u64>,
    each: Reader<'a>,
}

impl<'a> Column<'a> {
    fn read(r: &mut Reader<'a>, count: usize) -> Result<Self> {
        let constant = match r.u8()? {
            0 => Some(r.varint()?),
            1 => None,
            _ => return Err(r.bad("unknown column")),
        };
        let each = r.clone();
        if constant.is_none() {
            r.skip_varints(count)?;
        }
        Ok(Self { constant, each })
    }

    fn next(&mut self) -> Result<u64> {
        match self.constant {
            Some(value) => Ok(value),
            None => self.each.varint(),
        }
    }

    fn skip(&mut self, count: usize) -> Result<()> {
        match self.constant {
            Some(_) => Ok(()),
            None => self.each.skip_varints(count),
        }
    }
}

/// Everything behind the snapshots, cut into columns.
struct Cells<'a> {
    ids: Ids<'a>,
    schemas: Column<'a>,
    hashes: &'a [u8],
    replaced: &'a [u8],
    /// The least stamp, and the unit of the others.
    least: i64,
    unit: i64,
    systems: Column<'a>,
    modified: Column<'a>,
    /// The distinct Ids of users, one after the other.
    users: Reader<'a>,
    modified_by: Column<'a>,
    winners: Reader<'a>,
}

impl<'a> Cells<'a> {
    fn read(r: &mut Reader<'a>, ids: Ids<'a>, flags: &[u8]) -> Result<Self> {
        let with = |bit| with(flags, bit);
        let schemas = Column::read(r, flags.len())?;
        let hashes = r.take(16 * flags.iter().filter(|flag| has_hash(**flag)).count())?;
        let replaced = r.take(16 * with(REPLACED))?;
        let (least, unit) = (r.signed()?, if r.u8()? == 1 { 1000 } else { 1 });
        let (systems, modified) = (Column::read(r, with(SYSTEM))?, Column::read(r, with(MODIFIED))?);
        let distinct = r.count(with(MODIFIED_BY))?;
        let users = Reader::new(r.take(15 * distinct)?, "page keys: users");
        let modified_by = Column::read(r, with(MODIFIED_BY))?;
        let winners = r.clone();
        r.take(15 * of_kind(flags, VersionKind::Merged))?;
        r.end()?;
        Ok(Self {
            ids,
            schemas,
            hashes,
            replaced,
            least,
            unit,
            systems,
            modified,
            users,
            modified_by,
            winners,
        })
    }

    /// Goes through the rows of the Ids in sight and makes those that are seen.
    fn rows(
        mut self,
        flags: &[u8],
        seen: &[Option<u64>],
        rows: &mut Vec<KeyRow>,
        ordinals: &mut Vec<u32>,
    ) -> Result<()> {
        let start = self.ids.rows.start;
        self.skip(&flags[..start])?;
        let mut values = of_kind(&flags[..start], VersionKind::Value) as u32;
        let (mut last, mut ahead) = (RecordId::MIN, self.ids.before);
        for (i, seen) in (start..).zip(seen) {
            let flag = flags[i];
            let delta = self.ids.each.varint128()?;
            let too_large = || self.ids.each.bad("Id too large");
            ahead = ahead.checked_add(delta).ok_or_else(too_large)?;
            if let Some(snapshot) = *seen {
                last = last.plus(ahead).ok_or_else(too_large)?;
                ahead = 0;
                rows.push(KeyRow {
                    id: last,
                    snapshot,
                    kind: kind(flag),
                    ..BLANK
                });
                ordinals.push(values);
            }
            values += u32::from(kind(flag) == VersionKind::Value);
            self.row(flags, i, rows.last_mut().filter(|_| seen.is_some()))?;
        }
        Ok(())
    }

    /// Passes over the cells of the first rows.
    fn skip(&mut self, flags: &[u8]) -> Result<()> {
        self.schemas.skip(flags.len())?;
        let hashes = 16 * flags.iter().filter(|flag| has_hash(**flag)).count();
        self.hashes = self.hashes.get(hashes..).unwrap_or_default();
        let replaced = 16 * with(flags, REPLACED);
        self.replaced = self.replaced.get(replaced..).unwrap_or_default();
        self.systems.skip(with(flags, SYSTEM))?;
        self.modified.skip(with(flags, MODIFIED))?;
        self.modified_by.skip(with(flags, MODIFIED_BY))?;
        self.winners
            .take(15 * of_kind(flags, VersionKind::Merged))
            .map(drop)
    }

    /// Takes the cells of row `i`, into `row` if it is seen.
    fn row(&mut self, flags: &[u8], i: usize, row: Option<&mut KeyRow>) -> Result<()> {
        let flag = flags[i];
        let ids = &self.ids.each;
        if flag & BELOW != 0 && (i + 1 == flags.len() || ids.peek() != Some(0)) {
            return Err(ids.bad("no version below"));
        }
        let mut unseen = BLANK;
        let row = row.unwrap_or(&mut unseen);
        let schema = u32::try_from(self.schemas.next()?);
        row.schema = schema.map_err(|_| ids.bad("schema number too large"))?;
        self.take_hashes(flags, i, row);
        let ids = &self.ids.each;
        if flag & SYSTEM != 0 {
            let offset = i64::try_from(self.systems.next()?).ok();
            let millis = offset.and_then(|v| v.checked_mul(self.unit)?.checked_add(self.least));
            row.system = Stamp::from_millis(millis.ok_or_else(|| ids.bad("stamp too large"))?);
        }
        if flag & MODIFIED != 0 {
            let from = if row.system.is_some() {
                row.system.millis()
            } else {
                0
            };
            let offset = unzigzag(self.modified.next()?);
            row.modified = Stamp::from_millis(from.wrapping_add(offset));
        }
        if flag & MODIFIED_BY != 0 {
            let mut users = self.users.clone();
            let which = self.modified_by.next()?.min(users.left() as u64);
            users.take(15 * which as usize)?;
            row.modified_by = Some(users.record_id()?);
        }
        if kind(flag) == VersionKind::Merged {
            row.winner = Some(self.winners.record_id()?);
        }
        Ok(())
    }

    /// The hashes of content after and before: its own, or those of the versions below it.
    fn take_hashes(&mut self, flags: &[u8], i: usize, row: &mut KeyRow) {
        let flag = flags[i];
        row.hash = content(self.hashes, flags, i);
        if has_hash(flag) {
            self.hashes = self.hashes.get(16..).unwrap_or_default();
        }
        if flag & REPLACED != 0 {
            row.replaced = hash(self.replaced);
            self.replaced = self.replaced.get(16..).unwrap_or_default();
        } else if flag & BELOW != 0 {
            row.replaced = content(self.hashes, flags, i + 1);
        } else if kind(flag) == VersionKind::Stamps {
            row.replaced = row.hash;
        }
    }
}

/// The content after row `i`, whose own hash or the next one below is the first of `hashes`.
fn content(hashes: &[u8], flags: &[u8], mut i: usize) -> ContentHash {
    while let Some(&flag) = flags.get(i) {
        if has_hash(flag) {
            return hash(hashes);
        }
        if kind(flag) != VersionKind::Stamps {
            break;
        }
        i += 1;
    }
    ContentHash::NONE
}

fn hash(bytes: &[u8]) -> ContentHash {
    bytes
        .first_chunk()
        .map_or(ContentHash::NONE, |bytes| ContentHash(*bytes))
}

/// How many rows have that bit.
fn with(flags: &[u8], bit: u8) -> usize {
    flags.iter().filter(|flag| **flag & bit != 0).count()
}

/// How many rows are of that kind.
fn of_kind(flags: &[u8], kind: VersionKind) -> usize {
    flags.iter().filter(|flag| **flag & KIND == kind as u8).count()
}

/// The kind in flags that have been checked.
fn kind(flag: u8) -> VersionKind {
    VersionKind::from_code(flag & KIND).unwrap_or(VersionKind::Value)
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

const BLANK: KeyRow = KeyRow {
    id: RecordId::MIN,
    snapshot: 0,
    kind: VersionKind::Value,
    schema: 0,
    hash: ContentHash::NONE,
    replaced: ContentHash::NONE,
    system: Stamp::NONE,
    modified: Stamp::NONE,
    modified_by: None,
    winner: None,
};

#[cfg(test)]
mod tests {
    use super::super::keys::encode;
    use super::*;
    use proptest::prelude::*;

    fn row() -> impl Strategy<Value = KeyRow> {
        let stamp = || {
            prop_oneof![
                Just(Stamp::NONE),
                (0..2_000_000_000_000_i64).prop_map(Stamp::from_millis)
            ]
        };
        let id = || "[0-9A-Za-z]{15}".prop_map(|s| s.parse::<RecordId>().unwrap());
        (
            id(),
            0..5_u64,
            0..6_u8,
            0..3_u32,
            any::<[u8; 16]>(),
            any::<[u8; 16]>(),
            stamp(),
            stamp(),
            proptest::option::of(id()),
            id(),
        )
            .prop_map(
                |(id, snap, kind, schema, hash, replaced, system, modified, modified_by, winner)| {
                    let kind = VersionKind::from_code(kind).unwrap();
                    let hash = if kind.is_live() {
                        ContentHash(hash)
                    } else {
                        ContentHash::NONE
                    };
                    let replaced = if kind == VersionKind::Stamps {
                        hash
                    } else {
                        ContentHash(replaced)
                    };
                    let winner = (kind == VersionKind::Merged).then_some(winner);
                    KeyRow {
                        id,
                        snapshot: 100 + snap,
                        kind,
                        schema,
                        hash,
                        replaced,
                        system,
                        modified,
                        modified_by,
                        winner,
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn keys_round_trip(mut rows in proptest::collection::vec(row(), 0..80)) {
            rows.sort_by_key(|r| r.id);
            prop_assert_eq!(decode(100, &encode(100, &rows).0).unwrap(), rows);
        }

        /// Versions side by side: what one replaced is the next one's content, mostly.
        #[test]
        fn versions_side_by_side_round_trip(
            mut rows in proptest::collection::vec(row(), 1..60), same: Vec<bool>, follows: Vec<bool>
        ) {
            rows.sort_by_key(|r| r.id);
            for i in 1..rows.len() {
                if same.get(i).is_some_and(|s| *s) {
                    rows[i].id = rows[i - 1].id;
                }
                if follows.get(i).is_some_and(|f| *f) {
                    rows[i - 1].replaced = rows[i].hash;
                    if rows[i - 1].kind == VersionKind::Stamps {
                        rows[i - 1].hash = rows[i].hash;
                    }
                }
            }
            let bytes = encode(100, &rows).0;
            prop_assert_eq!(&decode(100, &bytes).unwrap(), &rows);
            // Any span of snapshots gives the rows of it, and how many values stand before each.
            for span in [(101, 102), (102, 102), (0, 101), (104, 200), (105, 200)] {
                let seen = |row: &&KeyRow| span.0 <= row.snapshot && row.snapshot <= span.1;
                let wanted: Vec<KeyRow> = rows.iter().filter(seen).copied().collect();
                let values = |upto: usize| rows[..upto].iter().filter(|r| r.kind == VersionKind::Value).count();
                let before: Vec<u32> = (0..rows.len())
                    .filter(|i| seen(&&rows[*i]))
                    .map(|i| u32::try_from(values(i)).unwrap())
                    .collect();
                let (mut got, mut ordinals) = (Vec::new(), Vec::new());
                let sight = Sight { span, ..Sight::ALL };
                prop_assert_eq!(decode_sight(100, &bytes, &sight, &mut got, &mut ordinals).unwrap(), None);
                prop_assert_eq!((&got, &ordinals), (&wanted, &before));
                // So do any few Ids from any on, one after the other.
                for ids in [1, 3, 40] {
                    let (mut from, mut met, mut counts) = (Some(RecordId::MIN), Vec::new(), Vec::new());
                    while let Some(id) = from {
                        let sight = Sight { span, from: id, ids };
                        from = decode_sight(100, &bytes, &sight, &mut got, &mut ordinals).unwrap();
                        prop_assert!(from.is_none_or(|next| next > id));
                        let inside = |row: &KeyRow| row.id >= id && from.is_none_or(|next| row.id < next);
                        prop_assert!(got.iter().all(inside));
                        met.append(&mut got);
                        counts.append(&mut ordinals);
                    }
                    prop_assert_eq!((&met, &counts), (&wanted, &before));
                }
            }
        }

        #[test]
        fn damaged_keys_are_an_error_or_rows(mut rows in proptest::collection::vec(row(), 1..20), at: usize, with: u8) {
            rows.sort_by_key(|r| r.id);
            let mut bytes = encode(0, &rows).0;
            let at = at % bytes.len();
            bytes[at] ^= with;
            let _ = decode(0, &bytes);
            let _ = decode(0, &bytes[..at]);
        }
    }
}
