//! A vault in object storage: S3 and what speaks it, Google Cloud Storage, Azure.
//!
//! Key decision: nothing but conditional requests, so there is no lock, no server and no coordinator; what an answer
//! leaves open is settled by looking (`write`), and a store that ignores conditions is refused before the first
//! byte is written (`probe`, `remember`). It keeps no copy of anything. `docs/object-storage.md` says what it promises.

mod address;
mod answer;
mod patience;
mod probe;
mod read;
mod remember;
mod runtime;
mod wire;
mod write;

use std::path::Path as Folder;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, PutMode, UpdateVersion};

use crate::base::clock::Clock;
use crate::base::error::{Error, Result};
use crate::store::backend::{
    Backend, Begin, STALE_MILLIS, check_len, check_name, check_prefix, check_root_len, taken,
};
use address::Address;
use remember::{Remembered, Trial};
use runtime::run;

pub use address::{canonical, is_url};
pub use patience::Patience;

/// The name of the root's object.
const ROOT: &str = "root";
/// Below it the probe writes. No listing of the contract shows it, since no name of an object begins so.
const TMP: &str = "tmp";

/// What lies below a prefix of a bucket, as a backend.
pub struct Bucket {
    remote: Arc<Remote>,
    clock: Clock,
    /// Which store it is: its URL, and where that leads by the variables.
    identity: String,
    /// Whether the store was seen to keep conditions.
    probed: Mutex<bool>,
    remembered: Option<Remembered>,
}

/// The store, with how it is asked: what the requests of all threads share.
struct Remote {
    address: Address,
    store: Arc<dyn ObjectStore>,
    patience: Patience,
    /// The root as it was seen or written last.
    root: Mutex<Option<Seen>>,
    /// Whether the store was asked if it keeps conditions since this was opened.
    asked: AtomicBool,
}

/// An object's bytes, and what a replacement of just these is conditional on.
type Seen = (Vec<u8>, UpdateVersion);

/// Parts of the names of variables that say where a store is.
const WHERE: [&str; 4] = ["ENDPOINT", "REGION", "BASE_URL", "ACCOUNT_NAME"];

impl Bucket {
    /// What `url` names, with endpoint and credentials from the environment. Nothing is asked of the store yet.
    ///
    /// # Errors
    /// `Invalid`: the URL or a variable is wrong.
    pub fn open(url: &str) -> Result<Self> {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self::open_with(url, std::env::vars_os().filter_map(text), Patience::default())
    }

    /// The same, with `variables` instead of the environment, for hosts that keep their settings elsewhere.
    ///
    /// # Errors
    /// As of [`Bucket::open`].
    pub fn open_with(
        url: &str,
        variables: impl IntoIterator<Item = (String, String)>,
        patience: Patience,
    ) -> Result<Self> {
        let address = Address::parse(url)?;
        let variables: Vec<(String, String)> = variables.into_iter().collect();
        let mut identity: Vec<String> = variables
            .iter()
            .filter(|(name, _)| WHERE.iter().any(|part| name.contains(part)))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        identity.sort_unstable();
        identity.push(address.to_string());
        let store = address.store(variables)?;
        let remote = Remote {
            address,
            store,
            patience,
            root: Mutex::new(None),
            asked: AtomicBool::new(false),
        };
        Ok(Self {
            remote: Arc::new(remote),
            clock: Clock::system(),
            identity: identity.join("\n"),
            probed: Mutex::new(false),
            remembered: None,
        })
    }

    /// Lets a folder of this machine tell that the store was probed, so that it is not each time.
    #[must_use]
    pub fn remembering(self, dir: &Folder, clock: &Clock) -> Self {
        let remembered = Remembered::new(dir, &self.identity, clock.clone());
        Self {
            remembered: Some(remembered),
            ..self
        }
    }

    /// Sees, once, that the store keeps conditions; the other writers wait for the answer.
    fn fit(&self) -> Result<()> {
        let mut probed = self.probed.lock().unwrap_or_else(PoisonError::into_inner);
        if !*probed {
            let seen = self.remote.seen().clone();
            let root = seen.as_ref().map(|(root, _)| root.as_slice());
            let trial = self
                .remembered
                .as_ref()
                .map_or(Trial::Whole, |known| known.due(root));
            if trial != Trial::None {
                let (remote, random) = (Arc::clone(&self.remote), self.clock.random::<16>()?);
                run(async move { remote.probe(random, trial == Trial::Whole).await })?;
                self.remote.asked.store(true, Ordering::Relaxed);
            }
            if trial == Trial::Whole {
                self.remembered.iter().for_each(Remembered::passed);
            }
            *probed = true;
        }
        Ok(())
    }
}

impl Remote {
    fn path(&self, name: &str) -> Result<Path> {
        let key = self.address.key(name);
        Path::parse(&key).map_err(|_| Error::invalid(format!("`{key}` cannot be the name of an object")))
    }

    fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        self.root.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Bucket {
    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<()> {
        check_name(name)?;
        check_len(name, bytes.len())?;
        self.fit()?;
        let (remote, owned, bytes) = (
            Arc::clone(&self.remote),
            name.to_owned(),
            Bytes::copy_from_slice(bytes),
        );
        let stored = run(async move { remote.write(&owned, PutMode::Create, &bytes).await })?;
        if stored {
            return Ok(());
        }
        Err(taken(name).within(&self.remote.address))
    }

    fn get(&self, name: &str) -> Result<Vec<u8>> {
        check_name(name)?;
        let (remote, name) = (Arc::clone(&self.remote), name.to_owned());
        run(async move { remote.get(&name).await })
    }

    fn get_range(&self, name: &str, offset: u64, len: usize) -> Result<Vec<u8>> {
        check_name(name)?;
        let (remote, name) = (Arc::clone(&self.remote), name.to_owned());
        run(async move { remote.range(&name, offset, len).await })
    }

    fn size(&self, name: &str) -> Result<u64> {
        check_name(name)?;
        let (remote, name) = (Arc::clone(&self.remote), name.to_owned());
        run(async move { remote.size(&name).await })
    }

    fn get_part(&self, name: &str, from: Begin, len: usize) -> Result<(Vec<u8>, u64)> {
        check_name(name)?;
        let (remote, name) = (Arc::clone(&self.remote), name.to_owned());
        run(async move { remote.part(&name, from, len).await })
    }

    fn is_far(&self) -> bool {
        true
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        check_prefix(prefix)?;
        let (remote, prefix) = (Arc::clone(&self.remote), prefix.to_owned());
        run(async move { remote.list(&prefix).await })
    }

    fn delete(&self, name: &str) -> Result<()> {
        check_name(name)?;
        let (remote, name) = (Arc::clone(&self.remote), name.to_owned());
        run(async move { remote.delete(&name).await })
    }

    fn root(&self) -> Result<Option<Vec<u8>>> {
        let remote = Arc::clone(&self.remote);
        let root = run(async move { remote.small(ROOT).await })?;
        self.remote.seen().clone_from(&root);
        Ok(root.map(|(bytes, _)| bytes))
    }

    fn swap_root(&self, expected: Option<&[u8]>, new: &[u8]) -> Result<bool> {
        check_root_len(new.len())?;
        self.fit()?;
        let (remote, expected) = (Arc::clone(&self.remote), expected.map(<[u8]>::to_vec));
        let bytes = Bytes::copy_from_slice(new);
        let swapped = run(async move { remote.swap(expected.as_deref(), &bytes).await })?;
        if swapped {
            self.remembered.iter().for_each(|known| known.wrote(new));
        }
        Ok(swapped)
    }

    fn sweep(&self) -> Result<()> {
        let (remote, due) = (
            Arc::clone(&self.remote),
            self.clock.now().minus_millis(STALE_MILLIS),
        );
        run(async move { remote.sweep(due).await })
    }

    fn describe(&self) -> String {
        self.remote.address.to_string()
    }
}
