//! A vault in memory: for tests, rehearsals and demonstrations.
//!
//! Key decision: one lock around a sorted map, so that it is obviously right and the others are compared with it.
//! It is not durable, whatever the contract says of durability.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::error::Result;
use crate::store::backend::{
    Backend, absent, check_len, check_name, check_prefix, check_root_len, cut_short, taken,
};

/// A backend in memory. Clones share the same content.
#[derive(Clone, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Default)]
pub(crate) struct State {
    pub(crate) objects: BTreeMap<String, Arc<[u8]>>,
    pub(crate) root: Option<Vec<u8>>,
}

impl Memory {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another one with the same content, which goes its own way from here.
    pub fn fork(&self) -> Self {
        let state = self.state().clone();
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// How many bytes are stored, the root left out.
    pub fn bytes(&self) -> u64 {
        self.state()
            .objects
            .values()
            .map(|bytes| bytes.len() as u64)
            .sum()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn object(&self, name: &str) -> Result<Arc<[u8]>> {
        check_name(name)?;
        self.state()
            .objects
            .get(name)
            .cloned()
            .ok_or_else(|| absent(name))
    }
}

impl Backend for Memory {
    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<()> {
        check_name(name)?;
        check_len(name, bytes.len())?;
        let mut state = self.state();
        if state.objects.contains_key(name) {
            return Err(taken(name));
        }
        state.objects.insert(name.into(), bytes.into());
        Ok(())
    }

    fn get(&self, name: &str) -> Result<Vec<u8>> {
        Ok(self.object(name)?.to_vec())
    }

    fn get_range(&self, name: &str, offset: u64, len: usize) -> Result<Vec<u8>> {
        let bytes = self.object(name)?;
        let start = usize::try_from(offset).ok();
        let range = start.and_then(|start| bytes.get(start..start.checked_add(len)?));
        range
            .map(<[u8]>::to_vec)
            .ok_or_else(|| cut_short(name, offset, len, bytes.len() as u64))
    }

    fn size(&self, name: &str) -> Result<u64> {
        Ok(self.object(name)?.len() as u64)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        check_prefix(prefix)?;
        let state = self.state();
        let names = state
            .objects
            .range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded))
            .map(|(name, _)| name);
        Ok(names
            .take_while(|name| name.starts_with(prefix))
            .cloned()
            .collect())
    }

    fn delete(&self, name: &str) -> Result<()> {
        check_name(name)?;
        self.state().objects.remove(name);
        Ok(())
    }

    fn root(&self) -> Result<Option<Vec<u8>>> {
        Ok(self.state().root.clone())
    }

    fn swap_root(&self, expected: Option<&[u8]>, new: &[u8]) -> Result<bool> {
        check_root_len(new.len())?;
        let mut state = self.state();
        if state.root.as_deref() != expected {
            return Ok(false);
        }
        state.root = Some(new.into());
        Ok(true)
    }

    fn describe(&self) -> String {
        "memory".into()
    }
}
