//! Rows of sObjects that answer only with a filter, asked for by the rows they belong to.
//!
//! Key decision: parents are read page by page in the order of their Ids, and their rows five queries in a call, so that
//! memory is bounded and a parent's Id is a position to go on from. Parents in the recycle bin count: what belongs to
//! them is there too. It does not know which sObjects need this.

use halite_engine::base::error::{Kind, Result};
use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use halite_engine::format::describe::Describe;

use crate::composite::{QUERIES, bodies};
use crate::error::Fault;
use crate::kinds::Need;
use crate::query::soql::{self, After};
use crate::query::{Order, Page, Select, Start, id_of, pages};
use crate::rest::Rest;
use crate::retry::{Caller, Session};

/// What comes of asking by parents.
pub enum Came<'a> {
    /// The first page of a query with this filter.
    Answer(&'a str, Result<Vec<u8>, Fault>),
    /// All rows of parents up to this one have come.
    Behind(RecordId),
}

/// What is done with it; the caller is lent for further calls.
type Each<'a, S> = dyn FnMut(&mut Caller<S>, Came<'_>) -> Result<(), Fault> + 'a;

/// Whether the org wants a filter (SOQL reference; each object's page).
pub fn wants_filter(fault: &Fault) -> bool {
    fault.says("implementation restriction") || fault.says("reified column")
}

/// Asks with each filter that the parents behind `from` make; `path` makes the path of a query out of a filter.
pub fn each<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    need: &Need,
    from: Option<RecordId>,
    path: &dyn Fn(&str) -> Result<String>,
    each: &mut Each<'_, S>,
) -> Result<(), Fault> {
    let Some(parent) = need.parent else {
        return Err(Fault::doubt(Kind::Invalid, "it belongs to rows of many kinds"));
    };
    let parents = Select {
        sobject: parent,
        fields: vec!["Id"],
        filter: None,
        order: Order::Id,
        limit: None,
    };
    let after = from.map(|id| After {
        id,
        stamp: Stamp::NONE,
    });
    let start = Start { after, first: None };
    pages(caller, rest, &parents, start, &mut |caller, page| {
        let ids: Vec<RecordId> = page.rows().filter_map(id_of).collect();
        if ids.len() != page.len() {
            let why = format!("a row of {parent} without a valid Id");
            return Err(Fault::doubt(Kind::Io, why));
        }
        let filters = ids.chunks(need.at_once).map(|some| soql::among(need.field, some));
        with(caller, rest, &filters.collect::<Vec<_>>(), path, each)?;
        ids.last()
            .map_or(Ok(()), |last| each(caller, Came::Behind(*last)))
    })
}

/// Asks with a filter for each kind of parent that the describe names.
pub fn each_kind<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    need: &Need,
    describe: &Describe,
    path: &dyn Fn(&str) -> Result<String>,
    each: &mut Each<'_, S>,
) -> Result<(), Fault> {
    let relationship = need.field.trim_end_matches("Id");
    let kinds = describe.field(need.field).map_or(&[][..], |f| &f.reference_to);
    let filters = kinds.iter().map(|kind| format!("{relationship}.Type = '{kind}'"));
    with(caller, rest, &filters.collect::<Vec<_>>(), path, each)
}

fn with<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    filters: &[String],
    path: &dyn Fn(&str) -> Result<String>,
    each: &mut Each<'_, S>,
) -> Result<(), Fault> {
    let paths = filters
        .iter()
        .map(|filter| path(filter))
        .collect::<Result<Vec<_>>>()?;
    bodies(caller, rest, &paths, QUERIES, &mut |caller, n, body| {
        each(caller, Came::Answer(&filters[n], body))
    })
}

/// How many live rows there are, by all parents.
pub fn count<S: Session>(caller: &mut Caller<S>, rest: &Rest, need: &Need) -> Result<u64, Fault> {
    let path = |filter: &str| {
        let text = format!("SELECT COUNT() FROM {} WHERE {filter}", need.sobject);
        Ok(soql::path(&rest.path("/query"), &text))
    };
    let mut all = 0;
    each(caller, rest, need, None, &path, &mut |_, came| {
        if let Came::Answer(_, body) = came {
            all += Page::parse(body?).map_err(Fault::unreadable)?.total;
        }
        Ok(())
    })?;
    Ok(all)
}
