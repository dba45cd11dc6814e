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
    // Nothing to do about a refusal here: the test below sees to it that there is none.
    let _ = rows::fill(&mut state);
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_accepted_and_two_orgs_are_the_same() {
        let mut state = birth::state();
        objects::define(&mut state);
        assert_eq!(rows::fill(&mut state), Vec::<String>::new());
        assert_eq!(state.tables, super::state().tables);
        let rows: usize = state.tables.values().map(std::collections::BTreeMap::len).sum();
        assert!((600..2000).contains(&rows), "{rows}");
    }
}
