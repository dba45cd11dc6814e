//! `halite export`: a whole state, or what changed, as files.
//!
//! Key decision: only into a folder that is empty or not there, so that an export never mixes with another.
//! It does not export CSV and SQLite yet, and changes only as Parquet: `halite diff --json` streams them.

use std::fs;

use halite_engine::ops::export::{self, parquet};
use halite_engine::ops::state::State;
use halite_engine::vault::{SnapshotInfo, Vault};
use halite_engine::{Error, Kind, Result};
use serde_json::{Value, json};

use crate::args::{Export, Format};
use crate::cmd::snapshot_json;
use crate::job::Job;
use crate::out::{End, count, note};

/// Writes the state.
pub fn run(job: &Job, flags: &Export) -> Result<End> {
    possible(flags)?;
    let vault = job.vault()?;
    let org = job.org(&vault)?;
    let info = job.snapshot(&vault, org, flags.at.as_deref())?;
    let since = flags.changes_since.as_deref();
    let since = since
        .map(|since| job.snapshot(&vault, org, Some(since)))
        .transpose()?;
    if fs::read_dir(&flags.to).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(
            Error::invalid(format!("{}: the folder is not empty", flags.to.display()))
                .hint("name an empty one"),
        );
    }
    fs::create_dir_all(&flags.to).map_err(|e| Error::io(flags.to.display(), e))?;
    let written = write(&vault, &info, since.as_ref(), flags)?;
    tell(job, flags, &info, since.as_ref(), &written)?;
    Ok(End::Done)
}

/// Refuses what this build cannot do.
fn possible(flags: &Export) -> Result<()> {
    let unable = |what: String| Err(Error::new(Kind::Unsupported, what));
    match flags.format {
        Format::Parquet => Ok(()),
        Format::Ndjson if flags.changes_since.is_none() => Ok(()),
        Format::Ndjson => unable("export of changes as ndjson: this build cannot do it yet".into())
            .map_err(|e| e.hint("use --format parquet, or `halite diff --json`")),
        other => {
            let name = format!("{other:?}").to_lowercase();
            unable(format!("export as {name}: this build cannot do it yet"))
                .map_err(|e| e.hint("use --format ndjson or parquet"))
        }
    }
}

/// Writes all files; what was written of each sObject.
fn write(
    vault: &Vault,
    info: &SnapshotInfo,
    since: Option<&SnapshotInfo>,
    flags: &Export,
) -> Result<Vec<parquet::Written>> {
    let (state, only) = (State::at(vault, info), flags.sobject.as_deref());
    let plain = |(sobject, rows)| parquet::Written {
        sobject,
        rows,
        as_text: Vec::new(),
    };
    let mut written = match (flags.format, since) {
        (Format::Parquet, Some(since)) => parquet::changes(vault, since, info, only, &flags.to)?,
        (Format::Parquet, None) => parquet::state(&state, only, &flags.to)?,
        _ => {
            let written = export::ndjson(&state, only, &flags.to)?;
            written.into_iter().map(plain).collect()
        }
    };
    if flags.files {
        written.extend(
            export::files(vault, &state, only, &flags.to)?
                .into_iter()
                .map(plain),
        );
    }
    Ok(written)
}

fn tell(
    job: &Job,
    flags: &Export,
    info: &SnapshotInfo,
    since: Option<&SnapshotInfo>,
    written: &[parquet::Written],
) -> Result<()> {
    let noun = if since.is_some() { "row" } else { "record" };
    for of in written {
        job.out
            .line(format_args!("  {}: {}", of.sobject, count(of.rows, noun)))?;
        for column in &of.as_text {
            note(format_args!(
                "{}.{} is text: the value in {} does not fit its type, perhaps others neither",
                of.sobject, column.field, column.id
            ));
        }
    }
    let rows: u64 = written.iter().map(|of| of.rows).sum();
    let to = flags.to.display().to_string();
    let changes = since.map_or(String::new(), |since| format!(" since snapshot {}", since.number));
    job.out.line(format_args!(
        "{} of snapshot {}{changes} in {to}",
        count(rows, noun),
        info.number
    ))?;
    let sobject = |of: &parquet::Written| {
        let as_text = of.as_text.iter();
        let as_text: Vec<Value> = as_text
            .map(|column| json!({ "field": column.field, "id": column.id.to_string() }))
            .collect();
        match flags.format {
            Format::Parquet => json!({ "name": of.sobject, "records": of.rows, "as_text": as_text }),
            _ => json!({ "name": of.sobject, "records": of.rows }),
        }
    };
    let sobjects: Vec<Value> = written.iter().map(sobject).collect();
    let mut answer =
        json!({ "snapshot": snapshot_json(info), "to": to, "sobjects": sobjects, "records": rows });
    if let Some(since) = since {
        answer["since"] = snapshot_json(since);
    }
    job.out.value(&answer)
}
