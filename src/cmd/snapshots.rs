//! `halite snapshots`: what is there.
//!
//! Key decision: the interval is shown as it is, since a snapshot has no single instant.
//! It does not read records.

use halite_engine::Result;

use crate::cmd::snapshot_json;
use crate::job::Job;
use crate::out::End;

/// Lists every org's snapshots, oldest first.
pub fn run(job: &Job) -> Result<End> {
    let vault = job.vault()?;
    let mut all = Vec::new();
    for org in job.orgs(&vault)? {
        job.out.line(format_args!("org {org}"))?;
        for info in vault.snapshots(org)? {
            let name: String = info.name.to_string().chars().take(8).collect();
            job.out.line(format_args!(
                "  {:>4}  {name}  {}  {}  {}",
                info.number, info.from, info.until, info.source
            ))?;
            all.push(snapshot_json(&info));
        }
    }
    if all.is_empty() {
        job.out
            .line("no snapshots; `halite backup NAME` or `halite import` makes one")?;
    }
    job.out.value(&all)?;
    Ok(End::Done)
}
