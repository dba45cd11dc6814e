//! What of an org a plan is about: which records, and which fields of them.
//!
//! Key decision: records are looked at one by one as the diff gives them, first by what their keys say and only then by their
//! values, so that a choice takes no memory and reads little that it leaves out; a field that no chosen sObject has is an
//! error, since a misspelt one would choose nothing, or all. Ids and sObjects are picked where the records are gone through.

mod by;
mod kin;
mod span;

use std::collections::HashSet;

use crate::base::error::{Error, Result};
use crate::base::id::RecordId;
use crate::format::page::KeyRow;
use crate::ops::diff::{ChangeKind, Touched};
use crate::ops::restore::condition::Condition;
use crate::ops::restore::fields;
use crate::ops::restore::masking::Masks;
use crate::ops::restore::plan::{Action, Mode, Plan, Warning};
use crate::ops::restore::seen::Seen;
use crate::ops::restore::view::View;
use crate::vault::open::Vault;
use by::By;
use span::{Deed, Past};

pub(super) use kin::{Ids, Kin, by_sobject};
pub use span::Span;

/// What a plan is for.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Only these sObjects.
    pub sobjects: Option<Vec<String>>,
    /// Only these records.
    pub ids: Option<Vec<RecordId>>,
    /// Only records whose values then meet this.
    pub condition: Option<Condition>,
    /// Only records that went in this span.
    pub deleted: Option<Span>,
    /// Only records that something happened to in this span: new values, or their going or coming.
    pub changed: Option<Span>,
    /// Only records that this user, an Id or a Username, changed or deleted last.
    pub by: Option<String>,
    /// Besides, what the chosen records point at and what is gone now.
    pub parents: bool,
    /// Besides, what pointed at the chosen records then and differs now, to this depth.
    pub children: u32,
    /// Only these fields are edited.
    pub fields: Option<Vec<String>>,
    /// What was chosen, for people.
    pub told: String,
    /// What may be done.
    pub mode: Mode,
    /// The field in which what is created keeps the Id that it had.
    pub marker: Option<String>,
    /// Write over what changes until the plan is applied.
    pub overwrite: bool,
    /// Into another org: what becomes of values on the way.
    pub masks: Masks,
    /// Into another org: which of its rows stand for which, by hand.
    pub by_hand: Vec<(RecordId, RecordId)>,
}

impl Scope {
    /// Whether records of an sObject are asked for.
    pub(super) fn asks_for(&self, sobject: &str) -> bool {
        let only = self.sobjects.as_ref();
        only.is_none_or(|only| only.iter().any(|name| name == sobject))
    }

    /// Whether records are chosen by what became of them.
    pub(super) fn is_of_the_past(&self) -> bool {
        self.deleted.is_some() || self.changed.is_some() || self.by.is_some()
    }
}

/// A choice, with the names that fields have.
#[derive(Default)]
pub(super) struct Choice<'v> {
    /// With the sObjects that have all of its fields.
    condition: Option<(Condition, HashSet<String>)>,
    fields: Option<Vec<String>>,
    past: Vec<Past<'v>>,
    by: Option<By>,
}

impl<'v> Choice<'v> {
    /// The choice of a scope.
    ///
    /// # Errors
    /// `Invalid` for a field that no chosen sObject had.
    pub fn of(scope: &Scope, then: &Seen<'_>) -> Result<Self> {
        if scope.condition.is_none() && scope.fields.is_none() {
            return Ok(Self::default());
        }
        let mut describes = Vec::new();
        for name in then.sobjects() {
            if scope.asks_for(&name) {
                describes.push(then.describe(&name)?);
            }
        }
        let named = |name: &str| {
            let found = describes.iter().find_map(|describe| describe.field(name));
            found.map(|field| field.name.clone()).ok_or_else(|| {
                Error::invalid(format!("no chosen sObject had a field {name} then"))
                    .hint("look at `halite show` for the fields of a record")
            })
        };
        let mut condition = scope.condition.clone();
        let (mut names, mut unknown) = (Vec::new(), None);
        if let Some(condition) = &mut condition {
            condition.fields(&mut |name| match named(name) {
                Ok(known) => {
                    name.clone_from(&known);
                    names.push(known);
                }
                Err(e) => unknown = Some(e),
            });
        }
        if let Some(e) = unknown {
            return Err(e);
        }
        let fits = describes
            .iter()
            .filter(|d| names.iter().all(|name| d.field(name).is_some()));
        let fits: HashSet<String> = fits.map(|describe| describe.name.clone()).collect();
        let fields = scope.fields.as_ref();
        let fields = fields.map(|all| all.iter().map(|name| named(name)).collect::<Result<Vec<_>>>());
        Ok(Self {
            condition: condition.map(|condition| (condition, fits)),
            fields: fields.transpose()?,
            ..Self::default()
        })
    }

    /// The same, and by what became of records since.
    ///
    /// # Errors
    /// As [`Choice::of`]; `Invalid` for a span of another org, `NotFound` for a user that nobody knows.
    pub fn since(vault: &'v Vault, scope: &Scope, then: &Seen<'v>, now: &Seen<'v>) -> Result<Self> {
        let mut choice = Self::of(scope, then)?;
        for (span, deed) in [(&scope.deleted, Deed::Deleted), (&scope.changed, Deed::Changed)] {
            if let Some(span) = span {
                span.is_of(then.state.snapshot().org)?;
                choice.past.push(Past::new(vault, span, deed));
            }
        }
        choice.by = scope
            .by
            .as_ref()
            .map(|named| By::of(named, then, now))
            .transpose()?;
        Ok(choice)
    }

    /// Whether a record may be chosen, by its keys: the newest are given.
    pub fn may_take(&mut self, touched: &Touched, newest: &KeyRow) -> Result<bool> {
        if self.by.as_ref().is_some_and(|by| by.is(newest) == Some(false)) {
            return Ok(false);
        }
        for past in &mut self.past {
            if past.deed == Deed::Deleted && touched.kind == ChangeKind::Created
                || !past.has(&touched.sobject, touched.id)?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a record is the user's, that all else chooses.
    pub fn is_by(&mut self, sobject: &str, newest: &KeyRow, in_then: bool) -> bool {
        let by = self.by.as_mut();
        by.is_none_or(|by| by.note(sobject, newest, in_then))
    }

    /// What is to be said of what could not be chosen.
    ///
    /// # Errors
    /// `NotFound` for a user that nobody knows.
    pub fn untold(&mut self) -> Result<Vec<Warning>> {
        self.by.take().map_or(Ok(Vec::new()), By::end)
    }

    /// Whether an edit may set a field.
    pub fn edits(&self, field: &str) -> bool {
        let fields = self.fields.as_ref();
        fields.is_none_or(|names| names.iter().any(|name| name == field))
    }

    /// Whether a record is chosen that had these values.
    pub fn takes(&self, sobject: &str, then: Option<&str>) -> Result<bool> {
        let Some((condition, fits)) = &self.condition else {
            return Ok(true);
        };
        match then.filter(|_| fits.contains(sobject)) {
            Some(json) => Ok(condition.holds(&fields::values(json)?)),
            None => Ok(false),
        }
    }

    /// Leaves only the chosen fields in edits; what comes back comes back whole.
    pub fn trim(&self, plan: &mut Plan) -> Result<()> {
        let Some(names) = &self.fields else { return Ok(()) };
        let back = plan.operations.iter().filter(|op| op.action.brings_back());
        let back: HashSet<_> = back.map(|op| op.id).collect();
        for op in &mut plan.operations {
            if op.action == Action::Edit && !back.contains(&op.id) {
                op.fields
                    .change(|values| values.retain(|name, _| names.contains(name)))?;
                op.before
                    .change(|values| values.retain(|name, _| names.contains(name)))?;
                op.references.retain(|reference| names.contains(&reference.field));
            }
        }
        plan.operations
            .retain(|op| op.action != Action::Edit || !op.fields.is_empty());
        for (number, op) in (1..).zip(&mut plan.operations) {
            op.number = number;
        }
        Ok(())
    }
}
