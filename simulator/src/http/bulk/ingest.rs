//! Ingest jobs: creating, uploading, closing, and what became of the rows.
//!
//! Key decision: what is wrong with the order of a job is refused when it is made, what is wrong with its
//! content makes the job fail; a second upload is taken, and the job can then only be aborted.
//! Source: Bulk API 2.0 guide, "Create a Job", "Upload Job Data", "Close or Abort a Job", "Get Job Successful
//! Record Results"; refusals in the words that people reported.
//! Not here: the rows (`bulk::ingest`), the lists (`bulk::results`).

use axum::body::Bytes;
use serde_json::Value;

use super::{abort, format, same_version, text, wrong_state, wrong_value};
use crate::bulk::ingest::{Ingest, Operation};
use crate::bulk::job::{Job, Stage, Work};
use crate::bulk::results::{self, Which};
use crate::bulk::{jobs, progress, refuse};
use crate::error::ApiError;
use crate::http::multipart::parts;
use crate::http::reply::Reply;
use crate::http::route::Call;
use crate::id::normalise;
use crate::org::{Permission, State};
use crate::schema::ObjectDef;

/// Characters of the content of a job that is created and uploaded in one request, at most.
const MAX_PART: usize = 100_000;

fn invalid(message: impl std::fmt::Display) -> ApiError {
    ApiError::new("INVALIDJOB", format!("InvalidJob : {message}"))
}

/// `POST /jobs/ingest`, with the content too if the body has two parts.
pub(crate) fn create(state: &mut State, call: &Call<'_>) -> Result<Reply, ApiError> {
    let (body, content) = read(call)?;
    let name = text(&body, "object").unwrap_or_default();
    let format = format(&body)?;
    let operation = text(&body, "operation").unwrap_or_default();
    let known = ["insert", "update", "upsert", "delete", "hardDelete"];
    if !known.contains(&operation) {
        return Err(wrong_value("operation", operation));
    }
    let object = state
        .visible(name)
        .cloned()
        .ok_or_else(|| invalid(format_args!("Unable to find object: {name}")))?;
    refuse::object(state, &object.name)?;
    let mut ingest = Ingest::new(
        ordered(state, &object, operation, &body)?,
        assignment_rule(&object, &body)?,
    );
    let mut stage = Stage::Open;
    if let Some(content) = content {
        ingest.take(content);
        stage = Stage::UploadComplete;
    }
    let now = state.clock.now();
    let job = Job {
        id: state.new_id("750"),
        operation: ingest.operation.name().to_owned(),
        object: object.name.clone(),
        creator: state.running.clone(),
        created: now,
        touched: now,
        version: call.version.to_owned(),
        format,
        stage,
        polls: 0,
        processed: 0,
        retries: 0,
        error: None,
        fault: state.bulk.scripted(&object.name),
        work: Work::Ingest(Box::new(ingest)),
    };
    let reply = Reply::json(200, &job.head());
    state.bulk.put(job);
    Ok(reply)
}

/// The order of a job, and its content if it came along.
fn read(call: &Call<'_>) -> Result<(Value, Option<Bytes>), ApiError> {
    let Some(found) = parts(call.request)? else {
        return Ok((call.request.json()?, None));
    };
    let part = |name: &str| {
        let message = format!("The part {name} is missing");
        let part = found.iter().find(|p| p.name == name);
        part.ok_or_else(|| ApiError::new("INVALID_MULTIPART_REQUEST", message))
    };
    let job = serde_json::from_slice(&part("job")?.bytes).map_err(|e| ApiError::bad_json(&e))?;
    let content = part("content")?.bytes.clone();
    if String::from_utf8_lossy(&content).encode_utf16().count() > MAX_PART {
        let message = format!("The content of a multipart request is limited to {MAX_PART} characters");
        return Err(invalid(message));
    }
    Ok((job, Some(content)))
}

/// What is to be done, with what it needs.
fn ordered(state: &State, object: &ObjectDef, operation: &str, body: &Value) -> Result<Operation, ApiError> {
    Ok(match operation {
        "insert" => Operation::Insert,
        "update" => Operation::Update,
        "delete" => Operation::Delete,
        "hardDelete" if state.may(Permission::BulkApiHardDelete) => Operation::HardDelete,
        "hardDelete" => {
            return Err(ApiError::new(
                "FEATURENOTENABLED",
                "hardDelete operation requires special user profile permission, please contact your system administrator",
            ));
        }
        _ => {
            let name = &object.name;
            let key = text(body, "externalIdFieldName").ok_or_else(|| {
                invalid(format_args!(
                    "External ID was blank for {name}. An External ID must be specified for upsert."
                ))
            })?;
            let field = object
                .field(key)
                .filter(|f| f.id_lookup() && state.sees_field(object, f));
            let field = field.ok_or_else(|| {
                invalid(format_args!(
                    "Field name provided, {key} does not match an External ID for {name}"
                ))
            })?;
            Operation::Upsert(field.name.clone())
        }
    })
}

/// The assignment rule to run, which only cases and leads have.
fn assignment_rule(object: &ObjectDef, body: &Value) -> Result<Option<String>, ApiError> {
    let Some(rule) = text(body, "assignmentRuleId") else {
        return Ok(None);
    };
    let id = normalise(rule).filter(|id| id.starts_with("01Q"));
    match id {
        Some(id) if matches!(object.name.as_str(), "Case" | "Lead") => Ok(Some(id)),
        _ => Err(invalid(format_args!(
            "{rule} is no assignment rule of {}",
            object.name
        ))),
    }
}

/// An ingest job of that Id that was made with the version of the call.
fn found<'a>(state: &'a mut State, call: &Call<'_>, id: &str) -> Result<&'a Job, ApiError> {
    let id = jobs::find(state, id, false)?;
    progress::advance(state, &id, false);
    let state: &'a State = state;
    let job = state.bulk.get(&id).ok_or_else(ApiError::not_found)?;
    same_version(job, call)?;
    Ok(job)
}

/// `PUT /jobs/ingest/{id}/batches`
pub(crate) fn upload(state: &mut State, call: &Call<'_>, id: &str) -> Result<Reply, ApiError> {
    let most = state.settings.bulk.upload_bytes;
    let job = found(state, call, id)?;
    let kind = call.request.header("content-type").unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("text/csv") {
        let message = format!("Content-Type header specified in HTTP request is not supported: {kind}");
        return Err(ApiError::new("UNSUPPORTED_MEDIA_TYPE", message).status(415));
    }
    if job.stage != Stage::Open {
        let message = format!(
            "Uploading to a job in the state {} is not allowed",
            job.stage.name()
        );
        return Err(wrong_state(message));
    }
    if call.request.body.len().div_ceil(3) * 4 > most {
        let message = format!("The content is larger than {most} bytes in base64");
        return Err(ApiError::new("REQUEST_ENTITY_TOO_LARGE", message).status(413));
    }
    let id = job.id.clone();
    change(state, &id, |job| {
        if let Work::Ingest(ingest) = &mut job.work {
            ingest.take(call.request.body.clone());
        }
    });
    Ok(Reply::none(201))
}

fn change(state: &mut State, id: &str, change: impl FnOnce(&mut Job)) {
    if let Some(mut job) = state.bulk.take(id) {
        change(&mut job);
        state.bulk.put(job);
    }
}

/// `PATCH /jobs/ingest/{id}`: no more content, or no more job.
pub(crate) fn patch(state: &mut State, call: &Call<'_>, id: &str) -> Result<Reply, ApiError> {
    let body = call.request.json()?;
    let id = found(state, call, id)?.id.clone();
    match text(&body, "state") {
        Some("Aborted") => abort(state, &id),
        Some("UploadComplete") => close(state, &id),
        other => Err(wrong_value("state", other.unwrap_or_default())),
    }
}

fn close(state: &mut State, id: &str) -> Result<Reply, ApiError> {
    let now = state.clock.now();
    let job = state.bulk.get(id).ok_or_else(ApiError::not_found)?;
    if job.creator != state.running {
        let message = "Only the user who created a job can close it";
        return Err(ApiError::new("INSUFFICIENT_ACCESS", message).status(403));
    }
    match job.stage {
        Stage::Open => {}
        Stage::JobComplete | Stage::UploadComplete | Stage::InProgress => {
            return Err(wrong_state("Closing already Completed Job not allowed"));
        }
        Stage::Failed => return Err(wrong_state("Closing already Failed Job not allowed")),
        Stage::Aborted => return Err(wrong_state("Closing already Aborted Job not allowed")),
    }
    if matches!(&job.work, Work::Ingest(ingest) if ingest.uploads > 1) {
        let message = format!(
            "Found multiple contents for job: <{}>, please 'Close' / 'Abort' / 'Delete' the current Job then create a new Job and make sure you only do 'PUT' once on a given Job.",
            &id[..15]
        );
        return Err(ApiError::new("INVALIDJOB", message));
    }
    change(state, id, |job| job.turn(Stage::UploadComplete, now));
    let job = state.bulk.get(id).ok_or_else(ApiError::not_found)?;
    Ok(Reply::json(200, &job.brief()))
}

/// `GET /jobs/ingest/{id}/successfulResults`, `failedResults`, `unprocessedrecords`
pub(crate) fn results(state: &mut State, call: &Call<'_>, id: &str, list: &str) -> Result<Reply, ApiError> {
    let which = Which::named(list).ok_or_else(ApiError::not_found)?;
    let seed = state.settings.seed;
    let job = found(state, call, id)?;
    let Work::Ingest(ingest) = &job.work else {
        return Err(ApiError::not_found());
    };
    if !job.stage.over() {
        let message = format!("Results of a job in the state {} cannot be had", job.stage.name());
        return Err(wrong_state(message));
    }
    let text = results::results(seed, job, ingest, which);
    Ok(Reply::text(200, "text/csv", text))
}
