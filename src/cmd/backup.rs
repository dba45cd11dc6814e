//! `halite backup`: captures a snapshot of the org behind a connection.
//!
//! Key decision: what it will about spend is told before it begins, and what could not be read is said by name: then it
//! ends with 3, not 0. Every attempt is a line of the activity log, whatever became of it. It does not decide what is
//! read: the engine does, by what it has.

use std::sync::Arc;
use std::time::Duration;

use halite_connector::{Bulk, Forecast, Patience, Planned, SalesforceOrg};
use halite_engine::base::clock::Clock;
use halite_engine::base::stamp::Stamp;
use halite_engine::format::mark::{ActivityEntry, Ended};
use halite_engine::ops::capture::{self, BackupOptions, unfinished};
use halite_engine::ops::org::Source;
use halite_engine::ops::report::Report;
use halite_engine::vault::Vault;
use halite_engine::{Error, Kind, Result};
use serde_json::{Value, json};

use crate::args::{Backup, Progress};
use crate::connection::{Connection, connection};
use crate::job::Job;
use crate::out::{End, Out, bytes, count, note};
use crate::progress::Told;

/// One backup as it is asked for.
pub struct How {
    pub options: BackupOptions,
    pub ceiling: u8,
    pub rest_only: bool,
    pub bulk_from: Option<u64>,
    pub patience: Option<Duration>,
    /// It is what the connection's settings say, and so counts for its schedule.
    pub as_set: bool,
    pub progress: Progress,
}

impl How {
    /// As the connection's settings say.
    pub fn set(kept: &Connection) -> Self {
        let settings = &kept.settings;
        Self {
            options: BackupOptions {
                only: settings.only.clone(),
                except: settings.except.clone(),
                ..BackupOptions::default()
            },
            ceiling: settings.ceiling,
            rest_only: settings.rest_only,
            bulk_from: None,
            patience: None,
            as_set: true,
            progress: Progress::Auto,
        }
    }
}

/// What came of one.
pub enum Taken {
    /// A snapshot, perhaps not complete.
    Whole(Box<Report>),
    /// What was read is safe, and the next run goes on.
    Paused(Error),
}

/// Takes what is to be said while it goes on, for people and for programs.
pub type Say<'a> = dyn FnMut(&str, Value) -> Result<()> + 'a;

/// Captures a snapshot, or goes on with one that was begun.
pub fn run(job: &Job, flags: &Backup) -> Result<End> {
    let vault = job.vault()?;
    let kept = connection(&vault, &flags.name)?;
    let mut how = How::set(&kept);
    how.as_set = flags.only.is_none() && flags.except.is_none() && !flags.no_files;
    how.options.worker = flags.worker;
    if flags.only.is_some() {
        how.options.only.clone_from(&flags.only);
        how.options.except = Vec::new();
    }
    if let Some(except) = &flags.except {
        how.options.except.clone_from(except);
    }
    how.options.full = flags.full;
    how.options.files = !flags.no_files;
    how.ceiling = flags.ceiling.unwrap_or(how.ceiling);
    how.rest_only |= flags.rest_only;
    (how.bulk_from, how.patience) = (flags.bulk_from, flags.patience);
    how.progress = flags.progress;
    let mut events = serde_json::Map::new();
    let mut say = |text: &str, value: Value| {
        events.extend(value.as_object().cloned().unwrap_or_default());
        if flags.dry_run {
            return job.out.line(text);
        }
        note(text);
        Ok(())
    };
    if flags.dry_run {
        let mut source = sign_in(job, &vault, &flags.name, &how)?;
        foretell(&vault, &mut source, &how, &mut say)?;
        job.out.value(&events)?;
        return Ok(End::Done);
    }
    match take(job, &vault, &flags.name, &how, &mut say)? {
        Taken::Whole(done) => {
            tell(job.out, &done)?;
            job.out.value(&Foretold {
                events,
                report: &done,
            })?;
            Ok(if done.complete() { End::Done } else { End::Partly })
        }
        Taken::Paused(error) => {
            job.out.line(format_args!("not done yet: {error}"))?;
            events.insert("paused".into(), json!(error.to_string()));
            job.out.value(&events)?;
            Ok(End::Partly)
        }
    }
}

/// A report with what was said before it.
#[derive(serde::Serialize)]
struct Foretold<'a> {
    #[serde(flatten)]
    events: serde_json::Map<String, Value>,
    #[serde(flatten)]
    report: &'a Report,
}

/// Captures, and tells the activity log what came of it.
pub fn take(job: &Job, vault: &Arc<Vault>, name: &str, how: &How, say: &mut Say<'_>) -> Result<Taken> {
    let kept = connection(vault, name)?;
    let _alone = job.alone(kept.org, how.options.worker)?;
    let mut line = Job::line("backup", name, &kept);
    line.began = Clock::system().now();
    line.as_set = how.as_set;
    let taken = capture(job, vault, name, how, &mut line, say);
    let told = match &taken {
        Ok(Taken::Whole(report)) => {
            ended(&mut line, report);
            vault.log(&line)
        }
        Ok(Taken::Paused(error)) => {
            (line.ended, line.detail) = (Ended::Paused, short(error));
            vault.log(&line)
        }
        Err(error) => {
            let stopped = error.kind() == Kind::Interrupted;
            line.ended = if stopped { Ended::Paused } else { Ended::Failed };
            line.detail = short(error);
            // Why it failed is what counts; a vault that cannot be written to may be the very reason.
            if let Err(e) = vault.log(&line) {
                tracing::warn!(%e, "not in the activity log");
            }
            Ok(())
        }
    };
    told.map_err(|e| e.within("the snapshot stands, but the activity log"))?;
    taken
}

fn capture(
    job: &Job,
    vault: &Arc<Vault>,
    name: &str,
    how: &How,
    line: &mut ActivityEntry,
    say: &mut Say<'_>,
) -> Result<Taken> {
    let org = connection(vault, name)?.org;
    if let Some(left) = unfinished(vault, org)?.last() {
        let (from, saved) = (left.from, left.saved);
        let done = count(left.done as u64, "sObject");
        say(
            &format!(
                "a capture of {from} was saved {saved}: {done} done, {} under way; it goes on if it asked for the same",
                left.under_way
            ),
            json!({"unfinished": {"from": from.to_string(), "saved": saved.to_string(), "done": left.done}}),
        )?;
    }
    let mut source = sign_in(job, vault, name, how)?;
    let who = source.identity()?;
    if who.org != org {
        let message = format!("`{name}` leads to org {} now, and not to {org}", who.org);
        return Err(Error::new(Kind::Denied, message).hint("connect anew under another name"));
    }
    line.user = format!("{} ({})", who.user_name, who.user);
    let forecast = foretell(vault, &mut source, how, say)?;
    let mut told = Told::new(job.out, how.progress, forecast.rows);
    let done = capture::backup(vault, &mut source, &how.options, &mut |progress| {
        told.hear(progress)
    });
    told.end();
    match done {
        // The ceiling or the day's allowance: what was read is safe.
        Err(error) if error.kind() == Kind::Quota && !unfinished(vault, org)?.is_empty() => {
            Ok(Taken::Paused(error))
        }
        done => Ok(Taken::Whole(Box::new(done?))),
    }
}

fn sign_in(job: &Job, vault: &Arc<Vault>, name: &str, how: &How) -> Result<SalesforceOrg> {
    let policy = if how.rest_only { Bulk::Never } else { Bulk::Auto };
    job.sign_in_with(vault, name, |connect| {
        let connect = connect.ceiling(how.ceiling).bulk(policy);
        let connect = match how.bulk_from {
            // The connector's own bound is what is read by REST still.
            Some(rows) => connect.bulk_from(rows.saturating_sub(1)),
            None => connect,
        };
        match how.patience {
            Some(time) => connect.patience(Patience::within(time)),
            None => connect,
        }
    })
}

/// Says what a backup will about spend.
fn foretell(vault: &Vault, source: &mut SalesforceOrg, how: &How, say: &mut Say<'_>) -> Result<Forecast> {
    let org = source.identity()?.org;
    let known = vault.catalog().objects(org)?;
    let options = &how.options;
    let chosen = |name: &String| {
        let asked = options.only.as_ref().is_none_or(|only| only.contains(name));
        asked && !options.except.contains(name) && options.worker.is_none_or(|worker| worker.reads(name))
    };
    let listed = source.sobjects()?.into_iter();
    let names: Vec<String> = listed
        .filter(|info| info.unreadable.is_none() && chosen(&info.name))
        .map(|info| info.name)
        .collect();
    let whole = |name: &String| {
        let from = known.get(name).map_or(Stamp::NONE, |entry| entry.read_from);
        options.full || !from.is_some()
    };
    // Those that are there are not fetched again.
    let has_bodies = |name: &String| {
        let kept = known.keys().filter_map(|kept| kept.split_once('.'));
        kept.map(|(of, _)| of).any(|of| of == name)
    };
    let planned: Vec<Planned<'_>> = names
        .iter()
        .map(|name| Planned {
            sobject: name,
            whole: whole(name),
            bodies: options.files && !has_bodies(name),
        })
        .collect();
    let forecast = source.forecast(&planned)?;
    let (used, allowed) = source.usage().map_or((0, 0), |usage| (usage.used, usage.allowed));
    let ceiling = allowed.saturating_mul(u64::from(how.ceiling)) / 100;
    let reaches = how.ceiling < 100 && allowed > 0 && used.saturating_add(forecast.calls) > ceiling;
    let share = if allowed == 0 {
        String::new()
    } else {
        let percent = forecast.calls as f64 * 100.0 / allowed as f64;
        format!(", {percent:.1} % of the org's {allowed} a day, {used} of which are used")
    };
    let end = if reaches {
        format!(
            "; it reaches the ceiling of {} % and goes on with the next run",
            how.ceiling
        )
    } else {
        String::new()
    };
    let objects = count(names.len() as u64, "sObject");
    let (calls, jobs) = (count(forecast.calls, "call"), count(forecast.jobs, "Bulk job"));
    let rows = count(forecast.rows, "row");
    let files = match forecast.files {
        0 => String::new(),
        files => format!(", {} fetched", count(files, "file")),
    };
    say(
        &format!("forecast for {objects}: about {calls} and {jobs}, {rows} read whole{files}{share}{end}"),
        json!({"forecast": {
            "sobjects": names.len(), "calls": forecast.calls, "jobs": forecast.jobs, "rows": forecast.rows,
            "files": forecast.files, "used": used, "allowed": allowed, "ceiling": ceiling, "reaches_ceiling": reaches,
        }}),
    )?;
    Ok(forecast)
}

fn ended(line: &mut ActivityEntry, report: &Report) {
    let complete = report.complete();
    line.ended = if complete { Ended::Done } else { Ended::Partly };
    line.detail = if report.waits_for.is_empty() {
        format!("snapshot {}", report.snapshot)
    } else {
        // It is no backup before the others have ended.
        line.as_set = false;
        format!("a part of snapshot {}, which {}", report.snapshot, waits(report))
    };
    let sum =
        |of: fn(&halite_engine::ops::report::SObjectReport) -> u64| report.sobjects.iter().map(of).sum();
    let counts: [(&str, u64); 9] = [
        (
            "sobjects",
            report.sobjects.iter().filter(|s| s.skipped.is_none()).count() as u64,
        ),
        ("rows", sum(|s| s.read)),
        ("new", sum(|s| s.created)),
        ("edited", sum(|s| s.edited)),
        ("deleted", sum(|s| s.deleted)),
        ("failed", report.failed.len() as u64),
        ("calls", report.spent.calls),
        ("jobs", report.spent.jobs),
        ("bytes", report.bytes_added),
    ];
    line.counts = counts.map(|(name, n)| (name.to_owned(), n)).to_vec();
}

/// An error for the log: a line of it.
pub fn short(error: &Error) -> String {
    error.to_string().replace('\n', " ").chars().take(300).collect()
}

/// Says what a capture did: a line an sObject that changed, a line a refusal, and a sum.
pub fn report(out: Out, report: &Report) -> Result<()> {
    tell(out, report)?;
    out.value(report)
}

fn tell(out: Out, report: &Report) -> Result<()> {
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
    lacks(out, report)?;
    let read: u64 = report.sobjects.iter().map(|s| s.read).sum();
    let skipped = report.sobjects.iter().filter(|s| s.skipped.is_some()).count() as u64;
    if !report.waits_for.is_empty() {
        out.line(format_args!(
            "  this part has ended; snapshot {} {}",
            report.snapshot,
            waits(report)
        ))?;
    }
    out.line(format_args!(
        "{} {} of {}: {} read in {}, {} added; {} not readable",
        if report.waits_for.is_empty() {
            "snapshot"
        } else {
            "part of snapshot"
        },
        report.snapshot,
        report.org,
        count(read, "row"),
        count(report.calls, "call"),
        bytes(report.bytes_added),
        count(skipped, "sObject"),
    ))
}

/// For whom a snapshot waits.
fn waits(report: &Report) -> String {
    let numbers: Vec<String> = report.waits_for.iter().map(u32::to_string).collect();
    let workers = if numbers.len() == 1 { "worker" } else { "workers" };
    format!("waits for {workers} {}", numbers.join(", "))
}

/// Says what could not be had.
fn lacks(out: Out, report: &Report) -> Result<()> {
    for s in report.sobjects.iter().filter(|s| report.failed.contains(&s.name)) {
        let why = s.skipped.as_deref().unwrap_or_default();
        out.line(format_args!("  {}: could not be read: {why}", s.name))?;
    }
    for (name, why) in report
        .no_log
        .iter()
        .filter(|(name, _)| !report.failed.contains(name))
    {
        out.line(format_args!(
            "  {name}: its log of deletions could not be had, so all its Ids were compared; the next backup reads it \
             from where this one did: {why}"
        ))?;
    }
    for m in &report.missing_bodies {
        let (name, rows, first, reason) = (&m.sobject, count(m.rows, "row"), &m.first, &m.reason);
        out.line(format_args!(
            "  {name}: {rows} without body, {first} first: {reason}"
        ))?;
    }
    if !report.sees_all {
        out.line(
            "  the user does not see every row, or his rights were changed meanwhile: give \"View All Data\" (Setup, \
             Permission Sets, System Permissions); until then nothing that is missing is taken for deleted, and what \
             changed is read again",
        )?;
    }
    Ok(())
}
