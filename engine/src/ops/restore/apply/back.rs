//! Bringing back from the bin, and setting what differs in what came back.
//!
//! Key decision: the org brings back along with a record whatever fell in the same cascade, under whichever parent it
//! hung then; so what could not be undeleted is created only after all else was tried, and after another look. What
//! came back since the first run began was brought back by the restore. Nothing is created here.

use super::change::{current, held};
use super::{BATCH, BATCH_CALLS, Run, Write, end, may_be_there, names};
use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::ops::org::{Outcome, Refusal};
use crate::ops::restore::fields::{self, Values};
use crate::ops::restore::journal::{Entry, Final};
use crate::ops::restore::look::{Described, look};
use crate::ops::restore::plan::{Action, Born, Operation};
use crate::ops::restore::special::{ACCOUNT, PERSON_CONTACT, person_of};

impl<'a> Run<'a> {
    pub(super) fn undelete(&mut self, batch: &[&'a Operation], described: &Described) -> Result<()> {
        let (refused, batch): (Vec<&Operation>, Vec<&Operation>) =
            batch.iter().partition(|op| self.past.anew.contains(&op.number));
        self.later.extend(refused);
        let mut gone = self.take_back(&batch, described)?;
        let persons = self.persons_anew(&mut gone)?;
        let persons: Vec<_> = persons.iter().map(|(op, born)| (*op, born)).collect();
        self.born(&persons, described)?;
        let ids: Vec<RecordId> = gone.iter().map(|op| op.id).collect();
        let intents: Vec<_> = gone.iter().map(|op| (*op, Values::new())).collect();
        let answers = self.call(&intents, |target, _| target.undelete(&ids))?;
        self.absent.clear();
        let (mut back, mut anew) = (Vec::new(), Vec::new());
        for (op, answer) in gone.into_iter().zip(answers) {
            let may_make = described.describe.createable || self.version_of(op).is_some();
            match answer {
                Outcome::Done(_) => back.push(op),
                Outcome::Refused(refusal) if no_way_back(&refusal) && may_make => anew.push(op),
                other => self.settle(op, end(other, |_| Final::Undeleted, ""))?,
            }
        }
        if !anew.is_empty() {
            self.note(Entry::Anew(anew.iter().map(|op| op.number).collect()))?;
            self.later.extend(anew);
        }
        self.came_back(&back)?;
        self.compare(&back, described)
    }

    /// Takes out the contacts of persons whose accounts were made anew: each has a contact already.
    fn persons_anew(&self, gone: &mut Vec<&'a Operation>) -> Result<Vec<(&'a Operation, Born)>> {
        let mut persons = Vec::new();
        for op in std::mem::take(gone) {
            let account = person_of(op)?.filter(|account| self.persons.contains(account));
            match account.filter(|account| self.id_now(*account).is_some_and(|now| now != *account)) {
                Some(account) => persons.push((
                    op,
                    Born {
                        sobject: ACCOUNT.into(),
                        of: account,
                        field: PERSON_CONTACT.into(),
                    },
                )),
                None => gone.push(op),
            }
        }
        Ok(persons)
    }

    /// What could not be undeleted, once all else was tried: it may have come along, else it is created.
    pub(super) fn make_up(&mut self, later: &[&'a Operation]) -> Result<()> {
        let mut later = later.to_vec();
        later.sort_by(|a, b| (&a.sobject, a.number).cmp(&(&b.sobject, b.number)));
        for same in later
            .chunk_by(|a, b| a.sobject == b.sobject)
            .flat_map(|same| same.chunks(BATCH))
        {
            let Some(described) = same
                .first()
                .and_then(|op| self.described.get(&op.sobject))
                .cloned()
            else {
                continue;
            };
            self.affords(BATCH_CALLS)?;
            let mut anew = Vec::new();
            for op in self.take_back(same, &described)? {
                if self.version_of(op).is_some() {
                    self.reborn(op, &described)?;
                    continue;
                }
                let mut known = op.fields.open()?;
                known.retain(|name, value| {
                    !fields::is_null(value) && described.describe.field(name).is_some_and(fields::creatable)
                });
                anew.push((op, known));
            }
            self.create(anew, &described)?;
            self.has_room()?;
        }
        Ok(())
    }

    /// Compares those that are there; gives the others. A look before creates takes in what of the sObject goes next, and
    /// holds good for that until something is undeleted, which may bring others along.
    pub(super) fn take_back(
        &mut self,
        batch: &[&'a Operation],
        described: &Described,
    ) -> Result<Vec<&'a Operation>> {
        let (mut gone, unsure): (Vec<&Operation>, Vec<&Operation>) =
            batch.iter().partition(|op| self.absent.remove(&op.number));
        let mut ahead = std::mem::take(&mut self.ahead);
        let is_sought = |op: &Operation| op.action == Action::Create && may_be_there(self.plan, op);
        ahead.retain(|op| !unsure.is_empty() && is_sought(op) && !self.absent.contains(&op.number));
        let ids: Vec<RecordId> = unsure.iter().chain(&ahead).map(|op| op.id).collect();
        let live = look(self.target, described, &ids, std::iter::empty())?;
        let missing = ahead.iter().filter(|op| !live.contains_key(&op.id));
        self.absent.extend(missing.map(|op| op.number));
        let (back, more): (Vec<&Operation>, Vec<&Operation>) =
            unsure.into_iter().partition(|op| live.contains_key(&op.id));
        gone.extend(more);
        let ours: Vec<&Operation> = back
            .iter()
            .filter(|op| !self.past.there.contains(&op.number))
            .copied()
            .collect();
        self.came_back(&ours)?;
        self.compare(&back, described)?;
        Ok(gone)
    }

    fn came_back(&mut self, back: &[&Operation]) -> Result<()> {
        let numbers = back.iter().map(|op| op.number);
        let new: Vec<u32> = numbers.filter(|n| !self.past.back.contains(n)).collect();
        if new.is_empty() {
            return Ok(());
        }
        self.note(Entry::Back(new))
    }

    /// Whether this restore brought a record back from the bin.
    pub(super) fn is_back(&self, id: RecordId) -> bool {
        self.brings
            .get(&id)
            .is_some_and(|number| self.past.back.contains(number))
    }

    /// Notes which records that are to come back are there already when the first run begins.
    pub(super) fn note_those_there(&mut self) -> Result<()> {
        let plan = self.plan;
        let sought = plan.operations.iter().filter(|op| may_be_there(plan, op));
        let mut sought: Vec<&Operation> = sought.collect();
        sought.sort_by(|a, b| (&a.sobject, a.number).cmp(&(&b.sobject, b.number)));
        let mut there = Vec::new();
        for same in sought.chunk_by(|a, b| a.sobject == b.sobject) {
            let Some(described) = same
                .first()
                .and_then(|op| self.described.get(&op.sobject))
                .cloned()
            else {
                continue;
            };
            let ids: Vec<RecordId> = same.iter().map(|op| op.id).collect();
            let live = look(self.target, &described, &ids, std::iter::empty())?;
            there.extend(
                same.iter()
                    .filter(|op| live.contains_key(&op.id))
                    .map(|op| op.number),
            );
        }
        if there.is_empty() {
            return Ok(());
        }
        self.note(Entry::There(there))
    }

    /// Edits what differs in records that have come back.
    fn compare(&mut self, back: &[&'a Operation], described: &Described) -> Result<()> {
        let ids: Vec<RecordId> = back.iter().map(|op| op.id).collect();
        let names = names(back.iter().copied())?;
        let live = look(self.target, described, &ids, names.iter())?;
        let (mut ours, mut others) = (Vec::new(), Vec::new());
        for &op in back {
            let Some(now) = live.get(&op.id) else {
                let why = "the org says that it is back, and does not show it";
                self.settle(op, Final::Unknown(why.into()))?;
                continue;
            };
            let Some(values) = self.wanted(op, now, described)? else {
                continue;
            };
            let before = values
                .keys()
                .map(|name| (name.clone(), held(now, name)))
                .collect();
            let write = Write {
                op,
                id: op.id,
                values,
                before,
            };
            if self.past.back.contains(&op.number) {
                ours.push(write);
            } else {
                others.push(write);
            }
        }
        let context = "it is back, but its values could not be set: ";
        self.set(
            ours,
            |_| Final::Undeleted,
            |_| Final::Undeleted,
            context,
            described,
        )?;
        self.set(
            others,
            |_| Final::Edited,
            |_| Final::Unchanged,
            context,
            described,
        )
    }

    /// What is to be set in a record that came back; none where what it points at may still come.
    fn wanted(&mut self, op: &'a Operation, now: &Values, described: &Described) -> Result<Option<Values>> {
        let mut values = op.fields.open()?;
        self.drop_unknown(op, described, &mut values)?;
        let lost = self.repoint(op, described, &mut values)?;
        let is_over = |id: &RecordId| {
            let end = self
                .brings
                .get(id)
                .and_then(|number| self.past.outcomes.get(number));
            end.is_some_and(Final::is_final)
        };
        if let Some((field, to)) = lost.iter().find(|(_, to)| *to != op.id && !is_over(to)) {
            let why = format!("it is back, and its {field}, {to}, is not yet");
            self.settle(op, Final::Skipped(why))?;
            return Ok(None);
        }
        let mut left: Vec<String> = lost
            .into_iter()
            .filter(|(_, to)| *to != op.id)
            .map(|(name, _)| name)
            .collect();
        let why = if left.is_empty() {
            "it can be set only when a record is created"
        } else {
            "what it points at did not come back"
        };
        let field = |name: &str| described.describe.field(name);
        let shown = |name: &String| now.get(name).is_none_or(|value| fields::plain(value));
        values.retain(|name, value| shown(name) && current(now, name) != value.get());
        let frozen = |name: &&String| {
            field(name).is_some_and(|field| !fields::editable(field) && !fields::audit(field))
        };
        left.extend(values.keys().filter(frozen).cloned());
        if !left.is_empty() {
            self.leave(op, left, why.into())?;
        }
        values.retain(|name, _| field(name).is_some_and(fields::editable));
        Ok(Some(values))
    }
}

/// Whether an undelete was refused because there is nothing in the bin, or it is not the user's to bring back;
/// `INVALID_CROSS_REFERENCE_KEY` says that the record is not even shown to `queryAll` any more.
fn no_way_back(refusal: &Refusal) -> bool {
    [
        "UNDELETE_FAILED",
        "ENTITY_IS_DELETED",
        "INVALID_CROSS_REFERENCE_KEY",
        "INSUFFICIENT_ACCESS_OR_READONLY",
        "INSUFFICIENT_ACCESS",
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
    ]
    .contains(&refusal.code.as_str())
        || refusal.message.contains("recycle bin")
}
