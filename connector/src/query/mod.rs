//! Reading rows: which query gives what the engine asks for.
//!
//! Key decision: every way to read rows ends in one [`Select`], so that the order, which says what a reading can be
//! resumed from, is chosen in one place (REST API guide, "Query", "QueryAll"). Which rows and fields to read is not
//! decided here.

mod joined;
mod live;
mod page;
mod pages;
mod position;
pub mod row;
pub mod soql;

use halite_engine::base::error::Result;
use halite_engine::base::id::RecordId;
use halite_engine::format::describe::Describe;
use halite_engine::ops::org::{EachRow, Read, Scope};

use crate::error::Fault;
use crate::rest::Rest;
use crate::retry::{Caller, Session};
use soql::{IDS_FEW, IDS_MAX};

pub use live::{count, count_path, id_of, ids};
pub use page::Page;
pub use pages::{Start, cursor, follow, less, pages, reached};
pub use position::Position;
pub use soql::{Order, Select};

/// The fields that can tell when a row was touched, the best first.
const STAMPS: [&str; 3] = ["SystemModstamp", "LastModifiedDate", "CreatedDate"];

/// Reads rows as the engine asks, by queries whose paths fit a URI.
///
/// # Errors
/// The org's refusal, `Io` where its figures do not agree with its rows, or what `each` returns.
pub fn read<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    read: Read<'_>,
    each: &mut EachRow<'_>,
) -> Result<(), Fault> {
    match read.scope {
        Scope::Ids(ids) => ids
            .chunks(IDS_MAX)
            .try_for_each(|some| by_ids(caller, rest, &read, some, each)),
        Scope::Having(field, values) => soql::having(field, values)
            .into_iter()
            .try_for_each(|filter| filtered(caller, rest, &read, filter?, each)),
        Scope::All | Scope::Since(_) => sliced(caller, rest, &read, &select(&read)?, each),
    }
}

/// The rows of these Ids, of fewer at a time where the org finds the query too long.
fn by_ids<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    read: &Read<'_>,
    ids: &[RecordId],
    each: &mut EachRow<'_>,
) -> Result<(), Fault> {
    match filtered(caller, rest, read, soql::among("Id", ids), each) {
        Err(fault) if fault.is_too_wide() && ids.len() > IDS_FEW => ids
            .chunks(IDS_FEW)
            .try_for_each(|some| by_ids(caller, rest, read, some, each)),
        end => end,
    }
}

fn filtered<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    read: &Read<'_>,
    filter: String,
    each: &mut EachRow<'_>,
) -> Result<(), Fault> {
    let select = Select {
        filter: Some(filter),
        ..select(read)?
    };
    sliced(caller, rest, read, &select, each)
}

/// The query that gives the rows of a reading; for a scope of Ids all but the filter.
///
/// # Errors
/// `Invalid` for rows since no time at all.
pub fn select<'a>(read: &Read<'a>) -> Result<Select<'a>> {
    let by_id = if filterable(read.describe, "Id") {
        Order::Id
    } else {
        Order::None
    };
    let (filter, order) = match (read.scope, stamp_field(read.describe)) {
        (Scope::Since(stamp), Some(by)) => (Some(soql::since(by, stamp)?), Order::Stamp(by)),
        _ => (None, by_id),
    };
    Ok(Select {
        sobject: &read.describe.name,
        fields: read.fields.to_vec(),
        filter,
        order,
        limit: None,
    })
}

/// One query, in slices where its SELECT list is too long for a URI.
pub fn sliced<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    read: &Read<'_>,
    select: &Select<'_>,
    each: &mut EachRow<'_>,
) -> Result<(), Fault> {
    let mut every = vec!["Id"];
    every.extend(
        STAMPS
            .into_iter()
            .take(2)
            .find(|name| read.describe.field(name).is_some()),
    );
    let slices = soql::slices(read.fields, &every);
    if slices.len() > 1 {
        return joined::read(caller, rest, select, &slices, every.get(1).copied(), each);
    }
    pages(caller, rest, select, Start::default(), &mut |_, page| {
        Ok(page.rows().try_for_each(&mut *each)?)
    })
}

/// The stamp that rows can be asked by: the first that the sObject has and lets stand in WHERE.
pub fn stamp_field(describe: &Describe) -> Option<&'static str> {
    STAMPS.into_iter().find(|name| filterable(describe, name))
}

fn filterable(describe: &Describe, name: &str) -> bool {
    describe.field(name).is_some_and(|field| field.filterable)
}

/// The rows of a small query over `query`, each as its text; for what the connector itself wants to know.
pub fn small<S: Session>(caller: &mut Caller<S>, rest: &Rest, text: &str) -> Result<Vec<Vec<u8>>, Fault> {
    let mut rows = Vec::new();
    let path = soql::path(&rest.path("/query"), text);
    cursor(caller, rest, &path, &mut |_, page| {
        rows.extend(page.rows().map(<[u8]>::to_vec));
        Ok(())
    })?;
    Ok(rows)
}
