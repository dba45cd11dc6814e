//! Person accounts: one person in two rows, an Account and its reserved Contact.
//!
//! Key decision: both rows hold the person's fields, and a save of either writes them onto the other in the
//! same transaction, so that every query reads plain rows. An edit of one half runs no rule and no
//! automation for the other.
//! Source: SOAP API guide, "Person Account Record Types"; Object Reference, "Account", "Contact". The wording
//! of the refusals is ours.
//! Not here: the fields (`schema::person`). Business accounts do not become persons, nor back.

use serde_json::json;

use super::save::{missing, touch};
use crate::error::ApiError;
use crate::org::State;
use crate::org::state::Row;
use crate::schema::ObjectDef;
use crate::schema::person::{FLAG, enabled, on_contact, pairs};

/// Whether a row is half of a person.
pub(crate) fn is(row: &Row) -> bool {
    row.values.flag(FLAG) == Some(true)
}

pub(super) fn refused(message: &str) -> ApiError {
    ApiError::new("INVALID_PERSON_ACCOUNT_OPERATION", message)
}

fn person_type(state: &State, id: &str) -> bool {
    let row = state.row(id);
    row.is_some_and(|r| r.values.flag("IsPersonType") == Some(true))
}

/// Decides whether an account about to be saved is a person, and gives a person its name.
pub(crate) fn before(
    state: &State,
    def: &ObjectDef,
    row: &mut Row,
    old: Option<&Row>,
) -> Result<(), ApiError> {
    if def.name != "Account" || !def.has(FLAG) {
        return Ok(());
    }
    if old.is_none() && !row.values.contains_key("RecordTypeId") && !row.text("LastName").is_empty() {
        let types = state.rows("RecordType").map(|(id, _)| id);
        if let Some(id) = types.into_iter().find(|id| person_type(state, id)) {
            row.set("RecordTypeId", json!(id));
        }
    }
    let person = person_type(state, row.text("RecordTypeId"));
    if old.is_some_and(|old| is(old) != person) {
        return Err(refused("an account does not change between business and person"));
    }
    row.set(FLAG, json!(person));
    misplaced(def, person, row, old)?;
    let parent = row.text("ParentId");
    if !parent.is_empty() && (person || state.row(parent).is_some_and(is)) {
        return Err(refused("a person account has no parent account and is none").on("ParentId"));
    }
    if person {
        if row.text("LastName").is_empty() {
            return Err(missing(&["LastName"]));
        }
        row.set("Name", json!(full_name(row)));
    }
    Ok(())
}

fn full_name(row: &Row) -> String {
    let parts = [row.text("FirstName"), row.text("LastName")];
    let given: Vec<&str> = parts.into_iter().filter(|p| !p.is_empty()).collect();
    given.join(" ")
}

/// Refuses the name of a person, and a person's fields on a business.
fn misplaced(def: &ObjectDef, person: bool, row: &Row, old: Option<&Row>) -> Result<(), ApiError> {
    let wrong = def.fields.iter().map(|f| f.name.as_str()).filter(|name| {
        let of_a_person = on_contact(name).is_some() && *name != "PersonContactId";
        let now = row.values.get(name).filter(|v| *v != json!(false));
        let then = old.and_then(|o| o.values.get(name));
        let given = now.is_some() && now != then;
        given && if person { *name == "Name" } else { of_a_person }
    });
    let wrong: Vec<&str> = wrong.collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let list = wrong.join(", ");
    let message = format!("Account: bad field names on insert/update call: {list}");
    let mut e = ApiError::new("INVALID_FIELD_FOR_INSERT_UPDATE", message);
    e.fields = wrong.into_iter().map(str::to_owned).collect();
    Err(e)
}

/// Refuses a contact beside a person's own, and one that leaves its person.
pub(crate) fn check(state: &State, def: &ObjectDef, row: &Row, old: Option<&Row>) -> Result<(), ApiError> {
    if def.name != "Contact" || !enabled(&state.schema) {
        return Ok(());
    }
    let account = row.text("AccountId");
    if is(row) {
        return match old {
            Some(old) if old.text("AccountId") != account => {
                Err(refused("a person's contact stays with its account").on("AccountId"))
            }
            _ => Ok(()),
        };
    }
    if state.row(account).is_some_and(is) {
        return Err(refused("a person account has no other contacts").on("AccountId"));
    }
    Ok(())
}

/// Refuses the delete of a person's contact alone.
pub(crate) fn deletable(def: &ObjectDef, row: &Row) -> Result<(), ApiError> {
    if def.name == "Contact" && is(row) {
        return Err(refused("a person's contact is deleted with its account only"));
    }
    Ok(())
}

/// Makes a new person's contact, or writes what was saved of one half onto the other.
pub(crate) fn after(
    state: &mut State,
    def: &ObjectDef,
    row: &Row,
    old: Option<&Row>,
    user: &str,
) -> Result<(), ApiError> {
    if !matches!(def.name.as_str(), "Account" | "Contact") || !is(row) {
        return Ok(());
    }
    let (Some(account), Some(contact)) = (
        state.schema.object("Account").cloned(),
        state.schema.object("Contact").cloned(),
    ) else {
        return Ok(());
    };
    let pairs = pairs(&account, &contact);
    let (id, from_account) = (row.text("Id").to_owned(), def.name == "Account");
    match old {
        None if from_account => {
            let mut values = json!({"AccountId": id, FLAG: true});
            for (on_account, on_contact) in &pairs {
                if let Some(value) = row.values.get(on_account) {
                    values[on_contact] = value.clone();
                }
            }
            values["OwnerId"] = row.values.get("OwnerId").unwrap_or_default();
            let made = state.as_system(|s| super::create_loaded(s, "Contact", &values, user))?;
            state.edit(&id, |row| row.set("PersonContactId", json!(made)));
        }
        None => {}
        Some(old) => {
            let (other, def) = if from_account {
                (row.text("PersonContactId").to_owned(), &contact)
            } else {
                (row.text("AccountId").to_owned(), &account)
            };
            let named = |(a, c): &(String, String)| {
                let (mine, theirs) = if from_account { (a, c) } else { (c, a) };
                (mine.clone(), theirs.clone())
            };
            let changed: Vec<(String, String)> = pairs.iter().map(named).collect();
            let changed = changed
                .iter()
                .filter(|(mine, _)| row.values.get(mine) != old.values.get(mine));
            let changed: Vec<_> = changed.collect();
            let stamp = json!(state.stamp());
            state.edit(&other, |half| {
                for (mine, theirs) in changed {
                    half.set(theirs, row.values.get(mine).unwrap_or_default());
                }
                half.set("Name", json!(full_name(half)));
                touch(def, half, &stamp, user);
            });
        }
    }
    Ok(())
}
