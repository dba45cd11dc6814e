//! SFDX projects: real sample orgs, and small ones with faults planted in them.
//!
//! Key decision: counts of the real ones are written down here, so that a row lost in loading fails a test.
//! Not here: objects' definitions one by one (`schema`).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use halite_simulator::Org;
use serde_json::json;

use crate::support::{Session, recorded};

#[test]
fn every_sample_org_loads() {
    let Some(dir) = recorded("sample-orgs") else {
        return;
    };
    let wanted: [(&str, &[(&str, usize)]); 7] = [
        (
            "apex-recipes",
            &[
                ("Account", 50),
                ("Campaign", 15),
                ("Contact", 150),
                ("Junction_Demo_1__c", 50),
                ("Junction_Demo_2__c", 50),
                ("Junction__c", 50),
                ("Opportunity", 50),
            ],
        ),
        (
            "dreamhouse-lwc",
            &[("Broker__c", 8), ("Contact", 5), ("Property__c", 12)],
        ),
        ("dreaminvest-lwc", &[("Fund__c", 500), ("Sector__c", 41)]),
        (
            "easy-spaces-lwc",
            &[
                ("Account", 12),
                ("Contact", 12),
                ("Lead", 11),
                ("Market__c", 11),
                ("Reservation__c", 2),
                ("Space__c", 132),
            ],
        ),
        (
            "ecars",
            &[("Case", 1), ("Contact", 2), ("Lead", 1), ("Vehicle__c", 4)],
        ),
        (
            "lwc-recipes",
            &[("Account", 10), ("Contact", 6), ("Opportunity", 20)],
        ),
        ("plugin-data", &[("AccountContactRelation", 3), ("Case", 1)]),
    ];
    for (name, rows) in wanted {
        let (org, report) = Org::load(&dir.join(name)).unwrap();
        for (object, count) in rows {
            assert_eq!(
                org.rows(object).len(),
                *count,
                "{name}: {object}\n{}",
                report.skipped.join("\n")
            );
            assert_eq!(report.rows.get(*object), Some(count), "{name}: {object}");
        }
    }
}

#[test]
fn plugin_data_reports_what_is_broken() {
    let Some(dir) = recorded("sample-orgs/plugin-data") else {
        return;
    };
    let (org, report) = Org::load(&dir).unwrap();
    assert!(org.rows("Account").len() > 10_000);
    assert!(
        report
            .skipped
            .iter()
            .any(|l| l.contains("missingRef") && l.contains("@AccountRef2000"))
    );
    assert!(
        report
            .skipped
            .iter()
            .any(|l| l.contains("missingSelfRef") && l.contains("@AccountRef2000"))
    );
    assert!(
        org.rows("Opportunity")
            .iter()
            .all(|o| o["Name"] != json!("Oppty With Bad Ref"))
    );
}

#[test]
fn references_of_a_sample_org_lead_somewhere() {
    let Some(dir) = recorded("sample-orgs/dreamhouse-lwc") else {
        return;
    };
    let (org, report) = Org::load(&dir).unwrap();
    assert_eq!(
        report.skipped.iter().filter(|l| l.contains("skipped")).count(),
        0,
        "{:?}",
        report.skipped
    );
    let brokers: BTreeMap<_, _> = org
        .rows("Broker__c")
        .into_iter()
        .map(|b| (b["Id"].clone().to_string(), b))
        .collect();
    for property in org.rows("Property__c") {
        assert!(brokers.contains_key(&property["Broker__c"].to_string()));
        assert!(
            property["Picture_IMG__c"]
                .as_str()
                .is_some_and(|p| p.starts_with("<img"))
        );
    }
}

fn write(dir: &Path, path: &str, text: &str) {
    let full = dir.join(path);
    fs::create_dir_all(full.parent().unwrap()).unwrap();
    fs::write(full, text).unwrap();
}

fn field(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><CustomField xmlns=\"http://soap.sforce.com/2006/04/metadata\">{body}</CustomField>"
    )
}

#[test]
fn circles_self_references_nesting_and_faults() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    for object in ["A__c", "B__c"] {
        write(
            d,
            &format!("app/objects/{object}/{object}.object-meta.xml"),
            "<CustomObject><label>X</label></CustomObject>",
        );
    }
    write(
        d,
        "app/objects/A__c/fields/B__c.field-meta.xml",
        &field(
            "<fullName>B__c</fullName><type>Lookup</type><referenceTo>B__c</referenceTo><relationshipName>As</relationshipName>",
        ),
    );
    write(
        d,
        "app/objects/B__c/fields/A__c.field-meta.xml",
        &field(
            "<fullName>A__c</fullName><type>Lookup</type><referenceTo>A__c</referenceTo><relationshipName>Bs</relationshipName>",
        ),
    );
    write(
        d,
        "app/objects/B__c/fields/Bad__c.field-meta.xml",
        "<CustomField><fullName>Bad",
    );
    write(
        d,
        "data/a.json",
        r#"{"records":[
        {"attributes":{"type":"A__c","referenceId":"A1"},"Name":"a1","B__c":"@B1","Nope__c":1},
        {"attributes":{"type":"A__c","referenceId":"A2"},"Name":"a2","Bs__r":{"records":[{"attributes":{"type":"B__c","referenceId":"B2"},"Name":"nested"}]}},
        {"attributes":{"type":"Account","referenceId":"P"},"Name":"self","ParentId":"@P2"},
        {"attributes":{"type":"Account","referenceId":"P2"},"Name":"later","NumberOfEmployees":"many"},
        {"attributes":{"type":"Account","referenceId":"P3"}},
        {"attributes":{"type":"Account","referenceId":"P4"},"Name":"orphan","ParentId":"@P3"},
        {"attributes":{"type":"Nope__c"}}]}"#,
    );
    write(
        d,
        "data/b.json",
        r#"{"records":[{"attributes":{"type":"B__c","referenceId":"B1"},"Name":"b1","A__c":"@A1"}]}"#,
    );
    write(
        d,
        "data/copy.json",
        r#"{"records":[{"attributes":{"type":"B__c","referenceId":"B1"},"Name":"b1","A__c":"@A1"}]}"#,
    );
    write(d, "data/broken.json", "{");
    let (org, report) = Org::load(d).unwrap();
    let (a, b) = (org.rows("A__c"), org.rows("B__c"));
    assert_eq!((a.len(), b.len()), (2, 2), "{:?}", report.skipped);
    let (a1, b1) = (
        a.iter().find(|r| r["Name"] == "a1").unwrap(),
        b.iter().find(|r| r["Name"] == "b1").unwrap(),
    );
    assert_eq!((&a1["B__c"], &b1["A__c"]), (&b1["Id"], &a1["Id"]));
    assert!(
        b.iter()
            .any(|r| r["Name"] == "nested" && r["A__c"] != b1["A__c"] && !r["A__c"].is_null())
    );
    let accounts = org.rows("Account");
    assert_eq!(accounts.len(), 2);
    assert!(
        accounts
            .iter()
            .any(|r| r["Name"] == "self" && !r["ParentId"].is_null())
    );
    for words in [
        "Nope__c",
        "NumberOfEmployees left out",
        "REQUIRED_FIELD_MISSING",
        "a record it names was skipped",
        "same records as",
        "not JSON",
        "not XML",
        "unknown type Nope__c",
    ] {
        assert!(
            report.skipped.iter().any(|l| l.contains(words)),
            "{words}: {:#?}",
            report.skipped
        );
    }
}

#[test]
fn a_missing_directory_is_an_error() {
    assert!(Org::load(Path::new("/nowhere/at/all")).is_err());
}

#[test]
fn metadata_types_are_queried_and_events_are_not() {
    let Some(dir) = recorded("sample-orgs/apex-recipes") else {
        return;
    };
    let s = Session::on(Org::load(&dir).unwrap().0);
    let (status, page) = s.query("SELECT DeveloperName FROM Bucketed_Picklist_Value__mdt");
    assert_eq!((status, &page["totalSize"]), (200, &json!(5)), "{page}");
    assert_eq!(
        s.query("SELECT Id FROM Log__e").1[0]["errorCode"],
        json!("INVALID_TYPE_FOR_OPERATION")
    );
    assert_eq!(
        s.send(
            "POST",
            "/sobjects/Disabled_For__mdt",
            &json!({"DeveloperName": "x"})
        )
        .1[0]["errorCode"],
        json!("INVALID_TYPE_FOR_OPERATION")
    );
}

#[test]
fn record_types_come_with_their_objects() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        "o/objects/X__c/recordTypes/Big.recordType-meta.xml",
        "<RecordType><fullName>Big</fullName><active>true</active><label>Big &amp; round</label></RecordType>",
    );
    let s = Session::on(Org::load(dir.path()).unwrap().0);
    let id = s
        .query("SELECT Id FROM RecordType WHERE SobjectType = 'X__c' AND Name = 'Big & round'")
        .1["records"][0]["Id"]
        .clone();
    assert!(id.is_string());
    assert_eq!(
        s.send("POST", "/sobjects/X__c", &json!({"RecordTypeId": id})).0,
        201
    );
    let infos = s.get("/sobjects/X__c/describe").1["recordTypeInfos"].clone();
    assert_eq!(
        (&infos[0]["developerName"], &infos[1]["master"]),
        (&json!("Big"), &json!(true))
    );
}
