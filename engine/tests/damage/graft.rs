//! A vault in which one chunk says something else, and everything is sealed as if it had been written so: what somebody
//! with the keys could make, or a mistake of our own.
//!
//! Key decision: references name chunks by 32 bytes that stand in the plaintext, so a changed chunk is put in by replacing
//! its name in all that refer to it, up to a new root; where it lies is left to the index. It judges nothing.

use std::collections::BTreeMap;

use halite_engine::base::id::{ChunkId, PackId};
use halite_engine::format::catalog::{Head, Node};
use halite_engine::format::entry::{PackEntry, named, prefix};
use halite_engine::format::pack::{PackBuilder, PackRole};
use halite_engine::format::root::Root;
use halite_engine::format::scan::scan;
use halite_engine::format::seal::{ChunkKind, Compressor, Keys};
use halite_engine::store::backend::{Backend, pack_name, pack_of_name};
use halite_engine::store::memory::Memory;

/// What a chunk refers to stands before it.
const ORDER: [ChunkKind; 9] = [
    ChunkKind::PageKeys,
    ChunkKind::PageValues,
    ChunkKind::PageDerived,
    ChunkKind::RunPart,
    ChunkKind::RunHead,
    ChunkKind::Schema,
    ChunkKind::Describe,
    ChunkKind::Manifest,
    ChunkKind::CatalogNode,
];

/// A good vault, taken apart.
pub(crate) struct Whole {
    store: Memory,
    keys: Keys,
    root: Root,
    head: Head,
    chunks: BTreeMap<ChunkId, (ChunkKind, Vec<u8>)>,
}

impl Whole {
    /// Takes a vault apart.
    pub(crate) fn of(store: &Memory, keys: Keys) -> Self {
        let root = Root::decode(&keys, &store.root().unwrap().unwrap()).unwrap();
        let mut chunks = BTreeMap::new();
        for name in store.list("packs/").unwrap() {
            let pack = pack_of_name(&name).unwrap();
            for chunk in scan(&keys, &pack, &store.get(&name).unwrap()) {
                let (entry, plain) = chunk.unwrap();
                chunks.insert(entry.id, (entry.kind, plain));
            }
        }
        let head = Head::decode(&chunks[&root.catalog].1).unwrap();
        let store = store.fork();
        Self {
            store,
            keys,
            root,
            head,
            chunks,
        }
    }

    /// The vault with one chunk changed as `input` says; `None` if it says nothing that changes anything.
    pub(crate) fn graft(&self, input: &[u8]) -> Option<Memory> {
        let (&[kind, which], changes) = input.split_first_chunk()?;
        let kind = ORDER[usize::from(kind) % ORDER.len()];
        let of_kind: Vec<&ChunkId> = self
            .chunks
            .iter()
            .filter(|(_, chunk)| chunk.0 == kind)
            .map(|(id, _)| id)
            .collect();
        let id = **of_kind.get(usize::from(which) % of_kind.len().max(1))?;
        let mut plain = self.chunks[&id].1.clone();
        change(&mut plain, changes);
        if plain == self.chunks[&id].1 {
            return None;
        }
        let mut made: BTreeMap<ChunkId, (ChunkKind, Vec<u8>)> = BTreeMap::new();
        let mut names = BTreeMap::from([(id, self.keys.chunk_id(kind, &plain))]);
        made.insert(names[&id], (kind, plain));
        for kind in ORDER {
            for (id, (_, plain)) in self.chunks.iter().filter(|(_, chunk)| chunk.0 == kind) {
                let new = renamed(plain, &names);
                if new != *plain && !names.contains_key(id) {
                    let name = self.keys.chunk_id(kind, &new);
                    names.insert(*id, name);
                    made.insert(name, (kind, new));
                }
            }
        }
        Some(self.publish(&names, made))
    }

    /// Puts what was made into two packs that the catalog lists, under a new root.
    fn publish(
        &self,
        names: &BTreeMap<ChunkId, ChunkId>,
        mut made: BTreeMap<ChunkId, (ChunkKind, Vec<u8>)>,
    ) -> Memory {
        let store = self.store.fork();
        let packs = [PackId([0xA1; 32]), PackId([0xB2; 32])];
        let mut head = Head {
            version: self.root.version + 1,
            ..Head::decode(&renamed(&self.head.encode(), names)).unwrap()
        };
        if let Some((base, overlay)) = head.nodes.get_mut(&None) {
            let plain = |id: &ChunkId| &made.get(id).or_else(|| self.chunks.get(id)).unwrap().1;
            // A node that nobody can read is left as it is.
            if let Ok(mut node) = Node::decode(plain(&base.id), plain(&overlay.id)) {
                for pack in packs {
                    let entry = PackEntry {
                        role: PackRole::Metadata,
                        since: head.version,
                    };
                    node.put(named(prefix::PACK, &pack.0), entry.encode());
                }
                let bytes = node.encode_overlay();
                overlay.id = self.keys.chunk_id(ChunkKind::CatalogNode, &bytes);
                made.insert(overlay.id, (ChunkKind::CatalogNode, bytes));
            }
        }
        let mut builders = packs.map(|pack| PackBuilder::new(&self.keys, pack, PackRole::Metadata));
        let mut compressor = Compressor::new(1);
        let mut places = BTreeMap::new();
        for (id, (kind, plain)) in &made {
            let chunk = compressor.prepare(&self.keys, *kind, plain).unwrap();
            places.insert(*id, [0, 1].map(|i: usize| builders[i].append(&chunk).unwrap()));
        }
        for (base, overlay) in head.nodes.values_mut() {
            for node in [base, overlay] {
                node.at = places.get(&node.id).copied().unwrap_or(node.at);
            }
        }
        let chunk = compressor
            .prepare(&self.keys, ChunkKind::CatalogHead, &head.encode())
            .unwrap();
        let locations = [0, 1].map(|i: usize| builders[i].append(&chunk).unwrap());
        for (pack, builder) in packs.iter().zip(builders) {
            store
                .put_new(&pack_name(pack), &builder.finish().unwrap())
                .unwrap();
        }
        let root = Root {
            version: head.version,
            catalog: chunk.id,
            locations,
            predecessor: self.root.hash(),
            ..self.root.clone()
        };
        let old = store.root().unwrap();
        store.swap_root(old.as_deref(), &root.encode(&self.keys)).unwrap();
        store
    }
}

/// Bytes changed, put in, taken out or cut off, three of the input at a time.
fn change(plain: &mut Vec<u8>, changes: &[u8]) {
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1] & 0x1f])) % plain.len().max(1);
        match change[1] >> 5 {
            0 => plain.truncate(at),
            1 => plain.insert(at.min(plain.len()), change[2]),
            2 if at < plain.len() => drop(plain.remove(at)),
            _ => {
                if let Some(byte) = plain.get_mut(at) {
                    *byte ^= change[2];
                }
            }
        }
    }
}

/// The same bytes with names replaced.
fn renamed(plain: &[u8], names: &BTreeMap<ChunkId, ChunkId>) -> Vec<u8> {
    let mut out = plain.to_vec();
    let mut at = 0;
    while let Some(window) = out.get(at..at + 32) {
        let name: [u8; 32] = window.try_into().unwrap();
        match names.get(&ChunkId(name)) {
            Some(new) => {
                out[at..at + 32].copy_from_slice(&new.0);
                at += 32;
            }
            None => at += 1,
        }
    }
    out
}
