//! Duplicate rules: a row that says the same as another in the fields of a rule is refused.
//!
//! Key decision: exact matching, without regard to case, on fields that are all filled; a rule that alerts
//! lets the row pass if the call says `allowSave`, a rule that blocks never does.
//! Source: SOAP API guide, "DuplicateRuleHeader", "DuplicateResult"; REST API guide, "Duplicate Rule
//! Header"; a recorded refusal for the body's keys.
//! Not here: fuzzy matching, jobs that look for duplicates.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::org::State;
use crate::org::state::{Life, Row};
use crate::schema::ObjectDef;

/// A duplicate rule with its matching rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DuplicateRule {
    pub name: String,
    pub object: String,
    pub fields: Vec<String>,
    /// Blocks; a rule that does not alerts.
    pub block: bool,
    /// Switched off: it is there and finds nothing.
    #[serde(default)]
    pub off: bool,
}

const BLOCKED: &str = "You're creating a duplicate record. We recommend you use an existing record instead.";
const ALERTED: &str = "Use one of these records?";

/// Refuses a row that a rule calls a duplicate; `old` is the row before an update.
pub(crate) fn check(
    state: &State,
    def: &ObjectDef,
    id: &str,
    row: &Row,
    old: Option<&Row>,
) -> Result<(), ApiError> {
    let rules = state.behaviour.duplicates.iter();
    for rule in rules.filter(|r| !r.off && r.object == def.name) {
        let passes = !rule.block && state.options.allow_duplicates;
        let touched =
            old.is_none_or(|old| rule.fields.iter().any(|f| old.values.get(f) != row.values.get(f)));
        if passes || !touched {
            continue;
        }
        let rows = state
            .rows(&def.name)
            .filter(|(other, r)| *other != id && r.life == Life::Live);
        let twins: Vec<&String> = rows
            .filter(|(_, r)| alike(rule, row, r))
            .map(|(id, _)| id)
            .collect();
        if !twins.is_empty() {
            return Err(refusal(state, rule, &twins));
        }
    }
    Ok(())
}

fn alike(rule: &DuplicateRule, a: &Row, b: &Row) -> bool {
    let folded = |row: &Row, field: &str| match row.values.get(field) {
        Some(Value::String(text)) => Some(text.to_lowercase()),
        Some(other) => Some(other.to_string()),
        None => None,
    };
    rule.fields
        .iter()
        .all(|f| folded(a, f).is_some() && folded(a, f) == folded(b, f))
}

fn refusal(state: &State, rule: &DuplicateRule, twins: &[&String]) -> ApiError {
    let message = if rule.block { BLOCKED } else { ALERTED };
    let version = state.settings.versions.1;
    let records: Vec<Value> = twins
        .iter()
        .map(|id| {
            let url = format!("/services/data/v{version}.0/sobjects/{}/{id}", rule.object);
            json!({"additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100.0,
                "record": {"attributes": {"type": rule.object, "url": url}, "Id": id}})
        })
        .collect();
    let mut e = ApiError::new("DUPLICATES_DETECTED", message);
    e.duplicates = Some(Box::new(json!({
        "allowSave": !rule.block, "duplicateRule": rule.name, "duplicateRuleEntityType": rule.object,
        "errorMessage": message,
        "matchResults": [{"entityType": rule.object, "errors": [], "matchEngine": "ExactMatchEngine",
            "matchRecords": records, "rule": format!("{}_Match", rule.name), "size": twins.len(),
            "success": true}],
    })));
    e
}
