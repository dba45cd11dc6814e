//! Which values of a record can be written back, and which of them differ.
//!
//! Key decision: the describe of now decides what may be written, the describe of then what was known; a field
//! unknown on either side is never touched. It does not decide in which order records are written.

use std::collections::BTreeMap;

use serde_json::value::{RawValue, to_raw_value};

use crate::base::error::{Error, Result};
use crate::base::id::RecordId;
use crate::format::describe::{Describe, Field, FieldKind};

/// Values by field name, each as canonical JSON text.
pub type Values = BTreeMap<String, Box<RawValue>>;

/// Fields that the org keeps itself, or that differ by viewer.
const NEVER: [&str; 12] = [
    "Id",
    "CreatedDate",
    "CreatedById",
    "LastModifiedDate",
    "LastModifiedById",
    "SystemModstamp",
    "IsDeleted",
    "MasterRecordId",
    "LastActivityDate",
    "LastViewedDate",
    "LastReferencedDate",
    "PhotoUrl",
];

/// The values of a record's JSON object.
///
/// # Errors
/// `Invalid` if it is not a JSON object.
pub fn values(json: &str) -> Result<Values> {
    serde_json::from_str(json).map_err(|e| Error::invalid(format!("a record that is not a JSON object: {e}")))
}

/// The JSON text of values.
///
/// # Errors
/// Never for values that were read.
pub fn text(values: &Values) -> Result<String> {
    serde_json::to_string(values).map_err(|e| Error::invalid(format!("values that are not JSON: {e}")))
}

/// Whether a value is the org's own: not masked, raw or a file's body.
pub fn plain(value: &RawValue) -> bool {
    !value.get().starts_with(['{', '['])
}

/// Whether a value is null.
pub fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

/// The value null.
pub fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

/// The value that names a record.
///
/// # Errors
/// Never: an Id is letters and digits.
pub fn id_value(id: RecordId) -> Result<Box<RawValue>> {
    to_raw_value(&id.to_string()).map_err(|e| Error::invalid(format!("an Id that is not JSON: {e}")))
}

/// The record that a value names.
pub fn id_of(value: &RawValue) -> Option<RecordId> {
    RecordId::parse(value.get().strip_prefix('"')?.strip_suffix('"')?.as_bytes())
}

/// Whether a restore may ever write the field.
fn ours(field: &Field) -> bool {
    !field.calculated
        && !field.auto_number
        && !matches!(field.kind, FieldKind::Compound | FieldKind::Base64)
        && !NEVER.contains(&field.name.as_str())
}

/// Whether an edit may set the field.
pub fn editable(field: &Field) -> bool {
    ours(field) && field.updateable
}

/// Fields that a create may set if the org allows it ("Set Audit Fields upon Record Creation").
const AUDIT: [&str; 4] = [
    "CreatedDate",
    "CreatedById",
    "LastModifiedDate",
    "LastModifiedById",
];

/// Whether the field tells who touched a record, and when.
pub fn audit(field: &Field) -> bool {
    AUDIT.contains(&field.name.as_str())
}

/// Whether a create may set the field.
pub fn creatable(field: &Field) -> bool {
    (ours(field) || audit(field)) && field.createable
}

/// Drops what the values themselves rule out: a person's Name is put together from its parts.
fn drop_composed(values: &mut Values) {
    if values.get("LastName").is_some_and(|value| !is_null(value)) {
        values.remove("Name");
    }
}

/// What a create sets: every value that was there and may stand in an insert.
pub fn to_create(now: &Describe, then: &Values) -> Values {
    let fields = now.fields.iter().filter(|f| creatable(f));
    let known = fields.filter_map(|f| Some((f.name.clone(), then.get(&f.name)?.clone())));
    let mut values: Values = known.filter(|(_, v)| plain(v) && !is_null(v)).collect();
    drop_composed(&mut values);
    values
}

/// What an undelete compares afterwards, and what a create sets if the record is no longer in the bin: values
/// that were there, and nulls for fields that were known, empty, and can be emptied.
pub fn to_compare(describe_then: &Describe, now: &Describe, then: &Values) -> Values {
    let mut values = to_create(now, then);
    for field in now
        .fields
        .iter()
        .filter(|f| editable(f) && describe_then.field(&f.name).is_some())
    {
        match then.get(&field.name) {
            Some(value) if plain(value) => drop(values.insert(field.name.clone(), value.clone())),
            None if field.nillable => drop(values.insert(field.name.clone(), null())),
            _ => {}
        }
    }
    drop_composed(&mut values);
    values
}

/// What a create sets, and the nulls to set should the record come back with another one instead.
pub fn to_create_or_compare(describe_then: &Describe, now: &Describe, then: &Values) -> Values {
    let mut values = to_compare(describe_then, now, then);
    values.retain(|name, _| now.field(name).is_some_and(creatable));
    values
}

/// The fields in which two states differ and which may be edited: values to set, and values now.
pub fn to_edit(
    describe_then: &Describe,
    describe_now: &Describe,
    then: &Values,
    now: &Values,
) -> (Values, Values) {
    let (mut set, mut before) = (Values::new(), Values::new());
    for field in describe_now
        .fields
        .iter()
        .filter(|f| editable(f) && describe_then.field(&f.name).is_some())
    {
        let wanted = then.get(&field.name).cloned().unwrap_or_else(null);
        let current = now.get(&field.name).cloned().unwrap_or_else(null);
        let same = wanted.get() == current.get();
        if same || !plain(&wanted) || !plain(&current) || (is_null(&wanted) && !field.nillable) {
            continue;
        }
        set.insert(field.name.clone(), wanted);
        before.insert(field.name.clone(), current);
    }
    if then.contains_key("LastName") {
        set.remove("Name");
        before.remove("Name");
    }
    (set, before)
}

/// A field that differs, and that only a create may set.
pub fn frozen<'a>(
    describe_then: &Describe,
    describe_now: &'a Describe,
    then: &Values,
    now: &Values,
) -> Option<&'a str> {
    let only_made =
        |f: &&Field| creatable(f) && !audit(f) && !f.updateable && describe_then.field(&f.name).is_some();
    let text = |values: &Values, name: &str| {
        values
            .get(name)
            .map_or("null".to_owned(), |value| value.get().to_owned())
    };
    let fields = describe_now.fields.iter().filter(only_made);
    let mut differing = fields.filter(|f| text(then, &f.name) != text(now, &f.name));
    differing.next().map(|f| f.name.as_str())
}

/// A field that a create needs and that has no value to give.
pub fn missing<'a>(now: &'a Describe, values: &Values) -> Option<&'a str> {
    let person = values.contains_key("LastName");
    let mut required = now
        .fields
        .iter()
        .filter(|f| ours(f) && creatable(f) && f.required() && f.kind != FieldKind::Boolean);
    let gap = required.find(|f| !(values.contains_key(&f.name) || person && f.name == "Name"));
    gap.map(|f| f.name.as_str())
}
