//! A vault copied whole to another place, byte for byte, so that either can be opened with the same secret.
//!
//! Key decision: what is copied is what one root names. Each pack is opened chunk by chunk before it is stored, and the
//! root is put last, so that until then the target is what it was; what is there already is not sent again. A target that
//! anybody but a copy has written to is refused, so that no snapshot is lost by copying. It deletes nothing and seals
//! nothing anew: of some orgs alone a copy is made by [`copy_orgs`].

mod orgs;
mod overlay;

use std::collections::BTreeSet;

use rayon::prelude::*;
use serde::Serialize;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{PackId, hex};
use crate::format::root::Root;
use crate::format::scan::scan;
use crate::store::backend::{Backend, pack_name};
use crate::vault::catalog::Catalog;
use crate::vault::marker;
use crate::vault::open::Vault;

pub use orgs::copy_orgs;

/// How often it begins anew where packs were collected while it went on.
const TRIES: usize = 5;
/// Packs a core between two words on how far it is; each core has one under way.
const BETWEEN: usize = 2;
/// Below this stands, by its hash, each root that a copy has put.
const PUT: &str = "copies/";

/// What a copy did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CopyReport {
    /// The version of the root that both have now.
    pub version: u64,
    /// Live packs.
    pub packs: u64,
    /// Those that were sent.
    pub sent: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Key slots and rings at the target that the source has no more: whoever has their secret can open the copy.
    pub left: Vec<String>,
}

/// How far a copy is.
#[derive(Debug, Clone, Copy)]
pub struct CopyProgress {
    /// Packs sent.
    pub sent: u64,
    /// Packs to be sent.
    pub of: u64,
    /// Bytes sent.
    pub bytes: u64,
}

/// Brings `target` to what `vault` is now. Run again after any interruption, and as often as one likes: it sends what
/// is missing.
///
/// # Errors
/// `Busy` if the target was written to by anybody but a copy, or is newer; `Invalid` if it holds another vault;
/// `Corrupt` if a pack of the source does not read: nothing damaged is sent.
///
/// ```
/// use std::sync::Arc;
/// use halite_engine::ops::copy::copy;
/// use halite_engine::store::memory::Memory;
/// use halite_engine::vault::{Secret, Vault, VaultOptions};
/// let vault = Vault::create(Arc::new(Memory::new()), &Secret::None, VaultOptions::default()).unwrap();
/// let target = Arc::new(Memory::new());
/// let report = copy(&vault, &*target, &mut |_| ()).unwrap();
/// let copied = Vault::open(target, &Secret::None, VaultOptions::default()).unwrap();
/// assert_eq!(copied.catalog().version(), report.version);
/// ```
pub fn copy(vault: &Vault, target: &dyn Backend, told: &mut dyn FnMut(CopyProgress)) -> Result<CopyReport> {
    let before = target.root()?;
    let fresh = is_fresh(vault, target)?;
    let mut report = CopyReport::default();
    let mut tries = 0;
    let catalog = loop {
        let catalog = vault.refresh()?;
        follows(vault, &catalog, target, before.as_deref())?;
        tries += 1;
        match packs(vault, &catalog, target, &mut report, told) {
            Ok(()) => break catalog,
            // Collected meanwhile: then there is a newer root that does not name it.
            Err(_) if tries < TRIES && vault.refresh()?.version() != catalog.version() => {}
            Err(error) => return Err(error),
        }
    };
    keys(vault, target, &mut report)?;
    if before.as_deref() != Some(&catalog.root_bytes) {
        put(target, &of_copy(&catalog.root), b"")?;
        swap(target, before.as_deref(), &catalog.root_bytes)?;
    }
    if fresh {
        put(target, marker::NAME, marker::text(&vault.id).as_bytes())?;
    }
    report.version = catalog.version();
    Ok(report)
}

/// Whether the target is no vault yet.
fn is_fresh(vault: &Vault, target: &dyn Backend) -> Result<bool> {
    match marker::read(target) {
        Ok(id) if id == vault.id => Ok(false),
        Ok(_) => Err(another(target)),
        Err(e) if e.kind() == Kind::NotFound => Ok(true),
        Err(e) => Err(e),
    }
}

fn another(target: &dyn Backend) -> Error {
    Error::invalid(format!("{} holds another vault", target.describe()))
        .hint("copy to an empty place, or to an earlier copy of this vault")
}

/// Sees that what stands at the target is of this vault, was put by a copy, and is not newer than the source.
fn follows(vault: &Vault, catalog: &Catalog, target: &dyn Backend, root: Option<&[u8]>) -> Result<()> {
    let Some(bytes) = root.filter(|root| *root != catalog.root_bytes) else {
        return Ok(());
    };
    if Root::decode_unverified(bytes)?.vault != vault.id {
        return Err(another(target));
    }
    let root = Root::decode(&vault.keys, bytes)?;
    let busy = |why: &str| Err(Error::new(Kind::Busy, format!("{} {why}", target.describe())));
    if root.version >= catalog.version() {
        return busy("is not older than what would be copied over it")
            .map_err(|e| e.hint("copy the other way round, or to an empty place"));
    }
    match target.size(&of_copy(&root)) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == Kind::NotFound => busy("was written to by itself, which a copy would undo")
            .map_err(|e| e.hint("copy to an empty place; a copy is to be read, not to be backed up to")),
        Err(e) => Err(e),
    }
}

/// The object that says that this root was put by a copy.
fn of_copy(root: &Root) -> String {
    format!("{PUT}{}", hex(&root.hash()[..16]))
}

/// Sends the live packs that the target does not have.
fn packs(
    vault: &Vault,
    catalog: &Catalog,
    target: &dyn Backend,
    report: &mut CopyReport,
    told: &mut dyn FnMut(CopyProgress),
) -> Result<()> {
    // An object that is listed is there whole; one that is not is found to be there when it is put.
    let there: BTreeSet<String> = target.list("packs/")?.into_iter().collect();
    let live = catalog.packs();
    let missing: Vec<PackId> = live
        .iter()
        .copied()
        .filter(|pack| !there.contains(&pack_name(pack)))
        .collect();
    report.packs = live.len() as u64;
    let of = report.sent + missing.len() as u64;
    for some in missing.chunks(rayon::current_num_threads() * BETWEEN) {
        let sent = some.par_iter().map(|pack| send(vault, pack, target));
        for bytes in sent.collect::<Result<Vec<_>>>()? {
            report.sent += 1;
            report.bytes += bytes;
        }
        told(CopyProgress {
            sent: report.sent,
            of,
            bytes: report.bytes,
        });
    }
    Ok(())
}

/// Sends one pack, if every byte of it is what it was; its length.
fn send(vault: &Vault, pack: &PackId, target: &dyn Backend) -> Result<u64> {
    vault.go_on()?;
    let name = pack_name(pack);
    let bytes = vault.backend.get(&name)?;
    for chunk in scan(&vault.keys, pack, &bytes) {
        chunk.map_err(|e| e.hint("run `halite check`, then `halite repair`, and copy again"))?;
    }
    put(target, &name, &bytes)?;
    Ok(bytes.len() as u64)
}

/// Key slots and rings. Those that the source has no more stay.
fn keys(vault: &Vault, target: &dyn Backend, report: &mut CopyReport) -> Result<()> {
    for prefix in ["keys/", "rings/"] {
        let (ours, theirs) = (vault.backend.list(prefix)?, target.list(prefix)?);
        for name in ours.iter().filter(|name| !theirs.contains(name)) {
            put(target, name, &vault.backend.get(name)?)?;
        }
        report
            .left
            .extend(theirs.into_iter().filter(|name| !ours.contains(name)));
    }
    Ok(())
}

/// Stores an object whose name says what it is: one that is there is it.
fn put(target: &dyn Backend, name: &str, bytes: &[u8]) -> Result<()> {
    match target.put_new(name, bytes) {
        Err(e) if e.kind() == Kind::Busy && target.size(name)? == bytes.len() as u64 => Ok(()),
        stored => stored,
    }
}

/// Puts the root. Whoever else has put one meanwhile keeps it.
fn swap(target: &dyn Backend, before: Option<&[u8]>, root: &[u8]) -> Result<()> {
    let swapped = target.swap_root(before, root);
    if matches!(swapped, Ok(true)) || target.root()?.as_deref() == Some(root) {
        return Ok(());
    }
    swapped?;
    let message = format!("{} was written to while it was copied to", target.describe());
    Err(Error::new(Kind::Busy, message).hint("nothing there was replaced; run it again"))
}
