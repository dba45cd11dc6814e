//! Erase: all versions of given records of an org leave the vault, at once, and it is proved that they have.
//!
//! Key decision: three steps, each of which may be run again: one commit takes the records out of every state and enters
//! them as erased; then every pack goes in which something of them may lie; then everything that is left is searched.
//! Whatever was being written meanwhile loses its commit. It reaches nothing outside the vault.

mod find;
mod look;
mod prove;
mod purge;
mod take_out;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{OrgId, RecordId};
use crate::vault::open::Vault;

pub use prove::{Proof, prove};

/// How to erase.
#[derive(Debug, Clone, Copy)]
pub struct EraseOptions {
    /// How often it begins again when others commit meanwhile.
    pub tries: usize,
}

impl Default for EraseOptions {
    fn default() -> Self {
        Self { tries: 8 }
    }
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Runs are written without the records.
    TakingOut,
    /// Packs go.
    Deleting,
    /// Everything is searched.
    Proving,
}

/// What an erasure would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct ErasePlan {
    /// Different Ids that are asked for.
    pub ids: u64,
    /// Records of them that the vault has.
    pub records: u64,
    /// Their versions.
    pub versions: u64,
    /// Runs that would be written anew.
    pub runs: u64,
    /// Kept snapshots that see one of them.
    pub snapshots: u64,
    /// Packs that would be written anew or deleted, at least: those of manifests that change are not counted.
    pub packs: u64,
}

/// What an erasure did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct EraseReport {
    /// Different Ids that were asked for.
    pub ids: u64,
    /// Records of them that the vault had.
    pub records: u64,
    /// Their versions, all of them gone. 0 also if an earlier run that was interrupted had taken them out.
    pub versions: u64,
    /// Runs written anew.
    pub runs: u64,
    /// Packs deleted; what was alive in them was copied before.
    pub packs_deleted: u64,
    /// The search of all that is left.
    pub proof: Proof,
}

/// Says what an erasure would do; changes nothing.
///
/// # Errors
/// As [`erase`].
pub fn plan(vault: &Vault, org: OrgId, ids: &[RecordId]) -> Result<ErasePlan> {
    let ids = checked(vault, org, ids)?;
    let found = find::find(vault, org, &ids)?;
    found.check_holds(&found.catalog, vault.clock.now())?;
    let (records, versions, runs) = found.counts();
    let snapshots = found.catalog.snapshots(org)?;
    let mut packs = purge::going(vault, &BTreeSet::new())?.packs();
    packs.extend(&found.packs);
    Ok(ErasePlan {
        ids: ids.len() as u64,
        records,
        versions,
        runs,
        snapshots: snapshots.iter().filter(|s| found.seen_at(s.number)).count() as u64,
        packs: packs.len() as u64,
    })
}

/// Erases all versions of `ids`, and proves it. Ids that the vault does not have are entered as erased all the same.
/// After an error run it again: it goes on where it stopped.
///
/// # Errors
/// `Busy` while a hold is in the way, saying until when, or if others commit again and again. `Corrupt` if something
/// alive cannot be read: repair comes first. `NotFound` if the vault does not know the org.
///
/// ```
/// # use std::sync::Arc;
/// # use halite_engine::store::memory::Memory;
/// # use halite_engine::vault::{Secret, Vault, VaultOptions};
/// use halite_engine::ops::erase::{EraseOptions, erase};
/// # let vault = Vault::create(Arc::new(Memory::new()), &Secret::None, VaultOptions::default()).unwrap();
/// # let dir = tempfile::tempdir().unwrap();
/// # std::fs::write(dir.path().join("Account.ndjson"), "{\"Id\":\"0012300000bVTq1\",\"Name\":\"Acme\"}\n").unwrap();
/// let org = "00D000000000001".parse().unwrap();
/// # let at = "2026-01-31".parse().unwrap();
/// # halite_engine::ops::import::import(&vault, org, at, dir.path(), false, &mut |_| {}).unwrap();
/// let gone = erase(&vault, org, &["0012300000bVTq1".parse().unwrap()], &EraseOptions::default(), &mut |_| {}).unwrap();
/// assert!(gone.versions == 1 && gone.proof.holds());
/// ```
pub fn erase(
    vault: &Vault,
    org: OrgId,
    ids: &[RecordId],
    options: &EraseOptions,
    progress: &mut dyn FnMut(Stage),
) -> Result<EraseReport> {
    let ids = checked(vault, org, ids)?;
    let mut report = EraseReport {
        ids: ids.len() as u64,
        ..EraseReport::default()
    };
    let (mut last, mut left) = (None, BTreeSet::new());
    for _ in 0..options.tries.max(1) {
        progress(Stage::TakingOut);
        let mut withdrawn = false;
        match take_out::take_out(vault, org, &ids, &mut withdrawn) {
            Ok(found) => {
                let (records, versions, runs) = found.counts();
                report.records += records;
                report.versions += versions;
                report.runs += runs;
            }
            Err(error) if withdrawn => {
                last = Some(error);
                continue;
            }
            Err(error) => return Err(error),
        }
        progress(Stage::Deleting);
        let purged = purge::going(vault, &left).and_then(|going| going.purge(vault));
        let searched = purged.and_then(|deleted| {
            report.packs_deleted += deleted;
            progress(Stage::Proving);
            prove::search(vault, org, &ids)
        });
        match searched {
            Ok((proof, _)) if proof.holds() => {
                report.proof = proof;
                return receipt(vault, org, &report).map(|()| report);
            }
            Ok((_, packs)) => left = packs,
            Err(error) if error.kind() == Kind::Busy => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| {
        Error::new(Kind::Busy, "others went on writing while records were erased")
            .hint("run it again when no backup or prune is under way: it goes on where it stopped")
    }))
}

/// The first of `ids` that was erased: what brings records back asks before it does.
pub fn erased_among(
    vault: &Vault,
    org: OrgId,
    ids: impl IntoIterator<Item = RecordId>,
) -> Result<Option<RecordId>> {
    let erased = vault.catalog().erased(org)?;
    Ok(ids.into_iter().find(|id| erased.has(&vault.keys, *id)))
}

fn checked(vault: &Vault, org: OrgId, ids: &[RecordId]) -> Result<BTreeSet<RecordId>> {
    if vault.refresh()?.node(org).is_none() {
        return Err(
            Error::new(Kind::NotFound, format!("the vault knows no org {org}"))
                .hint("`halite snapshots` lists what is there"),
        );
    }
    if ids.contains(&org) {
        return Err(Error::invalid("the Id of the org itself cannot be erased")
            .hint("`halite forget --org ID --all` forgets the org"));
    }
    if ids.is_empty() {
        return Err(Error::invalid("no Id to erase"));
    }
    Ok(ids.iter().copied().collect())
}

fn receipt(vault: &Vault, org: OrgId, report: &EraseReport) -> Result<()> {
    let proof = &report.proof;
    let detail = format!(
        "{} Ids, {} versions: {} packs deleted; {} packs with {} chunks searched, nothing found",
        report.ids, report.versions, report.packs_deleted, proof.packs, proof.chunks
    );
    vault
        .commit(&[], &mut |edit| {
            edit.log("erase", Some(org), detail.clone());
            Ok(())
        })
        .map(drop)
}
