//! The next plan: what of a plan did not succeed, to be carried out once its causes are mended.
//!
//! Key decision: a plan like any other, to be read, edited, applied and undone by itself; what the first one made is told
//! by `map` lines, and values name it by its new Id. What a record holds is taken from the newest state, so that a
//! conflict is planned anew with open eyes. It mends no cause and asks no org.

use std::collections::{HashMap, HashSet};

use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};
use crate::base::id::RecordId;
use crate::ops::restore::automation;
use crate::ops::restore::fields;
use crate::ops::restore::journal::Final;
use crate::ops::restore::moved::{Moved, Outcomes, new_id};
use crate::ops::restore::packed::Packed;
use crate::ops::restore::plan::{Action, Impossible, Mapped, Operation, Plan, Warning};
use crate::ops::state::State;

/// Plans what of `plan` did not succeed. `now` is a state from after the run, by which the fields of edits are looked at
/// again; without one a conflict stays one.
///
/// # Errors
/// `NotFound` if everything succeeded; what reading the state gives.
pub fn again(plan: &Plan, outcomes: &Outcomes, now: Option<&State<'_>>) -> Result<Plan> {
    let mut header = plan.header.clone();
    let of = format!("what did not succeed of the plan made at {}", header.created);
    header.choice = if header.choice.is_empty() {
        of
    } else {
        format!("{of}: {}", header.choice)
    };
    header.created = Clock::system().now().to_string();
    header.calls = 0;
    if let Some(now) = now {
        header.now = now.snapshot().name.to_string();
    }
    let mut next = Next {
        plan,
        now,
        moved: Moved::of(plan, outcomes),
        numbers: HashMap::new(),
        kept: HashSet::new(),
        lost: HashSet::new(),
        next: Plan::new(header),
    };
    next.next.maps = plan.maps.clone();
    for op in &plan.operations {
        match outcomes.ends.get(&op.number) {
            Some(end) if end.is_done() => next.done(op, end),
            end => next.left(op, end)?,
        }
    }
    if next.next.operations.is_empty() && next.next.impossible.is_empty() {
        let message = "nothing is left to be planned: every operation succeeded";
        return Err(Error::new(Kind::NotFound, message).hint("`halite restore report` tells what was done"));
    }
    next.next.impossible.extend(plan.impossible.iter().cloned());
    next.warnings();
    Ok(next.next)
}

struct Next<'a> {
    plan: &'a Plan,
    now: Option<&'a State<'a>>,
    moved: Moved,
    /// Old numbers and new ones.
    numbers: HashMap<u32, u32>,
    /// Records that the next plan brings back.
    kept: HashSet<RecordId>,
    /// Records that no plan brings back any more.
    lost: HashSet<RecordId>,
    next: Plan,
}

impl Next<'_> {
    /// Remembers what was made.
    fn done(&mut self, op: &Operation, end: &Final) {
        if let Some(new) = new_id(end) {
            self.next.maps.retain(|map| map.from != op.id);
            self.next.maps.push(Mapped {
                sobject: op.sobject.clone(),
                from: op.id,
                to: new,
                by: format!("{} by the plan made at {}", end.name(), self.plan.header.created),
            });
        }
    }

    /// Plans an operation anew.
    fn left(&mut self, op: &Operation, end: Option<&Final>) -> Result<()> {
        let mut op = op.clone();
        if let Some(why) = self.hopeless(&op) {
            self.lost.insert(op.id);
            self.next.impossible.push(Impossible {
                sobject: op.sobject,
                id: op.id,
                reason: why,
            });
            return Ok(());
        }
        let mut values = op.fields.open()?;
        for reference in &op.references {
            let field = values.get_mut(&reference.field);
            if let (Some(new), Some(value)) = (self.moved.made(reference.to), field) {
                *value = fields::id_value(new)?;
            }
        }
        op.fields = Packed::of(&values)?;
        op.references
            .retain(|reference| self.kept.contains(&reference.to));
        if op.action.brings_back() {
            self.kept.insert(op.id);
        } else if let Some(new) = self.moved.made(op.id) {
            // A late reference of what was made: it is edited under the Id that it has.
            op.id = new;
        }
        let number = self.next.operations.len() as u32 + 1;
        if op.action == Action::Edit {
            self.look(&mut op, number)?;
        }
        self.numbers.insert(op.number, number);
        if op.action == Action::Create && matches!(end, Some(Final::Unknown(_))) {
            self.next.warnings.push(Warning {
                sobject: op.sobject.clone(),
                operations: vec![number],
                what: format!("the reply to the create of {} was lost: it may be there already", op.id),
                remedy: "look in the org; if it is there, delete the operation's line, or apply the first plan again: \
                         it looks before it writes"
                    .to_owned(),
            });
        }
        op.number = number;
        self.next.push(op)
    }

    /// Why no plan can carry it out, if so.
    fn hopeless(&self, op: &Operation) -> Option<String> {
        if let Some(born) = &op.born
            && !self.kept.contains(&born.of)
        {
            let of = self.moved.made(born.of).unwrap_or(born.of);
            return Some(format!(
                "the org made it with {} {of}, and its Id was not read: back up, then `halite restore plan` finds it",
                born.sobject
            ));
        }
        let needed = op.references.iter().find(|r| self.lost.contains(&r.to))?;
        Some(format!(
            "its {}, {}, cannot be planned anew; its own line says why",
            needed.field, needed.to
        ))
    }

    /// Takes what the fields of an edit hold now, where that is known.
    fn look(&mut self, op: &mut Operation, number: u32) -> Result<()> {
        let Some(now) = self.now.filter(|_| !self.kept.contains(&op.id)) else {
            return Ok(());
        };
        let Some(record) = now.get(&op.sobject, op.id)? else {
            self.next.warnings.push(Warning {
                sobject: op.sobject.clone(),
                operations: vec![number],
                what: format!("{} is not there any more", op.id),
                remedy: format!("`halite restore plan` with --id {} brings it back", op.id),
            });
            return Ok(());
        };
        let held = fields::values(&record.json)?;
        op.before.change(|before| {
            for (name, value) in before {
                *value = held.get(name).cloned().unwrap_or_else(fields::null);
            }
        })
    }

    /// Warnings that are about what is left, under the new numbers.
    fn warnings(&mut self) {
        let sobjects: HashSet<&str> = self
            .next
            .operations
            .iter()
            .map(|op| op.sobject.as_str())
            .collect();
        let mut kept = Vec::new();
        for warning in &self.plan.warnings {
            let mut warning = warning.clone();
            let all = warning.operations.is_empty();
            let new = warning.operations.iter().filter_map(|n| self.numbers.get(n));
            warning.operations = new.copied().collect();
            let about = sobjects.contains(warning.sobject.as_str()) || warning.sobject == automation::ALL;
            if !warning.operations.is_empty() || (all && about) {
                kept.push(warning);
            }
        }
        self.next.warnings.splice(0..0, kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two parents and their child, a ring's late reference, and an edit.
    const PLAN: &str = r#"{"header":{"format":"halite restore plan","version":2,"org":"00D000000000001AAA","at":"1","at_time":"t","now":"2","mode":"all","created":"c"}}
{"operation":{"number":1,"level":0,"action":"create","sobject":"Account","id":"001000000000001","fields":{"Name":"A"},"reason":"r"}}
{"operation":{"number":2,"level":0,"action":"create","sobject":"Account","id":"001000000000002","fields":{"Name":"B"},"reason":"r"}}
{"operation":{"number":3,"level":1,"action":"create","sobject":"Contact","id":"003000000000001","fields":{"AccountId":"001000000000001AAA","Note__c":"001000000000001AAA","Other__c":"001000000000002AAA"},"references":[{"field":"AccountId","to":"001000000000001"},{"field":"Other__c","to":"001000000000002"}],"reason":"r"}}
{"operation":{"number":4,"level":2,"action":"edit","sobject":"Account","id":"001000000000001","fields":{"Main__c":"003000000000001AAA"},"references":[{"field":"Main__c","to":"003000000000001"}],"reason":"r"}}
{"operation":{"number":5,"level":2,"action":"edit","sobject":"Account","id":"001000000000009","fields":{"Name":"Z"},"before":{"Name":"Y"},"reason":"r"}}
{"warning":{"sobject":"Contact","operations":[1,3],"what":"w","remedy":"m"}}
{"warning":{"sobject":"Lead","what":"w","remedy":"m"}}
"#;

    fn next(ends: &[(u32, Final)]) -> Result<Plan> {
        let outcomes = Outcomes {
            ends: ends.iter().cloned().collect(),
            ..Outcomes::default()
        };
        let next = again(&Plan::read(PLAN.as_bytes())?, &outcomes, None)?;
        // What is written must be a plan that can be read.
        let mut text = Vec::new();
        next.write(&mut text)?;
        Plan::read(&text[..])
    }

    fn id(text: &str) -> RecordId {
        text.parse().unwrap()
    }

    fn refused() -> Final {
        Final::Refused("X".into(), "no".into())
    }

    #[test]
    fn what_was_made_is_named_by_its_new_id() {
        let new = id("001000000000055");
        let ends = [
            (1, Final::Created(new)),
            (2, Final::Undeleted),
            (3, refused()),
            (4, Final::Skipped("3 did not come".into())),
            (5, Final::Edited),
        ];
        let plan = next(&ends).unwrap();
        let [child, late] = &plan.operations[..] else {
            panic!("{:?}", plan.operations)
        };
        assert_eq!((child.number, child.level, late.number, late.level), (1, 1, 2, 2));
        assert_eq!(
            child.fields.open().unwrap()["AccountId"].get(),
            format!("\"{new}\"")
        );
        assert_eq!(
            child.fields.open().unwrap()["Note__c"].get(),
            "\"001000000000001AAA\"",
            "a text is no reference"
        );
        assert_eq!(child.references, []);
        assert_eq!(late.id, new);
        assert_eq!(late.references[0].to, child.id);
        assert_eq!((plan.maps[0].from, plan.maps[0].to), (id("001000000000001"), new));
        assert_eq!(plan.warnings.len(), 1);
        assert_eq!(plan.warnings[0].operations, [1]);
    }

    #[test]
    fn what_was_not_reached_is_planned_with_its_references() {
        let plan = next(&[(1, refused()), (5, Final::Conflict("changed".into()))]).unwrap();
        assert_eq!(plan.operations.len(), 5);
        assert_eq!(plan.operations[2].references.len(), 2);
        assert_eq!(plan.operations[4].before.open().unwrap()["Name"].get(), "\"Y\"");
        let kept: Vec<_> = plan.warnings.iter().map(|w| w.operations.clone()).collect();
        assert_eq!(kept, [[1, 3]]);
    }

    #[test]
    fn a_lost_create_is_warned_of() {
        let plan = next(&[(1, Final::Unknown("lost".into()))]).unwrap();
        let warning = plan.warnings.iter().find(|w| w.operations == [1]).unwrap();
        assert!(warning.what.contains("may be there already"), "{warning:?}");
    }

    #[test]
    fn nothing_left_is_no_plan() {
        let ends: Vec<_> = (1..=5).map(|n| (n, Final::Unchanged)).collect();
        assert_eq!(next(&ends).unwrap_err().kind(), Kind::NotFound);
    }
}
