//! What happens to the org between two backups of the demo: edits, new links, additions, deletes and purges.
//!
//! Key decision: chosen by counting, so that every run on the same org does the same, on whatever sObjects the org
//! has; what the org's rules refuse is left out. It changes nothing through the API, as users of the org would not.

use std::collections::BTreeMap;

use halite_engine::Result;
use halite_engine::format::describe::{Describe, Field, FieldKind};
use halite_engine::ops::state::State;
use halite_simulator::{Bin, Org, Record};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// What people do not make or change as records, or what needs a file's body.
const LEFT_ALONE: [&str; 16] = [
    "User",
    "Profile",
    "RecordType",
    "Organization",
    "Group",
    "GroupMember",
    "UserRole",
    "PermissionSet",
    "PermissionSetAssignment",
    "ContentDocument",
    "ContentVersion",
    "ContentDocumentLink",
    "Attachment",
    "Document",
    "StaticResource",
    "Folder",
];

/// What was done.
#[derive(Debug, Default, Serialize)]
pub struct Made {
    pub edited: u64,
    pub relinked: u64,
    pub added: u64,
    pub deleted: u64,
    pub cascaded: u64,
    pub purged: u64,
    /// What the org's rules did not allow.
    pub refused: u64,
}

struct Changer<'a> {
    org: &'a Org,
    describes: BTreeMap<String, Describe>,
    made: Made,
}

/// Changes the org, which is as `state` says.
pub fn all(org: &Org, state: &State<'_>) -> Result<Made> {
    let mut describes = BTreeMap::new();
    for name in state.sobjects()? {
        if !LEFT_ALONE.contains(&name.as_str()) {
            let describe = state.describe(&name)?;
            if describe.createable && describe.updateable && describe.deletable {
                describes.insert(name, describe);
            }
        }
    }
    let mut changer = Changer {
        org,
        describes,
        made: Made::default(),
    };
    let rows = changer.rows();
    for (turn, (sobject, id)) in rows.iter().enumerate() {
        changer.edit(turn, sobject, id);
    }
    changer.add();
    changer.delete_a_family();
    for (turn, (_, id)) in rows.iter().enumerate() {
        match turn % 22 {
            5 | 16 => changer.delete(id),
            9 => changer.purge(id),
            _ => {}
        }
    }
    changer.purge_a_family();
    Ok(changer.made)
}

impl Changer<'_> {
    /// Every live row that may be changed, by sObject, then Id.
    fn rows(&self) -> Vec<(String, String)> {
        let ids = |name: &String| {
            self.org
                .rows(name)
                .into_iter()
                .filter_map(|row| id(&row))
                .collect::<Vec<_>>()
        };
        self.describes
            .keys()
            .flat_map(|name| ids(name).into_iter().map(move |id| (name.clone(), id)))
            .collect()
    }

    fn edit(&mut self, turn: usize, sobject: &str, id: &str) {
        let Some(describe) = self.describes.get(sobject) else {
            return;
        };
        let Some(row) = self.org.row(id) else { return };
        let fields = describe.fields.iter().filter(|f| f.updateable && !f.calculated);
        let values: Vec<(String, Value)> = match turn % 3 {
            0 => fields
                .filter_map(|f| Some((f.name.clone(), other_value(f, &row)?)))
                .collect(),
            1 if turn % 2 == 1 => fields
                .filter_map(|f| Some((f.name.clone(), self.other_link(f, &row)?)))
                .collect(),
            _ => return,
        };
        let links = turn % 3 == 1;
        let (mut done, mut tried) = (0, 0);
        for (field, value) in values {
            if done >= 2 || tried >= 8 {
                break;
            }
            tried += 1;
            match self.org.update(id, &json!({ field: value })) {
                Ok(()) => done += 1,
                Err(_) => self.made.refused += 1,
            }
        }
        if done > 0 {
            *(if links {
                &mut self.made.relinked
            } else {
                &mut self.made.edited
            }) += 1;
        }
    }

    /// Another record that the reference may point at.
    fn other_link(&self, field: &Field, row: &Record) -> Option<Value> {
        let [target] = field.reference_to.as_slice() else {
            return None;
        };
        let (now, own) = (row.get(&field.name)?.as_str()?, id(row)?);
        let rows = self
            .describes
            .contains_key(target)
            .then(|| self.org.rows(target))?;
        rows.iter()
            .rev()
            .filter_map(id)
            .find(|other| other != now && *other != own)
            .map(Value::String)
    }

    /// One more record of each sObject: the likeness of its first.
    fn add(&mut self) {
        for (name, describe) in &self.describes {
            let Some(row) = self.org.rows(name).into_iter().next() else {
                continue;
            };
            let mut values: Map<String, Value> = Map::new();
            for field in describe
                .fields
                .iter()
                .filter(|f| f.createable && !f.calculated && !f.auto_number)
            {
                let unique = field.unique || field.external_id;
                match row.get(&field.name) {
                    Some(value) if !value.is_null() && !unique => {
                        drop(values.insert(field.name.clone(), value.clone()))
                    }
                    _ => {}
                }
            }
            if values.contains_key("LastName") {
                values.remove("Name");
            }
            for key in ["Name", "LastName", "Subject", "DeveloperName"] {
                if let Some(Value::String(text)) = values.get_mut(key) {
                    *text = "Added between the backups".into();
                }
            }
            match self.org.create(name, &Value::Object(values)) {
                Ok(_) => self.made.added += 1,
                Err(_) => self.made.refused += 1,
            }
        }
    }

    fn live(&self) -> u64 {
        self.describes
            .keys()
            .map(|name| self.org.rows(name).len() as u64)
            .sum()
    }

    fn delete(&mut self, id: &str) {
        if self.org.bin(id) != Bin::Live {
            return;
        }
        let before = self.live();
        match self.org.delete(id) {
            Ok(()) => {
                self.made.deleted += before - self.live();
                self.made.cascaded += (before - self.live()).saturating_sub(1);
            }
            Err(_) => self.made.refused += 1,
        }
    }

    fn purge(&mut self, id: &str) {
        if !matches!(self.org.bin(id), Bin::Live | Bin::InBin) {
            return;
        }
        let before = self.live();
        match self.org.purge(&[id]) {
            Ok(()) => self.made.purged += (before - self.live()).max(1),
            Err(_) => self.made.refused += 1,
        }
    }

    /// The records that have others which go with them, one an sObject, in order.
    fn parents(&self) -> Vec<String> {
        let mut parents: BTreeMap<String, String> = BTreeMap::new();
        for (name, describe) in &self.describes {
            for field in describe.fields.iter().filter(|f| f.cascade_delete) {
                let held = self.org.rows(name);
                let pointed = held.iter().filter_map(|row| row.get(&field.name)?.as_str());
                for target in field
                    .reference_to
                    .iter()
                    .filter(|t| self.describes.contains_key(*t))
                {
                    let own = pointed.clone().filter(|id| {
                        self.org
                            .rows(target)
                            .iter()
                            .any(|r| self::id(r).as_deref() == Some(id))
                    });
                    if let Some(id) = own.min() {
                        parents.entry(target.clone()).or_insert_with(|| id.to_owned());
                    }
                }
            }
        }
        parents.into_values().collect()
    }

    fn delete_a_family(&mut self) {
        if let Some(id) = self.parents().first().cloned() {
            self.delete(&id);
        }
    }

    fn purge_a_family(&mut self) {
        if let Some(id) = self.parents().last().cloned() {
            self.purge(&id);
        }
    }
}

fn id(row: &Record) -> Option<String> {
    row.get("Id")?.as_str().map(str::to_owned)
}

/// Another value for a field that is plainly the users' own.
fn other_value(field: &Field, row: &Record) -> Option<Value> {
    let now = row.get(&field.name)?;
    if field.is_reference() || field.unique || field.external_id {
        return None;
    }
    match (field.kind, now) {
        (FieldKind::Text, Value::String(text)) if text.contains('@') || text.contains("://") => None,
        (FieldKind::Text, Value::String(_)) => Some("Edited".into()),
        (FieldKind::Text, Value::Null) => Some("Filled in".into()),
        (FieldKind::Boolean, Value::Bool(on)) => Some((!on).into()),
        (FieldKind::Number, Value::Number(_)) => Some(7.into()),
        (FieldKind::Date, Value::String(_)) => Some("2026-02-28".into()),
        _ => None,
    }
}
