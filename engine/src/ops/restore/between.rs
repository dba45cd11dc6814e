//! From two snapshots to a restore plan: the engine's diff handed to the engine's planner.
//!
//! Key decision: the org as it is now is a snapshot too, so that a plan can be looked at and made again without
//! the org. Nothing is decided here but what is in scope, and nothing is written.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};

use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};
use crate::base::id::RecordId;
use crate::format::blob::holds_bodies;
use crate::format::page::VersionKind;
use crate::ops::diff;
use crate::ops::lookup::Lookup;
use crate::ops::restore::apply::cost::estimate;
use crate::ops::restore::check::check;
use crate::ops::restore::choice::{Choice, Ids, Kin, by_sobject};
use crate::ops::restore::elsewhere;
use crate::ops::restore::plan::{Action, Header, Mode, Newer, Plan, Warning};
use crate::ops::restore::planner;
use crate::ops::restore::rights;
use crate::ops::restore::seen::Seen;
use crate::ops::restore::view::Change;
use crate::vault::catalog::SnapshotInfo;
use crate::vault::open::Vault;

pub use crate::ops::restore::choice::{Scope, Span};

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
    if scope.parents && scope.mode == Mode::Existing {
        return Err(
            Error::invalid("in mode existing nothing is brought back, so no parents either")
                .hint("leave --with-parents out, or take --mode all"),
        );
    }
    let (then_seen, mut now_seen) = (Seen::new(vault, then)?, Seen::new(vault, now)?);
    let mut choice = Choice::since(vault, scope, &then_seen, &now_seen)?;
    let unread = unread(&then_seen, &now_seen)?;
    let asked: BTreeSet<String> = unread
        .iter()
        .filter(|name| scope.asks_for(name))
        .cloned()
        .collect();
    if scope.sobjects.is_some() {
        rights::none_of(asked.iter().map(|name| rights::object("Read", name)).collect())?;
    }
    now_seen.sobjects.retain(|name| !unread.contains(name));
    let (mut chosen, unchanged) = chosen(vault, (&then_seen, now), scope, &mut choice, &unread)?;
    if scope.parents || scope.children > 0 {
        let shown: HashSet<&str> = now_seen.sobjects.iter().map(String::as_str).collect();
        let kin = Kin::of(&then_seen, &|name| shown.contains(name))?;
        add_kin(vault, &kin, &now_seen, scope, &choice, (&mut chosen, unchanged))?;
    }
    let untold = choice.untold()?;
    let mut plan = planner::plan(header, &then_seen, &now_seen, chosen.into_iter().map(Ok))?;
    choice.trim(&mut plan)?;
    come_along(&mut plan, &then_seen, &now_seen)?;
    plan.warnings.extend(asked.into_iter().map(hidden));
    plan.warnings.extend(out_of_sight(&now_seen, scope)?);
    plan.warnings.extend(untold);
    Ok(plan)
}

/// The records that are chosen among those that differ; and of those that are named, the ones that do not differ and whose
/// children are asked for.
fn chosen(
    vault: &Vault,
    (then, now): (&Seen<'_>, &SnapshotInfo),
    scope: &Scope,
    choice: &mut Choice<'_>,
    unread: &BTreeSet<String>,
) -> Result<(Vec<Change>, Ids)> {
    let ids = scope.ids.as_ref().map(|ids| ids.iter().copied().collect());
    let wanted: RefCell<Option<HashSet<RecordId>>> = RefCell::new(ids);
    let (choice, mut changes) = (RefCell::new(choice), Vec::new());
    diff::diff_of(
        vault,
        then.state.snapshot(),
        now,
        scope.sobjects.as_deref(),
        &mut |touched, newest| {
            let is_known = !holds_bodies(&touched.sobject) && !unread.contains(&touched.sobject);
            let is_named = |ids: &HashSet<RecordId>| ids.contains(&touched.id);
            if !is_known || !wanted.borrow().as_ref().is_none_or(is_named) {
                return Ok(false);
            }
            let may = choice.borrow_mut().may_take(touched, newest)?;
            if let Some(ids) = wanted.borrow_mut().as_mut().filter(|_| !may) {
                ids.remove(&touched.id);
            }
            Ok(may)
        },
        &mut |found, newest| {
            wanted.borrow_mut().as_mut().map(|ids| ids.remove(&found.id));
            let mut choice = choice.borrow_mut();
            let (in_then, in_now) = (found.before.is_some(), found.after.is_some());
            let before = found.before.as_ref().map(|record| record.json.as_str());
            if choice.takes(&found.sobject, before)? && choice.is_by(&found.sobject, newest, in_then) {
                changes.push(Change {
                    sobject: found.sobject,
                    id: found.id,
                    in_then,
                    in_now,
                });
            }
            Ok(())
        },
    )?;
    let mut unchanged = Ids::new();
    for same in wanted.into_inner().into_iter().flatten() {
        let sobject = then.state.sobject_of(same)?.filter(|_| scope.children > 0);
        match sobject.filter(|name| scope.asks_for(name)) {
            Some(sobject) if then.state.get(&sobject, same)?.is_some() => {
                unchanged.entry(sobject).or_default().insert(same);
            }
            _ => {
                let number = then.state.snapshot().number;
                let what = format!("{same}: it is now as it was in snapshot {number}");
                return Err(Error::new(Kind::NotFound, what)
                    .hint(format!("leave it out, or look at `halite history {same}`")));
            }
        }
    }
    if scope.is_of_the_past() || scope.condition.is_some() {
        // It was not chosen by what else was asked for.
        unchanged.clear();
    }
    Ok((changes, unchanged))
}

/// Adds what is asked for beside what is chosen.
fn add_kin(
    vault: &Vault,
    kin: &Kin<'_, '_>,
    now: &Seen<'_>,
    scope: &Scope,
    choice: &Choice<'_>,
    (chosen, mut roots): (&mut Vec<Change>, Ids),
) -> Result<()> {
    if scope.children > 0 {
        for (sobject, ids) in by_sobject(chosen.iter().filter(|change| change.in_then)) {
            roots.entry(sobject).or_default().extend(ids);
        }
        let children = kin.children(vault, now.state.snapshot(), roots, scope.children)?;
        chosen.extend(children);
    }
    if scope.parents {
        // What the mode leaves alone needs nothing.
        let set = |change: &&Change| scope.mode != Mode::Deleted || !change.in_now;
        let set: Vec<Change> = chosen.iter().filter(set).cloned().collect();
        let parents = kin.parents(&set, &|field| choice.edits(field), &mut |sobject, ids| {
            let mut now = Lookup::new(&now.state, sobject);
            let mut gone = Vec::new();
            for id in ids {
                if !now.has(id)? {
                    gone.push(id);
                }
            }
            Ok(gone)
        })?;
        chosen.extend(parents);
    }
    chosen.sort();
    Ok(())
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
    let found = now.state.manifest()?.sobjects.into_iter();
    let found = found.filter(|s| s.out_of_sight > 0 && scope.asks_for(&s.name));
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
fn unread(then: &Seen<'_>, now: &Seen<'_>) -> Result<BTreeSet<String>> {
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
    let unread = then
        .sobjects
        .iter()
        .filter(|name| !is_read(name) && !was_skipped(name));
    Ok(unread.cloned().collect())
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
