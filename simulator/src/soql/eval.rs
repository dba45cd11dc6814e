//! Conditions and orders over rows.
//!
//! Key decision: two-valued logic on stored shapes. Text compares without regard to case, Ids byte by byte,
//! a `!=` holds for null as it does in SOQL, an order comparison with null never holds.
//! Source: SOQL and SOSL Reference, "Comparison Operators", "ORDER BY".
//! Not here: checking that the comparison makes sense (`plan`).

use std::cmp::Ordering;

use serde_json::Value;

use super::ast::{Cond, Op, Order};
use super::plan::Column;
use super::value;
use crate::org::State;
use crate::org::state::Row;
use crate::schema::{Kind, ObjectDef};

/// A row with what is needed to read it.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub state: &'a State,
    pub object: &'a ObjectDef,
    pub id: &'a str,
    pub row: &'a Row,
}

impl<'a> Reading<'a> {
    /// The row a reference of this one leads to, while it is there.
    pub fn follow(self, reference: &str) -> Option<Reading<'a>> {
        let id = self.row.values.get(reference)?.as_str()?;
        let object = self.state.schema.by_id(id)?;
        let row = self.state.row(id)?;
        let seen = self.state.sees_object(object) && self.state.sees_row(object, id, row);
        if !seen {
            return None;
        }
        Some(Reading {
            state: self.state,
            object,
            id,
            row,
        })
    }

    /// The value of a column.
    pub fn value(self, column: &Column) -> Value {
        let mut at = self;
        for (_, reference, _) in &column.hops {
            match at.follow(reference) {
                Some(next) => at = next,
                None => return Value::Null,
            }
        }
        at.field(&column.field, column.hops.last().is_some_and(|h| h.2))
    }

    /// A field of this row; `shared` when it was reached through a reference to several kinds.
    pub fn field(self, name: &str, shared: bool) -> Value {
        if shared && name == "Type" {
            return Value::String(self.object.name.clone());
        }
        let field = self.object.field(name);
        let field = if shared && name == "Name" {
            self.object.name_field()
        } else {
            field
        };
        field.map_or(Value::Null, |f| {
            let plain = value::of(self.state, self.object, f, self.id, self.row);
            self.state.unmasked(f, plain)
        })
    }

    /// Whether a condition holds.
    pub fn holds(self, cond: &Cond<Column, Value>) -> bool {
        match cond {
            Cond::And(all) => all.iter().all(|c| self.holds(c)),
            Cond::Or(any) => any.iter().any(|c| self.holds(c)),
            Cond::Not(inner) => !self.holds(inner),
            Cond::Compare(column, op, to) => compare(column.kind, *op, &self.value(column), to),
            Cond::In { path, negated, list } => {
                let value = self.value(path);
                list.iter().any(|l| compare(path.kind, Op::Eq, &value, l)) != *negated
            }
            Cond::Includes { path, negated, list } => {
                let value = self.value(path);
                let has: Vec<String> = split(&value);
                let found = list
                    .iter()
                    .any(|l| split(l).iter().all(|want| has.contains(want)));
                found != *negated
            }
        }
    }
}

fn split(value: &Value) -> Vec<String> {
    value
        .as_str()
        .unwrap_or("\u{0}")
        .split(';')
        .map(str::to_lowercase)
        .collect()
}

fn compare(kind: Kind, op: Op, value: &Value, to: &Value) -> bool {
    match op {
        Op::Eq => order(kind, value, to) == Ordering::Equal,
        Op::Ne => order(kind, value, to) != Ordering::Equal,
        Op::Like => match (value.as_str(), to.as_str()) {
            (Some(v), Some(p)) => like(&v.to_lowercase(), &p.to_lowercase()),
            _ => false,
        },
        _ if value.is_null() || to.is_null() => false,
        Op::Lt => order(kind, value, to) == Ordering::Less,
        Op::Le => order(kind, value, to) != Ordering::Greater,
        Op::Gt => order(kind, value, to) == Ordering::Greater,
        Op::Ge => order(kind, value, to) != Ordering::Less,
    }
}

/// Orders two values of a field; null comes first.
fn order(kind: Kind, a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) if kind.is_text() => a.to_lowercase().cmp(&b.to_lowercase()),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        _ => {
            let (a, b) = (a.as_f64().unwrap_or(0.0), b.as_f64().unwrap_or(0.0));
            a.total_cmp(&b)
        }
    }
}

/// `%` any text, `_` one character, a backslash makes either plain.
fn like(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut steps: Vec<(char, bool)> = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => steps.push((chars.next().unwrap_or('\\'), false)),
            '%' | '_' => steps.push((c, true)),
            c => steps.push((c, false)),
        }
    }
    // Greedy matching with one point of return: linear in practice, quadratic at worst.
    let (mut t, mut p) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match steps.get(p) {
            Some(('%', true)) => {
                back = Some((p, t));
                p += 1;
            }
            Some((c, wild)) if *wild || *c == text[t] => {
                t += 1;
                p += 1;
            }
            _ => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    steps[p..].iter().all(|s| *s == ('%', true))
}

/// Orders two rows by the query's ORDER BY.
pub(crate) fn rank(a: Reading<'_>, b: Reading<'_>, orders: &[Order<Column>]) -> Ordering {
    for item in orders {
        let (x, y) = (a.value(&item.path), b.value(&item.path));
        let found = match (x.is_null(), y.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) if item.nulls_last => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, true) if item.nulls_last => Ordering::Less,
            (false, true) => Ordering::Greater,
            _ if item.descending => order(item.path.kind, &y, &x),
            _ => order(item.path.kind, &x, &y),
        };
        if found != Ordering::Equal {
            return found;
        }
    }
    Ordering::Equal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_patterns() {
        for (text, pattern, fits) in [
            ("acme", "ac%", true),
            ("acme", "%m_", true),
            ("acme", "a_e", false),
            ("100%", "100\\%", true),
            ("1000", "100\\%", false),
            ("", "%", true),
            ("ab", "%b%b", false),
            ("aXbXb", "%b%b", true),
        ] {
            assert_eq!(like(text, pattern), fits, "{text} like {pattern}");
        }
    }
}
