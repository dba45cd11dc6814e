//! Marks in a catalog over what is stored: condemned packs, holds, erasures, and the activity log.
//!
//! Key decision: what upkeep decides is an entry like any other, committed with the root, so that every reader of
//! one root version agrees on it. `docs/upkeep.md` says what each does; the keys stand in `format::entry::prefix`.
//! It carries nothing out.

use crate::base::error::Result;
use crate::base::id::OrgId;
use crate::base::stamp::Stamp;
use crate::format::codec::{Reader, put_bytes, put_signed, put_varint};
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

/// How what a line tells ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Ended {
    /// All of it was done.
    #[default]
    Done = 0,
    /// It ran to its end, and something is missing.
    Partly = 1,
    /// It stopped, and goes on with the next run.
    Paused = 2,
    /// It came to nothing.
    Failed = 3,
}

impl Ended {
    const ALL: [Self; 4] = [Self::Done, Self::Partly, Self::Paused, Self::Failed];

    /// For people and programs: `done`, `in part`, `paused`, `failed`.
    pub fn name(self) -> &'static str {
        ["done", "in part", "paused", "failed"][self as usize]
    }
}

/// One line of the activity log; its key is its number. Made with `..Default::default()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityEntry {
    /// When it ended, by this machine's clock.
    pub at: Stamp,
    /// Which operation: `backup`, `forget`, `prune`, `erase`, ...
    pub verb: String,
    /// In which org; `None`: the vault.
    pub org: Option<OrgId>,
    /// Counts and sizes; no Ids of records, no values.
    pub detail: String,
    /// When it began; `NONE`: not said.
    pub began: Stamp,
    /// The person or program that asked; empty: not said.
    pub asked_by: String,
    /// The org's user that it was done as; empty: none.
    pub user: String,
    /// Through which connection; empty: none.
    pub connection: String,
    /// How it ended.
    pub ended: Ended,
    /// Whether it was the backup that the connection's settings ask for, and not one of a part.
    pub as_set: bool,
    /// How much of what.
    pub counts: Vec<(String, u64)>,
}

impl Default for ActivityEntry {
    fn default() -> Self {
        Self {
            at: Stamp::NONE,
            verb: String::new(),
            org: None,
            detail: String::new(),
            began: Stamp::NONE,
            asked_by: String::new(),
            user: String::new(),
            connection: String::new(),
            ended: Ended::Done,
            as_set: false,
            counts: Vec::new(),
        }
    }
}

/// Version 1 of a line ends behind the detail.
const ACTIVITY_VERSION: u8 = 2;
const COUNTS_MAX: usize = 64;

impl ActivityEntry {
    /// The bytes of the entry.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![ACTIVITY_VERSION];
        put_signed(&mut out, self.at.millis());
        put_bytes(&mut out, self.verb.as_bytes());
        out.push(u8::from(self.org.is_some()));
        self.org
            .iter()
            .for_each(|org| out.extend_from_slice(org.as_bytes()));
        put_bytes(&mut out, self.detail.as_bytes());
        put_signed(&mut out, self.began.millis());
        for text in [&self.asked_by, &self.user, &self.connection] {
            put_bytes(&mut out, text.as_bytes());
        }
        out.extend([self.ended as u8, u8::from(self.as_set)]);
        let counts = &self.counts[..self.counts.len().min(COUNTS_MAX)];
        put_varint(&mut out, counts.len() as u64);
        for (name, count) in counts {
            put_bytes(&mut out, name.as_bytes());
            put_varint(&mut out, *count);
        }
        out
    }

    /// Reads what [`ActivityEntry::encode`] wrote, and version 1.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes, "activity entry");
        let version = r.u8()?;
        if !(1..=ACTIVITY_VERSION).contains(&version) {
            return Err(r.bad("unknown version"));
        }
        let (at, verb) = (Stamp::from_millis(r.signed()?), r.text()?.to_owned());
        let org = if r.u8()? == 1 { Some(r.record_id()?) } else { None };
        let detail = r.text()?.to_owned();
        let mut entry = Self {
            at,
            verb,
            org,
            detail,
            ..Self::default()
        };
        if version > 1 {
            entry.began = Stamp::from_millis(r.signed()?);
            for text in [&mut entry.asked_by, &mut entry.user, &mut entry.connection] {
                r.text()?.clone_into(text);
            }
            let ended = usize::from(r.u8()?);
            entry.ended = *Ended::ALL.get(ended).ok_or_else(|| r.bad("unknown outcome"))?;
            entry.as_set = r.u8()? == 1;
            for _ in 0..r.count(COUNTS_MAX)? {
                entry.counts.push((r.text()?.to_owned(), r.varint()?));
            }
        }
        r.end()?;
        Ok(entry)
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
