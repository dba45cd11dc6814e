//! `halite run`: backs up what is due, by the schedules of all connections, one after the other.
//!
//! Key decision: it remembers nothing but what the vault could not be told: each minute the vault says what is due, so that
//! it may be killed, started anew, or run somewhere else, and what others change takes effect. Nothing that is wrong with
//! one connection, or passes, ends it; being stopped is its normal end. It decides nothing about times: `ops::schedule`
//! does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use halite_engine::base::clock::Clock;
use halite_engine::base::stamp::Stamp;
use halite_engine::format::mark::ActivityEntry;
use halite_engine::ops::retain;
use halite_engine::ops::schedule::{AGAIN, Due, Past};
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
    let mut rounds = Rounds {
        job,
        flags,
        vault,
        clock: Clock::system(),
        told: BTreeMap::new(),
        next: String::new(),
        put_off: BTreeMap::new(),
    };
    let mut end = End::Done;
    loop {
        let round = rounds.round()?;
        end = worse(end, round.end);
        let stopped = job.cancel.load(Ordering::SeqCst);
        if flags.once || stopped {
            let ends = if stopped { "stopped" } else { "nothing more is due" };
            say(job, "", if stopped { "stopped" } else { "end" }, ends, json!({}))?;
            return Ok(if flags.once { end } else { End::Done });
        }
        rounds.wait(&round)?;
    }
}

/// One look at what is due after the other.
struct Rounds<'a> {
    job: &'a Job,
    flags: &'a Run,
    vault: Arc<Vault>,
    clock: Clock,
    /// What is wrong with connections and, under no name, with the vault: said once, and not each minute.
    told: BTreeMap<String, String>,
    /// What was said to be next.
    next: String,
    /// Failures that the vault could not be told of, and when another attempt may be made.
    put_off: BTreeMap<String, Stamp>,
}

/// What came of one.
struct Round {
    end: End,
    /// Whether something was run.
    ran: bool,
    /// What is due next, and when.
    next: Option<(String, Stamp)>,
}

impl Rounds<'_> {
    /// Runs what is due, the one that waits longest first.
    fn round(&mut self) -> Result<Round> {
        let mut round = Round {
            end: End::Done,
            ran: false,
            next: None,
        };
        let all = match self.schedules(&mut round) {
            // A disk that is away for a while.
            Err(error) if error.kind() == Kind::Io && !self.flags.once => {
                round.end = End::Bad;
                self.tell(
                    "",
                    "failed",
                    &format!("the vault cannot be read: {error}"),
                    json!({}),
                )?;
                return Ok(round);
            }
            all => all?,
        };
        self.told.remove("");
        let now = self.clock.now();
        for (name, due) in all {
            if due.at > now {
                round.next = round.next.or(Some((name, due.at)));
                continue;
            }
            if self.job.cancel.load(Ordering::SeqCst) {
                break;
            }
            round.ran = true;
            let end = one(self.job, &self.vault, &name, due)?;
            round.end = worse(round.end, end);
            if end == End::Bad {
                self.failed(name);
            }
        }
        Ok(round)
    }

    /// When each connection that has a schedule is due. One that cannot be read is told of, and keeps no other back.
    fn schedules(&mut self, round: &mut Round) -> Result<Vec<(String, Due)>> {
        self.vault.refresh()?;
        let log = self.vault.catalog().activity()?;
        let mut all = Vec::new();
        for name in self.vault.grants() {
            if !self.flags.names.is_empty() && !self.flags.names.contains(&name) {
                continue;
            }
            match due(&self.vault, &log, &name, self.flags.once) {
                Ok(None) => drop(self.told.remove(&name)),
                Ok(Some(mut due)) => {
                    self.told.remove(&name);
                    due.at = due
                        .at
                        .max(self.put_off.get(&name).copied().unwrap_or(Stamp::NONE));
                    all.push((name, due));
                }
                Err(error) => {
                    round.end = End::Bad;
                    let text = format!("it is not known when it is due: {error}");
                    self.tell(&name, "failed", &text, json!({ "why": short(&error) }))?;
                }
            }
        }
        all.sort_by_key(|(_, due)| due.at);
        Ok(all)
    }

    /// After a failed write nothing more is written through a vault, so that it is opened anew; if it does not know of the
    /// failure, that is remembered here, lest the org be asked again each minute.
    fn failed(&mut self, name: String) {
        match self.vault.reopen() {
            Ok(anew) => self.vault = Arc::new(anew),
            Err(error) => tracing::warn!(%error, "the vault could not be opened anew"),
        }
        let now = self.clock.now();
        let log = self.vault.catalog().activity();
        let due = log.and_then(|log| due(&self.vault, &log, &name, false));
        if matches!(due, Ok(Some(due)) if due.at > now) {
            self.put_off.remove(&name);
        } else {
            self.put_off.insert(name, now.minus_millis(-AGAIN));
        }
    }

    /// Waits until something is due, or until the vault is to be asked again.
    fn wait(&mut self, round: &Round) -> Result<()> {
        let mut time = GLANCE;
        if round.ran {
            self.next.clear();
            if round.end == End::Done {
                return Ok(());
            }
            // Whatever it was is not over at once.
        } else {
            self.tell_next(round)?;
            if let Some((_, at)) = &round.next {
                let millis = at.millis().saturating_sub(self.clock.now().millis()).max(0);
                time = time.min(Duration::from_millis(millis.unsigned_abs()));
            }
        }
        self.clock.wait(time, &self.job.cancel);
        Ok(())
    }

    fn tell_next(&mut self, round: &Round) -> Result<()> {
        let (name, text, value) = match &round.next {
            Some((name, at)) => {
                let text = format!("next backup {at}");
                (name.as_str(), text, json!({ "next": at.to_string() }))
            }
            None if round.end != End::Done => return Ok(()),
            None => {
                let text = "no connection has a schedule; `halite connection NAME --schedule` gives it one";
                ("", text.to_owned(), json!({}))
            }
        };
        let told = format!("{name}: {text}");
        if self.next != told {
            say(self.job, name, "waiting", &text, value)?;
            self.next = told;
        }
        Ok(())
    }

    /// Says what was not said just now.
    fn tell(&mut self, name: &str, event: &str, text: &str, value: Value) -> Result<()> {
        if self.told.get(name).is_none_or(|told| told != text) {
            say(self.job, name, event, text, value)?;
            self.told.insert(name.to_owned(), text.to_owned());
        }
        Ok(())
    }
}

/// When a connection is due; none without a schedule.
fn due(vault: &Vault, log: &[ActivityEntry], name: &str, eager: bool) -> Result<Option<Due>> {
    let kept = connection(vault, name)?;
    let Some(timetable) = &kept.settings.schedule else {
        return Ok(None);
    };
    let due = Past::of(log, name, kept.org).due(&timetable.schedule()?, timetable.first(), eager);
    Ok(due.at.is_some().then_some(due))
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
