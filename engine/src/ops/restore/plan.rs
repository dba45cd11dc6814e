//! A restore plan: the operations in the order in which they are carried out, and what is left out and why.
//!
//! Key decision: values stay the JSON text that they are stored as, so that no number passes through a float.
//! A plan knows old Ids only; the new ones arise when it is applied. It is not bound to a vault.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::id::RecordId;
use crate::ops::restore::fields::Values;

/// The `format` of every plan's header.
pub const FORMAT: &str = "halite restore plan";
/// The `version` of the plans that this build reads and writes.
pub const VERSION: u32 = 1;

/// What to bring back, what to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Everything that differs.
    All,
    /// Only records that are there now: edits.
    Existing,
    /// Only records that are gone: undelete and create.
    Deleted,
}

/// What a plan is about; the first line of its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// The org's Id.
    pub org: String,
    /// The snapshot whose state is brought back.
    pub at: String,
    /// The instant of that state.
    pub at_time: String,
    /// The snapshot of the org before the restore.
    pub now: String,
    /// What is brought back.
    pub mode: Mode,
    /// When the plan was made.
    pub created: String,
}

/// What to do with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Bring it back from the recycle bin, then edit what differs.
    Undelete,
    /// Create it anew; it gets another Id.
    Create,
    /// Set fields of a record that is there.
    Edit,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Undelete => "undelete",
            Self::Create => "create",
            Self::Edit => "edit",
        })
    }
}

/// A field that points at a record which an operation before this one brings back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The field.
    pub field: String,
    /// The old Id of the record it points at.
    #[serde(with = "id_text")]
    pub to: RecordId,
}

/// One write.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Its place in the plan, from 1.
    pub number: u32,
    /// Operations of a level need only what the levels before it bring back.
    pub level: u32,
    /// What to do.
    pub action: Action,
    /// The record's sObject.
    pub sobject: String,
    /// The record's Id at the time that is restored.
    #[serde(with = "id_text")]
    pub id: RecordId,
    /// Set only those `fields` that differ once the record is back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compare: bool,
    /// The values to set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: Values,
    /// The values that the fields of an edit have now; another value in the org is a conflict.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub before: Values,
    /// Which fields point at records that the plan brings back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
    /// Why, for people.
    pub reason: String,
}

/// A record that is there now and was not then: it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Newer {
    /// Its sObject.
    pub sobject: String,
    /// Its Id.
    #[serde(with = "id_text")]
    pub id: RecordId,
}

/// A record that cannot be brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Impossible {
    /// Its sObject.
    pub sobject: String,
    /// Its Id.
    #[serde(with = "id_text")]
    pub id: RecordId,
    /// Why, and what would change it.
    pub reason: String,
}

/// A restore, before it is carried out.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What it is about.
    pub header: Header,
    /// The writes, in order.
    pub operations: Vec<Operation>,
    /// Records that are there now and were not then.
    pub newer: Vec<Newer>,
    /// Records that cannot be brought back.
    pub impossible: Vec<Impossible>,
}

impl Plan {
    /// How many operations there are of each sObject and action.
    pub fn counts(&self) -> BTreeMap<(&str, Action), usize> {
        let mut counts = BTreeMap::new();
        for op in &self.operations {
            *counts.entry((op.sobject.as_str(), op.action)).or_default() += 1;
        }
        counts
    }
}

/// An Id as the 18 characters that people know.
pub(super) mod id_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::base::id::RecordId;

    pub fn serialize<S: Serializer>(id: &RecordId, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<RecordId, D::Error> {
        let text = String::deserialize(from)?;
        RecordId::parse(text.as_bytes())
            .ok_or_else(|| D::Error::custom(format!("`{text}` is not a Salesforce Id (15 or 18 characters)")))
    }
}
