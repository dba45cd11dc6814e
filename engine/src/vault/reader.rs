//! From a reference to the chunk's plaintext, verified.
//!
//! Key decision: the location in a reference is tried first and costs one ranged read; metadata has a second one.
//! A pack that is not live is passed over, and if no place serves the index is asked: the chunk may have moved, perhaps
//! under a root that is newer than the catalog at hand. What was read lately is kept, to a bound of bytes; it never
//! returns anything that was not verified.

use std::sync::Arc;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::ChunkId;
use crate::format::pack::{Location, open_chunk};
use crate::format::place::{ChunkRef, MetaRef};
use crate::format::seal::ChunkKind;
use crate::vault::open::Vault;

impl Vault {
    /// The plaintext of a chunk of pages.
    ///
    /// # Errors
    /// `Busy` if it was collected since the reference was read: no live pack has it, and no damage is known.
    pub(crate) fn chunk(&self, kind: ChunkKind, chunk: &ChunkRef) -> Result<Vec<u8>> {
        self.find(kind, &chunk.id, &[chunk.at])
    }

    /// The bytes of a piece of a file, wherever it lies.
    pub(crate) fn piece(&self, id: &ChunkId) -> Result<Vec<u8>> {
        let at = self.locate_data(&[*id])?.pop().flatten();
        self.find(ChunkKind::Blob, id, at.as_slice())
    }

    /// The plaintext of a chunk of metadata, from the first of its places that serves. `Busy` as [`Vault::chunk`].
    pub(crate) fn meta(&self, kind: ChunkKind, chunk: &MetaRef) -> Result<Arc<[u8]>> {
        self.cache
            .get_or_load(chunk.id, || self.find(kind, &chunk.id, &chunk.at))
    }

    /// A chunk of the catalog itself, whose places the root vouches for.
    pub(crate) fn of_root(&self, kind: ChunkKind, chunk: &MetaRef) -> Result<Arc<[u8]>> {
        self.cache.get_or_load(chunk.id, || {
            self.chunk_at(kind, &chunk.id, &chunk.at[0]).or_else(|first| {
                tracing::warn!(chunk = %chunk.id, %first, "the first copy cannot be read, trying the second");
                self.chunk_at(kind, &chunk.id, &chunk.at[1]).map_err(|_| first)
            })
        })
    }

    /// One place of a chunk.
    pub(crate) fn chunk_at(&self, kind: ChunkKind, id: &ChunkId, at: &Location) -> Result<Vec<u8>> {
        let open = |bytes: &[u8]| open_chunk(&self.keys, id, kind, &at.pack, bytes);
        self.shelf.read(&*self.backend, kind, at, &open).map_err(|e| {
            if e.kind() == Kind::NotFound {
                Error::corrupt(format_args!("pack {}", at.pack), "it is not there").hint("run `halite check`")
            } else {
                e
            }
        })
    }

    /// `None` for a chunk that could not be read and is known to be lost, as repair has entered it.
    pub(crate) fn unless_lost<T>(&self, id: &ChunkId, read: Result<T>) -> Result<Option<T>> {
        match read {
            Err(_) if self.catalog().is_lost(id) => Ok(None),
            read => read.map(Some),
        }
    }

    fn find(&self, kind: ChunkKind, id: &ChunkId, places: &[Location]) -> Result<Vec<u8>> {
        let (catalog, mut first) = (self.catalog(), None);
        for at in places.iter().filter(|at| catalog.has_pack(&at.pack)) {
            match self.chunk_at(kind, id, at) {
                Ok(bytes) => return Ok(bytes),
                Err(error) => {
                    tracing::warn!(chunk = %id, %error, "a copy cannot be read, looking for another");
                    first.get_or_insert(error);
                }
            }
        }
        if let Some(bytes) = self.by_index(kind, id, places) {
            return Ok(bytes);
        }
        // A condemned pack serves as long as it is there, and so does one that no root named before and the newest does.
        if let Some(bytes) = places.iter().find_map(|at| self.chunk_at(kind, id, at).ok()) {
            return Ok(bytes);
        }
        let catalog = self.catalog();
        let live = places.iter().any(|at| catalog.has_pack(&at.pack));
        let collected = || {
            let message = format!("{kind} {id} was collected while it was being read");
            Error::new(Kind::Busy, message).hint("run it again")
        };
        Err(first.filter(|_| live).unwrap_or_else(collected))
    }

    /// Where the index of the newest root says that it is. A pack that cannot be read fails the index too; the
    /// caller's own error then says more.
    fn by_index(&self, kind: ChunkKind, id: &ChunkId, tried: &[Location]) -> Option<Vec<u8>> {
        loop {
            let version = self.catalog().version();
            let found = self.locate(&[*id]).ok();
            if let Some(at) = found.and_then(|found| found.first().copied().flatten())
                && !tried.contains(&at)
                && let Ok(bytes) = self.chunk_at(kind, id, &at)
            {
                return Some(bytes);
            }
            if self.refresh().ok()?.version() == version {
                return None;
            }
        }
    }
}
