//! A state, or what changed between two, as Parquet files: a folder an sObject, which other engines read in place.
//!
//! Key decision: typed by the describes up to the snapshot; where a value does not fit its type the whole column is text
//! in this export and the caller is told, so that nothing is rounded, cut or lost. The rules stand in `docs/parquet.md`.
//! It cannot be imported again: that is what NDJSON is for.

mod column;
mod fields;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ::parquet::file::metadata::KeyValue;

use column::{Column, Kind};
use table::Table;

pub use table::AsText;

use crate::base::error::{Error, Result};
use crate::format::record::Token;
use crate::ops::diff::{Change, ChangeKind, diff};
use crate::ops::export::wanted;
use crate::ops::state::{Record, State};
use crate::vault::catalog::SnapshotInfo;
use crate::vault::open::Vault;

/// The columns in front of those of a record, where changes are told.
const CHANGE: [(&str, bool); 2] = [("_change_type", true), ("_changed_fields", false)];

/// What was written of one sObject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// API name.
    pub sobject: String,
    /// Rows of its table.
    pub rows: u64,
    /// Columns that are text because values do not fit their types.
    pub as_text: Vec<AsText>,
}

/// Writes every sObject of `state` (or `only` those) as `DIR/<sObject>/part-00000.parquet` and on.
pub fn state(state: &State<'_>, only: Option<&[String]>, dir: &Path) -> Result<Vec<Written>> {
    let names = wanted(state, only)?;
    let plan = Plan::new(state, None, &names, dir)?;
    let one = |name: &String| {
        plan.write(name, &mut |table| {
            state.lines(name, &mut |block, _| {
                let mut start = 0;
                memchr::memchr_iter(b'\n', block).try_for_each(|end| {
                    let line = &block[start..end];
                    start = end + 1;
                    table.take(&[], line)
                })
            })
        })
    };
    names.iter().map(one).collect()
}

/// Writes what changed between snapshots `since` and `until`, as [`diff`] tells it: a row for a record that came or
/// went, two for one that was edited, with columns in front that say which.
///
/// # Errors
/// `Invalid` if `since` is the later one.
pub fn changes(
    vault: &Vault,
    since: &SnapshotInfo,
    until: &SnapshotInfo,
    only: Option<&[String]>,
    dir: &Path,
) -> Result<Vec<Written>> {
    if since.number > until.number {
        let message = format!("snapshot {} is later than {}", since.number, until.number);
        return Err(Error::invalid(message).hint("changes are told from the older to the newer"));
    }
    let after = State::at(vault, until);
    let names = wanted(&after, only)?;
    let plan = Plan::new(&after, Some(since), &names, dir)?;
    let one = |name: &String| {
        plan.write(name, &mut |table| {
            diff(
                vault,
                since,
                until,
                Some(std::slice::from_ref(name)),
                &mut |change| put(table, &change),
            )
        })
    };
    names.iter().map(one).collect()
}

/// The rows of a change.
fn put(table: &mut Table, change: &Change) -> Result<()> {
    let fields = serde_json::to_string(&change.fields)
        .map_err(|e| Error::invalid(format!("a list of fields has no JSON form: {e}")))?;
    let (was, is, fields) = match change.kind {
        ChangeKind::Created => ("", "insert", Token::Null),
        ChangeKind::Deleted => ("delete", "", Token::Null),
        ChangeKind::Edited => (
            "update_preimage",
            "update_postimage",
            Token::Nested(fields.as_bytes()),
        ),
    };
    let mut side = |record: &Option<Record>, word: &str| {
        record.as_ref().map_or(Ok(()), |record| {
            table.take(
                &[Token::Text(word.as_bytes(), false), fields],
                record.json.as_bytes(),
            )
        })
    };
    side(&change.before, was)?;
    side(&change.after, is)
}

/// What all tables of an export have in common.
struct Plan<'a, 'v> {
    state: &'a State<'v>,
    since: Option<&'a SnapshotInfo>,
    schemas: fields::Schemas,
    dir: &'a Path,
}

impl<'a, 'v> Plan<'a, 'v> {
    fn new(
        state: &'a State<'v>,
        since: Option<&'a SnapshotInfo>,
        names: &[String],
        dir: &'a Path,
    ) -> Result<Self> {
        fs::create_dir_all(dir).map_err(|e| Error::io(dir.display(), e))?;
        Ok(Self {
            state,
            since,
            schemas: fields::schemas(state, names)?,
            dir,
        })
    }

    /// Writes the table of an sObject out of what `give` gives; again, with wider columns, if values do not fit.
    fn write(&self, sobject: &str, give: &mut dyn FnMut(&mut Table) -> Result<()>) -> Result<Written> {
        let newest = self.schemas.get(sobject).copied().unwrap_or_default();
        let mut fields = fields::fields(self.state, sobject, newest)?;
        let (extra, mut as_text) = (self.extra(sobject, &fields)?, Vec::new());
        loop {
            let front = extra
                .iter()
                .map(|(name, required)| Column::new(name, Kind::Text, *required));
            let behind = fields
                .iter()
                .map(|(name, kind)| Column::new(name, *kind, name == "Id"));
            let columns = front.chain(behind).collect();
            let mut table = Table::begin(self.dir, sobject, columns, extra.len(), self.told(sobject))?;
            give(&mut table)?;
            match table.end()? {
                Ok(rows) => {
                    return Ok(Written {
                        sobject: sobject.to_owned(),
                        rows,
                        as_text,
                    });
                }
                Err(wider) => {
                    fields.extend(wider.iter().map(|column| (column.field.clone(), Kind::Text)));
                    as_text.extend(wider);
                }
            }
        }
    }

    /// The columns in front.
    fn extra(
        &self,
        sobject: &str,
        fields: &BTreeMap<String, Kind>,
    ) -> Result<&'static [(&'static str, bool)]> {
        if self.since.is_none() {
            return Ok(&[]);
        }
        match CHANGE.iter().find(|(name, _)| fields.contains_key(*name)) {
            Some((taken, _)) => {
                let message = format!("{sobject} has a field {taken}, by which changes would be told");
                Err(Error::invalid(message).hint("leave it out, or export states"))
            }
            None => Ok(&CHANGE),
        }
    }

    /// What each file says of itself.
    fn told(&self, sobject: &str) -> Vec<KeyValue> {
        let snapshot = self.state.snapshot();
        let mut told = vec![
            ("halite.org", snapshot.org.to_string()),
            ("halite.snapshot", snapshot.number.to_string()),
            ("halite.until", snapshot.until.to_string()),
            ("halite.sobject", sobject.to_owned()),
        ];
        told.extend(self.since.map(|since| ("halite.since", since.number.to_string())));
        let pair = |(key, value): (&str, String)| KeyValue::new(key.to_owned(), value);
        told.into_iter().map(pair).collect()
    }
}
