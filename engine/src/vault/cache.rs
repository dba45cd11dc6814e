//! Decoded chunks kept in memory up to a set number of bytes; the one used longest ago goes first.
//!
//! Key decision: one lock around a map and an order, held for a lookup and never while a chunk is loaded, so that
//! a slow read holds nobody up. Two threads may load the same chunk at once: that costs time and nothing else.
//! It holds nothing that is not verified, and does not know where chunks come from.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::error::Result;
use crate::base::id::ChunkId;

/// What a reader keeps unless told otherwise.
pub const CACHE_BYTES: usize = 64 << 20;
/// What an entry costs beside its bytes, about.
const ENTRY_BYTES: usize = 160;

/// A bounded cache of decoded chunks.
pub struct ChunkCache {
    max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<ChunkId, (Arc<[u8]>, u64)>,
    /// Chunks by when they were last used.
    order: BTreeMap<u64, ChunkId>,
    clock: u64,
    bytes: usize,
}

impl Default for ChunkCache {
    fn default() -> Self {
        Self::new(CACHE_BYTES)
    }
}

impl ChunkCache {
    /// A cache that holds at most `max` bytes.
    pub fn new(max: usize) -> Self {
        Self {
            max,
            state: Mutex::default(),
        }
    }

    /// How many bytes it holds at most.
    pub fn max(&self) -> usize {
        self.max
    }

    /// The chunk, from memory or by `load`. What `load` gives must be the chunk of that name.
    pub fn get_or_load(&self, id: ChunkId, load: impl FnOnce() -> Result<Vec<u8>>) -> Result<Arc<[u8]>> {
        if let Some(bytes) = self.get(&id) {
            return Ok(bytes);
        }
        let bytes: Arc<[u8]> = load()?.into();
        self.put(id, &bytes);
        Ok(bytes)
    }

    /// The chunk, if it is in memory.
    pub fn get(&self, id: &ChunkId) -> Option<Arc<[u8]>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State {
            entries,
            order,
            clock,
            ..
        } = &mut *state;
        let (bytes, used) = entries.get_mut(id)?;
        order.remove(used);
        *clock += 1;
        *used = *clock;
        order.insert(*used, *id);
        Some(Arc::clone(bytes))
    }

    /// Bytes held, with what the entries themselves cost.
    pub fn bytes(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    fn put(&self, id: ChunkId, bytes: &Arc<[u8]>) {
        let cost = bytes.len() + ENTRY_BYTES;
        // One chunk may not push out everything else.
        if cost > self.max / 2 {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.entries.contains_key(&id) {
            return;
        }
        while state.bytes + cost > self.max {
            let Some((_, oldest)) = state.order.pop_first() else {
                break;
            };
            if let Some((gone, _)) = state.entries.remove(&oldest) {
                state.bytes -= gone.len() + ENTRY_BYTES;
            }
        }
        state.clock += 1;
        state.bytes += cost;
        let now = state.clock;
        state.order.insert(now, id);
        state.entries.insert(id, (Arc::clone(bytes), now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::Error;

    fn id(n: u8) -> ChunkId {
        ChunkId([n; 32])
    }

    #[test]
    fn the_one_used_longest_ago_goes_first() {
        let cache = ChunkCache::new(3 * (1000 + ENTRY_BYTES));
        for n in 0..3 {
            cache.get_or_load(id(n), || Ok(vec![n; 1000])).unwrap();
        }
        assert_eq!(
            &*cache
                .get_or_load(id(0), || Err(Error::invalid("loaded again")))
                .unwrap(),
            [0; 1000]
        );
        cache.get_or_load(id(3), || Ok(vec![3; 1000])).unwrap();
        assert!(cache.get(&id(1)).is_none());
        assert!([0, 2, 3].iter().all(|&n| cache.get(&id(n)).is_some()));
    }

    #[test]
    fn the_bound_holds_for_any_sizes() {
        let cache = ChunkCache::new(50_000);
        for n in 0..=255 {
            let len = usize::from(n) * 997 % 40_000;
            assert_eq!(cache.get_or_load(id(n), || Ok(vec![n; len])).unwrap().len(), len);
            assert!(cache.bytes() <= 50_000);
        }
        let state = cache.state.lock().unwrap();
        let held: usize = state.entries.values().map(|(b, _)| b.len() + ENTRY_BYTES).sum();
        assert_eq!((held, state.entries.len()), (state.bytes, state.order.len()));
    }

    #[test]
    fn errors_are_not_kept_and_loading_holds_no_lock() {
        let cache = ChunkCache::default();
        assert!(cache.get_or_load(id(1), || Err(Error::invalid("no"))).is_err());
        let nested = cache.get_or_load(id(1), || Ok(cache.get_or_load(id(2), || Ok(vec![2]))?.to_vec()));
        assert_eq!(&*nested.unwrap(), [2]);
    }
}
