//! Which records have another Id since a restore.
//!
//! Key decision: plan and outcomes alone say it, so that a report, a comparison and the next plan agree. A record that
//! was only undeleted or edited kept its Id and does not stand here. It asks neither vault nor org.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::ops::restore::fields;
use crate::ops::restore::journal::{Final, Past};
use crate::ops::restore::plan::Plan;

/// What became of a plan's operations, by their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// How each ended; one that does not stand here was not reached.
    pub ends: BTreeMap<u32, Final>,
    /// Fields that were left out, and why.
    pub left: BTreeMap<u32, (Vec<String>, String)>,
}

impl From<Past> for Outcomes {
    fn from(past: Past) -> Self {
        Self {
            ends: past.outcomes,
            left: past.left,
        }
    }
}

impl Outcomes {
    /// Whether an operation is as the plan wanted.
    pub fn done(&self, number: u32) -> bool {
        self.ends.get(&number).is_some_and(Final::is_done)
    }
}

/// Old Ids and new ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// Records that the restore made.
    made: BTreeMap<RecordId, RecordId>,
    /// Records that stand for others in the org that was written to.
    mapped: BTreeMap<RecordId, RecordId>,
}

impl Moved {
    /// By what became of a plan.
    pub fn of(plan: &Plan, outcomes: &Outcomes) -> Self {
        let made = plan.operations.iter().filter_map(|op| {
            let new = new_id(outcomes.ends.get(&op.number)?)?;
            Some((op.id, new))
        });
        Self {
            made: made.collect(),
            mapped: plan.maps.iter().map(|map| (map.from, map.to)).collect(),
        }
    }

    /// The Id that stands for this one in the org that was written to.
    pub fn now(&self, id: RecordId) -> RecordId {
        let new = self.made.get(&id).or_else(|| self.mapped.get(&id));
        new.copied().unwrap_or(id)
    }

    /// The new Id of a record that the restore made.
    pub fn made(&self, id: RecordId) -> Option<RecordId> {
        self.made.get(&id).copied()
    }

    /// Old and new Ids of what the restore made, in order of the old ones.
    pub fn all(&self) -> impl Iterator<Item = (RecordId, RecordId)> {
        self.made.iter().map(|(old, new)| (*old, *new))
    }

    /// Whether the restore made nothing.
    pub fn is_empty(&self) -> bool {
        self.made.is_empty()
    }

    /// The value with which a reference names its record now; `None` if that is the one it has.
    ///
    /// # Errors
    /// Never in practice: an Id is letters and digits.
    pub fn value(&self, value: &RawValue) -> Result<Option<Box<RawValue>>> {
        let Some(old) = fields::id_of(value) else {
            return Ok(None);
        };
        let new = self.now(old);
        (new != old).then(|| fields::id_value(new)).transpose()
    }
}

/// The Id that a record got, if it got one.
pub fn new_id(outcome: &Final) -> Option<RecordId> {
    match outcome {
        Final::Created(new) | Final::Adopted(new) => Some(*new),
        _ => None,
    }
}
