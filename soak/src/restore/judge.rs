//! What an org must be after a restore: as it was, but for what an outcome names or what somebody else did.
//!
//! Key decision: whatever differs needs one of the excuses that are written down here, each bound to what was really
//! done to this very org; all else is wrong. It does not ask the engine but for the plan and what became of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use halite_engine::ops::restore::apply::Applied;
use halite_engine::ops::restore::journal::Final;
use halite_engine::ops::restore::plan::{Action, Operation, Plan};
use halite_simulator::{Bin, Record};
use serde_json::{Value, json};

use super::carry::id_now;
use super::truth::{Field, Fields, Tables, same, value};
use super::weather::{Weather, auto};
use super::world::{MARKER, OBJECTS};

/// All that is known of a restore.
pub struct Case<'c> {
    /// The org at the time that is brought back, when the plan was made, and at the end.
    pub then: &'c Tables,
    pub before: &'c Tables,
    pub after: &'c Tables,
    pub plan: &'c Plan,
    pub applied: &'c Applied,
    pub fields: &'c Fields,
    pub weather: &'c Weather,
    pub marked: bool,
    pub api_user: String,
}

/// The same, arranged.
struct Judge<'c> {
    case: &'c Case<'c>,
    /// Operations on a record, by its old Id.
    on: BTreeMap<String, Vec<&'c Operation>>,
    impossible: BTreeSet<String>,
    newer: BTreeSet<String>,
    wrong: RefCell<Vec<String>>,
}

impl Case<'_> {
    /// Everything that is wrong.
    pub fn judge(&self) -> Vec<String> {
        let mut on: BTreeMap<String, Vec<&Operation>> = BTreeMap::new();
        for op in &self.plan.operations {
            on.entry(op.id.to_string()).or_default().push(op);
        }
        let judge = Judge {
            case: self,
            on,
            impossible: self.plan.impossible.iter().map(|r| r.id.to_string()).collect(),
            newer: self.plan.newer.iter().map(|r| r.id.to_string()).collect(),
            wrong: RefCell::default(),
        };
        judge.outcomes();
        for object in OBJECTS {
            judge.as_then(object);
            judge.newer(object);
            judge.nothing_else(object);
        }
        judge.wrong.into_inner()
    }
}

impl Judge<'_> {
    fn say(&self, what: String) {
        self.wrong.borrow_mut().push(what);
    }

    fn end(&self, op: &Operation) -> &Final {
        const NONE: &Final = &Final::Unchanged;
        self.case.applied.outcomes.ends.get(&op.number).unwrap_or(NONE)
    }

    fn ops(&self, id: &str) -> &[&Operation] {
        self.on.get(id).map_or(&[], Vec::as_slice)
    }

    /// Each operation ends, and one that was not done ends so for a reason that was really there.
    fn outcomes(&self) {
        let case = self.case;
        if self.case.applied.outcomes.ends.len() != case.plan.operations.len() {
            self.say(format!(
                "{} outcomes of {} operations",
                self.case.applied.outcomes.ends.len(),
                case.plan.operations.len()
            ));
        }
        for record in case
            .plan
            .impossible
            .iter()
            .filter(|r| !self.is_frozen(&r.sobject, &r.id.to_string()))
        {
            self.say(format!(
                "impossible: {} {}: {}",
                record.sobject, record.id, record.reason
            ));
        }
        for op in &case.plan.operations {
            let end = self.end(op);
            if !self.is_right(op, end) {
                let (sobject, id) = (&op.sobject, op.id);
                self.say(format!(
                    "{} of {sobject} {id} ended {end:?}; {}",
                    op.action, op.reason
                ));
            }
        }
    }

    fn is_right(&self, op: &Operation, end: &Final) -> bool {
        let (weather, id) = (self.case.weather, op.id.to_string());
        match end {
            Final::Undeleted | Final::Created(_) | Final::Edited | Final::Unchanged => true,
            // A link that a document has by itself, or whatever else the org makes.
            Final::Adopted(_) => !op.find.is_empty(),
            Final::Deleted => false,
            Final::Refused(code, _) => match code.as_str() {
                "FIELD_CUSTOM_VALIDATION_EXCEPTION" => {
                    let parent = op.sobject == "Contact" && weather.sets.contains(&("Account", "Site"));
                    weather.ruled.contains(op.sobject.as_str()) || parent && weather.ruled.contains("Account")
                }
                // A hierarchy turned round by way of a record that no operation edits.
                "CIRCULAR_DEPENDENCY" => turns(op),
                "UNABLE_TO_LOCK_ROW" => !weather.locked.is_empty(),
                "DUPLICATE_VALUE" => self.is_taken(op),
                // What it points at was deleted by others, or it was itself.
                "ENTITY_IS_DELETED" | "INVALID_CROSS_REFERENCE_KEY" => self.points_at_touched(op),
                _ => weather.touched.contains(&id),
            },
            // Automation that the restore set off reached the record first.
            Final::Conflict(text) => {
                let set = |(object, field): &(&str, &str)| {
                    *object == op.sobject && text.starts_with(&format!("{field} is {} ", auto()))
                };
                weather.touched.contains(&id) || weather.sets.iter().any(set)
            }
            Final::Skipped(_) => {
                op.references.iter().any(|r| self.stays_away(&r.to.to_string())) || self.stays_away(&id)
            }
            Final::Unknown(_) => {
                op.action.brings_back() && weather.lost && !(self.case.marked && op.action == Action::Create)
            }
        }
    }

    /// Whether a row that stays has the place of a campaign's member, which nobody may have twice: it is newer, or a merge
    /// moved it there for good.
    fn is_taken(&self, op: &Operation) -> bool {
        const PLACE: [&str; 3] = ["CampaignId", "ContactId", "LeadId"];
        let planned = op.fields.open().unwrap_or_default();
        let wanted = PLACE.map(|name| {
            let held = planned
                .get(name)
                .and_then(|value| serde_json::from_str::<String>(value.get()).ok());
            held.map_or(Value::Null, |id| json!(id_now(self.case.applied, &id)))
        });
        let is_there = |(id, row): (&String, &Record)| {
            (self.newer.contains(id) || self.is_told(id, "ContactId"))
                && PLACE
                    .iter()
                    .zip(&wanted)
                    .all(|(name, wanted)| value(row, name) == wanted)
        };
        op.sobject == "CampaignMember" && self.case.after.live("CampaignMember").any(is_there)
    }

    /// Whether others wrote to a record, or to one that an operation points it at.
    fn points_at_touched(&self, op: &Operation) -> bool {
        let touched = &self.case.weather.touched;
        let named = |value: &str| touched.contains(value.trim_matches('"'));
        touched.contains(&op.id.to_string())
            || op
                .fields
                .open()
                .unwrap_or_default()
                .values()
                .any(|value| named(value.get()))
    }

    /// Whether a record was to come back and an operation says that it did not.
    fn stays_away(&self, id: &str) -> bool {
        let back = self.ops(id).iter().filter(|op| op.action.brings_back());
        back.into_iter().any(|op| !is_done(self.end(op)))
    }

    /// Every record of then is there, with what it held.
    fn as_then(&self, object: &'static str) {
        let case = self.case;
        for (id, was) in case.then.live(object) {
            let now = id_now(case.applied, id);
            let Some(is) = case.after.row(object, &now) else {
                let excused = self.impossible.contains(id)
                    || self.stays_away(id)
                    || case.weather.touched.contains(id)
                    || self
                        .ops(id)
                        .iter()
                        .any(|op| matches!(self.end(op), Final::Conflict(_)));
                if !excused {
                    self.say(format!("{object} {id} is not there: {}", self.story(id)));
                }
                continue;
            };
            let person = !value(was, "LastName").is_null();
            for field in case.fields[object]
                .iter()
                .filter(|f| !(person && f.name == "Name"))
            {
                let wanted = self.moved(value(was, &field.name), field);
                let found = value(is, &field.name);
                if !same(&wanted, found) && !self.is_excused(object, id, field, &wanted, found) {
                    let was = case.before.row(object, id).map(|row| value(row, &field.name));
                    self.say(format!(
                        "{object} {id} {}: {found} instead of {wanted} (before: {was:?}): {}",
                        field.name,
                        self.story(id)
                    ));
                }
            }
        }
    }

    /// A value of then, as it is to be now.
    fn moved(&self, was: &Value, field: &Field) -> Value {
        match was.as_str() {
            Some(id) if field.reference => json!(id_now(self.case.applied, id)),
            _ => was.clone(),
        }
    }

    fn is_excused(
        &self,
        object: &'static str,
        id: &str,
        field: &Field,
        wanted: &Value,
        found: &Value,
    ) -> bool {
        let case = self.case;
        let weather = case.weather;
        let before = case.before.any(object, id);
        let held = before.map_or(&Value::Null, |row| value(row, &field.name));
        let now = id_now(case.applied, id);
        // Others wrote to it: their value or the wanted one.
        if weather.touched.contains(id) || weather.touched.contains(&now) {
            return true;
        }
        // What sets it failed, and says so.
        let sets = |op: &&Operation| {
            op.fields.open().unwrap_or_default().contains_key(&field.name) && !is_done(self.end(op))
        };
        if self.ops(id).iter().any(sets) {
            return true;
        }
        // The org's automation set it.
        if weather.sets.contains(&(object, field.name.as_str())) && *found == auto() {
            return true;
        }
        // The org gives each file an option; those of the sample have none.
        if wanted.is_null() && object.starts_with("Content") && field.name.starts_with("Sharing") {
            return true;
        }
        if case.marked && field.name == MARKER && found == id && now != id {
            return true;
        }
        // What it pointed at stayed away or went meanwhile: empty, or as it was.
        let to = wanted.as_str().filter(|_| field.reference);
        if to.is_some_and(|to| !case.after.has(to)) && (found.is_null() || found == held) {
            return true;
        }
        // The org linked it again when it brought a record back, and neither state tells that it would.
        if wanted.is_null() && self.is_relinked(field, found) {
            return true;
        }
        // A merge moved a field that nobody can set, or the org emptied it.
        !field.editable
            && now == id
            && (same(found, held) || found.is_null())
            && self.is_told(id, &field.name)
    }

    /// Whether a record was there all the time, and a field differs that only a create sets.
    fn is_frozen(&self, object: &str, id: &str) -> bool {
        let (Some(was), Some(is)) = (self.case.then.row(object, id), self.case.before.row(object, id)) else {
            return false;
        };
        let fields = self.case.fields.iter().filter(|(name, _)| **name == object);
        let mut frozen = fields
            .flat_map(|(_, fields)| fields)
            .filter(|field| !field.editable);
        frozen.any(|field| !same(value(was, &field.name), value(is, &field.name)))
    }

    /// Whether it is said that a field of a record is left as it is.
    fn is_told(&self, id: &str, field: &str) -> bool {
        let left = self
            .ops(id)
            .iter()
            .filter_map(|op| self.case.applied.outcomes.left.get(&op.number));
        let mut left = left.flat_map(|(names, _)| names);
        self.impossible.contains(id) || left.any(|name| name == field)
    }

    /// A version shows the title of its document, whoever gave it one.
    fn is_title(&self, object: &str, was: &Record, field: &str) -> bool {
        let document = value(was, "ContentDocumentId").as_str().unwrap_or_default();
        object == "ContentVersion" && field == "Title" && !self.ops(document).is_empty()
    }

    /// Whether a lookup leads to a record that came out of the bin.
    fn is_relinked(&self, field: &Field, found: &Value) -> bool {
        let to = found.as_str().filter(|_| field.reference);
        to.is_some_and(|to| OBJECTS.iter().any(|object| self.came_back(object, to)))
    }

    fn came_back(&self, object: &str, id: &str) -> bool {
        self.case.before.bin(object, id) == Bin::InBin && self.case.after.row(object, id).is_some()
    }

    /// Records that are newer are as they were when the plan was made; others come only from where the plan says.
    fn newer(&self, object: &'static str) {
        let case = self.case;
        for (id, row) in case
            .before
            .live(object)
            .filter(|(id, _)| case.then.row(object, id).is_none())
        {
            if !self.ops(id).is_empty() {
                self.say(format!(
                    "{object} {id} is newer, and in the plan: {}",
                    self.story(id)
                ));
            }
            if !self.newer.contains(id) {
                self.say(format!("{object} {id} is newer, and not named"));
            }
            if case.weather.touched.contains(id) {
                continue;
            }
            let Some(is) = case.after.row(object, id) else {
                self.say(format!("{object} {id} is newer, and gone"));
                continue;
            };
            self.untouched(object, id, row, is);
        }
        let mapped: BTreeSet<String> = case
            .then
            .live(object)
            .map(|(id, _)| id_now(case.applied, id))
            .collect();
        let mut lost = self.lost_creates(object);
        for (id, row) in case.after.live(object) {
            let known = mapped.contains(id) || case.before.row(object, id).is_some();
            let along = self.newer.contains(id) && self.came_back(object, id);
            let made = case.weather.makes.contains(object) && *value(row, "Subject") == auto();
            if known || along || made || self.is_own_link(object, row) || case.weather.touched.contains(id) {
                continue;
            }
            match lost.iter().position(|op| self.is_of(op, row)) {
                Some(at) => drop(lost.remove(at)),
                None => self.say(format!(
                    "{object} {id} comes out of nowhere; then {:?}, before {:?}: {row:?}",
                    case.then.bin(object, id),
                    case.before.bin(object, id)
                )),
            }
        }
    }

    /// A link to the owner, which each new document has.
    fn is_own_link(&self, object: &str, row: &Record) -> bool {
        let text = |field: &str| value(row, field).as_str().unwrap_or_default();
        let document = text("ContentDocumentId");
        let new = self.case.before.row("ContentDocument", document).is_none();
        object == "ContentDocumentLink" && text("LinkedEntityId").starts_with("005") && new
    }

    /// Creates of which nobody knows what became.
    fn lost_creates(&self, object: &str) -> Vec<&Operation> {
        let unknown = |op: &&Operation| op.sobject == object && matches!(self.end(op), Final::Unknown(_));
        self.case.plan.operations.iter().filter(unknown).collect()
    }

    /// Whether a row is what an operation would have made.
    fn is_of(&self, op: &Operation, row: &Record) -> bool {
        let fields = &self.case.fields;
        let set = fields
            .iter()
            .filter(|(object, _)| **object == op.sobject)
            .flat_map(|(_, f)| f);
        let planned = op.fields.open().unwrap_or_default();
        set.filter(|f| planned.contains_key(&f.name)).all(|field| {
            let wanted: Value = serde_json::from_str(planned[&field.name].get()).unwrap_or_default();
            let text = |v: &Value| v.as_str().map(|t| t.replace("+0000", "Z"));
            let (wanted, found) = (self.moved(&wanted, field), value(row, &field.name));
            same(&wanted, found) || text(&wanted).is_some() && text(&wanted) == text(found)
        })
    }

    fn untouched(&self, object: &'static str, id: &str, was: &Record, is: &Record) {
        for field in &self.case.fields[object] {
            let (held, found) = (value(was, &field.name), value(is, &field.name));
            let auto = self.case.weather.sets.contains(&(object, field.name.as_str())) && *found == auto();
            let relinked = held.is_null() && self.is_relinked(field, found);
            if !same(held, found) && !auto && !relinked && !self.is_title(object, was, &field.name) {
                self.say(format!(
                    "{object} {id} is newer: {} was {held}, is {found}",
                    field.name
                ));
            }
        }
    }

    /// Nobody but the plan's operations wrote by the API, and nothing was deleted.
    fn nothing_else(&self, object: &'static str) {
        let case = self.case;
        for (id, was) in case
            .before
            .live(object)
            .filter(|(id, _)| !case.weather.touched.contains(*id))
        {
            let Some(is) = case.after.row(object, id) else {
                self.say(format!(
                    "{object} {id} was there, and is gone: {}",
                    self.story(id)
                ));
                continue;
            };
            let wrote = value(is, "LastModifiedById") == &json!(case.api_user)
                && value(is, "LastModifiedDate") != value(was, "LastModifiedDate");
            let auto = case.weather.sets.iter().any(|(name, _)| *name == object);
            // A version and a link are written in their document too.
            let document = object == "ContentDocument";
            if wrote && self.ops(id).is_empty() && !auto && !document {
                self.say(format!("{object} {id} was written to, and is in no operation"));
            }
        }
    }

    /// What was planned for a record, and what became of it.
    fn story(&self, id: &str) -> String {
        let story = self.ops(id).iter().map(|op| {
            let fields: Vec<String> = op.fields.open().unwrap_or_default().into_keys().collect();
            format!(
                "{} {} {fields:?} ({}) {:?}",
                op.number,
                op.action,
                op.reason,
                self.end(op)
            )
        });
        let story: Vec<String> = story.collect();
        if story.is_empty() {
            "no operation".into()
        } else {
            story.join("; ")
        }
    }
}

/// Whether an operation sets a record's place in a hierarchy.
pub fn turns(op: &Operation) -> bool {
    let above = ["ParentId", "ReportsToId"];
    let planned = op.fields.open().unwrap_or_default();
    op.action == Action::Edit && above.iter().any(|name| planned.contains_key(*name))
}

/// Whether an operation did what it should.
pub fn is_done(end: &Final) -> bool {
    !matches!(
        end,
        Final::Conflict(_) | Final::Refused(..) | Final::Skipped(_) | Final::Unknown(_)
    )
}
