//! The pages of one query, one after the other, to the last row that the org says there is.
//!
//! Key decision: a cursor of the org may die at any page and a query may take too long, so every reading is ordered by
//! what it can be resumed from (the Id, or a stamp and the Id), goes on after the last row that was handed over, and
//! asks for fewer rows at a time where the org ran out of time or a page is larger than is taken. The number of rows is held against the org's own
//! figure: nothing is left out in silence (REST API guide, "Query", "QueryAll"). It does not choose rows or fields.

use halite_engine::base::error::Kind;
use halite_engine::base::stamp::Stamp;

use super::page::Page;
use super::row::Row;
use super::soql::{self, After, Order, PATH_MAX, Select};
use crate::composite;
use crate::error::Fault;
use crate::rest::Rest;
use crate::retry::{Caller, Session};
use crate::transport::Call;

/// How often a reading is begun again at the same row.
const STALLS_MAX: u32 = 5;
/// Rows that are asked for at a time when the org ran out of time over all of them.
const NARROWER: [u64; 3] = [20_000, 2_000, 200];

/// What is done with a page; the caller is lent for further queries.
pub type EachPage<'a, S> = dyn FnMut(&mut Caller<S>, &Page) -> Result<(), Fault> + 'a;

/// Where a reading begins.
#[derive(Debug, Default)]
pub struct Start {
    /// After this row.
    pub after: Option<After>,
    /// With this page, which has come already.
    pub first: Option<Page>,
}

/// Every page of `select`, deleted and archived rows too.
///
/// # Errors
/// The org's refusal, a doubt where its figures do not agree with its rows, or what `each` returns.
pub fn pages<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    select: &Select<'_>,
    Start { mut after, mut first }: Start,
    each: &mut EachPage<'_, S>,
) -> Result<(), Fault> {
    let mut stalls = 0;
    let mut select = select.clone();
    loop {
        let mut last: Option<Vec<u8>> = None;
        let mut took = |caller: &mut Caller<S>, page: &Page| {
            each(caller, page)?;
            last = page.last().map(<[u8]>::to_vec).or_else(|| last.take());
            Ok(())
        };
        let ended = match first.take() {
            Some(page) => follow(caller, page, &mut took),
            None => {
                let path = soql::path(&rest.path("/queryAll"), &select.text(after)?);
                cursor(caller, rest, &path, &mut took)
            }
        };
        let reached = last
            .as_deref()
            .and_then(|row| reached(row, select.order))
            .or(after);
        match ended {
            Ok(rows) if select.limit != Some(rows) || reached == after => return Ok(()),
            Ok(_) => {}
            Err(fault) if fault.has("INVALID_QUERY_LOCATOR") => {
                stalls = if reached == after { stalls + 1 } else { 0 };
                if stalls > STALLS_MAX {
                    let what = format!("reading {} from the same row again", select.sobject);
                    return Err(fault.about(what));
                }
                tracing::warn!(sobject = select.sobject, after = ?reached.map(|a| a.id), "the cursor died; going on");
            }
            Err(fault) => match less(&fault, &select) {
                None => return Err(fault.about(format!("reading {}", select.sobject))),
                limit => {
                    tracing::warn!(sobject = select.sobject, rows = limit, %fault, "fewer rows at a time");
                    select.limit = limit;
                }
            },
        }
        after = reached;
    }
}

/// How many rows to ask for at a time after this fault; none where that does not help.
pub fn less(fault: &Fault, select: &Select<'_>) -> Option<u64> {
    let smaller = |next: &u64| select.limit.is_none_or(|limit| *next < limit);
    if select.order == Order::None {
        None
    } else if fault.has("QUERY_TIMEOUT") {
        NARROWER.into_iter().find(smaller)
    } else if fault.is_too_large() {
        NARROWER.last().copied().filter(smaller)
    } else {
        None
    }
}

/// Where the last row stands, as far as the order can be resumed from it.
pub fn reached(row: &[u8], order: Order<'_>) -> Option<After> {
    let row = Row::parse(row).ok()?;
    let stamp = match order {
        Order::None => return None,
        Order::Id => Stamp::NONE,
        Order::Stamp(by) => row.stamp(by)?,
    };
    Some(After { id: row.id()?, stamp })
}

/// The pages of one cursor, from the query's path on; how many rows they had. A path that is too long for a URI goes
/// in the body of a composite call.
pub fn cursor<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    path: &str,
    each: &mut EachPage<'_, S>,
) -> Result<u64, Fault> {
    let page = if path.len() > PATH_MAX {
        let body = composite::one(caller, rest, path)?;
        Page::parse(body).map_err(Fault::unreadable)?
    } else {
        caller.read(&Call::get(path), &|reply| Page::parse(reply.body))?
    };
    follow(caller, page, each)
}

/// A page and all that follow; how many rows, which is what the org counts.
pub fn follow<S: Session>(
    caller: &mut Caller<S>,
    mut page: Page,
    each: &mut EachPage<'_, S>,
) -> Result<u64, Fault> {
    let (total, mut got) = (page.total, 0);
    loop {
        got += page.len() as u64;
        each(caller, &page)?;
        let Some(next) = page.next.take() else { break };
        page = caller.read(&Call::get(next), &|reply| Page::parse(reply.body))?;
    }
    if got == total {
        return Ok(got);
    }
    let why = format!("the org counts {total} rows and gave {got}");
    Err(Fault::doubt(Kind::Io, why))
}
