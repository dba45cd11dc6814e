//! Many readings at once: which of them goes by which API, and in what order they are given on.
//!
//! Key decision: look first, then choose. The first page of a query comes with four others in one call and says how
//! many rows there are; few go on as they began, many become a Bulk job; what is read whole is asked for its size
//! before. Jobs are made first, so that the org works on them while the rest is read. All that is given on of one
//! reading stands together, and the position behind each page is told. It does not look into rows.

mod jobs;
mod others;

use std::collections::BTreeSet;

use halite_engine::base::error::Result;
use halite_engine::base::id::RecordId;
use halite_engine::ops::org::{Read, Scope, Sink};

use crate::asks::of_one;
use crate::bulk::{Job, Known};
use crate::composite::{QUERIES, bodies};
use crate::error::Fault;
use crate::kinds::Need;
use crate::query::{self, Order, Page, Position, Select, Start, less, pages, reached, select, soql};
use crate::rest::Rest;
use crate::retry::{Caller, Session};
use jobs::{Lane, by_rest};
use others::otherwise;

/// A reading as a query.
struct Query<'a> {
    at: usize,
    read: &'a Read<'a>,
    select: Select<'a>,
    /// Where it goes on.
    start: Start,
    /// The parent behind which it goes on, where rows are asked for by those.
    parent: Option<RecordId>,
}

impl<'a> Query<'a> {
    /// The query of a reading, and the job of an earlier run that it goes on with.
    fn of(at: usize, read: &'a Read<'a>) -> Result<(Self, Option<Job>)> {
        let select = select(read)?;
        let (mut start, mut job, mut parent) = (Start::default(), None, None);
        match read.from.and_then(Position::decode) {
            Some(Position::Row(after)) if select.order != Order::None => start.after = Some(after),
            Some(Position::Parent(id)) => parent = Need::of(select.sobject).map(|_| id),
            Some(Position::Job {
                job: id,
                locator,
                rows,
            }) => job = Some(Job { id, locator, rows }),
            _ => {}
        }
        let query = Self {
            at,
            read,
            select,
            start,
            parent,
        };
        Ok((query, job))
    }

    /// Whether every row is read, from the first.
    fn is_whole(&self) -> bool {
        self.start.after.is_none() && self.select.filter.is_none()
    }

    /// Whether a job may do it: one begins at the first row.
    fn may_be_job(&self, known: &Known) -> bool {
        self.start.after.is_none() && self.parent.is_none() && known.may(&self.select, self.read.describe)
    }
}

/// Reads all of `reads`; `known` is what was learned of the org's Bulk API.
///
/// # Errors
/// What is about the run, and what `sink` returns; what is about one reading is its end.
pub fn read_all<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    known: &mut Known,
    reads: &[Read<'_>],
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
    known.tidy(caller, rest);
    let (mut queries, mut lane) = (Vec::new(), Lane::default());
    let (mut by_ids, mut alone) = (Vec::new(), Vec::new());
    for (at, read) in reads.iter().enumerate() {
        if let Scope::Ids(_) | Scope::Having(..) = read.scope {
            by_ids.push(at);
            continue;
        }
        match Query::of(at, read)? {
            (query, _) if query.parent.is_some() => alone.push(query),
            (query, Some(job)) if query.may_be_job(known) => lane.take_up(query, job),
            (query, _) => queries.push(query),
        }
    }
    let mut small = Vec::new();
    let large = large(caller, rest, known, &queries)?;
    for query in queries {
        let is_large = query.is_whole() && large.contains(query.select.sobject);
        if query.may_be_job(known) && (is_large || known.always()) {
            lane.push(query);
        } else {
            small.push(query);
        }
    }
    lane.fill(caller, rest, known, sink)?;
    for at in by_ids {
        let end = query::read(caller, rest, reads[at], &mut |row| sink.json(at, row));
        sink.done(at, of_one(end)?)?;
    }
    by_rest(caller, rest, alone, sink)?;
    loop {
        small.append(&mut lane.refused);
        let later = small.split_off(small.len().min(QUERIES));
        if small.is_empty() {
            break;
        }
        for query in group(caller, rest, known, small, sink)? {
            lane.push(query);
        }
        lane.fill(caller, rest, known, sink)?;
        small = later;
    }
    let others = lane.finish(caller, rest, known, sink)?;
    by_rest(caller, rest, others, sink)
}

/// The sObjects to be read whole that have many rows, by the org's own estimate.
fn large<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    known: &Known,
    queries: &[Query<'_>],
) -> Result<BTreeSet<String>, Fault> {
    let mut large = BTreeSet::new();
    if known.always() {
        return Ok(large);
    }
    let asked = |query: &&Query<'_>| query.is_whole() && query.may_be_job(known);
    let whole = queries.iter().filter(asked);
    let names: Vec<&str> = whole.map(|query| query.select.sobject).collect();
    rest.record_counts(caller, &names, &mut |name, rows| {
        if known.is_worth(rows) {
            large.insert(name.to_owned());
        }
    })?;
    Ok(large)
}

/// Up to five queries, whose first pages come in one call; gives back those that a job is better for.
fn group<'a, S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    known: &Known,
    queries: Vec<Query<'a>>,
    sink: &mut dyn Sink,
) -> Result<Vec<Query<'a>>, Fault> {
    let path = |query: &Query<'_>| {
        let text = query.select.text(query.start.after)?;
        Ok(soql::path(&rest.path("/queryAll"), &text))
    };
    let paths = queries.iter().map(path).collect::<Result<Vec<_>>>()?;
    let (mut queries, mut large) = (queries.into_iter(), Vec::new());
    bodies(caller, rest, &paths, QUERIES, &mut |caller, _, body| {
        let Some(mut query) = queries.next() else {
            return Ok(());
        };
        let job = query.may_be_job(known);
        let page = body.and_then(|body| Page::parse(body).map_err(Fault::unreadable));
        let end = match page {
            Ok(page) if job && page.next.is_some() && known.is_worth(page.total) => {
                large.push(query);
                return Ok(());
            }
            Err(fault) if job && fault.has("QUERY_TIMEOUT") => {
                large.push(query);
                return Ok(());
            }
            Ok(page) => {
                query.start.first = Some(page);
                rows(caller, rest, &mut query, sink)
            }
            Err(fault) => match less(&fault, &query.select) {
                None => {
                    let fault = fault.about(format!("reading {}", query.select.sobject));
                    otherwise(caller, rest, &query, fault, sink)
                }
                limit => {
                    query.select.limit = limit;
                    rows(caller, rest, &mut query, sink)
                }
            },
        };
        Ok(sink.done(query.at, of_one(end)?)?)
    })?;
    Ok(large)
}

/// The rows of a query, a position after each page.
fn rows<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    query: &mut Query<'_>,
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
    if query.parent.is_some() {
        return others::by_parents(caller, rest, query, sink);
    }
    let (at, start) = (query.at, std::mem::take(&mut query.start));
    let order = query.select.order;
    let end = pages(caller, rest, &query.select, start, &mut |_, page| {
        page.rows().try_for_each(|row| sink.json(at, row))?;
        match page.last().and_then(|row| reached(row, order)) {
            Some(after) => Ok(sink.reached(at, &Position::Row(after).encode())?),
            None => Ok(()),
        }
    });
    match end {
        Err(fault) => otherwise(caller, rest, query, fault, sink),
        end => end,
    }
}
