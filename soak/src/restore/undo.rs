//! What an org must be once a restore was taken back: as it was before, but for what an outcome names.
//!
//! Key decision: judged against the tables from before the restore, never against the inverse plan; only rows of automation
//! and what others did stay. What was made anew must be named as such.

use std::collections::{BTreeMap, BTreeSet};

use halite_engine::ops::restore::apply::Applied;
use halite_engine::ops::restore::journal::Final;
use halite_engine::ops::restore::plan::{Operation, Plan};

use super::judge::{Case, is_done, turns};
use super::truth::{Tables, same, value};
use super::weather::auto;
use super::world::OBJECTS;

/// Everything that is wrong with the org after `inverse`.
pub fn judge(case: &Case<'_>, inverse: &Plan, undone: &Applied, end: &Tables) -> Vec<String> {
    let ends = &undone.outcomes.ends;
    let mut on: BTreeMap<String, Vec<(&Operation, &Final)>> = BTreeMap::new();
    for op in &inverse.operations {
        let end = ends.get(&op.number).unwrap_or(&Final::Unchanged);
        on.entry(op.id.to_string()).or_default().push((op, end));
    }
    let refused = ends
        .values()
        .any(|end| matches!(end, Final::Refused(..) | Final::Conflict(_)));
    let mut wrong = Vec::new();
    for (id, ops) in &on {
        for (op, end) in ops {
            // What was not set back still hangs on it.
            let hangs = matches!(end, Final::Skipped(_)) && refused;
            if !hangs && !is_right(case, op, end) {
                wrong.push(format!(
                    "back: {} of {} {id} ended {end:?}",
                    op.action, op.sobject
                ));
            }
        }
    }
    for object in OBJECTS {
        as_before(case, &on, end, object, &mut wrong);
        none_left(case, &on, end, object, &mut wrong);
    }
    wrong.extend(unnamed(case, inverse));
    wrong
}

type On<'p> = BTreeMap<String, Vec<(&'p Operation, &'p Final)>>;

fn is_right(case: &Case<'_>, op: &Operation, end: &Final) -> bool {
    let (weather, id) = (case.weather, op.id.to_string());
    let auto = weather.sets.iter().any(|(object, _)| *object == op.sobject);
    match end {
        Final::Edited | Final::Unchanged | Final::Deleted | Final::Undeleted => true,
        Final::Conflict(_) => auto || weather.touched.contains(&id),
        Final::Refused(code, _) => match code.as_str() {
            "FIELD_CUSTOM_VALIDATION_EXCEPTION" => !weather.ruled.is_empty(),
            "CIRCULAR_DEPENDENCY" => turns(op),
            // What a rule kept from being set back still hangs on it, or what others made does.
            "DELETE_FAILED" => {
                !weather.ruled.is_empty() || !weather.touched.is_empty() || is_relinked(case, &id)
            }
            "ENTITY_IS_DELETED" | "INVALID_CROSS_REFERENCE_KEY" => {
                let named = |value: &str| weather.touched.contains(value.trim_matches('"'));
                weather.touched.contains(&id)
                    || op
                        .fields
                        .open()
                        .unwrap_or_default()
                        .values()
                        .any(|value| named(value.get()))
            }
            _ => false,
        },
        _ => false,
    }
}

/// Whether the org linked a record again, by itself, to one that it brought back.
fn is_relinked(case: &Case<'_>, to: &str) -> bool {
    let linked = |object: &&'static str| {
        let references = case.fields[*object].iter().filter(|field| field.reference);
        references.into_iter().any(|field| {
            let mut rows = case
                .after
                .live(object)
                .filter(|(_, row)| *value(row, &field.name) == *to);
            rows.any(|(id, _)| {
                case.before
                    .row(object, id)
                    .is_some_and(|row| value(row, &field.name).is_null())
            })
        })
    };
    OBJECTS.iter().any(linked)
}

/// Every record that was there is there, with what it held.
fn as_before(case: &Case<'_>, on: &On<'_>, end: &Tables, object: &'static str, wrong: &mut Vec<String>) {
    for (id, was) in case
        .before
        .live(object)
        .filter(|(id, _)| !case.weather.touched.contains(*id))
    {
        let Some(is) = end.row(object, id) else {
            if fell(case, end, object, id) {
                continue;
            }
            wrong.push(format!("back: {object} {id} is gone: {:?}", on.get(id)));
            continue;
        };
        for field in &case.fields[object] {
            let (held, found) = (value(was, &field.name), value(is, &field.name));
            let not_set = on.get(id).into_iter().flatten();
            let mut not_set = not_set.filter(|(op, end)| {
                op.fields.open().unwrap_or_default().contains_key(&field.name) && !is_done(end)
            });
            let auto = case.weather.sets.contains(&(object, field.name.as_str())) && *found == auto();
            // The record that the org linked it to again could not be deleted, and says so.
            let stays = |to: &str| on.get(to).into_iter().flatten().any(|(_, end)| !is_done(end));
            let linked = held.is_null() && found.as_str().is_some_and(stays);
            if !same(held, found) && not_set.next().is_none() && !auto && !linked {
                let after = case.after.row(object, id).map(|row| value(row, &field.name));
                wrong.push(format!(
                    "back: {object} {id} {}: {found} instead of {held} (restored: {after:?}): {:?}",
                    field.name,
                    on.get(id)
                ));
            }
        }
    }
}

/// Whether a record fell with one that the restore had brought back, and that the org itself had linked it to again: the
/// inverse plan cannot know of it.
fn fell(case: &Case<'_>, end: &Tables, object: &str, id: &str) -> bool {
    let (Some(was), Some(row)) = (case.before.row(object, id), case.after.row(object, id)) else {
        return false;
    };
    let mut references = case.fields[object].iter().filter(|field| field.reference);
    references.any(|field| {
        let Some(to) = value(row, &field.name).as_str() else {
            return false;
        };
        let linked = value(was, &field.name).is_null() && !case.before.has(to);
        let parent = OBJECTS.iter().find(|object| case.after.row(object, to).is_some());
        let fallen = parent.filter(|object| end.row(object, to).is_none());
        linked || fallen.is_some_and(|parent| fell(case, end, parent, to))
    })
}

/// What the restore brought back is gone again.
fn none_left(case: &Case<'_>, on: &On<'_>, end: &Tables, object: &'static str, wrong: &mut Vec<String>) {
    for (id, row) in end
        .live(object)
        .filter(|(id, _)| case.before.row(object, id).is_none())
    {
        let made = case.weather.makes.contains(object) && *value(row, "Subject") == auto();
        let kept = on.get(id).into_iter().flatten().any(|(_, end)| !is_done(end));
        let is_unknown = |op: &Operation| matches!(case.applied.outcomes.ends[&op.number], Final::Unknown(_));
        let unknown = case
            .plan
            .operations
            .iter()
            .any(|op| op.sobject == *object && is_unknown(op));
        if !made && !kept && !unknown && !case.weather.touched.contains(id) {
            wrong.push(format!(
                "back: {object} {id} is still there (before: {:?}): {row:?}",
                case.before.bin(object, id)
            ));
        }
    }
}

/// Records that were made anew, and that the inverse plan does not name so.
fn unnamed(case: &Case<'_>, inverse: &Plan) -> Option<String> {
    let named: BTreeSet<u32> = inverse
        .warnings
        .iter()
        .flat_map(|w| &w.operations)
        .copied()
        .collect();
    let named: BTreeSet<_> = inverse
        .operations
        .iter()
        .filter(|op| named.contains(&op.number))
        .map(|op| op.id)
        .collect();
    let created = case.applied.outcomes.ends.values().filter_map(|end| match end {
        Final::Created(new) => Some(*new),
        _ => None,
    });
    // A version goes with its document.
    let goes: BTreeSet<_> = inverse.operations.iter().map(|op| op.id).collect();
    let mut missing = created.filter(|new| goes.contains(new) && !named.contains(new));
    missing
        .next()
        .map(|new| format!("back: {new} was made anew, and is not named"))
}
