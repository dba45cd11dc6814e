//! Reading rows, and whether a condition holds.
//!
//! Key decision: two-valued logic on stored shapes. Text compares without regard to case, Ids byte by byte,
//! a `!=` holds for null as it does in SOQL, an order comparison with null never holds. Stored values are
//! read by reference, so that a scan allocates nothing per row.
//! Source: SOQL and SOSL Reference, "Comparison Operators", "ORDER BY".
//! Not here: checking that the comparison makes sense (`plan`).

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::ast::{Op, Order};
use super::compare::order;
use super::dates;
use super::plan::{Column, Form, Hop, Members, Test};
use super::value::{self, Source};
use crate::org::State;
use crate::org::state::Row;
use crate::schema::ObjectDef;

/// A row with what is needed to read it.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub state: &'a State,
    pub object: &'a ObjectDef,
    pub id: &'a str,
    pub row: &'a Row,
}

impl<'a> Reading<'a> {
    /// The row of an Id, whatever its state.
    pub fn of(state: &'a State, id: &'a str) -> Option<Self> {
        let object = state.schema.by_id(id)?;
        let row = state.tables.get(&object.name)?.get(id)?;
        Some(Self {
            state,
            object,
            id,
            row,
        })
    }

    /// Whether the running user sees the row when it is named.
    pub fn seen(self) -> bool {
        self.state.sees_row(self.object, self.id, self.row)
    }

    /// The row a reference of this one leads to, while it is there and seen.
    pub fn follow(self, reference: &str) -> Option<Reading<'a>> {
        let parent = Self::of(self.state, self.row.values.text(reference)?)?;
        let seen = self.state.sees_object(parent.object) && parent.seen();
        seen.then_some(parent)
    }

    /// The row at the end of some steps up.
    pub fn climb(self, hops: &[Hop]) -> Option<Reading<'a>> {
        hops.iter().try_fold(self, |at, hop| at.follow(&hop.reference))
    }

    /// The value of a column of this row.
    pub fn value(self, column: &Column) -> Value {
        self.climb(&column.hops)
            .map_or(Value::Null, |end| end.last(column))
    }

    /// The value of a column whose steps up have been taken.
    pub fn last(self, column: &Column) -> Value {
        let plain = column.source.plain(self.row, &column.field);
        let found = plain.unwrap_or_else(|| self.computed(column));
        match column.form {
            Form::Plain => found,
            Form::Part(part) => dates::part(part, &found),
            Form::Text => dates::formatted(&found),
        }
    }

    fn computed(self, column: &Column) -> Value {
        let shared = column.source == Source::Shared;
        let field = match column.field.as_str() {
            "Type" if shared => return json!(self.object.name),
            "Name" if shared => self.object.name_field(),
            name => self.object.field(name),
        };
        match field {
            Some(f) => {
                let value = value::of(self.state, self.object, f, self.id, self.row);
                self.state.unmasked(f, value)
            }
            None => Value::Null,
        }
    }
}

/// Whether a condition holds for what `read` gives.
pub(crate) fn holds<C>(test: &Test<C>, read: &impl Fn(&C) -> Value) -> bool {
    match test {
        Test::All(all) => all.iter().all(|t| holds(t, read)),
        Test::Any(any) => any.iter().any(|t| holds(t, read)),
        Test::Not(inner) => !holds(inner, read),
        Test::Compare { of, op, to, folded } => compare(*folded, *op, &read(of), to),
        Test::Like { of, pattern } => read(of).as_str().is_some_and(|text| pattern.fits(text)),
        Test::In {
            of,
            negated,
            set,
            folded,
        } => {
            let value = read(of);
            // Joins are values by now: `run::settled`.
            let found = match set {
                Members::Values(list) => list.binary_search_by(|l| order(*folded, l, &value)).is_ok(),
                Members::Join(_) => false,
            };
            found != *negated
        }
        Test::Includes { of, negated, list } => {
            let value = read(of);
            let text = value.as_str().unwrap_or_default().to_lowercase();
            let has = |want: &String| text.split(';').any(|one| one == want);
            list.iter().any(|all| all.iter().all(has)) != *negated
        }
    }
}

fn compare(folded: bool, op: Op, value: &Value, to: &Value) -> bool {
    let found = order(folded, value, to);
    match op {
        Op::Eq => found == Ordering::Equal,
        Op::Ne => found != Ordering::Equal,
        _ if value.is_null() || to.is_null() => false,
        Op::Lt => found == Ordering::Less,
        Op::Le => found != Ordering::Greater,
        Op::Gt => found == Ordering::Greater,
        Op::Ge => found != Ordering::Less,
        // A pattern is a test of its own.
        Op::Like => false,
    }
}

/// Orders two values by an item of ORDER BY.
pub(crate) fn rank<T>(item: &Order<T>, folded: bool, x: &Value, y: &Value) -> Ordering {
    match (x.is_null(), y.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) if item.nulls_last => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, true) if item.nulls_last => Ordering::Less,
        (false, true) => Ordering::Greater,
        _ if item.descending => order(folded, y, x),
        _ => order(folded, x, y),
    }
}
