//! Which rows a condition can hold for, found without looking at every row.
//!
//! Key decision: a value asked for by Id, by a reference or by a unique field or external id is looked up;
//! a range of Ids is a range of the table; all else is a scan. What is found is a superset, in order of Id:
//! the condition is still tested.
//! Source: none; the API promises answers, not ways.
//! Not here: the test itself (`eval`).

use std::ops::Bound;

use serde_json::Value;

use super::ast::Op;
use super::plan::{Column, Form, Members, Test};
use crate::id::Key;
use crate::org::State;
use crate::org::index;
use crate::org::state::Row;
use crate::schema::{Kind, ObjectDef};

/// Rows of an object that a condition may hold for, in order of Id.
pub(super) fn candidates<'a>(
    state: &'a State,
    object: &ObjectDef,
    test: Option<&Test<Column>>,
) -> Box<dyn Iterator<Item = (&'a str, &'a Row)> + 'a> {
    let Some(table) = state.tables.get(&object.name) else {
        return Box::new(std::iter::empty());
    };
    if let Some(ids) = test.and_then(|t| ids(state, object, t)) {
        return Box::new(ids.into_iter().filter_map(|id| {
            let (id, row) = table.get_key_value(id.text())?;
            Some((id.as_str(), row))
        }));
    }
    let (from, to) = test.map_or((Bound::Unbounded, Bound::Unbounded), range);
    if let (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) = (from, to)
        && a >= b
    {
        // At most one row, and an empty range must not be asked for.
        return Box::new(
            table
                .get_key_value(a)
                .into_iter()
                .map(|(id, row)| (id.as_str(), row)),
        );
    }
    Box::new(
        table
            .range::<str, _>((from, to))
            .map(|(id, row)| (id.as_str(), row)),
    )
}

/// The Ids that the indexes give, sorted; `None` when only a scan will do.
fn ids(state: &State, object: &ObjectDef, test: &Test<Column>) -> Option<Vec<Key>> {
    let mut found = match test {
        Test::All(all) => {
            return all
                .iter()
                .filter_map(|t| ids(state, object, t))
                .min_by_key(Vec::len);
        }
        Test::Any(any) => any
            .iter()
            .map(|t| ids(state, object, t))
            .collect::<Option<Vec<_>>>()?
            .concat(),
        Test::Compare {
            of, op: Op::Eq, to, ..
        } => looked_up(state, object, of, to)?,
        Test::In {
            of,
            negated: false,
            set: Members::Values(list),
            ..
        } => list
            .iter()
            .map(|value| looked_up(state, object, of, value))
            .collect::<Option<Vec<_>>>()?
            .concat(),
        _ => return None,
    };
    found.sort_unstable();
    found.dedup();
    Some(found)
}

fn looked_up(state: &State, object: &ObjectDef, column: &Column, value: &Value) -> Option<Vec<Key>> {
    let text = value.as_str()?;
    if !column.hops.is_empty() || column.form != Form::Plain {
        return None;
    }
    if column.kind == Kind::Id {
        return (column.field == "Id").then(|| Key::of(text).into_iter().collect());
    }
    let field = object.field(&column.field)?;
    let keys = |ids: &mut dyn Iterator<Item = &str>| ids.filter_map(Key::of).collect();
    if field.kind == Kind::Reference && !index::kept_out(&field.name) && !field.reference_to.is_empty() {
        Some(keys(&mut state.index.holders(text)))
    } else if field.kind.is_text() && index::keyed(field) {
        Some(keys(&mut state.index.holding(&object.name, &field.name, value)))
    } else {
        None
    }
}

/// The range of Ids outside which a condition cannot hold.
fn range(test: &Test<Column>) -> (Bound<&str>, Bound<&str>) {
    let none = (Bound::Unbounded, Bound::Unbounded);
    match test {
        Test::All(all) => all.iter().map(range).fold(none, |(from, to), (f, t)| {
            let from = if later(from, f) { f } else { from };
            let to = if earlier(to, t) { t } else { to };
            (from, to)
        }),
        Test::Compare { of, op, to, .. } if of.field == "Id" && of.hops.is_empty() => {
            match (op, to.as_str()) {
                (Op::Gt, Some(id)) => (Bound::Excluded(id), Bound::Unbounded),
                (Op::Ge, Some(id)) => (Bound::Included(id), Bound::Unbounded),
                (Op::Lt, Some(id)) => (Bound::Unbounded, Bound::Excluded(id)),
                (Op::Le, Some(id)) => (Bound::Unbounded, Bound::Included(id)),
                _ => none,
            }
        }
        _ => none,
    }
}

fn text(bound: Bound<&str>) -> Option<&str> {
    match bound {
        Bound::Included(id) | Bound::Excluded(id) => Some(id),
        Bound::Unbounded => None,
    }
}

/// Whether the lower bound `other` lies above `bound`.
fn later(bound: Bound<&str>, other: Bound<&str>) -> bool {
    text(other) > text(bound)
}

/// Whether the upper bound `other` lies below `bound`.
fn earlier(bound: Bound<&str>, other: Bound<&str>) -> bool {
    match (text(bound), text(other)) {
        (Some(a), Some(b)) => b < a,
        (bound, other) => bound.is_none() && other.is_some(),
    }
}
