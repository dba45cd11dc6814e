//! CumulusCI datasets: an SQL dump of related records with the mapping that says what its tables are.
//!
//! Key decision: rows go through the rules of the API one by one, as a load with CumulusCI's task would make
//! them, and every row and reference of the dump is accounted for: taken, or refused by a rule that is named.
//! Source: CumulusCI documentation, "Manage Data".
//! Not here: SFDX projects (`load`).

mod filter;
mod mapping;
mod matching;
mod names;
mod sql;
mod steps;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{LoadError, files};
use crate::org::State;

/// What loading a dataset did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatasetReport {
    /// By table of the dump: what became of its rows.
    pub tables: BTreeMap<String, TableReport>,
    /// Records created, by object.
    pub records: BTreeMap<String, usize>,
    /// Rows and references that were not taken.
    pub refused: Vec<Refused>,
    /// Custom objects, fields and record types that the mapping names and nothing defines.
    pub presumed: Vec<String>,
    /// What the mapping names and the dump lacks.
    pub notes: Vec<String>,
}

/// What became of the rows of one table. `rows` is the sum of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableReport {
    /// Rows of the table in the dump.
    pub rows: usize,
    /// Rows that made a new record.
    pub created: usize,
    /// Rows that changed a record, or stand for one that was there (`update`, `upsert`, `select`).
    pub matched: usize,
    /// Rows that tell of record types or Ids and are no records.
    pub aside: usize,
    /// Rows that made no record.
    pub refused: usize,
}

/// A row, or one reference of a row that was taken, which a rule kept out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    /// Table of the dump.
    pub table: String,
    /// Key of the row.
    pub row: String,
    /// The reference that stays empty, where the row itself was taken.
    pub field: Option<String>,
    /// Error code of the API, or name of a rule of loading.
    pub rule: String,
    /// The refusal in words.
    pub message: String,
}

/// Loads a dump by a mapping into an org.
pub(crate) fn load(state: &mut State, dump: &Path, mapping: &Path) -> Result<DatasetReport, LoadError> {
    let wrong = |path: &Path| {
        let path = path.to_owned();
        move |why| LoadError::Dataset { path, why }
    };
    let tables = sql::parse(&files::text(dump)?).map_err(wrong(dump))?;
    let plan = mapping::parse(&files::text(mapping)?).map_err(wrong(mapping))?;
    let presumed = names::presume(state, &plan, &tables);
    let mut report = steps::run(state, &plan, &tables).map_err(wrong(mapping))?;
    report.presumed = presumed;
    Ok(report)
}

/// The dump and the mapping that a path stands for: the folder's only dump, or the file itself; with the
/// mapping beside it, or the `mapping.yml` one folder up, which several dumps share.
pub(crate) fn files(path: &Path) -> Result<(PathBuf, PathBuf), LoadError> {
    let wrong = |why: &str| LoadError::Dataset {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    if !path.exists() {
        return Err(wrong("there is no such file"));
    }
    let folder = if path.is_dir() {
        path
    } else {
        path.parent().unwrap_or(path)
    };
    let dump = if path.is_dir() {
        let mut dumps = beside(folder, |name| name.ends_with(".sql"))?;
        match dumps.len() {
            1 => dumps.remove(0),
            0 => return Err(wrong("there is no .sql file")),
            _ => return Err(wrong("there are several .sql files: name one")),
        }
    } else {
        path.to_owned()
    };
    let plain = folder.join("mapping.yml");
    let mut mappings = beside(folder, |name| name.contains("mapping") && name.ends_with(".yml"))?;
    let shared = folder.parent().map(|up| up.join("mapping.yml"));
    let mapping = match (mappings.len(), shared) {
        _ if plain.is_file() => plain,
        (1, _) => mappings.remove(0),
        (0, Some(shared)) if shared.is_file() => shared,
        (0, _) => return Err(wrong("there is no mapping.yml")),
        _ => return Err(wrong("there are several mappings: name one")),
    };
    Ok((dump, mapping))
}

/// Whether a folder is a dataset of its own: it holds a dump.
pub(crate) fn is_dataset(dir: &Path) -> bool {
    beside(dir, |name| name.ends_with(".sql")).is_ok_and(|dumps| !dumps.is_empty())
}

/// The project around a dataset, whose objects it fills: the nearest folder up with one.
pub(crate) fn project_of(dir: &Path) -> Option<&Path> {
    let holds = |up: &&Path| {
        ["sfdx-project.json", "force-app"]
            .iter()
            .any(|n| up.join(n).exists())
    };
    dir.ancestors().find(holds)
}

fn beside(dir: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, LoadError> {
    let fail = |source| LoadError::Read {
        path: dir.to_owned(),
        source,
    };
    let mut out = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if wanted(&entry.file_name().to_string_lossy()) {
            out.push(entry.path());
        }
    }
    out.sort();
    Ok(out)
}
