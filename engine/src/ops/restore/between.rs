//! From two snapshots to a restore plan: the engine's diff handed to the engine's planner.
//!
//! Key decision: the org as it is now is a snapshot too, so that a plan can be looked at and made again without
//! the org. Nothing is decided here but what is in scope, and nothing is written.

use std::collections::{BTreeSet, HashSet};

use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};
use crate::base::id::RecordId;
use crate::format::blob::holds_bodies;
use crate::format::page::VersionKind;
use crate::ops::diff;
use crate::ops::restore::apply::cost::estimate;
use crate::ops::restore::check::check;
use crate::ops::restore::choice::Choice;
use crate::ops::restore::elsewhere;
use crate::ops::restore::plan::{Action, Header, Newer, Plan, Warning};
use crate::ops::restore::planner;
use crate::ops::restore::rights;
use crate::ops::restore::seen::Seen;
use crate::ops::restore::view::Change;
use crate::vault::catalog::SnapshotInfo;
use crate::vault::open::Vault;

pub use crate::ops::restore::choice::Scope;

/// Plans to bring back `then`, given that the org is as `now` says; if that is of another org, to make it there.
///
/// # Errors
/// `NotFound` for a chosen record that does not differ; `Invalid` for a scope that makes no sense; what reading gives.
pub fn plan(vault: &Vault, then: &SnapshotInfo, now: &SnapshotInfo, scope: &Scope) -> Result<Plan> {
    let mut plan = planned(vault, then, now, scope)?;
    check(&mut plan, &Seen::new(vault, then)?, &Seen::new(vault, now)?)?;
    plan.header.calls = estimate(&plan)?;
    Ok(plan)
}

fn planned(vault: &Vault, then: &SnapshotInfo, now: &SnapshotInfo, scope: &Scope) -> Result<Plan> {
    let header = Header {
        org: then.org.to_string(),
        at: then.name.to_string(),
        at_time: then.from.to_string(),
        now: now.name.to_string(),
        mode: scope.mode,
        created: Clock::system().now().to_string(),
        choice: scope.told.clone(),
        marker: scope.marker.clone(),
        overwrite: scope.overwrite,
        to: (now.org != then.org).then(|| now.org.to_string()),
        ..Header::default()
    };
    if header.to.is_some() {
        return elsewhere::plan(vault, then, now, scope, header);
    }
    if !scope.masks.is_empty() || !scope.by_hand.is_empty() {
        return Err(
            Error::invalid("masks and maps are for restores into another org").hint("name it with --to")
        );
    }
    let (then_seen, mut now_seen) = (Seen::new(vault, then)?, Seen::new(vault, now)?);
    let choice = Choice::of(scope, &then_seen)?;
    let unread = unread(&then_seen, &now_seen, scope)?;
    now_seen.sobjects.retain(|name| !unread.contains(name));
    let mut wanted: Option<HashSet<RecordId>> = scope.ids.as_ref().map(|ids| ids.iter().copied().collect());
    let mut changes = Vec::new();
    diff::diff(vault, then, now, scope.sobjects.as_deref(), &mut |found| {
        let is_known = !holds_bodies(&found.sobject) && !unread.contains(&found.sobject);
        let is_wanted = is_known && wanted.as_mut().is_none_or(|ids| ids.remove(&found.id));
        let then = found.before.as_ref().map(|record| record.json.as_str());
        if is_wanted && choice.takes(&found.sobject, then)? {
            let (in_then, in_now) = (found.before.is_some(), found.after.is_some());
            changes.push(Ok(Change {
                sobject: found.sobject,
                id: found.id,
                in_then,
                in_now,
            }));
        }
        Ok(())
    })?;
    if let Some(same) = wanted.into_iter().flatten().next() {
        return Err(Error::new(
            Kind::NotFound,
            format!("{same}: it is now as it was in snapshot {}", then.number),
        )
        .hint(format!("leave it out, or look at `halite history {same}`")));
    }
    let mut plan = planner::plan(header, &then_seen, &now_seen, changes)?;
    choice.trim(&mut plan)?;
    come_along(&mut plan, &then_seen, &now_seen)?;
    plan.warnings.extend(unread.into_iter().map(hidden));
    plan.warnings.extend(out_of_sight(&now_seen, scope)?);
    Ok(plan)
}

fn hidden(sobject: String) -> Warning {
    let read = rights::object("Read", &sobject);
    Warning {
        what:
            "the org did not show it when the plan was made: what of it differs is not known, and not planned"
                .into(),
        remedy: format!("grant {read}, or bring the object back, and plan anew"),
        operations: Vec::new(),
        sobject,
    }
}

/// Records that are not shown any more, and may be gone as well as hidden from this user.
fn out_of_sight(now: &Seen<'_>, scope: &Scope) -> Result<Vec<Warning>> {
    let asked = |name: &String| scope.sobjects.as_ref().is_none_or(|only| only.contains(name));
    let found = now.state.manifest()?.sobjects.into_iter();
    let found = found.filter(|s| s.out_of_sight > 0 && asked(&s.name));
    Ok(found
        .map(|s| Warning {
            what: format!(
                "{} records are out of this user's sight: gone for good, or hidden; they are not planned",
                s.out_of_sight
            ),
            remedy: "grant \"View All Data\" (Setup, Permission Sets, a set of the user's, System Permissions) or \"View All \
                     Records\" on the object, and plan anew"
                .into(),
            operations: Vec::new(),
            sobject: s.name,
        })
        .collect())
}

/// The sObjects of then that the org does not show now.
///
/// # Errors
/// `Denied` if one of them was asked for.
fn unread(then: &Seen<'_>, now: &Seen<'_>, scope: &Scope) -> Result<BTreeSet<String>> {
    let (before, after) = (then.state.manifest()?, now.state.manifest()?);
    let was_skipped = |name: &str| {
        before
            .sobjects
            .iter()
            .any(|s| s.name == name && s.skipped.is_some())
    };
    let is_read = |name: &str| {
        after
            .sobjects
            .iter()
            .any(|s| s.name == name && s.skipped.is_none())
    };
    let asked = |name: &String| scope.sobjects.as_ref().is_none_or(|only| only.contains(name));
    let unread: BTreeSet<String> = then
        .sobjects
        .iter()
        .filter(|name| asked(name) && !is_read(name) && !was_skipped(name))
        .cloned()
        .collect();
    if scope.sobjects.is_some() {
        rights::none_of(unread.iter().map(|name| rights::object("Read", name)).collect())?;
    }
    Ok(unread)
}

/// Lists as newer what an undelete may bring back with its parent although it was not there at T: the org
/// undeletes whatever went in the same cascade, and nobody can ask it not to.
fn come_along(plan: &mut Plan, then: &Seen<'_>, now: &Seen<'_>) -> Result<()> {
    let undeletes = plan.operations.iter().filter(|op| op.action == Action::Undelete);
    let mut parents: BTreeSet<String> = undeletes.map(|op| op.sobject.clone()).collect();
    let mut children: BTreeSet<String> = BTreeSet::new();
    loop {
        let before = children.len();
        for name in &now.sobjects {
            let Ok(describe) = now.state.describe(name) else {
                continue;
            };
            let falls = describe
                .fields
                .iter()
                .filter(|f| f.cascade_delete)
                .flat_map(|f| &f.reference_to);
            if falls.into_iter().any(|parent| parents.contains(parent)) {
                children.insert(name.clone());
            }
        }
        parents.extend(children.iter().cloned());
        if children.len() == before {
            break;
        }
    }
    for sobject in children {
        now.state.each_gone(&sobject, &mut |id, kind| {
            // One that was merged away may have been brought back and have fallen with its parent since.
            let in_bin = matches!(kind, VersionKind::Deleted | VersionKind::Merged);
            if in_bin && then.state.get(&sobject, id)?.is_none() {
                plan.newer.push(Newer {
                    sobject: sobject.clone(),
                    id,
                });
            }
            Ok(())
        })?;
    }
    Ok(())
}
