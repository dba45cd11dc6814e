//! A place that reads through to another one, and holds its root back.
//!
//! Key decision: what is written goes to the upper place at once, and the root stays in memory, so that a vault can be
//! changed there in any number of commits and nobody sees it before it is whole. Nothing below is ever written or deleted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::error::{Kind, Result};
use crate::store::backend::{Backend, check_root_len, taken};

/// Two places, seen as one.
pub struct Overlay {
    upper: Arc<dyn Backend>,
    lower: Arc<dyn Backend>,
    root: Mutex<Vec<u8>>,
}

impl Overlay {
    /// With that root at first.
    pub fn new(upper: Arc<dyn Backend>, lower: Arc<dyn Backend>, root: &[u8]) -> Self {
        let root = Mutex::new(root.to_vec());
        Self { upper, lower, root }
    }

    fn held(&self) -> MutexGuard<'_, Vec<u8>> {
        self.root.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn either<T>(&self, ask: impl Fn(&dyn Backend) -> Result<T>) -> Result<T> {
        match ask(&*self.lower) {
            Err(e) if e.kind() == Kind::NotFound => ask(&*self.upper),
            answer => answer,
        }
    }
}

impl Backend for Overlay {
    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<()> {
        match self.lower.size(name) {
            Ok(_) => Err(taken(name)),
            Err(e) if e.kind() == Kind::NotFound => self.upper.put_new(name, bytes),
            Err(e) => Err(e),
        }
    }

    fn get(&self, name: &str) -> Result<Vec<u8>> {
        self.either(|place| place.get(name))
    }

    fn get_range(&self, name: &str, offset: u64, len: usize) -> Result<Vec<u8>> {
        self.either(|place| place.get_range(name, offset, len))
    }

    fn size(&self, name: &str) -> Result<u64> {
        self.either(|place| place.size(name))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let mut names = self.lower.list(prefix)?;
        names.extend(self.upper.list(prefix)?);
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.upper.delete(name)
    }

    fn root(&self) -> Result<Option<Vec<u8>>> {
        Ok(Some(self.held().clone()))
    }

    fn swap_root(&self, expected: Option<&[u8]>, new: &[u8]) -> Result<bool> {
        check_root_len(new.len())?;
        let mut root = self.held();
        let is = expected == Some(&root[..]);
        if is {
            *root = new.to_vec();
        }
        Ok(is)
    }

    fn describe(&self) -> String {
        self.upper.describe()
    }
}
