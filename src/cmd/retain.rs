//! `halite retain`: drops the snapshots that no rule keeps.
//!
//! Key decision: it lists every snapshot with the rules that keep it, or as dropped, before it does anything.
//! It gives no space back by itself: `halite prune` does.

use halite_engine::Result;
use halite_engine::ops::retain::{self, Policy, RetainPlan, Rule};
use serde_json::{Value, json};

use crate::args::Retain;
use crate::cmd::snapshot_json;
use crate::job::Job;
use crate::out::{End, count};

/// Plans, says so, and does it for each org.
pub fn run(job: &Job, flags: &Retain) -> Result<End> {
    let policy = Policy {
        last: flags.keep_last,
        hourly: flags.hourly,
        daily: flags.daily,
        weekly: flags.weekly,
        monthly: flags.monthly,
        yearly: flags.yearly,
        within: flags.within,
    };
    let vault = job.vault()?;
    let mut all = Vec::new();
    for org in job.orgs(&vault)? {
        let plan = retain::plan(&vault, org, &policy)?;
        tell(job, &plan)?;
        let dropped = if flags.dry_run {
            plan.dropped.clone()
        } else {
            retain::execute(&vault, &plan)?
        };
        let verb = if flags.dry_run {
            "would be dropped"
        } else {
            "dropped"
        };
        job.out.line(format_args!(
            "  {} {verb}",
            count(dropped.len() as u64, "snapshot")
        ))?;
        let rules = |(snapshot, rules): &(_, Vec<Rule>)| json!({ "snapshot": snapshot_json(snapshot), "rules": rules });
        all.push(json!({
            "org": org.to_string(), "done": !flags.dry_run,
            "kept": plan.kept.iter().map(rules).collect::<Vec<Value>>(),
            "dropped": dropped.iter().map(snapshot_json).collect::<Vec<Value>>(),
        }));
    }
    job.out.value(&all)?;
    Ok(End::Done)
}

fn tell(job: &Job, plan: &RetainPlan) -> Result<()> {
    job.out.line(format_args!("org {}", plan.org))?;
    let kept = plan.kept.iter().map(|(snapshot, rules)| (snapshot, Some(rules)));
    let mut all: Vec<_> = kept
        .chain(plan.dropped.iter().map(|snapshot| (snapshot, None)))
        .collect();
    all.sort_by_key(|(snapshot, _)| snapshot.number);
    for (snapshot, rules) in all {
        let what = rules.map_or_else(
            || "dropped".to_owned(),
            |rules| {
                let names: Vec<String> = rules
                    .iter()
                    .map(|rule| format!("{rule:?}").to_lowercase())
                    .collect();
                format!("kept: {}", names.join(", "))
            },
        );
        job.out.line(format_args!(
            "  {:>4}  {}  {what}",
            snapshot.number, snapshot.from
        ))?;
    }
    Ok(())
}
