//! From a reference to the chunk's plaintext, verified.
//!
//! Key decision: the location in a reference is tried first and costs one ranged read; metadata has a second one.
//! If neither serves, the index is asked: the chunk may have moved. What was read lately is kept, to a bound of bytes;
//! it never returns anything that was not verified.

use std::sync::Arc;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::ChunkId;
use crate::format::pack::{Location, open_chunk};
use crate::format::place::{ChunkRef, MetaRef};
use crate::format::seal::ChunkKind;
use crate::store::backend::pack_name;
use crate::vault::open::Vault;

impl Vault {
    /// The plaintext of a chunk of pages.
    pub(crate) fn chunk(&self, kind: ChunkKind, chunk: &ChunkRef) -> Result<Vec<u8>> {
        self.chunk_at(kind, &chunk.id, &chunk.at)
            .or_else(|first| self.elsewhere(kind, &chunk.id, &[chunk.at], first))
    }

    /// The plaintext of a chunk of metadata, from the first of its places that serves.
    pub(crate) fn meta(&self, kind: ChunkKind, chunk: &MetaRef) -> Result<Arc<[u8]>> {
        self.cache.get_or_load(chunk.id, || {
            self.chunk_at(kind, &chunk.id, &chunk.at[0]).or_else(|first| {
                tracing::warn!(chunk = %chunk.id, %first, "the first copy cannot be read, trying the second");
                let second = self.chunk_at(kind, &chunk.id, &chunk.at[1]);
                second.or_else(|_| self.elsewhere(kind, &chunk.id, &chunk.at, first))
            })
        })
    }

    /// One place of a chunk.
    pub(crate) fn chunk_at(&self, kind: ChunkKind, id: &ChunkId, at: &Location) -> Result<Vec<u8>> {
        let name = pack_name(&at.pack);
        let bytes = self
            .backend
            .get_range(&name, u64::from(at.offset), at.len as usize)
            .map_err(|e| {
                if e.kind() == Kind::NotFound {
                    Error::corrupt(format_args!("pack {}", at.pack), "it is not there")
                        .hint("run `halite check`")
                } else {
                    e
                }
            })?;
        open_chunk(&self.keys, id, kind, &at.pack, &bytes)
    }

    fn elsewhere(&self, kind: ChunkKind, id: &ChunkId, tried: &[Location], first: Error) -> Result<Vec<u8>> {
        // A pack that cannot be read fails the index too; the first error then says more.
        match self
            .locate(&[*id])
            .ok()
            .and_then(|found| found.first().copied().flatten())
        {
            Some(at) if !tried.contains(&at) => self.chunk_at(kind, id, &at),
            _ => Err(first),
        }
    }
}
