//! Up to 200 records in one call, and up to 2,000 read by Id.
//!
//! Key decision: one clock step a request, so that its rows share a stamp, as they do in an org. A field
//! that does not exist, or a value of the wrong JSON type, refuses the whole request (400), since the
//! request is read before any record is saved; everything else is a record's own result.
//! Source: REST API guide, "SObject Collections", "Create Multiple Records", "Get Records with sObject
//! Collections"; SOAP API guide, "create" for the ten chunks.
//! Not here: `/composite`, `/composite/batch`.

use serde_json::{Value, json};

use super::files;
use super::reply::{Reply, record_error};
use super::route::Call;
use crate::error::ApiError;
use crate::id::normalise;
use crate::org::State;
use crate::soql::run::Shown;
use crate::soql::{parser, plan, run};
use crate::write::{self, lookup};

const MAX_RECORDS: usize = 200;
const MAX_CHUNKS: usize = 10;
const MAX_RETRIEVED: usize = 2000;

fn too_many(most: usize) -> ApiError {
    ApiError::new(
        "EXCEEDED_ID_LIMIT",
        format!("record limit reached. cannot submit more than {most} records into this call"),
    )
}

/// The records of a body, each with its type.
fn records(body: &Value) -> Result<(bool, Vec<(String, Value)>), ApiError> {
    let all_or_none = body.get("allOrNone").and_then(Value::as_bool).unwrap_or(false);
    let Some(list) = body.get("records").and_then(Value::as_array) else {
        return Err(ApiError::new("REQUIRED_FIELD_MISSING", "records is required").on("records"));
    };
    if list.len() > MAX_RECORDS {
        return Err(too_many(MAX_RECORDS));
    }
    let mut out: Vec<(String, Value)> = Vec::with_capacity(list.len());
    for record in list {
        let kind = record
            .pointer("/attributes/type")
            .and_then(Value::as_str)
            .ok_or_else(|| {
                ApiError::new(
                    "INVALID_INPUT",
                    "attributes with a type are required on each record",
                )
            })?;
        out.push((kind.to_owned(), record.clone()));
    }
    chunks(out.iter().map(|(kind, _)| kind.as_str()))?;
    Ok((all_or_none, out))
}

/// A change of type opens a new chunk, and there are ten at most.
fn chunks<'a>(kinds: impl Iterator<Item = &'a str>) -> Result<(), ApiError> {
    let mut count = 0;
    let mut last = "";
    for kind in kinds {
        count += usize::from(!kind.eq_ignore_ascii_case(last));
        last = kind;
    }
    if count > MAX_CHUNKS {
        return Err(ApiError::new(
            "LIMIT_EXCEEDED",
            "Cannot have more than 10 chunks in a single operation. Please rearrange the data to reduce chunking.",
        ));
    }
    Ok(())
}

/// The result of a record that was saved.
fn saved(id: impl Into<Value>) -> Value {
    json!({"id": id.into(), "success": true, "errors": []})
}

/// Runs the records' writes; `Err` is the refusal of the whole request.
fn run_all<T>(
    state: &mut State,
    all_or_none: bool,
    list: &[T],
    one: impl FnMut(&mut State, &T) -> Result<Value, ApiError>,
) -> Result<Reply, ApiError> {
    let results = write::each(state, all_or_none, list, one)?;
    let shown: Vec<Value> = results
        .iter()
        .map(|r| match r {
            Ok(saved) => saved.clone(),
            Err(e) => json!({"success": false, "errors": [record_error(e)]}),
        })
        .collect();
    Ok(Reply::json(200, &shown))
}

/// `POST /composite/sobjects`
pub(crate) fn create(state: &mut State, call: &Call<'_>) -> Result<Reply, ApiError> {
    let (body, parts) = files::collection(state, call)?;
    let (all_or_none, list) = records(&body)?;
    let user = state.running.clone();
    run_all(state, all_or_none, &list, |s, (kind, values)| {
        let mut values = values.clone();
        files::hand_over(s, &mut values, &parts)?;
        write::create(s, kind, &values, &user).map(saved)
    })
}

/// `PATCH /composite/sobjects`
pub(crate) fn update(state: &mut State, call: &Call<'_>) -> Result<Reply, ApiError> {
    let (body, parts) = files::collection(state, call)?;
    let (all_or_none, list) = records(&body)?;
    let user = state.running.clone();
    run_all(state, all_or_none, &list, |s, (kind, values)| {
        let mut values = values.clone();
        files::hand_over(s, &mut values, &parts)?;
        let object = s.object(kind)?;
        write::update_own(s, &object, values, &user).map(saved)
    })
}

/// `PATCH /composite/sobjects/X/{field}`
pub(crate) fn upsert(state: &mut State, call: &Call<'_>, name: &str, field: &str) -> Result<Reply, ApiError> {
    let object = state.object(name)?;
    let key = lookup::key(&object, field)?.clone();
    let body = call.request.json()?;
    let (all_or_none, list) = records(&body)?;
    if let Some((kind, _)) = list
        .iter()
        .find(|(kind, _)| !kind.eq_ignore_ascii_case(&object.name))
    {
        let message = format!(
            "Record type {kind} does not match the type of the url, {}",
            object.name
        );
        return Err(ApiError::new("INVALID_INPUT", message));
    }
    let user = state.running.clone();
    run_all(state, all_or_none, &list, |s, (_, values)| {
        let (id, created) = write::upsert_own(s, &object, &key, values.clone(), &user)?;
        let mut result = saved(id);
        result["created"] = json!(created);
        Ok(result)
    })
}

/// `DELETE /composite/sobjects?ids=a,b&allOrNone=false`
pub(crate) fn delete(state: &mut State, call: &Call<'_>) -> Result<Reply, ApiError> {
    let all_or_none = call.request.param("allOrNone") == Some("true");
    let ids: Vec<&str> = call
        .request
        .param("ids")
        .map(|i| i.split(',').map(str::trim).filter(|i| !i.is_empty()).collect())
        .unwrap_or_default();
    if ids.is_empty() {
        return Err(ApiError::new("REQUIRED_FIELD_MISSING", "ids is required").on("ids"));
    }
    if ids.len() > MAX_RECORDS {
        return Err(too_many(MAX_RECORDS));
    }
    chunks(ids.iter().map(|id| id.get(..3).unwrap_or_default()))?;
    run_all(state, all_or_none, &ids, |s, id| {
        write::delete(s, id).map(|()| saved(normalise(id).unwrap_or_else(|| (*id).to_owned())))
    })
}

/// The Ids and fields asked for: texts in lists of the body, or separated by commas in the query.
fn asked(call: &Call<'_>, key: &'static str) -> Result<Vec<String>, ApiError> {
    let list: Vec<String> = if call.request.verb() == "GET" {
        let text = call.request.param(key).unwrap_or_default();
        let items = text.split(',').map(str::trim).filter(|t| !t.is_empty());
        items.map(str::to_owned).collect()
    } else {
        let body = call.request.json()?;
        let items = body.get(key).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    if list.is_empty() {
        return Err(ApiError::new("REQUIRED_FIELD_MISSING", format!("{key} is required")).on(key));
    }
    Ok(list)
}

/// `GET` and `POST /composite/sobjects/X` with `ids` and `fields`: rows in the order of the Ids, null for none.
pub(crate) fn retrieve(state: &mut State, call: &Call<'_>, name: &str) -> Result<Reply, ApiError> {
    let object = state.object(name)?;
    let (ids, fields) = (asked(call, "ids")?, asked(call, "fields")?);
    if ids.len() > MAX_RETRIEVED {
        return Err(too_many(MAX_RETRIEVED));
    }
    let text = format!("SELECT {} FROM {}", fields.join(","), object.name);
    let plan = plan::bind(state, &text, &parser::parse(&text)?)?;
    let rows = ids
        .iter()
        .map(|id| {
            normalise(id)
                .filter(|id| id.starts_with(&object.key_prefix))
                .and_then(|id| run::show(state, &plan, &id, false, call.version))
                .unwrap_or(Shown::Plain(Value::Null))
        })
        .collect();
    Ok(Reply::json(200, &Shown::List(rows)))
}
