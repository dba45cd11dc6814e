//! What the live packs hold, read from the packs themselves: where each chunk is.
//!
//! Key decision: 24 bytes a chunk, sorted by the first 8 bytes of its name, which are as good as random; whoever opens
//! what it points to verifies the whole name. It is made for one look at a vault and thrown away: no index on disk
//! is asked, since that may be what is damaged.

use crate::base::id::{ChunkId, PackId};
use crate::format::pack::{DirEntry, Location};

/// Chunks and their places.
#[derive(Default)]
pub struct Contents {
    packs: Vec<PackId>,
    chunks: Vec<Chunk>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Chunk {
    name: u64,
    pack: u32,
    offset: u32,
    len: u32,
}

fn name(id: &ChunkId) -> u64 {
    id.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

impl Contents {
    /// Takes in what a pack holds. Call [`Contents::settle`] before asking.
    pub fn add(&mut self, pack: PackId, entries: impl IntoIterator<Item = DirEntry>) {
        let number = u32::try_from(self.packs.len()).unwrap_or(u32::MAX);
        self.packs.push(pack);
        self.chunks.extend(entries.into_iter().map(|entry| Chunk {
            name: name(&entry.id),
            pack: number,
            offset: entry.location.offset,
            len: entry.location.len,
        }));
    }

    /// Makes it ready to be asked.
    pub fn settle(&mut self) {
        self.chunks.sort_unstable();
    }

    /// How many chunks there are.
    pub fn count(&self) -> usize {
        self.chunks.len()
    }

    /// Every place of a chunk.
    pub fn places(&self, id: &ChunkId) -> impl Iterator<Item = Location> + '_ {
        let name = name(id);
        let from = self.chunks.partition_point(|chunk| chunk.name < name);
        let same = self.chunks[from..]
            .iter()
            .take_while(move |chunk| chunk.name == name);
        same.filter_map(|chunk| {
            Some(Location {
                pack: *self.packs.get(chunk.pack as usize)?,
                offset: chunk.offset,
                len: chunk.len,
            })
        })
    }

    /// Whether a chunk is just there.
    pub fn has(&self, id: &ChunkId, at: &Location) -> bool {
        self.places(id).any(|place| place == *at)
    }
}
