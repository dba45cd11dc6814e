//! The bodies of files (REST API guide, "sObject Blob Get").
//!
//! Key decision: bytes are handed on as they come; after a cut the rest is asked for, and a server that knows no ranges
//! begins anew, whose first bytes whoever takes them has already. It neither checks a body nor says what it is of.

use halite_engine::base::error::{Error, Kind, Result};
use halite_engine::base::id::RecordId;

use crate::error::Fault;
use crate::rest::{Rest, api_name};
use crate::retry::{Caller, Session};
use crate::transport::{Call, EachPiece};

/// Gives the bytes of one file from `from` on, each piece with its offset: one call, and one more after each cut.
///
/// # Errors
/// `NotFound`, `Denied` and `Invalid` are about this file alone.
pub fn body<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    (sobject, id, field): (&str, RecordId, &str),
    from: u64,
    each: &mut EachPiece<'_>,
) -> Result<()> {
    let (sobject, field) = (api_name(sobject)?, api_name(field)?);
    let call = Call {
        headers: &[("Accept", "*/*"), ("Accept-Encoding", "identity")],
        ..Call::get(rest.path(&format!("/sobjects/{sobject}/{id}/{field}")))
    };
    caller.wire.limits_mut().count_file();
    let about = |fault: Fault| {
        let of_run = fault.is_of_run();
        let error = Error::from(fault);
        // What the org words is about this file, whatever the words: asked again it is the same.
        if of_run || matches!(error.kind(), Kind::Denied | Kind::NotFound) {
            error
        } else {
            Error::new(Kind::Invalid, error.message())
        }
    };
    caller
        .stream(&call, from, each)
        .map_err(|fault| about(fault).within(format!("{sobject} {id}, {field}")))
}
