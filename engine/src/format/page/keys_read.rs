//! The key part of a page on its way back: all rows, or those that a span of snapshots sees.
//!
//! Key decision: flags and snapshots are read first; a page of which nothing is in sight ends there, and of the columns
//! behind them only the cells of rows in sight are made, so that looking at two days among a thousand costs little.
//! The seal has vouched for the bytes; what is passed over is not looked at more closely.

use crate::base::error::Result;
use crate::base::id::{ContentHash, RecordId};
use crate::base::limits::PAGE_VERSIONS_MAX;
use crate::base::stamp::Stamp;
use crate::format::codec::Reader;
use crate::format::page::keys::{
    BELOW, KIND, KeyRow, MODIFIED, MODIFIED_BY, REPLACED, SYSTEM, VERSION, VersionKind, has_hash,
};

/// Reads what [`super::encode_keys`] wrote, with rows in order and complete.
pub fn decode(base: u64, bytes: &[u8]) -> Result<Vec<KeyRow>> {
    let mut rows = Vec::new();
    decode_into(base, bytes, &mut rows)?;
    Ok(rows)
}

/// The same into memory that is used again; what was in `rows` is gone.
pub fn decode_into(base: u64, bytes: &[u8], rows: &mut Vec<KeyRow>) -> Result<()> {
    decode_span(base, bytes, (0, u64::MAX), rows, &mut Vec::new())
}

/// Only rows of snapshots at or above the first and at or below the second; `ordinals` says of each how many rows with
/// values stand before it in the page.
pub fn decode_span(
    base: u64,
    bytes: &[u8],
    span: (u64, u64),
    rows: &mut Vec<KeyRow>,
    ordinals: &mut Vec<u32>,
) -> Result<()> {
    rows.clear();
    ordinals.clear();
    let mut r = Reader::new(bytes, "page keys");
    if r.u8()? != VERSION {
        return Err(r.bad("unknown version"));
    }
    let count = r.count(PAGE_VERSIONS_MAX)?;
    let ids = r.clone();
    r.skip_varints(count)?;
    let mut kinds = Column::read(&mut r, count)?;
    let mut flags = Vec::with_capacity(count);
    for _ in 0..count {
        let flag = u8::try_from(kinds.next()?).ok();
        let known = flag.filter(|flag| VersionKind::from_code(flag & KIND).is_some());
        flags.push(known.ok_or_else(|| r.bad("unknown kind of version"))?);
    }
    let (mut snapshots, mut seen) = (Column::read(&mut r, count)?, Vec::with_capacity(count));
    for _ in 0..count {
        let snapshot = base.checked_add(snapshots.next()?);
        let snapshot = snapshot.ok_or_else(|| r.bad("snapshot number too large"))?;
        seen.push((span.0 <= snapshot && snapshot <= span.1).then_some(snapshot));
    }
    if seen.iter().all(Option::is_none) {
        return Ok(());
    }
    Cells::read(&mut r, ids, &flags)?.rows(&flags, &seen, rows, ordinals)
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
}

/// Everything behind the snapshots, cut into columns.
struct Cells<'a> {
    ids: Reader<'a>,
    schemas: Column<'a>,
    hashes: &'a [u8],
    replaced: &'a [u8],
    /// The least stamp, and the unit of the others.
    least: i64,
    unit: i64,
    systems: Column<'a>,
    modified: Column<'a>,
    users: Vec<RecordId>,
    modified_by: Column<'a>,
    winners: Reader<'a>,
}

impl<'a> Cells<'a> {
    fn read(r: &mut Reader<'a>, ids: Reader<'a>, flags: &[u8]) -> Result<Self> {
        let with = |bit: u8| flags.iter().filter(|flag| **flag & bit != 0).count();
        let schemas = Column::read(r, flags.len())?;
        let hashes = r.take(16 * flags.iter().filter(|flag| own_hash(**flag)).count())?;
        let replaced = r.take(16 * with(REPLACED))?;
        let (least, unit) = (r.signed()?, if r.u8()? == 1 { 1000 } else { 1 });
        let (systems, modified) = (Column::read(r, with(SYSTEM))?, Column::read(r, with(MODIFIED))?);
        let users = (0..r.count(with(MODIFIED_BY))?).map(|_| r.record_id());
        let users = users.collect::<Result<Vec<_>>>()?;
        let modified_by = Column::read(r, with(MODIFIED_BY))?;
        let winners = r.clone();
        let merged = flags.iter().filter(|flag| kind(**flag) == VersionKind::Merged);
        r.take(15 * merged.count())?;
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

    /// Goes through all rows and makes those that are seen.
    fn rows(
        mut self,
        flags: &[u8],
        seen: &[Option<u64>],
        rows: &mut Vec<KeyRow>,
        ordinals: &mut Vec<u32>,
    ) -> Result<()> {
        let (mut last, mut ahead, mut values) = (RecordId::MIN, 0_u128, 0);
        for (i, (&flag, seen)) in flags.iter().zip(seen).enumerate() {
            let delta = self.ids.varint128()?;
            let too_large = || self.ids.bad("Id too large");
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

    /// Takes the cells of row `i`, into `row` if it is seen.
    fn row(&mut self, flags: &[u8], i: usize, row: Option<&mut KeyRow>) -> Result<()> {
        let flag = flags[i];
        if flag & BELOW != 0 && (i + 1 == flags.len() || self.ids.peek() != Some(0)) {
            return Err(self.ids.bad("no version below"));
        }
        let mut unseen = BLANK;
        let row = row.unwrap_or(&mut unseen);
        let schema = u32::try_from(self.schemas.next()?);
        row.schema = schema.map_err(|_| self.ids.bad("schema number too large"))?;
        self.take_hashes(flags, i, row);
        if flag & SYSTEM != 0 {
            let offset = i64::try_from(self.systems.next()?).ok();
            let millis = offset.and_then(|v| v.checked_mul(self.unit)?.checked_add(self.least));
            row.system = Stamp::from_millis(millis.ok_or_else(|| self.ids.bad("stamp too large"))?);
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
            let which = usize::try_from(self.modified_by.next()?).ok();
            let user = which.and_then(|which| self.users.get(which).copied());
            row.modified_by = Some(user.ok_or_else(|| self.ids.bad("Id number too large"))?);
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
        if own_hash(flag) {
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
        if own_hash(flag) {
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

fn own_hash(flag: u8) -> bool {
    has_hash(kind(flag), flag)
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
                decode_span(100, &bytes, span, &mut got, &mut ordinals).unwrap();
                prop_assert_eq!((got, ordinals), (wanted, before));
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
