//! Creates, edits and deletes up to 200 rows in one call, each with an outcome of its own.
//!
//! Key decision: never all-or-none, and assignment rules are off (the API's default would override owners);
//! rows refused by a lock are sent again, a reply that is lost or does not match its rows makes them unknown
//! (REST API guide, "sObject Collections", "Assignment Rule Header", "Duplicate Rule Header"). It does not choose or check fields.

use halite_engine::base::error::{Error, Result};
use halite_engine::base::id::RecordId;
use halite_engine::ops::org::{Outcome, Refusal};
use reqwest::Method;
use serde::Deserialize;

use crate::error::{ApiError, passes};
use crate::query::row::Row;
use crate::rest::{Rest, api_name, json};
use crate::retry::{Caller, Session, Written};
use crate::transport::{Body, Call};

/// Most rows a call.
pub const ROWS_MAX: usize = 200;
/// How often rows refused by what passes are sent.
pub const ROUNDS: u32 = 4;
/// Rules that assign owners are off, and duplicate rules that only alert let rows pass: what was there comes back.
pub const HEADERS: &[(&str, &str)] = &[
    ("Sforce-Auto-Assign", "FALSE"),
    ("Sforce-Duplicate-Rule-Header", "allowSave=true"),
];

/// One row's answer, in the order of the rows (REST API guide, "SaveResult").
#[derive(Debug, Deserialize)]
pub struct SaveResult {
    /// Absent where it was refused.
    #[serde(default)]
    pub id: Option<String>,
    /// Whether it was done.
    pub success: bool,
    /// Why not.
    #[serde(default)]
    pub errors: Vec<ApiError>,
}

impl SaveResult {
    /// The outcome that the engine knows.
    pub fn outcome(self) -> Outcome {
        let id = self.id.as_deref().and_then(|id| RecordId::parse(id.as_bytes()));
        match (self.success, id) {
            (true, Some(id)) => Outcome::Done(id),
            (true, None) => Outcome::Unknown("the org says done and gives no Id".into()),
            (false, _) => Outcome::Refused(
                self.errors
                    .into_iter()
                    .next()
                    .map_or_else(unexplained, Refusal::from),
            ),
        }
    }
}

fn unexplained() -> Refusal {
    Refusal {
        code: "UNKNOWN".into(),
        message: "refused without a reason".into(),
        fields: Vec::new(),
    }
}

/// Creates rows of one sObject.
pub fn create<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    sobject: &str,
    rows: &[String],
) -> Result<Vec<Outcome>> {
    let bodies = rows
        .iter()
        .map(|row| record(sobject, None, row))
        .collect::<Result<Vec<_>>>()?;
    save(caller, rest, &Method::POST, &bodies)
}

/// Edits rows of one sObject.
pub fn update<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    sobject: &str,
    rows: &[(RecordId, String)],
) -> Result<Vec<Outcome>> {
    let bodies = rows
        .iter()
        .map(|(id, row)| record(sobject, Some(*id), row))
        .collect::<Result<Vec<_>>>()?;
    save(caller, rest, &Method::PATCH, &bodies)
}

/// Deletes rows of any sObjects; what hangs on them goes along.
pub fn delete<S: Session>(caller: &mut Caller<S>, rest: &Rest, ids: &[RecordId]) -> Result<Vec<Outcome>> {
    in_rounds(caller, ids.len(), |caller, picked| {
        let some: Vec<String> = picked.iter().map(|at| ids[*at].to_string()).collect();
        let path = format!("/composite/sobjects?allOrNone=false&ids={}", some.join(","));
        let call = Call::bare(Method::DELETE, rest.path(&path));
        let written = caller.write(&call, &|reply| json::<Vec<SaveResult>>(reply))?;
        Ok(outcomes(written, picked.len(), SaveResult::outcome))
    })
}

/// A row as the collections want it: attributes first, then its Id, then what is to be set.
fn record(sobject: &str, id: Option<RecordId>, row: &str) -> Result<String> {
    let fields = Row::parse(row.as_bytes()).map_err(|why| {
        Error::invalid(format!(
            "a row of {sobject} to be written is not a JSON object: {why}"
        ))
    })?;
    if let Some(name) = fields
        .names()
        .find(|n| n.eq_ignore_ascii_case("id") || *n == "attributes")
    {
        return Err(Error::invalid(format!(
            "a row of {sobject} to be written sets `{name}`"
        )));
    }
    let id = id.map_or(String::new(), |id| format!(",\"id\":\"{id}\""));
    let mut text = format!("{{\"attributes\":{{\"type\":\"{}\"}}{id}", api_name(sobject)?);
    let inside = row.trim().trim_start_matches('{').trim_start();
    if fields.names().next().is_some() {
        text.push(',');
    }
    text.push_str(inside);
    Ok(text)
}

fn save<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    method: &Method,
    bodies: &[String],
) -> Result<Vec<Outcome>> {
    in_rounds(caller, bodies.len(), |caller, picked| {
        let records: Vec<&str> = picked.iter().map(|i| bodies[*i].as_str()).collect();
        let body = format!("{{\"allOrNone\":false,\"records\":[{}]}}", records.join(","));
        let path = rest.path("/composite/sobjects");
        let call = Call {
            method: method.clone(),
            path,
            body: Body::Json(body),
            headers: HEADERS,
        };
        let written = caller.write(&call, &|reply| json::<Vec<SaveResult>>(reply))?;
        Ok(outcomes(written, picked.len(), SaveResult::outcome))
    })
}

/// One outcome a row; all unknown where the reply is lost or does not fit.
pub fn outcomes<T>(written: Written<Vec<T>>, rows: usize, outcome: fn(T) -> Outcome) -> Vec<Outcome> {
    match written {
        Written::Reply(results) if results.len() == rows => results.into_iter().map(outcome).collect(),
        Written::Reply(results) => {
            let why = format!("the org gave {} results for {rows} rows", results.len());
            vec![Outcome::Unknown(why); rows]
        }
        Written::Lost(why) => vec![Outcome::Unknown(why); rows],
    }
}

/// Sends rows, and those again that were refused by what passes. `send` takes positions of rows.
pub fn in_rounds<S: Session>(
    caller: &mut Caller<S>,
    rows: usize,
    mut send: impl FnMut(&mut Caller<S>, &[usize]) -> Result<Vec<Outcome>>,
) -> Result<Vec<Outcome>> {
    if rows > ROWS_MAX {
        return Err(Error::invalid(format!(
            "{rows} rows in one call, {ROWS_MAX} at most"
        )));
    }
    let mut picked: Vec<usize> = (0..rows).collect();
    let mut all = vec![Outcome::Unknown("not sent".into()); rows];
    for round in 1..=ROUNDS {
        if picked.is_empty() {
            break;
        }
        let sent = send(caller, &picked);
        let outcomes = match sent {
            Err(error) if round == 1 => return Err(error),
            // What was refused before stays refused.
            Err(error) => {
                tracing::warn!(%error, "rows refused by a lock were not sent again");
                break;
            }
            Ok(outcomes) => outcomes,
        };
        for (at, outcome) in picked.iter().zip(outcomes) {
            all[*at] = outcome;
        }
        picked.retain(|at| matches!(&all[*at], Outcome::Refused(refusal) if passes(&refusal.code)));
        if !picked.is_empty() && round < ROUNDS && caller.wire.pause(round).is_err() {
            break;
        }
    }
    Ok(all)
}
