//! The work of an ingest job: an upload, saved in chunks of 200 rows, each row with an outcome of its own.
//!
//! Key decision: a chunk is a transaction, and the rows go through the same code as those of REST; the upload
//! stays as it came, and beside it a row costs its place (4 bytes) and its outcome (24, and the text of an
//! error that is not that of the row before). The clock steps once a batch: at a step a chunk, a long job would
//! outlive the session of whoever waits for it.
//! Source: Bulk API 2.0 guide, "How Requests Are Processed", "Create a Job", "Upload Job Data".
//! Not here: taking the CSV apart (`sheet`), results (`results`), when a chunk is due (`progress`).

use std::ops::Range;
use std::sync::Arc;

use axum::body::Bytes;
use serde_json::Value;

use super::columns::{Column, columns, record};
use super::job::Format;
use super::sheet::Sheet;
use crate::error::ApiError;
use crate::id::{Key, mix};
use crate::org::State;
use crate::org::call::CallOptions;
use crate::schema::ObjectDef;
use crate::write::{self, lookup};

/// Rows that are one transaction.
pub(crate) const CHUNK: usize = 200;
/// Rows that count as one batch.
const BATCH: usize = 10_000;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// What a job does with its rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operation {
    Insert,
    Update,
    /// By the field of this name.
    Upsert(String),
    Delete,
    HardDelete,
}

impl Operation {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Upsert(_) => "upsert",
            Self::Delete => "delete",
            Self::HardDelete => "hardDelete",
        }
    }
}

/// What became of a row.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Its Id, and whether the row is new.
    Saved(Key, bool),
    /// As `sf__Error` says it.
    Refused(Arc<str>),
}

/// Rows to be saved.
#[derive(Debug)]
pub(crate) struct Ingest {
    pub operation: Operation,
    pub assignment_rule: Option<String>,
    /// How often content was uploaded; more than once is one time too many.
    pub uploads: u32,
    pub upload: Bytes,
    /// The header as it was uploaded.
    pub names: Vec<String>,
    columns: Vec<Column>,
    /// Where each row begins in the upload.
    pub starts: Vec<u32>,
    /// Of the first rows, as many as were processed.
    pub outcomes: Vec<Outcome>,
    pub refused: u64,
    /// Rows that the org's automation looked at.
    pub automated: u64,
    /// Rows whose results are lost.
    pub lost: Range<usize>,
}

impl Ingest {
    pub fn new(operation: Operation, assignment_rule: Option<String>) -> Self {
        Self {
            operation,
            assignment_rule,
            uploads: 0,
            upload: Bytes::new(),
            names: Vec::new(),
            columns: Vec::new(),
            starts: Vec::new(),
            outcomes: Vec::new(),
            refused: 0,
            automated: 0,
            lost: 0..0,
        }
    }

    /// Takes the content.
    pub fn take(&mut self, content: Bytes) {
        self.uploads += 1;
        self.upload = content;
    }

    /// Reads the header and finds the rows; the error is the job's `errorMessage`.
    pub fn open(&mut self, state: &State, object: &str, format: Format) -> Result<(), String> {
        self.starts.clear();
        if state.settings.bulk.skips_bom && self.upload.starts_with(BOM) {
            self.upload = self.upload.slice(BOM.len()..);
        }
        let upload = self.upload.clone();
        let mut sheet = Sheet::new(&upload, format);
        if sheet.read().map_err(|flaw| flaw.to_string())?.is_none() {
            return Err("InvalidBatch : Records not found".to_owned());
        }
        let names = sheet.cells().map(|n| String::from_utf8_lossy(n).into_owned());
        self.names = names.collect();
        while let Some(start) = sheet.read().map_err(|flaw| flaw.to_string())? {
            self.starts.push(u32::try_from(start).unwrap_or(u32::MAX));
        }
        let def = state.object(object).map_err(|e| e.to_string())?;
        self.columns = columns(state, &def, &self.names, &self.operation)?;
        Ok(())
    }

    /// Takes the rows out of the daily allowances.
    pub fn charge(&self, state: &mut State) -> Result<(), String> {
        let now = state.clock.now();
        let rows = self.starts.len() as u64;
        let batches = self.starts.len().div_ceil(BATCH) as u64;
        let settings = &state.settings.bulk;
        if state.bulk.batches.used(now) + batches > settings.daily_batches {
            return Err("ExceededQuota : ApiBatchItems Limit exceeded.".to_owned());
        }
        if state.bulk.records.used(now) + rows > settings.daily_records {
            return Err(format!(
                "ExceededQuota : Max bulk v2 ingest records ({}) per 24 hrs has been exceeded",
                settings.daily_records
            ));
        }
        state.bulk.batches.add(now, batches);
        state.bulk.records.add(now, rows);
        Ok(())
    }

    pub fn chunks(&self) -> usize {
        self.starts.len().div_ceil(CHUNK)
    }

    /// Loses the results of one chunk, by the seed.
    pub fn lose(&mut self, seed: u64, id: &str) {
        let chunks = self.chunks().max(1) as u64;
        let at = usize::try_from(mix(seed, id) % chunks).unwrap_or(0) * CHUNK;
        self.lost = at..at + CHUNK;
    }

    /// Saves rows until so many chunks are done.
    pub fn process(&mut self, state: &mut State, object: &str, format: Format, chunks: usize) {
        let (Ok(def), Some(first)) = (state.object(object), self.starts.get(self.outcomes.len())) else {
            return;
        };
        let options = CallOptions {
            auto_assign: self.assignment_rule.is_some(),
            allow_duplicates: false,
        };
        let asked = std::mem::replace(&mut state.options, options);
        let upload = self.upload.clone();
        let mut sheet = Sheet::new(&upload, format);
        sheet.seek(*first as usize);
        let end = self.starts.len().min(chunks.saturating_mul(CHUNK));
        while self.outcomes.len() < end {
            if self.outcomes.len().is_multiple_of(BATCH) {
                state.begin();
            } else {
                state.begin_at_once();
            }
            let stop = end.min(self.outcomes.len() + CHUNK);
            while self.outcomes.len() < stop && matches!(sheet.read(), Ok(Some(_))) {
                let values = record(&self.columns, sheet.cells());
                let outcome = self.row(state, &def, &values);
                self.refused += u64::from(matches!(outcome, Outcome::Refused(_)));
                self.outcomes.push(outcome);
            }
        }
        if write::automation::any(state, &def) {
            self.automated = self.outcomes.len() as u64;
        }
        state.options = asked;
    }

    /// Saves one row.
    fn row(&self, state: &mut State, def: &ObjectDef, values: &Value) -> Outcome {
        let saved = state.attempt(|s| self.save(s, def, values.clone()));
        let saved = saved.map(|(id, new)| (Key::of(&id), new));
        match saved {
            Ok((Some(key), new)) => Outcome::Saved(key, new),
            Ok((None, _)) => Outcome::Refused("UNKNOWN_EXCEPTION:the row has no Id:--".into()),
            Err(e) => self.refusal(&told(state, def, values, e)),
        }
    }

    /// The text of a refusal, shared with the row before if it is the same.
    fn refusal(&self, text: &str) -> Outcome {
        match self.outcomes.last() {
            Some(Outcome::Refused(before)) if **before == *text => Outcome::Refused(before.clone()),
            _ => Outcome::Refused(text.into()),
        }
    }

    fn save(
        &self,
        state: &mut State,
        def: &ObjectDef,
        mut values: Value,
    ) -> Result<(String, bool), ApiError> {
        let user = state.running.clone();
        match &self.operation {
            Operation::Insert => write::create(state, &def.name, &values, &user).map(|id| (id, true)),
            Operation::Update => write::update_own(state, def, values, &user).map(|id| (id, false)),
            Operation::Upsert(key) => {
                let key = lookup::key(def, key)?;
                write::upsert_own(state, def, key, values, &user)
            }
            Operation::Delete => {
                let id = write::take_id(def, &mut values, "a delete")?;
                write::delete(state, &id).map(|()| (id, false))
            }
            Operation::HardDelete => {
                let id = write::take_id(def, &mut values, "a delete")?;
                write::delete(state, &id)?;
                write::purge(state, &id).map(|()| (id, false))
            }
        }
    }
}

/// An error as `sf__Error` tells it: `CODE:message:fields --`.
fn told(state: &State, def: &ObjectDef, values: &Value, mut e: ApiError) -> String {
    // What JSON of the wrong type is to REST is a value of the wrong type here.
    if e.code == "JSON_PARSER_ERROR"
        && let Some((label, value, name)) = mistyped(state, def, values)
    {
        let message = format!("{label}: value not of required type: {value}");
        e = ApiError::new("INVALID_TYPE_ON_FIELD_IN_RECORD", message).on(&name);
    }
    let fields = e.fields.join(", ");
    let gap = if fields.is_empty() { "" } else { " " };
    format!("{}:{}:{fields}{gap}--", e.code, e.message)
}

/// The first value that its field does not take: label, value, name.
fn mistyped(state: &State, def: &ObjectDef, values: &Value) -> Option<(String, String, String)> {
    values.as_object()?.iter().find_map(|(name, value)| {
        let field = def.field(name)?;
        let refused =
            write::coerce(field, value, &state.settings).is_err_and(|e| e.code == "JSON_PARSER_ERROR");
        let shown = value.as_str().unwrap_or_default().to_owned();
        refused.then(|| (field.label.clone(), shown, field.name.clone()))
    })
}
