//! One object: its names, rights and fields.
//!
//! Key decision: fields keep the order of their definition (a describe shows it) and are found through
//! an index of lower-case names, because the API takes names in any case.
//! Not here: how definitions are read (`standard`, `sfdx`, `recorded`).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::field::{Field, Kind, label_of};
use super::formula::Formula;

/// What may be done with the rows of an object, by the names of the describe.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Rights {
    pub queryable: bool,
    pub retrieveable: bool,
    pub createable: bool,
    pub updateable: bool,
    pub deletable: bool,
    pub undeletable: bool,
    pub replicateable: bool,
    pub searchable: bool,
    pub mergeable: bool,
    pub layoutable: bool,
    pub triggerable: bool,
}

impl Default for Rights {
    fn default() -> Self {
        Self {
            queryable: true,
            retrieveable: true,
            createable: true,
            updateable: true,
            deletable: true,
            undeletable: true,
            replicateable: true,
            searchable: true,
            mergeable: false,
            layoutable: true,
            triggerable: true,
        }
    }
}

/// One object of the org.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct ObjectDef {
    pub name: String,
    pub label: String,
    pub plural: String,
    pub key_prefix: String,
    pub custom: bool,
    pub custom_setting: bool,
    pub rights: Rights,
    pub fields: Vec<Field>,
    /// Top level of a recorded describe, without `fields`.
    pub recorded: Option<Map<String, Value>>,
    #[serde(skip)]
    index: HashMap<String, usize>,
}

impl ObjectDef {
    /// An object with the given fields; labels follow from the name.
    pub fn new(name: &str, key_prefix: &str, fields: Vec<Field>) -> Self {
        let mut object = Self {
            name: name.to_owned(),
            label: label_of(name),
            plural: format!("{}s", label_of(name)),
            key_prefix: key_prefix.to_owned(),
            custom: name.contains("__"),
            ..Self::default()
        };
        for field in fields {
            object.put(field);
        }
        object
    }

    /// The field of that API name, any case.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.index
            .get(&name.to_ascii_lowercase())
            .map(|i| &self.fields[*i])
    }

    /// Adds a field, or replaces the one of the same name in its place.
    pub fn put(&mut self, mut field: Field) {
        field.lookup_key |=
            self.custom && field.name_field && field.name == "Name" && field.recorded.is_none();
        let key = field.name.to_ascii_lowercase();
        match self.index.get(&key) {
            Some(&i) => self.fields[i] = field,
            None => {
                self.index.insert(key, self.fields.len());
                self.fields.push(field);
            }
        }
    }

    /// Removes a field.
    pub fn remove(&mut self, name: &str) {
        self.fields.retain(|f| !f.name.eq_ignore_ascii_case(name));
        self.reindex();
    }

    /// Fills in what a saved definition leaves out: parsed formulas and the index of names.
    pub fn revive(&mut self) {
        for field in &mut self.fields {
            field.formula = field.formula_text.as_deref().and_then(Formula::parse);
        }
        self.reindex();
    }

    fn reindex(&mut self) {
        self.index = self
            .fields
            .iter()
            .enumerate()
            .map(|(i, f)| (f.name.to_ascii_lowercase(), i))
            .collect();
    }

    /// The reference field that this way up goes through (`Account` for `AccountId`).
    pub fn relationship(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| {
            f.relationship
                .as_deref()
                .is_some_and(|r| r.eq_ignore_ascii_case(name))
        })
    }

    /// The field that names a row.
    pub fn name_field(&self) -> Option<&Field> {
        self.fields.iter().find(|f| f.name_field)
    }

    /// Whether deleted rows of this object stay visible as such.
    pub fn has(&self, field: &str) -> bool {
        self.field(field).is_some()
    }
}

/// The parts of an address field: `Billing` gives `BillingStreet` and so on, then the compound.
pub(crate) fn address(prefix: &str) -> Vec<Field> {
    let compound = format!("{prefix}Address");
    let part = |suffix: &str, kind: Kind, length: u32| Field {
        length,
        compound: Some(compound.clone()),
        ..Field::new(&format!("{prefix}{suffix}"), kind)
    };
    let degrees = |suffix: &str| Field {
        precision: 18,
        scale: 15,
        ..part(suffix, Kind::Double, 0)
    };
    vec![
        part("Street", Kind::TextArea, 255),
        part("City", Kind::String, 40),
        part("State", Kind::String, 80),
        part("PostalCode", Kind::String, 20),
        part("Country", Kind::String, 80),
        degrees("Latitude"),
        degrees("Longitude"),
        part("GeocodeAccuracy", Kind::Picklist, 40),
        Field::new(&compound, Kind::Address),
    ]
}

/// The reference to a row's record type, on objects that have any.
pub(crate) fn record_type() -> Field {
    Field::reference("RecordTypeId", &["RecordType"], "RecordType")
}

/// The audit fields at the end of nearly every object.
pub(crate) fn audit() -> Vec<Field> {
    let user = |name: &str, way: &str| Field {
        createable: false,
        updateable: false,
        nillable: false,
        defaulted: true,
        ..Field::reference(name, &["User"], way)
    };
    vec![
        Field::system("CreatedDate", Kind::DateTime),
        user("CreatedById", "CreatedBy"),
        Field::system("LastModifiedDate", Kind::DateTime),
        user("LastModifiedById", "LastModifiedBy"),
        Field::system("SystemModstamp", Kind::DateTime),
    ]
}
