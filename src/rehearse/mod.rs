//! `halite rehearse`: a restore carried out on a simulated org that is made of the vault's newest look at the real one.
//!
//! Key decision: the plan runs through the connector over HTTP, as it would in earnest, and what came of it is compared by
//! a reading of the simulated org; the real org is not even signed in to. What the org's own rules and automation would do
//! is not known here, and that is said each time.

mod build;

use std::collections::BTreeSet;
use std::sync::Arc;

use halite_connector::{Connect, Grant, SalesforceOrg, Secret as Hidden};
use halite_engine::base::id::OrgId;
use halite_engine::ops::capture::{self, BackupOptions};
use halite_engine::ops::hold;
use halite_engine::ops::restore::apply::{self, Applied, Bodies, NoBodies, Stored};
use halite_engine::ops::restore::between::{self, Scope};
use halite_engine::ops::restore::journal::{Final, NoJournal, Past};
use halite_engine::ops::restore::moved::Outcomes;
use halite_engine::ops::restore::plan::Plan;
use halite_engine::ops::restore::remedy::remedy;
use halite_engine::ops::restore::report::{self, About};
use halite_engine::ops::restore::verify::{Verified, verify_by};
use halite_engine::ops::state::State;
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, SnapshotInfo, Vault, VaultOptions};
use halite_engine::{Error, Result};
use halite_simulator::{CLIENT_ID, CLIENT_SECRET, Server};
use serde_json::{Value, json};

use crate::args::Rehearse;
use crate::cmd::{read_plan, tell_compared};
use crate::job::Job;
use crate::out::{End, count};
use build::Made;

/// Operations that were not done and are told one by one.
const TOLD: usize = 50;

/// Carries a plan out on a simulated org.
pub fn run(job: &Job, flags: &Rehearse) -> Result<End> {
    let vault = job.vault()?;
    let (plan, now) = match &flags.plan {
        Some(path) => of_file(&vault, read_plan(path)?)?,
        None => anew(job, &vault, flags)?,
    };
    let made = build::org(job, &vault, &now, &plan)?;
    let server = Server::start(made.org.clone()).map_err(|e| Error::io("the simulated org", e))?;
    let mut source = Connect::new(server.url().parse()?)
        .grant(Grant::ClientCredentials {
            client_id: CLIENT_ID.into(),
            client_secret: Hidden::new(CLIENT_SECRET),
        })
        .cancel(Arc::clone(&job.cancel))
        .open()?;
    let applied = play(job, &vault, &plan, &mut source)?;
    let verified = compared(job, &vault, &plan, &applied.outcomes, &mut source)?;
    let end = said(job, &plan, &now, &made, &applied, &verified)?;
    if let Some(dir) = &flags.report {
        let about = About {
            vault: &vault,
            plan: &plan,
            outcomes: &applied.outcomes,
            verified: Some(&verified),
            after: None,
        };
        report::write(&about, dir)?;
        job.out
            .line(format_args!("report: {}", dir.join("report.html").display()))?;
    }
    Ok(end)
}

/// A plan that was made, with the org as it was looked at for it, or as it was last looked at.
fn of_file(vault: &Vault, plan: Plan) -> Result<(Plan, SnapshotInfo)> {
    let header = &plan.header;
    let org: OrgId = header.to.as_ref().unwrap_or(&header.org).parse()?;
    let now = vault.find_snapshot(org, &header.now);
    let now = now.or_else(|_| vault.find_snapshot(org, "latest"))?;
    Ok((plan, now))
}

/// A plan from the vault alone: its newest snapshot is the org as it is now.
fn anew(job: &Job, vault: &Vault, flags: &Rehearse) -> Result<(Plan, SnapshotInfo)> {
    let org = job.org(vault)?;
    let then = job.snapshot(vault, org, flags.at.as_deref())?;
    let now = job.snapshot(vault, org, None)?;
    let scope = Scope {
        sobjects: flags.sobject.clone(),
        ids: None,
        mode: flags.mode.into(),
        ..Scope::default()
    };
    let plan = hold::during(vault, &then, "a restore is being rehearsed", || {
        between::plan(vault, &then, &now, &scope)
    })?;
    Ok((plan, now))
}

fn play(job: &Job, vault: &Vault, plan: &Plan, source: &mut SalesforceOrg) -> Result<Applied> {
    let mut bodies: Box<dyn Bodies + '_> =
        match vault.find_snapshot(plan.header.org.parse()?, &plan.header.at) {
            Ok(then) => Box::new(Stored {
                vault,
                state: State::at(vault, &then),
            }),
            Err(_) => Box::new(NoBodies),
        };
    let bar = job.out.progress();
    let mut progress = |done, all| bar.set_message(format!("rehearsing: {done} of {all}"));
    let past = Past::default();
    let applied = apply::resume(plan, source, &mut NoJournal, past, &mut *bodies, &mut progress);
    bar.finish_and_clear();
    applied
}

/// Reads the simulated org into a vault in memory, and compares.
fn compared(
    job: &Job,
    kept: &Vault,
    plan: &Plan,
    outcomes: &Outcomes,
    source: &mut SalesforceOrg,
) -> Result<Verified> {
    if !plan.operations.iter().any(|op| outcomes.done(op.number)) {
        return Ok(Verified::default());
    }
    let options = VaultOptions {
        cancel: Arc::clone(&job.cancel),
        ..VaultOptions::default()
    };
    let vault = Vault::create(Arc::new(Memory::new()), &Secret::None, options)?;
    let touched: BTreeSet<String> = plan.operations.iter().map(|op| op.sobject.clone()).collect();
    let options = BackupOptions {
        only: Some(touched.into_iter().collect()),
        files: plan.operations.iter().any(|op| op.body.is_some()),
        ..BackupOptions::default()
    };
    let taken = capture::backup(&vault, source, &options, &mut |_| {})?;
    let snapshot = vault.find_snapshot(taken.org.parse()?, &taken.name)?;
    let then = kept.find_snapshot(plan.header.org.parse()?, &plan.header.at);
    let then = then.ok().map(|then| State::at(kept, &then));
    verify_by(&State::at(&vault, &snapshot), then.as_ref(), plan, outcomes)
}

fn said(
    job: &Job,
    plan: &Plan,
    now: &SnapshotInfo,
    made: &Made,
    applied: &Applied,
    verified: &Verified,
) -> Result<End> {
    let out = job.out;
    out.line(format_args!(
        "rehearsed on a simulated org made of snapshot {} ({}): {} of {}; the org itself was not touched",
        now.number,
        now.from,
        count(made.records, "record"),
        count(made.sobjects, "sObject"),
    ))?;
    for left in &made.left_out {
        out.line(format_args!("  not there: {left}"))?;
    }
    let mut not_done = Vec::new();
    for op in &plan.operations {
        let end = applied.outcomes.ends.get(&op.number);
        let Some(cause) = report::cause(end) else { continue };
        let (number, sobject, id) = (op.number, &op.sobject, op.id);
        let remedy = remedy(end).unwrap_or_default();
        if not_done.len() < TOLD {
            out.line(format_args!(
                "  not done: {sobject} {id} (operation {number}): {cause}"
            ))?;
            out.line(format_args!("    {remedy}"))?;
        }
        not_done.push(json!({
            "operation": number, "sobject": sobject, "id": id.to_string(), "outcome": end.map(Final::name), "cause": cause,
            "remedy": remedy,
        }));
    }
    let counts = applied.counts();
    let words: Vec<String> = counts.iter().map(|(name, n)| format!("{n} {name}")).collect();
    out.line(if words.is_empty() {
        "nothing to do".to_owned()
    } else {
        format!("{} in {}", words.join(", "), count(applied.calls, "call"))
    })?;
    tell_compared(job, plan, verified)?;
    out.line("the org's own rules, triggers and flows are not known here: what they would refuse or change is not in this")?;
    let good = not_done.is_empty() && verified.differing.is_empty();
    out.value(&value(now, made, applied, verified, &not_done))?;
    Ok(if good { End::Done } else { End::Partly })
}

fn value(
    now: &SnapshotInfo,
    made: &Made,
    applied: &Applied,
    verified: &Verified,
    not_done: &[Value],
) -> Value {
    json!({
        "snapshot": now.number, "records": made.records, "sobjects": made.sobjects, "stand_ins": made.stand_ins,
        "left_out": made.left_out, "counts": applied.counts(), "not_done": not_done, "calls": applied.calls,
        "compared": verified.records, "differing": verified.differing, "unseen": verified.unseen,
    })
}
