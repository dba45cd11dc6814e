//! The header of an upload: what each column means, and a row as the record that it stands for.
//!
//! Key decision: a row becomes the record that REST would be sent, so that the rules of writing see no
//! difference; an empty value is a field that is not given, `#N/A` is null.
//! Source: Bulk API 2.0 guide, "Prepare CSV Files", "Relationship Fields in a Header Row".
//! Not here: taking the text apart (`sheet`), saving (`ingest`).

use serde_json::{Map, Value, json};

use super::ingest::Operation;
use crate::org::State;
use crate::schema::{Kind, ObjectDef};

/// The text that empties a field.
const NULL: &str = "#N/A";

/// What a column of an upload is for.
#[derive(Debug)]
pub(crate) enum Column {
    Field(String, Kind),
    /// The parent at the end of a relationship, by a key of its own: `Owner.Username`, and of one that leads
    /// to several objects `Lead:Who.Email`.
    Parent {
        way: String,
        object: Option<String>,
        key: String,
    },
}

/// The columns of a header; the error is the job's `errorMessage`.
pub(crate) fn columns(
    state: &State,
    def: &ObjectDef,
    names: &[String],
    operation: &Operation,
) -> Result<Vec<Column>, String> {
    let ids_only = matches!(operation, Operation::Delete | Operation::HardDelete);
    if ids_only && !matches!(names, [id] if id.eq_ignore_ascii_case("Id")) {
        let name = operation.name();
        return Err(format!("InvalidBatch : The '{name}' batch must contain only ids"));
    }
    for (n, name) in names.iter().enumerate() {
        if names[..n].iter().any(|other| other.eq_ignore_ascii_case(name)) {
            return Err(format!("InvalidBatch : Field name is there twice : {name}"));
        }
    }
    names
        .iter()
        .map(|name| {
            let found = plain(state, def, name).or_else(|| parent(state, def, name));
            let found = found.ok_or_else(|| format!("InvalidBatch : Field name not found : {name}"))?;
            match found {
                Column::Field(_, Kind::Base64) => {
                    Err("FeatureNotEnabled : Binary field not supported".to_owned())
                }
                _ => Ok(found),
            }
        })
        .collect()
}

fn plain(state: &State, def: &ObjectDef, name: &str) -> Option<Column> {
    let field = def.field(name).filter(|f| state.sees_field(def, f))?;
    Some(Column::Field(field.name.clone(), field.kind))
}

fn parent(state: &State, def: &ObjectDef, name: &str) -> Option<Column> {
    let (way, key) = name.split_once('.')?;
    let (object, way) = match way.split_once(':') {
        Some((object, way)) => (Some(object), way),
        None => (None, way),
    };
    let field = def.relationship(way).filter(|f| state.sees_field(def, f))?;
    let mut targets = field
        .reference_to
        .iter()
        .filter(|t| object.is_none_or(|o| o.eq_ignore_ascii_case(t)))
        .filter_map(|t| state.visible(t));
    let keyed = targets.any(|t| {
        t.field(key)
            .is_some_and(|f| f.id_lookup() && state.sees_field(t, f))
    });
    keyed.then(|| Column::Parent {
        way: way.to_owned(),
        object: object.map(str::to_owned),
        key: key.to_owned(),
    })
}

/// The record of a row.
pub(crate) fn record<'a>(columns: &[Column], cells: impl Iterator<Item = &'a [u8]>) -> Value {
    let mut out = Map::new();
    for (column, cell) in columns.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
        // What is no UTF-8 is read as the sign for it, as Java does.
        let text = String::from_utf8_lossy(cell);
        match column {
            Column::Field(name, _) if text == NULL => out.insert(name.clone(), Value::Null),
            Column::Field(name, Kind::Boolean) if matches!(&*text, "0" | "1") => {
                out.insert(name.clone(), json!(text == "1"))
            }
            Column::Field(name, _) => out.insert(name.clone(), json!(text)),
            Column::Parent { way, .. } if text == NULL => out.insert(way.clone(), Value::Null),
            Column::Parent { way, object, key } => {
                let mut named = json!({ key: text });
                if let Some(object) = object {
                    named["type"] = json!(object);
                }
                out.insert(way.clone(), named)
            }
        };
    }
    Value::Object(out)
}
