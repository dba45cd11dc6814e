//! What the user may do, asked before the first write, and how a right that is missing is told.
//!
//! Key decision: describes are effective for the running user (Object Reference, "DescribeSObjectResult"), so that one
//! of each sObject answers for objects and fields; one right too few and nothing is written. Sharing of single
//! records is not looked at: the org refuses those.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use crate::base::error::{Error, Kind, Result};
use crate::ops::org::Target;
use crate::ops::restore::fields;
use crate::ops::restore::journal::{Final, Past};
use crate::ops::restore::look::Described;
use crate::ops::restore::plan::{Action, Operation, Plan};

/// The describes of what is still to be written.
///
/// # Errors
/// `Denied`, naming each right that is missing and where it is given.
pub(super) fn check(
    plan: &Plan,
    past: &Past,
    target: &mut dyn Target,
) -> Result<HashMap<String, Rc<Described>>> {
    let is_open = |op: &&Operation| !past.outcomes.get(&op.number).is_some_and(Final::is_final);
    let open = || plan.operations.iter().filter(is_open);
    let born = open().filter_map(|op| Some(op.born.as_ref()?.sobject.as_str()));
    let names: BTreeSet<&str> = open().map(|op| op.sobject.as_str()).chain(born).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let (mut found, mut missing) = (HashMap::new(), BTreeSet::new());
    target.describes(&names, &mut |at, text| {
        match text {
            Ok(text) => {
                let described = Described::new(&text).map_err(|e| e.within(names[at]))?;
                found.insert(names[at].to_owned(), Rc::new(described));
            }
            Err(e) if matches!(e.kind(), Kind::NotFound | Kind::Denied) => {
                missing.insert(object("Read", names[at]));
            }
            Err(e) => return Err(e),
        }
        Ok(())
    })?;
    let mut wanted: BTreeMap<(&str, Action), BTreeSet<String>> = BTreeMap::new();
    for op in open().filter(|op| op.born.is_none()) {
        let names = op.fields.open()?.into_keys();
        wanted.entry((&op.sobject, op.action)).or_default().extend(names);
    }
    for ((sobject, action), names) in wanted {
        if let Some(described) = found.get(sobject) {
            missing.extend(lacks(&described.describe, action, &names));
        }
    }
    none_of(missing)?;
    Ok(found)
}

/// Refuses to go on if a right is missing.
pub fn none_of(missing: BTreeSet<String>) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = missing.into_iter().collect();
    Err(Error::new(
        Kind::Denied,
        format!(
            "the user lacks what the plan needs, and nothing was written: {}",
            list.join("; ")
        ),
    )
    .hint("have it granted, or make a plan of a mode that does without, or of other sObjects"))
}

/// A right on an sObject, and where it is given.
pub fn object(right: &str, sobject: &str) -> String {
    format!(
        "\"{right}\" on {sobject} (Setup, Permission Sets, a set of the user's, Object Settings, {sobject}, Object Permissions)"
    )
}

/// The rights that one kind of operation lacks.
fn lacks(
    describe: &crate::format::describe::Describe,
    action: Action,
    names: &BTreeSet<String>,
) -> Vec<String> {
    let sobject = &describe.name;
    let (may, right) = match action {
        Action::Create => (describe.createable, "Create"),
        Action::Edit => (describe.updateable, "Edit"),
        Action::Delete => (describe.deletable, "Delete"),
        // Who may not bring it back creates it.
        Action::Undelete => (describe.deletable || describe.createable, "Delete"),
    };
    if !may {
        return vec![object(right, sobject)];
    }
    let frozen = |name: &&String| {
        describe.field(name).is_some_and(|field| match action {
            Action::Create => !fields::creatable(field),
            Action::Edit => !fields::editable(field),
            Action::Undelete | Action::Delete => false,
        })
    };
    names
        .iter()
        .filter(frozen)
        .map(|name| {
            format!(
                "\"Edit Access\" to {sobject}.{name} (Setup, Permission Sets, a set of the user's, Object Settings, \
                 {sobject}, Field Permissions)"
            )
        })
        .collect()
}
