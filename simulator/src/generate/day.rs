//! Change: rows that go to the bin, and a day of edits, new rows and deletes.
//!
//! Key decision: rows made lately are edited most, and by the rules of a save, so that stamps, logs and what
//! hangs on a row move as they do when users work.
//! Not here: the first state (`super`).

use serde_json::{Map, Value};

use super::make::Place;
use super::tables::{Table, tables};
use super::words::Words;
use super::{BIN_DAYS, DAY_MS, Filling, time};
use crate::id::Key;
use crate::org::Org;
use crate::org::call::CallOptions;
use crate::org::state::Life;
use crate::write;

/// What a day changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Change {
    /// Edits; a row may be edited twice.
    pub edited: usize,
    /// New rows, those of files included.
    pub added: usize,
    /// Rows deleted, without those that went along.
    pub deleted: usize,
}

impl Org {
    /// A day of work in an org, generated or not: this part of its rows is edited, mostly those made lately, a
    /// fifth as many are added and a twentieth deleted. The clock moves on by a day. The same seed on the same
    /// org does the same.
    pub fn change_a_day(&self, seed: u64, share: f64) -> Change {
        let mut state = self.lock();
        state.running = state.ui_user.clone();
        state.options = CallOptions::default();
        let active = |u: &crate::org::state::Row| u.values.flag("IsActive") == Some(true);
        let users = state.rows("User").filter(|(_, u)| active(u));
        let users = users.map(|(id, _)| id.clone()).collect();
        let words = Words::new();
        Filling::new(&mut state, &words, users, seed).day(share)
    }
}

impl Filling<'_> {
    fn day(&mut self, share: f64) -> Change {
        let tables = tables();
        for table in tables.iter().map(|t| t.name).chain(["ContentDocument"]) {
            let live = self.state.rows(table).filter(|(_, row)| row.life == Life::Live);
            let keys: Vec<Key> = live.filter_map(|(id, _)| Key::of(id)).collect();
            self.made.insert(table.to_owned(), keys);
        }
        let rows: usize = tables.iter().map(|t| self.live(t)).sum();
        let edits = (rows as f64 * share.clamp(0.0, 1.0)) as usize;
        let mut change = Change::default();
        let (start, step) = (self.now_ms, DAY_MS / (edits as i64 + 1));
        self.now_ms += DAY_MS;
        for n in 0..edits {
            let at = start + step * n as i64;
            let table = self.any_table(&tables, rows);
            change.edited += usize::from(self.edit(table, at));
            if n % 5 == 4 {
                let table = self.any_table(&tables, rows);
                change.added += usize::from(self.add(table, at, at));
            }
            if n % 20 == 19 {
                let table = self.any_table(&tables, rows);
                change.deleted += usize::from(self.delete(table, at).is_some());
            }
            if n % 50 == 49 {
                change.added += self.file(at);
            }
        }
        self.rest();
        change
    }

    fn live(&self, table: &Table) -> usize {
        self.made.get(table.name).map_or(0, Vec::len)
    }

    /// A table, the likelier the more rows it has.
    fn any_table<'t>(&mut self, tables: &'t [Table], rows: usize) -> &'t Table {
        let mut place = self.random.below(rows as u64) as usize;
        for table in tables {
            match place.checked_sub(self.live(table)) {
                Some(rest) => place = rest,
                None => return table,
            }
        }
        &tables[0]
    }

    /// A row, those made last far more often.
    pub(super) fn recent(&mut self, table: &str) -> Option<String> {
        let rows = self.made.get(table)?;
        let place = rows.len().checked_sub(1 + self.random.place(rows.len()))?;
        Some(rows[place].text().to_owned())
    }

    /// Edits one to three fields of a row.
    fn edit(&mut self, table: &Table, at_ms: i64) -> bool {
        let (Some(id), Some(def)) = (
            self.recent(table.name),
            self.state.schema.object(table.name).cloned(),
        ) else {
            return false;
        };
        let place = Place {
            def: &def,
            number: 0,
            at: time(at_ms),
        };
        let fields: Vec<_> = table.fields.iter().filter(|f| f.editable(&def)).collect();
        let mut values = Map::new();
        for _ in 0..1 + self.random.below(3) {
            let field = fields[self.random.below(fields.len() as u64) as usize];
            let value = self.maker().value(field, &place, &values);
            values.extend(value.map(|v| (field.name.clone(), v)));
        }
        let user = self.user();
        self.begin(at_ms);
        let values = Value::Object(values);
        self.state
            .attempt(|s| write::update(s, &id, &values, &user))
            .is_ok()
    }

    /// Deletes a row and what hangs on it; gives its Id.
    fn delete(&mut self, table: &Table, at_ms: i64) -> Option<String> {
        let id = self.recent(table.name)?;
        self.begin(at_ms);
        self.state.attempt(|s| write::delete(s, &id)).ok()?;
        Some(id)
    }

    /// Deletes about so many rows in the days that the bin goes back; one in five is taken out of it again.
    pub(super) fn deletes(&mut self, tables: &[Table], rows: usize) {
        let total = tables.iter().map(|t| self.live(t)).sum();
        for n in 0..rows {
            let table = self.any_table(tables, total);
            let at = self.now_ms - BIN_DAYS * DAY_MS * (rows - n) as i64 / rows as i64;
            let gone = self.delete(table, at);
            if let Some(id) = gone.filter(|_| n % 5 == 4) {
                // It lies in the bin, so that it can be taken out.
                let _ = self.state.attempt(|s| write::purge(s, &id));
            }
        }
    }
}
