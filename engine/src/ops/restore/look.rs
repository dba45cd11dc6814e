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
use crate::format::record::{Canon, Mode, Rows};
use crate::format::schema::{Role, Schema};
use crate::ops::org::{Read, Scope, Target};
use crate::ops::restore::fields::Values;

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
    let mut found = HashMap::new();
    if ids.is_empty() {
        return Ok(found);
    }
    let wanted: BTreeSet<&str> = fields.map(String::as_str).collect();
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
        scope: Scope::Ids(ids),
        from: None,
    };
    target.read(read, &mut |text| {
        let mut rows = Rows::default();
        canon.json(text, &mut rows)?;
        for row in &rows.rows {
            if row.deleted {
                found.remove(&row.id);
                continue;
            }
            let mut values = Values::new();
            for cell in rows
                .cells
                .get(row.cells as usize..row.end as usize)
                .unwrap_or_default()
            {
                let bytes = rows
                    .arena
                    .get(cell.start as usize..(cell.start + cell.len) as usize)
                    .unwrap_or_default();
                let mut value = Vec::new();
                cell.kind.write(&mut value, bytes);
                if let Some(field) = described.schema.fields().get(usize::from(cell.field)) {
                    values.insert(field.name.clone(), raw(value)?);
                }
            }
            found.insert(row.id, values);
        }
        Ok(())
    })?;
    Ok(found)
}

fn raw(value: Vec<u8>) -> Result<Box<RawValue>> {
    let text =
        String::from_utf8(value).map_err(|e| Error::invalid(format!("a value that is not UTF-8: {e}")))?;
    RawValue::from_string(text).map_err(|e| Error::invalid(format!("a value that is not JSON: {e}")))
}
