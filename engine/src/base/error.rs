//! The engine's one error: what happened to which thing, and what to do next.
//!
//! Key decision: typed by what the caller can do ([`Kind`]), not by where it arose; the message is one line
//! that names the thing, the hint says the next step. It is not a report: the command line composes that.

use std::fmt;

/// The result of everything in the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Somebody else holds what is needed, or changed it meanwhile: try again.
    Busy,
    /// An allowance is used up (API calls, space, memory bound): wait or raise it.
    Quota,
    /// The key, passphrase or grant is wrong or expired: authenticate anew.
    Auth,
    /// The right is missing: grant it.
    Denied,
    /// Bytes are not what was written: check and repair.
    Corrupt,
    /// A newer format, or a feature this build lacks: upgrade.
    Unsupported,
    /// The input is wrong: correct it.
    Invalid,
    /// The thing named does not exist.
    NotFound,
    /// The file system, network or peer failed.
    Io,
    /// The caller asked to stop.
    Interrupted,
}

/// An error with its kind, a one-line message, perhaps a next step and a cause.
///
/// ```
/// use halite_engine::{Error, Kind};
/// let e = Error::new(Kind::NotFound, "no snapshot before 2020-01-01").hint("`halite snapshots` lists them");
/// assert_eq!(e.to_string(), "no snapshot before 2020-01-01; `halite snapshots` lists them");
/// ```
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind`; `message` is one line that names the thing.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            source: None,
        }
    }

    /// Bytes that are not what was written: `what` names the object, `why` says expected and got.
    pub fn corrupt(what: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self::new(Kind::Corrupt, format!("{what} is damaged: {why}"))
    }

    /// Input that is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// A failed system call, with the thing it was made on.
    pub fn io(what: impl fmt::Display, source: std::io::Error) -> Self {
        let kind = match source.kind() {
            std::io::ErrorKind::NotFound => Kind::NotFound,
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Kind::Quota,
            std::io::ErrorKind::PermissionDenied => Kind::Denied,
            _ => Kind::Io,
        };
        Self::new(kind, format!("{what}: {source}")).caused_by(source)
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Puts the thing being worked on before the message: `context: message`.
    #[must_use]
    pub fn within(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// What the caller can do.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The one-line message without the hint.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The next step, where one is known.
    pub fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_ref()
            .map(|s| &**s as &(dyn std::error::Error + 'static))
    }
}
