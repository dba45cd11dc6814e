//! `halite history`: all versions of a record, and which fields changed when.
//!
//! Key decision: one line a version, oldest first, the fields by name; the values are for `--json` and `show`.
//! It does not show who changed it: the record's own LastModifiedById says that.

use halite_engine::base::id::RecordId;
use halite_engine::ops::history;
use halite_engine::{Error, Kind, Result};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::args::History;
use crate::cmd::{raw, snapshot_json};
use crate::job::Job;
use crate::out::End;

#[derive(Serialize)]
struct Line<'a> {
    sobject: &'a str,
    kind: String,
    fields: &'a [String],
    snapshot: Option<Value>,
    record: Option<Box<RawValue>>,
}

/// Lists the versions.
pub fn run(job: &Job, flags: &History) -> Result<End> {
    let id: RecordId = flags.id.parse()?;
    let vault = job.vault()?;
    let org = job.org(&vault)?;
    let versions = history::history(&vault, org, id)?;
    if versions.is_empty() {
        return Err(
            Error::new(Kind::NotFound, format!("{id}: no version of it is kept"))
                .hint("check the Id and --org; `halite snapshots` lists what is there"),
        );
    }
    let mut all = Vec::new();
    for version in &versions {
        let kind = format!("{:?}", version.kind).to_lowercase();
        let when = version
            .snapshot
            .as_ref()
            .map_or_else(|| "before".to_owned(), |s| format!("{:>4}  {}", s.number, s.from));
        job.out.line(format_args!(
            "{when}  {} {kind}  {}",
            version.sobject,
            version.fields.join(", ")
        ))?;
        all.push(Line {
            sobject: &version.sobject,
            kind,
            fields: &version.fields,
            snapshot: version.snapshot.as_ref().map(snapshot_json),
            record: version.json.as_deref().map(raw).transpose()?,
        });
    }
    job.out.value(&all)?;
    Ok(End::Done)
}
