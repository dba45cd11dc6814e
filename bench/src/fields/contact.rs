//! The fields of Contact: those of a well-used one with a dozen custom ones.
//!
//! Key decision: the order and the odds stand still, since figures in the documents were measured on these bytes.
//! This is not a schema of any org: names are the standard ones, the custom ones are made up.

use super::lists::{CITIES, COUNTRIES, DEPARTMENTS, LANGUAGES, SEGMENTS, SOURCES, STATES, TITLES};
use super::{Field, Kind, field};
use crate::sobject::SObject;

const SALUTATIONS: &[&str] = &["Mr.", "Ms.", "Mrs.", "Dr.", "Prof."];
const STATUSES: &[&str] = &["Active", "Prospect", "Dormant", "Churned", "Blocked"];
const INTERESTS: &[&str] = &[
    "Storage",
    "Analytics",
    "Compliance",
    "Migration",
    "Training",
    "Support",
    "Hardware",
    "Consulting",
];

/// Every field, in the order of the describe.
pub const FIELDS: &[Field] = &[
    field("Id", Kind::Id, 100.0),
    field("IsDeleted", Kind::Boolean(0.0), 100.0),
    field("AccountId", Kind::Reference(SObject::Account), 97.0),
    field("LastName", Kind::Last, 100.0),
    field("FirstName", Kind::First, 95.0),
    field("Salutation", Kind::Picklist(SALUTATIONS), 60.0),
    field("Name", Kind::Full, 100.0),
    field("MailingStreet", Kind::Street, 80.0),
    field("MailingCity", Kind::Picklist(CITIES), 82.0),
    field("MailingState", Kind::Picklist(STATES), 50.0),
    field("MailingPostalCode", Kind::PostalCode, 80.0),
    field("MailingCountry", Kind::Picklist(COUNTRIES), 85.0),
    field("Phone", Kind::Phone, 85.0),
    field("Fax", Kind::Phone, 10.0),
    field("MobilePhone", Kind::Phone, 55.0),
    field("ReportsToId", Kind::Reference(SObject::Contact), 12.0),
    field("Email", Kind::Email, 90.0),
    field("Title", Kind::Picklist(TITLES), 75.0),
    field("Department", Kind::Picklist(DEPARTMENTS), 55.0),
    field("LeadSource", Kind::Picklist(SOURCES), 65.0),
    field("Birthdate", Kind::Date, 20.0),
    field("Description", Kind::Words(24), 35.0),
    field("OwnerId", Kind::Reference(SObject::User), 100.0),
    field("HasOptedOutOfEmail", Kind::Boolean(7.0), 100.0),
    field("HasOptedOutOfFax", Kind::Boolean(1.0), 100.0),
    field("DoNotCall", Kind::Boolean(3.0), 100.0),
    field("CreatedDate", Kind::Created, 100.0),
    field("CreatedById", Kind::Reference(SObject::User), 100.0),
    field("LastModifiedDate", Kind::Modified, 100.0),
    field("LastModifiedById", Kind::ModifiedBy, 100.0),
    field("SystemModstamp", Kind::Stamp, 100.0),
    field("LastActivityDate", Kind::Date, 45.0),
    field("External_Key__c", Kind::External, 100.0),
    field("Segment__c", Kind::Picklist(SEGMENTS), 90.0),
    field("Status__c", Kind::Picklist(STATUSES), 100.0),
    field("Interests__c", Kind::Multi(INTERESTS), 40.0),
    field("Language__c", Kind::Picklist(LANGUAGES), 88.0),
    field("Lifetime_Value__c", Kind::Amount(25_000_000), 60.0),
    field("Open_Balance__c", Kind::Amount(900_000), 30.0),
    field("Seats__c", Kind::Whole(2_000), 50.0),
    field("Contract_End__c", Kind::Date, 40.0),
    field("Last_Contacted__c", Kind::DateTime, 50.0),
    field("Profile_Page__c", Kind::Url, 30.0),
    field("Newsletter__c", Kind::Boolean(40.0), 100.0),
    field("Next_Step__c", Kind::Words(6), 45.0),
    field("Notes__c", Kind::Filler, 100.0),
];
