//! Looking at records before they are written.
//!
//! Key decision: what the org sends is made canonical first, so that values compare as text, whichever way the
//! org wrote the number or the time. It keeps nothing between two looks.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::base::error::{Error, Result};
use crate::base::id::RecordId;
use crate::format::describe::Describe;
use crate::format::record::{Canon, Mode, Row, Rows};
use crate::format::schema::{Role, Schema};
use crate::ops::org::{Read, Scope, Target};
use crate::ops::restore::fields::Values;

/// The most Ids of one reading.
const ASKED_MAX: usize = 2_000;

/// An sObject of the org that is written to.
pub(super) struct Described {
    pub describe: Describe,
    schema: Arc<Schema>,
}

impl Described {
    pub fn new(text: &[u8]) -> Result<Self> {
        let describe = Describe::parse(text)?;
        let schema = Arc::new(Schema::of(&describe)?);
        Ok(Self { describe, schema })
    }
}

/// The live records among `ids`, with those of `fields` that the org knows and that have values.
pub(super) fn look<'f>(
    target: &mut dyn Target,
    described: &Described,
    ids: &[RecordId],
    fields: impl Iterator<Item = &'f String>,
) -> Result<HashMap<RecordId, Values>> {
    let wanted: BTreeSet<&str> = fields.map(String::as_str).collect();
    let mut found = HashMap::new();
    for some in ids.chunks(ASKED_MAX) {
        rows(target, described, Scope::Ids(some), &wanted, &mut |id, values| {
            found.insert(id, values);
            Ok(())
        })?;
    }
    Ok(found)
}

/// Gives the live records of a scope to `each`, with those of `wanted` that the org knows and that have values.
pub(super) fn rows(
    target: &mut dyn Target,
    described: &Described,
    scope: Scope<'_>,
    wanted: &BTreeSet<&str>,
    each: &mut dyn FnMut(RecordId, Values) -> Result<()>,
) -> Result<()> {
    let always = |role: Role| matches!(role, Role::Id | Role::Deleted);
    let known = described
        .schema
        .fields()
        .iter()
        .filter(|f| always(f.role) || wanted.contains(f.name.as_str()));
    let selected: Vec<&str> = known
        .filter(|f| f.role != Role::Dropped)
        .map(|f| f.name.as_str())
        .collect();
    let mut canon = Canon::new(Arc::clone(&described.schema), &[0; 32], Mode::KeepRaw);
    let read = Read {
        describe: &described.describe,
        fields: &selected,
        scope,
        from: None,
    };
    target.read(read, &mut |text| {
        let mut rows = Rows::default();
        canon.json(text, &mut rows)?;
        for row in rows.rows.iter().filter(|row| !row.deleted) {
            each(row.id, values(&rows, row, &described.schema)?)?;
        }
        Ok(())
    })
}

fn values(rows: &Rows, row: &Row, schema: &Schema) -> Result<Values> {
    let cells = rows.cells.get(row.cells as usize..row.end as usize);
    let mut values = Values::new();
    for cell in cells.unwrap_or_default() {
        let bytes = rows
            .arena
            .get(cell.start as usize..(cell.start + cell.len) as usize);
        let mut value = Vec::new();
        cell.kind.write(&mut value, bytes.unwrap_or_default());
        if let Some(field) = schema.fields().get(usize::from(cell.field)) {
            values.insert(field.name.clone(), raw(value)?);
        }
    }
    Ok(values)
}

fn raw(value: Vec<u8>) -> Result<Box<RawValue>> {
    let text =
        String::from_utf8(value).map_err(|e| Error::invalid(format!("a value that is not UTF-8: {e}")))?;
    RawValue::from_string(text).map_err(|e| Error::invalid(format!("a value that is not JSON: {e}")))
}
