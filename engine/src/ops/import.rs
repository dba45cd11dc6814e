//! A snapshot from files: `DIR/<sObject>.ndjson` or `.csv`, with `<sObject>.describe.json` beside it or inferred.
//!
//! Key decision: the files are the whole state of the sObjects that are there; any line that is wrong refuses the
//! whole import, with file and line, since a file can be corrected. sObjects without a file are carried forward.
//! It never touches the files.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{OrgId, RecordId, SnapshotId};
use crate::base::limits;
use crate::base::stamp::Stamp;
use crate::format::blob::holds_bodies;
use crate::format::describe::Describe;
use crate::format::page::VersionKind;
use crate::format::record::{Mode, json_keys};
use crate::format::schema::Schema;
use crate::ops::ingest::{Ingest, Rules, Target};
use crate::ops::org::Spent;
use crate::ops::publish::{Done, Draft, NewSchema, Numbered, next_number, numbered, open_holes, publish};
use crate::ops::report::{Report, SObjectReport};
use crate::vault::open::Vault;
use crate::vault::writer::Writer;

/// Bytes of rows to hold before pages are written.
const MEMORY: usize = 48 << 20;
/// Ids that did not come, taken at once.
const IDS_AT_ONCE: usize = 10_000;
/// Bytes of a file that are read at once: more than a record may have.
const BLOCK: usize = 8 << 20;
const _: () = assert!(BLOCK > limits::RECORD_BYTES_MAX);

/// Imports the folder `dir` as the state of `org` at `as_of`; with `delta`, as changes only, Ids that went in
/// `<sObject>.deleted`, one a line.
///
/// # Errors
/// `Invalid`, with file and line; nothing is published then.
pub fn import(
    vault: &Vault,
    org: OrgId,
    as_of: Stamp,
    dir: &Path,
    delta: bool,
    progress: &mut dyn FnMut(&SObjectReport),
) -> Result<Report> {
    vault.refresh()?;
    if let Some(newest) = vault.snapshots(org)?.last().filter(|s| s.from >= as_of) {
        let message = format!(
            "{as_of} is not later than {}, the newest snapshot of org {org}",
            newest.from
        );
        return Err(Error::invalid(message).hint("give a later --as-of"));
    }
    let files = files(dir)?;
    let (number, after) = next_number(vault, org)?;
    let mut import = Import {
        vault,
        org,
        as_of,
        number,
        delta,
        writer: Writer::new(vault),
    };
    let mut sobjects = Vec::new();
    for file in files {
        match import.one(&file) {
            Ok(done) => {
                progress(&SObjectReport::of(&done.captured));
                sobjects.push(done);
            }
            Err(error) => {
                import.writer.discard();
                return Err(error.within(file.display()));
            }
        }
    }
    let name = SnapshotId(vault.clock.random()?);
    let draft = Draft {
        org,
        number,
        after,
        name,
        held: None,
        beside: Vec::new(),
        from: as_of,
        until: as_of,
        source: "import".to_owned(),
        sobjects,
    };
    let (info, bytes) = publish(vault, import.writer, &draft)?;
    Ok(Report::of(
        &info,
        draft.sobjects.iter().map(|d| &d.captured),
        bytes,
        Spent::default(),
    ))
}

/// The data files, one an sObject, sorted.
fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in dir.read_dir().map_err(|e| Error::io(dir.display(), e))? {
        let path = entry.map_err(|e| Error::io(dir.display(), e))?.path();
        if matches!(
            path.extension().and_then(|e| e.to_str()),
            Some("ndjson" | "csv" | "deleted")
        ) {
            found.push(path);
        }
    }
    let named = |path: &&PathBuf| {
        path.file_stem()
            .and_then(|s| s.to_str())
            .is_some_and(holds_bodies)
    };
    if let Some(bodies) = found.iter().find(named) {
        let message = format!(
            "{}: what is said of bodies of files is not imported",
            bodies.display()
        );
        return Err(Error::invalid(message).hint("take the file away"));
    }
    found.sort();
    let deleted = |path: &PathBuf| path.extension().is_some_and(|e| e == "deleted");
    let stems: BTreeSet<_> = found
        .iter()
        .filter(|p| !deleted(p))
        .map(|p| p.with_extension(""))
        .collect();
    if stems.len() != found.iter().filter(|p| !deleted(p)).count() {
        return Err(
            Error::invalid(format!("{}: an sObject has two files", dir.display())).hint("keep one of them"),
        );
    }
    found.retain(|path| !(deleted(path) && stems.contains(&path.with_extension(""))));
    if found.is_empty() {
        let message = format!("{}: no <sObject>.ndjson or <sObject>.csv", dir.display());
        return Err(Error::new(Kind::NotFound, message).hint("name the folder that holds the files"));
    }
    Ok(found)
}

struct Import<'v> {
    vault: &'v Vault,
    org: OrgId,
    as_of: Stamp,
    number: u64,
    delta: bool,
    writer: Writer<'v>,
}

impl Import<'_> {
    fn one(&mut self, path: &Path) -> Result<Done> {
        let name = path
            .file_stem()
            .and_then(|s| s.to_str())
            .unwrap_or_default()
            .to_owned();
        let describe = described(path)?;
        let schema = Arc::new(schema(
            path,
            &name,
            describe.as_ref().map(|(describe, _)| describe),
        )?);
        let catalog = self.vault.catalog();
        let before = catalog.object(self.org, &name)?;
        let text = describe.as_ref().map(|(_, text)| text.clone());
        let Numbered {
            number: schema_number,
            fresh,
            ..
        } = numbered(self.vault, self.org, &schema, text.as_deref())?;
        let holes = if self.delta {
            Vec::new()
        } else {
            open_holes(self.vault, self.org, &name)?
        };
        let target = Target {
            vault: self.vault,
            snapshot: self.number,
            schema_number,
            schema: Arc::clone(&schema),
            runs: catalog.runs(self.org, &name)?,
            before,
            read: self.as_of,
            holes: holes.clone(),
            erased: self.writer.erased(self.org)?,
        };
        let rules = Rules {
            mode: Mode::Refuse,
            full: true,
            once: true,
            memory: MEMORY,
        };
        let (mut ingest, writer) = (Ingest::new(target, rules)?, &mut self.writer);
        let prefix = feed(path, &mut ingest, writer)?;
        bury(path, self.delta, &mut ingest, writer)?;
        let (runs, captured) = ingest.finish(writer)?;
        let given = describe.and_then(|(d, _)| d.key_prefix?.as_bytes().try_into().ok());
        let schema = fresh.then_some(NewSchema::Here(schema, text));
        Ok(Done {
            captured,
            failed: false,
            runs,
            schema,
            read_from: Stamp::NONE,
            key_prefix: given.or(prefix).unwrap_or_default(),
            filled: holes.into_iter().map(|(chunk, _)| chunk).collect(),
        })
    }
}

/// After all rows of a file: the records that are gone, because it is told so or because they did not come.
fn bury<'v>(path: &Path, delta: bool, ingest: &mut Ingest<'v>, writer: &mut Writer<'v>) -> Result<()> {
    if delta {
        ingest.check_once(writer)?;
        let ids = deleted(&path.with_extension("deleted"))?;
        return ingest.bury(writer, ids, VersionKind::Deleted);
    }
    let mut missing = ingest.missing(writer)?;
    loop {
        let ids = missing.next_few(IDS_AT_ONCE)?;
        if ids.is_empty() {
            return Ok(());
        }
        ingest.bury(writer, ids, VersionKind::Vanished)?;
    }
}

/// The schema of a file: by its describe, else by its columns.
fn schema(path: &Path, name: &str, describe: Option<&Describe>) -> Result<Schema> {
    match describe {
        Some(describe) if describe.name != name => {
            let message = format!("the describe beside it is of {}", describe.name);
            Err(Error::invalid(message))
        }
        Some(describe) => Schema::of(describe),
        None => Schema::inferred(name, columns(path)?),
    }
}

/// The describe beside a file, and its text.
fn described(path: &Path) -> Result<Option<(Describe, Vec<u8>)>> {
    let beside = path.with_extension("describe.json");
    match std::fs::read(&beside) {
        Ok(text) => Ok(Some((
            Describe::parse(&text).map_err(|e| e.within(beside.display()))?,
            text,
        ))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io(beside.display(), e)),
    }
}

fn open(path: &Path) -> Result<BufReader<File>> {
    Ok(BufReader::with_capacity(
        1 << 20,
        File::open(path).map_err(|e| Error::io("opening it", e))?,
    ))
}

/// Gives a file to `take` in blocks of whole lines, each with the number of its first line from 1 on. A line that is
/// longer than a record may be is given in parts, which nothing takes for a record.
fn blocks(path: &Path, mut take: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
    let mut file = File::open(path).map_err(|e| Error::io("opening it", e))?;
    let (mut block, mut first) = (vec![0; BLOCK], 1);
    let mut held = 0;
    loop {
        let read = match file.read(&mut block[held..]) {
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            other => other.map_err(|e| Error::io(format_args!("from line {first} on"), e))?,
        };
        held += read;
        if read > 0 && held < block.len() {
            continue;
        }
        let whole = match memchr::memrchr(b'\n', &block[..held]) {
            Some(end) if read > 0 => end + 1,
            _ => held,
        };
        take(first, &block[..whole])?;
        if read == 0 {
            return Ok(());
        }
        first += memchr::memchr_iter(b'\n', &block[..whole]).count() as u64;
        block.copy_within(whole..held, 0);
        held -= whole;
    }
}

/// Gives every line of a file to `each`, numbered from 1, without blanks at its ends; not those that are empty.
fn lines(path: &Path, mut each: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
    blocks(path, |first, block| {
        let mut lines = (first..).zip(block.split(|b| *b == b'\n'));
        lines.try_for_each(|(number, line)| match line.trim_ascii() {
            [] => Ok(()),
            text => each(number, text),
        })
    })
}

/// The columns of a file that nobody described.
fn columns(path: &Path) -> Result<Vec<String>> {
    let mut names = BTreeSet::new();
    match path.extension().and_then(|e| e.to_str()) {
        Some("csv") => {
            let mut reader = csv::Reader::from_reader(open(path)?);
            names.extend(reader.headers().map_err(csv_error)?.iter().map(str::to_owned));
        }
        Some("ndjson") => lines(path, |number, text| {
            let add = |name: &str| {
                if !names.contains(name) && name != "attributes" {
                    names.insert(name.to_owned());
                }
            };
            json_keys(text, add).map_err(|e| e.within(format_args!("line {number}")))
        })?,
        _ => {}
    }
    names.insert("Id".to_owned());
    Ok(names.into_iter().collect())
}

/// Feeds a file; returns the first characters of its Ids if all CSV rows share them, for sObjects without describe.
fn feed<'v>(path: &Path, ingest: &mut Ingest<'v>, writer: &mut Writer<'v>) -> Result<Option<[u8; 3]>> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("ndjson") => blocks(path, |first, block| ingest.json_lines(writer, first, block))?,
        Some("csv") => {
            let mut reader = csv::Reader::from_reader(open(path)?);
            let headers = reader.headers().map_err(csv_error)?.clone();
            ingest.columns(&headers.iter().collect::<Vec<_>>())?;
            let mut record = csv::ByteRecord::new();
            while reader.read_byte_record(&mut record).map_err(csv_error)? {
                let line = record.position().map_or(0, csv::Position::line);
                ingest.csv(writer, line, &record)?;
            }
        }
        _ => {}
    }
    Ok(None)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn csv_error(error: csv::Error) -> Error {
    let line = error.position().map_or(1, csv::Position::line);
    Error::invalid(format!("line {line}: {error}")).hint("correct the file; nothing was imported")
}

/// The Ids of a `.deleted` file; none if there is no such file.
fn deleted(path: &Path) -> Result<Vec<RecordId>> {
    let mut ids = Vec::new();
    if path.exists() {
        lines(path, |number, text| {
            let id = RecordId::parse(text);
            let bad = || Error::invalid(format!("{} line {number}: not a Salesforce Id", path.display()));
            ids.push(id.ok_or_else(bad)?);
            Ok(())
        })?;
    }
    Ok(ids)
}
