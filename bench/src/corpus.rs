//! A corpus: how many records there are on a day, and the line of each.
//!
//! Key decision: a value is a function of (seed, row, field, day of the field's last edit), found by asking each day
//! whether it edited the row; nothing is kept between rows.
//! This is not random access by Id: lines are asked for by row, and Ids ascend with rows.

use std::io::Write;

use crate::fields::{FIELDS, Field, Kind};
use crate::random::Random;
use crate::values::{self, VOCABULARY};

/// 2026-01-01 as days since 1970: the day of the first state.
const DAY_ZERO: i64 = 20_454;
/// Rows are sampled so many times to find the size of a record without its filler.
const SAMPLE: u64 = 2_000;
/// Streams that belong to a row and to no field.
const EDITED: u64 = 1_000;
const STAMP: u64 = 1_001;
const EDITOR: u64 = 1_002;
const FILLER: u64 = 1_003;
const GAP: u64 = 1_004;

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
    shape: Shape,
    vocabulary: Vec<Vec<u8>>,
    filler: usize,
    editable: Vec<usize>,
}

/// One row on the day that is written.
struct Row {
    number: u64,
    /// Day of the last edit of each field.
    edited: [u64; FIELDS.len()],
    last_edit: u64,
}

impl Corpus {
    /// Prepares the vocabulary and finds how much free text brings records to the wanted size.
    pub fn new(shape: Shape) -> Self {
        let vocabulary = (0..VOCABULARY).map(|number| {
            let mut word = Vec::new();
            values::word(&mut word, number);
            word
        });
        let editable = (0..FIELDS.len())
            .filter(|index| FIELDS[*index].editable())
            .collect();
        let mut corpus = Self {
            shape,
            vocabulary: vocabulary.collect(),
            filler: 0,
            editable,
        };
        let mut lines = Vec::new();
        (0..SAMPLE).for_each(|row| corpus.line(row, &mut lines));
        let bare = lines.len() / SAMPLE as usize;
        // A text ends with its sentence: half a sentence of about 80 bytes over what was asked for.
        corpus.filler = shape.bytes.saturating_sub(bare).saturating_sub(40);
        corpus
    }

    /// How many records there are on the day.
    pub fn rows(&self) -> u64 {
        self.shape.records + self.shape.day * self.added_a_day()
    }

    /// The same corpus on another day.
    pub fn on(&mut self, day: u64) {
        self.shape.day = day;
    }

    /// Whether a row was edited on the day itself.
    pub fn edited(&self, number: u64) -> bool {
        let mut random = self.random(number, EDITED, self.shape.day);
        self.shape.day > 0 && random.percent(self.shape.edit_percent)
    }

    fn added_a_day(&self) -> u64 {
        (self.shape.records as f64 * self.shape.add_percent / 100.0).round() as u64
    }

    /// Appends the line of a row, its newline included.
    pub fn line(&self, number: u64, out: &mut Vec<u8>) {
        let row = self.row(number);
        out.push(b'{');
        for (index, field) in FIELDS.iter().enumerate() {
            let mut random = self.random(number, index as u64, row.edited[index]);
            if random.percent(field.filled) {
                let _ = write!(out, "\"{}\":", field.name);
                self.value(field, &row, &mut random, out);
                out.push(b',');
            }
        }
        out.pop();
        out.extend_from_slice(b"}\n");
    }

    fn random(&self, row: u64, stream: u64, day: u64) -> Random {
        Random::of([self.shape.seed, row, stream, day])
    }

    fn row(&self, number: u64) -> Row {
        let born = number
            .checked_sub(self.shape.records)
            .map_or(0, |extra| 1 + extra / self.added_a_day().max(1));
        let mut row = Row {
            number,
            edited: [born; FIELDS.len()],
            last_edit: born,
        };
        for day in born + 1..=self.shape.day {
            let mut random = self.random(number, EDITED, day);
            if random.percent(self.shape.edit_percent) {
                row.last_edit = day;
                for _ in 0..1 + random.below(3) {
                    row.edited[self.editable[random.below(self.editable.len() as u64) as usize]] = day;
                }
            }
        }
        row
    }

    /// When the row was last edited, in seconds since 1970.
    fn modified(&self, row: &Row) -> i64 {
        let mut random = self.random(row.number, STAMP, row.last_edit);
        let age = if row.last_edit == 0 {
            86_400 * (1 + random.skewed(700) as i64)
        } else {
            0
        };
        (DAY_ZERO + row.last_edit as i64) * 86_400 - age + random.below(86_400) as i64
    }

    fn value(&self, field: &Field, row: &Row, random: &mut Random, out: &mut Vec<u8>) {
        match field.kind {
            Kind::Boolean(percent) => {
                out.extend_from_slice(if random.percent(percent) {
                    b"true"
                } else {
                    b"false"
                });
            }
            Kind::Amount(cents) => values::amount(out, random.skewed(cents)),
            Kind::Whole(limit) => values::amount(out, 100 * random.skewed(limit)),
            _ => {
                out.push(b'"');
                self.text(field, row, random, out);
                out.push(b'"');
            }
        }
    }

    fn text(&self, field: &Field, row: &Row, random: &mut Random, out: &mut Vec<u8>) {
        match field.kind {
            Kind::Id => values::id(out, "003", self.id_number(row.number)),
            Kind::Reference(prefix, count, _) => {
                values::id(out, prefix, self.id_number(random.skewed(count)))
            }
            Kind::Picklist(list) => out.extend_from_slice(random.pick(list).as_bytes()),
            Kind::Multi(list) => multi(out, random, list),
            Kind::Date => values::date(out, DAY_ZERO - 400 + random.below(900) as i64),
            Kind::DateTime => values::datetime(out, DAY_ZERO * 86_400 - random.below(500 * 86_400) as i64),
            Kind::Created => {
                let age = 86_400 * 1_800 * (self.shape.records.saturating_sub(row.number))
                    / self.shape.records.max(1);
                let born = if row.number < self.shape.records {
                    row.edited[0] as i64 - 800
                } else {
                    row.edited[0] as i64
                };
                values::datetime(
                    out,
                    (DAY_ZERO + born) * 86_400 - age as i64 + random.below(3_600) as i64,
                );
            }
            Kind::Modified => values::datetime(out, self.modified(row)),
            Kind::ModifiedBy => {
                let user = self.random(row.number, EDITOR, row.last_edit).skewed(180);
                values::id(out, "005", self.id_number(user));
            }
            Kind::First => out.extend_from_slice(values::first(random).as_bytes()),
            Kind::Last => values::last(out, random),
            Kind::Full => self.full_name(row, out),
            Kind::Phone => values::phone(out, random),
            Kind::Email => {
                let _ = write!(out, "{}.", values::first(random).to_ascii_lowercase());
                values::word(out, random.skewed(VOCABULARY));
                let _ = write!(out, "{}@example.com", random.below(1_000));
            }
            Kind::Url => {
                out.extend_from_slice(b"https://www.example.com/people/");
                values::word(out, random.skewed(VOCABULARY));
                let _ = write!(out, "/{}", row.number);
            }
            Kind::Street => values::street(out, random),
            Kind::PostalCode => drop(write!(out, "{:05}", random.below(100_000))),
            Kind::External => drop(write!(out, "CRM-{:09}", self.id_number(row.number))),
            Kind::Words(bytes) => values::text(out, random, &self.vocabulary, 8 * bytes as usize),
            Kind::Filler => self.fill(row, random, out),
            Kind::Boolean(_) | Kind::Amount(_) | Kind::Whole(_) => {}
        }
    }

    /// Ids ascend with gaps, as where other users create records too.
    fn id_number(&self, row: u64) -> u64 {
        1_000_000 + row * 5 + self.random(row, GAP, 0).below(5)
    }

    fn full_name(&self, row: &Row, out: &mut Vec<u8>) {
        for (index, field) in FIELDS.iter().enumerate().rev() {
            let mut random = self.random(row.number, index as u64, row.edited[index]);
            if matches!(field.kind, Kind::First) && random.percent(field.filled) {
                out.extend_from_slice(values::first(&mut random).as_bytes());
                out.push(b' ');
            }
        }
        for (index, field) in FIELDS
            .iter()
            .enumerate()
            .filter(|(_, field)| matches!(field.kind, Kind::Last))
        {
            let mut random = self.random(row.number, index as u64, row.edited[index]);
            random.percent(field.filled);
            values::last(out, &mut random);
        }
    }

    /// From a quarter to seven quarters of the mean.
    fn fill(&self, row: &Row, random: &mut Random, out: &mut Vec<u8>) {
        let half = self.filler as u64 / 2;
        let share = self.random(row.number, FILLER, 0).below(3 * half + 1);
        values::text(out, random, &self.vocabulary, (half / 2 + share) as usize);
    }
}

fn multi(out: &mut Vec<u8>, random: &mut Random, list: &[&str]) {
    let mut chosen = random.below(1 << list.len());
    chosen |= u64::from(chosen == 0);
    let picked: Vec<&str> = list
        .iter()
        .enumerate()
        .filter(|(bit, _)| chosen >> bit & 1 == 1)
        .map(|(_, item)| *item)
        .collect();
    out.extend_from_slice(picked.join(";").as_bytes());
}

#[cfg(test)]
mod tests;
