//! Custom objects out of an SFDX project's `*.object-meta.xml`.
//!
//! Key decision: an object file of a standard object only adds to the built-in definition; one of a custom
//! object makes a new one with the fields that every custom object has.
//! Source: Metadata API guide, "CustomObject".
//! Not here: the fields' own files (`sfdx_field`), the data (`load`).

use super::field::{Field, Kind};
use super::object::{ObjectDef, audit};
pub(crate) use super::sfdx_field::field;
use crate::xml::Element;

/// The definition of a custom object: its fixed fields and, for field files not yet read, room.
pub(crate) fn custom_object(name: &str, meta: Option<&Element>) -> ObjectDef {
    let mut object = ObjectDef::new(name, "", vec![Field::system("Id", Kind::Id)]);
    if let Some(meta) = meta {
        if let Some(label) = meta.get("label") {
            object.label = label.to_owned();
            object.plural = meta.get("pluralLabel").unwrap_or(label).to_owned();
        }
        object.custom_setting = meta.get("customSettingsType").is_some();
    }
    if name.ends_with("__mdt") {
        metadata_type(&mut object);
    } else if name.ends_with("__e") {
        object.rights.queryable = false;
        object.rights.retrieveable = false;
        object.rights.undeletable = false;
        object.rights.deletable = false;
        object.rights.updateable = false;
        object.rights.replicateable = false;
        for field in audit().into_iter().take(2) {
            object.put(field);
        }
    } else {
        data_object(&mut object, meta);
    }
    object
}

/// Rows of custom metadata are read with SOQL and written by the Metadata API only.
fn metadata_type(object: &mut ObjectDef) {
    let r = &mut object.rights;
    (r.createable, r.updateable, r.deletable, r.undeletable) = (false, false, false, false);
    r.replicateable = false;
    for (name, length) in [
        ("DeveloperName", 40),
        ("MasterLabel", 40),
        ("Language", 40),
        ("NamespacePrefix", 15),
        ("Label", 40),
        ("QualifiedApiName", 70),
    ] {
        let field = Field {
            length,
            name_field: name == "DeveloperName",
            createable: false,
            updateable: false,
            ..Field::new(name, Kind::String)
        };
        object.put(field);
    }
    object.put(Field::system("SystemModstamp", Kind::DateTime));
}

fn data_object(object: &mut ObjectDef, meta: Option<&Element>) {
    if !object.custom_setting {
        object.put(Field {
            nillable: false,
            defaulted: true,
            ..Field::reference("OwnerId", &["Group", "User"], "Owner")
        });
    }
    object.put(Field::system("IsDeleted", Kind::Boolean));
    object.put(name_field(meta.and_then(|m| m.child("nameField"))));
    if object.custom_setting {
        object.put(Field {
            nillable: false,
            defaulted: true,
            ..Field::reference("SetupOwnerId", &["Organization", "Profile", "User"], "SetupOwner")
        });
        object.rights.undeletable = false;
        object.rights.layoutable = false;
    }
    for field in audit() {
        object.put(field);
    }
    if !object.custom_setting {
        for name in ["LastViewedDate", "LastReferencedDate"] {
            let noise = Field {
                createable: false,
                updateable: false,
                ..Field::new(name, Kind::DateTime)
            };
            object.put(noise);
        }
    }
}

/// The Name of a custom object: text that defaults to the Id, or an auto number.
fn name_field(meta: Option<&Element>) -> Field {
    let auto = meta.is_some_and(|m| m.get("type") == Some("AutoNumber"));
    let format = meta.and_then(|m| m.get("displayFormat")).unwrap_or("{0000}");
    Field {
        length: 80,
        name_field: true,
        defaulted: true,
        nillable: !auto,
        createable: !auto,
        updateable: !auto,
        auto_number: auto.then(|| format.to_owned()),
        ..Field::new("Name", Kind::String)
    }
}

/// Adds a field read from its file. A master-detail field takes the owner away from its object, and a
/// location brings its two parts.
pub(crate) fn add_field(object: &mut ObjectDef, mut field: Field) {
    if field.order.is_some() {
        let masters = object.fields.iter().filter(|f| f.order.is_some()).count();
        field.order = Some(u8::from(masters > 0));
        object.remove("OwnerId");
    }
    if field.kind == Kind::Location {
        let stem = field.name.trim_end_matches("__c");
        for part in ["Latitude", "Longitude"] {
            object.put(Field {
                precision: 18,
                scale: field.scale,
                compound: Some(field.name.clone()),
                label: format!("{} ({part})", field.label),
                ..Field::new(&format!("{stem}__{part}__s"), Kind::Double)
            });
        }
    }
    object.put(field);
}
