//! A Bloom filter on the Ids of a run part.
//!
//! Key decision: eight bits an Id and seven probes (about 2 % false positives), by double hashing of the keyed Id
//! hash (Kirsch and Mitzenmacher 2006), so that its bits tell nothing of Ids; a reader goes by the length, since there
//! were ten once. It never says no to an Id that is there.

use crate::base::error::Result;
use crate::format::codec::{Reader, put_bytes};
use crate::format::page::IdHash;

/// Bits an Id when one is made.
const BITS: usize = 8;
const PROBES: u64 = 7;

/// The bits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter(Vec<u8>);

impl Filter {
    /// A filter over these hashes.
    pub fn of(hashes: &[IdHash]) -> Self {
        let mut bits = vec![0; (hashes.len() * BITS).div_ceil(8).max(8)];
        let count = bits.len() as u64 * 8;
        for hash in hashes {
            for bit in probes(hash, count) {
                bits[(bit / 8) as usize] |= 1 << (bit % 8);
            }
        }
        Self(bits)
    }

    /// Whether the Id of this hash may be there.
    pub fn may_hold(&self, hash: &IdHash) -> bool {
        let count = self.0.len() as u64 * 8;
        count > 0 && probes(hash, count).all(|bit| self.0[(bit / 8) as usize] & (1 << (bit % 8)) != 0)
    }

    /// Appends length and bits.
    pub fn put(&self, out: &mut Vec<u8>) {
        put_bytes(out, &self.0);
    }

    /// Reads what [`Filter::put`] wrote.
    pub fn read(r: &mut Reader<'_>) -> Result<Self> {
        Ok(Self(r.bytes()?.to_vec()))
    }
}

fn probes(hash: &IdHash, count: u64) -> impl Iterator<Item = u64> {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *hash;
    let (one, two) = (
        u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        u64::from_le_bytes([i, j, k, l, m, n, o, p]) | 1,
    );
    (0..PROBES).map(move |probe| one.wrapping_add(two.wrapping_mul(probe)) % count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_found_and_little_else() {
        let hash = |n: u32| -> IdHash {
            blake3::hash(&n.to_le_bytes()).as_bytes()[..16]
                .try_into()
                .unwrap()
        };
        let filter = Filter::of(&(0..1000).map(hash).collect::<Vec<_>>());
        assert!((0..1000).all(|n| filter.may_hold(&hash(n))));
        let wrong = (1000..11_000).filter(|&n| filter.may_hold(&hash(n))).count();
        assert!(wrong < 350, "{wrong} of 10,000");
        assert!(!Filter::of(&[]).may_hold(&hash(1)));
    }
}
