//! Which handler a request goes to.
//!
//! Key decision: a match over method and path segments: the whole surface of the org is this one list, and
//! what is not on it is 404 in the API's words.
//! Source: REST API guide, "Reference".
//! Not here: sessions' tokens (`session`), faults (`server`).

use super::host::Host;
use super::reply::Reply;
use super::request::{Request, is_json};
use super::visits::crowded;
use super::{
    auth, batch, bulk, collections, composite, describe, discovery, headers, query, records, replication,
    session, soap, tree,
};
use crate::error::ApiError;
use crate::org::State;
use crate::org::call::CallOptions;

/// Longest request target, and longest target and headers together, in bytes.
const MAX_TARGET: usize = 16_384;

/// Answers a request. `target` is the raw path and query.
pub(crate) fn answer(state: &mut State, request: &Request, target: &str) -> Reply {
    if target.len() > MAX_TARGET {
        return Reply::error(&ApiError::new("URI_TOO_LONG", "URI Too Long").status(414));
    }
    let headers: usize = request
        .headers
        .iter()
        .map(|(k, v)| k.as_str().len() + v.len() + 4)
        .sum();
    if target.len() + headers > MAX_TARGET {
        return Reply::text(431, "text/html", "<h1>Request Header Fields Too Large</h1>");
    }
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["services", "oauth2", rest @ ..] => auth::answer(state, request, rest),
        ["id", org, user] => auth::identity(state, request, org, user),
        ["services", "data"] if request.method == "GET" => discovery::versions(state),
        ["services", "Soap", interface @ ("u" | "c"), version, ..] if request.method == "POST" => {
            soap::answer(state, request, interface, version)
        }
        ["services", "data", ..] if Host::of(&request.base).is_login() => {
            Reply::error(&ApiError::not_found())
        }
        ["services", "data", version, rest @ ..] => rest_call(state, request, version, rest),
        _ => Reply::error(&ApiError::not_found()),
    }
}

fn rest_call(state: &mut State, request: &Request, version: &str, rest: &[&str]) -> Reply {
    if !discovery::supported(state, version) {
        return Reply::error(&discovery::unsupported(state, version));
    }
    match session::bearer(state, request) {
        Ok(user) => state.running = user,
        Err(e) => return Reply::error(&e).with("WWW-Authenticate", "Token".to_owned()),
    }
    if let Err(refused) = state.admit() {
        return Reply::error(&refused);
    }
    if request.crowded {
        return Reply::error(&crowded());
    }
    if let Err(e) = state.affords_call() {
        return Reply::error(&e);
    }
    if request.body.len() > state.settings.files.json_body
        && request.header("content-type").is_some_and(is_json)
    {
        let e = ApiError::new("REQUEST_ENTITY_TOO_LARGE", "Request entity too large");
        return Reply::error(&e.status(413));
    }
    let call = Call { version, request };
    state.options = headers::options(request);
    let reply: Reply = dispatch(state, &call, rest).into();
    state.options = CallOptions::default();
    let info = discovery::usage(state);
    reply.with("Sforce-Limit-Info", info)
}

/// A REST call inside a version.
pub(crate) struct Call<'a> {
    /// As in the path: `v67.0`.
    pub version: &'a str,
    pub request: &'a Request,
}

/// Answers a call that counts against the allowance.
pub(crate) fn dispatch(state: &mut State, call: &Call<'_>, rest: &[&str]) -> Result<Reply, ApiError> {
    let (kind, handler) = handler(call.request.verb(), rest).ok_or_else(|| refusal(call, rest))?;
    // The calls inside a batch are charged, not the batch.
    if kind != "batch" {
        state.called(kind);
    }
    handler(state, call)
}

/// Answers a call that is part of one already counted.
pub(crate) fn inner(state: &mut State, call: &Call<'_>, rest: &[&str]) -> Result<Reply, ApiError> {
    let (_, handler) = handler(call.request.verb(), rest).ok_or_else(|| refusal(call, rest))?;
    handler(state, call)
}

/// What is said of a path that is not served, or not by this method.
fn refusal(call: &Call<'_>, rest: &[&str]) -> ApiError {
    let mut allowed: Vec<&str> = ["GET", "POST", "PATCH", "DELETE"]
        .into_iter()
        .filter(|method| handler(method, rest).is_some())
        .collect();
    if allowed.is_empty() {
        return ApiError::not_found();
    }
    if allowed.contains(&"GET") {
        allowed.insert(0, "HEAD");
    }
    let message = format!(
        "HTTP Method '{}' not allowed. Allowed are {}",
        call.request.method,
        allowed.join(",")
    );
    ApiError::new("METHOD_NOT_ALLOWED", message).status(405)
}

type Handler<'a> = Box<dyn Fn(&mut State, &Call<'_>) -> Result<Reply, ApiError> + 'a>;
type Found<'a> = Option<(&'static str, Handler<'a>)>;

fn found<'a>(
    kind: &'static str,
    handler: impl Fn(&mut State, &Call<'_>) -> Result<Reply, ApiError> + 'a,
) -> Found<'a> {
    Some((kind, Box::new(handler)))
}

/// The kind of call, as the usage counter names it, and who answers it.
fn handler<'a>(method: &str, rest: &[&'a str]) -> Found<'a> {
    match (method, rest) {
        (_, ["sobjects", rest @ ..]) => sobjects(method, rest),
        (_, ["composite", rest @ ..]) => composite(method, rest),
        (_, ["tooling", rest @ ..]) => tooling(method, rest),
        (_, ["jobs", rest @ ..]) => {
            let rest = rest.to_vec();
            found("bulk", move |s, c| bulk::answer(s, c, &rest))
        }
        ("GET", []) => found("resources", |s, c| Ok(discovery::resources(s, c))),
        ("GET", ["limits"]) => found("limits", |s, _| Ok(discovery::limits(s))),
        ("GET", ["limits", "recordCount"]) => found("recordCount", |s, c| Ok(discovery::counts(s, c))),
        ("GET", ["query"]) => found("query", |s, c| query::start(s, c, false)),
        ("GET", ["queryAll"]) => found("query", |s, c| query::start(s, c, true)),
        ("GET", ["query" | "queryAll", locator]) => found("queryMore", |s, c| query::more(s, c, locator)),
        _ => None,
    }
}

fn sobjects<'a>(method: &str, rest: &[&'a str]) -> Found<'a> {
    match (method, rest) {
        ("GET", []) => found("describeGlobal", |s, c| Ok(describe::global(s, c))),
        ("GET", [name]) => found("basic", |s, c| describe::basic(s, c, name)),
        ("POST", [name]) => found("create", |s, c| records::create(s, c, name)),
        ("GET", [name, "describe"]) => found("describe", |s, c| describe::object(s, c, name)),
        ("GET", [name, "updated"]) => found("getUpdated", |s, c| replication::updated(s, c, name)),
        ("GET", [name, "deleted"]) => found("getDeleted", |s, c| replication::deleted(s, c, name)),
        ("POST" | "PATCH", [name, key]) if key.eq_ignore_ascii_case("Id") => {
            found("create", |s, c| records::create(s, c, name))
        }
        ("GET", [name, id]) => found("retrieve", |s, c| records::get(s, c, name, id)),
        ("PATCH", [name, id]) => found("update", |s, c| records::update(s, c, name, id)),
        ("DELETE", [name, id]) => found("delete", |s, _| records::delete(s, name, id)),
        ("GET", [name, id, way]) => found("retrieve", |s, c| records::below(s, c, name, id, way)),
        ("PATCH", [name, field, value]) => {
            found("upsert", |s, c| records::upsert(s, c, name, (field, value)))
        }
        ("DELETE", [name, field, value]) => {
            found("delete", |s, c| records::delete_by(s, c, name, (field, value)))
        }
        _ => None,
    }
}

fn tooling<'a>(method: &str, rest: &[&'a str]) -> Found<'a> {
    match (method, rest) {
        ("GET", ["query"]) => found("tooling", query::tooling),
        ("GET", ["query", locator]) => found("tooling", |s, c| query::tooling_more(s, c, locator)),
        ("GET", ["sobjects", object, id]) => found("tooling", |s, c| query::tooling_row(s, c, object, id)),
        _ => None,
    }
}

fn composite<'a>(method: &str, rest: &[&'a str]) -> Found<'a> {
    match (method, rest) {
        ("GET", []) => found("composite", |_, c| Ok(composite::resources(c))),
        ("POST", []) => found("composite", composite::answer),
        ("POST", ["batch"]) => found("batch", batch::answer),
        ("POST", ["tree", name]) => found("tree", |s, c| tree::create(s, c, name)),
        ("POST", ["sobjects"]) => found("collections", collections::create),
        ("PATCH", ["sobjects"]) => found("collections", collections::update),
        ("DELETE", ["sobjects"]) => found("collections", collections::delete),
        ("GET" | "POST", ["sobjects", name]) => {
            found("collections", |s, c| collections::retrieve(s, c, name))
        }
        ("PATCH", ["sobjects", name, field]) => {
            found("collections", |s, c| collections::upsert(s, c, name, field))
        }
        _ => None,
    }
}
