//! Single records: read, create, change, delete, upsert.
//!
//! Key decision: thin: each call steps the clock once and runs one record's write.
//! Source: REST API guide, "sObject Basic Information", "sObject Rows", "sObject Rows by External ID".
//! Not here: many at once (`collections`).

use serde_json::json;

use super::reply::Reply;
use super::route::Call;
use crate::error::ApiError;
use crate::id::normalise;
use crate::org::State;
use crate::org::state::Life;
use crate::soql::{parser, plan, run};
use crate::write;

/// `GET /sobjects/X/{id}[?fields=A,B]`
pub(crate) fn get(state: &mut State, call: &Call<'_>, name: &str, id: &str) -> Result<Reply, ApiError> {
    let object = state.object(name)?;
    let id = normalise(id)
        .filter(|id| id.starts_with(&object.key_prefix))
        .ok_or_else(|| {
            ApiError::new(
                "NOT_FOUND",
                format!("Provided external ID field does not exist or is not accessible: {id}"),
            )
            .status(404)
        })?;
    let seen = state.row(&id).filter(|r| state.sees_row(&object, &id, r));
    match seen.map(|r| r.life) {
        Some(Life::Live) if object.rights.retrieveable => {}
        Some(Life::Bin | Life::Purged) => return Err(ApiError::deleted()),
        _ => return Err(ApiError::not_found()),
    }
    let fields = match call.request.param("fields") {
        Some(list) => list.to_owned(),
        None => object
            .fields
            .iter()
            .filter(|f| state.sees_field(&object, f))
            .map(|f| f.name.as_str())
            .collect::<Vec<_>>()
            .join(","),
    };
    let text = format!("SELECT {fields} FROM {}", object.name);
    let plan = plan::bind(state, &text, &parser::parse(&text)?)?;
    let shown = run::show(state, &plan, &id, false, call.version);
    shown
        .map(|s| Reply::json(200, &s))
        .ok_or_else(ApiError::not_found)
}

/// `POST /sobjects/X`
pub(crate) fn create(state: &mut State, call: &Call<'_>, name: &str) -> Result<Reply, ApiError> {
    let object = state.object(name)?;
    let body = call.request.json()?;
    state.begin();
    let user = state.running.clone();
    let id = state.attempt(|s| write::create(s, &object.name, &body, &user))?;
    let location = format!("/services/data/{}/sobjects/{}/{id}", call.version, object.name);
    Ok(Reply::json(201, &json!({"id": id, "success": true, "errors": []})).with("Location", location))
}

/// The Id of a path, which must belong to the object named before it.
fn own(state: &State, name: &str, id: &str) -> Result<String, ApiError> {
    let object = state.object(name)?;
    let id = normalise(id).ok_or_else(ApiError::not_found)?;
    if !id.starts_with(&object.key_prefix) || !state.row(&id).is_some_and(|r| state.sees_row(&object, &id, r))
    {
        return Err(ApiError::not_found());
    }
    Ok(id)
}

/// `PATCH /sobjects/X/{id}`
pub(crate) fn update(state: &mut State, call: &Call<'_>, name: &str, id: &str) -> Result<Reply, ApiError> {
    let id = own(state, name, id)?;
    let body = call.request.json()?;
    if body
        .as_object()
        .is_some_and(|b| b.keys().any(|k| k.eq_ignore_ascii_case("id")))
    {
        return Err(ApiError::new(
            "INVALID_FIELD",
            "The Id field should not be specified in the sobject data.",
        ));
    }
    state.begin();
    let user = state.running.clone();
    state.attempt(|s| write::update(s, &id, &body, &user))?;
    Ok(Reply::none(204))
}

/// `DELETE /sobjects/X/{id}`
pub(crate) fn delete(state: &mut State, name: &str, id: &str) -> Result<Reply, ApiError> {
    let id = own(state, name, id)?;
    state.begin();
    state.attempt(|s| write::delete(s, &id))?;
    Ok(Reply::none(204))
}

/// `PATCH /sobjects/X/{field}/{value}`
pub(crate) fn upsert(
    state: &mut State,
    call: &Call<'_>,
    name: &str,
    field: &str,
    value: &str,
) -> Result<Reply, ApiError> {
    let object = state.object(name)?;
    let body = call.request.json()?;
    state.begin();
    let user = state.running.clone();
    let (id, created) = state.attempt(|s| write::upsert(s, &object.name, (field, value), &body, &user))?;
    let status = if created { 201 } else { 200 };
    Ok(Reply::json(
        status,
        &json!({"id": id, "success": true, "errors": [], "created": created}),
    ))
}
