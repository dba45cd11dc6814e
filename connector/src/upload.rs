//! Creates one row together with its file (REST API guide, "Insert or Update Blob Data").
//!
//! Key decision: one multipart request, JSON first and the bytes after it as they come, so that a file of 2 GB takes no
//! more memory than a small one. What the org refuses is the row's outcome. It neither reads nor checks files.

use halite_engine::base::error::{Error, Result};
use halite_engine::ops::org::{Outcome, Upload};
use reqwest::Method;

use crate::collections::{HEADERS, ROUNDS, SaveResult};
use crate::error::passes;
use crate::rest::{Rest, api_name, json};
use crate::retry::{Caller, Session, Written};
use crate::transport::Call;

/// Creates a row of `sobject` with its file.
pub fn upload<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    sobject: &str,
    row: &str,
    file: &mut Upload<'_>,
) -> Result<Outcome> {
    let call = Call {
        method: Method::POST,
        headers: HEADERS,
        ..Call::get(rest.path(&format!("/sobjects/{}", api_name(sobject)?)))
    };
    let boundary: [u8; 16] = caller.wire.clock().random()?;
    let boundary = format!("halite-{:032x}", u128::from_le_bytes(boundary));
    let head = head(&boundary, row, file)?;
    let tail = format!("\r\n--{boundary}--\r\n");
    let bytes = head.len() as u64 + file.bytes + tail.len() as u64;
    let content_type = format!("multipart/form-data; boundary={boundary}");
    for round in 1.. {
        let written = caller.upload(
            &call,
            (&content_type, bytes),
            &mut |take| {
                take(head.clone().into_bytes())?;
                (file.read)(&mut |piece| take(piece.to_vec()))?;
                take(tail.clone().into_bytes())
            },
            &|reply| json::<SaveResult>(reply),
        )?;
        let outcome = match written {
            Written::Lost(why) => return Ok(Outcome::Unknown(why)),
            Written::Reply(Ok(saved)) => saved.outcome(),
            Written::Reply(Err(refusal)) => Outcome::Refused(refusal),
        };
        let again = matches!(&outcome, Outcome::Refused(refusal) if passes(&refusal.code));
        if !again || round >= ROUNDS || caller.wire.pause(round).is_err() {
            return Ok(outcome);
        }
    }
    Err(Error::invalid("a file that was never sent"))
}

/// What stands before the bytes of the file.
fn head(boundary: &str, row: &str, file: &Upload<'_>) -> Result<String> {
    let field = api_name(file.field)?;
    // As browsers write it (WHATWG HTML, "multipart/form-data encoding algorithm").
    let name = file
        .name
        .replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A");
    Ok(format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"entity_content\"\r\nContent-Type: application/json\r\n\r\n\
         {row}\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    ))
}
