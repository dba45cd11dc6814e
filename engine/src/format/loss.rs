//! What is lost: the chunk, and the hole that it leaves in an sObject.
//!
//! Key decision: two entries. The loss is the vault's, so that nobody looks for the chunk any more; the hole is an
//! sObject's, and says which states are short of something. `docs/upkeep.md`, "Check and repair". It finds no damage.

use std::fmt;

use crate::base::error::Result;
use crate::base::id::{ChunkId, RecordId};
use crate::base::stamp::Stamp;
use crate::format::codec::{put_bytes, put_signed, put_varint};
use crate::format::entry::{VERSION, of_sobject, open, prefix};
use crate::format::seal::ChunkKind;

/// A chunk that no pack has any more; its key is the chunk's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LossEntry {
    /// What kind of chunk, as in its header.
    pub kind: u8,
    /// When it was entered.
    pub at: Stamp,
    /// What it takes with it, for a person: sObject and Ids.
    pub what: String,
}

impl LossEntry {
    /// The bytes of the entry.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION, self.kind];
        put_signed(&mut out, self.at.millis());
        put_bytes(&mut out, self.what.as_bytes());
        out
    }

    /// Reads what [`LossEntry::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = open(bytes, "loss entry")?;
        let entry = Self {
            kind: r.u8()?,
            at: Stamp::from_millis(r.signed()?),
            what: r.text()?.to_owned(),
        };
        r.end()?;
        Ok(entry)
    }
}

/// What a lost chunk takes from one sObject; its key is [`HoleEntry::key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoleEntry {
    /// What kind of chunk: page values cost the values of versions, anything else the versions.
    pub kind: ChunkKind,
    /// The lowest snapshot that has a version in it.
    pub low: u64,
    /// States from this snapshot on need nothing of it; 0 until the sObject has been read whole again.
    pub filled: u64,
    /// The smallest Id in it.
    pub first: RecordId,
    /// The largest.
    pub last: RecordId,
}

impl HoleEntry {
    /// The key of the hole that a chunk leaves in an sObject.
    pub fn key(sobject: &str, chunk: &ChunkId) -> Vec<u8> {
        let mut key = of_sobject(prefix::LOSS, sobject, &[]);
        key.extend_from_slice(&chunk.0);
        key
    }

    /// The bytes of the entry.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION, self.kind as u8];
        put_varint(&mut out, self.low);
        put_varint(&mut out, self.filled);
        out.extend_from_slice(self.first.as_bytes());
        out.extend_from_slice(self.last.as_bytes());
        out
    }

    /// Reads what [`HoleEntry::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = open(bytes, "hole entry")?;
        let kind = r.u8()?;
        let kind = ChunkKind::from_u8(kind).ok_or_else(|| r.bad("unknown kind of chunk"))?;
        let entry = Self {
            kind,
            low: r.varint()?,
            filled: r.varint()?,
            first: r.record_id()?,
            last: r.record_id()?,
        };
        r.end()?;
        Ok(entry)
    }

    /// Whether whole versions are missing, not only their values.
    pub fn costs_versions(&self) -> bool {
        !matches!(
            self.kind,
            ChunkKind::PageValues | ChunkKind::PageDerived | ChunkKind::Blob
        )
    }

    /// Whether the state at that snapshot is short of something.
    pub fn shows_at(&self, snapshot: u64) -> bool {
        self.low <= snapshot && !(self.filled > 0 && self.filled <= snapshot)
    }

    /// Whether an Id lies in it.
    pub fn covers(&self, id: RecordId) -> bool {
        self.first <= id && id <= self.last
    }
}

impl fmt::Display for HoleEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last, low) = (self.first, self.last, self.low);
        write!(f, "versions from snapshot {low} on, Ids {first} to {last}")
    }
}
