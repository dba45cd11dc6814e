//! The rules between rows: references must lead somewhere, unique values must be unique.
//!
//! Key decision: a reference to a deleted row is ENTITY_IS_DELETED and to none at all
//! INVALID_CROSS_REFERENCE_KEY, because a client takes different ways on from the two.
//! Source: SOAP API guide, "Status Codes".
//! Not here: the value alone (`coerce`).

use serde_json::Value;

use super::coerce::wrong_id;
use crate::error::ApiError;
use crate::org::Permission;
use crate::org::state::{Life, Row, State};
use crate::schema::{Field, Kind, ObjectDef};

/// Checks that a reference leads to a live row of a kind that the field allows.
pub(crate) fn reference(state: &State, object: &ObjectDef, field: &Field, id: &str) -> Result<(), ApiError> {
    if field.kind != Kind::Reference || field.reference_to.is_empty() {
        return Ok(());
    }
    let Some(target) = state.schema.by_id(id) else {
        return Err(wrong_id(field, id));
    };
    if !field
        .reference_to
        .iter()
        .any(|t| t.eq_ignore_ascii_case(&target.name))
    {
        return Err(wrong_id(field, id));
    }
    match state.row(id).map(|r| r.life) {
        Some(Life::Live) if state.sees_id(id) => {}
        Some(Life::Live) => return Err(hidden().on(&field.name)),
        Some(_) => return Err(ApiError::deleted().status(400).on(&field.name)),
        None => return Err(ApiError::bad_reference().status(400).on(&field.name)),
    }
    match field.name.as_str() {
        "OwnerId" => owner(state, object, id),
        "RecordTypeId" => record_type(state, object, id),
        _ => Ok(()),
    }
}

fn hidden() -> ApiError {
    ApiError::new(
        "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
        "insufficient access rights on cross-reference id",
    )
}

fn owner(state: &State, object: &ObjectDef, id: &str) -> Result<(), ApiError> {
    let active = state.row(id).and_then(|r| r.values.flag("IsActive"));
    if active == Some(false) && !state.may(Permission::UpdateWithInactiveOwner) {
        let message = format!(
            "operation performed with inactive user [{}] as owner of {}",
            &id[..15],
            object.label.to_lowercase()
        );
        return Err(ApiError::new("INACTIVE_OWNER_OR_USER", message).on("OwnerId"));
    }
    Ok(())
}

fn record_type(state: &State, object: &ObjectDef, id: &str) -> Result<(), ApiError> {
    let fits = state
        .row(id)
        .is_some_and(|r| r.text("SobjectType") == object.name && r.values.flag("IsActive") == Some(true));
    if fits && state.offers(id) {
        return Ok(());
    }
    Err(ApiError::new(
        "INVALID_CROSS_REFERENCE_KEY",
        format!("Record Type ID: this ID value isn't valid for the user: {id}"),
    )
    .on("RecordTypeId"))
}

/// Checks the unique fields of a row about to be live against all other live rows.
pub(crate) fn unique(state: &State, object: &ObjectDef, id: &str, row: &Row) -> Result<(), ApiError> {
    for field in object.fields.iter().filter(|f| f.unique && f.kind != Kind::Id) {
        let Some(value) = row.values.get(&field.name) else {
            continue;
        };
        let twin = state
            .index
            .holding(&object.name, &field.name, &value)
            .filter(|other| *other != id)
            .find(|other| {
                let held = state.live(other).and_then(|r| r.values.get(&field.name));
                held.is_some_and(|v| same(field, &v, &value))
            });
        if let Some(other) = twin {
            let message = format!(
                "duplicate value found: {} duplicates value on record with id: {}",
                field.name,
                &other[..15]
            );
            return Err(ApiError::new("DUPLICATE_VALUE", message));
        }
    }
    Ok(())
}

fn same(field: &Field, a: &Value, b: &Value) -> bool {
    match (a.as_str(), b.as_str()) {
        (Some(a), Some(b)) if !field.case_sensitive => a.to_lowercase() == b.to_lowercase(),
        _ => a == b,
    }
}

/// A self-reference may not close a circle (Account.ParentId and its like).
pub(crate) fn no_circle(
    state: &State,
    object: &ObjectDef,
    field: &Field,
    id: &str,
    to: &str,
) -> Result<(), ApiError> {
    if !field.reference_to.iter().any(|t| t == &object.name) || field.custom() {
        return Ok(());
    }
    let mut at = to.to_owned();
    for _ in 0..10_000 {
        if at == id {
            return Err(ApiError::new(
                "CIRCULAR_DEPENDENCY",
                format!("{}: attempt to create a circular dependency", field.label),
            )
            .on(&field.name));
        }
        match state.row(&at).map(|r| r.text(&field.name).to_owned()) {
            Some(next) if !next.is_empty() => at = next,
            _ => break,
        }
    }
    Ok(())
}
