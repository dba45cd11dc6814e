//! Which rows a day edits: any, or mostly the newest; and the day on which stamps move and nothing else.
//!
//! Key decision: how likely a row is edited follows from its place among the rows of that day, so no day needs to know
//! what the days before it did.
//! This is not about what an edit changes: the corpus says that.

use clap::{Args, ValueEnum};

use super::Shape;

/// The newest rows, older ones, and the rest: their share of all rows, and their part of the edits of a day.
const AGES: [(f64, f64); 3] = [(0.01, 0.5), (0.09, 0.3), (0.9, 0.2)];

/// Which rows the edits of a day fall on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Pattern {
    /// Any, each as likely as the other
    #[default]
    Uniform,
    /// Half of them on the newest hundredth of the rows, three tenths on the next nine hundredths
    HotRecent,
}

/// How days differ from each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Args)]
pub struct Days {
    /// Which rows the edits of a day fall on
    #[arg(long, value_enum, default_value_t)]
    pub pattern: Pattern,
    /// On this day SystemModstamp of every record moves, and nothing else happens
    #[arg(long, value_name = "DAY")]
    pub bump_day: Option<u64>,
}

impl Days {
    /// How many days up to this one, day 0 left out, add rows.
    fn adding(&self, day: u64) -> u64 {
        day - u64::from(self.bump_day.is_some_and(|bump| (1..=day).contains(&bump)))
    }

    /// Rows on a day.
    pub fn rows(&self, shape: &Shape, day: u64) -> u64 {
        shape.records + self.adding(day) * added_a_day(shape)
    }

    /// The day on which a row was added.
    pub fn born(&self, shape: &Shape, row: u64) -> u64 {
        let Some(extra) = row.checked_sub(shape.records) else {
            return 0;
        };
        let nth = 1 + extra / added_a_day(shape).max(1);
        nth + u64::from(self.bump_day.is_some_and(|bump| (1..=nth).contains(&bump)))
    }

    /// How likely a day's edits fall on a row, per cent.
    pub fn chance(&self, shape: &Shape, day: u64, row: u64) -> f64 {
        if self.bump_day == Some(day) {
            return 0.0;
        }
        match self.pattern {
            Pattern::Uniform => shape.edit_percent,
            Pattern::HotRecent => {
                let rows = self.rows(shape, day);
                let newer = rows.saturating_sub(row + 1);
                by_age(shape.edit_percent, newer as f64 / rows.max(1) as f64)
            }
        }
    }

    /// The day on which stamps moved without an edit, if a row of this last edit saw it.
    pub fn bump(&self, last_edit: u64, day: u64) -> Option<u64> {
        self.bump_day.filter(|bump| last_edit < *bump && *bump <= day)
    }
}

fn added_a_day(shape: &Shape) -> u64 {
    (shape.records as f64 * shape.add_percent / 100.0).round() as u64
}

/// The chance of a row of this age, 0 the newest and 1 the oldest; what an age has no rows for falls on the next.
fn by_age(percent: f64, age: f64) -> f64 {
    let (mut chance, mut end, mut left) = (0.0, 0.0, 0.0);
    for (share, part) in AGES {
        let wanted = percent * part + left;
        chance = (wanted / share).min(100.0);
        left = wanted - chance * share;
        end += share;
        if age < end {
            break;
        }
    }
    chance
}
