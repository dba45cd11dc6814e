//! The fields of Opportunity: amounts, dates, stages and currencies, in the hands of a few owners.
//!
//! Key decision: short values of many types and little text, as what is summed up in reports.
//! This is not a schema of any org, and no field follows from another: a stage says nothing of the probability.

use super::lists::{SEGMENTS, SOURCES};
use super::{Field, Kind, field};
use crate::sobject::SObject;

const STAGES: &[&str] = &[
    "Closed Won",
    "Closed Lost",
    "Prospecting",
    "Qualification",
    "Proposal/Price Quote",
    "Negotiation/Review",
    "Needs Analysis",
    "Value Proposition",
    "Id. Decision Makers",
    "Perception Analysis",
];
const TYPES: &[&str] = &[
    "Existing Customer - Upgrade",
    "New Customer",
    "Existing Customer - Replacement",
];
const CURRENCIES: &[&str] = &["EUR", "USD", "GBP", "CHF", "SEK", "PLN", "CAD"];
const FORECASTS: &[&str] = &["Closed", "Omitted", "Pipeline", "BestCase", "Forecast"];
const RIVALS: &[&str] = &["None", "Northwind", "Contoso", "Fabrikam", "Tailspin"];

/// Every field, in the order of the describe.
pub const FIELDS: &[Field] = &[
    field("Id", Kind::Id, 100.0),
    field("IsDeleted", Kind::Boolean(0.0), 100.0),
    field("AccountId", Kind::Reference(SObject::Account), 98.0),
    field("ContactId", Kind::Reference(SObject::Contact), 60.0),
    field("Name", Kind::Company, 100.0),
    field("StageName", Kind::Picklist(STAGES), 100.0),
    field("Amount", Kind::Amount(80_000_000), 92.0),
    field("Probability", Kind::Percent, 100.0),
    field("ExpectedRevenue", Kind::Amount(60_000_000), 92.0),
    field("TotalOpportunityQuantity", Kind::Whole(5_000), 40.0),
    field("CurrencyIsoCode", Kind::Picklist(CURRENCIES), 100.0),
    field("CloseDate", Kind::Date, 100.0),
    field("Type", Kind::Picklist(TYPES), 75.0),
    field("NextStep", Kind::Words(4), 35.0),
    field("LeadSource", Kind::Picklist(SOURCES), 60.0),
    field("IsClosed", Kind::Boolean(65.0), 100.0),
    field("IsWon", Kind::Boolean(35.0), 100.0),
    field("ForecastCategory", Kind::Picklist(FORECASTS), 100.0),
    field("HasOpportunityLineItem", Kind::Boolean(55.0), 100.0),
    field("OwnerId", Kind::Reference(SObject::User), 100.0),
    field("CreatedDate", Kind::Created, 100.0),
    field("CreatedById", Kind::Reference(SObject::User), 100.0),
    field("LastModifiedDate", Kind::Modified, 100.0),
    field("LastModifiedById", Kind::ModifiedBy, 100.0),
    field("SystemModstamp", Kind::Stamp, 100.0),
    field("LastActivityDate", Kind::Date, 55.0),
    field("LastStageChangeDate", Kind::DateTime, 80.0),
    field("External_Key__c", Kind::External, 100.0),
    field("Segment__c", Kind::Picklist(SEGMENTS), 85.0),
    field("Main_Competitor__c", Kind::Picklist(RIVALS), 40.0),
    field("Discount__c", Kind::Percent, 50.0),
    field("Margin__c", Kind::Amount(20_000_000), 60.0),
    field("Contract_Start__c", Kind::Date, 45.0),
    field("Contract_Months__c", Kind::Whole(60), 45.0),
    field("Renewal__c", Kind::Boolean(30.0), 100.0),
    field("Description", Kind::Filler, 100.0),
];
