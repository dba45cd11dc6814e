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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    /// Over contents of live records.
    pub content: Digest,
    /// Over stamps of live records.
    pub stamps_digest: Digest,
}

const VERSION: u8 = 1;
const SOBJECTS_MAX: usize = 100_000;

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
        if r.u8()? != VERSION {
            return Err(r.bad("unknown version"));
        }
        let (org, name, number) = (r.record_id()?, SnapshotId(r.array()?), r.varint()?);
        let (from, until) = (Stamp::from_millis(r.signed()?), Stamp::from_millis(r.signed()?));
        let source = r.text()?.to_owned();
        let sobjects = (0..r.count(SOBJECTS_MAX)?)
            .map(|_| Captured::read(&mut r))
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
    fn put(&self, out: &mut Vec<u8>) {
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
    }

    fn read(r: &mut Reader<'_>) -> Result<Self> {
        let name = r.text()?.to_owned();
        let skipped = Some(r.text()?.to_owned()).filter(|s| !s.is_empty());
        Ok(Self {
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
        })
    }
}
