//! One group of readings: rows as they come, each into the ingest of its sObject.
//!
//! Key decision: what is asked and what is taken are held apart, so that a reading can be handed to the source while
//! its rows are taken in. A page that came can be the moment to save. A row that does not read costs its sObject, not
//! the capture; what goes wrong in the vault ends everything. It does not decide what to read.

use std::sync::Arc;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{ChunkId, RecordId};
use crate::base::stamp::Stamp;
use crate::format::describe::Describe;
use crate::format::draft::UnderWay;
use crate::format::loss::HoleEntry;
use crate::format::schema::Schema;
use crate::ops::capture::{Capture, Hear, Progress};
use crate::ops::ingest::Ingest;
use crate::ops::org::{DeletedLog, Read, Scope, Sink, Source, Spent};
use crate::vault::writer::Writer;

/// What is asked of one sObject.
pub(super) struct Ask {
    /// Its describe, and the text of it.
    pub describe: Describe,
    pub text: Vec<u8>,
    pub schema: Arc<Schema>,
    /// The chunk that the schema is.
    pub schema_id: ChunkId,
    /// Its number, and whether that is new.
    pub number: u32,
    pub fresh: bool,
    /// From where an increment reads; `NONE`: all of it.
    pub since: Stamp,
    /// Where the log of deletions ended before the reading.
    pub covered: Stamp,
    /// What the log of deletions says; none where the org keeps none, or where it could not be had.
    pub log: Option<DeletedLog>,
    /// Whether the org keeps a log that could not be had: all Ids are compared instead, and what commits late has no
    /// bound, so that the next capture reads from where this one does.
    pub log_failed: bool,
    /// Whether something of it is missing that the next capture is to look for among all rows.
    pub unfinished: bool,
    /// Holes that are open.
    pub holes: Vec<(ChunkId, HoleEntry)>,
    /// Where an attempt before this one had come.
    pub from: Option<Vec<u8>>,
    /// Live records when it was read last, and when the org's count agreed.
    pub before: u64,
    pub agreed: Stamp,
    /// What is selected.
    pub fields: Vec<String>,
}

/// What is taken of it.
pub(super) struct Take<'v> {
    /// Where its rows go; none once it failed.
    pub ingest: Option<Ingest<'v>>,
    /// Why it cannot be read, and whether a new describe may help.
    pub failed: Option<(String, bool)>,
    /// Whether all its rows have come.
    pub read: bool,
    position: Option<Vec<u8>>,
    rows: u64,
    bytes: u64,
    /// What was saved of it, if nothing came since.
    saved: Option<UnderWay>,
    stamps: (ChunkId, Stamp, Stamp),
}

impl Ask {
    /// Whether all of it is read.
    pub fn full(&self) -> bool {
        !self.since.is_some()
    }

    /// A reading of these rows.
    pub fn read<'a>(&'a self, fields: &'a [&'a str], scope: Scope<'a>) -> Read<'a> {
        Read {
            describe: &self.describe,
            fields,
            scope,
            from: None,
        }
    }

    fn scope(&self) -> Scope<'_> {
        if self.full() {
            Scope::All
        } else {
            Scope::Since(self.since)
        }
    }

    /// Where rows are taken.
    pub fn take<'v>(&self, ingest: Ingest<'v>, slot: Option<&UnderWay>) -> Take<'v> {
        Take {
            ingest: Some(ingest),
            failed: None,
            read: slot.is_some_and(|slot| slot.read),
            position: slot.and_then(|slot| slot.position.clone()),
            rows: 0,
            bytes: 0,
            saved: slot.cloned(),
            stamps: (self.schema_id, self.since, self.covered),
        }
    }
}

impl<'v> Take<'v> {
    /// What a draft says of it; nothing if nothing was taken.
    pub fn slot(&mut self, writer: &mut Writer<'v>) -> Result<Option<UnderWay>> {
        let Some(ingest) = &mut self.ingest else {
            return Ok(None);
        };
        let news = self.saved.is_none() && (self.position.is_some() || self.read);
        if news && !ingest.has_doubts(writer)? {
            let (runs, seen) = ingest.pause(writer)?;
            let (schema, since, covered) = self.stamps;
            self.saved = Some(UnderWay {
                captured: ingest.captured.clone(),
                schema,
                since,
                covered,
                read: self.read,
                position: self.position.clone(),
                runs,
                seen,
            });
        }
        Ok(self.saved.clone())
    }

    /// Its rows have come up to here.
    pub fn stands_at(&mut self, position: &[u8]) {
        self.position = Some(position.to_vec());
    }

    /// Gives it up.
    pub fn fail(&mut self, error: &Error) {
        let again = matches!(error.kind(), Kind::Invalid | Kind::NotFound);
        self.failed = Some((error.to_string(), again));
        self.ingest = None;
        self.saved = None;
    }

    /// Lets `act` take something; a row that does not read costs this sObject alone.
    pub fn with(&mut self, act: impl FnOnce(&mut Ingest<'v>) -> Result<()>) -> Result<()> {
        let Some(ingest) = &mut self.ingest else {
            return Ok(());
        };
        self.saved = None;
        match act(ingest) {
            Err(e) if e.kind() == Kind::Invalid => {
                self.fail(&e);
                Ok(())
            }
            done => done,
        }
    }
}

/// The rows of a group on their way.
struct Reading<'r, 'v, 'o, 'h> {
    capture: &'r mut Capture<'v, 'o>,
    takes: &'r mut [Take<'v>],
    names: Vec<(String, u64)>,
    /// Which take each reading belongs to.
    which: Vec<usize>,
    spent: Spent,
    hear: &'r mut Hear<'h>,
    /// Whether what went wrong was the vault's.
    ours: bool,
}

impl<'v> Capture<'v, '_> {
    /// Reads what is asked, as far as it is not read yet; saves on the way. When the org fails, what came is saved.
    pub(super) fn read_group(
        &mut self,
        source: &mut dyn Source,
        asks: &[Ask],
        takes: &mut [Take<'v>],
        hear: &mut Hear<'_>,
    ) -> Result<()> {
        let which: Vec<usize> = (0..asks.len()).filter(|&at| !takes[at].read).collect();
        let fields: Vec<Vec<&str>> = which
            .iter()
            .map(|&at| asks[at].fields.iter().map(String::as_str).collect())
            .collect();
        let read = |(n, &at): (usize, &usize)| Read {
            from: asks[at].from.as_deref(),
            ..asks[at].read(&fields[n], asks[at].scope())
        };
        let reads: Vec<Read<'_>> = which.iter().enumerate().map(read).collect();
        if reads.is_empty() {
            return Ok(());
        }
        let (spent, calls) = (self.under.spent(source), source.calls());
        let names = asks
            .iter()
            .map(|ask| (ask.describe.name.clone(), ask.before))
            .collect();
        let mut reading = Reading {
            capture: self,
            takes,
            names,
            which,
            spent,
            hear,
            ours: false,
        };
        let end = source.read_all(&reads, &mut reading);
        let Reading {
            capture,
            takes,
            hear,
            ours,
            ..
        } = reading;
        match end {
            Err(error) if !ours => {
                let spent = capture.under.spent(source);
                if let Err(e) = capture.save(spent, source.calls().max(calls), takes, hear) {
                    tracing::warn!(error = %e, "what was taken could not be saved");
                }
                Err(error)
            }
            end => end,
        }
    }

    /// Reads the rows of these Ids, and tells which came.
    pub(super) fn read_ids(
        &mut self,
        source: &mut dyn Source,
        ask: &Ask,
        take: &mut Take<'v>,
        ids: &[RecordId],
    ) -> Result<Vec<RecordId>> {
        #[derive(serde::Deserialize)]
        struct OnlyId<'a> {
            #[serde(rename = "Id")]
            id: &'a str,
        }
        let mut came = Vec::new();
        self.read_plain(source, ask, take, Scope::Ids(ids), &mut |row| {
            let id = serde_json::from_slice::<OnlyId<'_>>(row).ok();
            came.extend(id.and_then(|row| RecordId::parse(row.id.as_bytes())));
        })?;
        came.sort_unstable();
        Ok(came)
    }

    /// One reading of its own, row by row.
    pub(super) fn read_plain(
        &mut self,
        source: &mut dyn Source,
        ask: &Ask,
        take: &mut Take<'v>,
        scope: Scope<'_>,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<()> {
        let fields: Vec<&str> = ask.fields.iter().map(String::as_str).collect();
        let (writer, mut ours) = (&mut self.writer, None);
        let end = source.read(ask.read(&fields, scope), &mut |row| {
            each(row);
            let taken = take.with(|ingest| ingest.json(writer, 0, row));
            taken.map_err(|e| {
                ours = Some(e);
                Error::new(Kind::Interrupted, "the rows are not taken any more")
            })
        });
        match (ours, end) {
            (Some(error), _) => Err(error),
            (None, Err(error)) if about_one(&error) => {
                take.fail(&error);
                Ok(())
            }
            (None, end) => end,
        }
    }
}

/// Whether an error of the org is about one sObject.
pub(super) fn about_one(error: &Error) -> bool {
    matches!(
        error.kind(),
        Kind::Invalid | Kind::Denied | Kind::NotFound | Kind::Unsupported
    )
}

impl<'v> Reading<'_, 'v, '_, '_> {
    fn take(
        &mut self,
        at: usize,
        bytes: usize,
        act: impl FnOnce(&mut Ingest<'v>, &mut Writer<'v>) -> Result<()>,
    ) -> Result<()> {
        let (take, writer) = (&mut self.takes[self.which[at]], &mut self.capture.writer);
        take.rows += 1;
        take.bytes += bytes as u64;
        self.capture.under.bytes(bytes);
        let done = take.with(|ingest| act(ingest, writer));
        self.ours |= done.is_err();
        done
    }
}

impl Sink for Reading<'_, '_, '_, '_> {
    fn json(&mut self, at: usize, row: &[u8]) -> Result<()> {
        self.take(at, row.len(), |ingest, writer| ingest.json(writer, 0, row))
    }

    fn csv(&mut self, at: usize, page: &[u8]) -> Result<()> {
        self.take(at, page.len(), |ingest, writer| ingest.csv_page(writer, page))
    }

    fn reached(&mut self, at: usize, position: &[u8]) -> Result<()> {
        let which = self.which[at];
        let take = &mut self.takes[which];
        take.position = Some(position.to_vec());
        take.saved = None;
        let (name, before) = &self.names[which];
        (self.hear)(&Progress::Rows {
            sobject: name,
            rows: take.rows,
            bytes: take.bytes,
            before: *before,
        });
        self.capture.under.page();
        if !self.capture.under.due(None) {
            return Ok(());
        }
        let (spent, calls) = (self.spent, self.capture.under.calls_so_far());
        let saved = self.capture.save(spent, calls, self.takes, self.hear);
        self.ours |= saved.is_err();
        saved
    }

    fn done(&mut self, at: usize, end: Result<()>) -> Result<()> {
        let (take, writer) = (&mut self.takes[self.which[at]], &mut self.capture.writer);
        match end {
            Ok(()) => {
                take.read = true;
                let rested = take.with(|ingest| ingest.rest(writer));
                self.ours |= rested.is_err();
                rested
            }
            Err(error) => {
                take.fail(&error);
                Ok(())
            }
        }
    }
}
