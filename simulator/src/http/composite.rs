//! `/composite`: requests in a row, each able to use what those before it answered.
//!
//! Key decision: a subrequest is made into a request and goes through the one list of routes. All or none is
//! one transaction of the org, undone as a whole.
//! Source: REST API guide, "Composite", "Composite Subrequest", "Behavior for References to Null Fields"; Tooling API
//! guide, "Improve Performance with the Composite Resource".
//! Not here: `/composite/batch` (`batch`), `/composite/graph` (not served).

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::reference::{Known, fill};
use super::reply::Reply;
use super::request::Request;
use super::route::{self, Call};
use super::{discovery, headers};
use crate::error::ApiError;
use crate::org::State;

/// Most subrequests, and most of them that query or write collections.
const MAX_SUBREQUESTS: usize = 25;
const MAX_LARGE: usize = 5;

/// `GET /composite`
pub(crate) fn resources(call: &Call<'_>) -> Reply {
    let root = format!("/services/data/{}/composite", call.version);
    Reply::json(
        200,
        &json!({"batch": format!("{root}/batch"), "sobjects": format!("{root}/sobjects"), "tree": format!("{root}/tree")}),
    )
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(default)]
    all_or_none: bool,
    composite_request: Vec<Subrequest>,
}

/// One subrequest, as it was sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subrequest {
    method: String,
    url: String,
    #[serde(alias = "referenceID")]
    reference_id: String,
    body: Option<Value>,
    #[serde(default)]
    http_headers: BTreeMap<String, String>,
}

/// One answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    body: Option<Box<RawValue>>,
    http_headers: BTreeMap<&'static str, String>,
    http_status_code: u16,
    reference_id: Option<String>,
}

impl Answer {
    fn of(reply: &Reply, reference: Option<&str>) -> Self {
        Self {
            http_status_code: reply.status,
            http_headers: reply.headers.iter().cloned().collect(),
            body: raw(reply),
            reference_id: reference.map(str::to_owned),
        }
    }

    fn refusal(e: &ApiError, reference: Option<&str>) -> Self {
        Self::of(&Reply::error(e), reference)
    }
}

/// A reply's JSON as it stands; nothing for an empty body.
pub(crate) fn raw(reply: &Reply) -> Option<Box<RawValue>> {
    let text = String::from_utf8(reply.body.clone()).ok()?;
    RawValue::from_string(text).ok()
}

/// `POST /composite`
pub(crate) fn answer(state: &mut State, call: &Call<'_>) -> Result<Reply, ApiError> {
    let body: Body = serde_json::from_value(call.request.json()?).map_err(|e| ApiError::bad_json(&e))?;
    let list = body.composite_request;
    if let Some(refused) = refused(&list, version(call.version)) {
        return refused;
    }
    if !body.all_or_none {
        let answers = each(state, call, &list, false);
        return Ok(reply(200, &answers));
    }
    let answers = state.join(|s| {
        let mut answers = each(s, call, &list, true);
        let Some(failed) = answers.iter().position(|a| a.http_status_code >= 400) else {
            return Ok(answers);
        };
        let halted = ApiError::new(
            "PROCESSING_HALTED",
            "The transaction was rolled back since another operation in the same transaction failed.",
        );
        for (at, item) in list.iter().enumerate().filter(|(at, _)| *at != failed) {
            let other = Answer::refusal(&halted, Some(&item.reference_id));
            match answers.get_mut(at) {
                Some(answer) => *answer = other,
                None => answers.push(other),
            }
        }
        Err(answers)
    });
    Ok(reply(200, &answers))
}

fn reply(status: u16, answers: &[Answer]) -> Reply {
    // A map, because JSON values would sort the keys of the answers.
    Reply::json(status, &BTreeMap::from([("compositeResponse", answers)]))
}

/// The answers in order; with `halt` none after the first that failed.
fn each(state: &mut State, call: &Call<'_>, list: &[Subrequest], halt: bool) -> Vec<Answer> {
    let mut known = Known::default();
    let mut answers = Vec::with_capacity(list.len());
    for item in list {
        let reply: Reply = filled(call, item, &known)
            .and_then(|request| inner(state, call, &request, &item.url))
            .into();
        if reply.status < 400 {
            let body = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
            known.insert(item.reference_id.clone(), body);
        }
        let failed = reply.status >= 400;
        answers.push(Answer::of(&reply, Some(&item.reference_id)));
        if failed && halt {
            break;
        }
    }
    answers
}

/// The subrequest as a request, its references filled in.
fn filled(call: &Call<'_>, item: &Subrequest, known: &Known) -> Result<Request, ApiError> {
    let nulls = version(call.version) >= 52;
    let url = fill(&json!(item.url), known, nulls)?;
    let body = match &item.body {
        Some(body) => fill(body, known, nulls)?.to_string(),
        None => String::new(),
    };
    let mut headers = call.request.headers.clone();
    for (name, value) in &item.http_headers {
        let pair = (
            HeaderName::try_from(name.as_str()),
            HeaderValue::try_from(value.as_str()),
        );
        if let (Ok(name), Ok(value)) = pair {
            headers.insert(name, value);
        }
    }
    Ok(made(
        &item.method,
        url.as_str().unwrap_or_default(),
        headers,
        body,
    ))
}

/// A request out of a method and a path with its query.
pub(crate) fn made(method: &str, url: &str, headers: HeaderMap, body: String) -> Request {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    Request::new(method, path, query, headers, Bytes::from(body))
}

/// Answers a subrequest by the list of routes.
fn inner(state: &mut State, call: &Call<'_>, request: &Request, url: &str) -> Result<Reply, ApiError> {
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    let ["services", "data", version, rest @ ..] = segments.as_slice() else {
        let message = format!(
            "The subrequest's url must start with /services/data/{}/: {url}",
            call.version
        );
        return Err(ApiError::new("INVALID_INPUT", message));
    };
    let served = matches!(
        rest,
        ["sobjects", ..]
            | ["query" | "queryAll", ..]
            | ["composite", "sobjects", ..]
            | ["tooling", "query" | "sobjects", ..]
    );
    if !discovery::supported(state, version) || !served {
        return Err(ApiError::not_found());
    }
    let before = std::mem::replace(&mut state.options, headers::options(request));
    let reply = route::inner(state, &Call { version, request }, rest);
    state.options = before;
    reply
}

/// The number of a version (`v67.0`).
fn version(text: &str) -> u16 {
    let number = text.trim_start_matches('v').trim_end_matches(".0");
    number.parse().unwrap_or(0)
}

/// What refuses the request as a whole.
fn refused(list: &[Subrequest], version: u16) -> Option<Result<Reply, ApiError>> {
    let limit = |what: String| {
        let e = ApiError::new("LIMIT_EXCEEDED", what);
        Some(Ok(reply(400, &[Answer::refusal(&e, None)])))
    };
    if list.len() > MAX_SUBREQUESTS {
        return limit(format!(
            "The request can’t contain more than {MAX_SUBREQUESTS} operations."
        ));
    }
    if list.iter().filter(|item| large(&item.url)).count() > MAX_LARGE {
        return limit(format!(
            "The request can’t contain more than {MAX_LARGE} sObject Collections or query operations."
        ));
    }
    for item in list {
        let id = &item.reference_id;
        if version >= 52 && !legal(id) {
            let message = format!(
                "Provided referenceId ('{id}') must start with a letter or a number, and it can contain only letters, numbers and underscores ('_')."
            );
            return Some(Err(ApiError::new("JSON_PARSER_ERROR", message)));
        }
        if let Some(name) = item.http_headers.keys().find(|name| inherited(name)) {
            let message = format!("The header {name} cannot be given in a subrequest");
            return Some(Err(ApiError::new("INVALID_INPUT", message)));
        }
        if list.iter().filter(|other| other.reference_id == *id).count() > 1 {
            let message = format!("Duplicate referenceId: {id}");
            return Some(Err(ApiError::new("INVALID_INPUT", message)));
        }
    }
    None
}

/// Queries and collections.
fn large(url: &str) -> bool {
    let path = url.split('?').next().unwrap_or_default();
    let mut parts = path.split('/').filter(|p| !p.is_empty()).skip(3);
    matches!(
        (parts.next(), parts.next()),
        (Some("query" | "queryAll"), _)
            | (Some("composite"), Some("sobjects"))
            | (Some("tooling"), Some("query"))
    )
}

fn legal(id: &str) -> bool {
    id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn inherited(name: &str) -> bool {
    ["accept", "authorization", "content-type"].contains(&name.to_ascii_lowercase().as_str())
}
