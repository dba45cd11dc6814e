//! Rows that come with a project's metadata: record types and custom metadata records.
//!
//! Key decision: they are put in place as they are, outside the rules of writing, because no API call makes
//! them: they arrive with a deployment.
//! Source: Metadata API guide, "RecordType", "CustomMetadata".
//! Not here: the objects they belong to (`definitions`).

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{LoadError, LoadReport, files};
use crate::org::State;
use crate::write;
use crate::xml::{self, Element};

const RECORD_TYPE: &str = ".recordType-meta.xml";
const RECORD: &str = ".md-meta.xml";

/// Adds the rows of all metadata files.
pub(crate) fn read(state: &mut State, all: &[PathBuf], report: &mut LoadReport) -> Result<(), LoadError> {
    state.begin();
    for path in all {
        let is_type = files::named(path, RECORD_TYPE);
        if !is_type && !files::named(path, RECORD) {
            continue;
        }
        let row = match xml::parse(&files::text(path)?) {
            Ok(meta) if is_type => record_type(path, &meta),
            Ok(meta) => record(state, path, &meta, report),
            Err(e) => {
                report.skip(path, format_args!("not XML: {e}"));
                continue;
            }
        };
        let Some((object, values)) = row else {
            report.skip(path, "belongs to no object of the project");
            continue;
        };
        let Some(def) = state.schema.object(&object).cloned() else {
            continue;
        };
        let id = state.new_id(&def.key_prefix);
        state.seed_row(&def.name, &id, Value::Object(values));
        *report.rows.entry(object).or_default() += 1;
    }
    Ok(())
}

fn stem<'a>(path: &'a Path, end: &str) -> Option<&'a str> {
    path.file_name()?.to_str()?.strip_suffix(end)
}

fn record_type(path: &Path, meta: &Element) -> Option<(String, Map<String, Value>)> {
    let name = stem(path, RECORD_TYPE)?;
    let object = path
        .ancestors()
        .nth(2)?
        .file_name()?
        .to_string_lossy()
        .into_owned();
    let values = json!({"Name": meta.get("label").unwrap_or(name), "DeveloperName": name,
        "SobjectType": object, "IsActive": meta.get("active") != Some("false"),
        "Description": meta.get("description")});
    Some(("RecordType".to_owned(), into_map(values)))
}

/// `Type.Record.md-meta.xml` is a row of `Type__mdt`.
fn record(
    state: &State,
    path: &Path,
    meta: &Element,
    report: &mut LoadReport,
) -> Option<(String, Map<String, Value>)> {
    let (kind, name) = stem(path, RECORD)?.split_once('.')?;
    let def = state.schema.object(&format!("{kind}__mdt"))?.clone();
    let label = meta.get("label").unwrap_or(name);
    let mut values = into_map(json!({"DeveloperName": name, "QualifiedApiName": name,
        "MasterLabel": label, "Label": label, "Language": "en_US"}));
    for pair in meta.all("values") {
        let (Some(key), Some(text)) = (pair.get("field"), pair.get("value")) else {
            continue;
        };
        let Some(field) = def.field(key) else {
            report.skip(path, format_args!("{} has no field {key}", def.name));
            continue;
        };
        match write::coerce(field, &json!(text), &state.settings) {
            Ok(value) => drop(values.insert(field.name.clone(), value)),
            Err(e) => report.skip(path, format_args!("{}.{key} left out: {e}", def.name)),
        }
    }
    Some((def.name.clone(), values))
}

fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
