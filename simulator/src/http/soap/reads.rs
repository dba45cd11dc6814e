//! Queries, retrieve, and what was changed or deleted since.
//!
//! Key decision: REST's own handlers answer, so that the two interfaces never disagree; here their JSON
//! becomes elements.
//! Source: SOAP API guide, "query", "queryAll", "queryMore", "retrieve", "getUpdated", "getDeleted".
//! Not here: SOQL (`soql`), pages (`http::query`).

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue};
use serde_json::json;
use url::form_urlencoded::Serializer;

use super::Call;
use super::envelope::Fault;
use super::json::Json;
use super::records::{self, instant, scalar};
use crate::http::request::Request;
use crate::http::route;
use crate::org::State;

/// What REST answers to a call on the same org in the same version.
pub(super) fn rest(
    state: &mut State,
    call: &Call<'_>,
    (method, path): (&str, &str),
    query: &[(&str, &str)],
    body: Bytes,
) -> Result<Json, Fault> {
    let mut headers = HeaderMap::new();
    if let Some(host) = call.request.headers.get("host") {
        headers.insert("host", host.clone());
    }
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let batch = call
        .header
        .and_then(|h| h.child("QueryOptions"))
        .and_then(|o| o.get("batchSize"));
    if let Some(options) = batch.and_then(|n| HeaderValue::from_str(&format!("batchSize={n}")).ok()) {
        headers.insert("sforce-query-options", options);
    }
    let query = Serializer::new(String::new()).extend_pairs(query).finish();
    let request = Request::new(method, path, &query, headers, body);
    let version = format!("v{}", call.version);
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    let inner = route::Call {
        version: &version,
        request: &request,
    };
    let reply = route::inner(state, &inner, &segments)?;
    serde_json::from_slice(&reply.body).map_err(|e| Fault::new("UNKNOWN_EXCEPTION", e.to_string()))
}

fn get(state: &mut State, call: &Call<'_>, path: &str, query: &[(&str, &str)]) -> Result<Json, Fault> {
    rest(state, call, ("GET", path), query, Bytes::new())
}

fn result(state: &State, call: &Call<'_>, page: &Json) -> String {
    format!(
        "<result xsi:type=\"QueryResult\">{}</result>",
        records::page(state, call.dialect, page)
    )
}

pub(super) fn query(state: &mut State, call: &Call<'_>) -> Result<String, Fault> {
    let page = get(state, call, "query", &[("q", call.text("queryString")?)])?;
    Ok(result(state, call, &page))
}

pub(super) fn query_all(state: &mut State, call: &Call<'_>) -> Result<String, Fault> {
    let page = get(state, call, "queryAll", &[("q", call.text("queryString")?)])?;
    Ok(result(state, call, &page))
}

pub(super) fn query_more(state: &mut State, call: &Call<'_>) -> Result<String, Fault> {
    let page = get(state, call, &format!("query/{}", call.text("queryLocator")?), &[])?;
    Ok(result(state, call, &page))
}

pub(super) fn retrieve(state: &mut State, call: &Call<'_>) -> Result<String, Fault> {
    let path = format!("composite/sobjects/{}", call.text("sObjectType")?);
    let fields: Vec<&str> = call.text("fieldList")?.split(',').map(str::trim).collect();
    let body = json!({"ids": call.texts("ids"), "fields": fields}).to_string();
    let rows = rest(state, call, ("POST", &path), &[], body.into())?;
    let shown = rows
        .list()
        .iter()
        .map(|row| records::record(state, call.dialect, "result", row));
    Ok(shown.collect())
}

/// Start and end of a replication call.
fn window(state: &mut State, call: &Call<'_>, kind: &str) -> Result<Json, Fault> {
    let path = format!("sobjects/{}/{kind}", call.text("sObjectType")?);
    let query = [("start", call.text("startDate")?), ("end", call.text("endDate")?)];
    get(state, call, &path, &query)
}

pub(super) fn updated(state: &mut State, call: &Call<'_>) -> Result<String, Fault> {
    let found = window(state, call, "updated")?;
    let ids: String = found
        .get("ids")
        .list()
        .iter()
        .map(|id| scalar("ids", id.text()))
        .collect();
    Ok(format!(
        "<result>{ids}{}</result>",
        date(&found, "latestDateCovered")
    ))
}

pub(super) fn deleted(state: &mut State, call: &Call<'_>) -> Result<String, Fault> {
    let found = window(state, call, "deleted")?;
    let rows: String = found
        .get("deletedRecords")
        .list()
        .iter()
        .map(|row| {
            let id = scalar("id", row.get("id").text());
            format!(
                "<deletedRecords>{}{id}</deletedRecords>",
                date(row, "deletedDate")
            )
        })
        .collect();
    Ok(format!(
        "<result>{rows}{}{}</result>",
        date(&found, "earliestDateAvailable"),
        date(&found, "latestDateCovered")
    ))
}

fn date(from: &Json, name: &str) -> String {
    scalar(name, from.get(name).text().map(instant).as_deref())
}
