//! From the difference between two states to a plan.
//!
//! Key decision: the order comes from the data, from which record points at which, and not from the schema; only
//! what is brought back is ordered, edits follow. It asks no org and writes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::format::describe::{Describe, Field};
use crate::format::page::VersionKind;
use crate::ops::restore::draft::{Draft, NO_FILE, is_other_file, lacking};
use crate::ops::restore::fields::{self, Values};
use crate::ops::restore::graph::{Edge, Order, order};
use crate::ops::restore::packed::Packed;
use crate::ops::restore::plan::{Action, Born, FileBody, Header, Impossible, Mode, Newer, Plan, Reference};
use crate::ops::restore::rights;
use crate::ops::restore::special::{
    self, ACCOUNT, CONTACT, DOCUMENT, NEVER_MADE, PERSON_CONTACT, Prices, Versions,
};
use crate::ops::restore::view::{Change, View};

/// Plans to bring back what `changes` names, from the state `then`, into an org whose state is `now`.
///
/// # Errors
/// `Denied` if the user lacks a right that the mode needs; what the states and `changes` give.
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
        drafts: Vec::new(),
        gone: HashMap::new(),
        versions: Versions::default(),
        prices: Prices::default(),
        lacks: BTreeSet::new(),
        plan,
    };
    for change in changes {
        planner.change(change?)?;
    }
    planner.finish()
}

struct Planner<'a> {
    then: &'a dyn View,
    now: &'a dyn View,
    sobjects: HashSet<String>,
    drafts: Vec<Draft>,
    /// Whether a record that is pointed at, and that the plan does not bring back, is gone.
    gone: HashMap<RecordId, bool>,
    versions: Versions,
    prices: Prices,
    /// Rights that who took the snapshot had, and that the user of now needs and has not.
    lacks: BTreeSet<String>,
    plan: Plan,
}

impl Planner<'_> {
    /// Then and now.
    fn describes(&self, sobject: &str) -> Result<(Arc<Describe>, Arc<Describe>)> {
        Ok((self.then.describe(sobject)?, self.now.describe(sobject)?))
    }

    fn impossible(&mut self, sobject: String, id: RecordId, reason: impl Into<String>) {
        self.plan.impossible.push(Impossible {
            sobject,
            id,
            reason: reason.into(),
        });
    }

    /// Notes a right that the user lacks, if the snapshot shows that users can have it.
    fn lacks(&mut self, right: &str, sobject: &str, then: bool) {
        if then && self.plan.header.to.is_none() {
            self.lacks.insert(rights::object(right, sobject));
        }
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
        if special::has_file(&describe_now) && is_other_file(id, &then, &now)? {
            let why = "its file is another one now, and a file is not set back in place: `halite export --files` has the \
                       old one; the rest is set";
            self.impossible(sobject.clone(), id, why);
        }
        let (then, now) = (fields::values(&then)?, fields::values(&now)?);
        let (fields, before) = fields::to_edit(&describe_then, &describe_now, &then, &now);
        if let Some(name) = fields::frozen(&describe_then, &describe_now, &then, &now) {
            let why = format!(
                "its {name} differs and can be set only when a record is created: the rest is set; delete it and plan \
                 anew, if it must be as it was"
            );
            self.impossible(sobject.clone(), id, why);
        }
        if fields.is_empty() {
            return Ok(());
        }
        if !describe_now.updateable {
            self.lacks("Edit", &sobject, describe_then.updateable);
            let reason = format!("{sobject} cannot be edited by this user: grant edit on {sobject}");
            self.impossible(sobject, id, reason);
            return Ok(());
        }
        self.add(Draft {
            fields: Packed::of(&fields)?,
            before: Packed::of(&before)?,
            ..Draft::new(Action::Edit, sobject, id, "other values now")
        })
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
        if special::is_derived(&sobject, &then) {
            return Ok(());
        }
        let gone = self.now.gone(&sobject, id)?;
        let in_bin = matches!(gone, Some(VersionKind::Deleted | VersionKind::Merged));
        // An undelete needs the right to delete (SOAP API guide, "undelete()").
        let may_undelete = describe.undeletable && describe.deletable;
        let (action, reason) = match (in_bin, may_undelete) {
            (true, true) => (Action::Undelete, "in the recycle bin"),
            (true, false) if describe.undeletable => (
                Action::Create,
                "in the recycle bin, but this user may not undelete (no right to delete)",
            ),
            (true, false) => (Action::Create, "in the recycle bin, but cannot be undeleted"),
            (false, _) if self.plan.header.to.is_some() => (Action::Create, "to be made in the other org"),
            (false, _) => (Action::Create, "gone for good"),
        };
        let mut draft = Draft::new(action, sobject, id, reason);
        draft.gone = action == Action::Create && gone == Some(VersionKind::Purged);
        let values = if action == Action::Undelete || draft.sobject == DOCUMENT {
            fields::to_compare(&describe_then, &describe, &then)
        } else if in_bin {
            fields::to_create_or_compare(&describe_then, &describe, &then)
        } else {
            fields::to_create(&describe, &then)
        };
        draft.fields = Packed::of(&values)?;
        self.file(&mut draft, &describe, &then)?;
        if let Some(why) = lacking(&draft, &values, &describe) {
            if !describe.createable {
                self.lacks("Create", &draft.sobject, describe_then.createable);
            }
            self.impossible(draft.sobject, id, why);
            return Ok(());
        }
        self.note(&draft, &then)?;
        self.add(draft)
    }

    fn add(&mut self, mut draft: Draft) -> Result<()> {
        let texts = &self.plan.texts;
        texts.take_in([&mut draft.fields, &mut draft.before])?;
        self.drafts.push(draft);
        Ok(())
    }

    /// The file of a record that is brought back.
    fn file(&self, draft: &mut Draft, describe: &Describe, then: &Values) -> Result<()> {
        let elsewhere = special::text(then, "ContentLocation").is_some_and(|place| place != "S");
        if !special::has_file(describe) || elsewhere {
            return Ok(());
        }
        let body = self.then.body(&draft.sobject, draft.id)?;
        draft.body = body.map(|(field, bytes)| FileBody { field, bytes });
        if draft.body.is_none() && draft.action == Action::Create {
            draft.reason.push_str(NO_FILE);
        }
        Ok(())
    }

    /// Remembers what the org wants in an order of its own, and what it makes by itself.
    fn note(&mut self, draft: &Draft, then: &Values) -> Result<()> {
        let at = self.drafts.len();
        match draft.sobject.as_str() {
            special::VERSION if draft.action == Action::Create => self.versions.note(draft.id, then, at),
            "PricebookEntry" if draft.action == Action::Create => {
                let book = then.get("Pricebook2Id").and_then(|value| fields::id_of(value));
                let book = match book {
                    Some(book) => self.then.get("Pricebook2", book)?,
                    None => None,
                };
                let is_standard = match book {
                    Some(book) => special::is_standard_book(&fields::values(&book)?),
                    None => false,
                };
                self.prices.note(then, is_standard, at);
            }
            _ => {}
        }
        Ok(())
    }

    /// Documents that are gone are born of their first versions; the hidden contacts of persons of their accounts.
    fn born(&mut self) -> Result<()> {
        for at in 0..self.drafts.len() {
            let draft = &self.drafts[at];
            if draft.sobject != DOCUMENT || draft.action != Action::Create {
                continue;
            }
            let versions = self.versions.of(draft.id);
            let Some((&first, later)) = versions.split_first() else {
                let (sobject, id) = (draft.sobject.clone(), draft.id);
                self.drafts[at].dead = true;
                self.impossible(
                    sobject,
                    id,
                    "no version of it can be brought back, and the org makes it with one",
                );
                continue;
            };
            for &version in later {
                let fields = &mut self.drafts[version].fields;
                fields.change(|set| set.remove(special::FIRST_PLACE))?;
            }
            let fields = &mut self.drafts[first].fields;
            fields.change(|set| set.remove(special::DOCUMENT_ID))?;
            self.drafts[at].born = Some(Born {
                sobject: special::VERSION.into(),
                of: self.drafts[first].id,
                field: special::DOCUMENT_ID.into(),
            });
        }
        let is_made = |draft: &Draft, name: &str| draft.sobject == name && draft.action == Action::Create;
        let mut persons = HashSet::new();
        for draft in self.drafts.iter().filter(|draft| is_made(draft, ACCOUNT)) {
            if draft.fields.open()?.contains_key("LastName") {
                persons.insert(draft.id);
            }
        }
        for draft in self.drafts.iter_mut().filter(|draft| is_made(draft, CONTACT)) {
            let values = draft.fields.open()?;
            let account = values.get("AccountId").and_then(|value| fields::id_of(value));
            let Some(account) = account.filter(|id| persons.contains(id)) else {
                continue;
            };
            // Its values are those of the account.
            draft.fields = Packed::default();
            draft.born = Some(Born {
                sobject: ACCOUNT.into(),
                of: account,
                field: PERSON_CONTACT.into(),
            });
        }
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
    fn references(&self, draft: &Draft) -> Result<Vec<(Field, RecordId)>> {
        let describe = self.now.describe(&draft.sobject)?;
        let values = draft.fields.open()?;
        let found = values
            .iter()
            .filter_map(|(name, value)| Some((describe.field(name)?, fields::id_of(value)?)));
        Ok(found
            .filter(|(field, _)| field.is_reference())
            .map(|(field, to)| (field.clone(), to))
            .collect())
    }

    /// Leaves out references to records that are gone and stay gone; a create that needs one is impossible, and so
    /// on down to its children.
    fn drop_dead_ends(&mut self) -> Result<()> {
        let elsewhere = self.plan.header.to.is_some();
        let fate = if elsewhere {
            "for which nothing stands in the other org"
        } else {
            "which stays gone"
        };
        let mut lost: HashSet<RecordId> = HashSet::new();
        loop {
            let brought = self.brought();
            let mut next = HashSet::new();
            for at in 0..self.drafts.len() {
                if self.drafts[at].dead {
                    continue;
                }
                for (field, to) in self.references(&self.drafts[at])? {
                    if brought.contains_key(&to) || !(lost.contains(&to) || self.is_gone(&field, to)?) {
                        continue;
                    }
                    let draft = &mut self.drafts[at];
                    let needed = if elsewhere {
                        field.required()
                    } else {
                        !field.nillable
                    };
                    if draft.action == Action::Create && needed {
                        draft.dead = true;
                        next.insert(draft.id);
                        let (sobject, id) = (draft.sobject.clone(), draft.id);
                        self.impossible(sobject, id, format!("its {} is {to}, {fate}", field.name));
                        break;
                    }
                    draft.fields.change(|set| set.remove(&field.name))?;
                    draft.before.change(|held| held.remove(&field.name))?;
                    draft
                        .reason
                        .push_str(&format!("; {} is left out: {to}, {fate}", field.name));
                    draft.dead = draft.action == Action::Edit && draft.fields.is_empty();
                }
            }
            if next.is_empty() {
                return Ok(());
            }
            lost.extend(next);
        }
    }

    fn is_gone(&mut self, field: &Field, to: RecordId) -> Result<bool> {
        if let Some(gone) = self.gone.get(&to) {
            return Ok(*gone);
        }
        let gone = self.looks_gone(field, to)?;
        self.gone.insert(to, gone);
        Ok(gone)
    }

    fn looks_gone(&self, field: &Field, to: RecordId) -> Result<bool> {
        if self.plan.header.to.is_some() {
            return Ok(self.now.gone("", to)?.is_some());
        }
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
                for (field, to) in self.references(draft)? {
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
                let born = draft.born.as_ref().and_then(|born| brought.get(&born.of));
                if let Some(&parent) = born {
                    edges.push(Edge {
                        child,
                        parent,
                        breakable: false,
                    });
                    names.push((child, String::new()));
                }
            }
            let alive = |at: usize| !self.drafts[at].dead;
            for (child, parent) in self.prices.needs().filter(|(a, b)| alive(*a) && alive(*b)) {
                edges.push(Edge {
                    child,
                    parent,
                    breakable: false,
                });
                names.push((child, String::new()));
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
    fn late(&mut self, deferred: Vec<(usize, String)>) -> Result<Vec<Draft>> {
        let mut late: BTreeMap<usize, Values> = BTreeMap::new();
        for (at, name) in deferred {
            if let Some(value) = self.drafts[at].fields.change(|set| set.remove(&name))? {
                late.entry(at).or_default().insert(name, value);
            }
        }
        let mut last = Vec::new();
        for (at, fields) in late {
            let (sobject, id) = (self.drafts[at].sobject.clone(), self.drafts[at].id);
            let (then, now) = self.describes(&sobject)?;
            let (might, may) = (then.updateable, now.updateable);
            if !may {
                self.lacks("Edit", &sobject, might && self.plan.header.mode == Mode::All);
                for name in fields.keys() {
                    let why = format!(
                        "its {name} stays open: it can be set only once what it points at is there, and this user may not \
                         edit {sobject}: grant edit on it"
                    );
                    self.impossible(sobject.clone(), id, why);
                }
                continue;
            }
            last.push(Draft {
                fields: Packed::of(&fields)?,
                ..Draft::new(Action::Edit, sobject, id, "late reference")
            });
        }
        Ok(last)
    }

    fn finish(mut self) -> Result<Plan> {
        self.born()?;
        let (order, deferred) = self.order()?;
        let brought = self.brought();
        let edits = order.levels.iter().max().map_or(0, |top| top + 1);
        let last = self.late(deferred)?;
        rights::none_of(std::mem::take(&mut self.lacks))?;
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
                .references(&draft)?
                .into_iter()
                .filter(|(_, to)| brought.contains_key(to));
            let own = |to: RecordId| to == draft.id && draft.action == Action::Undelete;
            let references = named
                .filter(|(_, to)| !own(*to))
                .map(|(f, to)| Reference { field: f.name, to })
                .collect();
            self.plan.push(draft.placed(number, level, references)?)?;
        }
        Ok(self.plan)
    }
}
