//! The key part of a page: Ids, snapshots, kinds, hashes and stamps, by column.
//!
//! Key decision: snapshots stand relative to the run's lowest one, so a key part does not depend on the number its
//! snapshot got in the race for the root; a hash that follows from the kind, or from the older version in the next
//! row, is left out. The bytes stand in `docs/format.md`, "Keys of a page". It holds no values and does not read.

use crate::base::id::{ContentHash, RecordId};
use crate::base::stamp::Stamp;
use crate::format::codec::{put_signed, put_varint, put_varint128};

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
    pub(super) fn from_code(code: u8) -> Option<Self> {
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

pub(super) const VERSION: u8 = 1;
pub(super) const KIND: u8 = 0b111;
pub(super) const REPLACED: u8 = 1 << 3;
pub(super) const SYSTEM: u8 = 1 << 4;
pub(super) const MODIFIED: u8 = 1 << 5;
pub(super) const MODIFIED_BY: u8 = 1 << 6;
/// The content before is that of the next row, which is of the same Id.
pub(super) const BELOW: u8 = 1 << 7;

/// The bytes of a key part, and where its hashes begin and end: nothing makes those smaller, so that the rest is
/// compressed better without them. `base` is the lowest snapshot of the run.
pub fn encode(base: u64, rows: &[KeyRow]) -> (Vec<u8>, [usize; 2]) {
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
    let hashes = out.len();
    for (row, _) in flagged().filter(|(_, f)| has_hash(**f)) {
        out.extend_from_slice(&row.hash.0);
    }
    for (row, _) in flagged().filter(|(_, f)| **f & REPLACED != 0) {
        out.extend_from_slice(&row.replaced.0);
    }
    let behind_hashes = out.len();
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
    (out, [hashes, behind_hashes])
}

/// Whether a row's own hash is written.
pub(super) fn has_hash(flags: u8) -> bool {
    let kind = flags & KIND;
    kind == VersionKind::Value as u8 || (kind == VersionKind::Stamps as u8 && flags & BELOW == 0)
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

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}
