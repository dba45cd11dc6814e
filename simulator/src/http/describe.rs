//! describeGlobal and describe, in the full shape that orgs of v48 and later send.
//!
//! Key decision: computed from the same definition that writes obey; an object that came from a recorded
//! describe sends its recording, with the relationships of this org's other objects added.
//! Source: REST API guide, "Describe Global", "sObject Describe".
//! Not here: reading recordings (`schema::recorded`).

use serde_json::{Map, Value, json};

use super::conditional;
use super::reply::Reply;
use super::route::Call;
use crate::error::ApiError;
use crate::org::State;
use crate::org::state::{Life, Row};
use crate::schema::{Field, Kind, ObjectDef, OnDelete};
use crate::write;

/// `GET /sobjects`
pub(crate) fn global(state: &mut State, call: &Call<'_>) -> Reply {
    let list: Vec<Value> = state
        .schema
        .objects()
        .filter(|o| state.sees_object(o))
        .map(|o| summary(state, o, call.version))
        .map(Value::Object)
        .collect();
    let reply = Reply::json(
        200,
        &json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": list}),
    );
    conditional::described(state, call, "sobjects", reply)
}

/// `GET /sobjects/X`
pub(crate) fn basic(state: &State, call: &Call<'_>, name: &str) -> Result<Reply, ApiError> {
    let object = state.object(name)?;
    let describe = summary(state, &object, call.version);
    let items = recent(state, &object, call);
    Ok(Reply::json(
        200,
        &json!({"objectDescribe": describe, "recentItems": items}),
    ))
}

/// Most rows that count as recent.
const RECENT: usize = 10;

/// What the running user changed last; what a user only looked at is not kept.
fn recent(state: &State, object: &ObjectDef, call: &Call<'_>) -> Vec<Value> {
    let mine = |row: &Row| row.life == Life::Live && row.text("LastModifiedById") == state.running;
    let mut rows: Vec<_> = state
        .rows(&object.name)
        .filter(|(id, row)| mine(row) && state.sees_row(object, id, row))
        .collect();
    rows.sort_by_key(|(id, row)| std::cmp::Reverse((row.text("LastModifiedDate"), *id)));
    let name = object.name_field().map_or("Id", |f| f.name.as_str());
    rows.iter()
        .take(RECENT)
        .map(|(id, row)| {
            let url = format!("/services/data/{}/sobjects/{}/{id}", call.version, object.name);
            json!({"attributes": {"type": object.name, "url": url}, "Id": id, name: row.text(name)})
        })
        .collect()
}

/// `GET /sobjects/X/describe`
pub(crate) fn object(state: &mut State, call: &Call<'_>, name: &str) -> Result<Reply, ApiError> {
    let object = state.object(name)?;
    let mut out = match &object.recorded {
        Some(recorded) => recorded.clone(),
        None => full(state, &object, call),
    };
    rights(state, &object, &mut out);
    children(state, &object, &mut out);
    let fields: Vec<Value> = object
        .fields
        .iter()
        .filter(|f| state.sees_field(&object, f))
        .map(|f| Value::Object(field(state, &object, f)))
        .collect();
    out.insert("fields".into(), Value::Array(fields));
    let reply = Reply::json(200, &out);
    Ok(conditional::described(state, call, &object.name, reply))
}

/// The part of a describe that describeGlobal shows too.
fn summary(state: &State, object: &ObjectDef, version: &str) -> Map<String, Value> {
    let r = &state.effective(object);
    let root = format!("/services/data/{version}/sobjects/{}", object.name);
    let mut urls = json!({"rowTemplate": format!("{root}/{{ID}}"), "defaultValues": format!("{root}/defaultValues?recordTypeId&fields"),
        "describe": format!("{root}/describe"), "sobject": root});
    if r.layoutable {
        for (key, path) in [
            ("compactLayouts", "describe/compactLayouts"),
            ("approvalLayouts", "describe/approvalLayouts"),
            ("listviews", "listviews"),
            ("quickActions", "quickActions"),
            ("layouts", "describe/layouts"),
        ] {
            urls[key] = json!(format!("{root}/{path}"));
        }
    }
    into_map(json!({
        "activateable": false, "associateEntityType": null, "associateParentEntity": null,
        "createable": r.createable, "custom": object.custom, "customSetting": object.custom_setting,
        "deepCloneable": false, "deletable": r.deletable, "deprecatedAndHidden": false,
        "feedEnabled": false, "hasSubtypes": false, "isInterface": false, "isSubtype": false,
        "keyPrefix": object.key_prefix, "label": object.label, "labelPlural": object.plural,
        "layoutable": r.layoutable, "mergeable": r.mergeable, "mruEnabled": r.layoutable,
        "name": object.name, "queryable": r.queryable, "replicateable": r.replicateable,
        "retrieveable": r.retrieveable, "searchable": r.searchable, "triggerable": r.triggerable,
        "undeletable": r.undeletable, "updateable": r.updateable, "urls": urls,
    }))
}

fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn full(state: &State, object: &ObjectDef, call: &Call<'_>) -> Map<String, Value> {
    let mut out = summary(state, object, call.version);
    let extra = into_map(json!({
        "actionOverrides": [], "compactLayoutable": object.rights.layoutable, "defaultImplementation": null,
        "extendedBy": null, "extendsInterfaces": null, "implementedBy": null, "implementsInterfaces": null,
        "listviewable": null, "lookupLayoutable": null, "namedLayoutInfos": [], "networkScopeFieldName": null,
        "recordTypeInfos": record_types(state, object, call), "searchLayoutable": object.rights.searchable,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [{"label": format!("All {}", object.plural.to_lowercase()), "name": "everything"},
            {"label": format!("My {}", object.plural.to_lowercase()), "name": "mine"}],
    }));
    out.extend(extra);
    if let Some(urls) = out.get_mut("urls") {
        for (key, path) in [("uiDetailTemplate", "{ID}"), ("uiEditTemplate", "{ID}/e")] {
            urls[key] = json!(format!("{}/{path}", call.request.base));
        }
        urls["uiNewRecord"] = json!(format!("{}/{}/e", call.request.base, object.key_prefix));
    }
    out
}

/// Record types of the object; the master comes last and is the default where there is no other.
fn record_types(state: &State, object: &ObjectDef, call: &Call<'_>) -> Vec<Value> {
    let info = |id: &str, name: &str, developer: &str, master: bool, default: bool, active: bool| {
        let offered = active && state.offers(id);
        json!({"active": active, "available": offered, "defaultRecordTypeMapping": default,
            "developerName": developer, "master": master, "name": name, "recordTypeId": id,
            "urls": {"layout": format!("/services/data/{}/sobjects/{}/describe/layouts/{id}", call.version, object.name)}})
    };
    let mut out: Vec<Value> = Vec::new();
    for (id, row) in state
        .rows("RecordType")
        .filter(|(_, r)| r.text("SobjectType") == object.name)
    {
        let active = row.values.flag("IsActive") == Some(true);
        out.push(info(
            id,
            row.text("Name"),
            row.text("DeveloperName"),
            false,
            out.is_empty(),
            active,
        ));
    }
    let alone = out.is_empty();
    out.push(info("012000000000000AAA", "Master", "Master", true, alone, true));
    out
}

/// Takes away what the user may not do with the rows.
fn rights(state: &State, object: &ObjectDef, out: &mut Map<String, Value>) {
    let r = state.effective(object);
    for (key, has) in [
        ("createable", r.createable),
        ("updateable", r.updateable),
        ("deletable", r.deletable),
        ("undeletable", r.undeletable),
    ] {
        if !has {
            out.insert(key.into(), json!(false));
        }
    }
}

/// Adds the relationships of other objects to this one that are not yet listed.
fn children(state: &State, object: &ObjectDef, out: &mut Map<String, Value>) {
    let list = out.entry("childRelationships").or_insert_with(|| json!([]));
    let Some(list) = list.as_array_mut() else { return };
    // A recording names objects that this org does not have; those stay.
    list.retain(|c| {
        let child = state
            .schema
            .object(c["childSObject"].as_str().unwrap_or_default());
        child.is_none_or(|o| state.sees_object(o))
    });
    let all = state.schema.children_of(&object.name).into_iter();
    for (child, field) in all.filter(|(o, f)| state.sees_object(o) && state.sees_field(o, f)) {
        let known = list
            .iter()
            .any(|c| c["childSObject"] == json!(child.name) && c["field"] == json!(field.name));
        if !known {
            list.push(json!({
                "cascadeDelete": field.on_delete == OnDelete::Cascade, "childSObject": child.name,
                "deprecatedAndHidden": false, "field": field.name, "junctionIdListNames": [],
                "junctionReferenceTo": [], "relationshipName": field.children,
                "restrictedDelete": field.on_delete == OnDelete::Restrict,
            }));
        }
    }
}

/// One field of a describe.
fn field(state: &State, object: &ObjectDef, f: &Field) -> Map<String, Value> {
    let open = write::AUDIT.contains(&f.name.as_str()) && state.sets_audit(object);
    let writes = state.writes_field(object, f);
    let (createable, updateable) = ((f.createable || open) && writes, f.updateable && writes);
    if let Some(mut recorded) = f.recorded.clone() {
        recorded.insert("createable".into(), json!(createable));
        recorded.insert("updateable".into(), json!(updateable));
        return recorded;
    }
    let text = f.kind.is_text();
    let plain = !f.kind.is_compound() && f.kind != Kind::Base64;
    let choices: Vec<Value> = f
        .choices
        .iter()
        .map(|c| json!({"active": c.active, "defaultValue": c.default, "label": c.value, "validFor": null, "value": c.value}))
        .collect();
    let mut out = into_map(json!({
        "aggregatable": plain && f.filterable(), "aiPredictionField": false, "autoNumber": f.auto_number.is_some(),
        "byteLength": byte_length(f), "calculated": f.calculated, "calculatedFormula": f.formula_text,
        "cascadeDelete": f.on_delete == OnDelete::Cascade, "caseSensitive": f.case_sensitive,
        "compoundFieldName": f.compound, "controllerName": null, "createable": createable,
        "custom": f.custom(), "defaultValue": default_value(f), "defaultValueFormula": null,
        "defaultedOnCreate": f.defaulted, "dependentPicklist": false, "deprecatedAndHidden": false,
        "digits": if f.kind == Kind::Int { 8 } else { 0 }, "displayLocationInDecimal": f.kind == Kind::Location,
        "encrypted": false, "externalId": f.external_id, "extraTypeInfo": extra(object, f),
        "filterable": f.filterable(), "filteredLookupInfo": null, "formulaTreatNullNumberAsZero": false,
        "groupable": f.groupable(),
        "highScaleNumber": false, "htmlFormatted": f.html,
    }));
    out.extend(into_map(json!({
        "idLookup": f.id_lookup(),
        "inlineHelpText": null, "label": f.label, "length": if text || length(f) == 18 { length(f) } else { 0 },
        "mask": null, "maskType": null, "name": f.name, "nameField": f.name_field,
        "namePointing": f.polymorphic(), "nillable": f.nillable, "permissionable": f.permissionable(),
        "picklistValues": choices, "polymorphicForeignKey": f.polymorphic(), "precision": f.precision,
        "queryByDistance": f.kind.is_compound(), "referenceTargetField": null, "referenceTo": f.reference_to,
        "relationshipName": f.relationship, "relationshipOrder": f.order,
        "restrictedDelete": f.on_delete == OnDelete::Restrict, "restrictedPicklist": f.restricted,
        "scale": f.scale, "searchPrefilterable": f.kind == Kind::Reference && f.custom(),
        "soapType": f.kind.soap(), "sortable": f.sortable(), "type": f.kind.name(), "unique": f.unique,
        "updateable": updateable, "writeRequiresMasterRead": false,
    })));
    out
}

fn length(f: &Field) -> u32 {
    if matches!(f.kind, Kind::Id | Kind::Reference) {
        18
    } else {
        f.length
    }
}

fn byte_length(f: &Field) -> u32 {
    match f.kind {
        Kind::Id | Kind::Reference => 18,
        kind if kind.is_text() => f.length.saturating_mul(3),
        _ => 0,
    }
}

/// A checkbox that is not told otherwise defaults to false.
fn default_value(f: &Field) -> Value {
    match (&f.default, f.kind) {
        (Some(v), _) => v.clone(),
        (None, Kind::Boolean) if !f.calculated => json!(false),
        _ => f
            .choices
            .iter()
            .find(|c| c.default)
            .map_or(Value::Null, |c| json!(c.value)),
    }
}

fn extra(object: &ObjectDef, f: &Field) -> Value {
    match f.kind {
        Kind::TextArea if f.html => json!("richtextarea"),
        Kind::TextArea => json!("plaintextarea"),
        Kind::Url if f.name == "PhotoUrl" => json!("imageurl"),
        Kind::String if f.name == "Name" && object.has("LastName") => json!("personname"),
        _ => Value::Null,
    }
}
