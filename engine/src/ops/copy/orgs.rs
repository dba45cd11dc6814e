//! Some orgs of a vault, copied to an empty place: sealed anew, under the same keys.
//!
//! Key decision: the vault is opened over both places, the other orgs are dropped, and everything that is left is
//! repacked, as a prune would do it; so nothing of what was left out comes along, and states have the digests that they
//! had. The root of all that is put when it is whole. It adds nothing to a copy that was made before.

use std::sync::Arc;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::OrgId;
use crate::format::entry::prefix;
use crate::format::mark::ActivityEntry;
use crate::ops::copy::overlay::Overlay;
use crate::ops::copy::{CopyProgress, CopyReport, keys, put, swap};
use crate::ops::prune::{Plan, execute, named, survey};
use crate::store::backend::Backend;
use crate::vault::catalog::Catalog;
use crate::vault::marker;
use crate::vault::open::Vault;

/// Makes a vault of these orgs alone in an empty place. What is left out with the others: grants, so that connections are
/// made anew, and the lines of the activity log that name no org or another one. Whoever has the secret of the source can
/// open it.
///
/// # Errors
/// `Invalid` if something is there; `NotFound` if the vault has no snapshot of an org; `Corrupt` if something does not
/// read. Then no vault is there, and packs that were written are strays: begin again in another place, or empty it.
pub fn copy_orgs(
    vault: &Vault,
    target: &Arc<dyn Backend>,
    orgs: &[OrgId],
    told: &mut dyn FnMut(CopyProgress),
) -> Result<CopyReport> {
    if target.root()?.is_some() || target.size(marker::NAME).is_ok() {
        let message = format!("{} holds a vault", target.describe());
        return Err(Error::invalid(message).hint("some orgs alone are copied to an empty place"));
    }
    let catalog = vault.refresh()?;
    if let Some(org) = orgs.iter().find(|org| !catalog.orgs().contains(*org)) {
        let message = format!("the vault has no snapshot of org {org}");
        return Err(Error::new(Kind::NotFound, message).hint("`halite snapshots` lists what is there"));
    }
    let both = Overlay::new(
        Arc::clone(target),
        Arc::clone(&vault.backend),
        &catalog.root_bytes,
    );
    let there = vault.elsewhere(Arc::new(both))?;
    drop_others(&there, orgs)?;
    let known = survey(&there, there.catalog())?;
    let packs = known.packs.clone();
    let of = packs.iter().filter(|pack| pack.alive > 0).count() as u64;
    execute(&there, &Plan::at_once(known, packs, Vec::new()))?;
    forget_those_of(&catalog, &there)?;
    let whole = there.catalog();
    let mut report = CopyReport {
        version: whole.version(),
        packs: whole.packs().len() as u64,
        ..CopyReport::default()
    };
    for name in target.list("packs/")? {
        report.sent += 1;
        report.bytes += target.size(&name)?;
    }
    told(CopyProgress {
        sent: of,
        of,
        bytes: report.bytes,
    });
    keys(vault, &**target, &mut report)?;
    swap(&**target, None, &whole.root_bytes)?;
    put(&**target, marker::NAME, marker::text(&vault.id).as_bytes())?;
    Ok(report)
}

/// Takes everything out of the catalog that is not of these orgs.
fn drop_others(there: &Vault, orgs: &[OrgId]) -> Result<()> {
    let commit = there.commit(&[], &mut |edit| {
        for (org, node) in &Arc::clone(&edit.before).nodes {
            for (key, value) in node.scan(&[]) {
                let goes = match (org, key.first()) {
                    (Some(org), _) => !orgs.contains(org),
                    (None, Some(&prefix::GRANT)) => true,
                    (None, Some(&prefix::ACTIVITY)) => {
                        let of = ActivityEntry::decode(value)?.org;
                        of.is_none_or(|of| !orgs.contains(&of))
                    }
                    _ => false,
                };
                if goes {
                    edit.node(*org).remove(key);
                }
            }
        }
        Ok(())
    });
    commit.map(drop)
}

/// The packs of the source were never here. What the commits on the way left is: a prune gives it back.
fn forget_those_of(source: &Catalog, there: &Vault) -> Result<()> {
    let theirs = named(source)?;
    let commit = there.commit(&[], &mut |edit| {
        let condemned = edit.before.condemned()?.into_iter().map(|(pack, _)| pack);
        let never_here: Vec<_> = condemned.filter(|pack| theirs.contains(pack)).collect();
        edit.forget_deleted(&never_here);
        Ok(())
    });
    commit.map(drop)
}
