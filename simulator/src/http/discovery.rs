//! What the org offers: versions, resources, limits, record counts.
//!
//! Key decision: the usage counter jitters around the true count by a seed, because the real one is not
//! monotone; `/limits` holds nested per-app objects, as recorded ones do.
//! Source: REST API guide, "API End-of-Life Policy" (410 for retired versions; its text is ours), "Versions", "Resources by Version", "Limits", "Record Count".
//! Not here: describes (`describe`).

use serde_json::{Map, Value, json};

use super::auth;
use super::reply::Reply;
use super::route::Call;
use crate::error::ApiError;
use crate::id::mix;
use crate::org::State;
use crate::org::state::Life;

/// The first version that REST had (Winter '11).
const FIRST: u16 = 20;

const SEASONS: [&str; 3] = ["Summer", "Winter", "Spring"];

/// `GET /services/data`
pub(crate) fn versions(state: &mut State) -> Reply {
    state.called("versions");
    let (low, high) = state.settings.versions;
    let list: Vec<Value> = (low..=high)
        .map(|v| {
            // v31.0 is Summer '14; three releases a year, and Winter bears the next year's number.
            let n = u32::from(v.saturating_sub(31));
            let season = SEASONS[(n % 3) as usize];
            let year = 14 + n.div_ceil(3);
            json!({"label": format!("{season} '{year}"), "url": format!("/services/data/v{v}.0"), "version": format!("{v}.0")})
        })
        .collect();
    Reply::json(200, &list)
}

/// The number of a path's version (`v67.0`), as the API writes it and no other way.
fn number(version: &str) -> Option<u16> {
    let number = version.strip_prefix('v')?.strip_suffix(".0")?.parse().ok()?;
    (version == format!("v{number}.0")).then_some(number)
}

/// Whether a path's version is served.
pub(crate) fn supported(state: &State, version: &str) -> bool {
    let (low, high) = state.settings.versions;
    number(version).is_some_and(|n| (low..=high).contains(&n))
}

/// The refusal of a version that is not: it was once, or never.
pub(crate) fn unsupported(state: &State, version: &str) -> ApiError {
    let (low, _) = state.settings.versions;
    if number(version).is_some_and(|n| (FIRST..low).contains(&n)) {
        let message = "The requested resource is no longer available";
        return ApiError::new("GONE", message).status(410);
    }
    ApiError::not_found()
}

/// `GET /services/data/vXX.0`
pub(crate) fn resources(state: &State, call: &Call<'_>) -> Reply {
    let mut map: Map<String, Value> = [
        "sobjects",
        "query",
        "queryAll",
        "tooling",
        "limits",
        "composite",
        "jobs",
    ]
    .iter()
    .map(|r| {
        (
            (*r).to_owned(),
            json!(format!("/services/data/{}/{r}", call.version)),
        )
    })
    .collect();
    let who = auth::identity_url(state, call.request, &state.running);
    map.insert("identity".to_owned(), json!(who));
    Reply::json(200, &map)
}

/// The `Sforce-Limit-Info` header: an estimate, now above and now below the truth.
pub(crate) fn usage(state: &State) -> String {
    let used = state.used_today();
    let jitter = mix(state.settings.seed, &used.to_string()) % 5;
    let shown = (used + 2).saturating_sub(jitter);
    format!("api-usage={shown}/{}", state.settings.daily_requests)
}

/// `GET /limits`
pub(crate) fn limits(state: &State) -> Reply {
    let used = state.used_today();
    let max = state.settings.daily_requests;
    let limits = &state.settings.limits;
    let (data, files) = state.room_mb();
    let of = |max: u64, remaining: u64| json!({"Max": max, "Remaining": remaining});
    let mut body = json!({
            "ConcurrentAsyncGetReportInstances": of(200, 200),
            "DailyApiRequests": {"Max": max, "Remaining": max.saturating_sub(used),
                "Halite": {"Max": 0, "Remaining": 0}},
            "DataStorageMB": of(limits.data_storage_mb, data),
            "FileStorageMB": of(limits.file_storage_mb, files),
    });
    let now = state.clock.now();
    for (name, max, remaining) in state.bulk.allowances(&state.settings.bulk, now) {
        body[name] = of(max, remaining);
    }
    Reply::json(200, &body)
}

/// `GET /limits/recordCount?sObjects=A,B`
pub(crate) fn counts(state: &State, call: &Call<'_>) -> Reply {
    let asked = call.request.param("sObjects");
    let list: Vec<Value> = state
        .schema
        .objects()
        .filter(|o| state.sees_object(o))
        .filter(|o| asked.is_none_or(|a| a.split(',').any(|n| n.trim().eq_ignore_ascii_case(&o.name))))
        .map(|o| {
            (
                &o.name,
                state.rows(&o.name).filter(|(_, r)| r.life == Life::Live).count(),
            )
        })
        .filter(|(_, n)| *n > 0)
        .map(|(name, count)| json!({"count": count, "name": name}))
        .collect();
    Reply::json(200, &json!({"sObjects": list}))
}
