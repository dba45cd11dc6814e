//! `halite backup`: captures a snapshot of the org behind a connection.
//!
//! Key decision: what could not be read is said by name, and the command then ends with 3, not 0.
//! It does not decide what is read: the engine does, by what it has.

use halite_engine::Result;
use halite_engine::ops::capture::{self, BackupOptions};
use halite_engine::ops::report::Report;

use crate::args::Backup;
use crate::job::Job;
use crate::out::{End, Out, bytes, count};

/// Captures a snapshot.
pub fn run(job: &Job, flags: &Backup) -> Result<End> {
    let vault = job.vault()?;
    let mut org = job.sign_in_with(&vault, &flags.name, |connect| connect)?;
    let options = BackupOptions {
        only: flags.only.clone(),
        full: flags.full,
        ..BackupOptions::default()
    };
    let bar = job.out.progress();
    let done = capture::backup(&vault, &mut org, &options, &mut |sobject| {
        bar.set_message(format!("{} ({} read)", sobject.name, sobject.read));
    });
    bar.finish_and_clear();
    let done = done?;
    report(job.out, &done)?;
    Ok(if done.complete() { End::Done } else { End::Partly })
}

/// Says what a capture did: a line an sObject that changed, a line a refusal, and a sum.
pub fn report(out: Out, report: &Report) -> Result<()> {
    for s in &report.sobjects {
        let changes = s.created + s.edited + s.deleted + s.stamps;
        if changes > 0 {
            let (name, live) = (&s.name, s.live);
            out.line(format_args!(
                "  {name}: {} new, {} edited, {} deleted; {live} live",
                s.created, s.edited, s.deleted
            ))?;
        }
        if s.refused > 0 {
            out.line(format_args!(
                "  {}: {} kept as they came, against the describe",
                s.name,
                count(s.refused, "value")
            ))?;
        }
        if s.erased > 0 {
            out.line(format_args!(
                "  {}: {} left out, whose records were erased",
                s.name,
                count(s.erased, "row")
            ))?;
        }
        if let Some(counted) = s.counted.filter(|n| *n != s.live + s.erased) {
            out.line(format_args!(
                "  {}: {} live here, {counted} counted by the org",
                s.name, s.live
            ))?;
        }
    }
    for s in report.sobjects.iter().filter(|s| report.failed.contains(&s.name)) {
        let why = s.skipped.as_deref().unwrap_or_default();
        out.line(format_args!("  {}: could not be read: {why}", s.name))?;
    }
    let read: u64 = report.sobjects.iter().map(|s| s.read).sum();
    let skipped = report.sobjects.iter().filter(|s| s.skipped.is_some()).count() as u64;
    out.line(format_args!(
        "snapshot {} of {}: {} read in {}, {} added; {} not readable",
        report.snapshot,
        report.org,
        count(read, "row"),
        count(report.calls, "call"),
        bytes(report.bytes_added),
        count(skipped, "sObject"),
    ))?;
    out.value(report)
}
