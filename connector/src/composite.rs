//! Several small reads in one call: describes, counts, logs of deletions, first pages of queries.
//!
//! Key decision: a composite call counts once against the allowance and holds 25 sub-requests, five of them queries
//! (REST API guide, "Composite"). Bodies are handed on as the org's own text. A sub-request that failed for a passing
//! reason is asked again by itself, and where the org takes no composite calls everything is.

use halite_engine::base::error::{Error, Kind, Result};
use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::org::{DeletedLog, EachAnswer};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::error::{Fault, Verdict, is_of_run};
use crate::query;
use crate::rest::{Rest, api_name};
use crate::retry::{Caller, Session};
use crate::transport::{Body, Call};

/// Sub-requests of a call.
const MOST: usize = 25;
/// Queries among them.
pub const QUERIES: usize = 5;
/// How far back the log of deletions may be asked: 15 days, less an hour for clocks that differ.
const LOOK_BACK: i64 = (15 * 24 - 1) * 3_600_000;
const MINUTE: i64 = 60_000;

/// What is done with the body of sub-request number n; the caller is lent for further calls.
type EachBody<'a, S> = dyn FnMut(&mut Caller<S>, usize, Result<Vec<u8>, Fault>) -> Result<()> + 'a;

/// Asks for all of these paths, at most `most` in a call, and gives the bodies in order.
///
/// # Errors
/// Of the call as a whole; a sub-request's own stands in its place.
pub fn bodies<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    paths: &[String],
    most: usize,
    each: &mut EachBody<'_, S>,
) -> Result<()> {
    let mut at = 0;
    for some in paths.chunks(most) {
        let replies = if some.len() == 1 {
            None
        } else {
            match together(caller, rest, some) {
                Ok(replies) => Some(replies),
                Err(fault) if about_itself(&fault) => {
                    tracing::info!(%fault, "no composite calls: one by one");
                    None
                }
                Err(fault) => return Err(fault.into()),
            }
        };
        let mut replies = replies.into_iter().flatten();
        for path in some {
            let body = match replies.next() {
                Some(Ok(body)) => Ok(body),
                Some(Err(fault)) if fault.verdict() != Verdict::Wait => Err(fault),
                _ => caller.read(&Call::get(path), &|reply| Ok(reply.body)),
            };
            each(caller, at, body)?;
            at += 1;
        }
    }
    Ok(())
}

/// Whether a call was refused for what it is, so that its parts may serve.
fn about_itself(fault: &Fault) -> bool {
    fault.is_answer() && matches!(fault.verdict(), Verdict::Stop) && !is_of_run(fault)
}

/// One call.
fn together<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    paths: &[String],
) -> Result<Vec<Result<Vec<u8>, Fault>>, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Part<'a> {
        #[serde(borrow)]
        body: Option<&'a RawValue>,
        http_status_code: u16,
        reference_id: &'a str,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Whole<'a> {
        #[serde(borrow)]
        composite_response: Vec<Part<'a>>,
    }
    let parts: Vec<_> = paths
        .iter()
        .enumerate()
        .map(|(n, path)| json!({"method": "GET", "url": path, "referenceId": format!("r{n}")}))
        .collect();
    let body = json!({"allOrNone": false, "compositeRequest": parts}).to_string();
    let call = Call::post(rest.path("/composite"), Body::Json(body));
    caller.read(&call, &|reply| {
        let whole: Whole<'_> = serde_json::from_slice(&reply.body)
            .map_err(|e| format!("a composite reply that does not parse: {e}"))?;
        let parts = &whole.composite_response;
        let in_order = parts
            .iter()
            .enumerate()
            .all(|(n, part)| part.reference_id == format!("r{n}"));
        if parts.len() != paths.len() || !in_order {
            return Err("a composite reply that does not answer what was asked".into());
        }
        let part = |part: &Part<'_>| {
            let body = part.body.map_or("", RawValue::get).as_bytes();
            match part.http_status_code {
                200..300 => Ok(body.to_vec()),
                status => Err(Fault::answer(status, body)),
            }
        };
        Ok(parts.iter().map(part).collect())
    })
}

/// An answer about one sObject; what is about the run is an error here.
pub fn of_one<T>(answer: Result<T, Fault>) -> Result<Result<T>> {
    match answer {
        Err(fault) if is_of_run(&fault) => Err(fault.into()),
        Err(fault) => Ok(Err(fault.into())),
        Ok(value) => Ok(Ok(value)),
    }
}

/// Describes, verbatim.
pub fn describes<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    sobjects: &[&str],
    each: &mut EachAnswer<'_, Vec<u8>>,
) -> Result<()> {
    let path = |name: &&str| Ok(rest.path(&format!("/sobjects/{}/describe", api_name(name)?)));
    let paths = sobjects.iter().map(path).collect::<Result<Vec<_>>>()?;
    bodies(caller, rest, &paths, MOST, &mut |_, at, body| {
        let answer = of_one(body)?.map_err(|e| {
            e.within(sobjects[at])
                .hint("the org has no such sObject, or hides it from this user")
        });
        each(at, answer)
    })
}

/// Counts of live rows.
pub fn counts<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    sobjects: &[&str],
    each: &mut EachAnswer<'_, u64>,
) -> Result<()> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Counted {
        total_size: u64,
    }
    let paths = sobjects
        .iter()
        .map(|name| query::count_path(rest, name))
        .collect::<Result<Vec<_>>>()?;
    bodies(caller, rest, &paths, QUERIES, &mut |_, at, body| {
        let count = of_one(body)?.and_then(|body| {
            serde_json::from_slice::<Counted>(&body)
                .map(|counted| counted.total_size)
                .map_err(|e| Error::new(Kind::Io, format!("a count that does not parse: {e}")))
        });
        each(at, count)
    })
}

/// Logs of deletions up to `now` (REST API guide, "Get Deleted"): whole minutes, since the org cuts seconds.
pub fn deleted<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    now: Stamp,
    asked: &[(&str, Stamp)],
    each: &mut EachAnswer<'_, Option<DeletedLog>>,
) -> Result<()> {
    let until = (now.millis().div_euclid(MINUTE) + 1) * MINUTE;
    let start = |since: Stamp| {
        let since = since.millis().max(until - LOOK_BACK).min(until - 2 * MINUTE);
        since.div_euclid(MINUTE) * MINUTE
    };
    let paths = asked
        .iter()
        .map(|(name, since)| log_path(rest, name, start(*since), until))
        .collect::<Result<Vec<_>>>()?;
    bodies(caller, rest, &paths, MOST, &mut |caller, at, body| {
        let (name, since) = asked[at];
        let log = match body {
            Err(fault) if fault.has("EXCEEDED_ID_LIMIT") => {
                halves(caller, rest, name, (start(since), until)).map(Some)
            }
            Err(fault) if !is_of_run(&fault) => Ok(None),
            Err(fault) => return Err(fault.into()),
            Ok(body) => log(&body).map(Some),
        };
        each(at, log)
    })
}

fn log_path(rest: &Rest, name: &str, start: i64, end: i64) -> Result<String> {
    let time = |millis| Stamp::from_millis(millis).to_string().replace(".000Z", "Z");
    Ok(rest.path(&format!(
        "/sobjects/{}/deleted/?start={}&end={}",
        api_name(name)?,
        time(start),
        time(end)
    )))
}

/// A log with more Ids than the org gives at once, by halves of its window.
fn halves<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    name: &str,
    (start, end): (i64, i64),
) -> Result<DeletedLog> {
    if end - start < 4 * MINUTE {
        return Err(Error::new(
            Kind::Io,
            format!("{name}: more were deleted within minutes than the org tells"),
        ));
    }
    let middle = (start + end) / 2 / MINUTE * MINUTE;
    let mut whole: Option<DeletedLog> = None;
    for window in [(start, middle), (middle, end)] {
        let call = Call::get(log_path(rest, name, window.0, window.1)?);
        let part = match caller.read(&call, &|reply| Ok(reply.body)) {
            Err(fault) if fault.has("EXCEEDED_ID_LIMIT") => halves(caller, rest, name, window)?,
            body => log(&body?)?,
        };
        whole = Some(match whole {
            None => part,
            Some(mut before) => {
                before.ids.extend(part.ids);
                DeletedLog {
                    ids: before.ids,
                    available: before.available.max(part.available),
                    covered: part.covered,
                }
            }
        });
    }
    whole.ok_or_else(|| Error::invalid("a window without halves"))
}

fn log(body: &[u8]) -> Result<DeletedLog> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Deleted<'a> {
        id: &'a str,
        deleted_date: &'a str,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Log<'a> {
        #[serde(borrow)]
        deleted_records: Vec<Deleted<'a>>,
        earliest_date_available: &'a str,
        latest_date_covered: &'a str,
    }
    let bad = |why: &str| Error::new(Kind::Io, format!("a log of deletions that does not parse: {why}"));
    let log: Log<'_> = serde_json::from_slice(body).map_err(|e| bad(&e.to_string()))?;
    let time = |text: &str| Stamp::parse(text.as_bytes()).ok_or_else(|| bad(text));
    let ids = log.deleted_records.iter().map(|row| {
        let id = RecordId::parse(row.id.as_bytes()).ok_or_else(|| bad(row.id))?;
        Ok((id, time(row.deleted_date)?))
    });
    Ok(DeletedLog {
        ids: ids.collect::<Result<_>>()?,
        available: time(log.earliest_date_available)?,
        covered: time(log.latest_date_covered)?,
    })
}
