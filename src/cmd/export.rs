//! `halite export`: a whole state as files.
//!
//! Key decision: only into a folder that is empty or not there, so that an export never mixes with another.
//! It does not export any format but NDJSON yet.

use std::fs;

use halite_engine::ops::{export, state::State};
use halite_engine::{Error, Kind, Result};
use serde_json::{Value, json};

use crate::args::{Export, Format};
use crate::cmd::snapshot_json;
use crate::job::Job;
use crate::out::{End, count};

/// Writes the state.
pub fn run(job: &Job, flags: &Export) -> Result<End> {
    if flags.format != Format::Ndjson {
        let name = format!("{:?}", flags.format).to_lowercase();
        return Err(Error::new(
            Kind::Unsupported,
            format!("export as {name}: this build cannot do it yet"),
        )
        .hint("use --format ndjson"));
    }
    let vault = job.vault()?;
    let org = job.org(&vault)?;
    let info = job.snapshot(&vault, org, flags.at.as_deref())?;
    if fs::read_dir(&flags.to).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(
            Error::invalid(format!("{}: the folder is not empty", flags.to.display()))
                .hint("name an empty one"),
        );
    }
    fs::create_dir_all(&flags.to).map_err(|e| Error::io(flags.to.display(), e))?;
    let state = State::at(&vault, &info);
    let mut written = export::ndjson(&state, flags.sobject.as_deref(), &flags.to)?;
    if flags.files {
        written.extend(export::files(
            &vault,
            &state,
            flags.sobject.as_deref(),
            &flags.to,
        )?);
    }
    for (name, rows) in &written {
        job.out
            .line(format_args!("  {name}: {}", count(*rows, "record")))?;
    }
    let rows: u64 = written.iter().map(|(_, rows)| rows).sum();
    job.out.line(format_args!(
        "{} of snapshot {} in {}",
        count(rows, "record"),
        info.number,
        flags.to.display()
    ))?;
    let sobjects: Vec<Value> = written
        .iter()
        .map(|(name, rows)| json!({ "name": name, "records": rows }))
        .collect();
    let to = flags.to.display().to_string();
    job.out.value(
        &json!({ "snapshot": snapshot_json(&info), "to": to, "sobjects": sobjects, "records": rows }),
    )?;
    Ok(End::Done)
}
