//! Custom objects and fields of the sample org.
//!
//! Key decision: between them they show every field type and every kind of reference: a master-detail with
//! roll-ups over it, a cycle of two lookups, a lookup that forbids the parent's delete, formulas.
//! Not here: their rows (`rows`).

use serde_json::json;

use crate::org::State;
use crate::schema::field::{Choice, Rollup};
use crate::schema::formula::Formula;
use crate::schema::object::record_type;
use crate::schema::sfdx::{add_field, custom_object};
use crate::schema::{Field, Kind, ObjectDef, OnDelete};

/// Adds the sample's objects to an org's schema.
pub(crate) fn define(state: &mut State) {
    for object in [mine(), shaft(), shipment(), crystal()] {
        state.schema.insert(object);
    }
    for (name, fields) in [
        (
            "Account",
            vec![
                external("Customer_Number__c"),
                multi("Interests__c"),
                record_type(),
            ],
        ),
        ("Case", vec![record_type()]),
    ] {
        let Some(mut object) = state.schema.object(name).map(|o| o.as_ref().clone()) else {
            continue;
        };
        for field in fields {
            add_field(&mut object, field);
        }
        state.schema.insert(object);
    }
}

fn lookup(name: &str, target: &str, children: &str) -> Field {
    let way = name.replace("__c", "__r");
    Field {
        children: Some(format!("{children}__r")),
        ..Field::reference(name, &[target], &way)
    }
}

fn external(name: &str) -> Field {
    Field {
        length: 20,
        external_id: true,
        unique: true,
        ..Field::new(name, Kind::String)
    }
}

fn decimal(name: &str, kind: Kind, precision: u32, scale: u32) -> Field {
    Field {
        precision,
        scale,
        ..Field::new(name, kind)
    }
}

fn choices(list: &[&str], default: usize) -> Vec<Choice> {
    list.iter()
        .enumerate()
        .map(|(i, v)| Choice {
            value: (*v).to_owned(),
            active: true,
            default: i == default,
        })
        .collect()
}

fn multi(name: &str) -> Field {
    Field {
        choices: choices(&["Road salt", "Table salt", "Brine", "Bath salt"], usize::MAX),
        restricted: true,
        ..Field::new(name, Kind::MultiPicklist)
    }
}

fn formula(name: &str, kind: Kind, text: &str) -> Field {
    Field {
        calculated: true,
        createable: false,
        updateable: false,
        length: 1300,
        formula: Formula::parse(text),
        formula_text: Some(text.to_owned()),
        ..decimal(name, kind, 18, 2)
    }
}

fn rollup(name: &str, operation: &str, of: Option<&str>) -> Field {
    Field {
        calculated: true,
        createable: false,
        updateable: false,
        rollup: Some(Rollup {
            child: "Shaft__c".to_owned(),
            key: "Mine__c".to_owned(),
            of: of.map(str::to_owned),
            operation: operation.to_owned(),
        }),
        ..decimal(name, Kind::Double, 18, 2)
    }
}

/// A mine: an owner account, a place, long text, and roll-ups over its shafts.
fn mine() -> ObjectDef {
    let mut object = custom_object("Mine__c", None);
    for field in [
        lookup("Operator__c", "Account", "Mines"),
        lookup("Foreman__c", "Contact", "Mines"),
        Field {
            scale: 7,
            precision: 10,
            ..Field::new("Place__c", Kind::Location)
        },
        Field {
            length: 32_768,
            ..Field::new("Chronicle__c", Kind::TextArea)
        },
        Field {
            length: 32_768,
            html: true,
            ..Field::new("Leaflet__c", Kind::TextArea)
        },
        Field::new("Opened__c", Kind::Date),
        Field::new("Shift_Start__c", Kind::Time),
        Field::new("Last_Inspection__c", Kind::DateTime),
        decimal("Purity__c", Kind::Percent, 5, 2),
        decimal("Value__c", Kind::Currency, 16, 2),
        Field {
            default: Some(json!(true)),
            ..Field::new("Open_To_Visitors__c", Kind::Boolean)
        },
        Field::new("Site__c", Kind::Url),
        multi("Products__c"),
        rollup("Shafts__c", "count", None),
        rollup("Total_Depth__c", "sum", Some("Depth__c")),
        formula(
            "Title__c",
            Kind::String,
            "Name & \" (\" & TEXT(Purity__c) & \")\"",
        ),
        formula("Age_In_Days__c", Kind::Double, "TODAY() - Opened__c"),
    ] {
        add_field(&mut object, field);
    }
    object
}

/// A shaft: the detail of a mine, numbered, with a reference to another shaft.
fn shaft() -> ObjectDef {
    let mut object = custom_object("Shaft__c", None);
    object.put(Field {
        length: 80,
        name_field: true,
        auto_number: Some("SH-{0000}".to_owned()),
        ..Field::system("Name", Kind::String)
    });
    for field in [
        Field {
            nillable: false,
            updateable: false,
            on_delete: OnDelete::Cascade,
            order: Some(0),
            ..lookup("Mine__c", "Mine__c", "Shafts")
        },
        decimal("Depth__c", Kind::Double, 8, 2),
        Field {
            choices: choices(&["Sunk", "Working", "Flooded"], 0),
            restricted: true,
            defaulted: true,
            ..Field::new("State__c", Kind::Picklist)
        },
        lookup("Connected_To__c", "Shaft__c", "Connected"),
    ] {
        add_field(&mut object, field);
    }
    object
}

/// A shipment: half of the cycle, points at its main crystal; a required lookup that forbids deletes.
fn shipment() -> ObjectDef {
    let mut object = custom_object("Shipment__c", None);
    for field in [
        Field {
            nillable: false,
            on_delete: OnDelete::Restrict,
            ..lookup("Mine__c", "Mine__c", "Shipments")
        },
        lookup("Primary_Crystal__c", "Crystal__c", "Primary_For"),
        lookup("Customer__c", "Account", "Shipments"),
        external("Waybill__c"),
        decimal("Tons__c", Kind::Double, 10, 3),
        Field::new("Contact_Email__c", Kind::Email),
        Field::new("Contact_Phone__c", Kind::Phone),
        Field {
            length: 255,
            ..Field::new("Remarks__c", Kind::TextArea)
        },
    ] {
        add_field(&mut object, field);
    }
    object
}

/// A crystal: the other half of the cycle, points at the shipment it travels with.
fn crystal() -> ObjectDef {
    let mut object = custom_object("Crystal__c", None);
    for field in [
        lookup("Shipment__c", "Shipment__c", "Crystals"),
        decimal("Carats__c", Kind::Double, 12, 4),
        decimal("Grade__c", Kind::Double, 2, 0),
        Field {
            length: 1,
            ..Field::new("Letter__c", Kind::String)
        },
    ] {
        add_field(&mut object, field);
    }
    object
}
