//! The rows in which rights can be read: PermissionSet, PermissionSetAssignment, ObjectPermissions,
//! FieldPermissions, and the flags of UserPermissionAccess and Profile.
//!
//! Key decision: each user has one permission set, owned by the profile, that says everything. Rights on
//! objects and fields are written down for users who were permitted something, since a row for each field of
//! each object would drown what tests are about.
//! Source: Object Reference, "PermissionSet", "PermissionSetAssignment", "ObjectPermissions".
//! Not here: obeying them (`sight`).

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Permission, State};
use crate::id::make;
use crate::schema::{Field, ObjectDef};

/// A flag of UserPermissionAccess: the running user's right.
pub(crate) fn permission(state: &State, field: &str) -> bool {
    Permission::of_field(field).is_some_and(|p| state.access.of(&state.running).has(p))
}

/// Gives a user a permission set, or brings the one there is up to date; gives its Id.
pub(crate) fn enrol(state: &mut State, user: &str) -> String {
    let known = state
        .rows("PermissionSetAssignment")
        .find(|(_, row)| row.text("AssigneeId") == user)
        .map(|(_, row)| row.text("PermissionSetId").to_owned());
    let number = state.rows("PermissionSetAssignment").count() as u64 + 1;
    let set = known.clone().unwrap_or_else(|| make("0PS", number));
    let profile = state
        .row(user)
        .map_or(String::new(), |r| r.text("ProfileId").to_owned());
    let mut flags = Map::new();
    for (permission, field) in Permission::fields() {
        flags.insert(field, json!(state.access.of(user).has(permission)));
    }
    let mut values = flags.clone();
    values.extend([
        ("Name".to_owned(), json!(format!("X{set}"))),
        ("Label".to_owned(), json!(set)),
        ("IsOwnedByProfile".to_owned(), json!(true)),
        ("ProfileId".to_owned(), json!(profile)),
    ]);
    state.seed_row("PermissionSet", &set, Value::Object(values));
    state.edit(&profile, |row| {
        for (field, value) in flags {
            row.set(&field, value);
        }
    });
    if known.is_none() {
        state.seed_row(
            "PermissionSetAssignment",
            &make("0Pa", number),
            json!({"AssigneeId": user, "PermissionSetId": set, "IsActive": true}),
        );
    }
    set
}

/// Writes down what a user may do with each object and field.
pub(crate) fn write_down(state: &mut State, user: &str) {
    let set = enrol(state, user);
    for table in super::sight::SETUP {
        let old: Vec<String> = state
            .rows(table)
            .filter(|(_, row)| row.text("ParentId") == set)
            .map(|(id, _)| id.clone())
            .collect();
        for id in old {
            state.put(table, &id, None);
        }
    }
    let before = std::mem::replace(&mut state.running, user.to_owned());
    let (objects, fields) = lines(state, &set);
    state.running = before;
    for (table, prefix, lines) in [
        ("ObjectPermissions", "110", objects),
        ("FieldPermissions", "01k", fields),
    ] {
        for line in lines {
            let id = state.new_id(prefix);
            state.seed_row(table, &id, line);
        }
    }
}

/// The values of the rows of both tables for the running user; what is not seen has no row.
fn lines(state: &State, set: &str) -> (Vec<Value>, Vec<Value>) {
    let (mut objects, mut fields) = (Vec::new(), Vec::new());
    // Nobody gives rights to what nobody can write: the org's own tables have no line.
    let has_line = |o: &&Arc<ObjectDef>| o.rights.createable || o.rights.updateable || o.rights.deletable;
    let objects_seen = state.schema.objects().filter(|o| state.sees_object(o));
    for object in objects_seen.filter(has_line) {
        let (mut given, may) = (state.on_object(object), &object.rights);
        given.create &= may.createable;
        given.edit &= may.updateable;
        given.delete &= may.deletable;
        objects.push(json!({"ParentId": set, "SobjectType": object.name, "PermissionsRead": given.read,
            "PermissionsCreate": given.create, "PermissionsEdit": given.edit, "PermissionsDelete": given.delete,
            "PermissionsViewAllRecords": given.view_all || state.may(Permission::ViewAllData),
            "PermissionsModifyAllRecords": given.modify_all || state.may(Permission::ModifyAllData)}));
        let secured = |f: &&Field| f.permissionable() && state.sees_field(object, f);
        for field in object.fields.iter().filter(secured) {
            fields.push(json!({"ParentId": set, "SobjectType": object.name,
                "Field": format!("{}.{}", object.name, field.name), "PermissionsRead": true,
                "PermissionsEdit": field.updateable && state.writes_field(object, field)}));
        }
    }
    (objects, fields)
}
