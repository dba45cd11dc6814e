//! The draft of a capture: taken over, saved, and given up.
//!
//! Key decision: saving is one commit, which names everything that was written and says how far each sObject came;
//! whoever saves must find the fence that they left, so that of two processes that go on with the same draft the
//! slower one stops. When to save is counted in calls and bytes, never in time. It reads nothing from the org.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{OrgId, SnapshotId};
use crate::base::stamp::Stamp;
use crate::format::draft::{DraftHead, Slot, UnderWay};
use crate::format::entry::{DraftEntry, named, prefix};
use crate::ops::capture::read::Take;
use crate::ops::capture::{BackupOptions, Capture, Hear, Progress, sum};
use crate::ops::org::{Identity, Source, Spent};
use crate::ops::publish::{Done, fence_is};
use crate::vault::catalog::Catalog;
use crate::vault::open::Vault;
use crate::vault::writer::Writer;

/// A draft that was not saved for so long is not gone on with: Bulk results live seven days.
const LIFE_MILLIS: i64 = 6 * 24 * 3_600_000;
/// Bytes of rows after which what was taken is saved.
const BYTES: u64 = 256 << 20;
/// Beyond so many savings' worth of calls, it is saved after every hundredth part of the calls so far.
const SHARE: u64 = 100;
/// Where no row came since, a crash costs no more than the asking: so many times as many calls go by.
const QUIET: u64 = 32;

/// What a capture knows of its draft.
pub(super) struct Under {
    org: OrgId,
    /// What makes one draft another's successor: compared as a whole.
    pub head: DraftHead,
    /// What was asked for, whichever the part.
    pub asked: String,
    /// The fence in the catalog; none while nothing is saved.
    held: Option<u64>,
    /// sObjects under way in the draft that were not gone on with yet.
    pub slots: BTreeMap<String, UnderWay>,
    /// What attempts before this one spent.
    before: Spent,
    saved_at: u64,
    pages: u64,
    bytes: u64,
    every: u64,
}

/// A capture that waits to be gone on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// U.
    pub from: Stamp,
    /// When it was last saved.
    pub saved: Stamp,
    /// sObjects that are done.
    pub done: usize,
    /// sObjects that are under way.
    pub under_way: usize,
    /// Calls made for it.
    pub calls: u64,
}

/// The captures of an org that wait to be gone on with.
///
/// # Errors
/// `Corrupt` for a draft that does not decode.
pub fn unfinished(vault: &Vault, org: OrgId) -> Result<Vec<Unfinished>> {
    let catalog = vault.catalog();
    let mut all = Vec::new();
    for (_, entry) in drafts(&catalog, org)? {
        let (head, slots) = open(&entry)?;
        let done = slots.iter().filter(|slot| matches!(slot, Slot::Done(_))).count();
        all.push(Unfinished {
            from: entry.from,
            saved: head.saved,
            done,
            under_way: slots.len() - done,
            calls: head.spent[0],
        });
    }
    Ok(all)
}

pub(super) fn drafts(catalog: &Catalog, org: OrgId) -> Result<Vec<(SnapshotId, DraftEntry)>> {
    let entries = catalog
        .node(org)
        .into_iter()
        .flat_map(|node| node.scan(&[prefix::DRAFT]));
    let all = entries.map(|(key, entry)| {
        let name = key[1..].try_into().map(SnapshotId);
        let name = name.map_err(|_| Error::corrupt("catalog", "a draft with a key of the wrong length"))?;
        Ok((name, DraftEntry::decode(entry)?))
    });
    all.collect()
}

pub(super) fn open(entry: &DraftEntry) -> Result<(DraftHead, Vec<Slot>)> {
    let (head, slots) = entry
        .slots
        .split_first()
        .ok_or_else(|| Error::corrupt("draft", "it has no slots"))?;
    let slots = slots
        .iter()
        .map(|slot| Slot::decode(slot))
        .collect::<Result<_>>()?;
    Ok((DraftHead::decode(head)?, slots))
}

impl Under {
    pub(super) fn new(identity: &Identity, options: &BackupOptions, rights: &[u8]) -> Self {
        let BackupOptions {
            only,
            except,
            full,
            files,
            overlap_millis,
            worker,
            ..
        } = options;
        let asked = format!(
            "full {full}, files {files}, only {only:?}, except {except:?}, overlap {overlap_millis}, rights {}",
            blake3::hash(rights).to_hex()
        );
        Self {
            org: identity.org,
            head: DraftHead {
                number: 0,
                after: None,
                options: worker.map_or(asked.clone(), |worker| worker.asked(&asked)),
                user: identity.user,
                source: format!("rest {}", identity.api_version),
                saved: Stamp::NONE,
                spent: [0; 4],
                ended: None,
            },
            asked,
            held: None,
            slots: BTreeMap::new(),
            before: Spent::default(),
            saved_at: 0,
            pages: 0,
            bytes: 0,
            every: options.save_every.max(1),
        }
    }

    /// The draft that this capture holds, to be taken away by the commit that publishes it.
    pub(super) fn held(&self) -> Option<u64> {
        self.held
    }

    /// All that was spent on this snapshot.
    pub(super) fn spent(&self, source: &dyn Source) -> Spent {
        sum(self.before, source.spent())
    }

    /// Goes on with the newest draft that asked for the same, if there is one: its name and U.
    pub(super) fn take_over(
        &mut self,
        vault: &Vault,
        writer: &mut Writer<'_>,
        (number, after): (u64, Option<SnapshotId>),
        done: &mut Vec<Done>,
    ) -> Result<Option<(SnapshotId, Stamp)>> {
        (self.head.number, self.head.after) = (number, after);
        let oldest = vault.clock.now().minus_millis(LIFE_MILLIS);
        let mut best = None;
        for (name, entry) in drafts(&vault.catalog(), self.org)? {
            let Ok((head, slots)) = open(&entry) else { continue };
            let same = self.head.is_of(&head);
            let newer = best
                .as_ref()
                .is_none_or(|(_, _, other, _): &(_, _, DraftHead, _)| other.saved < head.saved);
            if same && head.saved > oldest && newer {
                best = Some((name, entry, head, slots));
            }
        }
        let Some((name, entry, head, slots)) = best else {
            return Ok(None);
        };
        self.held = Some(entry.fence);
        self.before = spent_of(&head);
        writer.rely_on(entry.packs);
        for slot in slots {
            match slot {
                Slot::Done(slot) => done.push(Done::from(slot)),
                Slot::UnderWay(slot) => drop(self.slots.insert(slot.captured.name.clone(), slot)),
            }
        }
        tracing::info!(%name, from = %entry.from, done = done.len(), under_way = self.slots.len(), "going on");
        Ok(Some((name, entry.from)))
    }

    /// Takes note of a page of so many bytes that came.
    pub(super) fn page(&mut self) {
        self.pages += 1;
    }

    pub(super) fn bytes(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// Calls of this process up to the last saving, and the pages since.
    pub(super) fn calls_so_far(&self) -> u64 {
        self.saved_at + self.pages
    }

    /// Whether what came since the last saving is worth another; `calls` are those of this process so far, if known.
    pub(super) fn due(&self, calls: Option<u64>) -> bool {
        let calls = calls.unwrap_or_else(|| self.calls_so_far());
        let every = self.every.max((self.before.calls + self.saved_at) / SHARE);
        let worth = if self.bytes == 0 { QUIET } else { 1 };
        calls.saturating_sub(self.saved_at) >= every * worth || self.bytes >= BYTES
    }
}

/// Whether this draft of the org can be published no more: others came after what it began from.
pub(super) fn is_dead(entry: &DraftEntry, newest: Option<SnapshotId>, now: Stamp) -> bool {
    match open(entry) {
        Ok((head, _)) => head.after != newest || head.saved <= now.minus_millis(LIFE_MILLIS),
        Err(_) => true,
    }
}

impl<'v> Capture<'v, '_> {
    /// Saves if enough came since the last time.
    pub(super) fn save_if_due(
        &mut self,
        source: &dyn Source,
        open: &mut [Take<'v>],
        hear: &mut Hear<'_>,
    ) -> Result<()> {
        let calls = source.calls();
        if !self.under.due(Some(calls)) {
            return Ok(());
        }
        self.save(self.under.spent(source), calls, open, hear)
    }

    /// Makes everything that was taken durable and names it.
    pub(super) fn save(
        &mut self,
        spent: Spent,
        calls: u64,
        open: &mut [Take<'v>],
        hear: &mut Hear<'_>,
    ) -> Result<()> {
        let mut slots: Vec<Slot> = self.under.slots.values().cloned().map(Slot::UnderWay).collect();
        for take in open {
            slots.extend(take.slot(&mut self.writer)?.map(Slot::UnderWay));
        }
        self.writer.sync()?;
        let name = self.name()?;
        let (vault, writer, done, under) = (self.vault, &self.writer, &self.done, &self.under);
        let head = DraftHead {
            saved: vault.clock.now(),
            spent: [spent.calls, spent.jobs, spent.result_bytes, spent.files],
            ..under.head.clone()
        };
        let (key, fence) = (
            named(prefix::DRAFT, &name.0),
            under.held.map_or(1, |held| held + 1),
        );
        let packs = writer.written().0.to_vec();
        let mut stored = Vec::new();
        vault.commit(&packs, &mut |edit| {
            let newest = edit.before.snapshots(under.org)?.last().map(|s| s.name);
            fence_is(&edit.before, under.org, name, under.held)?;
            if newest != under.head.after {
                return Err(superseded(under.org));
            }
            writer.stands(&edit.before)?;
            stored = done
                .iter()
                .map(|done| done.enter(edit))
                .collect::<Result<Vec<_>>>()?;
            let all = stored
                .iter()
                .cloned()
                .map(Slot::Done)
                .chain(slots.iter().cloned());
            let all: Vec<Slot> = all.collect();
            let packs: BTreeSet<_> = writer.packs().chain(all.iter().flat_map(Slot::packs)).collect();
            let entry = DraftEntry {
                from: self.from,
                fence,
                packs: packs.into_iter().collect(),
                slots: std::iter::once(head.encode())
                    .chain(all.iter().map(Slot::encode))
                    .collect(),
            };
            for (name, other) in drafts(&edit.before, under.org)? {
                if is_dead(&other, newest, head.saved) {
                    edit.node(Some(under.org)).remove(&named(prefix::DRAFT, &name.0));
                }
            }
            edit.node(Some(under.org)).put(key.clone(), entry.encode());
            Ok(())
        })?;
        self.done = stored.into_iter().map(Done::from).collect();
        self.writer.named();
        self.under.held = Some(fence);
        (self.under.saved_at, self.under.pages, self.under.bytes) = (calls, 0, 0);
        hear(&Progress::Saved);
        Ok(())
    }
}

/// What was spent on a draft.
pub(super) fn spent_of(head: &DraftHead) -> Spent {
    let [calls, jobs, result_bytes, files] = head.spent;
    Spent {
        calls,
        jobs,
        result_bytes,
        files,
    }
}

fn superseded(org: OrgId) -> Error {
    let message = format!("another capture of org {org} was published meanwhile, or it was forgotten");
    Error::new(Kind::Busy, message).hint("nothing was published; run it again")
}
