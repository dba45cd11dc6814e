//! The master keys that a vault has had.
//!
//! Key decision: one is random and wrapped by slots, all else is derived; a vault that is given a new one keeps the
//! former ones, since the first names and each opens what it sealed. It never shows a secret, and derives nothing.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::base::clock::Clock;
use crate::base::error::Result;

/// How many master keys a vault may have had: what a slot counts to.
pub const GENERATIONS_MAX: usize = 1000;

/// The secret from which every other one is derived. Wiped when dropped, never shown.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

impl MasterKey {
    /// A new random key.
    pub fn generate(clock: &Clock) -> Result<Self> {
        clock.random().map(Self)
    }

    /// A key from its bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for wrapping.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A key of one purpose.
    pub(crate) fn purpose(&self, context: &str) -> [u8; 32] {
        blake3::derive_key(context, &self.0)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(secret)")
    }
}

/// The master keys of a vault.
#[derive(Clone, PartialEq, Eq)]
pub struct Ring {
    newest: MasterKey,
    /// Those before it, newest first.
    former: Vec<MasterKey>,
}

impl Ring {
    /// Of a vault that has had one key.
    pub fn new(master: MasterKey) -> Self {
        Self {
            newest: master,
            former: Vec::new(),
        }
    }

    /// From the newest and those before it, newest first.
    pub(crate) fn of(newest: MasterKey, former: Vec<MasterKey>) -> Self {
        Self { newest, former }
    }

    /// With one more key, which is the newest then.
    #[must_use]
    pub fn renewed(&self, master: MasterKey) -> Self {
        Self {
            newest: master,
            former: self.masters().cloned().collect(),
        }
    }

    /// All of them, newest first.
    pub fn masters(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.newest).chain(&self.former)
    }

    /// Those before the newest, newest first.
    pub(crate) fn former(&self) -> &[MasterKey] {
        &self.former
    }

    /// The one that seals.
    pub fn newest(&self) -> &MasterKey {
        &self.newest
    }

    /// The one that names.
    pub fn first(&self) -> &MasterKey {
        self.former.last().unwrap_or(&self.newest)
    }

    /// How many there were; slots say which one they hold, from 1.
    pub fn generation(&self) -> u16 {
        u16::try_from(1 + self.former.len()).unwrap_or(u16::MAX)
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ring({} secret keys)", self.generation())
    }
}
