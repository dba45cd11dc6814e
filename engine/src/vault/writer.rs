//! Chunks on their way into packs.
//!
//! Key decision: packs are built in memory and stored by a thread of their own, so that syncing one overlaps with
//! filling the next; after a failed write the writer latches and nothing more is committed until it is reopened.
//! Metadata goes twice, into two packs side by side. Memory: two packs being filled and one being stored of each.
//! It decides nothing about records, and what it wrote is invisible until a commit names its packs.

use std::collections::{BTreeSet, HashMap};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{ChunkId, OrgId, PackId};
use crate::base::limits;
use crate::format::pack::{Location, PackBuilder, PackRole};
use crate::format::place::MetaRef;
use crate::format::seal::{ChunkKind, Compressor, Prepared};
use crate::store::backend::{Backend, pack_name};
use crate::vault::catalog::Catalog;
use crate::vault::erased::Erased;
use crate::vault::open::Vault;

/// Chunks that a writer remembers, twice this at most.
const KNOWN_MAX: usize = 1 << 15;

/// Fills packs and has them stored.
pub struct Writer<'v> {
    vault: &'v Vault,
    open: Option<PackBuilder>,
    metadata: Option<[PackBuilder; 2]>,
    /// Chunks written lately, and those before them; a chunk that is forgotten is written again.
    known: [HashMap<ChunkId, Location>; 2],
    packs: Vec<(PackId, PackRole)>,
    /// How many of these a root names.
    named: usize,
    reused: BTreeSet<PackId>,
    store: Storer,
    bytes: u64,
    /// The catalog when it began: as long as its epoch stands, nobody has condemned anything.
    begun: Arc<Catalog>,
}

/// The thread that stores packs, and what went wrong in it.
struct Storer {
    sender: Option<SyncSender<(PackId, Vec<u8>)>>,
    thread: Option<JoinHandle<()>>,
    failed: Arc<Mutex<Option<Error>>>,
}

impl<'v> Writer<'v> {
    /// A writer with no pack open.
    pub fn new(vault: &'v Vault) -> Self {
        let store = Storer::start(Arc::clone(&vault.backend));
        Self {
            vault,
            open: None,
            metadata: None,
            known: Default::default(),
            packs: Vec::new(),
            named: 0,
            reused: BTreeSet::new(),
            store,
            bytes: 0,
            begun: vault.catalog(),
        }
    }

    /// Where each of these chunks is already, if it is: here, or in a live pack of the vault.
    pub fn present(&mut self, ids: &[ChunkId]) -> Result<Vec<Option<Location>>> {
        let mut found = self.vault.locate_data(ids)?;
        for (slot, id) in found.iter_mut().zip(ids) {
            match slot {
                Some(at) => {
                    self.reused.insert(at.pack);
                }
                None => *slot = self.known(id),
            }
        }
        Ok(found)
    }

    /// Adds a chunk; one that this writer has written already is not written again.
    pub fn put(&mut self, chunk: &Prepared) -> Result<Location> {
        self.vault.go_on()?;
        if let Some(at) = self.known(&chunk.id) {
            return Ok(at);
        }
        if self
            .open
            .as_ref()
            .is_some_and(|pack| pack.len() > limits::PACK_BYTES_TARGET)
        {
            self.close()?;
        }
        if self.open.is_none() {
            let id = PackId(self.vault.clock.random()?);
            self.open = Some(PackBuilder::new(&self.vault.keys, id, PackRole::Data));
        }
        let Some(pack) = &mut self.open else {
            return Err(Error::invalid("no pack is open"));
        };
        let at = pack.append(chunk)?;
        if self.known[0].len() >= KNOWN_MAX {
            self.known[1] = std::mem::take(&mut self.known[0]);
        }
        self.known[0].insert(chunk.id, at);
        Ok(at)
    }

    fn known(&self, id: &ChunkId) -> Option<Location> {
        self.known.iter().find_map(|known| known.get(id)).copied()
    }

    /// Adds a chunk of metadata, twice.
    pub fn put_meta(&mut self, kind: ChunkKind, bytes: &[u8]) -> Result<MetaRef> {
        self.vault.go_on()?;
        let full = |packs: &[PackBuilder; 2]| packs[0].len() > limits::PACK_BYTES_TARGET;
        if self.metadata.as_ref().is_some_and(full) {
            self.close_meta()?;
        }
        let keys = &self.vault.keys;
        let packs = match &mut self.metadata {
            Some(packs) => packs,
            None => {
                let ids = [
                    PackId(self.vault.clock.random()?),
                    PackId(self.vault.clock.random()?),
                ];
                let packs = ids.map(|id| PackBuilder::new(keys, id, PackRole::Metadata));
                self.metadata.insert(packs)
            }
        };
        let chunk = Compressor::new(self.vault.level).prepare(keys, kind, bytes)?;
        Ok(MetaRef {
            id: chunk.id,
            at: [packs[0].append(&chunk)?, packs[1].append(&chunk)?],
        })
    }

    fn close(&mut self) -> Result<()> {
        let Some(pack) = self.open.take() else {
            return Ok(());
        };
        self.store(pack, PackRole::Data, true)
    }

    fn close_meta(&mut self) -> Result<()> {
        let mut packs = self.metadata.take().into_iter().flatten().enumerate();
        packs.try_for_each(|(number, pack)| self.store(pack, PackRole::Metadata, number == 0))
    }

    fn store(&mut self, pack: PackBuilder, role: PackRole, first: bool) -> Result<()> {
        let (id, entries) = (pack.id(), pack.entries().to_vec());
        let bytes = pack.finish()?;
        let whole = first && role == PackRole::Metadata;
        self.vault.shelf.stored(id, &entries, &bytes, whole);
        self.bytes += bytes.len() as u64;
        self.packs.push((id, role));
        self.store.send(id, bytes)
    }

    /// Has everything stored durably.
    pub fn sync(&mut self) -> Result<()> {
        self.close()?;
        self.close_meta()?;
        self.store.wait(&self.vault.backend)
    }

    /// The packs written that no root names yet, the packs of others that were relied on, and the bytes written.
    pub fn written(&self) -> (&[(PackId, PackRole)], &BTreeSet<PackId>, u64) {
        (&self.packs[self.named..], &self.reused, self.bytes)
    }

    /// All packs that what was written lies in.
    pub fn packs(&self) -> impl Iterator<Item = PackId> {
        self.packs
            .iter()
            .map(|(pack, _)| *pack)
            .chain(self.reused.iter().copied())
    }

    /// From now on a root names what was written so far.
    pub fn named(&mut self) {
        self.named = self.packs.len();
    }

    /// Relies on packs that a draft names.
    pub fn rely_on(&mut self, packs: impl IntoIterator<Item = PackId>) {
        self.reused.extend(packs);
    }

    /// Takes over what another writer wrote.
    pub fn absorb(&mut self, mut other: Self) -> Result<()> {
        other.sync()?;
        self.bytes += other.bytes;
        self.packs.append(&mut other.packs);
        self.reused.append(&mut other.reused);
        Ok(())
    }

    /// The records of an org that were erased when it began: they are not to be written.
    pub fn erased(&self, org: OrgId) -> Result<Erased> {
        self.begun.erased(org)
    }

    /// Whether what was written may be published in place of the catalog `before`: asked by every commit of what
    /// a writer wrote.
    ///
    /// # Errors
    /// `Busy`: a pack that was relied on is not live any more, or one of its own was taken for a stray and deleted,
    /// or a record was erased since it began, which may stand in what it wrote. Then nothing may be published; a new
    /// writer begins anew.
    pub(crate) fn stands(&self, before: &Catalog) -> Result<()> {
        let busy = |pack: &PackId, why: &str| {
            Error::new(Kind::Busy, format!("pack {pack} {why}")).hint("nothing was published; run it again")
        };
        if before.root.version != self.begun.root.version
            && before.all_erased()? != self.begun.all_erased()?
        {
            return Err(Error::new(Kind::Busy, "a record was erased meanwhile")
                .hint("nothing was published; run it again"));
        }
        if let Some(gone) = self.reused.iter().find(|pack| !before.has_pack(pack)) {
            return Err(busy(gone, "was collected while it was relied on"));
        }
        if before.root.epoch == self.begun.root.epoch {
            return Ok(());
        }
        // A pack is deleted only after a root that condemns it, and forgotten by a later one: what is there now,
        // and not condemned in `before`, is there when the swap succeeds.
        for (pack, _) in &self.packs[self.named..] {
            match self.vault.backend.size(&pack_name(pack)) {
                Err(e) if e.kind() == Kind::NotFound => {
                    return Err(busy(
                        pack,
                        "was taken for a stray and deleted before it was published",
                    ));
                }
                other => other.map(drop)?,
            }
        }
        Ok(())
    }

    /// Deletes what was written and no root has named.
    pub fn discard(mut self) {
        drop(self.sync());
        self.packs[self.named..]
            .iter()
            .for_each(|(pack, _)| self.vault.delete_pack(pack));
    }
}

/// Whoever gave up waits until nothing is being stored any more: what is written later nobody would know of.
impl Drop for Storer {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Storer {
    fn start(backend: Arc<dyn Backend>) -> Self {
        let (sender, receiver): (_, Receiver<(PackId, Vec<u8>)>) = sync_channel(1);
        let failed = Arc::new(Mutex::new(None));
        let latch = Arc::clone(&failed);
        let thread = std::thread::spawn(move || {
            for (id, bytes) in receiver {
                if let Err(error) = backend.put_new(&pack_name(&id), &bytes) {
                    *latch.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    return;
                }
            }
        });
        Self {
            sender: Some(sender),
            thread: Some(thread),
            failed,
        }
    }

    fn send(&self, id: PackId, bytes: Vec<u8>) -> Result<()> {
        match self.sender.as_ref().map(|sender| sender.send((id, bytes))) {
            Some(Ok(())) => Ok(()),
            _ => Err(self.failure()),
        }
    }

    /// Waits until everything sent is stored, and goes on with a new thread.
    fn wait(&mut self, backend: &Arc<dyn Backend>) -> Result<()> {
        self.sender = None;
        let panicked = self.thread.take().is_some_and(|thread| thread.join().is_err());
        let failed = self
            .failed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some();
        if panicked || failed {
            return Err(self.failure());
        }
        *self = Self::start(Arc::clone(backend));
        Ok(())
    }

    /// The first failure; later calls say that there was one.
    fn failure(&self) -> Error {
        let first = self.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        first.unwrap_or_else(|| {
            Error::new(Kind::Io, "an earlier write failed").hint("nothing was published; run it again")
        })
    }
}
