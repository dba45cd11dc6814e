//! The walk over what is alive: every chunk of a sound vault has an owner, and none is told that is not there.
//!
//! Key decision: what was told is compared with the directories of the packs that the store holds.
//! It does not test what others do with a walk.

use std::collections::BTreeSet;
use std::sync::Arc;

use halite_engine::base::id::{ChunkId, OrgId, PackId};
use halite_engine::format::seal::ChunkKind;
use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::ops::walk::{Seen, Visit, walk};
use halite_engine::store::backend::Backend;
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_engine::{Error, Result};

use crate::model::{Model, id};

#[derive(Default)]
struct Told {
    chunks: Vec<(ChunkKind, ChunkId, Vec<PackId>, String)>,
    lost: Vec<String>,
    goes_on: bool,
}

impl Visit for Told {
    fn chunk(&mut self, seen: &Seen<'_>) -> Result<()> {
        let packs = seen.at.iter().map(|at| at.pack).collect();
        self.chunks
            .push((seen.kind, seen.id, packs, seen.owner.to_string()));
        Ok(())
    }

    fn draft(&mut self, _: OrgId, _: &PackId) -> Result<()> {
        Ok(())
    }

    fn unreadable(&mut self, seen: &Seen<'_>, error: Error) -> Result<()> {
        self.lost.push(format!("{} of {}", seen.kind, seen.owner));
        if self.goes_on { Ok(()) } else { Err(error) }
    }
}

fn vault() -> (Arc<Memory>, Vault) {
    let store = Arc::new(Memory::new());
    let vault = Vault::create(store.clone(), &Secret::None, VaultOptions::default()).unwrap();
    let mut model = Model {
        now: 1_700_000_000_000,
        ..Model::default()
    };
    (0..700).for_each(|n| model.put(n, &format!("name {n}"), Some(1)));
    backup(&vault, &mut model, &BackupOptions::default(), &mut |_| ()).unwrap();
    model.put(3, "other", None);
    backup(&vault, &mut model, &BackupOptions::default(), &mut |_| ()).unwrap();
    (store, vault)
}

#[test]
fn every_live_chunk_is_told_with_its_owner() {
    let (_, vault) = vault();
    let mut told = Told::default();
    walk(&vault, &vault.catalog(), &mut told).unwrap();
    let of = |kind| told.chunks.iter().filter(move |c| c.0 == kind);
    assert_eq!(of(ChunkKind::CatalogHead).count(), 1);
    assert_eq!(
        of(ChunkKind::CatalogNode).count(),
        4,
        "the vault's and the org's, two halves each"
    );
    let org = vault.orgs()[0];
    let manifests: Vec<&str> = of(ChunkKind::Manifest).map(|c| c.3.as_str()).collect();
    assert_eq!(
        manifests,
        [format!("org {org}, snapshot 1"), format!("org {org}, snapshot 2")]
    );
    assert_eq!(
        (of(ChunkKind::RunHead).count(), of(ChunkKind::RunPart).count()),
        (2, 2)
    );
    let pages = of(ChunkKind::PageKeys).count();
    assert!(pages > 3, "{pages}");
    assert_eq!(
        pages,
        of(ChunkKind::PageValues).count(),
        "every page has live records"
    );
    let last = of(ChunkKind::PageKeys).next_back().unwrap();
    assert_eq!(
        last.3,
        format!("org {org}, Thing__c, Ids {0} to {0}, snapshot 2", id(3))
    );
    let live: BTreeSet<PackId> = vault.catalog().packs().into_iter().collect();
    for (kind, chunk, packs, owner) in &told.chunks {
        let copies = if owner.contains("Ids") && *kind != ChunkKind::RunPart {
            1
        } else {
            2
        };
        assert_eq!(packs.len(), copies, "{kind} {chunk} of {owner}");
        assert!(
            packs.iter().all(|pack| live.contains(pack)),
            "{kind} {chunk} of {owner}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_told_and_ends_the_walk_or_not() {
    let (store, vault) = vault();
    // Metadata of the first capture: without both packs its run cannot be walked.
    let mut sound = Told::default();
    walk(&vault, &vault.catalog(), &mut sound).unwrap();
    let head = sound
        .chunks
        .iter()
        .find(|c| c.0 == ChunkKind::RunHead)
        .unwrap()
        .clone();
    // Opened before they go, since the org's node stands in the same packs; it has not read the run yet.
    let vault = Vault::open(store.clone(), &Secret::None, VaultOptions::default()).unwrap();
    for pack in &head.2 {
        store
            .delete(&halite_engine::store::backend::pack_name(pack))
            .unwrap();
    }
    let mut told = Told::default();
    assert!(walk(&vault, &vault.catalog(), &mut told).is_err());
    let mut told = Told {
        goes_on: true,
        ..Told::default()
    };
    walk(&vault, &vault.catalog(), &mut told).unwrap();
    assert_eq!(told.lost, [format!("run head of {}", head.3)]);
    assert!(told.chunks.len() < sound.chunks.len());
}
