//! CSV files, for projects that have no tree data.
//!
//! Key decision: a file belongs to the object whose name, label or plural its own name is; columns are field
//! names, or `Way__r.Key__c` for the row of another file that has that key. What cannot be told is reported.
//! Source: CLI reference, "data import bulk".
//! Not here: creating the rows (`place`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::place::Pending;
use super::{LoadError, LoadReport, files};
use crate::schema::{ObjectDef, Schema};

/// Delimiters that Salesforce's tools know.
const DELIMITERS: [u8; 6] = [b',', b';', b'\t', b'|', b'^', b'`'];

/// A link to find once all files are read: (record, field, target object, key field, key).
type Lookup = (usize, String, String, String, String);

/// All records of the project's CSV files.
pub(crate) fn read(
    schema: &Schema,
    all: &[PathBuf],
    report: &mut LoadReport,
) -> Result<Vec<Pending>, LoadError> {
    let mut out = Vec::new();
    let mut lookups = Vec::new();
    for (index, path) in all
        .iter()
        .filter(|p| files::named(p, ".csv") && files::within(p, "data"))
        .enumerate()
    {
        let text = files::text(path)?;
        match object_of(schema, path) {
            Some(object) => {
                report.files.push(path.clone());
                records(
                    schema,
                    &object,
                    (index, path, &text),
                    report,
                    (&mut out, &mut lookups),
                );
            }
            None => report.skip(path, "no object of that name"),
        }
    }
    for (at, field, object, key, value) in lookups {
        let target = out.iter().position(|p: &Pending| {
            p.object == object && p.values.get(&key).and_then(Value::as_str) == Some(&value)
        });
        match target {
            Some(target) => out[at].links.push((field, target)),
            None => {
                report.skip(
                    &out[at].path,
                    format_args!("{}.{field}: no {object} with {key} {value}", out[at].object),
                );
            }
        }
    }
    Ok(out)
}

fn object_of(schema: &Schema, path: &Path) -> Option<Arc<ObjectDef>> {
    let plain = |s: &str| -> String {
        s.chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_ascii_lowercase()
    };
    let stem = plain(&path.file_stem()?.to_string_lossy());
    schema
        .objects()
        .find(|o| {
            let name = o.name.trim_end_matches("__c");
            [name, &o.label, &o.plural].iter().any(|n| plain(n) == stem)
        })
        .cloned()
}

fn delimiter(text: &str) -> u8 {
    let head = text.lines().next().unwrap_or_default();
    let count = |d: u8| head.bytes().filter(|b| *b == d).count();
    DELIMITERS
        .into_iter()
        .rev()
        .max_by_key(|d| count(*d))
        .unwrap_or(b',')
}

fn records(
    schema: &Schema,
    object: &ObjectDef,
    (index, path, text): (usize, &Path, &str),
    report: &mut LoadReport,
    (out, lookups): (&mut Vec<Pending>, &mut Vec<Lookup>),
) {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(text))
        .flexible(true)
        .from_reader(text.as_bytes());
    let headers: Vec<String> = match reader.headers() {
        Ok(headers) => headers.iter().map(|h| h.trim().to_owned()).collect(),
        Err(e) => return report.skip(path, e),
    };
    let columns: Vec<Option<Column>> = headers.iter().map(|h| column(schema, object, h)).collect();
    for (header, _) in headers.iter().zip(&columns).filter(|(_, c)| c.is_none()) {
        report.skip(path, format_args!("{} has no column {header}", object.name));
    }
    for row in reader.records() {
        let row = match row {
            Ok(row) => row,
            Err(e) => {
                report.skip(path, e);
                continue;
            }
        };
        let mut values = Map::new();
        for (cell, column) in row
            .iter()
            .zip(&columns)
            .filter(|(cell, _)| !cell.trim().is_empty())
        {
            match column {
                Some(Column::Field(name)) => {
                    values.insert(name.clone(), json!(cell.trim()));
                }
                Some(Column::Lookup { field, object, key }) => {
                    lookups.push((
                        out.len(),
                        field.clone(),
                        object.clone(),
                        key.clone(),
                        cell.trim().to_owned(),
                    ));
                }
                None => {}
            }
        }
        out.push(Pending {
            source: index,
            path: path.to_owned(),
            object: object.name.clone(),
            values,
            named: Vec::new(),
            links: Vec::new(),
        });
    }
}

enum Column {
    Field(String),
    Lookup {
        field: String,
        object: String,
        key: String,
    },
}

fn column(schema: &Schema, object: &ObjectDef, header: &str) -> Option<Column> {
    if let Some((way, key)) = header.split_once('.') {
        let field = object.relationship(way)?;
        let target = schema.object(field.reference_to.first()?)?;
        let key = target.field(key)?;
        return Some(Column::Lookup {
            field: field.name.clone(),
            object: target.name.clone(),
            key: key.name.clone(),
        });
    }
    object.field(header).map(|f| Column::Field(f.name.clone()))
}
