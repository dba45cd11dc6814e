//! Which handler a request goes to.
//!
//! Key decision: a match over method and path segments: the whole surface of the org is this one list, and
//! what is not on it is 404 in the API's words.
//! Source: REST API guide, "Reference".
//! Not here: sessions' tokens (`session`), faults (`server`).

use super::host::Host;
use super::reply::Reply;
use super::request::Request;
use super::{auth, bulk, collections, describe, discovery, query, records, session, soap};
use crate::error::ApiError;
use crate::org::State;

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
        return Reply::error(&ApiError::not_found());
    }
    match session::bearer(state, request) {
        Ok(user) => state.running = user,
        Err(e) => return Reply::error(&e).with("WWW-Authenticate", "Token".to_owned()),
    }
    state.behaviour.allow_duplicates = request
        .header("sforce-duplicate-rule-header")
        .is_some_and(|h| h.replace(' ', "").to_lowercase().contains("allowsave=true"));
    if let Err(refused) = state.admit() {
        return Reply::error(&refused);
    }
    let used: u64 = state.calls.values().sum();
    if used >= state.settings.daily_requests {
        return Reply::error(
            &ApiError::new("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.").status(403),
        );
    }
    let call = Call { version, request };
    let reply: Reply = dispatch(state, &call, rest).into();
    let info = discovery::usage(state);
    reply.with("Sforce-Limit-Info", info)
}

/// A REST call inside a version.
pub(crate) struct Call<'a> {
    /// As in the path: `v67.0`.
    pub version: &'a str,
    pub request: &'a Request,
}

fn dispatch(state: &mut State, call: &Call<'_>, rest: &[&str]) -> Result<Reply, ApiError> {
    let (kind, handler) = handler(&call.request.method, rest)?;
    state.called(kind);
    handler(state, call)
}

/// Answers a call that another one carries: its session is the other's, and it is not counted again.
pub(crate) fn inner(state: &mut State, call: &Call<'_>, rest: &[&str]) -> Result<Reply, ApiError> {
    let (_, handler) = handler(&call.request.method, rest)?;
    handler(state, call)
}

/// What a call is counted as, and who answers it.
fn handler<'a>(method: &str, rest: &'a [&'a str]) -> Result<(&'static str, Handler<'a>), ApiError> {
    let found: (&str, Handler<'_>) = match (method, rest) {
        ("GET", []) => ("resources", Box::new(|_, c| Ok(discovery::resources(c)))),
        ("GET", ["limits"]) => ("limits", Box::new(|s, _| Ok(discovery::limits(s)))),
        ("GET", ["limits", "recordCount"]) => ("recordCount", Box::new(|s, c| Ok(discovery::counts(s, c)))),
        ("GET", ["sobjects"]) => ("describeGlobal", Box::new(|s, c| Ok(describe::global(s, c)))),
        ("GET", ["sobjects", name]) => ("basic", Box::new(|s, c| describe::basic(s, c, name))),
        ("GET", ["sobjects", name, "describe"]) => {
            ("describe", Box::new(|s, c| describe::object(s, c, name)))
        }
        ("GET", ["query"]) => ("query", Box::new(|s, c| query::start(s, c, false))),
        ("GET", ["queryAll"]) => ("query", Box::new(|s, c| query::start(s, c, true))),
        ("GET", ["query" | "queryAll", locator]) => {
            ("queryMore", Box::new(|s, c| query::more(s, c, locator)))
        }
        ("POST", ["sobjects", name]) => ("create", Box::new(|s, c| records::create(s, c, name))),
        ("GET", ["sobjects", name, id]) => ("retrieve", Box::new(|s, c| records::get(s, c, name, id))),
        ("PATCH", ["sobjects", name, id]) => ("update", Box::new(|s, c| records::update(s, c, name, id))),
        ("DELETE", ["sobjects", name, id]) => ("delete", Box::new(|s, _| records::delete(s, name, id))),
        ("PATCH", ["sobjects", name, field, value]) => (
            "upsert",
            Box::new(|s, c| records::upsert(s, c, name, field, value)),
        ),
        ("POST", ["composite", "sobjects"]) => ("collections", Box::new(collections::create)),
        ("PATCH", ["composite", "sobjects"]) => ("collections", Box::new(collections::update)),
        ("DELETE", ["composite", "sobjects"]) => ("collections", Box::new(collections::delete)),
        ("POST", ["composite", "sobjects", name]) => {
            ("collections", Box::new(|s, c| collections::retrieve(s, c, name)))
        }
        (_, ["jobs", rest @ ..]) => ("bulk", Box::new(|s, c| bulk::answer(s, c, rest))),
        _ => return Err(ApiError::not_found()),
    };
    Ok(found)
}

type Handler<'a> = Box<dyn Fn(&mut State, &Call<'_>) -> Result<Reply, ApiError> + 'a>;
