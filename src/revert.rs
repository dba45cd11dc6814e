//! From two snapshots to a restore plan: the engine's diff handed to the engine's planner.
//!
//! Key decision: the org as it is now is a snapshot too, so that a plan can be looked at and made again without
//! the org. Nothing is decided here but what is in scope, and nothing is written.

use std::collections::HashSet;
use std::sync::Arc;

use halite_engine::base::clock::Clock;
use halite_engine::base::id::RecordId;
use halite_engine::format::describe::Describe;
use halite_engine::format::page::VersionKind;
use halite_engine::ops::diff;
use halite_engine::ops::restore::plan::{FORMAT, Header, Mode, Plan, VERSION};
use halite_engine::ops::restore::planner;
use halite_engine::ops::restore::view::{Change, View};
use halite_engine::ops::state::State;
use halite_engine::vault::{SnapshotInfo, Vault};
use halite_engine::{Error, Kind, Result};

/// What a plan is for.
pub struct Scope {
    pub sobjects: Option<Vec<String>>,
    pub ids: Option<Vec<RecordId>>,
}

/// A stored state as the planner asks it.
struct Seen<'v> {
    state: State<'v>,
    sobjects: Vec<String>,
}

impl<'v> Seen<'v> {
    fn new(vault: &'v Vault, info: &SnapshotInfo) -> Result<Self> {
        let state = State::at(vault, info);
        let sobjects = state.sobjects()?;
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

    fn gone(&self, sobject: &str, id: RecordId) -> Result<Option<VersionKind>> {
        self.state.gone(sobject, id)
    }
}

/// Plans to bring back `then`, given that the org is as `now` says.
pub fn plan(vault: &Vault, then: &SnapshotInfo, now: &SnapshotInfo, scope: &Scope) -> Result<Plan> {
    let header = Header {
        format: FORMAT.into(),
        version: VERSION,
        org: then.org.to_string(),
        at: then.name.to_string(),
        at_time: then.from.to_string(),
        now: now.name.to_string(),
        mode: Mode::All,
        created: Clock::system().now().to_string(),
    };
    let mut wanted: Option<HashSet<RecordId>> = scope.ids.as_ref().map(|ids| ids.iter().copied().collect());
    let mut changes = Vec::new();
    diff::diff(vault, then, now, scope.sobjects.as_deref(), &mut |found| {
        if wanted.as_mut().is_none_or(|ids| ids.remove(&found.id)) {
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
    planner::plan(header, &Seen::new(vault, then)?, &Seen::new(vault, now)?, changes)
}
