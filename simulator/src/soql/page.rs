//! Replies in pages: the first of a query, those behind a locator, and those of children inside a row.
//!
//! Key decision: page sizes vary below the limit by a seed, so that no client can count on them; values are
//! read when their page is; a row that was deleted after the query started is left out of a later page.
//! Source: REST API guide, "Query", "Query Options Header"; SOAP API guide, "Changing the Batch Size in
//! Queries".
//! Not here: HTTP (`http::query`).

use std::sync::Arc;

use serde_json::{Value, json};

use super::cursor::{Cursor, Cursors};
use super::group;
use super::plan::{Child, Column, Plan, Shape};
use super::run::{self, Shown};
use crate::error::ApiError;
use crate::id::mix;
use crate::org::State;
use crate::schema::Kind;

/// Largest page.
pub(crate) const MAX_PAGE: usize = 2000;
/// Largest page of rows with two or more long texts of the user's own.
const LONG_TEXT_PAGE: usize = 200;

/// Writes pages of one request.
pub(crate) struct Pager<'a> {
    pub state: &'a State,
    pub cursors: &'a mut Cursors,
    /// As in the path: `v67.0`.
    pub version: &'a str,
    /// Where further pages are asked for: `query`, `tooling/query`.
    pub resource: &'a str,
}

impl Pager<'_> {
    /// Runs a query and gives its first page.
    pub fn start(&mut self, plan: Plan, all: bool, batch: usize) -> Result<Shown, ApiError> {
        match &plan.shape {
            Shape::Count => Ok(reply(run::count(self.state, &plan, all), None, Vec::new())),
            Shape::Groups(groups) => {
                let rows = group::rows(self.state, &plan, groups, all);
                if rows.len() > MAX_PAGE {
                    return Err(one_batch("Aggregate query"));
                }
                Ok(reply(rows.len(), None, rows))
            }
            Shape::Rows(_) => {
                let ids = run::find(self.state, &plan, all);
                if plan.object.name.ends_with("__mdt") && ids.len() > MAX_PAGE {
                    return Err(one_batch(&format!("{} query", plan.object.name)));
                }
                Ok(self.first(&self.cursor(Arc::new(plan), ids, all, batch)))
            }
        }
    }

    /// The page behind a locator.
    pub fn more(&mut self, locator: &str) -> Result<Shown, ApiError> {
        let (user, life) = (&self.state.running, self.state.settings.locator_life);
        let found = self.cursors.find(locator, user, self.state.clock.now(), life);
        let (cursor, id, at) =
            found.ok_or_else(|| ApiError::new("INVALID_QUERY_LOCATOR", "invalid query locator"))?;
        Ok(self.page(&cursor, &id, at))
    }

    fn cursor(&self, plan: Arc<Plan>, ids: Vec<crate::id::Key>, all: bool, batch: usize) -> Cursor {
        Cursor {
            plan,
            ids: Arc::new(ids),
            all,
            batch,
            opened: self.state.clock.now(),
            user: self.state.running.clone(),
        }
    }

    fn first(&mut self, cursor: &Cursor) -> Shown {
        let fits = self.length(cursor, 0) >= cursor.ids.len();
        let id = if fits {
            String::new()
        } else {
            self.cursors
                .open(cursor.clone(), self.state.settings.locator_life)
        };
        self.page(cursor, &id, 0)
    }

    /// Rows of the page that begins at a place.
    fn length(&self, cursor: &Cursor, at: usize) -> usize {
        let settings = &self.state.settings;
        if cursor.plan.object.name.ends_with("__mdt") {
            return MAX_PAGE;
        }
        let most = settings
            .page_size
            .clamp(1, MAX_PAGE)
            .min(cursor.batch)
            .min(widest(&cursor.plan));
        if settings.even_pages {
            return most;
        }
        let spread = (most / 4) as u64 + 1;
        let less = mix(settings.seed, &format!("{}{at}", cursor.ids.len())) % spread;
        (most - usize::try_from(less).unwrap_or(0)).max(1)
    }

    fn page(&mut self, cursor: &Cursor, id: &str, at: usize) -> Shown {
        let end = (at + self.length(cursor, at)).min(cursor.ids.len());
        let (state, version, resource) = (self.state, self.version, self.resource);
        let mut records = Vec::with_capacity(end - at);
        for key in &cursor.ids[at..end] {
            let mut below = |child: &Child| self.below(child, key.text(), cursor);
            records.extend(run::show_with(
                state,
                &cursor.plan,
                key.text(),
                cursor.all,
                version,
                &mut below,
            ));
        }
        let next =
            (end < cursor.ids.len()).then(|| format!("/services/data/{version}/{resource}/{id}-{end}"));
        reply(cursor.ids.len(), next, records)
    }

    /// The children of a row: null, or a page of their own.
    fn below(&mut self, child: &Child, parent: &str, above: &Cursor) -> Shown {
        let ids = run::children(self.state, child, parent, above.all);
        if ids.is_empty() {
            return Shown::Plain(Value::Null);
        }
        let cursor = self.cursor(child.plan.clone(), ids, above.all, above.batch);
        self.first(&cursor)
    }
}

/// The reply to a query.
fn reply(total: usize, next: Option<String>, records: Vec<Shown>) -> Shown {
    let mut pairs = vec![
        ("totalSize".to_owned(), Shown::Plain(json!(total))),
        ("done".to_owned(), Shown::Plain(json!(next.is_none()))),
    ];
    pairs.extend(next.map(|url| ("nextRecordsUrl".to_owned(), Shown::Plain(json!(url)))));
    pairs.push(("records".to_owned(), Shown::List(records)));
    Shown::Object(pairs)
}

/// The refusal of a result that must fit one page and does not.
fn one_batch(what: &str) -> ApiError {
    let message =
        format!("{what} does not support queryMore(), use LIMIT to restrict the results to a single batch");
    ApiError::new("EXCEEDED_ID_LIMIT", message)
}

/// Most rows a page of this shape holds.
fn widest(plan: &Plan) -> usize {
    let long = |column: &&Column| {
        let own = column.hops.is_empty() && column.kind == Kind::TextArea;
        own && plan
            .object
            .field(&column.field)
            .is_some_and(|f| f.custom() && f.length > 255)
    };
    if plan.columns().filter(long).count() >= 2 {
        LONG_TEXT_PAGE
    } else {
        MAX_PAGE
    }
}
