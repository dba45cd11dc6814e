//! The org's memory: schema, rows, and the journal that undoes a failed write.
//!
//! Key decision: rows are maps without nulls, and every change of a row goes through `put`, which keeps the
//! row as it was in a journal; a refused record is undone by playing the journal back. One request at a time
//! holds the state, and so the user who runs it is part of it.
//! Not here: what a write means (`write`), what a query means (`soql`).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::access::Access;
use super::behaviour::Behaviour;
use super::call::CallOptions;
use super::clock::{Clock, stamp};
use super::faults::Faults;
use super::files::Files;
use super::index::Index;
use super::late::Late;
use super::limits::{Charged, Used};
use super::replication::Replication;
use super::settings::Settings;
use super::values::Values;
use crate::bulk::jobs::Jobs;
use crate::error::ApiError;
use crate::http::conditional::Sent;
use crate::http::session::Sessions;
use crate::http::visits::Visits;
use crate::schema::{ObjectDef, Schema, person};
use crate::soql::cursor::Cursors;
use crate::write::transaction::Transaction;

/// Where a row stands between life and nothing; a row that is gone is simply absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Life {
    #[default]
    Live,
    /// In the recycle bin: `IsDeleted`, and undelete brings it back.
    Bin,
    /// Out of the bin: still seen by queryAll, never to come back.
    Purged,
}

impl Life {
    fn is_live(&self) -> bool {
        *self == Self::Live
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Values by API name; null is absence.
    pub values: Values,
    #[serde(default, skip_serializing_if = "Life::is_live")]
    pub life: Life,
    /// Number of the delete that took the row, and the row whose delete that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_by: Option<(u64, String)>,
    /// Lookups of other rows that were emptied when this one went: (row, field).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cleared: Vec<(String, String)>,
}

impl Row {
    /// Text of a field; empty when null.
    pub fn text(&self, field: &str) -> &str {
        self.values.text(field).unwrap_or_default()
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "nearly every caller has made it for this row"
    )]
    pub fn set(&mut self, field: &str, value: Value) {
        if value.is_null() {
            self.values.remove(field);
        } else {
            self.values.insert(field, &value);
        }
    }
}

/// Everything an org is.
#[derive(Debug)]
pub(crate) struct State {
    pub schema: Schema,
    pub tables: BTreeMap<String, BTreeMap<String, Row>>,
    pub index: Index,
    pub clock: Clock,
    pub settings: Settings,
    pub access: Access,
    pub behaviour: Behaviour,
    pub faults: Faults,
    pub sessions: Sessions,
    pub cursors: Cursors,
    pub bulk: Jobs,
    pub files: Files,
    /// Describes as they were last sent.
    pub sent: Sent,
    pub replication: Replication,
    /// Transactions that are not committed yet.
    pub late: Late,
    /// What the call being answered asks of its writes.
    pub options: CallOptions,
    /// API calls by kind.
    pub calls: BTreeMap<String, u64>,
    pub charged: Charged,
    /// Requests that are being answered.
    pub visits: Visits,
    /// Storage taken by live rows.
    pub used: Used,
    pub org_id: String,
    /// The user behind the API, and the one who clicks in the UI.
    pub api_user: String,
    pub ui_user: String,
    /// The user of the request that is being answered.
    pub running: String,
    pub deletes: u64,
    pub counters: BTreeMap<String, u64>,
    pub journal: Vec<(String, String, Option<Row>)>,
    /// Several writes are one transaction: `begin` does not start another.
    pub joined: bool,
}

impl State {
    pub fn new(schema: Schema) -> Self {
        Self {
            schema,
            tables: BTreeMap::new(),
            index: Index::default(),
            clock: Clock::default(),
            settings: Settings::default(),
            access: Access::default(),
            behaviour: Behaviour::default(),
            faults: Faults::default(),
            sessions: Sessions::default(),
            cursors: Cursors::default(),
            bulk: Jobs::default(),
            files: Files::default(),
            sent: Sent::default(),
            replication: Replication::default(),
            late: Late::default(),
            options: CallOptions::default(),
            calls: BTreeMap::new(),
            charged: Charged::default(),
            visits: Visits::default(),
            used: Used::default(),
            org_id: crate::id::make("00D", 1),
            api_user: crate::id::make("005", 1),
            ui_user: crate::id::make("005", 2),
            running: crate::id::make("005", 1),
            deletes: 0,
            counters: BTreeMap::new(),
            journal: Vec::new(),
            joined: false,
        }
    }

    /// The object of that name, or the error of a path that names none, or none that the user sees.
    pub fn object(&self, name: &str) -> Result<Arc<ObjectDef>, ApiError> {
        self.visible(name).cloned().ok_or_else(ApiError::not_found)
    }

    /// The row of an 18-character Id, whatever its state.
    pub fn row(&self, id: &str) -> Option<&Row> {
        let object = self.schema.by_id(id)?;
        self.tables.get(&object.name)?.get(id)
    }

    /// The row of an Id while it is live.
    pub fn live(&self, id: &str) -> Option<&Row> {
        self.row(id).filter(|r| r.life == Life::Live)
    }

    /// Rows of an object, in order of Id.
    pub fn rows(&self, object: &str) -> impl Iterator<Item = (&String, &Row)> {
        self.tables.get(object).into_iter().flatten()
    }

    /// Sets or (with `None`) removes a row, remembering what was there.
    pub fn put(&mut self, object: &str, id: &str, mut row: Option<Row>) {
        if let (Some(row), Some(def)) = (&mut row, self.schema.object(object)) {
            row.values.settle();
            self.index.note(def, id, row);
        }
        let lives = row.as_ref().is_some_and(|r| r.life == Life::Live);
        let taken = self.taken(object, row.as_ref());
        let table = self.tables.entry(object.to_owned()).or_default();
        let before = match row {
            Some(row) => table.insert(id.to_owned(), row),
            None => table.remove(id),
        };
        let freed = self.taken(object, before.as_ref());
        self.used.replace(freed, taken);
        match before.as_ref().map(|r| r.life == Life::Live) {
            Some(true) if !lives => self.replication.deleted(object, id, self.moment()),
            Some(false) if lives && self.settings.replication.undelete_forgets => {
                self.replication.forget(object, id);
            }
            _ => {}
        }
        self.journal.push((object.to_owned(), id.to_owned(), before));
    }

    fn taken(&self, object: &str, row: Option<&Row>) -> Used {
        let def = self.schema.object(object);
        def.map_or(Used::default(), |def| Used::by(def, row))
    }

    /// Adds or replaces an object; rows that are there stay, and are found by its fields.
    pub fn redefine(&mut self, object: ObjectDef) {
        let name = object.name.clone();
        self.schema.insert(object);
        if name == "Contact" && person::enabled(&self.schema) {
            person::mirror(&mut self.schema);
        }
        if let (Some(def), Some(table)) = (self.schema.object(&name), self.tables.get(&name)) {
            for (id, row) in table {
                self.index.note(def, id, row);
            }
        }
    }

    /// Changes a row in place; false when there is none.
    pub fn edit(&mut self, id: &str, change: impl FnOnce(&mut Row)) -> bool {
        let (Some(object), Some(row)) = (self.schema.by_id(id).cloned(), self.row(id)) else {
            return false;
        };
        let mut row = row.clone();
        change(&mut row);
        self.put(&object.name, id, Some(row));
        true
    }

    /// Starts a write transaction: the clock steps, and old undo records go.
    pub fn begin(&mut self) {
        if self.joined {
            return;
        }
        self.begin_at_once();
        let step = self.settings.step;
        self.clock.advance(step);
    }

    /// Starts a write transaction at the time of the one before.
    pub fn begin_at_once(&mut self) {
        self.journal.clear();
        self.behaviour.transaction = Transaction::default();
    }

    /// Makes all writes one transaction; they are undone together if it fails.
    pub fn join<T>(&mut self, writes: impl FnOnce(&mut Self) -> Result<T, T>) -> T {
        self.begin();
        self.joined = true;
        let result = writes(self);
        self.joined = false;
        result.unwrap_or_else(|failed| {
            self.undo_to(0);
            failed
        })
    }

    /// Runs one record's write; what it did is undone if it fails.
    pub fn attempt<T>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mark = self.mark();
        let result = write(self);
        if result.is_err() {
            self.undo_to(mark);
        }
        result
    }

    /// Undoes the transaction of a request that ended in its middle.
    pub fn recover(&mut self) {
        self.undo_to(0);
        self.joined = false;
        self.options = CallOptions::default();
        self.files.parts.clear();
    }

    /// A point of the transaction that `undo_to` can return to.
    pub fn mark(&self) -> usize {
        self.journal.len()
    }

    pub fn undo_to(&mut self, mark: usize) {
        while self.journal.len() > mark {
            if let Some((object, id, before)) = self.journal.pop() {
                let lived = before.as_ref().is_some_and(|r| r.life == Life::Live);
                if lived && self.live(&id).is_none() {
                    self.replication.forget(&object, &id);
                }
                let back = self.taken(&object, before.as_ref());
                let table = self.tables.entry(object.clone()).or_default();
                let undone = match before {
                    Some(row) => table.insert(id, row),
                    None => table.remove(&id),
                };
                let freed = self.taken(&object, undone.as_ref());
                self.used.replace(freed, back);
            }
        }
    }

    /// The time of the running transaction.
    pub fn moment(&self) -> Timestamp {
        self.late.moment.unwrap_or_else(|| self.clock.now())
    }

    /// The stamp of the running transaction.
    pub fn stamp(&self) -> String {
        stamp(self.moment())
    }

    /// A new Id under a key prefix.
    pub fn new_id(&mut self, prefix: &str) -> String {
        crate::id::make(prefix, self.count(prefix) + 0x1000)
    }

    /// The next number of a named series, from 1.
    pub fn count(&mut self, series: &str) -> u64 {
        let n = self.counters.entry(series.to_owned()).or_default();
        *n += 1;
        *n
    }

    /// A row as the API shows it: every field, compound ones and formulas computed, nulls spelled out.
    pub fn shown(&self, object: &ObjectDef, id: &str, row: &Row) -> Map<String, Value> {
        object
            .fields
            .iter()
            .map(|f| (f.name.clone(), crate::soql::value::of(self, object, f, id, row)))
            .collect()
    }

    /// Inserts a row as it is, outside the rules; for what an org is born with.
    pub fn seed_row(&mut self, object: &str, id: &str, values: Value) {
        let stamp = self.stamp();
        let Value::Object(values) = values else { return };
        let mut values: Values = values.into_iter().filter(|(_, v)| !v.is_null()).collect();
        values.insert("Id", &json!(id));
        let Some(def) = self.schema.object(object).cloned() else {
            return;
        };
        for (field, value) in [
            ("CreatedDate", &stamp),
            ("LastModifiedDate", &stamp),
            ("SystemModstamp", &stamp),
            ("CreatedById", &self.api_user),
            ("LastModifiedById", &self.api_user),
        ] {
            if def.has(field) && !values.contains_key(field) {
                values.insert(field, &json!(value));
            }
        }
        let row = Row {
            values,
            life: Life::Live,
            deleted_by: None,
            cleared: Vec::new(),
        };
        self.put(&def.name, id, Some(row));
    }
}
