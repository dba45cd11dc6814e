//! Reading rows: a query's pages, one after the other, to the last row that the org says there is.
//!
//! Key decision: a cursor of the org may die at any page, so every reading is ordered by what it can be resumed
//! from (the Id, or a stamp and the Id) and goes on after the last row that was handed over. The number of rows
//! is held against the org's own figure at the end: nothing is left out in silence (REST API guide, "Query",
//! "QueryAll"). Which rows and fields to read is not decided here.

mod joined;
mod page;
mod position;
pub mod row;
pub mod soql;

use halite_engine::base::error::{Error, Kind, Result};
use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use halite_engine::format::describe::Describe;
use halite_engine::ops::org::{EachRow, Read, Scope};
use serde::Deserialize;

use crate::error::Fault;
use crate::rest::{Rest, api_name};
use crate::retry::{Caller, Session};
use crate::transport::Call;
use row::Row;
use soql::IDS_MAX;

pub use page::Page;
pub use position::Position;
pub use soql::{After, Order, Select};

/// The fields that can tell when a row was touched, the best first.
const STAMPS: [&str; 3] = ["SystemModstamp", "LastModifiedDate", "CreatedDate"];
/// How often a reading is begun again at the same row.
const STALLS_MAX: u32 = 5;

/// What is done with a page; the caller is lent for further queries.
type EachPage<'a, S> = dyn FnMut(&mut Caller<S>, &Page) -> Result<()> + 'a;

/// Reads rows as the engine asks.
///
/// # Errors
/// The org's refusal, `Io` where its figures do not agree with its rows, or what `each` returns.
pub fn read<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    read: Read<'_>,
    each: &mut EachRow<'_>,
) -> Result<()> {
    Ok(read_rows(caller, rest, read, each)?)
}

/// The same, and the org's own answer where it refuses.
pub fn read_rows<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    read: Read<'_>,
    each: &mut EachRow<'_>,
) -> Result<(), Fault> {
    let by = stamp_field(read.describe);
    let id_order = if filterable(read.describe, "Id") {
        Order::Id
    } else {
        Order::None
    };
    match read.scope {
        Scope::All => one(caller, rest, &read, None, id_order, each),
        Scope::Since(stamp) => match by {
            Some(by) => one(
                caller,
                rest,
                &read,
                Some(soql::since(by, stamp)?),
                Order::Stamp(by),
                each,
            ),
            None => one(caller, rest, &read, None, id_order, each),
        },
        Scope::Ids(ids) => {
            for some in ids.chunks(IDS_MAX) {
                one(caller, rest, &read, Some(soql::among(some)), id_order, each)?;
            }
            Ok(())
        }
    }
}

/// One query, in slices where its SELECT list is too long for a URI.
fn one<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    read: &Read<'_>,
    filter: Option<String>,
    order: Order<'_>,
    each: &mut EachRow<'_>,
) -> Result<(), Fault> {
    let select = Select {
        sobject: &read.describe.name,
        fields: read.fields.to_vec(),
        filter,
        order,
    };
    let mut every = vec!["Id"];
    every.extend(
        STAMPS
            .into_iter()
            .take(2)
            .find(|name| read.describe.field(name).is_some()),
    );
    let mut slices = soql::slices(read.fields, &every);
    if slices.len() > 1 {
        return joined::read(caller, rest, &select, &slices, every.get(1).copied(), each);
    }
    let select = Select {
        fields: slices.pop().unwrap_or_default(),
        ..select
    };
    pages(caller, rest, &select, &mut |_, page| {
        page.rows().try_for_each(&mut *each)
    })
}

/// The stamp that rows can be asked by: the first that the sObject has and lets stand in WHERE.
pub fn stamp_field(describe: &Describe) -> Option<&'static str> {
    STAMPS.into_iter().find(|name| filterable(describe, name))
}

pub fn filterable(describe: &Describe, name: &str) -> bool {
    describe.field(name).is_some_and(|field| field.filterable)
}

/// Every page of `select`, deleted and archived rows too.
fn pages<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    select: &Select<'_>,
    each: &mut EachPage<'_, S>,
) -> Result<(), Fault> {
    pages_from(caller, rest, select, (None, None), each)
}

/// The same from the row after `after`, or from a first page that has come already; begun again after the last row
/// where the cursor dies.
pub fn pages_from<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    select: &Select<'_>,
    (mut after, mut first): (Option<After>, Option<Page>),
    each: &mut EachPage<'_, S>,
) -> Result<(), Fault> {
    let mut stalls = 0;
    loop {
        let mut last: Option<Vec<u8>> = None;
        let mut each_page = |caller: &mut Caller<S>, page: &Page| {
            each(caller, page)?;
            last = page.last().map(<[u8]>::to_vec).or_else(|| last.take());
            Ok(())
        };
        let ended = match first.take() {
            Some(page) => follow(caller, page, &mut each_page),
            None => cursor(caller, rest, &select.text(after)?, "/queryAll", &mut each_page),
        };
        let Err(fault) = ended else { return Ok(()) };
        if !fault.has("INVALID_QUERY_LOCATOR") {
            return Err(fault.about(format!("reading {}", select.sobject)));
        }
        let reached = last
            .as_deref()
            .and_then(|row| reached(row, select.order))
            .or(after);
        stalls = if reached == after { stalls + 1 } else { 0 };
        if stalls > STALLS_MAX {
            return Err(fault.about(format!("reading {} from the same row again", select.sobject)));
        }
        tracing::warn!(sobject = select.sobject, after = ?reached.map(|a| a.id), "the cursor died; going on");
        after = reached;
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

/// The pages of one cursor.
fn cursor<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    text: &str,
    resource: &str,
    each: &mut EachPage<'_, S>,
) -> Result<(), Fault> {
    let call = Call::get(soql::path(&rest.path(resource), text));
    let page = caller.read(&call, &|reply| Page::parse(reply.body))?;
    follow(caller, page, each)
}

/// A page and all that follow, and the check of their rows against the org's count.
fn follow<S: Session>(
    caller: &mut Caller<S>,
    mut page: Page,
    each: &mut EachPage<'_, S>,
) -> Result<(), Fault> {
    let (total, mut got) = (page.total, 0);
    loop {
        got += page.len() as u64;
        each(caller, &page)?;
        let Some(next) = page.next.take() else { break };
        page = caller.read(&Call::get(next), &|reply| Page::parse(reply.body))?;
    }
    if got != total {
        return Err(Fault::incomplete(format!(
            "the org counts {total} rows and gave {got}"
        )));
    }
    Ok(())
}

/// sObjects of which the org hides archived rows from `query`, though they are live (Object Reference, "Archived
/// Activities").
const ARCHIVED: [&str; 2] = ["Event", "Task"];

/// The path that counts the live rows of an sObject.
pub fn count_path(rest: &Rest, sobject: &str) -> Result<String> {
    let (resource, filter) = live(sobject);
    let filter = filter.map(|f| format!(" WHERE {f}")).unwrap_or_default();
    let text = format!("SELECT COUNT() FROM {}{filter}", api_name(sobject)?);
    Ok(soql::path(&rest.path(resource), &text))
}

/// The resource and condition that give the live rows of an sObject.
fn live(sobject: &str) -> (&'static str, Option<&'static str>) {
    if ARCHIVED.contains(&sobject) {
        ("/queryAll", Some("IsDeleted = false"))
    } else {
        ("/query", None)
    }
}

/// How many live rows the org counts.
pub fn count<S: Session>(caller: &mut Caller<S>, rest: &Rest, sobject: &str) -> Result<u64> {
    let call = Call::get(count_path(rest, sobject)?);
    let page = caller.read(&call, &|reply| Page::parse(reply.body));
    Ok(page
        .map_err(|fault| Error::from(fault).within(format!("counting {sobject}")))?
        .total)
}

/// The Ids of all live rows, ascending by their 15 bytes.
///
/// # Errors
/// `Io` where the org gives them in another order, since sets compared in step would then lie.
pub fn ids<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    sobject: &str,
    each: &mut dyn FnMut(RecordId) -> Result<()>,
) -> Result<()> {
    #[derive(Deserialize)]
    struct IdOnly<'a> {
        #[serde(rename = "Id")]
        id: &'a str,
    }
    let (resource, filter) = live(sobject);
    let select = Select {
        sobject,
        fields: vec!["Id"],
        filter: filter.map(str::to_owned),
        order: Order::Id,
    };
    let (mut last, mut stalls): (Option<RecordId>, u32) = (None, 0);
    loop {
        let before = last;
        let text = select.text(last.map(|id| After {
            id,
            stamp: Stamp::NONE,
        }))?;
        let ended = cursor(caller, rest, &text, resource, &mut |_, page| {
            page.rows().try_for_each(|row| {
                let id = serde_json::from_slice::<IdOnly<'_>>(row)
                    .ok()
                    .and_then(|r| RecordId::parse(r.id.as_bytes()));
                let id =
                    id.ok_or_else(|| Error::new(Kind::Io, format!("a row of {sobject} without a valid Id")))?;
                if last.is_some_and(|last| last >= id) {
                    return Err(Error::new(
                        Kind::Io,
                        format!("Ids of {sobject} out of order at {id}"),
                    ));
                }
                last = Some(id);
                each(id)
            })
        });
        let Err(fault) = ended else { return Ok(()) };
        stalls = if last == before { stalls + 1 } else { 0 };
        if !fault.has("INVALID_QUERY_LOCATOR") || stalls > STALLS_MAX {
            return Err(Error::from(fault).within(format!("listing the Ids of {sobject}")));
        }
    }
}

/// The rows of a small query over `query`, each as its text; for what the connector itself wants to know.
pub fn small<S: Session>(caller: &mut Caller<S>, rest: &Rest, text: &str) -> Result<Vec<Vec<u8>>, Fault> {
    let mut rows = Vec::new();
    cursor(caller, rest, text, "/query", &mut |_, page| {
        rows.extend(page.rows().map(<[u8]>::to_vec));
        Ok(())
    })?;
    Ok(rows)
}
