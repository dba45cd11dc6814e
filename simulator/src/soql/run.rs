//! Running a plan: which rows, in which order, and how each is written down.
//!
//! Key decision: where no order is asked for, rows come in an order that is shuffled by a seed: the API
//! promises none, so no client may rely on one. Only Ids are kept of what was found, 18 bytes each. Rows are
//! written by hand into ordered objects, `attributes` first and then the fields in the order of the SELECT.
//! Source: REST API guide, "Query"; SOQL and SOSL Reference, "ORDER BY".
//! Not here: pages and locators (`page`), groups (`group`).

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Value, json};

use super::access::candidates;
use super::ast::{Op, Order};
use super::compare::order;
use super::eval::{Reading, holds, rank};
use super::plan::{Child, Column, Form, Hop, Item, Members, Plan, Test, TypeOf, names_rows};
use crate::id::{Key, mix};
use crate::org::State;
use crate::org::state::{Life, Row};

/// An object's keys and values, in order.
pub(crate) type Pairs = Vec<(String, Shown)>;

/// JSON whose objects keep the order of their keys.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shown {
    Plain(Value),
    Object(Pairs),
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

/// A condition whose semi-joins have been run.
pub(super) fn settled(state: &State, test: &Test<Column>, all: bool) -> Test<Column> {
    let each = |list: &[Test<Column>]| list.iter().map(|t| settled(state, t, all)).collect();
    match test {
        Test::All(list) => Test::All(each(list)),
        Test::Any(list) => Test::Any(each(list)),
        Test::In {
            of,
            negated,
            set: Members::Join(plan),
            folded,
        } => Test::In {
            of: of.clone(),
            negated: *negated,
            set: Members::Values(joined(state, plan, all)),
            folded: *folded,
        },
        other => other.clone(),
    }
}

/// The values of a semi-join's column, sorted; null joins nothing.
fn joined(state: &State, plan: &Plan, all: bool) -> Vec<Value> {
    let Some(&[column]) = plan.plain().as_deref() else {
        return Vec::new();
    };
    let filter = plan.filter.as_ref().map(|f| settled(state, f, all));
    let mut values: Vec<Value> = matching(state, plan, filter.as_ref(), all)
        .map(|reading| reading.value(column))
        .filter(|value| !value.is_null())
        .collect();
    values.sort_by(|a, b| order(false, a, b));
    values.dedup();
    values
}

/// The rows that a settled condition holds for, in order of Id.
pub(super) fn matching<'a>(
    state: &'a State,
    plan: &'a Plan,
    filter: Option<&'a Test<Column>>,
    all: bool,
) -> impl Iterator<Item = Reading<'a>> {
    let named = filter.is_some_and(names_rows);
    candidates(state, &plan.object, filter)
        .filter(move |(_, row)| all || seen(plan, row))
        .filter(move |(id, row)| match named {
            true => state.sees_row(&plan.object, id, row),
            false => state.finds_row(&plan.object, id, row),
        })
        .map(move |(id, row)| Reading {
            state,
            object: &plan.object,
            id,
            row,
        })
        .filter(move |reading| filter.is_none_or(|f| holds(f, &|column| reading.value(column))))
}

/// Deleted rows, and archived tasks and events, are for queryAll only.
fn seen(plan: &Plan, row: &Row) -> bool {
    let activity = matches!(plan.object.name.as_str(), "Task" | "Event");
    row.life == Life::Live && !(activity && row.values.flag("IsArchived") == Some(true))
}

/// Ids of the rows that a query finds, in its order, LIMIT and OFFSET applied.
pub(crate) fn find(state: &State, plan: &Plan, all: bool) -> Vec<Key> {
    let filter = plan.filter.as_ref().map(|f| settled(state, f, all));
    found(state, plan, filter.as_ref(), all)
}

/// Ids of the rows below a parent.
pub(super) fn children(state: &State, child: &Child, parent: &str, all: bool) -> Vec<Key> {
    let plan = &child.plan;
    let Some(field) = plan.object.field(&child.key) else {
        return Vec::new();
    };
    let below = Test::Compare {
        of: Column::own(&plan.object, field),
        op: Op::Eq,
        to: json!(parent),
        folded: false,
    };
    let filter = plan.filter.as_ref().map(|f| settled(state, f, all));
    let filter = Test::All([below].into_iter().chain(filter).collect());
    found(state, plan, Some(&filter), all)
}

/// How many rows a query finds.
pub(crate) fn count(state: &State, plan: &Plan, all: bool) -> usize {
    let filter = plan.filter.as_ref().map(|f| settled(state, f, all));
    let (offset, limit) = bounds(plan);
    let rows = matching(state, plan, filter.as_ref(), all);
    rows.skip(offset).take(limit).count()
}

/// OFFSET and LIMIT.
pub(super) fn bounds(plan: &Plan) -> (usize, usize) {
    let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    (size(plan.offset), plan.limit.map_or(usize::MAX, size))
}

fn found(state: &State, plan: &Plan, filter: Option<&Test<Column>>, all: bool) -> Vec<Key> {
    let rows = matching(state, plan, filter, all);
    let (offset, limit) = bounds(plan);
    let key = |reading: Reading<'_>| Key::of(reading.id);
    if let [only] = plan.order.as_slice()
        && (only.of.field.as_str(), only.of.form, only.descending) == ("Id", Form::Plain, false)
        && only.of.hops.is_empty()
    {
        return rows.skip(offset).take(limit).filter_map(key).collect();
    }
    let seed = state.settings.seed;
    let mut rows: Vec<(u64, Reading<'_>)> = rows.map(|r| (mix(seed, r.id), r)).collect();
    if plan.order.is_empty() {
        rows.sort_unstable_by_key(|(place, _)| *place);
    } else {
        rows = sorted(&rows, &plan.order, offset.saturating_add(limit));
    }
    let rows = rows.into_iter().map(|(_, r)| r);
    rows.skip(offset).take(limit).filter_map(key).collect()
}

/// The first `wanted` rows by an ORDER BY; rows that it ranks alike go by the number beside them.
fn sorted<'a>(
    rows: &[(u64, Reading<'a>)],
    order: &[Order<Column>],
    wanted: usize,
) -> Vec<(u64, Reading<'a>)> {
    // Each row's keys once, not at every comparison.
    let width = order.len();
    let keys: Vec<Value> = rows
        .iter()
        .flat_map(|(_, r)| order.iter().map(|item| r.value(&item.of)))
        .collect();
    let ranked = |a: &usize, b: &usize| {
        let pairs = keys[a * width..][..width].iter().zip(&keys[b * width..][..width]);
        order
            .iter()
            .zip(pairs)
            .map(|(item, (x, y))| rank(item, !item.of.exact, x, y))
            .find(|o| o.is_ne())
            .unwrap_or_else(|| rows[*a].0.cmp(&rows[*b].0))
    };
    let mut places: Vec<usize> = (0..rows.len()).collect();
    if wanted < places.len() {
        places.select_nth_unstable_by(wanted, ranked);
        places.truncate(wanted);
    }
    // Rows come in order of Id, and so often nearly in order of time: that is what this sort is good at.
    places.sort_by(ranked);
    places.into_iter().map(|at| rows[at]).collect()
}

/// One row of a reply that has no children; `None` when it is no longer to be seen.
pub(crate) fn show(state: &State, plan: &Plan, id: &str, all: bool, version: &str) -> Option<Shown> {
    show_with(state, plan, id, all, version, &mut |_| Shown::Plain(Value::Null))
}

/// One row of a reply; `below` writes its children.
pub(super) fn show_with(
    state: &State,
    plan: &Plan,
    id: &str,
    all: bool,
    version: &str,
    below: &mut dyn FnMut(&Child) -> Shown,
) -> Option<Shown> {
    let reading = Reading::of(state, id)?;
    if reading.row.life != Life::Live && !all || !reading.seen() {
        return None;
    }
    let mut top = vec![attributes(&plan.object.name, &plan.object.name, id, version)];
    for item in plan.items() {
        match item {
            Item::Column(column) => place(&mut top, reading, &column.hops, version, &mut |at, into| {
                into.push((column.name.clone(), Shown::Plain(at.last(column))));
            }),
            Item::Child(child) => top.push((child.name.clone(), below(child))),
            Item::TypeOf(kinds) => type_of(&mut top, reading, kinds, version),
        }
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

/// Goes where a path leads, making the parents on the way, and writes there.
fn place(
    into: &mut Pairs,
    at: Reading<'_>,
    hops: &[Hop],
    version: &str,
    write: &mut dyn FnMut(Reading<'_>, &mut Pairs),
) {
    let Some((hop, rest)) = hops.split_first() else {
        return write(at, into);
    };
    let there = into.iter().any(|(k, _)| *k == hop.way);
    let Some(parent) = at.follow(&hop.reference) else {
        if !there {
            into.push((hop.way.clone(), Shown::Plain(Value::Null)));
        }
        return;
    };
    if !there {
        let name = parent.object.name.as_str();
        let kind = if hop.shared { "Name" } else { name };
        let head = attributes(kind, name, parent.id, version);
        into.push((hop.way.clone(), Shown::Object(vec![head])));
    }
    if let Some((_, Shown::Object(inner))) = into.iter_mut().find(|(k, _)| *k == hop.way) {
        place(inner, parent, rest, version, write);
    }
}

/// Writes a parent with the fields of its kind; null when no case is for it.
fn type_of(into: &mut Pairs, at: Reading<'_>, kinds: &TypeOf, version: &str) {
    let Some((last, above)) = kinds.hops.split_last() else {
        return;
    };
    place(into, at, above, version, &mut |at, into| {
        let shown = at.follow(&last.reference).and_then(|parent| {
            let name = parent.object.name.as_str();
            let case = kinds.cases.iter().find(|(kind, _)| kind == name);
            let columns = case.map_or(&kinds.otherwise, |(_, columns)| columns);
            if columns.is_empty() {
                return None;
            }
            let kind = if case.is_some() { name } else { "Name" };
            let mut inner = vec![attributes(kind, name, parent.id, version)];
            for column in columns {
                place(&mut inner, parent, &column.hops, version, &mut |at, into| {
                    into.push((column.name.clone(), Shown::Plain(at.last(column))));
                });
            }
            Some(Shown::Object(inner))
        });
        into.push((last.way.clone(), shown.unwrap_or(Shown::Plain(Value::Null))));
    });
}
