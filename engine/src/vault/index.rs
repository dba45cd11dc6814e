//! Where each chunk is: a cache of the directories of all live packs, in redb.
//!
//! Key decision: it can lie about nothing that matters. The packs it covers and their entries are committed in one
//! transaction, each entry carries a check of its own, and at any doubt (a damaged file, another vault, an error,
//! a lock) it starts anew from the packs, in memory if need be. It is never the only place that knows something.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use redb::backends::InMemoryBackend;
use redb::{Database, DatabaseError, Durability, ReadableDatabase, ReadableTable, TableDefinition};

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{ChunkId, PackId, hex};
use crate::format::pack::{DirEntry, Location};

/// What redb may keep in memory of the file.
const CACHE_BYTES: usize = 32 << 20;
/// Packs whose directories go into one transaction.
const BATCH: usize = 64;
/// The layout of the tables; another one is wiped.
const LAYOUT: u8 = 1;

/// Chunk id ++ pack number (big-endian) -> offset, length, check. A chunk may stand in several packs.
const CHUNKS: TableDefinition<'_, &[u8; 36], &[u8; 12]> = TableDefinition::new("chunks");
/// Pack number -> pack id. Numbers are never used again.
const PACKS: TableDefinition<'_, u32, &[u8; 32]> = TableDefinition::new("packs");
/// `vault`: layout ++ vault id. `next`: the next pack number.
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

type Stored<T> = std::result::Result<T, redb::Error>;

/// The index of the chunks of one vault. [`Index::sync`] brings it in line with the live packs; what it says is
/// true of the packs it covers.
pub struct Index {
    vault: [u8; 16],
    state: RwLock<State>,
}

struct State {
    db: Database,
    path: Option<PathBuf>,
    packs: HashMap<u32, PackId>,
    numbers: HashMap<PackId, u32>,
    next: u32,
}

impl Index {
    /// The index in a folder for caches, or one in memory. Whatever is wrong with the file, it is not an error:
    /// then the index begins empty.
    pub fn open(dir: Option<&Path>, vault_id: &[u8; 16]) -> Result<Self> {
        let state = match dir.and_then(|dir| State::in_folder(dir, vault_id)) {
            Some(state) => state,
            None => State::in_memory(vault_id)?,
        };
        Ok(Self {
            vault: *vault_id,
            state: RwLock::new(state),
        })
    }

    /// Where a chunk is, if one of the packs covered has it.
    pub fn get(&self, id: &ChunkId) -> Result<Option<Location>> {
        Ok(self.get_many(std::slice::from_ref(id))?.pop().flatten())
    }

    /// Where each of these chunks is. `Kind::Busy`: the index turned out to be damaged and is empty now; bring it
    /// in line again and ask again, or use [`Index::locate`], which does.
    pub fn get_many(&self, ids: &[ChunkId]) -> Result<Vec<Option<Location>>> {
        let found = self.read().find(ids, |places| places.next().transpose());
        found.or_else(|e| self.doubt(&e))
    }

    /// Every place of a chunk: metadata stands in two packs, and any chunk may be written twice.
    pub fn places(&self, id: &ChunkId) -> Result<Vec<Location>> {
        let found = self
            .read()
            .find(std::slice::from_ref(id), |places| places.collect());
        found
            .map(|mut all| all.pop().unwrap_or_default())
            .or_else(|e| self.doubt(&e))
    }

    /// Brings the index in line with `live` and says where the chunks are.
    pub fn locate(
        &self,
        ids: &[ChunkId],
        live: &BTreeSet<PackId>,
        load: &mut dyn FnMut(&PackId) -> Result<Vec<DirEntry>>,
    ) -> Result<Vec<Option<Location>>> {
        self.sync(live, load)?;
        match self.get_many(ids) {
            Err(e) if e.kind() == Kind::Busy => {
                self.sync(live, load)?;
                self.get_many(ids)
            }
            other => other,
        }
    }

    /// Adds a pack that is stored. Pack and entries count from one moment on.
    pub fn add_pack(&self, pack: &PackId, entries: impl Iterator<Item = (ChunkId, Location)>) -> Result<()> {
        let entries: Vec<_> = entries.map(|(id, at)| (*pack, id, at)).collect();
        self.change(|state| state.add(&[*pack], &entries, Durability::None))
    }

    /// The packs it covers.
    pub fn packs(&self) -> BTreeSet<PackId> {
        self.read().numbers.keys().copied().collect()
    }

    /// Forgets every pack that is not live, and where its chunks were.
    pub fn retain_packs(&self, live: &BTreeSet<PackId>) -> Result<()> {
        self.change(|state| state.retain(live))
    }

    /// Covers exactly the live packs: forgets others, and reads the directories of those that are missing with
    /// `load`, which must not use this index.
    pub fn sync(
        &self,
        live: &BTreeSet<PackId>,
        load: &mut dyn FnMut(&PackId) -> Result<Vec<DirEntry>>,
    ) -> Result<()> {
        let mut again = true;
        loop {
            {
                let state = self.read();
                if live.len() == state.numbers.len() && live.iter().all(|p| state.numbers.contains_key(p)) {
                    return Ok(());
                }
            }
            self.retain_packs(live)?;
            let known = self.packs();
            let missing: Vec<PackId> = live.iter().filter(|p| !known.contains(p)).copied().collect();
            for batch in missing.chunks(BATCH) {
                let mut entries = Vec::new();
                for pack in batch {
                    entries.extend(load(pack)?.into_iter().map(|e| (*pack, e.id, e.location)));
                }
                self.change(|state| state.add(batch, &entries, Durability::Immediate))?;
            }
            // A failure on the way leaves an empty index in memory: once more, from the start.
            if !std::mem::take(&mut again) {
                return Ok(());
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the index; if that fails it is emptied, which is always true to the packs.
    fn change(&self, act: impl FnOnce(&mut State) -> Stored<()>) -> Result<()> {
        let mut state = self.write();
        match act(&mut state) {
            Ok(()) => Ok(()),
            Err(e) => state.restart(&self.vault, &e),
        }
    }

    /// Empties the index after an error and says so.
    fn doubt<T>(&self, e: &redb::Error) -> Result<T> {
        self.write().restart(&self.vault, e)?;
        Err(Error::new(
            Kind::Busy,
            format!("the chunk index was damaged ({e}) and is read anew from the packs"),
        ))
    }
}

impl State {
    fn in_memory(vault: &[u8; 16]) -> Result<Self> {
        let db = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(InMemoryBackend::new());
        let fail =
            |e: redb::Error| Error::new(Kind::Io, format!("no chunk index can be made in memory: {e}"));
        let db = db.map_err(|e| fail(e.into()))?;
        let state = Self::load(db, None, vault).map_err(fail)?;
        state.ok_or_else(|| fail(redb::Error::Corrupted("it is not empty".into())))
    }

    /// The file's index, or a new one in its place; `None` if the file cannot be used.
    fn in_folder(dir: &Path, vault: &[u8; 16]) -> Option<Self> {
        let path = dir.join(format!("index-{}.redb", hex(&vault[..8])));
        for _ in 0..2 {
            match Self::at(dir, &path, vault) {
                Ok(Some(state)) => return Some(state),
                Ok(None) => {
                    tracing::info!(path = %path.display(), "the chunk index is of another vault or build")
                }
                Err(redb::Error::DatabaseAlreadyOpen) => {
                    tracing::info!(path = %path.display(), "the chunk index is in use: another one in memory");
                    return None;
                }
                Err(e) => tracing::warn!(path = %path.display(), %e, "the chunk index cannot be used"),
            }
            if fs::remove_file(&path).is_err() {
                return None;
            }
        }
        None
    }

    fn at(dir: &Path, path: &Path, vault: &[u8; 16]) -> Stored<Option<Self>> {
        fs::create_dir_all(dir).map_err(redb::Error::Io)?;
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        drop(options.open(path).map_err(redb::Error::Io)?);
        // Reads the whole file once: without that, redb trusts a file that was closed cleanly.
        let mut builder = Database::builder();
        let db = builder
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(true)
            .create(path);
        let db = db.map_err(|e| match e {
            DatabaseError::DatabaseAlreadyOpen => redb::Error::DatabaseAlreadyOpen,
            other => other.into(),
        })?;
        Self::load(db, Some(path.into()), vault)
    }

    /// Reads the packs covered; a new file is marked as this vault's. `None` if it is another's.
    fn load(db: Database, path: Option<PathBuf>, vault: &[u8; 16]) -> Stored<Option<Self>> {
        let mark = [&[LAYOUT][..], vault].concat();
        let mut state = Self {
            db,
            path,
            packs: HashMap::new(),
            numbers: HashMap::new(),
            next: 0,
        };
        let tx = state.db.begin_write()?;
        {
            let mut meta = tx.open_table(META)?;
            let found = meta.get("vault")?.map(|v| v.value().to_vec());
            match found {
                Some(found) if found == mark => {}
                Some(_) => return Ok(None),
                None => drop(meta.insert("vault", &mark[..])?),
            }
            let next = meta
                .get("next")?
                .and_then(|v| v.value().try_into().ok().map(u32::from_le_bytes));
            state.next = next.unwrap_or(0);
            for row in tx.open_table(PACKS)?.iter()? {
                let (number, pack) = row?;
                let (number, pack) = (number.value(), PackId(*pack.value()));
                if number >= state.next || state.numbers.insert(pack, number).is_some() {
                    return Ok(None);
                }
                state.packs.insert(number, pack);
            }
            tx.open_table(CHUNKS)?;
        }
        tx.commit()?;
        Ok(Some(state))
    }

    /// Begins anew, empty and in memory; the file is left to the next opening, without what was in it.
    fn restart(&mut self, vault: &[u8; 16], why: &redb::Error) -> Result<()> {
        tracing::warn!(%why, "the chunk index is dropped and read anew from the packs");
        let path = self.path.take();
        *self = Self::in_memory(vault)?;
        if let Some(path) = path {
            // If it stays, its covered packs and checks still hold it to the truth.
            let _ = fs::remove_file(path);
        }
        Ok(())
    }

    fn add(
        &mut self,
        packs: &[PackId],
        entries: &[(PackId, ChunkId, Location)],
        durability: Durability,
    ) -> Stored<()> {
        let mut fresh = HashMap::new();
        for pack in packs.iter().filter(|pack| !self.numbers.contains_key(pack)) {
            let number = self.next + u32::try_from(fresh.len()).unwrap_or(u32::MAX);
            fresh.entry(*pack).or_insert(number);
        }
        let next = u32::try_from(fresh.len())
            .ok()
            .and_then(|n| self.next.checked_add(n));
        let next = next.ok_or_else(|| redb::Error::Corrupted("pack numbers are used up".into()))?;
        let row =
            |(pack, id, at): &(PackId, ChunkId, Location)| Some((key(id, *fresh.get(pack)?), value(id, at)));
        let mut rows: Vec<_> = entries.iter().filter_map(row).collect();
        rows.sort_unstable();
        let mut tx = self.db.begin_write()?;
        tx.set_durability(durability)
            .map_err(|e| redb::Error::Corrupted(e.to_string()))?;
        {
            let mut chunks = tx.open_table(CHUNKS)?;
            for (key, value) in &rows {
                chunks.insert(key, value)?;
            }
            let mut table = tx.open_table(PACKS)?;
            for (pack, number) in &fresh {
                table.insert(number, &pack.0)?;
            }
            tx.open_table(META)?.insert("next", &next.to_le_bytes()[..])?;
        }
        tx.commit()?;
        self.next = next;
        self.packs
            .extend(fresh.iter().map(|(pack, number)| (*number, *pack)));
        self.numbers.extend(fresh);
        Ok(())
    }

    fn retain(&mut self, live: &BTreeSet<PackId>) -> Stored<()> {
        let gone: BTreeSet<u32> = self
            .packs
            .iter()
            .filter(|(_, p)| !live.contains(p))
            .map(|(n, _)| *n)
            .collect();
        if gone.is_empty() {
            return Ok(());
        }
        let tx = self.db.begin_write()?;
        {
            let mut table = tx.open_table(PACKS)?;
            for number in &gone {
                table.remove(number)?;
            }
            tx.open_table(CHUNKS)?
                .retain(|key, _| !gone.contains(&number_of(key)))?;
        }
        tx.commit()?;
        self.packs.retain(|number, _| !gone.contains(number));
        self.numbers.retain(|_, number| !gone.contains(number));
        Ok(())
    }

    /// Runs `pick` over the places of each chunk, in one transaction.
    fn find<T>(
        &self,
        ids: &[ChunkId],
        pick: impl Fn(&mut dyn Iterator<Item = Stored<Location>>) -> Stored<T>,
    ) -> Stored<Vec<T>> {
        let tx = self.db.begin_read()?;
        let chunks = tx.open_table(CHUNKS)?;
        let one = |id: &ChunkId| {
            let mut rows = chunks
                .range::<&[u8; 36]>(&key(id, 0)..=&key(id, u32::MAX))?
                .map(|row| {
                    let (key, value) = row?;
                    self.place(id, key.value(), value.value())
                });
            pick(&mut rows)
        };
        ids.iter().map(one).collect()
    }

    /// The place that a row says, if the row is what was written.
    fn place(&self, id: &ChunkId, key: &[u8; 36], stored: &[u8; 12]) -> Stored<Location> {
        let bad = |why: &str| redb::Error::Corrupted(format!("the entry of chunk {id} {why}"));
        let pack = *self
            .packs
            .get(&number_of(key))
            .ok_or_else(|| bad("names an unknown pack"))?;
        let [a, b, c, d, e, f, g, h, ..] = *stored;
        let at = Location {
            pack,
            offset: u32::from_le_bytes([a, b, c, d]),
            len: u32::from_le_bytes([e, f, g, h]),
        };
        if value(id, &at) == *stored {
            Ok(at)
        } else {
            Err(bad("does not fit its check"))
        }
    }
}

fn key(id: &ChunkId, number: u32) -> [u8; 36] {
    let mut key = [0; 36];
    key[..32].copy_from_slice(&id.0);
    key[32..].copy_from_slice(&number.to_be_bytes());
    key
}

fn number_of(key: &[u8; 36]) -> u32 {
    key.last_chunk()
        .map_or(u32::MAX, |number| u32::from_be_bytes(*number))
}

fn value(id: &ChunkId, at: &Location) -> [u8; 12] {
    let mut value = [0; 12];
    value[..4].copy_from_slice(&at.offset.to_le_bytes());
    value[4..8].copy_from_slice(&at.len.to_le_bytes());
    let mut hasher = blake3::Hasher::new();
    hasher.update(&id.0).update(&at.pack.0).update(&value[..8]);
    value[8..].copy_from_slice(&hasher.finalize().as_bytes()[..4]);
    value
}

#[cfg(test)]
mod tests;
