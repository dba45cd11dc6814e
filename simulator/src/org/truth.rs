//! The truth about an org, and changes made behind the API's back.
//!
//! Key decision: reads give rows in the shapes the API sends (datetimes as `+0000` text, nulls spelled out,
//! compound fields and formulas computed), so that a test compares without translating.
//! Not here: the same over HTTP, with sessions, pages and faults (`http`).

use std::sync::MutexGuard;

use serde::Serialize;
use serde_json::{Map, Value};

use super::Org;
use super::call::CallOptions;
use super::state::{Life, State};
use crate::error::ApiError;
use crate::id::normalise;
use crate::write;

/// A row by API name, nulls included.
pub type Record = Map<String, Value>;

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bin {
    /// Not deleted.
    Live,
    /// In the recycle bin: undelete brings it back.
    InBin,
    /// Taken out of the bin: `queryAll` still shows it, undelete fails.
    Purged,
    /// No such row.
    Gone,
}

impl From<Life> for Bin {
    fn from(life: Life) -> Self {
        match life {
            Life::Live => Self::Live,
            Life::Bin => Self::InBin,
            Life::Purged => Self::Purged,
        }
    }
}

impl Org {
    /// Names of all objects that can be queried, sorted.
    pub fn objects(&self) -> Vec<String> {
        let state = self.lock();
        let mut names: Vec<String> = state
            .schema
            .objects()
            .filter(|o| o.rights.queryable)
            .map(|o| o.name.clone())
            .collect();
        names.sort();
        names
    }

    /// Every live row of an object, in order of Id; empty for an unknown object.
    pub fn rows(&self, object: &str) -> Vec<Record> {
        let state = self.lock();
        let Some(def) = state.schema.object(object) else {
            return Vec::new();
        };
        state
            .rows(&def.name)
            .filter(|(_, r)| r.life == Life::Live)
            .map(|(id, r)| state.shown(def, id, r))
            .collect()
    }

    /// One row, live or deleted, by its 15- or 18-character Id.
    pub fn row(&self, id: &str) -> Option<Record> {
        let id = normalise(id)?;
        let state = self.lock();
        let def = state.schema.by_id(&id)?;
        Some(state.shown(def, &id, state.row(&id)?))
    }

    /// Where the row of an Id stands.
    pub fn bin(&self, id: &str) -> Bin {
        let Some(id) = normalise(id) else { return Bin::Gone };
        self.lock().row(&id).map_or(Bin::Gone, |r| r.life.into())
    }

    /// Ids of an object's deleted rows that `queryAll` still shows.
    pub fn deleted(&self, object: &str) -> Vec<String> {
        let state = self.lock();
        let Some(def) = state.schema.object(object) else {
            return Vec::new();
        };
        state
            .rows(&def.name)
            .filter(|(_, r)| r.life != Life::Live)
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Rows of an object whatever became of them, in order of Id: `most` of those after the Id `after`.
    pub fn every_row(&self, object: &str, after: &str, most: usize) -> Vec<(Bin, Record)> {
        let state = self.lock();
        let Some(def) = state.schema.object(object) else {
            return Vec::new();
        };
        let rows = state.rows(&def.name).filter(|(id, _)| id.as_str() > after);
        rows.take(most)
            .map(|(id, row)| (row.life.into(), state.shown(def, id, row)))
            .collect()
    }

    /// Starts a transaction of the user in the UI.
    fn by_hand(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        state.running = state.ui_user.clone();
        state.options = CallOptions::default();
        state.begin();
        state
    }

    /// The bytes of a file; none where the row has none.
    pub fn file(&self, id: &str, field: &str) -> Option<Vec<u8>> {
        let state = self.lock();
        let bytes = state.files.of(state.row(id)?.values.get(field).as_ref())?;
        Some(bytes.to_vec())
    }

    /// From now on this user is the one who works in the UI.
    pub fn sit_down(&self, user: &str) {
        self.lock().ui_user = user.to_owned();
    }

    /// Creates a row as a user in the UI does, by the rules of the API; gives its Id.
    ///
    /// # Errors
    /// What the API would answer.
    pub fn create(&self, object: &str, values: &Value) -> Result<String, ApiError> {
        let mut state = self.by_hand();
        let user = state.ui_user.clone();
        state.attempt(|s| write::create(s, object, values, &user))
    }

    /// Edits a row as a user in the UI does; null empties a field.
    ///
    /// # Errors
    /// What the API would answer.
    pub fn update(&self, id: &str, values: &Value) -> Result<(), ApiError> {
        let mut state = self.by_hand();
        let user = state.ui_user.clone();
        state.attempt(|s| write::update(s, id, values, &user))
    }

    /// Deletes a row and what hangs on it; they go to the recycle bin.
    ///
    /// # Errors
    /// What the API would answer.
    pub fn delete(&self, id: &str) -> Result<(), ApiError> {
        let mut state = self.by_hand();
        state.attempt(|s| write::delete(s, id))
    }

    /// Brings a row back from the recycle bin, with what the same delete took.
    ///
    /// # Errors
    /// What the API would answer.
    pub fn undelete(&self, id: &str) -> Result<(), ApiError> {
        let mut state = self.by_hand();
        state.attempt(|s| write::undelete(s, id))
    }

    /// Merges one or two rows into a winner of the same kind, as a user in the UI does; gives the Ids of the
    /// rows that hang on the winner now.
    ///
    /// # Errors
    /// What the API would answer; nothing is changed then.
    pub fn merge(&self, winner: &str, losers: &[&str]) -> Result<Vec<String>, ApiError> {
        let mut state = self.by_hand();
        let user = state.ui_user.clone();
        let losers: Vec<String> = losers.iter().map(|l| (*l).to_owned()).collect();
        let merged = state.attempt(|s| write::merge(s, winner, &Value::Null, &losers, &user));
        merged.map(|m| m.moved)
    }

    /// Takes rows out of the recycle bin, with what the same delete took: they stay visible to `queryAll`
    /// and cannot come back. Live rows are deleted first.
    ///
    /// # Errors
    /// What the API would answer; nothing is changed then.
    pub fn purge(&self, ids: &[&str]) -> Result<(), ApiError> {
        let mut state = self.by_hand();
        state.attempt(|s| ids.iter().try_for_each(|id| write::purge(s, id)))
    }

    /// Makes rows vanish: purged rows are no longer visible to `queryAll`. Rows that are live or in the bin
    /// are purged first.
    ///
    /// # Errors
    /// What the API would answer; nothing is changed then.
    pub fn expire(&self, ids: &[&str]) -> Result<(), ApiError> {
        let mut state = self.by_hand();
        state.attempt(|s| ids.iter().try_for_each(|id| write::expire(s, id)))
    }

    /// Every purged row vanishes, as it does about a day after the bin was emptied.
    pub fn expire_purged(&self) {
        let mut state = self.by_hand();
        write::expire_purged(&mut state);
    }

    /// A user looks at a row: `LastViewedDate` and `LastReferencedDate` move, no stamp does.
    pub fn view(&self, id: &str) {
        let mut state = self.lock();
        let now = state.stamp();
        let Some(id) = normalise(id) else { return };
        let Some(def) = state.schema.by_id(&id).cloned() else {
            return;
        };
        state.edit(&id, |row| {
            for field in ["LastViewedDate", "LastReferencedDate"] {
                if def.has(field) {
                    row.set(field, Value::String(now.clone()));
                }
            }
        });
    }
}
