//! The results of a query job, page by page, the next one on its way while one is taken.
//!
//! Key decision: pages have a number of rows that was learned from the bytes of those before, so that memory is
//! bounded; the locator of the next page stands in the headers, so it is asked for while the body is still coming, and
//! while the page is taken the org works on the next one.
//! (`resultPages` would name five pages at once, but takes no number of rows.) Each page's rows are counted against
//! the org's figure, and all of them against the job's (Bulk API 2.0 guide, "Get Results for a Query Job").
//! It does not parse: a page is handed on as it came.

use halite_engine::base::error::Kind;
use reqwest::header::HeaderMap;
use url::form_urlencoded::byte_serialize;

use super::Job;
use super::csv::rows;
use crate::error::Fault;
use crate::rest::Rest;
use crate::retry::{Begun, Caller, Session, header};
use crate::transport::{Call, Reply};

/// Bytes of a page, about.
const PAGE_BYTES: u64 = 8 << 20;
/// Rows of the first page, and the bounds of the later ones.
const ROWS_FIRST: u64 = 2_000;
const ROWS_LEAST: u64 = 50;
const ROWS_MOST: u64 = 100_000;

/// What is done with a page; the job says where it stands behind it, unless that is the end.
pub type EachPage<'a> = dyn FnMut(&[u8], Option<&Job>) -> Result<(), Fault> + 'a;

/// What is done after each page, while the next are on their way.
pub type Meanwhile<'a, S> = dyn FnMut(&mut Caller<S>) -> Result<(), Fault> + 'a;

/// One page.
struct Page {
    body: Vec<u8>,
    rows: u64,
    next: Option<String>,
}

/// A page under way, by the locator that it was asked for with.
type Coming = (Option<String>, Begun);

/// What is being read.
struct Results<'a, S> {
    caller: &'a mut Caller<S>,
    rest: &'a Rest,
    job: &'a mut Job,
    /// Rows of a page.
    most: u64,
    /// Whether `most` was learned.
    learned: bool,
    /// The page behind the one at hand.
    coming: Option<Coming>,
    /// Where it is, if it is not under way and there is one.
    next: Option<Option<String>>,
}

/// Gives every page of a job that is complete, from where it stands on; the job stands at its end then.
///
/// # Errors
/// A doubt where rows do not add up, besides those of any reading.
pub fn read<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    job: &mut Job,
    total: Option<u64>,
    each: &mut EachPage<'_>,
    meanwhile: &mut Meanwhile<'_, S>,
) -> Result<(), Fault> {
    if total == Some(0) {
        return Ok(());
    }
    let mut results = Results {
        caller,
        rest,
        next: Some(job.locator.clone()),
        job,
        most: ROWS_FIRST,
        learned: false,
        coming: None,
    };
    while let Some(page) = results.page()? {
        let job = &mut *results.job;
        job.rows += page.rows;
        job.locator.clone_from(&page.next);
        if total.is_some_and(|total| job.rows > total) || (page.rows == 0 && page.next.is_some()) {
            return Err(astray(job, total));
        }
        if page.rows > 0 {
            each(&page.body, page.next.as_ref().map(|_| &*job))?;
        }
        meanwhile(results.caller)?;
    }
    match total {
        Some(total) if results.job.rows != total => Err(astray(results.job, Some(total))),
        _ => Ok(()),
    }
}

fn astray(job: &Job, total: Option<u64>) -> Fault {
    let total = total.map_or_else(|| "?".to_owned(), |total| total.to_string());
    let why = format!("job {} has {total} rows and gave {}", job.id, job.rows);
    Fault::doubt(Kind::Io, why)
}

impl<S: Session> Results<'_, S> {
    /// The next page; none behind the last.
    fn page(&mut self) -> Result<Option<Page>, Fault> {
        loop {
            let Some((locator, mut begun)) = self.first()? else {
                return Ok(None);
            };
            if self.learned {
                self.ask_ahead(&mut begun)?;
            }
            match self.caller.finish(begun, &page) {
                Ok(page) => {
                    self.learn(&page);
                    return Ok(Some(page));
                }
                // More bytes than are taken: fewer rows.
                Err(fault) if fault.is_too_large() && self.most > ROWS_LEAST => {
                    tracing::info!(rows = self.most, %fault, "fewer rows a page");
                    self.most = (self.most / 4).max(ROWS_LEAST);
                    self.coming = None;
                    self.next = Some(locator);
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    /// The page that comes first, under way; none behind the last.
    fn first(&mut self) -> Result<Option<Coming>, Fault> {
        match (self.coming.take(), self.next.take()) {
            (Some(coming), _) => Ok(Some(coming)),
            (None, Some(locator)) => self.begin(locator).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn begin(&mut self, locator: Option<String>) -> Result<Coming, Fault> {
        let begun = self.caller.begin(self.call(locator.as_deref()))?;
        Ok((locator, begun))
    }

    /// Asks for the page behind `begun`, as soon as its headers name it: that one is waited for anyway.
    fn ask_ahead(&mut self, begun: &mut Begun) -> Result<(), Fault> {
        let head = self.caller.head(begun);
        if let Some(locator) = head.and_then(|head| next(&head)) {
            self.coming = Some(self.begin(Some(locator))?);
        }
        Ok(())
    }

    fn call(&self, locator: Option<&str>) -> Call {
        let encoded = |locator: &str| -> String { byte_serialize(locator.as_bytes()).collect() };
        let locator = locator.map_or_else(String::new, |l| format!("&locator={}", encoded(l)));
        let (job, most) = (&self.job.id, self.most);
        let path = format!("/jobs/query/{job}/results?maxRecords={most}{locator}");
        Call {
            headers: &[("Accept", "text/csv")],
            ..Call::get(self.rest.path(&path))
        }
    }

    /// Sizes the pages to come; those that were asked for by another locator than this page names are dropped.
    fn learn(&mut self, page: &Page) {
        self.caller.wire.limits_mut().count_results(page.body.len());
        if let Some(bytes) = (page.body.len() as u64).checked_div(page.rows) {
            let bytes = bytes.max(1);
            self.most = (PAGE_BYTES / bytes).clamp(ROWS_LEAST, ROWS_MOST);
            self.learned = true;
        }
        let follows = self
            .coming
            .as_ref()
            .is_some_and(|(locator, _)| *locator == page.next);
        if !follows {
            self.coming = None;
            self.next = page.next.clone().map(Some);
        }
    }
}

/// The locator of the page behind: the end is the literal text `null`, or no locator at all.
fn next(headers: &HeaderMap) -> Option<String> {
    let locator = header(headers, "sforce-locator")?.trim();
    (!locator.is_empty() && locator != "null").then(|| locator.to_owned())
}

fn page(reply: Reply) -> Result<Page, String> {
    let Reply { headers, body } = reply;
    let said: Option<u64> = header(&headers, "sforce-numberofrecords").and_then(|n| n.trim().parse().ok());
    let rows = rows(&body);
    match said {
        Some(said) if said != rows => Err(format!(
            "a page of results with {rows} rows, where the org says {said}"
        )),
        _ => Ok(Page {
            next: next(&headers),
            body,
            rows,
        }),
    }
}
