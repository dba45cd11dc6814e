//! Which operations can be written next: full batches of one sObject and action, parents before children.
//!
//! Key decision: an operation is ready once all that it needs is settled, so that batches fill across levels; a
//! batch that is not full goes only when no other is. Within a batch, children of one parent stand together, since
//! batches that share a parent lock each other out. It does not know whether a parent came back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::ops::restore::fields::{id_of, is_null};
use crate::ops::restore::plan::{Action, Operation};
use crate::ops::restore::special::DOCUMENT;

/// Parent, then the place in the plan.
type Place = (Option<RecordId>, usize);

/// Operations that wait.
pub(super) struct Queue<'p> {
    operations: Vec<&'p Operation>,
    /// How many of those that it needs are not settled.
    waits: Vec<usize>,
    /// Who waits for it.
    needed_by: Vec<Vec<usize>>,
    /// Where an operation stands, by number.
    places: HashMap<u32, usize>,
    ready: BTreeMap<(Action, &'p str), BTreeSet<Place>>,
    most: usize,
}

impl<'p> Queue<'p> {
    /// Of these operations, which need what `brings` says that others among them bring back.
    ///
    /// # Errors
    /// Never for a plan that was read.
    pub fn new(
        mut operations: Vec<&'p Operation>,
        brings: &HashMap<RecordId, u32>,
        most: usize,
    ) -> Result<Self> {
        let above = Above::of(&operations)?;
        operations.sort_by_cached_key(|op| above.depth(op));
        let places: HashMap<u32, usize> = operations
            .iter()
            .enumerate()
            .map(|(at, op)| (op.number, at))
            .collect();
        let mut queue = Self {
            waits: vec![0; operations.len()],
            needed_by: vec![Vec::new(); operations.len()],
            operations,
            places,
            ready: BTreeMap::new(),
            most,
        };
        for at in 0..queue.operations.len() {
            let op = queue.operations[at];
            let needs: BTreeSet<usize> = needs(op)
                .filter_map(|id| brings.get(&id).copied())
                .chain(above.next(op))
                .filter_map(|number| queue.places.get(&number).copied())
                // What a person wrote in another order is taken in that order.
                .filter(|&other| other < at)
                .collect();
            queue.waits[at] = needs.len();
            needs
                .into_iter()
                .for_each(|other| queue.needed_by[other].push(at));
            if queue.waits[at] == 0 {
                queue.push(at);
            }
        }
        Ok(queue)
    }

    fn push(&mut self, at: usize) {
        let op = self.operations[at];
        let parent = op.references.first().map(|reference| reference.to);
        // Deletes go in the plan's order: children first.
        let parent = parent.filter(|_| op.action != Action::Delete);
        self.ready
            .entry((op.action, &op.sobject))
            .or_default()
            .insert((parent, at));
    }

    /// The next batch; none when all went.
    pub fn next(&mut self) -> Option<Vec<&'p Operation>> {
        let first = |places: &BTreeSet<Place>| places.iter().map(|(_, at)| *at).min();
        let partial = |places: &BTreeSet<Place>| places.len() < self.most;
        let key = *self
            .ready
            .iter()
            .filter(|(_, places)| !places.is_empty())
            .min_by_key(|((action, sobject), places)| {
                // A version that is edited writes its title and description into its document.
                let last = *action == Action::Edit && *sobject == DOCUMENT;
                // Deletes of one sObject must not overtake those that the plan puts first.
                let waits = *action != Action::Delete && partial(places);
                (last, waits, first(places))
            })?
            .0;
        let places = self.ready.get_mut(&key)?;
        let mut batch: Vec<&Operation> = Vec::new();
        while batch.len() < self.most
            && let Some(place) = places.pop_first()
        {
            let op = self.operations[place.1];
            if op.action == Action::Delete && batch.first().is_some_and(|first| first.level != op.level) {
                places.insert(place);
                break;
            }
            batch.push(op);
        }
        Some(batch)
    }

    /// What would go after this batch if nothing else became ready, `most` with it; none where a file goes with it.
    pub fn ahead(&self, batch: &[&'p Operation], most: usize) -> Vec<&'p Operation> {
        let Some(first) = batch.first().filter(|first| first.body.is_none()) else {
            return Vec::new();
        };
        let key = (first.action, first.sobject.as_str());
        let places = self.ready.get(&key).into_iter().flatten();
        let next = places.map(|(_, at)| self.operations[*at]);
        next.take(most.saturating_sub(batch.len())).collect()
    }

    /// These have their outcomes: what waits for them may go.
    pub fn settled(&mut self, batch: &[&Operation]) {
        for op in batch {
            let Some(&at) = self.places.get(&op.number) else {
                continue;
            };
            for child in std::mem::take(&mut self.needed_by[at]) {
                self.waits[child] -= 1;
                if self.waits[child] == 0 {
                    self.push(child);
                }
            }
        }
    }
}

/// Edits of records above which the plan edits others: a hierarchy that is turned round is set from its wanted root
/// down, since the org refuses circles on the way (`CIRCULAR_DEPENDENCY`).
struct Above<'p> {
    edits: HashMap<(&'p str, RecordId), Setting>,
}

/// The fields that an edit empties or points at a record.
struct Setting {
    number: u32,
    to: BTreeMap<String, Option<RecordId>>,
}

impl<'p> Above<'p> {
    fn of(operations: &[&'p Operation]) -> Result<Self> {
        let mut edits = HashMap::new();
        for op in operations.iter().filter(|op| op.action == Action::Edit) {
            let values = op.fields.open()?.into_iter();
            let to = values.filter_map(|(name, value)| {
                let id = id_of(&value);
                (id.is_some() || is_null(&value)).then_some((name, id))
            });
            let setting = Setting {
                number: op.number,
                to: to.collect(),
            };
            edits.insert((op.sobject.as_str(), op.id), setting);
        }
        Ok(Self { edits })
    }

    /// What an edit points at records.
    fn set_by<'s>(&'s self, op: &'p Operation) -> impl Iterator<Item = (&'s String, RecordId)> + use<'s, 'p> {
        let own = self
            .edits
            .get(&(op.sobject.as_str(), op.id))
            .filter(|own| own.number == op.number);
        own.into_iter()
            .flat_map(|own| &own.to)
            .filter_map(|(name, to)| Some((name, (*to)?)))
    }

    /// The edits that set the same reference in the records that this one is to point at.
    fn next<'s>(&'s self, op: &'p Operation) -> impl Iterator<Item = u32> + use<'s, 'p> {
        self.set_by(op).filter_map(|(name, to)| {
            let other = self.edits.get(&(op.sobject.as_str(), to))?;
            (other.to.contains_key(name) && other.number != op.number).then_some(other.number)
        })
    }

    /// How many such edits stand above one, by the longest way; a circle ends it.
    fn depth(&self, op: &'p Operation) -> usize {
        let mut deepest = 0;
        for (name, to) in self.set_by(op) {
            let (mut depth, mut at, mut seen) = (0, Some(to), BTreeSet::from([op.id]));
            while let Some(id) = at
                && let Some(other) = self.edits.get(&(op.sobject.as_str(), id))
                && let Some(next) = other.to.get(name)
                && seen.insert(id)
            {
                depth += 1;
                at = *next;
            }
            deepest = deepest.max(depth);
        }
        deepest
    }
}

/// What must be there before an operation.
fn needs(op: &Operation) -> impl Iterator<Item = RecordId> {
    let own = (op.action == Action::Edit).then_some(op.id);
    let born = op.born.as_ref().map(|born| born.of);
    op.references.iter().map(|r| r.to).chain(own).chain(born)
}
