//! What one transaction has touched so far.
//!
//! Key decision: setup objects (users, groups, permission sets) and data may not meet in one transaction;
//! automation that saves in turn may not go on for ever.
//! Source: Apex guide, "sObjects That Cannot Be Used Together in DML Operations", "Triggers".
//! Not here: undoing (`State::attempt`).

use crate::error::ApiError;
use crate::org::State;
use crate::schema::ObjectDef;

/// How deep automation may set off automation.
const MAX_DEPTH: u32 = 16;

const SETUP: [&str; 9] = [
    "User",
    "UserRole",
    "Group",
    "GroupMember",
    "Profile",
    "PermissionSet",
    "PermissionSetAssignment",
    "QueueSobject",
    "ObjectPermissions",
];

/// The running transaction.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    /// The first object written, and whether it is a setup object.
    first: Option<(String, bool)>,
    pub depth: u32,
}

/// Notes that a client's write touches an object; refuses setup and data together.
pub(crate) fn note(state: &mut State, def: &ObjectDef) -> Result<(), ApiError> {
    let setup = SETUP.contains(&def.name.as_str());
    let transaction = &mut state.behaviour.transaction;
    match &transaction.first {
        None => transaction.first = Some((def.name.clone(), setup)),
        Some((first, other)) if *other != setup => {
            let message = format!(
                "DML operation on setup object is not permitted after you have updated a non-setup object (or vice versa): {}, original object: {first}",
                def.name
            );
            return Err(ApiError::new("MIXED_DML_OPERATION", message));
        }
        Some(_) => {}
    }
    Ok(())
}

/// Runs work that automation does, one level deeper.
pub(crate) fn deeper<T>(
    state: &mut State,
    work: impl FnOnce(&mut State) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    if state.behaviour.transaction.depth >= MAX_DEPTH {
        return Err(ApiError::new(
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            "maximum trigger depth exceeded",
        ));
    }
    state.behaviour.transaction.depth += 1;
    let result = state.as_system(work);
    state.behaviour.transaction.depth -= 1;
    result
}
