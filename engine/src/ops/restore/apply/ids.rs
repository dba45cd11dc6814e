//! The Ids that records have now, and references re-pointed to them.
//!
//! Key decision: one question, `id_now`, answers for what is mapped, created, undeleted and untouched alike. It asks
//! no org.

use super::Run;
use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::ops::restore::fields::{self, Values};
use crate::ops::restore::journal::Final;
use crate::ops::restore::look::Described;
use crate::ops::restore::plan::Operation;

impl Run<'_> {
    /// The Id that a record has now: its own unless it is mapped or the plan brings it back; `None` if it did not
    /// come back.
    pub(super) fn id_now(&self, id: RecordId) -> Option<RecordId> {
        let Some(number) = self.brings.get(&id) else {
            return Some(self.maps.get(&id).copied().unwrap_or(id));
        };
        match self.past.outcomes.get(number) {
            Some(Final::Created(new) | Final::Adopted(new)) => Some(*new),
            // What had come back by itself was edited, or needed nothing.
            Some(Final::Undeleted | Final::Edited | Final::Unchanged) => Some(id),
            _ => self.past.back.contains(number).then_some(id),
        }
    }

    /// Re-points references to the Ids of now; gives the fields whose records did not come back, taken out.
    pub(super) fn repoint(
        &self,
        op: &Operation,
        described: &Described,
        values: &mut Values,
    ) -> Result<Vec<(String, RecordId)>> {
        let mut lost = Vec::new();
        for (name, value) in values.iter_mut() {
            let named = op.references.iter().any(|r| r.field == *name);
            if !named && !described.describe.field(name).is_some_and(|f| f.is_reference()) {
                continue;
            }
            let Some(old) = fields::id_of(value) else { continue };
            match self.id_now(old) {
                Some(new) if new != old => *value = fields::id_value(new)?,
                Some(_) => {}
                None => lost.push((name.clone(), old)),
            }
        }
        lost.iter().for_each(|(name, _)| drop(values.remove(name)));
        Ok(lost)
    }
}
