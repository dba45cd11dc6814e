//! Running a plan: which rows, in which order, and how each is written down.
//!
//! Key decision: where no order is asked for, rows come in an order that is shuffled by a seed: the API
//! promises none, so no client may rely on one. Rows are written by hand into ordered objects, `attributes`
//! first and then the fields in the order of the SELECT.
//! Source: REST API guide, "Query"; SOQL and SOSL Reference, "ORDER BY".
//! Not here: pages and locators (`http::query`).

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Value, json};

use super::eval::{Reading, rank};
use super::plan::{Column, Plan, link_filter};
use crate::id::mix;
use crate::org::State;
use crate::org::state::Life;

/// JSON whose objects keep the order of their keys.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shown {
    Plain(Value),
    Object(Vec<(String, Shown)>),
    List(Vec<Shown>),
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Shown::Plain(value) => value.serialize(serializer),
            Shown::List(list) => list.serialize(serializer),
            Shown::Object(pairs) => {
                let mut map = serializer.serialize_map(Some(pairs.len()))?;
                for (key, value) in pairs {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

/// Ids of the rows that a query finds, in its order, LIMIT and OFFSET applied.
pub(crate) fn find(state: &State, plan: &Plan, all: bool) -> Vec<String> {
    let named = plan.filter.as_ref().is_some_and(link_filter);
    let mut found: Vec<Reading<'_>> = state
        .rows(&plan.object.name)
        .filter(|(_, row)| all || row.life == Life::Live)
        .filter(|(id, row)| {
            if named {
                state.sees_row(&plan.object, id, row)
            } else {
                state.finds_row(&plan.object, id, row)
            }
        })
        .filter(|(_, row)| all || row.values.get("IsArchived") != Some(&Value::Bool(true)) || !activity(plan))
        .map(|(id, row)| Reading {
            state,
            object: &plan.object,
            id,
            row,
        })
        .filter(|reading| plan.filter.as_ref().is_none_or(|f| reading.holds(f)))
        .collect();
    let seed = state.settings.seed;
    found.sort_by_cached_key(|r| mix(seed, r.id));
    if !plan.order.is_empty() {
        found.sort_by(|a, b| rank(*a, *b, &plan.order));
    }
    let limit = plan
        .limit
        .map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
    let offset = usize::try_from(plan.offset).unwrap_or(usize::MAX);
    found
        .into_iter()
        .skip(offset)
        .take(limit)
        .map(|r| r.id.to_owned())
        .collect()
}

/// Archived tasks and events are for queryAll only.
fn activity(plan: &Plan) -> bool {
    matches!(plan.object.name.as_str(), "Task" | "Event")
}

/// One row of a reply; `None` when it is no longer to be seen.
pub(crate) fn show(
    state: &State,
    plan: &Plan,
    columns: &[Column],
    id: &str,
    all: bool,
    version: &str,
) -> Option<Shown> {
    let row = state.row(id)?;
    if row.life != Life::Live && !all || !state.sees_row(&plan.object, id, row) {
        return None;
    }
    let reading = Reading {
        state,
        object: &plan.object,
        id,
        row,
    };
    let mut top = vec![attributes(&plan.object.name, &plan.object.name, id, version)];
    for column in columns {
        place(&mut top, reading, &column.hops, column, version);
    }
    Some(Shown::Object(top))
}

fn attributes(kind: &str, object: &str, id: &str, version: &str) -> (String, Shown) {
    let url = format!("/services/data/{version}/sobjects/{object}/{id}");
    let pairs = vec![
        ("type".to_owned(), Shown::Plain(json!(kind))),
        ("url".to_owned(), Shown::Plain(json!(url))),
    ];
    ("attributes".to_owned(), Shown::Object(pairs))
}

/// Puts a column's value where its path leads, making the parents on the way.
fn place(
    into: &mut Vec<(String, Shown)>,
    at: Reading<'_>,
    hops: &[(String, String, bool)],
    column: &Column,
    version: &str,
) {
    let Some(((way, reference, shared), rest)) = hops.split_first() else {
        let through = column.hops.last().is_some_and(|h| h.2);
        into.push((
            column.field.clone(),
            Shown::Plain(at.field(&column.field, through)),
        ));
        return;
    };
    let Some(parent) = at.follow(reference) else {
        if !into.iter().any(|(k, _)| k == way) {
            into.push((way.clone(), Shown::Plain(Value::Null)));
        }
        return;
    };
    if !into.iter().any(|(k, _)| k == way) {
        let kind = if *shared {
            "Name"
        } else {
            parent.object.name.as_str()
        };
        let head = attributes(kind, &parent.object.name, parent.id, version);
        into.push((way.clone(), Shown::Object(vec![head])));
    }
    if let Some((_, Shown::Object(inner))) = into.iter_mut().find(|(k, _)| k == way) {
        place(inner, parent, rest, column, version);
    }
}
