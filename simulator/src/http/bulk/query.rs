//! Query jobs: creating, aborting, and their results page by page.
//!
//! Key decision: a locator is the place of the next row in base64, and the header says `null` after the last
//! one; results are given to nobody who asks with another version than the job was made with.
//! Source: Bulk API 2.0 guide, "Create a Query Job", "Get Results for a Query Job", "Get Parallel Results for
//! a Query Job".
//! Not here: which rows and which lines (`bulk::extract`, `bulk::rows`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};

use super::slices::Slices;
use super::{abort, format, same_version, text, wrong_state};
use crate::bulk::extract::Extract;
use crate::bulk::job::{Job, Stage, Work};
use crate::bulk::{jobs, progress, refuse};
use crate::error::ApiError;
use crate::http::reply::Reply;
use crate::http::route::Call;
use crate::org::State;
use crate::soql::{parser, plan};

/// Links in one answer of `resultPages`.
const LINKS: usize = 5;

/// `POST /jobs/query`
pub(crate) fn create(state: &mut State, call: &Call<'_>) -> Result<Reply, ApiError> {
    let body = call.request.json()?;
    let all = match text(&body, "operation") {
        Some("query") => false,
        Some("queryAll") => true,
        other => {
            let message = format!("Invalid operation: {}", other.unwrap_or("null"));
            return Err(ApiError::new("INVALID_INPUT", message));
        }
    };
    let format = format(&body)?;
    let soql = text(&body, "query").unwrap_or_default();
    if soql.trim().is_empty() {
        return Err(ApiError::new("API_ERROR", "Query must not be null or empty"));
    }
    room(state)?;
    refuse::clauses(soql)?;
    let query = parser::parse(soql)?;
    refuse::object(state, &query.from.parts.join("."))?;
    let plan = plan::bind(state, soql, &query)?;
    refuse::plan(state, &plan)?;
    let now = state.clock.now();
    let object = plan.object.name.clone();
    let job = Job {
        id: state.new_id("750"),
        operation: if all { "queryAll" } else { "query" }.to_owned(),
        creator: state.running.clone(),
        created: now,
        touched: now,
        version: call.version.to_owned(),
        format,
        stage: Stage::UploadComplete,
        polls: 0,
        processed: 0,
        retries: 0,
        error: None,
        fault: state.bulk.scripted(&object),
        work: Work::Query(Extract::new(plan, all)),
        object,
    };
    let reply = Reply::json(200, &job.head());
    state.bulk.queries.add(now, 1);
    state.bulk.put(job);
    Ok(reply)
}

/// Refuses a job beyond the daily allowances.
fn room(state: &State) -> Result<(), ApiError> {
    let settings = &state.settings.bulk;
    let now = state.clock.now();
    if state.bulk.queries.used(now) >= settings.daily_query_jobs {
        return Err(ApiError::new(
            "LIMIT_EXCEEDED",
            format!(
                "Max bulk v2 query jobs ({}) per 24 hrs has been reached",
                settings.daily_query_jobs
            ),
        ));
    }
    if state.bulk.results.used(now) >> 20 >= settings.daily_query_megabytes {
        return Err(ApiError::new(
            "LIMIT_EXCEEDED",
            format!(
                "Max bulk v2 query result size stored ({}) kb per 24 hrs has been exceeded",
                settings.daily_query_megabytes * 1024
            ),
        ));
    }
    Ok(())
}

/// `PATCH /jobs/query/{id}`: the only change is an abort.
pub(crate) fn patch(state: &mut State, call: &Call<'_>, id: &str) -> Result<Reply, ApiError> {
    let id = jobs::find(state, id, true)?;
    let body = call.request.json()?;
    match text(&body, "state") {
        Some("Aborted") => abort(state, &id),
        other => Err(wrong_state(format!(
            "Invalid state for a query job: {}",
            other.unwrap_or("null")
        ))),
    }
}

/// The locator of a place.
pub(crate) fn locator(place: usize) -> String {
    STANDARD_NO_PAD.encode(place.to_string())
}

/// The place of a locator.
pub(crate) fn place(locator: &str) -> Result<usize, ApiError> {
    let bytes = STANDARD_NO_PAD.decode(locator.trim_end_matches('=')).ok();
    bytes
        .and_then(|b| String::from_utf8(b).ok())
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| ApiError::new("INVALID_QUERY_LOCATOR", "invalid query locator"))
}

/// A finished job of that Id, the place that the request starts from, and the rows it wants at most.
fn finished<'a>(
    state: &'a mut State,
    call: &Call<'_>,
    id: &str,
) -> Result<(&'a State, &'a Job, usize, Option<usize>), ApiError> {
    let id = jobs::find(state, id, true)?;
    progress::advance(state, &id, false);
    let state: &State = state;
    let job = state.bulk.get(&id).ok_or_else(ApiError::not_found)?;
    same_version(job, call)?;
    if job.stage != Stage::JobComplete {
        let message = format!("Results of a job in the state {} cannot be had", job.stage.name());
        return Err(wrong_state(message));
    }
    let from = call.request.param("locator").map_or(Ok(0), place)?;
    if from > usize::try_from(job.processed).unwrap_or(usize::MAX) {
        return Err(ApiError::new("INVALID_QUERY_LOCATOR", "invalid query locator"));
    }
    let most = match call.request.param("maxRecords") {
        None => None,
        Some(text) => {
            let number = text.parse().ok().filter(|n| *n > 0);
            let wrong = || ApiError::new("INVALID_INPUT", format!("Invalid maxRecords: {text}"));
            Some(number.ok_or_else(wrong)?)
        }
    };
    Ok((state, job, from, most))
}

/// `GET /jobs/query/{id}/results`
pub(crate) fn results(state: &mut State, call: &Call<'_>, id: &str) -> Result<Reply, ApiError> {
    let (state, job, from, most) = finished(state, call, id)?;
    let Work::Query(extract) = &job.work else {
        return Err(ApiError::not_found());
    };
    let to = extract.page_end(state, from, most);
    let next = if to < extract.ids.len() {
        locator(to)
    } else {
        "null".to_owned()
    };
    if extract.ids.is_empty() && state.settings.bulk.empty_text {
        let reply = Reply::text(200, "text/csv", "No records found for this query");
        return Ok(reply
            .with("Sforce-NumberOfRecords", "0".to_owned())
            .with("Sforce-Locator", next));
    }
    Ok(Slices::new(state, extract, job.format, from, to).reply(next))
}

/// `GET /jobs/query/{id}/resultPages`: links to fetch side by side.
pub(crate) fn pages(state: &mut State, call: &Call<'_>, id: &str) -> Result<Reply, ApiError> {
    if call.version.get(1..3).is_none_or(|v| v < "58") {
        return Err(ApiError::not_found());
    }
    let (state, job, mut from, most) = finished(state, call, id)?;
    let Work::Query(extract) = &job.work else {
        return Err(ApiError::not_found());
    };
    let base = format!("/services/data/{}/jobs/query/{}", call.version, job.id);
    let tail = most.map_or_else(String::new, |n| format!("&maxRecords={n}"));
    let link = |way: &str, place: usize| format!("{base}/{way}?locator={}{tail}", locator(place));
    let mut links: Vec<Value> = Vec::new();
    loop {
        links.push(json!({"resultUrl": link("results", from)}));
        from = extract.page_end(state, from, most);
        if from >= extract.ids.len() || links.len() == LINKS {
            break;
        }
    }
    let done = from >= extract.ids.len();
    let mut body = json!({"resultPages": links, "done": done});
    if !done {
        body["nextRecordsUrl"] = json!(link("resultPages", from));
    }
    Ok(Reply::json(200, &body))
}
