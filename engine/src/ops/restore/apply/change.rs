//! Changing what is there: edits and deletes.
//!
//! Key decision: each record is looked at just before it is written, and only what differs from what is wanted is
//! sent. What a record held before goes into the journal. It brings nothing back.

use serde_json::value::RawValue;

use super::{Run, Write, end};
use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::ops::restore::fields::{self, Values};
use crate::ops::restore::journal::Final;
use crate::ops::restore::look::{Described, look};
use crate::ops::restore::plan::{Action, Operation};

impl<'a> Run<'a> {
    pub(super) fn edit(&mut self, batch: &[&'a Operation], described: &Described) -> Result<()> {
        let mut wanted = Vec::new();
        for &op in batch {
            let mut values = op.fields.open()?;
            self.drop_unknown(op, described, &mut values)?;
            let lost = self.repoint(op, described, &mut values)?;
            match (self.id_now(op.id), lost.first()) {
                (None, _) => self.settle(op, Final::Skipped(format!("{} did not come back", op.id)))?,
                (_, Some((field, to))) => {
                    self.settle(
                        op,
                        Final::Skipped(format!("its {field}, {to}, did not come back")),
                    )?;
                }
                (Some(id), None) => wanted.push((op, id, values)),
            }
        }
        let ids: Vec<RecordId> = wanted.iter().map(|(_, id, _)| *id).collect();
        let live = look(
            self.target,
            described,
            &ids,
            wanted.iter().flat_map(|(_, _, values)| values.keys()),
        )?;
        let mut writes = Vec::new();
        for (op, id, mut values) in wanted {
            let Some(now) = live.get(&id) else {
                self.settle(op, Final::Conflict("it is no longer there".into()))?;
                continue;
            };
            values.retain(|name, value| current(now, name) != value.get());
            let planned = op.before.open()?;
            if let Some(name) = values
                .keys()
                .find(|name| self.is_changed(op, &planned, name, now))
            {
                let text = format!("{name} is {} since the plan was made", current(now, name));
                self.settle(op, Final::Conflict(text))?;
                continue;
            }
            let before = values
                .keys()
                .map(|name| (name.clone(), held(now, name)))
                .collect();
            writes.push(Write {
                op,
                id,
                values,
                before,
            });
        }
        self.set(writes, |_| Final::Edited, |_| Final::Unchanged, "", described)
    }

    /// Whether a field holds neither what it did when the plan was made nor what is wanted.
    fn is_changed(&self, op: &Operation, before: &Values, name: &String, now: &Values) -> bool {
        if self.plan.header.overwrite || self.past.open.contains_key(&op.number) {
            return false;
        }
        let Some(before) = before.get(name) else {
            return false;
        };
        let at = current(now, name);
        let moved = || {
            fields::id_of(before)
                .and_then(|old| self.id_now(old))
                .map(|new| format!("\"{new}\""))
        };
        before.get() != at
            && moved().as_deref() != Some(at)
            && !self.relinked(before, now.get(name).map(AsRef::as_ref))
    }

    /// Whether the org itself set an emptied lookup again when its record was undeleted: no conflict.
    fn relinked(&self, before: &RawValue, now: Option<&RawValue>) -> bool {
        let to = now.and_then(fields::id_of);
        let came = |id| self.is_back(id) || self.plan.newer.iter().any(|newer| newer.id == id);
        fields::is_null(before) && to.is_some_and(came)
    }

    /// Makes edits; `done` for those that were made, `same` for those that had nothing to set.
    pub(super) fn set(
        &mut self,
        writes: Vec<Write<'a>>,
        done: fn(RecordId) -> Final,
        same: fn(RecordId) -> Final,
        context: &str,
        described: &Described,
    ) -> Result<()> {
        let (none, some): (Vec<_>, Vec<_>) = writes.into_iter().partition(|write| write.values.is_empty());
        for Write { op, id, .. } in none {
            // What an earlier run wrote, and heard no answer to, was done by it.
            let wrote = self.past.open.contains_key(&op.number);
            self.settle(op, if wrote { done(id) } else { same(id) })?;
        }
        if !some.is_empty() && !described.describe.updateable {
            return some.into_iter().try_for_each(|write| {
                let names = write.values.into_keys().collect();
                self.leave(write.op, names, "the user may not edit it".into())?;
                self.settle(write.op, same(write.id))
            });
        }
        for some in some.chunks(super::BATCH) {
            let Some(sobject) = some.first().map(|write| write.op.sobject.clone()) else {
                continue;
            };
            let rows = some
                .iter()
                .map(|w| Ok((w.id, fields::text(&w.values)?)))
                .collect::<Result<Vec<_>>>()?;
            let intents: Vec<_> = some.iter().map(|w| (w.op, w.before.clone())).collect();
            let answers = self.call(&intents, |target, _| target.update(&sobject, &rows))?;
            for (write, answer) in some.iter().zip(answers) {
                self.settle(write.op, end(answer, done, context))?;
            }
        }
        Ok(())
    }

    /// A record that an edit of the plan was to take away from another, and did not: it could fall with that one.
    fn hangs_on(&self, id: RecordId) -> Result<Option<&'a Operation>> {
        let is_open = |op: &&Operation| !self.past.outcomes.get(&op.number).is_some_and(Final::is_done);
        let plan = self.plan;
        let edits = plan.operations.iter().filter(|op| op.action == Action::Edit);
        for op in edits.filter(is_open) {
            let before = op.before.open()?;
            if before.values().any(|value| fields::id_of(value) == Some(id)) {
                return Ok(Some(op));
            }
        }
        Ok(None)
    }

    /// Deletes what is there.
    pub(super) fn delete(&mut self, batch: &[&'a Operation], described: &Described) -> Result<()> {
        let ids: Vec<RecordId> = batch.iter().map(|op| op.id).collect();
        let live = look(self.target, described, &ids, std::iter::empty())?;
        let (mut there, gone): (Vec<&Operation>, Vec<&Operation>) =
            batch.iter().partition(|op| live.contains_key(&op.id));
        for at in (0..there.len()).rev() {
            if let Some(other) = self.hangs_on(there[at].id)? {
                let why = format!("{} {} still hangs on it", other.sobject, other.id);
                self.settle(there.remove(at), Final::Skipped(why))?;
            }
        }
        for op in gone {
            let wrote = self.past.open.contains_key(&op.number);
            self.settle(op, if wrote { Final::Deleted } else { Final::Unchanged })?;
        }
        let ids: Vec<RecordId> = there.iter().map(|op| op.id).collect();
        let intents: Vec<_> = there.iter().map(|op| (*op, Values::new())).collect();
        let answers = self.call(&intents, |target, _| target.delete(&ids))?;
        for (op, answer) in there.into_iter().zip(answers) {
            self.settle(op, end(answer, |_| Final::Deleted, ""))?;
        }
        Ok(())
    }

    /// Leaves out fields that the org does not show any more.
    pub(super) fn drop_unknown(
        &mut self,
        op: &Operation,
        described: &Described,
        values: &mut Values,
    ) -> Result<()> {
        let unknown = |name: &&String| described.describe.field(name).is_none();
        let names: Vec<String> = values.keys().filter(unknown).cloned().collect();
        if names.is_empty() {
            return Ok(());
        }
        names.iter().for_each(|name| drop(values.remove(name)));
        self.leave(
            op,
            names,
            "the org does not show it any more: bring the field back, or grant read on it".into(),
        )
    }
}

/// The value that a field has, as text.
pub(super) fn current<'v>(now: &'v Values, name: &str) -> &'v str {
    now.get(name).map_or("null", |value| value.get())
}

/// The value that a field has.
pub(super) fn held(now: &Values, name: &str) -> Box<RawValue> {
    now.get(name).cloned().unwrap_or_else(fields::null)
}
