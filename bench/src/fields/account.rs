//! The fields of Account: companies in hierarchies, since `ParentId` points to an Account that came before.
//!
//! Key decision: early rows are parents far more often than late ones, so trees are wide at the top and a few levels deep.
//! This is not a schema of any org: names are the standard ones, the custom ones are made up.

use super::lists::{CITIES, COUNTRIES, LANGUAGES, SEGMENTS, SOURCES, STATES};
use super::{Field, Kind, field};
use crate::sobject::SObject;

const TYPES: &[&str] = &[
    "Customer - Direct",
    "Prospect",
    "Customer - Channel",
    "Partner",
    "Other",
];
const INDUSTRIES: &[&str] = &[
    "Manufacturing",
    "Technology",
    "Retail",
    "Healthcare",
    "Banking",
    "Education",
    "Energy",
    "Transportation",
    "Government",
    "Hospitality",
    "Not For Profit",
    "Agriculture",
];
const RATINGS: &[&str] = &["Warm", "Hot", "Cold"];
const OWNERSHIPS: &[&str] = &["Private", "Public", "Subsidiary", "Other"];
const TIERS: &[&str] = &["Standard", "Silver", "Gold", "Platinum"];

/// Every field, in the order of the describe.
pub const FIELDS: &[Field] = &[
    field("Id", Kind::Id, 100.0),
    field("IsDeleted", Kind::Boolean(0.0), 100.0),
    field("Name", Kind::Company, 100.0),
    field("Type", Kind::Picklist(TYPES), 85.0),
    field("ParentId", Kind::Reference(SObject::Account), 35.0),
    field("BillingStreet", Kind::Street, 90.0),
    field("BillingCity", Kind::Picklist(CITIES), 92.0),
    field("BillingState", Kind::Picklist(STATES), 55.0),
    field("BillingPostalCode", Kind::PostalCode, 90.0),
    field("BillingCountry", Kind::Picklist(COUNTRIES), 95.0),
    field("ShippingStreet", Kind::Street, 40.0),
    field("ShippingCity", Kind::Picklist(CITIES), 40.0),
    field("ShippingPostalCode", Kind::PostalCode, 40.0),
    field("ShippingCountry", Kind::Picklist(COUNTRIES), 40.0),
    field("Phone", Kind::Phone, 85.0),
    field("Fax", Kind::Phone, 20.0),
    field("Website", Kind::Url, 70.0),
    field("Industry", Kind::Picklist(INDUSTRIES), 80.0),
    field("AnnualRevenue", Kind::Amount(9_000_000_000), 45.0),
    field("NumberOfEmployees", Kind::Whole(40_000), 60.0),
    field("Ownership", Kind::Picklist(OWNERSHIPS), 30.0),
    field("Rating", Kind::Picklist(RATINGS), 40.0),
    field("AccountSource", Kind::Picklist(SOURCES), 60.0),
    field("OwnerId", Kind::Reference(SObject::User), 100.0),
    field("CreatedDate", Kind::Created, 100.0),
    field("CreatedById", Kind::Reference(SObject::User), 100.0),
    field("LastModifiedDate", Kind::Modified, 100.0),
    field("LastModifiedById", Kind::ModifiedBy, 100.0),
    field("SystemModstamp", Kind::Stamp, 100.0),
    field("LastActivityDate", Kind::Date, 50.0),
    field("External_Key__c", Kind::External, 100.0),
    field("Segment__c", Kind::Picklist(SEGMENTS), 90.0),
    field("Tier__c", Kind::Picklist(TIERS), 70.0),
    field("Language__c", Kind::Picklist(LANGUAGES), 80.0),
    field("Credit_Limit__c", Kind::Amount(500_000_000), 40.0),
    field("Open_Balance__c", Kind::Amount(90_000_000), 40.0),
    field("Blocked__c", Kind::Boolean(2.0), 100.0),
    field("Customer_Since__c", Kind::Date, 60.0),
    field("Last_Audit__c", Kind::DateTime, 15.0),
    field("Description", Kind::Filler, 100.0),
];
