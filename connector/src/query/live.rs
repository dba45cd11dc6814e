//! Live rows alone: how many, and which Ids.
//!
//! Key decision: an archived activity is live, and `query` hides it; there `queryAll` is asked with a condition, so
//! that counts and Ids are of the same rows as a reading is (Object Reference, "Archived Activities").
//! It reads nothing of a row but its Id.

use halite_engine::base::error::{Error, Kind, Result};
use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use serde::Deserialize;

use super::page::Page;
use super::pages::cursor;
use super::soql::{self, After, Order, Select};
use crate::rest::{Rest, api_name};
use crate::retry::{Caller, Session};
use crate::transport::Call;

/// sObjects with archived rows.
const ARCHIVED: [&str; 2] = ["Event", "Task"];
/// How often the Ids are asked for again from the same one.
const STALLS_MAX: u32 = 5;

/// The resource and the condition that give live rows.
fn live(sobject: &str) -> (&'static str, Option<&'static str>) {
    if ARCHIVED.contains(&sobject) {
        ("/queryAll", Some("IsDeleted = false"))
    } else {
        ("/query", None)
    }
}

/// The path that counts live rows.
///
/// # Errors
/// `Invalid` for a name that is not an API name.
pub fn count_path(rest: &Rest, sobject: &str) -> Result<String> {
    let (resource, filter) = live(sobject);
    let filter = filter.map(|f| format!(" WHERE {f}")).unwrap_or_default();
    let text = format!("SELECT COUNT() FROM {}{filter}", api_name(sobject)?);
    Ok(soql::path(&rest.path(resource), &text))
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
    let (resource, filter) = live(sobject);
    let select = Select {
        sobject,
        fields: vec!["Id"],
        filter: filter.map(str::to_owned),
        order: Order::Id,
        limit: None,
    };
    let (mut last, mut stalls): (Option<RecordId>, u32) = (None, 0);
    loop {
        let before = last;
        let text = select.text(last.map(|id| After {
            id,
            stamp: Stamp::NONE,
        }))?;
        let path = soql::path(&rest.path(resource), &text);
        let ended = cursor(caller, rest, &path, &mut |_, page| {
            Ok(page.rows().try_for_each(|row| {
                let id = id_of(row)
                    .ok_or_else(|| Error::new(Kind::Io, format!("a row of {sobject} without a valid Id")))?;
                if last.is_some_and(|last| last >= id) {
                    let why = format!("Ids of {sobject} out of order at {id}");
                    return Err(Error::new(Kind::Io, why));
                }
                last = Some(id);
                each(id)
            })?)
        });
        let Err(fault) = ended else { return Ok(()) };
        stalls = if last == before { stalls + 1 } else { 0 };
        let passes = fault.has("INVALID_QUERY_LOCATOR") || fault.has("QUERY_TIMEOUT");
        if !passes || stalls > STALLS_MAX {
            return Err(Error::from(fault).within(format!("listing the Ids of {sobject}")));
        }
    }
}

/// The Id of a row.
pub fn id_of(row: &[u8]) -> Option<RecordId> {
    #[derive(Deserialize)]
    struct IdOnly<'a> {
        #[serde(rename = "Id")]
        id: &'a str,
    }
    let row: IdOnly<'_> = serde_json::from_slice(row).ok()?;
    RecordId::parse(row.id.as_bytes())
}
