//! `query`, `queryAll` and their pages.
//!
//! Key decision: the request's user and options are read here, and nothing else is known of them further in.
//! Source: REST API guide, "Query", "QueryAll", "Query Options Header".
//! Not here: SOQL, pages, cursors (`soql`).

use super::reply::Reply;
use super::route::Call;
use crate::error::ApiError;
use crate::org::State;
use crate::soql::page::{MAX_PAGE, Pager};
use crate::soql::run::Shown;
use crate::soql::{parser, plan};

/// `GET /query?q=...`
pub(crate) fn start(state: &mut State, call: &Call<'_>, all: bool) -> Result<Reply, ApiError> {
    let text = call
        .request
        .param("q")
        .ok_or_else(|| ApiError::new("MALFORMED_QUERY", "A query string has to be specified"))?;
    let plan = plan::bind(state, text, &parser::parse(text)?)?;
    let batch = hint(call).unwrap_or(MAX_PAGE);
    paged(state, call, |pager| pager.start(plan, all, batch))
}

/// `GET /query/{locator}`
pub(crate) fn more(state: &mut State, call: &Call<'_>, locator: &str) -> Result<Reply, ApiError> {
    paged(state, call, |pager| pager.more(locator))
}

/// Runs `work` with the org's cursors taken out of the state, which it reads meanwhile.
fn paged(
    state: &mut State,
    call: &Call<'_>,
    work: impl FnOnce(&mut Pager<'_>) -> Result<Shown, ApiError>,
) -> Result<Reply, ApiError> {
    let mut cursors = std::mem::take(&mut state.cursors);
    let mut pager = Pager {
        state,
        cursors: &mut cursors,
        version: call.version,
    };
    let page = work(&mut pager);
    state.cursors = cursors;
    Ok(Reply::json(200, &page?))
}

/// `batchSize=200..2000` of the query options header.
fn hint(call: &Call<'_>) -> Option<usize> {
    let header = call.request.header("sforce-query-options")?;
    let size = header
        .split(',')
        .find_map(|o| o.trim().strip_prefix("batchSize="))?;
    size.trim().parse::<usize>().ok().map(|n| n.clamp(200, MAX_PAGE))
}
