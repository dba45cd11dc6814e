//! Open queries: the Ids found at the start, and how far each page went.
//!
//! Key decision: the set of Ids is fixed when the query starts, values are read page by page, and a locator
//! is an opaque text with a place, as `0r8...-120`.
//! Source: REST API guide, "Query"; Limits cheat sheet, "API Query Cursor Limits" (two days, any number).
//! Not here: the reply (`http::query`).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::plan::Plan;

/// One open query.
#[derive(Debug, Clone)]
pub(crate) struct Cursor {
    pub plan: Arc<Plan>,
    pub ids: Arc<Vec<String>>,
    /// Deleted rows are wanted too.
    pub all: bool,
    /// Rows a page that the client asked for.
    pub batch: usize,
    pub opened: Timestamp,
}

/// All open queries of the org.
#[derive(Debug, Default)]
pub(crate) struct Cursors {
    open: BTreeMap<String, Cursor>,
    made: u64,
}

impl Cursors {
    pub fn open(&mut self, cursor: Cursor) -> String {
        self.made += 1;
        let id = crate::id::make("0r8", self.made);
        self.open.insert(id.clone(), cursor);
        id
    }

    /// The query and the place that a locator means.
    pub fn find(&self, locator: &str) -> Option<(Cursor, usize)> {
        let (id, at) = locator.rsplit_once('-')?;
        let cursor = self.open.get(id)?.clone();
        let at = at.parse().ok().filter(|at| *at < cursor.ids.len())?;
        Some((cursor, at))
    }

    /// Goes on counting where another run of the same org stopped.
    pub fn resume(&mut self, made: u64) {
        self.made = made;
    }

    /// Queries opened so far, which is what locators are numbered by.
    pub fn made(&self) -> u64 {
        self.made
    }

    pub fn clear(&mut self) {
        self.open.clear();
    }
}
