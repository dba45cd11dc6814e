//! What of the org's own automation a plan will set off, told before anything is written.
//!
//! Key decision: the org that is written to is asked once, when the plan is there, for the plan's sObjects alone; what it
//! has becomes warnings, one for an sObject, a kind and the plan's actions that set it off, each with where it is switched
//! off. What cannot be seen is a warning too, never silence. It does not know what automation does, foretells no refusal,
//! and switches nothing off: no API call of a restore can.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::error::{Kind, Result};
use crate::ops::org::{Automation, Automations, Fires, Target, Unseen, Write};
use crate::ops::restore::plan::{Action, Plan, Warning};

/// The sObject of a warning about all of a plan's.
pub const ALL: &str = "*";
/// Names in one warning.
const NAMED: usize = 50;

/// Adds to a plan's warnings what its writes will set off in this org.
///
/// # Errors
/// `Interrupted` alone: a plan is good without it, and then says that it is not known.
pub fn tell(plan: &mut Plan, target: &mut dyn Target) -> Result<()> {
    let mut actions: BTreeMap<&str, BTreeSet<Action>> = BTreeMap::new();
    for op in &plan.operations {
        actions.entry(&op.sobject).or_default().insert(op.action);
    }
    let names: Vec<&str> = actions.keys().copied().collect();
    if names.is_empty() {
        return Ok(());
    }
    let found = match target.automation(&names) {
        Ok(found) => found,
        Err(e) if e.kind() == Kind::Interrupted => return Err(e),
        Err(e) => Automations::unknown(e.message()),
    };
    let mut alike: BTreeMap<(&str, Fires, String), Vec<&str>> = BTreeMap::new();
    for one in &found.active {
        let set_off = actions.get(one.sobject.as_str()).and_then(|of| moments(one, of));
        if let Some(moments) = set_off {
            let key = (one.sobject.as_str(), one.fires, moments);
            alike.entry(key).or_default().push(&one.name);
        }
    }
    let mut warnings: Vec<Warning> = alike
        .into_iter()
        .map(|((sobject, fires, moments), names)| fired(sobject, fires, &moments, &names))
        .collect();
    warnings.extend(unseen(found.unseen));
    plan.warnings.extend(warnings);
    Ok(())
}

/// The plan's actions that set it off, in words; none if there are none.
fn moments(one: &Automation, actions: &BTreeSet<Action>) -> Option<String> {
    let on = |write: Write| one.on.contains(&write);
    let set_off = |action: &&Action| match action {
        Action::Create => on(Write::Create),
        Action::Edit => on(Write::Edit),
        Action::Undelete => on(Write::Undelete),
        Action::Delete => on(Write::Delete),
    };
    let mut words: Vec<String> = actions.iter().filter(set_off).map(Action::to_string).collect();
    let saves = on(Write::Create) || on(Write::Edit);
    if actions.contains(&Action::Undelete) && saves && !on(Write::Undelete) {
        words.push("undelete, where a record must be edited or created besides".into());
    }
    let last = words.pop()?;
    Some(match words.as_slice() {
        [] => last,
        before => format!("{} and {last}", before.join(", ")),
    })
}

fn fired(sobject: &str, fires: Fires, moments: &str, names: &[&str]) -> Warning {
    let kind = fires.plural();
    let (kind, verb) = match names {
        [_] => (kind.strip_suffix('s').unwrap_or(kind), "fires"),
        _ => (kind, "fire"),
    };
    let mut list = names[..names.len().min(NAMED)].join(", ");
    if names.len() > NAMED {
        list = format!("{list} and {} more", names.len() - NAMED);
    }
    Warning {
        sobject: sobject.to_owned(),
        operations: Vec::new(),
        what: format!("active {kind} {list}: {verb} on {moments}"),
        remedy: remedy(sobject, fires),
    }
}

/// Where it is switched off.
fn remedy(sobject: &str, fires: Fires) -> String {
    let (what, place) = match fires {
        Fires::Trigger => (
            "what it does is done again",
            format!(
                "Setup, Object Manager, {sobject}, Triggers, Edit, Is Active (in a production org by a deployment)"
            ),
        ),
        Fires::Flow => ("what it does is done again", "Setup, Flows, Deactivate".into()),
        Fires::ValidationRule => (
            "records that were saved before there was the rule may be refused",
            format!("Setup, Object Manager, {sobject}, Validation Rules, Edit, Active"),
        ),
        Fires::WorkflowRule => (
            "e-mails are sent and fields are set again",
            "Setup, Workflow Rules, Deactivate".into(),
        ),
        Fires::DuplicateRule => (
            "those that only alert are passed, those that block refuse",
            "Setup, Duplicate Rules, Deactivate".into(),
        ),
    };
    format!(
        "{what}: if that must not be, use the org's own bypass switch where it has one, or switch it off for the restore ({place}) and on again afterwards"
    )
}

/// What is not known; kinds with one reason together.
fn unseen(all: Vec<Unseen>) -> Vec<Warning> {
    let mut alike: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in all {
        alike.entry(one.why).or_default().push(one.what);
    }
    let remedy = "have an administrator look in Setup, Object Manager and Flows; or, where the user lacks it, grant \"View \
                  Setup and Configuration\" (Setup, Permission Sets, a set of the user's, System Permissions) and plan anew";
    let told = |(why, what): (String, Vec<String>)| Warning {
        sobject: ALL.to_owned(),
        operations: Vec::new(),
        what: format!(
            "what fires on the plan's writes is not known: {} ({why})",
            what.join(", ")
        ),
        remedy: remedy.to_owned(),
    };
    alike.into_iter().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(writes: &[Write], actions: &[Action]) -> Option<String> {
        let one = Automation {
            sobject: "Account".into(),
            fires: Fires::Trigger,
            name: "Guard".into(),
            on: writes.to_vec(),
        };
        moments(&one, &actions.iter().copied().collect())
    }

    #[test]
    fn only_the_actions_of_the_plan_count() {
        use Action::{Create, Delete, Edit, Undelete};
        let saves = [Write::Create, Write::Edit];
        assert_eq!(on(&saves, &[Delete]), None);
        assert_eq!(on(&saves, &[Edit, Delete]).as_deref(), Some("edit"));
        assert_eq!(on(&[Write::Delete], &[Create, Delete]).as_deref(), Some("delete"));
        assert_eq!(on(&saves, &[Create, Edit]).as_deref(), Some("create and edit"));
        let back = [Write::Create, Write::Edit, Write::Undelete];
        let all = on(&back, &[Undelete, Create, Edit]);
        assert_eq!(all.as_deref(), Some("undelete, create and edit"));
        let besides = "undelete, where a record must be edited or created besides";
        assert_eq!(on(&saves, &[Undelete]).as_deref(), Some(besides));
        assert_eq!(on(&[Write::Delete], &[Undelete]), None);
    }

    #[test]
    fn many_names_are_cut_and_counted() {
        let names: Vec<String> = (0..53).map(|n| format!("R{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let warning = fired("Lead", Fires::ValidationRule, "edit", &names);
        assert!(
            warning.what.starts_with("active validation rules R0, R1, "),
            "{warning:?}"
        );
        assert!(
            warning.what.ends_with(" R49 and 3 more: fire on edit"),
            "{warning:?}"
        );
    }

    #[test]
    fn kinds_that_are_unseen_for_one_reason_are_one_warning() {
        let one = |what: &str, why: &str| Unseen {
            what: what.into(),
            why: why.into(),
        };
        let told = unseen(vec![
            one("flows", "hidden"),
            one("x", "too many"),
            one("y", "hidden"),
        ]);
        let what: Vec<&str> = told.iter().map(|w| w.what.as_str()).collect();
        let not = "what fires on the plan's writes is not known:";
        assert_eq!(
            what,
            [format!("{not} flows, y (hidden)"), format!("{not} x (too many)")]
        );
    }
}
