//! Values of picklists that more than one sObject has.
//!
//! Key decision: the first of a list are drawn far more often than the last, so the order is the skew.
//! These are not the picklists of any org, and they have no labels.

pub const SOURCES: &[&str] = &[
    "Web",
    "Phone Inquiry",
    "Partner Referral",
    "Purchased List",
    "Trade Show",
    "Word of mouth",
    "Other",
];
pub const CITIES: &[&str] = &[
    "London", "Leeds", "Berlin", "Lyon", "Austin", "Chicago", "Toronto", "Dublin", "Hamburg", "Zürich",
    "Porto", "Kraków", "Oslo", "Madrid", "Bristol", "Denver", "Boston", "Utrecht", "Gent", "Graz", "Malmö",
    "Turku",
];
pub const STATES: &[&str] = &[
    "England", "Bavaria", "Texas", "Ontario", "Illinois", "Leinster", "Zürich", "Norte", "Vestland",
    "Colorado",
];
pub const COUNTRIES: &[&str] = &[
    "United Kingdom",
    "Germany",
    "United States",
    "France",
    "Canada",
    "Ireland",
    "Switzerland",
    "Portugal",
];
pub const SEGMENTS: &[&str] = &["SMB", "Mid-Market", "Enterprise", "Public Sector", "Non-profit"];
pub const LANGUAGES: &[&str] = &["en", "de", "fr", "es", "pt", "nl", "sv"];
pub const TITLES: &[&str] = &[
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
pub const DEPARTMENTS: &[&str] = &[
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
