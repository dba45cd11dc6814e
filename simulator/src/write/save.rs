//! Create, update and upsert of one record.
//!
//! Key decision: the checks run in the order a client meets them: names of fields, rights, values,
//! required fields, references, unique values; the first refusal is the answer.
//! Source: REST API guide, "Create a Record", "Update a Record", "Upsert a Record"; Knowledge article
//! 000176484 for audit fields.
//! Not here: deletes (`delete`, `undelete`).

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::transaction::note;
use super::{check, coerce, derive::derive, files, lookup, order, relate, rollup, standard};
use crate::error::ApiError;
use crate::id::normalise;
use crate::org::access::Act;
use crate::org::state::{Life, Row, State};
use crate::org::values::Values;
use crate::schema::{Field, Kind, ObjectDef};

/// What "Set Audit Fields upon Record Creation" opens on insert.
pub(crate) const AUDIT: [&str; 4] = [
    "CreatedDate",
    "CreatedById",
    "LastModifiedDate",
    "LastModifiedById",
];

/// Creates a row; gives its Id.
pub(crate) fn create(
    state: &mut State,
    object: &str,
    values: &Value,
    user: &str,
) -> Result<String, ApiError> {
    let def = state.object(object)?;
    if !def.rights.createable {
        return Err(unsupported(&def, "create"));
    }
    state.allow(Act::Create, &def, None)?;
    note(state, &def)?;
    standard::direct(state, &def, values)?;
    let given = accept(state, &def, values, Mode::Create)?;
    let used = state.used;
    let id = insert(state, &def, given, user)?;
    state.fits(used)?;
    Ok(id)
}

/// Creates a row of loaded data: rights do not count, all other rules do.
pub(crate) fn create_loaded(
    state: &mut State,
    object: &str,
    values: &Value,
    user: &str,
) -> Result<String, ApiError> {
    let def = state.object(object)?;
    let given = accept(state, &def, values, Mode::Load)?;
    insert(state, &def, given, user)
}

/// Changes a row.
pub(crate) fn update(state: &mut State, id: &str, values: &Value, user: &str) -> Result<(), ApiError> {
    let id = &normalise(id).ok_or_else(|| malformed(id))?;
    let def = state
        .schema
        .by_id(id)
        .cloned()
        .ok_or_else(ApiError::bad_reference)?;
    if !def.rights.updateable {
        return Err(unsupported(&def, "update"));
    }
    state.allow(Act::Edit, &def, state.row(id).map(|row| (id.as_str(), row)))?;
    note(state, &def)?;
    let given = accept(state, &def, values, Mode::Update)?;
    let old = match state.row(id) {
        None => return Err(ApiError::bad_reference()),
        Some(row) if row.life != Life::Live => return Err(ApiError::deleted()),
        Some(row) => row.clone(),
    };
    standard::editable(&def, &old)?;
    let used = state.used;
    let mut row = old.clone();
    for (name, value) in given {
        let field = def.field(&name);
        if value.is_null() && field.is_some_and(|f| !f.nillable && f.updateable) {
            return Err(missing(&[&name]));
        }
        if let (Some(field), Some(to)) = (field, value.as_str()) {
            if row.text(&name) != to {
                check::reference(state, &def, field, to)?;
            }
            if !field.reference_to.is_empty() {
                check::no_circle(state, &def, field, id, to)?;
            }
        }
        row.set(&name, value);
    }
    order::before(state, &def, id, &mut row, Some(&old))?;
    name_or_id(&def, id, &mut row);
    derive(state, &def, &mut row, Some(&old));
    files::derive(state, &def, &mut row, Some(&old))?;
    let stamp = json!(state.stamp());
    touch(&def, &mut row, &stamp, user);
    order::check(state, &def, id, &row, Some(&old))?;
    check::unique(state, &def, id, &row)?;
    state.put(&def.name, id, Some(row.clone()));
    state.fits(used)?;
    rollup::refresh(state, &def.name, &[Some(&old), Some(&row)]);
    files::settle(state, &def, id, Some(&old), user)?;
    order::after(state, &def, &row, Some(&old), user)
}

/// Creates or updates by an external id; gives the Id and whether the row is new.
pub(crate) fn upsert(
    state: &mut State,
    object: &str,
    key: (&str, &str),
    values: &Value,
    user: &str,
) -> Result<(String, bool), ApiError> {
    let def = state.object(object)?;
    let field = lookup::key(&def, key.0)?;
    let wanted = coerce(field, &json!(key.1), &state.settings)?;
    match lookup::holding(state, &def, field, &wanted).as_slice() {
        [] if field.kind == Kind::Id => Err(ApiError::not_found()),
        [] => {
            let mut values = values.clone();
            if let Some(map) = values.as_object_mut() {
                map.insert(field.name.clone(), wanted);
            }
            create(state, object, &values, user).map(|id| (id, true))
        }
        [id] => update(state, id, values, user).map(|()| (id.clone(), false)),
        several => Err(lookup::ambiguous(field, several)),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Create,
    Update,
    Load,
}

pub(crate) fn malformed(id: &str) -> ApiError {
    ApiError::new("MALFORMED_ID", format!("malformed id {id}"))
}

pub(crate) fn unsupported(def: &ObjectDef, what: &str) -> ApiError {
    ApiError::new(
        "INVALID_TYPE_FOR_OPERATION",
        format!("entity type {} does not support {what}", def.name),
    )
}

pub(super) fn missing(fields: &[&str]) -> ApiError {
    let list = fields.join(", ");
    let mut e = ApiError::new(
        "REQUIRED_FIELD_MISSING",
        format!("Required fields are missing: [{list}]"),
    );
    e.fields = fields.iter().map(|f| (*f).to_owned()).collect();
    e
}

/// Checks names, rights and values of the fields given.
fn accept(
    state: &mut State,
    def: &Arc<ObjectDef>,
    values: &Value,
    mode: Mode,
) -> Result<Vec<(String, Value)>, ApiError> {
    let Some(values) = values.as_object() else {
        return Err(ApiError::new(
            "JSON_PARSER_ERROR",
            "The HTTP entity body must be an object",
        ));
    };
    let values = relate::resolve(state, def, values)?;
    let given = fields(state, def, &values)?;
    let refused: Vec<&str> = given
        .iter()
        .filter(|(f, _)| !allowed(state, def, f, mode))
        .map(|(f, _)| f.name.as_str())
        .collect();
    if !refused.is_empty() {
        let list = refused.join(", ");
        let mut e = ApiError::new(
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            format!(
                "Unable to create/update fields: {list}. Please check the security settings of this field and verify that it is read/write for your profile or permission set."
            ),
        );
        e.fields = refused.into_iter().map(str::to_owned).collect();
        return Err(e);
    }
    let mut out = Vec::with_capacity(given.len());
    for (field, value) in given {
        let value = coerce(field, value, &state.settings)?;
        out.push((field.name.clone(), files::take_in(state, field, value)?));
    }
    Ok(out)
}

/// The fields that the keys name; `attributes` is none.
fn fields<'a>(
    state: &State,
    def: &'a ObjectDef,
    values: &'a Map<String, Value>,
) -> Result<Vec<(&'a Field, &'a Value)>, ApiError> {
    values
        .iter()
        .filter(|(name, _)| *name != "attributes")
        .map(|(name, value)| {
            def.field(name)
                .filter(|f| state.sees_field(def, f))
                .map(|f| (f, value))
                .ok_or_else(|| ApiError::no_column(name, &def.name))
        })
        .collect()
}

fn allowed(state: &State, def: &ObjectDef, field: &Field, mode: Mode) -> bool {
    if mode != Mode::Load && !state.writes_field(def, field) {
        return false;
    }
    match mode {
        Mode::Load => !field.calculated && !field.kind.is_compound() && field.kind != Kind::Id,
        Mode::Update => field.updateable,
        Mode::Create => field.createable || AUDIT.contains(&field.name.as_str()) && state.sets_audit(def),
    }
}

fn insert(
    state: &mut State,
    def: &Arc<ObjectDef>,
    given: Vec<(String, Value)>,
    user: &str,
) -> Result<String, ApiError> {
    let mut row = Row {
        values: Values::default(),
        life: Life::Live,
        deleted_by: None,
        cleared: Vec::new(),
    };
    for (name, value) in given {
        row.set(&name, value);
    }
    let id = state.new_id(&def.key_prefix);
    row.set("Id", json!(id));
    if let Some(owner) = assigned(state, def) {
        row.set("OwnerId", json!(owner));
    }
    defaults(state, def, &mut row, user);
    order::before(state, def, &id, &mut row, None)?;
    let lacking: Vec<&str> = def
        .fields
        .iter()
        .filter(|f| f.required() && !row.values.contains_key(&f.name))
        .map(|f| f.name.as_str())
        .collect();
    if !lacking.is_empty() {
        return Err(missing(&lacking));
    }
    for field in def.fields.iter().filter(|f| !f.reference_to.is_empty()) {
        if let Some(to) = row.values.text(&field.name) {
            check::reference(state, def, field, to)?;
        }
    }
    name_or_id(def, &id, &mut row);
    derive(state, def, &mut row, None);
    files::derive(state, def, &mut row, None)?;
    files::no_second_link(state, def, &id, &row)?;
    let stamp = json!(state.stamp());
    for (field, value) in [("CreatedDate", &stamp), ("CreatedById", &json!(user))] {
        if def.has(field) && !row.values.contains_key(field) {
            row.set(field, value.clone());
        }
    }
    let (kept_date, kept_user) = (
        row.values.get("LastModifiedDate"),
        row.values.get("LastModifiedById"),
    );
    touch(def, &mut row, &stamp, user);
    for (field, kept) in [("LastModifiedDate", kept_date), ("LastModifiedById", kept_user)] {
        if let Some(kept) = kept {
            row.set(field, kept);
        }
    }
    order::check(state, def, &id, &row, None)?;
    check::unique(state, def, &id, &row)?;
    state.put(&def.name, &id, Some(row.clone()));
    rollup::refresh(state, &def.name, &[Some(&row)]);
    files::settle(state, def, &id, None, user)?;
    order::after(state, def, &row, None, user)?;
    if def.name == "Campaign" && state.settings.auto_rows {
        state.as_system(|s| statuses(s, &id, user))?;
    }
    Ok(id)
}

/// The owner that an active assignment rule gives, if the call leaves it to the rules.
fn assigned(state: &State, def: &ObjectDef) -> Option<String> {
    let rules = &state.settings.assignment.0;
    rules
        .get(&def.name)
        .filter(|_| state.options.auto_assign)
        .cloned()
}

/// The statuses that each new campaign is born with.
fn statuses(state: &mut State, campaign: &str, user: &str) -> Result<(), ApiError> {
    for (n, label, responded) in [(1, "Sent", false), (2, "Responded", true)] {
        let values = json!({"CampaignId": campaign, "Label": label, "SortOrder": n,
            "IsDefault": !responded, "HasResponded": responded});
        create(state, "CampaignMemberStatus", &values, user)?;
    }
    Ok(())
}

/// Values of fields not given: declared defaults, picklist defaults, false, owner, numbers, empty sums.
fn defaults(state: &mut State, def: &Arc<ObjectDef>, row: &mut Row, user: &str) {
    for field in &def.fields {
        if row.values.contains_key(&field.name) || field.name == "IsDeleted" {
            continue;
        }
        let choice = field.choices.iter().find(|c| c.default).map(|c| json!(c.value));
        let value = if let Some(format) = &field.auto_number {
            let n = state.count(&format!("{}.{}", def.name, field.name));
            json!(numbered(format, n))
        } else if let Some(default) = field.default.clone().or(choice) {
            default
        } else if field.formula_text.is_some() {
            continue;
        } else if let Some(rollup) = &field.rollup {
            rollup::initial(rollup)
        } else if field.kind == Kind::Boolean {
            json!(false)
        } else if field.name == "OwnerId" && field.defaulted {
            json!(user)
        } else if field.name == "SetupOwnerId" {
            json!(state.org_id)
        } else {
            continue;
        };
        row.set(&field.name, value);
    }
}

/// `INV-{0000}` with 12 gives `INV-0012`.
fn numbered(format: &str, n: u64) -> String {
    match (format.find("{0"), format.rfind('}')) {
        (Some(open), Some(close)) if open < close => {
            let width = close - open - 1;
            format!("{}{n:0width$}{}", &format[..open], &format[close + 1..])
        }
        _ => n.to_string(),
    }
}

/// A custom object's Name that was left empty is its Id.
fn name_or_id(def: &ObjectDef, id: &str, row: &mut Row) {
    if def.custom && def.field("Name").is_some_and(|f| f.nillable) && !row.values.contains_key("Name") {
        row.set("Name", json!(&id[..15]));
    }
}

/// Sets the stamps of a save.
pub(crate) fn touch(def: &ObjectDef, row: &mut Row, stamp: &Value, user: &str) {
    for (field, value) in [
        ("LastModifiedDate", stamp.clone()),
        ("LastModifiedById", json!(user)),
        ("SystemModstamp", stamp.clone()),
    ] {
        if def.has(field) {
            row.set(field, value);
        }
    }
}
