//! `halite restore apply`: a plan carried out, or gone on with.
//!
//! Key decision: only against the org that the plan names, and never for a record that was erased since. What is done
//! and in which order is the engine's.

use std::collections::BTreeMap;
use std::sync::Arc;

use halite_engine::ops::erase::erased_among;
use halite_engine::ops::org::Source;
use halite_engine::ops::restore::apply::{self, Applied};
use halite_engine::ops::restore::journal::Final;
use halite_engine::ops::restore::plan::Plan;
use halite_engine::ops::restore::remedy::remedy;
use halite_engine::ops::restore::report::cause;
use halite_engine::ops::state::State;
use halite_engine::vault::Vault;
use halite_engine::{Error, Kind, Result};
use serde::{Serialize, Serializer};
use serde_json::json;

use super::after::After;
use super::{OnDisk, past, read};
use crate::args::RestoreApply;
use crate::connection::connection;
use crate::job::Job;
use crate::out::{End, note};

pub(super) fn run(job: &Job, flags: &RestoreApply) -> Result<End> {
    let path = flags.plan.as_path();
    let plan = read(path)?;
    let vault = job.vault()?;
    let to = plan.header.to.as_ref().unwrap_or(&plan.header.org);
    let name = connection_of(&vault, to)?;
    nothing_erased(&vault, &plan)?;
    let before = past(path)?;
    let ended = before.outcomes.values().filter(|end| end.is_final()).count();
    if before.begun.is_some() {
        job.out.line(format_args!(
            "going on after {ended} operations of an earlier run"
        ))?;
    }
    let mut org = job.sign_in(&vault, &name)?;
    let who = org.identity()?;
    if who.org.to_string() != *to {
        return Err(
            Error::invalid(format!("the plan is for org {to}, `{name}` is {}", who.org))
                .hint("connect to the org of the plan"),
        );
    }
    let bar = job.out.progress();
    let mut keeper = OnDisk::of(path)?;
    let mut bodies = bodies(&vault, &plan)?;
    let applied = apply::within(
        flags.calls_at_most.unwrap_or(u64::MAX),
        &plan,
        &mut org,
        &mut keeper,
        before,
        &mut *bodies,
        &mut |done, all| bar.set_message(format!("{done} of {all}")),
    );
    bar.finish_and_clear();
    keeper.sync()?;
    let applied = match applied {
        Err(e) if e.kind() == Kind::Quota && flags.calls_at_most.is_some() => {
            note(&e);
            job.out.value(&json!({ "stopped": e.to_string() }))?;
            return Ok(End::Partly);
        }
        applied => applied?,
    };
    let after = After::look(job, &vault, &mut org, &plan, &applied.outcomes)?;
    let end = said(job, &plan, &applied, &after)?;
    if let Some(dir) = &flags.report {
        after.report(job, &vault, &plan, &applied.outcomes, dir)?;
    }
    Ok(end)
}

/// Where the files of a plan come from; a plan without any outlives its snapshot.
fn bodies<'v>(vault: &'v Vault, plan: &Plan) -> Result<Box<dyn apply::Bodies + 'v>> {
    if plan.operations.iter().all(|op| op.body.is_none()) {
        return Ok(Box::new(apply::NoBodies));
    }
    let then = vault.find_snapshot(plan.header.org.parse()?, &plan.header.at)?;
    let state = State::at(vault, &then);
    Ok(Box::new(apply::Stored { vault, state }))
}

/// Refuses a plan that is older than an erasure and would bring the record back.
fn nothing_erased(vault: &Vault, plan: &Plan) -> Result<()> {
    let org = plan.header.org.parse()?;
    let ids = plan.operations.iter().map(|operation| operation.id);
    match erased_among(vault, org, ids)? {
        None => Ok(()),
        Some(id) => Err(
            Error::invalid(format!("the plan is about {id}, which was erased"))
                .hint("make a new plan, and delete this one"),
        ),
    }
}

fn connection_of(vault: &Arc<Vault>, org: &str) -> Result<String> {
    for name in vault.grants() {
        if connection(vault, &name)?.org.to_string() == org {
            return Ok(name);
        }
    }
    Err(Error::new(Kind::NotFound, format!("no connection to org {org}"))
        .hint("`halite connect NAME` makes one"))
}

fn said(job: &Job, plan: &Plan, applied: &Applied, after: &After) -> Result<End> {
    let (mut all_done, mut last) = (true, "");
    for op in &plan.operations {
        let outcome = applied.outcomes.ends.get(&op.number);
        let Some(why) = cause(outcome) else { continue };
        all_done = false;
        job.out.line(format_args!(
            "  not done: {} {} (operation {}): {why}",
            op.sobject, op.id, op.number
        ))?;
        let what = remedy(outcome).unwrap_or_default();
        if last != what {
            job.out.line(format_args!("    {what}"))?;
            last = what;
        }
    }
    let counts = applied.counts();
    let words: Vec<String> = counts.iter().map(|(name, n)| format!("{n} {name}")).collect();
    job.out.line(if words.is_empty() {
        "nothing to do".to_owned()
    } else {
        words.join(", ")
    })?;
    after.tell(job, plan)?;
    job.out.value(&Told {
        counts,
        outcomes: Rows(plan, applied),
        new_ids: NewIds(applied),
        calls: applied.calls,
        verified: after.value(),
    })?;
    Ok(if all_done && after.good() {
        End::Done
    } else {
        End::Partly
    })
}

/// What came of it, for programs.
#[derive(Serialize)]
struct Told<'a> {
    counts: BTreeMap<&'static str, usize>,
    outcomes: Rows<'a>,
    new_ids: NewIds<'a>,
    calls: u64,
    verified: serde_json::Value,
}

/// An object for each operation, made while it is written.
struct Rows<'a>(&'a Plan, &'a Applied);

#[derive(Serialize)]
struct Row<'a> {
    operation: u32,
    sobject: &'a str,
    id: String,
    outcome: Option<&'a Final>,
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.collect_seq(self.0.operations.iter().map(|op| Row {
            operation: op.number,
            sobject: &op.sobject,
            id: op.id.to_string(),
            outcome: self.1.outcomes.ends.get(&op.number),
        }))
    }
}

/// Old Id to new Id.
struct NewIds<'a>(&'a Applied);

impl Serialize for NewIds<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let ids = self.0.id_map.iter();
        to.collect_map(ids.map(|(old, new)| (old.to_string(), new.to_string())))
    }
}
