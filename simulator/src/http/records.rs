//! Single records: read, create, change, delete, upsert, by Id or by another key.
//!
//! Key decision: thin: each call steps the clock once and runs one record's write. A path of three parts is a
//! key and its value, or a record and a way on from it (a file's bytes, a relationship); the object's own
//! fields decide which.
//! Source: REST API guide, "sObject Basic Information", "sObject Rows", "sObject Rows by External ID",
//! "sObject Relationships".
//! Not here: many at once (`collections`), bytes (`files`).

use serde_json::{Value, json};

use super::reply::Reply;
use super::route::Call;
use super::{conditional, files};
use crate::error::ApiError;
use crate::id::normalise;
use crate::org::State;
use crate::org::state::Life;
use crate::schema::{Kind, ObjectDef};
use crate::soql::run::Shown;
use crate::soql::{parser, plan, run};
use crate::write::{self, lookup};

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
    shown(state, call, &object, &id)
}

/// The reply that shows a live row.
fn shown(state: &State, call: &Call<'_>, object: &ObjectDef, id: &str) -> Result<Reply, ApiError> {
    if let Some(reply) = conditional::record(state, call, object, id)? {
        return Ok(reply);
    }
    let text = format!("SELECT {} FROM {}", fields(state, call, object), object.name);
    let plan = plan::bind(state, &text, &parser::parse(&text)?)?;
    let shown = run::show(state, &plan, id, false, call.version);
    shown
        .map(|s| conditional::marked(Reply::json(200, &s), state, object, id))
        .ok_or_else(ApiError::not_found)
}

/// The fields asked for: those of `fields`, or all.
fn fields(state: &State, call: &Call<'_>, object: &ObjectDef) -> String {
    call.request.param("fields").map_or_else(
        || {
            let seen = object.fields.iter().filter(|f| state.sees_field(object, f));
            seen.map(|f| f.name.as_str()).collect::<Vec<_>>().join(",")
        },
        str::to_owned,
    )
}

/// `GET /sobjects/X/{field}/{value}`, `GET /sobjects/X/{id}/{blob field}`, `GET /sobjects/X/{id}/{relationship}`
pub(crate) fn below(
    state: &mut State,
    call: &Call<'_>,
    name: &str,
    first: &str,
    second: &str,
) -> Result<Reply, ApiError> {
    let object = state.object(name)?;
    if object.field(first).is_some() {
        return match by_key(state, &object, (first, second))?.as_slice() {
            [id] => shown(state, call, &object, id),
            [] => Err(ApiError::not_found()),
            several => Ok(choices(call, &object, several)),
        };
    }
    let id = own(state, name, first)?;
    if state.live(&id).is_none() {
        return Err(ApiError::deleted());
    }
    match object.field(second).filter(|f| state.sees_field(&object, f)) {
        Some(field) if field.kind == Kind::Base64 => files::download(state, call, &object, field, &id),
        _ => relationship(state, call, &object, &id, second),
    }
}

/// The record above, or the records below, that a relationship leads to.
fn relationship(
    state: &mut State,
    call: &Call<'_>,
    object: &ObjectDef,
    id: &str,
    way: &str,
) -> Result<Reply, ApiError> {
    if let Some(field) = object.relationship(way) {
        let parent = state
            .row(id)
            .map(|r| r.text(&field.name).to_owned())
            .unwrap_or_default();
        let target = state
            .schema
            .by_id(&parent)
            .cloned()
            .filter(|_| state.live(&parent).is_some() && state.sees_id(&parent));
        return match target {
            Some(target) => shown(state, call, &target, &parent),
            None => Err(ApiError::not_found()),
        };
    }
    let children = state.schema.children_of(&object.name);
    let named = |(_, f): &&(&ObjectDef, &crate::schema::Field)| {
        f.children.as_deref().is_some_and(|c| c.eq_ignore_ascii_case(way))
    };
    let Some((child, field)) = children.iter().find(named) else {
        return Err(ApiError::not_found());
    };
    let text = format!(
        "SELECT {} FROM {} WHERE {} = '{id}'",
        fields(state, call, child),
        child.name,
        field.name
    );
    let plan = plan::bind(state, &text, &parser::parse(&text)?)?;
    let records: Vec<Shown> = run::find(state, &plan, false)
        .iter()
        .filter_map(|id| run::show(state, &plan, id.text(), false, call.version))
        .collect();
    Ok(Reply::json(
        200,
        &Shown::Object(vec![
            ("totalSize".to_owned(), Shown::Plain(json!(records.len()))),
            ("done".to_owned(), Shown::Plain(json!(true))),
            ("records".to_owned(), Shown::List(records)),
        ]),
    ))
}

/// `POST /sobjects/X`
pub(crate) fn create(state: &mut State, call: &Call<'_>, name: &str) -> Result<Reply, ApiError> {
    let object = state.object(name)?;
    let body = files::body(state, call, &object)?;
    state.begin();
    let user = state.running.clone();
    let id = state.attempt(|s| write::create(s, &object.name, &body, &user))?;
    Ok(saved(call, &object, &id))
}

/// The reply to a record that is new.
fn saved(call: &Call<'_>, object: &ObjectDef, id: &str) -> Reply {
    let location = format!("/services/data/{}/sobjects/{}/{id}", call.version, object.name);
    Reply::json(201, &json!({"id": id, "success": true, "errors": []})).with("Location", location)
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

/// The body may not name the field that the path names.
fn not_in_body(body: &Value, field: &str) -> Result<(), ApiError> {
    let names = body.as_object().into_iter().flatten();
    match names.map(|(k, _)| k).find(|k| k.eq_ignore_ascii_case(field)) {
        None => Ok(()),
        Some(_) => Err(ApiError::new(
            "INVALID_FIELD",
            format!("The {field} field should not be specified in the sobject data."),
        )),
    }
}

/// `PATCH /sobjects/X/{id}`
pub(crate) fn update(state: &mut State, call: &Call<'_>, name: &str, id: &str) -> Result<Reply, ApiError> {
    let id = own(state, name, id)?;
    let object = state.object(name)?;
    let body = files::body(state, call, &object)?;
    not_in_body(&body, "Id")?;
    if let Some(reply) = conditional::record(state, call, &object, &id)? {
        return Ok(reply);
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

/// Ids of the live rows of a key, in order.
fn by_key(state: &State, object: &ObjectDef, key: (&str, &str)) -> Result<Vec<String>, ApiError> {
    let field = lookup::key(object, key.0)?;
    let value = write::coerce(field, &json!(key.1), &state.settings)?;
    Ok(lookup::holding(state, object, field, &value))
}

/// 300: the rows that a key could mean.
fn choices(call: &Call<'_>, object: &ObjectDef, ids: &[String]) -> Reply {
    let urls: Vec<String> = ids
        .iter()
        .map(|id| format!("/services/data/{}/sobjects/{}/{id}", call.version, object.name))
        .collect();
    Reply::json(300, &urls)
}

/// `DELETE /sobjects/X/{field}/{value}`
pub(crate) fn delete_by(
    state: &mut State,
    call: &Call<'_>,
    name: &str,
    key: (&str, &str),
) -> Result<Reply, ApiError> {
    let object = state.object(name)?;
    match by_key(state, &object, key)?.as_slice() {
        [id] => delete(state, name, id),
        [] => Err(ApiError::not_found()),
        several => Ok(choices(call, &object, several)),
    }
}

/// `PATCH /sobjects/X/{field}/{value}`
pub(crate) fn upsert(
    state: &mut State,
    call: &Call<'_>,
    name: &str,
    key: (&str, &str),
) -> Result<Reply, ApiError> {
    let object = state.object(name)?;
    let body = files::body(state, call, &object)?;
    not_in_body(&body, key.0)?;
    let found = by_key(state, &object, key)?;
    match found.as_slice() {
        [id] => {
            if let Some(reply) = conditional::record(state, call, &object, id)? {
                return Ok(reply);
            }
        }
        [] => {}
        several => return Ok(choices(call, &object, several)),
    }
    state.begin();
    let user = state.running.clone();
    let (id, created) = state.attempt(|s| write::upsert(s, &object.name, key, &body, &user))?;
    if created {
        let location = format!("/services/data/{}/sobjects/{}/{id}", call.version, object.name);
        let body = json!({"id": id, "success": true, "errors": [], "created": true});
        return Ok(Reply::json(201, &body).with("Location", location));
    }
    Ok(Reply::json(
        200,
        &json!({"id": id, "success": true, "errors": [], "created": false}),
    ))
}
