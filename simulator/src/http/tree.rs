//! `/composite/tree/X`: records and those that hang on them, created together or not at all.
//!
//! Key decision: children are created after their parent, with the parent's Id in the field that the
//! relationship's name stands for.
//! Source: REST API guide, "sObject Tree".
//! Not here: reading trees from files (`load::tree`).

use serde_json::{Map, Value, json};

use super::reply::{Reply, record_error};
use super::route::Call;
use crate::error::ApiError;
use crate::org::State;
use crate::write;

const MAX_RECORDS: usize = 200;
const MAX_DEPTH: usize = 5;

/// A record of the tree: its reference id and what came of it.
type Planted = (String, Result<String, ApiError>);

/// `POST /composite/tree/X`
pub(crate) fn create(state: &mut State, call: &Call<'_>, name: &str) -> Result<Reply, ApiError> {
    let object = state.object(name)?;
    let body = call.request.json()?;
    let list = records(&body)?;
    let count: usize = list.iter().map(size).sum();
    if count > MAX_RECORDS {
        let message = format!("Cannot create more than {MAX_RECORDS} records in one request");
        return Err(ApiError::new("INVALID_INPUT", message));
    }
    state.begin();
    let mark = state.mark();
    let mut results = Vec::with_capacity(count);
    for record in list {
        if let Err(e) = plant(state, &object.name, record, None, 1, &mut results) {
            state.undo_to(mark);
            return Err(e);
        }
    }
    let errors: Vec<Value> = results
        .iter()
        .filter_map(|(reference, r)| Some((reference, r.as_ref().err()?)))
        .map(|(reference, e)| json!({"referenceId": reference, "errors": [record_error(e)]}))
        .collect();
    if !errors.is_empty() {
        state.undo_to(mark);
        return Ok(Reply::json(400, &json!({"hasErrors": true, "results": errors})));
    }
    let made: Vec<Value> = results
        .iter()
        .filter_map(|(reference, r)| Some(json!({"referenceId": reference, "id": r.as_ref().ok()?})))
        .collect();
    Ok(Reply::json(201, &json!({"hasErrors": false, "results": made})))
}

fn records(body: &Value) -> Result<&Vec<Value>, ApiError> {
    body.get("records")
        .and_then(Value::as_array)
        .ok_or_else(|| ApiError::new("INVALID_INPUT", "records is required"))
}

/// Whether a value holds child records.
fn holds_records(value: &Value) -> Option<&Vec<Value>> {
    value.get("records").and_then(Value::as_array)
}

/// Records in a record's tree, itself included.
fn size(record: &Value) -> usize {
    let children = record.as_object().into_iter().flatten();
    1 + children
        .filter_map(|(_, v)| holds_records(v))
        .flatten()
        .map(size)
        .sum::<usize>()
}

/// Creates a record and its children.
fn plant(
    state: &mut State,
    object: &str,
    record: &Value,
    parent: Option<(&str, &str)>,
    depth: usize,
    results: &mut Vec<Planted>,
) -> Result<(), ApiError> {
    let input = |message: &str| ApiError::new("INVALID_INPUT", message);
    let map = record
        .as_object()
        .ok_or_else(|| input("A record must be an object"))?;
    let text = |path: &str| record.pointer(path).and_then(Value::as_str);
    let kind = text("/attributes/type").ok_or_else(|| input("Include a type for each record"))?;
    let reference = text("/attributes/referenceId")
        .ok_or_else(|| input("Include a reference ID for each record in the request."))?;
    if !kind.eq_ignore_ascii_case(object) {
        return Err(input(
            "All records of a level must be of the type that the url names",
        ));
    }
    if depth > MAX_DEPTH || results.iter().any(|(known, _)| known == reference) {
        return Err(input(
            "Reference IDs must be unique, and trees five levels deep at most",
        ));
    }
    let def = state.object(object)?;
    let mut own: Map<String, Value> = map
        .iter()
        .filter(|(_, v)| holds_records(v).is_none())
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    if let Some((field, id)) = parent {
        own.insert(field.to_owned(), json!(id));
    }
    let user = state.running.clone();
    let made = state.attempt(|s| write::create(s, &def.name, &Value::Object(own), &user));
    results.push((reference.to_owned(), made.clone()));
    let Ok(id) = made else { return Ok(()) };
    for (way, children) in map.iter().filter_map(|(k, v)| Some((k, holds_records(v)?))) {
        let found = state
            .schema
            .children_of(&def.name)
            .into_iter()
            .find_map(|(child, field)| {
                let named = field
                    .children
                    .as_deref()
                    .is_some_and(|c| c.eq_ignore_ascii_case(way));
                named.then(|| (child.name.clone(), field.name.clone()))
            });
        let (child, field) = found.ok_or_else(|| ApiError::no_column(way, &def.name))?;
        for record in children {
            plant(state, &child, record, Some((&field, &id)), depth + 1, results)?;
        }
    }
    Ok(())
}
