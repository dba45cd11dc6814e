//! Many records of one sObject looked up in one state.
//!
//! Key decision: the runs that are open and the page that was decoded last stay at hand, so that Ids that come in order
//! cost a page and not a record each. It holds one page a run, and gives what [`State::get`] gives.

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::ops::state::{Record, State};
use crate::ops::view::AtHand;

/// A state of one sObject, to look records up in.
pub(crate) struct Lookup<'s, 'v> {
    state: &'s State<'v>,
    sobject: String,
    at_hand: AtHand<'v>,
}

impl<'s, 'v> Lookup<'s, 'v> {
    /// Of that sObject.
    pub fn new(state: &'s State<'v>, sobject: &str) -> Self {
        Self {
            state,
            sobject: sobject.to_owned(),
            at_hand: AtHand::default(),
        }
    }

    /// One live record.
    pub fn get(&mut self, id: RecordId) -> Result<Option<Record>> {
        let found = self.state.version_near(&self.sobject, id, &mut self.at_hand)?;
        Ok(found.and_then(|(_, record)| record))
    }

    /// Whether a record is there; by keys alone.
    pub fn has(&mut self, id: RecordId) -> Result<bool> {
        let key = self.state.key_near(&self.sobject, id, &mut self.at_hand)?;
        Ok(key.is_some_and(|key| key.kind.is_live()))
    }
}
