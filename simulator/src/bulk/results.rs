//! What became of an ingest job's rows, as CSV.
//!
//! Key decision: the values are the upload's own, read again from it when somebody asks; rows come in an
//! order of the seed's, since the API keeps none.
//! Source: Bulk API 2.0 guide, "Get Job Successful Record Results", "Get Job Failed Record Results", "Get Job
//! Unprocessed Record Results".
//! Not here: how a line is written (`rows`).

use super::ingest::{Ingest, Outcome};
use super::job::{Format, Job};
use super::rows::line;
use super::sheet::Sheet;
use crate::id::{mix, normalise};

/// The three lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Successful,
    Failed,
    Unprocessed,
}

impl Which {
    /// By the last segment of a path; clients write it in more than one case.
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "successfulresults" => Some(Self::Successful),
            "failedresults" => Some(Self::Failed),
            "unprocessedrecords" => Some(Self::Unprocessed),
            _ => None,
        }
    }

    /// The columns before those of the upload.
    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Successful => &["sf__Id", "sf__Created"],
            Self::Failed => &["sf__Id", "sf__Error"],
            Self::Unprocessed => &[],
        }
    }
}

/// The list, with a header.
pub(crate) fn results(seed: u64, job: &Job, ingest: &Ingest, which: Which) -> Vec<u8> {
    let mut out = Vec::new();
    let format = job.format;
    let names = ingest.names.iter().map(String::as_bytes);
    line(bytes(which.columns()).chain(names), format, &mut out);
    let mut rows = rows(ingest, which);
    rows.sort_by_cached_key(|row| mix(seed, &format!("{}{row}", job.id)));
    let mut sheet = Sheet::new(&ingest.upload, format);
    for row in rows {
        let start = ingest.starts.get(row as usize).copied().unwrap_or_default();
        sheet.seek(start as usize);
        // It was read before.
        if !matches!(sheet.read(), Ok(Some(_))) {
            continue;
        }
        match ingest.outcomes.get(row as usize) {
            Some(Outcome::Saved(id, new)) => {
                let first = [id.text(), if *new { "true" } else { "false" }];
                whole(&first, &sheet, format, &mut out);
            }
            Some(Outcome::Refused(error)) => {
                let id = given(job, ingest, &sheet);
                whole(&[id.as_str(), error], &sheet, format, &mut out);
            }
            None => whole(&[], &sheet, format, &mut out),
        }
    }
    out
}

fn bytes<'a>(texts: &'a [&'a str]) -> impl Iterator<Item = &'a [u8]> {
    texts.iter().map(|t| t.as_bytes())
}

fn whole(first: &[&str], sheet: &Sheet<'_>, format: Format, out: &mut Vec<u8>) {
    line(bytes(first).chain(sheet.cells()), format, out);
}

/// Numbers of the rows of a list.
fn rows(ingest: &Ingest, which: Which) -> Vec<u32> {
    let all = 0..u32::try_from(ingest.starts.len()).unwrap_or(u32::MAX);
    all.filter(|row| {
        let row = *row as usize;
        match (ingest.outcomes.get(row), which) {
            (None, which) => which == Which::Unprocessed,
            (Some(_), _) if ingest.lost.contains(&row) => false,
            (Some(Outcome::Saved(..)), which) => which == Which::Successful,
            (Some(Outcome::Refused(_)), which) => which == Which::Failed,
        }
    })
    .collect()
}

/// The Id that a refused row names, which the API tells since version 53.
fn given(job: &Job, ingest: &Ingest, sheet: &Sheet<'_>) -> String {
    let old = job.version.get(1..3).is_none_or(|v| v < "53");
    let at = ingest.names.iter().position(|n| n.eq_ignore_ascii_case("Id"));
    let id = at.filter(|_| !old).and_then(|at| sheet.cells().nth(at));
    id.and_then(|id| normalise(std::str::from_utf8(id).ok()?))
        .unwrap_or_default()
}
