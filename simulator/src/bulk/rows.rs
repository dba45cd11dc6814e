//! Rows as the CSV of a query job.
//!
//! Key decision: stored values are written straight from their row, in one go over it, because a job may be
//! millions of rows; only computed fields are made first. Every value stands in quotes, null as nothing,
//! datetimes with `Z` where REST says `+0000`.
//! Source: Bulk API 2.0 guide, "Get Results for a Query Job", "Valid Date Format in Records".
//! Not here: which rows (`extract`).

use std::io::Write;

use serde_json::Value;

use super::job::Format;
use crate::id::mix;
use crate::org::State;
use crate::org::values::{Packed, Picks};
use crate::schema::Kind;
use crate::soql::eval::Reading;
use crate::soql::plan::{Column, Form, Plan};
use crate::soql::value::Source;

/// The columns of a query in the order of the results.
#[derive(Debug, Clone)]
pub(crate) struct Table<'a> {
    columns: Vec<&'a Column>,
    /// Columns that are a stored value of the row itself, and what they show where it has none.
    stored: Picks,
    blank: Vec<Option<Packed<'static>>>,
    format: Format,
    exponents: bool,
}

impl<'a> Table<'a> {
    pub fn new(state: &State, plan: &'a Plan, format: Format) -> Self {
        let mut columns: Vec<&Column> = plan.columns().collect();
        if state.settings.bulk.shuffled_columns {
            columns.sort_by_cached_key(|c| mix(state.settings.seed, &c.path()));
        }
        let blank: Vec<_> = columns.iter().map(|column| blank(column)).collect();
        let stored = columns.iter().enumerate().filter(|(n, _)| blank[*n].is_some());
        Self {
            stored: Picks::of(stored.map(|(n, c)| (n, c.field.as_str()))),
            blank,
            columns,
            format,
            exponents: state.settings.bulk.exponents,
        }
    }

    /// The line of names.
    pub fn header(&self, out: &mut Vec<u8>) {
        for (n, column) in self.columns.iter().enumerate() {
            self.between(n, out);
            quoted(column.path(), out);
        }
        out.extend_from_slice(self.format.ending().as_bytes());
    }

    /// The line of a row; false when the row is gone.
    pub fn line(&self, state: &State, id: &str, out: &mut Vec<u8>) -> bool {
        let Some(reading) = Reading::of(state, id) else {
            return false;
        };
        let mut stored: Vec<Option<Packed<'_>>> = self.blank.clone();
        reading
            .row
            .values
            .pick(&self.stored, |n, value| stored[n] = Some(value));
        for (n, (column, stored)) in self.columns.iter().zip(stored).enumerate() {
            self.between(n, out);
            match stored {
                Some(Packed::Text(text)) => written(column.kind, text, out),
                Some(Packed::Other(value)) => self.value(column.kind, &value, out),
                None => self.value(column.kind, &reading.value(column), out),
            }
        }
        out.extend_from_slice(self.format.ending().as_bytes());
        true
    }

    fn between(&self, n: usize, out: &mut Vec<u8>) {
        if n > 0 {
            out.push(self.format.delimiter());
        }
    }

    fn value(&self, kind: Kind, value: &Value, out: &mut Vec<u8>) {
        match value {
            Value::String(text) => written(kind, text, out),
            Value::Null => out.extend_from_slice(b"\"\""),
            Value::Number(n) if n.is_f64() && self.exponents => {
                quoted(double(n.as_f64().unwrap_or(0.0)), out);
            }
            // Writing to memory does not fail.
            other => drop(write!(out, "\"{other}\"")),
        }
    }
}

/// What a column shows that is a stored value which the row has not; `None` for all other columns.
fn blank(column: &Column) -> Option<Packed<'static>> {
    let own = column.hops.is_empty() && column.form == Form::Plain;
    match column.source {
        Source::Stored if own => Some(Packed::Other(Value::Null)),
        Source::Flag if own => Some(Packed::Other(Value::Bool(false))),
        _ => None,
    }
}

/// A text; a datetime ends in `Z`.
fn written(kind: Kind, text: &str, out: &mut Vec<u8>) {
    match text.strip_suffix("+0000").filter(|_| kind == Kind::DateTime) {
        Some(body) => {
            out.push(b'"');
            out.extend_from_slice(body.as_bytes());
            out.extend_from_slice(b"Z\"");
        }
        None => quoted(text, out),
    }
}

/// Text in quotes, its own quotes doubled.
pub(crate) fn quoted(text: impl AsRef<[u8]>, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_ref();
    while let Some(at) = rest.iter().position(|b| *b == b'"') {
        out.extend_from_slice(&rest[..=at]);
        out.push(b'"');
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// A line of values in quotes.
pub(crate) fn line(cells: impl Iterator<Item = impl AsRef<[u8]>>, format: Format, out: &mut Vec<u8>) {
    for (n, cell) in cells.enumerate() {
        if n > 0 {
            out.push(format.delimiter());
        }
        quoted(cell, out);
    }
    out.extend_from_slice(format.ending().as_bytes());
}

/// A double as Java writes it: `400.0`, `3.5E8`.
fn double(n: f64) -> String {
    if n == 0.0 || (1e-3..1e7).contains(&n.abs()) {
        return format!("{n:?}");
    }
    let text = format!("{n:e}");
    match text.split_once('e') {
        Some((digits, power)) if digits.contains('.') => format!("{digits}E{power}"),
        Some((digits, power)) => format!("{digits}.0E{power}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_as_java_writes_them() {
        for (n, text) in [
            (400.0, "400.0"),
            (0.5, "0.5"),
            (-12.25, "-12.25"),
            (0.0, "0.0"),
            (350_000_000.0, "3.5E8"),
            (10_000_000.0, "1.0E7"),
            (9_999_999.5, "9999999.5"),
            (0.0001, "1.0E-4"),
            (-1.25e20, "-1.25E20"),
        ] {
            assert_eq!(double(n), text);
        }
    }

    #[test]
    fn quotes_are_doubled() {
        for (text, shown) in [("", "\"\""), ("a\"b\"", "\"a\"\"b\"\"\""), ("é,\n", "\"é,\n\"")] {
            let mut out = Vec::new();
            quoted(text, &mut out);
            assert_eq!(out, shown.as_bytes());
        }
    }
}
