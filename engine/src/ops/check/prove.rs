//! The digest and the number of live records of every kept state, computed anew from the versions.
//!
//! Key decision: one pass over the keys, whatever the number of snapshots: a version adds its term at the first kept
//! snapshot that sees it, and takes it away at the first that sees the next; sums along the snapshots give every state.
//! It reads no values.

use std::collections::BTreeMap;

use crate::base::error::{Error, Result};
use crate::base::id::OrgId;
use crate::format::digest::Tally;
use crate::format::manifest::Manifest;
use crate::format::seal::ChunkKind;
use crate::ops::check::CheckReport;
use crate::vault::catalog::Catalog;
use crate::vault::merge::Inputs;
use crate::vault::open::Vault;
use crate::vault::run::Run;

/// What is said of one state: the snapshot, and its tally.
type Said = (u64, Tally);

/// What the manifests of an org say, by sObject.
pub struct Expected(BTreeMap<String, Vec<Said>>);

impl Expected {
    /// Reads the manifests of an org; one that cannot be read was told by the walk of references.
    pub fn of(vault: &Vault, catalog: &Catalog, org: OrgId) -> Result<Self> {
        let mut all: BTreeMap<String, Vec<Said>> = BTreeMap::new();
        for snapshot in catalog.snapshots(org)? {
            vault.go_on()?;
            let entry = catalog.snapshot_entry(org, snapshot.number)?;
            let Ok(bytes) = vault.meta(ChunkKind::Manifest, &entry.manifest) else {
                continue;
            };
            for captured in Manifest::decode(&bytes)?.sobjects {
                if captured.skipped.is_none() {
                    let sum = Tally {
                        live: captured.live,
                        content: captured.content,
                        stamps: captured.stamps_digest,
                    };
                    all.entry(captured.name).or_default().push((snapshot.number, sum));
                }
            }
        }
        for (name, object) in catalog.objects(org)? {
            let sum = Tally {
                live: object.live,
                content: object.content,
                stamps: object.stamps,
            };
            all.entry(name).or_default().push((u64::MAX, sum));
        }
        Ok(Self(all))
    }

    /// What is said of one sObject; `u64::MAX` stands for its newest state.
    pub fn take(&mut self, sobject: &str) -> Vec<Said> {
        self.0.remove(sobject).unwrap_or_default()
    }
}

/// Computes the states of an sObject that something is said of, and compares. If not all keys are there (`whole`),
/// none can be proved.
pub fn prove(
    vault: &Vault,
    catalog: &Catalog,
    (org, sobject): (OrgId, &str),
    said: &[Said],
    whole: bool,
    report: &mut CheckReport,
) -> Result<()> {
    let holes = catalog.holes(org, sobject)?;
    let hidden = |at: u64| {
        let mut holes = holes.iter().map(|(_, hole)| hole);
        holes.any(|hole| hole.costs_versions() && hole.shows_at(at))
    };
    // A page known to be lost is a gap only where its hole shows.
    let whole = whole || !holes.is_empty();
    if !whole {
        report.states_unproved += said.len() as u64;
        return Ok(());
    }
    let mut sums = vec![Tally::default(); said.len()];
    let runs: Result<Vec<_>> = catalog
        .runs(org, sobject)?
        .iter()
        .map(|run| Run::open(vault, run))
        .collect();
    let mut inputs = Inputs::keys_only(runs?)?;
    let mut versions = Vec::new();
    while let Some(id) = inputs.least() {
        vault.go_on()?;
        inputs.take(id, &mut versions)?;
        let mut until = said.len();
        for key in versions.iter().map(|version| &version.key) {
            let from = said.partition_point(|(number, _)| *number < key.snapshot);
            if from < until && key.kind.is_live() {
                let term = Tally::of(vault.keys.digest_key(), sobject, key);
                sums[from].add(&term);
                if let Some(next) = sums.get_mut(until) {
                    next.sub(&term);
                }
            }
            until = until.min(from);
        }
    }
    let mut sum = Tally::default();
    for ((number, expected), change) in said.iter().zip(&sums) {
        sum.add(change);
        if hidden(*number) {
            report.states_unproved += 1;
        } else if sum == *expected {
            report.states_proved += 1;
        } else {
            let state = match number {
                &u64::MAX => "the newest state".to_owned(),
                number => format!("the state at snapshot {number}"),
            };
            let why = format!(
                "{} live records and their digest do not follow from the versions, which give {}",
                expected.live, sum.live
            );
            let what = format_args!("{state} of org {org}, {sobject}");
            report.damage(what, &Error::corrupt("digest", why));
        }
    }
    Ok(())
}
