//! `halite activity`: what was done to the vault.
//!
//! Key decision: one line each, oldest first, as the log in the vault has it: counts and sizes, no records.
//! It does not list backups: `halite snapshots` does.

use halite_engine::Result;
use serde_json::{Value, json};

use crate::job::Job;
use crate::out::End;

/// Lists the activity log.
pub fn run(job: &Job) -> Result<End> {
    let vault = job.vault()?;
    let org = job.global.org.as_ref().map(|_| job.org(&vault)).transpose()?;
    let mut all: Vec<Value> = Vec::new();
    for line in vault.catalog().activity()? {
        if org.is_some() && line.org != org {
            continue;
        }
        let of = line
            .org
            .map_or_else(|| "the vault".to_owned(), |org| format!("org {org}"));
        job.out.line(format_args!(
            "{}  {:<8} {of}: {}",
            line.at, line.verb, line.detail
        ))?;
        all.push(json!({
            "at": line.at.to_string(), "verb": line.verb, "org": line.org.map(|org| org.to_string()), "detail": line.detail,
        }));
    }
    if all.is_empty() {
        job.out.line("nothing was done to the vault but backups")?;
    }
    job.out.value(&all)?;
    Ok(End::Done)
}
