//! `halite check` and `halite repair`: what is damaged, what is lost by it, and what can be mended.
//!
//! Key decision: the report of the engine, line by line; a vault that is not sound ends `check` with status 1, and a
//! vault in which something is lost ends `repair` with status 3. It decides nothing.

use halite_engine::Result;
use halite_engine::ops::check::{CheckOptions, CheckReport, Level, check};
use halite_engine::ops::repair;
use serde_json::json;

use crate::args::{Check, Reading};
use crate::job::Job;
use crate::out::{End, count};

/// Lines of each list that are shown to people; programs get all.
const LINES_MAX: usize = 100;

/// Checks.
pub fn run(job: &Job, flags: &Check) -> Result<End> {
    let vault = job.vault()?;
    let (level, share) = match flags.read {
        None => (Level::Structure, 0.0),
        Some(Reading::Share(share)) => (Level::Sample, share),
        Some(Reading::All) => (Level::All, 1.0),
    };
    let seed = flags.seed.unwrap_or(std::process::id().into());
    let options = CheckOptions { level, share, seed };
    let bar = job.out.progress();
    bar.set_message("checking");
    let done = check(&vault, &options);
    bar.finish_and_clear();
    let report = done?;
    tell(job, &report)?;
    let sound = report.is_sound();
    job.out.line(match (sound, report.losses.is_empty()) {
        (true, _) => "the vault is as it was written",
        (_, true) => "nothing is lost; `halite repair` mends what is damaged",
        _ => "`halite repair` saves what can be read, and the next backup fills what it can",
    })?;
    job.out.value(&json!({ "sound": sound, "report": report }))?;
    Ok(if sound { End::Done } else { End::Bad })
}

fn tell(job: &Job, report: &CheckReport) -> Result<()> {
    let line = |text: std::fmt::Arguments<'_>| job.out.line(text);
    line(format_args!(
        "{}, {} in them, {} to chunks; {} opened",
        count(report.packs, "pack"),
        count(report.chunks, "chunk"),
        count(report.references, "reference"),
        match report.level {
            Level::All => "every byte".to_owned(),
            _ => count(report.sampled, "chunk of data"),
        }
    ))?;
    if report.level == Level::All {
        line(format_args!(
            "{} in order; {} proved by their digests, {} not",
            count(report.versions, "version"),
            count(report.states_proved, "state"),
            report.states_unproved
        ))?;
    }
    if report.known_losses > 0 {
        line(format_args!(
            "{} lost before, {} of them there again",
            count(report.known_losses, "chunk"),
            report.healed.len()
        ))?;
    }
    for damage in report.damages.iter().take(LINES_MAX) {
        line(format_args!("damaged: {}: {}", damage.what, damage.why))?;
    }
    for loss in report.losses.iter().take(LINES_MAX) {
        line(format_args!("lost: {loss}"))?;
    }
    let shown = |all: usize| all.saturating_sub(LINES_MAX) as u64;
    let more = report.more + shown(report.damages.len()) + shown(report.losses.len());
    if more > 0 {
        line(format_args!("and {more} more"))?;
    }
    Ok(())
}

/// Mends what can be mended, the entrance first.
pub fn repair(job: &Job) -> Result<End> {
    let (vault, mended) = job.rescued()?;
    for name in &mended {
        job.out.line(format_args!("written anew: {name}"))?;
    }
    let bar = job.out.progress();
    bar.set_message("checking every byte");
    let done = repair::repair(&vault);
    bar.finish_and_clear();
    let report = done?;
    tell(job, &report.found)?;
    job.out.line(format_args!(
        "{} replaced, {} saved out of them; {} entered as lost, {} taken back",
        count(report.packs_condemned, "damaged pack"),
        count(report.chunks_salvaged, "chunk"),
        count(report.losses_entered, "chunk"),
        report.losses_taken_back
    ))?;
    if report.losses_entered > 0 {
        job.out
            .line("the next backup reads the sObjects concerned whole, and fills what the org still has")?;
    }
    let whole = report.losses_entered == 0;
    job.out.value(&json!({ "mended": mended, "repair": report }))?;
    Ok(if whole { End::Done } else { End::Partly })
}
