//! The wide custom object of a generated org: a consignment of salt with some eighty fields.
//!
//! Key decision: series of fields of one type, each filled less often than the one before, as in orgs where a
//! field is added for every wish and most are forgotten.
//! Not here: its rows (`make`).

use super::make::{Field, Make};
use super::tables::CONSIGNMENT_OWN;
use crate::org::State;
use crate::schema::field::Choice;
use crate::schema::formula::Formula;
use crate::schema::sfdx::{add_field, custom_object};
use crate::schema::{Field as Definition, Kind};

pub(super) const CONSIGNMENT: &str = "Consignment__c";

/// A series: name, type, fields, length, value.
const SERIES: &[(&str, Kind, u32, u32, Make)] = &[
    ("Grade", Kind::Picklist, 16, 255, Make::Choice),
    ("Cost", Kind::Currency, 10, 0, Make::Money(4_000_000)),
    ("Weight", Kind::Double, 8, 0, Make::Money(900_000)),
    ("Check", Kind::Boolean, 12, 0, Make::Flag(20)),
    ("Day", Kind::Date, 10, 0, Make::Day(1_500)),
    ("Note", Kind::String, 8, 255, Make::Line(6)),
    ("Remark", Kind::TextArea, 3, 32_768, Make::Prose(200)),
];

fn named(series: &str, n: u32) -> String {
    format!("{series}_{n:02}__c")
}

/// How the fields are filled.
pub(super) fn consignment() -> Vec<Field> {
    let own = CONSIGNMENT_OWN
        .iter()
        .map(|(name, filled, make)| Field::new(name, *filled, *make));
    let series = SERIES.iter().flat_map(|(name, _, count, _, make)| {
        (0..*count).map(move |n| Field::new(&named(name, n + 1), 90 - 85 * n / count, *make))
    });
    own.chain(series).collect()
}

fn choices(name: &str, count: usize) -> Vec<Choice> {
    let choice = |n: usize| Choice {
        value: format!("{name} {}", char::from(b'A' + (n % 26) as u8)),
        active: true,
        default: false,
    };
    (0..count).map(choice).collect()
}

/// Adds the object to an org's schema.
pub(super) fn define(state: &mut State) {
    let mut object = custom_object(CONSIGNMENT, None);
    let lookup = |name: &str, target: &str| Definition {
        children: Some("Consignments__r".to_owned()).filter(|_| target != CONSIGNMENT),
        ..Definition::reference(name, &[target], &name.replace("__c", "__r"))
    };
    let number = Definition {
        length: 20,
        external_id: true,
        unique: true,
        ..Definition::new("Number__c", Kind::String)
    };
    let goods = Definition {
        choices: choices("Goods", 8),
        restricted: true,
        ..Definition::new("Goods__c", Kind::MultiPicklist)
    };
    let moisture = Definition {
        precision: 5,
        scale: 2,
        ..Definition::new("Moisture__c", Kind::Percent)
    };
    let terms = Definition {
        length: 32_768,
        ..Definition::new("Terms__c", Kind::TextArea)
    };
    let text = "Cost_01__c + Cost_02__c";
    let total = Definition {
        calculated: true,
        createable: false,
        updateable: false,
        precision: 18,
        scale: 2,
        formula: Formula::parse(text),
        formula_text: Some(text.to_owned()),
        ..Definition::new("Total_Cost__c", Kind::Currency)
    };
    let own = [
        lookup("Customer__c", "Account"),
        lookup("Agent__c", "Contact"),
        lookup("Follows__c", CONSIGNMENT),
        Definition::new("Departure__c", Kind::DateTime),
        Definition::new("Gate_Opens__c", Kind::Time),
        Definition::new("Tracking__c", Kind::Url),
        number,
        goods,
        moisture,
        terms,
        total,
    ];
    let series = SERIES.iter().flat_map(|(name, kind, count, length, _)| {
        (1..=*count).map(move |n| Definition {
            length: *length,
            precision: if kind.is_decimal() { 18 } else { 0 },
            scale: if kind.is_decimal() { 2 } else { 0 },
            restricted: *kind == Kind::Picklist,
            choices: if *kind == Kind::Picklist {
                choices(name, 4 + n as usize)
            } else {
                Vec::new()
            },
            ..Definition::new(&named(name, n), *kind)
        })
    });
    for field in own.into_iter().chain(series) {
        add_field(&mut object, field);
    }
    state.schema.insert(object);
}
