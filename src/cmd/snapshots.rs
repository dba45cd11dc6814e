//! `halite snapshots`: what is there.
//!
//! Key decision: the interval is shown as it is, since a snapshot has no single instant.
//! How each stood to what the org counted is told as its manifest has it. It does not read records.

use halite_engine::Result;
use halite_engine::base::stamp::Stamp;
use halite_engine::format::manifest::{Manifest, Standing};
use halite_engine::ops::state::State;
use serde_json::{Value, json};

use crate::cmd::snapshot_json;
use crate::job::Job;
use crate::out::End;

/// How what a snapshot holds stood to what the org counted: for people, and as a value.
fn standing(manifest: &Manifest) -> (String, Value) {
    let (mut counted, mut not_counted, mut unread, mut missing) = (0, 0, 0, Vec::new());
    let mut oldest: Option<Stamp> = None;
    for captured in &manifest.sobjects {
        match captured.standing() {
            Standing::Complete => counted += 1,
            Standing::Skipped => unread += 1,
            Standing::NotCounted => {
                not_counted += 1;
                oldest = Some(oldest.map_or(captured.agreed, |oldest| oldest.min(captured.agreed)));
            }
            standing => missing.push(format!("{} {standing}", captured.name)),
        }
    }
    let since = oldest
        .filter(|stamp| stamp.is_some())
        .map(|stamp| stamp.to_string());
    let value = json!({
        "complete": counted, "not_counted": not_counted, "counted_since": since, "not_read": unread, "missing": missing,
    });
    let mut text = format!("{counted} counted");
    if not_counted > 0 {
        let since = since.as_deref().unwrap_or("ever");
        text += &format!(", {not_counted} not since {since}");
    }
    for what in &missing {
        text += &format!(", {what}");
    }
    (text, value)
}

/// Lists every org's snapshots, oldest first.
pub fn run(job: &Job) -> Result<End> {
    let vault = job.vault()?;
    let mut all = Vec::new();
    for org in job.orgs(&vault)? {
        job.out.line(format_args!("org {org}"))?;
        for info in vault.snapshots(org)? {
            let name: String = info.name.to_string().chars().take(8).collect();
            let whole = State::at(&vault, &info)
                .manifest()
                .map(|manifest| standing(&manifest));
            let (text, value) =
                whole.unwrap_or_else(|e| (format!("what it captured is lost: {e}"), Value::Null));
            job.out.line(format_args!(
                "  {:>4}  {name}  {}  {}  {}  {text}",
                info.number, info.from, info.until, info.source
            ))?;
            let mut line = snapshot_json(&info);
            line["standing"] = value;
            all.push(line);
        }
    }
    if all.is_empty() {
        job.out
            .line("no snapshots; `halite backup NAME` or `halite import` makes one")?;
    }
    job.out.value(&all)?;
    Ok(End::Done)
}
