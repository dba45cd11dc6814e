//! Everything that one can do with a vault, one after another; errors are answers too.
//!
//! Key decision: shared with the fuzz target of the whole vault, so that both do the same. It compares nothing.
//! It does not erase: who erases names Ids.

use halite_engine::Result;
use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::ops::check::{CheckOptions, Level, check};
use halite_engine::ops::compact::{CompactOptions, compact};
use halite_engine::ops::diff::diff;
use halite_engine::ops::history::history;
use halite_engine::ops::org::Source;
use halite_engine::ops::prune::{PruneOptions, prune};
use halite_engine::ops::repair::repair;
use halite_engine::ops::retain::{Policy, plan};
use halite_engine::ops::state::State;
use halite_engine::vault::Vault;

/// Reads all there is, every way there is; whether all of it went well.
pub(crate) fn reads(vault: &Vault) -> bool {
    let options = CheckOptions {
        level: Level::All,
        ..CheckOptions::default()
    };
    let checked = check(vault, &options).map(drop);
    let orgs = vault.orgs();
    let read: Vec<Result<()>> = orgs.iter().map(|org| org_reads(vault, *org)).collect();
    checked.is_ok() & read.iter().all(Result::is_ok)
}

fn org_reads(vault: &Vault, org: halite_engine::base::id::OrgId) -> Result<()> {
    let snapshots = vault.snapshots(org)?;
    let mut worst = Ok(());
    let mut ids = Vec::new();
    for snapshot in snapshots.iter().take(5) {
        let state = State::at(vault, snapshot);
        let manifest = state.manifest().map(drop);
        worst = worst.and(manifest);
        for sobject in state.sobjects()? {
            let read = state.each(&sobject, &mut |record| {
                ids.push(record.id);
                Ok(())
            });
            worst = worst.and(read);
            worst = worst.and(state.each_gone(&sobject, &mut |_, _| Ok(())));
        }
    }
    for id in ids.iter().step_by(97) {
        worst = worst.and(history(vault, org, *id).map(drop));
    }
    for pair in snapshots.windows(2).take(3) {
        worst = worst.and(diff(vault, &pair[0], &pair[1], None, &mut |_| Ok(())));
    }
    worst
}

/// Changes it every way there is; whether all of it went well.
pub(crate) fn writes(vault: &Vault, source: &mut dyn Source) -> bool {
    let all = CompactOptions {
        keep_single: 0,
        all: true,
    };
    let at_once = PruneOptions {
        max_unused: 0.0,
        grace: 0,
    };
    let policy = Policy {
        last: 1,
        ..Policy::default()
    };
    let planned = vault
        .orgs()
        .into_iter()
        .map(|org| plan(vault, org, &policy).map(drop));
    let planned: Vec<_> = planned.collect();
    let done = [
        backup(vault, source, &BackupOptions::default(), &mut |_| ()).map(drop),
        compact(vault, &all, &mut |_| ()).map(drop),
        prune(vault, &at_once).map(drop),
        repair(vault).map(drop),
        prune(vault, &at_once).map(drop),
    ];
    planned.iter().chain(&done).all(Result::is_ok)
}
