//! Many readings at once: which of them goes by which API, and in what order they are given on.
//!
//! Key decision: look first, then choose. The first page of a query comes with four others in one call and says how
//! many rows there are; few go on as they began. Everything that is given on of one reading stands together, and the
//! position behind each page is told, so that it can be gone on with. It does not look into rows.

use halite_engine::base::error::Result;
use halite_engine::ops::org::{Read, Scope, Sink};

use crate::asks::of_one;
use crate::composite::{QUERIES, bodies};
use crate::error::Fault;
use crate::query::{
    Order, Page, Position, Select, Start, narrower, pages, reached, read, select, sliced, soql,
};
use crate::rest::Rest;
use crate::retry::{Caller, Session};

/// A reading as a query.
struct Query<'a> {
    at: usize,
    read: &'a Read<'a>,
    select: Select<'a>,
    /// Where it goes on.
    start: Start,
}

impl<'a> Query<'a> {
    fn of(at: usize, read: &'a Read<'a>) -> Result<Self> {
        let select = select(read)?;
        let after = match read.from.and_then(Position::decode) {
            Some(Position::Row(after)) if select.order != Order::None => Some(after),
            _ => None,
        };
        let start = Start { after, first: None };
        Ok(Self {
            at,
            read,
            select,
            start,
        })
    }
}

/// Reads all of `reads`.
///
/// # Errors
/// What is about the run, and what `sink` returns; what is about one reading is its end.
pub fn read_all<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    reads: &[Read<'_>],
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
    let (mut queries, mut by_ids) = (Vec::new(), Vec::new());
    for (at, read) in reads.iter().enumerate() {
        match read.scope {
            Scope::Ids(_) => by_ids.push(at),
            _ => queries.push(Query::of(at, read)?),
        }
    }
    for at in by_ids {
        let end = read(caller, rest, reads[at], &mut |row| sink.json(at, row));
        sink.done(at, of_one(end)?)?;
    }
    while !queries.is_empty() {
        let rest_of = queries.split_off(queries.len().min(QUERIES));
        group(caller, rest, std::mem::replace(&mut queries, rest_of), sink)?;
    }
    Ok(())
}

/// Up to five queries, whose first pages come in one call.
fn group<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    queries: Vec<Query<'_>>,
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
    let path = |query: &Query<'_>| {
        let text = query.select.text(query.start.after)?;
        Ok(soql::path(&rest.path("/queryAll"), &text))
    };
    let paths = queries.iter().map(path).collect::<Result<Vec<_>>>()?;
    let mut queries = queries.into_iter();
    bodies(caller, rest, &paths, QUERIES, &mut |caller, _, body| {
        let Some(mut query) = queries.next() else {
            return Ok(());
        };
        let page = body.and_then(|body| Page::parse(body).map_err(Fault::unreadable));
        let end = match page {
            Ok(page) => {
                query.start.first = Some(page);
                rows(caller, rest, &mut query, sink)
            }
            Err(fault) if fault.has("QUERY_TIMEOUT") => {
                query.select.limit = narrower(None).filter(|_| query.select.order != Order::None);
                rows(caller, rest, &mut query, sink)
            }
            Err(fault) if fault.is_too_wide() => in_slices(caller, rest, &query, sink),
            Err(fault) if fault.is_of_run() => return Err(fault),
            Err(fault) => Err(fault.about(format!("reading {}", query.select.sobject))),
        };
        Ok(sink.done(query.at, of_one(end)?)?)
    })
}

/// The rows of a query, a position after each page.
fn rows<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    query: &mut Query<'_>,
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
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
        Err(fault) if fault.is_too_wide() => in_slices(caller, rest, query, sink),
        end => end,
    }
}

/// The rows of a query that the org finds too long, joined of several.
fn in_slices<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    query: &Query<'_>,
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
    let (at, sobject) = (query.at, query.select.sobject);
    tracing::info!(sobject, "too many fields for one query: in slices");
    sliced(caller, rest, query.read, &query.select, &mut |row| {
        sink.json(at, row)
    })
}
