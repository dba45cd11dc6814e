//! `/jobs/query` and `/jobs/ingest`: Bulk API 2.0.
//!
//! Key decision: what both kinds of jobs share (info, list, abort, delete, checks at creation) is here; the
//! Bulk API's own error codes are upper case without underscores (`INVALIDJOBSTATE`).
//! Source: Bulk API 2.0 guide, "Reference".
//! Not here: the jobs themselves (`bulk`).

mod ingest;
mod query;
mod slices;

use serde_json::{Value, json};

use super::reply::Reply;
use super::route::Call;
use crate::bulk::job::{Format, Job, Stage, Work};
use crate::bulk::{jobs, progress};
use crate::error::ApiError;
use crate::org::State;

pub(crate) use slices::{Slices, finish};

/// Jobs a page of a list.
const LISTED: usize = 1000;

/// Calls below `/jobs`.
pub(crate) fn answer(state: &mut State, call: &Call<'_>, rest: &[&str]) -> Result<Reply, ApiError> {
    if !state.settings.bulk.enabled {
        return Err(ApiError::new(
            "FEATURENOTENABLED",
            "Bulk API is not enabled for this organization",
        ));
    }
    match (call.request.method.as_str(), rest) {
        ("POST", ["query"]) => query::create(state, call),
        ("GET", [kind @ ("query" | "ingest")]) => list(state, call, kind),
        ("GET", [kind @ ("query" | "ingest"), id]) => info(state, id, *kind == "query"),
        ("PATCH", ["query", id]) => query::patch(state, call, id),
        ("DELETE", [kind @ ("query" | "ingest"), id]) => delete(state, id, *kind == "query"),
        ("GET", ["query", id, "results"]) => query::results(state, call, id),
        ("GET", ["query", id, "resultPages"]) => query::pages(state, call, id),
        ("POST", ["ingest"]) => ingest::create(state, call),
        ("PUT", ["ingest", id, "batches"]) => ingest::upload(state, call, id),
        ("PATCH", ["ingest", id]) => ingest::patch(state, call, id),
        ("GET", ["ingest", id, list]) => ingest::results(state, call, id, list),
        _ => Err(ApiError::not_found()),
    }
}

/// A text of a body.
fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name).and_then(Value::as_str)
}

/// The refusal of a value that a job cannot have.
fn wrong_value(name: &str, value: &str) -> ApiError {
    ApiError::new(
        "API_ERROR",
        format!("Invalid value: '{value}' supplied for property: '{name}'"),
    )
}

/// Refuses a call of another version than the job was made with.
fn same_version(job: &Job, call: &Call<'_>) -> Result<(), ApiError> {
    if job.version == call.version {
        return Ok(());
    }
    let message = format!(
        "API version {} is not the version {} that the job was created with",
        call.version, job.version
    );
    Err(ApiError::new("INVALIDVERSION", message).status(409))
}

fn wrong_state(message: impl Into<String>) -> ApiError {
    ApiError::new("INVALIDJOBSTATE", message)
}

/// The CSV format that a body asks for.
fn format(body: &Value) -> Result<Format, ApiError> {
    if let Some(other) = text(body, "contentType").filter(|kind| *kind != "CSV") {
        return Err(wrong_value("contentType", other));
    }
    let (delimiter, ending) = (text(body, "columnDelimiter"), text(body, "lineEnding"));
    if let Some(format) = Format::named(delimiter, ending) {
        return Ok(format);
    }
    Err(match Format::named(delimiter, None) {
        None => wrong_value("columnDelimiter", delimiter.unwrap_or_default()),
        Some(_) => wrong_value("lineEnding", ending.unwrap_or_default()),
    })
}

/// `GET /jobs/query/{id}`
fn info(state: &mut State, id: &str, query: bool) -> Result<Reply, ApiError> {
    let id = jobs::find(state, id, query)?;
    progress::advance(state, &id, true);
    let job = state.bulk.get(&id).ok_or_else(ApiError::not_found)?;
    Ok(Reply::json(200, &job.info()))
}

/// `GET /jobs/query`: jobs from the place of a locator on.
fn list(state: &mut State, call: &Call<'_>, kind: &str) -> Result<Reply, ApiError> {
    let now = state.clock.now();
    state.bulk.forget(&state.settings.bulk, now);
    let wanted = match call.request.param("jobType") {
        None if kind == "query" => "V2Query",
        None => "V2Ingest",
        Some(asked) => asked,
    };
    let from: usize = match call.request.param("queryLocator") {
        None => 0,
        Some(text) => query::place(text)?,
    };
    let found: Vec<&Job> = state
        .bulk
        .all()
        .filter(|job| jobs::visible(state, job))
        .filter(|job| job.is_query() == (wanted == "V2Query") && wanted.starts_with("V2"))
        .collect();
    let page = found.iter().skip(from).take(LISTED);
    let records: Vec<Value> = page.map(|job| Value::Object(job.info())).collect();
    let end = from + records.len();
    let next = (end < found.len()).then(|| {
        let locator = query::locator(end);
        format!(
            "/services/data/{}/jobs/{kind}?queryLocator={locator}",
            call.version
        )
    });
    Ok(Reply::json(
        200,
        &json!({"done": next.is_none(), "records": records, "nextRecordsUrl": next}),
    ))
}

/// Aborts a job that is not over.
fn abort(state: &mut State, id: &str) -> Result<Reply, ApiError> {
    progress::advance(state, id, false);
    let now = state.clock.now();
    let mut job = state.bulk.take(id).ok_or_else(ApiError::not_found)?;
    let before = job.stage;
    if !before.over() {
        if let Work::Ingest(ingest) = &mut job.work
            && before != Stage::InProgress
        {
            // Only for the rows, which nobody will process: a flaw does not matter any more.
            drop(ingest.open(state, &job.object, job.format));
        }
        job.turn(Stage::Aborted, now);
    }
    let head = if job.is_query() { job.head() } else { job.brief() };
    state.bulk.put(job);
    match before {
        Stage::JobComplete => Err(wrong_state("Aborting already Completed Job not allowed")),
        Stage::Failed => Err(wrong_state("Aborting already Failed Job not allowed")),
        Stage::Aborted => Err(wrong_state("Aborting already Aborted Job not allowed")),
        _ => Ok(Reply::json(200, &head)),
    }
}

/// `DELETE /jobs/query/{id}`
fn delete(state: &mut State, id: &str, query: bool) -> Result<Reply, ApiError> {
    let id = jobs::find(state, id, query)?;
    progress::advance(state, &id, false);
    let stage = state.bulk.get(&id).map_or(Stage::Open, |job| job.stage);
    if !stage.over() && (query || stage != Stage::UploadComplete) {
        return Err(wrong_state(format!(
            "Deleting a job in the state {} is not allowed",
            stage.name()
        )));
    }
    state.bulk.take(&id);
    Ok(Reply::none(204))
}
