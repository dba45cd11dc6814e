//! Where a page ends: FastCDC's normalised cut with the record as its byte.
//!
//! Key decision: the cut falls behind an Id whose keyed hash meets a mask, stricter before the normal count and
//! looser after it (Xia et al. 2016, section 3.4), so an edit never moves a boundary and equal data gives equal
//! pages. The hash is keyed, so boundaries tell nothing of Ids. It does not look at values or versions, but for
//! their maxima.

use crate::base::id::RecordId;
use crate::base::limits::{
    PAGE_BYTES_MAX, PAGE_ROWS_MAX, PAGE_ROWS_MIN, PAGE_ROWS_NORMAL, PAGE_VERSIONS_NORMAL,
};

/// The keyed hash of an Id: eight bytes for the cut, all sixteen for the filter.
pub type IdHash = [u8; 16];

/// The hash of `id` under the vault's cut key.
pub fn id_hash(key: &[u8; 32], id: RecordId) -> IdHash {
    let hash = blake3::keyed_hash(key, id.as_bytes());
    let mut out = [0; 16];
    out.copy_from_slice(&hash.as_bytes()[..16]);
    out
}

/// Before the normal count one Id in 512 cuts, after it one in 32.
const STRICT: u64 = 511;
const LOOSE: u64 = 31;

/// Decides, Id by Id, whether a page ends behind it.
///
/// ```
/// use halite_engine::format::page::Cutter;
/// let mut cutter = Cutter::default();
/// let ends = (0..1000_u32).filter(|n| cutter.ends_after(&[(*n % 251) as u8; 16], 1, 100)).count();
/// assert!(ends >= 1000 / 512);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Cutter {
    ids: usize,
    versions: usize,
    bytes: usize,
}

impl Cutter {
    /// Takes the next Id with so many versions and bytes of values; true if the page ends behind it.
    pub fn ends_after(&mut self, hash: &IdHash, versions: usize, bytes: usize) -> bool {
        self.ids += 1;
        self.versions += versions;
        self.bytes += bytes;
        let [a, b, c, d, e, f, g, h, ..] = *hash;
        let bits = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let mask = if self.ids < PAGE_ROWS_NORMAL {
            STRICT
        } else {
            LOOSE
        };
        let cut = (self.ids >= PAGE_ROWS_MIN && bits & mask == 0)
            || self.ids >= PAGE_ROWS_MAX
            || self.versions >= PAGE_VERSIONS_NORMAL
            || self.bytes >= PAGE_BYTES_MAX;
        if cut {
            *self = Self::default();
        }
        cut
    }
}
