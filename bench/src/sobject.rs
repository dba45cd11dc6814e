//! The sObjects of the corpora, and how many records of each there are beside each other.
//!
//! Key decision: counts follow from one total and the shares below, so that a reference knows how many records it can
//! point to without the file that they lie in.
//! This is not the data model of an org: a record belongs to any Account, not to that of its Contact.

use std::fmt;

use crate::fields::{Field, account, case, contact, opportunity, user, wide};

/// One sObject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SObject {
    /// Whom the others belong to.
    User,
    /// Companies, in hierarchies.
    Account,
    /// People: what the corpus is made of where nothing else is asked for.
    Contact,
    /// Long texts.
    Case,
    /// Numbers and dates.
    Opportunity,
    /// Four hundred fields, most of them null.
    Wide,
}

impl SObject {
    /// Each, parents before children.
    pub const ALL: [Self; 6] = [
        Self::User,
        Self::Account,
        Self::Contact,
        Self::Case,
        Self::Opportunity,
        Self::Wide,
    ];

    /// API name.
    pub fn name(self) -> &'static str {
        self.traits().0
    }

    /// The first three characters of its Ids.
    pub fn prefix(self) -> &'static str {
        self.traits().1
    }

    /// Records in a thousand of all.
    fn share(self) -> u64 {
        self.traits().2
    }

    /// Mean bytes of a line where no other is asked for.
    pub fn bytes(self) -> usize {
        self.traits().3
    }

    fn traits(self) -> (&'static str, &'static str, u64, usize) {
        match self {
            Self::User => ("User", "005", 2, 800),
            Self::Account => ("Account", "001", 138, 1_300),
            Self::Contact => ("Contact", "003", 300, 1_240),
            Self::Case => ("Case", "500", 330, 3_500),
            Self::Opportunity => ("Opportunity", "006", 200, 1_100),
            Self::Wide => ("Wide__c", "a0W", 30, 11_000),
        }
    }

    /// Whether the name ends with `__c`.
    pub fn custom(self) -> bool {
        self == Self::Wide
    }

    /// Whether a line says which fields are null, as REST does, or leaves them out.
    pub fn says_nulls(self) -> bool {
        self == Self::Wide
    }

    /// Its fields.
    pub fn fields(self) -> &'static [Field] {
        match self {
            Self::User => user::FIELDS,
            Self::Account => account::FIELDS,
            Self::Contact => contact::FIELDS,
            Self::Case => case::FIELDS,
            Self::Opportunity => opportunity::FIELDS,
            Self::Wide => &wide::FIELDS,
        }
    }
}

impl fmt::Display for SObject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl std::str::FromStr for SObject {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|sobject| sobject.name() == name);
        found.ok_or_else(|| format!("no such sObject here: {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// Records of each sObject on day 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts([u64; SObject::ALL.len()]);

impl Counts {
    /// What a corpus of Contacts alone points to, whatever its size.
    pub(crate) const CONTACTS: Self = Self([180, 60_000, 400_000, 1, 1, 1]);

    /// So many records of all sObjects together.
    pub fn of_all(records: u64) -> Self {
        Self(SObject::ALL.map(|sobject| (records * sobject.share() / 1_000).max(1)))
    }

    /// So many of one, and of the others in proportion.
    pub fn around(sobject: SObject, records: u64) -> Self {
        let mut counts = Self::of_all(records * 1_000 / sobject.share());
        counts.0[sobject as usize] = records;
        counts
    }

    /// Those of one.
    pub fn of(&self, sobject: SObject) -> u64 {
        self.0[sobject as usize]
    }
}
