//! Many records of one sObject looked up in one state.
//!
//! Key decision: the runs that are open and the page that was decoded last stay at hand, so that Ids that come in order
//! cost a page and not a record each; for Ids in no order the directories are kept too, up to a bound. It gives what
//! [`State::get`] gives.

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::ops::state::{Record, State};
use crate::ops::view::AtHand;

/// Parts of each run's directory that are kept for Ids in no order: 256 pages a part, so some 6 million records.
const PARTS_KEPT: usize = 128;

/// A state of one sObject, to look records up in.
///
/// ```
/// # use halite_engine::{Result, base::id::RecordId, ops::{lookup::Lookup, state::State}};
/// # fn print(state: &State<'_>, wanted: &[RecordId]) -> Result<()> {
/// let mut contacts = Lookup::in_any_order(state, "Contact");
/// for id in wanted {
///     let _json = contacts.get(*id)?.map(|record| record.json);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Lookup<'s, 'v> {
    state: &'s State<'v>,
    sobject: String,
    at_hand: AtHand<'v>,
}

impl<'s, 'v> Lookup<'s, 'v> {
    /// Of that sObject, for Ids that come in about their order.
    pub fn new(state: &'s State<'v>, sobject: &str) -> Self {
        Self {
            state,
            sobject: sobject.to_owned(),
            at_hand: AtHand::default(),
        }
    }

    /// Of that sObject, for Ids that come in any order: a part of a directory is decoded once, up to a bound, and not for
    /// each record.
    pub fn in_any_order(state: &'s State<'v>, sobject: &str) -> Self {
        Self {
            at_hand: AtHand::keeping(PARTS_KEPT),
            ..Self::new(state, sobject)
        }
    }

    /// One live record.
    ///
    /// # Errors
    /// As [`State::get`].
    pub fn get(&mut self, id: RecordId) -> Result<Option<Record>> {
        let found = self.state.version_near(&self.sobject, id, &mut self.at_hand)?;
        Ok(found.and_then(|(_, record)| record))
    }

    /// Whether a record is there; by keys alone.
    ///
    /// # Errors
    /// As [`State::get`].
    pub fn has(&mut self, id: RecordId) -> Result<bool> {
        let key = self.state.key_near(&self.sobject, id, &mut self.at_hand)?;
        Ok(key.is_some_and(|key| key.kind.is_live()))
    }
}
