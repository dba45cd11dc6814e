//! A multipart body taken apart (RFC 2046, `multipart/form-data` of RFC 7578).
//!
//! Key decision: parts are slices of the body, not copies; lines end in CRLF or, as in the guide's own
//! examples when they are pasted, in LF alone.
//! Not here: what the parts mean (`files`).

use axum::body::Bytes;

use super::request::Request;
use crate::error::ApiError;

/// One part.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    pub name: String,
    /// `filename`, if the part is a file.
    pub file: Option<String>,
    pub bytes: Bytes,
}

/// The parts of a multipart body; `None` for a body of another type.
pub(crate) fn parts(request: &Request) -> Result<Option<Vec<Part>>, ApiError> {
    let kind = request.header("content-type").unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("multipart/") {
        return Ok(None);
    }
    let boundary = option(kind, "boundary").filter(|b| !b.is_empty());
    let boundary = boundary.ok_or_else(|| broken("The boundary is missing"))?;
    split(&request.body, &boundary).map(Some)
}

fn broken(message: &str) -> ApiError {
    ApiError::new("INVALID_MULTIPART_REQUEST", message)
}

/// `name=value` or `name="value"` of a header's options.
fn option(header: &str, name: &str) -> Option<String> {
    header
        .split(';')
        .skip(1)
        .filter_map(|o| o.split_once('='))
        .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().trim_matches('"').to_owned())
}

fn split(body: &Bytes, boundary: &str) -> Result<Vec<Part>, ApiError> {
    let mark = format!("--{boundary}");
    let mut out = Vec::new();
    let mut at = find(body, mark.as_bytes(), 0).ok_or_else(|| broken("The boundary is not in the body"))?;
    loop {
        let after = at + mark.len();
        if body[after..].starts_with(b"--") {
            return Ok(out);
        }
        let start = line_end(body, after).ok_or_else(|| broken("The body ends within a part"))?;
        let next =
            find(body, mark.as_bytes(), start).ok_or_else(|| broken("The last boundary is missing"))?;
        out.push(part(&body.slice(start..next))?);
        at = next;
    }
}

/// Where the line after `from` begins.
fn line_end(body: &[u8], from: usize) -> Option<usize> {
    find(body, b"\n", from).map(|at| at + 1)
}

/// The first place of `needle` at or after `from`; a boundary counts at the start of a line only.
fn find(body: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    let line = needle.starts_with(b"--");
    let mut at = from;
    while at + needle.len() <= body.len() {
        let step = body[at..].iter().position(|b| *b == needle[0])?;
        at += step;
        if body[at..].starts_with(needle) && (!line || at == 0 || body[at - 1] == b'\n') {
            return Some(at);
        }
        at += 1;
    }
    None
}

fn part(text: &Bytes) -> Result<Part, ApiError> {
    let mut name = None;
    let mut file = None;
    let mut at = 0;
    let content = loop {
        let end = line_end(text, at).ok_or_else(|| broken("A part has no body"))?;
        let line = String::from_utf8_lossy(&text[at..end]).trim().to_owned();
        at = end;
        if line.is_empty() {
            break text.slice(at..);
        }
        if let Some((key, value)) = line.split_once(':')
            && key.trim().eq_ignore_ascii_case("content-disposition")
        {
            name = option(value, "name");
            file = option(value, "filename");
        }
    };
    // The line end before the boundary belongs to the boundary.
    let cut = match content.as_ref() {
        [.., b'\r', b'\n'] => 2,
        [.., b'\n'] => 1,
        _ => 0,
    };
    Ok(Part {
        name: name.ok_or_else(|| broken("A part has no name"))?,
        file,
        bytes: content.slice(..content.len() - cut),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "preamble\r\n--b\r\nContent-Disposition: form-data; name=\"entity_content\";\r\nContent-Type: application/json\r\n\r\n{}\r\n--b\r\nContent-Type: text/plain\r\nContent-Disposition: form-data; name=\"VersionData\"; filename=\"a;b.txt\"\r\n\r\none --b two\r\n\r\n--b--\r\n";

    #[test]
    fn parts_and_their_bytes() {
        for body in [BODY.to_owned(), BODY.replace("\r\n", "\n")] {
            let end = if body.contains('\r') { "\r\n" } else { "\n" };
            let found = split(&Bytes::from(body), "b").unwrap();
            assert_eq!(
                (found[0].name.as_str(), &found[0].bytes[..]),
                ("entity_content", b"{}".as_slice())
            );
            assert_eq!(found[1].bytes, format!("one --b two{end}"));
            assert!(found[0].file.is_none() && found[1].file.is_some());
        }
    }

    #[test]
    fn what_is_broken_is_refused() {
        for cut in 0..BODY.len() - 4 {
            assert!(split(&Bytes::from(&BODY[..cut]), "b").is_err(), "{cut}");
        }
        assert!(split(&Bytes::from("--b\r\n\r\nx\r\n--b--"), "b").is_err());
    }
}
