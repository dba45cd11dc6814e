//! Compaction: adjacent runs of an sObject become one, so that a vault stays small and fast after a thousand snapshots.
//!
//! Key decision: what to merge next is a pure function of the live runs and the kept snapshots; each merge is a
//! commit of its own, and only if what it replaced is still live. It may stop anywhere and be run again. It deletes
//! no pack: what only the old runs used is prune's to find.

use std::collections::BTreeSet;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::OrgId;
use crate::format::entry::{RunEntry, of_sobject, prefix};
use crate::format::schema::Schema;
use crate::format::seal::ChunkKind;
use crate::vault::catalog::Catalog;
use crate::vault::commit::Edit;
use crate::vault::merge::{Merge, Merged, retain};
use crate::vault::open::Vault;
use crate::vault::run::Run;
use crate::vault::writer::Writer;

/// How to compact.
#[derive(Debug, Clone, Copy)]
pub struct CompactOptions {
    /// So many of the newest runs of one snapshot each are left alone, so that recent diffs cost what changed.
    pub keep_single: usize,
    /// Merge all others into one, however small the gain.
    pub all: bool,
}

impl Default for CompactOptions {
    fn default() -> Self {
        Self {
            keep_single: 32,
            all: false,
        }
    }
}

/// What one merge did.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct MergeReport {
    /// The org.
    #[serde(serialize_with = "as_text")]
    pub org: OrgId,
    /// API name.
    pub sobject: String,
    /// Runs that became one.
    pub runs: usize,
    /// Versions read.
    pub versions: u64,
    /// Versions that no kept snapshot sees, dropped.
    pub dropped: u64,
    /// Pages taken over as they were.
    pub pages_reused: u64,
    /// Bytes written, directory not counted where it is small.
    pub bytes: u64,
}

fn as_text<S: serde::Serializer>(org: &OrgId, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.collect_str(org)
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct CompactReport {
    /// Live runs of all sObjects before and after.
    pub runs_before: usize,
    /// After.
    pub runs_after: usize,
    /// Versions that no kept snapshot sees, dropped.
    pub versions_dropped: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Merges, in the order in which they were done.
    pub merges: Vec<MergeReport>,
    /// sObjects that were left as they are, since something in them is damaged or lost.
    pub left: Vec<Left>,
}

/// An sObject that cannot be merged.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Left {
    /// The org.
    #[serde(serialize_with = "as_text")]
    pub org: OrgId,
    /// API name.
    pub sobject: String,
    /// What is in the way.
    pub why: String,
}

/// The bigger part of a tier: a run four times as large is of the next one.
const TIER: u64 = 4;
/// The oldest run takes in the others when they are this share of it.
const BASE_SHARE: u64 = 8;
/// How often a merge is done anew when others change what it read.
const TRIES: u32 = 3;
/// Runs below this share of the oldest count as if they were of it, so that there are three tiers at most.
const SMALL_SHARE: u64 = 128;

/// The runs (adjacent, oldest first) that are to be merged next, if any. `kept`: the snapshots of the org, ascending.
pub fn next_merge(
    runs: &[RunEntry],
    kept: &[u64],
    options: &CompactOptions,
) -> Option<std::ops::Range<usize>> {
    let singles = runs.iter().rev().take_while(|run| run.low == run.high);
    let old = runs.len() - singles.take(options.keep_single).count();
    // A run whose states nobody sees goes with the one behind it.
    for i in 0..old.saturating_sub(1) {
        let seen = kept.iter().any(|&k| runs[i].low <= k && k < runs[i + 1].low);
        if !seen {
            return Some(i..i + 2);
        }
    }
    let runs = &runs[..old];
    let (base, above) = runs.split_first()?;
    let rows: u64 = above.iter().map(|run| run.rows).sum();
    if !above.is_empty() && (options.all || rows.saturating_mul(BASE_SHARE) >= base.rows) {
        return Some(0..old);
    }
    // The tier of a run is that of the largest at or behind it, so that tiers only fall.
    let mut largest = base.rows / SMALL_SHARE;
    let mut tiers: Vec<u32> = runs
        .iter()
        .rev()
        .map(|run| {
            largest = run.rows.max(largest).max(1);
            largest.ilog(TIER)
        })
        .collect();
    tiers.reverse();
    let mut end = old;
    for tier in tiers.chunk_by(|a, b| a == b).rev() {
        if tier.len() >= TIER as usize {
            return Some(end - tier.len()..end);
        }
        end -= tier.len();
    }
    None
}

/// Merges what is due, one merge after another; `progress` hears of each.
///
/// # Errors
/// Merges that were done stay done. `Busy` if others overtook it again and again. `Interrupted` when somebody asked to stop.
pub fn compact(
    vault: &Vault,
    options: &CompactOptions,
    progress: &mut dyn FnMut(&MergeReport),
) -> Result<CompactReport> {
    let catalog = vault.refresh()?;
    let mut report = CompactReport {
        runs_before: live_runs(&catalog)?,
        ..CompactReport::default()
    };
    for org in catalog.orgs() {
        for sobject in catalog.objects(org)?.into_keys() {
            merges(vault, (org, &sobject), options, &mut report, progress)?;
        }
    }
    report.runs_after = live_runs(&vault.catalog())?;
    Ok(report)
}

/// Merges what is due of one sObject. A merge that others overtook is done anew on what they left; one that meets damage
/// is left.
fn merges(
    vault: &Vault,
    (org, sobject): (OrgId, &str),
    options: &CompactOptions,
    report: &mut CompactReport,
    progress: &mut dyn FnMut(&MergeReport),
) -> Result<()> {
    let mut overtaken = 0;
    loop {
        match step(vault, org, sobject, options) {
            Ok(Some(done)) => {
                report.versions_dropped += done.dropped;
                report.bytes_written += done.bytes;
                progress(&done);
                report.merges.push(done);
            }
            Ok(None) => return Ok(()),
            Err(e) if e.kind() == Kind::Busy && overtaken < TRIES => {
                tracing::info!(sobject, %e, "the merge is done anew");
                overtaken += 1;
                vault.refresh()?;
            }
            Err(e) if e.kind() == Kind::Corrupt => {
                let (sobject, why) = (sobject.to_owned(), e.to_string());
                report.left.push(Left { org, sobject, why });
                return Ok(());
            }
            Err(e) => return Err(e),
        }
    }
}

fn live_runs(catalog: &Catalog) -> Result<usize> {
    let mut count = 0;
    for org in catalog.orgs() {
        for name in catalog.objects(org)?.keys() {
            count += catalog.runs(org, name)?.len();
        }
    }
    Ok(count)
}

/// One merge, if one is due.
fn step(vault: &Vault, org: OrgId, sobject: &str, options: &CompactOptions) -> Result<Option<MergeReport>> {
    let catalog = vault.catalog();
    let (runs, kept) = (catalog.runs(org, sobject)?, numbers(&catalog, org)?);
    let Some(range) = next_merge(&runs, &kept, options) else {
        return Ok(None);
    };
    let oldest = range.start == 0;
    let plan = Plan {
        org,
        sobject: sobject.to_owned(),
        runs: runs[range].to_vec(),
        kept,
    };
    let merge = Merge {
        vault,
        runs: plan
            .runs
            .iter()
            .map(|run| Run::open(vault, run))
            .collect::<Result<_>>()?,
        columns: columns(vault, &catalog, org, sobject)?,
        reuse: true,
    };
    let mut writer = Writer::new(vault);
    let merged = merge.run(&mut writer, &mut |versions, stay| {
        retain(versions, &plan.kept, oldest, stay);
        Ok(())
    });
    match merged {
        Ok(merged) => plan.commit(vault, writer, &merged).map(Some),
        Err(error) => {
            writer.discard();
            Err(error)
        }
    }
}

/// The numbers of the kept snapshots, ascending.
fn numbers(catalog: &Catalog, org: OrgId) -> Result<Vec<u64>> {
    Ok(catalog.snapshots(org)?.iter().map(|s| s.number).collect())
}

/// All fields of all schemas of an sObject, in byte order; of the catalog whose runs are merged, since a newer run may
/// have a newer schema.
pub(super) fn columns(vault: &Vault, catalog: &Catalog, org: OrgId, sobject: &str) -> Result<Vec<String>> {
    let mut names = BTreeSet::new();
    let newest = catalog.object(org, sobject)?.map_or(0, |object| object.schema);
    for number in 1..=newest {
        let entry = catalog.schema(org, sobject, number)?;
        let schema = Schema::decode(&vault.meta(ChunkKind::Schema, &entry.schema)?)?;
        names.extend(schema.fields().iter().map(|field| field.name.clone()));
    }
    Ok(names.into_iter().collect())
}

/// What is merged, and what it was decided on.
struct Plan {
    org: OrgId,
    sobject: String,
    runs: Vec<RunEntry>,
    kept: Vec<u64>,
}

impl Plan {
    /// Puts the merged run in the place of the others.
    fn commit(&self, vault: &Vault, mut writer: Writer<'_>, merged: &Merged) -> Result<MergeReport> {
        let mut entered = false;
        let synced = writer.sync();
        let result = synced.and_then(|()| {
            let (packs, _, bytes) = writer.written();
            vault.commit(packs, &mut |edit| {
                entered = false;
                writer.stands(&edit.before)?;
                self.enter(edit, merged)?;
                entered = true;
                Ok(())
            })?;
            Ok(bytes)
        });
        match result {
            Ok(bytes) => Ok(MergeReport {
                org: self.org,
                sobject: self.sobject.clone(),
                runs: self.runs.len(),
                versions: merged.read,
                dropped: merged.read - merged.pages.rows,
                pages_reused: merged.reused,
                bytes,
            }),
            Err(error) => {
                if !entered {
                    writer.discard();
                }
                Err(error)
            }
        }
    }

    fn enter(&self, edit: &mut Edit<'_>, merged: &Merged) -> Result<()> {
        let (low, high) = self.runs.iter().fold((u64::MAX, 0), |(low, high), run| {
            (low.min(run.low), high.max(run.high))
        });
        let now = numbers(&edit.before, self.org)?;
        if now.iter().any(|k| *k <= high && !self.kept.contains(k)) {
            return Err(withdrawn("a snapshot came into its span"));
        }
        let node = edit.node(Some(self.org));
        for run in &self.runs {
            let all = of_sobject(prefix::RUN, &self.sobject, &[run.low, run.high]);
            let value = run.encode();
            let key = node
                .scan(&all)
                .find(|(_, entry)| **entry == value)
                .map(|(key, _)| key.to_vec());
            node.remove(&key.ok_or_else(|| withdrawn("a run was replaced"))?);
        }
        if merged.pages.is_empty() {
            return Ok(());
        }
        let head = merged.pages.enter(edit, &self.sobject)?;
        let entry = RunEntry {
            low,
            high,
            rows: merged.pages.rows,
            head,
        };
        let key = of_sobject(prefix::RUN, &self.sobject, &[low, high, 0]);
        edit.node(Some(self.org)).put(key, entry.encode());
        Ok(())
    }
}

fn withdrawn(why: impl std::fmt::Display) -> Error {
    Error::new(Kind::Busy, format!("a merge was withdrawn: {why} meanwhile"))
        .hint("nothing was lost; run it again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{ChunkId, PackId};
    use crate::format::pack::Location;
    use crate::format::place::MetaRef;

    fn run(low: u64, high: u64, rows: u64) -> RunEntry {
        let at = Location {
            pack: PackId([0; 32]),
            offset: 0,
            len: 0,
        };
        let head = MetaRef {
            id: ChunkId([0; 32]),
            at: [at; 2],
        };
        RunEntry {
            low,
            high,
            rows,
            head,
        }
    }

    /// Merges what is due as if nothing were dropped.
    fn settle(runs: &mut Vec<RunEntry>, kept: &[u64], options: &CompactOptions) -> u64 {
        let mut written = 0;
        while let Some(range) = next_merge(runs, kept, options) {
            assert!(range.len() > 1);
            let rows = runs[range.clone()].iter().map(|run| run.rows).sum();
            let merged = run(runs[range.start].low, runs[range.end - 1].high, rows);
            written += rows;
            runs.splice(range, [merged]);
        }
        written
    }

    #[test]
    fn runs_stay_few_whatever_their_sizes() {
        for seed in 0..20_u64 {
            let (mut runs, options) = (vec![run(1, 1, 1_000_000)], CompactOptions::default());
            let mut kept = vec![1];
            for day in 2..800 {
                let dice = ((day * 0x9E37_79B9) ^ (seed * 0x85EB_CA6B)) % 97;
                runs.push(run(
                    day,
                    day,
                    [10_000, 5, 10_000 * dice + 1, 1 << (dice % 20)][seed as usize % 4],
                ));
                kept.push(day);
                settle(&mut runs, &kept, &options);
                let merged = runs.iter().filter(|run| run.low != run.high).count();
                assert!(
                    runs.len() <= 12 + 32,
                    "{} runs, {merged} merged, day {day}, seed {seed}",
                    runs.len()
                );
                assert!(runs.windows(2).all(|w| w[0].high < w[1].low), "adjacent spans");
            }
        }
    }

    #[test]
    fn what_nobody_sees_is_collapsed_and_recent_singles_stay() {
        let options = CompactOptions::default();
        let mut runs: Vec<_> = (1..=40).map(|n| run(n, n, 10)).collect();
        assert_eq!(
            next_merge(&runs[..32], &[], &options),
            None,
            "the newest stay as they are"
        );
        assert_eq!(next_merge(&runs, &[1, 40], &options), Some(1..3));
        runs = vec![run(1, 1, 1000), run(2, 2, 1)];
        let none = CompactOptions {
            keep_single: 0,
            all: false,
        };
        assert_eq!(next_merge(&runs, &[1, 2], &none), None);
        assert_eq!(next_merge(&runs, &[2], &none), Some(0..2));
        assert_eq!(
            next_merge(&runs, &[1, 2], &CompactOptions { all: true, ..none }),
            Some(0..2)
        );
    }
}
