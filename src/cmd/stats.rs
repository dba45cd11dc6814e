//! `halite stats`: what the vault holds, and what of it is dead.
//!
//! Key decision: counted from the catalog in force and the directories of its packs, as prune does, so that the two
//! agree. It reads no records.

use std::collections::BTreeMap;

use halite_engine::Result;
use halite_engine::format::pack::PackRole;
use halite_engine::ops::prune::{PackUse, survey};
use serde_json::{Value, json};

use crate::job::Job;
use crate::out::{End, bytes, count};

/// Shows packs, then orgs.
pub fn run(job: &Job) -> Result<End> {
    let vault = job.vault()?;
    let catalog = vault.catalog();
    let packs = survey(&vault, catalog.clone())?.packs;
    let condemned = catalog
        .condemned()?
        .iter()
        .filter(|(_, entry)| entry.condemned)
        .count();
    let roles = [("data", PackRole::Data), ("metadata", PackRole::Metadata)];
    let mut of_role = BTreeMap::new();
    for (name, role) in roles {
        of_role.insert(
            name,
            pack_stats(job, name, packs.iter().filter(|pack| pack.role == role))?,
        );
    }
    job.out
        .line(format_args!("{} condemned", count(condemned as u64, "pack")))?;
    let mut orgs = Vec::new();
    for org in job.orgs(&vault)? {
        let snapshots = vault.snapshots(org)?.len();
        job.out
            .line(format_args!("org {org}: {}", count(snapshots as u64, "snapshot")))?;
        let mut sobjects = BTreeMap::new();
        for (name, object) in catalog.objects(org)? {
            let runs = catalog.runs(org, &name)?;
            let versions: u64 = runs.iter().map(|run| run.rows).sum();
            job.out.line(format_args!(
                "  {name}: {}, {}, {} live",
                count(runs.len() as u64, "run"),
                count(versions, "version"),
                object.live
            ))?;
            sobjects.insert(
                name,
                json!({ "runs": runs.len(), "versions": versions, "live": object.live }),
            );
        }
        orgs.push(json!({ "org": org.to_string(), "snapshots": snapshots, "sobjects": sobjects }));
    }
    job.out
        .value(&json!({ "packs": of_role, "condemned": condemned, "orgs": orgs }))?;
    Ok(End::Done)
}

fn pack_stats<'p>(job: &Job, name: &str, packs: impl Iterator<Item = &'p PackUse>) -> Result<Value> {
    let (mut number, mut size, mut alive, mut dead) = (0, 0, 0, 0);
    for pack in packs {
        number += 1;
        size += pack.bytes;
        alive += pack.alive;
        dead += pack.dead;
    }
    job.out.line(format_args!(
        "{} of {name}: {} ({} alive, {} dead)",
        count(number, "pack"),
        bytes(size),
        bytes(alive),
        bytes(dead)
    ))?;
    Ok(json!({ "count": number, "bytes": size, "alive": alive, "dead": dead }))
}
