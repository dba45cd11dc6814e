//! An operation while it is planned, before it has a place; and why it can have none.
//!
//! Key decision: what can be told of one record by itself stands here; what takes others into account is the planner's.
//! It asks no state.

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::format::describe::Describe;
use crate::ops::bodies::Facts;
use crate::ops::restore::fields::{self, Values};
use crate::ops::restore::packed::Packed;
use crate::ops::restore::plan::{Action, Born, FileBody, Operation, Reference};
use crate::ops::restore::special::{self, DOCUMENT};

/// An operation that has no place yet.
pub(super) struct Draft {
    pub sobject: String,
    pub id: RecordId,
    pub action: Action,
    pub fields: Packed,
    pub before: Packed,
    pub reason: String,
    pub gone: bool,
    pub born: Option<Born>,
    pub body: Option<FileBody>,
    pub dead: bool,
}

impl Draft {
    pub fn new(action: Action, sobject: String, id: RecordId, reason: impl Into<String>) -> Self {
        Self {
            sobject,
            id,
            action,
            fields: Packed::default(),
            before: Packed::default(),
            reason: reason.into(),
            gone: false,
            born: None,
            body: None,
            dead: false,
        }
    }

    pub fn placed(self, number: u32, level: u32, references: Vec<Reference>) -> Result<Operation> {
        let mut find = Vec::new();
        if self.action == Action::Create {
            find.extend(
                special::found_by(&self.sobject)
                    .iter()
                    .map(|name| (*name).to_owned()),
            );
        }
        let set = self.fields.open()?;
        if !find.iter().all(|name| set.contains_key(name)) {
            find.clear();
        }
        Ok(Operation {
            number,
            level,
            action: self.action,
            sobject: self.sobject,
            id: self.id,
            compare: self.action == Action::Undelete,
            fields: self.fields,
            before: self.before,
            references,
            gone: self.gone,
            find,
            born: self.born,
            body: self.body,
            reason: self.reason,
        })
    }
}

/// What is said of a record whose file is not kept.
pub(super) const NO_FILE: &str = ", and its file is not in the vault";

/// Whether two states of a record have other files, by what they say of them.
pub(super) fn is_other_file(id: RecordId, then: &str, now: &str) -> Result<bool> {
    let (then, now) = (
        Facts::parse(id, then.as_bytes())?,
        Facts::parse(id, now.as_bytes())?,
    );
    let other_bytes = then.md5.is_some() && now.md5.is_some() && then.md5 != now.md5;
    Ok(other_bytes || then.length.is_some() && then.length != now.length)
}

/// Why a record cannot be created, if so.
pub(super) fn lacking(draft: &Draft, values: &Values, describe: &Describe) -> Option<String> {
    let (reason, sobject) = (&draft.reason, &draft.sobject);
    // The org makes documents by itself.
    if draft.action != Action::Create || sobject == DOCUMENT {
        return None;
    }
    if !describe.createable {
        return Some(format!(
            "{reason}, and {sobject} cannot be created by this user: grant create on {sobject}"
        ));
    }
    if reason.ends_with(NO_FILE) {
        return Some(format!(
            "{reason}: `halite backup` fetches files unless it is told not to"
        ));
    }
    let field = fields::missing(describe, values)?;
    Some(format!(
        "{reason}, and its required field {field} has no known value: create it by hand"
    ))
}
