//! A snapshot against what was true: each record in one of the states that it had within [U, E].
//!
//! Key decision: where the report names an sObject as incomplete, a record may differ, but never be taken for gone that
//! never was. It does not look at how the snapshot came about.

use std::collections::{BTreeMap, BTreeSet};

use halite_engine::Result;
use halite_engine::ops::report::Report;
use halite_engine::ops::state::State;
use halite_engine::vault::{SnapshotInfo, Vault};
use serde_json::Value;

use super::world::{OBJECTS, Shown, TEXTS, World};

/// What is wrong with the snapshot of a report.
pub fn compare(vault: &Vault, world: &World, report: &Report) -> Vec<String> {
    compared(vault, world, report).unwrap_or_else(|error| vec![format!("it cannot be read: {error}")])
}

fn compared(vault: &Vault, world: &World, report: &Report) -> Result<Vec<String>> {
    let info = vault.find_snapshot(report.org.parse()?, &report.name)?;
    let mut wrong = Vec::new();
    for (at, object) in OBJECTS.iter().enumerate() {
        let told = report.sobjects.iter().find(|s| s.name == *object);
        let named = !report.sees_all
            || told.is_none_or(|s| !s.complete() || s.skipped.is_some())
            || report.failed.iter().any(|name| name == object);
        let (shown, gone) = states(vault, &info, at)?;
        let ids: BTreeSet<&String> = shown.keys().chain(world.past[at].keys()).collect();
        for id in ids {
            let found = shown.get(id).cloned();
            let nothing = vec![(i64::MIN, None)];
            let past = world.past[at].get(id).unwrap_or(&nothing);
            let allowed = within(past, info.from.millis(), info.until.millis());
            let standing = told.map_or("not told", |s| s.standing.as_str());
            let was_live = past.iter().skip_while(|(_, shown)| shown.is_none());
            let never_gone = was_live
                .take_while(|(since, _)| *since <= info.until.millis())
                .all(|(_, shown)| shown.is_some());
            if gone.contains(id) && never_gone {
                wrong.push(format!("{object} {id} is taken for gone ({standing})"));
            } else if !allowed.contains(&found) && !named {
                wrong.push(format!(
                    "{object} {id}: {found:?}, true were {allowed:?} ({standing})"
                ));
            }
        }
    }
    Ok(wrong)
}

/// The states that were true at some instant from `from` to `until`.
fn within(past: &[(i64, Shown)], from: i64, until: i64) -> Vec<Shown> {
    let first = past
        .partition_point(|(since, _)| *since <= from)
        .saturating_sub(1);
    let states = past[first..].iter().enumerate();
    states
        .filter(|(n, (since, _))| *n == 0 || *since <= until)
        .map(|(_, (_, shown))| shown.clone())
        .collect()
}

/// Texts of live records by Id, and Ids of those that are gone.
type Seen = (BTreeMap<String, Vec<String>>, BTreeSet<String>);

/// What a snapshot shows of an sObject, and which Ids it says are gone.
fn states(vault: &Vault, info: &SnapshotInfo, at: usize) -> Result<Seen> {
    let (state, mut shown, mut gone) = (State::at(vault, info), BTreeMap::new(), BTreeSet::new());
    if !state.sobjects()?.iter().any(|name| name == OBJECTS[at]) {
        return Ok((shown, gone));
    }
    state.each(OBJECTS[at], &mut |record| {
        let json: Value = serde_json::from_str(&record.json).unwrap_or_default();
        let text = |name: &&str| {
            json.get(*name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        shown.insert(record.id.to_string(), TEXTS[at].iter().map(text).collect());
        Ok(())
    })?;
    state.each_gone(OBJECTS[at], &mut |id, _| {
        gone.insert(id.to_string());
        Ok(())
    })?;
    Ok((shown, gone))
}
