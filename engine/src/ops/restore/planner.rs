//! From the difference between two states to a plan.
//!
//! Key decision: the order comes from the data, from which record points at which, and not from the schema; only
//! what is brought back is ordered, edits follow. It asks no org and writes nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::format::describe::{Describe, Field};
use crate::format::page::VersionKind;
use crate::ops::restore::fields::{self, Values};
use crate::ops::restore::graph::{Edge, Order, order};
use crate::ops::restore::plan::{Action, Header, Impossible, Mode, Newer, Operation, Plan, Reference};
use crate::ops::restore::view::{Change, View};

/// Rows that a restore never makes: references to them are kept as they are.
const NEVER_MADE: [&str; 6] = [
    "User",
    "Profile",
    "RecordType",
    "Organization",
    "Group",
    "UserRole",
];

/// Plans to bring back what `changes` names, from the state `then`, into an org whose state is `now`.
///
/// # Errors
/// What the states and `changes` give.
pub fn plan(
    header: Header,
    then: &dyn View,
    now: &dyn View,
    changes: impl IntoIterator<Item = Result<Change>>,
) -> Result<Plan> {
    let plan = Plan::new(header);
    let sobjects = now.sobjects().into_iter().collect();
    let mut planner = Planner {
        then,
        now,
        sobjects,
        describes: HashMap::new(),
        drafts: Vec::new(),
        plan,
    };
    for change in changes {
        planner.change(change?)?;
    }
    planner.finish()
}

/// An operation that has no place yet.
struct Draft {
    sobject: String,
    id: RecordId,
    action: Action,
    fields: Values,
    before: Values,
    reason: String,
    dead: bool,
}

struct Planner<'a> {
    then: &'a dyn View,
    now: &'a dyn View,
    sobjects: HashSet<String>,
    /// Then and now.
    describes: HashMap<String, (Arc<Describe>, Arc<Describe>)>,
    drafts: Vec<Draft>,
    plan: Plan,
}

impl Planner<'_> {
    fn describes(&mut self, sobject: &str) -> Result<(Arc<Describe>, Arc<Describe>)> {
        if let Some(found) = self.describes.get(sobject) {
            return Ok(found.clone());
        }
        let pair = (self.then.describe(sobject)?, self.now.describe(sobject)?);
        self.describes.insert(sobject.to_owned(), pair.clone());
        Ok(pair)
    }

    fn impossible(&mut self, sobject: String, id: RecordId, reason: impl Into<String>) {
        self.plan.impossible.push(Impossible {
            sobject,
            id,
            reason: reason.into(),
        });
    }

    fn change(&mut self, change: Change) -> Result<()> {
        let Change {
            sobject,
            id,
            in_then,
            in_now,
        } = change;
        let mode = self.plan.header.mode;
        match (in_then, in_now) {
            (false, true) => self.plan.newer.push(Newer { sobject, id }),
            (true, true) if mode != Mode::Deleted => return self.edit(sobject, id),
            (true, false) if mode != Mode::Existing => return self.bring_back(sobject, id),
            _ => {}
        }
        Ok(())
    }

    fn edit(&mut self, sobject: String, id: RecordId) -> Result<()> {
        let (Some(then), Some(now)) = (self.then.get(&sobject, id)?, self.now.get(&sobject, id)?) else {
            return Ok(());
        };
        let (describe_then, describe_now) = self.describes(&sobject)?;
        let (fields, before) = fields::to_edit(
            &describe_then,
            &describe_now,
            &fields::values(&then)?,
            &fields::values(&now)?,
        );
        if fields.is_empty() {
            return Ok(());
        }
        if !describe_now.updateable {
            let reason = format!("{sobject} cannot be edited by this user: grant edit on {sobject}");
            self.impossible(sobject, id, reason);
            return Ok(());
        }
        let reason = "other values now".to_owned();
        self.drafts.push(Draft {
            sobject,
            id,
            action: Action::Edit,
            fields,
            before,
            reason,
            dead: false,
        });
        Ok(())
    }

    fn bring_back(&mut self, sobject: String, id: RecordId) -> Result<()> {
        let Some(then) = self.then.get(&sobject, id)? else {
            return Ok(());
        };
        if NEVER_MADE.contains(&sobject.as_str()) {
            let reason =
                format!("rows of {sobject} are never made by a restore: an administrator makes them");
            self.impossible(sobject, id, reason);
            return Ok(());
        }
        if !self.sobjects.contains(&sobject) {
            let reason =
                format!("the org shows no {sobject} now: bring the object back, or grant read on it");
            self.impossible(sobject, id, reason);
            return Ok(());
        }
        let (describe_then, describe) = self.describes(&sobject)?;
        let then = fields::values(&then)?;
        let gone = self.now.gone(&sobject, id)?;
        let in_bin = matches!(gone, Some(VersionKind::Deleted | VersionKind::Merged));
        let (action, fields, reason) = if in_bin && describe.undeletable {
            (
                Action::Undelete,
                fields::to_compare(&describe_then, &describe, &then),
                "in the recycle bin",
            )
        } else if in_bin {
            (
                Action::Create,
                fields::to_create(&describe, &then),
                "in the recycle bin, but cannot be undeleted",
            )
        } else {
            (
                Action::Create,
                fields::to_create(&describe, &then),
                "gone for good",
            )
        };
        let reason = reason.to_owned();
        if action == Action::Create {
            if !describe.createable {
                let why = format!(
                    "{reason}, and {sobject} cannot be created by this user: grant create on {sobject}"
                );
                self.impossible(sobject, id, why);
                return Ok(());
            }
            if let Some(field) = fields::missing(&describe, &fields) {
                let why =
                    format!("{reason}, and its required field {field} has no known value: create it by hand");
                self.impossible(sobject, id, why);
                return Ok(());
            }
        }
        self.drafts.push(Draft {
            sobject,
            id,
            action,
            fields,
            before: Values::new(),
            reason,
            dead: false,
        });
        Ok(())
    }

    /// The drafts that bring a record back, by its Id.
    fn brought(&self) -> HashMap<RecordId, usize> {
        let back = self
            .drafts
            .iter()
            .enumerate()
            .filter(|(_, d)| d.action != Action::Edit && !d.dead);
        back.map(|(i, d)| (d.id, i)).collect()
    }

    /// The reference fields of a draft, with the records that they name.
    fn references(&self, draft: &Draft) -> Vec<(Field, RecordId)> {
        let Some((_, describe)) = self.describes.get(&draft.sobject) else {
            return Vec::new();
        };
        let found = draft
            .fields
            .iter()
            .filter_map(|(name, value)| Some((describe.field(name)?, fields::id_of(value)?)));
        found
            .filter(|(field, _)| field.is_reference())
            .map(|(field, to)| (field.clone(), to))
            .collect()
    }

    /// Leaves out references to records that are gone and stay gone; a create that needs one is impossible, and so
    /// on down to its children.
    fn drop_dead_ends(&mut self) -> Result<()> {
        let mut lost: HashSet<RecordId> = HashSet::new();
        loop {
            let brought = self.brought();
            let mut next = HashSet::new();
            for at in 0..self.drafts.len() {
                if self.drafts[at].dead {
                    continue;
                }
                for (field, to) in self.references(&self.drafts[at]) {
                    if brought.contains_key(&to) || !(lost.contains(&to) || self.is_gone(&field, to)?) {
                        continue;
                    }
                    let draft = &mut self.drafts[at];
                    if draft.action == Action::Create && !field.nillable {
                        draft.dead = true;
                        next.insert(draft.id);
                        let (sobject, id) = (draft.sobject.clone(), draft.id);
                        self.impossible(
                            sobject,
                            id,
                            format!("its {} is {to}, which stays gone", field.name),
                        );
                        break;
                    }
                    draft.fields.remove(&field.name);
                    draft.before.remove(&field.name);
                    draft
                        .reason
                        .push_str(&format!("; {} is left out: {to} stays gone", field.name));
                    draft.dead = draft.action == Action::Edit && draft.fields.is_empty();
                }
            }
            if next.is_empty() {
                return Ok(());
            }
            lost.extend(next);
        }
    }

    fn is_gone(&self, field: &Field, to: RecordId) -> Result<bool> {
        let owned = field
            .reference_to
            .iter()
            .filter(|name| !NEVER_MADE.contains(&name.as_str()));
        for sobject in owned.filter(|name| self.sobjects.contains(*name)) {
            if self.now.gone(sobject, to)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Finds the order; records in rings of required references become impossible, and what needs them.
    fn order(&mut self) -> Result<(Order, Vec<(usize, String)>)> {
        loop {
            self.drop_dead_ends()?;
            let brought = self.brought();
            let (mut edges, mut names) = (Vec::new(), Vec::new());
            for (child, draft) in self
                .drafts
                .iter()
                .enumerate()
                .filter(|(_, d)| !d.dead && d.action != Action::Edit)
            {
                for (field, to) in self.references(draft) {
                    let Some(&parent) = brought.get(&to) else { continue };
                    if parent == child && draft.action == Action::Undelete {
                        continue;
                    }
                    edges.push(Edge {
                        child,
                        parent,
                        breakable: field.nillable && fields::editable(&field),
                    });
                    names.push((child, field.name));
                }
            }
            let found = order(self.drafts.len(), &edges);
            if found.stuck.is_empty() {
                let late = found.deferred.iter().map(|&edge| names[edge].clone()).collect();
                return Ok((found, late));
            }
            for at in found.stuck {
                self.drafts[at].dead = true;
                let (sobject, id) = (self.drafts[at].sobject.clone(), self.drafts[at].id);
                let why = "stands in a ring of references that cannot be left empty: make one of their fields optional";
                self.impossible(sobject, id, why);
            }
        }
    }

    /// Takes the deferred fields out of their drafts, and gives the edits that set them at the end.
    fn late(&mut self, deferred: Vec<(usize, String)>) -> Vec<Draft> {
        let mut late: BTreeMap<usize, Values> = BTreeMap::new();
        for (at, name) in deferred {
            if let Some(value) = self.drafts[at].fields.remove(&name) {
                late.entry(at).or_default().insert(name, value);
            }
        }
        let mut last = Vec::new();
        for (at, fields) in late {
            let Draft { sobject, id, .. } = &self.drafts[at];
            let (sobject, id, reason) = (sobject.clone(), *id, "late reference".to_owned());
            last.push(Draft {
                sobject,
                id,
                action: Action::Edit,
                fields,
                before: Values::new(),
                reason,
                dead: false,
            });
        }
        last
    }

    fn finish(mut self) -> Result<Plan> {
        let (order, deferred) = self.order()?;
        let brought = self.brought();
        let edits = order.levels.iter().max().map_or(0, |top| top + 1);
        let last = self.late(deferred);
        let drafts = std::mem::take(&mut self.drafts);
        let levels = order
            .levels
            .into_iter()
            .chain(std::iter::repeat_n(edits + 1, last.len()));
        let mut placed: Vec<(u32, Draft)> = levels
            .zip(drafts.into_iter().chain(last))
            .filter(|(_, d)| !d.dead)
            .collect();
        for (level, draft) in &mut placed {
            if draft.action == Action::Edit {
                *level = (*level).max(edits);
            }
        }
        placed
            .sort_by(|(a, x), (b, y)| (a, x.action, &x.sobject, x.id).cmp(&(b, y.action, &y.sobject, y.id)));
        for (number, (level, draft)) in (1..).zip(placed) {
            let named = self
                .references(&draft)
                .into_iter()
                .filter(|(_, to)| brought.contains_key(to));
            let own = |to: RecordId| to == draft.id && draft.action == Action::Undelete;
            let references = named
                .filter(|(_, to)| !own(*to))
                .map(|(f, to)| Reference { field: f.name, to })
                .collect();
            let Draft {
                sobject,
                id,
                action,
                fields,
                before,
                reason,
                ..
            } = draft;
            let compare = action == Action::Undelete;
            let operation = Operation {
                number,
                level,
                action,
                sobject,
                id,
                compare,
                fields,
                before,
                references,
                gone: false,
                find: Vec::new(),
                born: None,
                body: None,
                reason,
            };
            self.plan.operations.push(operation);
        }
        Ok(self.plan)
    }
}
