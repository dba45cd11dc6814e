//! Backup: the state of an org, as it was in the interval [U, E], as a snapshot.
//!
//! Key decision: sObjects are read in groups, so that much is asked for at once; what was taken is a draft that any
//! process can go on with; absence is never taken for a deletion before it was proved, and the org's own counts are
//! held against what was taken. `docs/capture.md` says what it promises. It knows no API: rows come from a [`Source`].

mod absent;
mod count;
mod draft;
mod files;
mod group;
mod read;
mod workers;

use std::collections::BTreeMap;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{OrgId, SnapshotId};
use crate::base::stamp::Stamp;
use crate::ops::org::{Identity, SObjectInfo, Source, Spent};
use crate::ops::publish::{Done, Draft, next_number, publish};
use crate::ops::report::{MissingBodies, Report, SObjectReport};
use crate::vault::open::Vault;
use crate::vault::writer::Writer;

pub use draft::{Unfinished, unfinished};
pub use workers::Worker;

use draft::Under;

/// How to back up.
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// Only these sObjects.
    pub only: Option<Vec<String>>,
    /// None of these.
    pub except: Vec<String>,
    /// Read everything, not only what changed.
    pub full: bool,
    /// Hold every sObject against the org's count, not only those whose turn it is: for who is about to restore.
    pub count_all: bool,
    /// Fetch the bodies of files.
    pub files: bool,
    /// How far behind the last bound an increment begins, in milliseconds.
    pub overlap_millis: i64,
    /// Bytes of rows to hold before pages are written.
    pub memory: usize,
    /// Calls after which what was taken is saved, at the least.
    pub save_every: u64,
    /// Read one part of the org only, beside others who read the other parts.
    pub worker: Option<Worker>,
}

impl Default for BackupOptions {
    fn default() -> Self {
        Self {
            only: None,
            except: Vec::new(),
            full: false,
            count_all: false,
            files: true,
            overlap_millis: 15 * 60_000,
            memory: 20 << 20,
            save_every: 8,
            worker: None,
        }
    }
}

/// What is heard of a capture while it goes on.
#[derive(Debug)]
pub enum Progress<'a> {
    /// So many sObjects are to be read; so many of them were read by an attempt before this one.
    Begun {
        /// All of them.
        sobjects: usize,
        /// Those that are done already.
        done: usize,
    },
    /// Rows of an sObject came, so many in all, of so many bytes.
    Rows {
        /// The sObject.
        sobject: &'a str,
        /// Rows of JSON, or pages of CSV, taken so far.
        rows: u64,
        /// Their bytes.
        bytes: u64,
        /// Rows that it had when it was read last.
        before: u64,
    },
    /// An sObject is done.
    Done(&'a SObjectReport),
    /// What was taken so far is safe.
    Saved,
}

/// Hears of a capture.
pub type Hear<'a> = dyn FnMut(&Progress<'_>) + 'a;

/// sObjects that are asked for at once: what one composite call holds (REST API guide, "Composite Resources").
const GROUP: usize = 25;

/// Captures a snapshot, or goes on with one that was begun.
///
/// # Errors
/// Nothing is published then; what was taken before stands as a draft, and the next call goes on with it. An sObject
/// that alone cannot be read is not an error: the report says why. `Busy`: another capture of the org was published
/// meanwhile, or took this one over.
pub fn backup(
    vault: &Vault,
    source: &mut dyn Source,
    options: &BackupOptions,
    hear: &mut Hear<'_>,
) -> Result<Report> {
    vault.refresh()?;
    let identity = source.identity()?;
    let mut capture = Capture::begin(vault, source, &identity, options)?;
    let taken = capture.all(source, hear);
    if let Err(error) = taken {
        capture.writer.discard();
        return Err(error);
    }
    capture.end(source, hear)
}

/// A capture under way.
struct Capture<'v, 'o> {
    vault: &'v Vault,
    options: &'o BackupOptions,
    org: OrgId,
    /// The number and name of the snapshot to be, and the newest one before it.
    number: u64,
    name: Option<SnapshotId>,
    after: Option<SnapshotId>,
    /// U.
    from: Stamp,
    source_name: String,
    writer: Writer<'v>,
    done: Vec<Done>,
    under: Under,
    /// What the user saw when this began.
    sight: Sight,
    /// Bodies of files that could not be had.
    missing_bodies: Vec<MissingBodies>,
    /// Whose log of deletions could not be had, and why.
    no_log: BTreeMap<String, String>,
}

impl<'v, 'o> Capture<'v, 'o> {
    fn begin(
        vault: &'v Vault,
        source: &mut dyn Source,
        identity: &Identity,
        options: &'o BackupOptions,
    ) -> Result<Self> {
        let (number, after) = next_number(vault, identity.org)?;
        let sight = Sight::of(source)?;
        let mut under = Under::new(identity, options, &sight.rights);
        let mut writer = Writer::new(vault);
        let mut done = Vec::new();
        let begun = under.take_over(vault, &mut writer, (number, after), &mut done)?;
        let (name, from) = match begun {
            Some((name, from)) => (Some(name), from),
            None => (None, source.now()?),
        };
        Ok(Self {
            vault,
            options,
            sight,
            org: identity.org,
            number,
            name,
            after,
            from,
            source_name: format!("rest {}", identity.api_version),
            writer,
            done,
            under,
            missing_bodies: Vec::new(),
            no_log: BTreeMap::new(),
        })
    }

    /// Reads everything that is not done yet.
    fn all(&mut self, source: &mut dyn Source, hear: &mut Hear<'_>) -> Result<()> {
        let chosen = self.chosen(source.sobjects()?)?;
        let is_done = |info: &SObjectInfo| self.done.iter().any(|done| done.captured.name == info.name);
        let left: Vec<_> = chosen.iter().filter(|info| !is_done(info)).cloned().collect();
        hear(&Progress::Begun {
            sobjects: chosen.len(),
            done: chosen.len() - left.len(),
        });
        let (readable, not): (Vec<_>, Vec<_>) = left.into_iter().partition(|info| info.unreadable.is_none());
        for group in readable.chunks(GROUP) {
            self.group(source, group, hear)?;
            self.save_if_due(source, &mut [], hear)?;
        }
        for info in not {
            let why = info.unreadable.unwrap_or_default();
            self.add(Done::skipped(&info.name, why), hear);
        }
        self.unseen(&chosen, hear)
    }

    /// The sObjects asked for; one that does not exist is an error.
    fn chosen(&self, all: Vec<SObjectInfo>) -> Result<Vec<SObjectInfo>> {
        let except = |info: &SObjectInfo| !self.reads(&info.name) || self.options.except.contains(&info.name);
        let Some(only) = &self.options.only else {
            return Ok(all.into_iter().filter(|info| !except(info)).collect());
        };
        let known = self.vault.catalog().objects(self.org)?;
        if let Some(unknown) = only
            .iter()
            .find(|name| all.iter().all(|info| info.name != **name) && !known.contains_key(*name))
        {
            return Err(
                Error::new(Kind::NotFound, format!("the org has no sObject {unknown}"))
                    .hint("correct the name, or give the user the right to see it"),
            );
        }
        let chosen = |info: &SObjectInfo| only.contains(&info.name) && !except(info);
        Ok(all.into_iter().filter(chosen).collect())
    }

    /// Whether an sObject is in this worker's part.
    fn reads(&self, sobject: &str) -> bool {
        self.options.worker.is_none_or(|worker| worker.reads(sobject))
    }

    /// What was captured before and is not in the org's list: not a deletion, but to be told.
    fn unseen(&mut self, chosen: &[SObjectInfo], hear: &mut Hear<'_>) -> Result<()> {
        let only = self.options.only.as_ref();
        for (name, _) in self.vault.catalog().objects(self.org)? {
            if only.is_some_and(|only| !only.contains(&name)) || !self.reads(&name) {
                continue;
            }
            let known = chosen.iter().any(|info| info.name == name) || self.options.except.contains(&name);
            if known || name.contains('.') || self.done.iter().any(|done| done.captured.name == name) {
                continue;
            }
            let why = "The org does not show it any more: it was deleted, or is hidden from this user. Its records \
                       are kept as they were last seen. Give the user the right to read it, or exclude it by name.";
            let mut unseen = Done::skipped(&name, why.to_owned());
            unseen.failed = true;
            self.add(unseen, hear);
        }
        Ok(())
    }

    fn add(&mut self, done: Done, hear: &mut Hear<'_>) {
        hear(&Progress::Done(&SObjectReport::of(&done.captured)));
        self.done.push(done);
    }

    /// The name of the snapshot to be, drawn when it is needed first.
    fn name(&mut self) -> Result<SnapshotId> {
        let name = match self.name {
            Some(name) => name,
            None => SnapshotId(self.vault.clock.random()?),
        };
        self.name = Some(name);
        Ok(name)
    }

    /// Publishes what was read; as a worker, if the others have ended too.
    fn end(mut self, source: &mut dyn Source, hear: &mut Hear<'_>) -> Result<Report> {
        let until = Sight::of(source)?;
        let sees_all = until.all && until == self.sight;
        if !sees_all {
            self.stay_behind()?;
        }
        let until = source.now()?;
        let bodies = std::mem::take(&mut self.missing_bodies);
        let no_log = std::mem::take(&mut self.no_log);
        let report = match self.options.worker {
            Some(worker) => self.end_worker(worker, source, until, hear)?,
            None => {
                let spent = self.under.spent(source);
                let draft = self.draft(until)?;
                let (info, bytes) = publish(self.vault, self.writer, &draft)?;
                draft.report(&info, bytes, spent)
            }
        };
        Ok(Report {
            sees_all,
            missing_bodies: bodies,
            no_log,
            ..report
        })
    }

    /// The snapshot to be; what was done goes with it.
    fn draft(&mut self, until: Stamp) -> Result<Draft> {
        Ok(Draft {
            org: self.org,
            number: self.number,
            after: self.after,
            name: self.name()?,
            held: self.under.held(),
            beside: Vec::new(),
            from: self.from,
            until,
            source: self.source_name.clone(),
            sobjects: std::mem::take(&mut self.done),
        })
    }

    /// What a user changed who is not seen is not read: the next capture begins again where this one did.
    fn stay_behind(&mut self) -> Result<()> {
        let before = self.vault.catalog().objects(self.org)?;
        for done in &mut self.done {
            let bound = before.get(&done.captured.name).map(|entry| entry.read_from);
            done.read_from = bound.unwrap_or(Stamp::NONE);
        }
        Ok(())
    }
}

/// What the running user sees, at one instant.
#[derive(PartialEq, Eq)]
struct Sight {
    /// Every row of the org's own data.
    all: bool,
    /// By which rights.
    rights: Vec<u8>,
}

impl Sight {
    fn of(source: &mut dyn Source) -> Result<Self> {
        let all = match source.sees_all("Account") {
            Err(error) if read::about_one(&error) => false,
            answer => answer?,
        };
        let rights = source.rights()?;
        Ok(Self { all, rights })
    }
}

/// Adds what was spent.
fn sum(a: Spent, b: Spent) -> Spent {
    Spent {
        calls: a.calls + b.calls,
        jobs: a.jobs + b.jobs,
        result_bytes: a.result_bytes + b.result_bytes,
        files: a.files + b.files,
    }
}
