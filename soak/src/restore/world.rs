//! An org and what people do in it: rows of every kind that point at each other, made, edited, deleted, merged.
//!
//! Key decision: one deed is one call of the org behind the API's back, out of the seed; what the org refuses does not
//! happen. Unique values are used once, so that a refusal for one is always a finding. It notes nothing: the tables
//! are looked at by `truth`.

use std::time::Duration;

use halite_simulator::Org;
use serde_json::{Value, json};

use super::values::lease;
use crate::dice::Dice;

/// What is captured and brought back; parents come before what needs them. Trees, rings of lookups, references to
/// several sObjects, a master with details, a detail of two masters, lookups that forbid deletes.
pub const OBJECTS: [&str; 20] = [
    "Account",
    "Contact",
    "Lead",
    "Campaign",
    "Opportunity",
    "OpportunityContactRole",
    "CampaignMember",
    "Case",
    "CaseComment",
    "Task",
    "Event",
    "Mine__c",
    "Shaft__c",
    "Shipment__c",
    "Crystal__c",
    "Lease__c",
    "ContentDocument",
    "ContentVersion",
    "ContentDocumentLink",
    "Attachment",
];
/// How many of them are files.
const FILES: usize = 4;

/// Rows of the sample that each history begins with, an object.
const KEPT: usize = 5;
/// A text that a save may put into a row by itself begins so.
pub const AUTO: &str = "auto";
/// Where what is created carries its old Id.
pub const MARKER: &str = "Old_Id__c";

/// The org, and the dice of those who work in it.
pub struct World {
    pub org: Org,
    pub dice: Dice,
    pub serial: u64,
    /// How many of the objects people work on.
    kinds: usize,
    /// Whether some accounts are persons.
    pub persons: bool,
}

impl World {
    pub fn new(seed: u64, files: bool) -> Result<Self, String> {
        let org = Org::sample().with_describe(&lease()).map_err(|e| e.to_string())?;
        let mut dice = Dice::new(seed, 9);
        for object in OBJECTS.iter().rev() {
            let kept = if OBJECTS[OBJECTS.len() - FILES..].contains(object) && !files {
                0
            } else {
                KEPT
            };
            for row in org.rows(object).iter().skip(kept) {
                let _ = org.expire(&[row["Id"].as_str().unwrap_or_default()]);
            }
        }
        org.configure(|s| {
            s.seed = seed;
            s.page_size = 3 + dice.below(60) as usize;
            s.cascade_stamps = dice.chance(1, 2);
            s.daily_requests = 10_000_000;
        });
        let mut more = Dice::new(seed, 11);
        let persons = more.chance(1, 6);
        if persons {
            org.enable_person_accounts();
        }
        Ok(Self {
            org,
            dice,
            serial: 0,
            kinds: OBJECTS.len() - if files { 0 } else { FILES },
            persons,
        })
    }

    /// Gives every object a field for old Ids.
    pub fn mark(&self) -> Result<(), String> {
        let field = json!({"name": MARKER, "label": "Old Id", "type": "string", "length": 18, "createable": true,
            "updateable": true, "nillable": true, "filterable": true, "sortable": true, "externalId": true,
            "unique": true, "idLookup": true, "custom": true});
        OBJECTS
            .iter()
            .try_for_each(|object| self.org.set_field(object, &field).map_err(|e| e.to_string()))
    }

    /// A day like any other.
    pub fn step(&mut self) {
        match self.dice.below(100) {
            0..22 => self.create(),
            22..50 => self.edit(),
            50..62 => self.delete(),
            62..67 => self.purge(),
            67..73 => self.undelete(),
            73..77 => self.merge(),
            77..83 => self.again(),
            83..88 => self.ring(),
            88..90 => self.org.expire_purged(),
            90..93 => {
                let object = self.any();
                if let Some(id) = self.pick(object) {
                    self.org.view(&id);
                }
            }
            _ => self.wait(),
        }
    }

    /// Something that no one would do on purpose.
    pub fn disaster(&mut self) {
        let object = self.any();
        match self.dice.below(5) {
            0 => self.all(object, |world, id| drop(world.org.delete(id))),
            1 => self.all(object, |world, id| drop(world.org.purge(&[id]))),
            2 => {
                self.all(object, |world, id| drop(world.org.purge(&[id])));
                self.org.expire_purged();
            }
            3 => self.all(object, |world, id| {
                let mut values = world.values(object);
                if let Some(map) = values.as_object_mut() {
                    map.retain(|_, value| !value.is_null());
                }
                drop(world.org.update(id, &values));
            }),
            _ => {
                // Whatever can be emptied is.
                self.all(object, |world, id| {
                    let mut values = world.values(object);
                    if let Some(map) = values.as_object_mut() {
                        // Nothing empties a file.
                        let is_file = |name: &str| ["Body", "VersionData"].contains(&name);
                        map.retain(|name, _| !name.ends_with("Name") && !is_file(name));
                        map.values_mut().for_each(|value| *value = Value::Null);
                    }
                    for (name, _) in values.as_object().cloned().unwrap_or_default() {
                        drop(world.org.update(id, &json!({ name: null })));
                    }
                });
            }
        }
    }

    fn all(&mut self, object: &str, mut deed: impl FnMut(&mut Self, &str)) {
        for row in self.org.rows(object) {
            deed(self, row["Id"].as_str().unwrap_or_default());
        }
    }

    fn any(&mut self) -> &'static str {
        OBJECTS[self.dice.below(self.kinds as u64) as usize]
    }

    pub fn wait(&mut self) {
        let seconds = self.dice.below(5_400);
        self.org.clock().advance(Duration::from_secs(seconds));
    }

    /// A live row.
    pub fn pick(&mut self, object: &str) -> Option<String> {
        let rows = self.org.rows(object);
        let row = self.dice.pick(&rows)?;
        row["Id"].as_str().map(str::to_owned)
    }

    fn create(&mut self) {
        let object = self.any();
        let values = self.values(object);
        let _ = self.org.create(object, &values);
    }

    pub fn edit(&mut self) {
        let object = self.any();
        let mut values = self.values(object);
        if let (Some(id), Some(map)) = (self.pick(object), values.as_object_mut()) {
            // A body is another file, not an edit of this one.
            map.retain(|name, _| self.dice.chance(1, 2) && !["VersionData", "Body"].contains(&name.as_str()));
            let _ = self.org.update(&id, &values);
        }
    }

    pub fn delete(&mut self) {
        let object = self.any();
        drop(self.pick(object).map(|id| self.org.delete(&id)));
    }

    pub fn purge(&mut self) {
        let object = self.any();
        let id = match self.dice.chance(1, 2) {
            true => self.pick(object),
            false => self.dice.pick(&self.org.deleted(object)).cloned(),
        };
        drop(id.map(|id| self.org.purge(&[&id])));
    }

    pub fn undelete(&mut self) {
        let object = self.any();
        let ids = self.org.deleted(object);
        drop(self.dice.pick(&ids).map(|id| self.org.undelete(id)));
    }

    fn merge(&mut self) {
        let object = ["Account", "Contact", "Lead", "Case"][self.dice.below(4) as usize];
        if let (Some(winner), Some(loser)) = (self.pick(object), self.pick(object)) {
            let _ = self.org.merge(&winner, &[&loser]);
        }
    }

    /// A row goes, and another takes its name.
    fn again(&mut self) {
        let object = self.any();
        let Some(old) = self.pick(object).and_then(|id| self.org.row(&id)) else {
            return;
        };
        let id = old["Id"].as_str().unwrap_or_default();
        let gone = match self.dice.chance(1, 2) {
            true => self.org.purge(&[id]),
            false => self.org.delete(id),
        };
        let mut values = self.values(object);
        for name in ["Name", "FirstName", "LastName", "Subject"] {
            if let (Some(value), Some(was)) = (values.get_mut(name), old.get(name)) {
                *value = was.clone();
            }
        }
        if gone.is_ok() {
            let _ = self.org.create(object, &values);
        }
    }

    /// Rows that point at each other in a circle, of one to four.
    fn ring(&mut self) {
        let (object, field) =
            [("Contact", "ReportsToId"), ("Shaft__c", "Connected_To__c")][self.dice.below(2) as usize];
        let rows: Vec<String> = (0..=self.dice.below(4))
            .filter_map(|_| self.pick(object))
            .collect();
        for (at, id) in rows.iter().enumerate() {
            let next = &rows[(at + 1) % rows.len()];
            let _ = self.org.update(id, &json!({ field: next }));
        }
    }
}
