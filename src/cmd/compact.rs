//! `halite compact`: merges runs, so that reading stays quick and versions of a record lie side by side.
//!
//! Key decision: the answer is in runs and bytes, and says where the space is given back: prune does that.
//! It does not delete anything.

use halite_engine::Result;
use halite_engine::ops::compact::{self, CompactOptions};

use crate::args::Compact;
use crate::job::Job;
use crate::out::{End, bytes, count};

/// Merges what is due.
pub fn run(job: &Job, flags: &Compact) -> Result<End> {
    let vault = job.vault()?;
    let options = CompactOptions {
        keep_single: flags.keep_single,
        all: flags.all,
    };
    let bar = job.out.progress();
    let done = compact::compact(&vault, &options, &mut |merge| {
        bar.set_message(format!(
            "{} ({} merged)",
            merge.sobject,
            count(merge.runs as u64, "run")
        ));
    });
    bar.finish_and_clear();
    let report = done?;
    job.out.line(format_args!(
        "{} became {} in {}; {} dropped, {} written",
        count(report.runs_before as u64, "run"),
        report.runs_after,
        count(report.merges.len() as u64, "merge"),
        count(report.versions_dropped, "version"),
        bytes(report.bytes_written)
    ))?;
    for left in &report.left {
        job.out.line(format_args!(
            "left as it is: {} of {}: {}",
            left.sobject, left.org, left.why
        ))?;
    }
    job.out.value(&report)?;
    Ok(End::Done)
}
