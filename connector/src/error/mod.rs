//! What came instead of a reply, and what it means for who asked.
//!
//! Key decision: [`judge`] alone decides both the engine's [`Kind`] and whether asking again helps, so that no
//! caller reads status codes. Codes and shapes: REST API guide, "Status Codes and Error Responses"; SOAP API
//! guide, "API Fault Element". It does not retry anything itself; records refused one by one are not errors.

mod judge;
pub mod xml;

use std::fmt;

use halite_engine::base::error::{Error, Kind};
use halite_engine::ops::org::Refusal;
use serde::Deserialize;

use judge::{SAID_BEFORE, advice};
pub use judge::{Verdict, judge, passes};

/// One error as the API words it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ApiError {
    /// `errorCode` in REST, `statusCode` in save results, `exceptionCode` in SOAP, `error` in OAuth.
    #[serde(
        alias = "errorCode",
        alias = "statusCode",
        alias = "exceptionCode",
        alias = "error"
    )]
    pub code: String,
    /// For people.
    #[serde(alias = "error_description")]
    pub message: String,
    /// The fields it names.
    pub fields: Option<Vec<String>>,
}

/// Why a request gave nothing usable.
#[derive(Debug)]
pub enum Cause {
    /// The org answered, and said no.
    Answer {
        /// HTTP status.
        status: u16,
        /// The body's errors; empty where it is not the API's own error format.
        errors: Vec<ApiError>,
    },
    /// No reply, or one cut off, empty, or not in the format asked for.
    Broken {
        /// What is wrong with it.
        why: String,
        /// Whether the org may have received the request.
        sent: bool,
        /// Whether a whole reply came, which does not read.
        whole: bool,
    },
    /// Not the org's doing: cancelled, or beyond a bound of ours. It ends everything.
    Stop(Error),
    /// What came does not add up, or is more than is taken. It is about what was asked alone.
    Doubt(Error),
}

/// A request that failed, with what was asked and how often.
#[derive(Debug)]
pub struct Fault {
    cause: Cause,
    context: String,
}

impl Fault {
    /// A reply that cannot be used.
    pub fn broken(why: impl Into<String>, sent: bool) -> Self {
        Cause::Broken {
            why: why.into(),
            sent,
            whole: false,
        }
        .into()
    }

    /// A whole reply that does not read.
    pub fn unreadable(why: impl Into<String>) -> Self {
        Cause::Broken {
            why: why.into(),
            sent: true,
            whole: true,
        }
        .into()
    }

    /// An answer that contradicts itself, or that is more than is taken: an error of what was asked alone.
    pub fn doubt(kind: Kind, why: impl Into<String>) -> Self {
        Cause::Doubt(Error::new(kind, why.into()).hint("run it again")).into()
    }

    /// An answer with an error status.
    pub fn answer(status: u16, body: &[u8]) -> Self {
        Cause::Answer {
            status,
            errors: api_errors(body),
        }
        .into()
    }

    /// A reply of more bytes than are taken.
    pub fn too_large(mebibytes: usize) -> Self {
        let why = format!("a reply of more than {mebibytes} MiB");
        Cause::Doubt(Error::new(Kind::Unsupported, why)).into()
    }

    /// The same, but that it ends everything.
    #[must_use]
    pub fn of_run(self) -> Self {
        Cause::Stop(self.into()).into()
    }

    /// Says what was asked: method, path, tries, time.
    #[must_use]
    pub fn within(mut self, context: impl Into<String>) -> Self {
        self.context = context.into();
        self
    }

    /// Whether the org named this code.
    pub fn has(&self, code: &str) -> bool {
        matches!(&self.cause, Cause::Answer { errors, .. } if errors.iter().any(|e| e.code == code))
    }

    /// Says what it was about, before what was asked.
    #[must_use]
    pub fn about(mut self, what: impl fmt::Display) -> Self {
        self.context = match self.context.as_str() {
            "" => what.to_string(),
            asked => format!("{what}: {asked}"),
        };
        self
    }

    /// What the caller can do.
    pub fn kind(&self) -> Kind {
        match &self.cause {
            Cause::Stop(error) | Cause::Doubt(error) => error.kind(),
            Cause::Broken { .. } => Kind::Io,
            Cause::Answer { status, errors } => judge(*status, first(errors)).0,
        }
    }

    /// Whether it ends a run of many readings, and not one of them alone: there is no org to talk to, no session, no
    /// allowance, or somebody asked to stop. Refusals that the API words are about what was asked, and so is a whole
    /// reply that does not read however often it is sent.
    pub fn is_of_run(&self) -> bool {
        match &self.cause {
            Cause::Stop(_) => true,
            Cause::Doubt(_) => false,
            Cause::Broken { whole, .. } => !whole,
            Cause::Answer { status, errors } => {
                let error = first(errors);
                let (kind, verdict) = judge(*status, error);
                match error.map(|e| e.code.as_str()) {
                    Some("API_DISABLED_FOR_ORG" | "API_CURRENTLY_DISABLED" | "UNSUPPORTED_API_VERSION") => {
                        true
                    }
                    Some(_) => {
                        matches!(kind, Kind::Auth | Kind::Quota)
                            || kind == Kind::Busy && verdict == Verdict::Wait
                    }
                    None => kind == Kind::Auth || verdict == Verdict::Wait,
                }
            }
        }
    }

    /// Whether the org finds a query too long or too large to be looked at.
    pub fn is_too_wide(&self) -> bool {
        const CODES: [&str; 3] = ["QUERY_TOO_COMPLICATED", "QUERY_TOO_LONG", "URI_TOO_LONG"];
        let status = match &self.cause {
            Cause::Answer { status, .. } => *status,
            _ => 0,
        };
        [413, 414, 431].contains(&status) || CODES.iter().any(|code| self.has(code))
    }

    /// Whether a reply had more bytes than are taken, so that less should be asked for.
    pub fn is_too_large(&self) -> bool {
        matches!(&self.cause, Cause::Doubt(error) if error.kind() == Kind::Unsupported)
    }

    /// Whether the org answered with this status.
    pub fn is_status(&self, wanted: u16) -> bool {
        matches!(self.cause, Cause::Answer { status, .. } if status == wanted)
    }

    /// Whether a message of the org holds this text, in whatever case.
    pub fn says(&self, text: &str) -> bool {
        let holds = |e: &ApiError| e.message.to_ascii_lowercase().contains(text);
        matches!(&self.cause, Cause::Answer { errors, .. } if errors.iter().any(holds))
    }

    /// The org's refusal of what one row holds; none where the request, the session or the allowance is at fault.
    pub fn of_row(&self) -> Option<Refusal> {
        match &self.cause {
            Cause::Answer { status: 400, errors } => first(errors).cloned().map(Refusal::from),
            // Rights to this row, or something that it names and that is not there.
            Cause::Answer {
                status: 403 | 404,
                errors,
            } if !self.is_of_run() => first(errors).cloned().map(Refusal::from),
            _ => None,
        }
    }

    /// Whether the org answered at all.
    pub fn is_answer(&self) -> bool {
        matches!(self.cause, Cause::Answer { .. })
    }

    /// What to do.
    pub fn verdict(&self) -> Verdict {
        match &self.cause {
            Cause::Answer { status, errors } => judge(*status, first(errors)).1,
            Cause::Broken { .. } => Verdict::Wait,
            Cause::Stop(_) | Cause::Doubt(_) => Verdict::Stop,
        }
    }

    /// Whether it is certain that the request changed nothing in the org: it was never sent, or refused as a
    /// whole. A 5xx says nothing of that, unless it carries a code that names a refusal (SOAP faults are 500s).
    pub fn nothing_done(&self) -> bool {
        match &self.cause {
            Cause::Answer { status, errors } => match first(errors) {
                Some(error) if SAID_BEFORE.contains(&error.code.as_str()) => true,
                Some(_) | None => (400..500).contains(status) && ![406, 408].contains(status),
            },
            Cause::Broken { sent, .. } => !sent,
            Cause::Stop(_) | Cause::Doubt(_) => true,
        }
    }
}

fn first(errors: &[ApiError]) -> Option<&ApiError> {
    errors.first()
}

/// The errors in a body: REST's array, an object with the same keys, OAuth's object, or a SOAP fault.
pub fn api_errors(body: &[u8]) -> Vec<ApiError> {
    let text = body.trim_ascii();
    match text.first() {
        Some(b'[') => serde_json::from_slice(text).unwrap_or_default(),
        Some(b'{') => serde_json::from_slice(text)
            .map(|e: ApiError| vec![e])
            .unwrap_or_default(),
        Some(b'<') => soap_fault(text).into_iter().collect(),
        _ => Vec::new(),
    }
    .into_iter()
    .filter(|error: &ApiError| !error.code.is_empty())
    .collect()
}

fn soap_fault(body: &[u8]) -> Option<ApiError> {
    let mut error = ApiError::default();
    let walked = xml::walk(body, &mut |path, text| {
        match path {
            [.., "Fault", "faultcode"] => error.code = text.rsplit(':').next().unwrap_or(text).to_owned(),
            [.., "Fault", "faultstring"] => error.message = text.to_owned(),
            _ => {}
        }
        Ok(())
    });
    walked.ok().filter(|()| !error.code.is_empty())?;
    if let Some(short) = error.message.strip_prefix(&format!("{}: ", error.code)) {
        error.message = short.to_owned();
    }
    Some(error)
}

impl From<Cause> for Fault {
    fn from(cause: Cause) -> Self {
        Self {
            cause,
            context: String::new(),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Cause::Stop(error).into()
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let (kind, hint) = match fault.cause {
            Cause::Stop(error) => return error,
            Cause::Doubt(error) if fault.context.is_empty() => return error,
            Cause::Doubt(error) => return error.within(fault.context),
            Cause::Broken { .. } => (
                Kind::Io,
                "check the network and the org's status, then run it again",
            ),
            Cause::Answer { status, ref errors } => {
                let kind = judge(status, first(errors)).0;
                (kind, advice(kind, first(errors).map_or("", |e| &e.message)))
            }
        };
        let error = Error::new(kind, fault.to_string());
        if hint.is_empty() { error } else { error.hint(hint) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.context.is_empty() {
            write!(out, "{}: ", self.context)?;
        }
        match &self.cause {
            Cause::Answer { status, errors } => {
                write!(out, "{status}")?;
                match errors.first() {
                    Some(error) => write!(out, " {}: {}", error.code, one_line(&error.message)),
                    None => write!(out, " without a reason that the API defines"),
                }
            }
            Cause::Broken { why, .. } => out.write_str(&one_line(why)),
            Cause::Stop(error) | Cause::Doubt(error) => fmt::Display::fmt(error, out),
        }
    }
}

/// The first 300 characters, on one line.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(300).collect()
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Refusal {
            code: error.code,
            message: error.message,
            fields: error.fields.unwrap_or_default(),
        }
    }
}
