//! Who points at an Id, which row holds a unique value, what a delete took: looked up instead of scanned for.
//!
//! Key decision: all are supersets of the truth, added to at each write and never taken from; whoever reads
//! them checks the row. References that nothing follows backwards (who made, changed and owns a row) are
//! left out, because every row has them.
//! Not here: deciding whether a value may stand twice (`write::check`).

use std::collections::HashMap;

use serde_json::Value;

use super::state::Row;
use crate::id::Key;
use crate::schema::{Field, Kind, ObjectDef};

/// Sorted, because Ids mostly come in rising order and then are appended.
#[derive(Debug, Default)]
struct Keys(Vec<Key>);

impl Keys {
    fn add(&mut self, key: Key) {
        if let Err(at) = self.0.binary_search(&key) {
            self.0.insert(at, key);
        }
    }
}

/// What rows are found by, besides their Ids.
#[derive(Debug, Default)]
pub(crate) struct Index {
    holders: HashMap<String, Keys>,
    /// Object and field, then the value in lower case.
    values: HashMap<(String, String), HashMap<String, Keys>>,
    /// By the number of a delete.
    deletes: HashMap<u64, Keys>,
}

impl Index {
    /// Notes what a row points at and the values it is found by.
    pub fn note(&mut self, def: &ObjectDef, id: &str, row: &Row) {
        let Some(key) = Key::of(id) else { return };
        if let Some((number, _)) = &row.deleted_by {
            self.deletes.entry(*number).or_default().add(key);
        }
        for field in &def.fields {
            let leads = !field.reference_to.is_empty() && !kept_out(&field.name);
            if leads && let Some(target) = row.values.text(&field.name) {
                match self.holders.get_mut(target) {
                    Some(keys) => keys.add(key),
                    None => self.holders.entry(target.to_owned()).or_default().add(key),
                }
            }
            if keyed(field)
                && let Some(value) = row.values.get(&field.name)
            {
                let slot = (def.name.clone(), field.name.clone());
                let values = self.values.entry(slot).or_default();
                values.entry(folded(&value)).or_default().add(key);
            }
        }
    }

    /// Ids of rows that once pointed at this one, in order.
    pub fn holders(&self, id: &str) -> impl Iterator<Item = &str> {
        self.holders.get(id).into_iter().flat_map(|k| &k.0).map(Key::text)
    }

    /// Ids of rows that a delete took, in order.
    pub fn taken(&self, delete: u64) -> impl Iterator<Item = &str> {
        self.deletes
            .get(&delete)
            .into_iter()
            .flat_map(|k| &k.0)
            .map(Key::text)
    }

    /// Ids of rows of an object that once held this value in a field that is unique or an external id, in
    /// order. Case is not looked at.
    pub fn holding(&self, object: &str, field: &str, value: &Value) -> impl Iterator<Item = &str> {
        self.values
            .get(&(object.to_owned(), field.to_owned()))
            .and_then(|values| values.get(&folded(value)))
            .into_iter()
            .flat_map(|k| &k.0)
            .map(Key::text)
    }
}

/// References that every row has and that lead to what is never deleted.
pub(crate) fn kept_out(field: &str) -> bool {
    matches!(field, "CreatedById" | "LastModifiedById" | "OwnerId")
}

/// Whether rows are found by this field.
pub(crate) fn keyed(field: &Field) -> bool {
    (field.unique || field.external_id) && field.kind != Kind::Id
}

fn folded(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_lowercase(),
        other => other.to_string(),
    }
}
