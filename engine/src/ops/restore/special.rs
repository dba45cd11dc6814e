//! sObjects whose records are not simply created: what the org makes by itself, and in which order it wants the rest.
//!
//! Key decision: a table, and two passes over what is to be created (files, price books), so that the planner knows no
//! sObject by name. Rules from the Object Reference, under each name. It orders nothing: it says what needs what.

use std::collections::{BTreeMap, HashMap};

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::format::describe::{Describe, FieldKind};
use crate::ops::restore::fields::{self, Values};
use crate::ops::restore::plan::Operation;

/// Rows that a restore never makes: references to them are kept as they are, or mapped.
pub const NEVER_MADE: [&str; 6] = [
    "User",
    "Profile",
    "RecordType",
    "Organization",
    "Group",
    "UserRole",
];

/// More rows that come with setup: no data, and not to be written together with data (Apex Developer Guide, "sObjects That
/// Cannot Be Used Together in DML Operations"; Metadata API guide).
const SETUP: [&str; 33] = [
    "ApexClass",
    "ApexComponent",
    "ApexPage",
    "ApexTestSuite",
    "ApexTrigger",
    "AuraDefinition",
    "AuraDefinitionBundle",
    "BusinessHours",
    "ConnectedApplication",
    "CurrencyType",
    "CustomPermission",
    "Dashboard",
    "EmailTemplate",
    "FieldPermissions",
    "Folder",
    "GroupMember",
    "Holiday",
    "ListView",
    "NamedCredential",
    "ObjectPermissions",
    "PermissionSet",
    "PermissionSetAssignment",
    "PermissionSetGroup",
    "PermissionSetGroupComponent",
    "PermissionSetLicenseAssign",
    "QueueSobject",
    "Report",
    "SetupEntityAccess",
    "StaticResource",
    "UserPackageLicense",
    "UserPermissionAccess",
    "UserTerritory2Association",
    "WebLink",
];

/// Whether rows of an sObject come with setup: into another org they are never made.
pub fn is_setup(sobject: &str) -> bool {
    NEVER_MADE.contains(&sobject) || SETUP.contains(&sobject) || sobject.ends_with("__mdt")
}

/// Whether a row is the org's own work: a share that a rule, a role or the owner gives (SOAP API guide, "Share objects",
/// RowCause).
pub fn is_derived(sobject: &str, then: &Values) -> bool {
    let cause = text(then, "RowCause").filter(|_| sobject.ends_with("Share"));
    cause.is_some_and(|cause| cause != "Manual" && !cause.ends_with("__c"))
}

/// Rows that the org makes together with others, and the fields by which they are found.
const FOUND: [(&str, &[&str]); 3] = [
    // One with each contact of an account.
    ("AccountContactRelation", &["AccountId", "ContactId"]),
    // Sent and Responded with each campaign.
    ("CampaignMemberStatus", &["CampaignId", "Label"]),
    // One for the owner, one for FirstPublishLocationId.
    ("ContentDocumentLink", &["ContentDocumentId", "LinkedEntityId"]),
];

/// The fields by which a row is found that the org may have made by itself.
pub fn found_by(sobject: &str) -> &'static [&'static str] {
    let row = FOUND.iter().find(|(name, _)| *name == sobject);
    row.map_or(&[], |(_, fields)| fields)
}

/// Accounts; one with a LastName is a person, and has a contact that lives and dies with it (Object Reference, "Person
/// Accounts").
pub const ACCOUNT: &str = "Account";
/// Their contacts.
pub const CONTACT: &str = "Contact";
/// The field in which a person account names its contact.
pub const PERSON_CONTACT: &str = "PersonContactId";

/// Whether an operation on an account is about a person.
///
/// # Errors
/// Never for a plan that was read.
pub fn is_person(op: &Operation) -> Result<bool> {
    if op.sobject != ACCOUNT {
        return Ok(false);
    }
    let set = op.fields.open()?;
    Ok(set.get("LastName").is_some_and(|name| !fields::is_null(name)))
}

/// The account of a contact that an operation brings back: if that is a person's, the contact comes and goes with it.
///
/// # Errors
/// Never for a plan that was read.
pub fn person_of(op: &Operation) -> Result<Option<RecordId>> {
    if op.sobject != CONTACT || !op.action.brings_back() {
        return Ok(None);
    }
    let account = || {
        Ok(op
            .fields
            .open()?
            .get("AccountId")
            .and_then(|value| fields::id_of(value)))
    };
    match &op.born {
        Some(born) => Ok(Some(born.of)),
        None => account(),
    }
}

/// Price books; each org has a standard one.
pub const PRICEBOOK: &str = "Pricebook2";
/// The sObject whose records are born with a version of theirs, and nothing else creates.
pub const DOCUMENT: &str = "ContentDocument";
/// The versions.
pub const VERSION: &str = "ContentVersion";
/// The field in which a version names its document.
pub const DOCUMENT_ID: &str = "ContentDocumentId";
/// Where a document is shared first; given with its first version alone.
pub const FIRST_PLACE: &str = "FirstPublishLocationId";

fn is(then: &Values, name: &str) -> bool {
    then.get(name).is_some_and(|value| value.get() == "true")
}

/// Whether records of an sObject have files.
pub fn has_file(describe: &Describe) -> bool {
    describe
        .fields
        .iter()
        .any(|field| field.kind == FieldKind::Base64)
}

/// A text value.
pub fn text(then: &Values, name: &str) -> Option<String> {
    then.get(name)
        .and_then(|value| serde_json::from_str(value.get()).ok())
}

/// The versions of each document, the first first.
#[derive(Debug, Default)]
pub struct Versions(HashMap<RecordId, BTreeMap<(u64, RecordId), usize>>);

impl Versions {
    /// A version that is to be created, by its place among the drafts.
    pub fn note(&mut self, id: RecordId, then: &Values, draft: usize) {
        let Some(document) = then.get(DOCUMENT_ID).and_then(|value| fields::id_of(value)) else {
            return;
        };
        let number = text(then, "VersionNumber")
            .and_then(|n| n.parse().ok())
            .unwrap_or(u64::MAX);
        self.0.entry(document).or_default().insert((number, id), draft);
    }

    /// The drafts of a document's versions, the first first.
    pub fn of(&self, document: RecordId) -> Vec<usize> {
        self.0
            .get(&document)
            .map(|all| all.values().copied().collect())
            .unwrap_or_default()
    }
}

/// Prices of products: one in a price book of its own needs the one in the standard price book first
/// (`STANDARD_PRICE_NOT_DEFINED`).
#[derive(Debug, Default)]
pub struct Prices {
    standard: HashMap<(RecordId, Option<String>), usize>,
    others: Vec<((RecordId, Option<String>), usize)>,
}

impl Prices {
    /// A price that is to be created.
    pub fn note(&mut self, then: &Values, is_standard: bool, draft: usize) {
        let Some(product) = then.get("Product2Id").and_then(|value| fields::id_of(value)) else {
            return;
        };
        let key = (product, text(then, "CurrencyIsoCode"));
        if is_standard {
            self.standard.insert(key, draft);
        } else {
            self.others.push((key, draft));
        }
    }

    /// Which draft needs which.
    pub fn needs(&self) -> impl Iterator<Item = (usize, usize)> {
        self.others
            .iter()
            .filter_map(|(key, child)| Some((*child, *self.standard.get(key)?)))
    }
}

/// Whether a price book is the standard one.
pub fn is_standard_book(then: &Values) -> bool {
    is(then, "IsStandard")
}
