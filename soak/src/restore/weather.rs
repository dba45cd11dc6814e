//! What happens to a restore while it runs: broken replies, kills, locks, a full storage, rules, automation, others at work.
//!
//! Key decision: each seed draws a few of these, and each run of the plan gets its own; at the end the sky clears. What was
//! done is kept, since only what was done excuses a difference. It judges nothing.

use std::collections::{BTreeMap, BTreeSet};

use halite_engine::ops::restore::apply::Applied;
use halite_engine::ops::restore::journal::Final;
use halite_engine::ops::restore::plan::{Action, Plan};
use halite_simulator::{Chaos, Deed, Fault, Script};
use serde_json::{Value, json};

use super::carry::Notes;
use super::truth::Tables;
use super::world::{AUTO, OBJECTS, World};

/// A value that a save sets by itself: object, field.
const SETS: [(&str, &str); 3] = [
    ("Contact", "Title"),
    ("Opportunity", "NextStep"),
    ("Shipment__c", "Remarks__c"),
];

/// What may happen, and what did.
#[derive(Debug, Default)]
pub struct Weather {
    faults: bool,
    kills: bool,
    locks: bool,
    storage: bool,
    others: bool,
    clear: bool,
    soon: bool,
    /// Rows that others wrote to since the plan was made, directly or not.
    pub touched: BTreeSet<String>,
    /// Rows that another one edited before the first run, with the values that he left.
    pub edited: BTreeMap<String, Value>,
    /// Rows that were locked during a run.
    pub locked: BTreeSet<String>,
    /// Fields that automation sets, and objects of which it makes rows.
    pub sets: BTreeSet<(&'static str, &'static str)>,
    pub makes: BTreeSet<&'static str>,
    /// Objects with a validation rule that old rows may break.
    pub ruled: BTreeSet<&'static str>,
    /// Whether replies were lost, or a run was killed.
    pub lost: bool,
    runs: u32,
}

impl Weather {
    /// What this seed is to meet; rules and automation are there from the start.
    pub fn new(world: &mut World, plan: &Plan) -> Result<Self, String> {
        let mut weather = Self {
            faults: world.dice.chance(1, 2),
            kills: world.dice.chance(1, 3),
            locks: world.dice.chance(1, 5),
            storage: world.dice.chance(1, 8),
            others: world.dice.chance(1, 4),
            ..Self::default()
        };
        if world.dice.chance(1, 5) {
            weather.automate(world)?;
        }
        if world.dice.chance(1, 6) {
            let (object, rule) = [
                ("Contact", "ISBLANK(Title)"),
                ("Account", "AnnualRevenue > 45000"),
                ("Crystal__c", "Grade__c > 4"),
            ][world.dice.below(3) as usize];
            world.org.add_rule(object, rule, "not so", None)?;
            weather.ruled.insert(object);
        }
        if weather.others {
            for _ in 0..=world.dice.below(4) {
                weather.meddle(world, plan);
            }
        }
        Ok(weather)
    }

    /// The same org, where the restore is taken back: nobody else works in it meanwhile.
    pub fn back(&self, world: &mut World) -> Self {
        Self {
            faults: world.dice.chance(1, 3),
            kills: world.dice.chance(1, 4),
            touched: self.touched.clone(),
            sets: self.sets.clone(),
            makes: self.makes.clone(),
            ruled: self.ruled.clone(),
            ..Self::default()
        }
    }

    fn automate(&mut self, world: &mut World) -> Result<(), String> {
        let text = format!("'{AUTO}'");
        match world.dice.below(4) {
            0 => {
                let (object, field) = SETS[world.dice.below(3) as usize];
                world
                    .org
                    .on_save(object, "sets", None, Deed::SetField(field.into(), text))?;
                self.sets.insert((object, field));
            }
            1 => {
                let row = [("Subject".to_owned(), text)].into();
                world
                    .org
                    .on_save("Opportunity", "makes", None, Deed::CreateRow("Task".into(), row))?;
                self.makes.insert("Task");
            }
            2 => {
                let row = [("Subject".to_owned(), text)].into();
                world
                    .org
                    .on_undelete("Account", "makes", None, Deed::CreateRow("Task".into(), row))?;
                self.makes.insert("Task");
            }
            _ => {
                let deed = Deed::UpdateParent("AccountId".into(), "Site".into(), text);
                world.org.on_save("Contact", "parent", None, deed)?;
                self.sets.insert(("Account", "Site"));
            }
        }
        Ok(())
    }

    /// Somebody works in the org, often on what the plan is about.
    fn meddle(&mut self, world: &mut World, plan: &Plan) {
        let before = Tables::of(&world.org);
        let op = world.dice.pick(&plan.operations).cloned();
        match (world.dice.below(6), op) {
            (0, Some(op)) if op.action == Action::Edit => {
                let id = op.id.to_string();
                let mut values = world.values(&op.sobject);
                let planned = op.fields.open().unwrap_or_default();
                if let Some(map) = values.as_object_mut() {
                    map.retain(|name, value| planned.contains_key(name) && !value.is_null());
                }
                if world.org.update(&id, &values).is_ok() && self.runs == 0 {
                    self.edited.insert(id, values);
                }
            }
            (1, Some(op)) if op.action == Action::Edit => drop(world.org.delete(&op.id.to_string())),
            (2, Some(op)) if op.action == Action::Undelete => drop(world.org.undelete(&op.id.to_string())),
            (3, Some(op)) if op.action == Action::Undelete => drop(world.org.purge(&[&op.id.to_string()])),
            (4, _) => world.delete(),
            _ => world.edit(),
        }
        self.touched.extend(Tables::of(&world.org).changed(&before));
    }

    /// Before a run.
    pub fn changes(&mut self, world: &mut World, notes: &mut Notes) {
        if self.soon {
            return self.clears(world, notes);
        }
        self.clear = true;
        if self.runs > 0 && self.others && world.dice.chance(1, 3) {
            // On anything: what the plan is about may be done already.
            let before = Tables::of(&world.org);
            world.edit();
            self.touched.extend(Tables::of(&world.org).changed(&before));
        }
        if self.faults && world.dice.chance(3, 4) {
            (self.clear, self.lost) = (false, true);
            self.fault(world);
        }
        notes.dies = None;
        if self.kills && world.dice.chance(3, 4) {
            (self.clear, self.lost) = (false, true);
            notes.dies = Some((world.dice.below(60) as usize, world.dice.chance(1, 2)));
        }
        if self.locks && world.dice.chance(1, 2) {
            self.clear = false;
            for _ in 0..=world.dice.below(3) {
                let object = OBJECTS[world.dice.below(OBJECTS.len() as u64) as usize];
                if let Some(id) = world.pick(object) {
                    world.org.lock_row(&id);
                    self.locked.insert(id);
                }
            }
        }
        if self.storage && world.dice.chance(1, 2) {
            self.clear = false;
            world.org.configure(|s| s.limits.data_storage_mb = 0);
        }
        self.runs += 1;
    }

    fn fault(&self, world: &mut World) {
        let script = |contains: &str, method: &str, after: u64, fault| Script {
            contains: contains.into(),
            method: Some(method.into()),
            after: u32::try_from(after).unwrap_or_default(),
            ..Script::new(fault)
        };
        let lost = [
            Fault::AppliedButLost,
            Fault::Drop,
            Fault::HalfBody,
            Fault::CutJson,
            Fault::SessionExpires,
            Fault::Html(502),
            Fault::Error {
                status: 503,
                code: "SERVER_UNAVAILABLE",
                message: "busy",
            },
        ];
        match world.dice.below(3) {
            0 => world.org.configure(|s| s.chaos = Chaos::spread(0.03)),
            1 => world.org.configure(|s| s.chaos = Chaos::spread(0.15)),
            _ => {
                for _ in 0..=world.dice.below(3) {
                    let fault = lost[world.dice.below(lost.len() as u64) as usize].clone();
                    let (what, method) = [
                        ("/composite/sobjects", "POST"),
                        ("/composite/sobjects", "PATCH"),
                        ("/Soap/", "POST"),
                        ("/query", "GET"),
                    ][world.dice.below(4) as usize];
                    world.org.script(script(what, method, world.dice.below(8), fault));
                }
            }
        }
    }

    /// From now on nothing goes wrong.
    pub fn clears(&mut self, world: &mut World, notes: &mut Notes) {
        self.over(world);
        notes.dies = None;
        (self.clear, self.runs) = (true, self.runs + 1);
    }

    /// The next run sees a clear sky.
    pub fn clears_soon(&mut self) {
        self.soon = true;
    }

    /// After a run.
    pub fn over(&mut self, world: &mut World) {
        world.org.configure(|s| {
            s.chaos = Chaos::default();
            s.limits.data_storage_mb = 1_000;
        });
        world.org.clear_faults();
        for id in world.org.locked_rows() {
            world.org.unlock_row(&id);
        }
    }

    /// Whether nothing goes wrong in this run.
    pub fn is_clear(&self) -> bool {
        self.clear
    }
}

/// Whether another run would do nothing.
pub fn is_settled(applied: &Applied) -> bool {
    let open = |end: &Final| matches!(end, Final::Unknown(_) | Final::Skipped(_));
    !applied.outcomes.ends.values().any(open)
}

/// A value for a field that automation set.
pub fn auto() -> Value {
    json!(AUTO)
}
