//! Parents named by an external id instead of their Id: `"Account": {"Number__c": "7"}`.
//!
//! Key decision: turned into plain references before anything else looks at the record, so that no rule has
//! to know of it.
//! Source: REST API guide, "Insert or Update (Upsert) a Record Using an External ID", "Relationship Fields";
//! SOAP API guide, "Foreign Keys and External ID Fields".
//! Not here: checking that the parent may be referenced (`check`).

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::{coerce, lookup};
use crate::error::ApiError;
use crate::org::State;
use crate::schema::{Field, ObjectDef};

/// The record with every parent that is named by an external id replaced by its Id.
pub(crate) fn resolve<'a>(
    state: &State,
    def: &ObjectDef,
    values: &'a Map<String, Value>,
) -> Result<Cow<'a, Map<String, Value>>, ApiError> {
    let named = |name: &str, value: &Value| {
        let way = def
            .field(name)
            .is_none()
            .then(|| def.relationship(name))
            .flatten();
        way.filter(|_| value.is_object() || value.is_null())
    };
    if !values.iter().any(|(k, v)| named(k, v).is_some()) {
        return Ok(Cow::Borrowed(values));
    }
    let mut out = Map::new();
    for (name, value) in values {
        match (named(name, value), value) {
            (Some(reference), Value::Object(parent)) => {
                let id = find(state, reference, parent)?;
                out.insert(reference.name.clone(), json!(id));
            }
            (Some(reference), _) => drop(out.insert(reference.name.clone(), Value::Null)),
            (None, _) => drop(out.insert(name.clone(), value.clone())),
        }
    }
    Ok(Cow::Owned(out))
}

/// The Id of the one live row that the key names.
fn find(state: &State, reference: &Field, parent: &Map<String, Value>) -> Result<String, ApiError> {
    let kind = parent
        .get("attributes")
        .and_then(|a| a.get("type"))
        .or_else(|| parent.get("type"))
        .and_then(Value::as_str);
    let keys: Vec<(&String, &Value)> = parent
        .iter()
        .filter(|(k, _)| *k != "attributes" && *k != "type")
        .collect();
    let [(key, value)] = keys.as_slice() else {
        return Err(refusal(&format!(
            "exactly one external ID field is required for {}",
            reference.relationship.as_deref().unwrap_or_default()
        )));
    };
    let targets = reference
        .reference_to
        .iter()
        .filter(|t| kind.is_none_or(|k| k.eq_ignore_ascii_case(t)))
        .filter_map(|t| state.schema.object(t));
    let mut indexed = None;
    for target in targets {
        let Some(field) = target.field(key).filter(|f| f.id_lookup()) else {
            continue;
        };
        indexed = Some(target);
        let wanted = coerce(field, value, &state.settings)?;
        match lookup::holding(state, target, field, &wanted).as_slice() {
            [] => {}
            [id] => return Ok(id.clone()),
            several => return Err(lookup::ambiguous(field, several).status(400)),
        }
    }
    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Err(match indexed {
        Some(target) => refusal(&format!(
            "Foreign key external ID: {} not found for field {key} in entity {}",
            shown.to_lowercase(),
            target.name
        )),
        None => refusal(&format!(
            "{key} is not an external ID or indexed field for {}",
            reference.reference_to.join(", ")
        )),
    })
}

fn refusal(message: &str) -> ApiError {
    ApiError::new("INVALID_FIELD", message)
}
