//! Values that the platform works out at each save: full names, closed flags, probabilities.
//!
//! Key decision: they are stored at the save, as the platform does, and so never differ from their sources;
//! formulas, by contrast, are computed when read.
//! Source: Object Reference, the fields' descriptions on Contact, Lead, Opportunity, Case, Task.
//! Not here: roll-ups (`rollup`) and auto numbers (`save`).

use serde_json::{Value, json};

use crate::org::state::{Row, State};
use crate::schema::ObjectDef;

/// Brings derived values up to date; `old` is the row before an update.
pub(crate) fn derive(state: &State, object: &ObjectDef, row: &mut Row, old: Option<&Row>) {
    match object.name.as_str() {
        "Contact" | "Lead" | "User" | "Individual" => {
            let parts = [row.text("FirstName"), row.text("LastName")];
            let name = parts
                .iter()
                .filter(|p| !p.is_empty())
                .copied()
                .collect::<Vec<_>>()
                .join(" ");
            row.set("Name", json!(name));
            if object.name == "Contact" {
                let bounced = row.values.contains_key("EmailBouncedReason");
                row.set("IsEmailBounced", json!(bounced));
            }
        }
        "Opportunity" => opportunity(row, old),
        "Case" => case(state, row),
        "Task" => {
            let (closed, high) = (row.text("Status") == "Completed", row.text("Priority") == "High");
            row.set("IsClosed", json!(closed));
            row.set("IsHighPriority", json!(high));
            activity_account(state, row);
        }
        "Event" => activity_account(state, row),
        "CampaignMember" => {
            let responded = row.text("Status") == "Responded";
            row.set("HasResponded", json!(responded));
        }
        "AccountContactRelation" => {
            let direct = state
                .row(row.text("ContactId"))
                .is_some_and(|c| c.text("AccountId") == row.text("AccountId"));
            row.set("IsDirect", json!(direct));
        }
        _ => {}
    }
}

fn opportunity(row: &mut Row, old: Option<&Row>) {
    let stage = row.text("StageName").to_owned();
    let closed = stage.starts_with("Closed");
    row.set("IsClosed", json!(closed));
    row.set("IsWon", json!(stage == "Closed Won"));
    row.set("HasOpportunityLineItem", json!(false));
    let (probability, forecast) = match stage.as_str() {
        "Prospecting" | "Qualification" => (10.0, "Pipeline"),
        "Needs Analysis" => (20.0, "Pipeline"),
        "Value Proposition" => (50.0, "Pipeline"),
        "Id. Decision Makers" => (60.0, "Pipeline"),
        "Perception Analysis" => (70.0, "Pipeline"),
        "Proposal/Price Quote" => (75.0, "Pipeline"),
        "Negotiation/Review" => (90.0, "Pipeline"),
        "Closed Won" => (100.0, "Closed"),
        "Closed Lost" => (0.0, "Omitted"),
        _ => (10.0, "Pipeline"),
    };
    let moved = old.is_none_or(|o| o.text("StageName") != stage);
    let given = row.values.get("Probability") != old.and_then(|o| o.values.get("Probability"));
    if moved && !given || !row.values.contains_key("Probability") {
        row.set("Probability", json!(probability));
    }
    if moved {
        row.set("ForecastCategory", json!(forecast));
        if !row.values.contains_key("ForecastCategoryName") || old.is_some() {
            row.set("ForecastCategoryName", json!(forecast));
        }
    }
    let amount = row.values.get("Amount").as_ref().and_then(Value::as_f64);
    let chance = row
        .values
        .get("Probability")
        .as_ref()
        .and_then(Value::as_f64)
        .unwrap_or(0.0);
    row.set(
        "ExpectedRevenue",
        amount.map_or(Value::Null, |a| json!((a * chance).round() / 100.0)),
    );
    fiscal(row);
}

fn fiscal(row: &mut Row) {
    let close = row.text("CloseDate").to_owned();
    let year = close.get(..4).and_then(|y| y.parse::<i32>().ok());
    let month = close.get(5..7).and_then(|m| m.parse::<i32>().ok());
    if let (Some(year), Some(month)) = (year, month) {
        let quarter = (month - 1) / 3 + 1;
        row.set("FiscalYear", json!(year));
        row.set("FiscalQuarter", json!(quarter));
        row.set("Fiscal", json!(format!("{year} {quarter}")));
    }
}

fn case(state: &State, row: &mut Row) {
    let closed = row.text("Status") == "Closed";
    let had = row.values.contains_key("ClosedDate");
    row.set("IsClosed", json!(closed));
    match (closed, had) {
        (true, false) => row.set("ClosedDate", json!(state.stamp())),
        (false, true) => row.set("ClosedDate", Value::Null),
        _ => {}
    }
    let contact = state.row(row.text("ContactId"));
    let of = |field: &str| contact.and_then(|c| c.values.get(field)).unwrap_or_default();
    let (phone, email) = (of("Phone"), of("Email"));
    row.set("ContactPhone", phone);
    row.set("ContactEmail", email);
}

/// An activity's account: that of its contact, or what it is about.
fn activity_account(state: &State, row: &mut Row) {
    let what = row.text("WhatId").to_owned();
    let about = match state.schema.by_id(&what).map(|o| o.name.as_str()) {
        Some("Account") => Some(what),
        Some("Opportunity" | "Case" | "Contract" | "Asset" | "Order") => {
            state.row(&what).map(|r| r.text("AccountId").to_owned())
        }
        _ => None,
    };
    let found = about
        .filter(|id| !id.is_empty())
        .or_else(|| {
            state
                .row(row.text("WhoId"))
                .map(|r| r.text("AccountId").to_owned())
        })
        .filter(|id| state.live(id).is_some());
    row.set("AccountId", found.map_or(Value::Null, |id| json!(id)));
}
