//! One query job: made, looked at, ended (Bulk API 2.0 guide, "Create a Query Job", "Get Information About a Query
//! Job", "Abort a Query Job", "Delete a Query Job").
//!
//! Key decision: the query has no order and no limit, which would switch off the org's own cutting into pieces. Making
//! a job is repeated like a reading: a job made twice costs the org a little and changes no data.
//! It does not read results.

use halite_engine::base::error::Result;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::Known;
use crate::error::Fault;
use crate::query::{Order, Position, Select};
use crate::rest::{Rest, json};
use crate::retry::{Begun, Caller, Session};
use crate::transport::{Body, Call, Reply};

/// Codes that say that there will be no job at all in this run.
const NO_MORE: [&str; 5] = [
    "LIMIT_EXCEEDED",
    "FEATURENOTENABLED",
    "FEATURE_NOT_ENABLED",
    "EXCEEDEDQUOTA",
    "METHOD_NOT_ALLOWED",
];

/// A query job and how far its results are read.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its Id.
    pub id: String,
    /// Where its next page is; none: at the beginning.
    pub locator: Option<String>,
    /// Rows before that.
    pub rows: u64,
}

/// What has become of a job.
#[derive(Debug, PartialEq, Eq)]
pub enum State {
    /// The org works on it.
    Working,
    /// Done; how many rows it has, if the org says so.
    Complete(Option<u64>),
    /// It came to nothing, and why.
    Failed(String),
}

impl Job {
    /// Where it stands.
    pub fn position(&self) -> Position {
        Position::Job {
            job: self.id.clone(),
            locator: self.locator.clone(),
            rows: self.rows,
        }
    }

    fn path(id: &str, rest: &Rest) -> String {
        rest.path(&format!("/jobs/query/{id}"))
    }
}

/// Makes a job; none where the org refuses, which is remembered.
pub fn create<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    known: &mut Known,
    select: &Select<'_>,
) -> Result<Option<Job>, Fault> {
    #[derive(Deserialize)]
    struct Made {
        id: String,
    }
    let query = Select {
        order: Order::None,
        limit: None,
        ..select.clone()
    };
    let body = json!({
        "operation": "queryAll", "query": query.text(None)?, "contentType": "CSV",
        "columnDelimiter": "COMMA", "lineEnding": "LF",
    });
    let call = Call::post(rest.path("/jobs/query"), Body::Json(body.to_string()));
    let fault = match caller.read(&call, &json::<Made>) {
        Ok(made) => {
            caller.wire.limits_mut().count_job();
            tracing::info!(sobject = select.sobject, job = made.id, "a Bulk job");
            return Ok(Some(Job {
                id: made.id,
                locator: None,
                rows: 0,
            }));
        }
        Err(fault) => fault,
    };
    let no_more =
        NO_MORE.iter().any(|code| fault.has(code)) || fault.says("max bulk v2") || fault.is_status(404);
    if no_more {
        known.turn_off(&fault);
    } else if fault.is_of_run() {
        return Err(fault);
    } else {
        known.refuse(select.sobject, &fault);
    }
    Ok(None)
}

/// Asks what has become of a job, and does not wait for the answer.
pub fn look<S: Session>(caller: &mut Caller<S>, rest: &Rest, job: &Job) -> Result<Begun, Fault> {
    caller.begin(Call::get(Job::path(&job.id, rest)))
}

/// What has become of a job, as it was asked.
pub fn seen<S: Session>(caller: &mut Caller<S>, job: &Job, look: Begun) -> Result<State, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Info {
        state: String,
        #[serde(default)]
        number_records_processed: Option<u64>,
        #[serde(default)]
        error_message: Option<String>,
    }
    let info: Info = caller.finish(look, &json)?;
    Ok(match info.state.as_str() {
        "JobComplete" => State::Complete(info.number_records_processed),
        "Failed" | "Aborted" => {
            let why = info.error_message.filter(|why| !why.trim().is_empty());
            let why = why.unwrap_or_else(|| "the org gives no reason".into());
            State::Failed(format!("job {} is {}: {why}", job.id, info.state.to_lowercase()))
        }
        _ => State::Working,
    })
}

/// Stops a job that is not waited for any more.
pub fn abort<S: Session>(caller: &mut Caller<S>, rest: &Rest, id: &str) {
    let call = Call {
        body: Body::Json(json!({"state": "Aborted"}).to_string()),
        ..Call::bare(Method::PATCH, Job::path(id, rest))
    };
    end(caller, &call);
}

/// Deletes a job that is over.
pub fn delete<S: Session>(caller: &mut Caller<S>, rest: &Rest, id: &str) {
    end(caller, &Call::bare(Method::DELETE, Job::path(id, rest)));
}

fn end<S: Session>(caller: &mut Caller<S>, call: &Call) {
    if let Err(error) = caller.write(call, &|_: Reply| Ok(())) {
        tracing::debug!(call = %call.name(), %error, "the job is left to the org");
    }
}
