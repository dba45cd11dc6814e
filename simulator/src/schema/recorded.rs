//! Objects out of recorded describe replies.
//!
//! Key decision: what a describe says is kept as it was recorded and sent back unchanged; only what the
//! simulator must obey is read out of it.
//! Source: REST API guide, "sObject Describe".
//! Not here: writing describes for objects that have no recording (`http::describe`).

use serde_json::{Map, Value};

use super::field::{Choice, Field, Kind, OnDelete, Rollup, label_of};
use super::formula::Formula;
use super::object::{ObjectDef, Rights};

/// Reads a describe reply (or one wrapped in `result`); the error is a line for people.
pub(crate) fn object(describe: &Value) -> Result<ObjectDef, String> {
    let top = describe.get("result").unwrap_or(describe);
    let name = text(top, "name").ok_or("describe without a name")?;
    let fields = top
        .get("fields")
        .and_then(Value::as_array)
        .ok_or("describe without fields")?;
    let fields = fields
        .iter()
        .map(field)
        .collect::<Option<Vec<_>>>()
        .ok_or("field without name")?;
    let mut object = ObjectDef::new(name, text(top, "keyPrefix").unwrap_or_default(), fields);
    object.label = text(top, "label").unwrap_or(name).to_owned();
    object.plural = text(top, "labelPlural").unwrap_or(name).to_owned();
    object.custom = flag(top, "custom");
    object.custom_setting = flag(top, "customSetting");
    object.rights = Rights {
        queryable: flag(top, "queryable"),
        retrieveable: flag(top, "retrieveable"),
        createable: flag(top, "createable"),
        updateable: flag(top, "updateable"),
        deletable: flag(top, "deletable"),
        undeletable: flag(top, "undeletable"),
        replicateable: flag(top, "replicateable"),
        searchable: flag(top, "searchable"),
        mergeable: flag(top, "mergeable"),
        layoutable: flag(top, "layoutable"),
        triggerable: flag(top, "triggerable"),
    };
    object.recorded = top.as_object().map(|m| {
        m.iter()
            .filter(|(k, _)| *k != "fields")
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    });
    Ok(object)
}

fn text<'a>(v: &'a Value, key: &str) -> Option<&'a str> {
    v.get(key).and_then(Value::as_str).filter(|s| !s.is_empty())
}

fn flag(v: &Value, key: &str) -> bool {
    v.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn number(v: &Value, key: &str) -> u32 {
    v.get(key)
        .and_then(Value::as_u64)
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or(0)
}

/// Reads one entry of `fields`.
pub(crate) fn field(f: &Value) -> Option<Field> {
    let name = text(f, "name")?;
    let targets = f.get("referenceTo").and_then(Value::as_array);
    Some(Field {
        label: text(f, "label").map_or_else(|| label_of(name), str::to_owned),
        length: number(f, "length"),
        precision: number(f, "precision"),
        scale: number(f, "scale"),
        createable: flag(f, "createable"),
        updateable: flag(f, "updateable"),
        nillable: flag(f, "nillable"),
        defaulted: flag(f, "defaultedOnCreate"),
        calculated: flag(f, "calculated"),
        auto_number: flag(f, "autoNumber").then(|| "{00000000}".to_owned()),
        unique: flag(f, "unique"),
        external_id: flag(f, "externalId"),
        case_sensitive: flag(f, "caseSensitive"),
        name_field: flag(f, "nameField"),
        lookup_key: flag(f, "idLookup"),
        html: flag(f, "htmlFormatted"),
        restricted: flag(f, "restrictedPicklist"),
        reference_to: targets
            .map(|t| t.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default(),
        relationship: text(f, "relationshipName").map(str::to_owned),
        on_delete: if flag(f, "cascadeDelete") {
            OnDelete::Cascade
        } else if flag(f, "restrictedDelete") {
            OnDelete::Restrict
        } else {
            OnDelete::SetNull
        },
        order: f
            .get("relationshipOrder")
            .and_then(Value::as_u64)
            .map(|n| u8::from(n > 0)),
        choices: f
            .get("picklistValues")
            .and_then(Value::as_array)
            .map_or_else(Vec::new, |list| list.iter().filter_map(choice).collect()),
        compound: text(f, "compoundFieldName")
            .filter(|c| *c != name)
            .map(str::to_owned),
        default: f.get("defaultValue").filter(|v| !v.is_null()).cloned(),
        formula: text(f, "calculatedFormula").and_then(Formula::parse),
        formula_text: text(f, "calculatedFormula").map(str::to_owned),
        rollup: None::<Rollup>,
        recorded: f.as_object().cloned() as Option<Map<String, Value>>,
        ..Field::new(name, Kind::named(text(f, "type")?))
    })
}

fn choice(v: &Value) -> Option<Choice> {
    Some(Choice {
        value: text(v, "value")?.to_owned(),
        active: flag(v, "active"),
        default: flag(v, "defaultValue"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_the_flags_that_matter() {
        let object = object(
            &json!({"name": "X__c", "keyPrefix": "a01", "queryable": true, "fields": [
            {"name": "Id", "type": "id"},
            {"name": "P__c", "type": "reference", "referenceTo": ["Y__c"], "createable": true,
             "relationshipName": "P__r", "cascadeDelete": true}]}),
        )
        .unwrap();
        let field = object.field("p__C").unwrap();
        assert_eq!(field.on_delete, OnDelete::Cascade);
        assert!(field.required() && !field.updateable);
        assert!(object.rights.queryable && !object.rights.deletable);
    }

    #[test]
    fn refuses_what_is_no_describe() {
        assert!(object(&json!({"fields": []})).is_err());
        assert!(object(&json!({"name": "X"})).is_err());
        assert!(object(&json!({"name": "X", "fields": [{}]})).is_err());
    }
}
