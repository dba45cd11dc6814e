//! The fields of User: few records, to which every other record points.
//!
//! Key decision: it is there so that owners and editors exist; managers are users that came before.
//! This is not a schema of any org, and no user has a profile or a role.

use super::lists::{COUNTRIES, DEPARTMENTS, LANGUAGES, TITLES};
use super::{Field, Kind, field};
use crate::sobject::SObject;

/// Every field, in the order of the describe.
pub const FIELDS: &[Field] = &[
    field("Id", Kind::Id, 100.0),
    field("Username", Kind::Email, 100.0),
    field("LastName", Kind::Last, 100.0),
    field("FirstName", Kind::First, 95.0),
    field("Name", Kind::Full, 100.0),
    field("Email", Kind::Email, 100.0),
    field("Title", Kind::Picklist(TITLES), 80.0),
    field("Department", Kind::Picklist(DEPARTMENTS), 80.0),
    field("Country", Kind::Picklist(COUNTRIES), 90.0),
    field("ManagerId", Kind::Reference(SObject::User), 90.0),
    field("IsActive", Kind::Boolean(85.0), 100.0),
    field("LanguageLocaleKey", Kind::Picklist(LANGUAGES), 100.0),
    field("LastLoginDate", Kind::DateTime, 90.0),
    field("CreatedDate", Kind::Created, 100.0),
    field("CreatedById", Kind::Reference(SObject::User), 100.0),
    field("LastModifiedDate", Kind::Modified, 100.0),
    field("LastModifiedById", Kind::ModifiedBy, 100.0),
    field("SystemModstamp", Kind::Stamp, 100.0),
    field("AboutMe", Kind::Filler, 100.0),
];
