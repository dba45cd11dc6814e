//! Triggers and flows, scripted: what the org does by itself when a row of an object is saved,
//! deleted or brought back.
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

/// What sets an automation off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A row is created or changed.
    #[default]
    Save,
    /// A row is deleted by itself: what falls with it by cascade sets nothing off.
    Delete,
    /// A row is brought back by itself: what comes back with it sets nothing off.
    Undelete,
}

/// A scripted trigger or flow.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Automation {
    pub(crate) object: String,
    #[serde(default)]
    pub(crate) event: Event,
    pub(crate) name: String,
    pub(crate) flow: bool,
    /// Switched off: it is there and does nothing.
    #[serde(default)]
    pub(crate) off: bool,
    when: Option<Written>,
    pub(crate) deed: Deed,
    /// The formulas of the deed, in its order.
    #[serde(default)]
    values: Vec<Written>,
}

/// Sets an automation up; the error says what of it is not understood.
pub(crate) fn add(
    state: &mut State,
    (object, event): (&str, Event),
    (name, flow): (&str, bool),
    when: Option<&str>,
    deed: Deed,
) -> Result<(), String> {
    if event != Event::Save && matches!(deed, Deed::SetField(..)) {
        return Err("a row that is deleted or brought back is not changed by automation".to_owned());
    }
    if event == Event::Undelete && flow {
        return Err("no flow starts when a row is brought back".to_owned());
    }
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
        event,
        name: name.to_owned(),
        flow,
        off: false,
        when: when.map(|w| understood(state, object, w)).transpose()?,
        deed,
        values,
    };
    state.behaviour.automation.push(automation);
    Ok(())
}

/// Whether an object has any automation.
pub(crate) fn any(state: &State, def: &ObjectDef) -> bool {
    state.behaviour.automation.iter().any(|a| a.object == def.name)
}

/// The automations that an event sets off, by the row as it is now.
fn due<'a>(
    state: &'a State,
    (def, event): (&'a ObjectDef, Event),
    row: &'a Row,
    old: Option<&'a Row>,
) -> Vec<Automation> {
    let scope = OnRow::in_save(state, def, row, old);
    let all = state.behaviour.automation.iter();
    let all = all.filter(|a| !a.off && a.object == def.name && a.event == event);
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
    for automation in due(state, (def, Event::Save), row, old) {
        match (&automation.deed, automation.values.first()) {
            (Deed::SetField(name, _), Some(value)) => {
                let Some(field) = def.field(name) else { continue };
                let value = held(field, value.formula.eval(&OnRow::in_save(state, def, row, old)));
                row.set(&field.name, super::coerce(field, &value, &state.settings)?);
            }
            _ => refuse(
                &automation,
                if old.is_none() {
                    "BeforeInsert"
                } else {
                    "BeforeUpdate"
                },
            )?,
        }
    }
    Ok(())
}

/// What becomes of a row when it is deleted or brought back by itself: it may be refused, and other rows be
/// written.
pub(crate) fn moved(
    state: &mut State,
    def: &Arc<ObjectDef>,
    row: &Row,
    event: Event,
) -> Result<(), ApiError> {
    if state.behaviour.automation.is_empty() {
        return Ok(());
    }
    let user = state.running.clone();
    let moment = if event == Event::Delete {
        "BeforeDelete"
    } else {
        "AfterUndelete"
    };
    for automation in due(state, (def, event), row, None) {
        refuse(&automation, moment)?;
        carry_out(state, &automation, (def, row, None), &user)?;
    }
    Ok(())
}

/// The refusal of an automation that refuses or breaks down.
fn refuse(automation: &Automation, moment: &str) -> Result<(), ApiError> {
    match &automation.deed {
        Deed::Refuse(message) => Err(ApiError::new("FIELD_CUSTOM_VALIDATION_EXCEPTION", message)),
        Deed::Fail(message) => Err(broken_down(automation, message, moment)),
        _ => Ok(()),
    }
}

fn broken_down(automation: &Automation, message: &str, event: &str) -> ApiError {
    let name = &automation.name;
    if automation.flow {
        let text = format!(
            "We can't save this record because the \u{201c}{name}\u{201d} process failed. Give your Salesforce admin these details. {message}"
        );
        return ApiError::new("CANNOT_EXECUTE_FLOW_TRIGGER", text);
    }
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
    for automation in due(state, (def, Event::Save), row, old) {
        carry_out(state, &automation, (def, row, old), user)?;
    }
    Ok(())
}

/// Does what an automation does to other rows.
fn carry_out(
    state: &mut State,
    automation: &Automation,
    (def, row, old): (&Arc<ObjectDef>, &Row, Option<&Row>),
    user: &str,
) -> Result<(), ApiError> {
    match &automation.deed {
        Deed::CreateRow(object, fields) => {
            let values = row_of(state, (def, row, old), object, fields, &automation.values);
            deeper(state, |s| create(s, object, &values, user)).map(drop)
        }
        Deed::UpdateParent(reference, name, _) => {
            let parent = row.text(reference).to_owned();
            let target = state.schema.by_id(&parent).and_then(|o| o.field(name)).cloned();
            let (Some(target), Some(value)) = (target, automation.values.first()) else {
                return Ok(());
            };
            let value = held(&target, value.formula.eval(&OnRow::in_save(state, def, row, old)));
            deeper(state, |s| update(s, &parent, &json!({ name: value }), user))
        }
        Deed::SetField(..) | Deed::Refuse(_) | Deed::Fail(_) => Ok(()),
    }
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
