//! Rules, automation and locks of an org, set up from Rust.
//!
//! Key decision: formulas are texts in the org's own language, so that what a test scripts is what an
//! administrator would write.
//! Not here: what they do (`write`).

use super::Org;
use super::behaviour::WorkflowRule;
use crate::id::normalise;
use crate::write::automation::{self, Deed, Event};
use crate::write::duplicates::DuplicateRule;
use crate::write::rules;

impl Org {
    /// Adds a validation rule: rows of the object for which the formula is true are refused with the
    /// message, at the field or at the top of the page.
    ///
    /// # Errors
    /// What of the formula is not understood; the rule is then listed by [`Org::idle_rules`].
    pub fn add_rule(
        &self,
        object: &str,
        formula: &str,
        message: &str,
        field: Option<&str>,
    ) -> Result<(), String> {
        let mut state = self.lock();
        let name = format!("{object}.Rule_{}", state.behaviour.rules.len() + 1);
        rules::add(&mut state, &name, object, formula, (message, field))
    }

    /// Validation rules that are not enforced, because their formulas go beyond what is known: a line each.
    pub fn idle_rules(&self) -> Vec<String> {
        self.lock().behaviour.idle.clone()
    }

    /// Adds a duplicate rule: rows of the object that agree with another in all these fields are refused with
    /// `DUPLICATES_DETECTED`. One that blocks is never passed, one that alerts by a call that says `allowSave`.
    pub fn add_duplicate_rule(&self, name: &str, object: &str, fields: &[&str], block: bool) {
        let rule = DuplicateRule {
            name: name.to_owned(),
            object: object.to_owned(),
            fields: fields.iter().map(|f| (*f).to_owned()).collect(),
            block,
            off: false,
        };
        self.lock().behaviour.duplicates.push(rule);
    }

    /// Adds a workflow rule, whose actions are e-mails and the like: it stands in the setup and does nothing here.
    /// `trigger` is one of `onAllChanges`, `onCreateOnly`, `onCreateOrTriggeringUpdate`.
    pub fn add_workflow_rule(&self, name: &str, object: &str, trigger: &str) {
        let rule = WorkflowRule {
            name: name.to_owned(),
            object: object.to_owned(),
            trigger: trigger.to_owned(),
            off: false,
        };
        self.lock().behaviour.workflow.push(rule);
    }

    /// Switches whatever has this name off or on: rules (by `Account.Rule_1`, or what stands behind the dot), triggers,
    /// flows. What is off stays in the setup and does nothing. Gives how many there were.
    pub fn activate(&self, name: &str, on: bool) -> usize {
        let behaviour = &mut self.lock().behaviour;
        let is_rule =
            |full: &str| full == name || full.split_once('.').is_some_and(|(_, short)| short == name);
        let rules = behaviour.rules.iter_mut().filter(|r| is_rule(&r.name));
        let automation = behaviour.automation.iter_mut().filter(|a| a.name == name);
        let duplicates = behaviour.duplicates.iter_mut().filter(|r| r.name == name);
        let workflow = behaviour.workflow.iter_mut().filter(|r| r.name == name);
        let all = rules
            .map(|r| &mut r.off)
            .chain(automation.map(|a| &mut a.off))
            .chain(duplicates.map(|r| &mut r.off))
            .chain(workflow.map(|r| &mut r.off));
        all.map(|off| *off = !on).count()
    }

    /// Adds a trigger: the deed is done when a row of the object is saved and the condition, if any, holds.
    ///
    /// # Errors
    /// What of the formulas is not understood.
    pub fn on_save(&self, object: &str, name: &str, when: Option<&str>, deed: Deed) -> Result<(), String> {
        self.on(object, Event::Save, (name, false), when, deed)
    }

    /// As [`Org::on_save`], a flow instead of a trigger: the two differ in how they break down.
    ///
    /// # Errors
    /// What of the formulas is not understood.
    pub fn flow_on_save(
        &self,
        object: &str,
        name: &str,
        when: Option<&str>,
        deed: Deed,
    ) -> Result<(), String> {
        self.on(object, Event::Save, (name, true), when, deed)
    }

    /// Adds a trigger on deletes: it may refuse, break down, or write other rows. Rows that fall by cascade
    /// set nothing off.
    ///
    /// # Errors
    /// What of the formulas is not understood; a deed that changes the row itself.
    pub fn on_delete(&self, object: &str, name: &str, when: Option<&str>, deed: Deed) -> Result<(), String> {
        self.on(object, Event::Delete, (name, false), when, deed)
    }

    /// Adds a trigger on undeletes, as [`Org::on_delete`].
    ///
    /// # Errors
    /// As there.
    pub fn on_undelete(
        &self,
        object: &str,
        name: &str,
        when: Option<&str>,
        deed: Deed,
    ) -> Result<(), String> {
        self.on(object, Event::Undelete, (name, false), when, deed)
    }

    /// Adds a trigger, or (`flow`) a flow, on any event.
    pub(crate) fn on(
        &self,
        object: &str,
        event: Event,
        (name, flow): (&str, bool),
        when: Option<&str>,
        deed: Deed,
    ) -> Result<(), String> {
        automation::add(&mut self.lock(), (object, event), (name, flow), when, deed)
    }

    /// Locks a row, as a long transaction of somebody else does: writes that need it are refused with
    /// `UNABLE_TO_LOCK_ROW`.
    pub fn lock_row(&self, id: &str) {
        if let Some(id) = normalise(id) {
            self.lock().behaviour.locks.hold(&id);
        }
    }

    /// Unlocks a row.
    pub fn unlock_row(&self, id: &str) {
        if let Some(id) = normalise(id) {
            self.lock().behaviour.locks.free(&id);
        }
    }

    /// Rows that are locked now, by [`Org::lock_row`] or by requests under way.
    pub fn locked_rows(&self) -> Vec<String> {
        self.lock().behaviour.locks.held()
    }
}
