//! The org's log of deletions (REST API guide, "Get Deleted"; SOAP API guide, "getDeleted()").
//!
//! Key decision: windows are whole minutes, since the org cuts seconds off and both ends belong to a window; a log is
//! said to begin no earlier than it was asked from, whatever the org says. Too many Ids halve the window; a start that
//! the org does not like is replaced by the earliest it offers. It does not decide what a deletion means.

use halite_engine::base::error::{Kind, Result};
use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::org::{DeletedLog, EachAnswer};
use serde::Deserialize;

use crate::asks::of_one;
use crate::composite::{MOST, bodies};
use crate::error::Fault;
use crate::rest::{Rest, api_name};
use crate::retry::{Caller, Session};
use crate::transport::{Call, Reply};

const MINUTE: i64 = 60_000;
/// How far back may be asked: 15 days, less what passes until the question arrives.
const LOOK_BACK: i64 = (15 * 24 * 60 - 10) * MINUTE;
/// The shortest window: the end must be more than a minute after the start.
const SHORTEST: i64 = 2 * MINUTE;

/// From and until, in milliseconds, whole minutes.
#[derive(Clone, Copy)]
struct Window(i64, i64);

impl Window {
    /// From `since` to `now`, as far back as the org keeps it.
    fn new(since: Stamp, now: Stamp) -> Self {
        let until = (now.millis().div_euclid(MINUTE) + 1) * MINUTE;
        let from = since.millis().clamp(until - LOOK_BACK, until - SHORTEST);
        Self(from.div_euclid(MINUTE) * MINUTE, until)
    }

    fn path(self, rest: &Rest, sobject: &str) -> Result<String> {
        let time = |millis| Stamp::from_millis(millis).to_string().replace(".000Z", "Z");
        let (sobject, from, until) = (api_name(sobject)?, time(self.0), time(self.1));
        Ok(rest.path(&format!("/sobjects/{sobject}/deleted/?start={from}&end={until}")))
    }

    /// A log of this window tells of nothing before it.
    fn bound(self, log: DeletedLog) -> DeletedLog {
        let available = log.available.max(Stamp::from_millis(self.0));
        DeletedLog { available, ..log }
    }
}

/// Logs of deletions up to `now`, 25 in a call; none for sObjects of which the org says that it keeps no log. Any other
/// refusal is an error: that deletions are not told does not say that there are none.
pub fn deleted<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    now: Stamp,
    asked: &[(&str, Stamp)],
    each: &mut EachAnswer<'_, Option<DeletedLog>>,
) -> Result<()> {
    let path = |(name, since): &(&str, Stamp)| Window::new(*since, now).path(rest, name);
    let paths = asked.iter().map(path).collect::<Result<Vec<_>>>()?;
    Ok(bodies(caller, rest, &paths, MOST, &mut |caller, at, body| {
        let (name, since) = asked[at];
        let window = Window::new(since, now);
        let log = match body.and_then(|body| read(&body)) {
            Ok(log) => Ok(Some(window.bound(log))),
            Err(fault) if fault.has("EXCEEDED_ID_LIMIT") => {
                let log = halves(caller, rest, name, window);
                log.map(|log| Some(window.bound(log)))
            }
            Err(fault) if fault.has("INVALID_REPLICATION_DATE") => {
                what_there_is(caller, rest, name, now).map(Some)
            }
            Err(fault) if fault.has("INVALID_TYPE_FOR_OPERATION") => {
                tracing::debug!(sobject = name, %fault, "no log of deletions");
                Ok(None)
            }
            Err(fault) => Err(fault),
        };
        let about = format!("the log of deletions of {name}");
        Ok(each(at, of_one(log.map_err(|fault| fault.about(&about)))?)?)
    })?)
}

fn ask<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    sobject: &str,
    window: Window,
) -> Result<DeletedLog, Fault> {
    let call = Call::get(window.path(rest, sobject)?);
    let body = caller.read(&call, &|reply: Reply| Ok(reply.body))?;
    read(&body)
}

/// A log with more Ids than the org gives at once, by halves of its window.
fn halves<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    sobject: &str,
    Window(from, until): Window,
) -> Result<DeletedLog, Fault> {
    if until - from < 2 * SHORTEST {
        let why = "more was deleted within minutes than the org tells";
        return Err(Fault::doubt(Kind::Io, why));
    }
    let middle = from + (until - from) / 2 / MINUTE * MINUTE;
    let mut half = |window| match ask(caller, rest, sobject, window) {
        Err(fault) if fault.has("EXCEEDED_ID_LIMIT") => halves(caller, rest, sobject, window),
        log => log,
    };
    let (mut first, second) = (half(Window(from, middle))?, half(Window(middle, until))?);
    first.ids.extend(second.ids);
    Ok(DeletedLog {
        ids: first.ids,
        available: first.available.max(second.available),
        covered: second.covered,
    })
}

/// As much as the org tells of, where it does not like the start: how far that is, it says of the last minutes.
fn what_there_is<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    sobject: &str,
    now: Stamp,
) -> Result<DeletedLog, Fault> {
    let until = now.millis().div_euclid(MINUTE) * MINUTE;
    let short = Window(until - SHORTEST, until);
    let latest = ask(caller, rest, sobject, short)?;
    let earliest = latest.available.max(Stamp::from_millis(until - LOOK_BACK));
    let window = Window((earliest.millis().div_euclid(MINUTE) + 1) * MINUTE, until);
    if window.0 >= short.0 {
        return Ok(short.bound(latest));
    }
    let log = match ask(caller, rest, sobject, window) {
        Err(fault) if fault.has("EXCEEDED_ID_LIMIT") => halves(caller, rest, sobject, window)?,
        Err(fault) if fault.has("INVALID_REPLICATION_DATE") => return Ok(short.bound(latest)),
        log => log?,
    };
    Ok(window.bound(log))
}

/// Reads a log.
fn read(body: &[u8]) -> Result<DeletedLog, Fault> {
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
    let bad = |why: &str| Fault::unreadable(format!("a log of deletions that does not parse: {why}"));
    let log: Log<'_> = serde_json::from_slice(body).map_err(|e| bad(&e.to_string()))?;
    let time = |text: &str| Stamp::parse(text.as_bytes()).ok_or_else(|| bad(text));
    let one = |row: &Deleted<'_>| {
        let id = RecordId::parse(row.id.as_bytes()).ok_or_else(|| bad(row.id))?;
        Ok((id, time(row.deleted_date)?))
    };
    let ids = log.deleted_records.iter().map(one);
    Ok(DeletedLog {
        ids: ids.collect::<Result<_, Fault>>()?,
        available: time(log.earliest_date_available)?,
        covered: time(log.latest_date_covered)?,
    })
}
