//! What a collector does: merges, drops snapshots, prunes, holds and releases, forgets orgs, changes the master key.
//!
//! Key decision: two of them work at once, with grace 0 as a rule, so that every mark moves as fast as it may. What they
//! drop is looked at by the book in the root that drops it. It does not judge what a prune frees: the end of a seed does.

use std::sync::Arc;

use halite_engine::base::stamp::Stamp;
use halite_engine::ops::check::{CheckOptions, Level, check};
use halite_engine::ops::compact::{CompactOptions, compact};
use halite_engine::ops::hold::{hold, holds, release};
use halite_engine::ops::prune::{PruneOptions, execute, plan, prune};
use halite_engine::ops::repair::repair;
use halite_engine::ops::retain::{self, Policy, forget, forget_org};
use halite_engine::store::backend::Backend;
use halite_engine::vault::keys::Cost;
use halite_engine::vault::rekey::rekey;
use halite_engine::vault::{Secret, SnapshotInfo, Vault};
use halite_engine::{Error, Kind, Result};

use crate::actors::Actor;
use crate::book::May;
use crate::look::Verdict;
use crate::model::org;

/// Does one kind of upkeep.
pub fn step(me: &mut Actor<'_>) {
    match me.dice.below(40) {
        0..=14 => pruned(me),
        15..=21 => compacted(me),
        22..=26 => retained(me),
        27..=31 => forgotten(me),
        32 | 33 => org_forgotten(me),
        34 | 35 => held(me),
        36 | 37 => released(me),
        38 => checked(me),
        _ => rekeyed(me),
    }
}

/// How to prune.
fn how(me: &mut Actor<'_>) -> PruneOptions {
    let grace = if me.dice.chance(1, 5) { 3 * 3_600_000 } else { 0 };
    let shares = [0.0, 0.0, 0.05, 0.3];
    PruneOptions {
        max_unused: me.dice.pick(&shares).copied().unwrap_or(0.0),
        grace,
    }
}

/// Gives space back.
pub fn pruned(me: &mut Actor<'_>) {
    let options = how(me);
    let apart = me.dice.chance(1, 4);
    me.with(
        "prune",
        |_, vault| {
            if apart {
                // As `--dry-run` and a second thought: much may happen in between.
                let planned = plan(vault, &options)?;
                holds(vault)?;
                execute(vault, &planned)?;
            } else {
                prune(vault, &options)?;
            }
            Ok(None)
        },
        |_, _| false,
    );
}

/// Merges runs.
pub fn compacted(me: &mut Actor<'_>) {
    let options = CompactOptions {
        keep_single: usize::try_from(me.dice.below(4)).unwrap_or(0),
        all: me.dice.chance(1, 3),
    };
    me.with(
        "compact",
        |_, vault| compact(vault, &options, &mut |_| ()).map(|_| None),
        |_, _| false,
    );
}

/// A snapshot that the vault at hand knows, perhaps of yesterday.
pub fn some(me: &mut Actor<'_>, vault: &Vault) -> Result<Option<SnapshotInfo>> {
    let mut all = Vec::new();
    for org in vault.orgs() {
        all.extend(vault.snapshots(org)?);
    }
    Ok(me.dice.pick(&all).cloned())
}

fn allow(me: &Actor<'_>, may: May) {
    me.stage.book().may[me.seat] = may;
}

/// Drops what a policy does not keep.
pub fn retained(me: &mut Actor<'_>) {
    let policy = Policy {
        last: u32::try_from(me.dice.below(4)).unwrap_or(0),
        hourly: 1 + u32::try_from(me.dice.below(3)).unwrap_or(0),
        ..Policy::default()
    };
    me.with(
        "retain",
        |me, vault| {
            let org = org(1 + me.dice.below(3))?;
            allow(me, May::Drop(org));
            let planned = retain::plan(vault, org, &policy)?;
            retain::execute(vault, &planned)?;
            Ok(None)
        },
        |_, _| false,
    );
}

/// Drops some snapshots by name.
pub fn forgotten(me: &mut Actor<'_>) {
    me.with(
        "forget",
        |me, vault| {
            let Some(one) = some(me, vault)? else {
                return Ok(None);
            };
            allow(me, May::Drop(one.org));
            let mut names = vault.snapshots(one.org)?;
            let times = me.dice.below(3);
            names.retain(|s| s.name == one.name || me.dice.chance(times, 3));
            forget(vault, one.org, &names)?;
            Ok(None)
        },
        // The newest, or one under a hold.
        |_, error| matches!(error.kind(), Kind::Invalid | Kind::Busy),
    );
}

/// Forgets an org.
pub fn org_forgotten(me: &mut Actor<'_>) {
    me.with(
        "forgetting an org",
        |me, vault| {
            let Some(one) = some(me, vault)? else {
                return Ok(None);
            };
            allow(me, May::Forget(one.org));
            forget_org(vault, one.org, &[])?;
            Ok(None)
        },
        |_, error| matches!(error.kind(), Kind::NotFound | Kind::Busy),
    );
}

/// Puts a hold on a snapshot.
pub fn held(me: &mut Actor<'_>) {
    me.with(
        "hold",
        |me, vault| {
            let Some(one) = some(me, vault)? else {
                return Ok(None);
            };
            hold(vault, &one, "an audit", Stamp::NONE)?;
            Ok(None)
        },
        |_, error| error.kind() == Kind::NotFound,
    );
}

/// Lets a hold go.
pub fn released(me: &mut Actor<'_>) {
    me.with(
        "release",
        |me, vault| -> Verdict {
            let all = holds(vault)?;
            if let Some(one) = me.dice.pick(&all) {
                release(vault, &one.name.to_string())?;
            }
            Ok(None)
        },
        |_, error| error.kind() == Kind::NotFound,
    );
}

/// Checks, which finds damage only where an answer was spoilt; or repairs, where nothing is to be repaired.
pub fn checked(me: &mut Actor<'_>) {
    let options = CheckOptions {
        level: Level::All,
        ..CheckOptions::default()
    };
    if me.dice.chance(1, 3) {
        return repaired(me);
    }
    me.with(
        "check",
        |_, vault| {
            let report = check(vault, &options)?;
            // A rekey of somebody else stands between its copies.
            let mut damages = report.damages.iter().filter(|d| !d.what.contains('/'));
            let first = damages
                .next()
                .map(|d| Error::corrupt("the vault", format!("{d:?}")));
            first.map_or(Ok(None), Err)
        },
        |_, _| false,
    );
}

/// Repairs what is whole.
pub fn repaired(me: &mut Actor<'_>) {
    me.with("repair", |_, vault| repair(vault).map(|_| None), |_, _| false);
}

/// Changes the master key.
pub fn rekeyed(me: &mut Actor<'_>) {
    me.bare("rekey", |me, seen| {
        let store: Arc<dyn Backend> = seen;
        let options = me.options();
        rekey(&store, &Secret::None, &Secret::None, options, Cost::FOR_TESTS)
    });
}
