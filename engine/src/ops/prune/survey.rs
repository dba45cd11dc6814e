//! What each live pack holds: bytes that something refers to, and bytes that nothing does.
//!
//! Key decision: one mark of 8 bytes for each pair of chunk and pack that a reference means; the directories of the
//! packs, read anew, must bear every mark out, or nothing is decided. The index, which may lie, is asked only
//! where a chunk went that is not where its reference says.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{ChunkId, OrgId, PackId};
use crate::format::pack::{DirEntry, ENTRY_BYTES, PackRole};
use crate::ops::walk::{Seen, Visit, walk};
use crate::store::backend::pack_name;
use crate::vault::catalog::Catalog;
use crate::vault::open::Vault;

/// One live pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackUse {
    /// Its name.
    pub pack: PackId,
    /// What it is for.
    pub role: PackRole,
    /// Its length in the store.
    pub bytes: u64,
    /// Bytes of chunks that are referred to, with their entries in the directory.
    pub alive: u64,
    /// Bytes of the others.
    pub dead: u64,
}

/// What one catalog keeps alive, pack by pack.
pub struct Survey {
    /// The catalog that was walked.
    pub(super) catalog: Arc<Catalog>,
    marks: Marks,
    whole: BTreeSet<PackId>,
    /// Every live pack.
    pub packs: Vec<PackUse>,
}

impl Survey {
    /// What the next commits leave dead, about, in both copies: heads and overlays of four of them, and each base once,
    /// which an overlay may replace at any of them.
    pub(super) fn idle(&self) -> u64 {
        let nodes = self.catalog.head.nodes.values();
        let bases = nodes.clone().map(|(base, _)| 2 * u64::from(base.at[0].len));
        let chunks = nodes
            .map(|(_, overlay)| overlay.at[0])
            .chain([self.catalog.root.locations[0]]);
        bases.chain(chunks.map(|at| 8 * u64::from(at.len) + 1024)).sum()
    }

    /// Whether something refers to that chunk in that pack.
    pub(crate) fn alive(&self, id: &ChunkId, pack: &PackId) -> bool {
        self.whole.contains(pack) || self.marks.find(mark(id, pack)).is_some()
    }
}

/// Pairs of chunk and pack, 8 bytes each. Both are random, so that a pair is taken for another one once in 2^64;
/// then a dead chunk counts as alive.
#[derive(Default)]
struct Marks {
    all: Vec<u64>,
    sorted: usize,
}

/// Marks that come in before they are sorted again.
const UNSORTED: usize = 1 << 16;

impl Marks {
    fn add(&mut self, mark: u64) {
        self.all.push(mark);
        if self.all.len() > 2 * self.sorted + UNSORTED {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.all.sort_unstable();
        self.all.dedup();
        self.sorted = self.all.len();
    }

    fn find(&self, mark: u64) -> Option<usize> {
        self.all.binary_search(&mark).ok()
    }
}

fn mark(id: &ChunkId, pack: &PackId) -> u64 {
    let word = |bytes: &[u8; 32]| bytes.first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
    word(&id.0) ^ word(&pack.0).rotate_left(32)
}

struct Marker<'v> {
    vault: &'v Vault,
    catalog: &'v Catalog,
    lost: BTreeSet<ChunkId>,
    marks: Marks,
    whole: BTreeSet<PackId>,
}

impl Visit for Marker<'_> {
    fn chunk(&mut self, seen: &Seen<'_>) -> Result<()> {
        let mut found = false;
        for at in seen.at.iter().filter(|at| self.catalog.has_pack(&at.pack)) {
            self.marks.add(mark(&seen.id, &at.pack));
            found = true;
        }
        if found || self.lost.contains(&seen.id) {
            return Ok(());
        }
        match self.vault.locate(&[seen.id])?.pop().flatten() {
            Some(at) if self.catalog.has_pack(&at.pack) => {
                self.marks.add(mark(&seen.id, &at.pack));
                Ok(())
            }
            Some(_) => Err(
                Error::new(Kind::Busy, "the vault changed while it was being looked at").hint("run it again"),
            ),
            None => {
                let what = format!("{} {} of {}", seen.kind, seen.id, seen.owner);
                Err(Error::corrupt(what, "no live pack has it")
                    .hint("run `halite check`; nothing was pruned"))
            }
        }
    }

    fn draft(&mut self, _: OrgId, pack: &PackId) -> Result<()> {
        self.whole.insert(*pack);
        Ok(())
    }

    /// What a lost directory led to is not known any more: repair has entered that as lost, or comes first.
    fn unreadable(&mut self, seen: &Seen<'_>, error: Error) -> Result<()> {
        if self.lost.contains(&seen.id) {
            Ok(())
        } else {
            Err(error)
        }
    }
}

/// Walks a catalog and reads the directory of each of its packs.
///
/// # Errors
/// `Corrupt` if a chunk that is referred to is not where the vault believes it.
pub fn survey(vault: &Vault, catalog: Arc<Catalog>) -> Result<Survey> {
    let mut marker = Marker {
        vault,
        catalog: &catalog,
        lost: catalog.losses()?.into_iter().map(|(id, _)| id).collect(),
        marks: Marks::default(),
        whole: BTreeSet::new(),
    };
    walk(vault, &catalog, &mut marker)?;
    let Marker { mut marks, whole, .. } = marker;
    marks.settle();
    let mut borne_out = vec![0_u64; marks.all.len().div_ceil(64)];
    let mut packs = Vec::new();
    for pack in catalog.packs() {
        vault.go_on()?;
        let entries = vault.directory(&pack)?;
        let mut usage = PackUse {
            pack,
            role: catalog.pack_role(&pack)?,
            bytes: vault.backend.size(&pack_name(&pack))?,
            alive: 0,
            dead: 0,
        };
        for entry in &entries {
            let found = marks.find(mark(&entry.id, &pack));
            if let Some(at) = found {
                borne_out[at / 64] |= 1 << (at % 64);
            }
            let alive = found.is_some() || whole.contains(&pack);
            *(if alive { &mut usage.alive } else { &mut usage.dead }) += weight(entry);
        }
        packs.push(usage);
    }
    let found: usize = borne_out.iter().map(|word| word.count_ones() as usize).sum();
    if found != marks.all.len() {
        let why = format!(
            "{} chunks are not where they are believed",
            marks.all.len() - found
        );
        return Err(Error::corrupt("the vault", why).hint("run `halite check`; nothing was pruned"));
    }
    Ok(Survey {
        catalog,
        marks,
        whole,
        packs,
    })
}

/// What a chunk takes in its pack.
fn weight(entry: &DirEntry) -> u64 {
    u64::from(entry.location.len) + ENTRY_BYTES as u64
}
