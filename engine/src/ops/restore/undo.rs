//! The way back: from a plan and the journal of its execution to the plan that undoes it.
//!
//! Key decision: made of what was noted, not of a new look at the org, so that it takes back what the restore did and
//! nothing else. What somebody changed since is a conflict when it is applied. It is a plan like any other, and can be
//! undone in its turn.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::base::error::{Error, Result};
use crate::base::id::RecordId;
use crate::base::stamp::Stamp;
use crate::ops::restore::fields::{self, Values};
use crate::ops::restore::journal::{Final, Past};
use crate::ops::restore::packed::{Packed, Texts};
use crate::ops::restore::plan::{Action, Header, Operation, Plan, Warning};
use crate::ops::restore::special::{DOCUMENT, VERSION, is_person, person_of};

/// The plan that undoes what was carried out of `plan`; `made` is now.
///
/// # Errors
/// `Invalid` if nothing was carried out, or the journal is that of another plan.
pub fn undo(plan: &Plan, past: &Past, made: Stamp) -> Result<Plan> {
    let header = &plan.header;
    if past.plan.as_ref() != Some(&header.created) {
        return Err(
            Error::invalid("there is no journal of this plan: nothing was carried out")
                .hint("`halite restore apply` keeps it beside the plan"),
        );
    }
    let mut inverse = Plan::new(Header {
        org: header.to.clone().unwrap_or_else(|| header.org.clone()),
        at: header.now.clone(),
        at_time: past.begun.unwrap_or(Stamp::NONE).to_string(),
        now: header.now.clone(),
        created: made.to_string(),
        undoes: Some(header.created.clone()),
        choice: format!("what the plan made at {} did", header.created),
        ..Header::default()
    });
    let way = Way::of(plan, past)?;
    let edits = way.edits(&inverse.texts)?;
    let mut operations: Vec<(u32, Operation)> = edits.into_iter().map(|op| (0, op)).collect();
    let deepest = plan.operations.iter().map(|op| op.level).max().unwrap_or(0);
    for op in plan.operations.iter().rev() {
        if let Some(back) = way.taken_back(op) {
            operations.push((1 + deepest - op.level, back));
        }
    }
    // The sort keeps the reversed order within a level.
    operations.sort_by_key(|(level, op)| (*level, op.action));
    for (number, (level, op)) in (1..).zip(operations) {
        inverse.push(Operation { number, level, ..op })?;
    }
    inverse.warnings = made_anew(plan, past, &inverse);
    Ok(inverse)
}

/// What is taken back.
struct Way<'p> {
    plan: &'p Plan,
    past: &'p Past,
    /// The Id that a record of the plan has now, where it is another.
    ids: HashMap<RecordId, RecordId>,
    /// What goes with another record: versions with their document, the contact of a person with its account.
    falls: HashSet<RecordId>,
    /// What came back from the bin.
    back: HashSet<RecordId>,
}

impl<'p> Way<'p> {
    fn of(plan: &'p Plan, past: &'p Past) -> Result<Self> {
        let new = plan
            .operations
            .iter()
            .filter_map(|op| match past.outcomes.get(&op.number)? {
                Final::Created(new) | Final::Adopted(new) => Some((op.id, *new)),
                _ => None,
            });
        let maps = plan.maps.iter().map(|map| (map.from, map.to));
        let came = plan.operations.iter().filter(|op| past.back.contains(&op.number));
        Ok(Self {
            ids: maps.chain(new).collect(),
            falls: falls(plan)?,
            back: came.map(|op| op.id).collect(),
            plan,
            past,
        })
    }

    fn end(&self, op: &Operation) -> Option<&Final> {
        self.past.outcomes.get(&op.number)
    }

    /// The operation that takes back one that brought a record back, or deleted it.
    fn taken_back(&self, op: &Operation) -> Option<Operation> {
        let is_back = self.past.back.contains(&op.number);
        let (action, id, reason) = match self.end(op) {
            Some(Final::Created(new)) => (Action::Delete, *new, "the restore created it"),
            _ if is_back => (Action::Delete, op.id, "the restore brought it back from the bin"),
            Some(Final::Deleted) => (Action::Undelete, op.id, "it was deleted"),
            _ => return None,
        };
        (!self.falls.contains(&op.id)).then(|| Operation {
            compare: action == Action::Undelete,
            ..plain(action, op, id, reason)
        })
    }

    /// What the restore set in records that stay, set back; one edit a record.
    fn edits(&self, texts: &Texts) -> Result<Vec<Operation>> {
        let goes: Vec<RecordId> = self
            .plan
            .operations
            .iter()
            .filter(|op| self.taken_back(op).is_some())
            .map(|op| op.id)
            .collect();
        let goes: HashSet<RecordId> = goes.into_iter().collect();
        let mut edits: BTreeMap<(&str, RecordId), Operation> = BTreeMap::new();
        for op in self.plan.operations.iter().filter(|op| !goes.contains(&op.id)) {
            let now = self.ids.get(&op.id).copied().unwrap_or(op.id);
            let linked = self.linked(op)?;
            let (id, held) = match self.end(op) {
                Some(Final::Edited) => (now, self.held(op)?),
                Some(Final::Adopted(id)) => (*id, self.held(op)?),
                Some(Final::Unchanged) => (now, linked),
                _ => continue,
            };
            if held.is_empty() {
                continue;
            }
            let edit = edits
                .entry((&op.sobject, id))
                .or_insert_with(|| plain(Action::Edit, op, id, "the restore set other values"));
            let (mut before, mut set) = (edit.before.open()?, edit.fields.open()?);
            let sent = op.fields.open()?;
            for (name, value) in held.iter().filter(|(_, value)| fields::plain(value)) {
                if let Some(value) = sent.get(name) {
                    before.insert(name.clone(), self.moved(value)?);
                }
                if sent.contains_key(name) {
                    set.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
            (edit.before, edit.fields) = (Packed::of(&before)?, Packed::of(&set)?);
            texts.take_in([&mut edit.before, &mut edit.fields])?;
        }
        Ok(edits
            .into_values()
            .filter(|edit| !edit.fields.is_empty())
            .collect())
    }

    /// What the fields that were set held before.
    fn held(&self, op: &Operation) -> Result<Values> {
        let held = self.past.before.get(&op.number);
        held.map_or_else(|| Ok(Values::new()), Packed::open)
    }

    /// What an edit was to set and the org set itself: lookups that were empty, when what they point at came back from the
    /// bin, for what still hangs on a record falls with it; what a document takes from its versions.
    fn linked(&self, op: &Operation) -> Result<Values> {
        if op.action != Action::Edit {
            return Ok(Values::new());
        }
        let (set, mut before) = (op.fields.open()?, op.before.open()?);
        before.retain(|name, held| {
            let to = set.get(name).and_then(|value| fields::id_of(value));
            let linked = fields::is_null(held) && to.is_some_and(|to| self.back.contains(&to));
            linked || op.sobject == DOCUMENT
        });
        Ok(before)
    }

    /// A value as it was written: a reference under its Id of now.
    fn moved(&self, value: &serde_json::value::RawValue) -> Result<Box<serde_json::value::RawValue>> {
        match fields::id_of(value).and_then(|id| self.ids.get(&id)) {
            Some(new) => fields::id_value(*new),
            None => Ok(value.to_owned()),
        }
    }
}

/// Records that are deleted only with another one (Object Reference, "ContentVersion", "Person Accounts").
fn falls(plan: &Plan) -> Result<HashSet<RecordId>> {
    let (mut falls, mut persons) = (HashSet::new(), HashSet::new());
    for op in &plan.operations {
        if is_person(op)? {
            persons.insert(op.id);
        }
    }
    for op in &plan.operations {
        if op.sobject == VERSION || person_of(op)?.is_some_and(|account| persons.contains(&account)) {
            falls.insert(op.id);
        }
    }
    Ok(falls)
}

fn plain(action: Action, op: &Operation, id: RecordId, reason: &str) -> Operation {
    Operation {
        number: 0,
        level: 0,
        action,
        sobject: op.sobject.clone(),
        id,
        compare: false,
        fields: Packed::default(),
        before: Packed::default(),
        references: Vec::new(),
        gone: false,
        find: Vec::new(),
        born: None,
        body: None,
        reason: reason.to_owned(),
    }
}

/// Names what was gone for good before the restore: undoing it does not bring the purged record back to the bin.
fn made_anew(plan: &Plan, past: &Past, inverse: &Plan) -> Vec<Warning> {
    let created = plan
        .operations
        .iter()
        .filter_map(|op| match past.outcomes.get(&op.number) {
            Some(Final::Created(new)) => Some(*new),
            _ => None,
        });
    let created: HashSet<RecordId> = created.collect();
    let mut by_sobject: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for op in inverse.operations.iter().filter(|op| created.contains(&op.id)) {
        by_sobject.entry(&op.sobject).or_default().push(op.number);
    }
    let warning = |(sobject, operations): (&str, Vec<u32>)| Warning {
        sobject: sobject.to_owned(),
        what: format!(
            "{} records were made anew by the restore; they go to the bin under their new Ids",
            operations.len()
        ),
        remedy: "nothing to do: what they were made from was gone for good before".into(),
        operations,
    };
    by_sobject.into_iter().map(warning).collect()
}
