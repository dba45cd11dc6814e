//! `halite backup`: captures a snapshot of the org behind a connection.
//!
//! Key decision: what could not be read is said by name, and the command then ends with 3, not 0.
//! It does not decide what is read: the engine does, by what it has.

use halite_connector::Bulk;
use halite_engine::ops::capture::{self, BackupOptions, Progress, unfinished};
use halite_engine::ops::report::Report;
use halite_engine::{Kind, Result};

use crate::args::Backup;
use crate::job::{Job, connection};
use crate::out::{End, Out, bytes, count};

/// Captures a snapshot, or goes on with one that was begun.
pub fn run(job: &Job, flags: &Backup) -> Result<End> {
    let vault = job.vault()?;
    let org = connection(&vault, &flags.name)?.org;
    if let Some(left) = unfinished(&vault, org)?.last() {
        job.out.line(format_args!(
            "a capture of {} was saved {}: {} done, {} under way; it goes on if it asked for the same",
            left.from,
            left.saved,
            count(left.done as u64, "sObject"),
            left.under_way
        ))?;
    }
    let policy = if flags.rest_only { Bulk::Never } else { Bulk::Auto };
    let mut source = job.sign_in_with(&vault, &flags.name, |connect| {
        connect.ceiling(flags.ceiling).bulk(policy)
    })?;
    let options = BackupOptions {
        only: flags.only.clone(),
        except: flags.except.clone().unwrap_or_default(),
        full: flags.full,
        ..BackupOptions::default()
    };
    let bar = job.out.progress();
    let mut told = Told::default();
    let done = capture::backup(&vault, &mut source, &options, &mut |progress| {
        if let Some(text) = told.hear(progress) {
            tracing::info!("{text}");
            bar.set_message(text);
        }
    });
    bar.finish_and_clear();
    let done = match done {
        // The ceiling or the day's allowance: what was read is safe.
        Err(error) if error.kind() == Kind::Quota && !unfinished(&vault, org)?.is_empty() => {
            job.out.line(format_args!("not done yet: {error}"))?;
            return Ok(End::Partly);
        }
        done => done?,
    };
    report(job.out, &done)?;
    Ok(if done.complete() { End::Done } else { End::Partly })
}

/// What was heard of a capture so far.
#[derive(Default)]
struct Told {
    sobjects: usize,
    done: usize,
}

impl Told {
    /// A line for people: which sObject, how much of it, and what is left.
    fn hear(&mut self, progress: &Progress<'_>) -> Option<String> {
        match progress {
            Progress::Begun { sobjects, done } => {
                (self.sobjects, self.done) = (*sobjects, *done);
                Some(format!("{} to read", count((sobjects - done) as u64, "sObject")))
            }
            Progress::Rows {
                sobject,
                rows,
                bytes: size,
                before,
            } => {
                let of = if *before > 0 {
                    format!(", {before} the last time")
                } else {
                    String::new()
                };
                let (done, all) = (self.done, self.sobjects);
                Some(format!(
                    "{done} of {all} done; {sobject}: {rows} taken{of}, {}",
                    bytes(*size)
                ))
            }
            Progress::Done(sobject) => {
                self.done += 1;
                let (done, all) = (self.done, self.sobjects.max(self.done));
                Some(format!(
                    "{done} of {all} done; {}: {}",
                    sobject.name, sobject.standing
                ))
            }
            Progress::Saved => None,
        }
    }
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
        if !s.complete() {
            let (name, live, standing) = (&s.name, s.live, &s.standing);
            let counted = s.counted.map_or("not".to_owned(), |n| n.to_string());
            out.line(format_args!(
                "  {name}: {standing}; {live} live here, {counted} counted by the org"
            ))?;
        }
    }
    for s in report.sobjects.iter().filter(|s| report.failed.contains(&s.name)) {
        let why = s.skipped.as_deref().unwrap_or_default();
        out.line(format_args!("  {}: could not be read: {why}", s.name))?;
    }
    if !report.sees_all {
        out.line(
            "  the user does not see every row, or his rights were changed meanwhile: give \"View All Data\" (Setup, \
             Permission Sets, System Permissions); until then nothing that is missing is taken for deleted, and what \
             changed is read again",
        )?;
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
