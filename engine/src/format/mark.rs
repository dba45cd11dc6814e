//! Marks in a catalog over what is stored: condemned packs, holds, erasures, and the activity log.
//!
//! Key decision: what upkeep decides is an entry like any other, committed with the root, so that every reader of
//! one root version agrees on it. `docs/upkeep.md` says what each does; the keys stand in `format::entry::prefix`.
//! It carries nothing out.

use crate::base::error::Result;
use crate::base::id::OrgId;
use crate::base::stamp::Stamp;
use crate::format::codec::{put_bytes, put_signed, put_varint};
use crate::format::entry::{VERSION, open};

/// A pack on its way out; its key is the pack's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CondemnedEntry {
    /// False: a stray, seen in a listing and named by no root, which a commit may still adopt. True: it may only be
    /// deleted.
    pub condemned: bool,
    /// The root version that noted or condemned it.
    pub since: u64,
    /// When that was, by the clock of the machine that did.
    pub at: Stamp,
}

impl CondemnedEntry {
    /// The bytes of the entry.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION, u8::from(self.condemned)];
        put_varint(&mut out, self.since);
        put_signed(&mut out, self.at.millis());
        out
    }

    /// Reads what [`CondemnedEntry::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = open(bytes, "condemned entry")?;
        let condemned = r.u8()? == 1;
        let (since, at) = (r.varint()?, Stamp::from_millis(r.signed()?));
        r.end()?;
        Ok(Self { condemned, since, at })
    }
}

/// Keeps a snapshot from being dropped; its key is a random name of 16 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldEntry {
    /// The snapshot, by its number in the org.
    pub snapshot: u64,
    /// When it was made.
    pub made: Stamp,
    /// When it ends; `NONE`: never.
    pub until: Stamp,
    /// Why, in a person's words.
    pub reason: String,
}

impl HoldEntry {
    /// The bytes of the entry.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_varint(&mut out, self.snapshot);
        put_signed(&mut out, self.made.millis());
        put_signed(&mut out, self.until.millis());
        put_bytes(&mut out, self.reason.as_bytes());
        out
    }

    /// Reads what [`HoldEntry::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = open(bytes, "hold entry")?;
        let entry = Self {
            snapshot: r.varint()?,
            made: Stamp::from_millis(r.signed()?),
            until: Stamp::from_millis(r.signed()?),
            reason: r.text()?.to_owned(),
        };
        r.end()?;
        Ok(entry)
    }

    /// Whether it holds at `now`.
    pub fn holds(&self, now: Stamp) -> bool {
        !self.until.is_some() || now < self.until
    }
}

/// A record that was erased and is not to come back; its key is a keyed hash of its Id, 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErasureEntry {
    /// When it was erased.
    pub at: Stamp,
}

impl ErasureEntry {
    /// The bytes of the entry.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_signed(&mut out, self.at.millis());
        out
    }

    /// Reads what [`ErasureEntry::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = open(bytes, "erasure entry")?;
        let at = Stamp::from_millis(r.signed()?);
        r.end()?;
        Ok(Self { at })
    }
}

/// One line of the activity log; its key is its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityEntry {
    /// When.
    pub at: Stamp,
    /// Which operation: `forget`, `prune`, `erase`, ...
    pub verb: String,
    /// In which org; `None`: the vault.
    pub org: Option<OrgId>,
    /// Counts and sizes; no Ids, no values.
    pub detail: String,
}

impl ActivityEntry {
    /// The bytes of the entry.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_signed(&mut out, self.at.millis());
        put_bytes(&mut out, self.verb.as_bytes());
        out.push(u8::from(self.org.is_some()));
        self.org
            .iter()
            .for_each(|org| out.extend_from_slice(org.as_bytes()));
        put_bytes(&mut out, self.detail.as_bytes());
        out
    }

    /// Reads what [`ActivityEntry::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = open(bytes, "activity entry")?;
        let (at, verb) = (Stamp::from_millis(r.signed()?), r.text()?.to_owned());
        let org = if r.u8()? == 1 { Some(r.record_id()?) } else { None };
        let detail = r.text()?.to_owned();
        r.end()?;
        Ok(Self {
            at,
            verb,
            org,
            detail,
        })
    }
}

/// A master key came into force; its key is its generation, from 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MasterEntry {
    /// The root version that it authenticated first; packs of older versions are sealed under keys before it.
    pub since: u64,
    /// When that was, by the clock of the machine that did.
    pub at: Stamp,
}

impl MasterEntry {
    /// The bytes of the entry.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_varint(&mut out, self.since);
        put_signed(&mut out, self.at.millis());
        out
    }

    /// Reads what [`MasterEntry::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = open(bytes, "master key entry")?;
        let (since, at) = (r.varint()?, Stamp::from_millis(r.signed()?));
        r.end()?;
        Ok(Self { since, at })
    }
}
