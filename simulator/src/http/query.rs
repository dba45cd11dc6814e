//! `query`, `queryAll` and their pages.
//!
//! Key decision: page sizes vary below the limit by a seed, so that no client can count on them; a row that
//! was deleted after the query started is left out of a later page.
//! Source: REST API guide, "Query", "Query Options Header".
//! Not here: SOQL (`soql`).

use std::sync::Arc;

use serde_json::json;

use super::reply::Reply;
use super::route::Call;
use crate::error::ApiError;
use crate::id::mix;
use crate::org::State;
use crate::soql::cursor::Cursor;
use crate::soql::run::Shown;
use crate::soql::{parser, plan, run};

/// Largest page.
const MAX_PAGE: usize = 2000;

/// `GET /query?q=...`
pub(crate) fn start(state: &mut State, call: &Call<'_>, all: bool) -> Result<Reply, ApiError> {
    let text = call
        .request
        .param("q")
        .ok_or_else(|| ApiError::new("MALFORMED_QUERY", "A query string has to be specified"))?;
    let plan = plan::bind(state, text, &parser::parse(text)?)?;
    let ids = run::find(state, &plan, all);
    if plan.columns.is_none() {
        return Ok(Reply::json(
            200,
            &json!({"totalSize": ids.len(), "done": true, "records": []}),
        ));
    }
    let cursor = Cursor {
        plan: Arc::new(plan),
        ids: Arc::new(ids),
        all,
        batch: hint(call).unwrap_or(MAX_PAGE),
        opened: state.clock.now(),
    };
    let fits = page_length(state, &cursor, 0) >= cursor.ids.len();
    let locator = if fits {
        String::new()
    } else {
        state.cursors.open(cursor.clone())
    };
    Ok(page(state, call, &cursor, &locator, 0))
}

/// `batchSize=200..2000` of the query options header.
fn hint(call: &Call<'_>) -> Option<usize> {
    let header = call.request.header("sforce-query-options")?;
    let size = header
        .split(',')
        .find_map(|o| o.trim().strip_prefix("batchSize="))?;
    size.trim().parse::<usize>().ok().map(|n| n.clamp(200, MAX_PAGE))
}

/// `GET /query/{locator}`
pub(crate) fn more(state: &mut State, call: &Call<'_>, locator: &str) -> Result<Reply, ApiError> {
    let dead = || ApiError::new("INVALID_QUERY_LOCATOR", "invalid query locator");
    let (cursor, at) = state.cursors.find(locator).ok_or_else(dead)?;
    let age = state.clock.now().duration_since(cursor.opened).unsigned_abs();
    if age > state.settings.locator_life {
        return Err(dead());
    }
    let id = locator.rsplit_once('-').map_or(locator, |(id, _)| id).to_owned();
    Ok(page(state, call, &cursor, &id, at))
}

fn page_length(state: &State, cursor: &Cursor, at: usize) -> usize {
    let most = state.settings.page_size.clamp(1, MAX_PAGE).min(cursor.batch);
    if state.settings.even_pages {
        return most;
    }
    let spread = (most / 4) as u64 + 1;
    let less = mix(state.settings.seed, &format!("{}{at}", cursor.ids.len())) % spread;
    (most - usize::try_from(less).unwrap_or(0)).max(1)
}

fn page(state: &State, call: &Call<'_>, cursor: &Cursor, locator: &str, at: usize) -> Reply {
    let end = (at + page_length(state, cursor, at)).min(cursor.ids.len());
    let columns = cursor.plan.columns.as_deref().unwrap_or_default();
    let records: Vec<Shown> = cursor.ids[at..end]
        .iter()
        .filter_map(|id| run::show(state, &cursor.plan, columns, id, cursor.all, call.version))
        .collect();
    let done = end >= cursor.ids.len();
    let mut reply = vec![
        ("totalSize".to_owned(), Shown::Plain(json!(cursor.ids.len()))),
        ("done".to_owned(), Shown::Plain(json!(done))),
    ];
    if !done {
        let url = format!("/services/data/{}/query/{locator}-{end}", call.version);
        reply.push(("nextRecordsUrl".to_owned(), Shown::Plain(json!(url))));
    }
    reply.push(("records".to_owned(), Shown::List(records)));
    Reply::json(200, &Shown::Object(reply))
}
