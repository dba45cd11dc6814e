//! Describes in the element order of the WSDL.
//!
//! Key decision: the values are REST's describe; the tables below say which of them SOAP shows, in which
//! order, and what it does with a null: `?` leaves the element out, `!` writes it as nil.
//! Source: SOAP API guide, "describeGlobal", "describeSObject", "describeSObjects"; the partner WSDL.
//! Not here: what a describe says (`http::describe`).

use axum::body::Bytes;

use super::Call;
use super::envelope::Fault;
use super::json::Json;
use super::reads;
use super::records::scalar;
use crate::org::State;

/// Most objects a call.
const MAX_OBJECTS: usize = 100;

const SUMMARY: &str = "activateable createable custom customSetting deletable deprecatedAndHidden feedEnabled \
    hasSubtypes idEnabled keyPrefix! label labelPlural layoutable mergeable mruEnabled name queryable \
    replicateable retrieveable searchable triggerable undeletable updateable";

const FULL: &str = "activateable childRelationships* compactLayoutable createable custom customSetting deletable \
    deprecatedAndHidden feedEnabled fields* hasSubtypes idEnabled keyPrefix! label labelPlural layoutable \
    mergeable mruEnabled name namedLayoutInfos* networkScopeFieldName! queryable recordTypeInfos* \
    replicateable retrieveable searchLayoutable searchable supportedScopes* triggerable undeletable \
    updateable urlDetail! urlEdit! urlNew!";

const FIELD: &str = "aggregatable autoNumber byteLength calculated calculatedFormula? cascadeDelete? caseSensitive \
    compoundFieldName? controllerName? createable custom defaultValue? defaultValueFormula? defaultedOnCreate \
    dependentPicklist? deprecatedAndHidden digits displayLocationInDecimal? encrypted? externalId extraTypeInfo? \
    filterable groupable highScaleNumber? htmlFormatted? idLookup inlineHelpText? label length mask? maskType? \
    name nameField namePointing? nillable permissionable picklistValues* precision queryByDistance \
    referenceTargetField? referenceTo* relationshipName? relationshipOrder? restrictedDelete? \
    restrictedPicklist scale soapType sortable? type unique updateable writeRequiresMasterRead?";

const CHILD: &str =
    "cascadeDelete childSObject deprecatedAndHidden? field relationshipName? restrictedDelete?";

const RECORD_TYPE: &str = "available defaultRecordTypeMapping master name recordTypeId!";

const CHOICE: &str = "active defaultValue label? value";

const SCOPE: &str = "label name";

/// The table of a list's members; `None` where they are plain texts.
fn table(list: &str) -> Option<&'static str> {
    match list {
        "childRelationships" => Some(CHILD),
        "fields" => Some(FIELD),
        "recordTypeInfos" => Some(RECORD_TYPE),
        "picklistValues" => Some(CHOICE),
        "supportedScopes" => Some(SCOPE),
        _ => None,
    }
}

/// Writes the members that the table names.
fn elements(table_of: &str, value: &Json) -> String {
    let (mut out, no) = (String::new(), Json::Scalar("false".to_owned()));
    for entry in table_of.split_whitespace() {
        let name = entry.trim_end_matches(['?', '!', '*']);
        let member = match name {
            "urlDetail" => value.get("urls").get("uiDetailTemplate"),
            "urlEdit" => value.get("urls").get("uiEditTemplate"),
            "urlNew" => value.get("urls").get("uiNewRecord"),
            // Not part of a REST describe; no object of the org has it.
            "idEnabled" => &no,
            _ => value.get(name),
        };
        match member {
            Json::List(list) => out.extend(list.iter().map(|item| one_of(name, item))),
            Json::Null if entry.ends_with(['?', '*']) => {}
            other => out.push_str(&scalar(name, other.text())),
        }
    }
    out
}

fn one_of(name: &str, item: &Json) -> String {
    match table(name) {
        Some(table) => format!("<{name}>{}</{name}>", elements(table, item)),
        None => scalar(name, item.text()),
    }
}

pub(super) fn global(state: &mut State, call: &Call<'_>) -> Result<String, Fault> {
    let found = reads::rest(state, call, ("GET", "sobjects"), &[], Bytes::new())?;
    let objects = found.get("sobjects").list().iter();
    let objects: String = objects
        .map(|o| format!("<sobjects>{}</sobjects>", elements(SUMMARY, o)))
        .collect();
    Ok(format!(
        "<result>{}{}{objects}</result>",
        scalar("encoding", found.get("encoding").text()),
        scalar("maxBatchSize", found.get("maxBatchSize").text())
    ))
}

fn object(state: &mut State, call: &Call<'_>, name: &str) -> Result<String, Fault> {
    if state.schema.object(name).is_none() {
        let message = format!("sObject type '{name}' is not supported.");
        return Err(Fault::new("INVALID_TYPE", message));
    }
    let path = format!("sobjects/{name}/describe");
    let found = reads::rest(state, call, ("GET", &path), &[], Bytes::new())?;
    Ok(format!("<result>{}</result>", elements(FULL, &found)))
}

pub(super) fn one(state: &mut State, call: &Call<'_>) -> Result<String, Fault> {
    object(state, call, call.text("sObjectType")?)
}

pub(super) fn several(state: &mut State, call: &Call<'_>) -> Result<String, Fault> {
    let names = call.texts("sObjectType");
    if names.len() > MAX_OBJECTS {
        let message = format!("describeSObjects is limited to {MAX_OBJECTS} objects");
        return Err(Fault::new("EXCEEDED_MAX_SOBJECTS", message));
    }
    names.iter().map(|name| object(state, call, name)).collect()
}
