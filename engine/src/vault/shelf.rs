//! Sealed bytes of packs that came from a far store, kept at hand: in memory, and in a folder.
//!
//! Key decision: what is kept are stretches of packs as the store gave them, and nothing of them counts before the chunk
//! that was asked for has been opened: authenticated under its pack's key, and proven to be what its name says. So a file
//! that is rotten, cut or somebody else's costs a request and no more. Of a place that is near nothing is kept.

mod folder;
mod held;
mod plan;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::clock::Clock;
use crate::base::error::{Error, Result};
use crate::base::id::PackId;
use crate::format::pack::{DirEntry, Location, directory_start};
use crate::format::seal::ChunkKind;
use crate::store::backend::{Backend, Begin, cut_short, pack_name};

use folder::Folder;
use held::Held;
pub(crate) use plan::Expected;
use plan::{GAP, Plans, join};

/// What is kept of packs in a folder unless told otherwise.
pub const SHELF_BYTES: u64 = 1 << 30;
/// Metadata is read in windows of this many bytes.
const META_WINDOW: u64 = 256 << 10;
/// Keys of pages are, where nobody said which ones are going to be read.
const KEYS_WINDOW: u64 = 64 << 10;
/// The longest request.
const REQUEST_MAX: u64 = 8 << 20;

/// A stretch of a pack: its first byte and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Stretch {
    pub pack: PackId,
    pub start: u64,
    pub len: u64,
}

impl Stretch {
    fn of(at: &Location) -> Self {
        Self {
            pack: at.pack,
            start: u64::from(at.offset),
            len: u64::from(at.len),
        }
    }

    fn end(&self) -> u64 {
        self.start + self.len
    }

    fn covers(&self, other: &Self) -> bool {
        self.pack == other.pack && self.start <= other.start && other.end() <= self.end()
    }

    /// The bytes of `other` in those of this one.
    fn part<'b>(&self, bytes: &'b [u8], other: &Self) -> Option<&'b [u8]> {
        let at = usize::try_from(other.start.checked_sub(self.start)?).ok()?;
        bytes.get(at..at.checked_add(usize::try_from(other.len).ok()?)?)
    }
}

/// What is kept of the packs of one vault.
pub(crate) struct Shelf {
    /// Whether the store is far; else nothing is kept.
    far: bool,
    /// How many want everything from the store.
    aside: AtomicUsize,
    held: Mutex<Held>,
    plans: Mutex<Plans>,
    /// What is being fetched: whoever wants the same waits for it.
    under_way: Mutex<HashMap<Stretch, Arc<Mutex<()>>>>,
    folder: Option<Folder>,
}

/// While it is held nothing that is kept is used.
pub(crate) struct Aside<'s>(&'s Shelf);

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        self.0.aside.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shelf {
    /// An empty one for this store, which holds `bytes` in memory and, if there is a `folder`, its share of that.
    pub fn new(
        store: &dyn Backend,
        bytes: usize,
        folder: Option<(&Path, u64)>,
        vault: &[u8; 16],
        clock: &Clock,
    ) -> Self {
        let far = store.is_far();
        let folder = folder.filter(|(_, max)| far && *max > 0);
        let open = |(dir, max)| Folder::new(dir, vault, &store.describe(), max, clock.clone());
        Self {
            far,
            aside: AtomicUsize::new(0),
            held: Mutex::new(Held::new(if far { bytes } else { 0 })),
            plans: Mutex::new(Plans::new(bytes)),
            under_way: Mutex::default(),
            folder: folder.map(open),
        }
    }

    /// As long as the guard is held everything comes from the store: for whoever wants to know what stands there.
    pub fn set_aside(&self) -> Aside<'_> {
        self.aside.fetch_add(1, Ordering::Relaxed);
        Aside(self)
    }

    fn in_use(&self) -> bool {
        let holds = self.folder.is_some() || lock(&self.held).max() > 0;
        self.far && holds && self.aside.load(Ordering::Relaxed) == 0
    }

    /// What `open` makes of the sealed bytes of a chunk: of those that are kept, or of those that the store gives, with
    /// their neighbours. What does not open is forgotten, and fetched if it was not.
    pub fn read<T>(
        &self,
        store: &dyn Backend,
        kind: ChunkKind,
        at: &Location,
        open: &dyn Fn(&[u8]) -> Result<T>,
    ) -> Result<T> {
        let wanted = Stretch::of(at);
        let exactly = |wanted: &Stretch| {
            let len = usize::try_from(wanted.len).unwrap_or(usize::MAX);
            store.get_range(&pack_name(&wanted.pack), wanted.start, len)
        };
        if !self.in_use() {
            return open(&exactly(&wanted)?);
        }
        if let Some(opened) = self.kept(&wanted, open) {
            return Ok(opened);
        }
        let (whole, planned) = match lock(&self.plans).around(&wanted) {
            Some(planned) => (planned, true),
            None => (window(kind, &wanted), false),
        };
        if whole == wanted && !is_kept(kind) {
            return open(&exactly(&wanted)?);
        }
        let turn = Arc::clone(lock(&self.under_way).entry(whole).or_default());
        let mine = lock(&turn);
        let fetched = match self.kept(&wanted, open) {
            Some(opened) => Ok(opened),
            None => (|| {
                let bytes = if planned || whole.len > REQUEST_MAX {
                    exactly(&whole)?
                } else {
                    up_to(store, &whole, &wanted)?
                };
                let part = whole
                    .part(&bytes, &wanted)
                    .ok_or_else(|| Error::invalid("a part of itself is missing"))?;
                let opened = open(part)?;
                lock(&self.plans).brought(&whole);
                self.keep(whole.pack, whole.start, bytes, is_kept(kind));
                Ok(opened)
            })(),
        };
        drop(mine);
        lock(&self.under_way).remove(&whole);
        fetched
    }

    /// The same of what is kept, if it is kept and opens.
    fn kept<T>(&self, wanted: &Stretch, open: &dyn Fn(&[u8]) -> Result<T>) -> Option<T> {
        let held = lock(&self.held).get(wanted);
        let bytes = held.or_else(|| self.folder.as_ref()?.get(wanted))?;
        match open(&bytes) {
            Ok(opened) => Some(opened),
            Err(error) => {
                tracing::warn!(pack = %wanted.pack, %error, "what was kept of it is wrong: it is fetched again");
                self.forget(&wanted.pack);
                None
            }
        }
    }

    fn keep(&self, pack: PackId, start: u64, bytes: Vec<u8>, in_folder: bool) {
        if let Some(folder) = self.folder.as_ref().filter(|_| in_folder) {
            folder.put(pack, start, &bytes);
        }
        lock(&self.held).put(pack, start, bytes);
    }

    /// Forgets what is kept of a pack.
    pub fn forget(&self, pack: &PackId) {
        lock(&self.held).forget(pack);
        if let Some(folder) = &self.folder {
            folder.retain(&|other| other != pack);
        }
    }

    /// Forgets in the folder what is kept of packs that are not live.
    pub fn retain(&self, live: &dyn Fn(&PackId) -> bool) {
        if let Some(folder) = &self.folder {
            folder.retain(live);
        }
    }

    /// The end of a pack, if it is kept: where it begins, and its bytes. Nothing says that they are right.
    pub fn tail(&self, pack: &PackId) -> Option<(u64, Vec<u8>)> {
        if !self.in_use() {
            return None;
        }
        let held = lock(&self.held).tail(pack);
        held.or_else(|| self.folder.as_ref()?.tail(pack))
    }

    /// Keeps the end of a pack, from its directory on, as the store gave it.
    pub fn keep_tail(&self, pack: PackId, start: u64, bytes: &[u8]) {
        if self.in_use()
            && let Some(folder) = &self.folder
        {
            folder.put(pack, start, bytes);
        }
    }

    /// Keeps of a pack that is being stored what will be read of it: all of it if it is the first copy of `metadata`, else
    /// the keys of pages, and its directory.
    pub fn stored(&self, pack: PackId, entries: &[DirEntry], bytes: &[u8], metadata: bool) {
        if !self.in_use() {
            return;
        }
        let mut all = Vec::new();
        if metadata {
            all.push((0, bytes.len() as u64));
        } else {
            let keys = entries.iter().filter(|entry| entry.kind == ChunkKind::PageKeys);
            all = join(keys.map(|entry| Stretch::of(&entry.location)), GAP, REQUEST_MAX)
                .map(|(stretch, _)| (stretch.start, stretch.end()))
                .collect();
            all.extend(directory_start(bytes).map(|start| (start, bytes.len() as u64)));
        }
        for (start, end) in all {
            let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
            let Some(part) = range.and_then(|(start, end)| bytes.get(start..end)) else {
                continue;
            };
            match &self.folder {
                Some(folder) => folder.put(pack, start, part),
                None => lock(&self.held).put(pack, start, part.to_vec()),
            }
        }
    }

    /// Says that these chunks are going to be read (`sure`), or may be, and lets neighbours among them come together as
    /// long as it is held, up to `most` bytes at a time.
    pub fn expect(
        &self,
        chunks: impl IntoIterator<Item = Location>,
        most: u64,
        sure: bool,
    ) -> Option<Expected<'_>> {
        if !self.in_use() {
            return None;
        }
        let stretches = chunks.into_iter().map(|at| Stretch::of(&at));
        Some(Expected::new(&self.plans, stretches, most, sure))
    }
}

/// Kinds that are kept in the folder: what says where things are, and what records are compared by.
fn is_kept(kind: ChunkKind) -> bool {
    kind == ChunkKind::PageKeys || is_metadata(kind)
}

fn is_metadata(kind: ChunkKind) -> bool {
    use ChunkKind::{CatalogHead, CatalogNode, Describe, Manifest, RunHead, RunPart, Schema};
    matches!(
        kind,
        RunHead | RunPart | Describe | Schema | Manifest | CatalogHead | CatalogNode
    )
}

/// What is read for the sake of one chunk.
fn window(kind: ChunkKind, wanted: &Stretch) -> Stretch {
    let step = match kind {
        ChunkKind::PageKeys => KEYS_WINDOW,
        kind if is_metadata(kind) => META_WINDOW,
        _ => return *wanted,
    };
    let start = wanted.start / step * step;
    let len = wanted.end().div_ceil(step) * step - start;
    Stretch {
        start,
        len,
        ..*wanted
    }
}

/// What there is of a window.
fn up_to(store: &dyn Backend, window: &Stretch, wanted: &Stretch) -> Result<Vec<u8>> {
    let (name, len) = (
        pack_name(&window.pack),
        usize::try_from(window.len).unwrap_or(usize::MAX),
    );
    let (bytes, size) = store.get_part(&name, Begin::At(window.start), len)?;
    if window.start + (bytes.len() as u64) < wanted.end() {
        let len = usize::try_from(wanted.len).unwrap_or(usize::MAX);
        return Err(cut_short(&name, wanted.start, len, size).within(store.describe()));
    }
    Ok(bytes)
}
