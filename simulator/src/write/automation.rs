//! Triggers and flows, scripted: what the org does by itself when a row of an object is saved.
//!
//! Key decision: an automation is a condition and one deed, both in the formula language. Deeds on the row
//! itself happen before the save and obey its validation rules; deeds on other rows happen after it, as the
//! system, and set off automation in turn.
//! Source: Apex guide, "Triggers and Order of Execution"; Salesforce Help, "Flow Errors".
//! Not here: Apex and flow definitions, which are not read.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::rules::understood;
use super::transaction::deeper;
use super::{create, update};
use crate::error::ApiError;
use crate::org::State;
use crate::org::compute::{OnRow, held};
use crate::org::state::Row;
use crate::schema::ObjectDef;
use crate::schema::formula::Written;

/// What an automation does; values are formulas on the saved row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Deed {
    /// Sets a field of the row before it is saved.
    SetField(String, String),
    /// Refuses the row with a message, as `addError` or a custom error element does:
    /// `FIELD_CUSTOM_VALIDATION_EXCEPTION`.
    Refuse(String),
    /// Breaks down with a message: `CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY`, of a flow
    /// `CANNOT_EXECUTE_FLOW_TRIGGER`.
    Fail(String),
    /// Creates a row of an object with these fields, after the save.
    CreateRow(String, BTreeMap<String, String>),
    /// Sets a field of the row that a reference of this one leads to, after the save: reference, field,
    /// formula.
    UpdateParent(String, String, String),
}

/// A scripted trigger or flow.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Automation {
    object: String,
    name: String,
    flow: bool,
    when: Option<Written>,
    deed: Deed,
    /// The formulas of the deed, in its order.
    #[serde(default)]
    values: Vec<Written>,
}

/// Sets an automation up; the error says what of it is not understood.
pub(crate) fn add(
    state: &mut State,
    object: &str,
    (name, flow): (&str, bool),
    when: Option<&str>,
    deed: Deed,
) -> Result<(), String> {
    let def = state
        .schema
        .object(object)
        .ok_or_else(|| format!("no object {object}"))?
        .clone();
    let formulas: Vec<&String> = match &deed {
        Deed::SetField(_, value) | Deed::UpdateParent(_, _, value) => vec![value],
        Deed::CreateRow(_, values) => values.values().collect(),
        Deed::Refuse(_) | Deed::Fail(_) => Vec::new(),
    };
    let values = formulas
        .iter()
        .map(|text| understood(state, object, text))
        .collect::<Result<_, _>>()?;
    if let Deed::SetField(field, _) | Deed::UpdateParent(field, _, _) = &deed
        && !def.has(field)
    {
        return Err(format!("{object} has no field {field}"));
    }
    let automation = Automation {
        object: def.name.clone(),
        name: name.to_owned(),
        flow,
        when: when.map(|w| understood(state, object, w)).transpose()?,
        deed,
        values,
    };
    state.behaviour.automation.push(automation);
    Ok(())
}

/// The automations that a save sets off, by the row as it is now.
fn due<'a>(state: &'a State, def: &'a ObjectDef, row: &'a Row, old: Option<&'a Row>) -> Vec<Automation> {
    let scope = OnRow::in_save(state, def, row, old);
    let all = state.behaviour.automation.iter().filter(|a| a.object == def.name);
    all.filter(|a| a.when.as_ref().is_none_or(|w| w.formula.holds(&scope)))
        .cloned()
        .collect()
}

/// Runs what happens before the save: the row may be changed or refused.
pub(crate) fn before(
    state: &State,
    def: &Arc<ObjectDef>,
    row: &mut Row,
    old: Option<&Row>,
) -> Result<(), ApiError> {
    if state.behaviour.automation.is_empty() {
        return Ok(());
    }
    for automation in due(state, def, row, old) {
        match (&automation.deed, automation.values.first()) {
            (Deed::SetField(name, _), Some(value)) => {
                let Some(field) = def.field(name) else { continue };
                let value = held(field, value.formula.eval(&OnRow::in_save(state, def, row, old)));
                row.set(&field.name, super::coerce(field, &value, &state.settings)?);
            }
            (Deed::Refuse(message), _) => {
                return Err(ApiError::new("FIELD_CUSTOM_VALIDATION_EXCEPTION", message));
            }
            (Deed::Fail(message), _) => return Err(broken_down(&automation, message, old.is_none())),
            _ => {}
        }
    }
    Ok(())
}

fn broken_down(automation: &Automation, message: &str, new: bool) -> ApiError {
    let name = &automation.name;
    if automation.flow {
        let text = format!(
            "We can't save this record because the \u{201c}{name}\u{201d} process failed. Give your Salesforce admin these details. {message}"
        );
        return ApiError::new("CANNOT_EXECUTE_FLOW_TRIGGER", text);
    }
    let event = if new { "BeforeInsert" } else { "BeforeUpdate" };
    let text =
        format!("{name}: execution of {event}\n\ncaused by: {message}\n\nTrigger.{name}: line 1, column 1");
    ApiError::new("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", text)
}

/// Runs what happens after the save, to other rows.
pub(crate) fn after(
    state: &mut State,
    def: &Arc<ObjectDef>,
    row: &Row,
    old: Option<&Row>,
    user: &str,
) -> Result<(), ApiError> {
    if state.behaviour.automation.is_empty() {
        return Ok(());
    }
    for automation in due(state, def, row, old) {
        match &automation.deed {
            Deed::CreateRow(object, fields) => {
                let values = row_of(state, (def, row, old), object, fields, &automation.values);
                deeper(state, |s| create(s, object, &values, user))?;
            }
            Deed::UpdateParent(reference, name, _) => {
                let parent = row.text(reference).to_owned();
                let Some(value) = automation.values.first().filter(|_| !parent.is_empty()) else {
                    continue;
                };
                let target = state.schema.by_id(&parent).and_then(|o| o.field(name)).cloned();
                let Some(target) = target else { continue };
                let value = held(&target, value.formula.eval(&OnRow::in_save(state, def, row, old)));
                deeper(state, |s| update(s, &parent, &json!({ name: value }), user))?;
            }
            Deed::SetField(..) | Deed::Refuse(_) | Deed::Fail(_) => {}
        }
    }
    Ok(())
}

/// The values of a row that an automation creates.
fn row_of(
    state: &State,
    (def, row, old): (&ObjectDef, &Row, Option<&Row>),
    object: &str,
    fields: &BTreeMap<String, String>,
    values: &[Written],
) -> Value {
    let scope = OnRow::in_save(state, def, row, old);
    let target = state.schema.object(object);
    let pairs = fields.keys().zip(values).filter_map(|(name, value)| {
        let field = target.and_then(|t| t.field(name))?;
        Some((name.clone(), held(field, value.formula.eval(&scope))))
    });
    Value::Object(pairs.collect::<Map<_, _>>())
}
