//! Which objects a generated org holds, how many rows of each, and how each field is filled.
//!
//! Key decision: a table, so that another object is a few lines. Objects stand after those they point at. What
//! the rules of a save fill in (names, flags, numbers, sums) is not in it.
//! Not here: making the values (`make`), files (`files`).

use super::make::Make::{
    Any, Choice, City, Code, Company, Country, Day, Email, First, Flag, Instant, Last, Line, Many, Money,
    Nth, Owner, Percent, Phone, Postal, Prose, Street, Time, Url, Via, Whole,
};
use super::make::{Field, Make};
use super::wide::{CONSIGNMENT, consignment};

/// One object.
pub(super) struct Table {
    pub name: &'static str,
    /// Rows in a thousand of all that are no files.
    pub share: usize,
    pub fields: Vec<Field>,
}

/// A field, how many rows in a hundred have a value, and what it is.
type Entry = (&'static str, u32, Make);

const ACCOUNT: &[Entry] = &[
    ("Name", 100, Company),
    ("ParentId", 30, Any(&["Account"])),
    ("OwnerId", 100, Owner),
    ("Type", 70, Choice),
    ("Industry", 80, Choice),
    ("Rating", 30, Choice),
    ("AccountSource", 40, Choice),
    ("AnnualRevenue", 45, Whole(90_000_000)),
    ("NumberOfEmployees", 50, Whole(20_000)),
    ("Phone", 70, Phone),
    ("Website", 50, Url),
    ("BillingStreet", 70, Street),
    ("BillingCity", 75, City),
    ("BillingPostalCode", 70, Postal),
    ("BillingCountry", 80, Country),
    ("ShippingCity", 30, City),
    ("ShippingCountry", 30, Country),
    ("AccountNumber", 60, Code("AC-")),
    ("Description", 25, Prose(160)),
];

const CONTACT: &[Entry] = &[
    ("LastName", 100, Last),
    ("FirstName", 95, First),
    ("Salutation", 40, Choice),
    ("AccountId", 96, Any(&["Account"])),
    ("ReportsToId", 25, Any(&["Contact"])),
    ("OwnerId", 100, Owner),
    ("Email", 85, Email),
    ("Phone", 60, Phone),
    ("MobilePhone", 45, Phone),
    ("Title", 60, Line(3)),
    ("Department", 35, Line(1)),
    ("LeadSource", 60, Choice),
    ("Birthdate", 15, Day(30_000)),
    ("MailingStreet", 55, Street),
    ("MailingCity", 60, City),
    ("MailingPostalCode", 55, Postal),
    ("MailingCountry", 65, Country),
    ("DoNotCall", 100, Flag(4)),
    ("HasOptedOutOfEmail", 100, Flag(9)),
    ("Description", 15, Prose(120)),
];

const LEAD: &[Entry] = &[
    ("LastName", 100, Last),
    ("FirstName", 90, First),
    ("Company", 100, Company),
    ("Status", 100, Choice),
    ("OwnerId", 100, Owner),
    ("Email", 80, Email),
    ("Phone", 55, Phone),
    ("City", 50, City),
    ("Country", 60, Country),
    ("LeadSource", 85, Choice),
    ("Rating", 20, Choice),
    ("NumberOfEmployees", 30, Whole(5_000)),
    ("Description", 20, Prose(140)),
];

const CAMPAIGN: &[Entry] = &[
    ("Name", 100, Line(4)),
    ("ParentId", 30, Any(&["Campaign"])),
    ("OwnerId", 100, Owner),
    ("Type", 80, Choice),
    ("Status", 100, Choice),
    ("StartDate", 90, Day(1_500)),
    ("BudgetedCost", 60, Whole(50_000)),
    ("IsActive", 100, Flag(30)),
    ("Description", 40, Prose(200)),
];

const CAMPAIGN_MEMBER: &[Entry] = &[
    ("CampaignId", 100, Any(&["Campaign"])),
    ("ContactId", 100, Nth("Contact")),
    ("Status", 100, Choice),
];

const OPPORTUNITY: &[Entry] = &[
    ("Name", 100, Line(4)),
    ("AccountId", 98, Any(&["Account"])),
    ("OwnerId", 100, Owner),
    ("StageName", 100, Choice),
    ("CloseDate", 100, Day(1_500)),
    ("Amount", 85, Money(50_000_000)),
    ("Type", 70, Choice),
    ("LeadSource", 60, Choice),
    ("NextStep", 30, Line(8)),
    ("CampaignId", 12, Any(&["Campaign"])),
    ("Description", 20, Prose(250)),
];

const OPPORTUNITY_CONTACT_ROLE: &[Entry] = &[
    ("OpportunityId", 100, Nth("Opportunity")),
    ("ContactId", 100, Any(&["Contact"])),
    ("Role", 70, Choice),
    ("IsPrimary", 100, Flag(60)),
];

const CASE: &[Entry] = &[
    ("ContactId", 80, Any(&["Contact"])),
    ("AccountId", 100, Via("ContactId", "AccountId")),
    ("ParentId", 6, Any(&["Case"])),
    ("OwnerId", 100, Owner),
    ("Subject", 98, Line(9)),
    ("Status", 100, Choice),
    ("Origin", 90, Choice),
    ("Priority", 100, Choice),
    ("Reason", 40, Choice),
    ("Type", 50, Choice),
    ("SuppliedEmail", 30, Email),
    ("Description", 70, Prose(500)),
];

const CASE_COMMENT: &[Entry] = &[
    ("ParentId", 100, Any(&["Case"])),
    ("CommentBody", 100, Prose(220)),
    ("IsPublished", 100, Flag(40)),
];

const EVENT: &[Entry] = &[
    ("Subject", 100, Choice),
    ("WhoId", 75, Any(&["Contact"])),
    ("WhatId", 60, Any(&["Account", "Opportunity", "Case"])),
    ("OwnerId", 100, Owner),
    ("ActivityDateTime", 100, Instant),
    ("DurationInMinutes", 100, Whole(240)),
    ("Location", 40, City),
    ("Description", 20, Prose(120)),
];

const TASK: &[Entry] = &[
    ("Subject", 100, Choice),
    ("WhoId", 80, Any(&["Contact", "Lead"])),
    ("WhatId", 65, Any(&["Account", "Opportunity", "Case"])),
    ("OwnerId", 100, Owner),
    ("Status", 100, Choice),
    ("Priority", 100, Choice),
    ("ActivityDate", 85, Day(1_500)),
    ("Description", 45, Prose(180)),
];

/// Every object, parents before children; the last one takes what is left.
pub(super) fn tables() -> Vec<Table> {
    let table = |name, share, fields: &[Entry]| Table {
        name,
        share,
        fields: fields.iter().map(|(n, p, m)| Field::new(n, *p, *m)).collect(),
    };
    vec![
        table("Account", 90, ACCOUNT),
        table("Contact", 190, CONTACT),
        table("Lead", 60, LEAD),
        table("Campaign", 1, CAMPAIGN),
        table("CampaignMember", 60, CAMPAIGN_MEMBER),
        table("Opportunity", 100, OPPORTUNITY),
        table("OpportunityContactRole", 50, OPPORTUNITY_CONTACT_ROLE),
        table("Case", 110, CASE),
        table("CaseComment", 60, CASE_COMMENT),
        Table {
            name: CONSIGNMENT,
            share: 100,
            fields: consignment(),
        },
        table("Event", 40, EVENT),
        table("Task", 0, TASK),
    ]
}

/// Fields of the wide object that are not one of a series.
pub(super) const CONSIGNMENT_OWN: &[Entry] = &[
    ("Name", 100, Line(3)),
    ("OwnerId", 100, Owner),
    ("Number__c", 100, Code("CN-")),
    ("Customer__c", 95, Any(&["Account"])),
    ("Agent__c", 40, Any(&["Contact"])),
    ("Follows__c", 20, Any(&[CONSIGNMENT])),
    ("Goods__c", 60, Many),
    ("Departure__c", 80, Instant),
    ("Gate_Opens__c", 30, Time),
    ("Moisture__c", 50, Percent),
    ("Tracking__c", 30, Url),
    ("Terms__c", 35, Prose(400)),
];
