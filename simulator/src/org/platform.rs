//! What the platform and its administrators do to whole tables: fields that come and go, mass stamps, the
//! archive of activities.
//!
//! Key decision: none of it is an edit: `SystemModstamp` moves, `LastModifiedDate` does not, no rule or
//! automation runs, and rights do not count.
//! Source: Knowledge article 000387261 (what moves which stamp); Salesforce Help, "Delete Custom Fields",
//! "Notes on Changing Custom Field Types", "Archived Activities".
//! Not here: edits of records (`truth`).

use serde_json::{Value, json};

use super::Org;
use super::state::{Life, Row, State};
use crate::error::ApiError;
use crate::id::normalise;
use crate::schema::{Field, ObjectDef, person, recorded};
use crate::write::coerce;

impl Org {
    /// Moves `SystemModstamp` of every live row of an object to one stamp, as a territory realignment or a
    /// renamed picklist value does; gives how many rows there were.
    ///
    /// # Errors
    /// No such object.
    pub fn restamp(&self, object: &str) -> Result<usize, ApiError> {
        let mut state = self.lock();
        let def = state.object_of_org(object)?;
        state.begin();
        Ok(state.sweep(&def, |_| {}))
    }

    /// Adds a field to an object, or changes the type of the one of that name, as a describe's entry says it
    /// (`name`, `type`, `length`, `referenceTo`, ...); what is not said is as for a plain custom field.
    ///
    /// Existing rows have no value in a new field, and no stamp moves. When a type changes, values that do not
    /// fit are lost, and every row is stamped.
    ///
    /// # Errors
    /// No such object, or no describe of a custom field.
    pub fn set_field(&self, object: &str, describe: &Value) -> Result<(), ApiError> {
        let mut state = self.lock();
        let def = state.object_of_org(object)?;
        let field = plain(describe)?;
        let (name, fresh) = (field.name.clone(), !def.has(&field.name));
        let mut changed = ObjectDef::clone(&def);
        changed.put(field);
        state.begin();
        state.redefine(changed);
        if fresh {
            return Ok(());
        }
        let settings = state.settings.clone();
        let def = state.object_of_org(object)?;
        let Some(field) = def.field(&name) else {
            return Ok(());
        };
        state.sweep(&def, |row| {
            let held = row.values.get(&name).unwrap_or_default();
            row.set(&name, converted(field, &held, &settings));
        });
        Ok(())
    }

    /// Deletes a custom field for good: it is gone from describes, its values are lost, and every row of the
    /// object is stamped.
    ///
    /// # Errors
    /// No such object or field; a standard field; a field that a roll-up, formula or rule reads.
    pub fn remove_field(&self, object: &str, name: &str) -> Result<(), ApiError> {
        let mut state = self.lock();
        let def = state.object_of_org(object)?;
        let field = def
            .field(name)
            .ok_or_else(|| ApiError::no_column(name, &def.name))?;
        if !field.custom() {
            return Err(refused(
                "INVALID_OPERATION",
                format!("{name} is a standard field"),
            ));
        }
        if let Some(reader) = state.reader_of(&def, field) {
            let message = format!("{}.{} is used by {reader}", def.name, field.name);
            return Err(refused("DEPENDENCY_EXISTS", message));
        }
        let name = field.name.clone();
        let mut changed = ObjectDef::clone(&def);
        changed.remove(&name);
        state.begin();
        if def.name == "Contact" && person::enabled(&state.schema) {
            let account = state.object_of_org("Account")?;
            let twin = format!("{}pc", name.trim_end_matches('c'));
            state.sweep_all(&account, |row| row.set(&twin, Value::Null));
        }
        // First the values, so that no row ever holds a field that is not there.
        state.sweep_all(&def, |row| row.set(&name, Value::Null));
        state.redefine(changed);
        Ok(())
    }

    /// Enables person accounts, which is for good: their fields and their record type appear. A new account
    /// of a record type of persons (or one with `LastName` and no record type) is a person from now on.
    pub fn enable_person_accounts(&self) {
        let mut state = self.lock();
        if person::enabled(&state.schema) {
            return;
        }
        state.begin();
        let Some(widened) = person::widened(&state.schema) else {
            return;
        };
        for object in widened {
            state.redefine(object);
        }
        let flags = [
            ("Account", person::FLAG),
            ("Contact", person::FLAG),
            ("RecordType", "IsPersonType"),
        ];
        for (object, flag) in flags {
            let ids: Vec<String> = state.rows(object).map(|(id, _)| id.clone()).collect();
            for id in ids {
                state.edit(&id, |row| row.set(flag, json!(false)));
            }
        }
        let id = state.new_id("012");
        let values = json!({"Name": "Person Account", "DeveloperName": "PersonAccount",
            "SobjectType": "Account", "IsActive": true, "IsPersonType": true});
        state.seed_row("RecordType", &id, values);
        state.journal.clear();
    }

    /// Archives a task or event: only `queryAll` shows it, and nobody can edit it.
    ///
    /// # Errors
    /// No such row, or one of another object.
    pub fn archive(&self, id: &str) -> Result<(), ApiError> {
        let id = normalise(id).ok_or_else(ApiError::bad_reference)?;
        let mut state = self.lock();
        state.begin();
        let stamp = state.stamp();
        let kind = state.schema.by_id(&id).map(|o| o.name.clone());
        if state.live(&id).is_none() || !matches!(kind.as_deref(), Some("Task" | "Event")) {
            return Err(ApiError::bad_reference());
        }
        state.edit(&id, |row| {
            row.set("IsArchived", json!(true));
            row.set("SystemModstamp", json!(stamp));
        });
        Ok(())
    }
}

fn refused(code: &'static str, message: String) -> ApiError {
    ApiError::new(code, message)
}

/// A custom field out of a describe's entry.
fn plain(describe: &Value) -> Result<Field, ApiError> {
    let mut whole = json!({"createable": true, "updateable": true, "nillable": true});
    if let (Some(whole), Some(said)) = (whole.as_object_mut(), describe.as_object()) {
        whole.extend(said.clone());
    }
    let mut field = recorded::field(&whole).filter(Field::custom).ok_or_else(|| {
        refused(
            "INVALID_INPUT",
            "a field needs a type and a name in __c".to_owned(),
        )
    })?;
    // What was not said follows from the type, and the describe is written by the simulator.
    field.recorded = None;
    if !whole["length"].is_u64() {
        field.length = Field::new(&field.name, field.kind).length;
    }
    if field.kind.is_decimal() && field.precision == 0 {
        (field.precision, field.scale) = (18, 2);
    }
    if field.kind == crate::schema::Kind::Boolean {
        (field.nillable, field.defaulted) = (false, true);
    }
    if !field.reference_to.is_empty() && field.relationship.is_none() {
        field.relationship = field.name.strip_suffix("__c").map(|n| format!("{n}__r"));
    }
    Ok(field)
}

/// A value under another type; null when it does not fit.
fn converted(field: &Field, held: &Value, settings: &super::Settings) -> Value {
    let spoken = match held {
        Value::Null => return Value::Null,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let tries = [
        held.clone(),
        serde_json::from_str(&spoken).unwrap_or_default(),
        json!(spoken),
    ];
    let fitting = tries.iter().filter(|v| !v.is_null());
    fitting
        .filter_map(|v| coerce(field, v, settings).ok())
        .next()
        .unwrap_or_default()
}

impl State {
    /// The object of that name, whoever may see it.
    fn object_of_org(&self, name: &str) -> Result<std::sync::Arc<ObjectDef>, ApiError> {
        let found = self.schema.object(name).cloned();
        found.ok_or_else(ApiError::not_found)
    }

    /// Changes and stamps every live row of an object.
    fn sweep(&mut self, def: &ObjectDef, change: impl Fn(&mut Row)) -> usize {
        self.sweep_where(def, |row| row.life == Life::Live, change)
    }

    fn sweep_all(&mut self, def: &ObjectDef, change: impl Fn(&mut Row)) -> usize {
        self.sweep_where(def, |_| true, change)
    }

    fn sweep_where(
        &mut self,
        def: &ObjectDef,
        which: impl Fn(&Row) -> bool,
        change: impl Fn(&mut Row),
    ) -> usize {
        let stamp = json!(self.stamp());
        let rows = self.rows(&def.name).filter(|(_, row)| which(row));
        let ids: Vec<String> = rows.map(|(id, _)| id.clone()).collect();
        for id in &ids {
            self.edit(id, |row| {
                change(row);
                if row.life == Life::Live && row.values.contains_key("SystemModstamp") {
                    row.set("SystemModstamp", stamp.clone());
                }
            });
            // A table may be large, and this is never undone.
            self.journal.clear();
        }
        ids.len()
    }

    /// What of the org reads a field and would break without it.
    fn reader_of(&self, def: &ObjectDef, field: &Field) -> Option<String> {
        let rolled = self
            .schema
            .rollups_over(&def.name)
            .iter()
            .find_map(|(parent, at)| {
                let over = self.schema.object(parent)?.fields.get(*at)?;
                let rollup = over.rollup.as_ref()?;
                let read = rollup.key == field.name || rollup.of.as_deref() == Some(&field.name);
                read.then(|| format!("{parent}.{}", over.name))
            });
        let formula = || {
            let mut fields = def.fields.iter();
            fields
                .find(|f| {
                    f.formula_text
                        .as_deref()
                        .is_some_and(|t| mentions(t, &field.name))
                })
                .map(|f| format!("{}.{}", def.name, f.name))
        };
        let rule = || {
            let mut rules = self.behaviour.rules.iter();
            rules
                .find(|r| r.object == def.name && mentions(&r.condition.text, &field.name))
                .map(|r| r.name.clone())
        };
        rolled.or_else(formula).or_else(rule)
    }
}

/// Whether a formula names a field.
fn mentions(formula: &str, name: &str) -> bool {
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    formula.split(word).any(|w| w.eq_ignore_ascii_case(name))
}
