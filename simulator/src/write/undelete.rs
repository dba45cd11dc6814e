//! Undelete: a row comes back with its Id, its values and what the same delete took along.
//!
//! Key decision: children that fell by cascade are not in the bin on their own; they come back with the row
//! whose delete took them. Lookups that the delete emptied are set again unless they were filled since;
//! lookups of the row itself that lead to rows deleted meanwhile are emptied.
//! Source: SOAP API guide, "undelete"; Apex guide, "Restoring Deleted Records"; Knowledge article 000386040.
//! Not here: the envelope (`http::soap`).

use serde_json::{Value, json};

use super::automation::{self, Event};
use super::delete::companions;
use super::save::malformed;
use super::{check, rollup};
use crate::error::ApiError;
use crate::id::normalise;
use crate::org::access::Act;
use crate::org::state::{Life, Row, State};
use crate::schema::{Field, ObjectDef};

/// Brings a row back.
pub(crate) fn undelete(state: &mut State, id: &str) -> Result<(), ApiError> {
    let id = &normalise(id).ok_or_else(|| malformed(id))?;
    let def = state
        .schema
        .by_id(id)
        .cloned()
        .ok_or_else(ApiError::bad_reference)?;
    let Some(row) = state.row(id).cloned() else {
        return Err(ApiError::bad_reference());
    };
    if !def.rights.undeletable {
        return Err(ApiError::new(
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            "Entity type is not undeletable",
        ));
    }
    state.allow(Act::Delete, &def, Some((id, &row)))?;
    let batch = match &row.deleted_by {
        Some((batch, root)) if row.life == Life::Bin && root == id => *batch,
        _ => return Err(failed("Entity is not in the recycle bin")),
    };
    let mut back: Vec<String> = companions(state, batch)
        .into_iter()
        .filter(|c| state.row(c).is_some_and(|r| r.life == Life::Bin))
        .collect();
    if let Some(field) = orphaned(state, &row, &def, &back) {
        return Err(failed("The parent record of this record is deleted").on(&field));
    }
    leave_orphans(state, id, &mut back);
    let stamp = state.stamp();
    for one in &back {
        revive(state, one, &stamp);
    }
    for one in &back {
        settle(state, one)?;
    }
    for (holder, link) in &row.cleared {
        restore_link(state, holder, link, &stamp);
    }
    match state.row(id).cloned() {
        Some(row) => automation::moved(state, &def, &row, Event::Undelete),
        None => Ok(()),
    }
}

fn failed(message: &str) -> ApiError {
    ApiError::new("UNDELETE_FAILED", message)
}

/// The first required reference of a row that would lead to nothing once these rows are back.
fn orphaned(state: &State, row: &Row, def: &ObjectDef, back: &[String]) -> Option<String> {
    let required = |f: &&Field| !f.nillable && !f.reference_to.is_empty();
    let lost = def.fields.iter().filter(required).find(|f| {
        let to = row.text(&f.name);
        !to.is_empty() && state.live(to).is_none() && !back.iter().any(|b| b == to)
    });
    lost.map(|f| f.name.clone())
}

/// Companions whose other master is deleted stay in the bin, from now on by themselves.
fn leave_orphans(state: &mut State, root: &str, back: &mut Vec<String>) {
    loop {
        let orphan = back.iter().position(|id| {
            let (Some(def), Some(row)) = (state.schema.by_id(id), state.row(id)) else {
                return false;
            };
            id != root && orphaned(state, row, def, back).is_some()
        });
        let Some(at) = orphan else { return };
        let id = back.remove(at);
        state.deletes += 1;
        let alone = (state.deletes, id.clone());
        state.edit(&id, |row| row.deleted_by = Some(alone));
    }
}

fn revive(state: &mut State, id: &str, stamp: &str) {
    let moves = state.settings.undelete_stamps;
    state.edit(id, |row| {
        row.life = Life::Live;
        row.deleted_by = None;
        row.cleared.clear();
        row.values.remove("MasterRecordId");
        if moves && row.values.contains_key("SystemModstamp") {
            row.set("SystemModstamp", json!(stamp));
        }
    });
}

/// Checks and mends a row that is back: unique values, lookups into nothing, roll-ups above and on it.
fn settle(state: &mut State, id: &str) -> Result<(), ApiError> {
    let (Some(def), Some(row)) = (state.schema.by_id(id).cloned(), state.row(id).cloned()) else {
        return Ok(());
    };
    check::unique(state, &def, id, &row)?;
    for field in def
        .fields
        .iter()
        .filter(|f| !f.reference_to.is_empty() && f.nillable)
    {
        let to = row.text(&field.name);
        let dangling = !to.is_empty()
            && state.schema.by_id(to).is_some()
            && state.live(to).is_none()
            && field.name != "MasterRecordId";
        if !dangling {
            continue;
        }
        state.edit(id, |row| row.set(&field.name, Value::Null));
        // Should that row come back too, it finds the link again.
        let link = (id.to_owned(), format!("{}={to}", field.name));
        let root = state
            .row(to)
            .and_then(|r| r.deleted_by.clone())
            .map(|(_, root)| root);
        if let Some(root) = root {
            state.edit(&root, |row| row.cleared.push(link));
        }
    }
    rollup::refresh(state, &def.name, &[Some(&row)]);
    Ok(())
}

/// Sets a lookup again that the delete had emptied, unless it was filled since.
fn restore_link(state: &mut State, holder: &str, link: &str, stamp: &str) {
    let Some((field, target)) = link.split_once('=') else {
        return;
    };
    if state.live(target).is_none() {
        return;
    }
    let Some(row) = state.row(holder) else { return };
    if row.values.contains_key(field) {
        return;
    }
    let moves = state.settings.clear_stamps && row.life == Life::Live;
    state.edit(holder, |row| {
        row.set(field, json!(target));
        if moves && row.values.contains_key("SystemModstamp") {
            row.set("SystemModstamp", json!(stamp));
        }
    });
}
