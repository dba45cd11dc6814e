//! `halite restore undo`: the plan that takes back what another did.
//!
//! Key decision: out of plan and journal alone; it asks neither vault nor org, and is applied as any other plan.
//! It carries nothing out.

use halite_engine::Result;
use halite_engine::base::clock::Clock;
use halite_engine::ops::restore::undo::undo;

use super::show::show;
use super::{is_new, past, read, write};
use crate::args::RestoreUndo;
use crate::job::Job;
use crate::out::End;

pub(super) fn run(job: &Job, flags: &RestoreUndo) -> Result<End> {
    is_new(&flags.output)?;
    let (plan, past) = (read(&flags.plan)?, past(&flags.plan)?);
    let inverse = undo(&plan, &past, Clock::system().now())?;
    write(&inverse, &flags.output)?;
    show(job, &inverse)?;
    job.out.line(format_args!(
        "`halite restore apply {}` does it",
        flags.output.display()
    ))?;
    Ok(End::Done)
}
