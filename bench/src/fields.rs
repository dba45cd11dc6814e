//! The fields of the corpus: those of a well-used Contact with a dozen custom ones.
//!
//! Key decision: one table says name, kind, and how often the field is filled; values and describe follow from it.
//! This is not a schema of any org: names are the standard ones, the custom ones are made up.

/// How a field's value is made, and its type in the describe.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// The record's own Id.
    Id,
    /// An Id with this prefix out of so many records, of this sObject.
    Reference(&'static str, u64, &'static str),
    /// One of a list, skewed.
    Picklist(&'static [&'static str]),
    /// Some of a list.
    Multi(&'static [&'static str]),
    /// True so many times in a hundred.
    Boolean(f64),
    /// A day.
    Date,
    /// An instant.
    DateTime,
    /// When the record was made.
    Created,
    /// When the record was last edited.
    Modified,
    /// Who edited it last.
    ModifiedBy,
    /// An amount in cents, up to so many.
    Amount(u64),
    /// A whole number below this.
    Whole(u64),
    /// The next ones are what they say.
    First,
    Last,
    Full,
    Phone,
    Email,
    Url,
    Street,
    /// Five digits.
    PostalCode,
    /// A key of another system, unique.
    External,
    /// A few words.
    Words(u64),
    /// Free text that fills the record up to the wanted size.
    Filler,
}

/// One field.
pub struct Field {
    /// API name.
    pub name: &'static str,
    /// How its value is made.
    pub kind: Kind,
    /// How many records in a hundred have a value.
    pub filled: f64,
}

impl Field {
    /// Whether a user's edit may change it.
    pub fn editable(&self) -> bool {
        use Kind::*;
        !matches!(self.kind, Id | Created | Modified | ModifiedBy | Full | External)
            && !["CreatedById", "IsDeleted", "LastActivityDate"].contains(&self.name)
    }
}

const fn field(name: &'static str, kind: Kind, filled: f64) -> Field {
    Field { name, kind, filled }
}

const USERS: u64 = 180;
const SALUTATIONS: &[&str] = &["Mr.", "Ms.", "Mrs.", "Dr.", "Prof."];
const SOURCES: &[&str] = &[
    "Web",
    "Phone Inquiry",
    "Partner Referral",
    "Purchased List",
    "Trade Show",
    "Word of mouth",
    "Other",
];
const TITLES: &[&str] = &[
    "Manager",
    "Director of Operations",
    "VP Sales",
    "Buyer",
    "CEO",
    "CFO",
    "Head of Procurement",
    "Engineer",
    "Regional General Manager",
    "Assistant",
    "SVP, Technology",
    "Owner",
    "Account Executive",
    "Analyst",
];
const DEPARTMENTS: &[&str] = &[
    "Sales",
    "Operations",
    "Finance",
    "Procurement",
    "IT",
    "Legal",
    "Marketing",
    "Logistics",
    "Executive Board",
];
const CITIES: &[&str] = &[
    "London", "Leeds", "Berlin", "Lyon", "Austin", "Chicago", "Toronto", "Dublin", "Hamburg", "Zürich",
    "Porto", "Kraków", "Oslo", "Madrid", "Bristol", "Denver", "Boston", "Utrecht", "Gent", "Graz", "Malmö",
    "Turku",
];
const STATES: &[&str] = &[
    "England", "Bavaria", "Texas", "Ontario", "Illinois", "Leinster", "Zürich", "Norte", "Vestland",
    "Colorado",
];
const COUNTRIES: &[&str] = &[
    "United Kingdom",
    "Germany",
    "United States",
    "France",
    "Canada",
    "Ireland",
    "Switzerland",
    "Portugal",
];
const SEGMENTS: &[&str] = &["SMB", "Mid-Market", "Enterprise", "Public Sector", "Non-profit"];
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
const LANGUAGES: &[&str] = &["en", "de", "fr", "es", "pt", "nl", "sv"];

/// Every field, in the order of the describe.
pub const FIELDS: &[Field] = &[
    field("Id", Kind::Id, 100.0),
    field("IsDeleted", Kind::Boolean(0.0), 100.0),
    field("AccountId", Kind::Reference("001", 60_000, "Account"), 97.0),
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
    field("ReportsToId", Kind::Reference("003", 400_000, "Contact"), 12.0),
    field("Email", Kind::Email, 90.0),
    field("Title", Kind::Picklist(TITLES), 75.0),
    field("Department", Kind::Picklist(DEPARTMENTS), 55.0),
    field("LeadSource", Kind::Picklist(SOURCES), 65.0),
    field("Birthdate", Kind::Date, 20.0),
    field("Description", Kind::Words(24), 35.0),
    field("OwnerId", Kind::Reference("005", USERS, "User"), 100.0),
    field("HasOptedOutOfEmail", Kind::Boolean(7.0), 100.0),
    field("HasOptedOutOfFax", Kind::Boolean(1.0), 100.0),
    field("DoNotCall", Kind::Boolean(3.0), 100.0),
    field("CreatedDate", Kind::Created, 100.0),
    field("CreatedById", Kind::Reference("005", USERS, "User"), 100.0),
    field("LastModifiedDate", Kind::Modified, 100.0),
    field("LastModifiedById", Kind::ModifiedBy, 100.0),
    field("SystemModstamp", Kind::Modified, 100.0),
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
