//! One page of a query's rows, kept as the body that the org sent.
//!
//! Key decision: the rows are ranges of the body, found by one pass over it, so that nothing is built per row
//! and a page can outlive its parser. A page that contradicts itself is refused (REST API guide, "Query").
//! It does not look into rows.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

/// One page.
#[derive(Debug)]
pub struct Page {
    body: Vec<u8>,
    rows: Vec<Range<usize>>,
    /// How many rows the whole query has.
    pub total: u64,
    /// Path of the next page.
    pub next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    total_size: u64,
    done: bool,
    #[serde(default)]
    next_records_url: Option<String>,
    #[serde(borrow)]
    records: Vec<&'a RawValue>,
}

impl Page {
    /// Reads a body.
    ///
    /// # Errors
    /// What is wrong with it: not JSON, rows that are no objects, more to come without saying where.
    pub fn parse(body: Vec<u8>) -> Result<Self, String> {
        let wire: Wire<'_> =
            serde_json::from_slice(&body).map_err(|e| format!("a page of rows that does not parse: {e}"))?;
        let start = body.as_ptr().addr();
        let mut rows = Vec::with_capacity(wire.records.len());
        for record in &wire.records {
            let text = record.get();
            if !text.starts_with('{') {
                return Err("a page with a row that is not an object".into());
            }
            let from = text.as_ptr().addr() - start;
            rows.push(from..from + text.len());
        }
        let (total, next) = (wire.total_size, wire.next_records_url.filter(|_| !wire.done));
        if !wire.done && next.is_none() {
            return Err("a page that says there is more and not where".into());
        }
        Ok(Self {
            body,
            rows,
            total,
            next,
        })
    }

    /// The rows' texts.
    pub fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.rows.iter().map(|range| &self.body[range.clone()])
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The last row's text.
    pub fn last(&self) -> Option<&[u8]> {
        self.rows.last().map(|range| &self.body[range.clone()])
    }
}
