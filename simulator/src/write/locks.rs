//! Rows that a transaction holds: who else needs one is refused.
//!
//! Key decision: a write needs the row itself and its parents by master-detail, cascade or restriction, as
//! a real save locks them. A lock that is held refuses at once, as if the ten seconds that a real org waits
//! were over: so a run does not depend on the speed of a machine.
//! Source: Salesforce Help, "A Guide to Sharing Architecture", "Record Locking Cheat Sheet".
//! Not here: how long a request holds (`http::server`), which batches run side by side (the Bulk API).

use std::collections::{BTreeMap, BTreeSet};

use crate::error::ApiError;
use crate::org::State;
use crate::org::state::Row;
use crate::schema::{ObjectDef, OnDelete};

/// Who holds a lock; 0 is whoever `Org::lock_row` stands for.
pub(crate) type Ticket = u64;

/// All locks of the org.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    held: BTreeMap<String, Ticket>,
    /// What was locked since `gather`.
    taken: Option<BTreeSet<String>>,
    tickets: Ticket,
}

impl Locks {
    /// Starts noting the rows that are locked from now on.
    pub fn gather(&mut self) {
        self.taken = Some(BTreeSet::new());
    }

    /// Keeps what was locked since `gather`, until the ticket is given back; `None` when nothing was.
    pub fn keep(&mut self) -> Option<Ticket> {
        let taken = self.taken.take().filter(|ids| !ids.is_empty())?;
        Some(self.claim(taken))
    }

    /// Locks rows that nobody holds, until the ticket is given back.
    pub fn claim(&mut self, ids: impl IntoIterator<Item = String>) -> Ticket {
        self.tickets += 1;
        for id in ids {
            self.held.entry(id).or_insert(self.tickets);
        }
        self.tickets
    }

    /// Gives locks back.
    pub fn release(&mut self, ticket: Ticket) {
        self.held.retain(|_, holder| *holder != ticket);
    }

    /// Locks a row until it is unlocked.
    pub fn hold(&mut self, id: &str) {
        self.held.insert(id.to_owned(), 0);
    }

    /// Unlocks a row, whoever holds it.
    pub fn free(&mut self, id: &str) {
        self.held.remove(id);
    }

    /// Rows that are held, in order.
    pub fn held(&self) -> Vec<String> {
        self.held.keys().cloned().collect()
    }
}

/// Locks what a save or a delete of this row needs. `rows` are its states before and after.
pub(crate) fn take(state: &mut State, def: &ObjectDef, id: &str, rows: &[&Row]) -> Result<(), ApiError> {
    let locks = &mut state.behaviour.locks;
    if locks.held.is_empty() && locks.taken.is_none() {
        return Ok(());
    }
    let locking = def.fields.iter().filter(|f| f.on_delete != OnDelete::SetNull);
    let parents = locking.flat_map(|f| rows.iter().map(|row| row.text(&f.name)));
    let mut needed: Vec<&str> = parents.filter(|p| !p.is_empty()).collect();
    needed.push(id);
    if let Some(busy) = needed.iter().find(|id| locks.held.contains_key(**id)) {
        return Err(ApiError::new(
            "UNABLE_TO_LOCK_ROW",
            format!("unable to obtain exclusive access to this record or 1 records: {busy}"),
        ));
    }
    if let Some(taken) = &mut locks.taken {
        taken.extend(needed.into_iter().map(str::to_owned));
    }
    Ok(())
}
