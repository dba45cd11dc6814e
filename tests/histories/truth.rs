//! What the org itself knows, in the form that a vault keeps it.
//!
//! Key decision: the canonical form is written a second time here, from the format's rules, over plain JSON values;
//! only decimals and roles of fields come from the engine. It does not read the org over its API.

use std::collections::{BTreeMap, BTreeSet};

use halite_engine::base::id::RecordId;
use halite_engine::format::describe::{Describe, Field, FieldKind};
use halite_engine::format::record::decimal;
use halite_engine::format::schema::{Role, Schema};
use halite_engine::ops::restore::apply::Applied;
use halite_simulator::Record;
use serde_json::Value;
use serde_json::value::RawValue;

/// Fields that nobody sets.
pub const SYSTEM: [&str; 7] = [
    "Id",
    "CreatedDate",
    "CreatedById",
    "LastModifiedDate",
    "LastModifiedById",
    "SystemModstamp",
    "MasterRecordId",
];

/// A record's values as canonical text, by field; empty ones left out.
pub type Row = BTreeMap<String, String>;
/// Every live record of each object, by Id.
pub type Truth = BTreeMap<&'static str, BTreeMap<RecordId, Row>>;

pub struct Described {
    pub describe: Describe,
    pub schema: Schema,
}

impl Described {
    pub fn names(&self, roles: &[Role]) -> BTreeSet<&str> {
        let fields = self.schema.fields().iter().filter(|f| roles.contains(&f.role));
        fields.map(|f| f.name.as_str()).collect()
    }

    /// Fields that a restore must bring back.
    pub fn settable(&self) -> impl Iterator<Item = &Field> {
        let content = self.names(&[Role::Content]);
        self.describe.fields.iter().filter(move |f| {
            content.contains(f.name.as_str())
                && !SYSTEM.contains(&f.name.as_str())
                && !f.auto_number
                && (f.createable || f.updateable)
        })
    }

    /// The org's row in canonical form: what it stores and can be read, without what it computes.
    pub fn canonical(&self, record: &Record) -> Row {
        let kept = self.schema.fields().iter().filter(|f| stored(f.role));
        let pairs = kept.filter_map(|f| {
            let value = record.get(&f.name).filter(|v| !v.is_null())?;
            let text = match f.kind {
                FieldKind::Number => {
                    let mut out = Vec::new();
                    assert!(decimal(value.to_string().as_bytes(), &mut out), "{value}");
                    String::from_utf8(out).unwrap()
                }
                FieldKind::DateTime => value.to_string().replace("+0000", "Z"),
                _ => value.to_string(),
            };
            Some((f.name.clone(), text))
        });
        pairs.collect()
    }

    /// A kept record in the same form; numbers stay the text that they are.
    pub fn kept(&self, json: &str) -> Row {
        let values: BTreeMap<String, Box<RawValue>> = serde_json::from_str(json).unwrap();
        let pairs = values.into_iter().filter_map(|(name, value)| {
            let field = &self.schema.fields()[self.schema.position(name.as_bytes()).expect("a known field")];
            let text = match field.kind {
                FieldKind::Number => value.get().to_owned(),
                _ => serde_json::from_str::<Value>(value.get()).unwrap().to_string(),
            };
            stored(field.role).then_some((name, text))
        });
        pairs.collect()
    }
}

pub fn stored(role: Role) -> bool {
    !matches!(role, Role::Derived | Role::Dropped)
}

pub fn rid(id: &str) -> RecordId {
    id.parse().unwrap()
}

/// Whether the org itself set a lookup again: an undelete does that to those which the delete had emptied, and
/// neither of the two states tells which they are.
pub fn relinked(before: Option<&Row>, name: &str, found: Option<&String>, bin: &BTreeSet<RecordId>) -> bool {
    let to = found.and_then(|text| RecordId::parse(text.trim_matches('"').as_bytes()));
    before.is_some_and(|row| !row.contains_key(name)) && to.is_some_and(|id| bin.contains(&id))
}

/// A value, in a lookup with the Id of a record that came back under another one replaced.
pub fn moved(text: &str, field: &Field, applied: &Applied) -> String {
    if !field.is_reference() {
        return text.to_owned();
    }
    let id = RecordId::parse(text.trim_matches('"').as_bytes());
    match id.and_then(|id| applied.id_map.get(&id)) {
        Some(new) => format!("\"{new}\""),
        None => text.to_owned(),
    }
}
