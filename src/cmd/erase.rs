//! `halite erase`: all versions of records leave the vault at once, and it is proved that they have.
//!
//! Key decision: it says what would go and asks, unless `--yes` was given; a program cannot be asked, and is refused
//! without it. It tells counts, never values, and reaches nothing outside the vault.

use std::path::Path;

use halite_engine::base::id::RecordId;
use halite_engine::ops::erase::{EraseOptions, ErasePlan, EraseReport, Stage, erase, plan};
use halite_engine::{Error, Result};
use serde_json::json;

use crate::args::Erase;
use crate::job::Job;
use crate::out::{End, count};

/// Erases, or says what that would do.
pub fn run(job: &Job, flags: &Erase) -> Result<End> {
    let ids = ids(flags)?;
    let vault = job.vault()?;
    let org = match &job.global.org {
        Some(named) => named.parse()?,
        None => job.org(&vault)?,
    };
    let planned = plan(&vault, org, &ids)?;
    if flags.dry_run || !flags.yes {
        would(job, &planned)?;
    }
    if flags.dry_run {
        job.out
            .value(&json!({ "org": org.to_string(), "done": false, "plan": planned }))?;
        return Ok(End::Done);
    }
    if !flags.yes {
        job.confirm("Erase them for ever?")?;
    }
    let bar = job.out.progress();
    let done = erase(&vault, org, &ids, &EraseOptions::default(), &mut |stage| {
        bar.set_message(match stage {
            Stage::TakingOut => "writing without the records",
            Stage::Deleting => "deleting packs",
            Stage::Proving => "searching all that is left",
        });
    });
    bar.finish_and_clear();
    let report = done?;
    tell(job, &report)?;
    job.out
        .value(&json!({ "org": org.to_string(), "done": true, "report": report }))?;
    Ok(End::Done)
}

/// The Ids that were typed, and those of the file.
fn ids(flags: &Erase) -> Result<Vec<RecordId>> {
    let mut ids = Vec::new();
    for typed in &flags.ids {
        ids.push(typed.parse()?);
    }
    if let Some(path) = &flags.ids_file {
        of_file(path, &mut ids).map_err(|e| e.within(path.display()))?;
    }
    Ok(ids)
}

fn of_file(path: &Path, ids: &mut Vec<RecordId>) -> Result<()> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("reading it", e))?;
    for (number, line) in (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let id = line.trim().parse();
        ids.push(id.map_err(|e: Error| e.within(format_args!("line {number}")))?);
    }
    Ok(())
}

fn would(job: &Job, planned: &ErasePlan) -> Result<()> {
    let (records, versions) = (
        count(planned.records, "record"),
        count(planned.versions, "version"),
    );
    job.out.line(format_args!(
        "{} given: {versions} of {records} would go, which {} see",
        count(planned.ids, "Id"),
        count(planned.snapshots, "snapshot"),
    ))?;
    job.out.line(format_args!(
        "{} and at least {} would be written anew or deleted",
        count(planned.runs, "run"),
        count(planned.packs, "pack"),
    ))
}

fn tell(job: &Job, report: &EraseReport) -> Result<()> {
    let proof = &report.proof;
    job.out.line(format_args!(
        "{} of {} erased; {} written anew, {} deleted",
        count(report.versions, "version"),
        count(report.records, "record"),
        count(report.runs, "run"),
        count(report.packs_deleted, "pack"),
    ))?;
    job.out.line(format_args!(
        "proved: {} with {} searched, no version found",
        count(proof.packs, "pack"),
        count(proof.chunks, "chunk"),
    ))?;
    for (sobject, mentions) in &proof.mentions {
        job.out.line(format_args!(
            "  {sobject}: {} of other records name one of them, and stay",
            count(*mentions, "value")
        ))?;
    }
    if proof.other_orgs > 0 {
        job.out.line(format_args!(
            "  {} under the same Ids in other orgs, and stay",
            count(proof.other_orgs, "version")
        ))?;
    }
    job.out
        .line("not reached: exports, plan files, copies of the vault, and the org itself")
}
