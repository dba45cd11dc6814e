//! The oracle: what every snapshot must hold, and which change of the root was whose to make.
//!
//! Key decision: each root is opened and read at the very swap that makes it, by a vault that nothing is done to; so a
//! publication is known though its answer is lost, and a snapshot that vanishes is known at once. It keeps what all
//! snapshots ever held. It reads no pages: `look` does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use halite_engine::Result;
use halite_engine::base::id::{OrgId, RecordId, SnapshotId};
use halite_engine::ops::hold::holds;
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, SnapshotInfo, Vault, VaultOptions};

use crate::model::Rows;

/// What a publication holds.
#[derive(Clone)]
pub enum Content {
    /// All of it.
    Whole(Arc<Rows>),
    /// What differs from the snapshot before: rows that came or changed, Ids that went.
    Changes(Arc<Rows>, Vec<RecordId>),
}

/// What a step of an actor may do to the snapshots that are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum May {
    /// Nothing.
    Keep,
    /// Add one of that org whose interval begins then.
    Add(OrgId, i64),
    /// Drop some of that org, neither held ones nor the newest.
    Drop(OrgId),
    /// Forget that org.
    Forget(OrgId),
}

/// Everything that is true.
#[derive(Clone, Default)]
pub struct Book {
    /// What each attempt would publish.
    pub attempts: BTreeMap<(OrgId, i64), Content>,
    /// The kept snapshots under the newest root.
    pub kept: BTreeMap<(OrgId, u64), SnapshotInfo>,
    /// What each snapshot ever published holds.
    pub truths: BTreeMap<SnapshotId, Arc<Rows>>,
    /// The snapshot that was the newest of the org when it was published.
    pub before: BTreeMap<SnapshotId, SnapshotId>,
    /// The latest that an interval of an org ever began.
    pub latest: BTreeMap<OrgId, i64>,
    held: BTreeSet<(OrgId, u64)>,
    /// What each actor is at.
    pub may: Vec<May>,
    /// The newest root.
    pub version: u64,
    /// How many packs it lists.
    pub packs: usize,
    /// How often the master key was changed.
    pub rekeyed: u64,
    /// What went wrong.
    pub wrong: Vec<String>,
}

impl Book {
    /// Of a store with a vault in which nothing is.
    pub fn new(actors: usize) -> Self {
        Self {
            may: vec![May::Keep; actors],
            version: 1,
            ..Self::default()
        }
    }

    /// Notes what is wrong.
    pub fn wrong(&mut self, what: impl Into<String>) {
        self.wrong.push(what.into());
    }

    /// Takes the root in that was just swapped in.
    pub fn witness(&mut self, actor: usize, live: &Memory) {
        if let Err(error) = self.take(actor, live) {
            self.wrong(format!(
                "the root after version {} cannot be read: {error}",
                self.version
            ));
        }
    }

    fn take(&mut self, actor: usize, live: &Memory) -> Result<()> {
        let vault = Vault::open(Arc::new(live.clone()), &Secret::None, VaultOptions::default())?;
        let catalog = vault.catalog();
        if catalog.version() != self.version + 1 {
            self.wrong(format!(
                "root {} came after root {}",
                catalog.version(),
                self.version
            ));
        }
        self.version = catalog.version();
        self.packs = catalog.packs().len();
        let rekeyed = catalog.activity()?.iter().filter(|a| a.verb == "rekey").count();
        self.rekeyed = rekeyed as u64;
        let mut kept = BTreeMap::new();
        for org in catalog.orgs() {
            kept.extend(catalog.snapshots(org)?.into_iter().map(|s| ((org, s.number), s)));
        }
        self.dropped(actor, &kept);
        self.added(actor, &kept);
        self.kept = kept;
        self.held = holds(&vault)?.iter().map(|h| (h.org, h.entry.snapshot)).collect();
        Ok(())
    }

    /// What is not there any more: was it this actor's to take?
    fn dropped(&mut self, actor: usize, now: &BTreeMap<(OrgId, u64), SnapshotInfo>) {
        let name = |kept: Option<&SnapshotInfo>| kept.map(|s| s.name);
        let gone: Vec<(OrgId, u64)> = self
            .kept
            .iter()
            .filter(|(key, s)| name(now.get(key)) != Some(s.name))
            .map(|(key, _)| *key)
            .collect();
        for (org, number) in gone {
            let newest = self.newest(org).is_some_and(|s| s.number == number);
            let held = self.held.contains(&(org, number));
            let may = match &self.may[actor] {
                May::Drop(of) => *of == org && !newest && !held,
                May::Forget(of) => *of == org && !held,
                _ => false,
            };
            if !may {
                let doing = &self.may[actor];
                self.wrong(format!(
                    "snapshot {number} of org {org} vanished at root {} (newest {newest}, held {held}; {doing:?})",
                    self.version
                ));
            }
        }
    }

    /// What is new: is it what this actor is publishing?
    fn added(&mut self, actor: usize, now: &BTreeMap<(OrgId, u64), SnapshotInfo>) {
        for ((org, number), info) in now {
            if self
                .kept
                .get(&(*org, *number))
                .is_some_and(|s| s.name == info.name)
            {
                continue;
            }
            let before = self.newest(*org).cloned();
            let (from, doing) = (info.from.millis(), &self.may[actor]);
            let next = before.as_ref().map_or(1, |s| s.number + 1);
            let content = self.attempts.get(&(*org, from)).cloned();
            if *doing != May::Add(*org, from) || next != *number || self.truths.contains_key(&info.name) {
                let text = format!("snapshot {number} of org {org} appeared from nowhere; {doing:?}");
                self.wrong(text);
            }
            let old = before.as_ref().and_then(|s| self.truths.get(&s.name));
            let rows = match content {
                Some(Content::Whole(rows)) => rows,
                Some(Content::Changes(came, gone)) => {
                    let mut rows = old.map(|old| (**old).clone()).unwrap_or_default();
                    rows.extend(came.iter().map(|(id, row)| (*id, row.clone())));
                    gone.iter().for_each(|id| drop(rows.remove(id)));
                    Arc::new(rows)
                }
                None => Arc::default(),
            };
            self.truths.insert(info.name, rows);
            let latest = self.latest.entry(*org).or_insert(from);
            *latest = from.max(*latest);
            self.before.extend(before.map(|s| (info.name, s.name)));
        }
    }

    /// The newest kept snapshot of an org.
    pub fn newest(&self, org: OrgId) -> Option<&SnapshotInfo> {
        self.kept
            .range((org, 0)..=(org, u64::MAX))
            .map(|(_, s)| s)
            .next_back()
    }

    /// Whether a snapshot is kept under the newest root.
    pub fn is_kept(&self, snapshot: &SnapshotInfo) -> bool {
        self.kept
            .get(&(snapshot.org, snapshot.number))
            .is_some_and(|s| s.name == snapshot.name)
    }
}
