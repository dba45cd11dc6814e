//! What a backup is expected to spend, before it begins.
//!
//! Key decision: the rules of the readings themselves, over the org's own estimate of rows; what nobody can know before
//! (how much changed since, how long a job runs) is taken as little. It is a forecast and no bound: the ceiling is one.

use std::collections::BTreeMap;

use crate::bulk::Known;
use crate::composite::{MOST, QUERIES};
use crate::error::Fault;
use crate::kinds::Need;
use crate::rest::{NAMES_MAX, Rest};
use crate::retry::{Caller, Session};

/// One sObject of a backup to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned<'a> {
    /// Its API name.
    pub sobject: &'a str,
    /// Whether all its rows are read, and not only what changed.
    pub whole: bool,
    /// Whether the bodies of all its files are fetched, if it has any, and not only those that are new.
    pub bodies: bool,
}

/// What a backup is expected to spend.
///
/// ```
/// use halite_connector::Forecast;
/// // A quiet org of 500 sObjects, each read from where the last backup stood.
/// let quiet = Forecast { calls: 161, jobs: 0, rows: 0, files: 0 };
/// assert!(quiet.calls < 5000 / 2);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forecast {
    /// Calls of the day's allowance, what goes by Bulk included.
    pub calls: u64,
    /// Bulk jobs of the day's allowance.
    pub jobs: u64,
    /// Live rows of what is read whole, by the org's estimate.
    pub rows: u64,
    /// Those of the calls that fetch the body of a file.
    pub files: u64,
}

/// sObjects whose rows have a body each (Object Reference: a field of the type base64).
const WITH_BODIES: [&str; 4] = ["Attachment", "ContentVersion", "Document", "StaticResource"];

impl Planned<'_> {
    fn fetches_bodies(&self) -> bool {
        self.bodies && WITH_BODIES.contains(&self.sobject)
    }
}

/// Who is signed in, the clock and the rights twice, the list of sObjects.
const FIXED: u64 = 8;
/// Rows of a page at most (REST API guide, "Query").
const PAGE: u64 = 2_000;
/// Rows of a page of Bulk results, if a row has two kilobytes.
const BULK_PAGE: u64 = 4_096;
/// Making a job, looking at it, deleting it.
const JOB: u64 = 12;
/// More rows than any org has: what it says is not believed beyond.
const ROWS_MAX: u64 = 1 << 40;
/// One in so many increments is counted in each run (`docs/capture.md`, "Counts").
const COUNTED: u64 = 8;

/// What a backup of all these would spend.
pub fn forecast<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    known: &Known,
    planned: &[Planned<'_>],
) -> Result<Forecast, Fault> {
    let parents = planned.iter().filter_map(|one| Need::of(one.sobject)?.parent);
    let counted = planned.iter().filter(|one| one.whole || one.fetches_bodies());
    let whole = counted.map(|one| one.sobject);
    let names: Vec<&str> = whole.chain(parents).collect();
    let mut rows = BTreeMap::new();
    rest.record_counts(caller, &names, &mut |name, count| {
        rows.insert(name.to_owned(), count);
    })?;
    let rows = |name: &str| rows.get(name).copied().unwrap_or(0).min(ROWS_MAX);
    Ok(of_rows(known, planned, &rows))
}

fn of_rows(known: &Known, planned: &[Planned<'_>], rows: &dyn Fn(&str) -> u64) -> Forecast {
    let all = planned.len() as u64;
    let (mut whole, mut small) = (0, 0);
    let mut told = Forecast::default();
    for one in planned {
        if let Some(need) = Need::of(one.sobject) {
            let parents = need.parent.map_or(0, rows);
            let queries = parents.div_ceil(need.at_once as u64);
            told.calls += parents.div_ceil(PAGE) + queries.div_ceil(QUERIES as u64);
        }
        let count = rows(one.sobject);
        if one.fetches_bodies() {
            told.files += count;
            told.calls += count;
        }
        if !one.whole {
            small += 1;
            continue;
        }
        whole += 1;
        told.rows += count;
        if known.takes(one.sobject) && known.is_worth(count) {
            told.jobs += 1;
            told.calls += JOB + 1 + count.div_ceil(BULK_PAGE);
        } else {
            small += 1;
            told.calls += count.div_ceil(PAGE).saturating_sub(1);
        }
    }
    let counted = whole + (all - whole).div_ceil(COUNTED);
    told.calls += FIXED + 2 * all.div_ceil(MOST as u64) + whole.div_ceil(NAMES_MAX as u64);
    told.calls += u64::div_ceil(small, QUERIES as u64) + counted.div_ceil(QUERIES as u64);
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bulk::{Bulk, FROM};

    fn told(planned: &[Planned<'_>], rows: &[(&str, u64)]) -> Forecast {
        let rows = |name: &str| {
            rows.iter()
                .find(|(n, _)| *n == name)
                .map_or(0, |(_, count)| *count)
        };
        of_rows(&Known::new(Bulk::Auto, FROM), planned, &rows)
    }

    #[test]
    fn many_quiet_ones_cost_little() {
        let one = Planned {
            sobject: "Account",
            whole: false,
            bodies: true,
        };
        let quiet = told(&[one; 500], &[]);
        assert_eq!(quiet.calls, 8 + 20 + 20 + 100 + 13);
        assert_eq!((quiet.jobs, quiet.rows, quiet.files), (0, 0, 0));
    }

    #[test]
    fn what_is_large_goes_by_jobs() {
        let whole = |sobject| Planned {
            sobject,
            whole: true,
            bodies: false,
        };
        let rows = [
            ("Account", 19_999),
            ("Contact", 1_000_000),
            ("CaseStatus", 40_000),
        ];
        let first = told(&[whole("Account"), whole("Contact"), whole("CaseStatus")], &rows);
        assert_eq!((first.jobs, first.rows), (1, 1_059_999));
        let fixed = 8 + 2 + 1 + 1 + 1;
        assert_eq!(first.calls, fixed + 9 + 19 + (12 + 1 + 245));
    }

    #[test]
    fn each_body_costs_a_call() {
        let files = |bodies| Planned {
            sobject: "ContentVersion",
            whole: false,
            bodies,
        };
        let rows = [("ContentVersion", 300)];
        let (with, without) = (told(&[files(true)], &rows), told(&[files(false)], &rows));
        assert_eq!((with.files, without.files), (300, 0));
        assert_eq!(with.calls, without.calls + 300);
    }

    #[test]
    fn links_cost_their_documents() {
        let link = Planned {
            sobject: "ContentDocumentLink",
            whole: false,
            bodies: false,
        };
        let fixed = 8 + 2 + 1 + 1;
        assert_eq!(
            told(&[link], &[("ContentDocument", 100_000)]).calls,
            fixed + 50 + 100
        );
    }
}
