//! Which record of the org a row stands for, in steps that upsert or select.
//!
//! Key decision: `select` by likeness counts fields of equal value and has no measure of distance, and its
//! choice among equals follows the order of Ids, so that a load is the same every time.
//! Source: CumulusCI documentation, "Manage Data", "Upserts", "Selects".
//! Not here: writing the record (`steps`).

use serde_json::{Map, Value, json};

use super::mapping::{Action, Select};
use crate::error::ApiError;
use crate::id::mix;
use crate::org::State;
use crate::org::state::{Life, Row};
use crate::schema::{Field, ObjectDef};
use crate::write;

fn live<'a>(state: &'a State, def: &ObjectDef) -> impl Iterator<Item = (&'a String, &'a Row)> {
    state.rows(&def.name).filter(|(_, r)| r.life == Life::Live)
}

fn same(state: &State, field: &Field, row: &Row, given: &Value) -> bool {
    let wanted = write::coerce(field, given, &state.settings).unwrap_or(Value::Null);
    match (row.values.get(&field.name), wanted) {
        (Some(Value::String(a)), Value::String(b)) => a.eq_ignore_ascii_case(&b),
        (Some(a), b) => a == b,
        (None, b) => b.is_null(),
    }
}

/// The record whose key fields have the row's values. The API's own upsert takes one key, which must be an
/// external Id or have `idLookup`; the others compare any fields.
pub(crate) fn by_key(
    state: &State,
    def: &ObjectDef,
    keys: &[String],
    values: &Map<String, Value>,
    action: Action,
) -> Result<Option<String>, ApiError> {
    let fields: Vec<&Field> = keys.iter().filter_map(|k| def.field(k)).collect();
    let native = matches!(fields.as_slice(), [one] if one.id_lookup());
    if fields.is_empty() || fields.len() < keys.len() || action == Action::Upsert && !native {
        let list = keys.join(", ");
        return Err(ApiError::new(
            "INVALID_FIELD",
            format!("{list}: not a key that {} can be upserted by", def.name),
        ));
    }
    let given = |f: &Field| values.get(&f.name).cloned().unwrap_or(Value::Null);
    let is = |row: &Row| fields.iter().all(|f| same(state, f, row, &given(f)));
    Ok(live(state, def)
        .find(|(_, row)| is(row))
        .map(|(id, _)| id.clone()))
}

/// The record that a row of a `select` step stands for, if the org has any.
pub(crate) fn select(
    state: &State,
    def: &ObjectDef,
    values: &Map<String, Value>,
    select: &Select,
    number: usize,
) -> Option<String> {
    let ids: Vec<&String> = live(state, def).map(|(id, _)| id).collect();
    if select.strategy == "similarity" {
        let likeness = |row: &Row| {
            let fields = values.iter().filter_map(|(name, v)| Some((def.field(name)?, v)));
            fields.filter(|(f, v)| same(state, f, row, v)).count()
        };
        let best = live(state, def).max_by_key(|(id, row)| (likeness(row), std::cmp::Reverse(*id)));
        // The threshold is a distance: 0 is the same record, 1 is another in everything.
        let near = |row: &Row| {
            let most = select.threshold.map_or(0.0, |t| 1.0 - t);
            let parts = f64::from(u32::try_from(values.len().max(1)).unwrap_or(1));
            f64::from(u32::try_from(likeness(row)).unwrap_or(0)) / parts >= most
        };
        return best.filter(|(_, row)| near(row)).map(|(id, _)| id.clone());
    }
    let count = u64::try_from(ids.len()).ok().filter(|n| *n > 0)?;
    let at = match select.strategy.as_str() {
        "random" => mix(state.settings.seed, &json!(values).to_string()) % count,
        _ => u64::try_from(number).unwrap_or(0) % count,
    };
    ids.get(usize::try_from(at).unwrap_or(0)).map(|id| (*id).clone())
}
