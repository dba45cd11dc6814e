//! A whole org in a file, and back: the org goes on as if it had never stopped.
//!
//! Key decision: JSON lines, one row a line, so that neither way holds more than a line beside the org. The
//! state is taken apart field by field: a new field does not compile until it is saved or left out by name.
//! Format: `{"saved_org":1}`, `{"org":{..}}` with all but rows and files, `{"row":[object, {..}]}` each,
//! `{"file":base64}` each, `{"end":rows and files}`. What can be computed from the rest (indexes, parsed
//! formulas) is not in it.
//! Not here: scripted faults, open queries and Bulk API jobs, which belong to a run and not to an org.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::access::Access;
use super::behaviour::Behaviour;
use super::limits::Charged;
use super::replication::Replication;
use super::settings::Settings;
use super::state::{Row, State};
use crate::http::conditional::Sent;
use crate::http::session::Sessions;
use crate::id::normalise;
use crate::load::LoadError;
use crate::schema::Schema;

/// Version of the format.
const VERSION: u32 = 1;
/// Counters beyond this are no org's.
const HIGHEST: u64 = 1 << 53;

/// One line of the file.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    SavedOrg(u32),
    Org(Box<Head>),
    /// The bytes of a file, as base64, in the order of their numbers.
    File(String),
    Row(String, Row),
    End(usize),
}

/// All but the rows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    schema: Schema,
    clock_ms: i64,
    settings: Settings,
    access: Access,
    behaviour: Behaviour,
    sessions: Sessions,
    replication: Replication,
    sent: Sent,
    queries: u64,
    calls: BTreeMap<String, u64>,
    charged: Charged,
    org_id: String,
    api_user: String,
    ui_user: String,
    deletes: u64,
    counters: BTreeMap<String, u64>,
}

/// Writes an org to a file.
pub(crate) fn save(state: &State, path: &Path) -> io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let mut out = BufWriter::new(File::create(&partial)?);
    write(state, &mut out)?;
    out.into_inner()?.sync_all()?;
    fs::rename(&partial, path)
}

/// Writes an org, line by line.
pub(super) fn write(state: &State, out: &mut impl Write) -> io::Result<()> {
    let State {
        schema,
        tables,
        index: _,
        clock,
        settings,
        access,
        behaviour,
        faults: _,
        sessions,
        cursors,
        bulk: _,
        files,
        replication,
        late: _,
        sent,
        options: _,
        calls,
        charged,
        visits: _,
        used: _,
        org_id,
        api_user,
        ui_user,
        running: _,
        deletes,
        counters,
        journal: _,
        joined: _,
    } = state;
    put(out, &json!({"saved_org": VERSION}))?;
    let head = json!({
        "schema": schema, "clock_ms": clock.now().as_millisecond(), "settings": settings,
        "access": access, "behaviour": behaviour, "sessions": sessions, "replication": replication, "sent": sent, "queries": cursors.made(), "calls": calls, "charged": charged, "org_id": org_id,
        "api_user": api_user, "ui_user": ui_user, "deletes": deletes, "counters": counters,
    });
    put(out, &json!({"org": head}))?;
    let mut rows = 0;
    for (object, table) in tables {
        for row in table.values() {
            put(out, &BTreeMap::from([("row", (object, row))]))?;
            rows += 1;
        }
    }
    for bytes in files.contents() {
        put(out, &BTreeMap::from([("file", STANDARD.encode(bytes))]))?;
        rows += 1;
    }
    put(out, &json!({"end": rows}))
}

fn put(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// Reads an org from a file.
pub(crate) fn load(path: &Path) -> Result<State, LoadError> {
    let unread = |source| LoadError::Read {
        path: path.to_owned(),
        source,
    };
    read(BufReader::new(File::open(path).map_err(unread)?), path)
}

/// Reads an org, line by line; `path` names it in errors.
pub(super) fn read(from: impl BufRead, path: &Path) -> Result<State, LoadError> {
    let mut reading = Reading::default();
    let mut number = 0;
    for line in from.lines() {
        number += 1;
        let took = match line {
            Ok(text) => serde_json::from_str(&text).map_err(|e| e.to_string()),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => Err(e.to_string()),
            Err(source) => {
                return Err(LoadError::Read {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        took.and_then(|line| reading.take(line))
            .map_err(|why| LoadError::Saved {
                path: path.to_owned(),
                line: number,
                why,
            })?;
    }
    match reading {
        Reading::Done(state) => Ok(*state),
        _ => Err(LoadError::Saved {
            path: path.to_owned(),
            line: number,
            why: "the file breaks off before its last line".to_owned(),
        }),
    }
}

/// How far the file has been read.
#[derive(Default)]
enum Reading {
    #[default]
    Nothing,
    Version,
    Rows(Box<State>, usize),
    Done(Box<State>),
}

impl Reading {
    fn take(&mut self, line: Line) -> Result<(), String> {
        *self = match (std::mem::take(self), line) {
            (Self::Nothing, Line::SavedOrg(VERSION)) => Self::Version,
            (Self::Nothing, Line::SavedOrg(other)) => {
                return Err(format!("the format is version {other}, known is {VERSION}"));
            }
            (Self::Version, Line::Org(head)) => Self::Rows(Box::new(born(*head)?), 0),
            (Self::Rows(mut state, rows), Line::File(text)) => {
                let bytes = STANDARD.decode(text).map_err(|e| e.to_string())?;
                let before = state.files.contents().len();
                state.files.keep(bytes.into());
                if state.files.contents().len() == before {
                    return Err("this file is there twice".to_owned());
                }
                Self::Rows(state, rows + 1)
            }
            (Self::Rows(mut state, rows), Line::Row(object, row)) => {
                place(&mut state, &object, row)?;
                Self::Rows(state, rows + 1)
            }
            (Self::Rows(state, rows), Line::End(all)) if rows == all => Self::Done(state),
            (Self::Rows(_, rows), Line::End(all)) => return Err(format!("{rows} rows of {all} are there")),
            (Self::Nothing, _) => return Err("this is no saved org".to_owned()),
            _ => return Err("this line has no place here".to_owned()),
        };
        Ok(())
    }
}

/// The org without its rows.
fn born(head: Head) -> Result<State, String> {
    let Head {
        schema,
        clock_ms,
        settings,
        access,
        behaviour,
        sessions,
        replication,
        sent,
        queries,
        calls,
        charged,
        org_id,
        api_user,
        ui_user,
        deletes,
        counters,
    } = head;
    let named = counters.values().chain(calls.values()).copied();
    let mut counts = named.chain([queries, deletes, sessions.made()]);
    if let Some(n) = counts.find(|n| *n > HIGHEST) {
        return Err(format!("a counter stands at {n}"));
    }
    drop(counts);
    for id in [&org_id, &api_user, &ui_user] {
        if normalise(id).as_ref() != Some(id) {
            return Err(format!("{id:?} is no Id of 18 characters"));
        }
    }
    let mut state = State::new(schema);
    state
        .clock
        .set(Timestamp::from_millisecond(clock_ms).map_err(|e| e.to_string())?);
    state.cursors.resume(queries);
    state.running.clone_from(&api_user);
    (state.settings, state.access, state.behaviour) = (settings, access, behaviour);
    (state.sessions, state.calls, state.charged) = (sessions, calls, charged);
    (state.org_id, state.api_user, state.ui_user) = (org_id, api_user, ui_user);
    (state.replication, state.sent) = (replication, sent);
    (state.deletes, state.counters) = (deletes, counters);
    Ok(state)
}

/// Puts a row where it was.
fn place(state: &mut State, object: &str, row: Row) -> Result<(), String> {
    let id = row.text("Id").to_owned();
    let def = state.schema.object(object).filter(|d| d.name == object);
    let def = def.ok_or_else(|| format!("{object:?} is no object of the org"))?;
    if normalise(&id).as_ref() != Some(&id) || !id.starts_with(&def.key_prefix) {
        return Err(format!("{id:?} is no Id of {object}"));
    }
    if state.row(&id).is_some() {
        return Err(format!("{id} is there twice"));
    }
    let odd = |(name, value): &(&str, Value)| {
        def.field(name).is_none_or(|f| f.name != *name)
            || value.is_null()
            || value.is_array()
            || value.is_object()
    };
    if let Some((name, value)) = row.values.iter().find(odd) {
        return Err(format!("{object} holds no {name} of {value}"));
    }
    state.put(object, &id, Some(row));
    state.journal.clear();
    Ok(())
}
