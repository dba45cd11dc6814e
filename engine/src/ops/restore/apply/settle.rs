//! What a create came to whose answer was lost.
//!
//! Key decision: found by looking, never by repeating. A row that carries the old Id in the marker field is it; else a
//! row touched since the restore began, that no outcome names, with exactly the values sent. That there is none counts
//! only once no call can commit any more. It settles no other writes: those look before they write anyway.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::Run;
use super::change::current;
use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::base::stamp::Stamp;
use crate::ops::org::Scope;
use crate::ops::restore::fields::{self, Values};
use crate::ops::restore::journal::{Entry, Final};
use crate::ops::restore::look::{Described, rows};
use crate::ops::restore::plan::{Action, Operation};

/// No call takes longer: it ends after ten minutes (Salesforce Limits, "API Request Limits").
const CALL_MAX_MILLIS: i64 = 10 * 60_000;

/// What looking for lost creates found.
#[derive(Default)]
struct Found {
    /// The rows that were made, by the values sent.
    made: HashMap<String, Vec<RecordId>>,
    /// Rows made since the restore began by nobody knows whom.
    others: Vec<RecordId>,
}

impl<'a> Run<'a> {
    /// Looks for what the creates of earlier runs came to.
    pub(super) fn settle_open(&mut self) -> Result<()> {
        let plan = self.plan;
        let mut by_sobject: HashMap<&str, Vec<&Operation>> = HashMap::new();
        for op in &plan.operations {
            let may_be_made = op.action.brings_back() && !self.past.back.contains(&op.number);
            if may_be_made && op.born.is_none() && self.past.open.contains_key(&op.number) {
                by_sobject.entry(&op.sobject).or_default().push(op);
            }
        }
        // Parents first: children are known by the new Ids that they name.
        let mut groups: Vec<_> = by_sobject.into_values().flatten().collect();
        groups.sort_by_key(|op| op.number);
        for group in groups.chunk_by(|a, b| (a.level, &a.sobject) == (b.level, &b.sobject)) {
            let Some(described) = group
                .first()
                .and_then(|op| self.described.get(&op.sobject))
                .map(Rc::clone)
            else {
                continue;
            };
            let mut sent = Vec::new();
            for &op in group {
                let mut values = op.fields.open()?;
                self.drop_unknown(op, &described, &mut values)?;
                // As it is sent.
                values.retain(|_, value| !fields::is_null(value));
                if op.action == Action::Undelete {
                    values.retain(|name, _| described.describe.field(name).is_some_and(fields::creatable));
                }
                let lost = self.repoint(op, &described, &mut values)?;
                if lost.iter().all(|(_, to)| *to == op.id) {
                    sent.push((op, values));
                }
            }
            self.look_for(sent, &described)?;
        }
        Ok(())
    }

    fn look_for(&mut self, sent: Vec<(&'a Operation, Values)>, described: &Described) -> Result<()> {
        let mut found = self.search(&sent, described)?;
        let now = self.began.0.millis();
        for (op, values) in sent {
            let at = self.past.open.get(&op.number).copied().unwrap_or(self.began.0);
            if let Some(new) = found.take(op, &values, self.marker(described).is_some())? {
                self.settle(op, Final::Created(new))?;
            } else if op.action == Action::Undelete {
                // It may still be in the bin: its undelete looks for itself.
            } else if now < at.millis() + CALL_MAX_MILLIS {
                let why = format!(
                    "the answer was lost, and the call may still end: apply again after {}",
                    at.minus_millis(-CALL_MAX_MILLIS)
                );
                self.settle(op, Final::Unknown(why))?;
            } else if found.others.is_empty() {
                self.note(Entry::Withdrawn(vec![op.number]))?;
            } else {
                self.settle(op, Final::Unknown(found.why()))?;
            }
        }
        Ok(())
    }

    /// What creates of this run came to whose answers were lost just now.
    pub(super) fn lost(
        &mut self,
        lost: Vec<(&'a Operation, Values, String)>,
        described: &Described,
    ) -> Result<()> {
        if lost.is_empty() {
            return Ok(());
        }
        let (sent, whys): (Vec<_>, Vec<_>) = lost
            .into_iter()
            .map(|(op, values, why)| ((op, values), why))
            .unzip();
        let mut found = self.search(&sent, described)?;
        let marked = self.marker(described).is_some();
        for ((op, values), why) in sent.into_iter().zip(whys) {
            let new = found.take(op, &values, marked)?;
            self.settle(op, new.map_or_else(|| Final::Unknown(why), Final::Created))?;
        }
        Ok(())
    }

    fn search(&mut self, sent: &[(&Operation, Values)], described: &Described) -> Result<Found> {
        let mut found = Found::default();
        if let Some(marker) = self.marker(described) {
            let ids: Vec<String> = sent.iter().map(|(op, _)| op.id.to_string()).collect();
            let shown = BTreeSet::from([marker.as_str()]);
            rows(
                self.target,
                described,
                Scope::Having(&marker, &ids),
                &shown,
                &mut |id, values| {
                    found
                        .made
                        .entry(current(&values, &marker).to_owned())
                        .or_default()
                        .push(id);
                    Ok(())
                },
            )?;
            return Ok(found);
        }
        let mut known = self.known();
        let since = self.past.begun.unwrap_or(self.began.0);
        let mut shown: BTreeSet<&str> = sent
            .iter()
            .flat_map(|(_, values)| values.keys())
            .map(String::as_str)
            .collect();
        let wanted: HashSet<Vec<&String>> = sent.iter().map(|(_, values)| values.keys().collect()).collect();
        let texts: HashSet<String> = sent
            .iter()
            .map(|(_, values)| fields::text(values))
            .collect::<Result<_>>()?;
        shown.insert("CreatedDate");
        rows(
            self.target,
            described,
            Scope::Since(since),
            &shown,
            &mut |id, values| {
                // A row may come twice.
                if !known.insert(id) {
                    return Ok(());
                }
                for names in &wanted {
                    let picked: Values = names
                        .iter()
                        .filter_map(|n| Some(((*n).clone(), values.get(*n)?.clone())))
                        .collect();
                    let text = fields::text(&picked)?;
                    if picked.len() == names.len() && texts.contains(&text) {
                        found.made.entry(text).or_default().push(id);
                        return Ok(());
                    }
                }
                let created = values
                    .get("CreatedDate")
                    .and_then(|v| Stamp::parse(v.get().trim_matches('"').as_bytes()));
                if created.is_none_or(|at| at >= since) {
                    found.others.push(id);
                }
                Ok(())
            },
        )?;
        Ok(found)
    }

    /// Records that are accounted for.
    fn known(&self) -> HashSet<RecordId> {
        let made = self.past.outcomes.values().filter_map(|end| match end {
            Final::Created(id) | Final::Adopted(id) => Some(*id),
            _ => None,
        });
        self.plan.operations.iter().map(|op| op.id).chain(made).collect()
    }
}

impl Found {
    /// The row that an operation made; each row is given once.
    fn take(&mut self, op: &Operation, values: &Values, marked: bool) -> Result<Option<RecordId>> {
        let key = if marked {
            fields::id_value(op.id)?.get().to_owned()
        } else {
            fields::text(values)?
        };
        Ok(self.made.get_mut(&key).and_then(Vec::pop))
    }

    fn why(&self) -> String {
        let some: Vec<String> = self.others.iter().take(3).map(ToString::to_string).collect();
        format!(
            "the answer was lost, and rows of unknown origin were made since ({}): look at them, then create it by hand if \
             none is it",
            some.join(", ")
        )
    }
}
