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
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use halite_engine::ops::restore::journal::{Entry, Journal, Past, replay};
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
    match fs::read_to_string(&journal) {
        Ok(text) => whole_lines(&text, &journal),
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
fn whole_lines(text: &str, path: &Path) -> Result<Past> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let kept = whole.len() + usize::from(!whole.is_empty());
    if kept < text.len() {
        let file = File::options()
            .write(true)
            .open(path)
            .map_err(|e| Error::io(path.display(), e))?;
        file.set_len(kept as u64)
            .map_err(|e| Error::io(path.display(), e))?;
    }
    replay(whole.lines()).map_err(|e| e.within(path.display()))
}
