//! Our replies beside recorded ones: the same keys, the same rights.
//!
//! Key decision: every difference is listed at once, so that a wrong table is mended in one go.
//! Not here: values, which differ from org to org.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use halite_simulator::Org;
use serde_json::Value;

use crate::support::{Session, recorded};

fn keys(v: &Value) -> BTreeSet<String> {
    v.as_object().unwrap().keys().cloned().collect()
}

fn load(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn describe_has_the_recorded_keys() {
    let Some(dir) = recorded("describes/cumulusci") else {
        return;
    };
    let s = Session::sample();
    for name in ["Account", "Contact", "Opportunity", "Case", "Event"] {
        let real = load(&dir.join(format!("{name}.json")));
        let (_, ours) = s.get(&format!("/sobjects/{name}/describe"));
        let missing: Vec<_> = keys(&real).difference(&keys(&ours)).cloned().collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
        assert_eq!(keys(&real["fields"][0]), keys(&ours["fields"][0]), "{name}");
        assert_eq!(
            keys(&real["childRelationships"][0]),
            keys(&ours["childRelationships"][0]),
            "{name}"
        );
        assert_eq!(
            keys(&real["recordTypeInfos"][0]),
            keys(&ours["recordTypeInfos"][0]),
            "{name}"
        );
    }
}

/// Where our table and a recording name the same standard field, they agree on what decides a write.
#[test]
fn standard_fields_agree_with_recordings() {
    let Some(dir) = recorded("describes/cumulusci") else {
        return;
    };
    let s = Session::sample();
    let mut differing: Vec<String> = Vec::new();
    for name in ["Account", "Contact", "Opportunity", "Case", "Event"] {
        let real = load(&dir.join(format!("{name}.json")));
        let (_, ours) = s.get(&format!("/sobjects/{name}/describe"));
        assert_eq!(real["keyPrefix"], ours["keyPrefix"]);
        for field in ours["fields"].as_array().unwrap() {
            let twin = real["fields"]
                .as_array()
                .unwrap()
                .iter()
                .find(|f| f["name"] == field["name"]);
            let Some(twin) = twin else { continue };
            for flag in [
                "type",
                "soapType",
                "createable",
                "updateable",
                "calculated",
                "relationshipName",
                "nameField",
                "filterable",
                "sortable",
                "autoNumber",
                "scale",
            ] {
                if field[flag] != twin[flag] {
                    differing.push(format!("{name}.{}.{flag}: ours {}", field["name"], field[flag]));
                }
            }
        }
    }
    assert!(differing.is_empty(), "{differing:#?}");
}

#[test]
fn a_recorded_describe_is_sent_back_as_it_was() {
    let Some(dir) = recorded("describes/cumulusci") else {
        return;
    };
    let real = load(&dir.join("Account.json"));
    let s = Session::on(Org::empty().with_describe(&real).unwrap());
    let (_, ours) = s.get("/sobjects/Account/describe");
    assert_eq!(real["fields"], ours["fields"]);
    assert_eq!(real["urls"], ours["urls"]);
    let id = s.org.create(
        "Account",
        &serde_json::json!({"Name": "x", "ns__Description__c": "y"}),
    );
    assert!(id.is_ok(), "{id:?}");
}

#[test]
fn describe_global_has_the_recorded_keys() {
    let Some(path) = recorded("responses/cumulusci/describeGlobal.json") else {
        return;
    };
    let real = load(&path);
    let s = Session::sample();
    let (_, ours) = s.get("/sobjects");
    assert_eq!(keys(&real), keys(&ours));
    assert_eq!(keys(&real["sobjects"][0]), keys(&ours["sobjects"][0]));
}

#[test]
fn rights_of_objects_agree_with_a_whole_org() {
    let Some(path) = recorded("responses/elasticio/describeGlobal.json") else {
        return;
    };
    let real = load(&path);
    let s = Session::sample();
    let (_, ours) = s.get("/sobjects");
    let mut differing = Vec::new();
    for object in ours["sobjects"].as_array().unwrap() {
        let twin = real["sobjects"]
            .as_array()
            .unwrap()
            .iter()
            .find(|o| o["name"] == object["name"]);
        let Some(twin) = twin else { continue };
        // Files and setup objects are rows only here: they are not created or deleted over the API.
        let name = object["name"].as_str().unwrap();
        let rows_only = name.starts_with("Content") || ["Profile", "RecordType", "UserRole"].contains(&name);
        for flag in [
            "keyPrefix",
            "queryable",
            "undeletable",
            "replicateable",
            "custom",
            "createable",
            "deletable",
        ] {
            if rows_only && (flag == "createable" || flag == "deletable") {
                continue;
            }
            if object[flag] != twin[flag] {
                differing.push(format!("{}.{flag}: ours {}", object["name"], object[flag]));
            }
        }
    }
    assert!(differing.is_empty(), "{differing:#?}");
}

#[test]
fn query_and_error_shapes() {
    let s = Session::sample();
    if let Some(path) = recorded("responses/restforce-db/query_rows.json") {
        let real = load(&path);
        let (_, ours) = s.query("SELECT Id, Name FROM Account LIMIT 1");
        assert_eq!(keys(&real), keys(&ours));
        assert_eq!(
            keys(&real["records"][0]["attributes"]),
            keys(&ours["records"][0]["attributes"])
        );
    }
    if let Some(path) = recorded("responses/restforce/expired_session_response.json") {
        s.org.expire_sessions();
        assert_eq!(keys(&load(&path)[0]), keys(&s.get("/sobjects").1[0]));
    }
}
