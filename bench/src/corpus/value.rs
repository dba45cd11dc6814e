//! The value of a field of a row, written straight into its line.
//!
//! Key decision: what a value depends on is the row, the field and the day of the field's last edit, so that editing
//! one field leaves the others as they are.
//! This is not where it is decided which fields have a value.

use std::io::Write;

use super::{BUMP, Corpus, DAY_ZERO, EDITOR, FILLER, GAP, Row, STAMP};
use crate::fields::{Field, Kind};
use crate::random::Random;
use crate::sobject::SObject;
use crate::values::{self, VOCABULARY};

impl Corpus {
    pub(super) fn value(&self, field: &Field, row: &Row, random: &mut Random, out: &mut Vec<u8>) {
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
            Kind::Percent => values::amount(out, 1_000 * random.below(11)),
            _ => {
                out.push(b'"');
                match field.kind {
                    Kind::Date | Kind::DateTime | Kind::Created | Kind::Modified | Kind::Stamp => {
                        self.time(field.kind, row, random, out);
                    }
                    _ => self.text(field, row, random, out),
                }
                out.push(b'"');
            }
        }
    }

    fn time(&self, kind: Kind, row: &Row, random: &mut Random, out: &mut Vec<u8>) {
        match kind {
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
            Kind::Stamp => values::datetime(out, self.bumped(row).unwrap_or_else(|| self.modified(row))),
            _ => values::datetime(out, self.modified(row)),
        }
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

    /// When its stamp moved with those of all others since, within an hour.
    fn bumped(&self, row: &Row) -> Option<i64> {
        let day = self.days.bump(row.last_edit, self.shape.day)?;
        let second = self.random(row.number, BUMP, day).below(3_600);
        Some((DAY_ZERO + day as i64) * 86_400 + second as i64)
    }

    fn text(&self, field: &Field, row: &Row, random: &mut Random, out: &mut Vec<u8>) {
        match field.kind {
            Kind::Id => values::id(out, self.sobject.prefix(), self.id_number(row.number)),
            Kind::Reference(to) => {
                let rows = if self.earlier && to == self.sobject {
                    row.number.max(1)
                } else {
                    self.counts.of(to)
                };
                values::id(out, to.prefix(), self.id_number(random.skewed(rows)));
            }
            Kind::Picklist(list) => out.extend_from_slice(random.pick(list).as_bytes()),
            Kind::Multi(list) => multi(out, random, list),
            Kind::ModifiedBy => {
                let mut random = self.random(row.number, EDITOR, row.last_edit);
                let user = random.skewed(self.counts.of(SObject::User));
                values::id(out, SObject::User.prefix(), self.id_number(user));
            }
            Kind::First => out.extend_from_slice(values::first(random).as_bytes()),
            Kind::Last => values::last(out, random),
            Kind::Full => self.full_name(row, out),
            Kind::Company => values::company(out, random),
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
            Kind::Serial(prefix) => drop(write!(out, "{prefix}{:08}", 1 + row.number)),
            Kind::External => drop(write!(out, "CRM-{:09}", self.id_number(row.number))),
            Kind::Words(bytes) => values::text(out, random, &self.vocabulary, 8 * bytes as usize),
            Kind::Filler => self.fill(row, random, out),
            // Those that `value` and `time` write.
            _ => {}
        }
    }

    /// Ids ascend with gaps, as where other users create records too: the same in every sObject, so that a reference
    /// knows the Id by its row.
    fn id_number(&self, row: u64) -> u64 {
        1_000_000 + row * 5 + Random::of([self.shape.seed, row, GAP, 0]).below(5)
    }

    fn full_name(&self, row: &Row, out: &mut Vec<u8>) {
        for (index, field) in self.fields.iter().enumerate().rev() {
            let mut random = self.random(row.number, index as u64, row.edited[index]);
            if matches!(field.kind, Kind::First) && random.percent(field.filled) {
                out.extend_from_slice(values::first(&mut random).as_bytes());
                out.push(b' ');
            }
        }
        for (index, field) in self
            .fields
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
