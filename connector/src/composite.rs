//! Several small reads in one call.
//!
//! Key decision: a composite call counts once against the allowance and holds 25 sub-requests, five of them queries
//! (REST API guide, "Composite"). Bodies are handed on as the org's own text, one at a time. A sub-request that failed
//! for a passing reason is asked again by itself, and where the org takes no composite call all of them are.
//! It does not know what is asked for.

use std::ops::Range;

use halite_engine::base::error::Kind;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use serde_json::value::RawValue;

use crate::error::{Fault, Verdict};
use crate::rest::Rest;
use crate::retry::{Caller, Session};
use crate::transport::{Body, Call, Reply, path_only};

/// Sub-requests of a call.
pub const MOST: usize = 25;
/// Queries among them.
pub const QUERIES: usize = 5;

/// What is done with the body of path number n, or with its own failure; the caller is lent for further calls.
pub type EachBody<'a, S> = dyn FnMut(&mut Caller<S>, usize, Result<Vec<u8>, Fault>) -> Result<(), Fault> + 'a;

/// Reads all of these paths, at most `most` in a call, and gives their bodies in order.
///
/// # Errors
/// Of a call as a whole, where its parts would fail as well; else what `each` returns.
pub fn bodies<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    paths: &[String],
    most: usize,
    each: &mut EachBody<'_, S>,
) -> Result<(), Fault> {
    for (first, some) in (0..).step_by(most).zip(paths.chunks(most)) {
        let (mut whole, mut doubted) = (None, false);
        if some.len() > 1 {
            match together(caller, rest, some) {
                Ok(all) => whole = Some(all),
                Err(fault) => doubted = !alone(fault.about(named(some)))?,
            }
        }
        for (n, path) in some.iter().enumerate() {
            let body = match whole.as_ref().map(|whole| whole.part(n)) {
                Some(Ok(body)) => Ok(body),
                Some(Err(fault)) if fault.verdict() == Verdict::Stop => Err(fault),
                _ => caller.read(&Call::get(path), &whole_json),
            };
            match body {
                // Neither together nor alone, however often: that is not about what was asked.
                Err(fault) if doubted && fault.verdict() == Verdict::Wait => return Err(fault.of_run()),
                body => each(caller, first + n, body)?,
            }
        }
    }
    Ok(())
}

/// Reads one path that is too long for a URI.
pub fn one<S: Session>(caller: &mut Caller<S>, rest: &Rest, path: &str) -> Result<Vec<u8>, Fault> {
    let paths = [path.to_owned()];
    let whole = caller.read(&call(rest, &paths), &|reply| Whole::parse(reply.body, 1))?;
    whole.part(0)
}

/// One call.
fn together<S: Session>(caller: &mut Caller<S>, rest: &Rest, paths: &[String]) -> Result<Whole, Fault> {
    let parse = |reply: Reply| Whole::parse(reply.body, paths.len());
    caller.read(&call(rest, paths), &parse)
}

/// What a call was about, for messages: the first of its paths, of a query the sObject, and how many more.
fn named(paths: &[String]) -> String {
    let first = paths.first().map_or("", String::as_str);
    let what = match first.split_once("+FROM+") {
        Some((_, rest)) => rest.split(['+', '&', '%']).next().unwrap_or_default(),
        None => path_only(first),
    };
    format!("{what} and {} more", paths.len().saturating_sub(1))
}

/// What its parts may do for a call that failed: whether it was refused for what it is, so that they will do, or
/// whether that is to be seen.
fn alone(fault: Fault) -> Result<bool, Fault> {
    let over = matches!(fault.kind(), Kind::Auth | Kind::Quota | Kind::Interrupted);
    if over || (fault.is_of_run() && !fault.is_answer()) {
        return Err(fault);
    }
    tracing::info!(%fault, "no composite call: one by one");
    Ok(fault.verdict() == Verdict::Stop)
}

fn call(rest: &Rest, paths: &[String]) -> Call {
    let part =
        |(n, path): (usize, &String)| json!({"method": "GET", "url": path, "referenceId": reference(n)});
    let parts: Vec<_> = paths.iter().enumerate().map(part).collect();
    let body = json!({"allOrNone": false, "compositeRequest": parts}).to_string();
    Call::post(rest.path("/composite"), Body::Json(body))
}

fn reference(n: usize) -> String {
    format!("r{n}")
}

fn whole_json(reply: Reply) -> Result<Vec<u8>, String> {
    let read = serde_json::from_slice::<IgnoredAny>(&reply.body);
    read.map(|_| reply.body)
        .map_err(|e| format!("JSON that does not parse: {e}"))
}

/// The reply to one call, and where its parts' statuses and bodies stand in it.
struct Whole {
    text: Vec<u8>,
    parts: Vec<(u16, Range<usize>)>,
}

impl Whole {
    /// Reads a reply with `count` parts.
    fn parse(text: Vec<u8>, count: usize) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Part<'a> {
            #[serde(borrow)]
            body: Option<&'a RawValue>,
            http_status_code: u16,
            reference_id: Option<&'a str>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire<'a> {
            #[serde(borrow)]
            composite_response: Vec<Part<'a>>,
        }
        let wire: Wire<'_> = serde_json::from_slice(&text)
            .map_err(|e| format!("a composite reply that does not parse: {e}"))?;
        let parts = &wire.composite_response;
        let named = |(n, part): (usize, &Part<'_>)| part.reference_id == Some(&reference(n));
        if parts.len() != count || !parts.iter().enumerate().all(named) {
            return Err("a composite reply that does not answer what was asked".into());
        }
        let start = text.as_ptr().addr();
        let place = |part: &Part<'_>| {
            let body = part.body.map_or("", RawValue::get);
            let from = body.as_ptr().addr().saturating_sub(start).min(text.len());
            (part.http_status_code, from..(from + body.len()).min(text.len()))
        };
        let parts = parts.iter().map(place).collect();
        Ok(Self { text, parts })
    }

    /// The body of part number n, or its error.
    fn part(&self, n: usize) -> Result<Vec<u8>, Fault> {
        let (status, range) = &self.parts[n];
        let body = &self.text[range.clone()];
        if (200..300).contains(status) {
            Ok(body.to_vec())
        } else {
            Err(Fault::answer(*status, body))
        }
    }
}
