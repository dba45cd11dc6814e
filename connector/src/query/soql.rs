//! Text of queries: names checked, values escaped, and how long a URI they make.
//!
//! Key decision: every query text of the connector is made here, from API names and typed values alone, so that
//! there is no place where text of others could become part of one (SOQL reference, "Quoted String Escape
//! Sequences", "Date Formats"). It does not know which fields exist.

use std::fmt::Write;

use halite_engine::base::error::{Error, Result};
use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use url::form_urlencoded::byte_serialize;

use crate::rest::api_name;

/// Bytes of one SELECT list as it stands in a URI. With 4,100 for [`IDS_FEW`] and some for the rest, a URI stays below
/// 12,000; the org refuses one of 16,384 with its headers (REST API guide, "Status Codes", 414 and 431).
pub const SELECT_MAX: usize = 7_000;
/// Bytes of a path that goes as a URI; a longer one goes in the body of a composite call.
pub const PATH_MAX: usize = 12_000;
/// Ids in one filter: 2,000 of 21 characters leave half of the 100,000 that a query may have to its fields ("SOQL and
/// SOSL Limits"; the 4,000 of a WHERE are those of one literal), and their rows fit one page.
pub const IDS_MAX: usize = 2_000;
/// Ids in one filter whose query goes as a URI.
pub const IDS_FEW: usize = 150;
/// Bytes of the values in one filter.
const HAVING_BYTES: usize = 40_000;

/// Where a reading stands: how its rows are ordered and can be resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order<'a> {
    /// In any order; can only be begun again.
    None,
    /// By Id.
    Id,
    /// By this stamp, then by Id.
    Stamp(&'a str),
}

/// The last row that was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    /// Its Id.
    pub id: RecordId,
    /// Its stamp; not used when ordered by Id.
    pub stamp: Stamp,
}

/// One SELECT.
#[derive(Debug, Clone)]
pub struct Select<'a> {
    /// The sObject.
    pub sobject: &'a str,
    /// Its fields.
    pub fields: Vec<&'a str>,
    /// A condition in SOQL, made by this module.
    pub filter: Option<String>,
    /// The order.
    pub order: Order<'a>,
    /// Rows at most.
    pub limit: Option<u64>,
}

impl Select<'_> {
    /// The query's text, from the row after `after`.
    ///
    /// # Errors
    /// `Invalid` for a name that is not an API name.
    pub fn text(&self, after: Option<After>) -> Result<String> {
        for name in self.fields.iter().chain([&self.sobject]) {
            api_name(name)?;
        }
        let mut text = format!("SELECT {} FROM {}", self.fields.join(","), self.sobject);
        let resumed = after.and_then(|after| match self.order {
            Order::None => None,
            Order::Id => Some(format!("Id > '{}'", after.id)),
            Order::Stamp(by) => Some(format!(
                "({by} > {s} OR ({by} = {s} AND Id > '{}'))",
                after.id,
                s = after.stamp
            )),
        });
        let conditions: Vec<&str> = [&self.filter, &resumed]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        if !conditions.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(text, " WHERE {}", conditions.join(" AND "));
        }
        match self.order {
            Order::None => {}
            Order::Id => text.push_str(" ORDER BY Id"),
            Order::Stamp(by) => {
                let _ = write!(text, " ORDER BY {}, Id", api_name(by)?);
            }
        }
        if let Some(limit) = self.limit {
            let _ = write!(text, " LIMIT {limit}");
        }
        Ok(text)
    }
}

/// `field >= stamp`.
pub fn since(field: &str, stamp: Stamp) -> Result<String> {
    if !stamp.is_some() {
        return Err(Error::invalid("rows since no time at all"));
    }
    Ok(format!("{} >= {stamp}", api_name(field)?))
}

/// `field = '..'`, or `field IN (..)` for several Ids.
pub fn among(field: &str, ids: &[RecordId]) -> String {
    if let [id] = ids {
        return format!("{field} = '{id}'");
    }
    let quoted: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    format!("{field} IN ({})", quoted.join(","))
}

/// Filters for the rows whose field has one of these values, each of a length that a WHERE may have.
pub fn having(field: &str, values: &[String]) -> Vec<Result<String>> {
    let quoted = |value: &String| format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"));
    let filter = |some: &[String]| {
        let list: Vec<String> = some.iter().map(quoted).collect();
        Ok(format!("{} IN ({})", api_name(field)?, list.join(",")))
    };
    let mut bytes = 0;
    let fits = |_: &String, next: &String| {
        let more = quoted(next).len() + 1;
        bytes += more;
        let fits = bytes <= HAVING_BYTES;
        bytes = if fits { bytes } else { more };
        fits
    };
    values
        .chunk_by(fits)
        .flat_map(|some| some.chunks(IDS_MAX))
        .map(filter)
        .collect()
}

/// `Id` from the first to the last, both included.
pub fn between(first: RecordId, last: RecordId) -> String {
    format!("Id >= '{first}' AND Id <= '{last}'")
}

/// The path of a query resource with its text.
pub fn path(resource: &str, soql: &str) -> String {
    let encoded: String = byte_serialize(soql.as_bytes()).collect();
    format!("{resource}?q={encoded}")
}

/// Cuts a SELECT list into slices that fit a URI; each begins with the fields of `every`.
pub fn slices<'a>(fields: &[&'a str], every: &[&'a str]) -> Vec<Vec<&'a str>> {
    let bytes = |names: &[&str]| names.iter().map(|name| name.len() + 3).sum::<usize>();
    if bytes(fields) <= SELECT_MAX {
        return vec![fields.to_vec()];
    }
    let mut all = Vec::new();
    let mut slice = every.to_vec();
    for field in fields.iter().filter(|field| !every.contains(field)) {
        if bytes(&slice) + field.len() + 3 > SELECT_MAX && slice.len() > every.len() {
            all.push(std::mem::replace(&mut slice, every.to_vec()));
        }
        slice.push(field);
    }
    all.push(slice);
    all
}
