//! What people call a record.
//!
//! Key decision: the field that the describe marks as the name, by the plan's own values or else by the state that was
//! brought back; a record without one goes by its Id alone. It never asks the org.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::base::error::Result;
use crate::ops::lookup::Lookup;
use crate::ops::restore::plan::{Operation, Plan};
use crate::ops::state::State;
use crate::vault::open::Vault;

/// Names longer than this are cut: a name is one line.
const LONGEST: usize = 120;

/// The state that a plan brings back; none if its snapshot was dropped: then fewer records have a name.
pub(super) fn then<'v>(vault: &'v Vault, plan: &Plan) -> Option<State<'v>> {
    let org = plan.header.org.parse();
    let then = org.and_then(|org| vault.find_snapshot(org, &plan.header.at));
    then.ok().map(|then| State::at(vault, &then))
}

/// Gives the names of records.
pub(super) struct Names<'s, 'v> {
    state: Option<&'s State<'v>>,
    /// The sObject that was asked for last.
    last: Option<Named<'s, 'v>>,
}

struct Named<'s, 'v> {
    sobject: String,
    /// What its records are called by.
    field: String,
    lookup: Option<Lookup<'s, 'v>>,
}

impl<'s, 'v> Names<'s, 'v> {
    /// By that state.
    pub fn of(state: Option<&'s State<'v>>) -> Self {
        Self { state, last: None }
    }

    /// The name of an operation's record.
    pub fn get(&mut self, op: &Operation) -> Result<Option<String>> {
        let state = self.state;
        let named = match self.last.take() {
            Some(last) if last.sobject == op.sobject => last,
            _ => {
                let describe = state.and_then(|state| state.describe(&op.sobject).ok());
                let mut fields = describe.iter().flat_map(|describe| &describe.fields);
                let field = fields.find(|field| field.name_field);
                Named {
                    sobject: op.sobject.clone(),
                    field: field.map_or("Name", |field| &field.name).to_owned(),
                    lookup: state.map(|state| Lookup::new(state, &op.sobject)),
                }
            }
        };
        let named = self.last.insert(named);
        if let Some(name) = op.fields.open()?.get(&named.field).and_then(|value| text(value)) {
            return Ok(Some(name));
        }
        let record = match &mut named.lookup {
            Some(lookup) => lookup.get(op.id)?,
            None => None,
        };
        let Some(record) = record else { return Ok(None) };
        let values: BTreeMap<String, &RawValue> = serde_json::from_str(&record.json).unwrap_or_default();
        Ok(values.get(&named.field).and_then(|value| text(value)))
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
