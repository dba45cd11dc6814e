//! One `*.field-meta.xml`: a custom field, of any type.
//!
//! Key decision: a file of a standard field (no `__c`) describes settings only and gives no field.
//! Types that we do not know become text, so that their data are not lost.
//! Source: Metadata API guide, "CustomField".
//! Not here: where the field goes (`sfdx::add_field`).

use serde_json::json;

use super::field::{Choice, Field, Kind, OnDelete, Rollup, label_of};
use super::formula::Formula;
use crate::xml::Element;

/// The field that a `CustomField` element defines.
pub(crate) fn field(meta: &Element) -> Option<Field> {
    let name = meta.get("fullName").filter(|n| n.ends_with("__c"))?;
    let declared = meta.get("type").unwrap_or("Text");
    let mut field = Field {
        label: meta.get("label").map_or_else(|| label_of(name), str::to_owned),
        unique: meta.flag("unique"),
        external_id: meta.flag("externalId"),
        case_sensitive: meta.flag("caseSensitive"),
        ..Field::new(name, kind(declared))
    };
    sizes(&mut field, meta, declared);
    if meta.flag("required") {
        field.nillable = false;
    }
    references(&mut field, meta, declared);
    choices(&mut field, meta);
    computed(&mut field, meta, declared);
    defaults(&mut field, meta);
    Some(field)
}

fn kind(declared: &str) -> Kind {
    match declared {
        "Number" => Kind::Double,
        "Currency" => Kind::Currency,
        "Percent" => Kind::Percent,
        "Checkbox" => Kind::Boolean,
        "Date" => Kind::Date,
        "DateTime" => Kind::DateTime,
        "Time" => Kind::Time,
        "Email" => Kind::Email,
        "Phone" => Kind::Phone,
        "Url" => Kind::Url,
        "Picklist" => Kind::Picklist,
        "MultiselectPicklist" => Kind::MultiPicklist,
        "TextArea" | "LongTextArea" | "Html" => Kind::TextArea,
        "Lookup" | "MasterDetail" | "Hierarchy" => Kind::Reference,
        "Location" => Kind::Location,
        "EncryptedText" => Kind::Encrypted,
        "Summary" => Kind::Double,
        _ => Kind::String,
    }
}

fn sizes(field: &mut Field, meta: &Element, declared: &str) {
    let number = |key: &str| meta.get(key).and_then(|v| v.parse::<u32>().ok());
    match declared {
        "LongTextArea" => field.length = number("length").unwrap_or(32768),
        "Html" => {
            field.length = number("length").unwrap_or(32768);
            field.html = true;
        }
        "MetadataRelationship" | "ExternalLookup" | "IndirectLookup" => field.length = 255,
        _ if field.kind.is_text() => field.length = number("length").unwrap_or(field.length),
        _ => {}
    }
    if field.kind.is_decimal() || field.kind == Kind::Location {
        field.precision = number("precision").unwrap_or(18);
        field.scale = number("scale").unwrap_or(if declared == "Currency" { 2 } else { 0 });
    }
}

fn references(field: &mut Field, meta: &Element, declared: &str) {
    if field.kind != Kind::Reference {
        return;
    }
    let target = match declared {
        "Hierarchy" => Some("User"),
        _ => meta.get("referenceTo"),
    };
    field.reference_to = target.map(str::to_owned).into_iter().collect();
    field.relationship = field.name.strip_suffix("__c").map(|stem| format!("{stem}__r"));
    field.children = meta.get("relationshipName").map(|n| format!("{n}__r"));
    field.on_delete = match meta.get("deleteConstraint") {
        Some("Cascade") => OnDelete::Cascade,
        Some("Restrict") => OnDelete::Restrict,
        // A required lookup cannot be emptied.
        None if declared == "Lookup" && !field.nillable => OnDelete::Restrict,
        _ => OnDelete::SetNull,
    };
    if declared == "MasterDetail" {
        field.on_delete = OnDelete::Cascade;
        field.order = Some(0);
        field.nillable = false;
        field.updateable = meta.flag("reparentableMasterDetail");
    }
}

fn choices(field: &mut Field, meta: &Element) {
    let Some(set) = meta.child("valueSet") else { return };
    let Some(values) = set.child("valueSetDefinition") else {
        return;
    };
    field.choices = values.all("value").filter_map(choice).collect();
    // A global value set is defined elsewhere: without its values nothing can be refused.
    field.restricted = set.flag("restricted") && !field.choices.is_empty();
    field.defaulted |= field.choices.iter().any(|c| c.default);
}

fn choice(value: &Element) -> Option<Choice> {
    Some(Choice {
        value: value.get("fullName")?.to_owned(),
        active: value.get("isActive") != Some("false"),
        default: value.flag("default"),
    })
}

fn computed(field: &mut Field, meta: &Element, declared: &str) {
    if declared == "AutoNumber" {
        field.auto_number = Some(meta.get("displayFormat").unwrap_or("{0000}").to_owned());
        field.length = 30;
        field.defaulted = true;
        field.nillable = false;
    }
    if let Some(text) = meta.get("formula") {
        field.calculated = true;
        field.formula = Formula::parse(text);
        field.formula_text = Some(text.to_owned());
        field.nillable = true;
        if field.kind == Kind::String {
            field.length = 1300;
        }
    }
    if declared == "Summary" {
        field.calculated = true;
        field.nillable = true;
        field.rollup = rollup(meta);
        (field.precision, field.scale) = (18, 2);
        if meta.get("summaryOperation") == Some("count") {
            field.scale = 0;
        }
    }
    if field.calculated || field.auto_number.is_some() {
        field.createable = false;
        field.updateable = false;
    }
}

fn rollup(meta: &Element) -> Option<Rollup> {
    let (child, key) = meta.get("summaryForeignKey")?.split_once('.')?;
    // A filtered roll-up would need the filter language; its value stays null.
    if meta.child("summaryFilterItems").is_some() {
        return None;
    }
    Some(Rollup {
        child: child.to_owned(),
        key: key.to_owned(),
        of: meta
            .get("summarizedField")
            .and_then(|f| f.split_once('.'))
            .map(|(_, f)| f.to_owned()),
        operation: meta.get("summaryOperation").unwrap_or("count").to_owned(),
    })
}

fn defaults(field: &mut Field, meta: &Element) {
    let Some(text) = meta.get("defaultValue") else {
        return;
    };
    field.default = match field.kind {
        Kind::Boolean => Some(json!(text == "true")),
        kind if kind.is_decimal() => text.parse::<f64>().ok().map(|n| json!(n)),
        kind if kind.is_text() => literal(text).map(|t| json!(t)),
        _ => None,
    };
    field.defaulted |= field.default.is_some();
}

/// The text of a quoted literal; other default formulas are not evaluated.
fn literal(text: &str) -> Option<&str> {
    ['"', '\'']
        .iter()
        .find_map(|q| text.strip_prefix(*q)?.strip_suffix(*q))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml;

    fn read(body: &str) -> Field {
        let text = format!("<CustomField><fullName>F__c</fullName>{body}</CustomField>");
        field(&xml::parse(&text).unwrap()).unwrap()
    }

    #[test]
    fn types_and_rights() {
        let f = read(
            "<type>MasterDetail</type><referenceTo>A__c</referenceTo><relationshipName>Fs</relationshipName>",
        );
        assert!(f.required() && !f.updateable && f.on_delete == OnDelete::Cascade);
        assert_eq!(f.children.as_deref(), Some("Fs__r"));
        let f = read("<type>Number</type><formula>1 + 1</formula><precision>18</precision><scale>2</scale>");
        assert!(f.calculated && !f.createable && f.formula.is_some() && f.scale == 2);
        let f = read("<type>AutoNumber</type><displayFormat>A-{000}</displayFormat>");
        assert!(!f.createable && f.auto_number.as_deref() == Some("A-{000}"));
        let f = read("<type>Checkbox</type><defaultValue>true</defaultValue>");
        assert_eq!(f.default, Some(json!(true)));
        let f = read(
            "<type>Summary</type><summaryForeignKey>C__c.P__c</summaryForeignKey><summaryOperation>count</summaryOperation>",
        );
        assert_eq!(f.rollup.unwrap().child, "C__c");
    }

    #[test]
    fn restricted_only_with_known_values() {
        let f = read(
            "<type>Picklist</type><valueSet><restricted>true</restricted><valueSetName>G</valueSetName></valueSet>",
        );
        assert!(!f.restricted);
        let f = read(
            "<type>Picklist</type><valueSet><restricted>true</restricted><valueSetDefinition><value><fullName>x</fullName><default>true</default></value></valueSetDefinition></valueSet>",
        );
        assert!(f.restricted && f.defaulted);
    }
}
