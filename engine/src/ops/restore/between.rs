//! From two snapshots to a restore plan: the engine's diff handed to the engine's planner.
//!
//! Key decision: the org as it is now is a snapshot too, so that a plan can be looked at and made again without
//! the org. Nothing is decided here but what is in scope, and nothing is written.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};
use crate::base::id::RecordId;
use crate::format::blob::holds_bodies;
use crate::format::describe::{Describe, FieldKind};
use crate::format::page::VersionKind;
use crate::ops::bodies::Body;
use crate::ops::diff;
use crate::ops::restore::elsewhere;
use crate::ops::restore::masking::Masks;
use crate::ops::restore::plan::{Action, Header, Mode, Newer, Plan};
use crate::ops::restore::planner;
use crate::ops::restore::view::{Change, View};
use crate::ops::state::State;
use crate::vault::catalog::SnapshotInfo;
use crate::vault::open::Vault;

/// What a plan is for.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Only these sObjects.
    pub sobjects: Option<Vec<String>>,
    /// Only these records.
    pub ids: Option<Vec<RecordId>>,
    /// What may be done.
    pub mode: Mode,
    /// Into another org: what becomes of values on the way.
    pub masks: Masks,
    /// Into another org: which of its rows stand for which, by hand.
    pub by_hand: Vec<(RecordId, RecordId)>,
}

/// A stored state as the planner asks it.
pub(super) struct Seen<'v> {
    pub state: State<'v>,
    sobjects: Vec<String>,
}

impl<'v> Seen<'v> {
    pub fn new(vault: &'v Vault, info: &SnapshotInfo) -> Result<Self> {
        let state = State::at(vault, info);
        let mut sobjects = state.sobjects()?;
        // Bodies go with the rows that have them.
        sobjects.retain(|name| !holds_bodies(name));
        Ok(Self { state, sobjects })
    }
}

impl View for Seen<'_> {
    fn sobjects(&self) -> Vec<String> {
        self.sobjects.clone()
    }

    fn describe(&self, sobject: &str) -> Result<Arc<Describe>> {
        self.state.describe(sobject).map(Arc::new)
    }

    fn get(&self, sobject: &str, id: RecordId) -> Result<Option<String>> {
        Ok(self.state.get(sobject, id)?.map(|record| record.json))
    }

    fn body(&self, sobject: &str, id: RecordId) -> Result<Option<(String, u64)>> {
        let describe = self.state.describe(sobject)?;
        let Some(field) = describe.fields.iter().find(|f| f.kind == FieldKind::Base64) else {
            return Ok(None);
        };
        let name = format!("{sobject}.{}", field.name);
        if !self.state.sobjects()?.contains(&name) {
            return Ok(None);
        }
        let Some(record) = self.state.get(&name, id)? else {
            return Ok(None);
        };
        Ok(Some((field.name.clone(), Body::parse(id, &record.json)?.length)))
    }

    fn gone(&self, sobject: &str, id: RecordId) -> Result<Option<VersionKind>> {
        self.state.gone(sobject, id)
    }
}

/// Plans to bring back `then`, given that the org is as `now` says; if that is of another org, to make it there.
///
/// # Errors
/// `NotFound` for a chosen record that does not differ; `Invalid` for a scope that makes no sense; what reading gives.
pub fn plan(vault: &Vault, then: &SnapshotInfo, now: &SnapshotInfo, scope: &Scope) -> Result<Plan> {
    let header = Header {
        org: then.org.to_string(),
        at: then.name.to_string(),
        at_time: then.from.to_string(),
        now: now.name.to_string(),
        mode: scope.mode,
        created: Clock::system().now().to_string(),
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
    let mut wanted: Option<HashSet<RecordId>> = scope.ids.as_ref().map(|ids| ids.iter().copied().collect());
    let mut changes = Vec::new();
    diff::diff(vault, then, now, scope.sobjects.as_deref(), &mut |found| {
        if !holds_bodies(&found.sobject) && wanted.as_mut().is_none_or(|ids| ids.remove(&found.id)) {
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
    let (then, now) = (Seen::new(vault, then)?, Seen::new(vault, now)?);
    let mut plan = planner::plan(header, &then, &now, changes)?;
    come_along(&mut plan, &then, &now)?;
    Ok(plan)
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
