//! Several workers read one org, a part each, and whoever ends last publishes what all of them read.
//!
//! Key decision: a part is told by the hash of an sObject's name, so that nobody need agree on a list, and an end is a
//! saved draft like any other, so that a worker is found by the next one in the catalog and nowhere else.
//! `docs/capture.md`, "Workers". It divides no sObject.

use std::fmt;
use std::str::FromStr;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::SnapshotId;
use crate::base::stamp::Stamp;
use crate::format::draft::{DraftHead, Slot};
use crate::format::entry::DraftEntry;
use crate::ops::capture::draft::{drafts, open, spent_of};
use crate::ops::capture::{Capture, Hear, sum};
use crate::ops::org::Source;
use crate::ops::publish::{Done, publish};
use crate::ops::report::Report;
use crate::vault::writer::Writer;

/// Parts of one org at the most.
const PARTS_MAX: u32 = 100;

/// Which part of an org is read: `2/4`.
///
/// ```
/// # use halite_engine::ops::capture::Worker;
/// let worker: Worker = "2/4".parse().unwrap();
/// let of: Vec<Worker> = (1..=4).map(|n| format!("{n}/4").parse().unwrap()).collect();
/// assert_eq!(of.iter().filter(|worker| worker.reads("Contact")).count(), 1);
/// # assert_eq!(worker.to_string(), "2/4");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worker {
    number: u32,
    of: u32,
}

impl Worker {
    /// Whether an sObject is in its part: each is in exactly one.
    pub fn reads(self, sobject: &str) -> bool {
        let hash = blake3::hash(sobject.as_bytes());
        let first = hash.as_bytes().first_chunk().copied().unwrap_or_default();
        u64::from_le_bytes(first) % u64::from(self.of) == u64::from(self.number - 1)
    }

    /// What is asked for, with the part: what tells its draft from those of the others.
    pub(super) fn asked(self, whole: &str) -> String {
        format!("{whole}, worker {self}")
    }

    fn others(self) -> impl Iterator<Item = Self> {
        let all = (1..=self.of).map(move |number| Self { number, ..self });
        all.filter(move |other| *other != self)
    }
}

impl fmt::Display for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Worker {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split_once('/');
        let numbers = parts.and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        let worker = numbers.map(|(number, of)| Self { number, of });
        worker
            .filter(|worker| (1..=worker.of).contains(&worker.number) && worker.of <= PARTS_MAX)
            .ok_or_else(|| {
                Error::invalid(format!("`{text}` is not a part of an org")).hint(format!(
                    "the second of four is 2/4; {PARTS_MAX} parts at the most"
                ))
            })
    }
}

/// A worker that has ended, as the catalog has it.
struct Ended {
    name: SnapshotId,
    entry: DraftEntry,
    head: DraftHead,
    until: Stamp,
    done: Vec<Done>,
}

impl Capture<'_, '_> {
    /// Marks this worker's draft as ended; publishes if all others have ended too.
    pub(super) fn end_worker(
        mut self,
        worker: Worker,
        source: &mut dyn Source,
        until: Stamp,
        hear: &mut Hear<'_>,
    ) -> Result<Report> {
        self.under.head.ended = Some(until);
        let (spent, calls) = (self.under.spent(source), source.calls());
        self.save(spent, calls, &mut [], hear)?;
        let bytes = self.writer.written().2;
        let (mut others, mut waits_for) = (Vec::new(), Vec::new());
        for other in worker.others() {
            match self.ended(other)? {
                Some(ended) => others.push(ended),
                None => waits_for.push(other.number),
            }
        }
        let mut draft = self.draft(until)?;
        if !waits_for.is_empty() {
            let info = draft.info(self.vault.clock.now());
            let report = draft.report(&info, bytes, spent);
            return Ok(Report { waits_for, ..report });
        }
        let mut writer = Writer::new(self.vault);
        writer.rely_on(self.writer.packs());
        let mut all = spent;
        for Ended {
            name,
            entry,
            head,
            until,
            done,
        } in others
        {
            draft.beside.push((name, entry.fence));
            draft.from = draft.from.min(entry.from);
            draft.until = draft.until.max(until);
            draft.sobjects.extend(done);
            writer.rely_on(entry.packs);
            all = sum(all, spent_of(&head));
        }
        draft
            .sobjects
            .sort_by(|a, b| a.captured.name.cmp(&b.captured.name));
        match publish(self.vault, writer, &draft) {
            Ok((info, _)) => Ok(draft.report(&info, bytes, all)),
            // Another one of them was quicker.
            Err(error) if error.kind() == Kind::Busy => {
                self.vault.refresh()?;
                let newest = self.vault.snapshots(self.org)?.pop();
                let ours = |name| draft.beside.iter().any(|(other, _)| *other == name);
                let info = newest.filter(|info| ours(info.name)).ok_or(error)?;
                Ok(draft.report(&info, bytes, all))
            }
            Err(error) => Err(error),
        }
    }

    /// The draft of another worker of this capture, if that has ended.
    fn ended(&self, other: Worker) -> Result<Option<Ended>> {
        let wanted = DraftHead {
            options: other.asked(&self.under.asked),
            ..self.under.head.clone()
        };
        for (name, entry) in drafts(&self.vault.catalog(), self.org)? {
            let Ok((head, slots)) = open(&entry) else { continue };
            let Some(until) = head.ended.filter(|_| wanted.is_of(&head)) else {
                continue;
            };
            let done = slots.into_iter().map(|slot| match slot {
                Slot::Done(slot) => Ok(Done::from(slot)),
                Slot::UnderWay(_) => Err(Error::corrupt("draft", "it ended, and an sObject is under way")),
            });
            let done = done.collect::<Result<_>>()?;
            return Ok(Some(Ended {
                name,
                entry,
                head,
                until,
                done,
            }));
        }
        Ok(None)
    }
}
