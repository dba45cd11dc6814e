//! A store that fails, crashes, fills up and rots on command, and counts what is asked of it.
//!
//! Key decision: what is alive and what would survive a crash are held apart; a crash in the middle of a write
//! leaves it absent or whole, decided by the seed, since that is what the contract allows and [`Local`] gives.
//! It is for tests only, and never a vault.
//!
//! [`Local`]: crate::store::local::Local

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::error::{Error, Kind, Result};
use crate::store::backend::Backend;
use crate::store::memory::Memory;

/// How a mutating call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An error, and nothing happened.
    Before,
    /// An error, though it happened: the reply was lost.
    After,
    /// No space: nothing happened.
    Full,
    /// The process dies: this call and every one after it fail, and what this one did is up to the seed.
    Crash,
}

/// One call that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The verb: `put`, `get`, `range`, `size`, `list`, `delete`, `root`, `swap`.
    pub verb: &'static str,
    /// The object, or the prefix.
    pub name: String,
    /// The bytes sent or received.
    pub bytes: u64,
    /// Whether it was answered without an error.
    pub ok: bool,
}

/// A store in memory that does as told.
pub struct Faulty {
    live: Memory,
    state: Mutex<State>,
}

struct State {
    dice: blake3::OutputReader,
    mutations: u64,
    plan: BTreeMap<u64, Fault>,
    crashed: bool,
    /// What a crash may take back: deletes are not promised to be durable.
    deleted: BTreeMap<String, Arc<[u8]>>,
    space: Option<u64>,
    log: Vec<Call>,
}

impl Faulty {
    /// An empty one; the seed decides what a crash leaves.
    pub fn new(seed: u64) -> Self {
        Self::over(Memory::new(), seed)
    }

    /// One that begins with (and changes) the content of `live`.
    pub fn over(live: Memory, seed: u64) -> Self {
        let dice = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
        let state = State {
            dice,
            mutations: 0,
            plan: BTreeMap::new(),
            crashed: false,
            deleted: BTreeMap::new(),
            space: None,
            log: Vec::new(),
        };
        Self {
            live,
            state: Mutex::new(state),
        }
    }

    /// Makes the `nth` mutating call from now (1 is the next) fail.
    pub fn fail_at(&self, nth: u64, fault: Fault) {
        let mut state = self.state();
        let at = state.mutations + nth.max(1);
        state.plan.insert(at, fault);
    }

    /// Refuses whatever would take the store above so many bytes; `None` lifts it.
    pub fn limit_space(&self, bytes: Option<u64>) {
        self.state().space = bytes;
    }

    /// What survives if the machine stops now.
    pub fn crash_image(&self) -> Memory {
        let mut state = self.state();
        let image = self.live.fork();
        for (name, bytes) in state.deleted.clone() {
            if state.toss() {
                image.state().objects.entry(name).or_insert(bytes);
            }
        }
        image
    }

    /// Flips a bit of a stored object.
    pub fn corrupt(&self, name: &str, offset: usize) {
        self.change(name, |bytes| {
            if let Some(byte) = bytes.get_mut(offset) {
                *byte ^= 0x10;
            }
        });
    }

    /// Cuts a stored object off.
    pub fn truncate(&self, name: &str, len: usize) {
        self.change(name, |bytes| bytes.truncate(len));
    }

    /// Changes the bytes of a stored object behind everybody's back; the name `root` is the root.
    pub fn change(&self, name: &str, act: impl FnOnce(&mut Vec<u8>)) {
        let mut live = self.live.state();
        if name == "root" {
            live.root.as_mut().map(act);
        } else if let Some(object) = live.objects.get_mut(name) {
            let mut bytes = object.to_vec();
            act(&mut bytes);
            *object = bytes.into();
        }
    }

    /// Removes an object behind everybody's back.
    pub fn lose(&self, name: &str) {
        self.live.state().objects.remove(name);
    }

    /// How many mutating calls were made.
    pub fn mutations(&self) -> u64 {
        self.state().mutations
    }

    /// Every call since the last time this was asked.
    pub fn take_log(&self) -> Vec<Call> {
        std::mem::take(&mut self.state().log)
    }

    /// The content, shared.
    pub fn memory(&self) -> Memory {
        self.live.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(
        &self,
        verb: &'static str,
        name: &str,
        len: fn(&T) -> u64,
        act: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        if self.state().crashed {
            return Err(dead());
        }
        let result = act();
        let bytes = result.as_ref().map_or(0, len);
        self.state().log.push(Call {
            verb,
            name: name.into(),
            bytes,
            ok: result.is_ok(),
        });
        result
    }

    /// Runs a mutating call under the plan. The lock is not held while it runs, so that calls do race.
    fn mutate<T>(
        &self,
        verb: &'static str,
        name: &str,
        bytes: u64,
        act: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let fault = {
            let mut state = self.state();
            if state.crashed {
                return Err(dead());
            }
            state.mutations += 1;
            let at = state.mutations;
            let full = state
                .space
                .is_some_and(|space| verb != "delete" && self.live.bytes() + bytes > space);
            let planned = state.plan.remove(&at);
            if planned == Some(Fault::Crash) {
                state.crashed = true;
            }
            let half_done = planned == Some(Fault::Crash) && state.toss();
            match planned.or(full.then_some(Fault::Full)) {
                Some(Fault::Crash) if half_done => Some(Fault::After),
                other => other,
            }
        };
        let result = match fault {
            None => act(),
            Some(Fault::After) => {
                act().and_then(|_| Err(Error::new(Kind::Io, format!("{verb} {name}: the reply was lost"))))
            }
            Some(Fault::Full) => Err(Error::new(Kind::Quota, format!("{verb} {name}: no space left"))),
            Some(Fault::Before | Fault::Crash) => {
                Err(Error::new(Kind::Io, format!("{verb} {name}: it failed")))
            }
        };
        self.state().log.push(Call {
            verb,
            name: name.into(),
            bytes,
            ok: result.is_ok(),
        });
        result
    }
}

impl State {
    fn toss(&mut self) -> bool {
        let mut byte = [0];
        self.dice.fill(&mut byte);
        byte[0] & 1 == 1
    }
}

fn dead() -> Error {
    Error::new(Kind::Io, "the store is gone: the process has crashed")
}

impl Backend for Faulty {
    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.mutate("put", name, bytes.len() as u64, || {
            self.live.put_new(name, bytes)?;
            self.state().deleted.remove(name);
            Ok(())
        })
    }

    fn get(&self, name: &str) -> Result<Vec<u8>> {
        self.read(
            "get",
            name,
            |bytes: &Vec<u8>| bytes.len() as u64,
            || self.live.get(name),
        )
    }

    fn get_range(&self, name: &str, offset: u64, len: usize) -> Result<Vec<u8>> {
        self.read(
            "range",
            name,
            |bytes: &Vec<u8>| bytes.len() as u64,
            || self.live.get_range(name, offset, len),
        )
    }

    fn size(&self, name: &str) -> Result<u64> {
        self.read("size", name, |_| 0, || self.live.size(name))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.read("list", prefix, |_| 0, || self.live.list(prefix))
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.mutate("delete", name, 0, || {
            let before = self.live.state().objects.get(name).cloned();
            self.live.delete(name)?;
            if let Some(bytes) = before {
                self.state().deleted.insert(name.into(), bytes);
            }
            Ok(())
        })
    }

    fn root(&self) -> Result<Option<Vec<u8>>> {
        self.read(
            "root",
            "root",
            |root: &Option<Vec<u8>>| root.as_ref().map_or(0, |r| r.len() as u64),
            || self.live.root(),
        )
    }

    fn swap_root(&self, expected: Option<&[u8]>, new: &[u8]) -> Result<bool> {
        self.mutate("swap", "root", new.len() as u64, || {
            self.live.swap_root(expected, new)
        })
    }

    fn describe(&self) -> String {
        "memory that fails on command".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_when_they_are_told() {
        let store = Faulty::new(1);
        store.fail_at(2, Fault::Before);
        store.fail_at(3, Fault::After);
        store.put_new("a", b"1").unwrap();
        assert!(store.put_new("b", b"1").is_err() && store.put_new("c", b"1").is_err());
        assert_eq!(store.list("").unwrap(), ["a", "c"]);
        store.limit_space(Some(4));
        assert_eq!(store.put_new("d", b"123").unwrap_err().kind(), Kind::Quota);
        store.put_new("d", b"12").unwrap();
        let log = store.take_log();
        assert_eq!(log.iter().filter(|c| c.verb == "put" && c.ok).count(), 2);
        assert_eq!((store.mutations(), store.take_log().len()), (5, 0));
    }

    #[test]
    fn a_crash_leaves_the_last_call_whole_or_absent() {
        let left = |seed| {
            let store = Faulty::new(seed);
            store.put_new("a", b"1").unwrap();
            store.fail_at(1, Fault::Crash);
            assert!(store.put_new("b", b"22").is_err());
            assert!(store.put_new("c", b"3").is_err() && store.get("a").is_err());
            let image = store.crash_image();
            assert_eq!(image.get("a").unwrap(), b"1");
            image.get("b").ok()
        };
        let outcomes: std::collections::BTreeSet<_> = (0..32).map(left).collect();
        assert_eq!(outcomes, [None, Some(b"22".to_vec())].into());
    }

    #[test]
    fn a_delete_may_come_back_after_a_crash_but_not_over_a_new_object() {
        let back = |seed| {
            let store = Faulty::new(seed);
            store.put_new("a", b"old").unwrap();
            store.delete("a").unwrap();
            assert!(store.get("a").is_err());
            store.crash_image().get("a").is_ok()
        };
        assert_eq!(
            (0..32).map(back).collect::<std::collections::BTreeSet<_>>(),
            [false, true].into()
        );
        let store = Faulty::new(1);
        store.put_new("a", b"old").unwrap();
        store.delete("a").unwrap();
        store.put_new("a", b"new").unwrap();
        assert!((0..32).all(|_| store.crash_image().get("a").unwrap() == b"new"));
    }

    #[test]
    fn rot_is_silent() {
        let store = Faulty::new(1);
        store.put_new("a", b"abc").unwrap();
        store.corrupt("a", 1);
        store.truncate("a", 2);
        assert_eq!(store.get("a").unwrap(), [b'a', b'b' ^ 0x10]);
    }
}
