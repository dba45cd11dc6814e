//! Making and opening a vault.
//!
//! Key decision: what it is and which format it has is said in clear text by the object `vault`, so that "not a
//! vault" and "a newer format" are told before a passphrase is asked. Opening writes nothing and takes no lock.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};
use crate::base::id::{ChunkId, OrgId, PackId};
use crate::base::stamp::Stamp;
use crate::format::catalog::{Head, Node};
use crate::format::pack::{Location, PackRole};
use crate::format::ring::Ring;
use crate::format::root::Root;
use crate::format::seal::{ChunkKind, Keys, MasterKey};
use crate::store::backend::Backend;
use crate::store::latch::Latched;
use crate::vault::cache::ChunkCache;
use crate::vault::catalog::{Catalog, SnapshotInfo};
use crate::vault::index::Index;
use crate::vault::keys::{Cost, Holder, Secret, create_slot};
use crate::vault::loss::Tolerance;
use crate::vault::marker;
use crate::vault::shelf::{SHELF_BYTES, Shelf};

/// How to open a vault.
#[derive(Debug, Clone)]
pub struct VaultOptions {
    /// Where what can be had again is kept: the chunk index, and of a far store sealed parts of packs. Several vaults and
    /// processes may share it. In memory if `None`.
    pub cache_dir: Option<PathBuf>,
    /// Bytes of those parts at most; the ones used longest ago go first.
    pub shelf_bytes: u64,
    /// Bytes of decoded chunks to keep: directories, filters, pages; of a far store half as many sealed ones besides.
    pub cache_bytes: usize,
    /// Level of zstd, 1 to 19.
    pub level: i32,
    /// Whether reads go on where something is lost, without it: see [`Vault::passed_over`].
    pub despite_losses: bool,
    /// The person or program on whose behalf it is opened, for the activity log.
    pub asked_by: String,
    /// Time and randomness.
    pub clock: Clock,
    /// Set to true by another thread, it ends what is under way with `Interrupted`, nothing half-published.
    pub cancel: Arc<AtomicBool>,
}

impl Default for VaultOptions {
    fn default() -> Self {
        Self {
            cache_dir: None,
            shelf_bytes: SHELF_BYTES,
            cache_bytes: 64 << 20,
            level: 2,
            despite_losses: false,
            asked_by: String::new(),
            clock: Clock::system(),
            cancel: Arc::default(),
        }
    }
}

/// An open vault. Share it between threads by reference.
///
/// ```
/// use std::sync::Arc;
/// use halite_engine::store::memory::Memory;
/// use halite_engine::vault::{Secret, Vault, VaultOptions};
/// let place = Arc::new(Memory::new());
/// Vault::create(place.clone(), &Secret::None, VaultOptions::default()).unwrap();
/// let vault = Vault::open(place, &Secret::None, VaultOptions::default()).unwrap();
/// assert!(vault.orgs().is_empty());
/// ```
pub struct Vault {
    pub(crate) backend: Arc<dyn Backend>,
    /// The same below the latch, for whoever opens it anew.
    place: Arc<dyn Backend>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) clock: Clock,
    pub(crate) asked_by: String,
    cancel: Arc<AtomicBool>,
    pub(crate) id: [u8; 16],
    pub(crate) level: i32,
    tolerance: Tolerance,
    index: Mutex<Option<Lined>>,
    pub(crate) cache: ChunkCache,
    pub(crate) shelf: Shelf,
    cache_dir: Option<PathBuf>,
    shelf_bytes: u64,
    current: RwLock<Arc<Catalog>>,
}

/// The index, and the versions of the root with whose packs, and packs of data, it is in line.
struct Lined {
    index: Index,
    all: u64,
    data: u64,
}

/// Which packs the index must cover.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Packs {
    All,
    Data,
}

impl Packs {
    /// Those of a catalog, and what is covered of the others.
    fn of(self, catalog: &Catalog, index: &Index) -> Result<BTreeSet<PackId>> {
        let mut packs: BTreeSet<_> = catalog.packs().into_iter().collect();
        if self == Self::Data {
            let covered = index.packs();
            for pack in catalog.packs() {
                if !covered.contains(&pack) && catalog.pack_role(&pack)? != PackRole::Data {
                    packs.remove(&pack);
                }
            }
        }
        Ok(packs)
    }
}

impl Vault {
    /// Makes a vault in an empty place and opens it.
    ///
    /// # Errors
    /// `Busy` if there is one already; whatever the place refuses.
    pub fn create(backend: Arc<dyn Backend>, secret: &Secret, options: VaultOptions) -> Result<Self> {
        if backend.get(marker::NAME).is_ok() {
            return Err(Error::new(
                Kind::Busy,
                format!("{} is a vault already", backend.describe()),
            ));
        }
        if backend.root()?.is_some() {
            let message = format!(
                "{} holds a vault whose making was interrupted",
                backend.describe()
            );
            return Err(
                Error::new(Kind::Busy, message).hint("nothing is in it: empty the place and make it again")
            );
        }
        let id: [u8; 16] = options.clock.random()?;
        let ring = Ring::new(MasterKey::generate(&options.clock)?);
        create_slot(&*backend, &id, &ring, secret, &options.clock, Cost::STRONG)?;
        let vault = Self::assemble(backend, id, Keys::of(&ring), options);
        vault.commit(&[], &mut |_| Ok(()))?;
        vault
            .backend
            .put_new(marker::NAME, marker::text(&id).as_bytes())?;
        Ok(vault)
    }

    /// Opens a vault.
    ///
    /// # Errors
    /// `NotFound`: not a vault. `Unsupported`: a newer format. `Auth`: the secret does not fit. `Corrupt`.
    pub fn open(backend: Arc<dyn Backend>, secret: &Secret, options: VaultOptions) -> Result<Self> {
        let holder = Holder::open(Arc::clone(&backend), secret)?;
        let vault = Self::assemble(backend, holder.vault, Keys::of(&holder.ring), options);
        match holder.root {
            Some(root) => vault.catch_up(root)?,
            None => vault.refresh()?,
        };
        Ok(vault)
    }

    /// Opens a vault with keys that are unwrapped already.
    pub(super) fn open_with(
        backend: Arc<dyn Backend>,
        id: [u8; 16],
        keys: impl Into<Arc<Keys>>,
        options: VaultOptions,
    ) -> Result<Self> {
        let vault = Self::assemble(backend, id, keys, options);
        vault.refresh()?;
        Ok(vault)
    }

    /// The same vault, opened anew without asking for its secret again: what writes through it goes on after a failed
    /// write, from what the place holds now. What was passed over so far is not known to it.
    ///
    /// # Errors
    /// As of [`Vault::open`]; `Auth` too where the vault was given another master key meanwhile.
    pub fn reopen(&self) -> Result<Self> {
        // The file of an index is locked as long as somebody has it open.
        *self.index.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let place = Arc::clone(&self.place);
        Self::open_with(place, self.id, Arc::clone(&self.keys), self.options())
    }

    /// This vault in another place, with an index of its own in memory.
    pub(crate) fn elsewhere(&self, place: Arc<dyn Backend>) -> Result<Self> {
        let options = VaultOptions {
            cache_dir: None,
            ..self.options()
        };
        Self::open_with(place, self.id, Arc::clone(&self.keys), options)
    }

    fn options(&self) -> VaultOptions {
        VaultOptions {
            cache_dir: self.cache_dir.clone(),
            shelf_bytes: self.shelf_bytes,
            cache_bytes: self.cache.max(),
            level: self.level,
            despite_losses: self.tolerance.despite(),
            asked_by: self.asked_by.clone(),
            clock: self.clock.clone(),
            cancel: Arc::clone(&self.cancel),
        }
    }

    pub(super) fn assemble(
        backend: Arc<dyn Backend>,
        id: [u8; 16],
        keys: impl Into<Arc<Keys>>,
        options: VaultOptions,
    ) -> Self {
        let nowhere = Location {
            pack: PackId([0; 32]),
            offset: 0,
            len: 0,
        };
        let root = Root {
            vault: id,
            version: 0,
            epoch: 0,
            catalog: ChunkId([0; 32]),
            locations: [nowhere; 2],
            predecessor: [0; 32],
        };
        let empty = Catalog {
            root,
            root_bytes: Vec::new(),
            head: Head::default(),
            nodes: BTreeMap::new(),
        };
        let folder = options.cache_dir.as_deref().map(|dir| (dir, options.shelf_bytes));
        let shelf = Shelf::new(&*backend, options.cache_bytes / 2, folder, &id, &options.clock);
        Self {
            backend: Arc::new(Latched::new(Arc::clone(&backend))),
            place: backend,
            keys: keys.into(),
            clock: options.clock,
            asked_by: options.asked_by,
            cancel: options.cancel,
            id,
            level: options.level,
            tolerance: Tolerance::new(options.despite_losses),
            index: Mutex::new(None),
            cache: ChunkCache::new(options.cache_bytes),
            shelf,
            shelf_bytes: options.shelf_bytes,
            cache_dir: options.cache_dir,
            current: RwLock::new(Arc::new(empty)),
        }
    }

    /// Fails once somebody has asked to stop. Asked before each page that is read or written; a commit that has
    /// begun is not stopped.
    pub(crate) fn go_on(&self) -> Result<()> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(
                Error::new(Kind::Interrupted, "interrupted").hint("nothing was published; run it again")
            );
        }
        Ok(())
    }

    /// The catalog as last read or committed.
    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the root again and takes over what others have committed. An older root is refused.
    pub fn refresh(&self) -> Result<Arc<Catalog>> {
        self.catch_up(self.root()?)
    }

    fn root(&self) -> Result<Vec<u8>> {
        let missing = || Error::corrupt("vault", "its root is missing").hint("run `halite check`");
        self.backend.root()?.ok_or_else(missing)
    }

    /// Takes over what a root says that was just read, or what a newer one does.
    fn catch_up(&self, mut bytes: Vec<u8>) -> Result<Arc<Catalog>> {
        while bytes != self.catalog().root_bytes {
            match self.load(bytes.clone()) {
                Ok(catalog) => {
                    self.adopt(catalog);
                    break;
                }
                // What it named may have been collected before it was read: then there is a newer one.
                Err(error) => {
                    let now = self.root()?;
                    if now == bytes {
                        return Err(error);
                    }
                    bytes = now;
                }
            }
        }
        let catalog = self.catalog();
        Ok(catalog)
    }

    /// Makes `catalog` the current one, unless a newer one is.
    pub(crate) fn adopt(&self, catalog: Catalog) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if catalog.root.version > current.root.version {
            if current.root.version == 0 || catalog.root.epoch != current.root.epoch {
                // What was collected or erased does not stay on this machine either.
                self.shelf.retain(&|pack| catalog.has_pack(pack));
            }
            *current = Arc::new(catalog);
        }
    }

    /// The catalog that a root names.
    pub(super) fn load(&self, root_bytes: Vec<u8>) -> Result<Catalog> {
        let root = Root::decode(&self.keys, &root_bytes)?;
        let seen = self.catalog().root.version;
        if root.vault != self.id || root.version < seen {
            return Err(Error::corrupt(
                "root",
                format_args!(
                    "version {} of another or older vault, {seen} was seen",
                    root.version
                ),
            ));
        }
        let head = crate::format::place::MetaRef {
            id: root.catalog,
            at: root.locations,
        };
        let head = Head::decode(&self.of_root(ChunkKind::CatalogHead, &head)?)?;
        let mut nodes = BTreeMap::new();
        for (org, (base, overlay)) in &head.nodes {
            let base = self.of_root(ChunkKind::CatalogNode, base)?;
            nodes.insert(
                *org,
                Node::decode(&base, &self.of_root(ChunkKind::CatalogNode, overlay)?)?,
            );
        }
        Ok(Catalog {
            root,
            root_bytes,
            head,
            nodes,
        })
    }

    /// Where chunks are, by the index; it is opened and brought in line with the catalog when first needed.
    pub(crate) fn locate(&self, ids: &[ChunkId]) -> Result<Vec<Option<Location>>> {
        self.locate_among(Packs::All, ids)
    }

    /// The same of chunks that lie in packs of data, if anywhere: the directories of others need not be read.
    pub(crate) fn locate_data(&self, ids: &[ChunkId]) -> Result<Vec<Option<Location>>> {
        self.locate_among(Packs::Data, ids)
    }

    fn locate_among(&self, packs: Packs, ids: &[ChunkId]) -> Result<Vec<Option<Location>>> {
        loop {
            let catalog = self.catalog();
            match self.locate_under(&catalog, packs, ids) {
                Ok(found) => return Ok(found),
                // A pack that is live in this catalog may have been collected under a newer root.
                Err(error) if self.refresh()?.version() == catalog.version() => return Err(error),
                Err(_) => {}
            }
        }
    }

    fn locate_under(
        &self,
        catalog: &Catalog,
        packs: Packs,
        ids: &[ChunkId],
    ) -> Result<Vec<Option<Location>>> {
        let mut guard = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.index(&mut guard)?;
        let mut load = |pack: &PackId| self.directory(pack);
        let version = catalog.version();
        if known.all != version && (packs == Packs::All || known.data != version) {
            known.index.sync(&packs.of(catalog, &known.index)?, &mut load)?;
            match packs {
                Packs::All => known.all = version,
                Packs::Data => known.data = version,
            }
        }
        match known.index.get_many(ids) {
            // It was damaged and is empty now.
            Err(e) if e.kind() == Kind::Busy => {
                let all = Packs::All.of(catalog, &known.index)?;
                known.index.locate(ids, &all, &mut load)
            }
            found => found,
        }
    }

    fn index<'g>(&self, guard: &'g mut Option<Lined>) -> Result<&'g mut Lined> {
        match guard {
            Some(known) => Ok(known),
            None => Ok(guard.insert(Lined {
                index: Index::open(self.cache_dir.as_deref(), &self.id)?,
                all: 0,
                data: 0,
            })),
        }
    }

    /// Notes that something lost is passed over; an error unless the vault was opened to be read despite losses.
    pub(crate) fn pass_over(&self, what: impl std::fmt::Display) -> Result<()> {
        self.tolerance.pass_over(what)
    }

    /// What reads have passed over so far because it is lost, at most 1,000 notes; empty unless the vault was opened
    /// to be read despite losses.
    pub fn passed_over(&self) -> Vec<String> {
        self.tolerance.passed()
    }

    /// Empties the index: it fills again from the packs.
    pub(crate) fn forget_index(&self) -> Result<()> {
        let mut guard = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.index(&mut guard)?;
        (known.all, known.data) = (0, 0);
        known.index.retain_packs(&BTreeSet::new())
    }

    /// Orgs with a snapshot.
    pub fn orgs(&self) -> Vec<OrgId> {
        self.catalog().orgs()
    }

    /// Kept snapshots of an org, oldest first.
    pub fn snapshots(&self, org: OrgId) -> Result<Vec<SnapshotInfo>> {
        self.catalog().snapshots(org)
    }

    /// See [`Catalog::snapshot_at`].
    pub fn snapshot_at(&self, org: OrgId, at: Stamp) -> Result<SnapshotInfo> {
        self.catalog().snapshot_at(org, at)
    }

    /// See [`Catalog::find_snapshot`].
    pub fn find_snapshot(&self, org: OrgId, text: &str) -> Result<SnapshotInfo> {
        self.catalog().find_snapshot(org, text)
    }
}
