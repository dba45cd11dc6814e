//! The standard objects, read from a compact table of our own (`standard.txt`).
//!
//! Key decision: a table of lines rather than code: one line a field, so that a missing or wrong field is
//! one edit. The table holds the objects and fields that backups meet most; it is no full copy of any org.
//! Source: Object Reference, "Standard Objects".
//! Not here: custom objects (`sfdx`) and recorded describes (`recorded`), which may replace an entry.

use serde_json::json;

use super::Schema;
use super::field::{Choice, Field, Kind, OnDelete};
use super::object::{ObjectDef, address, audit};

const TABLE: &str = include_str!("standard.txt");
const SETUP: &str = include_str!("setup.txt");

/// All standard objects.
pub(crate) fn schema() -> Schema {
    read(TABLE)
}

/// The objects of the setup, which no describe shows.
pub(crate) fn setup() -> Schema {
    read(SETUP)
}

fn read(table: &str) -> Schema {
    let mut schema = Schema::default();
    let mut open: Option<(ObjectDef, bool)> = None;
    for line in table
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
    {
        if let Some(head) = line.strip_prefix("object ") {
            close(&mut schema, open.take());
            open = Some(header(head));
        } else if let Some((object, _)) = open.as_mut() {
            for field in fields(line) {
                object.put(field);
            }
        }
    }
    close(&mut schema, open);
    schema
}

fn close(schema: &mut Schema, open: Option<(ObjectDef, bool)>) {
    if let Some((mut object, audited)) = open {
        if audited {
            for field in audit() {
                object.put(field);
            }
        }
        schema.insert(object);
    }
}

/// `Name prefix Plural_Label words...`; each word takes a right away or adds one.
fn header(line: &str) -> (ObjectDef, bool) {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap_or_default();
    let prefix = words.next().unwrap_or_default();
    let plural = words.next().unwrap_or_default().replace('_', " ");
    let mut object = ObjectDef::new(name, prefix, vec![Field::system("Id", Kind::Id)]);
    object.plural = plural;
    let (mut audited, mut bin) = (true, true);
    for word in words {
        let r = &mut object.rights;
        match word {
            "nocreate" => r.createable = false,
            "noupdate" => r.updateable = false,
            "nodelete" => (r.deletable, r.undeletable) = (false, false),
            "noundelete" => r.undeletable = false,
            "noreplicate" => r.replicateable = false,
            "nolayout" => (r.layoutable, r.searchable) = (false, false),
            "merge" => r.mergeable = true,
            "nobin" => bin = false,
            "noaudit" => audited = false,
            _ => {}
        }
    }
    if bin {
        object.put(Field::system("IsDeleted", Kind::Boolean));
    }
    (object, audited)
}

/// `Name type flags options... [= choices]`.
fn fields(line: &str) -> Vec<Field> {
    let (head, choices) = line.split_once(" = ").map_or((line, None), |(h, c)| (h, Some(c)));
    let mut words = head.split_whitespace();
    let name = words.next().unwrap_or_default();
    let (kind, size) = words
        .next()
        .map(|t| t.split_once(':').unwrap_or((t, "")))
        .unwrap_or_default();
    if kind == "address" {
        return address(name);
    }
    let mut field = typed(name, kind, size);
    flags(&mut field, words.next().unwrap_or("cun"));
    for option in words {
        match option.split_once('=').unwrap_or((option, "")) {
            ("as", way) => field.relationship = Some(way.to_owned()).filter(|w| !w.is_empty()),
            ("kids", way) => field.children = Some(way.to_owned()),
            ("of", compound) => field.compound = Some(compound.to_owned()),
            ("cascade", _) => field.on_delete = OnDelete::Cascade,
            ("restrict", _) => field.on_delete = OnDelete::Restrict,
            ("default", v) => field.default = Some(json!(v)),
            ("true", _) => field.default = Some(json!(true)),
            _ => {}
        }
    }
    if let Some(list) = choices {
        field.choices = list.split('|').map(choice).collect();
        field.defaulted |= field.choices.iter().any(|c| c.default);
    }
    vec![field]
}

fn choice(text: &str) -> Choice {
    let (value, default) = text.strip_prefix('*').map_or((text, false), |v| (v, true));
    Choice {
        value: value.to_owned(),
        active: true,
        default,
    }
}

fn typed(name: &str, kind: &str, size: &str) -> Field {
    let mut field = match kind {
        "ref" => {
            let targets: Vec<&str> = size.split('|').collect();
            return Field::reference(name, &targets, name.strip_suffix("Id").unwrap_or(name));
        }
        "bool" => Field::new(name, Kind::Boolean),
        "multi" => Field::new(name, Kind::MultiPicklist),
        "combo" => Field::new(name, Kind::Combobox),
        "addresscompound" => Field::new(name, Kind::Address),
        "auto" => Field {
            auto_number: Some(size.to_owned()),
            length: 30,
            ..Field::system(name, Kind::String)
        },
        other => Field::new(name, Kind::named(other)),
    };
    match size.split_once(',') {
        Some((precision, scale)) => {
            field.precision = precision.parse().unwrap_or(18);
            field.scale = scale.parse().unwrap_or(0);
        }
        None if kind != "auto" => field.length = size.parse().unwrap_or(field.length),
        None => {}
    }
    field
}

/// One letter a flag: c createable, u updateable, n nillable, d defaulted, N name, U unique, R restricted,
/// C calculated, L key of an upsert; `-` none.
fn flags(field: &mut Field, letters: &str) {
    let has = |c: char| letters.contains(c);
    field.createable = has('c');
    field.updateable = has('u');
    field.nillable = has('n');
    field.defaulted = has('d') || field.auto_number.is_some() || field.kind == Kind::Boolean;
    field.name_field = has('N');
    field.lookup_key = has('L');
    field.unique = has('U');
    field.restricted = has('R');
    field.calculated = has('C');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_tables_is_understood() {
        let (schema, setup) = (schema(), setup());
        assert!(schema.objects().count() >= 30 && setup.objects().count() >= 6);
        for object in schema.objects().chain(setup.objects()) {
            assert_eq!(object.key_prefix.len(), 3, "{}", object.name);
            for field in &object.fields {
                assert_ne!(field.kind, Kind::AnyType, "{}.{}", object.name, field.name);
                for target in &field.reference_to {
                    assert!(schema.object(target).is_some(), "{}.{}", object.name, field.name);
                }
            }
        }
    }

    #[test]
    fn flags_and_references() {
        let schema = schema();
        let contact = schema.object("contact").unwrap();
        assert!(contact.field("LastName").unwrap().required());
        assert!(!contact.field("Name").unwrap().createable);
        assert_eq!(contact.field("AccountId").unwrap().on_delete, OnDelete::Cascade);
        assert!(!contact.field("Description").unwrap().filterable());
        assert!(contact.relationship("ReportsTo").is_some());
        assert!(!schema.object("User").unwrap().has("IsDeleted"));
    }
}
