//! What an execution notes before and after each write, so that another can go on where it stopped.
//!
//! Key decision: the intent is noted before the call, with what the fields hold, so that a lost reply is settled by
//! looking and the way back can be planned. It does not say where entries are kept: that is the implementor's.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};
use crate::base::id::RecordId;
use crate::base::stamp::Stamp;
use crate::ops::restore::fields::Values;
use crate::ops::restore::packed::{Packed, Texts};
use crate::ops::restore::plan::id_text;

/// Takes the entries of an execution. An intent, with all that was noted before it, must be durable when the call
/// returns; what is lost of later entries is settled by looking.
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
    /// What it needs did not come back; the next run looks again.
    Skipped(String),
    /// The reply was lost: it may or may not have been done; the next run looks again.
    Unknown(String),
}

impl Final {
    /// In one word: `undeleted`, `created`, `edited`, `adopted`, `deleted`, `unchanged`, `conflict`, `refused`, `skipped`,
    /// `unknown`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Undeleted => "undeleted",
            Self::Created(_) => "created",
            Self::Edited => "edited",
            Self::Adopted(_) => "adopted",
            Self::Deleted => "deleted",
            Self::Unchanged => "unchanged",
            Self::Conflict(_) => "conflict",
            Self::Refused(..) => "refused",
            Self::Skipped(_) => "skipped",
            Self::Unknown(_) => "unknown",
        }
    }

    /// Whether no run comes back to it.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Skipped(_) | Self::Unknown(_))
    }

    /// Whether it is as the plan wanted.
    pub fn is_done(&self) -> bool {
        !matches!(
            self,
            Self::Conflict(_) | Self::Refused(..) | Self::Skipped(_) | Self::Unknown(_)
        )
    }
}

/// One entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Entry {
    /// A run began.
    Begun {
        /// The instant at which its plan was made, as its header says.
        plan: String,
        /// The org's clock.
        #[serde(with = "stamp_text")]
        at: Stamp,
    },
    /// These operations are about to be written.
    Intent {
        /// The org's clock, about.
        #[serde(with = "stamp_text")]
        at: Stamp,
        /// Which.
        of: Vec<Intended>,
    },
    /// They were not: the call failed before it reached the org.
    Withdrawn(Vec<u32>),
    /// The records of these were there already when the first run began.
    There(Vec<u32>),
    /// These came back from the bin; what else their operations want is not done yet.
    Back(Vec<u32>),
    /// The org does not undelete these: they are created once all else was tried.
    Anew(Vec<u32>),
    /// These fields of an operation were left out, and why; none once they were set after all.
    Left(u32, Vec<String>, String),
    /// What became of an operation.
    Outcome(u32, Final),
}

/// One write that is about to be made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intended {
    /// The operation.
    pub number: u32,
    /// What the fields that it sets hold now, where the record is there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub before: Values,
}

impl Entry {
    /// How the line of an intent begins.
    pub const INTENT: &str = "{\"intent\"";

    /// The entry as a line of JSON, without its end.
    ///
    /// # Errors
    /// Never in practice: entries are plain values.
    pub fn text(&self) -> Result<String> {
        serde_json::to_string(self)
            .map_err(|e| Error::invalid(format!("a journal entry that is not JSON: {e}")))
    }
}

/// What earlier executions of a plan came to.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// When the plan was made, as the journal says; none for an empty one.
    pub plan: Option<String>,
    /// The org's clock when the first began.
    pub begun: Option<Stamp>,
    /// The org's clock when the last write was about to be made, or the last run began.
    pub last: Option<Stamp>,
    /// What became of operations, by number; also what is not final.
    pub outcomes: BTreeMap<u32, Final>,
    /// Writes whose end is not known, with the last time at which one was intended.
    pub open: BTreeMap<u32, Stamp>,
    /// Operations whose record was there before anything was done.
    pub there: BTreeSet<u32>,
    /// Operations whose record an execution brought back from the bin.
    pub back: BTreeSet<u32>,
    /// Operations whose record the org does not undelete.
    pub anew: BTreeSet<u32>,
    /// What the fields of a record held before the first write to it.
    pub before: BTreeMap<u32, Packed>,
    /// Fields that were left out, and why.
    pub left: BTreeMap<u32, (Vec<String>, String)>,
    texts: Texts,
}

impl Past {
    /// Takes the next entry, a line of JSON; `number` is its place, from 1.
    ///
    /// # Errors
    /// `Corrupt`, naming the entry, if it cannot be read; `Io` if a temporary file cannot be written.
    pub fn line(&mut self, number: usize, text: &str) -> Result<()> {
        let entry = serde_json::from_str(text);
        self.take(entry.map_err(|e| Error::corrupt(format_args!("journal entry {number}"), e))?)
    }

    pub(super) fn take(&mut self, entry: Entry) -> Result<()> {
        match entry {
            Entry::Begun { plan, at } => {
                self.plan.get_or_insert(plan);
                self.begun.get_or_insert(at);
                self.last = self.last.max(Some(at));
            }
            Entry::Intent { at, of } => {
                self.last = self.last.max(Some(at));
                for Intended { number, before } in of {
                    self.open.insert(number, at);
                    if before.is_empty() {
                        continue;
                    }
                    let held = self.before.entry(number).or_default();
                    held.change(|held| {
                        before.into_iter().for_each(|(name, value)| {
                            held.entry(name).or_insert(value);
                        });
                    })?;
                    self.texts.take_in([held])?;
                }
            }
            Entry::Withdrawn(numbers) => self.open.retain(|n, _| !numbers.contains(n)),
            Entry::There(numbers) => self.there.extend(numbers),
            Entry::Back(numbers) => {
                self.open.retain(|n, _| !numbers.contains(n));
                self.back.extend(numbers);
            }
            Entry::Anew(numbers) => {
                self.open.retain(|n, _| !numbers.contains(n));
                self.anew.extend(numbers);
            }
            Entry::Left(number, fields, _) if fields.is_empty() => drop(self.left.remove(&number)),
            Entry::Left(number, fields, why) => drop(self.left.insert(number, (fields, why))),
            Entry::Outcome(number, outcome) => {
                if !matches!(outcome, Final::Unknown(_)) {
                    self.open.remove(&number);
                }
                self.outcomes.insert(number, outcome);
            }
        }
        Ok(())
    }
}

/// What the entries of earlier executions tell.
///
/// # Errors
/// As [`Past::line`].
pub fn replay<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Past> {
    let mut past = Past::default();
    for (number, text) in (1..).zip(entries) {
        past.line(number, text)?;
    }
    Ok(past)
}

/// A stamp as people read it.
mod stamp_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::base::stamp::Stamp;

    pub fn serialize<S: Serializer>(stamp: &Stamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(stamp)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Stamp, D::Error> {
        let text = String::deserialize(from)?;
        Stamp::parse(text.as_bytes()).ok_or_else(|| D::Error::custom(format!("`{text}` is not a time")))
    }
}
