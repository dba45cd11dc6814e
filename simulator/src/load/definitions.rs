//! Object and field definitions of a project.
//!
//! Key decision: object files first, then field files: a field of an object that has no file of its own and
//! is no standard object still makes that object, since projects often keep only what they changed.
//! Source: Metadata API guide, "CustomObject", "CustomField", "RecordType".
//! Not here: the XML of one definition (`schema::sfdx`), rows that come with definitions (`metadata`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{LoadError, LoadReport, files};
use crate::schema::object::record_type;
use crate::schema::{ObjectDef, Schema, sfdx};
use crate::xml;

/// Adds every definition of the project to a schema.
pub(crate) fn read(schema: &mut Schema, all: &[PathBuf], report: &mut LoadReport) -> Result<(), LoadError> {
    let mut objects: BTreeMap<String, ObjectDef> = BTreeMap::new();
    for path in all.iter().filter(|p| files::named(p, ".object-meta.xml")) {
        let Some(name) = file_stem(path, ".object-meta.xml") else {
            continue;
        };
        match xml::parse(&files::text(path)?) {
            Ok(meta) => {
                objects.insert(name.clone(), base(schema, &name, Some(&meta)));
            }
            Err(e) => report.skip(path, format_args!("not XML: {e}")),
        }
    }
    for path in all.iter().filter(|p| files::named(p, ".field-meta.xml")) {
        let Some(name) = path.ancestors().nth(2).and_then(Path::file_name) else {
            continue;
        };
        let name = name.to_string_lossy().into_owned();
        let meta = match xml::parse(&files::text(path)?) {
            Ok(meta) => meta,
            Err(e) => {
                report.skip(path, format_args!("not XML: {e}"));
                continue;
            }
        };
        let Some(field) = sfdx::field(&meta) else { continue };
        if field.formula_text.is_some() && field.formula.is_none() {
            report.skip(path, "formula beyond the part that is known: reads as null");
        }
        let object = objects
            .entry(name.clone())
            .or_insert_with(|| base(schema, &name, None));
        sfdx::add_field(object, field);
    }
    for path in all.iter().filter(|p| files::named(p, ".recordType-meta.xml")) {
        if let Some(name) = path.ancestors().nth(2).and_then(Path::file_name) {
            let name = name.to_string_lossy().into_owned();
            let object = objects
                .entry(name.clone())
                .or_insert_with(|| base(schema, &name, None));
            object.put(record_type());
        }
    }
    for (name, object) in objects {
        report.objects.push(name);
        schema.insert(object);
    }
    Ok(())
}

fn base(schema: &Schema, name: &str, meta: Option<&xml::Element>) -> ObjectDef {
    match schema.object(name) {
        Some(standard) => standard.as_ref().clone(),
        None => sfdx::custom_object(name, meta),
    }
}

fn file_stem(path: &Path, end: &str) -> Option<String> {
    path.file_name()?.to_str()?.strip_suffix(end).map(str::to_owned)
}
