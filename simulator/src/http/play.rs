//! How a fault is played on a reply.
//!
//! Key decision: three places to do harm, in the order in which a body travels: before the org (a reply
//! instead of an answer), on the body and its encoding (the framing stays sound), and on the wire, where the
//! reply becomes a tape of bytes after which the connection ends.
//! Not here: which request is hit (`org::faults`), the wire itself (`wire`).

use std::borrow::Cow;

use axum::http::StatusCode;
use serde_json::json;

use super::gzip;
use super::reply::Reply;
use super::request::Request;
use super::wire::Tape;
use crate::org::{Fault, State};
use crate::xml;

/// The reply of a request that the org does not see; `None` where it does.
pub(crate) fn instead(fault: Option<&Fault>) -> Option<Reply> {
    Some(match fault? {
        Fault::Error {
            status,
            code,
            message,
        } => Reply::json(*status, &json!([{"message": message, "errorCode": code}])),
        Fault::Html(status) => html(*status),
        Fault::Busy { status, retry_after } => match retry_after {
            Some(when) => html(*status).with("Retry-After", (*when).to_owned()),
            None => html(*status),
        },
        Fault::Empty(status) => Reply::none(*status),
        Fault::Drop => Reply::none(200),
        _ => return None,
    })
}

fn html(status: u16) -> Reply {
    Reply::text(
        status,
        "text/html; charset=UTF-8",
        "<html><head><title>Down for maintenance</title></head><body><p>Please try again later.</p></body></html>",
    )
}

/// Ends the session that a request bears, in its header or in its envelope.
pub(crate) fn end_session(state: &mut State, request: &Request) {
    let enveloped = || {
        let text = std::str::from_utf8(&request.body).ok()?;
        let document = xml::parse(text).ok()?;
        let header = document.child("Header")?.child("SessionHeader")?;
        header.get("sessionId").map(str::to_owned)
    };
    if let Some(token) = request.token().map(str::to_owned).or_else(enveloped) {
        state.sessions.end(&token);
    }
}

/// The reply as it travels: damaged if that is the fault, and compressed if the client takes that.
pub(crate) fn encoded(fault: Option<&Fault>, mut reply: Reply, gzip: bool, least: usize) -> Reply {
    if fault == Some(&Fault::CutJson) {
        halve(&mut reply.body);
    }
    let asked = matches!(fault, Some(Fault::CutGzip | Fault::BadGzip));
    if !gzip || !(asked || gzip::worthwhile(&reply, least)) {
        return reply;
    }
    let mut reply = gzip::packed(reply);
    match fault {
        Some(Fault::CutGzip) => halve(&mut reply.body),
        Some(Fault::BadGzip) => {
            // The trailer is a checksum and a length, four bytes each.
            if let Some(at) = reply.body.len().checked_sub(8) {
                reply.body[at] ^= 0xff;
            }
        }
        _ => {}
    }
    reply
}

fn halve(body: &mut Vec<u8>) {
    body.truncate(body.len() / 2);
}

/// What leaves instead of a sound reply, if the fault breaks the connection.
pub(crate) fn tape(
    fault: Option<&Fault>,
    reply: &Reply,
    head: &[(&str, Cow<'_, str>)],
    gzip: bool,
) -> Option<Tape> {
    let body = reply.body.as_slice();
    let length = |n: usize| ("Content-Length", Cow::from(n.to_string()));
    let sent = |framing, body: &[u8]| [&first(reply.status, head, framing), body].concat();
    let cut = |at: usize| sent(length(body.len()), &body[..at.min(body.len())]);
    let bytes = match fault? {
        Fault::Drop | Fault::AppliedButLost => Vec::new(),
        Fault::HalfBody => cut(body.len() / 2),
        Fault::CutGzip | Fault::BadGzip if !gzip => cut(body.len() / 2),
        Fault::CutBody(at) => cut(*at),
        Fault::WrongLength => sent(length(body.len() / 2), body),
        Fault::BrokenChunks => {
            let half = &body[..body.len() / 2];
            let chunk = [format!("{:x}\r\n", half.len()).as_bytes(), half, b"\r\n"].concat();
            let whole = if half.is_empty() { Vec::new() } else { chunk };
            sent(("Transfer-Encoding", "chunked".into()), &whole)
        }
        Fault::Slow(rate) => {
            let bytes = sent(length(body.len()), body);
            return Some(Tape::new(bytes, Some(*rate)));
        }
        _ => return None,
    };
    Some(Tape::new(bytes, None))
}

/// Status line and headers.
fn first(status: u16, head: &[(&str, Cow<'_, str>)], framing: (&'static str, Cow<'_, str>)) -> Vec<u8> {
    let reason = StatusCode::from_u16(status).ok();
    let reason = reason.and_then(|s| s.canonical_reason()).unwrap_or("Unknown");
    let mut text = format!("HTTP/1.1 {status} {reason}\r\nConnection: close\r\n");
    let framing = Some(framing).filter(|_| !matches!(status, 204 | 304));
    for (name, value) in head.iter().cloned().chain(framing) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}
