//! `halite show`: one record as it was.
//!
//! Key decision: the record is printed as it is kept, in canonical JSON, so that what is seen is what is there.
//! It does not ask the org.

use halite_engine::base::id::RecordId;
use halite_engine::ops::state::State;
use halite_engine::{Error, Kind, Result};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::args::Show;
use crate::cmd::{raw, snapshot_json};
use crate::job::Job;
use crate::out::End;

#[derive(Serialize)]
struct Shown<'a> {
    sobject: &'a str,
    id: String,
    at: Value,
    changed_in: u64,
    record: Box<RawValue>,
}

/// Shows the record.
pub fn run(job: &Job, flags: &Show) -> Result<End> {
    let id: RecordId = flags.id.parse()?;
    let vault = job.vault()?;
    let org = job.org(&vault)?;
    let info = job.snapshot(&vault, org, flags.at.as_deref())?;
    let state = State::at(&vault, &info);
    let nothing = |why: &str| {
        Error::new(Kind::NotFound, format!("{id}: {why} snapshot {}", info.number))
            .hint(format!("`halite history {id}` shows all its versions"))
    };
    let sobject = state
        .sobject_of(id)?
        .ok_or_else(|| nothing("no sObject of its prefix was read in"))?;
    let Some(record) = state.get(&sobject, id)? else {
        let gone = state.gone(&sobject, id)?.is_some();
        return Err(nothing(if gone { "it was deleted by" } else { "it is not in" }));
    };
    job.out.line(&record.json)?;
    job.out.value(&Shown {
        sobject: &sobject,
        id: id.to_string(),
        at: snapshot_json(&info),
        changed_in: record.snapshot,
        record: raw(&record.json)?,
    })?;
    Ok(End::Done)
}
