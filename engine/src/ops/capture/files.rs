//! The bodies of files: which are fetched, and what is said of each.
//!
//! Key decision: bodies are records of an sObject of the vault's own, `<sObject>.<field>`, with the stamp of the row that
//! has the file, so that a row whose stamp did not move costs a comparison of keys, and so that history, retention and
//! erasure are those of all records. What was fetched is safe with the next checkpoint. It knows no API, and no file
//! is ever whole in memory. `docs/files.md` says what it promises.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::RecordId;
use crate::base::stamp::Stamp;
use crate::format::blob::{Cutter, read_pieces};
use crate::format::describe::{Describe, FieldKind};
use crate::format::page::{KeyRow, VersionKind};
use crate::format::schema::Schema;
use crate::ops::bodies::{Body, Facts, Intake};
use crate::ops::capture::read::{Ask, Take, about_one};
use crate::ops::capture::{Capture, Hear, Progress};
use crate::ops::org::Source;
use crate::ops::report::MissingBodies;
use crate::vault::run::{StateCursor, Version, versions};

/// Bodies that were asked for in vain by an earlier capture and are again, one after the other, until one comes.
const PROBES: u64 = 5;
/// Bodies, one after the other, that do not come although the org answers: then it is the org.
const STUMBLES: u64 = 3;
/// Contents of documents that are remembered within a capture.
const DOCUMENTS: usize = 100_000;

/// The bodies of one base64 field on their way.
struct Files<'a> {
    /// The rows that have them, and the field.
    of: &'a Ask,
    field: &'a str,
    /// What is asked of the bodies' own sObject, and where its records are taken: the last of the takes.
    ask: Ask,
    cutter: Cutter,
    /// What documents hold, by document and MD5.
    documents: HashMap<(String, String), Body>,
    fetched: u64,
    bytes: u64,
    failed: u64,
    /// Whether the capture before this one asked for all bodies.
    asked_before: bool,
    /// In vain, one after the other: those that an earlier capture asked for too; those that broke off.
    vain: u64,
    stumbles: u64,
    /// What those that failed came to, by kind.
    missing: Vec<(Kind, MissingBodies)>,
}

impl Files<'_> {
    /// A body that could not be had.
    fn miss(&mut self, id: RecordId, error: &Error) {
        self.failed += 1;
        let kind = error.kind();
        tracing::warn!(%id, sobject = self.ask.describe.name, %error, "no body");
        if let Some((_, told)) = self.missing.iter_mut().find(|(of, _)| *of == kind) {
            told.rows += 1;
            return;
        }
        let told = MissingBodies {
            sobject: self.ask.describe.name.clone(),
            reason: error.message().to_owned(),
            rows: 1,
            first: id.to_string(),
        };
        self.missing.push((kind, told));
    }
}

impl<'v> Capture<'v, '_> {
    /// Fetches the bodies that are new for the rows that were taken; gives what is to be said of each base64 field.
    pub(super) fn files(
        &mut self,
        source: &mut dyn Source,
        asks: &[Ask],
        takes: &mut Vec<Take<'v>>,
        hear: &mut Hear<'_>,
    ) -> Result<Vec<(Ask, Take<'v>)>> {
        let mut finished = Vec::new();
        for (at, of) in asks.iter().enumerate() {
            let fields = of.describe.fields.iter().filter(|f| f.kind == FieldKind::Base64);
            for field in fields.filter(|_| self.options.files) {
                if takes[at].ingest.is_none() {
                    continue;
                }
                let mut ask = self.bodies_ask(of, &field.name)?;
                takes.push(self.begin_one(&mut ask)?);
                let mut files = Files {
                    of,
                    field: &field.name,
                    ask,
                    cutter: Cutter::new(self.vault.keys.blob_cut_table()),
                    documents: HashMap::new(),
                    fetched: 0,
                    bytes: 0,
                    failed: 0,
                    asked_before: self.asked_before(of, &field.name)?,
                    vain: 0,
                    stumbles: 0,
                    missing: Vec::new(),
                };
                let done = self.bodies(source, &mut files, takes, at, hear);
                if done.is_err() {
                    self.keep_what_came(source, takes, hear);
                }
                done?;
                // Its take stays among the others: what is saved meanwhile says of it too.
                finished.push(files.ask);
            }
        }
        let bodies = takes.split_off(asks.len());
        Ok(finished.into_iter().zip(bodies).collect())
    }

    /// What came before the org failed is kept.
    fn keep_what_came(&mut self, source: &dyn Source, takes: &mut [Take<'v>], hear: &mut Hear<'_>) {
        let spent = self.under.spent(source);
        if let Err(error) = self.save(spent, source.calls(), takes, hear) {
            tracing::warn!(%error, "what was taken could not be saved");
        }
    }

    fn bodies_ask(&mut self, of: &Ask, field: &str) -> Result<Ask> {
        let name = format!("{}.{field}", of.describe.name);
        let text = format!(
            r#"{{"name":"{name}","fields":[{{"name":"Id","type":"id"}},{{"name":"Length","type":"double"}},{{"name":"MD5","type":"string"}},{{"name":"Pieces","type":"string"}},{{"name":"SystemModstamp","type":"datetime"}}]}}"#
        );
        let describe = Describe::parse(text.as_bytes())?;
        let schema = Arc::new(Schema::of(&describe)?);
        let mut ask = self.ask(text.into_bytes(), describe, schema)?;
        // Rows that were read by a capture without bodies are not news any more.
        if !self.asked_before(of, field)? {
            ask.since = Stamp::NONE;
        }
        Ok(ask)
    }

    /// Whether the last capture of these rows looked at their bodies too.
    fn asked_before(&self, of: &Ask, field: &str) -> Result<bool> {
        let catalog = self.vault.catalog();
        let newest = |name: &str| -> Result<Option<u64>> {
            Ok(catalog.object(self.org, name)?.map(|entry| entry.snapshot))
        };
        let (rows, bodies) = (
            newest(&of.describe.name)?,
            newest(&format!("{}.{field}", of.describe.name))?,
        );
        Ok(rows <= bodies)
    }

    /// Compares the rows with the bodies that are there, and fetches what is wanting.
    fn bodies(
        &mut self,
        source: &mut dyn Source,
        files: &mut Files<'_>,
        takes: &mut [Take<'v>],
        at: usize,
        hear: &mut Hear<'_>,
    ) -> Result<()> {
        let (last, whole) = (takes.len() - 1, files.ask.full());
        let Some(mut rows) = self.rows_with_files(&mut takes[at], whole)? else {
            return Ok(());
        };
        if !whole && let Some(news) = self.rows_with_files(&mut takes[at], false)? {
            self.recall(files, news)?;
        }
        let Some(mut known) = self.current(&mut takes[last])? else {
            return Ok(());
        };
        let mut kept = known.next(true)?;
        while let Some(row) = rows.next(true)? {
            let id = row.key.id;
            if !whole && kept.as_ref().is_none_or(|kept| kept.key.id < id) {
                known.seek(id)?;
                kept = known.next(true)?;
            }
            while let Some(before) = kept.take_if(|kept| kept.key.id < id) {
                self.gone(&mut takes[last], &before, VersionKind::Vanished)?;
                kept = known.next(true)?;
            }
            let here = kept.take_if(|kept| kept.key.id == id);
            if here.is_some() {
                kept = known.next(true)?;
            }
            let here = here.as_ref().filter(|here| here.key.kind.is_live());
            if row.key.kind.is_live() {
                if self.stands(files, &row, here)? {
                    continue;
                }
                let row = self.filled(files, row)?;
                self.one_file(source, files, &row, here, &mut takes[last])?;
                self.save_if_due(source, takes, hear)?;
                hear(&Progress::Rows {
                    sobject: &files.ask.describe.name,
                    rows: files.fetched,
                    bytes: files.bytes,
                    before: files.ask.before,
                });
            } else if let Some(here) = here {
                self.gone(&mut takes[last], here, row.key.kind)?;
            }
        }
        while let Some(before) = kept.take().filter(|_| whole) {
            self.gone(&mut takes[last], &before, VersionKind::Vanished)?;
            kept = known.next(true)?;
        }
        self.say(files, &mut takes[last])
    }

    /// The rows to look at: all of them, or those that this capture brought.
    fn rows_with_files(&mut self, take: &mut Take<'v>, whole: bool) -> Result<Option<StateCursor<'v>>> {
        let Some(ingest) = &mut take.ingest else {
            return Ok(None);
        };
        let rows = if whole {
            ingest.current(&mut self.writer)
        } else {
            ingest.news(&mut self.writer)
        };
        rows.map(Some)
    }

    fn current(&mut self, take: &mut Take<'v>) -> Result<Option<StateCursor<'v>>> {
        let Some(ingest) = &mut take.ingest else {
            return Ok(None);
        };
        ingest.current(&mut self.writer).map(Some)
    }

    /// Whether the body that is kept is that of the row: nothing of the row was touched, and no piece is lost.
    fn stands(&mut self, files: &Files<'_>, row: &Version, kept: Option<&Version>) -> Result<bool> {
        match kept {
            Some(kept) if kept.key.system == stamp(&row.key) && kept.key.system.is_some() => {
                Ok(files.ask.holes.is_empty() || self.has_pieces(&Body::of(kept)?)?)
            }
            _ => Ok(false),
        }
    }

    fn has_pieces(&mut self, body: &Body) -> Result<bool> {
        let ids: Vec<_> = read_pieces(&body.pieces)?.iter().map(|piece| piece.id).collect();
        Ok(self.writer.present(&ids)?.iter().all(Option::is_some))
    }

    fn gone(&mut self, take: &mut Take<'v>, body: &Version, kind: VersionKind) -> Result<()> {
        if !body.key.kind.is_live() {
            return Ok(());
        }
        // Whose winner it was stands with the row.
        let kind = if kind == VersionKind::Merged {
            VersionKind::Deleted
        } else {
            kind
        };
        let writer = &mut self.writer;
        take.with(|ingest| ingest.bury(writer, [body.key.id], kind))
    }

    /// A row with its values: where its stamps alone moved, those that it had.
    fn filled(&self, files: &Files<'_>, mut row: Version) -> Result<Version> {
        if row.values.is_none() {
            let runs = self.vault.catalog().runs(self.org, &files.of.describe.name)?;
            let before = versions(self.vault, &runs, row.key.id)?;
            row.values = before.into_iter().find_map(|version| version.values);
        }
        Ok(row)
    }

    /// The body of one row: one that is known, or fetched.
    fn one_file(
        &mut self,
        source: &mut dyn Source,
        files: &mut Files<'_>,
        row: &Version,
        kept: Option<&Version>,
        take: &mut Take<'v>,
    ) -> Result<()> {
        let facts = Facts::of(row)?;
        if facts.elsewhere() {
            return Ok(());
        }
        let kept = kept.map(Body::of).transpose()?;
        let body = match self.known(files, &facts, row.key.id, kept.as_ref())? {
            Some(body) => body,
            None => match self.ask_for(source, files, &facts, &row.key)? {
                Some(body) => body,
                None => return Ok(()),
            },
        };
        if let Some(content) = facts.content().filter(|_| files.documents.len() < DOCUMENTS) {
            files.documents.insert(content, body.clone());
        }
        let (text, writer) = (body.row(row.key.id, stamp(&row.key)), &mut self.writer);
        take.with(|ingest| ingest.json(writer, 0, text.as_bytes()))?;
        take.stands_at(row.key.id.as_bytes());
        Ok(())
    }

    /// Asks for a body, unless those that were asked for in vain before are again; none if it cannot be had.
    ///
    /// # Errors
    /// The org's where it gives no bodies at all, or does not answer; the vault's.
    fn ask_for(
        &mut self,
        source: &mut dyn Source,
        files: &mut Files<'_>,
        facts: &Facts,
        row: &KeyRow,
    ) -> Result<Option<Body>> {
        let again = files.asked_before && row.snapshot < self.number && files.ask.holes.is_empty();
        if again && files.vain >= PROBES {
            files.failed += 1;
            if let Some((_, told)) = files.missing.last_mut() {
                told.rows += 1;
            }
            return Ok(None);
        }
        let mut fetched = self.fetch(source, files, facts, row.id)?;
        if fetched.as_ref().is_err_and(|error| error.kind() == Kind::Corrupt) {
            // An answer may be empty or cut in one go without a word of it: once more.
            fetched = self.fetch(source, files, facts, row.id)?;
        }
        let error = match fetched {
            Ok(body) => {
                (files.vain, files.stumbles) = (0, 0);
                return Ok(Some(body));
            }
            Err(error) => error,
        };
        files.stumbles += 1;
        match error.kind() {
            Kind::Corrupt => files.stumbles = 0,
            _ if about_one(&error) => files.stumbles = 0,
            // One file must not keep all others from being backed up: the org is asked whether it is there.
            Kind::Io if files.stumbles < STUMBLES && source.now().is_ok() => {}
            _ => return Err(error),
        }
        files.vain += u64::from(again);
        files.miss(row.id, &error);
        Ok(None)
    }

    /// A body with the checksum and the length that the org tells: of the same row, now or before it was deleted, or of
    /// the same document.
    fn known(
        &mut self,
        files: &Files<'_>,
        facts: &Facts,
        id: RecordId,
        kept: Option<&Body>,
    ) -> Result<Option<Body>> {
        let remembered = facts.content().and_then(|content| files.documents.get(&content));
        let mut candidates: Vec<Body> = kept.into_iter().chain(remembered).cloned().collect();
        if candidates.iter().all(|body| !facts.fits(body)) && facts.md5.is_some() {
            candidates = self.before_deletion(&files.ask.describe.name, id)?;
        }
        for body in candidates.into_iter().filter(|body| facts.fits(body)) {
            if self.has_pieces(&body)? {
                return Ok(Some(body));
            }
        }
        Ok(None)
    }

    /// What earlier snapshots have of this body.
    fn before_deletion(&self, name: &str, id: RecordId) -> Result<Vec<Body>> {
        let runs = self.vault.catalog().runs(self.org, name)?;
        versions(self.vault, &runs, id)?
            .iter()
            .filter(|v| v.values.is_some())
            .map(Body::of)
            .collect()
    }

    /// Remembers what the documents hold of which new versions came: one look at the rows that were there before.
    fn recall(&self, files: &mut Files<'_>, mut rows: StateCursor<'v>) -> Result<()> {
        let mut wanted = HashSet::new();
        while let Some(row) = rows.next(true)? {
            if row.key.kind.is_live() && row.values.is_some() && wanted.len() < DOCUMENTS {
                let facts = Facts::of(&row)?;
                wanted.extend(facts.content().filter(|_| facts.is_later_version()));
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let catalog = self.vault.catalog();
        let before = catalog.runs(self.org, &files.of.describe.name)?;
        let bodies = catalog.runs(self.org, &files.ask.describe.name)?;
        let mut before = StateCursor::open(self.vault, &before, self.number)?;
        while let Some(row) = before.next(true)? {
            if !row.key.kind.is_live() || row.values.is_none() {
                continue;
            }
            let content = Facts::of(&row)?.content();
            let Some(content) = content.filter(|content| wanted.contains(content)) else {
                continue;
            };
            let versions = versions(self.vault, &bodies, row.key.id)?;
            if let Some(newest) = versions.iter().find(|v| v.values.is_some()) {
                files.documents.insert(content, Body::of(newest)?);
            }
        }
        Ok(())
    }

    /// Fetches a body; an error inside is the org's.
    fn fetch(
        &mut self,
        source: &mut dyn Source,
        files: &mut Files<'_>,
        facts: &Facts,
        id: RecordId,
    ) -> Result<Result<Body>> {
        let mut intake = Intake::new(self.vault, &files.cutter);
        if facts.length == Some(0) {
            // Nothing to ask for.
            let body = intake.finish(&mut self.writer)?;
            return Ok(facts.check(&body).map(|()| body));
        }
        let (writer, mut ours) = (&mut self.writer, None);
        let end = source.body(&files.of.describe.name, id, files.field, 0, &mut |at, bytes| {
            intake.follows(at)?;
            intake.take(writer, at, bytes).map_err(|e| {
                ours = Some(e);
                Error::new(Kind::Interrupted, "the bytes are not taken any more")
            })
        });
        match (ours, end) {
            (Some(error), _) => return Err(error),
            (None, Err(error)) => return Ok(Err(error)),
            (None, Ok(())) => {}
        }
        let body = intake.finish(writer)?;
        self.under.bytes(body.length as usize);
        (files.fetched, files.bytes) = (files.fetched + 1, files.bytes + body.length);
        Ok(facts.check(&body).map(|()| body))
    }

    /// What the snapshot says of these bodies.
    fn say(&mut self, files: &mut Files<'_>, take: &mut Take<'v>) -> Result<()> {
        let (writer, from, failed) = (&mut self.writer, self.from, files.failed);
        let missing = std::mem::take(&mut files.missing);
        self.missing_bodies
            .extend(missing.into_iter().map(|(_, told)| told));
        take.with(|ingest| {
            ingest.rest(writer)?;
            ingest.captured.counted = Some(ingest.captured.live + failed);
            if failed == 0 {
                ingest.captured.agreed = from;
            }
            Ok(())
        })?;
        files.ask.unfinished = failed > 0;
        Ok(())
    }
}

/// What tells whether a row was touched.
fn stamp(row: &KeyRow) -> Stamp {
    if row.system.is_some() {
        row.system
    } else {
        row.modified
    }
}
