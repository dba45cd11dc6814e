//! What the org's objects look like: fields, flags, references, record types.
//!
//! Key decision: one plain definition (`ObjectDef`, `Field`) whatever it came from: the built-in table
//! of standard objects, an SFDX project's metadata files or a recorded describe. Everything that a
//! describe says and a write obeys is read from it, so the two cannot disagree.
//! Not here: rows (`org`), the JSON of a describe reply (`http::describe`).

pub(crate) mod field;
pub(crate) mod formula;
pub(crate) mod object;
pub(crate) mod person;
pub(crate) mod recorded;
pub(crate) mod sfdx;
mod sfdx_field;
pub(crate) mod standard;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) use field::{Field, Kind, OnDelete};
pub(crate) use object::ObjectDef;

/// What points at the rows that files and notes hang on.
const HOLDERS: [(&str, &str); 4] = [
    ("contentdocumentlink", "LinkedEntityId"),
    ("contentversion", "FirstPublishLocationId"),
    ("attachment", "ParentId"),
    ("note", "ParentId"),
];

/// All objects of an org, found by name without regard to case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schema {
    objects: BTreeMap<String, Arc<ObjectDef>>,
    prefixes: BTreeMap<String, String>,
    next_custom: u64,
    /// Child object (lower case) to the roll-ups that read it: (parent object, parent field index).
    rollups: BTreeMap<String, Vec<(String, usize)>>,
}

impl Schema {
    /// The object of that API name, any case.
    pub fn object(&self, name: &str) -> Option<&Arc<ObjectDef>> {
        self.objects.get(&name.to_ascii_lowercase())
    }

    /// Every object, by name.
    pub fn objects(&self) -> impl Iterator<Item = &Arc<ObjectDef>> {
        self.objects.values()
    }

    /// The object whose rows carry Ids of this prefix.
    pub fn by_id(&self, id: &str) -> Option<&Arc<ObjectDef>> {
        self.prefixes
            .get(id.get(..3)?)
            .and_then(|name| self.objects.get(name))
    }

    /// Adds or replaces an object; one without key prefix gets the next free one.
    pub fn insert(&mut self, mut object: ObjectDef) {
        let key = object.name.to_ascii_lowercase();
        if let Some(old) = self.objects.get(&key) {
            object.key_prefix.clone_from(&old.key_prefix);
        }
        if object.key_prefix.is_empty() {
            object.key_prefix = self.free_prefix(&object.name);
        }
        self.prefixes.insert(object.key_prefix.clone(), key.clone());
        if object.name.ends_with("__c") && !object.custom_setting {
            self.open_files(&object.name);
        }
        self.objects.insert(key, Arc::new(object));
        self.index_rollups();
        self.name_ways_down();
    }

    /// A recorded describe names the ways down to its children; their fields learn them from it.
    fn name_ways_down(&mut self) {
        let mut found: Vec<(String, String, String)> = Vec::new();
        for recorded in self.objects.values().filter_map(|o| o.recorded.as_ref()) {
            let list = recorded.get("childRelationships").and_then(Value::as_array);
            for way in list.into_iter().flatten() {
                let text = |key: &str| way.get(key).and_then(Value::as_str);
                if let (Some(child), Some(field), Some(name)) =
                    (text("childSObject"), text("field"), text("relationshipName"))
                {
                    found.push((child.to_ascii_lowercase(), field.to_owned(), name.to_owned()));
                }
            }
        }
        for (child, field, name) in found {
            let Some(object) = self.objects.get_mut(&child) else {
                continue;
            };
            let open = object.field(&field).filter(|f| f.children.is_none()).cloned();
            if let Some(mut named) = open {
                named.children = Some(name);
                Arc::make_mut(object).put(named);
            }
        }
    }

    /// Files and notes may hang on rows of every custom object.
    fn open_files(&mut self, name: &str) {
        for (holder, field) in HOLDERS {
            let Some(object) = self.objects.get_mut(holder) else {
                continue;
            };
            let Some(mut field) = object.field(field).filter(|f| f.recorded.is_none()).cloned() else {
                continue;
            };
            if !field.reference_to.iter().any(|t| t == name) {
                field.reference_to.push(name.to_owned());
                Arc::make_mut(object).put(field);
            }
        }
    }

    fn free_prefix(&mut self, name: &str) -> String {
        let letter = if name.ends_with("__mdt") { 'm' } else { 'a' };
        loop {
            let prefix = format!("{letter}{}", crate::id::base62(self.next_custom, 2));
            self.next_custom += 1;
            if !self.prefixes.contains_key(&prefix) {
                return prefix;
            }
        }
    }

    fn index_rollups(&mut self) {
        let mut found: BTreeMap<String, Vec<(String, usize)>> = BTreeMap::new();
        for object in self.objects.values() {
            for (i, field) in object.fields.iter().enumerate() {
                if let Some(rollup) = &field.rollup {
                    let child = rollup.child.to_ascii_lowercase();
                    found.entry(child).or_default().push((object.name.clone(), i));
                }
            }
        }
        self.rollups = found;
    }

    /// The roll-up fields that a save of this child object recalculates.
    pub fn rollups_over(&self, child: &str) -> &[(String, usize)] {
        self.rollups
            .get(&child.to_ascii_lowercase())
            .map_or(&[], Vec::as_slice)
    }

    /// The reference fields of other objects that point at this one: (child object, field).
    pub fn children_of(&self, parent: &str) -> Vec<(&ObjectDef, &Field)> {
        self.objects
            .values()
            .flat_map(|o| o.fields.iter().map(move |f| (o.as_ref(), f)))
            .filter(|(_, f)| f.reference_to.iter().any(|t| t.eq_ignore_ascii_case(parent)))
            .collect()
    }
}

/// As `[objects, prefixes, next custom prefix]`; what follows from the objects is left out.
impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self {
            objects,
            prefixes,
            next_custom,
            rollups: _,
        } = self;
        let objects: Vec<&ObjectDef> = objects.values().map(Arc::as_ref).collect();
        (objects, prefixes, next_custom).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (objects, prefixes, next_custom) = <(Vec<ObjectDef>, _, u32)>::deserialize(from)?;
        let mut schema = Self {
            prefixes,
            next_custom: next_custom.into(),
            ..Self::default()
        };
        for mut object in objects {
            object.revive();
            let key = object.name.to_ascii_lowercase();
            schema.objects.insert(key, Arc::new(object));
        }
        schema.index_rollups();
        Ok(schema)
    }
}
