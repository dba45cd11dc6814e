//! `halite copy`: brings another place to what the vault is now.
//!
//! Key decision: the target is named as a vault is, and made where nothing is yet; the answer is in packs and bytes that
//! were sent. It opens the source alone, and deletes nothing.

use halite_engine::Result;
use halite_engine::ops::copy::copy;

use crate::args::Copy;
use crate::job::Job;
use crate::out::{End, bytes, count, note};
use crate::place::Place;

/// Copies.
pub fn run(job: &Job, flags: &Copy) -> Result<End> {
    let vault = job.vault()?;
    let target = Place::named(&flags.to);
    let store = target.for_copy()?;
    let bar = job.out.progress();
    let done = copy(&vault, &*store, &mut |progress| {
        bar.set_message(format!(
            "{} of {}, {}",
            progress.sent,
            count(progress.of, "pack"),
            bytes(progress.bytes)
        ));
    });
    bar.finish_and_clear();
    let report = done?;
    job.out.line(format_args!(
        "{target} is what the vault is: {}, of which {} ({}) sent now",
        count(report.packs, "pack"),
        report.sent,
        bytes(report.bytes)
    ))?;
    for name in &report.left {
        note(format_args!(
            "{target}: {name} is of a secret that the vault no longer takes; whoever has that secret can open the copy"
        ));
    }
    job.out.value(&report)?;
    Ok(End::Done)
}
