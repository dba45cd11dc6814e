//! A vault that does not open, because its marker or its root is damaged.
//!
//! Key decision: slots say which vault it is, and packs hold the heads of its catalogs, sealed under its keys: the newest
//! of which all nodes and packs are there gets a new root (`docs/upkeep.md`, "The entrance"). Nothing is written before
//! the vault is known to open that way, and whoever has no key can bring nothing in. It looks at no records.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{ChunkId, PackId};
use crate::format::catalog::Head;
use crate::format::pack::Location;
use crate::format::root::Root;
use crate::format::scan::scan;
use crate::format::seal::{ChunkKind, Keys};
use crate::store::backend::{Backend, pack_name, pack_of_name};
use crate::vault::catalog::Catalog;
use crate::vault::keys::{Holder, Secret, unlock_without_root, vault_of_slots};
use crate::vault::marker;
use crate::vault::open::{Vault, VaultOptions};

/// Opens a vault, mending its entrance if it must; says what was mended.
///
/// # Errors
/// As [`Vault::open`], if that cannot be helped: no slot opens, or no catalog is whole.
pub fn rescue(
    backend: &Arc<dyn Backend>,
    secret: &Secret,
    options: &VaultOptions,
) -> Result<(Vault, Vec<String>)> {
    let open = || Vault::open(Arc::clone(backend), secret, options.clone());
    let shut = match open() {
        Err(e) if matches!(e.kind(), Kind::Corrupt | Kind::NotFound | Kind::Unsupported) => e,
        opened => return opened.map(|vault| (vault, Vec::new())),
    };
    let Some(id) = vault_of_slots(&**backend)? else {
        return Err(shut);
    };
    let mut mended = Vec::new();
    let ring = match unlock_without_root(&**backend, &id, secret) {
        Err(e) if e.kind() != Kind::Auth => return Err(shut),
        ring => ring?,
    };
    let vault = Vault::assemble(Arc::clone(backend), id, Keys::of(&ring), options.clone());
    let _aside = vault.shelf.set_aside();
    let root = backend.root()?;
    let stands = root.as_ref().is_some_and(|root| vault.load(root.clone()).is_ok());
    if !stands {
        mended.push(new_root(&vault, root.as_deref())?);
    }
    if marker::read(&**backend).ok() != Some(id) {
        backend.delete(marker::NAME)?;
        backend.put_new(marker::NAME, marker::text(&id).as_bytes())?;
        mended.push("the marker".to_owned());
    }
    let written = Holder::open(Arc::clone(backend), secret)?.repair()?;
    mended.extend(written);
    open().map(|vault| (vault, mended))
}

/// Finds the newest catalog that is whole and has a root name it.
fn new_root(vault: &Vault, damaged: Option<&[u8]>) -> Result<String> {
    let names = vault.backend.list("packs/")?;
    let packs: BTreeSet<PackId> = names.iter().filter_map(|name| pack_of_name(name)).collect();
    let seen = damaged.and_then(|bytes| Root::decode(&vault.keys, bytes).ok());
    let seen = seen.map_or(0, |root| root.version);
    let heads = heads(vault, &packs)?;
    let newest = heads.iter().rev().find_map(|((version, id), places)| {
        whole(vault, &packs, (*version, *id), places, seen).map(|catalog| (*version, catalog))
    });
    let Some((version, catalog)) = newest else {
        return Err(Error::corrupt("vault", "its root and every catalog in its packs")
            .hint("bring the vault back from a copy"));
    };
    if !vault.backend.swap_root(damaged, &catalog.root_bytes)? {
        let message = "the root was replaced while it was being mended";
        return Err(Error::new(Kind::Busy, message).hint("run it again"));
    }
    let rivals = heads.keys().filter(|(other, _)| *other == version).count();
    let note = if rivals > 1 {
        ", one of several of that version"
    } else {
        ""
    };
    Ok(format!(
        "the root: it names the catalog of version {version}{note}"
    ))
}

type Heads = BTreeMap<(u64, ChunkId), Vec<Location>>;

/// Every head of a catalog that can be read, by version, with its places.
fn heads(vault: &Vault, packs: &BTreeSet<PackId>) -> Result<Heads> {
    let mut heads = Heads::new();
    for pack in packs {
        vault.go_on()?;
        let entries = vault.directory(pack).or_else(|_| {
            let bytes = vault.backend.get(&pack_name(pack))?;
            let readable = scan(&vault.keys, pack, &bytes).filter_map(Result::ok);
            Ok::<_, Error>(readable.map(|(entry, _)| entry).collect())
        })?;
        for entry in entries.iter().filter(|e| e.kind == ChunkKind::CatalogHead) {
            let bytes = vault.chunk_at(entry.kind, &entry.id, &entry.location);
            if let Ok(head) = bytes.and_then(|bytes| Head::decode(&bytes)) {
                let places = heads.entry((head.version, entry.id)).or_default();
                places.push(entry.location);
            }
        }
    }
    Ok(heads)
}

/// The catalog under that head with a root of its own, if all its nodes can be read and all its packs are there.
fn whole(
    vault: &Vault,
    packs: &BTreeSet<PackId>,
    (version, head): (u64, ChunkId),
    places: &[Location],
    seen: u64,
) -> Option<Catalog> {
    let (first, last) = (places.first()?, places.last()?);
    // Clients refuse a root older than one that they have seen.
    let version = if version >= seen { version } else { seen + 1 };
    let root = Root {
        vault: vault.id,
        version,
        epoch: version,
        catalog: head,
        locations: [*first, *last],
        predecessor: [0; 32],
    };
    let catalog = vault.load(root.encode(&vault.keys)).ok()?;
    catalog
        .packs()
        .iter()
        .all(|pack| packs.contains(pack))
        .then_some(catalog)
}
