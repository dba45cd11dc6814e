//! The head of a run: its sObject, its span of snapshots, and the parts of its directory.
//!
//! Key decision: two levels, so that a run of a billion records opens with one small read and a point read then
//! takes one part. It says nothing of other runs: the catalog does.

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::format::codec::{Reader, put_bytes, put_varint};
use crate::format::place::MetaRef;

/// Opens a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunHead {
    /// The sObject's API name.
    pub sobject: String,
    /// Versions in the run.
    pub rows: u64,
    /// In ascending order of Ids.
    pub parts: Vec<PartEntry>,
}

/// One part of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartEntry {
    /// Its smallest Id.
    pub first: RecordId,
    /// Its largest Id.
    pub last: RecordId,
    /// The part.
    pub part: MetaRef,
}

const VERSION: u8 = 1;
/// More parts than fit a chunk are not written.
const PARTS_MAX: usize = 100_000;

impl RunHead {
    /// The bytes of the chunk.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_bytes(&mut out, self.sobject.as_bytes());
        put_varint(&mut out, self.rows);
        put_varint(&mut out, self.parts.len() as u64);
        for part in &self.parts {
            out.extend_from_slice(part.first.as_bytes());
            out.extend_from_slice(part.last.as_bytes());
            part.part.put(&mut out);
        }
        out
    }

    /// Reads what [`RunHead::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes, "run head");
        if r.u8()? != VERSION {
            return Err(r.bad("unknown version"));
        }
        let sobject = r.text()?.to_owned();
        let rows = r.varint()?;
        let count = r.count(PARTS_MAX)?;
        let mut parts: Vec<PartEntry> = Vec::with_capacity(count.min(1024));
        for _ in 0..count {
            let part = PartEntry {
                first: r.record_id()?,
                last: r.record_id()?,
                part: MetaRef::read(&mut r)?,
            };
            if part.last < part.first || parts.last().is_some_and(|before| before.last > part.first) {
                return Err(r.bad("parts out of order"));
            }
            parts.push(part);
        }
        r.end()?;
        Ok(Self { sobject, rows, parts })
    }
}
