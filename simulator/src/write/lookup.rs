//! Rows by a value instead of an Id: the key of an upsert or of a path.
//!
//! Key decision: every field that the describe calls `idLookup` finds rows; those that the index holds are
//! looked up, the others scanned for.
//! Source: REST API guide, "Insert or Update (Upsert) a Record Using an External ID"; SOAP API guide,
//! "idLookup" of DescribeSObjectResult.
//! Not here: saving (`save`), parents named by such a value (`relate`).

use serde_json::Value;

use crate::error::ApiError;
use crate::org::state::State;
use crate::schema::{Field, Kind, ObjectDef};

/// The field of that name if rows may be found by it.
pub(crate) fn key<'a>(def: &'a ObjectDef, name: &str) -> Result<&'a Field, ApiError> {
    def.field(name).filter(|f| f.id_lookup()).ok_or_else(|| {
        ApiError::new(
            "NOT_FOUND",
            format!("Provided external ID field does not exist or is not accessible: {name}"),
        )
        .status(404)
    })
}

/// Ids of the live rows that hold a value in such a field, in order.
pub(crate) fn holding(state: &State, def: &ObjectDef, field: &Field, value: &Value) -> Vec<String> {
    let holds = |id: &&str| {
        let row = state.live(id).filter(|_| state.sees_id(id));
        row.is_some_and(|row| match (row.values.get(&field.name).as_ref(), value) {
            (Some(Value::String(held)), Value::String(wanted)) if !field.case_sensitive => {
                held.to_lowercase() == wanted.to_lowercase()
            }
            (held, wanted) => held == Some(wanted),
        })
    };
    match field.kind {
        Kind::Id => value
            .as_str()
            .into_iter()
            .filter(holds)
            .map(str::to_owned)
            .collect(),
        _ if crate::org::index::keyed(field) => {
            let found = state.index.holding(&def.name, &field.name, value);
            found.filter(holds).map(str::to_owned).collect()
        }
        _ => {
            let rows = state.rows(&def.name).map(|(id, _)| id.as_str());
            rows.filter(holds).map(str::to_owned).collect()
        }
    }
}

/// The refusal of a value that several rows hold.
pub(crate) fn ambiguous(field: &Field, ids: &[String]) -> ApiError {
    ApiError::new(
        "DUPLICATE_EXTERNAL_ID",
        format!(
            "{}: more than one record found for external id field: [{}]",
            field.name,
            ids.join(", ")
        ),
    )
    .status(300)
}
