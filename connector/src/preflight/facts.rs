//! The facts that rights are judged by: what the user may, what he sees, and what others may.
//!
//! Key decision: a question that the org refuses is noted as not looked at, and never taken for a right or the lack of one;
//! describes are asked for many in a call. It judges nothing.

use std::collections::{BTreeMap, BTreeSet};

use halite_engine::base::error::{Kind, Result};
use halite_engine::format::describe::Describe;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Preflight, rights};
use crate::asks;
use crate::error::Fault;
use crate::query;
use crate::query::soql;
use crate::rest::Rest;
use crate::retry::{Caller, Session};

/// System permissions that are asked about, by the names of their fields.
const ASKED: [&str; 7] = [
    "ViewAllData",
    "QueryAllFiles",
    "ViewEncryptedData",
    "ModifyAllData",
    "CreateAuditFields",
    "UpdateWithInactiveOwner",
    "ViewSetup",
];
/// Whose rights the user's are held against.
const ADMIN: &str = "ParentId IN (SELECT Id FROM PermissionSet WHERE PermissionsModifyAllData = true) AND PermissionsRead = true";
/// Rows of rights that are taken.
const ROWS_MAX: usize = 500_000;

/// What somebody may do with an object.
#[derive(Debug, Default)]
pub struct Given {
    /// Create rows.
    pub create: bool,
    /// Edit rows.
    pub edit: bool,
    /// The fields that somebody sees, and whether he may edit them.
    pub fields: BTreeMap<String, bool>,
}

/// What is known.
pub struct Facts {
    /// The user's system permissions, as far as the org has and tells them.
    system: BTreeMap<String, bool>,
    /// Every sObject that the user sees.
    pub listed: BTreeSet<String>,
    /// Describes of those that can be read.
    pub describes: BTreeMap<String, Describe>,
    /// What others may.
    pub objects: BTreeMap<String, Given>,
}

impl Facts {
    /// Asks everything; none where the API is closed to the user, which is noted.
    pub fn ask<S: Session>(
        caller: &mut Caller<S>,
        rest: &Rest,
        found: &mut Preflight,
    ) -> Result<Option<Self>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Organization {
            organization_type: Option<String>,
        }
        match query::small(caller, rest, "SELECT Id, OrganizationType FROM Organization") {
            Ok(rows) => {
                let read = |row: &Vec<u8>| serde_json::from_slice::<Organization>(row).ok();
                found.edition = rows.first().and_then(read).and_then(|o| o.organization_type);
            }
            Err(fault) if fault.has("API_DISABLED_FOR_ORG") => {
                found.missing.push(rights::api(None));
                return Ok(None);
            }
            Err(fault) => unless_of_run(fault, "the org's edition", found)?,
        }
        let mut facts = Self {
            system: BTreeMap::new(),
            listed: BTreeSet::new(),
            describes: BTreeMap::new(),
            objects: BTreeMap::new(),
        };
        facts.ask_system(caller, rest, found)?;
        facts.ask_describes(caller, rest, found)?;
        if facts.right("ViewSetup") != Some(false) {
            facts.ask_others(caller, rest, found)?;
        }
        Ok(Some(facts))
    }

    /// Whether the user has a system permission; none where the org does not tell.
    pub fn right(&self, name: &str) -> Option<bool> {
        self.system.get(name).copied()
    }

    /// Whether the org has files.
    pub fn has_files(&self) -> bool {
        self.listed.contains("ContentVersion")
    }

    /// The first field whose values may come masked.
    pub fn masked(&self) -> Option<String> {
        self.describes.values().find_map(|describe| {
            let field = describe.fields.iter().find(|field| field.encrypted)?;
            Some(format!("{}.{}", describe.name, field.name))
        })
    }

    /// A field that the org does not know fails a whole query, so that the describe is asked first.
    fn ask_system<S: Session>(
        &mut self,
        caller: &mut Caller<S>,
        rest: &Rest,
        found: &mut Preflight,
    ) -> Result<()> {
        let what = "system permissions";
        let mut described = None;
        asks::describes(caller, rest, &["UserPermissionAccess"], &mut |_, answer| {
            described = answer.ok().and_then(|bytes| Describe::parse(&bytes).ok());
            Ok(())
        })?;
        let knows = |name: &&str| {
            let field = format!("Permissions{name}");
            described
                .as_ref()
                .is_some_and(|describe| describe.field(&field).is_some())
        };
        let names: Vec<&str> = ASKED.into_iter().filter(knows).collect();
        if names.is_empty() {
            found
                .unchecked
                .push(format!("{what}: the org does not show UserPermissionAccess"));
            return Ok(());
        }
        let list: Vec<String> = names.iter().map(|name| format!("Permissions{name}")).collect();
        let text = format!("SELECT {} FROM UserPermissionAccess", list.join(", "));
        match query::small(caller, rest, &text) {
            Ok(rows) => {
                let row = rows.first().map_or(&b"{}"[..], |row| row);
                let row: BTreeMap<String, serde_json::Value> =
                    serde_json::from_slice(row).unwrap_or_default();
                for name in names {
                    let value = row
                        .get(&format!("Permissions{name}"))
                        .and_then(serde_json::Value::as_bool);
                    self.system.extend(value.map(|value| (name.to_owned(), value)));
                }
            }
            Err(fault) => unless_of_run(fault, what, found)?,
        }
        Ok(())
    }

    fn ask_describes<S: Session>(
        &mut self,
        caller: &mut Caller<S>,
        rest: &Rest,
        found: &mut Preflight,
    ) -> Result<()> {
        let listed = rest.sobjects(caller)?;
        self.listed = listed.iter().map(|one| one.info.name.clone()).collect();
        let readable = listed.iter().filter(|one| one.info.unreadable.is_none());
        let names: Vec<&str> = readable.map(|one| one.info.name.as_str()).collect();
        asks::describes(caller, rest, &names, &mut |at, answer| {
            match answer.and_then(|bytes| Describe::parse(&bytes)) {
                Ok(describe) => {
                    self.describes.insert(names[at].to_owned(), describe);
                }
                Err(error) => found
                    .unchecked
                    .push(format!("{}: {}", names[at], error.message())),
            }
            Ok(())
        })?;
        found.sobjects = self.describes.len();
        found.fields = self
            .describes
            .values()
            .map(|describe| describe.fields.len())
            .sum();
        Ok(())
    }

    /// What sets of rights with Modify All Data may.
    fn ask_others<S: Session>(
        &mut self,
        caller: &mut Caller<S>,
        rest: &Rest,
        found: &mut Preflight,
    ) -> Result<()> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Object {
            sobject_type: String,
            permissions_create: bool,
            permissions_edit: bool,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Field {
            sobject_type: String,
            field: String,
            permissions_edit: bool,
        }
        let of_objects = format!(
            "SELECT Id, SobjectType, PermissionsCreate, PermissionsEdit FROM ObjectPermissions WHERE {ADMIN} ORDER BY Id"
        );
        let objects = &mut self.objects;
        let answer = rows(caller, rest, &of_objects, &mut |row: Object| {
            let given: &mut Given = objects.entry(row.sobject_type).or_default();
            given.create |= row.permissions_create;
            given.edit |= row.permissions_edit;
        });
        let of_fields = format!(
            "SELECT Id, SobjectType, Field, PermissionsEdit FROM FieldPermissions WHERE {ADMIN} ORDER BY Id"
        );
        let answer = answer.and_then(|()| {
            rows(caller, rest, &of_fields, &mut |row: Field| {
                if let (Some(given), Some((_, name))) =
                    (objects.get_mut(&row.sobject_type), row.field.split_once('.'))
                {
                    *given.fields.entry(name.to_owned()).or_default() |= row.permissions_edit;
                }
            })
        });
        if let Err(fault) = answer {
            unless_of_run(fault, "objects and fields that are hidden from the user", found)?;
        }
        Ok(())
    }
}

/// Every row of a query, one at a time.
fn rows<S: Session, T: DeserializeOwned>(
    caller: &mut Caller<S>,
    rest: &Rest,
    text: &str,
    each: &mut dyn FnMut(T),
) -> Result<(), Fault> {
    let path = soql::path(&rest.path("/query"), text);
    let mut count = 0;
    query::cursor(caller, rest, &path, &mut |_, page| {
        count += page.len();
        if count > ROWS_MAX {
            return Err(Fault::doubt(
                Kind::Quota,
                format!("more than {ROWS_MAX} rows of rights"),
            ));
        }
        for row in page.rows() {
            let row = serde_json::from_slice(row)
                .map_err(|e| Fault::unreadable(format!("a row of rights that does not parse: {e}")))?;
            each(row);
        }
        Ok(())
    })
    .map(drop)
}

/// Notes that something could not be looked at; what is about the run is an error.
fn unless_of_run(fault: Fault, what: &str, found: &mut Preflight) -> Result<()> {
    if fault.is_of_run() {
        return Err(fault.into());
    }
    tracing::info!(%fault, what, "the org does not say");
    found.unchecked.push(format!("{what}: {fault}"));
    Ok(())
}
