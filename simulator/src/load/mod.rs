//! An org out of an SFDX project: object definitions, then data.
//!
//! Key decision: what the project gets wrong never stops a load; each thing left out is a line of the report.
//! All records of all files are laid side by side first, their references tied to one another, and only then
//! created, parents before children, so that the order of files does not matter.
//! Source: Salesforce DX developer guide, "Project Structure"; CLI reference, "data import tree".
//! Not here: the rules of creating (`write`).

mod csv_data;
pub(crate) mod dataset;
mod definitions;
mod files;
mod metadata;
mod place;
pub(crate) mod rebuilt;
mod rules;
mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::org::State;
use crate::org::birth;
use crate::schema::{recorded, standard};

/// Why a project cannot be loaded at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The directory, or something in it, cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// What could not be read.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line of a saved org is not what the format says.
    #[error("{path}, line {line}: {why}")]
    Saved {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A value given as a describe is none.
    #[error("not a describe: {0}")]
    Describe(String),
    /// A row of an org that is made again is none.
    #[error("not a row: {0}")]
    Row(String),
    /// A dump or a mapping is not to be read, or not to be found.
    #[error("{path}: {why}")]
    Dataset {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// What a load did, and what it left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Rows created, by object.
    pub rows: BTreeMap<String, usize>,
    /// Objects that the project defines or adds fields to.
    pub objects: Vec<String>,
    /// Files whose data were loaded.
    pub files: Vec<PathBuf>,
    /// Lines for people: what was left out and why, each with its file.
    pub skipped: Vec<String>,
}

impl LoadReport {
    fn skip(&mut self, path: &Path, why: impl std::fmt::Display) {
        self.skipped.push(format!("{}: {why}", path.display()));
    }

    fn add(&mut self, path: &Path, done: dataset::DatasetReport) {
        for (object, rows) in done.records {
            *self.rows.entry(object).or_default() += rows;
        }
        for line in done.notes {
            self.skip(path, line);
        }
        for no in done.refused {
            let at = no.field.map_or(String::new(), |f| format!(".{f}"));
            self.skip(
                path,
                format_args!("{} {}{at}: {}: {}", no.table, no.row, no.rule, no.message),
            );
        }
    }
}

/// Loads a project.
pub(crate) fn project(dir: &Path, describes: &[Value]) -> Result<(State, LoadReport), LoadError> {
    let mut report = LoadReport::default();
    let mut state = State::new(standard::schema());
    for describe in describes {
        state
            .schema
            .insert(recorded::object(describe).map_err(LoadError::Describe)?);
    }
    // A dataset alone has no definitions: those of the project around it are meant.
    let data = dataset::is_dataset(dir);
    let root = if data { dataset::project_of(dir) } else { None };
    let files = files::all(root.unwrap_or(dir))?;
    definitions::read(&mut state.schema, &files, &mut report)?;
    birth::populate(&mut state);
    metadata::read(&mut state, &files, &mut report)?;
    rules::read(&mut state, &files, &mut report)?;
    if data {
        let (dump, mapping) = dataset::files(dir)?;
        let done = dataset::load(&mut state, &dump, &mapping)?;
        report.files.extend([dump, mapping]);
        report.add(dir, done);
        return Ok((state, report));
    }
    let mut records = tree::read(&state.schema, &files, &mut report)?;
    if records.is_empty() {
        records = csv_data::read(&state.schema, &files, &mut report)?;
    }
    place::all(&mut state, records, &mut report);
    Ok((state, report))
}
