//! Conditional requests: replies that need not be sent, and writes that come too late.
//!
//! Key decision: what a describe's `Last-Modified` says is when its text last differed from what was sent
//! before, so that everything that shapes a describe (fields, rights, settings) counts without telling.
//! Source: REST API guide, "Conditional Request Headers"; RFC 9110, "Conditional Requests".
//! Not here: the describes and rows themselves.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::reply::Reply;
use super::request::Request;
use super::route::Call;
use crate::error::ApiError;
use crate::id::mix;
use crate::org::{Clock, State, http_date};
use crate::schema::ObjectDef;
use crate::write::instant;

/// What was last sent for a path, and since when.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Sent(BTreeMap<String, (String, Timestamp)>);

/// A describe, or 304 if the client has it.
pub(crate) fn described(state: &mut State, call: &Call<'_>, path: &str, reply: Reply) -> Reply {
    let tag = format!("{:016x}", mix(3, &String::from_utf8_lossy(&reply.body)));
    let key = format!("{}/{path}/{}", call.version, state.running);
    let now = state.clock.now();
    let since = match state.sent.0.get(&key) {
        Some((before, since)) if *before == tag => *since,
        Some(_) => now,
        None => Clock::default().now().min(now),
    };
    state.sent.0.insert(key, (tag.clone(), since));
    let fresh = Conditions::read(call.request, false)
        .ok()
        .and_then(|c| c.judge(Some(&tag), since));
    fresh
        .unwrap_or(reply)
        .with("ETag", format!("\"{tag}\""))
        .with("Last-Modified", http_date(since))
}

/// The reply that a row's conditions call for: 304, 412 or none.
pub(crate) fn record(
    state: &State,
    call: &Call<'_>,
    object: &ObjectDef,
    id: &str,
) -> Result<Option<Reply>, ApiError> {
    let writes = call.request.verb() != "GET";
    let conditions = Conditions::read(call.request, writes)?;
    let Some(modified) = modified(state, id) else {
        return Ok(None);
    };
    Ok(conditions.judge(tag(state, object, id).as_deref(), modified))
}

/// A row's reply with its ETag (accounts only) and date.
pub(crate) fn marked(reply: Reply, state: &State, object: &ObjectDef, id: &str) -> Reply {
    let reply = match modified(state, id) {
        Some(at) => reply.with("Last-Modified", http_date(at)),
        None => reply,
    };
    match tag(state, object, id) {
        Some(tag) => reply.with("ETag", format!("\"{tag}\"")),
        None => reply,
    }
}

fn modified(state: &State, id: &str) -> Option<Timestamp> {
    instant(state.row(id)?.text("LastModifiedDate"))
}

fn tag(state: &State, object: &ObjectDef, id: &str) -> Option<String> {
    let row = state.row(id).filter(|_| object.name == "Account")?;
    Some(format!("{:016x}", mix(5, &format!("{:?}", row.values))))
}

/// The conditional headers of a request.
#[derive(Debug, Default)]
struct Conditions {
    matches: Option<Vec<String>>,
    none: Option<Vec<String>>,
    since: Option<Timestamp>,
    unmodified: Option<Timestamp>,
}

impl Conditions {
    /// Reads them; a write with an invalid one is refused, a read goes on without it.
    fn read(request: &Request, writes: bool) -> Result<Self, ApiError> {
        let date = |name: &str| match request.header(name) {
            None => Ok(None),
            Some(text) => match parse(text) {
                None if writes => Err(ApiError::new(
                    "INVALID_HEADER_VALUE",
                    format!("Invalid value for header {name}: {text}"),
                )),
                known => Ok(known),
            },
        };
        let tags = |name: &str| request.header(name).map(tags);
        Ok(Self {
            matches: tags("if-match"),
            none: tags("if-none-match"),
            since: date("if-modified-since")?,
            unmodified: date("if-unmodified-since")?,
        })
    }

    fn judge(&self, tag: Option<&str>, modified: Timestamp) -> Option<Reply> {
        let among =
            |list: &[String]| tag.is_some_and(|t| list.iter().any(|known| known == "*" || known == t));
        // Rows of other objects have no tag, and their conditions on tags are not looked at.
        let tagged = tag.is_some();
        let second = |at: Timestamp| at.as_second();
        if tagged && self.matches.as_ref().is_some_and(|list| !among(list))
            || self.unmodified.is_some_and(|at| second(modified) > second(at))
        {
            let e = ApiError::new(
                "PRECONDITION_FAILED",
                "The precondition given in one or more of the request-header fields evaluated to false",
            );
            return Some(Reply::error(&e.status(412)));
        }
        let held = match &self.none {
            Some(list) if tagged => among(list),
            _ => self.since.is_some_and(|at| second(modified) <= second(at)),
        };
        held.then(|| Reply::none(304))
    }
}

/// The tags of a list, without quotes, weakness and the mark of compression.
fn tags(list: &str) -> Vec<String> {
    list.split(',')
        .map(|t| t.trim().trim_start_matches("W/").trim_matches('"'))
        .map(|t| t.trim_end_matches("-gzip").to_owned())
        .collect()
}

/// An HTTP date (`Tue, 31 May 2016 18:00:00 GMT`).
fn parse(text: &str) -> Option<Timestamp> {
    let plain = text.trim().strip_suffix("GMT")?.trim();
    let civil = jiff::civil::DateTime::strptime("%a, %d %b %Y %H:%M:%S", plain).ok()?;
    civil
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()
        .map(|z| z.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_tags() {
        let at = parse("Tue, 31 May 2016 18:00:00 GMT").map(|t| t.to_string());
        assert_eq!(at.as_deref(), Some("2016-05-31T18:00:00Z"));
        assert!(parse("yesterday").is_none() && parse("Tue, 31 Feb 2016 18:00:00 GMT").is_none());
        assert_eq!(tags("\"a-gzip\", W/\"b\",*"), ["a", "b", "*"]);
    }
}
