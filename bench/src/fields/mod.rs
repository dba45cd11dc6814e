//! The fields of the corpora: what a field is, and a table for each sObject.
//!
//! Key decision: one table says name, kind, and how often the field is filled; values and describe follow from it.
//! This is not a schema of any org: names are the standard ones, the custom ones are made up.

pub mod account;
pub mod case;
pub mod contact;
mod lists;
pub mod opportunity;
pub mod user;
pub mod wide;

use crate::sobject::SObject;

/// How a field's value is made, and its type in the describe.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// The record's own Id.
    Id,
    /// The Id of a record of this sObject.
    Reference(SObject),
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
    /// When the record was last edited, or touched by what is no edit.
    Stamp,
    /// Who edited it last.
    ModifiedBy,
    /// An amount in cents, up to so many.
    Amount(u64),
    /// A whole number below this.
    Whole(u64),
    /// Tens up to a hundred.
    Percent,
    /// The next ones are what they say.
    First,
    Last,
    Full,
    Company,
    Phone,
    Email,
    Url,
    Street,
    /// Five digits.
    PostalCode,
    /// The number that the org gives each record, after this prefix.
    Serial(&'static str),
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
        !matches!(
            self.kind,
            Id | Created | Modified | Stamp | ModifiedBy | Full | Serial(_) | External
        ) && !["CreatedById", "IsDeleted", "LastActivityDate"].contains(&self.name)
    }

    /// Whether every record has a value.
    pub fn required(&self) -> bool {
        self.filled >= 100.0
    }
}

const fn field(name: &'static str, kind: Kind, filled: f64) -> Field {
    Field { name, kind, filled }
}
