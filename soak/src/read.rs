//! What a reader does: states, single records, differences, histories, counts; through one vault that stays open.
//!
//! Key decision: it keeps nothing in memory and seldom opens anew, so that prunes take away what it stands on. An error is
//! lawful if the snapshot was dropped meanwhile, and for no other reason of its own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use halite_engine::base::id::SnapshotId;
use halite_engine::vault::{SnapshotInfo, Vault};

use crate::actors::Actor;
use crate::collect::some;
use crate::look::{self, Verdict};
use crate::model::{Rows, id};

/// Reads one thing.
pub fn step(me: &mut Actor<'_>) {
    let looked = RefCell::default();
    me.with(
        "reading",
        |me, vault| look(me, vault, &looked),
        |book, _| looked.borrow().iter().any(|s| !book.is_kept(s)),
    );
}

fn look(me: &mut Actor<'_>, vault: &Vault, looked: &RefCell<Vec<SnapshotInfo>>) -> Verdict {
    if me.dice.chance(1, 3) {
        let least = me.stage.book().version;
        let found = vault.refresh()?.version();
        if found < least {
            return Ok(Some(format!("root {found} is read after root {least}")));
        }
    }
    let record = id(me.dice.below(me.stage.span))?;
    let (Some(one), truths) = (some(me, vault)?, me.stage.book().truths.clone()) else {
        return Ok(None);
    };
    let Some(rows) = truth(&truths, &one) else {
        return Ok(Some(format!("{} was never published", one.name)));
    };
    looked.borrow_mut().push(one.clone());
    match me.dice.below(10) {
        0..=3 => look::state(vault, &one, rows),
        4 => look::record(vault, &one, record, rows),
        5 => {
            let before = me.stage.book().before.get(&one.name).copied();
            let before = before
                .and_then(|name| truths.get(&name).cloned())
                .unwrap_or_default();
            look::counts(vault, &one, &before, rows)
        }
        6 => look::versions(vault, one.org, record, |s| truth(&truths, s)),
        _ => {
            let all = vault.snapshots(one.org)?;
            let other = me.dice.pick(&all).cloned().unwrap_or_else(|| one.clone());
            looked.borrow_mut().push(other.clone());
            match truth(&truths, &other) {
                Some(others) => look::difference(vault, (&one, rows), (&other, others)),
                None => Ok(Some(format!("{} was never published", other.name))),
            }
        }
    }
}

fn truth<'t>(truths: &'t BTreeMap<SnapshotId, Arc<Rows>>, snapshot: &SnapshotInfo) -> Option<&'t Rows> {
    truths.get(&snapshot.name).map(|rows| &**rows)
}
