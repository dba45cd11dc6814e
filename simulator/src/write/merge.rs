//! Merge: one row takes over what hangs on one or two others, and these go to the recycle bin.
//!
//! Key decision: the losers' rows are re-parented as by an edit of the running user (their stamps move), so
//! that nothing is left to fall with a loser; a loser brought back later finds its rows at the winner. A row
//! that the winner already has the like of (a campaign member, a relation to the same account) is deleted.
//! Source: SOAP API guide, "merge"; Salesforce Help, "Merge Duplicate Accounts".
//! Not here: finding duplicates (`duplicates`).

use serde_json::{Value, json};

use super::delete::{bury, discard, holders};
use super::save::{malformed, touch, unsupported, update};
use super::{check, person, rollup};
use crate::error::ApiError;
use crate::id::normalise;
use crate::org::access::Act;
use crate::org::state::{Life, Row, State};

/// Most rows that go into one winner.
const MAX_LOSERS: usize = 2;

/// What a merge did.
#[derive(Debug)]
pub(crate) struct Merged {
    /// Rows that went to the bin.
    pub losers: Vec<String>,
    /// Rows that hang on the winner now.
    pub moved: Vec<String>,
}

/// Merges rows into the winner, which first takes the values.
pub(crate) fn merge(
    state: &mut State,
    winner: &str,
    values: &Value,
    losers: &[String],
    user: &str,
) -> Result<Merged, ApiError> {
    let winner = &normalise(winner).ok_or_else(|| malformed(winner))?;
    let losers = contestants(state, winner, losers)?;
    let all = std::iter::once(winner).chain(&losers);
    if all.filter_map(|id| state.row(id)).any(person::is) {
        return Err(person::refused("person accounts are not merged here"));
    }
    for (id, act) in std::iter::once((winner, Act::Edit)).chain(losers.iter().map(|l| (l, Act::Delete))) {
        if let Some(def) = state.schema.by_id(id).cloned() {
            state.allow(act, &def, state.row(id).map(|row| (id.as_str(), row)))?;
        }
    }
    if values.as_object().is_some_and(|map| !map.is_empty()) {
        update(state, winner, values, user)?;
    }
    let mut moved = Vec::new();
    for loser in &losers {
        moved.extend(take_over(state, winner, loser, user));
        state.deletes += 1;
        let batch = state.deletes;
        let stamp = state.stamp();
        bury(state, loser, (batch, loser), &stamp);
        state.edit(loser, |row| row.set("MasterRecordId", json!(winner)));
        if let (Some(def), Some(row)) = (state.schema.by_id(loser).cloned(), state.row(loser).cloned()) {
            rollup::refresh(state, &def.name, &[Some(&row)]);
        }
    }
    moved.sort();
    moved.dedup();
    Ok(Merged { losers, moved })
}

/// The losers' full Ids, once all rows may meet.
fn contestants(state: &State, winner: &str, losers: &[String]) -> Result<Vec<String>, ApiError> {
    let def = state.schema.by_id(winner).ok_or_else(ApiError::bad_reference)?;
    if !def.rights.mergeable {
        return Err(unsupported(def, "merge"));
    }
    if losers.is_empty() || losers.len() > MAX_LOSERS {
        let message = format!("merge takes one to {MAX_LOSERS} records to merge into the master record");
        return Err(ApiError::new("INVALID_ARGUMENT_TYPE", message));
    }
    let mut known: Vec<String> = vec![winner.to_owned()];
    for loser in losers {
        let id = normalise(loser).ok_or_else(|| malformed(loser))?;
        if !id.starts_with(&def.key_prefix) {
            return Err(ApiError::new(
                "MERGE_FAILED",
                "All records to be merged must be of the same type",
            ));
        }
        if known.contains(&id) {
            return Err(ApiError::new(
                "MERGE_FAILED",
                "a record cannot be merged with itself",
            ));
        }
        known.push(id);
    }
    for id in &known {
        match state.row(id).map(|r| r.life) {
            Some(Life::Live) => {}
            Some(_) => return Err(ApiError::deleted()),
            None => return Err(ApiError::bad_reference()),
        }
    }
    known.remove(0);
    Ok(known)
}

/// Points whatever points at the loser at the winner; gives the rows that were moved.
fn take_over(state: &mut State, winner: &str, loser: &str, user: &str) -> Vec<String> {
    let stamp = json!(state.stamp());
    let mut moved = Vec::new();
    for (holder, field, _) in holders(state, loser) {
        if field == "MasterRecordId" || holder == loser {
            continue;
        }
        let (Some(def), Some(old)) = (state.schema.by_id(&holder).cloned(), state.row(&holder).cloned())
        else {
            continue;
        };
        let mut row = old.clone();
        // A row does not become its own parent.
        let target = if holder == winner {
            Value::Null
        } else {
            json!(winner)
        };
        row.set(&field, target);
        if twin(state, &def.name, &holder, &row) || check::unique(state, &def, &holder, &row).is_err() {
            discard(state, &holder);
            continue;
        }
        touch(&def, &mut row, &stamp, user);
        state.put(&def.name, &holder, Some(row.clone()));
        rollup::refresh(state, &def.name, &[Some(&old), Some(&row)]);
        moved.push(holder);
    }
    moved
}

/// Whether another row already says the same of the winner.
fn twin(state: &State, object: &str, id: &str, row: &Row) -> bool {
    let keys: &[&str] = match object {
        "CampaignMember" => &["CampaignId", "LeadId", "ContactId"],
        "AccountContactRelation" => &["AccountId", "ContactId"],
        "OpportunityContactRole" => &["OpportunityId", "ContactId", "Role"],
        _ => return false,
    };
    let others = state.index.holders(row.text(keys[0]));
    others
        .filter(|other| *other != id && state.schema.by_id(other).is_some_and(|o| o.name == object))
        .filter_map(|other| state.live(other))
        .any(|other| keys.iter().all(|k| other.text(k) == row.text(k)))
}
