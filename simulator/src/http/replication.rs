//! getUpdated and getDeleted.
//!
//! Key decision: the window is cut to whole minutes on both sides and both ends belong to it;
//! `latestDateCovered` is the least of the window's end, the time now and the start of the oldest transaction
//! still running, so that a client that goes on from its own `end` misses rows.
//! Source: REST API guide, "Get Deleted", "Get Updated"; SOAP API guide, "getUpdated", "getDeleted",
//! "Polling for Changes".
//! Not here: the delete log (`org::replication`).

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::reply::Reply;
use super::route::Call;
use crate::error::ApiError;
use crate::org::state::Life;
use crate::org::{State, stamp};
use crate::schema::ObjectDef;
use crate::write::instant;

const MINUTE_MS: i64 = 60_000;

/// `GET /sobjects/X/updated/?start=..&end=..`
pub(crate) fn updated(state: &State, call: &Call<'_>, name: &str) -> Result<Reply, ApiError> {
    let object = replicateable(state, name)?;
    let window = window(state, call, state.settings.replication.updated_days)?;
    let Some(field) = ["SystemModstamp", "LastModifiedDate"]
        .into_iter()
        .find(|f| object.has(f))
    else {
        return Err(not_replicateable(&object));
    };
    let ids: Vec<&String> = state
        .rows(&object.name)
        .filter(|(id, row)| row.life == Life::Live && state.finds_row(&object, id, row))
        .filter(|(_, row)| instant(row.text(field)).is_some_and(|at| window.holds(at)))
        .map(|(id, _)| id)
        .collect();
    enough(state, ids.len())?;
    Ok(Reply::json(
        200,
        &json!({"ids": ids, "latestDateCovered": stamp(window.covered(state))}),
    ))
}

/// `GET /sobjects/X/deleted/?start=..&end=..`
pub(crate) fn deleted(state: &State, call: &Call<'_>, name: &str) -> Result<Reply, ApiError> {
    let object = replicateable(state, name)?;
    let days = state.settings.replication.deleted_days;
    let window = window(state, call, days)?;
    let log = state.replication.deletes(&object.name);
    let found: Vec<_> = log
        .iter()
        .filter(|(at, id)| window.holds(*at) && (state.row(id).is_none() || state.sees_id(id)))
        .map(|(at, id)| json!({"id": id, "deletedDate": stamp(*at)}))
        .collect();
    enough(state, found.len())?;
    let horizon = state.clock.now() - SignedDuration::from_hours(24 * days);
    let purged = state.replication.purged(&object.name).unwrap_or(horizon);
    let earliest = purged.max(horizon);
    Ok(Reply::json(
        200,
        &json!({"deletedRecords": found, "earliestDateAvailable": stamp(minute(earliest)),
            "latestDateCovered": stamp(window.covered(state))}),
    ))
}

fn replicateable(state: &State, name: &str) -> Result<std::sync::Arc<ObjectDef>, ApiError> {
    let object = state.object(name)?;
    if object.rights.replicateable {
        Ok(object)
    } else {
        Err(not_replicateable(&object))
    }
}

fn not_replicateable(object: &ObjectDef) -> ApiError {
    ApiError::new(
        "INVALID_TYPE_FOR_OPERATION",
        format!("entity type {} does not support replication", object.name),
    )
}

fn enough(state: &State, found: usize) -> Result<(), ApiError> {
    let most = state.settings.replication.max_ids;
    if found <= most {
        return Ok(());
    }
    Err(ApiError::new(
        "EXCEEDED_ID_LIMIT",
        format!("exceeded the limit of {most} ids: choose start and end dates that are closer together"),
    ))
}

/// A timespan in whole minutes, both ends within.
struct Window {
    start: Timestamp,
    end: Timestamp,
}

impl Window {
    fn holds(&self, at: Timestamp) -> bool {
        (self.start..=self.end).contains(&at)
    }

    /// The time up to which the client has seen everything.
    fn covered(&self, state: &State) -> Timestamp {
        let now = state.clock.now();
        let held = state.replication.held_at.unwrap_or(now);
        let late = state.late.oldest().unwrap_or(now);
        minute(self.end.min(now).min(held).min(late))
    }
}

/// A time cut to its minute.
fn minute(at: Timestamp) -> Timestamp {
    let ms = at.as_millisecond();
    Timestamp::from_millisecond(ms - ms.rem_euclid(MINUTE_MS)).unwrap_or(at)
}

/// `start` and `end` of the query, checked.
fn window(state: &State, call: &Call<'_>, days: i64) -> Result<Window, ApiError> {
    let time = |name: &str| -> Result<Timestamp, ApiError> {
        let text = call.request.param(name).ok_or_else(|| {
            ApiError::new("MISSING_ARGUMENT", format!("Missing required parameter: {name}"))
        })?;
        // A plus that was not escaped arrives as a blank.
        instant(&text.trim().replace(' ', "+"))
            .map(minute)
            .ok_or_else(|| {
                ApiError::new(
                    "INVALID_REPLICATION_DATE",
                    format!("{name} is not a valid date: {text}"),
                )
            })
    };
    let (start, end) = (time("start")?, time("end")?);
    let refused = |message: &str| Err(ApiError::new("INVALID_REPLICATION_DATE", message));
    if end.duration_since(start) <= SignedDuration::from_mins(1) {
        return refused("endDate must be more than one minute after startDate");
    }
    let since = state.settings.replication.enabled_since;
    if since.is_some_and(|since| start < since) {
        return refused("startDate before org replication enabled date");
    }
    if state.clock.now().duration_since(start) > SignedDuration::from_hours(24 * days) {
        return refused(&format!("startDate cannot be more than {days} days ago"));
    }
    Ok(Window { start, end })
}
