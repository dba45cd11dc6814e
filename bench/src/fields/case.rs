//! The fields of Case: long free text, most of them closed, and the Contact that they came from.
//!
//! Key decision: the description takes what the wanted size leaves, which is most of it.
//! This is not a schema of any org: names are the standard ones, the custom ones are made up.

use super::lists::LANGUAGES;
use super::{Field, Kind, field};
use crate::sobject::SObject;

const STATUSES: &[&str] = &[
    "Closed",
    "New",
    "Working",
    "Waiting for Customer",
    "Escalated",
    "On Hold",
];
const ORIGINS: &[&str] = &["Email", "Phone", "Web", "Chat", "Community", "Social"];
const TYPES: &[&str] = &["Question", "Problem", "Feature Request", "Complaint", "Return"];
const REASONS: &[&str] = &[
    "User didn't attend training",
    "Complex functionality",
    "Existing problem",
    "Instructions not clear",
    "New problem",
    "Performance",
    "Breakdown",
];
const PRIORITIES: &[&str] = &["Medium", "Low", "High", "Critical"];
const PRODUCTS: &[&str] = &[
    "GC5060", "GC1020", "GC3040", "GC5020", "GC1060", "GC3060", "GC1040", "GC5040",
];

/// Every field, in the order of the describe.
pub const FIELDS: &[Field] = &[
    field("Id", Kind::Id, 100.0),
    field("IsDeleted", Kind::Boolean(0.0), 100.0),
    field("CaseNumber", Kind::Serial(""), 100.0),
    field("ContactId", Kind::Reference(SObject::Contact), 88.0),
    field("AccountId", Kind::Reference(SObject::Account), 85.0),
    field("ParentId", Kind::Reference(SObject::Case), 6.0),
    field("SuppliedName", Kind::Last, 30.0),
    field("SuppliedEmail", Kind::Email, 45.0),
    field("SuppliedPhone", Kind::Phone, 8.0),
    field("Type", Kind::Picklist(TYPES), 75.0),
    field("Status", Kind::Picklist(STATUSES), 100.0),
    field("Reason", Kind::Picklist(REASONS), 45.0),
    field("Origin", Kind::Picklist(ORIGINS), 97.0),
    field("Subject", Kind::Words(6), 98.0),
    field("Priority", Kind::Picklist(PRIORITIES), 100.0),
    field("IsClosed", Kind::Boolean(80.0), 100.0),
    field("ClosedDate", Kind::DateTime, 80.0),
    field("IsEscalated", Kind::Boolean(3.0), 100.0),
    field("OwnerId", Kind::Reference(SObject::User), 100.0),
    field("CreatedDate", Kind::Created, 100.0),
    field("CreatedById", Kind::Reference(SObject::User), 100.0),
    field("LastModifiedDate", Kind::Modified, 100.0),
    field("LastModifiedById", Kind::ModifiedBy, 100.0),
    field("SystemModstamp", Kind::Stamp, 100.0),
    field("Product__c", Kind::Picklist(PRODUCTS), 65.0),
    field("Language__c", Kind::Picklist(LANGUAGES), 90.0),
    field("First_Response__c", Kind::DateTime, 85.0),
    field("Minutes_Spent__c", Kind::Whole(900), 70.0),
    field("SLA_Violation__c", Kind::Boolean(9.0), 100.0),
    field("Resolution__c", Kind::Words(60), 60.0),
    field("Description", Kind::Filler, 100.0),
];
