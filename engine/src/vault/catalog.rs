//! The catalog of one root version in memory, and the typed questions asked of it.
//!
//! Key decision: an immutable value behind an `Arc`: a reader keeps the one it began with, so that nothing moves
//! under it and no lock is held. It is never edited in place: a commit makes the next one.

use std::collections::BTreeMap;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{ChunkId, OrgId, PackId, SnapshotId};
use crate::base::stamp::Stamp;
use crate::format::catalog::{Head, Node};
use crate::format::entry::{
    ObjectEntry, PackEntry, RunEntry, SchemaEntry, SnapshotEntry, named, numbered, of_sobject, prefix,
};
use crate::format::loss::{HoleEntry, LossEntry};
use crate::format::mark::{ActivityEntry, CondemnedEntry, HoldEntry, MasterEntry};
use crate::format::pack::PackRole;
use crate::format::root::Root;

/// Where everything lives, as one root version says.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// The root that names it, and its bytes, which the next swap must find.
    pub(crate) root: Root,
    pub(crate) root_bytes: Vec<u8>,
    pub(crate) head: Head,
    pub(crate) nodes: BTreeMap<Option<OrgId>, Node>,
}

/// One kept snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// Its number in the org, from 1.
    pub number: u64,
    /// Its random name.
    pub name: SnapshotId,
    /// The org.
    pub org: OrgId,
    /// U: each record is as it was at some instant in [U, E].
    pub from: Stamp,
    /// E.
    pub until: Stamp,
    /// When it was published, by the machine that did.
    pub taken: Stamp,
    /// What read it.
    pub source: String,
}

impl Catalog {
    /// The number of the root.
    pub fn version(&self) -> u64 {
        self.root.version
    }

    /// The orgs that have a snapshot, in order of their Ids.
    pub fn orgs(&self) -> Vec<OrgId> {
        self.nodes
            .iter()
            .filter_map(|(org, node)| org.filter(|_| node.scan(&[prefix::SNAPSHOT]).next().is_some()))
            .collect()
    }

    /// The node of an org; `None` if it has none yet.
    pub(crate) fn node(&self, org: OrgId) -> Option<&Node> {
        self.nodes.get(&Some(org))
    }

    /// The kept snapshots of an org, oldest first.
    pub fn snapshots(&self, org: OrgId) -> Result<Vec<SnapshotInfo>> {
        let Some(node) = self.node(org) else {
            return Ok(Vec::new());
        };
        node.scan(&[prefix::SNAPSHOT])
            .map(|(key, value)| snapshot(org, key, value).map(|(info, _)| info))
            .collect()
    }

    /// The newest snapshot whose interval begins at or before `at`.
    pub fn snapshot_at(&self, org: OrgId, at: Stamp) -> Result<SnapshotInfo> {
        let all = self.snapshots(org)?;
        all.into_iter().rev().find(|s| s.from <= at).ok_or_else(|| {
            Error::new(
                Kind::NotFound,
                format!("org {org} has no snapshot at or before {at}"),
            )
            .hint("`halite snapshots` lists what is there")
        })
    }

    /// The snapshot of that number, name (or the beginning of one), or the newest at that time.
    pub fn find_snapshot(&self, org: OrgId, text: &str) -> Result<SnapshotInfo> {
        if text != "latest"
            && let Ok(at) = text.parse::<Stamp>()
        {
            return self.snapshot_at(org, at);
        }
        let all = self.snapshots(org)?;
        let fits = |s: &&SnapshotInfo| {
            s.number.to_string() == text || (text.len() >= 6 && s.name.to_string().starts_with(text))
        };
        let found = if text == "latest" {
            all.last()
        } else {
            all.iter().find(fits)
        };
        found.cloned().ok_or_else(|| {
            Error::new(Kind::NotFound, format!("org {org} has no snapshot `{text}`"))
                .hint("give a number, a name or a time that `halite snapshots` lists")
        })
    }

    /// The sObjects of an org and how the newest snapshot left them.
    pub fn objects(&self, org: OrgId) -> Result<BTreeMap<String, ObjectEntry>> {
        let Some(node) = self.node(org) else {
            return Ok(BTreeMap::new());
        };
        let entry = |(key, value): (&[u8], &[u8])| Ok((text(&key[1..])?, ObjectEntry::decode(value)?));
        node.scan(&[prefix::OBJECT]).map(entry).collect()
    }

    /// The state entry of one sObject.
    pub fn object(&self, org: OrgId, sobject: &str) -> Result<Option<ObjectEntry>> {
        let value = self
            .node(org)
            .and_then(|n| n.get(&named(prefix::OBJECT, sobject.as_bytes())));
        value.map(ObjectEntry::decode).transpose()
    }

    /// The live runs of one sObject, oldest first.
    pub fn runs(&self, org: OrgId, sobject: &str) -> Result<Vec<RunEntry>> {
        let Some(node) = self.node(org) else {
            return Ok(Vec::new());
        };
        node.scan(&of_sobject(prefix::RUN, sobject, &[]))
            .map(|(_, value)| RunEntry::decode(value))
            .collect()
    }

    /// The schema of that number.
    pub fn schema(&self, org: OrgId, sobject: &str, number: u32) -> Result<SchemaEntry> {
        let value = self
            .node(org)
            .and_then(|n| n.get(&of_sobject(prefix::SCHEMA, sobject, &[u64::from(number)])));
        let missing = || {
            Error::corrupt(
                "catalog",
                format_args!("schema {number} of {sobject} is not in it"),
            )
        };
        SchemaEntry::decode(value.ok_or_else(missing)?)
    }

    /// The manifest entry of a snapshot.
    pub fn snapshot_entry(&self, org: OrgId, number: u64) -> Result<SnapshotEntry> {
        let value = self
            .node(org)
            .and_then(|n| n.get(&numbered(prefix::SNAPSHOT, number)));
        let missing = || Error::new(Kind::NotFound, format!("org {org} has no snapshot {number}"));
        SnapshotEntry::decode(value.ok_or_else(missing)?)
    }

    /// The live packs.
    pub fn packs(&self) -> Vec<PackId> {
        let vault = self.nodes.get(&None);
        let keys = vault.into_iter().flat_map(|n| {
            n.scan(&[prefix::PACK])
                .map(|(k, _)| k.to_vec())
                .collect::<Vec<_>>()
        });
        keys.filter_map(|k| <[u8; 32]>::try_from(&k[1..]).ok().map(PackId))
            .collect()
    }

    /// The entries of a prefix in the node of an org, or in the vault's own.
    fn scan<T>(
        &self,
        org: Option<OrgId>,
        prefix: u8,
        read: impl Fn(&[u8], &[u8]) -> Result<T>,
    ) -> Result<Vec<T>> {
        let key = [prefix];
        let entries = self.nodes.get(&org).into_iter().flat_map(|node| node.scan(&key));
        entries.map(|(key, value)| read(&key[1..], value)).collect()
    }

    /// The packs on their way out.
    pub fn condemned(&self) -> Result<Vec<(PackId, CondemnedEntry)>> {
        self.scan(None, prefix::CONDEMNED, |key, value| {
            Ok((PackId(array(key)?), CondemnedEntry::decode(value)?))
        })
    }

    /// The holds on snapshots of an org, by their names.
    pub fn holds(&self, org: OrgId) -> Result<Vec<([u8; 16], HoldEntry)>> {
        self.scan(Some(org), prefix::HOLD, |key, value| {
            Ok((array(key)?, HoldEntry::decode(value)?))
        })
    }

    /// The chunks that are lost.
    pub fn losses(&self) -> Result<Vec<(ChunkId, LossEntry)>> {
        self.scan(None, prefix::LOSS, |key, value| {
            Ok((ChunkId(array(key)?), LossEntry::decode(value)?))
        })
    }

    /// Whether a chunk is known to be lost.
    pub(crate) fn is_lost(&self, id: &ChunkId) -> bool {
        let node = self.nodes.get(&None);
        node.is_some_and(|node| node.get(&named(prefix::LOSS, &id.0)).is_some())
    }

    /// The holes that lost chunks leave in an sObject.
    pub fn holes(&self, org: OrgId, sobject: &str) -> Result<Vec<(ChunkId, HoleEntry)>> {
        let key = of_sobject(prefix::LOSS, sobject, &[]);
        let entries = self.node(org).into_iter().flat_map(|node| node.scan(&key));
        entries
            .map(|(found, value)| Ok((ChunkId(array(&found[key.len()..])?), HoleEntry::decode(value)?)))
            .collect()
    }

    /// What was done to the vault, oldest first.
    pub fn activity(&self) -> Result<Vec<ActivityEntry>> {
        self.scan(None, prefix::ACTIVITY, |_, value| ActivityEntry::decode(value))
    }

    /// What a live pack is for.
    pub fn pack_role(&self, pack: &PackId) -> Result<PackRole> {
        let entry = self
            .nodes
            .get(&None)
            .and_then(|n| n.get(&named(prefix::PACK, &pack.0)));
        let missing = || Error::new(Kind::NotFound, format!("pack {pack} is not live"));
        Ok(PackEntry::decode(entry.ok_or_else(missing)?)?.role)
    }

    /// The live packs that are sealed under a master key before the newest.
    pub fn former_packs(&self) -> Result<Vec<PackId>> {
        let keys = self.scan(None, prefix::MASTER, |_, value| MasterEntry::decode(value))?;
        let since = keys.last().map_or(0, |key| key.since);
        let mut packs = self.scan(None, prefix::PACK, |key, value| {
            Ok((PackId(array(key)?), PackEntry::decode(value)?.since))
        })?;
        packs.retain(|(_, brought)| *brought < since);
        Ok(packs.into_iter().map(|(pack, _)| pack).collect())
    }

    /// Whether a pack is live.
    pub fn has_pack(&self, pack: &PackId) -> bool {
        self.nodes
            .get(&None)
            .is_some_and(|n| n.get(&named(prefix::PACK, &pack.0)).is_some())
    }
}

/// Reads a snapshot's key and entry.
pub(crate) fn snapshot(org: OrgId, key: &[u8], value: &[u8]) -> Result<(SnapshotInfo, SnapshotEntry)> {
    let number = key
        .get(1..)
        .and_then(|n| n.try_into().ok())
        .map(u64::from_be_bytes);
    let number = number.ok_or_else(|| Error::corrupt("catalog", "a snapshot's key is malformed"))?;
    let entry = SnapshotEntry::decode(value)?;
    let SnapshotEntry {
        name,
        from,
        until,
        taken,
        ref source,
        ..
    } = entry;
    Ok((
        SnapshotInfo {
            number,
            name,
            org,
            from,
            until,
            taken,
            source: source.clone(),
        },
        entry,
    ))
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes
        .try_into()
        .map_err(|_| Error::corrupt("catalog", "a key of the wrong length"))
}

fn text(bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Error::corrupt("catalog", "a name that is not UTF-8"))
}
