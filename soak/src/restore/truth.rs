//! What the org itself knows, whole, and which of its fields people set.
//!
//! Key decision: tables are taken from the org's memory and compared as its own JSON, so that nothing of the engine
//! decides what is equal. What the org works out itself is not compared.

use std::collections::{BTreeMap, BTreeSet};

use halite_connector::SalesforceOrg;
use halite_engine::ops::org::Source;
use halite_simulator::{Bin, Org, Record};
use serde_json::{Value, json};

use super::world::OBJECTS;

/// Fields that the org keeps.
const SYSTEM: [&str; 8] = [
    "Id",
    "IsDeleted",
    "CreatedDate",
    "CreatedById",
    "LastModifiedDate",
    "LastModifiedById",
    "SystemModstamp",
    "MasterRecordId",
];

/// A field that people set.
pub struct Field {
    pub name: String,
    pub reference: bool,
    /// Whether it can be set on a row that is there.
    pub editable: bool,
}

/// The fields of each object that people set, out of the org's describes.
pub type Fields = BTreeMap<&'static str, Vec<Field>>;

/// Where the bytes of a file stand in a table.
const BYTES: &str = "(bytes)";

/// The field that holds an object's files.
fn body_of(object: &str) -> Option<&'static str> {
    match object {
        "ContentVersion" => Some("VersionData"),
        "Attachment" => Some("Body"),
        _ => None,
    }
}

/// Reads them.
pub fn fields(org: &mut SalesforceOrg) -> Result<Fields, String> {
    let mut all = Fields::new();
    for object in OBJECTS {
        let text = org.describe(object).map_err(|e| e.to_string())?;
        let describe: Value = serde_json::from_slice(&text).map_err(|e| e.to_string())?;
        let list = describe["fields"].as_array().cloned().unwrap_or_default();
        let flag = |field: &Value, name: &str| field[name].as_bool().unwrap_or_default();
        let set = list.iter().filter(|f| {
            let (name, kind) = (
                f["name"].as_str().unwrap_or_default(),
                f["type"].as_str().unwrap_or_default(),
            );
            let ours = flag(f, "createable") || flag(f, "updateable");
            let made = flag(f, "calculated") || flag(f, "autoNumber");
            ours && !made && !["address", "location", "base64"].contains(&kind) && !SYSTEM.contains(&name)
        });
        let set = set.map(|f| Field {
            name: f["name"].as_str().unwrap_or_default().to_owned(),
            reference: f["type"] == "reference",
            editable: flag(f, "updateable"),
        });
        let body = body_of(object).map(|_| Field {
            name: BYTES.to_owned(),
            reference: false,
            editable: false,
        });
        all.insert(object, set.chain(body).collect());
    }
    Ok(all)
}

/// Rows of each object by Id, whatever became of them.
#[derive(Clone)]
pub struct Tables(BTreeMap<&'static str, BTreeMap<String, (Bin, Record)>>);

impl Tables {
    pub fn of(org: &Org) -> Self {
        let table = |object: &'static str| {
            let rows = org.every_row(object, "", usize::MAX).into_iter();
            let rows = rows.map(|(bin, mut row)| {
                let id = row["Id"].as_str().unwrap_or_default().to_owned();
                if let Some(bytes) = body_of(object).and_then(|field| org.file(&id, field)) {
                    row.insert(BYTES.to_owned(), json!(bytes));
                }
                (id, (bin, row))
            });
            (object, rows.collect())
        };
        Self(OBJECTS.into_iter().map(table).collect())
    }

    /// Live rows of an object.
    pub fn live(&self, object: &str) -> impl Iterator<Item = (&String, &Record)> {
        let rows = self.0.get(object).into_iter().flatten();
        rows.filter(|(_, (bin, _))| *bin == Bin::Live)
            .map(|(id, (_, row))| (id, row))
    }

    /// A live row of an object.
    pub fn row(&self, object: &str, id: &str) -> Option<&Record> {
        let (bin, row) = self.0.get(object)?.get(id)?;
        (*bin == Bin::Live).then_some(row)
    }

    /// A row of an object, whatever became of it.
    pub fn any(&self, object: &str, id: &str) -> Option<&Record> {
        self.0.get(object)?.get(id).map(|(_, row)| row)
    }

    /// Whether any object has a live row of this Id.
    pub fn has(&self, id: &str) -> bool {
        OBJECTS.iter().any(|object| self.row(object, id).is_some())
    }

    /// Where a row stands.
    pub fn bin(&self, object: &str, id: &str) -> Bin {
        self.0
            .get(object)
            .and_then(|rows| rows.get(id))
            .map_or(Bin::Gone, |(bin, _)| *bin)
    }

    /// Rows, whatever became of them.
    pub fn count(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// Ids of the rows that are not as in the other tables, stamps included.
    pub fn changed(&self, other: &Self) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        for (object, rows) in &self.0 {
            let others = &other.0[object];
            let all = rows.keys().chain(others.keys());
            ids.extend(all.filter(|id| rows.get(*id) != others.get(*id)).cloned());
        }
        ids
    }
}

/// A field's value; null where there is none.
pub fn value<'r>(row: &'r Record, field: &str) -> &'r Value {
    row.get(field).unwrap_or(&Value::Null)
}

/// Whether two values are the same to the org: numbers by what they are worth.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(x), Some(y)) => (x - y).abs() < 1e-9,
        _ => a == b,
    }
}
