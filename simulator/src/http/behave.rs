//! `/admin/behaviour`: the org's rules, automation, rights, schema and late transactions, driven from outside.
//!
//! Key decision: one call for each handle of [`Org`], by the words of its Rust name; what is a setting is
//! changed by `/admin/settings` and has no call of its own.
//! Not here: clock, faults, records, the truth (`admin`).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::admin::{body, unreadable};
use super::request::Request;
use crate::error::ApiError;
use crate::org::{FieldRights, LateTransaction, ObjectRights, Org, Permission};
use crate::write::automation::{Deed, Event};

type Answer = Result<Value, ApiError>;

/// Answers a call below `/admin/behaviour`.
pub(super) fn answer(org: &Org, request: &Request, path: &[&str]) -> Answer {
    match (request.method.as_str(), path) {
        ("POST", ["rules"]) => rule(org, &body(request)?)?,
        ("GET", ["rules", "idle"]) => return Ok(json!(org.idle_rules())),
        ("POST", ["duplicate_rules"]) => {
            let rule: DuplicateRule = body(request)?;
            let fields: Vec<&str> = rule.fields.iter().map(String::as_str).collect();
            org.add_duplicate_rule(&rule.name, &rule.object, &fields, rule.block);
        }
        ("POST", ["automation"]) => automation(org, body(request)?)?,
        ("POST", ["workflow_rules"]) => {
            let rule: WorkflowRule = body(request)?;
            org.add_workflow_rule(&rule.name, &rule.object, &rule.trigger);
        }
        ("POST", ["active"]) => {
            let wanted: Active = body(request)?;
            return Ok(json!({"switched": org.activate(&wanted.name, wanted.active)}));
        }
        ("POST", ["permissions", user]) => permit(org, user, &body(request)?),
        ("GET", ["locks"]) => return Ok(json!(org.locked_rows())),
        ("POST", ["replication"]) => replication(org, &body(request)?),
        ("POST", ["person_accounts"]) => org.enable_person_accounts(),
        ("POST", ["objects", object, "restamp"]) => return Ok(json!({"rows": org.restamp(object)?})),
        ("POST", ["objects", object, "fields"]) => org.set_field(object, &request.json()?)?,
        ("DELETE", ["objects", object, "fields", name]) => org.remove_field(object, name)?,
        (_, ["late", rest @ ..]) => return late(org, request, rest),
        _ => return Err(ApiError::not_found()),
    }
    Ok(json!({"success": true}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    object: String,
    formula: String,
    message: String,
    field: Option<String>,
}

fn rule(org: &Org, rule: &Rule) -> Result<(), ApiError> {
    org.add_rule(&rule.object, &rule.formula, &rule.message, rule.field.as_deref())
        .map_err(unreadable)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DuplicateRule {
    name: String,
    object: String,
    fields: Vec<String>,
    #[serde(default)]
    block: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkflowRule {
    name: String,
    object: String,
    trigger: String,
}

/// Whether what has this name is at work.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Active {
    name: String,
    active: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Automation {
    object: String,
    name: String,
    #[serde(default)]
    event: Event,
    #[serde(default)]
    flow: bool,
    when: Option<String>,
    deed: Deed,
}

fn automation(org: &Org, a: Automation) -> Result<(), ApiError> {
    let named = (a.name.as_str(), a.flow);
    org.on(&a.object, a.event, named, a.when.as_deref(), a.deed)
        .map_err(unreadable)
}

/// Rights to give and to take; what is not named stays.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rights {
    grant: Vec<Permission>,
    revoke: Vec<Permission>,
    objects: BTreeMap<String, ObjectRights>,
    /// By object and field.
    fields: BTreeMap<String, BTreeMap<String, FieldRights>>,
    /// By Id of the record type: whether it is available.
    record_types: BTreeMap<String, bool>,
}

fn permit(org: &Org, user: &str, rights: &Rights) {
    org.permit(user, |p| {
        rights.grant.iter().for_each(|r| p.grant(*r));
        rights.revoke.iter().for_each(|r| p.revoke(*r));
        for (object, given) in &rights.objects {
            *p.object(object) = *given;
        }
        for (object, fields) in &rights.fields {
            for (field, given) in fields {
                *p.field(object, field) = *given;
            }
        }
        for (id, available) in &rights.record_types {
            p.record_type(id, *available);
        }
    });
}

/// What replication covers: null lets `latestDateCovered` go.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Replication {
    HoldAt(Option<Timestamp>),
    PurgeDeleteLog(Timestamp),
}

fn replication(org: &Org, change: &Replication) {
    match change {
        Replication::HoldAt(at) => org.hold_covered_at(*at),
        Replication::PurgeDeleteLog(before) => org.purge_delete_log(*before),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Merge {
    losers: Vec<String>,
}

/// Merges rows into one.
pub(super) fn merge(org: &Org, winner: &str, merge: &Merge) -> Answer {
    let losers: Vec<&str> = merge.losers.iter().map(String::as_str).collect();
    Ok(json!({"moved": org.merge(winner, &losers)?}))
}

/// Transactions that are committed later.
fn late(org: &Org, request: &Request, path: &[&str]) -> Answer {
    let method = request.method.as_str();
    if let ("POST", []) = (method, path) {
        return Ok(json!({"late": org.begin_late().number()}));
    }
    let [number, rest @ ..] = path else {
        return Err(ApiError::not_found());
    };
    let open = number.parse().ok().and_then(|n| org.late(n));
    let open: LateTransaction = open.ok_or_else(ApiError::not_found)?;
    match (method, rest) {
        ("POST", ["commit"]) => open.commit(),
        ("DELETE", []) => open.roll_back(),
        ("POST", ["records", object]) => {
            return Ok(json!({"id": open.create(object, &request.json()?)?}));
        }
        ("PATCH", ["records", id]) => open.update(id, &request.json()?)?,
        ("DELETE", ["records", id]) => open.delete(id)?,
        ("POST", ["records", id, "undelete"]) => open.undelete(id)?,
        _ => return Err(ApiError::not_found()),
    }
    Ok(json!({"success": true}))
}
