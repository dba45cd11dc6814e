//! A describe as the org gives it, cut down to what a store and a restore need to know of an sObject.
//!
//! Key decision: unknown keys are ignored and absent flags read as false, since a describe never has one fixed
//! set of keys; the text itself is kept verbatim in the vault. It is not validated against the data.

use serde::Deserialize;

use crate::base::error::{Error, Result};

/// One sObject's schema (REST API guide, "sObject Describe").
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Describe {
    /// API name, for instance `Account`.
    pub name: String,
    /// The fields that the running user may see.
    pub fields: Vec<Field>,
    /// First three characters of its Ids.
    #[serde(default)]
    pub key_prefix: Option<String>,
    /// SELECT allowed.
    #[serde(default)]
    pub queryable: bool,
    /// Rows may be created by the user.
    #[serde(default)]
    pub createable: bool,
    /// Rows may be edited by the user.
    #[serde(default)]
    pub updateable: bool,
    /// Rows may be deleted by the user.
    #[serde(default)]
    pub deletable: bool,
    /// Rows may be brought back from the recycle bin.
    #[serde(default)]
    pub undeletable: bool,
    /// A custom setting.
    #[serde(default)]
    pub custom_setting: bool,
}

/// One field.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Field {
    /// API name.
    pub name: String,
    /// How values are read and written.
    #[serde(rename = "type")]
    pub kind: FieldKind,
    /// May stand in an insert.
    #[serde(default)]
    pub createable: bool,
    /// May stand in an update.
    #[serde(default)]
    pub updateable: bool,
    /// Formula or roll-up.
    #[serde(default)]
    pub calculated: bool,
    /// May be null.
    #[serde(default)]
    pub nillable: bool,
    /// Gets a value on create when none is given.
    #[serde(default)]
    pub defaulted_on_create: bool,
    /// Number given out by the org.
    #[serde(default)]
    pub auto_number: bool,
    /// May stand in WHERE.
    #[serde(default)]
    pub filterable: bool,
    /// Values are shown masked to users without the right.
    #[serde(default)]
    pub encrypted: bool,
    /// The sObjects a reference may point at; more than one means polymorphic.
    #[serde(default)]
    pub reference_to: Vec<String>,
    /// 0 primary, 1 secondary master-detail; absent for lookups.
    #[serde(default)]
    pub relationship_order: Option<u32>,
    /// The parent's delete takes the row along.
    #[serde(default)]
    pub cascade_delete: bool,
    /// What people call the row.
    #[serde(default)]
    pub name_field: bool,
    /// Unique.
    #[serde(default)]
    pub unique: bool,
    /// May serve as upsert key.
    #[serde(default)]
    pub external_id: bool,
    /// The compound field that it is a part of.
    #[serde(default)]
    pub compound_field_name: Option<String>,
}

/// The type of a field: what decides how its values are read (REST API guide, "Field Types").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum FieldKind {
    /// `id` and `reference`: 18 characters.
    Id,
    /// Text of any kind: string, picklist, textarea, email, phone, url, encryptedstring and the like.
    Text,
    /// true or false.
    Boolean,
    /// `int`, `long`, `double`, `currency`, `percent`: a decimal, never a float.
    Number,
    /// `YYYY-MM-DD`.
    Date,
    /// An instant.
    DateTime,
    /// `HH:MM:SS.sssZ`.
    Time,
    /// The body of a file.
    Base64,
    /// `address` and `location`: compound duplicates of other fields.
    Compound,
    /// `anyType`, `json`, `complexvalue` and types unknown to this build: kept by their text.
    Any,
}

impl From<String> for FieldKind {
    fn from(name: String) -> Self {
        match name.as_str() {
            "id" | "reference" | "masterrecord" => Self::Id,
            "string"
            | "textarea"
            | "picklist"
            | "multipicklist"
            | "combobox"
            | "email"
            | "phone"
            | "url"
            | "encryptedstring"
            | "datacategorygroupreference" => Self::Text,
            "boolean" => Self::Boolean,
            "int" | "long" | "double" | "currency" | "percent" | "byte" => Self::Number,
            "date" => Self::Date,
            "datetime" => Self::DateTime,
            "time" => Self::Time,
            "base64" => Self::Base64,
            "address" | "location" => Self::Compound,
            _ => Self::Any,
        }
    }
}

impl Describe {
    /// Reads a describe as the REST API answers it.
    ///
    /// # Errors
    /// `Invalid` if the text is not a describe, naming line and column.
    pub fn parse(json: &[u8]) -> Result<Self> {
        let describe: Describe = serde_json::from_slice(json).map_err(|e| {
            Error::invalid(format!("not a describe: {e}"))
                .hint("a describe is a JSON object with `name` and `fields`")
        })?;
        if !describe.fields.iter().any(|f| f.name == "Id") {
            return Err(Error::invalid(format!(
                "the describe of {} has no field Id",
                describe.name
            )));
        }
        Ok(describe)
    }

    /// The field of that name, compared as the API does: without regard to case.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name.eq_ignore_ascii_case(name))
    }
}

impl Field {
    /// Whether a null is refused on create.
    pub fn required(&self) -> bool {
        self.createable && !self.nillable && !self.defaulted_on_create
    }

    /// Whether it names another record.
    pub fn is_reference(&self) -> bool {
        !self.reference_to.is_empty()
    }
}
