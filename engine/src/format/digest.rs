//! The digest of a state: a number that two equal states share, whatever order their records came in.
//!
//! Key decision: the sum modulo 2^256 of keyed hashes of (sObject, Id, content), so that a snapshot updates it by
//! difference and any full read proves it. It is no secret and no signature: the root's MAC is that.

use crate::base::id::{ContentHash, RecordId};
use crate::base::stamp::Stamp;
use crate::format::page::KeyRow;

/// A sum modulo 2^256, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The term of one live record's content.
    pub fn content(key: &[u8; 32], sobject: &str, id: RecordId, hash: &ContentHash) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(key);
        hasher
            .update(id.as_bytes())
            .update(&hash.0)
            .update(sobject.as_bytes());
        Self(*hasher.finalize().as_bytes())
    }

    /// The term of one live record's stamps.
    pub fn stamps(key: &[u8; 32], sobject: &str, id: RecordId, system: Stamp, modified: Stamp) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(key);
        hasher
            .update(id.as_bytes())
            .update(&system.millis().to_le_bytes())
            .update(&modified.millis().to_le_bytes());
        hasher.update(b"stamps").update(sobject.as_bytes());
        Self(*hasher.finalize().as_bytes())
    }

    /// Adds a term.
    pub fn add(&mut self, term: &Digest) {
        let mut carry = 0;
        for (a, b) in self.0.iter_mut().zip(term.0) {
            let sum = u16::from(*a) + u16::from(b) + carry;
            *a = sum as u8;
            carry = sum >> 8;
        }
    }

    /// Takes a term away.
    pub fn sub(&mut self, term: &Digest) {
        let mut borrow = 0;
        for (a, b) in self.0.iter_mut().zip(term.0) {
            let difference = i16::from(*a) - i16::from(b) - borrow;
            *a = difference as u8;
            borrow = i16::from(difference < 0);
        }
    }
}

/// What is counted and summed of the state of one sObject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Live records.
    pub live: u64,
    /// Digest of their content.
    pub content: Digest,
    /// Digest of their stamps.
    pub stamps: Digest,
}

impl Tally {
    /// Of one live record.
    pub fn of(key: &[u8; 32], sobject: &str, row: &KeyRow) -> Self {
        Self {
            live: 1,
            content: Digest::content(key, sobject, row.id, &row.hash),
            stamps: Digest::stamps(key, sobject, row.id, row.system, row.modified),
        }
    }

    /// Adds what is live elsewhere; modulo 2^64 as digests are modulo 2^256, so that taking away undoes it in any order.
    pub fn add(&mut self, other: &Tally) {
        self.live = self.live.wrapping_add(other.live);
        self.content.add(&other.content);
        self.stamps.add(&other.stamps);
    }

    /// Takes it away.
    pub fn sub(&mut self, other: &Tally) {
        self.live = self.live.wrapping_sub(other.live);
        self.content.sub(&other.content);
        self.stamps.sub(&other.stamps);
    }
}

#[cfg(test)]
mod tests {
    use super::Digest;

    proptest::proptest! {
        #[test]
        fn order_does_not_matter_and_taking_away_undoes(a: [u8; 32], b: [u8; 32]) {
            let (mut one, mut two) = (Digest(a), Digest(b));
            one.add(&Digest(b));
            two.add(&Digest(a));
            proptest::prop_assert_eq!(one, two);
            one.sub(&Digest(b));
            proptest::prop_assert_eq!(one.0, a);
        }
    }
}
