//! A plan into another org: every chosen record is made there.
//!
//! Key decision: to the planner the other org is one in which nothing of the old one is left and nothing is in the bin, but
//! for the rows that stand for others; so order, rings, files and prices are its own as ever. It writes nothing.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::RecordId;
use crate::format::blob::holds_bodies;
use crate::format::describe::Describe;
use crate::format::page::VersionKind;
use crate::ops::restore::choice::Choice;
use crate::ops::restore::choice::Scope;
use crate::ops::restore::fields;
use crate::ops::restore::mapping::Mapping;
use crate::ops::restore::masking::Masks;
use crate::ops::restore::plan::{Header, Mode, Plan, Warning};
use crate::ops::restore::planner;
use crate::ops::restore::seen::Seen;
use crate::ops::restore::special::{self, DOCUMENT};
use crate::ops::restore::view::{Change, View};
use crate::vault::catalog::SnapshotInfo;
use crate::vault::open::Vault;

/// What is made, by sObject, with its describe of then.
type Made = BTreeMap<String, Arc<Describe>>;

/// Plans to make the records of `then` in the org whose state is `now`.
pub(super) fn plan(
    vault: &Vault,
    then: &SnapshotInfo,
    now: &SnapshotInfo,
    scope: &Scope,
    header: Header,
) -> Result<Plan> {
    if scope.mode == Mode::Existing {
        return Err(
            Error::invalid("nothing of the old org is in the other one that could be edited")
                .hint("leave --mode out"),
        );
    }
    if scope.fields.is_some() {
        return Err(
            Error::invalid("into another org nothing is edited: records are made whole")
                .hint("leave --fields out"),
        );
    }
    let (then, now) = (Seen::new(vault, then)?, Seen::new(vault, now)?);
    let (made, unmade) = sobjects(&then, &now, scope)?;
    let describes: Vec<&Describe> = made.values().map(AsRef::as_ref).collect();
    scope.masks.check(&describes)?;
    let pointed_at = made
        .values()
        .flat_map(|describe| &describe.fields)
        .flat_map(|field| &field.reference_to);
    let mut mapped: BTreeSet<String> = pointed_at
        .filter(|name| !made.contains_key(*name))
        .cloned()
        .collect();
    mapped.insert(special::PRICEBOOK.to_owned());
    let mapping = Mapping::between(&then.state, &now.state, &mapped, &scope.by_hand)?;
    let changes = changes(&then, &made, &mapping, scope)?;
    let masked = Masked {
        seen: &then,
        made: &made,
        masks: &scope.masks,
        vault,
    };
    let other = Other {
        seen: &now,
        mapping: &mapping,
    };
    let mut plan = planner::plan(header, &masked, &other, changes)?;
    plan.maps = mapping.used(&plan)?;
    plan.warnings.extend(unmade);
    if !scope.masks.is_empty() && plan.operations.iter().any(|op| op.body.is_some()) {
        plan.warnings.push(Warning {
            sobject: special::VERSION.into(),
            operations: Vec::new(),
            what: "the bodies of files are not masked".into(),
            remedy: "choose other sObjects with --sobject, if they must not be seen".into(),
        });
    }
    Ok(plan)
}

/// The sObjects whose records are made, with their describes of then; and what is said of others that have records.
fn sobjects(then: &Seen<'_>, now: &Seen<'_>, scope: &Scope) -> Result<(Made, Vec<Warning>)> {
    let shown: HashSet<String> = now.sobjects().into_iter().collect();
    let (mut made, mut unmade) = (BTreeMap::new(), Vec::new());
    let wanted = |name: &String| scope.sobjects.as_ref().is_none_or(|names| names.contains(name));
    for sobject in then.state.manifest()?.sobjects {
        let name = sobject.name;
        if !wanted(&name) || holds_bodies(&name) || sobject.live == 0 {
            continue;
        }
        let why = if special::is_setup(&name) {
            (
                "its rows come with setup and are never made",
                "deploy them; those with the same names stand for them",
            )
        } else if !shown.contains(&name) {
            (
                "the other org shows no such object",
                "deploy it, or grant read on it",
            )
        } else if now.describe(&name)?.createable || name == DOCUMENT {
            made.insert(name.clone(), then.describe(&name)?);
            continue;
        } else {
            (
                "the org makes its rows itself, or the user may not create them",
                "grant create on it, if Setup offers that",
            )
        };
        unmade.push(Warning {
            sobject: name,
            operations: Vec::new(),
            what: format!("not made: {}", why.0),
            remedy: why.1.into(),
        });
    }
    Ok((made, unmade))
}

/// The chosen records.
fn changes(then: &Seen<'_>, made: &Made, mapping: &Mapping, scope: &Scope) -> Result<Vec<Result<Change>>> {
    let choice = Choice::of(scope, then)?;
    let mut changes = Vec::new();
    let mut wanted: Option<HashSet<RecordId>> = scope.ids.as_ref().map(|ids| ids.iter().copied().collect());
    for sobject in made.keys() {
        then.state.each(sobject, &mut |record| {
            let chosen = wanted.as_mut().is_none_or(|ids| ids.remove(&record.id));
            if chosen && !mapping.has(record.id) && choice.takes(sobject, Some(&record.json))? {
                changes.push(Ok(Change {
                    sobject: sobject.clone(),
                    id: record.id,
                    in_then: true,
                    in_now: false,
                }));
            }
            Ok(())
        })?;
    }
    match wanted.into_iter().flatten().next() {
        None => Ok(changes),
        Some(id) => Err(Error::new(
            Kind::NotFound,
            format!(
                "{id}: snapshot {} has no such record that could be made",
                then.state.snapshot().number
            ),
        )
        .hint(format!("leave it out, or look at `halite history {id}`"))),
    }
}

/// The state that is brought back, as the other org may see it.
struct Masked<'a> {
    seen: &'a Seen<'a>,
    made: &'a Made,
    masks: &'a Masks,
    vault: &'a Vault,
}

impl View for Masked<'_> {
    fn sobjects(&self) -> Vec<String> {
        self.seen.sobjects()
    }

    fn describe(&self, sobject: &str) -> Result<Arc<Describe>> {
        self.seen.describe(sobject)
    }

    fn get(&self, sobject: &str, id: RecordId) -> Result<Option<String>> {
        let json = self.seen.get(sobject, id)?;
        match (json, self.made.get(sobject)) {
            (Some(json), Some(describe)) if !self.masks.is_empty() => {
                let mut values = fields::values(&json)?;
                self.masks.apply(&self.vault.keys, describe, &mut values)?;
                fields::text(&values).map(Some)
            }
            (json, _) => Ok(json),
        }
    }

    fn body(&self, sobject: &str, id: RecordId) -> Result<Option<(String, u64)>> {
        self.seen.body(sobject, id)
    }

    fn gone(&self, sobject: &str, id: RecordId) -> Result<Option<VersionKind>> {
        self.seen.gone(sobject, id)
    }
}

/// The other org: what stands for nothing is not there.
struct Other<'a> {
    seen: &'a Seen<'a>,
    mapping: &'a Mapping,
}

impl View for Other<'_> {
    fn sobjects(&self) -> Vec<String> {
        self.seen.sobjects()
    }

    fn describe(&self, sobject: &str) -> Result<Arc<Describe>> {
        self.seen.describe(sobject)
    }

    fn get(&self, _: &str, _: RecordId) -> Result<Option<String>> {
        Ok(None)
    }

    fn gone(&self, _: &str, id: RecordId) -> Result<Option<VersionKind>> {
        Ok((!self.mapping.has(id)).then_some(VersionKind::Purged))
    }
}
