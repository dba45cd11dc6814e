//! Which records of an org were erased: keyed hashes of their Ids, as one catalog has them.
//!
//! Key decision: an Id can be asked for and none can be listed, so that the list itself names nobody. Whatever writes
//! takes the list that it began with and is refused if it has grown (`Writer::stands`). It erases nothing itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::error::{Error, Result};
use crate::base::id::{OrgId, RecordId};
use crate::format::entry::prefix;
use crate::format::mark::ErasureEntry;
use crate::format::page::{IdHash, id_hash};
use crate::format::seal::Keys;
use crate::vault::catalog::Catalog;

/// The erased records of one org.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erased(BTreeSet<IdHash>);

impl Erased {
    /// Whether no record was erased.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether that record was erased.
    pub fn has(&self, keys: &Keys, id: RecordId) -> bool {
        !self.0.is_empty() && self.0.contains(&erasure_hash(keys, id))
    }
}

/// The hash by which an erased record is known.
pub fn erasure_hash(keys: &Keys, id: RecordId) -> IdHash {
    id_hash(keys.erasure_key(), id)
}

impl Catalog {
    /// The erased records of an org.
    ///
    /// # Errors
    /// `Corrupt` for an entry that cannot be read.
    pub fn erased(&self, org: OrgId) -> Result<Erased> {
        let node = self.node(org);
        let entries = node.into_iter().flat_map(|node| node.scan(&[prefix::ERASURE]));
        let hashes = entries.map(|(key, value)| {
            ErasureEntry::decode(value)?;
            <IdHash>::try_from(&key[1..]).map_err(|_| Error::corrupt("catalog", "a key of the wrong length"))
        });
        hashes.collect::<Result<_>>().map(Erased)
    }

    /// The same of every org that has some.
    pub(crate) fn all_erased(&self) -> Result<BTreeMap<OrgId, Erased>> {
        let mut all = BTreeMap::new();
        for org in self.nodes.keys().copied().flatten() {
            let erased = self.erased(org)?;
            if !erased.is_empty() {
                all.insert(org, erased);
            }
        }
        Ok(all)
    }
}
