//! A backend that stops writing at the first failed write.
//!
//! Key decision: after a failed write or sync nobody knows what the disk holds, and a later success would hide it
//! (fsync reports an error once), so a writer goes no further until it is opened anew and has looked. Reading goes
//! on, and so does taking away what was left. A taken name and a lost swap are answers, not failures. It does not retry.

use std::sync::{Mutex, PoisonError};

use crate::base::error::{Error, Kind, Result};
use crate::store::backend::{Backend, Begin};

/// A backend through which nothing is written after a write has failed.
pub struct Latched<B> {
    inner: B,
    first: Mutex<Option<(Kind, String)>>,
}

impl<B: Backend> Latched<B> {
    /// Not latched yet.
    pub fn new(inner: B) -> Self {
        Self {
            inner,
            first: Mutex::new(None),
        }
    }

    /// What failed first, if anything did.
    pub fn failure(&self) -> Option<String> {
        self.first
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(|(_, message)| message.clone())
    }

    /// The backend below.
    pub fn inner(&self) -> &B {
        &self.inner
    }

    /// Writes, unless a write failed before; remembers the first failure.
    fn write<T>(&self, what: &str, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let refused = |(kind, message): &(Kind, String)| {
            Error::new(
                *kind,
                format!("{what} was not tried after an earlier failure: {message}"),
            )
            .hint("open the vault again; what was published before is safe")
        };
        if let Some(first) = self.first.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            return Err(refused(first));
        }
        let result = act();
        if let Err(e) = &result
            && e.kind() != Kind::Invalid
            && e.kind() != Kind::Busy
        {
            let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| (e.kind(), e.message().to_owned()));
        }
        result
    }
}

impl<B: Backend> Backend for Latched<B> {
    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.write(name, || self.inner.put_new(name, bytes))
    }

    fn get(&self, name: &str) -> Result<Vec<u8>> {
        self.inner.get(name)
    }

    fn get_range(&self, name: &str, offset: u64, len: usize) -> Result<Vec<u8>> {
        self.inner.get_range(name, offset, len)
    }

    fn size(&self, name: &str) -> Result<u64> {
        self.inner.size(name)
    }

    fn get_part(&self, name: &str, from: Begin, len: usize) -> Result<(Vec<u8>, u64)> {
        self.inner.get_part(name, from, len)
    }

    fn is_far(&self) -> bool {
        self.inner.is_far()
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.inner.list(prefix)
    }

    /// Let through: it takes away what a failed write left, above all where the disk is full.
    fn delete(&self, name: &str) -> Result<()> {
        self.inner.delete(name)
    }

    fn root(&self) -> Result<Option<Vec<u8>>> {
        self.inner.root()
    }

    fn swap_root(&self, expected: Option<&[u8]>, new: &[u8]) -> Result<bool> {
        self.write("the root", || self.inner.swap_root(expected, new))
    }

    fn sweep(&self) -> Result<()> {
        self.inner.sweep()
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::faulty::{Fault, Faulty};

    #[test]
    fn nothing_is_written_after_a_failure() {
        let store = Latched::new(Faulty::new(1));
        store.put_new("a", b"1").unwrap();
        assert_eq!(store.put_new("a", b"2").unwrap_err().kind(), Kind::Busy);
        assert!(!store.swap_root(Some(b"x"), b"y").unwrap());
        assert_eq!(store.put_new("../a", b"2").unwrap_err().kind(), Kind::Invalid);
        store.put_new("b", b"1").unwrap();
        store.inner().fail_at(1, Fault::Before);
        assert!(store.put_new("c", b"1").is_err());
        let first = store.failure().unwrap();
        for e in [store.put_new("d", b"1"), store.swap_root(None, b"r").map(drop)] {
            let e = e.unwrap_err();
            assert!(e.message().contains(&first), "{e}");
        }
        assert_eq!((store.list("").unwrap().len(), store.root().unwrap()), (2, None));
        assert_eq!(store.get("a").unwrap(), b"1");
        store.delete("a").unwrap();
        assert_eq!(store.list("").unwrap().len(), 1);
    }
}
