//! Open queries: the Ids found at the start, and how far each page went.
//!
//! Key decision: the set of Ids is fixed when the query starts, values are read page by page, and a locator
//! is an opaque text with a place, as `0r8...-120`. A cursor belongs to the user who opened it.
//! Source: REST API guide, "Query"; Limits cheat sheet, "API Query Cursor Limits" (two days, any number).
//! Not here: pages (`page`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::plan::Plan;
use crate::id::Key;

/// One open query.
#[derive(Debug, Clone)]
pub(crate) struct Cursor {
    pub plan: Arc<Plan>,
    pub ids: Arc<Vec<Key>>,
    /// Deleted rows are wanted too.
    pub all: bool,
    /// Rows a page that the client asked for.
    pub batch: usize,
    pub opened: Timestamp,
    pub user: String,
}

impl Cursor {
    fn lives(&self, now: Timestamp, life: Duration) -> bool {
        now.duration_since(self.opened).unsigned_abs() <= life
    }
}

/// All open queries of the org.
#[derive(Debug, Default)]
pub(crate) struct Cursors {
    open: BTreeMap<String, Cursor>,
    made: u64,
}

impl Cursors {
    /// Keeps a query, and forgets those whose life is over; gives the locator without a place.
    pub fn open(&mut self, cursor: Cursor, life: Duration) -> String {
        self.open.retain(|_, old| old.lives(cursor.opened, life));
        self.made += 1;
        let id = crate::id::make("0r8", self.made);
        self.open.insert(id.clone(), cursor);
        id
    }

    /// The query of a user that a locator means, its name without the place, and the place.
    pub fn find(
        &self,
        locator: &str,
        user: &str,
        now: Timestamp,
        life: Duration,
    ) -> Option<(Cursor, String, usize)> {
        let (id, at) = locator.rsplit_once('-')?;
        let cursor = self
            .open
            .get(id)
            .filter(|c| c.user == user && c.lives(now, life))?;
        let at = at.parse().ok().filter(|at| *at < cursor.ids.len())?;
        Some((cursor.clone(), id.to_owned(), at))
    }

    /// The object that a locator's query reads, whoever opened it.
    pub fn object(&self, locator: &str) -> Option<&str> {
        let (id, _) = locator.rsplit_once('-')?;
        self.open.get(id).map(|cursor| cursor.plan.object.name.as_str())
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
