//! What the running user lacks for a backup or a restore: each right by its name, and where in Setup it is given.
//!
//! Key decision: effective rights come from describes and `UserPermissionAccess`; what does not show in those (an object or
//! a field that is hidden does not exist in any answer) is found by holding them against what sets of rights with Modify
//! All Data may (Object Reference, "ObjectPermissions", "FieldPermissions", "UserPermissionAccess"). It changes nothing,
//! and it promises nothing: sharing, validation rules and triggers may still stand in the way.

mod facts;
mod rights;

use halite_engine::base::error::Result;
use serde::Serialize;

use crate::rest::Rest;
use crate::retry::{Caller, Session};
use facts::Facts;
use rights::{field, object, system};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Read everything.
    Backup,
    /// Bring back whatever differs.
    RestoreAll,
    /// Edit records that are there.
    RestoreExisting,
    /// Create records that are gone.
    RestoreDeleted,
}

impl Purpose {
    fn creates(self) -> bool {
        matches!(self, Self::RestoreAll | Self::RestoreDeleted)
    }

    fn edits(self) -> bool {
        matches!(self, Self::RestoreAll | Self::RestoreExisting)
    }
}

/// A right that the user does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The right as Setup calls it.
    pub right: String,
    /// Where it is given.
    pub place: String,
    /// What it is wanted for.
    pub why: String,
    /// False: it would be better, and it goes without.
    pub needed: bool,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Preflight {
    /// The org's edition, where it tells.
    pub edition: Option<String>,
    /// sObjects that were looked at.
    pub sobjects: usize,
    /// Their fields.
    pub fields: usize,
    /// What is missing.
    pub missing: Vec<Missing>,
    /// What could not be looked at, and why.
    pub unchecked: Vec<String>,
}

impl Preflight {
    /// Whether everything that is needed is there.
    pub fn passes(&self) -> bool {
        self.missing.iter().all(|missing| !missing.needed)
    }
}

/// Looks at everything. `wanted` are the sObjects that a restore is about; all, if nothing is said.
pub fn preflight<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    purpose: Purpose,
    wanted: Option<&[String]>,
) -> Result<Preflight> {
    let mut found = Preflight::default();
    let Some(facts) = Facts::ask(caller, rest, &mut found)? else {
        return Ok(found);
    };
    system_rights(&facts, purpose, &mut found);
    seen(&facts, &mut found.missing);
    if purpose != Purpose::Backup {
        written(&facts, purpose, wanted, &mut found.missing);
    }
    Ok(found)
}

fn system_rights(facts: &Facts, purpose: Purpose, found: &mut Preflight) {
    let restores = purpose != Purpose::Backup;
    let masked = facts.masked();
    let all: [(&str, &str, bool, String); 7] = [
        ("ViewAllData", "View All Data", true,
            "rows that are not shared with the user are not read without it, and nothing that is missing is known as deleted".into()),
        ("QueryAllFiles", "Query All Files", facts.has_files(),
            "files of others are not read without it; it needs \"View All Data\"".into()),
        ("ViewEncryptedData", "View Encrypted Data", masked.is_some(),
            format!("values come masked without it, in {}", masked.unwrap_or_default())),
        ("ModifyAllData", "Modify All Data", restores,
            "rows of others cannot be edited, nor brought back from the recycle bin, without it".into()),
        ("CreateAuditFields", "Set Audit Fields upon Record Creation", purpose.creates(),
            "what is created again has the day of the restore as its created date without it".into()),
        ("UpdateWithInactiveOwner", "Update Records with Inactive Owners", restores,
            "records of users who are not active cannot be edited without it".into()),
        ("ViewSetup", "View Setup and Configuration", true,
            format!("objects and fields that are hidden from the user{} cannot be told without it",
                if restores { ", and which triggers, flows and rules a restore sets off," } else { "" })),
    ];
    for (name, right, wanted, why) in all {
        match facts.right(name) {
            Some(false) if wanted => {
                let needed = !matches!(
                    name,
                    "CreateAuditFields" | "UpdateWithInactiveOwner" | "ViewSetup"
                );
                found.missing.push(system(right, why, needed));
            }
            None if wanted => found.unchecked.push(format!("\"{right}\": the org does not say")),
            _ => {}
        }
    }
}

/// Objects and fields that somebody sees and the user does not.
fn seen(facts: &Facts, missing: &mut Vec<Missing>) {
    for (name, given) in &facts.objects {
        let Some(describe) = facts.describes.get(name) else {
            if !facts.listed.contains(name) {
                missing.push(object(
                    name,
                    "Read",
                    "its records are not in any backup without it",
                ));
            }
            continue;
        };
        for field_name in given
            .fields
            .keys()
            .filter(|field| describe.field(field).is_none())
        {
            missing.push(field(
                name,
                field_name,
                "Read Access",
                "its values are not in any backup without it",
            ));
        }
    }
}

/// Objects and fields that somebody may write and the user may not.
fn written(facts: &Facts, purpose: Purpose, wanted: Option<&[String]>, missing: &mut Vec<Missing>) {
    let is_wanted = |name: &String| wanted.is_none_or(|wanted| wanted.contains(name));
    for (name, given) in facts.objects.iter().filter(|(name, _)| is_wanted(name)) {
        let Some(describe) = facts.describes.get(name) else {
            continue;
        };
        let (create, edit) = (
            purpose.creates() && given.create && !describe.createable,
            purpose.edits() && given.edit && !describe.updateable,
        );
        if create {
            missing.push(object(
                name,
                "Create",
                "its records cannot be created again without it",
            ));
        }
        if edit {
            missing.push(object(name, "Edit", "its records cannot be set back without it"));
        }
        for (field_name, editable) in &given.fields {
            let Some(own) = describe.field(field_name).filter(|_| *editable) else {
                continue;
            };
            // Without the right to the object none of its fields may be written.
            let lacks = (purpose.creates() && !create && describe.createable && !own.createable)
                || (purpose.edits() && !edit && describe.updateable && !own.updateable);
            if lacks {
                missing.push(field(
                    name,
                    field_name,
                    "Edit Access",
                    "its values cannot be restored without it",
                ));
            }
        }
    }
}
