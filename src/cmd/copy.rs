//! `halite copy`: brings another place to what the vault is now; with `--org`, makes a vault of one org alone there.
//!
//! Key decision: the target is named as a vault is, and made where nothing is yet; the answer is in packs and bytes that
//! were sent. It opens the source alone, and deletes nothing.

use halite_engine::Result;
use halite_engine::ops::copy::{CopyProgress, copy, copy_orgs};

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
    let org = job.global.org.is_some().then(|| job.org(&vault)).transpose()?;
    let mut told = |progress: CopyProgress| {
        bar.set_message(format!(
            "{} of {}, {}",
            progress.sent,
            count(progress.of, "pack"),
            bytes(progress.bytes)
        ));
    };
    let done = match org {
        Some(org) => copy_orgs(&vault, &store, &[org], &mut told),
        None => copy(&vault, &*store, &mut told),
    };
    bar.finish_and_clear();
    let report = done?;
    let what = org.map_or("is what the vault is".to_owned(), |org| {
        format!("is a vault of org {org} alone")
    });
    job.out.line(format_args!(
        "{target} {what}: {}, of which {} ({}) sent now",
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
