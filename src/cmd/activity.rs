//! `halite activity`: who did what to the vault, when, and how it ended.
//!
//! Key decision: one line each, oldest first, as the log in the vault has it: counts and sizes, no records.
//! It does not say what a snapshot holds: `halite snapshots` does.

use std::collections::BTreeMap;

use halite_engine::Result;
use halite_engine::format::mark::Ended;
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
        let ended = match line.ended {
            Ended::Done => String::new(),
            ended => format!("{}: ", ended.name()),
        };
        let who: Vec<&str> = [
            line.asked_by.as_str(),
            line.connection.as_str(),
            line.user.as_str(),
        ]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect();
        let counts = line.counts.iter().filter(|(_, n)| *n > 0);
        let counts: Vec<String> = counts.map(|(name, n)| format!("{name} {n}")).collect();
        let mut text = format!("{}  {:<10} {of}: {ended}{}", line.at, line.verb, line.detail);
        for (what, parts) in [("", &counts.join(", ")), ("by ", &who.join(" / "))] {
            if !parts.is_empty() {
                text.push_str(&format!("; {what}{parts}"));
            }
        }
        job.out.line(text)?;
        all.push(json!({
            "at": line.at.to_string(), "began": line.began.is_some().then(|| line.began.to_string()),
            "verb": line.verb, "org": line.org.map(|org| org.to_string()), "detail": line.detail,
            "asked_by": line.asked_by, "user": line.user, "connection": line.connection,
            "outcome": line.ended.name(), "counts": line.counts.into_iter().collect::<BTreeMap<_, _>>(),
        }));
    }
    if all.is_empty() {
        job.out.line("nothing was done to the vault yet")?;
    }
    job.out.value(&all)?;
    Ok(End::Done)
}
