//! A manifest: what one snapshot captured, in size proportional to what changed.
//!
//! Key decision: an immutable record of the capture, counts and reasons included; where things live now is the
//! catalog's to say, so compaction never touches a manifest; erasing a record alone does. sObjects without news do not stand in it.

use crate::base::error::Result;
use crate::base::id::{OrgId, SnapshotId};
use crate::base::stamp::Stamp;
use crate::format::codec::{Reader, put_bytes, put_signed, put_varint};
use crate::format::digest::Digest;
use crate::format::place::number;

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The org.
    pub org: OrgId,
    /// The snapshot's name.
    pub name: SnapshotId,
    /// Its number in the org.
    pub number: u64,
    /// U.
    pub from: Stamp,
    /// E.
    pub until: Stamp,
    /// What read it, for instance `rest 67.0` or `import`.
    pub source: String,
    /// Each sObject that was looked at.
    pub sobjects: Vec<Captured>,
}

/// What was captured of one sObject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// API name.
    pub name: String,
    /// Why it was not read, if so; then the rest is zero.
    pub skipped: Option<String>,
    /// The number of its schema.
    pub schema: u32,
    /// Rows that the org sent.
    pub read: u64,
    /// Records that were new.
    pub created: u64,
    /// Records whose content changed.
    pub edited: u64,
    /// Records whose stamps alone moved.
    pub stamps: u64,
    /// Records that went.
    pub deleted: u64,
    /// Values that the describe's type refused, kept raw.
    pub refused: u64,
    /// Live records afterwards.
    pub live: u64,
    /// What the org itself counted, if it was asked.
    pub counted: Option<u64>,
    /// Live rows of the org that are left out, since they were erased.
    pub left_out: u64,
    /// Live records that the org does not show any more, without saying that they are gone: kept as last seen.
    pub out_of_sight: u64,
    /// U of the last capture in which the org's count agreed.
    pub agreed: Stamp,
    /// Over contents of live records.
    pub content: Digest,
    /// Over stamps of live records.
    pub stamps_digest: Digest,
}

/// Version 1 has no `left_out`, `out_of_sight` and `agreed`.
const VERSION: u8 = 2;
const SOBJECTS_MAX: usize = 100_000;

/// How what is held stands to what the org counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It was not read.
    Skipped,
    /// The counts agree.
    Complete,
    /// The org counts so many more.
    Short(u64),
    /// The org counts so many fewer.
    Over(u64),
    /// The counts agree but for records that the org does not show any more.
    OutOfSight(u64),
    /// The org was not asked in this run.
    NotCounted,
}

impl std::fmt::Display for Standing {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Skipped => out.write_str("not read"),
            Self::Complete => out.write_str("complete"),
            Self::Short(n) => write!(out, "short {n}"),
            Self::Over(n) => write!(out, "over {n}"),
            Self::OutOfSight(n) => write!(out, "out of sight {n}"),
            Self::NotCounted => out.write_str("not counted"),
        }
    }
}

impl Default for Captured {
    fn default() -> Self {
        Self {
            name: String::new(),
            skipped: None,
            schema: 0,
            read: 0,
            created: 0,
            edited: 0,
            stamps: 0,
            deleted: 0,
            refused: 0,
            live: 0,
            counted: None,
            left_out: 0,
            out_of_sight: 0,
            agreed: Stamp::NONE,
            content: Digest::default(),
            stamps_digest: Digest::default(),
        }
    }
}

impl Manifest {
    /// The bytes of the chunk.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(self.org.as_bytes());
        out.extend_from_slice(&self.name.0);
        put_varint(&mut out, self.number);
        put_signed(&mut out, self.from.millis());
        put_signed(&mut out, self.until.millis());
        put_bytes(&mut out, self.source.as_bytes());
        put_varint(&mut out, self.sobjects.len() as u64);
        self.sobjects.iter().for_each(|s| s.put(&mut out));
        out
    }

    /// Reads what [`Manifest::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes, "manifest");
        let version = r.u8()?;
        if !(1..=VERSION).contains(&version) {
            return Err(r.bad("unknown version"));
        }
        let (org, name, number) = (r.record_id()?, SnapshotId(r.array()?), r.varint()?);
        let (from, until) = (Stamp::from_millis(r.signed()?), Stamp::from_millis(r.signed()?));
        let source = r.text()?.to_owned();
        let sobjects = (0..r.count(SOBJECTS_MAX)?)
            .map(|_| Captured::read(&mut r, version))
            .collect::<Result<_>>()?;
        r.end()?;
        Ok(Self {
            org,
            name,
            number,
            from,
            until,
            source,
            sobjects,
        })
    }
}

impl Captured {
    /// How many live rows the org should count.
    pub fn expected(&self) -> u64 {
        (self.live + self.left_out).saturating_sub(self.out_of_sight)
    }

    /// How it stands to what the org counts.
    pub fn standing(&self) -> Standing {
        let expected = self.expected();
        match self.counted {
            _ if self.skipped.is_some() => Standing::Skipped,
            Some(n) if n > expected => Standing::Short(n - expected),
            Some(n) if n < expected => Standing::Over(expected - n),
            _ if self.out_of_sight > 0 => Standing::OutOfSight(self.out_of_sight),
            Some(_) => Standing::Complete,
            None => Standing::NotCounted,
        }
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.name.as_bytes());
        put_bytes(out, self.skipped.as_deref().unwrap_or_default().as_bytes());
        put_varint(out, u64::from(self.schema));
        let counts = [
            self.read,
            self.created,
            self.edited,
            self.stamps,
            self.deleted,
            self.refused,
            self.live,
        ];
        counts.iter().for_each(|&n| put_varint(out, n));
        put_varint(out, self.counted.map_or(0, |n| n + 1));
        out.extend_from_slice(&self.content.0);
        out.extend_from_slice(&self.stamps_digest.0);
        put_varint(out, self.left_out);
        put_varint(out, self.out_of_sight);
        put_signed(out, self.agreed.millis());
    }

    pub(super) fn read(r: &mut Reader<'_>, version: u8) -> Result<Self> {
        let name = r.text()?.to_owned();
        let skipped = Some(r.text()?.to_owned()).filter(|s| !s.is_empty());
        let mut captured = Self {
            name,
            skipped,
            schema: number(r)?,
            read: r.varint()?,
            created: r.varint()?,
            edited: r.varint()?,
            stamps: r.varint()?,
            deleted: r.varint()?,
            refused: r.varint()?,
            live: r.varint()?,
            counted: r.varint()?.checked_sub(1),
            content: Digest(r.array()?),
            stamps_digest: Digest(r.array()?),
            ..Self::default()
        };
        if version > 1 {
            (captured.left_out, captured.out_of_sight) = (r.varint()?, r.varint()?);
            captured.agreed = Stamp::from_millis(r.signed()?);
        }
        Ok(captured)
    }
}
