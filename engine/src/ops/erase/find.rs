//! Where versions of given records are: which runs of which sObjects hold some, and which snapshots see them.
//!
//! Key decision: by directories and filters, so that a run that has none of the Ids costs its head and a part at most; found
//! under one catalog, so that the commit can ask whether it is still so. It changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{OrgId, PackId, RecordId};
use crate::base::stamp::Stamp;
use crate::format::entry::RunEntry;
use crate::format::pack::Location;
use crate::format::page::KeyRow;
use crate::vault::catalog::Catalog;
use crate::vault::open::Vault;
use crate::vault::run::{Finder, Run};

/// All versions of some records of an org, under one catalog.
pub struct Found {
    /// The catalog.
    pub catalog: Arc<Catalog>,
    /// The org.
    pub org: OrgId,
    /// The sObjects that have some.
    pub sobjects: BTreeMap<String, Versions>,
    /// Packs in which pages with some of them lie.
    pub packs: BTreeSet<PackId>,
}

/// The versions in one sObject.
#[derive(Default)]
pub struct Versions {
    /// The live runs that hold some.
    pub runs: Vec<RunEntry>,
    /// Of each record, newest first.
    pub records: BTreeMap<RecordId, Vec<KeyRow>>,
}

/// The version in force at a snapshot, if the record is live there.
pub fn live_at(versions: &[KeyRow], snapshot: u64) -> Option<&KeyRow> {
    let version = versions.iter().find(|version| version.snapshot <= snapshot);
    version.filter(|version| version.kind.is_live())
}

/// Looks for `ids` in every run of an org.
pub fn find(vault: &Vault, org: OrgId, ids: &BTreeSet<RecordId>) -> Result<Found> {
    let catalog = vault.refresh()?;
    let mut found = Found {
        org,
        sobjects: BTreeMap::new(),
        packs: BTreeSet::new(),
        catalog: Arc::clone(&catalog),
    };
    for sobject in catalog.objects(org)?.into_keys() {
        let mut versions = Versions::default();
        // Of a page that is lost the directory still names the first and last Id: it is written without it.
        let mut holes = catalog.holes(org, &sobject)?;
        holes.retain(|(_, hole)| hole.costs_versions() && ids.range(hole.first..=hole.last).next().is_some());
        // The later arrival first: of two versions of one instant it counts.
        for run in catalog.runs(org, &sobject)?.into_iter().rev() {
            vault.go_on()?;
            let lost = holes.iter().any(|(_, h)| run.low <= h.low && h.low <= run.high);
            if found.look(vault, &run, ids, &mut versions)? || lost {
                versions.runs.push(run);
            }
        }
        for of_one in versions.records.values_mut() {
            of_one.sort_by_key(|key| std::cmp::Reverse((key.snapshot, key.system)));
        }
        if !versions.runs.is_empty() {
            found.sobjects.insert(sobject, versions);
        }
    }
    Ok(found)
}

impl Found {
    /// Looks in one run; whether it holds some.
    fn look(
        &mut self,
        vault: &Vault,
        run: &RunEntry,
        ids: &BTreeSet<RecordId>,
        into: &mut Versions,
    ) -> Result<bool> {
        let parts = Run::open(vault, run)?.head.parts;
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
            return Ok(false);
        };
        let mut finder = Finder::new(vault, std::slice::from_ref(run));
        let mut any = false;
        for id in ids.range(first.first..=last.last) {
            for hit in finder.find(*id, u64::MAX, true)? {
                any = true;
                into.records.entry(*id).or_default().push(hit.key);
                let page = hit.page();
                let chunks = [Some(page.keys), page.values, page.derived];
                for chunk in chunks.into_iter().flatten() {
                    let moved = || Ok::<_, Error>(vault.locate(&[chunk.id])?.pop().flatten());
                    let at: Option<Location> = if self.catalog.has_pack(&chunk.at.pack) {
                        Some(chunk.at)
                    } else {
                        moved()?
                    };
                    self.packs.extend(at.map(|at| at.pack));
                }
            }
        }
        let head = run.head.at.iter().filter(|_| any).map(|at| at.pack);
        self.packs.extend(head);
        Ok(any)
    }

    /// How many records, versions and runs.
    pub fn counts(&self) -> (u64, u64, u64) {
        let all = || self.sobjects.values();
        let records = all().map(|found| found.records.len() as u64).sum();
        let versions = all().flat_map(|found| found.records.values());
        let runs = all().map(|found| found.runs.len() as u64).sum();
        (records, versions.map(|v| v.len() as u64).sum(), runs)
    }

    /// Whether a snapshot sees one of the records.
    pub fn seen_at(&self, snapshot: u64) -> bool {
        let mut records = self.sobjects.values().flat_map(|found| found.records.values());
        records.any(|versions| live_at(versions, snapshot).is_some())
    }

    /// Whether they may go, by the holds of `catalog`.
    ///
    /// # Errors
    /// `Busy` while a hold covers a snapshot that sees one of them, with the time at which the last of these ends.
    pub fn check_holds(&self, catalog: &Catalog, now: Stamp) -> Result<()> {
        let mut holds = catalog.holds(self.org)?;
        holds.retain(|(_, hold)| hold.holds(now) && self.seen_at(hold.snapshot));
        let Some((_, hold)) = holds.first() else {
            return Ok(());
        };
        let why = format!(
            "snapshot {} sees one of the records and is under a hold",
            hold.snapshot
        );
        let when = match holds.iter().map(|(_, hold)| hold.until).max() {
            Some(until) if holds.iter().all(|(_, hold)| hold.until.is_some()) => {
                format!("it can be done from {until} on, or when the holds are released")
            }
            _ => "it can never be done until the holds are released".to_owned(),
        };
        Err(Error::new(Kind::Busy, why).hint(format!("{when}; `halite holds` tells which")))
    }
}
