//! `halite import`: a snapshot from files that people already have.
//!
//! Key decision: the org is always named, since files do not say whence they are; the engine takes all or nothing.
//! No file is changed.

use halite_engine::base::stamp::Stamp;
use halite_engine::{Error, Result, ops};

use crate::args::Import;
use crate::cmd::report;
use crate::job::Job;
use crate::out::End;

/// Imports the folder.
pub fn run(job: &Job, flags: &Import) -> Result<End> {
    let named = job
        .global
        .org
        .as_deref()
        .ok_or_else(|| Error::invalid("no org named").hint("give --org ID"))?;
    let org = named.parse()?;
    let as_of: Stamp = flags.as_of.parse()?;
    let vault = job.vault()?;
    let bar = job.out.progress();
    let done = ops::import::import(&vault, org, as_of, &flags.dir, flags.delta, &mut |sobject| {
        bar.set_message(format!("{} ({} read)", sobject.name, sobject.read));
    });
    bar.finish_and_clear();
    report(job.out, &done?)?;
    Ok(End::Done)
}
