//! `/admin`: the org driven from outside: clock, faults, settings, changes by its users, and the truth.
//!
//! Key decision: never below `/services`, so that no client of the API meets it; no fault is played on it and
//! it is in no log. It is served only on a loopback address and only if asked for, and refuses what a page in
//! a browser sends. There is no token, because every secret of a simulated org is public.
//! Not here: what the calls do: each is one of [`Org`]'s own.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::behave;
use super::reply::Reply;
use super::request::Request;
use crate::error::ApiError;
use crate::org::{Bin, Fault, Org, Settings, seconds};

/// Requests that the log keeps.
const KEPT: usize = 1000;
/// Rows of the truth in one reply, unless another limit is asked for.
const ROWS: usize = 2000;

/// What `/admin` may do beside driving the org.
#[derive(Debug, Clone, Default)]
pub struct Admin {
    /// The file that `POST /admin/save` writes; without one it is refused.
    pub save: Option<PathBuf>,
}

/// Where `/admin` is answered, and the log of the other requests.
#[derive(Debug)]
pub(crate) struct Desk {
    admin: Admin,
    log: Mutex<VecDeque<Entry>>,
}

/// A request and its reply.
#[derive(Debug, Clone, Serialize)]
struct Entry {
    at: String,
    method: String,
    target: String,
    status: u16,
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
}

impl Desk {
    pub fn new(admin: Admin) -> Self {
        Self {
            admin,
            log: Mutex::default(),
        }
    }

    fn log(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a request to the log; the oldest goes when it is full.
    pub fn note(&self, org: &Org, method: &str, target: &str, reply: &Reply, fault: Option<Fault>) {
        let mut log = self.log();
        if log.len() == KEPT {
            log.pop_front();
        }
        log.push_back(Entry {
            at: org.clock().now().to_string(),
            method: method.to_owned(),
            target: target.to_owned(),
            status: reply.status,
            bytes: reply.body.len(),
            fault: fault.map(|f| format!("{f:?}")),
        });
    }
}

/// Answers a call.
pub(crate) fn answer(desk: &Desk, org: &Org, request: &Request) -> Reply {
    if request.header("origin").is_some() {
        return Reply::error(&ApiError::new("FORBIDDEN", "not for pages in a browser").status(403));
    }
    let path: Vec<&str> = request.segments.iter().skip(1).map(String::as_str).collect();
    let answered = match path.as_slice() {
        ["records", rest @ ..] => records(org, request, rest),
        ["truth", rest @ ..] => truth(org, request, rest),
        ["behaviour", rest @ ..] => behave::answer(org, request, rest),
        rest => control(desk, org, request, rest),
    };
    answered.map_or_else(|e| Reply::error(&e), |body| Reply::json(200, &body))
}

type Answer = Result<Value, ApiError>;

fn control(desk: &Desk, org: &Org, request: &Request, path: &[&str]) -> Answer {
    match (request.method.as_str(), path) {
        ("GET", ["clock"]) => {}
        ("POST", ["clock"]) => move_clock(org, body(request)?)?,
        ("POST", ["faults"]) => org.script(body(request)?),
        ("DELETE", ["faults"]) => org.clear_faults(),
        ("GET", ["calls"]) => return Ok(json!(org.calls())),
        ("DELETE", ["calls"]) => org.reset_calls(),
        ("GET", ["log"]) => return Ok(json!(*desk.log())),
        ("DELETE", ["log"]) => desk.log().clear(),
        ("POST", ["save"]) => save(desk, org)?,
        ("POST", ["sessions", "expire"]) => org.expire_sessions(),
        ("POST", ["locators", "expire"]) => org.expire_locators(),
        ("GET", ["settings"]) => return settings(org),
        ("POST", ["settings"]) => {
            change_settings(org, &request.json()?)?;
            return settings(org);
        }
        _ => return Err(ApiError::not_found()),
    }
    Ok(json!({"now": org.clock().now().to_string()}))
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Move {
    Advance(#[serde(with = "seconds")] Duration),
    Set(String),
}

fn move_clock(org: &Org, to: Move) -> Result<(), ApiError> {
    match to {
        Move::Advance(by) => org.clock().advance(by),
        Move::Set(at) => org.clock().set(at.parse().map_err(unreadable)?),
    }
    Ok(())
}

fn save(desk: &Desk, org: &Org) -> Result<(), ApiError> {
    let refused = |why: String| ApiError::new("CANNOT_SAVE", why).status(409);
    let path = desk.admin.save.as_ref();
    let path = path.ok_or_else(|| refused("the server was given no file to save to".into()))?;
    org.save(path)
        .map_err(|e| refused(format!("{}: {e}", path.display())))
}

fn settings(org: &Org) -> Answer {
    let mut all = Settings::default();
    org.configure(|s| all = s.clone());
    Ok(json!(all))
}

/// Sets what is named; a group of settings may be named in part.
fn change_settings(org: &Org, change: &Value) -> Result<(), ApiError> {
    let mut all = settings(org)?;
    merge(&mut all, change);
    let changed: Settings = read(all)?;
    org.configure(|s| *s = changed);
    Ok(())
}

fn merge(into: &mut Value, change: &Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (name, value) in change {
                merge(into.entry(name.as_str()).or_insert(Value::Null), value);
            }
        }
        (into, change) => *into = change.clone(),
    }
}

/// Changes as users of the org make them, and what time does to deleted rows.
fn records(org: &Org, request: &Request, path: &[&str]) -> Answer {
    match (request.method.as_str(), path) {
        ("POST", ["purged", "expire"]) => org.expire_purged(),
        ("POST", [object]) => return Ok(json!({"id": org.create(object, &request.json()?)?})),
        ("PATCH", [id]) => org.update(id, &request.json()?)?,
        ("DELETE", [id]) => org.delete(id)?,
        ("POST", [id, "undelete"]) => org.undelete(id)?,
        ("POST", [id, "purge"]) => org.purge(&[id])?,
        ("POST", [id, "expire"]) => org.expire(&[id])?,
        ("POST", [id, "view"]) => org.view(id),
        ("POST", [id, "archive"]) => org.archive(id)?,
        ("POST", [id, "lock"]) => org.lock_row(id),
        ("POST", [id, "unlock"]) => org.unlock_row(id),
        ("POST", [id, "merge"]) => return behave::merge(org, id, &body(request)?),
        _ => return Err(ApiError::not_found()),
    }
    Ok(json!({"success": true}))
}

/// What is there, seen past sessions, pages and the recycle bin.
fn truth(org: &Org, request: &Request, path: &[&str]) -> Answer {
    match (request.method.as_str(), path) {
        ("GET", []) => Ok(json!(org.objects())),
        ("GET", [object]) => {
            let most = request.param("limit").map_or(Ok(ROWS), str::parse);
            let most = most.map_err(|_| ApiError::new("INVALID_LIMIT", "limit is a number of rows"))?;
            let rows = org.every_row(object, request.param("after").unwrap_or_default(), most);
            let full = rows.len() == most;
            let next = rows.last().filter(|_| full).map(|(_, row)| row["Id"].clone());
            let shown = |(bin, record): (Bin, Value)| json!({"bin": bin, "record": record});
            let rows = rows.into_iter().map(|(bin, record)| shown((bin, record.into())));
            Ok(json!({"rows": rows.collect::<Vec<_>>(), "next": next}))
        }
        _ => Err(ApiError::not_found()),
    }
}

pub(super) fn body<T: DeserializeOwned>(request: &Request) -> Result<T, ApiError> {
    read(request.json()?)
}

pub(super) fn read<T: DeserializeOwned>(value: Value) -> Result<T, ApiError> {
    serde_json::from_value(value).map_err(unreadable)
}

pub(super) fn unreadable(why: impl std::fmt::Display) -> ApiError {
    ApiError::new("JSON_PARSER_ERROR", why.to_string())
}
