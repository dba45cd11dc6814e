//! Creating loaded records, parents before children.
//!
//! Key decision: passes over what is left until nothing more can be created; where a circle remains, a
//! nillable reference is left empty and set afterwards. Two hundred rows share a transaction, and so a stamp.
//! Not here: where records come from (`tree`, `csv_data`).

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::LoadReport;
use crate::org::State;
use crate::write;

/// Rows that share a transaction.
const TOGETHER: usize = 200;

/// A record that is not yet a row.
#[derive(Debug)]
pub(crate) struct Pending {
    /// Number of its file.
    pub source: usize,
    pub path: PathBuf,
    pub object: String,
    pub values: Map<String, Value>,
    /// References by name, before they are tied: (field, name).
    pub named: Vec<(String, String)>,
    /// References by record number: (field, record); `usize::MAX` leads nowhere.
    pub links: Vec<(String, usize)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Fate {
    Waiting,
    Row(String),
    Skipped,
}

/// Creates all records; what cannot be created is reported.
pub(crate) fn all(state: &mut State, records: Vec<Pending>, report: &mut LoadReport) {
    let mut placer = Placer {
        state,
        report,
        fates: vec![Fate::Waiting; records.len()],
        records,
        later: Vec::new(),
        open: 0,
    };
    loop {
        if placer.pass(false) {
            continue;
        }
        // A circle: let one record leave its nillable references for later, then go on as before.
        if !placer.pass(true) {
            break;
        }
    }
    placer.finish();
}

struct Placer<'a> {
    state: &'a mut State,
    report: &'a mut LoadReport,
    records: Vec<Pending>,
    fates: Vec<Fate>,
    /// Links to set once all rows are there: (record, field, target).
    later: Vec<(usize, String, usize)>,
    open: usize,
}

impl Placer<'_> {
    /// One pass; whether it got anywhere.
    fn pass(&mut self, break_circle: bool) -> bool {
        let mut moved = false;
        for at in 0..self.records.len() {
            if self.fates[at] != Fate::Waiting {
                continue;
            }
            let fate = |to: usize| self.fates.get(to).cloned().unwrap_or(Fate::Skipped);
            if self.records[at]
                .links
                .iter()
                .any(|(_, to)| fate(*to) == Fate::Skipped)
            {
                if self.records[at].links.iter().all(|(_, to)| *to != usize::MAX) {
                    let (path, object) = (self.records[at].path.clone(), self.records[at].object.clone());
                    self.report.skip(
                        &path,
                        format_args!("{object} skipped: a record it names was skipped"),
                    );
                }
                self.fates[at] = Fate::Skipped;
                moved = true;
                continue;
            }
            let waiting: Vec<(String, usize)> = self.records[at]
                .links
                .iter()
                .filter(|(_, to)| fate(*to) == Fate::Waiting)
                .cloned()
                .collect();
            if waiting.is_empty() {
                self.create(at);
                moved = true;
            } else if break_circle && waiting.iter().all(|(f, _)| self.nillable(at, f)) {
                self.later
                    .extend(waiting.into_iter().map(|(field, to)| (at, field, to)));
                self.create(at);
                return true;
            }
        }
        moved
    }

    fn nillable(&self, at: usize, field: &str) -> bool {
        let object = self.state.schema.object(&self.records[at].object);
        object.and_then(|o| o.field(field)).is_some_and(|f| f.nillable)
    }

    fn begin(&mut self) {
        if self.open == 0 {
            self.state.begin();
            self.open = TOGETHER;
        }
        self.open -= 1;
    }

    fn create(&mut self, at: usize) {
        self.begin();
        let (object, path) = (self.records[at].object.clone(), self.records[at].path.clone());
        let mut values = std::mem::take(&mut self.records[at].values);
        self.clean(&object, &path, &mut values);
        for (field, to) in &self.records[at].links {
            if let Some(Fate::Row(id)) = self.fates.get(*to) {
                values.insert(field.clone(), json!(id));
            }
        }
        let user = self.state.ui_user.clone();
        let values = Value::Object(values);
        self.fates[at] = match self
            .state
            .attempt(|s| write::create_loaded(s, &object, &values, &user))
        {
            Ok(id) => {
                *self.report.rows.entry(object).or_default() += 1;
                Fate::Row(id)
            }
            Err(e) => {
                self.report.skip(&path, format_args!("{object} skipped: {e}"));
                Fate::Skipped
            }
        };
    }

    /// Takes out values that their fields refuse, with a line each.
    fn clean(&mut self, object: &str, path: &std::path::Path, values: &mut Map<String, Value>) {
        let Some(def) = self.state.schema.object(object).cloned() else {
            return;
        };
        let names: Vec<String> = values.keys().cloned().collect();
        for name in names {
            let Some(field) = def.field(&name) else { continue };
            let refusal = if field.createable {
                write::coerce(field, &values[&name], &self.state.settings)
                    .err()
                    .map(|e| e.to_string())
            } else {
                Some("not to be set".to_owned())
            };
            if let Some(why) = refusal {
                values.remove(&name);
                let line = format!("{}: {object}.{name} left out: {why}", path.display());
                if !self.report.skipped.contains(&line) {
                    self.report.skipped.push(line);
                }
            }
        }
    }

    /// Sets the links left for later, and reports what never could be created.
    fn finish(&mut self) {
        self.open = 0;
        for (at, field, to) in std::mem::take(&mut self.later) {
            let (Fate::Row(id), Fate::Row(target)) = (self.fates[at].clone(), self.fates[to].clone()) else {
                continue;
            };
            self.begin();
            let user = self.state.ui_user.clone();
            let values = json!({field.as_str(): target});
            if let Err(e) = self.state.attempt(|s| write::update(s, &id, &values, &user)) {
                let path = self.records[at].path.clone();
                self.report.skip(&path, format_args!("{field} left empty: {e}"));
            }
        }
        for at in 0..self.records.len() {
            if self.fates[at] == Fate::Waiting {
                let (path, object) = (self.records[at].path.clone(), self.records[at].object.clone());
                self.report.skip(
                    &path,
                    format_args!("{object} skipped: required references form a circle"),
                );
            }
        }
    }
}
