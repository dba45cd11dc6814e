//! Carries a prune out: what was condemned before is deleted, live chunks are copied, and commits take packs away.
//!
//! Key decision: data goes in batches, a commit each, so that an interrupted prune has not worked in vain; each commit
//! walks what others published since the plan was made, and spares a pack that they rely on. It waits for nobody.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{OrgId, PackId};
use crate::format::pack::{PackRole, reopen_chunk};
use crate::format::seal::ChunkKind;
use crate::ops::prune::metadata::rewrite;
use crate::ops::prune::{Plan, PruneReport, Survey};
use crate::ops::walk::{Seen, Visit, walk_since};
use crate::store::backend::pack_name;
use crate::vault::commit::Edit;
use crate::vault::open::Vault;
use crate::vault::writer::Writer;

/// Packs whose live chunks go over in one commit: a gigabyte, as a rule.
const BATCH: usize = 64;

/// Does what a plan says. What others have done since it was made is looked at again.
///
/// # Errors
/// What was done up to then stands; running it again goes on. `Busy`: others pruned meanwhile.
pub fn execute(vault: &Vault, plan: &Plan) -> Result<PruneReport> {
    carry_out(vault, plan).map_err(|e| super::overtaken(vault, &plan.survey.catalog, e))
}

fn carry_out(vault: &Vault, plan: &Plan) -> Result<PruneReport> {
    let mut report = plan.report();
    vault.backend.sweep()?;
    if plan.is_empty() {
        return Ok(report);
    }
    if !plan.delete.is_empty() {
        vault.settle_root()?;
    }
    for (pack, _) in &plan.delete {
        vault.go_on()?;
        vault.backend.delete(&pack_name(pack))?;
    }
    let of = |role| {
        let packs = plan.repack.iter().filter(move |pack| pack.role == role);
        packs.map(|pack| pack.pack).collect::<Vec<_>>()
    };
    let (data, metadata) = (of(PackRole::Data), of(PackRole::Metadata));
    let batches = data.len().div_ceil(BATCH).max(1);
    let mut epoch = plan.survey.catalog.root.epoch;
    for number in 0..batches {
        let batch: Vec<PackId> = data.iter().skip(number * BATCH).take(BATCH).copied().collect();
        let mut step = Step {
            vault,
            plan,
            leaving: batch.iter().copied().collect(),
            last: number + 1 == batches,
            epoch,
        };
        if step.last {
            step.leaving.extend(&metadata);
            step.leaving.extend(plan.dead.iter().map(|pack| pack.pack));
        }
        let mut writer = Writer::new(vault);
        if let Err(error) = copy(vault, &plan.survey, &batch, &mut writer) {
            writer.discard();
            return Err(error);
        }
        // If this fails the root may yet stand that names what was copied: that is left to a later run.
        epoch = step.commit(&writer)?;
    }
    let condemned: BTreeSet<PackId> = vault
        .catalog()
        .condemned()?
        .into_iter()
        .filter_map(|(pack, entry)| entry.condemned.then_some(pack))
        .collect();
    let mut going = plan.repack.clone();
    going.extend(&plan.dead);
    going.retain(|pack| condemned.contains(&pack.pack));
    let strays = plan.condemn.iter().filter(|pack| condemned.contains(pack));
    report.packs_condemned = (going.len() + strays.count()) as u64;
    report.bytes_condemned = going.iter().map(|pack| pack.bytes).sum();
    report.bytes_after = super::listed(vault)?.iter().map(|(_, bytes)| bytes).sum();
    Ok(report)
}

/// Copies what is alive in `packs`, opened and verified.
fn copy(vault: &Vault, survey: &Survey, packs: &[PackId], writer: &mut Writer<'_>) -> Result<()> {
    for pack in packs {
        vault.go_on()?;
        let bytes = vault
            .backend
            .get(&pack_name(pack))
            .map_err(|e| gone(vault, pack, e))?;
        for entry in vault.directory(pack)? {
            if !survey.alive(&entry.id, pack) {
                continue;
            }
            let at = entry.location.offset as usize;
            let chunk = bytes.get(at..at + entry.location.len as usize);
            let chunk =
                chunk.ok_or_else(|| Error::corrupt(format_args!("pack {pack}"), "it is cut short"))?;
            let chunk = reopen_chunk(&vault.keys, &entry.id, entry.kind, pack, chunk)
                .map_err(|e| e.hint("run `halite check`; the pack is left as it is"))?;
            writer.put(&chunk)?;
        }
    }
    writer.sync()
}

/// A pack that others have taken away meanwhile is no damage.
fn gone(vault: &Vault, pack: &PackId, error: Error) -> Error {
    match vault.refresh() {
        Ok(now) if error.kind() == Kind::NotFound && !now.has_pack(pack) => {
            Error::new(Kind::Busy, format!("pack {pack} was deleted meanwhile")).hint("run it again")
        }
        _ => error,
    }
}

/// One commit.
struct Step<'p> {
    vault: &'p Vault,
    plan: &'p Plan,
    leaving: BTreeSet<PackId>,
    /// Whether it does all that is not a batch of data.
    last: bool,
    /// The epoch as this prune knows it: should it be another one, the plan does not hold.
    epoch: u64,
}

impl Step<'_> {
    /// Gives the epoch after it.
    fn commit(&self, writer: &Writer<'_>) -> Result<u64> {
        let new = writer.written().0.to_vec();
        let mut after = self.epoch;
        self.vault.commit(&new, &mut |edit| {
            writer.stands(&edit.before)?;
            self.apply(edit)?;
            after = self.epoch + u64::from(edit.condemns());
            Ok(())
        })?;
        Ok(after)
    }

    fn apply(&self, edit: &mut Edit<'_>) -> Result<()> {
        let now = Arc::clone(&edit.before);
        let mut leaving = self.leaving.clone();
        if now.version() != self.plan.survey.catalog.version() {
            // What was alive in the plan may be what was erased.
            if now.all_erased()? != self.plan.survey.catalog.all_erased()? {
                return Err(Error::new(Kind::Busy, "a record was erased meanwhile").hint("run it again"));
            }
            edit.same_epoch(self.epoch)?;
            let mut relied = Relied {
                survey: &self.plan.survey,
                leaving: &leaving,
                on: BTreeSet::new(),
            };
            walk_since(self.vault, &now, Some(&self.plan.survey.catalog), &mut relied)?;
            let spared = relied.on;
            leaving.retain(|pack| !spared.contains(pack));
        }
        let leaving: Vec<PackId> = leaving.into_iter().collect();
        edit.condemn(&leaving);
        rewrite(self.vault, edit)?;
        if self.last {
            self.marks(edit)?;
        }
        if self.last && !self.plan.at_once {
            let report = self.plan.report();
            let detail = format!(
                "{} packs repacked, {} condemned, {} deleted, {} strays; {} bytes condemned",
                report.packs_repacked,
                report.packs_condemned,
                report.packs_deleted,
                report.strays,
                report.bytes_condemned
            );
            edit.log("prune", None, detail);
        }
        Ok(())
    }

    /// Moves packs that are on their way out one step on, if nobody came for them since.
    fn marks(&self, edit: &mut Edit<'_>) -> Result<()> {
        let deleted: Vec<PackId> = self.plan.delete.iter().map(|(pack, _)| *pack).collect();
        edit.forget_deleted(&deleted);
        let named = super::named(&edit.before)?;
        let mut strays = self.plan.strays.clone();
        strays.retain(|pack| !named.contains(pack));
        edit.note_strays(&strays);
        let noted: BTreeSet<PackId> = edit
            .before
            .condemned()?
            .into_iter()
            .filter_map(|(pack, entry)| (!entry.condemned).then_some(pack))
            .collect();
        let mut condemn = self.plan.condemn.clone();
        condemn.retain(|pack| noted.contains(pack) || (self.plan.at_once && !named.contains(pack)));
        edit.condemn(&condemn);
        Ok(())
    }
}

/// Finds the packs on their way out in which somebody relies on a chunk that was dead when the plan was made.
struct Relied<'s> {
    survey: &'s Survey,
    leaving: &'s BTreeSet<PackId>,
    on: BTreeSet<PackId>,
}

impl Visit for Relied<'_> {
    fn chunk(&mut self, seen: &Seen<'_>) -> Result<()> {
        // References to metadata are replaced in this very commit.
        let data = matches!(
            seen.kind,
            ChunkKind::PageKeys | ChunkKind::PageValues | ChunkKind::PageDerived | ChunkKind::Blob
        );
        for at in seen
            .at
            .iter()
            .filter(|at| data && self.leaving.contains(&at.pack))
        {
            if !self.survey.alive(&seen.id, &at.pack) {
                self.on.insert(at.pack);
            }
        }
        Ok(())
    }

    fn draft(&mut self, _: OrgId, pack: &PackId) -> Result<()> {
        self.on.insert(*pack);
        Ok(())
    }
}
