//! Prune: gives back the space of what nothing refers to any more.
//!
//! Key decision: a plan is made from one catalog and carried out by commits that look again at what came in between;
//! no pack is deleted but by a later run than the one that condemned it (`docs/upkeep.md`). It takes no lock, drops no
//! snapshot, and merges no runs.

mod choose;
mod execute;
mod metadata;
mod survey;

use std::sync::Arc;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::PackId;
use crate::format::entry::{DraftEntry, prefix};
use crate::store::backend::{pack_name, pack_of_name};
use crate::vault::catalog::Catalog;
use crate::vault::open::Vault;

pub use execute::execute;
pub(super) use metadata::rewrite;
pub use survey::{PackUse, Survey, survey};

/// How to prune.
#[derive(Debug, Clone, Copy)]
pub struct PruneOptions {
    /// The share of dead bytes, of all, that may be left.
    pub max_unused: f64,
    /// Milliseconds that a pack is left after it was noted as a stray, and again after it was condemned. A backup
    /// that takes longer from its first pack to its publication may have to begin anew.
    pub grace: i64,
}

impl Default for PruneOptions {
    fn default() -> Self {
        Self {
            max_unused: 0.05,
            grace: 24 * 3_600_000,
        }
    }
}

/// What a prune would do.
pub struct Plan {
    /// What the packs hold.
    survey: Survey,
    /// Live packs of which something is alive, to be written anew.
    pub repack: Vec<PackUse>,
    /// Live packs of which nothing is alive.
    pub dead: Vec<PackUse>,
    /// Packs condemned by an earlier run, to be deleted, and their bytes.
    pub delete: Vec<(PackId, u64)>,
    /// Strays noted by an earlier run, to be condemned.
    pub condemn: Vec<PackId>,
    /// Packs that no root names, to be noted.
    pub strays: Vec<PackId>,
    /// Bytes of all packs in the store.
    pub bytes: u64,
    /// Whether strays are condemned that were not noted before: their writers lose their commits.
    at_once: bool,
}

/// What a prune did, or would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct PruneReport {
    /// Bytes of all packs in the store before.
    pub bytes_before: u64,
    /// And after. Packs condemned now are among them: a later run deletes them.
    pub bytes_after: u64,
    /// Live packs that stay.
    pub packs_kept: u64,
    /// Packs whose live chunks were written anew.
    pub packs_repacked: u64,
    /// Packs condemned: repacked, dead, or strays that nobody came for.
    pub packs_condemned: u64,
    /// Their bytes, which a later run gives back.
    pub bytes_condemned: u64,
    /// Packs deleted, condemned by an earlier run.
    pub packs_deleted: u64,
    /// Strays seen for the first time.
    pub strays: u64,
}

impl Plan {
    /// These packs leave, whatever there is to be gained, and these strays are condemned though nobody has noted them.
    pub(super) fn at_once(survey: Survey, packs: Vec<PackUse>, strays: Vec<PackId>) -> Self {
        let (repack, dead) = packs.into_iter().partition(|pack| pack.alive > 0);
        Self {
            bytes: survey.packs.iter().map(|pack| pack.bytes).sum(),
            survey,
            repack,
            dead,
            delete: Vec::new(),
            condemn: strays,
            strays: Vec::new(),
            at_once: true,
        }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.repack.is_empty()
            && self.dead.is_empty()
            && self.delete.is_empty()
            && self.condemn.is_empty()
            && self.strays.is_empty()
    }

    /// What it would come to, the packs that will be written left out.
    pub fn report(&self) -> PruneReport {
        let going = || self.repack.iter().chain(&self.dead);
        let count = |n: usize| n as u64;
        PruneReport {
            bytes_before: self.bytes,
            bytes_after: self.bytes - self.delete.iter().map(|(_, bytes)| bytes).sum::<u64>(),
            packs_kept: count(self.survey.packs.len() - going().count()),
            packs_repacked: count(self.repack.len()),
            packs_condemned: count(going().count() + self.condemn.len()),
            bytes_condemned: going().map(|pack| pack.bytes).sum(),
            packs_deleted: count(self.delete.len()),
            strays: count(self.strays.len()),
        }
    }
}

/// Looks at everything and says what a prune would do; changes nothing.
///
/// # Errors
/// `Corrupt` if something that is referred to is in no live pack: repair comes before pruning. `Busy`: others pruned
/// meanwhile.
pub fn plan(vault: &Vault, options: &PruneOptions) -> Result<Plan> {
    let catalog = vault.refresh()?;
    let listed = listed(vault)?;
    let survey = survey(vault, Arc::clone(&catalog)).map_err(|e| overtaken(vault, &catalog, e))?;
    let (repack, dead) = choose::leaving(&survey, options.max_unused);
    let due = vault.clock.now().minus_millis(options.grace.max(0));
    let (mut delete, mut condemn) = (Vec::new(), Vec::new());
    for (pack, entry) in catalog.condemned()?.into_iter().filter(|(_, e)| e.at <= due) {
        if entry.condemned {
            delete.push((pack, size(vault, &pack)?));
        } else {
            condemn.push(pack);
        }
    }
    let named = named(&catalog)?;
    let strays: Vec<PackId> = listed
        .iter()
        .map(|(pack, _)| *pack)
        .filter(|pack| !named.contains(pack))
        .collect();
    Ok(Plan {
        survey,
        repack,
        dead,
        delete,
        condemn,
        strays,
        bytes: listed.iter().map(|(_, bytes)| bytes).sum(),
        at_once: false,
    })
}

/// Plans and carries out.
///
/// ```
/// use std::sync::Arc;
/// use halite_engine::ops::prune::{PruneOptions, prune};
/// use halite_engine::store::memory::Memory;
/// use halite_engine::vault::{Secret, Vault, VaultOptions};
/// let vault = Vault::create(Arc::new(Memory::new()), &Secret::None, VaultOptions::default()).unwrap();
/// assert_eq!(prune(&vault, &PruneOptions::default()).unwrap().packs_deleted, 0);
/// ```
pub fn prune(vault: &Vault, options: &PruneOptions) -> Result<PruneReport> {
    execute(vault, &plan(vault, options)?)
}

/// What cannot be found under a catalog that others have replaced since may have been collected, and is no damage.
fn overtaken(vault: &Vault, under: &Catalog, error: Error) -> Error {
    let replaced = || vault.refresh().is_ok_and(|now| now.version() != under.version());
    if matches!(error.kind(), Kind::NotFound | Kind::Corrupt) && replaced() {
        return Error::new(Kind::Busy, "the vault changed while it was being looked at")
            .hint("nothing was lost; run it again")
            .caused_by(error);
    }
    error
}

/// The packs in the store, and their bytes.
pub(super) fn listed(vault: &Vault) -> Result<Vec<(PackId, u64)>> {
    let names = vault.backend.list("packs/")?;
    let packs = names.iter().filter_map(|name| pack_of_name(name));
    packs.map(|pack| Ok((pack, size(vault, &pack)?))).collect()
}

/// The bytes of a pack; 0 if it is gone.
fn size(vault: &Vault, pack: &PackId) -> Result<u64> {
    match vault.backend.size(&pack_name(pack)) {
        Err(e) if e.kind() == Kind::NotFound => Ok(0),
        size => size,
    }
}

/// The packs that a catalog names in any way.
pub(super) fn named(catalog: &Catalog) -> Result<std::collections::BTreeSet<PackId>> {
    let mut named: std::collections::BTreeSet<PackId> = catalog.packs().into_iter().collect();
    named.extend(catalog.condemned()?.into_iter().map(|(pack, _)| pack));
    for node in catalog.nodes.values() {
        for (_, draft) in node.scan(&[prefix::DRAFT]) {
            named.extend(DraftEntry::decode(draft)?.packs);
        }
    }
    Ok(named)
}
