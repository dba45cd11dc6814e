//! Holds: a snapshot that nothing may remove, for a reason, until a time or until it is let go.
//!
//! Key decision: a hold is an entry of the catalog, so whoever drops snapshots sees it in the very commit that would.
//! It does not keep packs by itself, and no clock ends it early: an end that has passed counts at the next forget.

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{OrgId, SnapshotId};
use crate::base::stamp::Stamp;
use crate::format::entry::{named, prefix};
use crate::format::mark::HoldEntry;
use crate::vault::catalog::SnapshotInfo;
use crate::vault::open::Vault;

/// One hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its random name.
    pub name: SnapshotId,
    /// The org.
    pub org: OrgId,
    /// What it is: snapshot, reason, end.
    pub entry: HoldEntry,
}

/// Holds a snapshot until `until`, or for ever if that is `NONE`.
///
/// # Errors
/// `NotFound` if the snapshot is not kept any more; `Invalid` for an end that has passed.
pub fn hold(vault: &Vault, snapshot: &SnapshotInfo, reason: &str, until: Stamp) -> Result<Hold> {
    let made = vault.clock.now();
    if until.is_some() && until <= made {
        return Err(
            Error::invalid(format!("the hold would end at {until}, before it began"))
                .hint("give a later --until"),
        );
    }
    let name = SnapshotId(vault.clock.random()?);
    let entry = HoldEntry {
        snapshot: snapshot.number,
        made,
        until,
        reason: reason.to_owned(),
    };
    let org = snapshot.org;
    vault.commit(&[], &mut |edit| {
        if edit.before.snapshot_entry(org, snapshot.number)?.name != snapshot.name {
            let message = format!("org {org} has no snapshot {} any more", snapshot.name);
            return Err(Error::new(Kind::NotFound, message));
        }
        edit.node(Some(org))
            .put(named(prefix::HOLD, &name.0), entry.encode());
        edit.log("hold", Some(org), format!("snapshot {}", snapshot.number));
        Ok(())
    })?;
    Ok(Hold { name, org, entry })
}

/// Holds a snapshot while `act` runs, and for a day at most if the process dies.
pub fn during<T>(
    vault: &Vault,
    snapshot: &SnapshotInfo,
    reason: &str,
    act: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let until = vault.clock.now().minus_millis(-86_400_000);
    let held = hold(vault, snapshot, reason, until)?;
    let done = act();
    let released = release(vault, &held.name.to_string());
    done.and_then(|done| released.map(|_| done))
}

/// All holds of the vault, by org, those that have ended too.
pub fn holds(vault: &Vault) -> Result<Vec<Hold>> {
    let catalog = vault.refresh()?;
    let mut all = Vec::new();
    for org in catalog.nodes.keys().copied().flatten() {
        let hold = |(name, entry)| Hold {
            name: SnapshotId(name),
            org,
            entry,
        };
        all.extend(catalog.holds(org)?.into_iter().map(hold));
    }
    Ok(all)
}

/// Lets a snapshot go. `name` may be the beginning of a hold's name, six characters at least.
///
/// # Errors
/// `NotFound` if there is no such hold, `Invalid` if several are meant.
pub fn release(vault: &Vault, name: &str) -> Result<Hold> {
    let mut fits = holds(vault)?;
    fits.retain(|hold| name.len() >= 6 && hold.name.to_string().starts_with(name));
    let Some(hold) = fits.pop() else {
        let message = format!("there is no hold `{name}`");
        return Err(Error::new(Kind::NotFound, message).hint("`halite holds` lists them"));
    };
    if !fits.is_empty() {
        return Err(
            Error::invalid(format!("`{name}` begins the names of several holds")).hint("give more of it"),
        );
    }
    vault.commit(&[], &mut |edit| {
        edit.node(Some(hold.org))
            .remove(&named(prefix::HOLD, &hold.name.0));
        edit.log(
            "release",
            Some(hold.org),
            format!("snapshot {}", hold.entry.snapshot),
        );
        Ok(())
    })?;
    Ok(hold)
}
