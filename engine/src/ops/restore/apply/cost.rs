//! What a plan should cost in API calls, before it is carried out.
//!
//! Key decision: the batches are taken from the queue that will send them, and counted instead of sent, so that the two
//! cannot differ; it is taken that nothing changed since the plan was made and that nothing is refused. Sign-in and the
//! comparison afterwards are not counted.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::queue::Queue;
use super::{BATCH, LOOK, PHASES, may_be_there};
use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::ops::restore::plan::{Action, Operation, Plan};

/// The org's clock.
const CLOCK: u64 = 1;
/// Describes in one call.
const DESCRIBES: usize = 25;

/// The calls that carrying a plan out should take.
///
/// # Errors
/// Never for a plan that was read.
pub fn estimate(plan: &Plan) -> Result<u64> {
    let open = || plan.operations.iter();
    let born = open().filter_map(|op| Some(op.born.as_ref()?.sobject.as_str()));
    let sobjects: BTreeSet<&str> = open().map(|op| op.sobject.as_str()).chain(born).collect();
    if sobjects.is_empty() {
        return Ok(0);
    }
    let mut sought: BTreeMap<&str, usize> = BTreeMap::new();
    for op in open().filter(|op| may_be_there(plan, op)) {
        *sought.entry(&op.sobject).or_default() += 1;
    }
    let brings = open()
        .filter(|op| op.action.brings_back())
        .map(|op| (op.id, op.number))
        .collect();
    let mut cost = Cost {
        plan,
        calls: CLOCK
            + sobjects.len().div_ceil(DESCRIBES) as u64
            + sought.into_values().map(looks).sum::<u64>(),
        absent: HashSet::new(),
    };
    for actions in PHASES {
        cost.phase(actions, &brings)?;
    }
    Ok(cost.calls)
}

fn looks(rows: usize) -> u64 {
    rows.div_ceil(LOOK) as u64
}

struct Cost<'p> {
    plan: &'p Plan,
    calls: u64,
    /// Looked for already.
    absent: HashSet<u32>,
}

impl Cost<'_> {
    fn phase(&mut self, actions: &[Action], brings: &HashMap<RecordId, u32>) -> Result<()> {
        let open = self
            .plan
            .operations
            .iter()
            .filter(|op| actions.contains(&op.action));
        let mut queue = Queue::new(open.collect(), brings, BATCH)?;
        while let Some(batch) = queue.next() {
            match batch.first().map(|op| op.action) {
                Some(Action::Create) => {
                    let ahead = queue.ahead(&batch, LOOK);
                    self.create(&batch, &ahead);
                }
                // Looked at, brought back, and compared.
                Some(Action::Undelete) => {
                    self.absent.clear();
                    self.calls += 3;
                }
                Some(Action::Edit | Action::Delete) => self.calls += 2,
                None => {}
            }
            queue.settled(&batch);
        }
        Ok(())
    }

    fn create(&mut self, batch: &[&Operation], ahead: &[&Operation]) {
        let (born, made): (Vec<&Operation>, Vec<&Operation>) = batch.iter().partition(|op| op.born.is_some());
        let parents: BTreeSet<&str> = born
            .iter()
            .flat_map(|op| &op.born)
            .map(|b| b.sobject.as_str())
            .collect();
        self.calls += parents.len() as u64 + u64::from(!born.is_empty());
        let is_unsure = |op: &&Operation| may_be_there(self.plan, op) && !self.absent.contains(&op.number);
        if made.iter().any(is_unsure) {
            self.calls += 1;
            self.absent.extend(ahead.iter().map(|op| op.number));
        }
        let found = made.iter().filter(|op| !op.find.is_empty()).count();
        let files = made.iter().filter(|op| op.body.is_some()).count();
        self.calls += looks(found) + files as u64 + u64::from(made.len() > files);
        let is_own = |op: &&Operation| op.references.iter().any(|reference| reference.to == op.id);
        self.calls += u64::from(made.iter().any(is_own));
    }
}
