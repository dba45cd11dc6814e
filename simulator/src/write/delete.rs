//! Delete, and the way out of the recycle bin: purge, then nothing.
//!
//! Key decision: a delete first collects everything that falls with the row (children by cascade), refuses
//! if one child forbids it, then empties the lookups of rows that stay and remembers which, so that an
//! undelete can set them again.
//! Source: SOAP API guide, "delete", "emptyRecycleBin"; Apex guide, "Restoring Deleted Records".
//! Not here: `undelete`.

use serde_json::{Value, json};

use super::automation::{self, Event};
use super::save::{malformed, unsupported};
use super::transaction::note;
use super::{locks, person, rollup};
use crate::error::ApiError;
use crate::id::normalise;
use crate::org::access::Act;
use crate::org::state::{Life, Row, State};
use crate::schema::OnDelete;

/// Deletes a row and all that hangs on it.
pub(crate) fn delete(state: &mut State, id: &str) -> Result<(), ApiError> {
    let id = &normalise(id).ok_or_else(|| malformed(id))?;
    let def = state
        .schema
        .by_id(id)
        .cloned()
        .ok_or_else(ApiError::bad_reference)?;
    match state.row(id).map(|r| r.life) {
        None => return Err(ApiError::bad_reference()),
        Some(Life::Live) => {}
        Some(_) => return Err(ApiError::deleted()),
    }
    if !def.rights.deletable {
        return Err(unsupported(&def, "delete"));
    }
    state.allow(Act::Delete, &def, state.row(id).map(|row| (id.as_str(), row)))?;
    note(state, &def)?;
    if state
        .row(id)
        .is_some_and(|r| r.values.flag("IsDirect") == Some(true))
        && state.settings.behaviour.direct_relations
    {
        return Err(direct_relation());
    }
    let falling = falling(state, id)?;
    for victim in &falling {
        if let (Some(def), Some(row)) = (state.schema.by_id(victim).cloned(), state.row(victim).cloned()) {
            locks::take(state, &def, victim, &[&row])?;
        }
    }
    if let Some(row) = state.row(id).cloned() {
        person::deletable(&def, &row)?;
        automation::moved(state, &def, &row, Event::Delete)?;
    }
    state.deletes += 1;
    let batch = state.deletes;
    let cleared = clear_lookups(state, &falling);
    let stamp = state.stamp();
    for victim in &falling {
        bury(state, victim, (batch, id), &stamp);
    }
    state.edit(id, |row| row.cleared = cleared);
    for victim in &falling {
        let (Some(def), Some(row)) = (state.schema.by_id(victim).cloned(), state.row(victim).cloned()) else {
            continue;
        };
        rollup::refresh(state, &def.name, &[Some(&row)]);
    }
    Ok(())
}

/// A contact's relation to its own account goes with the contact only.
fn direct_relation() -> ApiError {
    let message = "You can't delete a direct relationship. Change the contact's account instead.";
    ApiError::new("DELETE_FAILED", message)
}

/// The row and every live row that its delete takes along.
fn falling(state: &State, id: &str) -> Result<Vec<String>, ApiError> {
    let mut found = vec![id.to_owned()];
    let mut blocked: Vec<String> = Vec::new();
    let mut at = 0;
    while at < found.len() {
        let parent = found[at].clone();
        for (child, _, rule) in holders(state, &parent) {
            match rule {
                OnDelete::Cascade if !found.contains(&child) => found.push(child),
                OnDelete::Restrict => blocked.push(child),
                _ => {}
            }
        }
        at += 1;
    }
    match blocked.iter().find(|b| !found.contains(b)) {
        None => Ok(found),
        Some(holder) => {
            let name = state.schema.by_id(holder).map_or("record", |o| o.label.as_str());
            Err(ApiError::new(
                "DELETE_FAILED",
                format!(
                    "Your attempt to delete {id} could not be completed because it is associated with the following {name} records: {holder}"
                ),
            ))
        }
    }
}

/// Live rows that point at this one: (row, field, what its delete does to them).
pub(crate) fn holders(state: &State, id: &str) -> Vec<(String, String, OnDelete)> {
    let mut out = Vec::new();
    for child in state.index.holders(id) {
        let (Some(def), Some(row)) = (state.schema.by_id(child), state.live(child)) else {
            continue;
        };
        for field in def.fields.iter().filter(|f| !f.reference_to.is_empty()) {
            if row.text(&field.name) == id {
                out.push((child.to_owned(), field.name.clone(), field.on_delete));
            }
        }
    }
    out
}

/// Empties the lookups into the falling rows of rows that stay.
fn clear_lookups(state: &mut State, falling: &[String]) -> Vec<(String, String)> {
    let mut cleared = Vec::new();
    for victim in falling {
        for (holder, field, _) in holders(state, victim) {
            if falling.contains(&holder) || system(&field) {
                continue;
            }
            let (stamp, moves) = (state.stamp(), state.settings.clear_stamps);
            state.edit(&holder, |row| {
                row.set(&field, Value::Null);
                if moves && row.values.contains_key("SystemModstamp") {
                    row.set("SystemModstamp", json!(stamp));
                }
            });
            cleared.push((holder, format!("{field}={victim}")));
        }
    }
    cleared
}

/// Who made and owns a row stays, whatever happens to users.
fn system(field: &str) -> bool {
    matches!(field, "CreatedById" | "LastModifiedById" | "OwnerId")
}

/// Puts a row into the bin.
pub(crate) fn bury(state: &mut State, victim: &str, (batch, root): (u64, &str), stamp: &str) {
    let moves = if victim == root {
        state.settings.delete_stamps
    } else {
        state.settings.cascade_stamps
    };
    let signs = moves && state.settings.delete_signs;
    let user = json!(state.running);
    state.edit(victim, |row| {
        row.life = Life::Bin;
        row.deleted_by = Some((batch, root.to_owned()));
        if moves && row.values.contains_key("SystemModstamp") {
            row.set("SystemModstamp", json!(stamp));
        }
        for (field, value) in [("LastModifiedDate", json!(stamp)), ("LastModifiedById", user)] {
            if signs && row.values.contains_key(field) {
                row.set(field, value);
            }
        }
    });
}

/// Deletes a row that a merge made one too many, whatever the rights of its object.
pub(crate) fn discard(state: &mut State, id: &str) {
    state.deletes += 1;
    let (batch, stamp) = (state.deletes, state.stamp());
    bury(state, id, (batch, id), &stamp);
}

/// Rows that one delete took, still in the bin.
pub(crate) fn companions(state: &State, batch: u64) -> Vec<String> {
    let took = |r: &Row| r.deleted_by.as_ref().is_some_and(|(b, _)| *b == batch);
    let rows = state.index.taken(batch);
    rows.filter(|id| state.row(id).is_some_and(took))
        .map(str::to_owned)
        .collect()
}

/// Takes a row out of the bin, with its companions if the delete was its own.
pub(crate) fn purge(state: &mut State, id: &str) -> Result<(), ApiError> {
    let id = &normalise(id).ok_or_else(|| malformed(id))?;
    if state.live(id).is_some() {
        delete(state, id)?;
    }
    let Some(row) = state.row(id) else {
        return Err(ApiError::bad_reference());
    };
    for victim in with_companions(state, id, row) {
        state.edit(&victim, |row| {
            if row.life == Life::Bin {
                row.life = Life::Purged;
                row.cleared.clear();
            }
        });
    }
    Ok(())
}

/// Takes a row out of the bin as a client does: only a row that a delete of its own put there.
pub(crate) fn empty_bin(state: &mut State, id: &str) -> Result<(), ApiError> {
    let id = &normalise(id).ok_or_else(|| malformed(id))?;
    let own = |r: &Row| r.life == Life::Bin && r.deleted_by.as_ref().is_some_and(|(_, root)| root == id);
    if state.row(id).is_some_and(own) {
        return purge(state, id);
    }
    Err(ApiError::new(
        "INVALID_ID_FIELD",
        "invalid record id; no recycle bin entry found",
    ))
}

fn with_companions(state: &State, id: &str, row: &Row) -> Vec<String> {
    match &row.deleted_by {
        Some((batch, root)) if root == id => companions(state, *batch),
        _ => vec![id.to_owned()],
    }
}

/// Makes a row vanish, with its companions if the delete was its own.
pub(crate) fn expire(state: &mut State, id: &str) -> Result<(), ApiError> {
    purge(state, id)?;
    let id = &normalise(id).ok_or_else(|| malformed(id))?;
    let Some(row) = state.row(id) else { return Ok(()) };
    for victim in with_companions(state, id, row) {
        remove(state, &victim);
    }
    Ok(())
}

fn remove(state: &mut State, id: &str) {
    if let Some(def) = state.schema.by_id(id).cloned() {
        state.put(&def.name, id, None);
    }
}

/// Every purged row vanishes.
pub(crate) fn expire_purged(state: &mut State) {
    let gone: Vec<String> = state
        .tables
        .values()
        .flatten()
        .filter(|(_, r)| r.life == Life::Purged)
        .map(|(id, _)| id.clone())
        .collect();
    for id in gone {
        remove(state, &id);
    }
}
