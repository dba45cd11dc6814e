//! Repair: what is damaged is replaced by what can still be read, and what cannot is entered as lost.
//!
//! Key decision: it goes by two checks of every byte that agree, never touches what is good, and condemns a damaged pack only in the
//! commit that publishes its salvaged chunks (`docs/upkeep.md`). It fills no holes: the next capture does.

use std::collections::BTreeSet;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{ChunkId, OrgId, PackId, RecordId};
use crate::format::entry::{named, prefix};
use crate::format::loss::{HoleEntry, LossEntry};
use crate::format::pack::{PackRole, reopen_chunk};
use crate::format::scan::scan;
use crate::format::seal::ChunkKind;
use crate::ops::check::{CheckOptions, CheckReport, Level, Loss, check};
use crate::ops::prune::rewrite;
use crate::ops::walk::{Seen, Visit, walk};
use crate::store::backend::pack_name;
use crate::vault::commit::Edit;
use crate::vault::open::Vault;
use crate::vault::writer::Writer;

/// Damaged packs whose chunks go over in one commit.
const BATCH: usize = 64;

/// What was found, and what was done.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct RepairReport {
    /// What the check found.
    pub found: CheckReport,
    /// Damaged packs that were condemned.
    pub packs_condemned: u64,
    /// Chunks of data copied out of them.
    pub chunks_salvaged: u64,
    /// Chunks entered as lost.
    pub losses_entered: u64,
    /// Losses taken back, since the chunk is there again.
    pub losses_taken_back: u64,
}

/// Checks every byte and mends what can be mended. A vault that does not open: [`crate::vault::rescue`].
///
/// # Errors
/// What was done up to then stands; running it again goes on.
///
/// ```
/// use std::sync::Arc;
/// use halite_engine::ops::repair::repair;
/// use halite_engine::store::memory::Memory;
/// use halite_engine::vault::{Secret, Vault, VaultOptions};
/// let vault = Vault::create(Arc::new(Memory::new()), &Secret::None, VaultOptions::default()).unwrap();
/// assert!(repair(&vault).unwrap().found.is_sound());
/// ```
pub fn repair(vault: &Vault) -> Result<RepairReport> {
    let options = CheckOptions {
        level: Level::All,
        ..CheckOptions::default()
    };
    let mut found = check(vault, &options)?;
    if !found.is_sound() {
        // An answer that was spoilt on its way is no damage: only what two looks agree on is acted upon.
        found = check(vault, &options)?.agreed_with(&found);
    }
    let mut report = RepairReport::default();
    if !found.losses.is_empty() || !found.healed.is_empty() {
        marks(vault, &found, &mut report)?;
    }
    if !found.bad_packs.is_empty() {
        replace(vault, &found, &mut report)?;
    }
    vault.forget_index()?;
    report.found = found;
    Ok(report)
}

/// Enters new losses, and takes back those whose chunk is there again.
fn marks(vault: &Vault, found: &CheckReport, report: &mut RepairReport) -> Result<()> {
    let lost: BTreeSet<ChunkId> = found.losses.iter().map(|loss| loss.chunk).collect();
    report.losses_entered = lost.len() as u64;
    report.losses_taken_back = found.healed.len() as u64;
    let at = vault.clock.now();
    vault.commit(&[], &mut |edit| {
        for loss in &found.losses {
            let entry = LossEntry {
                kind: loss.kind as u8,
                at,
                what: loss.to_string(),
            };
            let key = named(prefix::LOSS, &loss.chunk.0);
            edit.node(None).put(key, entry.encode());
            if let (Some(org), Some((key, hole))) = (loss.org, hole(loss)) {
                edit.node(Some(org)).put(key, hole.encode());
            }
        }
        for chunk in &found.healed {
            take_back(edit, chunk)?;
        }
        let detail = format!(
            "{} chunks lost, {} there again",
            report.losses_entered, report.losses_taken_back
        );
        edit.log("repair", None, detail);
        Ok(())
    })?;
    Ok(())
}

/// The hole that a loss leaves in its sObject.
fn hole(loss: &Loss) -> Option<(Vec<u8>, HoleEntry)> {
    let of_records = !matches!(
        loss.kind,
        ChunkKind::Schema | ChunkKind::Describe | ChunkKind::Manifest
    );
    let sobject = loss.sobject.as_deref().filter(|_| of_records)?;
    let hole = HoleEntry {
        kind: loss.kind,
        low: loss.snapshots.map_or(0, |span| span.0),
        filled: 0,
        first: loss.first.unwrap_or(RecordId::MIN),
        last: loss.last.unwrap_or(RecordId::MAX),
    };
    Some((HoleEntry::key(sobject, &loss.chunk), hole))
}

fn take_back(edit: &mut Edit<'_>, chunk: &ChunkId) -> Result<()> {
    edit.node(None).remove(&named(prefix::LOSS, &chunk.0));
    let before = std::sync::Arc::clone(&edit.before);
    for org in before.orgs() {
        for sobject in before.objects(org)?.keys() {
            if before.holes(org, sobject)?.iter().any(|(of, _)| of == chunk) {
                edit.node(Some(org)).remove(&HoleEntry::key(sobject, chunk));
            }
        }
    }
    Ok(())
}

/// Copies what can be read out of damaged packs and condemns them.
fn replace(vault: &Vault, found: &CheckReport, report: &mut RepairReport) -> Result<()> {
    let catalog = vault.catalog();
    let mut epoch = found.epoch;
    let (mut data, mut metadata) = (Vec::new(), Vec::new());
    for pack in found.bad_packs.iter().filter(|pack| catalog.has_pack(pack)) {
        match catalog.pack_role(pack)? {
            PackRole::Data => data.push(*pack),
            PackRole::Metadata => metadata.push(*pack),
        }
    }
    let mut batches: Vec<&[PackId]> = data.chunks(BATCH).collect();
    batches.push(&metadata);
    for batch in batches.into_iter().filter(|batch| !batch.is_empty()) {
        let mut writer = Writer::new(vault);
        match salvage(vault, batch, &mut writer).and_then(|saved| all_saved(vault, batch, saved)) {
            Ok(chunks) => report.chunks_salvaged += chunks as u64,
            Err(error) => {
                writer.discard();
                return Err(error);
            }
        }
        let new = writer.written().0.to_vec();
        vault.commit(&new, &mut |edit| {
            writer.stands(&edit.before)?;
            // What another collector took away may be what served in the place of something damaged.
            edit.same_epoch(epoch)?;
            edit.condemn(batch);
            rewrite(vault, edit)?;
            edit.log("repair", None, format!("{} damaged packs replaced", batch.len()));
            Ok(())
        })?;
        epoch += 1;
        report.packs_condemned += batch.len() as u64;
    }
    Ok(())
}

/// Copies every readable chunk of data; metadata is written anew in the commit, from whichever copy serves.
fn salvage(vault: &Vault, packs: &[PackId], writer: &mut Writer<'_>) -> Result<BTreeSet<ChunkId>> {
    let mut saved = BTreeSet::new();
    for pack in packs {
        vault.go_on()?;
        let bytes = match vault.backend.get(&pack_name(pack)) {
            Err(e) if e.kind() == Kind::NotFound => continue,
            bytes => bytes?,
        };
        for (entry, _) in scan(&vault.keys, pack, &bytes).filter_map(Result::ok) {
            if !matches!(
                entry.kind,
                ChunkKind::PageKeys | ChunkKind::PageValues | ChunkKind::PageDerived | ChunkKind::Blob
            ) {
                continue;
            }
            let from = entry.location.offset as usize;
            let chunk = bytes.get(from..from + entry.location.len as usize);
            let chunk = chunk.ok_or_else(|| Error::corrupt("pack", "it is cut short"))?;
            writer.put(&reopen_chunk(&vault.keys, &entry.id, entry.kind, pack, chunk)?)?;
            saved.insert(entry.id);
        }
    }
    writer.sync()?;
    Ok(saved)
}

/// Sees that nothing stays behind in packs that go but what cannot be read, which the check has found; gives how much was
/// saved.
///
/// # Errors
/// `Busy` if something can be read that could not be when it was to be copied.
fn all_saved(vault: &Vault, packs: &[PackId], saved: BTreeSet<ChunkId>) -> Result<usize> {
    let mut left = Left { vault, packs, saved };
    walk(vault, &vault.catalog(), &mut left)?;
    Ok(left.saved.len())
}

struct Left<'l> {
    vault: &'l Vault,
    packs: &'l [PackId],
    saved: BTreeSet<ChunkId>,
}

impl Visit for Left<'_> {
    fn chunk(&mut self, seen: &Seen<'_>) -> Result<()> {
        let [at] = seen.at else { return Ok(()) };
        if !self.packs.contains(&at.pack) || self.saved.contains(&seen.id) {
            return Ok(());
        }
        match self.vault.chunk_at(seen.kind, &seen.id, at) {
            Ok(_) => Err(Error::new(
                Kind::Busy,
                format!("{} {} could not be read, and now can", seen.kind, seen.id),
            )
            .hint("nothing was replaced; run it again")),
            Err(e) if e.kind() == Kind::Corrupt => Ok(()),
            Err(e) => Err(e),
        }
    }

    fn draft(&mut self, _: OrgId, _: &PackId) -> Result<()> {
        Ok(())
    }

    /// What is lost has been entered.
    fn unreadable(&mut self, _: &Seen<'_>, _: Error) -> Result<()> {
        Ok(())
    }
}
