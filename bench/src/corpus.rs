//! A corpus: how many records there are on a day, and the line of each.
//!
//! Key decision: a value is a function of (seed, row, field, day of the field's last edit), found by asking each day
//! whether it edited the row; nothing is kept between rows.
//! This is not random access by Id: lines are asked for by row, and Ids ascend with rows.

mod days;
mod value;

use std::io::Write;

pub use days::{Days, Pattern};

use crate::fields::{Field, Kind};
use crate::random::Random;
use crate::sobject::{Counts, SObject};
use crate::values;

/// 2026-01-01 as days since 1970: the day of the first state.
const DAY_ZERO: i64 = 20_454;
/// Rows are sampled so many times to find the size of a record without its filler.
const SAMPLE: u64 = 2_000;
/// A field that is filled in fewer records in a hundred is left alone: to edit it would leave it null.
const EDITED_IF_FILLED: f64 = 5.0;
/// Streams that belong to a row and to no field.
const EDITED: u64 = 1_000;
const STAMP: u64 = 1_001;
const EDITOR: u64 = 1_002;
const FILLER: u64 = 1_003;
const GAP: u64 = 1_004;
const BUMP: u64 = 1_005;

/// What is wanted.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Records on day 0.
    pub records: u64,
    /// Mean bytes of a line, its newline included.
    pub bytes: usize,
    /// Another seed gives another corpus.
    pub seed: u64,
    /// The day to write: 0 is the first state.
    pub day: u64,
    /// Records edited each day, in a hundred.
    pub edit_percent: f64,
    /// Records added each day, in a hundred of those on day 0.
    pub add_percent: f64,
}

/// A corpus that is ready to be written.
pub struct Corpus {
    sobject: SObject,
    fields: &'static [Field],
    /// Keeps one sObject's draws apart from another's.
    salt: u64,
    shape: Shape,
    days: Days,
    counts: Counts,
    /// Whether references to the same sObject point to earlier rows only.
    earlier: bool,
    vocabulary: Vec<Vec<u8>>,
    filler: usize,
    editable: Vec<usize>,
}

/// One row on the day that is written.
struct Row {
    number: u64,
    /// Day of the last edit of each field.
    edited: Vec<u64>,
    last_edit: u64,
}

impl Corpus {
    /// Contacts alone, edited uniformly: they point to Accounts, and to Contacts, that need not be there.
    pub fn new(shape: Shape) -> Self {
        let mut corpus = Self::bare(SObject::Contact, shape);
        corpus.fill_up();
        corpus
    }

    /// One sObject among others: its references point to rows that these have on day 0, and within itself to rows
    /// before its own, so that they make no ring. `shape` gives way to `counts` in how many records there are.
    pub fn of(sobject: SObject, counts: Counts, shape: Shape) -> Self {
        let shape = Shape {
            records: counts.of(sobject),
            ..shape
        };
        let mut corpus = Self::bare(sobject, Shape { day: 0, ..shape });
        (corpus.counts, corpus.earlier) = (counts, true);
        corpus.fill_up();
        corpus.on(shape.day);
        corpus
    }

    /// The same corpus with other days.
    #[must_use]
    pub fn with_days(mut self, days: Days) -> Self {
        self.days = days;
        self
    }

    fn bare(sobject: SObject, shape: Shape) -> Self {
        let fields = sobject.fields();
        let used = |field: &Field| field.editable() && field.filled >= EDITED_IF_FILLED;
        let editable = (0..fields.len()).filter(|index| used(&fields[*index]));
        Self {
            sobject,
            fields,
            salt: match sobject {
                // Its bytes were measured before there were others.
                SObject::Contact => 0,
                other => Random::of([other as u64; 4]).next(),
            },
            shape,
            days: Days::default(),
            counts: Counts::CONTACTS,
            earlier: false,
            vocabulary: values::vocabulary(),
            filler: 0,
            editable: editable.collect(),
        }
    }

    /// Finds how much free text brings records to the wanted size.
    fn fill_up(&mut self) {
        let mut lines = Vec::new();
        (0..SAMPLE).for_each(|row| self.line(row, &mut lines));
        let bare = lines.len() / SAMPLE as usize;
        // A text ends with its sentence: half a sentence of about 80 bytes over what was asked for.
        self.filler = self.shape.bytes.saturating_sub(bare).saturating_sub(40);
    }

    /// How many records there are on the day.
    pub fn rows(&self) -> u64 {
        self.days.rows(&self.shape, self.shape.day)
    }

    /// The same corpus on another day.
    pub fn on(&mut self, day: u64) {
        self.shape.day = day;
    }

    /// Whether a row was edited on the day itself.
    pub fn edited(&self, number: u64) -> bool {
        let day = self.shape.day;
        day > self.days.born(&self.shape, number) && self.edits(number, day).is_some()
    }

    /// Whether a row is not what it was the day before: added, edited, or with another stamp.
    pub fn changed(&self, number: u64) -> bool {
        let day = self.shape.day;
        self.days.born(&self.shape, number) == day
            || self.edited(number)
            || (day > 0 && self.days.bump_day == Some(day))
    }

    /// Appends the line of a row, its newline included.
    pub fn line(&self, number: u64, out: &mut Vec<u8>) {
        let row = self.row(number);
        out.push(b'{');
        for (index, field) in self.fields.iter().enumerate() {
            let mut random = self.random(number, index as u64, row.edited[index]);
            if random.percent(field.filled) && self.has_target(field, number) {
                let _ = write!(out, "\"{}\":", field.name);
                self.value(field, &row, &mut random, out);
                out.push(b',');
            } else if self.sobject.says_nulls() {
                let _ = write!(out, "\"{}\":null,", field.name);
            }
        }
        out.pop();
        out.extend_from_slice(b"}\n");
    }

    /// Whether there is a record that the field can point to: the first row has none before it.
    fn has_target(&self, field: &Field, number: u64) -> bool {
        number > 0 || field.required() || !self.earlier || field.kind != Kind::Reference(self.sobject)
    }

    fn random(&self, row: u64, stream: u64, day: u64) -> Random {
        Random::of([self.shape.seed ^ self.salt, row, stream, day])
    }

    /// What tells which fields of a row a day edits, if it edits it.
    fn edits(&self, number: u64, day: u64) -> Option<Random> {
        let mut random = self.random(number, EDITED, day);
        random
            .percent(self.days.chance(&self.shape, day, number))
            .then_some(random)
    }

    fn row(&self, number: u64) -> Row {
        let born = self.days.born(&self.shape, number);
        let mut row = Row {
            number,
            edited: vec![born; self.fields.len()],
            last_edit: born,
        };
        for day in born + 1..=self.shape.day {
            if let Some(mut random) = self.edits(number, day) {
                row.last_edit = day;
                for _ in 0..1 + random.below(3) {
                    row.edited[self.editable[random.below(self.editable.len() as u64) as usize]] = day;
                }
            }
        }
        row
    }
}

#[cfg(test)]
mod tests;
