//! A page of query results that is written in slices, with the org free between them.
//!
//! Key decision: a page may be a hundred thousand rows; the lock is taken for a thousand at a time, so that
//! other requests are answered meanwhile. The headers follow from what was written.
//! Source: Bulk API 2.0 guide, "Get Results for a Query Job".
//! Not here: which rows make a page (`bulk::extract`).

use crate::bulk::extract::Extract;
use crate::bulk::job::Format;
use crate::bulk::rows::Table;
use crate::http::reply::Reply;
use crate::org::{Org, State};

/// Rows that are written while the lock is held.
const SLICE: usize = 1000;

/// What is still to be written of a reply.
#[derive(Debug, Clone)]
pub(crate) struct Slices {
    extract: Extract,
    /// Who reads.
    user: String,
    format: Format,
    from: usize,
    to: usize,
    written: usize,
    body: Vec<u8>,
}

impl Slices {
    /// Some rows of a job's results: the header, and the kept lines if there are any.
    pub fn new(state: &State, extract: &Extract, format: Format, from: usize, to: usize) -> Self {
        let mut body = Vec::new();
        Table::new(state, &extract.plan, format).header(&mut body);
        let mut slices = Self {
            extract: extract.clone(),
            user: state.running.clone(),
            format,
            from,
            to,
            written: 0,
            body,
        };
        if let Some(lines) = extract.kept(from, to) {
            slices.body.extend_from_slice(lines);
            slices.written = to - from;
            slices.from = to;
        }
        slices
    }

    /// The reply that the rest is written into later.
    pub fn reply(self, next: String) -> Reply {
        let mut reply = Reply::text(200, "text/csv", Vec::new()).with("Sforce-Locator", next);
        reply.slices = Some(Box::new(self));
        reply
    }

    fn write(&mut self, state: &mut State) {
        let end = (self.from + SLICE).min(self.to);
        let before = self.body.len();
        let asking = std::mem::replace(&mut state.running, self.user.clone());
        let table = Table::new(state, &self.extract.plan, self.format);
        for key in &self.extract.ids[self.from..end] {
            self.written += usize::from(table.line(state, key.text(), &mut self.body));
        }
        state.running = asking;
        self.from = end;
        let now = state.clock.now();
        state.bulk.results.add(now, (self.body.len() - before) as u64);
    }
}

/// Writes what is left to write of a reply.
pub(crate) fn finish(org: &Org, mut reply: Reply) -> Reply {
    let Some(mut slices) = reply.slices.take() else {
        return reply;
    };
    while slices.from < slices.to {
        slices.write(&mut org.lock());
    }
    reply.body = slices.body;
    reply.with("Sforce-NumberOfRecords", slices.written.to_string())
}
