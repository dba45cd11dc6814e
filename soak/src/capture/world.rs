//! An org and those who work in it: one small deed at a time, out of a seed, and what was true after each.
//!
//! Key decision: after every deed the tables are looked at whole, so that cascades, merges and late commits are noted
//! as they show; only texts are compared, which every API gives in the same letters. It reads nothing over HTTP.

use std::collections::BTreeMap;
use std::time::Duration;

use halite_simulator::{Chaos, LateTransaction, Org, Permission, Sharing};
use serde_json::{Value, json};

use crate::dice::Dice;

/// What people work on.
pub const OBJECTS: [&str; 4] = ["Account", "Contact", "Case", "Lead"];
/// The fields of each that are compared.
pub const TEXTS: [&[&str]; 4] = [
    &["Name", "Description"],
    &["LastName", "Title"],
    &["Subject", "Description"],
    &["LastName", "Company"],
];
/// Rows of the sample that each history begins with, an object.
const KEPT: usize = 8;

/// A record's texts; none while it is not live.
pub type Shown = Option<Vec<String>>;

/// The org, and every state that its records had.
pub struct World {
    pub org: Org,
    dice: Dice,
    late: Vec<LateTransaction>,
    serial: u64,
    blind: bool,
    /// Of each object and Id: from when on it was shown so.
    pub past: Vec<BTreeMap<String, Vec<(i64, Shown)>>>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let org = Org::sample();
        let mut dice = Dice::new(seed, 7);
        for object in OBJECTS.iter().rev() {
            for row in org.rows(object).iter().skip(KEPT) {
                let _ = org.expire(&[row["Id"].as_str().unwrap_or_default()]);
            }
        }
        org.configure(|s| {
            s.seed = seed;
            s.page_size = 3 + dice.below(30) as usize;
            s.bulk.page_rows = 3 + dice.below(30) as usize;
            s.cascade_stamps = dice.below(2) == 0;
            s.access.sharing.insert("Lead".into(), Sharing::Private);
            s.daily_requests = 1_000_000;
        });
        let mut world = Self {
            org,
            dice,
            late: Vec::new(),
            serial: 0,
            blind: true,
            past: vec![BTreeMap::new(); OBJECTS.len()],
        };
        world.note();
        world
    }

    /// How answers break: not at all, seldom, often.
    pub fn weather(&mut self, bad: u64) {
        let chaos = Chaos::spread([0.0, 0.01, 0.05][bad as usize % 3]);
        self.org.configure(|s| s.chaos = chaos);
    }

    /// A capture is over: rights may be lost again.
    pub fn captured(&mut self) {
        self.blind = false;
    }

    /// One deed.
    pub fn step(&mut self) {
        self.org
            .clock()
            .advance(Duration::from_millis(self.dice.below(2500)));
        let at = self.dice.below(OBJECTS.len() as u64) as usize;
        let object = OBJECTS[at];
        let values = self.values(at);
        match self.dice.below(100) {
            0..25 => drop(self.org.create(object, &values)),
            25..52 => self.with_row(object, |world, id| drop(world.org.update(&id, &values))),
            52..62 => self.with_row(object, |world, id| drop(world.org.delete(&id))),
            62..68 => self.with_deleted(object, |org, id| drop(org.undelete(id))),
            68..72 => self.with_deleted(object, |org, id| drop(org.purge(&[id]))),
            72..74 => self.with_row(object, |world, id| drop(world.org.purge(&[&id]))),
            74 => self.org.expire_purged(),
            75..78 => self.merge(object),
            // The commit of an open transaction would set stamps back, which no real one does.
            78 if self.late.is_empty() => drop(self.org.restamp(object)),
            79..86 => self.late(at),
            86..91 => self.end_late(),
            91 => self.lose_sight(),
            92..94 => self.rights(|p| {
                p.grant(Permission::ViewAllData);
                p.grant(Permission::ModifyAllData);
                p.object("Case").read = true;
            }),
            94 => self.org.expire_locators(),
            _ => self
                .org
                .clock()
                .advance(Duration::from_secs(self.dice.below(400))),
        }
        self.note();
    }

    fn values(&mut self, at: usize) -> Value {
        self.serial += 1;
        let text = |n: u64| {
            let awkward = [
                "plain",
                "a,b;c",
                "\"quoted\"",
                "Zoë 岩塩",
                "two\nlines",
                "NA",
                "null",
            ];
            format!("{} {}", awkward[n as usize % awkward.len()], self.serial)
        };
        let names = TEXTS[at];
        json!({ names[0]: text(self.serial).replace('\n', " "), names[1]: text(self.serial / 3) })
    }

    fn with_row(&mut self, object: &str, act: impl FnOnce(&mut Self, String)) {
        let rows = self.org.rows(object);
        if rows.is_empty() {
            return;
        }
        let row = &rows[self.dice.below(rows.len() as u64) as usize];
        let id = row["Id"].as_str().unwrap_or_default().to_owned();
        act(self, id);
    }

    fn with_deleted(&mut self, object: &str, act: impl FnOnce(&Org, &str)) {
        let ids = self.org.deleted(object);
        if !ids.is_empty() {
            act(&self.org, &ids[self.dice.below(ids.len() as u64) as usize]);
        }
    }

    fn merge(&mut self, object: &str) {
        let rows = self.org.rows(object);
        if let [winner, loser, ..] = &rows[..] {
            let id = |row: &Value| row.as_str().unwrap_or_default().to_owned();
            let _ = self.org.merge(&id(&winner["Id"]), &[&id(&loser["Id"])]);
        }
    }

    /// Something that commits later, with the stamps of now.
    fn late(&mut self, at: usize) {
        if self.late.len() > 2 {
            return;
        }
        let late = self.org.begin_late();
        let values = self.values(at);
        let _ = late.create(OBJECTS[at], &values);
        let rows = self.org.rows(OBJECTS[at]);
        if !rows.is_empty() {
            let row = &rows[self.dice.below(rows.len() as u64) as usize];
            let id = row["Id"].as_str().unwrap_or_default();
            let values = self.values(at);
            let _ = match self.dice.below(3) {
                0 => late.delete(id),
                _ => late.update(id, &values),
            };
        }
        self.late.push(late);
    }

    fn end_late(&mut self) {
        if self.late.is_empty() {
            return;
        }
        let late = self.late.remove(self.dice.below(self.late.len() as u64) as usize);
        if self.dice.below(5) == 0 {
            late.roll_back();
        } else {
            late.commit();
        }
    }

    /// Once in a capture at most, and not before the first: what is lost and found again within one shows nowhere.
    fn lose_sight(&mut self) {
        if std::mem::replace(&mut self.blind, true) {
            return;
        }
        let case = self.dice.below(3) == 0;
        self.rights(|p| {
            if case {
                p.object("Case").read = false;
            } else {
                p.revoke(Permission::ViewAllData);
                p.revoke(Permission::ModifyAllData);
            }
        });
    }

    fn rights(&self, change: impl FnOnce(&mut halite_simulator::Permissions)) {
        self.org.permit(&self.org.api_user(), change);
    }

    /// The org's clock, in milliseconds.
    pub fn now(&self) -> i64 {
        self.org.clock().now().as_millisecond()
    }

    /// Notes what is shown now and was shown otherwise before.
    fn note(&mut self) {
        let now = self.now();
        for (at, object) in OBJECTS.iter().enumerate() {
            let mut live: BTreeMap<String, Shown> = BTreeMap::new();
            for row in self.org.rows(object) {
                let id = row["Id"].as_str().unwrap_or_default().to_owned();
                let text = |name: &&str| {
                    row.get(*name)
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .to_owned()
                };
                live.insert(id, Some(TEXTS[at].iter().map(text).collect()));
            }
            for (id, states) in &mut self.past[at] {
                let shown = live.remove(id).flatten();
                if states.last().is_none_or(|(_, last)| *last != shown) {
                    states.push((now, shown));
                }
            }
            for (id, shown) in live {
                self.past[at].insert(id, vec![(i64::MIN, None), (now, shown)]);
            }
        }
    }
}
