//! One field: its type, limits, rights and what it points at.
//!
//! Key decision: flags that the type decides (filterable, sortable, soap type) are functions, flags that
//! the definition decides are data; nothing is stored twice.
//! Source: Object Reference, "Field Types", and REST API guide, "sObject Describe".
//! Not here: checking a value against a field (`write::coerce`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::formula::Formula;

/// Field type, by the names of the describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Id,
    Reference,
    String,
    TextArea,
    Picklist,
    MultiPicklist,
    Combobox,
    Boolean,
    Int,
    Double,
    Currency,
    Percent,
    Date,
    DateTime,
    Time,
    Email,
    Phone,
    Url,
    Base64,
    Address,
    Location,
    Encrypted,
    AnyType,
}

impl Kind {
    /// All kinds with the name the describe uses and the SOAP type.
    const NAMES: &'static [(Kind, &'static str, &'static str)] = &[
        (Kind::Id, "id", "tns:ID"),
        (Kind::Reference, "reference", "tns:ID"),
        (Kind::String, "string", "xsd:string"),
        (Kind::TextArea, "textarea", "xsd:string"),
        (Kind::Picklist, "picklist", "xsd:string"),
        (Kind::MultiPicklist, "multipicklist", "xsd:string"),
        (Kind::Combobox, "combobox", "xsd:string"),
        (Kind::Boolean, "boolean", "xsd:boolean"),
        (Kind::Int, "int", "xsd:int"),
        (Kind::Double, "double", "xsd:double"),
        (Kind::Currency, "currency", "xsd:double"),
        (Kind::Percent, "percent", "xsd:double"),
        (Kind::Date, "date", "xsd:date"),
        (Kind::DateTime, "datetime", "xsd:dateTime"),
        (Kind::Time, "time", "xsd:time"),
        (Kind::Email, "email", "xsd:string"),
        (Kind::Phone, "phone", "xsd:string"),
        (Kind::Url, "url", "xsd:string"),
        (Kind::Base64, "base64", "xsd:base64Binary"),
        (Kind::Address, "address", "urn:address"),
        (Kind::Location, "location", "urn:location"),
        (Kind::Encrypted, "encryptedstring", "xsd:string"),
        (Kind::AnyType, "anyType", "xsd:anyType"),
    ];

    /// The describe's `type`.
    pub fn name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(k, ..)| *k == self)
            .map_or("anyType", |(_, n, _)| n)
    }

    /// The describe's `soapType`.
    pub fn soap(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(k, ..)| *k == self)
            .map_or("xsd:anyType", |(.., s)| s)
    }

    /// The kind of a describe's `type`; unknown ones are `AnyType`.
    pub fn named(name: &str) -> Kind {
        Self::NAMES
            .iter()
            .find(|(_, n, _)| *n == name)
            .map_or(Kind::AnyType, |(k, ..)| *k)
    }

    /// Values are text (length limited, trimmed, compared without regard to case).
    pub fn is_text(self) -> bool {
        use Kind::{
            AnyType, Combobox, Email, Encrypted, MultiPicklist, Phone, Picklist, String, TextArea, Url,
        };
        matches!(
            self,
            String
                | TextArea
                | Picklist
                | MultiPicklist
                | Combobox
                | Email
                | Phone
                | Url
                | Encrypted
                | AnyType
        )
    }

    /// Values are JSON numbers with decimals.
    pub fn is_decimal(self) -> bool {
        matches!(self, Kind::Double | Kind::Currency | Kind::Percent)
    }

    /// Read-only sum of other fields.
    pub fn is_compound(self) -> bool {
        matches!(self, Kind::Address | Kind::Location)
    }
}

/// What deleting the row that a reference points at does to the row that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum OnDelete {
    /// The reference is emptied.
    #[default]
    SetNull,
    /// The holder is deleted too.
    Cascade,
    /// The delete is refused.
    Restrict,
}

/// A picklist entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Choice {
    pub value: String,
    pub active: bool,
    pub default: bool,
}

/// A roll-up summary over a child object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Rollup {
    /// Child object.
    pub child: String,
    /// Its reference to this object.
    pub key: String,
    /// Field summed up; `None` for COUNT.
    pub of: Option<String>,
    /// `count`, `sum`, `min`, `max`.
    pub operation: String,
}

/// One field of an object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Field {
    pub name: String,
    pub label: String,
    pub kind: Kind,
    pub length: u32,
    pub precision: u32,
    pub scale: u32,
    pub createable: bool,
    pub updateable: bool,
    pub nillable: bool,
    pub defaulted: bool,
    pub calculated: bool,
    /// Display format of an auto number, e.g. `INV-{0000}`.
    pub auto_number: Option<String>,
    pub unique: bool,
    pub external_id: bool,
    pub case_sensitive: bool,
    pub name_field: bool,
    /// An upsert may name a row by it, though it is no external Id.
    pub lookup_key: bool,
    pub html: bool,
    pub restricted: bool,
    pub reference_to: Vec<String>,
    /// Name of the way up (`Account`, `Parent__r`).
    pub relationship: Option<String>,
    /// Name of the way down (`Contacts`).
    pub children: Option<String>,
    pub on_delete: OnDelete,
    /// 0 for the first master, 1 for the second, `None` for a lookup.
    pub order: Option<u8>,
    pub choices: Vec<Choice>,
    /// Compound field that this one is a part of.
    pub compound: Option<String>,
    pub default: Option<Value>,
    /// Parsed from `formula_text`.
    #[serde(skip)]
    pub formula: Option<Formula>,
    pub formula_text: Option<String>,
    pub rollup: Option<Rollup>,
    /// The entry of a recorded describe, sent back as it is.
    pub recorded: Option<Map<String, Value>>,
}

impl Field {
    /// A plain field that may be read, written and left empty.
    pub fn new(name: &str, kind: Kind) -> Self {
        let boolean = kind == Kind::Boolean;
        Self {
            name: name.to_owned(),
            label: label_of(name),
            kind,
            length: default_length(kind),
            precision: 0,
            scale: 0,
            createable: !kind.is_compound(),
            updateable: !kind.is_compound(),
            nillable: !boolean,
            defaulted: boolean,
            calculated: false,
            auto_number: None,
            unique: false,
            external_id: false,
            case_sensitive: false,
            name_field: false,
            lookup_key: false,
            html: false,
            restricted: false,
            reference_to: Vec::new(),
            relationship: None,
            children: None,
            on_delete: OnDelete::SetNull,
            order: None,
            choices: Vec::new(),
            compound: None,
            default: None,
            formula: None,
            formula_text: None,
            rollup: None,
            recorded: None,
        }
    }

    /// A system field: set by the org, never written by clients.
    pub fn system(name: &str, kind: Kind) -> Self {
        Self {
            createable: false,
            updateable: false,
            nillable: false,
            defaulted: true,
            ..Self::new(name, kind)
        }
    }

    /// A reference with the given targets.
    pub fn reference(name: &str, targets: &[&str], relationship: &str) -> Self {
        Self {
            reference_to: targets.iter().map(|t| (*t).to_owned()).collect(),
            relationship: Some(relationship.to_owned()),
            ..Self::new(name, Kind::Reference)
        }
    }

    /// Made by the user, not by Salesforce.
    pub fn custom(&self) -> bool {
        ["__c", "__s", "__pc"].iter().any(|end| self.name.ends_with(end))
    }

    /// May stand in WHERE.
    pub fn filterable(&self) -> bool {
        if let Some(known) = self.recorded_flag("filterable") {
            return known;
        }
        match self.kind {
            Kind::TextArea => self.length <= 255,
            Kind::Base64 | Kind::Encrypted | Kind::AnyType => false,
            _ => true,
        }
    }

    /// May stand in ORDER BY.
    pub fn sortable(&self) -> bool {
        if let Some(known) = self.recorded_flag("sortable") {
            return known;
        }
        self.filterable() && !matches!(self.kind, Kind::MultiPicklist | Kind::Address | Kind::Location)
    }

    /// May stand in GROUP BY.
    pub fn groupable(&self) -> bool {
        if let Some(known) = self.recorded_flag("groupable") {
            return known;
        }
        let fine = self.kind.is_decimal() || matches!(self.kind, Kind::DateTime | Kind::Time);
        self.sortable() && !fine
    }

    fn recorded_flag(&self, name: &str) -> Option<bool> {
        self.recorded
            .as_ref()
            .and_then(|r| r.get(name))
            .and_then(Value::as_bool)
    }

    /// Must be given on create.
    pub fn required(&self) -> bool {
        self.createable && !self.nillable && !self.defaulted
    }

    /// Field-level security applies to it.
    pub fn permissionable(&self) -> bool {
        if let Some(known) = self.recorded_flag("permissionable") {
            return known;
        }
        let checkbox = self.kind == Kind::Boolean && self.custom();
        self.kind != Kind::Id && (self.nillable && self.createable || self.calculated || checkbox)
    }

    /// May name the row in an upsert.
    pub fn id_lookup(&self) -> bool {
        self.kind == Kind::Id || self.external_id || self.lookup_key
    }

    /// Points at several kinds of objects.
    pub fn polymorphic(&self) -> bool {
        self.reference_to.len() > 1
    }
}

fn default_length(kind: Kind) -> u32 {
    match kind {
        Kind::Id | Kind::Reference => 18,
        Kind::String | Kind::TextArea | Kind::Picklist | Kind::Url | Kind::Combobox => 255,
        Kind::MultiPicklist => 4099,
        Kind::Email => 80,
        Kind::Phone => 40,
        Kind::Encrypted => 175,
        Kind::AnyType => 4000,
        _ => 0,
    }
}

/// A label out of an API name: `BillingCity` becomes `Billing City`, `Fund_Size__c` `Fund Size`.
pub(crate) fn label_of(name: &str) -> String {
    let base = name
        .split("__")
        .find(|s| s.len() > 1)
        .unwrap_or(name)
        .replace('_', " ");
    let mut label = String::with_capacity(base.len() + 4);
    let mut before = ' ';
    for c in base.chars() {
        if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
            label.push(' ');
        }
        label.push(c);
        before = c;
    }
    label
}
