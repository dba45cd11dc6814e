//! The built-in sample org: a salt works with its customers, mines and shipments.
//!
//! Key decision: made by code from small word lists and a fixed seed, so that it is the same everywhere and
//! needs no file; every record goes through the rules of `write`, so that it is an org that can exist.
//! Not here: loading projects (`load`).

mod objects;
mod rows;

use crate::org::State;
use crate::org::birth;

/// The sample org.
pub(crate) fn state() -> State {
    let mut state = birth::state();
    objects::define(&mut state);
    rows::fill(&mut state);
    state
}
