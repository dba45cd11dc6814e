//! An org made again out of describes and rows that were read from one: the same Ids, the same values.
//!
//! Key decision: rows are laid down as they are and no rule is asked, since the org that they come from has asked its own;
//! from then on every write goes by the rules. What a describe does not tell (validation rules, triggers, flows, roll-ups)
//! the rebuilt org does not have. Rows of rights are its own: its user may do what the describes say.
//! Source: REST API guide, "sObject Describe", "Valid Date and DateTime Formats".
//! Not here: where describes and rows come from, bytes of files.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::LoadError;
use crate::id::{make, normalise, number};
use crate::org::state::{Life, Row};
use crate::org::values::Values;
use crate::org::{Bin, Org, State, access};
use crate::schema::{Field, Kind, ObjectDef, recorded, standard};

/// Rows that say who may do what.
const RIGHTS: [&str; 5] = [
    "PermissionSet",
    "PermissionSetAssignment",
    "ObjectPermissions",
    "FieldPermissions",
    "UserPermissionAccess",
];

/// An org that is being made again.
pub struct Rebuild {
    state: State,
}

impl Rebuild {
    /// Of the org with this Id, as of now, for the user with this Id, who is behind the API.
    ///
    /// # Errors
    /// What is no Id, or no time.
    pub fn new(org: &str, user: &str, now: &str) -> Result<Self, LoadError> {
        let id = |text: &str| normalise(text).ok_or_else(|| LoadError::Row(format!("{text:?} is no Id")));
        let now: Timestamp = now
            .parse()
            .map_err(|e| LoadError::Row(format!("{now:?} is no time: {e}")))?;
        let mut state = State::new(standard::schema());
        state.clock.set(now);
        state.org_id = id(org)?;
        state.api_user = id(user)?;
        state.ui_user.clone_from(&state.api_user);
        state.running.clone_from(&state.api_user);
        state.settings.auth.app.run_as = Some(state.api_user.clone());
        Ok(Self { state })
    }

    /// Takes the describe of an object.
    ///
    /// # Errors
    /// What is no describe.
    pub fn describe(&mut self, describe: &Value) -> Result<(), LoadError> {
        let object = recorded::object(describe).map_err(LoadError::Describe)?;
        self.state.redefine(object);
        Ok(())
    }

    /// Lays down a row of an object that was described: a JSON object with its Id. Values that are no texts, numbers or
    /// booleans, and those of fields that are computed, are passed over.
    ///
    /// # Errors
    /// What is no row of the object, or there already.
    pub fn row(&mut self, object: &str, row: &str, bin: Bin) -> Result<(), LoadError> {
        if RIGHTS.contains(&object) {
            return Ok(());
        }
        let state = &mut self.state;
        let wrong = |why: String| LoadError::Row(format!("{object}: {why}"));
        let values: Map<String, Value> =
            serde_json::from_str(row).map_err(|e| wrong(format!("a row that is not JSON: {e}")))?;
        let def = state.schema.object(object).cloned();
        let def = def.ok_or_else(|| wrong("it was not described".to_owned()))?;
        let id = values.get("Id").and_then(Value::as_str).and_then(normalise);
        let id = id.ok_or_else(|| wrong("a row without an Id".to_owned()))?;
        if !id.starts_with(&def.key_prefix) {
            return Err(wrong(format!("{id} is no Id of {}", def.key_prefix)));
        }
        if state.row(&id).is_some() {
            return Err(wrong(format!("{id} is there twice")));
        }
        let kept = values
            .into_iter()
            .filter_map(|(name, value)| held(&def, name, value));
        let mut row = Row {
            values: kept.collect::<Values>(),
            life: Life::Live,
            deleted_by: None,
            cleared: Vec::new(),
        };
        row.set("Id", json!(id));
        if bin != Bin::Live {
            state.deletes += 1;
            row.deleted_by = Some((state.deletes, id.clone()));
            row.life = if bin == Bin::InBin {
                Life::Bin
            } else {
                Life::Purged
            };
        }
        state.put(&def.name, &id, Some(row));
        state.journal.clear();
        Ok(())
    }

    /// Takes a row with this Id to be there, unless it is or its object is one of `known`, whose rows were all laid down;
    /// gives the object's name where that was needed.
    pub fn stand_in(&mut self, id: &str, known: &BTreeSet<String>) -> Option<String> {
        let id = normalise(id)?;
        let def = self.state.schema.by_id(&id)?;
        if known.contains(&def.name) || self.state.row(&id).is_some() {
            return None;
        }
        let name = def.name.clone();
        let active = def.has("IsActive");
        let values = if active {
            json!({"IsActive": true})
        } else {
            json!({})
        };
        self.state.seed_row(&name, &id, values);
        Some(name)
    }

    /// The org. Its user, profile and name are made up where no row told them; new Ids are none that are there.
    pub fn finish(self) -> Org {
        let Self { mut state } = self;
        let (org, user) = (state.org_id.clone(), state.api_user.clone());
        if state.row(&org).is_none() {
            let sandbox = state.settings.sandbox;
            state.seed_row(
                "Organization",
                &org,
                json!({"Name": "Rehearsal", "IsSandbox": sandbox}),
            );
        }
        let profile = state.row(&user).map(|row| row.text("ProfileId").to_owned());
        let profile = profile
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| make("00e", 1));
        if state.row(&profile).is_none() {
            state.seed_row(
                "Profile",
                &profile,
                json!({"Name": "Rehearsal", "UserType": "Standard"}),
            );
        }
        if state.row(&user).is_none() {
            let name = "rehearsal@halite.example";
            state.seed_row(
                "User",
                &user,
                json!({"Username": name, "LastName": "Rehearsal", "Name": "Rehearsal", "Email": name,
                    "Alias": "rehears", "IsActive": true, "UserType": "Standard", "ProfileId": profile}),
            );
        }
        state.edit(&user, |row| row.set("IsActive", json!(true)));
        access::enrol(&mut state, &user);
        state.seed_row("UserPermissionAccess", &make("0up", 1), json!({}));
        let numbers: Vec<(String, u64)> = state
            .tables
            .values()
            .flat_map(|table| table.keys())
            .filter_map(|id| Some((id.get(..3)?.to_owned(), number(id)?)))
            .collect();
        for (prefix, number) in numbers {
            let counter = state.counters.entry(prefix).or_default();
            *counter = (*counter).max(number);
        }
        state.journal.clear();
        Org::of(state)
    }
}

/// A value as a row holds it, if it holds it.
fn held(def: &ObjectDef, name: String, value: Value) -> Option<(String, Value)> {
    let field = def.field(&name).filter(|field| field.name == name)?;
    let computed = |field: &Field| {
        field.formula.is_some() || matches!(field.kind, Kind::Base64 | Kind::Address | Kind::Location)
    };
    if name == "IsDeleted" || computed(field) || value.is_null() || value.is_array() || value.is_object() {
        return None;
    }
    let value = match (field.kind, value.as_str().and_then(|text| text.strip_suffix('Z'))) {
        (Kind::DateTime, Some(text)) => json!(format!("{text}+0000")),
        _ => value,
    };
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "005Ha00000000010AA";

    fn rebuild() -> Rebuild {
        let user = normalise(&USER[..15]).unwrap();
        Rebuild::new("00DHa0000000001", &user, "2026-03-01T10:00:00.000Z").unwrap()
    }

    #[test]
    fn rows_keep_their_ids_and_new_ones_get_others() {
        let mut rebuild = rebuild();
        let taken = make("001", 0x1001);
        let row =
            json!({"Id": taken, "Name": "Salt", "CreatedDate": "2026-02-01T10:00:00.000Z", "Nonsense": 1});
        rebuild.row("Account", &row.to_string(), Bin::Live).unwrap();
        let binned = make("003", 7);
        let contact = json!({"Id": binned, "LastName": "Pan", "AccountId": taken});
        rebuild.row("Contact", &contact.to_string(), Bin::InBin).unwrap();
        let org = rebuild.finish();
        assert_eq!(
            org.row(&taken).unwrap()["CreatedDate"],
            "2026-02-01T10:00:00.000+0000"
        );
        let new = org.create("Account", &json!({"Name": "Another"})).unwrap();
        assert_ne!(new, taken);
        assert_eq!(org.row(&taken).unwrap()["Name"], "Salt");
        assert_eq!(org.bin(&binned), Bin::InBin);
        org.undelete(&binned).unwrap();
        assert_eq!(org.bin(&binned), Bin::Live);
    }

    #[test]
    fn what_is_no_row_is_refused() {
        let mut rebuild = rebuild();
        let account = make("001", 1);
        for (object, row) in [
            ("Account", "no".to_owned()),
            ("Account", json!({"Name": "x"}).to_string()),
            ("Contact", json!({"Id": account}).to_string()),
            ("Unknown__c", json!({"Id": account}).to_string()),
        ] {
            assert!(rebuild.row(object, &row, Bin::Live).is_err(), "{object} {row}");
        }
        let row = json!({"Id": account}).to_string();
        rebuild.row("Account", &row, Bin::Live).unwrap();
        assert!(rebuild.row("Account", &row, Bin::Live).is_err());
        assert!(Rebuild::new("nothing", USER, "2026-03-01T10:00:00Z").is_err());
    }

    #[test]
    fn stand_ins_are_made_where_nothing_is_known() {
        let mut rebuild = rebuild();
        let (user, account) = (make("005", 9), make("001", 9));
        let known = BTreeSet::from(["Account".to_owned()]);
        assert_eq!(rebuild.stand_in(&user, &known).as_deref(), Some("User"));
        assert_eq!(rebuild.stand_in(&user, &known), None);
        assert_eq!(rebuild.stand_in(&account, &known), None);
        assert_eq!(rebuild.finish().row(&user).unwrap()["IsActive"], true);
    }
}
