//! What "Enable Person Accounts" adds to the objects: the fields of a person on Account, the flags.
//!
//! Key decision: a field of the person stands on Account and on Contact under names that follow from each
//! other (`PersonEmail` and `Email`, `Level__pc` and `Level__c`); everything else reads the pairs from here.
//! Source: SOAP API guide, "Person Account Record Types"; Object Reference, "Account"; a recorded describe.
//! Not here: keeping both rows alike (`write::person`).

use super::Schema;
use super::field::{Field, Kind, OnDelete, label_of};
use super::object::{ObjectDef, address, record_type};

/// The flag of both rows of a person.
pub(crate) const FLAG: &str = "IsPersonAccount";

/// Fields of Contact that Account bears with `Person` before their name; the two addresses besides.
const PLAIN: [&str; 14] = [
    "MobilePhone",
    "HomePhone",
    "OtherPhone",
    "AssistantPhone",
    "Email",
    "Title",
    "Department",
    "AssistantName",
    "LeadSource",
    "Birthdate",
    "HasOptedOutOfEmail",
    "HasOptedOutOfFax",
    "DoNotCall",
    "IndividualId",
];

/// Whether an org has person accounts.
pub(crate) fn enabled(schema: &Schema) -> bool {
    schema.object("Account").is_some_and(|a| a.has(FLAG))
}

/// The field of Contact that a field of Account stands for on a person.
pub(crate) fn on_contact(account_field: &str) -> Option<String> {
    match account_field {
        "FirstName" | "LastName" | "Salutation" => Some(account_field.to_owned()),
        _ => match account_field.strip_suffix("__pc") {
            Some(custom) => Some(format!("{custom}__c")),
            None => account_field.strip_prefix("Person").map(str::to_owned),
        },
    }
}

/// The pairs of fields that both rows of a person hold: on Account, on Contact.
pub(crate) fn pairs(account: &ObjectDef, contact: &ObjectDef) -> Vec<(String, String)> {
    let written = |f: &&Field| f.createable && !f.kind.is_compound();
    let pair = |f: &Field| {
        let twin = on_contact(&f.name)?;
        contact.field(&twin).map(|c| (f.name.clone(), c.name.clone()))
    };
    account.fields.iter().filter(written).filter_map(pair).collect()
}

/// Account, Contact and RecordType of an org that has person accounts.
pub(crate) fn widened(schema: &Schema) -> Option<[ObjectDef; 3]> {
    let of = |name: &str| schema.object(name).map(|o| ObjectDef::clone(o));
    let (mut account, mut contact, mut types) = (of("Account")?, of("Contact")?, of("RecordType")?);
    let flag = || Field::system(FLAG, Kind::Boolean);
    contact.put(flag());
    types.put(Field::system("IsPersonType", Kind::Boolean));
    account.put(flag());
    if !account.has("RecordTypeId") {
        account.put(record_type());
    }
    account.put(Field {
        createable: false,
        updateable: false,
        ..Field::reference("PersonContactId", &["Contact"], "PersonContact")
    });
    for name in ["Salutation", "FirstName", "LastName"] {
        let field = contact.field(name)?.clone();
        account.put(Field {
            nillable: true,
            ..field
        });
    }
    for name in PLAIN {
        let Some(field) = contact.field(name) else {
            continue;
        };
        account.put(renamed(field, &format!("Person{name}")));
    }
    for prefix in ["PersonMailing", "PersonOther"] {
        address(prefix).into_iter().for_each(|f| account.put(f));
    }
    bear(&mut account, &contact);
    Some([account, contact, types])
}

/// Brings the `__pc` fields of Account up to date with the custom fields of Contact.
pub(crate) fn mirror(schema: &mut Schema) {
    let of = |name: &str| schema.object(name).map(|o| ObjectDef::clone(o));
    if let (Some(mut account), Some(contact)) = (of("Account"), of("Contact")) {
        bear(&mut account, &contact);
        schema.insert(account);
    }
}

fn bear(account: &mut ObjectDef, contact: &ObjectDef) {
    let gone: Vec<String> = account
        .fields
        .iter()
        .filter(|f| f.name.ends_with("__pc"))
        .map(|f| f.name.clone())
        .collect();
    gone.iter().for_each(|name| account.remove(name));
    // A formula of Contact means nothing on Account.
    for field in contact
        .fields
        .iter()
        .filter(|f| f.name.ends_with("__c") && !f.calculated)
    {
        let name = format!("{}pc", field.name.trim_end_matches('c'));
        account.put(renamed(field, &name));
    }
}

/// A field of Contact under its name on Account.
fn renamed(field: &Field, name: &str) -> Field {
    let relationship = field
        .relationship
        .as_ref()
        .map(|way| match way.strip_suffix("__r") {
            Some(custom) => format!("{custom}__pr"),
            None => format!("Person{way}"),
        });
    Field {
        name: name.to_owned(),
        label: label_of(name),
        relationship,
        children: None,
        order: None,
        on_delete: OnDelete::SetNull,
        lookup_key: false,
        recorded: None,
        ..field.clone()
    }
}
