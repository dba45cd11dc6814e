//! What every snapshot of a fleet must hold, which were acknowledged, and which were dropped.
//!
//! Key decision: an attempt is written down before its command runs, and the vault is looked at past all weather with the
//! book held still, so that each look can be judged at once: what it shows is compared with what had been said before. Whose
//! command it was does not matter; what was said does.

use std::collections::BTreeMap;
use std::sync::Arc;

use halite_engine::base::id::{OrgId, RecordId};
use halite_engine::ops::state::State;
use halite_engine::vault::{Secret, SnapshotInfo, Vault, VaultOptions};
use halite_engine::{Error, Result};
use halite_simulator_s3::S3;

use super::behind::Behind;
use crate::dice::Dice;
use crate::model::{Rows, SOBJECT, canonical, id};

/// An import, by its org and its instant. No instant is used twice.
pub type Import = (OrgId, i64);

/// What an import holds: the hash of its lines, and some records of it.
#[derive(Clone)]
pub struct Truth {
    pub hash: blake3::Hash,
    /// Each with its text, or none for one that is not there.
    pub records: Vec<(RecordId, Option<String>)>,
}

/// How far one has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It may be there or not.
    Tried,
    /// It was said to be there.
    Kept,
    /// It was said to be dropped.
    Gone,
}

#[derive(Clone)]
pub struct Entry {
    pub stage: Stage,
    pub truth: Truth,
    /// How often the collector had begun to drop snapshots of the org when it was tried.
    drops: u64,
}

/// Everything that is true, and the vault as it stands.
pub struct Book {
    s3: Arc<S3>,
    secret: Vec<u8>,
    pub entries: BTreeMap<Import, Entry>,
    /// How often the collector began to drop snapshots of an org, and whether it is at it.
    drops: BTreeMap<OrgId, (u64, bool)>,
    /// Snapshots that were read whole.
    pub read: u64,
    pub wrong: Vec<String>,
}

/// What is listed.
pub type Listing = BTreeMap<Import, SnapshotInfo>;

impl Truth {
    /// Of rows, with some of the first `span` to be shown.
    pub fn of(rows: &Rows, dice: &mut Dice, span: u64) -> Result<Self> {
        let mut hash = blake3::Hasher::new();
        for (id, row) in rows {
            hash.update(canonical(*id, row).as_bytes()).update(b"\n");
        }
        let records = (0..4).map(|_| {
            let id = id(dice.below(span))?;
            Ok((id, rows.get(&id).map(|row| canonical(id, row))))
        });
        Ok(Self {
            hash: hash.finalize(),
            records: records.collect::<Result<_>>()?,
        })
    }
}

impl Book {
    /// Of a vault that this opens.
    pub fn new(s3: Arc<S3>, secret: Vec<u8>) -> Self {
        Self {
            s3,
            secret,
            entries: BTreeMap::new(),
            drops: BTreeMap::new(),
            read: 0,
            wrong: Vec::new(),
        }
    }

    /// Opens the vault past all weather.
    pub fn vault(&self) -> Result<Vault> {
        let secret = Secret::KeyFile(self.secret.clone().into());
        let place = Arc::new(Behind(Arc::clone(&self.s3)));
        Vault::open(place, &secret, VaultOptions::default())
    }

    /// An import is about to be tried.
    pub fn tries(&mut self, import: Import, truth: Truth) {
        let drops = self.begun(import.0);
        let stage = Stage::Tried;
        self.entries.insert(import, Entry { stage, truth, drops });
    }

    fn drops(&self, org: OrgId) -> (u64, bool) {
        self.drops.get(&org).copied().unwrap_or_default()
    }

    /// Whether snapshots of the org may have been dropped since the collector had begun so often.
    pub fn dropped_since(&self, org: OrgId, drops: u64) -> bool {
        let (now, at_it) = self.drops(org);
        at_it || now != drops
    }

    /// How often the collector has begun to drop snapshots of the org.
    pub fn begun(&self, org: OrgId) -> u64 {
        let (begun, at_it) = self.drops(org);
        // One that is going on may take what is looked at now.
        begun - u64::from(at_it)
    }

    /// The collector begins to drop snapshots of an org.
    pub fn drops_begin(&mut self, org: OrgId) {
        let drops = self.drops.entry(org).or_default();
        *drops = (drops.0 + 1, true);
    }

    /// It is done: what is missing must be what `may` go.
    pub fn drops_end(&mut self, org: OrgId, may: &dyn Fn(i64, &Listing) -> bool) -> Result<()> {
        let listing = self.look()?;
        self.drops.entry(org).or_default().1 = false;
        let kept = self.kept(org);
        for at in kept.into_iter().filter(|at| !listing.contains_key(&(org, *at))) {
            if !may(at, &listing) {
                self.wrong
                    .push(format!("snapshot {at} of org {org} was dropped, and must not"));
            }
            self.set((org, at), Stage::Gone);
        }
        Ok(())
    }

    /// The instants of the snapshots of an org that were acknowledged and are not dropped.
    pub fn kept(&self, org: OrgId) -> Vec<i64> {
        let of = self.entries.range((org, i64::MIN)..=(org, i64::MAX));
        of.filter(|(_, entry)| entry.stage == Stage::Kept)
            .map(|((_, at), _)| *at)
            .collect()
    }

    fn set(&mut self, import: Import, stage: Stage) {
        if let Some(entry) = self.entries.get_mut(&import) {
            entry.stage = stage;
        }
    }

    /// Lists all snapshots, and says what is wrong with that.
    pub fn look(&mut self) -> Result<Listing> {
        let (vault, mut listing) = (self.vault()?, Listing::new());
        for org in vault.orgs() {
            for info in vault.snapshots(org)? {
                if listing.insert((org, info.from.millis()), info).is_some() {
                    self.wrong
                        .push(format!("org {org} has two snapshots of one instant"));
                }
            }
        }
        for (org, at) in listing.keys() {
            match self.entries.get(&(*org, *at)).map(|entry| entry.stage) {
                None => self
                    .wrong
                    .push(format!("snapshot {at} of org {org} came from nowhere")),
                Some(Stage::Gone) => self.wrong.push(format!("snapshot {at} of org {org} is back")),
                Some(_) => {}
            }
        }
        let mut lost = Vec::new();
        for ((org, at), entry) in &self.entries {
            let may_go = self.drops(*org).1;
            if entry.stage == Stage::Kept && !may_go && !listing.contains_key(&(*org, *at)) {
                self.wrong.push(format!(
                    "snapshot {at} of org {org} was acknowledged, and is lost"
                ));
                lost.push((*org, *at));
            }
        }
        // Each is told once.
        lost.into_iter().for_each(|import| self.set(import, Stage::Tried));
        Ok(listing)
    }

    /// An import was acknowledged. Gives what is to be read of it, if it is there.
    pub fn acknowledged(&mut self, import: Import) -> Result<Option<SnapshotInfo>> {
        let found = self.look()?.remove(&import);
        let began = self.entries.get(&import).map_or(0, |entry| entry.drops);
        if found.is_some() {
            self.set(import, Stage::Kept);
        } else if self.dropped_since(import.0, began) {
            self.set(import, Stage::Gone);
        } else {
            let (org, at) = import;
            self.wrong.push(format!(
                "snapshot {at} of org {org} was acknowledged, and is not there"
            ));
        }
        Ok(found)
    }

    /// Whether an import that failed is there all the same.
    pub fn is_there(&mut self, import: Import) -> Result<bool> {
        Ok(self.look()?.contains_key(&import))
    }

    /// The hash that a snapshot must have.
    pub fn truth(&self, import: Import) -> Option<&Truth> {
        self.entries.get(&import).map(|entry| &entry.truth)
    }
}

/// The hash of all records of a snapshot.
pub fn hash(vault: &Vault, info: &SnapshotInfo) -> Result<blake3::Hash> {
    let mut hash = blake3::Hasher::new();
    State::at(vault, info).each(SOBJECT, &mut |record| {
        hash.update(record.json.as_bytes()).update(b"\n");
        Ok(())
    })?;
    Ok(hash.finalize())
}

/// A time as the command takes it.
pub fn time(at: i64) -> String {
    halite_engine::base::stamp::Stamp::from_millis(at).to_string()
}

/// An error of the run itself.
pub fn failed(what: impl Into<String>) -> Error {
    Error::invalid(what)
}
