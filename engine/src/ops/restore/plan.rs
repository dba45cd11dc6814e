//! A restore plan: the operations in the order in which they are carried out, and what is left out and why.
//!
//! Key decision: values stay the JSON text that they are stored as, so that no number passes through a float.
//! A plan knows old Ids only; the new ones arise when it is applied. It is not bound to a vault.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::ops::restore::packed::{Packed, Texts};

/// The `format` of every plan's header.
pub const FORMAT: &str = "halite restore plan";
/// The `version` of the plans that this build writes; it reads those from 1 on.
pub const VERSION: u32 = 2;

/// What to bring back, what to leave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Everything that differs.
    #[default]
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
    /// The org that is written to, if it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What was chosen, for people; empty for everything.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub choice: String,
    /// A text field, an external Id, in which what is created carries the Id that it had; used where the sObject has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
    /// Write over what changed since the plan was made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overwrite: bool,
    /// When the plan was made that this one undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// Calls that it should cost.
    #[serde(default)]
    pub calls: u64,
}

impl Default for Header {
    /// The header of a plan of this build that says nothing yet.
    fn default() -> Self {
        Self {
            format: FORMAT.into(),
            version: VERSION,
            org: String::new(),
            at: String::new(),
            at_time: String::new(),
            now: String::new(),
            mode: Mode::All,
            created: String::new(),
            to: None,
            choice: String::new(),
            marker: None,
            overwrite: false,
            undoes: None,
            calls: 0,
        }
    }
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
    /// Delete it; only in an inverse plan, or where a person wrote it.
    Delete,
}

impl Action {
    /// Whether the record is there afterwards that was not before.
    pub fn brings_back(self) -> bool {
        matches!(self, Self::Undelete | Self::Create)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Undelete => "undelete",
            Self::Create => "create",
            Self::Edit => "edit",
            Self::Delete => "delete",
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

/// A record that the org makes by itself together with another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Born {
    /// The sObject of the other one.
    pub sobject: String,
    /// Its old Id; an operation before this one creates it.
    #[serde(with = "id_text")]
    pub of: RecordId,
    /// Its field that names the record, for instance `ContentDocumentId`.
    pub field: String,
}

/// The bytes that are created with a record; they are read from the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileBody {
    /// The base64 field, for instance `VersionData`.
    pub field: String,
    /// Bytes.
    pub bytes: u64,
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
    #[serde(default, skip_serializing_if = "Packed::is_empty")]
    pub fields: Packed,
    /// The values that the fields of an edit have now; another value in the org is a conflict.
    #[serde(default, skip_serializing_if = "Packed::is_empty")]
    pub before: Packed,
    /// Which fields point at records that the plan brings back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
    /// On a create: it was purged, and nothing but this brings it back: nobody looks whether it is there again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// On a create: fields by whose values a row that the org made by itself is found; it is edited, not made twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub find: Vec<String>,
    /// On a create: it is not created, the org makes it with another record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub born: Option<Born>,
    /// On a create: its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<FileBody>,
    /// Why, for people.
    pub reason: String,
}

/// A record of the plan's org and the one that stands for it in the org that is written to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapped {
    /// Their sObject.
    pub sobject: String,
    /// The old Id.
    #[serde(with = "id_text")]
    pub from: RecordId,
    /// The Id that is written in its place.
    #[serde(with = "id_text")]
    pub to: RecordId,
    /// How they were matched, for people: `DeveloperName Wholesale`.
    pub by: String,
}

/// What will probably be refused, or happen besides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warning {
    /// The sObject that it is about.
    pub sobject: String,
    /// The operations that it is about; none for all of the sObject.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<u32>,
    /// What.
    pub what: String,
    /// What to do.
    pub remedy: String,
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
    /// Which record of the org that is written to stands for which.
    pub maps: Vec<Mapped>,
    /// What to expect.
    pub warnings: Vec<Warning>,
    /// The values of the operations.
    pub(super) texts: Texts,
}

impl Plan {
    /// A plan without a line.
    pub fn new(header: Header) -> Self {
        Self {
            header,
            operations: Vec::new(),
            newer: Vec::new(),
            impossible: Vec::new(),
            maps: Vec::new(),
            warnings: Vec::new(),
            texts: Texts::default(),
        }
    }

    /// Adds an operation; its values lie with those of the others, beyond memory where they are many.
    ///
    /// # Errors
    /// `Io` if a temporary file cannot be written.
    pub fn push(&mut self, mut op: Operation) -> Result<()> {
        self.texts.take_in([&mut op.fields, &mut op.before])?;
        op.references.shrink_to_fit();
        self.operations.push(op);
        Ok(())
    }

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
