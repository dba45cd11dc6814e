//! Writes: create, update, upsert, delete, undelete, emptyRecycleBin, merge.
//!
//! Key decision: one result for each record in the order of the request, at most 200 of them, all in one
//! transaction; with `AllOrNoneHeader` one refusal undoes them all.
//! Source: SOAP API guide, the calls of these names, "AllOrNoneHeader", "DuplicateRuleHeader"; the WSDL's
//! `SaveResult`, `UpsertResult`, `MergeResult` for the order of elements.
//! Not here: the rules (`write`).

use quick_xml::escape::escape;
use serde_json::Value;

use super::Call;
use super::envelope::Fault;
use super::records::{Sent, scalar, sent};
use crate::error::ApiError;
use crate::id::normalise;
use crate::org::State;
use crate::write;

const MAX_RECORDS: usize = 200;

type Outcome<T> = Result<T, ApiError>;

/// Refuses more than 200 of anything.
fn limited<T>(list: Vec<T>) -> Result<Vec<T>, Fault> {
    if list.len() <= MAX_RECORDS {
        return Ok(list);
    }
    Err(Fault::new(
        "EXCEEDED_ID_LIMIT",
        format!("record limit reached. cannot submit more than {MAX_RECORDS} records into this call"),
    ))
}

fn objects(call: &Call<'_>) -> Result<Vec<Sent>, Fault> {
    limited(call.operation.all("sObjects").map(sent).collect())
}

/// Runs the writes of a call.
fn each<T, R>(
    state: &mut State,
    call: &Call<'_>,
    list: &[T],
    one: impl FnMut(&mut State, &T) -> Outcome<R>,
) -> Result<Vec<Outcome<R>>, Fault> {
    let all_or_none = call.asks("AllOrNoneHeader", "allOrNone");
    Ok(write::each(state, all_or_none, list, one)?)
}

/// An object that the WSDL knows, or the fault of a call that names none.
fn known(state: &State, kind: &str) -> Result<(), ApiError> {
    if state.schema.object(kind).is_some() {
        return Ok(());
    }
    let message = format!("sObject type '{kind}' is not supported.");
    Err(ApiError::new("INVALID_TYPE", message))
}

pub(super) fn create(state: &mut State, call: &Call<'_>) -> Result<String, Fault> {
    let list = objects(call)?;
    list.iter().try_for_each(|r| known(state, &r.kind))?;
    let user = state.running.clone();
    let results = each(state, call, &list, |s, r| {
        write::create(s, &r.kind, &r.values, &user)
    })?;
    Ok(results
        .iter()
        .map(|r| result("", r.as_ref().ok().map(String::as_str), r, ""))
        .collect())
}

pub(super) fn update(state: &mut State, call: &Call<'_>) -> Result<String, Fault> {
    let list = objects(call)?;
    let user = state.running.clone();
    let results = each(state, call, &list, |s, r| {
        let Some(id) = &r.id else {
            let e = ApiError::new("MISSING_ARGUMENT", "Id not specified in an update call");
            return Err(e.on("Id"));
        };
        write::update(s, id, &r.values, &user).map(|()| id.clone())
    })?;
    Ok(list
        .iter()
        .zip(&results)
        .map(|(sent, r)| result("", sent.id.as_deref().filter(|_| r.is_ok()), r, ""))
        .collect())
}

pub(super) fn upsert(state: &mut State, call: &Call<'_>) -> Result<String, Fault> {
    let list = objects(call)?;
    list.iter().try_for_each(|r| known(state, &r.kind))?;
    let key = call.text("externalIDFieldName")?;
    let user = state.running.clone();
    let results = each(state, call, &list, |s, r| {
        let held = match &r.values {
            Value::Object(map) => map.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)),
            _ => None,
        };
        let value = if key.eq_ignore_ascii_case("Id") {
            r.id.clone()
        } else {
            held.and_then(|(_, v)| v.as_str()).map(str::to_owned)
        };
        match value {
            Some(value) => {
                let mut rest = r.values.clone();
                if let (Some(map), Some((name, _))) = (rest.as_object_mut(), held) {
                    map.remove(name);
                }
                write::upsert(s, &r.kind, (key, &value), &rest, &user)
            }
            None if key.eq_ignore_ascii_case("Id") => {
                write::create(s, &r.kind, &r.values, &user).map(|id| (id, true))
            }
            None => Err(ApiError::new("MISSING_ARGUMENT", format!("{key} not specified"))),
        }
    })?;
    Ok(results
        .iter()
        .map(|r| {
            let (id, created) = r
                .as_ref()
                .map_or((None, false), |(id, c)| (Some(id.as_str()), *c));
            result(&format!("<created>{created}</created>"), id, r, "")
        })
        .collect())
}

/// A call that takes Ids and does the same to each; `named` says whether a refusal names its Id, as the
/// recorded ones of undelete do and those of delete do not.
fn on_ids(
    state: &mut State,
    call: &Call<'_>,
    named: bool,
    one: fn(&mut State, &str) -> Outcome<()>,
) -> Result<String, Fault> {
    let list = limited(call.texts("ids"))?;
    let results = each(state, call, &list, |s, id| one(s, id))?;
    Ok(list
        .iter()
        .zip(&results)
        .map(|(id, r)| result("", Some(id.as_str()).filter(|_| named || r.is_ok()), r, ""))
        .collect())
}

pub(super) fn delete(state: &mut State, call: &Call<'_>) -> Result<String, Fault> {
    on_ids(state, call, false, write::delete)
}

pub(super) fn undelete(state: &mut State, call: &Call<'_>) -> Result<String, Fault> {
    on_ids(state, call, true, write::undelete)
}

pub(super) fn empty_recycle_bin(state: &mut State, call: &Call<'_>) -> Result<String, Fault> {
    on_ids(state, call, true, write::empty_bin)
}

pub(super) fn merge(state: &mut State, call: &Call<'_>) -> Result<String, Fault> {
    let requests: Vec<(Sent, Vec<String>)> = limited(call.operation.all("request").collect())?
        .into_iter()
        .filter_map(|r| {
            let losers = r.all("recordToMergeIds");
            let losers = losers.map(|e| e.text.trim().to_owned()).collect();
            Some((sent(r.child("masterRecord")?), losers))
        })
        .collect();
    let user = state.running.clone();
    let results = each(state, call, &requests, |s, (winner, losers)| {
        let id = winner.id.as_deref().unwrap_or_default();
        write::merge(s, id, &winner.values, losers, &user)
    })?;
    let list =
        |name: &str, ids: &[String]| -> String { ids.iter().map(|id| scalar(name, Some(id))).collect() };
    Ok(requests
        .iter()
        .zip(&results)
        .map(|((winner, _), r)| {
            let (merged, moved) = match r {
                Ok(done) => (
                    list("mergedRecordIds", &done.losers),
                    list("updatedRelatedIds", &done.moved),
                ),
                Err(_) => (String::new(), String::new()),
            };
            result_of(&merged, winner.id.as_deref(), r, &moved)
        })
        .collect())
}

/// A result: what stands before the errors, errors, id, success, and what stands at the end.
fn result<T>(before: &str, id: Option<&str>, outcome: &Outcome<T>, after: &str) -> String {
    let (errors, success) = errors(outcome);
    format!(
        "<result>{before}{errors}{}<success>{success}</success>{after}</result>",
        shown(id)
    )
}

/// The result of a merge: the losers stand between id and success.
fn result_of<T>(losers: &str, id: Option<&str>, outcome: &Outcome<T>, after: &str) -> String {
    let (errors, success) = errors(outcome);
    format!(
        "<result>{errors}{}{losers}<success>{success}</success>{after}</result>",
        shown(id)
    )
}

fn shown(id: Option<&str>) -> String {
    let full = id.map(|id| normalise(id).unwrap_or_else(|| id.to_owned()));
    scalar("id", full.as_deref())
}

fn errors<T>(outcome: &Outcome<T>) -> (String, bool) {
    let Err(e) = outcome else {
        return (String::new(), true);
    };
    let fields: String = e.fields.iter().map(|f| scalar("fields", Some(f))).collect();
    let (message, code) = (escape(&e.message), e.code);
    let said = format!("{fields}<message>{message}</message><statusCode>{code}</statusCode>");
    let errors = match &e.duplicates {
        None => format!("<errors>{said}</errors>"),
        Some(found) => format!(
            "<errors xsi:type=\"DuplicateError\">{said}{}</errors>",
            duplicate_result(found)
        ),
    };
    (errors, false)
}

/// What a duplicate rule found, in the order of the WSDL.
fn duplicate_result(found: &Value) -> String {
    let shown = |value: &Value, name: &str| {
        let text = match &value[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        scalar(name, Some(&text))
    };
    let all = |value: &Value, names: &[&str]| -> String { names.iter().map(|n| shown(value, n)).collect() };
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let matches: String = list(found, "matchResults")
        .iter()
        .map(|m| {
            let records: String = list(m, "matchRecords")
                .iter()
                .map(|r| {
                    let kind = r["record"]["attributes"]["type"].as_str();
                    let id = scalar("sf:Id", r["record"]["Id"].as_str());
                    format!(
                        "<matchRecords>{}<record xsi:type=\"sf:sObject\">{}{id}</record></matchRecords>",
                        shown(r, "matchConfidence"),
                        scalar("sf:type", kind)
                    )
                })
                .collect();
            let (head, tail) = (
                all(m, &["entityType", "matchEngine"]),
                all(m, &["rule", "size", "success"]),
            );
            format!("<matchResults>{head}{records}{tail}</matchResults>")
        })
        .collect();
    let head = all(
        found,
        &[
            "allowSave",
            "duplicateRule",
            "duplicateRuleEntityType",
            "errorMessage",
        ],
    );
    format!("<duplicateResult>{head}{matches}</duplicateResult>")
}
