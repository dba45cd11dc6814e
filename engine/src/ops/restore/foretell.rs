//! What an org will probably refuse of a plan, and what to do about it beforehand.
//!
//! Key decision: told by the describes and records of the snapshot of now alone, one warning for an sObject, a field and a
//! cause, so that a plan of a million rows has a few lines of them. Rules, flows and triggers are `automation`'s. It
//! changes no operation.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::base::error::{Error, Result};
use crate::base::id::RecordId;
use crate::format::describe::{Describe, Field};
use crate::ops::restore::check::ByField;
use crate::ops::restore::fields::{self, Values};
use crate::ops::restore::plan::{Action, Operation, Plan, Warning};
use crate::ops::restore::seen::Seen;
use crate::ops::restore::view::View;

/// The most values that a warning names.
const NAMED: usize = 5;

/// Why something will be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    Long,
    Choice,
    Owner,
    Held,
    NoType,
    OffType,
    Unset,
    Unseen,
}

/// What a warning is about: operations, and some of the values.
#[derive(Default)]
struct About {
    operations: Vec<u32>,
    values: BTreeSet<String>,
}

/// What a describe says beyond what is kept of each.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Limits {
    fields: Vec<Limit>,
    #[serde(default)]
    record_type_infos: Vec<TypeInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Limit {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    length: usize,
    #[serde(default)]
    restricted_picklist: bool,
    #[serde(default)]
    picklist_values: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    value: Option<String>,
    #[serde(default)]
    active: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TypeInfo {
    record_type_id: Option<String>,
    #[serde(default)]
    active: bool,
    #[serde(default)]
    available: bool,
}

/// What is known of an sObject.
struct Known {
    describe: Arc<Describe>,
    limits: HashMap<String, Limit>,
    /// Whether a record type can be used.
    types: HashMap<RecordId, bool>,
    /// Fields that a create, and an edit, could set then and cannot now.
    closed: [Vec<String>; 2],
}

/// What will probably be refused; `unseen` points at records that no snapshot shows.
pub(super) fn warnings<'v>(
    plan: &Plan,
    then: &Seen<'v>,
    now: &Seen<'v>,
    unseen: ByField,
) -> Result<Vec<Warning>> {
    let mut seer = Seer {
        then,
        now,
        known: HashMap::new(),
        maps: plan.maps.iter().map(|map| (map.from, map.to)).collect(),
        active: HashMap::new(),
        unique: BTreeMap::new(),
        found: BTreeMap::new(),
    };
    for op in plan.operations.iter().filter(|op| op.action != Action::Delete) {
        seer.operation(op)?;
    }
    seer.held()?;
    let unmarked = seer.unmarked(plan)?;
    for ((sobject, field), operations) in unseen {
        let values = BTreeSet::new();
        let about = About { operations, values };
        seer.found.insert((sobject, field, Cause::Unseen), about);
    }
    Ok(seer.found.into_iter().map(told).chain(unmarked).collect())
}

/// Which operations set a unique field, by its value's JSON text in lower case.
type Wanted = HashMap<String, (u32, RecordId)>;

struct Seer<'a, 'v> {
    then: &'a Seen<'v>,
    now: &'a Seen<'v>,
    known: HashMap<String, Known>,
    maps: HashMap<RecordId, RecordId>,
    /// Whether a user is active, or not known.
    active: HashMap<RecordId, bool>,
    unique: BTreeMap<(String, String), Wanted>,
    found: BTreeMap<(String, String, Cause), About>,
}

impl Seer<'_, '_> {
    fn know(&mut self, sobject: &str) -> Result<()> {
        if self.known.contains_key(sobject) {
            return Ok(());
        }
        let text = self.now.state.describe_text(sobject)?;
        let limits: Limits = serde_json::from_slice(&text)
            .map_err(|e| Error::invalid(format!("the describe of {sobject}: {e}")))?;
        let (before, describe) = (self.then.describe(sobject)?, self.now.describe(sobject)?);
        let closed = [fields::creatable, fields::editable].map(|may: fn(&Field) -> bool| {
            let shut = |f: &&Field| may(f) && !fields::audit(f) && !describe.field(&f.name).is_some_and(may);
            before
                .fields
                .iter()
                .filter(shut)
                .map(|f| f.name.clone())
                .collect()
        });
        let types = limits.record_type_infos.iter();
        let types =
            types.filter_map(|t| Some((t.record_type_id.as_ref()?.parse().ok()?, t.active && t.available)));
        let known = Known {
            types: types.collect(),
            limits: limits
                .fields
                .into_iter()
                .map(|limit| (limit.name.clone(), limit))
                .collect(),
            describe,
            closed,
        };
        self.known.insert(sobject.to_owned(), known);
        Ok(())
    }

    fn note(&mut self, op: &Operation, field: &str, cause: Cause, value: Option<String>) {
        let key = (op.sobject.clone(), field.to_owned(), cause);
        let about = self.found.entry(key).or_default();
        about.operations.push(op.number);
        if about.values.len() < NAMED {
            about.values.extend(value);
        }
    }

    fn operation(&mut self, op: &Operation) -> Result<()> {
        self.know(&op.sobject)?;
        let Some(known) = self.known.get(&op.sobject) else {
            return Ok(());
        };
        let values = op.fields.open()?;
        let mut notes: Vec<(String, Cause, Option<String>)> = Vec::new();
        for (name, value) in values.iter().filter(|(_, value)| !fields::is_null(value)) {
            let Some(field) = known.describe.field(name) else {
                continue;
            };
            if field.unique
                && !field.is_reference()
                && let Some(key) = lowered(value.get())
            {
                let at = (op.sobject.clone(), name.clone());
                self.unique.entry(at).or_default().insert(key, (op.number, op.id));
            }
            // What lies in the bin has its values, and keeps them.
            if op.action != Action::Undelete {
                notes.extend(
                    known
                        .refuses(name, value, &self.maps)
                        .map(|(cause, value)| (name.clone(), cause, value)),
                );
            }
        }
        self.closed(op, &mut notes)?;
        for (field, cause, value) in notes {
            self.note(op, &field, cause, value);
        }
        self.owner(op, &values)
    }

    /// Fields that had values which cannot be set today.
    fn closed(&self, op: &Operation, notes: &mut Vec<(String, Cause, Option<String>)>) -> Result<()> {
        let Some(known) = self.known.get(&op.sobject) else {
            return Ok(());
        };
        let is_edit = match op.action {
            Action::Create if op.born.is_none() => false,
            Action::Edit => true,
            _ => return Ok(()),
        };
        let closed = &known.closed[usize::from(is_edit)];
        let Some(was) = closed
            .first()
            .map(|_| self.then.get(&op.sobject, op.id))
            .transpose()?
            .flatten()
        else {
            return Ok(());
        };
        let was = fields::values(&was)?;
        let is = if is_edit {
            self.now.get(&op.sobject, op.id)?
        } else {
            None
        };
        let is = is.map_or(Ok(Values::new()), |json| fields::values(&json))?;
        let text = |values: &Values, name: &str| values.get(name).map(|value| value.get().to_owned());
        let lost = closed
            .iter()
            .filter(|name| was.contains_key(*name) && text(&was, name) != text(&is, name));
        notes.extend(lost.map(|name| (name.clone(), Cause::Unset, None)));
        Ok(())
    }

    /// An owner who may own nothing new.
    fn owner(&mut self, op: &Operation, values: &Values) -> Result<()> {
        let Some(owner) = values.get("OwnerId").and_then(|value| fields::id_of(value)) else {
            return Ok(());
        };
        if op.action == Action::Undelete {
            return Ok(());
        }
        let owner = self.maps.get(&owner).copied().unwrap_or(owner);
        let active = match self.active.get(&owner) {
            Some(active) => *active,
            None => {
                let user = self.now.get("User", owner)?;
                let active = !user.is_some_and(|json| json.contains("\"IsActive\":false"));
                self.active.insert(owner, active);
                active
            }
        };
        if !active {
            self.note(op, "OwnerId", Cause::Owner, Some(owner.to_string()));
        }
        Ok(())
    }

    /// What is created of sObjects without the marker field.
    ///
    /// # Errors
    /// `Invalid` if none of them has it.
    fn unmarked(&self, plan: &Plan) -> Result<Vec<Warning>> {
        let Some(marker) = &plan.header.marker else {
            return Ok(Vec::new());
        };
        let made = plan
            .operations
            .iter()
            .filter(|op| op.action == Action::Create && op.body.is_none());
        let made: BTreeSet<&String> = made.map(|op| &op.sobject).collect();
        let has = |sobject: &&&String| {
            let field = self
                .known
                .get(**sobject)
                .and_then(|known| known.describe.field(marker));
            field.is_some_and(|field| fields::creatable(field) && field.filterable)
        };
        let (marked, unmarked): (Vec<&String>, Vec<&String>) = made.iter().partition(has);
        if marked.is_empty() && !unmarked.is_empty() {
            return Err(Error::invalid(format!(
                "no sObject of which records are created has a field {marker} that may be set and sought"
            ))
            .hint("make it a text field and an external Id, and grant edit on it"));
        }
        let warning = |sobject: &String| Warning {
            sobject: sobject.clone(),
            operations: Vec::new(),
            what: format!("it has no field {marker}: a create whose answer is lost may stay unknown"),
            remedy: format!("make {marker} a text field and an external Id of {sobject}, and plan anew"),
        };
        Ok(unmarked.into_iter().map(warning).collect())
    }

    /// Unique values that another live record holds now.
    fn held(&mut self) -> Result<()> {
        let unique = std::mem::take(&mut self.unique);
        let mut buffer = String::new();
        for ((sobject, field), wanted) in unique {
            let start = format!("\"{field}\":");
            let mut about = About::default();
            self.now.state.each(&sobject, &mut |record| {
                let Some(value) = value_at(&record.json, &start) else {
                    return Ok(());
                };
                buffer.clear();
                buffer.extend(value.chars().flat_map(char::to_lowercase));
                if let Some((number, id)) = wanted.get(&buffer)
                    && *id != record.id
                {
                    about.operations.push(*number);
                    if about.values.len() < NAMED {
                        about.values.insert(record.id.to_string());
                    }
                }
                Ok(())
            })?;
            about.operations.sort_unstable();
            about.operations.dedup();
            if !about.operations.is_empty() {
                self.found.insert((sobject, field, Cause::Held), about);
            }
        }
        Ok(())
    }
}

/// The JSON text of a value in canonical JSON; a quote within a text is escaped, so that the name is found nowhere else.
fn value_at<'j>(json: &'j str, start: &str) -> Option<&'j str> {
    let rest = json.get(json.find(start)? + start.len()..)?;
    let mut escaped = false;
    let is_end = |(at, byte): (usize, u8)| match byte {
        _ if at == 0 => false,
        _ if escaped => {
            escaped = false;
            false
        }
        b'\\' => {
            escaped = true;
            false
        }
        b'"' => rest.starts_with('"'),
        b',' | b'}' => !rest.starts_with('"'),
        _ => false,
    };
    let end = rest.bytes().enumerate().position(is_end)?;
    rest.get(..end + usize::from(rest.starts_with('"')))
}

fn lowered(text: &str) -> Option<String> {
    (!text.starts_with(['{', '['])).then(|| text.to_lowercase())
}

impl Known {
    /// Why a value will be refused.
    fn refuses(
        &self,
        name: &str,
        value: &RawValue,
        maps: &HashMap<RecordId, RecordId>,
    ) -> Option<(Cause, Option<String>)> {
        if name == "RecordTypeId" {
            let id = fields::id_of(value)?;
            let id = maps.get(&id).copied().unwrap_or(id);
            return match self.types.get(&id) {
                Some(true) => None,
                Some(false) => Some((Cause::OffType, Some(id.to_string()))),
                None => Some((Cause::NoType, Some(id.to_string()))),
            };
        }
        let limit = self.limits.get(name)?;
        let json = value.get();
        let is_text = json.starts_with('"');
        // Escapes and UTF-8 make a text longer, never shorter.
        if is_text && limit.length > 0 && json.len() > limit.length + 2 && limit.kind != "reference" {
            let text: String = serde_json::from_str(json).ok()?;
            if text.chars().count() > limit.length {
                return Some((Cause::Long, Some(limit.length.to_string())));
            }
        }
        if !is_text || !limit.restricted_picklist || limit.picklist_values.is_empty() {
            return None;
        }
        let text: String = serde_json::from_str(json).ok()?;
        let is_choice = |one: &str| {
            let known = |c: &Choice| c.active && c.value.as_deref() == Some(one);
            limit.picklist_values.iter().any(known)
        };
        let mut parts = text.split(if limit.kind == "multipicklist" { ';' } else { '\0' });
        let wrong = parts.find(|one| !is_choice(one))?;
        Some((Cause::Choice, Some(wrong.to_owned())))
    }
}

/// A warning in words.
fn told(((sobject, field, cause), about): ((String, String, Cause), About)) -> Warning {
    let values: Vec<&str> = about.values.iter().map(String::as_str).collect();
    let values = values.join(", ");
    let (what, remedy) = match cause {
        Cause::Long => (
            format!("{field} takes {values} characters now, and the value is longer"),
            "lengthen the field, or shorten the value in the plan".into(),
        ),
        Cause::Choice => (
            format!("{field}, a restricted picklist, has no such active value now: {values}"),
            format!("activate the value (Setup, Object Manager, {sobject}, Fields & Relationships, {field}), or put another into the plan"),
        ),
        Cause::Owner => (
            format!("the owner is inactive: {values}"),
            "grant \"Update Records with Inactive Owners\" to the user of the restore, activate the owner, or put another \
             OwnerId into the plan; a create goes without, and the record belongs to the user of the restore"
                .into(),
        ),
        Cause::Held => (
            format!("{field} is unique, and another record has the value now: {values}"),
            "change one of the two values, or take the operation out of the plan".into(),
        ),
        Cause::NoType => (
            format!("the record type is not there any more: {values}"),
            "put another RecordTypeId into the plan, or leave it out for the user's default".into(),
        ),
        Cause::OffType => (
            format!("the record type is inactive, or the user of the restore may not use it: {values}"),
            format!("activate it (Setup, Object Manager, {sobject}, Record Types), and assign it in a permission set of the user's"),
        ),
        Cause::Unset => (
            format!("{field} had a value, and cannot be set today: it is left out"),
            format!("grant \"Edit Access\" to {sobject}.{field} (Setup, Permission Sets, a set of the user's, Object Settings, {sobject}, Field Permissions) or bring the field back, and plan anew"),
        ),
        Cause::Unseen => (
            format!("{field} points at a record that no snapshot shows"),
            "nothing to do if it is in the org; else take the field out of the operation".into(),
        ),
    };
    Warning {
        sobject,
        operations: about.operations,
        what,
        remedy,
    }
}
