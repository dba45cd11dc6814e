//! `halite connection`, `connections` and `disconnect`: how connected orgs are backed up, changed, listed, forgotten.
//!
//! Key decision: what is not named stays as it was, and every change is a line of the activity log that says what it was.
//! Nothing here reads an org's records, and snapshots outlive their connection.

use std::sync::Arc;

use halite_connector::Connect;
use halite_engine::base::clock::Clock;
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::schedule::{Past, Schedule};
use halite_engine::vault::Vault;
use halite_engine::{Error, Result};
use serde_json::{Value, json};

use crate::args;
use crate::connection::{Connection, Keep, Settings, Timetable, change as change_kept, connection};
use crate::job::Job;
use crate::out::{End, note};

/// Changes settings.
pub fn change(job: &Job, flags: &args::Change) -> Result<End> {
    let vault = job.vault()?;
    let before = connection(&vault, &flags.name)?;
    let changed = set(&mut before.settings.clone(), &flags.settings)?;
    if !changed.is_empty() {
        let mut line = Job::line("connection", &flags.name, &before);
        line.detail = changed.join("; ");
        change_kept(&vault, &flags.name, Some(&line), &mut |kept| {
            set(&mut kept.settings, &flags.settings).map(drop)
        })?;
    }
    let kept = connection(&vault, &flags.name)?;
    for text in told(&kept) {
        job.out.line(text)?;
    }
    let due = next(&vault, &flags.name, &kept)?;
    if let Some(at) = &due {
        job.out.line(format_args!("next backup: {at}"))?;
    }
    job.out
        .value(&json!({ "name": flags.name, "settings": kept.settings, "next": due }))?;
    Ok(End::Done)
}

/// Lists the connections.
pub fn list(job: &Job) -> Result<End> {
    let vault = job.vault()?;
    let log = vault.catalog().activity()?;
    let mut all: Vec<Value> = Vec::new();
    for name in vault.grants() {
        let kept = connection(&vault, &name)?;
        job.out.line(format_args!(
            "{name}  {}  {}  {}",
            kept.org, kept.environment, kept.org_name
        ))?;
        let last = log
            .iter()
            .rev()
            .find(|line| line.verb == "backup" && line.connection == name && line.org == Some(kept.org));
        if let Some(last) = last {
            let (ended, detail) = (last.ended.name(), &last.detail);
            job.out
                .line(format_args!("  last backup: {} {ended}, {detail}", last.began))?;
        }
        let due = next(&vault, &name, &kept)?;
        if let Some(at) = &due {
            job.out.line(format_args!("  next backup: {at}"))?;
        }
        all.push(json!({
            "name": name, "org": kept.org.to_string(), "org_name": kept.org_name,
            "environment": kept.environment.to_string(), "settings": kept.settings, "next": due,
            "last": last.map(|last| json!({
                "began": last.began.to_string(), "ended": last.at.to_string(), "outcome": last.ended.name(),
                "detail": last.detail,
            })),
        }));
    }
    if all.is_empty() {
        job.out.line("no connections; `halite connect NAME` makes one")?;
    }
    job.out.value(&all)?;
    Ok(End::Done)
}

/// Takes the grant back and forgets it.
pub fn disconnect(job: &Job, flags: &args::Disconnect) -> Result<End> {
    let vault = job.vault()?;
    let kept = connection(&vault, &flags.name)?;
    let revoked = Connect::new(kept.environment.clone())
        .grant(kept.grant.clone())
        .cancel(Arc::clone(&job.cancel))
        .revoke();
    let told = match revoked {
        Ok(true) => "the org took the token back",
        Ok(false) => {
            "there was no token to take back; remove the app's access in the org's Setup if nobody needs it"
        }
        Err(error) if flags.force => {
            note(format_args!("the org was not told: {error}"));
            "the org was not told"
        }
        Err(error) => {
            let hint = "nothing was removed; try again, or --force removes it and leaves the token alive";
            return Err(Error::new(error.kind(), error.message()).hint(hint));
        }
    };
    let mut line = Job::line("disconnect", &flags.name, &kept);
    told.clone_into(&mut line.detail);
    vault.change_grant(&flags.name, Some(&line), &mut |_| Ok(None))?;
    job.out.line(format_args!("{}: forgotten; {told}", flags.name))?;
    job.out
        .value(&json!({ "name": flags.name, "org": kept.org.to_string(), "told": told }))?;
    Ok(End::Done)
}

/// When the next backup of a connection is due; none without a schedule.
pub fn next(vault: &Vault, name: &str, kept: &Connection) -> Result<Option<String>> {
    let Some(timetable) = &kept.settings.schedule else {
        return Ok(None);
    };
    let past = Past::of(&vault.catalog().activity()?, name, kept.org);
    let due = past.due(&timetable.schedule()?, timetable.first(), false);
    Ok(due.at.is_some().then(|| due.at.to_string()))
}

/// Changes settings as asked; says what changed.
pub fn set(settings: &mut Settings, flags: &args::Settings) -> Result<Vec<String>> {
    let before = told_settings(settings);
    if flags.all_objects {
        (settings.only, settings.except) = (None, Vec::new());
    }
    if flags.only.is_some() {
        settings.only.clone_from(&flags.only);
    }
    if let Some(except) = &flags.except {
        settings.except.clone_from(except);
    }
    settings.ceiling = flags.ceiling.unwrap_or(settings.ceiling);
    settings.rest_only = flags.rest_only.unwrap_or(settings.rest_only);
    settings.keep = keep(settings.keep, &flags.keep)?;
    timetable(settings, flags)?;
    let after = told_settings(settings);
    Ok(after.into_iter().filter(|line| !before.contains(line)).collect())
}

fn timetable(settings: &mut Settings, flags: &args::Settings) -> Result<()> {
    let now = Clock::system().now();
    let before = settings.schedule.take();
    let (cron, zone) = match (&flags.schedule, &before) {
        (Some(never), _) if never == "never" => return Ok(()),
        (Some(cron), _) => (cron.clone(), flags.zone.clone()),
        (None, Some(before)) => (before.cron.clone(), flags.zone.clone()),
        (None, None) if flags.zone.is_some() => {
            return Err(Error::invalid("a time zone without a schedule").hint("give --schedule CRON too"));
        }
        (None, None) => return Ok(()),
    };
    let old_zone = before.as_ref().map(|before| before.zone.clone());
    let zone = zone.or(old_zone).unwrap_or_else(|| "UTC".to_owned());
    let schedule = Schedule::parse(&cron, &zone)?;
    let first = match flags.first.as_deref() {
        Some("now") => now,
        Some(time) => time.parse::<Stamp>()?,
        None => match &before {
            Some(same) if same.cron == cron && same.zone == zone => same.first(),
            _ => schedule.next_after(now).unwrap_or(Stamp::NONE),
        },
    };
    settings.schedule = Some(Timetable {
        cron,
        zone,
        first: first.millis(),
    });
    Ok(())
}

fn keep(before: Option<Keep>, flags: &args::Keep) -> Result<Option<Keep>> {
    if flags.keep_all {
        return Ok(None);
    }
    let old = before.unwrap_or_default();
    let keep = Keep {
        last: flags.keep_last.unwrap_or(old.last),
        hourly: flags.keep_hourly.unwrap_or(old.hourly),
        daily: flags.keep_daily.unwrap_or(old.daily),
        weekly: flags.keep_weekly.unwrap_or(old.weekly),
        monthly: flags.keep_monthly.unwrap_or(old.monthly),
        yearly: flags.keep_yearly.unwrap_or(old.yearly),
        within: flags.keep_within.or(old.within),
    };
    if before.is_some() && keep == Keep::default() {
        return Err(Error::invalid("no rule says what to keep").hint("--keep-all keeps every snapshot"));
    }
    Ok((keep != Keep::default()).then_some(keep))
}

/// A connection for people.
fn told(kept: &Connection) -> Vec<String> {
    let mut all = vec![format!(
        "{} ({}) as {}",
        kept.org_name,
        kept.org,
        kept.settings.who()
    )];
    all.extend(told_settings(&kept.settings));
    all
}

fn told_settings(settings: &Settings) -> Vec<String> {
    let objects = match (&settings.only, settings.except.as_slice()) {
        (None, []) => "every sObject".to_owned(),
        (None, except) => format!("every sObject but {}", except.join(", ")),
        (Some(only), []) => format!("only {}", only.join(", ")),
        (Some(only), except) => format!("only {}, not {}", only.join(", "), except.join(", ")),
    };
    let when = settings.schedule.as_ref().map_or_else(
        || "never by itself".to_owned(),
        |t| format!("\"{}\" in {}, first {}", t.cron, t.zone, t.first()),
    );
    let kept = settings.keep.map_or_else(
        || "all".to_owned(),
        |keep| {
            let rules = [
                ("last", keep.last),
                ("hourly", keep.hourly),
                ("daily", keep.daily),
                ("weekly", keep.weekly),
                ("monthly", keep.monthly),
                ("yearly", keep.yearly),
            ];
            let rules = rules.iter().filter(|(_, n)| *n > 0);
            let mut rules: Vec<String> = rules.map(|(name, n)| format!("{n} {name}")).collect();
            rules.extend(
                keep.within
                    .map(|millis| format!("within {} h", millis / 3_600_000)),
            );
            rules.join(", ")
        },
    );
    let api = if settings.rest_only {
        "REST alone"
    } else {
        "REST and Bulk"
    };
    vec![
        format!("objects: {objects}"),
        format!("schedule: {when}"),
        format!("snapshots kept: {kept}"),
        format!("ceiling: {} % of the day's calls; {api}", settings.ceiling),
    ]
}
