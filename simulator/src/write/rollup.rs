//! Roll-up summaries: recomputed on the parent when a child is saved, deleted or brought back.
//!
//! Key decision: the value is stored on the parent, and only a changed value moves the parent's
//! `SystemModstamp` (a setting keeps it still, another moves its `LastModifiedDate` too).
//! Source: Salesforce Help, "Roll-Up Summary Field"; Knowledge article 000387261 for the stamps.
//! Not here: formulas, which move nothing.

use serde_json::{Value, json};

use crate::org::state::{Life, Row, State};
use crate::schema::field::Rollup;

/// Brings every roll-up over these rows' parents up to date. `rows` are a child's states before and after.
pub(crate) fn refresh(state: &mut State, child: &str, rows: &[Option<&Row>]) {
    for (parent, index) in state.schema.rollups_over(child).to_vec() {
        let Some(def) = state.schema.object(&parent).cloned() else {
            continue;
        };
        let Some(field) = def.fields.get(index) else {
            continue;
        };
        let Some(rollup) = &field.rollup else { continue };
        let mut parents: Vec<String> = rows
            .iter()
            .flatten()
            .map(|r| r.text(&rollup.key).to_owned())
            .filter(|id| !id.is_empty())
            .collect();
        parents.sort();
        parents.dedup();
        for id in parents {
            if state.live(&id).is_some() {
                recompute(state, &id, &field.name, rollup);
            }
        }
    }
}

/// Sets a new row's roll-ups, before it has children.
pub(crate) fn initial(rollup: &Rollup) -> Value {
    if rollup.operation == "count" || rollup.operation == "sum" {
        json!(0.0)
    } else {
        Value::Null
    }
}

fn recompute(state: &mut State, parent: &str, field: &str, rollup: &Rollup) {
    let value = compute(state, parent, rollup);
    let old = state
        .row(parent)
        .and_then(|r| r.values.get(field))
        .unwrap_or_default();
    if value == old {
        return;
    }
    let (stamp, stamps, modifies) = (
        state.stamp(),
        state.settings.rollup_stamps,
        state.settings.rollup_modifies,
    );
    state.edit(parent, |row| {
        row.set(field, value);
        if stamps {
            row.set("SystemModstamp", json!(stamp));
        }
        if stamps && modifies {
            row.set("LastModifiedDate", json!(stamp));
        }
    });
}

fn compute(state: &State, parent: &str, rollup: &Rollup) -> Value {
    let children = state
        .index
        .holders(parent)
        .filter(|id| {
            state
                .schema
                .by_id(id)
                .is_some_and(|o| o.name.eq_ignore_ascii_case(&rollup.child))
        })
        .filter_map(|id| state.row(id))
        .filter(|r| r.life == Life::Live && r.text(&rollup.key) == parent);
    let of = rollup.of.as_deref().unwrap_or_default();
    let values = |r: &Row| r.values.get(of);
    match rollup.operation.as_str() {
        #[expect(
            clippy::cast_precision_loss,
            reason = "rows of one parent are far fewer than 2^52"
        )]
        "count" => json!(children.count() as f64),
        "sum" => json!(
            children
                .filter_map(values)
                .filter_map(|v| v.as_f64())
                .sum::<f64>()
        ),
        "min" => extreme(children.filter_map(values), false),
        _ => extreme(children.filter_map(values), true),
    }
}

fn extreme(values: impl Iterator<Item = Value>, largest: bool) -> Value {
    values
        .reduce(|a, b| {
            let less = match (a.as_f64(), b.as_f64()) {
                (Some(a), Some(b)) => a < b,
                _ => a.as_str() < b.as_str(),
            };
            if less == largest { b } else { a }
        })
        .unwrap_or(Value::Null)
}
