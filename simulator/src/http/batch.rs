//! `/composite/batch`: requests that have nothing to do with each other.
//!
//! Key decision: each is charged against the allowance as if it had come alone, and the batch itself is not.
//! Source: REST API guide, "Batch".
//! Not here: requests that use each other's answers (`composite`).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::composite::{made, raw};
use super::discovery;
use super::reply::Reply;
use super::route::{self, Call};
use crate::error::ApiError;
use crate::org::State;

const MAX_REQUESTS: usize = 25;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(default)]
    halt_on_error: bool,
    batch_requests: Vec<Item>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    method: String,
    url: String,
    rich_input: Option<Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answers {
    has_errors: bool,
    results: Vec<Answer>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    result: Option<Box<RawValue>>,
}

/// `POST /composite/batch`
pub(crate) fn answer(state: &mut State, call: &Call<'_>) -> Result<Reply, ApiError> {
    let body: Body = serde_json::from_value(call.request.json()?).map_err(|e| ApiError::bad_json(&e))?;
    if body.batch_requests.len() > MAX_REQUESTS {
        let message = format!("The batch can’t contain more than {MAX_REQUESTS} requests.");
        return Err(ApiError::new("LIMIT_EXCEEDED", message));
    }
    let mut failed = false;
    let mut results = Vec::with_capacity(body.batch_requests.len());
    for item in &body.batch_requests {
        let reply: Reply = if failed && body.halt_on_error {
            Err(halted()).into()
        } else {
            one(state, call, item).into()
        };
        failed |= reply.status >= 400;
        results.push(Answer {
            status_code: reply.status,
            result: raw(&reply),
        });
    }
    Ok(Reply::json(
        200,
        &Answers {
            has_errors: failed,
            results,
        },
    ))
}

fn halted() -> ApiError {
    ApiError::new("BATCH_PROCESSING_HALTED", "Batch processing halted per request").status(412)
}

/// A request's url is relative to `/services/data/`; the whole path is taken too.
fn one(state: &mut State, call: &Call<'_>, item: &Item) -> Result<Reply, ApiError> {
    let url = item.url.trim_start_matches('/');
    let url = url.strip_prefix("services/data/").unwrap_or(url);
    let body = item.rich_input.as_ref().map(Value::to_string).unwrap_or_default();
    let request = made(&item.method, url, call.request.headers.clone(), body);
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    let [version, rest @ ..] = segments.as_slice() else {
        return Err(ApiError::not_found());
    };
    let nested = matches!(rest, ["composite", ..]) && !matches!(rest, ["composite", "sobjects", ..]);
    if !discovery::supported(state, version) || nested {
        return Err(ApiError::not_found());
    }
    let call = Call {
        version,
        request: &request,
    };
    state.affords_call()?;
    route::dispatch(state, &call, rest)
}
