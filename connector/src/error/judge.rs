//! The one judgement on an answer: what the caller can do, and whether asking again helps.
//!
//! Key decision: a table of codes before one of statuses, since the org says more by its code (REST API guide, "Status
//! Codes and Error Responses"; SOAP API guide, "API Fault Element"). It does not look at requests.

use halite_engine::base::error::Kind;

use super::ApiError;

/// What to do after a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The session is over: sign in anew, once.
    SignIn,
    /// It will pass: wait and ask again.
    Wait,
    /// Asking again gives the same answer.
    Stop,
}

/// Codes that are given before anything is done, whatever the status around them.
pub const SAID_BEFORE: [&str; 9] = [
    "INVALID_SESSION_ID",
    "REQUEST_LIMIT_EXCEEDED",
    "UNSUPPORTED_API_VERSION",
    "API_DISABLED_FOR_ORG",
    "API_CURRENTLY_DISABLED",
    "INVALID_TYPE",
    "MALFORMED_ID",
    "INSUFFICIENT_ACCESS",
    "EXCEEDED_ID_LIMIT",
];

/// The one place where a status and a code become a kind and a verdict.
pub fn judge(status: u16, error: Option<&ApiError>) -> (Kind, Verdict) {
    let (code, message) = error.map_or(("", ""), |e| (e.code.as_str(), e.message.as_str()));
    match code {
        "INVALID_SESSION_ID" | "INVALID_AUTH_HEADER" => return (Kind::Auth, Verdict::SignIn),
        "REQUEST_LIMIT_EXCEEDED" if message.to_ascii_lowercase().contains("concurrent") => {
            return (Kind::Busy, Verdict::Wait);
        }
        "REQUEST_LIMIT_EXCEEDED" | "LIMIT_EXCEEDED" | "STORAGE_LIMIT_EXCEEDED" => {
            return (Kind::Quota, Verdict::Stop);
        }
        "rate_limit_exceeded" => return (Kind::Busy, Verdict::Wait),
        "invalid_grant"
        | "invalid_client"
        | "invalid_client_id"
        | "invalid_client_credentials"
        | "inactive_user"
        | "inactive_org" => return (Kind::Auth, Verdict::Stop),
        "SERVER_UNAVAILABLE" => return (Kind::Io, Verdict::Wait),
        // Asked in the same way it would run for two minutes again: who asks must ask for less.
        "QUERY_TIMEOUT" => return (Kind::Io, Verdict::Stop),
        "UNSUPPORTED_API_VERSION" => return (Kind::Unsupported, Verdict::Stop),
        "API_DISABLED_FOR_ORG" | "API_CURRENTLY_DISABLED" | "TXN_SECURITY_METERING_ERROR" => {
            return (Kind::Denied, Verdict::Stop);
        }
        _ if code.starts_with("INSUFFICIENT_ACCESS") => return (Kind::Denied, Verdict::Stop),
        "NOT_FOUND" | "ENTITY_IS_DELETED" => return (Kind::NotFound, Verdict::Stop),
        _ => {}
    }
    match status {
        401 => (Kind::Auth, Verdict::SignIn),
        403 => (Kind::Denied, Verdict::Stop),
        404 => (Kind::NotFound, Verdict::Stop),
        409 | 412 | 428 => (Kind::Busy, Verdict::Stop),
        410 => (Kind::Unsupported, Verdict::Stop),
        420 | 429 => (Kind::Busy, Verdict::Wait),
        406 | 408 | 500.. => (Kind::Io, Verdict::Wait),
        _ => (Kind::Invalid, Verdict::Stop),
    }
}

/// Refusals of single records that pass by themselves (SOAP API guide, "StatusCode").
pub fn passes(code: &str) -> bool {
    matches!(
        code,
        "UNABLE_TO_LOCK_ROW" | "REQUEST_RUNNING_TOO_LONG" | "SERVER_UNAVAILABLE" | "TOO_MANY_APEX_REQUESTS"
    )
}

/// The next step, where one is known.
pub fn advice(kind: Kind, message: &str) -> &'static str {
    match kind {
        Kind::Auth if message.contains("approved this consumer") => {
            "the app is not installed or approved for this user: install it in Setup, Connected Apps OAuth Usage"
        }
        Kind::Auth => "sign in to the org again with `halite connect`",
        Kind::Quota => {
            "the org's allowance is used up: run it again when it has grown back (24 hours at most)"
        }
        Kind::Denied => "give the user the right that is missing; `halite preflight` lists what is needed",
        Kind::Busy => "try again later",
        Kind::Io => "the org is not answering as it should: run it again later",
        Kind::Unsupported => "the org offers no API version that this build speaks",
        _ => "",
    }
}
