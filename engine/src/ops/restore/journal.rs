//! What an execution notes before and after each write, so that another can go on where it stopped.
//!
//! Key decision: the intent is noted before the call; an intent without an outcome is *unknown* and never repeated.
//! It does not say where entries are kept: that is the implementor's.

use std::collections::BTreeMap;
use std::io::Write;

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};
use crate::base::id::RecordId;
use crate::ops::restore::plan::id_text;

/// Takes the entries of an execution; each must be durable when the call returns.
pub trait Journal {
    /// Notes one entry, a line of JSON.
    ///
    /// # Errors
    /// If it could not be kept; the execution stops then.
    fn note(&mut self, entry: &str) -> Result<()>;
}

/// Keeps nothing.
#[derive(Debug, Default)]
pub struct NoJournal;

impl Journal for NoJournal {
    fn note(&mut self, _: &str) -> Result<()> {
        Ok(())
    }
}

/// Writes a line for each entry.
#[derive(Debug)]
pub struct Lines<W>(pub W);

impl<W: Write> Journal for Lines<W> {
    fn note(&mut self, entry: &str) -> Result<()> {
        let line = [entry.as_bytes(), b"\n"].concat();
        self.0
            .write_all(&line)
            .and_then(|()| self.0.flush())
            .map_err(|e| Error::io("the restore journal", e))
    }
}

/// What became of an operation. Each ends with exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Final {
    /// It is back under its Id, with its values.
    Undeleted,
    /// It was created anew, under this Id.
    Created(#[serde(with = "id_text")] RecordId),
    /// Its fields were set.
    Edited,
    /// The org had made it by itself, under this Id; its fields were set.
    Adopted(#[serde(with = "id_text")] RecordId),
    /// It was deleted.
    Deleted,
    /// It had the wanted values already, or was gone already.
    Unchanged,
    /// It changed since the plan was made, and was left alone.
    Conflict(String),
    /// The org refused: status code and message.
    Refused(String, String),
    /// What it needs did not come back.
    Skipped(String),
    /// The reply was lost: it may or may not have been done.
    Unknown(String),
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Entry {
    /// These operations are about to be written.
    Intent(Vec<u32>),
    /// They were not: the call failed before it reached the org.
    Withdrawn(Vec<u32>),
    /// What became of an operation.
    Outcome(u32, Final),
}

impl Entry {
    /// The entry as a line of JSON, without its end.
    ///
    /// # Errors
    /// Never in practice: entries are plain values.
    pub fn text(&self) -> Result<String> {
        serde_json::to_string(self)
            .map_err(|e| Error::invalid(format!("a journal entry that is not JSON: {e}")))
    }
}

/// The outcomes that the entries of earlier executions tell, by operation number.
///
/// # Errors
/// `Corrupt`, naming the entry, if one cannot be read.
pub fn replay<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<BTreeMap<u32, Final>> {
    let mut outcomes = BTreeMap::new();
    for (number, text) in (1..).zip(entries) {
        let entry = serde_json::from_str(text);
        match entry.map_err(|e| Error::corrupt(format_args!("journal entry {number}"), e))? {
            Entry::Intent(numbers) => {
                let why = "the execution ended before the org's answer was noted";
                outcomes.extend(numbers.into_iter().map(|n| (n, Final::Unknown(why.to_owned()))));
            }
            Entry::Withdrawn(numbers) => numbers.iter().for_each(|n| drop(outcomes.remove(n))),
            Entry::Outcome(number, outcome) => drop(outcomes.insert(number, outcome)),
        }
    }
    Ok(outcomes)
}
