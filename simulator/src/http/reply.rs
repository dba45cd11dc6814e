//! A reply before it is sent, and the shapes of errors.
//!
//! Key decision: REST errors are always an array of objects with `message` and `errorCode` (`fields` when
//! there are any); a collection's result says `statusCode` instead.
//! Source: REST API guide, "Status Codes and Error Responses", "SObject Collections".
//! Not here: OAuth and SOAP errors (`auth`, `soap`).

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use crate::error::ApiError;

/// Content type of REST replies.
const JSON: &str = "application/json;charset=UTF-8";

/// A reply.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub status: u16,
    pub content_type: Cow<'static, str>,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Lines of a bulk query that are still to be written into the body.
    pub slices: Option<Box<super::bulk::Slices>>,
}

impl Reply {
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        // Values of our own types always serialise; should one not, the client sees an empty body.
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self {
            status,
            content_type: JSON.into(),
            headers: Vec::new(),
            body,
            slices: None,
        }
    }

    pub fn text(status: u16, content_type: impl Into<Cow<'static, str>>, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            content_type: content_type.into(),
            headers: Vec::new(),
            body: body.into(),
            slices: None,
        }
    }

    pub fn none(status: u16) -> Self {
        Self::text(status, JSON, Vec::new())
    }

    pub fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    pub fn error(e: &ApiError) -> Self {
        let mut item = json!({"message": e.message, "errorCode": e.code});
        if !e.fields.is_empty()
            || matches!(
                e.code,
                "REQUIRED_FIELD_MISSING" | "STRING_TOO_LONG" | "DUPLICATE_VALUE" | "ENTITY_IS_DELETED"
            )
        {
            item["fields"] = json!(e.fields);
        }
        named(&mut item, e);
        Self::json(e.status, &json!([item]))
    }
}

/// A record's error inside a collection's result.
pub(crate) fn record_error(e: &ApiError) -> Value {
    let mut item = json!({"statusCode": e.code, "message": e.message, "fields": e.fields});
    named(&mut item, e);
    item
}

/// Adds what a duplicate rule found, under the key as the API spells it.
fn named(item: &mut Value, e: &ApiError) {
    if let Some(found) = &e.duplicates {
        item["duplicateResut"] = Value::clone(found);
    }
}

impl From<Result<Reply, ApiError>> for Reply {
    fn from(result: Result<Reply, ApiError>) -> Self {
        result.unwrap_or_else(|e| Reply::error(&e))
    }
}
