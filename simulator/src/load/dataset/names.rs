//! Names of a mapping as the org knows them, and what the org must get before the data fit.
//!
//! Key decision: a name is taken as it is, else without the namespace of the project's own package, else with
//! the one namespace that makes it a name of the org. A custom object, field or record type that even so is
//! not there belongs to a package whose source is not at hand: it is presumed, of the type that its values
//! show, and reported. A standard name is never presumed.
//! Source: CumulusCI documentation, "Manage Data", "Namespace Handling", "Record Types".
//! Not here: loading rows (`steps`).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::mapping::Step;
use super::sql::Table;
use crate::org::State;
use crate::org::state::Row;
use crate::schema::object::record_type;
use crate::schema::{Field, Kind, ObjectDef, Schema, sfdx};

/// The name that the org has for a name of the mapping.
fn found(schema: &Schema, wanted: &str, known: &[&str]) -> Option<String> {
    let same = |name: &str| known.iter().copied().find(|k| k.eq_ignore_ascii_case(name));
    if let Some(name) = same(wanted) {
        return Some(name.to_owned());
    }
    match wanted.split_once("__").filter(|(_, plain)| plain.contains("__")) {
        Some((namespace, plain)) => {
            let prefix = format!("{}__", namespace.to_ascii_lowercase());
            let foreign = schema
                .objects()
                .any(|o| o.name.to_ascii_lowercase().starts_with(&prefix));
            same(plain).filter(|_| !foreign).map(str::to_owned)
        }
        None => {
            let mut bearers = known.iter().filter(|k| {
                let plain = k.split_once("__").map(|(_, plain)| plain);
                plain.is_some_and(|p| p.eq_ignore_ascii_case(wanted))
            });
            let name = bearers.next()?;
            bearers.next().is_none().then(|| (*name).to_owned())
        }
    }
}

/// The object that a step means.
pub(crate) fn object(schema: &Schema, wanted: &str) -> Option<String> {
    let known: Vec<&str> = schema.objects().map(|o| o.name.as_str()).collect();
    found(schema, wanted, &known)
}

/// The field that a name means on an object.
pub(crate) fn field(schema: &Schema, object: &ObjectDef, wanted: &str) -> Option<String> {
    let known: Vec<&str> = object.fields.iter().map(|f| f.name.as_str()).collect();
    found(schema, wanted, &known)
}

/// Adds what the steps presume; gives a line for each addition.
pub(crate) fn presume(state: &mut State, steps: &[Step], tables: &[Table]) -> Vec<String> {
    let mut lines = Vec::new();
    for step in steps {
        if object(&state.schema, &step.object).is_none() && step.object.ends_with("__c") {
            state.redefine(sfdx::custom_object(&step.object, None));
            lines.push(format!("object {}", step.object));
        }
    }
    for step in steps {
        let Some(name) = object(&state.schema, &step.object) else {
            continue;
        };
        let Some(def) = state.schema.object(&name).cloned() else {
            continue;
        };
        let mut changed = def.as_ref().clone();
        for new in missing(state, &def, step, steps, tables) {
            lines.push(format!("field {}.{} ({})", def.name, new.name, new.kind.name()));
            sfdx::add_field(&mut changed, new);
        }
        let types = wanted_types(step, tables);
        if !types.is_empty() && !changed.has("RecordTypeId") {
            changed.put(record_type());
        }
        if changed.fields.len() > def.fields.len() {
            state.redefine(changed);
        }
        for (developer, person) in types {
            if !person && record_type_id(state, &name, &developer).is_none() {
                add_type(state, &name, &developer);
                lines.push(format!("record type {name}.{developer}"));
            }
        }
    }
    lines
}

/// The custom fields and lookups of a step that its object lacks.
fn missing(state: &State, def: &ObjectDef, step: &Step, steps: &[Step], tables: &[Table]) -> Vec<Field> {
    let absent = |name: &str| name.ends_with("__c") && field(&state.schema, def, name).is_none();
    let table = tables.iter().find(|t| t.name.eq_ignore_ascii_case(&step.table));
    let mut out = Vec::new();
    for (name, column) in step.fields.iter().filter(|(name, _)| absent(name)) {
        let at = table.and_then(|t| Some((t, t.column(column)?)));
        let values = at
            .into_iter()
            .flat_map(|(t, at)| t.rows.iter().filter_map(move |r| r[at].as_deref()));
        out.push(typed(name, values.filter(|v| !v.is_empty())));
    }
    for (name, value) in step.fixed.iter().filter(|(name, _)| absent(name)) {
        out.push(typed(name, std::iter::once(value.as_str())));
    }
    for link in step.lookups.iter().filter(|l| absent(&l.field)) {
        let targets: Vec<String> = steps
            .iter()
            .filter(|s| link.tables.contains(&s.table))
            .filter_map(|s| object(&state.schema, &s.object))
            .collect();
        let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
        let stem = link.field.trim_end_matches("__c");
        out.push(Field::reference(&link.field, &targets, &format!("{stem}__r")));
    }
    out
}

/// A field of the narrowest type that takes all the values.
fn typed<'a>(name: &str, values: impl Iterator<Item = &'a str>) -> Field {
    let values: Vec<&str> = values.collect();
    let all = |test: fn(&str) -> bool| !values.is_empty() && values.iter().all(|v| test(v));
    if all(|v| v.eq_ignore_ascii_case("true") || v.eq_ignore_ascii_case("false")) {
        return Field::new(name, Kind::Boolean);
    }
    if all(is_number) {
        let scale = values
            .iter()
            .map(|v| v.split_once('.').map_or(0, |(_, d)| d.len()));
        let scale = u32::try_from(scale.max().unwrap_or(0)).unwrap_or(0).clamp(2, 8);
        return Field {
            precision: 18,
            scale,
            ..Field::new(name, Kind::Double)
        };
    }
    if all(|v| v.len() == 10 && v.parse::<jiff::civil::Date>().is_ok()) {
        return Field::new(name, Kind::Date);
    }
    if all(|v| crate::write::instant(v).is_some()) {
        return Field::new(name, Kind::DateTime);
    }
    if values.iter().any(|v| v.chars().count() > 255) {
        return Field {
            length: 32_768,
            ..Field::new(name, Kind::TextArea)
        };
    }
    Field::new(name, Kind::String)
}

/// A number that is no code: `07050` and `+43` are text.
fn is_number(text: &str) -> bool {
    let digits = text.trim_start_matches('-');
    let code = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let plain = digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    plain && !code && text.parse::<f64>().is_ok()
}

/// Record types that the dump's table of them, or the step itself, names: developer name, person type.
fn wanted_types(step: &Step, tables: &[Table]) -> BTreeMap<String, bool> {
    let named = source_types(step, tables).into_values();
    let own = step.record_type.iter().map(|name| (name.clone(), false));
    named.chain(own).collect()
}

/// The dump's record types of a step, by the Id they have in the dump: developer name, person type.
pub(crate) fn source_types(step: &Step, tables: &[Table]) -> BTreeMap<String, (String, bool)> {
    let mut out = BTreeMap::new();
    for table in tables.iter().filter(|t| is_type_table(&t.name, step)) {
        let person = table.column("is_person_type");
        for row in &table.rows {
            let text = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
            let flag = person.map(text).unwrap_or_default();
            let person = flag == "1" || flag.eq_ignore_ascii_case("true");
            out.insert(text(0), (text(1), person));
        }
    }
    out
}

/// Whether a table holds the record types of a step.
pub(crate) fn is_type_table(name: &str, step: &Step) -> bool {
    let stem = name.strip_suffix("_rt_mapping");
    stem.is_some_and(|s| s.eq_ignore_ascii_case(&step.object) || s.eq_ignore_ascii_case(&step.table))
}

/// The org's record type of that developer name, for businesses.
pub(crate) fn record_type_id(state: &State, object: &str, developer: &str) -> Option<String> {
    record_type_of(state, object, developer, false)
}

/// The org's record type of that developer name, for persons or not.
pub(crate) fn record_type_of(state: &State, object: &str, developer: &str, person: bool) -> Option<String> {
    let of_persons = |r: &Row| r.values.flag("IsPersonType") == Some(true);
    let named =
        |r: &Row| r.text("SobjectType") == object && r.text("DeveloperName").eq_ignore_ascii_case(developer);
    let mut types = state.rows("RecordType");
    types
        .find(|(_, r)| named(r) && of_persons(r) == person)
        .map(|(id, _)| id.clone())
}

fn add_type(state: &mut State, object: &str, developer: &str) {
    let id = state.new_id("012");
    let name = developer.replace('_', " ");
    let values: Value =
        json!({"Name": name, "DeveloperName": developer, "SobjectType": object, "IsActive": true});
    state.seed_row("RecordType", &id, values);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_come_and_go() {
        let mut schema = crate::schema::standard::schema();
        for name in ["Address__c", "npe01__Payment__c", "ns__Fund__c"] {
            schema.insert(sfdx::custom_object(name, None));
        }
        let of = |name: &str| object(&schema, name);
        assert_eq!(of("npsp__Address__c").as_deref(), Some("Address__c"));
        assert_eq!(of("fund__c").as_deref(), Some("ns__Fund__c"));
        assert_eq!(of("NPE01__payment__c").as_deref(), Some("npe01__Payment__c"));
        assert_eq!(of("npe01__Address__c"), None, "another package's object");
        assert_eq!(of("Nope"), None);
    }

    #[test]
    fn values_show_their_type() {
        let kind = |values: &[&str]| typed("X__c", values.iter().copied()).kind;
        assert_eq!(kind(&["true", "False"]), Kind::Boolean);
        assert_eq!(kind(&["1", "-2.505"]), Kind::Double);
        assert_eq!(kind(&["07050"]), Kind::String);
        assert_eq!(kind(&["2020-01-02"]), Kind::Date);
        assert_eq!(kind(&["2020-01-02T10:00:00.000Z"]), Kind::DateTime);
        assert_eq!(kind(&["2020-01-02", "soon"]), Kind::String);
        assert_eq!(kind(&[]), Kind::String);
        assert_eq!(kind(&[&"x".repeat(256)]), Kind::TextArea);
    }
}
