//! `halite forget`: drops snapshots by name, or a whole org.
//!
//! Key decision: all that are named or none; a whole org has to be asked for by its Id and `--all`, and its connections
//! go with it. It gives no space back by itself: `halite prune` does.

use halite_engine::base::id::OrgId;
use halite_engine::ops::retain;
use halite_engine::vault::Vault;
use halite_engine::{Error, Result};
use serde_json::{Value, json};

use crate::args::Forget;
use crate::cmd::snapshot_json;
use crate::connection::connection;
use crate::job::Job;
use crate::out::{End, count};

/// Drops what is named.
pub fn run(job: &Job, flags: &Forget) -> Result<End> {
    let vault = job.vault()?;
    if flags.all {
        return whole(job, flags, &vault);
    }
    let org = job.org(&vault)?;
    let mut chosen = Vec::new();
    for text in &flags.snapshots {
        let snapshot = job.snapshot(&vault, org, Some(text))?;
        if !chosen.contains(&snapshot) {
            chosen.push(snapshot);
        }
    }
    if !flags.dry_run {
        retain::forget(&vault, org, &chosen)?;
    }
    for snapshot in &chosen {
        job.out.line(format_args!(
            "  {:>4}  {}  {}",
            snapshot.number, snapshot.from, snapshot.source
        ))?;
    }
    said(job, flags, count(chosen.len() as u64, "snapshot"))?;
    let dropped: Vec<Value> = chosen.iter().map(snapshot_json).collect();
    job.out.value(
        &json!({ "org": org.to_string(), "done": !flags.dry_run, "dropped": dropped, "connections": [] }),
    )?;
    Ok(End::Done)
}

fn whole(job: &Job, flags: &Forget, vault: &Vault) -> Result<End> {
    let named = job.global.org.as_deref();
    let org: OrgId = named
        .ok_or_else(|| Error::invalid("no org named").hint("give --org ID"))?
        .parse()?;
    let snapshots = vault.snapshots(org)?;
    let mut connections = Vec::new();
    for name in vault.grants() {
        if connection(vault, &name)?.org == org {
            connections.push(name);
        }
    }
    if !flags.dry_run {
        retain::forget_org(vault, org, &connections)?;
    }
    let mut what = format!("org {org}: {}", count(snapshots.len() as u64, "snapshot"));
    if !connections.is_empty() {
        what.push_str(&format!(" and the connections {}", connections.join(", ")));
    }
    said(job, flags, what)?;
    let dropped: Vec<Value> = snapshots.iter().map(snapshot_json).collect();
    job.out.value(
        &json!({ "org": org.to_string(), "done": !flags.dry_run, "dropped": dropped, "connections": connections }),
    )?;
    Ok(End::Done)
}

fn said(job: &Job, flags: &Forget, what: impl std::fmt::Display) -> Result<()> {
    if flags.dry_run {
        job.out.line(format_args!("{what} would be forgotten"))
    } else {
        job.out.line(format_args!(
            "{what} forgotten; `halite prune` gives the space back"
        ))
    }
}
