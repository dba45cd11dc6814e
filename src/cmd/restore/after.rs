//! What follows a restore: the org looked at again and compared, `halite restore report`, and `halite restore again`.
//!
//! Key decision: a restore that cannot be compared afterwards is done all the same, so that is said and does not undo what
//! was told; comparing, reporting and planning are the engine's. Nothing here writes to the org.

use std::collections::BTreeSet;
use std::path::Path;

use halite_connector::SalesforceOrg;
use halite_engine::base::id::OrgId;
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::capture::{self, BackupOptions, Progress};
use halite_engine::ops::restore::again::again;
use halite_engine::ops::restore::moved::Outcomes;
use halite_engine::ops::restore::plan::Plan;
use halite_engine::ops::restore::report::{self, About, Summary};
use halite_engine::ops::restore::verify::{Verified, verify};
use halite_engine::ops::state::State;
use halite_engine::vault::{SnapshotInfo, Vault};
use halite_engine::{Error, Kind, Result};
use serde_json::{Value, json};

use super::show::show;
use super::{is_new, past, read, write};
use crate::args::{RestoreAgain, RestoreReport};
use crate::job::Job;
use crate::out::{End, count, note};

/// Differences that are told one by one.
const TOLD: usize = 50;

/// How the org compares after a restore.
#[derive(Default)]
pub(super) struct After {
    snapshot: Option<SnapshotInfo>,
    verified: Option<Verified>,
}

impl After {
    /// Takes an increment of what the plan touched, and compares.
    pub fn look(
        job: &Job,
        vault: &Vault,
        org: &mut SalesforceOrg,
        plan: &Plan,
        outcomes: &Outcomes,
    ) -> Result<Self> {
        if !plan.operations.iter().any(|op| outcomes.done(op.number)) {
            return Ok(Self::default());
        }
        let taken = Self::take(job, vault, org, plan);
        let snapshot = match taken {
            Ok(snapshot) => snapshot,
            Err(error) => {
                note(format_args!("the org was not compared afterwards: {error}"));
                return Ok(Self::default());
            }
        };
        Self::of(vault, snapshot, plan, outcomes)
    }

    fn take(job: &Job, vault: &Vault, org: &mut SalesforceOrg, plan: &Plan) -> Result<SnapshotInfo> {
        let id = written_to(plan)?;
        let _alone = job.alone(id, None)?;
        let touched: BTreeSet<String> = plan.operations.iter().map(|op| op.sobject.clone()).collect();
        let options = BackupOptions {
            only: Some(touched.into_iter().collect()),
            files: plan.operations.iter().any(|op| op.body.is_some()),
            ..BackupOptions::default()
        };
        let bar = job.out.progress();
        let done = capture::backup(vault, org, &options, &mut |progress| {
            if let Progress::Done(sobject) = progress {
                bar.set_message(format!("looking at the org again: {}", sobject.name));
            }
        });
        bar.finish_and_clear();
        vault.find_snapshot(id, &done?.name)
    }

    fn of(vault: &Vault, snapshot: SnapshotInfo, plan: &Plan, outcomes: &Outcomes) -> Result<Self> {
        let verified = verify(vault, &snapshot, plan, outcomes)?;
        Ok(Self {
            snapshot: Some(snapshot),
            verified: Some(verified),
        })
    }

    /// Whether nothing was found to differ.
    pub fn good(&self) -> bool {
        self.verified.as_ref().is_none_or(|v| v.differing.is_empty())
    }

    /// Says what was found.
    pub fn tell(&self, job: &Job, plan: &Plan) -> Result<()> {
        match &self.verified {
            Some(verified) => tell_compared(job, plan, verified),
            None => Ok(()),
        }
    }

    /// The same for programs.
    pub fn value(&self) -> Value {
        let Some(verified) = &self.verified else {
            return Value::Null;
        };
        json!({
            "snapshot": verified.snapshot, "records": verified.records, "fields": verified.fields,
            "bodies": verified.bodies, "unseen": verified.unseen, "differing": verified.differing,
        })
    }

    /// Writes the report into a folder.
    pub fn report(
        &self,
        job: &Job,
        vault: &Vault,
        plan: &Plan,
        outcomes: &Outcomes,
        dir: &Path,
    ) -> Result<Summary> {
        let about = About {
            vault,
            plan,
            outcomes,
            verified: self.verified.as_ref(),
            after: self.snapshot.as_ref(),
        };
        let summary = report::write(&about, dir)?;
        if let Some(texts) = summary.old_ids_in_texts.filter(|n| *n > 0) {
            job.out.line(format_args!(
                "{} in texts: {}",
                count(texts, "old Id"),
                dir.join("texts.csv").display()
            ))?;
        }
        job.out
            .line(format_args!("report: {}", dir.join("report.html").display()))?;
        Ok(summary)
    }
}

/// Says what a comparison came to.
pub fn tell_compared(job: &Job, plan: &Plan, verified: &Verified) -> Result<()> {
    let differing = plan
        .operations
        .iter()
        .filter_map(|op| Some((op, verified.differing.get(&op.number)?)));
    for (op, fields) in differing.take(TOLD) {
        for d in fields {
            job.out.line(format_args!(
                "  differs: {} {} (operation {}): {} is {}, not {}",
                op.sobject, op.id, op.number, d.field, d.found, d.wanted
            ))?;
        }
    }
    for (sobject, why) in &verified.unseen {
        job.out.line(format_args!("  not compared: {sobject}: {why}"))?;
    }
    job.out.line(format_args!(
        "compared {} and {} afterwards: {} differ",
        count(verified.records, "record"),
        count(verified.fields, "field"),
        verified.differing.len()
    ))
}

/// The org that a plan is carried out in.
fn written_to(plan: &Plan) -> Result<OrgId> {
    plan.header.to.as_ref().unwrap_or(&plan.header.org).parse()
}

/// The newest snapshot of that org, if nothing was written since it was begun.
fn since(vault: &Vault, plan: &Plan, last: Option<Stamp>) -> Result<Option<SnapshotInfo>> {
    let newest = vault.snapshots(written_to(plan)?)?.pop();
    Ok(newest.filter(|snapshot| last.is_some_and(|last| last <= snapshot.from)))
}

/// What became of a plan, by its journal.
fn ended(path: &Path) -> Result<(Plan, Outcomes, Option<Stamp>)> {
    let (plan, past) = (read(path)?, past(path)?);
    if past.plan.as_ref() != Some(&plan.header.created) {
        return Err(Error::new(
            Kind::NotFound,
            format!("{}: there is no journal of this plan beside it", path.display()),
        )
        .hint("`halite restore apply` makes one"));
    }
    let last = past.last;
    Ok((plan, past.into(), last))
}

/// `halite restore report`: what became of a plan, by its journal and the vault.
pub(super) fn report(job: &Job, flags: &RestoreReport) -> Result<End> {
    let (plan, outcomes, last) = ended(&flags.plan)?;
    let vault = job.vault()?;
    let after = match since(&vault, &plan, last)? {
        Some(snapshot) => After::of(&vault, snapshot, &plan, &outcomes)?,
        None => After::default(),
    };
    after.tell(job, &plan)?;
    let summary = after.report(job, &vault, &plan, &outcomes, &flags.report)?;
    job.out.value(&summary)?;
    let done = plan.operations.iter().all(|op| outcomes.done(op.number));
    Ok(if done && after.good() {
        End::Done
    } else {
        End::Partly
    })
}

/// `halite restore again`: the plan for what did not succeed.
pub(super) fn next(job: &Job, flags: &RestoreAgain) -> Result<End> {
    is_new(&flags.output)?;
    let (plan, outcomes, last) = ended(&flags.plan)?;
    let vault = job.vault()?;
    let now = since(&vault, &plan, last)?;
    let state = now.as_ref().map(|now| State::at(&vault, now));
    let next = again(&plan, &outcomes, state.as_ref())?;
    write(&next, &flags.output)?;
    show(job, &next)?;
    job.out.line(format_args!(
        "`halite restore apply {}` does it",
        flags.output.display()
    ))?;
    Ok(End::Done)
}
