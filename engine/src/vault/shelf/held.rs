//! Stretches of packs in memory, up to a set number of bytes; the one used longest ago goes first.
//!
//! Key decision: found by the greatest beginning that is not behind what is wanted, and a few before it, so that
//! stretches may overlap. A miss costs a request; a wrong hit is found out by who opens what it gives. It does not know
//! what a chunk is.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::id::PackId;
use crate::vault::shelf::Stretch;

/// What an entry costs beside its bytes, about.
const ENTRY_BYTES: usize = 160;
/// Stretches that are looked at.
const LOOKS: usize = 4;

/// Bytes, and when they were used last.
type Used = (Arc<[u8]>, u64);

pub(super) struct Held {
    max: usize,
    bytes: usize,
    clock: u64,
    /// By where they begin; with when they were used last.
    stretches: BTreeMap<(PackId, u64), Used>,
    order: BTreeMap<u64, (PackId, u64)>,
}

impl Held {
    pub fn new(max: usize) -> Self {
        Self {
            max,
            bytes: 0,
            clock: 0,
            stretches: BTreeMap::new(),
            order: BTreeMap::new(),
        }
    }

    pub fn max(&self) -> usize {
        self.max
    }

    pub fn get(&mut self, wanted: &Stretch) -> Option<Vec<u8>> {
        let before = self
            .stretches
            .range(..=(wanted.pack, wanted.start))
            .rev()
            .take(LOOKS);
        let (key, found) = before.into_iter().find_map(|(key, (bytes, _))| {
            let (pack, start, len) = (key.0, key.1, bytes.len() as u64);
            let stretch = Stretch { pack, start, len };
            let found = stretch.covers(wanted).then(|| stretch.part(bytes, wanted))??;
            Some((*key, found.to_vec()))
        })?;
        self.clock += 1;
        if let Some((_, used)) = self.stretches.get_mut(&key) {
            self.order.remove(used);
            *used = self.clock;
            self.order.insert(self.clock, key);
        }
        Some(found)
    }

    /// The stretch of a pack that ends last.
    pub fn tail(&self, pack: &PackId) -> Option<(u64, Vec<u8>)> {
        let all = self.stretches.range((*pack, 0)..=(*pack, u64::MAX));
        let last = all.max_by_key(|((_, start), (bytes, _))| start + bytes.len() as u64);
        last.map(|((_, start), (bytes, _))| (*start, bytes.to_vec()))
    }

    pub fn put(&mut self, pack: PackId, start: u64, bytes: Vec<u8>) {
        let cost = bytes.len() + ENTRY_BYTES;
        // One may not push out everything else.
        if cost > self.max / 2 {
            return;
        }
        self.take(&(pack, start));
        while self.bytes + cost > self.max {
            let Some((_, oldest)) = self.order.first_key_value() else {
                break;
            };
            let oldest = *oldest;
            self.take(&oldest);
        }
        self.clock += 1;
        self.bytes += cost;
        self.order.insert(self.clock, (pack, start));
        self.stretches.insert((pack, start), (bytes.into(), self.clock));
    }

    pub fn forget(&mut self, pack: &PackId) {
        let all = self.stretches.range((*pack, 0)..=(*pack, u64::MAX));
        let all: Vec<_> = all.map(|(key, _)| *key).collect();
        all.iter().for_each(|key| self.take(key));
    }

    fn take(&mut self, key: &(PackId, u64)) {
        if let Some((bytes, used)) = self.stretches.remove(key) {
            self.order.remove(&used);
            self.bytes -= bytes.len() + ENTRY_BYTES;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACK: PackId = PackId([7; 32]);

    fn stretch(start: u64, len: u64) -> Stretch {
        Stretch {
            pack: PACK,
            start,
            len,
        }
    }

    #[test]
    fn what_is_inside_is_found_and_the_bound_holds() {
        let mut held = Held::new(4 * (1000 + ENTRY_BYTES));
        let bytes: Vec<u8> = (0..1000_u32).map(|n| (n % 251) as u8).collect();
        held.put(PACK, 5000, bytes.clone());
        held.put(PACK, 5500, bytes[500..600].to_vec());
        // The nearest beginning does not reach so far: the one before it does.
        assert_eq!(held.get(&stretch(5550, 100)).unwrap(), bytes[550..650]);
        assert!(held.get(&stretch(5950, 100)).is_none() && held.get(&stretch(4999, 2)).is_none());
        let other = PackId([8; 32]);
        assert!(
            held.get(&Stretch {
                pack: other,
                ..stretch(5500, 10)
            })
            .is_none()
        );
        assert_eq!(held.tail(&PACK).unwrap().0, 5000);
        for n in 0..20 {
            held.put(other, n * 1000, bytes.clone());
            assert!(held.get(&stretch(5000, 1)).is_some(), "it is used all the time");
            let real: usize = held.stretches.values().map(|(b, _)| b.len() + ENTRY_BYTES).sum();
            assert!(held.bytes == real && real <= held.max && held.order.len() == held.stretches.len());
        }
        held.forget(&PACK);
        assert!(
            held.get(&stretch(5000, 1)).is_none()
                && held
                    .get(&Stretch {
                        pack: other,
                        ..stretch(19_000, 5)
                    })
                    .is_some()
        );
    }
}
