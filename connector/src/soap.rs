//! What only SOAP can: bring rows back from the recycle bin, and tell the org's clock to the millisecond.
//!
//! Key decision: the access token stands in the session header of each call, and `login()` is never used, since
//! it is being retired (SOAP API guide, "undelete()", "getServerTimestamp()", "SessionHeader").
//! It is not a SOAP stack: two calls of the partner interface, written and read by hand.

use std::fmt::Write;

use halite_engine::base::error::Result;
use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::org::Outcome;

use crate::collections::{SaveResult, in_rounds, outcomes};
use crate::error::xml::walk;
use crate::error::{ApiError, Fault};
use crate::rest::Rest;
use crate::retry::{Caller, Session};
use crate::transport::{Body, Call, Reply};

const BEFORE: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?>"#,
    r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" "#,
    r#"xmlns:urn="urn:partner.soap.sforce.com"><soapenv:Header><urn:SessionHeader><urn:sessionId>"#,
);

fn call(rest: &Rest, inside: &str) -> Call {
    let after = format!(
        "</urn:sessionId></urn:SessionHeader><urn:AllOrNoneHeader><urn:allOrNone>false</urn:allOrNone>\
         </urn:AllOrNoneHeader></soapenv:Header><soapenv:Body>{inside}</soapenv:Body></soapenv:Envelope>"
    );
    Call::post(
        format!("/services/Soap/u/{}", rest.version),
        Body::Soap {
            before: BEFORE,
            after,
        },
    )
}

/// Brings rows back; one outcome an Id, in the order given.
pub fn undelete<S: Session>(caller: &mut Caller<S>, rest: &Rest, ids: &[RecordId]) -> Result<Vec<Outcome>> {
    in_rounds(caller, ids.len(), |caller, picked| {
        let mut inside = String::from("<urn:undelete>");
        for at in picked {
            // Ids are letters and digits: nothing to escape. Writing to a String cannot fail.
            let _ = write!(inside, "<urn:ids>{}</urn:ids>", ids[*at]);
        }
        inside.push_str("</urn:undelete>");
        let written = caller.write(&call(rest, &inside), &|reply| results(&reply.body))?;
        Ok(outcomes(written, picked.len(), SaveResult::outcome))
    })
}

/// The org's clock.
pub fn server_time<S: Session>(caller: &mut Caller<S>, rest: &Rest) -> Result<Stamp, Fault> {
    let parse = |reply: Reply| {
        let mut stamp = None;
        walk(&reply.body, &mut |path, text| {
            if let [.., "result", "timestamp"] = path {
                stamp = Stamp::parse(text.trim().as_bytes());
            }
            Ok(())
        })?;
        stamp.ok_or_else(|| "a reply without a timestamp".into())
    };
    caller.read(&call(rest, "<urn:getServerTimestamp/>"), &parse)
}

/// The `result` elements of a reply.
fn results(body: &[u8]) -> Result<Vec<SaveResult>, String> {
    let empty = || SaveResult {
        id: None,
        success: false,
        errors: Vec::new(),
    };
    let (mut all, mut result, mut error) = (Vec::new(), empty(), ApiError::default());
    walk(body, &mut |path, text| {
        match path {
            [.., "result", "errors", "message"] => error.message = text.to_owned(),
            [.., "result", "errors", "statusCode"] => error.code = text.to_owned(),
            [.., "result", "errors", "fields"] => error.fields.get_or_insert_default().push(text.to_owned()),
            [.., "result", "errors"] => result.errors.push(std::mem::take(&mut error)),
            [.., "result", "id"] => result.id = Some(text.to_owned()).filter(|id| !id.is_empty()),
            [.., "result", "success"] => result.success = text.trim() == "true",
            [.., "undeleteResponse", "result"] => all.push(std::mem::replace(&mut result, empty())),
            _ => {}
        }
        Ok(())
    })?;
    Ok(all)
}
