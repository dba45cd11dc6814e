//! A second org with the metadata of a first one and none of its records, as a new sandbox is to its production org.
//!
//! Key decision: made of the first one as it is saved, so that nothing of its metadata can be forgotten; every Id that is
//! kept gets another pod. The counters go on, so that no row of the one ever has the Id of a row of the other.
//! Source: Salesforce Help, "Sandbox Types and Templates" (what a sandbox without data holds; usernames get an ending).
//! Not here: copies with records (`saved`).

use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::{Org, saved};
use crate::id::{checksum, normalise};
use crate::load::LoadError;

/// Objects whose rows are metadata or come with it.
const KEPT: [&str; 16] = [
    "BusinessHours",
    "CurrencyType",
    "FieldPermissions",
    "Group",
    "GroupMember",
    "ObjectPermissions",
    "Organization",
    "PermissionSet",
    "PermissionSetAssignment",
    "Profile",
    "QueueSobject",
    "RecordType",
    "SetupEntityAccess",
    "User",
    "UserPermissionAccess",
    "UserRole",
];
/// What usernames end with.
const ENDING: &str = ".twin";

impl Org {
    /// Another org with the same objects, rules, users and record types, and no business rows. Usernames end with
    /// `.twin`, and nothing has the Id that it has here.
    ///
    /// # Errors
    /// Never in practice: the org reads what it wrote itself.
    pub fn twin(&self) -> Result<Self, LoadError> {
        let mut lines = Vec::new();
        let place = Path::new("a twin");
        saved::write(&self.lock(), &mut lines).map_err(|source| LoadError::Read {
            path: place.to_owned(),
            source,
        })?;
        let mut kept = 0;
        let mut text = String::new();
        for line in String::from_utf8_lossy(&lines).lines() {
            if line.starts_with("{\"file\"") {
                continue;
            }
            let line = if line.starts_with("{\"row\"") {
                let Some(row) = metadata(line) else { continue };
                kept += 1;
                row
            } else if line.starts_with("{\"end\"") {
                json!({ "end": kept }).to_string()
            } else {
                line.to_owned()
            };
            text.push_str(&elsewhere(&line));
            text.push('\n');
        }
        let state = saved::read(io::Cursor::new(text), place)?;
        Ok(Self::of(state))
    }
}

/// The line of a row that belongs to the metadata; none for others.
fn metadata(line: &str) -> Option<String> {
    let mut line: Value = serde_json::from_str(line).ok()?;
    let object = line["row"][0].as_str()?.to_owned();
    let values = &mut line["row"][1]["values"];
    let standard = object == "Pricebook2" && values["IsStandard"] == true;
    if !standard && !object.ends_with("__mdt") && !KEPT.contains(&object.as_str()) {
        return None;
    }
    if let Some(name) = values["Username"].as_str() {
        values["Username"] = json!(format!("{name}{ENDING}"));
    }
    Some(line.to_string())
}

/// A line in which every Id has another pod.
fn elsewhere(line: &str) -> String {
    const POD: &str = "Ha0";
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(POD) {
        let id = at.checked_sub(3).and_then(|from| rest.get(from..from + 18));
        match id.filter(|id| normalise(id).as_deref() == Some(id)) {
            Some(id) => {
                let body = format!("{}Hb0{}", &id[..3], &id[6..15]);
                out.push_str(&rest[..at - 3]);
                out.push_str(&body);
                out.push_str(&checksum(body.as_bytes()));
                rest = &rest[at + 15..];
            }
            None => {
                out.push_str(&rest[..at + POD.len()]);
                rest = &rest[at + POD.len()..];
            }
        }
    }
    out + rest
}
