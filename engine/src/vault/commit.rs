//! Publication: metadata twice in two packs, then the root by compare-and-swap.
//!
//! Key decision: the change is a function over the catalog, run again on whatever root won a race, so a writer of
//! another org rebases and a writer of the same org finds out. Packs of data are durable before this begins. It
//! never repeats a swap blindly: after an error the root itself is asked whether the new catalog stands.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{OrgId, PackId};
use crate::base::limits;
use crate::format::catalog::{Head, Node};
use crate::format::entry::{PackEntry, named, numbered, prefix};
use crate::format::mark::{ActivityEntry, CondemnedEntry};
use crate::format::pack::{DirEntry, PackBuilder, PackRole, TAIL_BYTES, directory_start, read_directory};
use crate::format::place::MetaRef;
use crate::format::root::Root;
use crate::format::seal::{ChunkKind, Compressor};
use crate::store::backend::{Begin, pack_name};
use crate::vault::catalog::Catalog;
use crate::vault::open::Vault;

/// How often a lost race is run again.
const TRIES: usize = 64;

/// A catalog being changed.
pub struct Edit<'v> {
    vault: &'v Vault,
    nodes: BTreeMap<Option<OrgId>, Node>,
    touched: BTreeSet<Option<OrgId>>,
    open: Option<(PackBuilder, PackBuilder)>,
    packs: Vec<PackId>,
    condemned: BTreeSet<PackId>,
    /// Set when the nodes are written: their packs are listed in them, so no other pack may be begun.
    closing: bool,
    compressor: Compressor,
    /// The catalog that this one is to replace.
    pub before: std::sync::Arc<Catalog>,
}

impl<'v> Edit<'v> {
    fn new(vault: &'v Vault, before: std::sync::Arc<Catalog>) -> Self {
        let nodes = before.nodes.clone();
        let compressor = Compressor::new(vault.level);
        Self {
            vault,
            nodes,
            touched: BTreeSet::new(),
            open: None,
            packs: Vec::new(),
            condemned: BTreeSet::new(),
            closing: false,
            compressor,
            before,
        }
    }

    /// The node of an org, or the vault's own, to be changed.
    pub fn node(&mut self, org: Option<OrgId>) -> &mut Node {
        self.touched.insert(org);
        self.nodes.entry(org).or_default()
    }

    /// Takes packs that are stored into the live list. One that was noted as a stray is adopted; one that is
    /// condemned may be deleted at any moment and is refused.
    pub fn adopt(&mut self, packs: impl IntoIterator<Item = (PackId, PackRole)>) -> Result<()> {
        let since = self.before.root.version + 1;
        for (pack, role) in packs {
            let key = named(prefix::CONDEMNED, &pack.0);
            if let Some(entry) = self.node(None).get(&key) {
                if CondemnedEntry::decode(entry)?.condemned {
                    let message = format!("pack {pack} was condemned before it was published");
                    return Err(Error::new(Kind::Busy, message).hint("nothing was published; run it again"));
                }
                self.node(None).remove(&key);
            }
            self.node(None)
                .put(named(prefix::PACK, &pack.0), PackEntry { role, since }.encode());
        }
        Ok(())
    }

    /// Takes packs out of the live list and condemns them: a later run may delete them. What of the catalog's own
    /// nodes lies in them is written anew; all other references to metadata in them are the caller's to replace.
    pub fn condemn(&mut self, packs: &[PackId]) {
        for pack in packs {
            self.node(None).remove(&named(prefix::PACK, &pack.0));
            self.mark(pack, true);
        }
        self.condemned.extend(packs);
    }

    /// Notes packs that no root names as strays, which a later run may condemn.
    pub fn note_strays(&mut self, packs: &[PackId]) {
        packs.iter().for_each(|pack| self.mark(pack, false));
    }

    fn mark(&mut self, pack: &PackId, condemned: bool) {
        let (since, at) = (self.before.root.version + 1, self.vault.clock.now());
        let entry = CondemnedEntry { condemned, since, at };
        self.node(None)
            .put(named(prefix::CONDEMNED, &pack.0), entry.encode());
    }

    /// Forgets condemned packs that have been deleted.
    pub fn forget_deleted(&mut self, packs: &[PackId]) {
        for pack in packs {
            self.node(None).remove(&named(prefix::CONDEMNED, &pack.0));
        }
    }

    /// Whether this commit takes away one of the packs that a reference names.
    pub fn leaves(&self, chunk: &MetaRef) -> bool {
        chunk.at.iter().any(|at| self.condemned.contains(&at.pack))
    }

    /// Whether this commit condemns anything: then it raises the epoch by one.
    pub fn condemns(&self) -> bool {
        !self.condemned.is_empty()
    }

    /// Sees that nobody has condemned a pack since the epoch was `epoch`: of the copies of a chunk, each of two collectors
    /// may have chosen another one to stay.
    ///
    /// # Errors
    /// `Busy` if somebody has.
    pub fn same_epoch(&self, epoch: u64) -> Result<()> {
        if self.before.root.epoch == epoch {
            return Ok(());
        }
        Err(Error::new(
            Kind::Busy,
            "another prune, repair or erasure took packs away meanwhile",
        )
        .hint("nothing is lost; run it again"))
    }

    /// Adds a line to the activity log.
    pub fn log(&mut self, verb: &str, org: Option<OrgId>, detail: String) {
        self.log_line(ActivityEntry {
            verb: verb.to_owned(),
            org,
            detail,
            ..ActivityEntry::default()
        });
    }

    /// The same, with more to tell; when and who asked are filled in.
    pub fn log_line(&mut self, line: ActivityEntry) {
        let last = self.node(None).scan(&[prefix::ACTIVITY]).last();
        let number = last.and_then(|(key, _)| key[1..].try_into().ok());
        let number = number.map_or(1, |n| u64::from_be_bytes(n) + 1);
        let entry = ActivityEntry {
            at: self.vault.clock.now(),
            asked_by: self.vault.asked_by.clone(),
            ..line
        };
        self.node(None)
            .put(numbered(prefix::ACTIVITY, number), entry.encode());
    }

    /// Stores a chunk of metadata twice.
    pub fn put(&mut self, kind: ChunkKind, bytes: &[u8]) -> Result<MetaRef> {
        let full = |(one, _): &(PackBuilder, PackBuilder)| one.len() > limits::PACK_BYTES_TARGET;
        if !self.closing && self.open.as_ref().is_some_and(full) {
            self.close()?;
        }
        let (keys, clock) = (&self.vault.keys, &self.vault.clock);
        if self.open.is_none() {
            let ids = [PackId(clock.random()?), PackId(clock.random()?)];
            self.packs.extend(ids);
            let build = |id| PackBuilder::new(keys, id, PackRole::Metadata);
            self.open = Some((build(ids[0]), build(ids[1])));
        }
        let chunk = self.compressor.prepare(keys, kind, bytes)?;
        let Some((one, two)) = &mut self.open else {
            return Err(Error::invalid("no pack is open"));
        };
        Ok(MetaRef {
            id: chunk.id,
            at: [one.append(&chunk)?, two.append(&chunk)?],
        })
    }

    fn close(&mut self) -> Result<()> {
        let packs = self.open.take().map(|(one, two)| [one, two]);
        for (number, pack) in packs.into_iter().flatten().enumerate() {
            let (id, entries) = (pack.id(), pack.entries().to_vec());
            let bytes = pack.finish()?;
            self.vault.backend.put_new(&pack_name(&id), &bytes)?;
            self.vault.shelf.stored(id, &entries, &bytes, number == 0);
        }
        Ok(())
    }

    /// Writes the nodes that changed and the head; returns the catalog that the new root will name.
    fn finish(mut self) -> Result<(Catalog, Vec<PackId>)> {
        let version = self.before.root.version + 1;
        let mut head = Head {
            version,
            nodes: self.before.head.nodes.clone(),
        };
        if self.open.is_none() {
            // Opens the packs of this commit, so that they can be listed before the nodes are written.
            self.put(ChunkKind::CatalogNode, &Node::default().encode_base())?;
        }
        self.closing = true;
        let own: Vec<_> = self
            .packs
            .iter()
            .map(|pack| (*pack, PackRole::Metadata))
            .collect();
        self.adopt(own)?;
        let moved = |(org, (base, overlay)): (&_, &(_, _))| {
            (self.leaves(base) || self.leaves(overlay)).then_some(*org)
        };
        let moved: Vec<_> = head.nodes.iter().filter_map(moved).collect();
        self.touched.extend(moved);
        for org in self.touched.clone() {
            let base_leaves = head.nodes.get(&org).is_some_and(|(base, _)| self.leaves(base));
            let node = self.nodes.entry(org).or_default();
            if org.is_some() && node.scan(&[]).next().is_none() {
                self.nodes.remove(&org);
                head.nodes.remove(&org);
                continue;
            }
            let rebased = !head.nodes.contains_key(&org) || base_leaves || node.wants_base();
            if rebased {
                node.rebase();
            }
            let (base, overlay) = (node.encode_base(), node.encode_overlay());
            let base = match head.nodes.get(&org) {
                Some((base, _)) if !rebased => *base,
                _ => self.put(ChunkKind::CatalogNode, &base)?,
            };
            let overlay = self.put(ChunkKind::CatalogNode, &overlay)?;
            head.nodes.insert(org, (base, overlay));
        }
        let at = self.put(ChunkKind::CatalogHead, &head.encode())?;
        self.close()?;
        let before = &self.before.root;
        let predecessor = if before.version == 0 {
            [0; 32]
        } else {
            before.hash()
        };
        let (vault, epoch) = (before.vault, before.epoch + u64::from(self.condemns()));
        let root = Root {
            vault,
            version,
            epoch,
            catalog: at.id,
            locations: at.at,
            predecessor,
        };
        let root_bytes = root.encode(&self.vault.keys);
        Ok((
            Catalog {
                root,
                root_bytes,
                head,
                nodes: self.nodes,
            },
            self.packs,
        ))
    }
}

impl Vault {
    /// Publishes a change: `new` packs become live together with what `edit` does to the catalog.
    /// `edit` is run again on the newer catalog if another commit came first; it may refuse then.
    pub(crate) fn commit(
        &self,
        new: &[(PackId, PackRole)],
        edit: &mut dyn FnMut(&mut Edit<'_>) -> Result<()>,
    ) -> Result<std::sync::Arc<Catalog>> {
        for _ in 0..TRIES {
            let mut change = Edit::new(self, self.catalog());
            edit(&mut change)?;
            change.adopt(new.iter().copied())?;
            let expected = (change.before.root.version > 0).then(|| change.before.root_bytes.clone());
            let (catalog, packs) = change.finish()?;
            let swapped = self.backend.swap_root(expected.as_deref(), &catalog.root_bytes);
            if self.settled(swapped, &packs)? {
                self.adopt(catalog);
                return Ok(self.catalog());
            }
            // No root has ever named these packs.
            packs.iter().for_each(|pack| self.delete_pack(pack));
        }
        Err(self.lost_races())
    }

    /// Whether the swap took place; if not, the catalog is the newest. Anything but a plain yes is settled by looking:
    /// no root but this one, and those that came after it, names the packs of its metadata. A "no" may be the answer to
    /// a request that was sent twice, and then it is the first that counts.
    fn settled(&self, swapped: Result<bool>, packs: &[PackId]) -> Result<bool> {
        if matches!(swapped, Ok(true)) {
            return Ok(true);
        }
        let stands = self
            .refresh()
            .map(|now| packs.iter().any(|pack| now.has_pack(pack)));
        match (swapped, stands) {
            (_, Ok(true)) => Ok(true),
            (Ok(_), stands) => stands,
            (Err(error), _) => Err(error.within("publishing the root")),
        }
    }

    /// Sees that the root at hand, or a newer one, survives a crash of the machine: where another process wrote it, it may
    /// be seen before it is durable. Asked before anything is deleted that an older root names.
    pub(crate) fn settle_root(&self) -> Result<()> {
        for _ in 0..TRIES {
            let root = self.catalog().root_bytes.clone();
            if self.backend.swap_root(Some(&root), &root)? {
                return Ok(());
            }
            self.refresh()?;
        }
        Err(self.lost_races())
    }

    fn lost_races(&self) -> Error {
        let at = self.backend.describe();
        Error::new(
            Kind::Busy,
            format!("{at}: {TRIES} commits lost the race for the root"),
        )
        .hint("run it again")
    }

    /// Deletes a pack that no root has named, if it can be.
    pub(crate) fn delete_pack(&self, pack: &PackId) {
        drop(self.backend.delete(&pack_name(pack)));
        self.shelf.forget(pack);
    }

    /// The directory of a pack.
    pub(crate) fn directory(&self, pack: &PackId) -> Result<Vec<DirEntry>> {
        if let Some((start, tail)) = self.shelf.tail(pack) {
            let size = start + tail.len() as u64;
            // The end of it is asked for: what is kept of that has the directory or has not.
            let gone = |offset, len| match offset + len as u64 == size {
                true => Ok(tail.clone()),
                false => Err(Error::invalid("it is not kept")),
            };
            if let Ok(entries) = read_directory(&self.keys, pack, size, within(start, &tail, gone)) {
                return Ok(entries);
            }
        }
        let name = pack_name(pack);
        let (tail, size) = self.backend.get_part(&name, Begin::Tail, TAIL_BYTES)?;
        let start = size - tail.len() as u64;
        let farther = |offset, len| self.backend.get_range(&name, offset, len);
        let entries = read_directory(&self.keys, pack, size, within(start, &tail, farther))?;
        if let Some(from) = directory_start(&tail)
            && let Some(at) = from.checked_sub(start).and_then(|at| usize::try_from(at).ok())
            && let Some(directory) = tail.get(at..)
        {
            self.shelf.keep_tail(*pack, from, directory);
        }
        Ok(entries)
    }
}

/// Reads ranges out of the `tail` of something, which begins at `start`, and what is not in it with `farther`.
fn within(
    start: u64,
    tail: &[u8],
    mut farther: impl FnMut(u64, usize) -> Result<Vec<u8>>,
) -> impl FnMut(u64, usize) -> Result<Vec<u8>> {
    move |offset, len| {
        let at = offset.checked_sub(start).and_then(|at| usize::try_from(at).ok());
        let inside = at.and_then(|at| tail.get(at..at.checked_add(len)?));
        inside.map_or_else(|| farther(offset, len), |bytes| Ok(bytes.to_vec()))
    }
}
