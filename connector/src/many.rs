//! Many readings at once: by composite calls, by Bulk jobs, or one by one, whichever is cheapest.
//!
//! Key decision: look first, then choose. The first page of a query comes with four others in one call and says how
//! many rows there are; few go on as they began, many become a Bulk job. What is read whole is asked for its size
//! before. Jobs are made first, so that the org works on them while the rest is read. It does not look into rows.

use std::collections::BTreeSet;

use halite_engine::base::error::Result;
use halite_engine::ops::org::{Read, Scope, Sink};

use crate::bulk::{self, Bulk, Job};
use crate::composite::{QUERIES, bodies, of_one};
use crate::error::{Fault, is_of_run};
use crate::query::{
    After, Order, Page, Position, Select, filterable, pages_from, reached, read_rows, soql, stamp_field,
};
use crate::rest::Rest;
use crate::retry::{Caller, Session};

/// A reading as a query.
struct Query<'a> {
    at: usize,
    select: Select<'a>,
    read: &'a Read<'a>,
}

impl<'a> Query<'a> {
    /// None for what the query API takes in another way: by Ids, or with more fields than fit into a URI.
    fn of(at: usize, read: &'a Read<'a>) -> Result<Option<Self>> {
        let by_id = if filterable(read.describe, "Id") {
            Order::Id
        } else {
            Order::None
        };
        let (filter, order) = match read.scope {
            Scope::Ids(_) => return Ok(None),
            Scope::All => (None, by_id),
            Scope::Since(stamp) => match stamp_field(read.describe) {
                Some(by) => (Some(soql::since(by, stamp)?), Order::Stamp(by)),
                None => (None, by_id),
            },
        };
        let fields = read.fields.to_vec();
        let wide = soql::slices(&fields, &["Id"]).len() > 1;
        let select = Select {
            sobject: &read.describe.name,
            fields,
            filter,
            order,
        };
        Ok((!wide).then_some(Self { at, select, read }))
    }
}

/// Reads all of `reads`; `bulk` remembers what the org refuses.
pub fn read_all<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    bulk: &mut Bulk,
    reads: &[Read<'_>],
    sink: &mut dyn Sink,
) -> Result<()> {
    let (mut together, mut jobs, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for (at, read) in reads.iter().enumerate() {
        match (Query::of(at, read)?, read.from.and_then(Position::decode)) {
            (None, _) => alone.push((at, None)),
            (Some(query), Some(Position::Job { job, locator, rows })) if bulk.may(&query.select) => {
                jobs.push((query, Job::resumed(job, locator, rows)));
            }
            (Some(query), Some(Position::Row(after))) => alone.push((at, Some((query, after)))),
            (Some(query), _) => together.push(query),
        }
    }
    let large = large(caller, rest, bulk, &together)?;
    let (whole, few): (Vec<_>, Vec<_>) = together
        .into_iter()
        .partition(|query| large.contains(query.select.sobject));
    let mut small = few;
    for query in whole {
        begin(caller, rest, bulk, query, &mut jobs, &mut small)?;
    }
    let mut late = Vec::new();
    for five in small.chunks(QUERIES) {
        late.extend(group(caller, rest, bulk, five, sink)?);
    }
    let mut again = Vec::new();
    for query in small.into_iter().filter(|query| late.contains(&query.at)) {
        begin(caller, rest, bulk, query, &mut jobs, &mut again)?;
    }
    for query in again {
        let end = rows(caller, rest, &query, (None, None), sink);
        sink.done(query.at, of_one(end)?)?;
    }
    for (at, query) in alone {
        let end = match query {
            Some((query, after)) => rows(caller, rest, &query, (Some(after), None), sink),
            None => read_rows(caller, rest, reads[at], &mut |row| sink.json(at, row)),
        };
        sink.done(at, of_one(end)?)?;
    }
    for (query, job) in jobs {
        let end = job_rows(caller, rest, bulk, &query, job, sink);
        sink.done(query.at, of_one(end)?)?;
    }
    Ok(())
}

/// The sObjects to be read whole that have many rows.
fn large<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    bulk: &Bulk,
    queries: &[Query<'_>],
) -> Result<BTreeSet<String>> {
    let may = |query: &&Query<'_>| bulk.may(&query.select);
    if bulk.always() {
        let names = queries
            .iter()
            .filter(may)
            .map(|query| query.select.sobject.to_owned());
        return Ok(names.collect());
    }
    let whole = |query: &&Query<'_>| matches!(query.read.scope, Scope::All);
    let names: Vec<&str> = queries
        .iter()
        .filter(may)
        .filter(whole)
        .map(|query| query.select.sobject)
        .collect();
    let counts = rest.record_counts(caller, &names)?;
    Ok(counts
        .into_iter()
        .filter(|(_, rows)| *rows >= bulk.from())
        .map(|(name, _)| name)
        .collect())
}

/// Makes a job of a query, or leaves it to REST where the org refuses.
fn begin<'a, S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    bulk: &mut Bulk,
    query: Query<'a>,
    jobs: &mut Vec<(Query<'a>, Job)>,
    others: &mut Vec<Query<'a>>,
) -> Result<()> {
    match bulk::make(caller, rest, bulk, &query.select)? {
        Some(job) => jobs.push((query, job)),
        None => others.push(query),
    }
    Ok(())
}

/// Up to five queries in one call; gives back those that have so many rows that a job is cheaper.
fn group<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    bulk: &Bulk,
    queries: &[Query<'_>],
    sink: &mut dyn Sink,
) -> Result<Vec<usize>> {
    let paths = queries
        .iter()
        .map(|query| Ok(soql::path(&rest.path("/queryAll"), &query.select.text(None)?)))
        .collect::<Result<Vec<_>>>()?;
    let mut large = Vec::new();
    bodies(caller, rest, &paths, QUERIES, &mut |caller, n, body| {
        let query = &queries[n];
        let page = body.and_then(|body| Page::parse(body).map_err(|why| Fault::broken(why, true)));
        let end = match page {
            Ok(page) if page.total >= bulk.from() && bulk.may(&query.select) => {
                large.push(query.at);
                return Ok(());
            }
            Ok(page) => rows(caller, rest, query, (None, Some(page)), sink),
            // A page that is broken: the query's own retries take over.
            Err(fault) if !fault.is_answer() => rows(caller, rest, query, (None, None), sink),
            Err(fault) => Err(fault.about(format!("reading {}", query.select.sobject))),
        };
        sink.done(query.at, of_one(end)?)
    })?;
    Ok(large)
}

/// The rows of a query, from a row or with a page that has come; a position after each page.
fn rows<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    query: &Query<'_>,
    start: (Option<After>, Option<Page>),
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
    let at = query.at;
    pages_from(caller, rest, &query.select, start, &mut |_, page| {
        page.rows().try_for_each(|row| sink.json(at, row))?;
        let last = page.last().and_then(|row| reached(row, query.select.order));
        match last.filter(|_| page.next.is_some()) {
            Some(after) => sink.reached(at, &Position::Row(after).encode()),
            None => Ok(()),
        }
    })
}

/// The rows of a job; by REST from the beginning where the job comes to nothing.
fn job_rows<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    bulk: &mut Bulk,
    query: &Query<'_>,
    job: Job,
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
    let at = query.at;
    let name = job.id().to_owned();
    sink.reached(at, &job.position().encode())?;
    match bulk::read(caller, rest, job, &mut |page, position| {
        sink.csv(at, page)?;
        match position {
            Some(position) => sink.reached(at, &position.encode()),
            None => Ok(()),
        }
    }) {
        Err(fault) if is_of_run(&fault) => Err(fault),
        Err(fault) => {
            tracing::warn!(sobject = query.select.sobject, %fault, "by REST instead");
            bulk.refuse(query.select.sobject);
            bulk::delete(caller, rest, &name);
            rows(caller, rest, query, (None, None), sink)
        }
        Ok(()) => {
            bulk::delete(caller, rest, &name);
            Ok(())
        }
    }
}
