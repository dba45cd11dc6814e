//! Which columns an sObject has at a snapshot, and of which types: what its describes said up to then.
//!
//! Key decision: every field that any of its schemas knew is a column, typed by the newest that knew it, so that columns
//! come and never go, and no record is read to find them out. It reads no records, and does not promise that they fit.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::column::Kind;
use crate::base::error::{self, Error, Result};
use crate::format::describe::FieldKind;
use crate::format::schema::{Role, SchemaField};
use crate::ops::state::State;

/// The number of the newest schema of each sObject at a state.
pub type Schemas = HashMap<String, u32>;

/// Finds the newest schemas of some sObjects at a state: in the catalog where nothing was read since, else in the
/// manifests up to it.
pub fn schemas(state: &State<'_>, names: &[String]) -> Result<Schemas> {
    let (view, org) = (&state.view, state.org());
    let number = view.snapshot.number;
    let (mut found, mut newer) = (Schemas::new(), Schemas::new());
    let mut objects = view.catalog().objects(org)?;
    objects.retain(|name, _| names.contains(name));
    for (name, object) in objects {
        let of = if object.snapshot <= number {
            &mut found
        } else {
            &mut newer
        };
        of.insert(name, object.schema);
    }
    let mut snapshots = view.catalog().snapshots(org)?;
    snapshots.retain(|snapshot| snapshot.number <= number);
    for snapshot in snapshots.iter().rev() {
        if newer.is_empty() {
            break;
        }
        for captured in State::at(view.vault, snapshot).manifest()?.sobjects {
            if captured.schema > 0 && newer.remove(&captured.name).is_some() {
                found.insert(captured.name, captured.schema);
            }
        }
    }
    // Where no snapshot that is left tells, those that came since give columns without values.
    found.extend(newer);
    Ok(found)
}

/// The fields of an sObject, in byte order of their names, from its newest schema back to the first.
pub fn fields(state: &State<'_>, sobject: &str, newest: u32) -> Result<BTreeMap<String, Kind>> {
    let mut found = BTreeMap::from([("Id".to_owned(), Kind::Text)]);
    for number in (1..=newest).rev() {
        let schema = state.schema(sobject, number)?;
        let kept = |field: &&SchemaField| field.role != Role::Dropped && !found.contains_key(&field.name);
        let new: Vec<&SchemaField> = schema.fields().iter().filter(kept).collect();
        let numbers = new.iter().any(|field| field.kind == FieldKind::Number);
        let types = if numbers {
            types(state, sobject, number)?
        } else {
            HashMap::new()
        };
        for field in new {
            let kind = kind(field.kind, types.get(&field.name).map(String::as_str));
            found.insert(field.name.clone(), kind);
        }
    }
    Ok(found)
}

/// The type of a column, by what a schema and a describe say of a field.
fn kind(kind: FieldKind, described: Option<&str>) -> Kind {
    match (kind, described) {
        (FieldKind::Boolean, _) => Kind::Boolean,
        (FieldKind::Number, Some("int")) => Kind::Int,
        (FieldKind::Number, Some("long")) => Kind::Long,
        (FieldKind::Number, _) => Kind::Double,
        (FieldKind::Date, _) => Kind::Date,
        (FieldKind::DateTime, _) => Kind::Stamp,
        (FieldKind::Time, _) => Kind::Time,
        _ => Kind::Text,
    }
}

/// The types of fields as the describe under that schema calls them; a schema knows one kind of number only.
fn types(state: &State<'_>, sobject: &str, number: u32) -> Result<HashMap<String, String>> {
    #[derive(Deserialize)]
    struct Describe {
        fields: Vec<Field>,
    }
    #[derive(Deserialize)]
    struct Field {
        name: String,
        #[serde(rename = "type")]
        kind: String,
    }
    let text = match state.describe_text_under(sobject, number) {
        Err(error) if error.kind() == error::Kind::NotFound => return Ok(HashMap::new()),
        text => text?,
    };
    let describe: Describe = serde_json::from_slice(&text)
        .map_err(|e| Error::corrupt(format_args!("the describe of {sobject}"), e))?;
    let types = describe.fields.into_iter().map(|field| (field.name, field.kind));
    Ok(types.collect())
}
