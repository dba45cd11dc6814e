//! What happens to the org between two backups of the demo: edits, new links, additions, deletes and purges.
//!
//! Key decision: chosen by counting, so that every run on the same org does the same, on whatever sObjects the org
//! has; what the org's rules refuse is left out. It changes nothing through the API, as users of the org would not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use halite_engine::format::describe::{Describe, Field, FieldKind};
use halite_engine::ops::state::State;
use halite_engine::{Error, Kind, Result};
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

/// Of an sObject with more rows only the first so many are changed.
const MOST: usize = 200;

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
    /// The Ids of what may be changed, by sObject, as they were at first.
    ids: BTreeMap<String, Vec<String>>,
    cancel: &'a AtomicBool,
    made: Made,
}

/// Changes the org, which is as `state` says.
pub fn all(org: &Org, state: &State<'_>, cancel: &AtomicBool) -> Result<Made> {
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
        ids: BTreeMap::new(),
        cancel,
        made: Made::default(),
    };
    changer.ids = changer.live_ids();
    let rows = changer.rows();
    for (turn, (sobject, id)) in rows.iter().enumerate() {
        changer.go_on()?;
        changer.edit(turn, sobject, id);
    }
    changer.add();
    changer.delete_a_family();
    for (turn, (_, id)) in rows.iter().enumerate() {
        changer.go_on()?;
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
    fn go_on(&self) -> Result<()> {
        if self.cancel.load(Ordering::SeqCst) {
            return Err(Error::new(
                Kind::Interrupted,
                "interrupted while the org was changed",
            ));
        }
        Ok(())
    }

    /// The Ids of every live row that may be changed, by sObject, in order.
    fn live_ids(&self) -> BTreeMap<String, Vec<String>> {
        let ids = |name: &String| self.org.rows(name).iter().filter_map(id).collect();
        self.describes
            .keys()
            .map(|name| (name.clone(), ids(name)))
            .collect()
    }

    /// The first rows of each sObject, enough to change.
    fn rows(&self) -> Vec<(String, String)> {
        let first = |(name, ids): (&String, &Vec<String>)| {
            let pairs = ids.iter().take(MOST).map(|id| (name.clone(), id.clone()));
            pairs.collect::<Vec<_>>()
        };
        self.ids.iter().flat_map(first).collect()
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
        let mut others = self.ids.get(target)?.iter().rev();
        others
            .find(|other| *other != now && **other != own)
            .map(|other| Value::String(other.clone()))
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

    /// How many of the rows that were there at first are live.
    fn live(&self) -> u64 {
        let live = |ids: &Vec<String>| ids.iter().filter(|id| self.org.bin(id) == Bin::Live).count() as u64;
        self.ids.values().map(live).sum()
    }

    fn delete(&mut self, id: &str) {
        if self.org.bin(id) != Bin::Live {
            return;
        }
        let before = self.live();
        match self.org.delete(id) {
            Ok(()) => {
                let gone = before - self.live();
                self.made.deleted += gone;
                self.made.cascaded += gone.saturating_sub(1);
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
                let pointed: BTreeSet<&str> = held
                    .iter()
                    .filter_map(|row| row.get(&field.name)?.as_str())
                    .collect();
                for target in &field.reference_to {
                    let known = self.ids.get(target).into_iter().flatten();
                    if let Some(id) = known.into_iter().find(|id| pointed.contains(id.as_str())) {
                        parents.entry(target.clone()).or_insert_with(|| id.clone());
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
