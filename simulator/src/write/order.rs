//! The order of a save: what happens before the row is checked, after it is, and once it is stored.
//!
//! Key decision: the three points of a save at which the org's own rules take part, in one place, so that
//! create and update cannot differ.
//! Source: Apex guide, "Triggers and Order of Execution".
//! Not here: the checks that every org makes (`save`, `check`).

use std::sync::Arc;

use super::{automation, duplicates, locks, person, rules, standard};
use crate::error::ApiError;
use crate::org::State;
use crate::org::state::Row;
use crate::schema::ObjectDef;

/// Locks what the save needs, then lets automation change or refuse the row.
pub(crate) fn before(
    state: &mut State,
    def: &Arc<ObjectDef>,
    id: &str,
    row: &mut Row,
    old: Option<&Row>,
) -> Result<(), ApiError> {
    match old {
        Some(old) => locks::take(state, def, id, &[old, row])?,
        None => locks::take(state, def, id, &[row])?,
    }
    automation::before(state, def, row, old)?;
    person::before(state, def, row, old)
}

/// Checks the row as it will be stored.
pub(crate) fn check(
    state: &State,
    def: &Arc<ObjectDef>,
    id: &str,
    row: &Row,
    old: Option<&Row>,
) -> Result<(), ApiError> {
    rules::check(state, def, row, old)?;
    standard::check(state, def, id, row, old)?;
    person::check(state, def, row, old)?;
    duplicates::check(state, def, id, row, old)
}

/// What the save of a row sets off.
pub(crate) fn after(
    state: &mut State,
    def: &Arc<ObjectDef>,
    row: &Row,
    old: Option<&Row>,
    user: &str,
) -> Result<(), ApiError> {
    person::after(state, def, row, old, user)?;
    standard::after(state, def, row, old, user)?;
    automation::after(state, def, row, old, user)
}
