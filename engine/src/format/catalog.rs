//! The catalog: where everything lives now, as one sorted map of small entries for each org and one for the vault.
//!
//! Key decision: every fact is an entry of its own under a key that sorts, so that the difference of two catalogs
//! is a difference of maps: a node is a full copy (*base*) and a later *overlay* over it, and a commit writes the
//! overlay of the node it touched. What the entries mean stands in [`crate::format::entry`], not here.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::error::Result;
use crate::base::id::{OrgId, RecordId};
use crate::format::codec::{Reader, put_bytes, put_varint};
use crate::format::place::MetaRef;

/// The entries of one node.
pub type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// One node in memory: a base, and what has changed since.
#[derive(Debug, Clone, Default)]
pub struct Node {
    base: Arc<Entries>,
    overlay: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Node {
    /// From its two halves as they stand on disk.
    pub fn new(base: Entries, overlay: BTreeMap<Vec<u8>, Option<Vec<u8>>>) -> Self {
        Self {
            base: Arc::new(base),
            overlay,
        }
    }

    /// The entry under `key`.
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        match self.overlay.get(key) {
            Some(changed) => changed.as_deref(),
            None => self.base.get(key).map(Vec::as_slice),
        }
    }

    /// Sets the entry under `key`.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.overlay.insert(key, Some(value));
    }

    /// Removes the entry under `key`.
    pub fn remove(&mut self, key: &[u8]) {
        self.overlay.insert(key.to_vec(), None);
    }

    /// All entries whose key begins with `prefix`, in order.
    pub fn scan<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let within = move |key: &[u8]| key.starts_with(prefix);
        let mut all: BTreeMap<&[u8], Option<&[u8]>> = BTreeMap::new();
        all.extend(
            self.base
                .range(prefix.to_vec()..)
                .take_while(move |(k, _)| within(k))
                .map(|(k, v)| (&k[..], Some(&v[..]))),
        );
        let changed = self
            .overlay
            .range(prefix.to_vec()..)
            .take_while(move |(k, _)| within(k));
        all.extend(changed.map(|(k, v)| (&k[..], v.as_deref())));
        all.into_iter().filter_map(|(k, v)| v.map(|v| (k, v)))
    }

    /// Whether the overlay has grown so large that a new base is cheaper.
    pub fn wants_base(&self) -> bool {
        let weight = |k: &[u8], v: usize| k.len() + v + 8;
        let overlay: usize = self
            .overlay
            .iter()
            .map(|(k, v)| weight(k, v.as_ref().map_or(0, Vec::len)))
            .sum();
        let base: usize = self.base.iter().map(|(k, v)| weight(k, v.len())).sum();
        overlay > 4096 && overlay * 2 > base
    }

    /// Makes the overlay part of the base.
    pub fn rebase(&mut self) {
        let mut base = Entries::clone(&self.base);
        for (key, value) in std::mem::take(&mut self.overlay) {
            match value {
                Some(value) => base.insert(key, value),
                None => base.remove(&key),
            };
        }
        self.base = Arc::new(base);
    }

    /// The bytes of the base.
    pub fn encode_base(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_varint(&mut out, self.base.len() as u64);
        for (key, value) in self.base.iter() {
            put_bytes(&mut out, key);
            put_bytes(&mut out, value);
        }
        out
    }

    /// The bytes of the overlay: a removed entry has 0 where others have 1 and the value.
    pub fn encode_overlay(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_varint(&mut out, self.overlay.len() as u64);
        for (key, value) in &self.overlay {
            put_bytes(&mut out, key);
            out.push(u8::from(value.is_some()));
            value.iter().for_each(|value| put_bytes(&mut out, value));
        }
        out
    }

    /// Reads both halves.
    pub fn decode(base: &[u8], overlay: &[u8]) -> Result<Self> {
        let mut r = start(base)?;
        let mut entries = Entries::new();
        for _ in 0..r.count(base.len())? {
            entries.insert(r.bytes()?.to_vec(), r.bytes()?.to_vec());
        }
        r.end()?;
        let mut r = start(overlay)?;
        let mut changes = BTreeMap::new();
        for _ in 0..r.count(overlay.len())? {
            let key = r.bytes()?.to_vec();
            let value = if r.u8()? == 1 {
                Some(r.bytes()?.to_vec())
            } else {
                None
            };
            changes.insert(key, value);
        }
        r.end()?;
        Ok(Self::new(entries, changes))
    }
}

fn start(bytes: &[u8]) -> Result<Reader<'_>> {
    let mut r = Reader::new(bytes, "catalog node");
    if r.u8()? == VERSION {
        Ok(r)
    } else {
        Err(r.bad("unknown version"))
    }
}

const VERSION: u8 = 1;
const NODES_MAX: usize = 1_000_000;

/// The vault's own node has no org.
pub const VAULT_NODE: Option<OrgId> = None;

/// The top of a catalog: where each node's halves are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// The number of the root that names it.
    pub version: u64,
    /// Base and overlay of each node; `None` is the vault's own.
    pub nodes: BTreeMap<Option<RecordId>, (MetaRef, MetaRef)>,
}

impl Head {
    /// The bytes of the chunk.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_varint(&mut out, self.version);
        put_varint(&mut out, self.nodes.len() as u64);
        for (org, (base, overlay)) in &self.nodes {
            out.push(u8::from(org.is_some()));
            org.iter().for_each(|org| out.extend_from_slice(org.as_bytes()));
            base.put(&mut out);
            overlay.put(&mut out);
        }
        out
    }

    /// Reads what [`Head::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes, "catalog head");
        if r.u8()? != VERSION {
            return Err(r.bad("unknown version"));
        }
        let version = r.varint()?;
        let mut nodes = BTreeMap::new();
        for _ in 0..r.count(NODES_MAX)? {
            let org = if r.u8()? == 1 { Some(r.record_id()?) } else { None };
            nodes.insert(org, (MetaRef::read(&mut r)?, MetaRef::read(&mut r)?));
        }
        r.end()?;
        Ok(Self { version, nodes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_node_is_a_map(ops in proptest::collection::vec((0..20_u8, proptest::option::of(any::<u8>()), any::<bool>()), 0..60)) {
            let (mut node, mut model) = (Node::default(), Entries::new());
            for (key, value, rebase) in ops {
                match value {
                    Some(v) => { node.put(vec![key], vec![v]); model.insert(vec![key], vec![v]); }
                    None => { node.remove(&[key]); model.remove(&vec![key]); }
                }
                if rebase { node.rebase(); }
                let again = Node::decode(&node.encode_base(), &node.encode_overlay()).unwrap();
                for n in [&node, &again] {
                    let all: Vec<_> = n.scan(&[]).map(|(k, v)| (k.to_vec(), v.to_vec())).collect();
                    prop_assert_eq!(all, model.clone().into_iter().collect::<Vec<_>>());
                    prop_assert_eq!(n.get(&[key]), model.get(&vec![key]).map(|v| &v[..]));
                }
            }
        }
    }
}
