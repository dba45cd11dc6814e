//! The results of a query job: waited for, then read page by page, the next one on its way while one is taken.
//!
//! Key decision: pages are asked for by rows and sized by the bytes that rows turned out to have, so that two of them
//! fit the memory. Each page's rows are counted, quotes minded, against the org's figure, and all of them against the
//! job's (Bulk API 2.0 guide, "Get Results for a Query Job"). It does not parse: a page is handed on as it came.

use halite_engine::base::error::{Error, Result};
use serde::Deserialize;

use crate::bulk::Job;
use crate::error::Fault;
use crate::query::Position;
use crate::rest::{Rest, json};
use crate::retry::{Caller, Session, header};
use crate::transport::{Call, Reply};

/// Bytes of a page, about.
const PAGE_BYTES: u64 = 8 << 20;
/// Rows of the first page, and bounds of the later ones.
const ROWS_FIRST: u64 = 10_000;
const ROWS_LEAST: u64 = 1_000;
const ROWS_MOST: u64 = 100_000;

/// One page.
struct Page {
    body: Vec<u8>,
    rows: u64,
    next: Option<String>,
}

/// What is done with a page, and with the position behind it.
pub type EachPage<'a> = dyn FnMut(&[u8], Option<Position>) -> Result<()> + 'a;

/// Gives every page with the position behind it; none behind the last.
pub fn read<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    mut job: Job,
    each: &mut EachPage<'_>,
) -> Result<(), Fault> {
    let total = complete(caller, rest, &job.id)?;
    let mut most = ROWS_FIRST;
    let mut coming = None;
    while job.rows < total {
        let call = results(rest, &job, most);
        let page = match coming.take().map(|started| caller.finish(started)) {
            Some(Ok(reply)) => page(reply).ok(),
            Some(Err(fault)) if fault.is_answer() => return Err(fault),
            _ => None,
        };
        let page = match page {
            Some(page) => page,
            None => caller.read(&call, &page_of)?,
        };
        caller.wire.limits_mut().results(page.body.len() as u64);
        most = (PAGE_BYTES * page.rows.max(1) / (page.body.len() as u64).max(1)).clamp(ROWS_LEAST, ROWS_MOST);
        job.rows += page.rows;
        job.locator.clone_from(&page.next);
        if job.rows > total || (page.next.is_none() && job.rows < total) || page.rows == 0 {
            let why = format!("job {} has {total} rows and gave {}", job.id, job.rows);
            return Err(Fault::incomplete(why));
        }
        let position = page.next.is_some().then(|| job.position());
        if job.rows < total {
            coming = Some(caller.start(&results(rest, &job, most))?);
        }
        each(&page.body, position)?;
    }
    Ok(())
}

/// Waits until a job is done; how many rows it has.
fn complete<S: Session>(caller: &mut Caller<S>, rest: &Rest, job: &str) -> Result<u64, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Info {
        state: String,
        #[serde(default)]
        number_records_processed: u64,
        #[serde(default)]
        error_message: Option<String>,
    }
    let call = Call::get(rest.path(&format!("/jobs/query/{job}")));
    for looks in 1.. {
        let info: Info = caller.read(&call, &json)?;
        match info.state.as_str() {
            "JobComplete" => return Ok(info.number_records_processed),
            "Failed" | "Aborted" => {
                let why = info
                    .error_message
                    .unwrap_or_else(|| "the org gives no reason".into());
                return Err(Fault::incomplete(format!("job {job} came to nothing: {why}")));
            }
            _ => caller.wire.pause(looks)?,
        }
    }
    Err(Error::invalid("a job that is never done").into())
}

fn results(rest: &Rest, job: &Job, most: u64) -> Call {
    let locator = job
        .locator
        .as_deref()
        .map(|l| format!("&locator={l}"))
        .unwrap_or_default();
    Call::get(rest.path(&format!(
        "/jobs/query/{}/results?maxRecords={most}{locator}",
        job.id
    )))
}

fn page_of(reply: Reply) -> Result<Page, String> {
    page(reply)
}

/// Reads a page: the end is the literal text `null`, or no locator at all.
fn page(reply: Reply) -> Result<Page, String> {
    let next = header(&reply.headers, "sforce-locator").filter(|l| !l.is_empty() && *l != "null");
    let said = header(&reply.headers, "sforce-numberofrecords").and_then(|n| n.parse().ok());
    let (next, rows) = (next.map(str::to_owned), rows(&reply.body));
    if said.is_some_and(|said: u64| said != rows) {
        return Err(format!(
            "a page of results with {rows} rows, where the org says {}",
            said.unwrap_or(0)
        ));
    }
    Ok(Page {
        body: reply.body,
        rows,
        next,
    })
}

/// Rows of a CSV text, its header left out; a line end between quotes is none.
fn rows(text: &[u8]) -> u64 {
    let (mut lines, mut quoted) = (0_u64, false);
    for &byte in text {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => lines += 1,
            _ => {}
        }
    }
    let open = !text.is_empty() && !text.ends_with(b"\n");
    (lines + u64::from(open)).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::rows;

    #[test]
    fn rows_are_counted_with_quotes_minded() {
        assert_eq!(rows(b""), 0);
        assert_eq!(rows(b"\"Id\"\n"), 0);
        assert_eq!(rows(b"\"Id\"\n\"a\nb\"\n\"c \"\"\n\"\"\"\n"), 2);
        assert_eq!(rows(b"\"Id\"\n\"a\""), 1);
    }
}
