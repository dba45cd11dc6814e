//! What happened to records between two snapshots: whether one was written, and whether one went.
//!
//! Key decision: only the runs that overlap the span are asked, by keys, and only for records that differ anyway, so that a
//! choice by time costs what is chosen from. Stamps that moved are nothing that happened, nor is a field that a schema came to
//! know. It does not say which of several versions was the right one.

use crate::base::error::{Error, Result};
use crate::base::id::{ContentHash, OrgId, RecordId};
use crate::format::page::KeyRow;
use crate::ops::diff::compare;
use crate::ops::state::State;
use crate::ops::view::AtHand;
use crate::vault::catalog::SnapshotInfo;
use crate::vault::open::Vault;

/// The snapshots after one and up to another of the same org.
#[derive(Debug, Clone)]
pub struct Span {
    after: SnapshotInfo,
    upto: SnapshotInfo,
}

impl Span {
    /// The snapshots after `after`, up to and with `upto`.
    ///
    /// # Errors
    /// `Invalid` if there are none.
    pub fn new(after: SnapshotInfo, upto: SnapshotInfo) -> Result<Self> {
        if after.org != upto.org {
            return Err(Error::invalid(
                "the two snapshots of a span are of different orgs",
            ));
        }
        let (a, b) = (after.number, upto.number);
        if a > b {
            return Err(Error::invalid(format!(
                "the span ends before it begins: snapshot {a} is newer than {b}"
            ))
            .hint("name the older one first"));
        }
        if a == b {
            let told = format!(
                "no snapshot was taken in the span: both ends are snapshot {a}, of {}",
                after.from
            );
            return Err(Error::invalid(told).hint(
                "what happened is seen by the next snapshot: name a later end; `halite snapshots` lists them",
            ));
        }
        Ok(Self { after, upto })
    }

    /// The snapshot before the first of them.
    pub fn before(&self) -> &SnapshotInfo {
        &self.after
    }

    /// Sees that it is of this org.
    pub(super) fn is_of(&self, org: OrgId) -> Result<()> {
        if self.after.org == org {
            return Ok(());
        }
        Err(Error::invalid(format!("the span is not of org {org}"))
            .hint("name snapshots of the org that is restored"))
    }
}

/// What has to have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// It went.
    Deleted,
    /// It went, came, or got other values.
    Changed,
}

/// Looks records up in a span.
pub(super) struct Past<'v> {
    /// What it looks for.
    pub deed: Deed,
    after: u64,
    /// At the end of the span.
    state: State<'v>,
    /// The sObject asked about last, and whether it has had several schemas.
    at: Option<(String, bool)>,
    /// Over its runs in the span, and over all of them.
    near: AtHand<'v>,
    far: AtHand<'v>,
}

impl<'v> Past<'v> {
    /// Of that span.
    pub fn new(vault: &'v Vault, span: &Span, deed: Deed) -> Self {
        let mut state = State::at(vault, &span.upto);
        state.view.beside = Some(span.after.clone());
        Self {
            deed,
            after: span.after.number,
            state,
            at: None,
            near: AtHand::default(),
            far: AtHand::default(),
        }
    }

    /// Whether it happened to a record at least once.
    pub fn has(&mut self, sobject: &str, id: RecordId) -> Result<bool> {
        if self.at.as_ref().is_none_or(|(name, _)| name != sobject) {
            let object = self
                .state
                .view
                .catalog()
                .object(self.state.snapshot().org, sobject)?;
            let several = object.is_some_and(|object| object.schema > 1);
            self.at = Some((sobject.to_owned(), several));
            (self.near, self.far) = (AtHand::default(), AtHand::default());
        }
        let several = self.at.as_ref().is_some_and(|(_, several)| *several);
        for key in self.versions(sobject, id)? {
            let (was, is) = (key.replaced != ContentHash::NONE, key.kind.is_live());
            let happened = match (self.deed, was, is) {
                (_, true, false) => true,
                (Deed::Deleted, ..) | (_, false, false) => false,
                (Deed::Changed, false, true) => true,
                (Deed::Changed, true, true) => !several || self.is_other(sobject, &key)?,
            };
            if happened {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The versions in the span that are not as the one before.
    fn versions(&mut self, sobject: &str, id: RecordId) -> Result<Vec<KeyRow>> {
        let (after, upto) = (self.after, self.state.snapshot().number);
        let view = &self.state.view;
        view.find((sobject, after), &mut self.near, |finder| {
            view.whole(sobject, after, Some(id))?;
            let keys = finder.find(id, upto, true)?.into_iter().map(|hit| hit.key);
            Ok(keys
                .filter(|key| key.snapshot > after && key.hash != key.replaced)
                .collect())
        })
    }

    /// Whether a version has other values than the one before in fields that both their schemas know.
    fn is_other(&mut self, sobject: &str, key: &KeyRow) -> Result<bool> {
        let (state, id) = (&self.state, key.id);
        state.view.find((sobject, 0), &mut self.far, |finder| {
            let was = state.version_upto(finder, sobject, id, key.snapshot - 1)?;
            let is = state.version_upto(finder, sobject, id, key.snapshot)?;
            Ok(compare(sobject, id, (state, was), (state, is))?.is_some())
        })
    }
}
