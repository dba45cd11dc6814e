//! `halite hold`, `holds`, `release`: snapshots that nothing may drop.
//!
//! Key decision: a hold has a reason in a person's words, and a name of its own, since several may be on one snapshot.
//! It does not keep anybody from deleting the vault's files.

use halite_engine::Result;
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::hold::{self, Hold};
use serde_json::{Value, json};

use crate::args;
use crate::job::Job;
use crate::out::End;

/// Holds a snapshot.
pub fn run(job: &Job, flags: &args::Hold) -> Result<End> {
    let vault = job.vault()?;
    let org = job.org(&vault)?;
    let snapshot = job.snapshot(&vault, org, Some(&flags.snapshot))?;
    let until: Stamp = flags.until.as_deref().map_or(Ok(Stamp::NONE), str::parse)?;
    let made = hold::hold(&vault, &snapshot, &flags.reason, until)?;
    tell(job, &made)?;
    job.out.value(&value(&made))?;
    Ok(End::Done)
}

/// Lists the holds, those that have ended too.
pub fn list(job: &Job) -> Result<End> {
    let vault = job.vault()?;
    let mut holds = hold::holds(&vault)?;
    if job.global.org.is_some() {
        let org = job.org(&vault)?;
        holds.retain(|hold| hold.org == org);
    }
    holds.iter().try_for_each(|hold| tell(job, hold))?;
    if holds.is_empty() {
        job.out.line("no holds")?;
    }
    job.out.value(&holds.iter().map(value).collect::<Vec<Value>>())?;
    Ok(End::Done)
}

/// Lets a snapshot go.
pub fn release(job: &Job, flags: &args::Release) -> Result<End> {
    let vault = job.vault()?;
    let released = hold::release(&vault, &flags.name)?;
    job.out.line(format_args!(
        "snapshot {} of org {} is not held by {} any more",
        released.entry.snapshot, released.org, released.name
    ))?;
    job.out.value(&value(&released))?;
    Ok(End::Done)
}

fn tell(job: &Job, hold: &Hold) -> Result<()> {
    let name: String = hold.name.to_string().chars().take(8).collect();
    let until = Some(hold.entry.until).filter(|until| until.is_some());
    let until = until.map_or_else(|| "for ever".to_owned(), |until| format!("until {until}"));
    job.out.line(format_args!(
        "{name}  org {} snapshot {}  {until}: {}",
        hold.org, hold.entry.snapshot, hold.entry.reason
    ))
}

fn value(hold: &Hold) -> Value {
    let until = Some(hold.entry.until).filter(|until| until.is_some());
    json!({
        "name": hold.name.to_string(), "org": hold.org.to_string(), "snapshot": hold.entry.snapshot,
        "made": hold.entry.made.to_string(), "until": until.map(|until| until.to_string()), "reason": hold.entry.reason,
    })
}
