//! The engine's part of a restore: a snapshot, a plan, and the plan carried out under bad weather until it ends.
//!
//! Key decision: here alone stands how the engine is called; a journal of lines in memory dies at a note that the seed
//! chooses, as a killed process does. It does not judge: who does sees plan, outcomes and Ids only.

use halite_connector::{Bulk, SalesforceOrg};
use halite_engine::base::clock::Clock;
use halite_engine::base::id::RecordId;
use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::ops::restore::apply::{self, Applied, Bodies, NoBodies, Stored};
use halite_engine::ops::restore::between::{self, Scope};
use halite_engine::ops::restore::journal::{Journal, replay};
use halite_engine::ops::restore::plan::Plan;
use halite_engine::ops::restore::undo;
use halite_engine::ops::state::State;
use halite_engine::vault::{SnapshotInfo, Vault};
use halite_engine::{Error, Kind, Result};
use halite_simulator::Server;

use super::world::OBJECTS;
use crate::capture::connect;
use crate::report::say;

/// Takes a snapshot.
pub fn snapshot(vault: &Vault, source: &mut SalesforceOrg) -> Result<SnapshotInfo> {
    let options = BackupOptions {
        only: Some(OBJECTS.map(str::to_owned).into()),
        // As the command looks: a deletion that nobody logged shows in the count alone.
        count_all: true,
        ..BackupOptions::default()
    };
    let report = backup(vault, source, &options, &mut |_| ())?;
    if std::env::var_os("SOAK_CALLS").is_some() {
        report
            .sobjects
            .iter()
            .for_each(|s| say(format_args!("{}: {}", s.name, s.standing)));
    }
    if !report.complete() {
        return Err(Error::invalid(format!("a capture is not complete: {report:?}")));
    }
    vault.find_snapshot(report.org.parse()?, &report.name)
}

/// Plans to bring `then` back.
pub fn plan(vault: &Vault, then: &SnapshotInfo, now: &SnapshotInfo) -> Result<Plan> {
    let scope = Scope {
        sobjects: None,
        ids: None,
        ..Scope::default()
    };
    between::plan(vault, then, now, &scope)
}

/// What the error of a journal says that dies.
pub const KILLED: &str = "killed by the seed";

/// A journal that dies.
#[derive(Default)]
pub struct Notes {
    pub lines: Vec<String>,
    /// After how many more notes, and whether the last is kept.
    pub dies: Option<(usize, bool)>,
}

impl Journal for Notes {
    fn note(&mut self, entry: &str) -> Result<()> {
        match &mut self.dies {
            Some((0, kept)) => {
                if *kept {
                    self.lines.push(entry.to_owned());
                }
                Err(Error::new(Kind::Interrupted, KILLED))
            }
            Some((left, _)) => {
                *left -= 1;
                self.lines.push(entry.to_owned());
                Ok(())
            }
            None => {
                self.lines.push(entry.to_owned());
                Ok(())
            }
        }
    }
}

/// Goes on with a plan where its journal ends.
fn go_on(plan: &Plan, target: &mut SalesforceOrg, notes: &mut Notes, files: Files<'_>) -> Result<Applied> {
    let past = replay(notes.lines.iter().map(String::as_str))?;
    let mut bodies: Box<dyn Bodies> = match files {
        Some((vault, info)) => Box::new(Stored {
            vault,
            state: State::at(vault, info),
        }),
        None => Box::new(NoBodies),
    };
    apply::resume(plan, target, notes, past, &mut *bodies, &mut |_, _| ())
}

/// Where files come from: a snapshot of a vault.
pub type Files<'v> = Option<(&'v Vault, &'v SnapshotInfo)>;

/// The plan that takes back what was done.
pub fn inverse(plan: &Plan, notes: &Notes) -> Result<Plan> {
    let past = replay(notes.lines.iter().map(String::as_str))?;
    undo::undo(plan, &past, Clock::system().now())
}

/// One run, with a connection of its own.
pub fn run(plan: &Plan, server: &Server, notes: &mut Notes, files: Files<'_>) -> Result<Applied> {
    let mut target = connect(server, Bulk::Never)?;
    go_on(plan, &mut target, notes, files)
}

/// The Id under which a record is there now.
pub fn id_now(applied: &Applied, id: &str) -> String {
    let old = RecordId::parse(id.as_bytes());
    let new = old.and_then(|old| applied.id_map.get(&old));
    new.map_or_else(|| id.to_owned(), ToString::to_string)
}
