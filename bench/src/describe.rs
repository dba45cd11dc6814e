//! The describe of the corpus, as the REST API would answer it, cut to what readers of a dump ask for.
//!
//! Key decision: it follows from the same table as the values, so that the two cannot differ.
//! This is not a whole describe: no labels, picklist values or child relationships.

use crate::fields::{Field, Kind};
use crate::sobject::SObject;

/// The describe's JSON text, for Contacts under this name.
pub fn describe(name: &str) -> String {
    describe_as(SObject::Contact, name)
}

/// The describe's JSON text, for an sObject under this name.
pub fn describe_as(sobject: SObject, name: &str) -> String {
    let fields: Vec<String> = sobject.fields().iter().map(field).collect();
    format!(
        "{{\"name\":\"{name}\",\"keyPrefix\":\"{}\",\"custom\":{},\"queryable\":true,\"createable\":true,\
         \"updateable\":true,\"deletable\":true,\"undeletable\":true,\"fields\":[\n{}\n]}}\n",
        sobject.prefix(),
        sobject.custom(),
        fields.join(",\n")
    )
}

fn field(field: &Field) -> String {
    let target = match field.kind {
        Kind::Reference(target) => format!("\"{target}\""),
        Kind::ModifiedBy => "\"User\"".to_owned(),
        _ => String::new(),
    };
    format!(
        "{{\"name\":\"{}\",\"type\":\"{}\",\"referenceTo\":[{target}],\"nillable\":{},\"createable\":{write},\
         \"updateable\":{write},\"calculated\":false,\"filterable\":true,\"externalId\":{external},\"unique\":{external}}}",
        field.name,
        api_type(field.kind),
        !field.required(),
        write = field.editable() || field.kind == Kind::External,
        external = field.kind == Kind::External,
    )
}

fn api_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Id => "id",
        Kind::Reference(..) | Kind::ModifiedBy => "reference",
        Kind::Picklist(_) => "picklist",
        Kind::Multi(_) => "multipicklist",
        Kind::Boolean(_) => "boolean",
        Kind::Date => "date",
        Kind::DateTime | Kind::Created | Kind::Modified | Kind::Stamp => "datetime",
        Kind::Amount(_) => "currency",
        Kind::Whole(_) => "double",
        Kind::Percent => "percent",
        Kind::Phone => "phone",
        Kind::Email => "email",
        Kind::Url => "url",
        Kind::Street | Kind::Words(_) | Kind::Filler => "textarea",
        Kind::First
        | Kind::Last
        | Kind::Full
        | Kind::Company
        | Kind::PostalCode
        | Kind::Serial(_)
        | Kind::External => "string",
    }
}
