//! `halite run`: backs up what is due, by the schedules of all connections, one after the other.
//!
//! Key decision: it remembers nothing: each minute the vault says what is due, so that it may be killed, started anew, or
//! run somewhere else, and what others change takes effect. Being stopped is its normal end. It decides nothing about
//! times: `ops::schedule` does.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use halite_engine::base::clock::Clock;
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::retain;
use halite_engine::ops::schedule::{Due, Past};
use halite_engine::vault::Vault;
use halite_engine::{Kind, Result};
use serde_json::{Value, json};

use crate::args::{Progress, Run};
use crate::cmd::backup::{How, Taken, short, take};
use crate::connection::{Connection, connection};
use crate::job::Job;
use crate::out::{End, count};

/// How often the vault is asked what is due.
const GLANCE: Duration = Duration::from_secs(60);

/// Runs until it is stopped; with `--once` until nothing is due.
pub fn run(job: &Job, flags: &Run) -> Result<End> {
    let vault = job.vault()?;
    for name in &flags.names {
        connection(&vault, name)?;
    }
    let clock = Clock::system();
    let mut end = End::Done;
    let mut waiting = None;
    loop {
        vault.refresh()?;
        let all = schedules(&vault, &flags.names, flags.once)?;
        let now = clock.now();
        let due: Vec<&(String, Due)> = all.iter().filter(|(_, due)| due.at <= now).collect();
        let mut round = End::Done;
        for (name, due) in &due {
            if job.cancel.load(Ordering::SeqCst) {
                break;
            }
            round = worse(round, one(job, &vault, name, *due)?);
            waiting = None;
        }
        end = worse(end, round);
        let stopped = job.cancel.load(Ordering::SeqCst);
        if flags.once || stopped {
            let ends = if stopped { "stopped" } else { "nothing more is due" };
            say(job, "", if stopped { "stopped" } else { "end" }, ends, json!({}))?;
            return Ok(if flags.once { end } else { End::Done });
        }
        if round != End::Done {
            // Whatever it was is not over at once.
            clock.wait(GLANCE, &job.cancel);
        } else if due.is_empty() {
            let next = all.iter().min_by_key(|(_, due)| due.at);
            let next = next.map(|(name, due)| (name.clone(), due.at));
            if waiting != Some(next.clone()) {
                tell_next(job, next.as_ref())?;
                waiting = Some(next.clone());
            }
            let until = next.map_or(GLANCE, |(_, at)| {
                let millis = at.millis().saturating_sub(clock.now().millis()).max(0);
                Duration::from_millis(millis.unsigned_abs()).min(GLANCE)
            });
            clock.wait(until, &job.cancel);
        }
    }
}

/// When each connection that has a schedule is due, the one that waits longest first.
fn schedules(vault: &Vault, names: &[String], eager: bool) -> Result<Vec<(String, Due)>> {
    let log = vault.catalog().activity()?;
    let mut all = Vec::new();
    for name in vault.grants() {
        if !names.is_empty() && !names.contains(&name) {
            continue;
        }
        let kept = connection(vault, &name)?;
        let Some(timetable) = &kept.settings.schedule else {
            continue;
        };
        let due = Past::of(&log, &name).due(&timetable.schedule()?, timetable.first(), eager);
        if due.at.is_some() {
            all.push((name, due));
        }
    }
    all.sort_by_key(|(_, due)| due.at);
    Ok(all)
}

/// One backup and what belongs to it. An error of it is told, and ends nothing.
fn one(job: &Job, vault: &Arc<Vault>, name: &str, due: Due) -> Result<End> {
    let kept = connection(vault, name)?;
    let how = How {
        progress: Progress::None,
        ..How::set(&kept)
    };
    let goes_on = if due.again { ", again" } else { "" };
    let text = format!("backup begins, due {}{goes_on}", due.at);
    say(
        job,
        name,
        "begun",
        &text,
        json!({ "due": due.at.to_string(), "again": due.again }),
    )?;
    let mut hear = |text: &str, value: Value| say(job, name, "note", text, value);
    match take(job, vault, name, &how, &mut hear) {
        Ok(Taken::Whole(report)) => {
            let complete = report.complete();
            let rows: u64 = report.sobjects.iter().map(|s| s.read).sum();
            let whole = if complete { "complete" } else { "not complete" };
            let text = format!(
                "snapshot {}, {whole}: {} read in {}",
                report.snapshot,
                count(rows, "row"),
                count(report.calls, "call")
            );
            say(
                job,
                name,
                "done",
                &text,
                json!({ "complete": complete, "report": *report }),
            )?;
            let kept = retained(job, vault, name, &kept)?;
            Ok(worse(if complete { End::Done } else { End::Partly }, kept))
        }
        Ok(Taken::Paused(error)) => {
            let text = format!("paused: {error}");
            say(job, name, "paused", &text, json!({ "why": short(&error) }))?;
            Ok(End::Partly)
        }
        Err(error) if error.kind() == Kind::Interrupted => {
            let text = "stopped in the middle; what was read is safe, and the next run goes on";
            say(job, name, "paused", text, json!({ "why": "stopped" }))?;
            Ok(End::Partly)
        }
        Err(error) if error.kind() == Kind::Busy => {
            let text = format!("not now: {error}");
            say(job, name, "waiting", &text, json!({ "why": short(&error) }))?;
            Ok(End::Partly)
        }
        Err(error) => {
            let text = format!("failed: {error}");
            say(job, name, "failed", &text, json!({ "why": short(&error) }))?;
            Ok(End::Bad)
        }
    }
}

/// Drops the snapshots that no rule of the connection keeps.
fn retained(job: &Job, vault: &Vault, name: &str, kept: &Connection) -> Result<End> {
    let Some(keep) = kept.settings.keep else {
        return Ok(End::Done);
    };
    let plan = retain::plan(vault, kept.org, &keep.policy());
    match plan.and_then(|plan| retain::execute(vault, &plan)) {
        Ok(dropped) if dropped.is_empty() => Ok(End::Done),
        Ok(dropped) => {
            let numbers: Vec<u64> = dropped.iter().map(|s| s.number).collect();
            let text = format!("{} dropped by retention", count(numbers.len() as u64, "snapshot"));
            say(job, name, "retained", &text, json!({ "dropped": numbers }))?;
            Ok(End::Done)
        }
        Err(error) => {
            let text = format!("retention failed: {error}");
            say(job, name, "failed", &text, json!({ "why": short(&error) }))?;
            Ok(End::Bad)
        }
    }
}

fn tell_next(job: &Job, next: Option<&(String, Stamp)>) -> Result<()> {
    match next {
        Some((name, at)) => {
            let text = format!("next backup {at}");
            say(job, name, "waiting", &text, json!({ "next": at.to_string() }))
        }
        None => {
            let text = "no connection has a schedule; `halite connection NAME --schedule` gives it one";
            say(job, "", "waiting", text, json!({}))
        }
    }
}

/// A line of the run, or a line of JSON.
fn say(job: &Job, name: &str, event: &str, text: &str, mut value: Value) -> Result<()> {
    let at = Clock::system().now();
    let about = if name.is_empty() {
        String::new()
    } else {
        format!("{name}: ")
    };
    job.out.line(format_args!("{at} {about}{text}"))?;
    value["at"] = json!(at.to_string());
    value["event"] = json!(event);
    value["connection"] = json!((!name.is_empty()).then_some(name));
    value["text"] = json!(text);
    job.out.value(&value)
}

/// The end of two of which the worse one counts.
fn worse(one: End, other: End) -> End {
    match (one, other) {
        (End::Bad, _) | (_, End::Bad) => End::Bad,
        (End::Partly, _) | (_, End::Partly) => End::Partly,
        _ => End::Done,
    }
}
