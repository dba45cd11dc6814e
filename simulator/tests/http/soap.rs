//! Undelete and the recycle bin.
//!
//! Key decision: the reply is compared byte for byte up to its end, because element order is part of the contract.
//! Not here: what an undelete does to other rows (`write::tests`).

use halite_simulator::Bin;
use serde_json::json;

use crate::support::Session;

fn undelete(s: &Session, ids: &[&str]) -> String {
    let ids: String = ids.iter().map(|id| format!("<u:ids>{id}</u:ids>")).collect();
    let (status, text) = s.soap(&format!("<u:undelete>{ids}</u:undelete>"));
    assert_eq!(status, 200, "{text}");
    text
}

#[test]
fn undelete_answers_in_order_with_the_recorded_shape() {
    let s = Session::sample();
    let a = s.org.create("Account", &json!({"Name": "a"})).unwrap();
    let b = s.org.create("Account", &json!({"Name": "b"})).unwrap();
    let member = s.org.rows("CampaignMember")[0]["Id"].as_str().unwrap().to_owned();
    s.org.delete(&a).unwrap();
    s.org.delete(&member).unwrap();
    s.org.purge(&[&b]).unwrap();
    let before = s.org.row(&a).unwrap();
    let text = undelete(&s, &[&b, &a, &member, "nonsense", &a]);
    let body = text.split("<undeleteResponse>").nth(1).unwrap();
    let wanted = format!(
        "<result><errors><message>Entity is not in the recycle bin</message><statusCode>UNDELETE_FAILED</statusCode></errors><id>{b}</id><success>false</success></result>\
         <result><id>{a}</id><success>true</success></result>\
         <result><errors><message>Entity type is not undeletable</message><statusCode>CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY</statusCode></errors><id>{member}</id><success>false</success></result>\
         <result><errors><message>malformed id nonsense</message><statusCode>MALFORMED_ID</statusCode></errors><id>nonsense</id><success>false</success></result>\
         <result><errors><message>Entity is not in the recycle bin</message><statusCode>UNDELETE_FAILED</statusCode></errors><id>{a}</id><success>false</success></result>"
    );
    assert!(body.starts_with(&wanted), "{body}");
    let after = s.org.row(&a).unwrap();
    assert_eq!(after["LastModifiedDate"], before["LastModifiedDate"]);
    assert!(after["SystemModstamp"].as_str() > before["SystemModstamp"].as_str());
}

#[test]
fn faults_are_500() {
    let mut s = Session::sample();
    let many = "<u:ids>001</u:ids>".repeat(201);
    assert_eq!(s.soap(&format!("<u:undelete>{many}</u:undelete>")).0, 500);
    assert_eq!(s.soap("<u:login/>").0, 500);
    s.token = "wrong".to_owned();
    let (status, text) = s.soap("<u:getServerTimestamp/>");
    assert_eq!(status, 500);
    assert!(
        text.contains("<faultcode>sf:INVALID_SESSION_ID</faultcode>"),
        "{text}"
    );
    assert!(
        text.contains("<sf:exceptionCode>INVALID_SESSION_ID</sf:exceptionCode>"),
        "{text}"
    );
}

#[test]
fn the_server_tells_its_time() {
    let s = Session::sample();
    s.org.clock().set("2030-01-02T03:04:05Z".parse().unwrap());
    let (status, text) = s.soap("<u:getServerTimestamp/>");
    assert_eq!(status, 200);
    assert!(
        text.contains("<timestamp>2030-01-02T03:04:05.000Z</timestamp>"),
        "{text}"
    );
}

#[test]
fn a_cascade_falls_and_rises_together() {
    let s = Session::sample();
    for shipment in s.org.rows("Shipment__c") {
        s.org.delete(shipment["Id"].as_str().unwrap()).unwrap();
    }
    let mine = s.org.rows("Mine__c")[0].clone();
    let id = mine["Id"].as_str().unwrap();
    let shafts: Vec<String> = s
        .org
        .rows("Shaft__c")
        .iter()
        .filter(|r| r["Mine__c"] == mine["Id"])
        .map(|r| r["Id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(shafts.len(), 5);
    s.org.delete(&shafts[4]).unwrap();
    assert_eq!(s.org.row(id).unwrap()["Shafts__c"], json!(4.0));
    s.org.delete(id).unwrap();
    assert!(shafts.iter().all(|x| s.org.bin(x) == Bin::InBin));
    let text = undelete(&s, &[&shafts[0]]);
    assert!(
        text.contains("UNDELETE_FAILED"),
        "a cascade child is not in the bin by itself: {text}"
    );
    assert!(undelete(&s, &[id]).contains("<success>true</success>"));
    assert!(shafts[..4].iter().all(|x| s.org.bin(x) == Bin::Live));
    assert_eq!(s.org.bin(&shafts[4]), Bin::InBin, "deleted before, by itself");
    assert!(undelete(&s, &[&shafts[4]]).contains("<success>true</success>"));
    assert_eq!(s.org.row(id).unwrap()["Total_Depth__c"], mine["Total_Depth__c"]);
}
