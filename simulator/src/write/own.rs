//! Records that name their own row, by its Id or by the key of an upsert.
//!
//! Key decision: the name is taken out of the record before it is saved, since neither an Id nor the key of
//! a row that is there is a change.
//! Source: REST API guide, "Update Multiple Records", "Upsert Multiple Records"; Bulk API 2.0 guide.
//! Not here: saving (`save`).

use serde_json::Value;

use super::{create, update, upsert};
use crate::error::ApiError;
use crate::id::normalise;
use crate::org::State;
use crate::schema::{Field, Kind, ObjectDef};

/// Takes a record's value of a field out of it, whatever the case of the name.
fn take(values: &mut Value, field: &str) -> Option<Value> {
    let map = values.as_object_mut()?;
    let key = map.keys().find(|k| k.eq_ignore_ascii_case(field)).cloned()?;
    map.remove(&key).filter(|v| !v.is_null())
}

/// Takes the Id of a row of this object out of a record.
pub(crate) fn take_id(object: &ObjectDef, values: &mut Value, call: &str) -> Result<String, ApiError> {
    let id = take(values, "Id");
    let id = id.as_ref().and_then(Value::as_str).unwrap_or_default();
    if id.is_empty() {
        let message = format!("Id not specified in {call} call");
        return Err(ApiError::new("MISSING_ARGUMENT", message).on("Id"));
    }
    normalise(id)
        .filter(|id| id.starts_with(&object.key_prefix))
        .ok_or_else(|| {
            let message = format!("{} ID: id value of incorrect type: {id}", object.label);
            ApiError::new("MALFORMED_ID", message).on("Id")
        })
}

/// Changes the row whose Id the record holds; gives that Id.
pub(crate) fn update_own(
    state: &mut State,
    object: &ObjectDef,
    mut values: Value,
    user: &str,
) -> Result<String, ApiError> {
    let id = take_id(object, &mut values, "an update")?;
    update(state, &id, &values, user).map(|()| id)
}

/// Creates a row, or changes the one that has the record's key; gives its Id and whether it is new.
pub(crate) fn upsert_own(
    state: &mut State,
    object: &ObjectDef,
    key: &Field,
    mut values: Value,
    user: &str,
) -> Result<(String, bool), ApiError> {
    let value = match take(&mut values, &key.name) {
        Some(Value::String(value)) => value,
        Some(other) => other.to_string(),
        None if key.kind == Kind::Id => {
            return create(state, &object.name, &values, user).map(|id| (id, true));
        }
        None => {
            let message = format!("{} not specified", key.name);
            return Err(ApiError::new("MISSING_ARGUMENT", message).on(&key.name));
        }
    };
    upsert(state, &object.name, (&key.name, &value), &values, user)
}
