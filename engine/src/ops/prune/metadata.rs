//! Metadata in packs that leave is written anew, twice, and all that refers to it is replaced, in one commit.
//!
//! Key decision: manifests, schemas, describes and directories are found from the entries of the catalog that is being
//! replaced, so nothing can be forgotten that somebody added since. The catalog's own nodes are the commit's affair.
//! It does not touch data: references to that stay, and the index knows where it went.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::base::error::Result;
use crate::base::id::{ChunkId, OrgId};
use crate::format::entry::{RunEntry, SchemaEntry, SnapshotEntry, prefix};
use crate::format::place::MetaRef;
use crate::format::run::RunHead;
use crate::format::seal::ChunkKind;
use crate::vault::commit::Edit;
use crate::vault::open::Vault;

/// Replaces every reference to metadata in packs that `edit` condemns.
pub fn rewrite(vault: &Vault, edit: &mut Edit<'_>) -> Result<()> {
    let before = Arc::clone(&edit.before);
    let mut moves = Moves {
        vault,
        edit,
        moved: HashMap::new(),
        lost: before.losses()?.into_iter().map(|(id, _)| id).collect(),
    };
    for (org, node) in &before.nodes {
        let Some(org) = *org else { continue };
        for (key, value) in node.scan(&[]) {
            vault.go_on()?;
            let new = match key.first() {
                Some(&prefix::SNAPSHOT) => moves.snapshot(SnapshotEntry::decode(value)?)?,
                Some(&prefix::SCHEMA) => moves.schema(SchemaEntry::decode(value)?)?,
                Some(&prefix::RUN) => moves.run(RunEntry::decode(value)?)?,
                _ => None,
            };
            if let Some(new) = new {
                moves.replace(org, key, new);
            }
        }
    }
    Ok(())
}

struct Moves<'m, 'v> {
    vault: &'m Vault,
    edit: &'m mut Edit<'v>,
    /// What has been written anew: the same describe may be that of several schemas.
    moved: HashMap<ChunkId, MetaRef>,
    /// What nobody has any more, and is not looked for.
    lost: BTreeSet<ChunkId>,
}

impl Moves<'_, '_> {
    fn replace(&mut self, org: OrgId, key: &[u8], value: Vec<u8>) {
        self.edit.node(Some(org)).put(key.to_vec(), value);
    }

    /// Writes a chunk anew if it has to go; whether it did.
    fn chunk(&mut self, kind: ChunkKind, chunk: &mut MetaRef) -> Result<bool> {
        if !self.edit.leaves(chunk) || self.lost.contains(&chunk.id) {
            return Ok(false);
        }
        *chunk = match self.moved.get(&chunk.id) {
            Some(new) => *new,
            None => {
                let new = self.edit.put(kind, &self.vault.meta(kind, chunk)?)?;
                self.moved.insert(chunk.id, new);
                new
            }
        };
        Ok(true)
    }

    fn snapshot(&mut self, mut entry: SnapshotEntry) -> Result<Option<Vec<u8>>> {
        let moved = self.chunk(ChunkKind::Manifest, &mut entry.manifest)?;
        Ok(moved.then(|| entry.encode()))
    }

    fn schema(&mut self, mut entry: SchemaEntry) -> Result<Option<Vec<u8>>> {
        let mut moved = self.chunk(ChunkKind::Schema, &mut entry.schema)?;
        if let Some(describe) = &mut entry.describe {
            moved |= self.chunk(ChunkKind::Describe, describe)?;
        }
        Ok(moved.then(|| entry.encode()))
    }

    fn run(&mut self, mut entry: RunEntry) -> Result<Option<Vec<u8>>> {
        if self.lost.contains(&entry.head.id) {
            return Ok(None);
        }
        let mut head = RunHead::decode(&self.vault.meta(ChunkKind::RunHead, &entry.head)?)?;
        let mut moved = false;
        for part in &mut head.parts {
            moved |= self.chunk(ChunkKind::RunPart, &mut part.part)?;
        }
        if moved {
            entry.head = self.edit.put(ChunkKind::RunHead, &head.encode())?;
        } else {
            moved = self.chunk(ChunkKind::RunHead, &mut entry.head)?;
        }
        Ok(moved.then(|| entry.encode()))
    }
}
