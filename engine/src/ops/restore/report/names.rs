//! What people call a record.
//!
//! Key decision: the field that the describe marks as the name, by the plan's own values or else by the state that was
//! brought back; a record without one goes by its Id alone. It never asks the org.

use std::collections::{BTreeMap, HashMap};

use serde_json::value::RawValue;

use crate::base::error::Result;
use crate::ops::restore::plan::{Operation, Plan};
use crate::ops::state::State;
use crate::vault::open::Vault;

/// Names longer than this are cut: a name is one line.
const LONGEST: usize = 120;

/// Gives the names of records.
pub(super) struct Names<'v> {
    state: Option<State<'v>>,
    fields: HashMap<String, Option<String>>,
}

impl<'v> Names<'v> {
    /// Of the records of a plan; without its snapshot, which may have been dropped, fewer have one.
    pub fn of(vault: &'v Vault, plan: &Plan) -> Self {
        let org = plan.header.org.parse();
        let then = org.and_then(|org| vault.find_snapshot(org, &plan.header.at)).ok();
        Self {
            state: then.map(|then| State::at(vault, &then)),
            fields: HashMap::new(),
        }
    }

    /// The name of an operation's record.
    pub fn get(&mut self, op: &Operation) -> Result<Option<String>> {
        let Some(state) = &self.state else {
            return Ok(op.fields.get("Name").and_then(|value| text(value)));
        };
        let fields = &mut self.fields;
        let field = fields.entry(op.sobject.clone()).or_insert_with(|| {
            let describe = state.describe(&op.sobject).ok()?;
            let named = describe.fields.iter().find(|field| field.name_field);
            named
                .or_else(|| describe.field("Name"))
                .map(|field| field.name.clone())
        });
        let Some(field) = field else { return Ok(None) };
        if let Some(name) = op.fields.get(field).and_then(|value| text(value)) {
            return Ok(Some(name));
        }
        let Some(record) = state.get(&op.sobject, op.id)? else {
            return Ok(None);
        };
        let values: BTreeMap<String, &RawValue> = serde_json::from_str(&record.json).unwrap_or_default();
        Ok(values.get(field).and_then(|value| text(value)))
    }
}

fn text(value: &RawValue) -> Option<String> {
    let text: String = serde_json::from_str(value.get()).ok()?;
    let short: String = text.chars().take(LONGEST).collect();
    Some(if short.len() < text.len() {
        short + "…"
    } else {
        short
    })
}
