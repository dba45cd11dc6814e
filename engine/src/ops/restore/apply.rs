//! Carries a plan out: batch by batch, looking before each write, with one outcome for each operation.
//!
//! Key decision: nothing is repeated and nothing is overwritten that changed since the plan was made; what needs
//! a record that did not come back is skipped. It stops at the first error that is not an answer of the org.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use serde_json::value::RawValue;

use crate::base::error::{Error, Result};
use crate::base::id::RecordId;
use crate::ops::org::{Outcome, Refusal, Target};
use crate::ops::restore::fields::{self, Values};
use crate::ops::restore::journal::{Entry, Final, Journal};
use crate::ops::restore::look::{Described, look};
use crate::ops::restore::plan::{Action, Operation, Plan};

/// The most rows that one call writes.
const BATCH: usize = 200;

/// What became of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Number, sObject, old Id and outcome of each operation, in the plan's order.
    pub outcomes: Vec<(u32, String, RecordId, Final)>,
    /// Old Id to new Id of each record that was created.
    pub id_map: BTreeMap<RecordId, RecordId>,
    /// Requests made.
    pub calls: u64,
}

impl Applied {
    /// How many operations ended in each way: `undeleted`, `created`, `edited`, `adopted`, `deleted`, `unchanged`,
    /// `conflict`, `refused`, `skipped`, `unknown`.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for (_, _, _, outcome) in &self.outcomes {
            *counts.entry(name(outcome)).or_default() += 1;
        }
        counts
    }
}

fn name(outcome: &Final) -> &'static str {
    match outcome {
        Final::Undeleted => "undeleted",
        Final::Created(_) => "created",
        Final::Edited => "edited",
        Final::Adopted(_) => "adopted",
        Final::Deleted => "deleted",
        Final::Unchanged => "unchanged",
        Final::Conflict(_) => "conflict",
        Final::Refused(..) => "refused",
        Final::Skipped(_) => "skipped",
        Final::Unknown(_) => "unknown",
    }
}

/// Carries `plan` out; `progress` is told how many operations have their outcome, and of how many.
///
/// # Errors
/// What looking, writing and the journal give; what was noted until then stays valid for [`resume`].
pub fn apply(
    plan: &Plan,
    target: &mut dyn Target,
    journal: &mut dyn Journal,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Applied> {
    resume(plan, target, journal, BTreeMap::new(), progress)
}

/// Carries out what has no outcome yet; `outcomes` is what [`replay`](super::journal::replay) gave.
///
/// # Errors
/// As [`apply`]; `Invalid` for outcomes of operations that the plan does not have.
pub fn resume(
    plan: &Plan,
    target: &mut dyn Target,
    journal: &mut dyn Journal,
    outcomes: BTreeMap<u32, Final>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Applied> {
    let known: HashSet<u32> = plan.operations.iter().map(|op| op.number).collect();
    if let Some(number) = outcomes.keys().find(|n| !known.contains(n)) {
        return Err(Error::invalid(format!(
            "the journal speaks of operation {number}, which the plan has not"
        )));
    }
    let back = plan.operations.iter().filter(|op| op.action.brings_back());
    let brings = back.map(|op| (op.id, op.number)).collect();
    let before = target.calls();
    let total = plan.operations.len();
    let mut run = Run {
        target,
        journal,
        progress,
        total,
        outcomes,
        brings,
        back: HashSet::new(),
        described: HashMap::new(),
    };
    let same =
        |a: &Operation, b: &Operation| (a.level, a.action, &a.sobject) == (b.level, b.action, &b.sobject);
    for group in plan.operations.chunk_by(same) {
        let open: Vec<&Operation> = group
            .iter()
            .filter(|op| !run.outcomes.contains_key(&op.number))
            .collect();
        for batch in open.chunks(BATCH) {
            run.batch(batch)?;
        }
    }
    let calls = run.target.calls().saturating_sub(before);
    let mut outcomes = run.outcomes;
    let (mut ends, mut id_map) = (Vec::with_capacity(total), BTreeMap::new());
    for op in &plan.operations {
        let end = outcomes.remove(&op.number);
        let end = end.unwrap_or_else(|| Final::Unknown("the org gave no answer for it".into()));
        if let Final::Created(new) = end {
            id_map.insert(op.id, new);
        }
        ends.push((op.number, op.sobject.clone(), op.id, end));
    }
    Ok(Applied {
        outcomes: ends,
        id_map,
        calls,
    })
}

struct Run<'a> {
    target: &'a mut dyn Target,
    journal: &'a mut dyn Journal,
    progress: &'a mut dyn FnMut(usize, usize),
    total: usize,
    outcomes: BTreeMap<u32, Final>,
    /// Which operation brings a record back.
    brings: HashMap<RecordId, u32>,
    /// Records that were undeleted, whatever became of the edit after it.
    back: HashSet<RecordId>,
    described: HashMap<String, Rc<Described>>,
}

/// A write of one row, with what it is for.
struct Write<'p> {
    op: &'p Operation,
    id: RecordId,
    values: Values,
}

impl Run<'_> {
    fn batch(&mut self, batch: &[&Operation]) -> Result<()> {
        let Some(first) = batch.first() else { return Ok(()) };
        let described = match self.described.get(&first.sobject) {
            Some(found) => Rc::clone(found),
            None => {
                let text = self.target.describe(&first.sobject)?;
                let new = Rc::new(Described::new(&text).map_err(|e| e.within(&first.sobject))?);
                self.described.insert(first.sobject.clone(), Rc::clone(&new));
                new
            }
        };
        match first.action {
            Action::Undelete => self.undelete(batch, &described),
            Action::Create => self.create_missing(batch, &described),
            Action::Edit => self.edit(batch, &described),
            Action::Delete => self.delete(batch, &described),
        }
    }

    fn settle(&mut self, op: &Operation, outcome: Final) -> Result<()> {
        self.journal
            .note(&Entry::Outcome(op.number, outcome.clone()).text()?)?;
        self.outcomes.insert(op.number, outcome);
        (self.progress)(self.outcomes.len(), self.total);
        Ok(())
    }

    /// Notes the intent, calls, and gives an outcome for each operation, whatever the number of answers.
    fn call(
        &mut self,
        ops: &[&Operation],
        write: impl FnOnce(&mut dyn Target) -> Result<Vec<Outcome>>,
    ) -> Result<Vec<Outcome>> {
        if ops.is_empty() {
            return Ok(Vec::new());
        }
        let numbers: Vec<u32> = ops.iter().map(|op| op.number).collect();
        self.journal.note(&Entry::Intent(numbers.clone()).text()?)?;
        match write(self.target) {
            Ok(mut answers) => {
                answers.resize_with(ops.len(), || {
                    Outcome::Unknown("the org gave no answer for it".into())
                });
                Ok(answers)
            }
            Err(e) => {
                self.journal.note(&Entry::Withdrawn(numbers).text()?)?;
                Err(e)
            }
        }
    }

    /// The Id that a record has now: its own unless the plan brings it back; `None` if it did not come back.
    fn id_now(&self, id: RecordId) -> Option<RecordId> {
        let Some(number) = self.brings.get(&id) else {
            return Some(id);
        };
        match self.outcomes.get(number) {
            Some(Final::Created(new)) => Some(*new),
            Some(Final::Undeleted) => Some(id),
            _ => self.back.contains(&id).then_some(id),
        }
    }

    /// Re-points references to the Ids of now; gives the fields whose records did not come back, taken out.
    fn repoint(
        &self,
        op: &Operation,
        described: &Described,
        values: &mut Values,
    ) -> Result<Vec<(String, RecordId)>> {
        let mut lost = Vec::new();
        for (name, value) in values.iter_mut() {
            let named = op.references.iter().any(|r| r.field == *name);
            if !named && !described.describe.field(name).is_some_and(|f| f.is_reference()) {
                continue;
            }
            let Some(old) = fields::id_of(value) else { continue };
            match self.id_now(old) {
                Some(new) if new != old => *value = fields::id_value(new)?,
                Some(_) => {}
                None => lost.push((name.clone(), old)),
            }
        }
        lost.iter().for_each(|(name, _)| drop(values.remove(name)));
        Ok(lost)
    }

    /// Creates what is not there: a record that cannot be undeleted on its own may have come back with its parent.
    fn create_missing(&mut self, batch: &[&Operation], described: &Described) -> Result<()> {
        let ids: Vec<RecordId> = batch.iter().map(|op| op.id).collect();
        let live = look(self.target, described, &ids, std::iter::empty())?;
        let (back, gone): (Vec<&Operation>, Vec<&Operation>) =
            batch.iter().partition(|op| live.contains_key(&op.id));
        self.back.extend(back.iter().map(|op| op.id));
        self.create(
            gone.iter().map(|op| (*op, op.fields.clone())).collect(),
            described,
        )?;
        self.compare(&back, described)
    }

    fn create(&mut self, batch: Vec<(&Operation, Values)>, described: &Described) -> Result<()> {
        let (mut ops, mut rows) = (Vec::new(), Vec::new());
        for (op, mut values) in batch {
            match self.repoint(op, described, &mut values)?.first() {
                Some((field, to)) => self.settle(
                    op,
                    Final::Skipped(format!("its {field}, {to}, did not come back")),
                )?,
                None => {
                    ops.push(op);
                    rows.push(fields::text(&values)?);
                }
            }
        }
        let Some(sobject) = ops.first().map(|op| op.sobject.clone()) else {
            return Ok(());
        };
        let answers = self.call(&ops, |target| target.create(&sobject, &rows))?;
        for (op, answer) in ops.into_iter().zip(answers) {
            self.settle(op, end(answer, Final::Created, ""))?;
        }
        Ok(())
    }

    fn edit(&mut self, batch: &[&Operation], described: &Described) -> Result<()> {
        let mut wanted = Vec::new();
        for &op in batch {
            let mut values = op.fields.clone();
            let lost = self.repoint(op, described, &mut values)?;
            match (self.id_now(op.id), lost.first()) {
                (None, _) => self.settle(op, Final::Skipped(format!("{} did not come back", op.id)))?,
                (_, Some((field, to))) => {
                    self.settle(
                        op,
                        Final::Skipped(format!("its {field}, {to}, did not come back")),
                    )?;
                }
                (Some(id), None) => wanted.push(Write { op, id, values }),
            }
        }
        let ids: Vec<RecordId> = wanted.iter().map(|w| w.id).collect();
        let live = look(
            self.target,
            described,
            &ids,
            wanted.iter().flat_map(|w| w.values.keys()),
        )?;
        let mut writes = Vec::new();
        for Write { op, id, mut values } in wanted {
            let Some(now) = live.get(&id) else {
                self.settle(op, Final::Conflict("it is no longer there".into()))?;
                continue;
            };
            values.retain(|name, value| current(now, name) != value.get());
            let changed = values.keys().find(|n| {
                let before = op.before.get(*n);
                before.is_some_and(|b| {
                    b.get() != current(now, n) && !self.relinked(b, now.get(*n).map(AsRef::as_ref))
                })
            });
            match changed {
                Some(name) => {
                    let text = format!("{name} is {} since the plan was made", current(now, name));
                    self.settle(op, Final::Conflict(text))?;
                }
                None if values.is_empty() => self.settle(op, Final::Unchanged)?,
                None => writes.push(Write { op, id, values }),
            }
        }
        self.update(&writes, |_| Final::Edited, "")
    }

    /// Whether the org itself set an emptied lookup again when its record was undeleted: no conflict.
    fn relinked(&self, before: &RawValue, now: Option<&RawValue>) -> bool {
        let to = now.and_then(fields::id_of);
        fields::is_null(before) && to.is_some_and(|id| self.back.contains(&id))
    }

    fn update(&mut self, writes: &[Write<'_>], done: fn(RecordId) -> Final, context: &str) -> Result<()> {
        let Some(sobject) = writes.first().map(|w| w.op.sobject.clone()) else {
            return Ok(());
        };
        let rows: Vec<_> = writes
            .iter()
            .map(|w| Ok((w.id, fields::text(&w.values)?)))
            .collect::<Result<_>>()?;
        let ops: Vec<&Operation> = writes.iter().map(|w| w.op).collect();
        let answers = self.call(&ops, |target| target.update(&sobject, &rows))?;
        for (op, answer) in ops.into_iter().zip(answers) {
            self.settle(op, end(answer, done, context))?;
        }
        Ok(())
    }

    fn undelete(&mut self, batch: &[&Operation], described: &Described) -> Result<()> {
        let ids: Vec<RecordId> = batch.iter().map(|op| op.id).collect();
        let live = look(self.target, described, &ids, std::iter::empty())?;
        let (mut back, gone): (Vec<&Operation>, Vec<&Operation>) =
            batch.iter().partition(|op| live.contains_key(&op.id));
        let ids: Vec<RecordId> = gone.iter().map(|op| op.id).collect();
        let answers = self.call(&gone, |target| target.undelete(&ids))?;
        let mut anew = Vec::new();
        for (op, answer) in gone.into_iter().zip(answers) {
            match answer {
                Outcome::Done(_) => back.push(op),
                Outcome::Refused(refusal) if out_of_bin(&refusal) && described.describe.createable => {
                    let known = op.fields.iter().filter(|(n, v)| {
                        !fields::is_null(v) && described.describe.field(n).is_some_and(fields::creatable)
                    });
                    anew.push((op, known.map(|(n, v)| (n.clone(), v.clone())).collect()));
                }
                other => self.settle(op, end(other, |_| Final::Undeleted, ""))?,
            }
        }
        self.back.extend(back.iter().map(|op| op.id));
        self.create(anew, described)?;
        self.compare(&back, described)
    }

    /// Deletes what is there.
    fn delete(&mut self, batch: &[&Operation], described: &Described) -> Result<()> {
        let ids: Vec<RecordId> = batch.iter().map(|op| op.id).collect();
        let live = look(self.target, described, &ids, std::iter::empty())?;
        let (there, gone): (Vec<&Operation>, Vec<&Operation>) =
            batch.iter().partition(|op| live.contains_key(&op.id));
        for op in gone {
            self.settle(op, Final::Unchanged)?;
        }
        let ids: Vec<RecordId> = there.iter().map(|op| op.id).collect();
        let answers = self.call(&there, |target| target.delete(&ids))?;
        for (op, answer) in there.into_iter().zip(answers) {
            self.settle(op, end(answer, |_| Final::Deleted, ""))?;
        }
        Ok(())
    }

    /// Edits what differs in records that have come back.
    fn compare(&mut self, back: &[&Operation], described: &Described) -> Result<()> {
        let ids: Vec<RecordId> = back.iter().map(|op| op.id).collect();
        let live = look(
            self.target,
            described,
            &ids,
            back.iter().flat_map(|op| op.fields.keys()),
        )?;
        let mut writes = Vec::new();
        for &op in back {
            let Some(now) = live.get(&op.id) else {
                self.settle(
                    op,
                    Final::Unknown("the org says that it is back, and does not show it".into()),
                )?;
                continue;
            };
            let mut values = if op.compare || op.action == Action::Create {
                op.fields.clone()
            } else {
                Values::new()
            };
            self.repoint(op, described, &mut values)?;
            let editable = |name: &String| described.describe.field(name).is_some_and(fields::editable);
            let shown = |name: &String| now.get(name).is_none_or(|v| fields::plain(v));
            values.retain(|name, value| editable(name) && shown(name) && current(now, name) != value.get());
            if values.is_empty() {
                self.settle(op, Final::Undeleted)?;
            } else {
                writes.push(Write {
                    op,
                    id: op.id,
                    values,
                });
            }
        }
        self.update(
            &writes,
            |_| Final::Undeleted,
            "it is back, but its values could not be set: ",
        )
    }
}

fn current<'v>(now: &'v Values, name: &str) -> &'v str {
    now.get(name).map_or("null", |value| value.get())
}

/// Whether an undelete was refused because there is nothing in the bin; `INVALID_CROSS_REFERENCE_KEY` says that the
/// record is not even shown to `queryAll` any more.
fn out_of_bin(refusal: &Refusal) -> bool {
    [
        "UNDELETE_FAILED",
        "ENTITY_IS_DELETED",
        "INVALID_CROSS_REFERENCE_KEY",
    ]
    .contains(&refusal.code.as_str())
        || refusal.message.contains("recycle bin")
}

fn end(answer: Outcome, done: impl FnOnce(RecordId) -> Final, context: &str) -> Final {
    match answer {
        Outcome::Done(id) => done(id),
        Outcome::Refused(refusal) => Final::Refused(refusal.code, format!("{context}{}", refusal.message)),
        Outcome::Unknown(why) => Final::Unknown(format!("{context}{why}")),
    }
}
