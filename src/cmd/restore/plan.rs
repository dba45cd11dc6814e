//! `halite restore plan`: the org as it is now, compared with what it was.
//!
//! Key decision: the org is read first, whatever was read before, since a plan made from an old look plans conflicts.
//! It writes a file and nothing else.

use halite_engine::Result;
use halite_engine::ops::capture::{self, BackupOptions, Progress};
use halite_engine::ops::hold;
use halite_engine::ops::restore::between::{self as revert, Scope};

use super::show::show;
use super::{is_new, write};
use crate::args::RestorePlan;
use crate::connection::connection;
use crate::job::Job;
use crate::out::End;

pub(super) fn run(job: &Job, flags: &RestorePlan) -> Result<End> {
    is_new(&flags.output)?;
    let vault = job.vault()?;
    let kept = connection(&vault, &flags.name)?;
    let then = job.snapshot(&vault, kept.org, Some(&flags.at))?;
    let ids = flags
        .id
        .as_ref()
        .map(|ids| ids.iter().map(|id| id.parse()).collect::<Result<Vec<_>>>());
    let scope = Scope {
        sobjects: flags.sobject.clone(),
        ids: ids.transpose()?,
        mode: flags.mode.into(),
    };
    let mut org = job.sign_in(&vault, &flags.name)?;
    let bar = job.out.progress();
    // A plan compares records.
    let options = BackupOptions {
        files: false,
        // A deletion that nobody logged shows in the count alone.
        count_all: true,
        ..BackupOptions::default()
    };
    let done = capture::backup(&vault, &mut org, &options, &mut |progress| {
        if let Progress::Done(sobject) = progress {
            bar.set_message(format!("reading the org as it is: {}", sobject.name));
        }
    });
    bar.finish_and_clear();
    let now = vault.find_snapshot(kept.org, &done?.name)?;
    let plan = hold::during(&vault, &then, "a restore is being planned", || {
        revert::plan(&vault, &then, &now, &scope)
    })?;
    write(&plan, &flags.output)?;
    show(job, &plan)?;
    job.out.line(format_args!(
        "`halite restore apply {}` does it",
        flags.output.display()
    ))?;
    Ok(End::Done)
}
