//! The values of one row, field by field.
//!
//! Key decision: values are given as a client would give them and go through the rules of a save, so that a
//! generated org is one that can exist. References lead to rows made before, the first ones far more often.
//! Not here: which fields (`tables`), when a row was made and edited (`super`).

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::random::Random;
use super::words::{self, Words};
use crate::id::Key;
use crate::org::{State, stamp};
use crate::schema::{self, ObjectDef};

/// What a field's value is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Make {
    Company,
    First,
    Last,
    Email,
    Phone,
    Url,
    Street,
    City,
    Postal,
    Country,
    /// A value of the field's picklist.
    Choice,
    /// Several of them.
    Many,
    /// Up to so many words.
    Line(u64),
    /// Free text of about so many bytes.
    Prose(u64),
    /// An amount below so many cents.
    Money(u64),
    /// A whole number below this.
    Whole(u64),
    /// 0 to 100, with two decimals.
    Percent,
    /// A day up to so many before the row was made, or some after.
    Day(i64),
    /// A time around the row's making.
    Instant,
    /// A time of day.
    Time,
    /// True so many times in a hundred.
    Flag(u32),
    /// A number of another system, unique.
    Code(&'static str),
    /// A user, few of them owning most rows.
    Owner,
    /// A row of one of these objects.
    Any(&'static [&'static str]),
    /// The row of an object that was made at the same place.
    Nth(&'static str),
    /// What the row behind a reference has in a field.
    Via(&'static str, &'static str),
}

/// How a field is filled.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub name: String,
    /// Rows in a hundred that have a value.
    pub filled: u32,
    pub make: Make,
}

impl Field {
    pub fn new(name: &str, filled: u32, make: Make) -> Self {
        Self {
            name: name.to_owned(),
            filled,
            make,
        }
    }

    /// Whether an edit may change it.
    pub fn editable(&self, def: &ObjectDef) -> bool {
        let fixed = matches!(
            self.make,
            Make::Code(_) | Make::Nth(_) | Make::Via(..) | Make::Any(_)
        );
        !fixed && def.field(&self.name).is_some_and(|f| f.updateable)
    }
}

/// Rows made so far, by object.
pub(super) type Made = HashMap<String, Vec<Key>>;

/// What values are made from.
pub(super) struct Maker<'a> {
    pub state: &'a State,
    pub words: &'a Words,
    pub made: &'a Made,
    pub users: &'a [String],
    pub random: &'a mut Random,
}

/// The row that a value is made for.
pub(super) struct Place<'a> {
    pub def: &'a ObjectDef,
    /// Its number among the rows of its object.
    pub number: usize,
    /// When it was made.
    pub at: Timestamp,
}

impl Maker<'_> {
    /// A value of a row whose fields so far are given; `None` where there is nothing to be had.
    pub fn value(self, field: &Field, place: &Place<'_>, row: &Map<String, Value>) -> Option<Value> {
        let random = self.random;
        let definition = place.def.field(&field.name)?;
        Some(match field.make {
            Make::Choice => json!(choice(definition, random)?),
            Make::Many => {
                let mut several: Vec<&str> = (0..1 + random.skewed(4))
                    .filter_map(|_| choice(definition, random))
                    .collect();
                several.sort_unstable();
                several.dedup();
                json!(several.join(";"))
            }
            Make::Owner => json!(self.users[random.place(self.users.len())]),
            Make::Any(objects) => {
                // An activity with a lead is about the lead alone.
                let lead = row
                    .get("WhoId")
                    .and_then(Value::as_str)
                    .is_some_and(|id| id.starts_with("00Q"));
                if field.name == "WhatId" && lead {
                    return None;
                }
                let rows = self.made.get(objects[random.place(objects.len())])?;
                json!(rows.get(random.place(rows.len()))?.text())
            }
            Make::Nth(object) => json!(self.made.get(object)?.get(place.number)?.text()),
            Make::Via(reference, of) => {
                let id = row.get(reference).and_then(Value::as_str)?;
                self.state.row(id)?.values.get(of)?
            }
            Make::Code(prefix) => json!(format!("{prefix}{:08}", place.number)),
            Make::Flag(percent) => json!(random.percent(percent)),
            Make::Money(cents) => json!(random.skewed(cents) as f64 / 100.0),
            Make::Whole(limit) => json!(random.skewed(limit)),
            Make::Percent => json!(random.below(10_001) as f64 / 100.0),
            make => json!(text(make, place.at, self.words, random)),
        })
    }
}

fn text(make: Make, at: Timestamp, words: &Words, random: &mut Random) -> String {
    match make {
        Make::Company => words.company(random),
        Make::First => random.pick(words::FIRST).to_owned(),
        Make::Last => random.pick(words::LAST).to_owned(),
        Make::Email => words.email(random),
        Make::Phone => words::phone(random),
        Make::Url => words.url(random),
        Make::Street => words::street(random),
        Make::City => random.pick(words::CITIES).to_owned(),
        Make::Country => random.pick(words::COUNTRIES).to_owned(),
        Make::Line(most) => words.line(random, most),
        Make::Prose(bytes) => words.prose(random, bytes),
        Make::Day(span) => {
            let day = around(at, span * 24, random);
            stamp(day)[..10].to_owned()
        }
        Make::Instant => stamp(around(at, 1_000, random)),
        Make::Time => format!("{:02}:{:02}:00.000Z", random.below(24), 15 * random.below(4)),
        // Postal codes; the others are no text.
        _ => format!("{:05}", random.skewed(100_000)),
    }
}

/// A time up to so many hours before another, or a tenth of that after it.
fn around(at: Timestamp, hours: i64, random: &mut Random) -> Timestamp {
    let shift =
        random.skewed(hours.unsigned_abs()) as i64 - random.below(hours.unsigned_abs() / 10 + 1) as i64;
    at - SignedDuration::from_hours(shift)
}

/// An active value of a picklist, those that stand first more often.
fn choice<'a>(field: &'a schema::Field, random: &mut Random) -> Option<&'a str> {
    let place = random.place(field.choices.len());
    field
        .choices
        .get(place)
        .filter(|c| c.active)
        .map(|c| c.value.as_str())
}
