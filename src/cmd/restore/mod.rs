//! `halite restore`: what would bring a state back, a look at it, doing it, and taking it back.
//!
//! Key decision: a plan is a file between two commands, and applying keeps a journal beside it, so that the same
//! command goes on where an interrupted one stopped. Files of plans and journals have their home here, nothing else.

mod after;
mod apply;
mod plan;
mod show;
mod tree;
mod undo;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use halite_engine::ops::restore::journal::{Entry, Journal, Past};
use halite_engine::ops::restore::plan::Plan;
use halite_engine::{Error, Result};

use crate::args::Restore;
use crate::job::Job;
use crate::out::End;

pub use after::tell_compared;

/// Does what was typed after `restore`.
pub fn run(job: &Job, what: &Restore) -> Result<End> {
    match what {
        Restore::Plan(flags) => plan::run(job, flags),
        Restore::Show(flags) => {
            show::show(job, &read(&flags.plan)?)?;
            Ok(End::Done)
        }
        Restore::Apply(flags) => apply::run(job, flags),
        Restore::Undo(flags) => undo::run(job, flags),
        Restore::Report(flags) => after::report(job, flags),
        Restore::Again(flags) => after::next(job, flags),
    }
}

/// Refuses to write over a file.
fn is_new(path: &Path) -> Result<()> {
    if path.exists() {
        return Err(
            Error::invalid(format!("{}: the file is there already", path.display()))
                .hint("name another, or remove it"),
        );
    }
    Ok(())
}

/// Writes the file whole or not at all.
fn write(plan: &Plan, path: &Path) -> Result<()> {
    let part = beside(path, "part");
    let failed = |e| Error::io(part.display(), e);
    let mut file = owned()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&part)
        .map_err(failed)?;
    plan.write(std::io::BufWriter::new(&mut file))?;
    file.sync_all().map_err(failed)?;
    fs::rename(&part, path).map_err(|e| Error::io(path.display(), e))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// Reads a plan.
pub fn read(path: &Path) -> Result<Plan> {
    let file = File::open(path).map_err(|e| Error::io(path.display(), e))?;
    Plan::read(BufReader::new(file)).map_err(|e| {
        let hint = e
            .next_step()
            .unwrap_or("mend the line, or make the plan anew")
            .to_owned();
        e.within(path.display()).hint(hint)
    })
}

/// A journal whose intents are on the disk, with all before them, when their note returns.
struct OnDisk {
    file: File,
    path: PathBuf,
}

impl Journal for OnDisk {
    fn note(&mut self, entry: &str) -> Result<()> {
        let line = format!("{entry}\n");
        let written = self.file.write_all(line.as_bytes());
        written.map_err(|e| Error::io(self.path.display(), e))?;
        if entry.starts_with(Entry::INTENT) {
            self.sync()?;
        }
        Ok(())
    }
}

impl OnDisk {
    /// Puts on the disk what was noted.
    fn sync(&self) -> Result<()> {
        self.file
            .sync_data()
            .map_err(|e| Error::io(self.path.display(), e))
    }

    /// The journal of a plan, to be gone on with.
    fn of(plan: &Path) -> Result<Self> {
        let path = beside(plan, "journal");
        let file = owned().append(true).create(true).open(&path);
        Ok(Self {
            file: file.map_err(|e| Error::io(path.display(), e))?,
            path,
        })
    }
}

/// What earlier runs of a plan noted.
fn past(plan: &Path) -> Result<Past> {
    let journal = beside(plan, "journal");
    match File::open(&journal) {
        Ok(file) => whole_lines(BufReader::new(file), &journal),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Past::default()),
        Err(e) => Err(Error::io(journal.display(), e)),
    }
}

/// A file for its owner alone: values of records stand in it.
fn owned() -> fs::OpenOptions {
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// The outcomes in a journal; a last line that a crash cut short was never acted upon.
fn whole_lines(mut journal: impl BufRead, path: &Path) -> Result<Past> {
    let failed = |e| Error::io(path.display(), e);
    let (mut past, mut kept, mut number, mut line) = (Past::default(), 0, 0, Vec::new());
    while journal.read_until(b'\n', &mut line).map_err(failed)? > 0 {
        let Some((b'\n', entry)) = line.split_last() else {
            let file = File::options().write(true).open(path).map_err(failed)?;
            file.set_len(kept).map_err(failed)?;
            break;
        };
        number += 1;
        let read =
            std::str::from_utf8(entry).map_err(|e| Error::corrupt(format_args!("journal entry {number}"), e));
        let taken = read.and_then(|entry| past.line(number, entry));
        taken.map_err(|e| e.within(path.display()))?;
        kept += line.len() as u64;
        line.clear();
    }
    Ok(past)
}
