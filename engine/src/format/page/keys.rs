//! The key part of a page: Ids, snapshots, kinds, hashes and stamps, by column.
//!
//! Key decision: snapshots stand relative to the run's lowest one, so a key part does not depend on the number its
//! snapshot got in the race for the root; a hash that follows from the kind, or from the older version in the next
//! row, is left out. The bytes stand in `docs/format.md`, "Keys of a page". It holds no values.

use crate::base::error::Result;
use crate::base::id::{ContentHash, RecordId};
use crate::base::limits::PAGE_VERSIONS_MAX;
use crate::base::stamp::Stamp;
use crate::format::codec::{Reader, put_signed, put_varint, put_varint128};

/// What a version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum VersionKind {
    /// The record with its values.
    Value = 0,
    /// Only its stamps moved: content as in the version before.
    Stamps = 1,
    /// Gone: in the recycle bin.
    Deleted = 2,
    /// Gone: no longer in the recycle bin.
    Purged = 3,
    /// Gone: merged into another record.
    Merged = 4,
    /// Gone, and nothing says how.
    Vanished = 5,
}

impl VersionKind {
    fn from_code(code: u8) -> Option<Self> {
        use VersionKind::{Deleted, Merged, Purged, Stamps, Value, Vanished};
        [Value, Stamps, Deleted, Purged, Merged, Vanished]
            .get(usize::from(code))
            .copied()
    }

    /// Whether the record is there.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Value | Self::Stamps)
    }
}

/// The keys of one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRow {
    /// The record.
    pub id: RecordId,
    /// The snapshot that saw it, by its number in the org.
    pub snapshot: u64,
    /// What it is.
    pub kind: VersionKind,
    /// The number of the schema it was read under.
    pub schema: u32,
    /// Content after; `NONE` for tombstones.
    pub hash: ContentHash,
    /// Content before; `NONE` if the record was not there.
    pub replaced: ContentHash,
    /// `SystemModstamp`.
    pub system: Stamp,
    /// `LastModifiedDate`.
    pub modified: Stamp,
    /// `LastModifiedById`.
    pub modified_by: Option<RecordId>,
    /// The winner of a merge.
    pub winner: Option<RecordId>,
}

const VERSION: u8 = 1;
const KIND: u8 = 0b111;
const REPLACED: u8 = 1 << 3;
const SYSTEM: u8 = 1 << 4;
const MODIFIED: u8 = 1 << 5;
const MODIFIED_BY: u8 = 1 << 6;
/// The content before is that of the next row, which is of the same Id.
const BELOW: u8 = 1 << 7;

/// The bytes of a key part; `base` is the lowest snapshot of the run.
pub fn encode(base: u64, rows: &[KeyRow]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() * 40 + 64);
    out.push(VERSION);
    put_varint(&mut out, rows.len() as u64);
    let mut last = 0;
    for row in rows {
        let number = row.id.to_number();
        put_varint128(&mut out, number - last);
        last = number;
    }
    let flags: Vec<u8> = (0..rows.len())
        .map(|i| flags(&rows[i], rows.get(i + 1)))
        .collect();
    let flagged = || rows.iter().zip(&flags);
    column(&mut out, flags.iter().map(|&f| u64::from(f)));
    column(&mut out, rows.iter().map(|r| r.snapshot - base));
    column(&mut out, rows.iter().map(|r| u64::from(r.schema)));
    for (row, _) in flagged().filter(|(r, f)| has_hash(r.kind, **f)) {
        out.extend_from_slice(&row.hash.0);
    }
    for (row, _) in flagged().filter(|(_, f)| **f & REPLACED != 0) {
        out.extend_from_slice(&row.replaced.0);
    }
    let systems = || {
        rows.iter()
            .filter(|r| r.system.is_some())
            .map(|r| r.system.millis())
    };
    let least = systems().min().unwrap_or(0);
    let unit = if systems().all(|s| (s - least) % 1000 == 0) {
        1000
    } else {
        1
    };
    put_signed(&mut out, least);
    out.push(u8::from(unit == 1000));
    column(&mut out, systems().map(|s| ((s - least) / unit) as u64));
    let modified = |r: &KeyRow| {
        r.modified
            .millis()
            .wrapping_sub(if r.system.is_some() { r.system.millis() } else { 0 })
    };
    column(
        &mut out,
        rows.iter()
            .filter(|r| r.modified.is_some())
            .map(|r| zigzag(modified(r))),
    );
    ids(&mut out, rows.iter().filter_map(|r| r.modified_by));
    for winner in rows
        .iter()
        .filter(|r| r.kind == VersionKind::Merged)
        .filter_map(|r| r.winner)
    {
        out.extend_from_slice(winner.as_bytes());
    }
    out
}

/// Reads what [`encode`] wrote, with rows in order and complete.
pub fn decode(base: u64, bytes: &[u8]) -> Result<Vec<KeyRow>> {
    let mut rows = Vec::new();
    decode_into(base, bytes, &mut rows)?;
    Ok(rows)
}

/// The same into memory that is used again; what was in `rows` is gone.
pub fn decode_into(base: u64, bytes: &[u8], rows: &mut Vec<KeyRow>) -> Result<()> {
    let mut r = Reader::new(bytes, "page keys");
    if r.u8()? != VERSION {
        return Err(r.bad("unknown version"));
    }
    let count = r.count(PAGE_VERSIONS_MAX)?;
    rows.clear();
    rows.reserve(count);
    let mut last = 0_u128;
    for _ in 0..count {
        last = last
            .checked_add(r.varint128()?)
            .ok_or_else(|| r.bad("Id too large"))?;
        let id = RecordId::from_number(last).ok_or_else(|| r.bad("Id too large"))?;
        rows.push(blank(id));
    }
    let mut flags = Vec::with_capacity(count);
    for (row, f) in rows.iter_mut().zip(read_column(&mut r, count)?) {
        let flag = u8::try_from(f).ok();
        let kind = flag.and_then(|f| VersionKind::from_code(f & KIND));
        row.kind = kind.ok_or_else(|| r.bad("unknown kind of version"))?;
        flags.extend(flag);
    }
    for (row, v) in rows.iter_mut().zip(read_column(&mut r, count)?) {
        row.snapshot = base
            .checked_add(v)
            .ok_or_else(|| r.bad("snapshot number too large"))?;
    }
    for (row, v) in rows.iter_mut().zip(read_column(&mut r, count)?) {
        row.schema = u32::try_from(v).map_err(|_| r.bad("schema number too large"))?;
    }
    decode_hashes(&mut r, rows, &flags)?;
    decode_stamps(&mut r, rows, &flags)?;
    for row in rows.iter_mut().filter(|row| row.kind == VersionKind::Merged) {
        row.winner = Some(r.record_id()?);
    }
    r.end()
}

fn decode_hashes(r: &mut Reader<'_>, rows: &mut [KeyRow], flags: &[u8]) -> Result<()> {
    for (row, _) in rows
        .iter_mut()
        .zip(flags)
        .filter(|(row, f)| has_hash(row.kind, **f))
    {
        row.hash = ContentHash(r.array()?);
    }
    for (row, _) in rows.iter_mut().zip(flags).filter(|(_, f)| **f & REPLACED != 0) {
        row.replaced = ContentHash(r.array()?);
    }
    // From the oldest on: what a row takes from the next one must be known.
    for i in (0..rows.len()).rev() {
        if flags[i] & BELOW != 0 {
            let below = rows.get(i + 1).filter(|below| below.id == rows[i].id);
            let below = below.ok_or_else(|| r.bad("no version below"))?.hash;
            rows[i].replaced = below;
            if rows[i].kind == VersionKind::Stamps {
                rows[i].hash = below;
            }
        } else if rows[i].kind == VersionKind::Stamps && flags[i] & REPLACED == 0 {
            rows[i].replaced = rows[i].hash;
        }
    }
    Ok(())
}

fn decode_stamps(r: &mut Reader<'_>, rows: &mut [KeyRow], flags: &[u8]) -> Result<()> {
    let with = |bit: u8| flags.iter().map(move |&f| f & bit != 0);
    let count = |bit| with(bit).filter(|&b| b).count();
    let (least, unit) = (r.signed()?, if r.u8()? == 1 { 1000 } else { 1 });
    let mut systems = read_column(r, count(SYSTEM))?.into_iter();
    for (row, _) in rows.iter_mut().zip(with(SYSTEM)).filter(|(_, has)| *has) {
        let offset = systems
            .next()
            .and_then(|v| i64::try_from(v).ok())
            .and_then(|v| v.checked_mul(unit));
        let millis = offset
            .and_then(|v| v.checked_add(least))
            .ok_or_else(|| r.bad("stamp too large"))?;
        row.system = Stamp::from_millis(millis);
    }
    let mut modified = read_column(r, count(MODIFIED))?.into_iter();
    for (row, _) in rows.iter_mut().zip(with(MODIFIED)).filter(|(_, has)| *has) {
        let from = if row.system.is_some() {
            row.system.millis()
        } else {
            0
        };
        row.modified = Stamp::from_millis(from.wrapping_add(unzigzag(modified.next().unwrap_or(0))));
    }
    let mut by = read_ids(r, count(MODIFIED_BY))?.into_iter();
    for (row, _) in rows.iter_mut().zip(with(MODIFIED_BY)).filter(|(_, has)| *has) {
        row.modified_by = by.next();
    }
    Ok(())
}

fn blank(id: RecordId) -> KeyRow {
    KeyRow {
        id,
        snapshot: 0,
        kind: VersionKind::Value,
        schema: 0,
        hash: ContentHash::NONE,
        replaced: ContentHash::NONE,
        system: Stamp::NONE,
        modified: Stamp::NONE,
        modified_by: None,
        winner: None,
    }
}

/// Whether a row's own hash is written.
fn has_hash(kind: VersionKind, flags: u8) -> bool {
    kind == VersionKind::Value || (kind == VersionKind::Stamps && flags & BELOW == 0)
}

fn flags(row: &KeyRow, next: Option<&KeyRow>) -> u8 {
    let stamps = row.kind == VersionKind::Stamps;
    let below = next.is_some_and(|next| {
        let known = next.id == row.id && next.hash == row.replaced && row.replaced != ContentHash::NONE;
        known && (!stamps || row.hash == next.hash)
    });
    let implied = below || (stamps && row.replaced == row.hash);
    let bit = |set: bool, bit: u8| if set { bit } else { 0 };
    row.kind as u8
        | bit(below, BELOW)
        | bit(row.replaced != ContentHash::NONE && !implied, REPLACED)
        | bit(row.system.is_some(), SYSTEM)
        | bit(row.modified.is_some(), MODIFIED)
        | bit(row.modified_by.is_some(), MODIFIED_BY)
}

/// A column of numbers: 0 and the one value if all are equal, else 1 and each.
fn column(out: &mut Vec<u8>, values: impl Iterator<Item = u64> + Clone) {
    let first = values.clone().next().unwrap_or(0);
    if values.clone().all(|v| v == first) {
        out.push(0);
        put_varint(out, first);
    } else {
        out.push(1);
        values.for_each(|v| put_varint(out, v));
    }
}

fn read_column(r: &mut Reader<'_>, count: usize) -> Result<Vec<u64>> {
    match r.u8()? {
        0 => Ok(vec![r.varint()?; count]),
        1 => (0..count).map(|_| r.varint()).collect(),
        _ => Err(r.bad("unknown column")),
    }
}

/// A column of Ids: the distinct ones, then which of them each row has.
fn ids(out: &mut Vec<u8>, values: impl Iterator<Item = RecordId> + Clone) {
    let mut distinct: Vec<RecordId> = values.clone().collect();
    distinct.sort_unstable();
    distinct.dedup();
    put_varint(out, distinct.len() as u64);
    distinct
        .iter()
        .for_each(|id| out.extend_from_slice(id.as_bytes()));
    column(
        out,
        values.map(|id| distinct.binary_search(&id).unwrap_or(0) as u64),
    );
}

fn read_ids(r: &mut Reader<'_>, count: usize) -> Result<Vec<RecordId>> {
    let distinct = (0..r.count(count)?)
        .map(|_| r.record_id())
        .collect::<Result<Vec<_>>>()?;
    let picks = read_column(r, count)?;
    let pick = |i: u64| usize::try_from(i).ok().and_then(|i| distinct.get(i).copied());
    picks
        .into_iter()
        .map(|i| pick(i).ok_or_else(|| r.bad("Id number too large")))
        .collect()
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
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
            prop_assert_eq!(decode(100, &encode(100, &rows)).unwrap(), rows);
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
            prop_assert_eq!(decode(100, &encode(100, &rows)).unwrap(), rows);
        }

        #[test]
        fn damaged_keys_are_an_error_or_rows(mut rows in proptest::collection::vec(row(), 1..20), at: usize, with: u8) {
            rows.sort_by_key(|r| r.id);
            let mut bytes = encode(0, &rows);
            let at = at % bytes.len();
            bytes[at] ^= with;
            let _ = decode(0, &bytes);
            let _ = decode(0, &bytes[..at]);
        }
    }
}
