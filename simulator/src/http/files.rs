//! Files over REST: the bytes of a field, and bodies that carry bytes.
//!
//! Key decision: a multipart body is read into the JSON it stands for; its binary part waits in the org's
//! store until the write takes it, so that no rule of writing knows of HTTP.
//! Source: REST API guide, "sObject Blob Get", "Insert or Update Blob Data".
//! Not here: taking a multipart body apart (`multipart`), what a file is (`write::files`).

use std::sync::Arc;

use serde_json::Value;

use super::multipart::{Part, parts};
use super::reply::Reply;
use super::route::Call;
use crate::error::ApiError;
use crate::org::State;
use crate::schema::{Field, Kind, ObjectDef};
use crate::write::files::too_large;

const BINARY: &str = "application/octet-stream";

/// `GET /sobjects/X/{id}/{blob field}`
pub(crate) fn download(
    state: &State,
    call: &Call<'_>,
    object: &ObjectDef,
    field: &Field,
    id: &str,
) -> Result<Reply, ApiError> {
    let row = state.row(id).ok_or_else(ApiError::not_found)?;
    // A file that lies elsewhere, or a row that was loaded without its file.
    let bytes = state
        .files
        .of(row.values.get(&field.name).as_ref())
        .ok_or_else(ApiError::not_found)?;
    let kind = match row.text("ContentType") {
        "" => BINARY,
        _ if object.name == "ContentVersion" => BINARY,
        kind => kind,
    };
    let range = call
        .request
        .header("range")
        .filter(|_| state.settings.files.ranges);
    let whole = || Reply::text(200, kind.to_owned(), bytes.to_vec());
    Ok(match range.map(|text| span(text, bytes.len())) {
        None | Some(Span::All) => whole(),
        Some(Span::Part(from, to)) => Reply::text(206, kind.to_owned(), &bytes[from..=to])
            .with("Content-Range", format!("bytes {from}-{to}/{}", bytes.len())),
        Some(Span::Beyond) => Reply::none(416).with("Content-Range", format!("bytes */{}", bytes.len())),
    })
}

#[derive(Debug, PartialEq)]
enum Span {
    All,
    Part(usize, usize),
    Beyond,
}

/// The bytes that `bytes=a-b`, `bytes=a-` or `bytes=-n` ask for; what is none of these is not looked at.
fn span(text: &str, length: usize) -> Span {
    let Some((from, to)) = text.strip_prefix("bytes=").and_then(|r| r.split_once('-')) else {
        return Span::All;
    };
    let last = length.saturating_sub(1);
    match (from.trim().parse::<usize>(), to.trim()) {
        (Ok(from), _) if from >= length => Span::Beyond,
        (Ok(from), "") => Span::Part(from, last),
        (Ok(from), to) => match to.parse::<usize>() {
            Ok(to) if to >= from => Span::Part(from, to.min(last)),
            _ => Span::All,
        },
        (Err(_), to) => match to.parse::<usize>() {
            Ok(n) if from.trim().is_empty() && n > 0 && length > 0 => {
                Span::Part(length.saturating_sub(n), last)
            }
            _ => Span::All,
        },
    }
}

/// The JSON of a record's body; a multipart body leaves its bytes for the write.
pub(crate) fn body(state: &mut State, call: &Call<'_>, object: &ObjectDef) -> Result<Value, ApiError> {
    state.files.parts.clear();
    let Some(found) = parts(call.request)? else {
        return call.request.json();
    };
    let mut body = Value::Object(serde_json::Map::new());
    for part in &found {
        let Some(field) = binary(object, part) else {
            body = json_of(part)?;
            continue;
        };
        let most = match object.name.as_str() {
            "ContentVersion" => state.settings.files.version,
            _ => state.settings.files.other,
        };
        if part.bytes.len() > most {
            return Err(too_large(field));
        }
        let bytes: Arc<[u8]> = Arc::from(&part.bytes[..]);
        state.files.parts.push((field.name.clone(), bytes));
    }
    announce(&mut body, &state.files.parts);
    Ok(body)
}

/// The base64 field that a part is for.
fn binary<'a>(object: &'a ObjectDef, part: &Part) -> Option<&'a Field> {
    object.field(&part.name).filter(|f| f.kind == Kind::Base64)
}

/// Names the fields whose bytes wait.
fn announce(body: &mut Value, waiting: &[(String, Arc<[u8]>)]) {
    if let Some(map) = body.as_object_mut() {
        for (field, _) in waiting {
            map.insert(field.clone(), Value::String(field.clone()));
        }
    }
}

/// The part that is no file is JSON, whatever it is called.
fn json_of(part: &Part) -> Result<Value, ApiError> {
    serde_json::from_slice(&part.bytes).map_err(|e| ApiError::bad_json(&e))
}

/// A collections request: its JSON and its binary parts by name.
pub(crate) fn collection(state: &State, call: &Call<'_>) -> Result<(Value, Vec<Part>), ApiError> {
    let Some(mut found) = parts(call.request)? else {
        return Ok((call.request.json()?, Vec::new()));
    };
    let at = found
        .iter()
        .position(|p| p.file.is_none())
        .ok_or_else(|| ApiError::new("INVALID_MULTIPART_REQUEST", "The JSON part is missing"))?;
    let body = json_of(&found.remove(at))?;
    let total: usize = found.iter().map(|p| p.bytes.len()).sum();
    if total > state.settings.files.collection {
        return Err(ApiError::new(
            "FILE_SIZE_LIMIT_EXCEEDED",
            "The files of the request are too large together",
        ));
    }
    Ok((body, found))
}

/// Leaves the file that a collection's record names for the write of that record.
pub(crate) fn hand_over(state: &mut State, record: &mut Value, parts: &[Part]) -> Result<(), ApiError> {
    state.files.parts.clear();
    let of = |key: &str| record.pointer(key).and_then(Value::as_str);
    let (Some(name), field) = (
        of("/attributes/binaryPartName"),
        of("/attributes/binaryPartNameAlias"),
    ) else {
        return Ok(());
    };
    let part = parts.iter().find(|p| p.name == name).ok_or_else(|| {
        ApiError::new(
            "INVALID_MULTIPART_REQUEST",
            format!("There is no part of the name {name}"),
        )
    })?;
    let bytes: Arc<[u8]> = Arc::from(&part.bytes[..]);
    let field = field.unwrap_or("Body").to_owned();
    state.files.parts.push((field, bytes));
    announce(record, &state.files.parts);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (text, wanted) in [
            ("bytes=0-3", Span::Part(0, 3)),
            ("bytes=4-", Span::Part(4, 9)),
            ("bytes=-3", Span::Part(7, 9)),
            ("bytes=-30", Span::Part(0, 9)),
            ("bytes=8-99", Span::Part(8, 9)),
            ("bytes=10-", Span::Beyond),
            ("bytes=5-4", Span::All),
            ("bytes=x-y", Span::All),
            ("lines=1-2", Span::All),
            ("bytes=-0", Span::All),
        ] {
            assert_eq!(span(text, 10), wanted, "{text}");
        }
        assert_eq!(span("bytes=-1", 0), Span::All);
    }
}
