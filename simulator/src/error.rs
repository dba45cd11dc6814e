//! The one error of the org: an API status code, its message and the fields it is about.
//!
//! Key decision: codes are the API's own names (`REQUIRED_FIELD_MISSING`, `INVALID_FIELD`, ...), so a
//! test asserts on what a client would see. How an error is worded in REST, in a collection's result or
//! in SOAP is decided where it is sent (`http`).
//! Not here: OAuth errors, which have a shape of their own (`http::auth`).

use std::fmt;

/// A refusal in the words of the API. `code` is a value of the API's `StatusCode`, `message` the text
/// a client sees, `fields` the API names of the fields it is about (often empty).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ApiError {
    /// HTTP status of a REST reply that carries this error.
    pub status: u16,
    /// Status code, e.g. `ENTITY_IS_DELETED`.
    pub code: &'static str,
    /// Text for people.
    pub message: String,
    /// Fields the error is about.
    pub fields: Vec<String>,
    /// The rows that a duplicate rule found, as REST sends them beside the message.
    pub duplicates: Option<Box<serde_json::Value>>,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl ApiError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code,
            message: message.into(),
            fields: Vec::new(),
            duplicates: None,
        }
    }

    pub(crate) fn on(mut self, field: &str) -> Self {
        self.fields.push(field.to_owned());
        self
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn not_found() -> Self {
        Self::new("NOT_FOUND", "The requested resource does not exist").status(404)
    }

    pub(crate) fn deleted() -> Self {
        Self::new("ENTITY_IS_DELETED", "entity is deleted").status(404)
    }

    pub(crate) fn bad_reference() -> Self {
        Self::new("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id").status(404)
    }

    pub(crate) fn no_column(field: &str, object: &str) -> Self {
        Self::new(
            "INVALID_FIELD",
            format!("No such column '{field}' on sobject of type {object}"),
        )
    }

    pub(crate) fn bad_json(e: &serde_json::Error) -> Self {
        Self::new(
            "JSON_PARSER_ERROR",
            format!("{e} [line:{}, column:{}]", e.line(), e.column()),
        )
    }

    pub(crate) fn session() -> Self {
        Self::new("INVALID_SESSION_ID", "Session expired or invalid").status(401)
    }
}
