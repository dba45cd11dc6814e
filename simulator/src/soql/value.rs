//! What a field of a row reads as: stored, compound or computed.
//!
//! Key decision: compound fields and formulas are made when read, from the row's stored parts; a row that
//! was never told a checkbox reads false, because a boolean is never null.
//! Source: SOAP API guide, "Compound Fields"; REST API guide, "Get Field Values".
//! Not here: fields of other rows (`eval`).

use serde_json::{Map, Value, json};

use crate::org::compute::{self, OnRow};
use crate::org::state::{Life, Row};
use crate::org::{State, access};
use crate::schema::{Field, Kind, ObjectDef};

/// Where a field's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The row, or null.
    Stored,
    /// The row, or false.
    Flag,
    /// The row's life.
    Deleted,
    /// Computed at each reading.
    Made,
    /// A field that all targets of a reference share, looked up in each row's own object.
    Shared,
}

impl Source {
    pub fn of(object: &ObjectDef, field: &Field) -> Self {
        match field.kind {
            _ if field.name == "IsDeleted" => Self::Deleted,
            Kind::Address | Kind::Location | Kind::Base64 | Kind::Encrypted => Self::Made,
            _ if field.formula.is_some() => Self::Made,
            Kind::Boolean if object.name == "UserPermissionAccess" => Self::Made,
            Kind::Boolean => Self::Flag,
            _ => Self::Stored,
        }
    }

    /// The value of a field that is not computed.
    pub fn plain(self, row: &Row, field: &str) -> Option<Value> {
        match self {
            Self::Stored => Some(row.values.get(field).unwrap_or_default()),
            Self::Flag => Some(row.values.get(field).unwrap_or(Value::Bool(false))),
            Self::Deleted => Some(Value::Bool(row.life != Life::Live)),
            Self::Made | Self::Shared => None,
        }
    }
}

/// The value of a field as the API sends it.
pub(crate) fn of(state: &State, object: &ObjectDef, field: &Field, id: &str, row: &Row) -> Value {
    let plain = Source::of(object, field).plain(row, &field.name);
    plain.unwrap_or_else(|| made(state, object, field, id, row))
}

fn made(state: &State, object: &ObjectDef, field: &Field, id: &str, row: &Row) -> Value {
    match field.kind {
        Kind::Address => address(field, row),
        Kind::Location => location(field, row),
        _ if field.formula.is_some() => formula(state, object, field, row),
        Kind::Base64 if row.values.contains_key(&field.name) => json!(format!(
            "/services/data/v{}.0/sobjects/{}/{id}/{}",
            state.settings.versions.1, object.name, field.name
        )),
        Kind::Boolean => json!(access::permission(state, &field.name)),
        Kind::Encrypted => row.values.get(&field.name).unwrap_or_default(),
        _ => Value::Null,
    }
}

fn address(field: &Field, row: &Row) -> Value {
    let stem = field.name.strip_suffix("Address").unwrap_or_default();
    let parts = [
        ("city", "City"),
        ("country", "Country"),
        ("geocodeAccuracy", "GeocodeAccuracy"),
        ("latitude", "Latitude"),
        ("longitude", "Longitude"),
        ("postalCode", "PostalCode"),
        ("state", "State"),
        ("street", "Street"),
    ];
    let map: Map<String, Value> = parts
        .iter()
        .map(|(key, suffix)| {
            let part = row.values.get(&format!("{stem}{suffix}"));
            ((*key).to_owned(), part.unwrap_or_default())
        })
        .collect();
    if map.values().all(Value::is_null) {
        Value::Null
    } else {
        Value::Object(map)
    }
}

fn location(field: &Field, row: &Row) -> Value {
    let stem = field.name.trim_end_matches("__c");
    let part = |name: &str| row.values.get(&format!("{stem}__{name}__s"));
    match (part("Latitude"), part("Longitude")) {
        (None, None) => Value::Null,
        (lat, lon) => json!({"latitude": lat, "longitude": lon}),
    }
}

fn formula(state: &State, object: &ObjectDef, field: &Field, row: &Row) -> Value {
    let Some(formula) = &field.formula else {
        return Value::Null;
    };
    compute::held(field, formula.eval(&OnRow::at_rest(state, object, row)))
}
