//! A request taken apart: method, decoded path segments, query, headers, body.
//!
//! Key decision: read once and owned, so that every handler is a plain function of it and the org.
//! Not here: choosing the handler (`route`).

use axum::body::Bytes;
use axum::http::HeaderMap;
use serde_json::Value;
use url::form_urlencoded;

use crate::error::ApiError;

/// One request.
#[derive(Debug)]
pub(crate) struct Request {
    pub method: String,
    pub segments: Vec<String>,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Scheme and host as the client wrote it, for URLs in replies.
    pub base: String,
    /// Base URL of the server by its address, whatever host it was asked as.
    pub server: String,
    /// As many long requests as are allowed were running when it came.
    pub crowded: bool,
}

impl Request {
    pub fn new(method: &str, path: &str, query: &str, headers: HeaderMap, body: Bytes) -> Self {
        let host = headers
            .get("host")
            .and_then(|h| h.to_str().ok())
            .unwrap_or("localhost");
        Self {
            method: method.to_owned(),
            segments: path.split('/').filter(|s| !s.is_empty()).map(decode).collect(),
            query: pairs(query.as_bytes()),
            base: format!("http://{host}"),
            server: "http://localhost".to_owned(),
            crowded: false,
            headers,
            body,
        }
    }

    /// The same request, come in at this server: its scheme is the client's.
    pub fn at(mut self, server: &str) -> Self {
        if let (Some((scheme, _)), Some((_, host))) = (server.split_once("://"), self.base.split_once("://"))
        {
            self.base = format!("{scheme}://{host}");
        }
        server.clone_into(&mut self.server);
        self
    }

    /// The method meant: a POST may carry another in `_HttpMethod`, and a HEAD is a GET without its body.
    pub fn verb(&self) -> &str {
        match self.method.as_str() {
            "POST" => self.param("_HttpMethod").unwrap_or("POST"),
            "HEAD" => "GET",
            other => other,
        }
    }

    /// A query parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(k, _)| k == name)
            .map(|(_, v)| v.as_str())
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|h| h.to_str().ok())
    }

    /// The bearer token.
    pub fn token(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        let known = ["Bearer", "OAuth"].iter().any(|s| scheme.eq_ignore_ascii_case(s));
        Some(token.trim()).filter(|t| known && !t.is_empty())
    }

    /// The form fields of the body.
    pub fn form(&self) -> Vec<(String, String)> {
        pairs(&self.body)
    }

    /// The JSON of the body.
    pub fn json(&self) -> Result<Value, ApiError> {
        let kind = self.header("content-type").unwrap_or_default();
        if !is_json(kind) {
            return Err(ApiError::new(
                "UNSUPPORTED_MEDIA_TYPE",
                format!("Content-Type header specified in HTTP request is not supported: {kind}"),
            )
            .status(415));
        }
        serde_json::from_slice(&self.body).map_err(|e| ApiError::bad_json(&e))
    }
}

/// Whether a content type is that of JSON, whatever its case and options.
pub(crate) fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

/// Decodes `%XX` in a path segment; a plus is a plus there, and so are the signs of a form.
fn decode(segment: &str) -> String {
    let kept = segment
        .replace('+', "%2B")
        .replace('&', "%26")
        .replace('=', "%3D");
    form_urlencoded::parse(kept.as_bytes())
        .map(|(text, _)| text.into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_keep_their_signs() {
        assert_eq!(decode("a+b&c=d%2Fe%20f"), "a+b&c=d/e f");
        assert_eq!(decode(""), "");
    }
}
