//! The exact list of fields that a record was read with, and what each of them is to the store.
//!
//! Key decision: the role of a field comes from the describe, never from the data; a field outside the list is
//! *unknown*, never a change. The schema is a chunk of its own with a number in its org; it is not the describe,
//! which is kept verbatim beside it.

use std::collections::HashMap;

use crate::base::error::{Error, Result};
use crate::base::limits;
use crate::format::codec::{Reader, put_bytes, put_varint};
use crate::format::describe::{Describe, Field, FieldKind};

/// What a field is to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// The record's Id: the sort key.
    Id = 0,
    /// Covered by the content hash.
    Content = 1,
    /// `SystemModstamp`, a key column.
    SystemModstamp = 2,
    /// `LastModifiedDate`, a key column.
    LastModifiedDate = 3,
    /// `LastModifiedById`, a key column.
    LastModifiedById = 4,
    /// Formulas, roll-ups, and what changes per viewing user: kept apart, makes no version, is never written back.
    Derived = 5,
    /// `IsDeleted`: told by the kind of a version.
    Deleted = 6,
    /// Known and dropped: a compound whose components are kept.
    Dropped = 7,
}

/// One field of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaField {
    /// API name.
    pub name: String,
    /// How its values are read.
    pub kind: FieldKind,
    /// What it is to the store.
    pub role: Role,
    /// Whether values may come masked.
    pub encrypted: bool,
}

/// The fields that one capture read of one sObject, in byte order of their names.
///
/// ```
/// use halite_engine::format::{describe::Describe, schema::{Role, Schema}};
/// let describe = Describe::parse(br#"{"name":"X__c","fields":[
///     {"name":"Id","type":"id"},{"name":"Total__c","type":"double","calculated":true}]}"#).unwrap();
/// let schema = Schema::of(&describe).unwrap();
/// assert_eq!(schema.fields()[1].role, Role::Derived);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    sobject: String,
    fields: Vec<SchemaField>,
    by_name: HashMap<Vec<u8>, u16>,
}

const VERSION: u8 = 1;

impl Schema {
    /// The schema of everything that a describe shows and a store keeps: file bodies left out, compounds dropped.
    pub fn of(describe: &Describe) -> Result<Self> {
        let mut fields: Vec<_> = describe
            .fields
            .iter()
            .filter(|f| f.kind != FieldKind::Base64)
            .map(field)
            .collect();
        name_is_derived(&mut fields);
        Self::new(&describe.name, fields)
    }

    /// A schema of columns that nobody described: text, but for the system fields everybody knows.
    pub fn inferred(sobject: &str, columns: impl IntoIterator<Item = String>) -> Result<Self> {
        let known = |name: &str| match name {
            "Id" | "LastModifiedById" => FieldKind::Id,
            "SystemModstamp" | "LastModifiedDate" => FieldKind::DateTime,
            "IsDeleted" => FieldKind::Boolean,
            _ => FieldKind::Any,
        };
        let fields = columns.into_iter().map(|name| {
            let kind = known(&name);
            SchemaField {
                role: role(&name, kind, false),
                name,
                kind,
                encrypted: false,
            }
        });
        Self::new(sobject, fields.collect())
    }

    fn new(sobject: &str, mut fields: Vec<SchemaField>) -> Result<Self> {
        fields.sort_by(|a, b| a.name.cmp(&b.name));
        if fields.len() > limits::FIELDS_MAX {
            return Err(Error::invalid(format!(
                "{sobject} has {} fields, more than {}",
                fields.len(),
                limits::FIELDS_MAX
            )));
        }
        let mut by_name = HashMap::with_capacity(fields.len());
        for (i, f) in fields.iter().enumerate() {
            if by_name.insert(f.name.clone().into_bytes(), i as u16).is_some() {
                return Err(Error::invalid(format!(
                    "{sobject} names the field {} twice",
                    f.name
                )));
            }
        }
        Ok(Self {
            sobject: sobject.to_owned(),
            fields,
            by_name,
        })
    }

    /// The sObject's API name.
    pub fn sobject(&self) -> &str {
        &self.sobject
    }

    /// All fields, in byte order of their names.
    pub fn fields(&self) -> &[SchemaField] {
        &self.fields
    }

    /// The position of a field, by its exact name.
    pub fn position(&self, name: &[u8]) -> Option<usize> {
        self.by_name.get(name).map(|&i| usize::from(i))
    }

    /// The position of a field, without regard to case, as CSV headers want it.
    pub fn position_any_case(&self, name: &str) -> Option<usize> {
        self.position(name.as_bytes())
            .or_else(|| self.fields.iter().position(|f| f.name.eq_ignore_ascii_case(name)))
    }

    /// Whether any field has this role.
    pub fn has(&self, role: Role) -> bool {
        self.fields.iter().any(|f| f.role == role)
    }

    /// The fields to ask the org for: all but the dropped ones.
    pub fn selected(&self) -> Vec<&str> {
        self.fields
            .iter()
            .filter(|f| f.role != Role::Dropped)
            .map(|f| f.name.as_str())
            .collect()
    }

    /// The chunk: version, sObject, count, then name, kind, role and flags of each field.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_bytes(&mut out, self.sobject.as_bytes());
        put_varint(&mut out, self.fields.len() as u64);
        for f in &self.fields {
            put_bytes(&mut out, f.name.as_bytes());
            out.extend([kind_code(f.kind), f.role as u8, u8::from(f.encrypted)]);
        }
        out
    }

    /// Reads what [`Schema::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes, "schema");
        if r.u8()? != VERSION {
            return Err(r.bad("unknown version"));
        }
        let sobject = r.text()?.to_owned();
        let count = r.count(limits::FIELDS_MAX)?;
        let mut fields = Vec::with_capacity(count);
        for _ in 0..count {
            let name = r.text()?.to_owned();
            let [kind, role, encrypted] = r.array()?;
            let kind = KINDS
                .get(usize::from(kind))
                .copied()
                .ok_or_else(|| r.bad("unknown field type"))?;
            let role = ROLES
                .get(usize::from(role))
                .copied()
                .ok_or_else(|| r.bad("unknown field role"))?;
            fields.push(SchemaField {
                name,
                kind,
                role,
                encrypted: encrypted & 1 == 1,
            });
        }
        r.end()?;
        Self::new(&sobject, fields)
    }
}

const KINDS: [FieldKind; 10] = [
    FieldKind::Id,
    FieldKind::Text,
    FieldKind::Boolean,
    FieldKind::Number,
    FieldKind::Date,
    FieldKind::DateTime,
    FieldKind::Time,
    FieldKind::Base64,
    FieldKind::Compound,
    FieldKind::Any,
];

const ROLES: [Role; 8] = [
    Role::Id,
    Role::Content,
    Role::SystemModstamp,
    Role::LastModifiedDate,
    Role::LastModifiedById,
    Role::Derived,
    Role::Deleted,
    Role::Dropped,
];

fn kind_code(kind: FieldKind) -> u8 {
    KINDS.iter().position(|&k| k == kind).unwrap_or(9) as u8
}

fn field(f: &Field) -> SchemaField {
    SchemaField {
        name: f.name.clone(),
        kind: f.kind,
        role: role(&f.name, f.kind, f.calculated),
        encrypted: f.encrypted,
    }
}

fn role(name: &str, kind: FieldKind, calculated: bool) -> Role {
    match (name, kind) {
        ("Id", _) => Role::Id,
        ("SystemModstamp", FieldKind::DateTime) => Role::SystemModstamp,
        ("LastModifiedDate", FieldKind::DateTime) => Role::LastModifiedDate,
        ("LastModifiedById", FieldKind::Id) => Role::LastModifiedById,
        ("IsDeleted", FieldKind::Boolean) => Role::Deleted,
        (_, FieldKind::Compound) => Role::Dropped,
        ("LastActivityDate" | "LastViewedDate" | "LastReferencedDate", _) => Role::Derived,
        _ if calculated => Role::Derived,
        _ => Role::Content,
    }
}

/// On Contact, Lead, User and the like, where FirstName and LastName exist, Name is put together from them.
fn name_is_derived(fields: &mut [SchemaField]) {
    let has = |name: &str| fields.iter().any(|f| f.name == name);
    if has("FirstName") && has("LastName") {
        for f in fields
            .iter_mut()
            .filter(|f| f.name == "Name" && f.role == Role::Content)
        {
            f.role = Role::Derived;
        }
    }
}
