//! Going on, or not, where something is known to be lost.
//!
//! Key decision: a reader that would show less than there was is told so with an error, unless the vault was opened to
//! be read despite losses; then what was passed over is noted and can be asked for. It finds no damage and mends none.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

use crate::base::error::{Error, Kind, Result};

/// Notes that are kept of what was passed over.
const NOTES_MAX: usize = 1000;

/// What an open vault does about losses.
#[derive(Default)]
pub struct Tolerance {
    despite: bool,
    passed: Mutex<BTreeSet<String>>,
}

impl Tolerance {
    /// With nothing passed over yet; `despite`: whether reads go on.
    pub fn new(despite: bool) -> Self {
        Self {
            despite,
            passed: Mutex::default(),
        }
    }

    /// Whether reads go on.
    pub fn despite(&self) -> bool {
        self.despite
    }

    /// Notes that something lost is passed over.
    ///
    /// # Errors
    /// `Corrupt`, unless reads go on despite losses.
    pub fn pass_over(&self, what: impl Display) -> Result<()> {
        if !self.despite {
            return Err(
                Error::new(Kind::Corrupt, format!("{what}: lost, as an earlier repair found")).hint(
                    "`--despite-losses` goes on without it; the next backup fills the hole for later states",
                ),
            );
        }
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        if passed.len() < NOTES_MAX {
            passed.insert(what.to_string());
        }
        Ok(())
    }

    /// The notes.
    pub fn passed(&self) -> Vec<String> {
        let passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        passed.iter().cloned().collect()
    }
}
