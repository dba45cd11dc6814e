//! Readings that one query cannot do: too many fields for it, or rows that are given only by those they belong to.
//!
//! Key decision: tried only after the org refused the plain query, so that a user who may (Query All Files) gets rows
//! without a filter. It begins at the first row, since nothing came before a refusal.

use halite_engine::base::error::Kind;
use halite_engine::ops::org::Sink;

use super::Query;
use crate::error::Fault;
use crate::kinds::Need;
use crate::parents::{self, Came, wants_filter};
use crate::query::{Order, Page, Position, Select, Start, pages, sliced, soql};
use crate::rest::Rest;
use crate::retry::{Caller, Session};

/// What the org refused in one query, in another way if there is one.
pub fn otherwise<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    query: &Query<'_>,
    fault: Fault,
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
    if fault.is_too_wide() {
        in_slices(caller, rest, query, sink)
    } else if wants_filter(&fault) && Need::of(query.select.sobject).is_some() {
        by_parents(caller, rest, query, sink)
    } else {
        Err(fault)
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

/// The rows of a query by those they belong to, a position behind each page of these.
pub fn by_parents<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    query: &Query<'_>,
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
    let (at, sobject) = (query.at, query.select.sobject);
    let Some(need) = Need::of(sobject) else {
        let why = format!("{sobject} has no parents to be asked for by");
        return Err(Fault::doubt(Kind::Invalid, why));
    };
    let select = |filter: &str| Select {
        filter: Some(match &query.select.filter {
            Some(own) => format!("{filter} AND {own}"),
            None => filter.to_owned(),
        }),
        order: Order::None,
        ..query.select.clone()
    };
    let path = |filter: &str| Ok(soql::path(&rest.path("/queryAll"), &select(filter).text(None)?));
    let mut each = |caller: &mut Caller<S>, came: Came<'_>| match came {
        Came::Behind(parent) => Ok(sink.reached(at, &Position::Parent(parent).encode())?),
        Came::Answer(filter, body) => {
            let first = Page::parse(body?).map_err(Fault::unreadable)?;
            let start = Start {
                after: None,
                first: Some(first),
            };
            pages(caller, rest, &select(filter), start, &mut |_, page| {
                Ok(page.rows().try_for_each(|row| sink.json(at, row))?)
            })
        }
    };
    let end = if need.parent.is_some() {
        parents::each(caller, rest, need, query.parent, &path, &mut each)
    } else {
        parents::each_kind(caller, rest, need, query.read.describe, &path, &mut each)
    };
    end.map_err(|fault| fault.about(format!("reading {sobject} by {}", need.field)))
}
