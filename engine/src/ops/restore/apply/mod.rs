//! Carries a plan out: batch by batch, looking before each write, with one outcome for each operation.
//!
//! Key decision: nothing is overwritten that changed since the plan was made, a lost reply is settled by looking,
//! and what needs a record that did not come back is skipped. Operations go in full batches as soon as what they
//! need is settled, not level by level. It stops at the first error that is not an answer of the org.

mod back;
mod change;
pub mod cost;
mod create;
mod ids;
mod queue;
mod settle;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};
use crate::base::id::RecordId;
use crate::base::stamp::Stamp;
use crate::ops::bodies::body;
use crate::ops::org::{EachPiece, Outcome, Target};
use crate::ops::restore::fields::Values;
use crate::ops::restore::journal::{Entry, Final, Intended, Journal, Past};
use crate::ops::restore::look::Described;
use crate::ops::restore::moved::Outcomes;
use crate::ops::restore::plan::{Action, Operation, Plan};
use crate::ops::restore::rights;
use crate::ops::restore::special::is_person;
use crate::ops::state::State;
use crate::vault::open::Vault;
use queue::Queue;

/// The most rows that one call writes.
const BATCH: usize = 200;
/// How many creates one look is for. What is undeleted by hand between a look and its last create is made twice, so it
/// is few calls; files go by themselves, and take longer.
const LOOK: usize = 2_000;
/// What a batch takes in calls without its files: a look, a write, a look at what came back, and its edits.
const BATCH_CALLS: u64 = 4;

/// Why an outcome is unknown of which the org's answer says nothing.
const NO_ANSWER: &str = "the org gave no answer for it";

/// What is done before what: nothing is edited before all is back, nothing deleted before the edits.
const PHASES: [&[Action]; 3] = [
    &[Action::Undelete, Action::Create],
    &[Action::Edit],
    &[Action::Delete],
];

/// Whether a record that is to come back may be there already, under its Id.
fn may_be_there(plan: &Plan, op: &Operation) -> bool {
    op.action.brings_back() && !op.gone && op.born.is_none() && plan.header.to.is_none()
}

/// Gives the bodies of files that a plan creates.
pub trait Bodies {
    /// Gives the whole body of the base64 field `field` of the record that had the Id `id`, from its first byte on.
    ///
    /// # Errors
    /// `NotFound` if there is none; what reading gives.
    fn read(&mut self, sobject: &str, field: &str, id: RecordId, each: &mut EachPiece<'_>) -> Result<()>;
}

/// Has none.
#[derive(Debug, Default)]
pub struct NoBodies;

impl Bodies for NoBodies {
    fn read(&mut self, sobject: &str, field: &str, id: RecordId, _: &mut EachPiece<'_>) -> Result<()> {
        let what = format!("{sobject} {id}: no vault to read its {field} from");
        Err(Error::new(Kind::NotFound, what))
    }
}

/// The bodies of a stored state.
pub struct Stored<'v> {
    /// Where they are.
    pub vault: &'v Vault,
    /// The state that is brought back.
    pub state: State<'v>,
}

impl Bodies for Stored<'_> {
    fn read(&mut self, sobject: &str, field: &str, id: RecordId, each: &mut EachPiece<'_>) -> Result<()> {
        body(self.vault, &self.state, sobject, field, id, each).map(drop)
    }
}

/// What became of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// What became of each operation.
    pub outcomes: Outcomes,
    /// Old Id to new Id of each record that was created, or that the org made by itself.
    pub id_map: BTreeMap<RecordId, RecordId>,
    /// Requests made.
    pub calls: u64,
}

impl Applied {
    /// How many operations ended in each way: `undeleted`, `created`, `edited`, `adopted`, `deleted`, `unchanged`,
    /// `conflict`, `refused`, `skipped`, `unknown`.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for outcome in self.outcomes.ends.values() {
            *counts.entry(outcome.name()).or_default() += 1;
        }
        counts
    }
}

/// Carries `plan` out; `progress` is told how many operations have their outcome, and of how many. A plan with files
/// needs [`resume`].
///
/// # Errors
/// `Denied`, before the first write, if a right is missing; what looking, writing and the journal give. What was noted
/// until then stays valid for [`resume`].
pub fn apply(
    plan: &Plan,
    target: &mut dyn Target,
    journal: &mut dyn Journal,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Applied> {
    resume(plan, target, journal, Past::default(), &mut NoBodies, progress)
}

/// Carries out what is not final yet; `past` is what [`replay`](super::journal::replay) gave.
///
/// # Errors
/// As [`apply`]; `Invalid` for the journal of another plan.
pub fn resume(
    plan: &Plan,
    target: &mut dyn Target,
    journal: &mut dyn Journal,
    past: Past,
    bodies: &mut dyn Bodies,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Applied> {
    within(u64::MAX, plan, target, journal, past, bodies, progress)
}

/// As [`resume`], in `most` calls at most.
///
/// # Errors
/// As [`resume`]; `Quota` once the calls are spent: what was noted until then stays valid for another run.
pub fn within(
    most: u64,
    plan: &Plan,
    target: &mut dyn Target,
    journal: &mut dyn Journal,
    past: Past,
    bodies: &mut dyn Bodies,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Applied> {
    is_of(&past, plan)?;
    let calls = target.calls();
    let until = calls.saturating_add(most);
    let mut run = Run::begin(plan, target, journal, past, bodies, progress)?;
    run.until = until;
    run.note_the_beginning()?;
    run.settle_open()?;
    for action in PHASES {
        run.phase(action)?;
    }
    Ok(run.end(calls))
}

/// Whether a journal belongs to a plan.
fn is_of(past: &Past, plan: &Plan) -> Result<()> {
    let made = &plan.header.created;
    if past.plan.as_ref().is_some_and(|other| other != made) {
        return Err(Error::invalid(format!(
            "the journal is that of another plan, made at {}",
            past.plan.as_deref().unwrap_or_default()
        ))
        .hint("name the plan that it was begun with"));
    }
    let known: HashSet<u32> = plan.operations.iter().map(|op| op.number).collect();
    match past
        .outcomes
        .keys()
        .chain(past.open.keys())
        .find(|n| !known.contains(n))
    {
        Some(number) => Err(Error::invalid(format!(
            "the journal speaks of operation {number}, which the plan has not"
        ))),
        None => Ok(()),
    }
}

struct Run<'a> {
    plan: &'a Plan,
    target: &'a mut dyn Target,
    journal: &'a mut dyn Journal,
    bodies: &'a mut dyn Bodies,
    progress: &'a mut dyn FnMut(usize, usize),
    /// What came before, and what comes now.
    past: Past,
    /// The org's clock when this run began, and this machine's.
    began: (Stamp, Stamp),
    clock: Clock,
    /// How many operations have an outcome of this run or a final one.
    done: HashSet<u32>,
    /// Which operation brings a record back.
    brings: HashMap<RecordId, u32>,
    /// Accounts of the plan that are persons.
    persons: HashSet<RecordId>,
    /// Which record stands for which.
    maps: HashMap<RecordId, RecordId>,
    described: HashMap<String, Rc<Described>>,
    /// What could not be undeleted: created once all else was tried.
    later: Vec<&'a Operation>,
    /// What of the sObject under way goes next.
    ahead: Vec<&'a Operation>,
    /// Creates that were looked for and are not there.
    absent: HashSet<u32>,
    /// Owners that the org refused as inactive, and what it said.
    inactive: HashMap<String, String>,
    /// What the org said when its storage was full.
    full: Option<String>,
    /// The count of calls at which the run ends.
    until: u64,
}

/// A write of one row, with what it is for.
struct Write<'p> {
    op: &'p Operation,
    id: RecordId,
    values: Values,
    before: Values,
}

impl<'a> Run<'a> {
    fn begin(
        plan: &'a Plan,
        target: &'a mut dyn Target,
        journal: &'a mut dyn Journal,
        past: Past,
        bodies: &'a mut dyn Bodies,
        progress: &'a mut dyn FnMut(usize, usize),
    ) -> Result<Self> {
        let described = rights::check(plan, &past, target)?;
        let clock = Clock::system();
        let began = (target.now()?, clock.now());
        let is_final = |(number, end): (&u32, &Final)| end.is_final().then_some(*number);
        let done = past.outcomes.iter().filter_map(is_final).collect();
        let back = plan.operations.iter().filter(|op| op.action.brings_back());
        Ok(Self {
            plan,
            target,
            journal,
            bodies,
            progress,
            past,
            began,
            clock,
            done,
            brings: back.map(|op| (op.id, op.number)).collect(),
            persons: persons(plan)?,
            maps: plan.maps.iter().map(|map| (map.from, map.to)).collect(),
            described,
            later: Vec::new(),
            ahead: Vec::new(),
            absent: HashSet::new(),
            inactive: HashMap::new(),
            full: None,
            until: u64::MAX,
        })
    }

    fn note_the_beginning(&mut self) -> Result<()> {
        if self.past.begun.is_none() {
            self.note_those_there()?;
        }
        self.note(Entry::Begun {
            plan: self.plan.header.created.clone(),
            at: self.began.0,
        })
    }

    fn note(&mut self, entry: Entry) -> Result<()> {
        self.journal.note(&entry.text()?)?;
        self.past.take(entry)
    }

    fn phase(&mut self, actions: &[Action]) -> Result<()> {
        let plan = self.plan;
        let open = plan
            .operations
            .iter()
            .filter(|op| actions.contains(&op.action) && !self.done.contains(&op.number));
        let mut queue = Queue::new(open.collect(), &self.brings, BATCH)?;
        loop {
            while let Some(batch) = queue.next() {
                // The first version of a document may have gone with it.
                let is_open = |op: &&&Operation| !self.done.contains(&op.number);
                let open: Vec<&Operation> = batch.iter().filter(is_open).copied().collect();
                self.ahead = queue.ahead(&batch, LOOK);
                self.affords(BATCH_CALLS)?;
                self.batch(&open)?;
                self.has_room()?;
                let is_done = |op: &&&Operation| self.done.contains(&op.number);
                let done: Vec<&Operation> = batch.iter().filter(is_done).copied().collect();
                queue.settled(&done);
            }
            let later = std::mem::take(&mut self.later);
            if later.is_empty() {
                return Ok(());
            }
            self.make_up(&later)?;
            queue.settled(&later);
        }
    }

    fn batch(&mut self, batch: &[&'a Operation]) -> Result<()> {
        let Some(first) = batch.first() else { return Ok(()) };
        let Some(described) = self.described.get(&first.sobject).map(Rc::clone) else {
            return Err(Error::new(
                Kind::NotFound,
                format!("{} is not described", first.sobject),
            ));
        };
        match first.action {
            Action::Undelete => self.undelete(batch, &described),
            Action::Create => self.create_missing(batch, &described),
            Action::Edit => self.edit(batch, &described),
            Action::Delete => self.delete(batch, &described),
        }
    }

    /// Notes what became of an operation. What found the storage full stays open, and ends the run behind its batch.
    fn settle(&mut self, op: &Operation, outcome: Final) -> Result<()> {
        self.done.insert(op.number);
        if let Final::Refused(code, message) = &outcome
            && code == "STORAGE_LIMIT_EXCEEDED"
        {
            self.full.get_or_insert_with(|| message.clone());
            return self.note(Entry::Withdrawn(vec![op.number]));
        }
        self.note(Entry::Outcome(op.number, outcome))?;
        (self.progress)(self.done.len(), self.plan.operations.len());
        Ok(())
    }

    /// A full data storage ends a run: all that follows would be refused too.
    fn has_room(&self) -> Result<()> {
        match &self.full {
            None => Ok(()),
            Some(message) => Err(
                Error::new(Kind::Quota, format!("the org's storage is full: {message}"))
                    .hint("make room in the org, then apply the same plan again: it goes on here"),
            ),
        }
    }

    /// Whether so many calls are left of the run's own budget.
    fn affords(&self, calls: u64) -> Result<()> {
        if self.target.calls().saturating_add(calls) <= self.until {
            return Ok(());
        }
        Err(Error::new(Kind::Quota, "the calls that were given are spent")
            .hint("apply the same plan again: it goes on here"))
    }

    /// Notes the intent, calls, and gives an outcome for each operation, whatever the number of answers.
    fn call(
        &mut self,
        writes: &[(&Operation, Values)],
        write: impl FnOnce(&mut dyn Target, &mut dyn Bodies) -> Result<Vec<Outcome>>,
    ) -> Result<Vec<Outcome>> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let passed = self.clock.now().millis() - self.began.1.millis();
        let at = self.began.0.minus_millis(-passed);
        let of = writes.iter().map(|(op, before)| Intended {
            number: op.number,
            before: before.clone(),
        });
        self.journal
            .note(&Entry::Intent { at, of: of.collect() }.text()?)?;
        match write(self.target, self.bodies) {
            Ok(mut answers) => {
                answers.resize_with(writes.len(), || Outcome::Unknown(NO_ANSWER.into()));
                self.past
                    .open
                    .extend(writes.iter().map(|(op, _)| (op.number, at)));
                Ok(answers)
            }
            Err(e) => {
                let numbers = writes.iter().map(|(op, _)| op.number).collect();
                self.note(Entry::Withdrawn(numbers))?;
                Err(e)
            }
        }
    }

    /// Leaves fields out of an operation, and says so; none takes that back.
    fn leave(&mut self, op: &Operation, fields: Vec<String>, why: String) -> Result<()> {
        self.note(Entry::Left(op.number, fields, why))
    }

    fn end(self, calls: u64) -> Applied {
        let calls = self.target.calls().saturating_sub(calls);
        let (mut outcomes, mut id_map) = (Outcomes::from(self.past), BTreeMap::new());
        for op in &self.plan.operations {
            let end = outcomes.ends.entry(op.number);
            let end = end.or_insert_with(|| Final::Unknown(NO_ANSWER.into()));
            if let Final::Created(new) | Final::Adopted(new) = end {
                id_map.insert(op.id, *new);
            }
        }
        Applied {
            outcomes,
            id_map,
            calls,
        }
    }
}

fn persons(plan: &Plan) -> Result<HashSet<RecordId>> {
    let mut persons = HashSet::new();
    for op in &plan.operations {
        if is_person(op)? {
            persons.insert(op.id);
        }
    }
    Ok(persons)
}

/// The fields that operations set.
fn names<'p>(operations: impl Iterator<Item = &'p Operation>) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for op in operations {
        names.extend(op.fields.open()?.into_keys());
    }
    Ok(names)
}

/// What an answer means.
fn end(answer: Outcome, done: impl FnOnce(RecordId) -> Final, context: &str) -> Final {
    match answer {
        Outcome::Done(id) => done(id),
        Outcome::Refused(refusal) => Final::Refused(refusal.code, format!("{context}{}", refusal.message)),
        Outcome::Unknown(why) => Final::Unknown(format!("{context}{why}")),
    }
}
