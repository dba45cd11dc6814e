//! What may happen in a random history, and the values that rows get.
//!
//! Key decision: a step names a row by a number, taken among the rows there are when it happens, so that a shrunk
//! history still means something. Nothing happens here: the history does it.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::OBJECTS;

pub const STATES: [&str; 3] = ["Sunk", "Working", "Flooded"];
pub const TEXTS: [&str; 6] = [
    "Saline & Söhne",
    "two\nlines\tand \"quotes\"",
    "007",
    "null",
    "岩塩 🧂",
    "a,b;c\\",
];

/// One thing that happens. Rows are picked among those there are; what the org refuses does not happen.
#[derive(Debug, Clone)]
pub enum Step {
    Create(usize, u32),
    Edit(usize, usize, u32),
    Delete(usize, usize),
    Purge(usize, usize),
    Undelete(usize, usize),
    /// Deletes a row, for good if told, and creates another under its name.
    Again(usize, usize, u32, bool),
    /// What was purged is no longer shown to anybody.
    Expire,
    View(usize, usize),
    Wait(u32),
    Backup(bool),
    Restore(usize),
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (object, row, seed) = (0..OBJECTS.len(), 0..40usize, any::<u32>());
    let step = prop_oneof![
        5 => (object.clone(), seed).prop_map(|(o, s)| Step::Create(o, s)),
        7 => (object.clone(), row.clone(), seed).prop_map(|(o, r, s)| Step::Edit(o, r, s)),
        4 => (object.clone(), row.clone()).prop_map(|(o, r)| Step::Delete(o, r)),
        2 => (object.clone(), row.clone()).prop_map(|(o, r)| Step::Purge(o, r)),
        3 => (object.clone(), row.clone()).prop_map(|(o, r)| Step::Undelete(o, r)),
        2 => (object.clone(), row.clone(), seed, any::<bool>()).prop_map(|(o, r, s, p)| Step::Again(o, r, s, p)),
        1 => Just(Step::Expire),
        1 => (object, row).prop_map(|(o, r)| Step::View(o, r)),
        2 => (0..90u32).prop_map(Step::Wait),
        4 => prop::bool::weighted(0.2).prop_map(Step::Backup),
        2 => (0..8usize).prop_map(Step::Restore),
    ];
    prop::collection::vec(step, 5..=40)
}

/// Values for a row of an object. Unique ones are never used twice: a restore could not bring them back.
pub fn values(object: &str, seed: u32, serial: u32, pick: impl Fn(usize, usize) -> Option<String>) -> Value {
    let n = |bits: u32| seed.rotate_right(bits) as usize;
    let link = |object: &str, bits: u32| match n(bits) % 4 {
        0 => None,
        _ => pick(OBJECTS.iter().position(|o| *o == object).unwrap(), n(bits) / 4),
    };
    let text = |bits: u32| TEXTS.get(n(bits) % (TEXTS.len() + 1));
    let name = format!(
        "{} {}",
        TEXTS[n(3) % TEXTS.len()].replace(['\n', '\t'], " "),
        serial
    );
    let unique = format!("U{}", serial);
    let number = |bits: u32, scale: f64| f64::from(seed.rotate_right(bits) % 90_000) / scale;
    let day = format!("20{:02}-0{}-1{}", n(2) % 90 + 10, n(4) % 9 + 1, n(6) % 10);
    match object {
        "Account" => json!({"Name": name, "ParentId": link(object, 1), "Description": text(5),
                "AnnualRevenue": number(9, 1.0), "Customer_Number__c": unique, "BillingCity": text(11),
                "Interests__c": (n(8) % 2 == 0).then_some("Brine;Bath salt")}),
        "Contact" => json!({"LastName": name, "FirstName": text(4), "AccountId": link("Account", 2),
                "ReportsToId": link(object, 6), "Birthdate": day, "DoNotCall": n(8) % 2 == 0, "Title": text(9)}),
        "Mine__c" => {
            json!({"Name": name, "Operator__c": link("Account", 2), "Foreman__c": link("Contact", 4),
                "Purity__c": number(5, 1000.0), "Value__c": number(7, 100.0), "Opened__c": day,
                "Last_Inspection__c": format!("{day}T23:59:59.000Z"), "Chronicle__c": text(9),
                "Place__Latitude__s": number(3, 1024.0), "Place__Longitude__s": number(1, 1024.0)})
        }
        "Shaft__c" => json!({"Mine__c": link("Mine__c", 2), "Depth__c": number(4, 100.0),
                "State__c": STATES[n(6) % 3], "Connected_To__c": link(object, 8)}),
        "Shipment__c" => {
            json!({"Name": name, "Mine__c": link("Mine__c", 2), "Tons__c": number(4, 1000.0),
                "Primary_Crystal__c": link("Crystal__c", 6), "Customer__c": link("Account", 8),
                "Waybill__c": unique, "Remarks__c": text(10)})
        }
        _ => {
            json!({"Name": name, "Shipment__c": link("Shipment__c", 2), "Carats__c": number(4, 10_000.0),
                "Grade__c": n(6) % 9, "Letter__c": "Ä"})
        }
    }
}
