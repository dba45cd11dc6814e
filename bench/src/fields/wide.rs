//! The fields of `Wide__c`: four hundred, of which a record has a few dozen.
//!
//! Key decision: the table is made from numbers: what type a field has, and that only the first ones are well filled.
//! This is not a schema of any org: it is what an object looks like after ten years of projects, names aside.

use std::sync::LazyLock;

use super::lists::{SEGMENTS, STATES};
use super::{Field, Kind, field};
use crate::sobject::SObject;

/// Custom fields beside the standard ones.
const CUSTOM: usize = 388;
const CHOICES: &[&str] = &["A", "B", "C", "D", "E", "F", "G"];
const STANDARD: [Field; 9] = [
    field("Id", Kind::Id, 100.0),
    field("OwnerId", Kind::Reference(SObject::User), 100.0),
    field("IsDeleted", Kind::Boolean(0.0), 100.0),
    field("Name", Kind::Serial("W-"), 100.0),
    field("CreatedDate", Kind::Created, 100.0),
    field("CreatedById", Kind::Reference(SObject::User), 100.0),
    field("LastModifiedDate", Kind::Modified, 100.0),
    field("LastModifiedById", Kind::ModifiedBy, 100.0),
    field("SystemModstamp", Kind::Stamp, 100.0),
];
const OWN: [Field; 3] = [
    field("Account__c", Kind::Reference(SObject::Account), 95.0),
    field("Follows__c", Kind::Reference(SObject::Wide), 25.0),
    field("Notes__c", Kind::Filler, 100.0),
];

/// Every field, in the order of the describe.
pub static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let custom = (0..CUSTOM).map(custom);
    STANDARD.into_iter().chain(custom).chain(OWN).collect()
});

fn custom(number: usize) -> Field {
    let (noun, kind) = match number % 20 {
        0 | 9 => ("Text", Kind::Words(2)),
        1 | 11 => ("Choice", Kind::Picklist(CHOICES)),
        2 | 12 => ("Amount", Kind::Amount(90_000_000)),
        3 | 13 => ("Day", Kind::Date),
        4 | 14 => ("Moment", Kind::DateTime),
        5 => ("Flag", Kind::Boolean(8.0)),
        6 | 16 => ("Count", Kind::Whole(1_000)),
        7 => ("Contact", Kind::Reference(SObject::Contact)),
        8 => ("Share", Kind::Percent),
        10 => ("Remark", Kind::Words(20)),
        15 => ("Choices", Kind::Multi(CHOICES)),
        17 => ("Region", Kind::Picklist(STATES)),
        18 => ("Segment", Kind::Picklist(SEGMENTS)),
        _ => ("Link", Kind::Url),
    };
    let filled = match (kind, number) {
        // A checkbox is never empty.
        (Kind::Boolean(_), _) => 100.0,
        (_, ..12) => 90.0,
        (_, 12..40) => 20.0,
        (_, 40..120) => 3.0,
        _ => 0.4,
    };
    // Made once, and needed as long as the process lives.
    field(format!("{noun}_{number:03}__c").leak(), kind, filled)
}
