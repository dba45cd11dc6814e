//! References to chunks: the name, which is the truth, and where it was last seen, which is a hint.
//!
//! Key decision: every reference carries its location, so that a reader needs no index; metadata carries two, in
//! different packs. A location that has gone stale is not an error: the catalog and the index know better.

use crate::base::error::Result;
use crate::base::id::{ChunkId, PackId};
use crate::format::codec::{Reader, put_varint};
use crate::format::pack::Location;

/// A chunk and where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChunkRef {
    /// Its name.
    pub id: ChunkId,
    /// One place.
    pub at: Location,
}

/// A chunk of metadata, stored twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MetaRef {
    /// Its name.
    pub id: ChunkId,
    /// Both places, in different packs.
    pub at: [Location; 2],
}

/// Appends pack, offset and length.
pub fn put_location(out: &mut Vec<u8>, at: &Location) {
    out.extend_from_slice(&at.pack.0);
    put_varint(out, u64::from(at.offset));
    put_varint(out, u64::from(at.len));
}

/// Reads what [`put_location`] wrote.
pub fn location(r: &mut Reader<'_>) -> Result<Location> {
    let pack = PackId(r.array()?);
    let (offset, len) = (number(r)?, number(r)?);
    Ok(Location { pack, offset, len })
}

/// A LEB128 number of at most 32 bits.
pub fn number(r: &mut Reader<'_>) -> Result<u32> {
    let value = r.varint()?;
    u32::try_from(value).map_err(|_| r.bad("number above 32 bits"))
}

impl MetaRef {
    /// Appends name and both places.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.0);
        self.at.iter().for_each(|at| put_location(out, at));
    }

    /// Reads what [`MetaRef::put`] wrote.
    pub fn read(r: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            id: ChunkId(r.array()?),
            at: [location(r)?, location(r)?],
        })
    }
}
