//! Many records of one sObject looked up in one state.
//!
//! Key decision: the runs that are open and the page that was decoded last stay at hand, so that Ids that come in order
//! cost a page and not a record each. It holds one page a run, and gives what [`State::get`] gives.

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::ops::state::{Record, State};
use crate::vault::run::Finder;

/// A state of one sObject, to look records up in.
pub(crate) struct Lookup<'s, 'v> {
    state: &'s State<'v>,
    sobject: String,
    /// Over the runs as that version of the root has them; `None` at first.
    finder: Option<(u64, Finder<'v>)>,
}

impl<'s, 'v> Lookup<'s, 'v> {
    /// Of that sObject.
    pub fn new(state: &'s State<'v>, sobject: &str) -> Self {
        Self {
            state,
            sobject: sobject.to_owned(),
            finder: None,
        }
    }

    /// One live record.
    pub fn get(&mut self, id: RecordId) -> Result<Option<Record>> {
        let (state, sobject) = (self.state, self.sobject.clone());
        let found = self.read(id, &mut |finder| state.version_by(finder, &sobject, id))?;
        Ok(found.and_then(|(_, record)| record))
    }

    /// Whether a record is there; by keys alone.
    pub fn has(&mut self, id: RecordId) -> Result<bool> {
        let number = self.state.snapshot().number;
        let newest = self.read(id, &mut |finder| finder.find(id, number, false))?;
        Ok(newest.first().is_some_and(|hit| hit.key.kind.is_live()))
    }

    fn read<T>(&mut self, id: RecordId, read: &mut dyn FnMut(&mut Finder<'v>) -> Result<T>) -> Result<T> {
        let view = &self.state.view;
        view.steady(|| {
            view.whole(&self.sobject, 0, Some(id))?;
            let under = view.catalog().version();
            let mut finder = match self.finder.take() {
                Some((version, finder)) if version == under => finder,
                _ => Finder::new(view.vault, &view.runs(&self.sobject, 0)?),
            };
            let found = read(&mut finder)?;
            self.finder = Some((under, finder));
            Ok(found)
        })
    }
}
