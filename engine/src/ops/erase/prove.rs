//! The proof of an erasure: every pack in the store is read, every chunk opened, decoded and searched for the Ids.
//!
//! Key decision: it goes by the store's own listing and not by what an erasure believes to have deleted. What refers to
//! a chunk says whose it is; of what nothing refers to, all that may hold a record counts as left. It changes nothing,
//! and tells neither Ids nor values.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rayon::prelude::*;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{ChunkId, OrgId, PackId, RecordId};
use crate::format::scan::scan;
use crate::format::seal::ChunkKind;
use crate::ops::erase::look::{Look, Wanted, holds_records};
use crate::ops::prune::{Survey, listed, survey};
use crate::ops::walk::{Seen, Visit, walk};
use crate::store::backend::pack_name;
use crate::vault::open::Vault;

/// What was searched and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Proof {
    /// Packs in the store, all of them read.
    pub packs: u64,
    /// Chunks in them, all of them opened and searched.
    pub chunks: u64,
    /// Versions of the records in the org's pages.
    pub versions: u64,
    /// Chunks to which nothing refers and that hold one of the records, name it, or hold values of which nobody can
    /// tell whose they were; and nodes of the catalog that name one.
    pub left: u64,
    /// Chunks of values in packs that no root names, of a writer at work or a killed one. If it began before the
    /// erasure it can publish nothing.
    pub unpublished: u64,
    /// Versions of the same Ids in other orgs of the vault, which are other records.
    pub other_orgs: u64,
    /// How many values, stamps and other places name one of the Ids, by sObject: they are not versions, and stay.
    pub mentions: BTreeMap<String, u64>,
}

impl Proof {
    /// Whether no version of the records is in the vault.
    pub fn holds(&self) -> bool {
        self.versions == 0 && self.left == 0
    }
}

/// Searches the whole vault for versions of `ids` in an org.
///
/// # Errors
/// `Corrupt` if something alive cannot be read: repair comes first. `Busy` if packs went while it was reading.
pub fn prove(vault: &Vault, org: OrgId, ids: &BTreeSet<RecordId>) -> Result<Proof> {
    search(vault, org, ids).map(|(proof, _)| proof)
}

/// The same, with the packs in which something is left.
pub(super) fn search(
    vault: &Vault,
    org: OrgId,
    ids: &BTreeSet<RecordId>,
) -> Result<(Proof, BTreeSet<PackId>)> {
    let catalog = vault.refresh()?;
    let survey = survey(vault, Arc::clone(&catalog))?;
    let condemned = catalog.condemned()?;
    let condemned: BTreeSet<PackId> = condemned.into_iter().map(|(pack, _)| pack).collect();
    let search = Search {
        vault,
        wanted: Wanted::new(ids),
        survey: &survey,
        live: &|pack| catalog.has_pack(pack),
        named: &|pack| catalog.has_pack(pack) || condemned.contains(pack),
    };
    let all = listed(vault)?;
    if let Some(gone) = catalog
        .packs()
        .iter()
        .find(|pack| all.iter().all(|(there, _)| there != *pack))
    {
        return Err(busy(gone));
    }
    let searched = all.into_par_iter().map(|(pack, _)| search.pack(&pack));
    let (mut proof, mut alive, mut packs) = (Proof::default(), HashMap::new(), BTreeSet::new());
    for (pack, of_one) in searched.collect::<Result<Vec<_>>>()?.into_iter().flatten() {
        proof.packs += 1;
        proof.chunks += of_one.chunks;
        proof.left += of_one.left;
        proof.unpublished += of_one.unpublished;
        alive.extend(of_one.alive);
        if of_one.left > 0 {
            packs.insert(pack);
        }
    }
    let mut owners = Owners {
        org,
        proof: &mut proof,
        alive: &alive,
        packs: &mut packs,
        told: BTreeSet::new(),
    };
    walk(vault, &catalog, &mut owners)?;
    Ok((proof, packs))
}

fn busy(pack: &PackId) -> Error {
    Error::new(
        Kind::Busy,
        format!("pack {pack} went while the vault was searched"),
    )
    .hint("run it again")
}

/// What one pack holds.
#[derive(Default)]
struct OfPack {
    chunks: u64,
    left: u64,
    unpublished: u64,
    alive: Vec<(ChunkId, Look)>,
}

struct Search<'s> {
    vault: &'s Vault,
    wanted: Wanted,
    survey: &'s Survey,
    live: &'s (dyn Fn(&PackId) -> bool + Sync),
    named: &'s (dyn Fn(&PackId) -> bool + Sync),
}

impl Search<'_> {
    /// Searches a pack; `None` if it went meanwhile and was not alive.
    fn pack(&self, pack: &PackId) -> Result<Option<(PackId, OfPack)>> {
        self.vault.go_on()?;
        let live = (self.live)(pack);
        let bytes = match self.vault.backend.get(&pack_name(pack)) {
            Err(e) if e.kind() == Kind::NotFound => return if live { Err(busy(pack)) } else { Ok(None) },
            bytes => bytes?,
        };
        let mut found = OfPack::default();
        for chunk in scan(&self.vault.keys, pack, &bytes) {
            found.chunks += 1;
            let looked = chunk.and_then(|(entry, plain)| {
                let look = self.wanted.look(entry.kind, &plain)?;
                Ok((entry, look))
            });
            let (entry, look) = match looked {
                Ok(looked) => looked,
                Err(e) if live => {
                    return Err(e.hint("run `halite check`; what cannot be read cannot be searched"));
                }
                // What cannot be read may be anything.
                Err(_) => {
                    found.left += 1;
                    continue;
                }
            };
            if live && self.survey.alive(&entry.id, pack) {
                if look != Look::default() {
                    found.alive.push((entry.id, look));
                }
            } else if self.is_left(entry.kind, look) {
                found.left += 1;
            } else if holds_values(entry.kind) {
                // A writer at work: the rest of its packs has not been seen.
                let here = if (self.named)(pack) {
                    &mut found.left
                } else {
                    &mut found.unpublished
                };
                *here += 1;
            }
        }
        Ok(Some((*pack, found)))
    }

    /// Whether a chunk that nothing refers to holds a record, or names it.
    fn is_left(&self, kind: ChunkKind, look: Look) -> bool {
        look.versions > 0 || (look.mentions > 0 && kind != ChunkKind::PageKeys && !holds_values(kind))
    }
}

fn holds_values(kind: ChunkKind) -> bool {
    kind.is_value() && holds_records(kind)
}

/// Says whose the chunks are that are alive.
struct Owners<'p> {
    org: OrgId,
    proof: &'p mut Proof,
    alive: &'p HashMap<ChunkId, Look>,
    packs: &'p mut BTreeSet<PackId>,
    told: BTreeSet<(ChunkId, Option<OrgId>, String)>,
}

impl Visit for Owners<'_> {
    fn chunk(&mut self, seen: &Seen<'_>) -> Result<()> {
        let Some(look) = self.alive.get(&seen.id) else {
            return Ok(());
        };
        // What a node said is said no more, but its full copy is still the one of before.
        if seen.kind == ChunkKind::CatalogNode {
            self.proof.left += look.mentions;
            self.packs.extend(seen.at.iter().map(|at| at.pack));
            return Ok(());
        }
        let sobject = seen.owner.sobject.unwrap_or("(the vault itself)").to_owned();
        if !self.told.insert((seen.id, seen.owner.org, sobject.clone())) {
            return Ok(());
        }
        if seen.owner.org.is_some_and(|org| org != self.org) {
            self.proof.other_orgs += look.versions;
            return Ok(());
        }
        self.proof.versions += look.versions;
        // A directory of the org names the first and last Id of each page: a version that is there.
        if matches!(seen.kind, ChunkKind::RunHead | ChunkKind::RunPart) {
            self.proof.versions += look.mentions;
        } else if look.mentions > 0 {
            *self.proof.mentions.entry(sobject).or_default() += look.mentions;
        }
        Ok(())
    }

    fn draft(&mut self, _: OrgId, _: &PackId) -> Result<()> {
        Ok(())
    }
}
