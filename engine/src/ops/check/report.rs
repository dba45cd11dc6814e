//! What a check found: a value, for a person and for a program.
//!
//! Key decision: what is damaged and what is lost by it are two lists. A damaged thing whose copy serves, or that nothing
//! refers to, costs nothing; a loss names sObject, Ids and snapshots. Both lists are bounded. It mends nothing.

use std::collections::BTreeSet;
use std::fmt;

use crate::base::error::Error;
use crate::base::id::{ChunkId, OrgId, PackId, RecordId};
use crate::format::seal::ChunkKind;
use crate::ops::check::Level;
use crate::ops::walk::Seen;

/// Entries of each list that are kept; more are counted.
const ENTRIES_MAX: usize = 100_000;

/// A thing that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Damage {
    /// The thing: a pack, a copy of a chunk, a key slot, a state.
    pub what: String,
    /// Expected and found.
    pub why: String,
}

/// A chunk that is referred to and cannot be read from anywhere, and what it takes from one sObject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Loss {
    /// The org; `None`: the vault itself.
    #[serde(serialize_with = "shown")]
    pub org: Option<OrgId>,
    /// The sObject.
    pub sobject: Option<String>,
    /// What the chunk held: keys cost versions, values the values of versions, run heads and parts all beneath.
    #[serde(serialize_with = "kind")]
    pub kind: ChunkKind,
    /// The smallest Id concerned.
    #[serde(serialize_with = "shown")]
    pub first: Option<RecordId>,
    /// The largest.
    #[serde(serialize_with = "shown")]
    pub last: Option<RecordId>,
    /// Lowest and highest snapshot concerned.
    pub snapshots: Option<(u64, u64)>,
    /// The chunk's name.
    #[serde(serialize_with = "name")]
    pub chunk: ChunkId,
}

fn shown<T: fmt::Display, S: serde::Serializer>(id: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => to.collect_str(id),
        None => to.serialize_none(),
    }
}

fn kind<S: serde::Serializer>(kind: &ChunkKind, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(kind.name())
}

fn number<S: serde::Serializer>(ids: &[ChunkId], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(ids.len() as u64)
}

fn name<S: serde::Serializer>(id: &ChunkId, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(id)
}

/// What a check looked at and found.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct CheckReport {
    /// How far it went.
    pub level: Level,
    /// The version of the root that it looked at.
    pub version: u64,
    /// Live packs.
    pub packs: u64,
    /// Chunks in them.
    pub chunks: u64,
    /// References to chunks.
    pub references: u64,
    /// Chunks of data that were opened through their references.
    pub sampled: u64,
    /// Versions of records whose order and content were proved.
    pub versions: u64,
    /// States of an sObject whose digest was proved.
    pub states_proved: u64,
    /// States that cannot be proved, because something they need is lost.
    pub states_unproved: u64,
    /// Chunks that an earlier repair entered as lost.
    pub known_losses: u64,
    /// Of these, the chunks that are there again: repair takes the losses back. Told by their number.
    #[serde(serialize_with = "number")]
    pub healed: Vec<ChunkId>,
    /// What is damaged.
    pub damages: Vec<Damage>,
    /// What is lost by it, in order.
    pub losses: Vec<Loss>,
    /// Damages and losses beyond those listed.
    pub more: u64,
    /// The epoch of the root that it looked at.
    #[serde(skip)]
    pub(crate) epoch: u64,
    /// The packs that repair would condemn.
    #[serde(skip)]
    pub(crate) bad_packs: BTreeSet<PackId>,
}

impl CheckReport {
    /// Whether all that was looked at is as it was written.
    pub fn is_sound(&self) -> bool {
        self.damages.is_empty() && self.losses.is_empty()
    }

    /// The same, without bad packs and losses that another look did not find.
    pub(crate) fn agreed_with(mut self, other: &Self) -> Self {
        self.bad_packs.retain(|pack| other.bad_packs.contains(pack));
        self.losses
            .retain(|loss| other.losses.binary_search(loss).is_ok());
        self
    }

    pub(super) fn damage(&mut self, what: impl fmt::Display, why: &Error) {
        if self.damages.len() == ENTRIES_MAX {
            self.more += 1;
            return;
        }
        self.damages.push(Damage {
            what: what.to_string(),
            why: why.message().to_owned(),
        });
    }

    pub(super) fn bad_pack(&mut self, pack: PackId, why: &Error) {
        self.bad_packs.insert(pack);
        self.damage(format_args!("pack {pack}"), why);
    }

    pub(super) fn lost(&mut self, seen: &Seen<'_>) {
        if self.losses.len() == ENTRIES_MAX {
            self.more += 1;
            return;
        }
        let owner = seen.owner;
        self.losses.push(Loss {
            org: owner.org,
            sobject: owner.sobject.map(str::to_owned),
            kind: seen.kind,
            chunk: seen.id,
            first: owner.ids.map(|ids| ids.0),
            last: owner.ids.map(|ids| ids.1),
            snapshots: owner.snapshots,
        });
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(org) = self.org {
            write!(f, " of org {org}")?;
        }
        if let Some(sobject) = &self.sobject {
            write!(f, ", {sobject}")?;
        }
        if let (Some(first), Some(last)) = (self.first, self.last) {
            write!(f, ", Ids {first} to {last}")?;
        }
        match self.snapshots {
            Some((low, high)) if low == high => write!(f, ", snapshot {low}"),
            Some((low, high)) => write!(f, ", snapshots {low} to {high}"),
            None => Ok(()),
        }
    }
}
