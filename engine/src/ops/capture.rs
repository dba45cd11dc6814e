//! Backup: the state of an org, as it was in the interval [U, E], as a snapshot.
//!
//! Key decision: U is the org's clock before the first read; an increment reads from the last U less an overlap
//! and has no upper bound; what the org counts is compared with what the snapshot holds, and where they differ the
//! sObject is read whole. It knows no API: rows come from a [`Source`].

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{OrgId, RecordId, SnapshotId};
use crate::base::stamp::Stamp;
use crate::format::describe::Describe;
use crate::format::manifest::Captured;
use crate::format::page::VersionKind;
use crate::format::record::Mode;
use crate::format::schema::{Role, Schema};
use crate::ops::ingest::{Ingest, Rules, Target};
use crate::ops::org::{EachRow, Read, SObjectInfo, Scope, Source};
use crate::ops::publish::{Done, Draft, Numbered, next_number, numbered, open_holes, publish};
use crate::ops::report::{Report, SObjectReport};
use crate::vault::open::Vault;
use crate::vault::run::RunPages;
use crate::vault::writer::Writer;

/// How to back up.
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// Only these sObjects.
    pub only: Option<Vec<String>>,
    /// Read everything, not only what changed.
    pub full: bool,
    /// How far behind the last U an increment begins, in milliseconds.
    pub overlap_millis: i64,
    /// Bytes of rows to hold before pages are written.
    pub memory: usize,
}

impl Default for BackupOptions {
    fn default() -> Self {
        Self {
            only: None,
            full: false,
            overlap_millis: 15 * 60_000,
            memory: 48 << 20,
        }
    }
}

/// Ids asked for in one reading.
const IDS_AT_ONCE: usize = 2000;

/// Captures a snapshot; `progress` hears of each sObject when it is done.
///
/// # Errors
/// Nothing is published then. An sObject that alone cannot be read is not an error: the report says why.
pub fn backup(
    vault: &Vault,
    source: &mut dyn Source,
    options: &BackupOptions,
    progress: &mut dyn FnMut(&SObjectReport),
) -> Result<Report> {
    vault.refresh()?;
    let calls = source.calls();
    let identity = source.identity()?;
    let from = source.now()?;
    let (number, after) = next_number(vault, identity.org)?;
    let mut capture = Capture {
        vault,
        org: identity.org,
        number,
        from,
        options,
        writer: Writer::new(vault),
    };
    let mut sobjects = Vec::new();
    for info in capture.chosen(source.sobjects()?)? {
        let mut heard = Heard {
            source: &mut *source,
            refused: false,
        };
        let done = match capture.one(&mut heard, &info) {
            Ok(done) => done,
            Err(error) if stops_everything(error.kind(), heard.refused) => {
                capture.writer.discard();
                return Err(error.within(info.name));
            }
            Err(error) => Done {
                failed: true,
                ..skipped(&info.name, error.to_string())
            },
        };
        progress(&SObjectReport::of(&done.captured, done.erased));
        sobjects.push(done);
    }
    let until = source.now()?;
    let (org, number, writer) = (capture.org, capture.number, capture.writer);
    let name = SnapshotId(vault.clock.random()?);
    let source_name = format!("rest {}", identity.api_version);
    let draft = Draft {
        org,
        number,
        after,
        name,
        from,
        until,
        source: source_name,
        sobjects,
    };
    let (info, bytes) = publish(vault, writer, &draft)?;
    let captured = draft.sobjects.iter().map(|d| (&d.captured, d.erased));
    let report = Report::of(&info, captured, bytes, source.calls() - calls);
    Ok(Report {
        failed: draft.failed().collect(),
        ..report
    })
}

/// Errors that are not about one sObject. What the vault is denied, or does not find, is none of the org's business.
fn stops_everything(kind: Kind, refused: bool) -> bool {
    match kind {
        Kind::Invalid => false,
        Kind::Denied | Kind::NotFound | Kind::Unsupported => !refused,
        _ => true,
    }
}

/// The org, and whether it was the org that failed.
struct Heard<'s> {
    source: &'s mut dyn Source,
    refused: bool,
}

impl Heard<'_> {
    fn describe(&mut self, sobject: &str) -> Result<Vec<u8>> {
        let text = self.source.describe(sobject);
        self.refused |= text.is_err();
        text
    }

    fn read(&mut self, read: Read<'_>, each: &mut EachRow<'_>) -> Result<()> {
        let mut ours = false;
        let done = self
            .source
            .read(read, &mut |text| each(text).inspect_err(|_| ours = true));
        self.refused |= done.is_err() && !ours;
        done
    }

    fn count(&mut self, sobject: &str) -> Result<u64> {
        let count = self.source.count(sobject);
        self.refused |= count.is_err();
        count
    }
}

fn skipped(name: &str, why: String) -> Done {
    let captured = Captured {
        name: name.to_owned(),
        skipped: Some(why),
        ..Captured::default()
    };
    Done {
        captured,
        failed: false,
        erased: 0,
        runs: Vec::new(),
        schema: None,
        read_from: Stamp::NONE,
        key_prefix: [0; 3],
        filled: Vec::new(),
    }
}

struct Capture<'v, 'o> {
    vault: &'v Vault,
    org: OrgId,
    number: u64,
    from: Stamp,
    options: &'o BackupOptions,
    writer: Writer<'v>,
}

impl<'v> Capture<'v, '_> {
    /// The sObjects asked for; one that does not exist is an error.
    fn chosen(&self, all: Vec<SObjectInfo>) -> Result<Vec<SObjectInfo>> {
        let Some(only) = &self.options.only else {
            return Ok(all);
        };
        if let Some(unknown) = only
            .iter()
            .find(|name| all.iter().all(|info| info.name != **name))
        {
            return Err(
                Error::new(Kind::NotFound, format!("the org has no sObject {unknown}"))
                    .hint("correct the name, or give the user the right to see it"),
            );
        }
        Ok(all.into_iter().filter(|info| only.contains(&info.name)).collect())
    }

    fn one(&mut self, source: &mut Heard<'_>, info: &SObjectInfo) -> Result<Done> {
        if let Some(why) = &info.unreadable {
            return Ok(skipped(&info.name, why.clone()));
        }
        let text = source.describe(&info.name)?;
        let describe = Describe::parse(&text)?;
        let schema = Arc::new(Schema::of(&describe)?);
        let before = self.vault.catalog().object(self.org, &info.name)?;
        let Numbered {
            number,
            fresh,
            same_fields,
        } = numbered(self.vault, self.org, &schema, Some(&text))?;
        let stamped = schema.has(Role::SystemModstamp) || schema.has(Role::LastModifiedDate);
        let since = before
            .as_ref()
            .map_or(Stamp::NONE, |b| b.read_from)
            .minus_millis(self.options.overlap_millis);
        let holes = open_holes(self.vault, self.org, &info.name)?;
        let increment = !self.options.full && same_fields && stamped && since.is_some() && holes.is_empty();
        let job = Job {
            describe: &describe,
            schema: &schema,
            number,
            source,
        };
        let (runs, captured, erased) = self.read(job, increment.then_some(since))?;
        let key_prefix = describe
            .key_prefix
            .as_deref()
            .and_then(|p| p.as_bytes().try_into().ok())
            .unwrap_or_default();
        let schema = fresh.then(|| (Arc::clone(&schema), Some(text)));
        Ok(Done {
            captured,
            failed: false,
            erased,
            runs,
            schema,
            read_from: self.from,
            key_prefix,
            filled: holes.into_iter().map(|(chunk, _)| chunk).collect(),
        })
    }

    /// Reads an increment, and the whole sObject where that cannot be trusted.
    fn read(&mut self, mut job: Job<'_, '_>, since: Option<Stamp>) -> Result<Taken> {
        if let Some(since) = since {
            let taken = self.increment(&mut job, since)?;
            let (_, captured, erased) = &taken;
            if captured.counted == Some(captured.live + erased) {
                return Ok(taken);
            }
            let Captured {
                name, live, counted, ..
            } = captured;
            tracing::info!(
                name,
                live,
                counted,
                "the org counts another number of records: reading all of them"
            );
        }
        self.everything(&mut job)
    }

    fn ingest<'a>(&'a mut self, job: &Job<'_, '_>, full: bool) -> Result<Ingest<'a, 'v>> {
        let catalog = self.vault.catalog();
        let name = job.schema.sobject();
        let target = Target {
            vault: self.vault,
            snapshot: self.number,
            schema_number: job.number,
            schema: Arc::clone(job.schema),
            runs: catalog.runs(self.org, name)?,
            before: catalog.object(self.org, name)?,
            read: self.from,
            holes: if full {
                open_holes(self.vault, self.org, name)?
            } else {
                Vec::new()
            },
            erased: self.writer.erased(self.org)?,
        };
        let rules = Rules {
            mode: Mode::KeepRaw,
            full,
            once: false,
            memory: self.options.memory,
        };
        Ingest::new(target, rules, &mut self.writer)
    }

    /// Reads what changed.
    fn increment(&mut self, job: &mut Job<'_, '_>, since: Stamp) -> Result<Taken> {
        let mut ingest = self.ingest(job, false)?;
        job.read(Scope::Since(since), &mut ingest)?;
        let mut taken = ingest.finish()?;
        taken.1.counted = Some(job.source.count(job.schema.sobject())?);
        Ok(taken)
    }

    fn everything(&mut self, job: &mut Job<'_, '_>) -> Result<Taken> {
        let mut ingest = self.ingest(job, true)?;
        job.read(Scope::All, &mut ingest)?;
        let mut missing = ingest.missing()?;
        loop {
            let ids = missing.next_few(IDS_AT_ONCE)?;
            if ids.is_empty() {
                break;
            }
            let came: BTreeSet<_> = job.read(Scope::Ids(&ids), &mut ingest)?.into_iter().collect();
            ingest.bury(
                ids.into_iter().filter(|id| !came.contains(id)),
                VersionKind::Vanished,
            )?;
        }
        let mut taken = ingest.finish()?;
        taken.1.counted = Some(job.source.count(job.schema.sobject())?);
        Ok(taken)
    }
}

/// The runs of one sObject to be published, its counts, and live records left out since they were erased.
type Taken = (Vec<RunPages>, Captured, u64);

/// The reading of one sObject.
struct Job<'j, 's> {
    describe: &'j Describe,
    schema: &'j Arc<Schema>,
    number: u32,
    source: &'j mut Heard<'s>,
}

#[derive(Deserialize)]
struct OnlyId {
    #[serde(rename = "Id")]
    id: String,
}

impl Job<'_, '_> {
    /// Reads into `ingest`; when asked by Ids, returns those that came.
    fn read(&mut self, scope: Scope<'_>, ingest: &mut Ingest<'_, '_>) -> Result<Vec<RecordId>> {
        let fields = self.schema.selected();
        let (mut row, mut came) = (0, Vec::new());
        let by_id = matches!(scope, Scope::Ids(_));
        self.source.read(
            Read {
                describe: self.describe,
                fields: &fields,
                scope,
                from: None,
            },
            &mut |text| {
                row += 1;
                if by_id && let Ok(OnlyId { id }) = serde_json::from_slice(text) {
                    came.extend(RecordId::parse(id.as_bytes()));
                }
                ingest.json(row, text)
            },
        )?;
        Ok(came)
    }
}
