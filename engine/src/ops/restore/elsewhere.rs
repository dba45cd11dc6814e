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
use crate::ops::restore::choice::{Choice, Kin, Scope, by_sobject};
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
    if scope.is_of_the_past() {
        return Err(Error::invalid(
            "into another org records are made as they were, whatever became of them since",
        )
        .hint("choose by --sobject, --id or --where: not by a span of time or a user"));
    }
    let (then, now) = (Seen::new(vault, then)?, Seen::new(vault, now)?);
    let (chosen, unmade) = sobjects(&then, &now, scope)?;
    let family = Family::of(&then, &now, scope, chosen)?;
    let made = &family.made;
    let pointed_at = made
        .values()
        .flat_map(|describe| &describe.fields)
        .flat_map(|field| &field.reference_to);
    let mut mapped: BTreeSet<String> = pointed_at
        .filter(|name| !family.own.contains(*name))
        .cloned()
        .collect();
    mapped.insert(special::PRICEBOOK.to_owned());
    let mapping = Mapping::between(&then.state, &now.state, &mapped, &scope.by_hand)?;
    let changes = changes(&then, &family, &mapping, scope)?;
    let is_made = |name: &String| family.chosen.contains(name) || changes.iter().any(|c| c.sobject == *name);
    let described = made.iter().filter(|(name, _)| is_made(name));
    let describes: Vec<&Describe> = described.map(|(_, describe)| describe.as_ref()).collect();
    scope.masks.check(&describes)?;
    let masked = Masked {
        seen: &then,
        made,
        masks: &scope.masks,
        vault,
    };
    let other = Other {
        seen: &now,
        mapping: &mapping,
    };
    let mut plan = planner::plan(header, &masked, &other, changes.into_iter().map(Ok))?;
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
    let wanted = |name: &String| scope.asks_for(name);
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

/// The sObjects of which records may be made.
struct Family<'a, 'v> {
    /// Those that were chosen.
    chosen: BTreeSet<String>,
    /// Those and what points at them: none of their rows stands for another by its name.
    own: BTreeSet<String>,
    /// All, with what these point at.
    made: Made,
    /// If more is asked for than what was chosen.
    kin: Option<Kin<'a, 'v>>,
}

impl<'a, 'v> Family<'a, 'v> {
    fn of(then: &'a Seen<'v>, now: &Seen<'_>, scope: &Scope, chosen: Made) -> Result<Self> {
        let mut own: BTreeSet<String> = chosen.keys().cloned().collect();
        let mut family = Self {
            chosen: own.clone(),
            own: own.clone(),
            made: chosen,
            kin: None,
        };
        if !scope.parents && scope.children == 0 {
            return Ok(family);
        }
        let (mut every, _) = sobjects(then, now, &Scope::default())?;
        let kin = Kin::of(then, &|name| every.contains_key(name))?;
        for _ in 0..scope.children {
            let below = kin.below(&own);
            if below.is_subset(&own) {
                break;
            }
            own.extend(below);
        }
        let all = if scope.parents {
            kin.above(&own)
        } else {
            own.clone()
        };
        every.retain(|name, _| all.contains(name));
        (family.own, family.made, family.kin) = (own, every, Some(kin));
        Ok(family)
    }
}

/// The chosen records, and what is asked for beside them.
fn changes(
    then: &Seen<'_>,
    family: &Family<'_, '_>,
    mapping: &Mapping,
    scope: &Scope,
) -> Result<Vec<Change>> {
    let choice = Choice::of(scope, then)?;
    let mut changes = Vec::new();
    let mut wanted: Option<HashSet<RecordId>> = scope.ids.as_ref().map(|ids| ids.iter().copied().collect());
    for sobject in &family.chosen {
        then.state.each(sobject, &mut |record| {
            let chosen = wanted.as_mut().is_none_or(|ids| ids.remove(&record.id));
            if chosen && !mapping.has(record.id) && choice.takes(sobject, Some(&record.json))? {
                changes.push(Change {
                    sobject: sobject.clone(),
                    id: record.id,
                    in_then: true,
                    in_now: false,
                });
            }
            Ok(())
        })?;
    }
    if let Some(id) = wanted.into_iter().flatten().next() {
        let number = then.state.snapshot().number;
        let what = format!("{id}: snapshot {number} has no such record that could be made");
        return Err(
            Error::new(Kind::NotFound, what).hint(format!("leave it out, or look at `halite history {id}`"))
        );
    }
    let Some(kin) = &family.kin else {
        return Ok(changes);
    };
    let children = kin.all_children(by_sobject(&changes), scope.children)?;
    changes.extend(children.into_iter().filter(|change| !mapping.has(change.id)));
    if scope.parents {
        let parents = kin.parents(&changes, &|_| true, &mut |_, mut ids| {
            ids.retain(|id| !mapping.has(*id));
            Ok(ids)
        })?;
        changes.extend(parents);
    }
    changes.sort();
    Ok(changes)
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
