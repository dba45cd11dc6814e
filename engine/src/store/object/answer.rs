//! What an answer of a store means, and what is said to the user where it ends a request.
//!
//! Key decision: judged by status and by the code that S3 names in its body, never by the text; of that text nothing
//! is passed on, since it may hold parts of credentials. It does not ask again: [`super::patience`] does.

use object_store::client::HttpErrorKind;

use super::address::Address;
use super::wire::Seen;
use crate::base::error::{Error, Kind};
use crate::store::backend::absent;

/// Codes of a 400 or 403 that say who asks is unknown, not that a right is missing.
const UNKNOWN_ASKER: [&str; 10] = [
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "TokenRefreshRequired",
    "InvalidSecurity",
    LATE_CLOCK,
    "AuthenticationFailed",
    "AuthorizationHeaderMalformed",
    "NoAuthenticationInformation",
];
/// The code of a 403 that the asker's clock is the reason of.
const LATE_CLOCK: &str = "RequestTimeTooSkewed";
/// Codes of a 404 that say the bucket is missing, not the object.
const NO_BUCKET: [&str; 2] = ["NoSuchBucket", "ContainerNotFound"];

/// What follows from a request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// Nothing was sent.
    NotSent,
    /// Nobody knows whether it was done.
    Unclear,
    /// The condition did not hold.
    Condition,
    /// There is no such object.
    Missing,
    /// The object ends before the range begins.
    Range,
    /// It would fail again.
    Final(Kind),
}

/// A request that failed.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) nature: Nature,
    /// In words: `503 SlowDown`, `Connection refused`.
    answer: String,
    no_bucket: bool,
}

impl Failure {
    /// No answer came in time.
    pub(super) fn late(seconds: u64) -> Self {
        Self::new(Nature::Unclear, format!("no answer within {seconds} s"))
    }

    /// The answer ended before its time.
    pub(super) fn short(have: usize, want: u64) -> Self {
        Self::new(
            Nature::Unclear,
            format!("an answer that broke off: {have} of {want} bytes"),
        )
    }

    /// Somebody else wrote first.
    pub(super) fn outrun() -> Self {
        Self::new(Nature::Condition, "somebody else wrote first".into())
    }

    fn new(nature: Nature, answer: String) -> Self {
        Self {
            nature,
            answer,
            no_bucket: false,
        }
    }

    /// What the client's error means, by what was seen on the wire.
    pub(super) fn of(e: &object_store::Error, seen: Option<Seen>) -> Self {
        match seen {
            Some(Seen::Status(status)) if (200..300).contains(&status) => {
                let answer = format!("an answer that broke off: {}", innermost(e));
                Self::new(Nature::Unclear, answer)
            }
            Some(Seen::Status(status)) => Self::of_status(status, code(&e.to_string())),
            Some(Seen::Silence(HttpErrorKind::Connect)) => Self::new(Nature::NotSent, innermost(e)),
            Some(Seen::Silence(_)) => Self::new(Nature::Unclear, innermost(e)),
            Some(Seen::NoCredentials) => Self::new(
                Nature::Final(Kind::Auth),
                "no credentials: the environment has none, and this machine has no role that gives any"
                    .into(),
            ),
            None => Self::new(Nature::Final(Kind::Invalid), innermost(e)),
        }
    }

    fn of_status(status: u16, code: Option<String>) -> Self {
        let known = |codes: &[&str]| code.as_deref().is_some_and(|code| codes.contains(&code));
        let no_bucket = status == 404 && known(&NO_BUCKET);
        let nature = match status {
            412 | 304 => Nature::Condition,
            404 if no_bucket => Nature::Final(Kind::Invalid),
            404 => Nature::Missing,
            416 => Nature::Range,
            401 => Nature::Final(Kind::Auth),
            400 | 403 if known(&UNKNOWN_ASKER) => Nature::Final(Kind::Auth),
            403 => Nature::Final(Kind::Denied),
            300..400 => Nature::Final(Kind::Invalid),
            501 => Nature::Final(Kind::Unsupported),
            507 => Nature::Final(Kind::Quota),
            408 | 409 | 429 | 500.. => Nature::Unclear,
            _ => Nature::Final(Kind::Io),
        };
        let answer = match code {
            Some(code) => format!("{status} {code}"),
            None => status.to_string(),
        };
        Self {
            nature,
            answer,
            no_bucket,
        }
    }

    /// The answer in words.
    pub(super) fn answer(&self) -> &str {
        &self.answer
    }

    /// The error that ends the request: `what` was done to `name`.
    pub(super) fn error(&self, at: &Address, what: &str, name: &str) -> Error {
        let answered = |kind, hint: String| {
            let message = format!("{at}: {what} {name}: the store answered {}", self.answer);
            Error::new(kind, message).hint(hint)
        };
        match self.nature {
            Nature::Missing => absent(name).within(at),
            Nature::Final(Kind::Auth) => {
                let message = format!("{at}: {what} {name}: {}", self.answer);
                let hint = match self.answer.ends_with(LATE_CLOCK) {
                    true => "set this machine's clock".to_owned(),
                    false => format!("set {}", at.credentials()),
                };
                Error::new(Kind::Auth, message).hint(hint)
            }
            Nature::Final(Kind::Denied) => answered(
                Kind::Denied,
                "grant whoever asks the right to read, write, delete and list there".into(),
            ),
            Nature::Final(_) if self.no_bucket => {
                let message = format!("{at}: {what} {name}: there is no such bucket");
                Error::invalid(message).hint(format!("make the bucket, or check the URL, {}", at.endpoint()))
            }
            Nature::Final(Kind::Quota) => answered(
                Kind::Quota,
                "make room, then run it again: nothing published is lost".into(),
            ),
            Nature::Final(Kind::Unsupported) => answered(
                Kind::Unsupported,
                "it lacks what a vault needs (docs/object-storage.md): use another store, or a folder".into(),
            ),
            Nature::Final(kind) => answered(kind, format!("check the URL, {}", at.endpoint())),
            _ => answered(Kind::Io, "run it again; what was published before is safe".into()),
        }
    }
}

/// The last cause of an error: what the system said, without addresses and headers.
pub(super) fn innermost(e: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = e;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string().lines().next().unwrap_or_default().to_owned()
}

/// The code that an error document names.
fn code(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let plain = code.len() <= 64 && code.bytes().all(|c| c.is_ascii_alphanumeric());
    plain.then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged_by_status_and_code() {
        for (status, code, nature) in [
            (412, Some("PreconditionFailed"), Nature::Condition),
            (304, None, Nature::Condition),
            (409, Some("ConditionalRequestConflict"), Nature::Unclear),
            (404, Some("NoSuchKey"), Nature::Missing),
            (404, None, Nature::Missing),
            (404, Some("NoSuchBucket"), Nature::Final(Kind::Invalid)),
            (403, Some("AccessDenied"), Nature::Final(Kind::Denied)),
            (403, Some("SignatureDoesNotMatch"), Nature::Final(Kind::Auth)),
            (400, Some("ExpiredToken"), Nature::Final(Kind::Auth)),
            (400, Some("EntityTooLarge"), Nature::Final(Kind::Io)),
            (301, Some("PermanentRedirect"), Nature::Final(Kind::Invalid)),
            (501, Some("NotImplemented"), Nature::Final(Kind::Unsupported)),
            (507, None, Nature::Final(Kind::Quota)),
            (503, Some("SlowDown"), Nature::Unclear),
            (500, None, Nature::Unclear),
            (429, None, Nature::Unclear),
        ] {
            let failure = Failure::of_status(status, code.map(str::to_owned));
            assert_eq!(failure.nature, nature, "{status} {code:?}");
            assert!(failure.answer().starts_with(&status.to_string()));
        }
    }

    #[test]
    fn only_plain_codes_are_taken_from_a_body() {
        let body = "<Error><Code>SlowDown</Code><Message>x</Message></Error>";
        assert_eq!(code(body).as_deref(), Some("SlowDown"));
        for body in ["", "<Code>", "<Code>a b</Code>", "<Code>AKIA/../x</Code>"] {
            assert_eq!(code(body), None, "{body}");
        }
        assert_eq!(code(&format!("<Code>{}</Code>", "a".repeat(65))), None);
    }
}
