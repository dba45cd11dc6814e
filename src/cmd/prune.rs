//! `halite prune`: gives back the space of what nothing needs any more.
//!
//! Key decision: it tells in packs and bytes what was written anew, what was condemned and will go in a later run, and
//! what was deleted in this one. It drops no snapshot.

use halite_engine::Result;
use halite_engine::ops::prune::{PruneOptions, PruneReport, execute, plan};
use serde_json::json;

use crate::args::Prune;
use crate::job::Job;
use crate::out::{End, bytes, count};

/// Prunes, or says what that would do.
pub fn run(job: &Job, flags: &Prune) -> Result<End> {
    let vault = job.vault()?;
    let options = PruneOptions {
        max_unused: flags.max_unused,
        grace: flags.grace,
    };
    let bar = job.out.progress();
    bar.set_message("looking at what is alive");
    let done = plan(&vault, &options).and_then(|planned| {
        if flags.dry_run {
            return Ok(planned.report());
        }
        bar.set_message("writing");
        execute(&vault, &planned)
    });
    bar.finish_and_clear();
    let report = done?;
    tell(job, flags, &report)?;
    job.out
        .value(&json!({ "done": !flags.dry_run, "report": report }))?;
    Ok(End::Done)
}

fn tell(job: &Job, flags: &Prune, report: &PruneReport) -> Result<()> {
    let would = if flags.dry_run { "would be " } else { "" };
    let lines = [
        (
            report.packs_deleted,
            format!(
                "deleted, which an earlier run condemned: {} before, {} after",
                bytes(report.bytes_before),
                bytes(report.bytes_after)
            ),
        ),
        (
            report.packs_repacked,
            "written anew without what is dead".to_owned(),
        ),
        (
            report.packs_condemned,
            format!(
                "condemned: {}, which a run after the grace gives back",
                bytes(report.bytes_condemned)
            ),
        ),
        (report.strays, "noted that belong to nothing yet".to_owned()),
    ];
    let mut idle = true;
    for (packs, what) in lines.iter().filter(|(packs, _)| *packs > 0) {
        idle = false;
        job.out
            .line(format_args!("{} {would}{what}", count(*packs, "pack")))?;
    }
    if idle {
        job.out.line(format_args!(
            "nothing to do: {} in use",
            bytes(report.bytes_before)
        ))?;
    }
    Ok(())
}
