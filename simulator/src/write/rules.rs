//! Validation rules: a condition that must not be true of a row that is saved.
//!
//! Key decision: a rule whose formula is not understood, or names a field that is not there, is never
//! guessed at: it stands in the list of idle rules. A row's first broken rule is its refusal.
//! Source: Metadata API guide, "ValidationRule"; Salesforce Help, "Validation Rules".
//! Not here: the language (`schema::formula`), what its names mean (`org::compute`).

use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::org::State;
use crate::org::compute::{self, OnRow};
use crate::org::state::Row;
use crate::schema::ObjectDef;
use crate::schema::formula::Written;

/// A rule in force.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Rule {
    /// Object and name: `Account.Site_Required`.
    pub name: String,
    pub object: String,
    pub condition: Written,
    pub message: String,
    /// Where the message is shown; the top of the page if nowhere.
    pub field: Option<String>,
    /// Switched off: it is there and refuses nothing.
    #[serde(default)]
    pub off: bool,
}

/// Takes a rule into force, or lists why it is idle.
pub(crate) fn add(
    state: &mut State,
    name: &str,
    object: &str,
    formula: &str,
    (message, field): (&str, Option<&str>),
) -> Result<(), String> {
    let rule = understood(state, object, formula).map(|condition| Rule {
        name: name.to_owned(),
        object: object.to_owned(),
        condition,
        message: message.to_owned(),
        field: field.map(str::to_owned),
        off: false,
    });
    match rule {
        Ok(rule) => state.behaviour.rules.push(rule),
        Err(why) => {
            state.behaviour.idle.push(format!("{name}: {why}"));
            return Err(why);
        }
    }
    Ok(())
}

/// A formula on an object whose every name means something.
pub(crate) fn understood(state: &State, object: &str, formula: &str) -> Result<Written, String> {
    let def = state
        .schema
        .object(object)
        .ok_or_else(|| format!("no object {object}"))?;
    let written = Written::try_from(formula.to_owned())?;
    match compute::unknown(&state.schema, def, &written.formula) {
        None => Ok(written),
        Some(name) => Err(format!("{name} means nothing on {object}")),
    }
}

/// Refuses a row that breaks a rule; `old` is the row before an update.
pub(crate) fn check(state: &State, def: &ObjectDef, row: &Row, old: Option<&Row>) -> Result<(), ApiError> {
    let rules = state.behaviour.rules.iter();
    let scope = OnRow::in_save(state, def, row, old);
    let mut broken = rules
        .filter(|r| !r.off && r.object.eq_ignore_ascii_case(&def.name) && r.condition.formula.holds(&scope));
    let Some(rule) = broken.next() else {
        return Ok(());
    };
    let e = ApiError::new("FIELD_CUSTOM_VALIDATION_EXCEPTION", &rule.message);
    Err(match rule.field.as_deref().and_then(|f| def.field(f)) {
        Some(field) => e.on(&field.name),
        None => e,
    })
}
