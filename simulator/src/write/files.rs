//! What saving a file means: its size, checksum and type, its versions, its document and first links.
//!
//! Key decision: a `ContentVersion` is saved like any row and then settled: without a document it makes one,
//! with one it becomes its latest version. Bytes go to the org's store; the row holds their number.
//! Source: Object Reference, "ContentVersion", "ContentDocument", "ContentDocumentLink", "Attachment",
//! "Document"; Salesforce Files documentation for the types of files.
//! Not here: bodies in HTTP (`http::files`).

use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::save::{create_loaded, missing, touch};
use crate::error::ApiError;
use crate::org::state::{Row, State};
use crate::schema::{Field, Kind, ObjectDef};

/// Extensions whose file type is not the extension itself.
const TYPES: [(&str, &str); 17] = [
    ("csv", "CSV"),
    ("doc", "WORD"),
    ("docx", "WORD_X"),
    ("gif", "GIF"),
    ("htm", "HTML"),
    ("html", "HTML"),
    ("jpeg", "JPG"),
    ("jpg", "JPG"),
    ("json", "JSON"),
    ("pdf", "PDF"),
    ("png", "PNG"),
    ("ppt", "POWER_POINT"),
    ("pptx", "POWER_POINT_X"),
    ("txt", "TEXT"),
    ("xls", "EXCEL"),
    ("xlsx", "EXCEL_X"),
    ("zip", "ZIP"),
];

/// The stored value of a base64 field: the request's binary part of that name, or the decoded text.
pub(super) fn take_in(state: &mut State, field: &Field, value: Value) -> Result<Value, ApiError> {
    let Some(text) = value.as_str().filter(|_| field.kind == Kind::Base64) else {
        return Ok(value);
    };
    let part = state.files.parts.iter().position(|(name, _)| *name == field.name);
    if let Some(at) = part {
        let (_, bytes) = state.files.parts.remove(at);
        return Ok(state.files.keep(bytes));
    }
    let packed: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(packed).map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        ApiError::new(
            "INVALID_TYPE_ON_FIELD_IN_RECORD",
            format!("{}: value not of required type: {shown}", field.label),
        )
        .on(&field.name)
    })?;
    if bytes.len() > state.settings.files.in_json {
        return Err(too_large(field));
    }
    Ok(state.files.keep(Arc::from(bytes)))
}

/// The refusal of a file above its limit.
pub(crate) fn too_large(field: &Field) -> ApiError {
    ApiError::new(
        "FILE_SIZE_LIMIT_EXCEEDED",
        format!("{}: file size limit exceeded", field.label),
    )
    .on(&field.name)
}

/// Brings what follows from the bytes up to date.
pub(super) fn derive(
    state: &State,
    def: &ObjectDef,
    row: &mut Row,
    old: Option<&Row>,
) -> Result<(), ApiError> {
    match def.name.as_str() {
        "ContentVersion" => version(state, row, old),
        "Attachment" | "Document" | "StaticResource" => {
            let length = state
                .files
                .of(row.values.get("Body").as_ref())
                .map_or(0, |b| b.len());
            row.set("BodyLength", json!(length));
            Ok(())
        }
        _ => Ok(()),
    }
}

fn version(state: &State, row: &mut Row, old: Option<&Row>) -> Result<(), ApiError> {
    let stored = row.text("ContentLocation") == "S";
    let bytes = state.files.of(row.values.get("VersionData").as_ref());
    if old.is_none() && stored {
        let lacking: Vec<&str> = ["VersionData", "PathOnClient"]
            .into_iter()
            .filter(|f| !row.values.contains_key(f))
            .collect();
        if !lacking.is_empty() && !seeded(row) {
            return Err(missing(&lacking));
        }
    }
    if let Some(bytes) =
        bytes.filter(|_| old.is_none_or(|o| o.values.get("VersionData") != row.values.get("VersionData")))
    {
        row.set("ContentModifiedDate", json!(state.stamp()));
        row.set("ContentModifiedById", json!(state.running));
        row.set("ContentSize", json!(bytes.len()));
        row.set("Checksum", json!(md5(bytes)));
    }
    let path = row.text("PathOnClient");
    let file = path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending).to_owned();
    if !file.is_empty() {
        row.set(
            "FileExtension",
            if ending.is_empty() {
                Value::Null
            } else {
                json!(ending)
            },
        );
    }
    if !stored {
        row.set("FileType", json!("LINK"));
    } else if !row.values.contains_key("FileType") || !file.is_empty() {
        row.set("FileType", json!(file_type(&ending)));
    }
    if !row.values.contains_key("Title") {
        let document = state.row(row.text("ContentDocumentId"));
        let title = document.map_or(file, |d| d.text("Title").to_owned());
        row.set("Title", json!(title));
    }
    Ok(())
}

/// Loaded data may know a file's size and checksum without its bytes.
fn seeded(row: &Row) -> bool {
    row.values.contains_key("Checksum")
}

fn file_type(ending: &str) -> &'static str {
    let ending = ending.to_ascii_lowercase();
    TYPES
        .iter()
        .find(|(known, _)| *known == ending)
        .map_or("UNKNOWN", |(_, kind)| kind)
}

/// MD5 as the API writes it: lower-case hex.
pub(crate) fn md5(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(32);
    for byte in Md5::digest(bytes) {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// After the row is in: documents, versions and links fall into place.
pub(super) fn settle(
    state: &mut State,
    def: &ObjectDef,
    id: &str,
    old: Option<&Row>,
    user: &str,
) -> Result<(), ApiError> {
    match (def.name.as_str(), old) {
        ("ContentVersion", None) => {
            let document = state.row(id).map(|r| r.text("ContentDocumentId").to_owned());
            match document.filter(|d| !d.is_empty()) {
                Some(document) => next_version(state, &document, id, user),
                None => state.as_system(|s| first_version(s, id, user))?,
            }
        }
        ("ContentVersion", Some(_)) => {
            let latest = state
                .row(id)
                .is_some_and(|r| r.values.flag("IsLatest") == Some(true));
            let document = state.row(id).map(|r| r.text("ContentDocumentId").to_owned());
            if let Some(document) = document.filter(|_| latest) {
                copy(state, id, &document, user);
            }
        }
        ("ContentDocument", Some(_)) => {
            let latest = state
                .row(id)
                .map(|r| r.text("LatestPublishedVersionId").to_owned());
            let title = state.row(id).map(|r| r.text("Title").to_owned());
            if let (Some(latest), Some(title)) = (latest, title) {
                state.edit(&latest, |row| row.set("Title", json!(title)));
            }
        }
        _ => {}
    }
    Ok(())
}

/// The document of a new file, its link to the owner, and to where it was first published.
fn first_version(state: &mut State, id: &str, user: &str) -> Result<(), ApiError> {
    let Some(row) = state.row(id).cloned() else {
        return Ok(());
    };
    let values = json!({"Title": row.text("Title"), "OwnerId": row.text("OwnerId"), "PublishStatus": "P",
        "LatestPublishedVersionId": id});
    let document = create_loaded(state, "ContentDocument", &values, user)?;
    state.edit(id, |row| {
        row.set("ContentDocumentId", json!(document));
        row.set("VersionNumber", json!("1"));
        row.set("IsLatest", json!(true));
    });
    copy(state, id, &document, user);
    let mut links = vec![(row.text("OwnerId").to_owned(), "I")];
    let place = row.text("FirstPublishLocationId");
    if !place.is_empty() && place != links[0].0 {
        links.push((place.to_owned(), "V"));
    }
    for (to, share) in links {
        let link = json!({"ContentDocumentId": document, "LinkedEntityId": to, "ShareType": share,
            "Visibility": "AllUsers"});
        create_loaded(state, "ContentDocumentLink", &link, user)?;
    }
    Ok(())
}

/// A version of a document that is there: it is the latest from now on.
fn next_version(state: &mut State, document: &str, id: &str, user: &str) {
    let others: Vec<(String, u64, bool)> = state
        .index
        .holders(document)
        .filter(|other| {
            *other != id
                && state
                    .schema
                    .by_id(other)
                    .is_some_and(|o| o.name == "ContentVersion")
        })
        .filter_map(|other| Some((other.to_owned(), state.row(other)?)))
        .filter(|(_, r)| r.text("ContentDocumentId") == document)
        .map(|(other, r)| {
            let number = r.text("VersionNumber").parse().unwrap_or(0);
            (other, number, r.values.flag("IsLatest") == Some(true))
        })
        .collect();
    let number = others.iter().map(|(_, n, _)| n).max().map_or(1, |n| n + 1);
    let stamp = state.stamp();
    for (other, ..) in others.iter().filter(|(.., latest)| *latest) {
        state.edit(other, |row| {
            row.set("IsLatest", json!(false));
            row.set("SystemModstamp", json!(stamp));
        });
    }
    state.edit(id, |row| {
        row.set("VersionNumber", json!(number.to_string()));
        row.set("IsLatest", json!(true));
    });
    copy(state, id, document, user);
}

/// The document shows what its latest version is.
fn copy(state: &mut State, version: &str, document: &str, user: &str) {
    let Some(row) = state.row(version).cloned() else {
        return;
    };
    let stamp = json!(state.stamp());
    let Some(def) = state.schema.object("ContentDocument").cloned() else {
        return;
    };
    state.edit(document, |doc| {
        for field in ["Title", "Description", "FileType", "FileExtension", "ContentSize"] {
            doc.set(field, row.values.get(field).unwrap_or_default());
        }
        doc.set("LatestPublishedVersionId", json!(version));
        touch(&def, doc, &stamp, user);
    });
}

/// A document is linked to an entity once.
pub(super) fn no_second_link(state: &State, def: &ObjectDef, id: &str, row: &Row) -> Result<(), ApiError> {
    if def.name != "ContentDocumentLink" {
        return Ok(());
    }
    let twin = state.index.holders(row.text("ContentDocumentId")).find(|other| {
        *other != id
            && state.live(other).is_some_and(|r| {
                ["ContentDocumentId", "LinkedEntityId"]
                    .iter()
                    .all(|f| r.text(f) == row.text(f))
            })
    });
    match twin.filter(|other| state.schema.by_id(other).is_some_and(|o| o.name == def.name)) {
        Some(other) => Err(ApiError::new(
            "DUPLICATE_VALUE",
            format!(
                "duplicate value found: LinkedEntityId duplicates value on record with id: {}",
                &other[..15]
            ),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_and_types() {
        assert_eq!(md5(b""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(md5(b"abc"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!((file_type("PDF"), file_type("x")), ("PDF", "UNKNOWN"));
    }
}
