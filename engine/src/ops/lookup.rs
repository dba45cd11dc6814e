//! Many records of one sObject looked up in one state.
//!
//! Key decision: the runs that are open and the page that was decoded last stay at hand, so that Ids that come in order
//! cost a page and not a record each. It holds one page a run, and gives what [`State::get`] gives.

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::ops::state::{Record, State};
use crate::ops::view::AtHand;
use crate::vault::run::Finder;

/// A state of one sObject, to look records up in.
pub(crate) struct Lookup<'s, 'v> {
    state: &'s State<'v>,
    sobject: String,
    finder: AtHand<'v>,
}

impl<'s, 'v> Lookup<'s, 'v> {
    /// Of that sObject.
    pub fn new(state: &'s State<'v>, sobject: &str) -> Self {
        Self {
            state,
            sobject: sobject.to_owned(),
            finder: AtHand::default(),
        }
    }

    /// One live record.
    pub fn get(&mut self, id: RecordId) -> Result<Option<Record>> {
        let found = self.read(id, |state, sobject, finder| state.version_by(finder, sobject, id))?;
        Ok(found.and_then(|(_, record)| record))
    }

    /// Whether a record is there; by keys alone.
    pub fn has(&mut self, id: RecordId) -> Result<bool> {
        let newest = self.read(id, |state, _, finder| {
            finder.find(id, state.snapshot().number, false)
        })?;
        Ok(newest.first().is_some_and(|hit| hit.key.kind.is_live()))
    }

    fn read<T>(
        &mut self,
        id: RecordId,
        read: impl Fn(&State<'v>, &str, &mut Finder<'v>) -> Result<T>,
    ) -> Result<T> {
        let (view, sobject) = (&self.state.view, &self.sobject);
        view.find((sobject, 0), &mut self.finder, |finder| {
            view.whole(sobject, 0, Some(id))?;
            read(self.state, sobject, finder)
        })
    }
}
