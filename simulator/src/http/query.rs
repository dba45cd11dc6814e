//! `query`, `queryAll`, `tooling/query` and their pages.
//!
//! Key decision: the request's user and options are read here, and nothing else is known of them further in. The setup is
//! queried as any org is, in the state that it makes of itself.
//! Source: REST API guide, "Query", "QueryAll", "Query Options Header"; Tooling API guide, "REST Resources", "SOQL
//! Operation Limitations" (the codes of those refusals are ours).
//! Not here: SOQL, pages, cursors (`soql`), the setup's rows (`org::setup`).

use serde_json::json;

use super::reply::Reply;
use super::route::Call;
use crate::error::ApiError;
use crate::id::normalise;
use crate::org::setup::Door;
use crate::org::{Permission, State};
use crate::soql::ast::{Cond, Op, Query, Select};
use crate::soql::page::{MAX_PAGE, Pager};
use crate::soql::run::Shown;
use crate::soql::{parser, plan};

/// `GET /query?q=...`
pub(crate) fn start(state: &mut State, call: &Call<'_>, all: bool) -> Result<Reply, ApiError> {
    let text = asked(call)?;
    let query = parser::parse(text)?;
    let setup = setup_of(state, Door::Data, &query.from.text());
    first(state, setup.as_ref(), call, (text, &query, "query"), all)
}

/// `GET /query/{locator}`
pub(crate) fn more(state: &mut State, call: &Call<'_>, locator: &str) -> Result<Reply, ApiError> {
    next(state, call, Door::Data, ("query", locator))
}

/// `GET /tooling/query?q=...`
pub(crate) fn tooling(state: &mut State, call: &Call<'_>) -> Result<Reply, ApiError> {
    let text = asked(call)?;
    let query = parser::parse(text)?;
    let setup = state.setup(Door::Tooling);
    first(state, Some(&setup), call, (text, &query, "tooling/query"), false)
}

/// `GET /tooling/query/{locator}`
pub(crate) fn tooling_more(state: &mut State, call: &Call<'_>, locator: &str) -> Result<Reply, ApiError> {
    next(state, call, Door::Tooling, ("tooling/query", locator))
}

/// `GET /tooling/sobjects/{object}/{id}`: all fields of a row, of a workflow rule its metadata too.
pub(crate) fn tooling_row(
    state: &mut State,
    call: &Call<'_>,
    object: &str,
    id: &str,
) -> Result<Reply, ApiError> {
    let setup = state.setup(Door::Tooling);
    let def = setup.object(object)?;
    let id = normalise(id).ok_or_else(ApiError::not_found)?;
    let row = setup
        .row(&id)
        .filter(|_| setup.schema.by_id(&id).is_some_and(|o| o.name == def.name));
    let mut shown = setup.shown(&def, &id, row.ok_or_else(ApiError::not_found)?);
    let url = format!(
        "/services/data/{}/tooling/sobjects/{}/{id}",
        call.version, def.name
    );
    shown.insert("attributes".to_owned(), json!({"type": def.name, "url": url}));
    if let Some(metadata) = state.workflow_metadata(&def.name, &id) {
        shown.insert("Metadata".to_owned(), metadata);
    }
    Ok(Reply::json(200, &shown))
}

fn asked<'a>(call: &Call<'a>) -> Result<&'a str, ApiError> {
    let text = call.request.param("q");
    text.ok_or_else(|| ApiError::new("MALFORMED_QUERY", "A query string has to be specified"))
}

/// The setup, if an object is one of its. An org whose schema was recorded may have these objects itself.
fn setup_of(state: &State, door: Door, object: &str) -> Option<State> {
    let is_setup = door.has(object) && (door == Door::Tooling || state.schema.object(object).is_none());
    (is_setup && state.may(Permission::ViewSetup)).then(|| state.setup(door))
}

fn first(
    state: &mut State,
    setup: Option<&State>,
    call: &Call<'_>,
    (text, query, resource): (&str, &Query, &str),
    all: bool,
) -> Result<Reply, ApiError> {
    let plan = plan::bind(setup.unwrap_or(&*state), text, query)?;
    if plan.object.name == "EntityDefinition" && setup.is_some() {
        stored_elsewhere(query)?;
    }
    let batch = hint(call).unwrap_or(MAX_PAGE);
    paged(state, setup, (call, resource), |pager| {
        pager.start(plan, all, batch)
    })
}

fn next(
    state: &mut State,
    call: &Call<'_>,
    door: Door,
    (resource, locator): (&str, &str),
) -> Result<Reply, ApiError> {
    let object = state.cursors.object(locator).unwrap_or_default().to_owned();
    let setup = setup_of(state, door, &object);
    paged(state, setup.as_ref(), (call, resource), |pager| {
        pager.more(locator)
    })
}

/// What an object without a table of its own refuses.
fn stored_elsewhere(query: &Query) -> Result<(), ApiError> {
    let refused = |message: &str| Err(ApiError::new("MALFORMED_QUERY", message));
    if query.aggregates() || matches!(query.select, Select::Count) {
        return refused(
            "The requested operation is not yet supported by this SObject storage type, contact salesforce.com support for more information.",
        );
    }
    match query.filter.as_ref().map_or(Shape::Plain, shape) {
        Shape::Plain => Ok(()),
        Shape::Either => refused("Disjunctions not supported"),
        Shape::Unequal => refused("Only equals comparisons permitted"),
    }
}

/// How a condition is made.
#[derive(PartialEq, Eq)]
enum Shape {
    Plain,
    Either,
    Unequal,
}

fn shape(condition: &Cond) -> Shape {
    match condition {
        Cond::And(all) => {
            let mut shapes = all.iter().map(shape);
            shapes.find(|s| *s != Shape::Plain).unwrap_or(Shape::Plain)
        }
        Cond::Or(_) => Shape::Either,
        Cond::Compare(_, Op::Eq, _) | Cond::In { negated: false, .. } => Shape::Plain,
        _ => Shape::Unequal,
    }
}

/// Runs `work` with the org's cursors taken out of the state, over the setup or over the org itself.
fn paged(
    state: &mut State,
    setup: Option<&State>,
    (call, resource): (&Call<'_>, &str),
    work: impl FnOnce(&mut Pager<'_>) -> Result<Shown, ApiError>,
) -> Result<Reply, ApiError> {
    let mut cursors = std::mem::take(&mut state.cursors);
    let mut pager = Pager {
        state: setup.unwrap_or(&*state),
        cursors: &mut cursors,
        version: call.version,
        resource,
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
