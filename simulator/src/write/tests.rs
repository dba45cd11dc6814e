//! Rules of writing, seen through the org's own handle.
//!
//! Key decision: each test reads as a story of an org (made, changed, deleted, brought back), because the
//! rules only show between several writes.
//! Not here: refusals of single values (`coerce`), anything over HTTP (`tests/http`).

use std::time::Duration;

use serde_json::{Value, json};

use crate::org::{Bin, Org};

fn text(org: &Org, id: &str, field: &str) -> Value {
    org.row(id).map_or(Value::Null, |r| r[field].clone())
}

fn account(org: &Org, name: &str) -> String {
    org.create("Account", &json!({"Name": name})).unwrap()
}

fn code<T>(result: Result<T, crate::ApiError>) -> &'static str {
    result.map_or_else(|e| e.code, |_| "no error")
}

#[test]
fn a_lookup_is_emptied_by_the_delete_and_set_again_by_the_undelete() {
    let org = Org::empty();
    let (a, b) = (account(&org, "a"), account(&org, "b"));
    org.update(&b, &json!({"ParentId": a})).unwrap();
    let before = text(&org, &b, "SystemModstamp");
    org.delete(&a).unwrap();
    assert_eq!(text(&org, &b, "ParentId"), Value::Null);
    assert!(text(&org, &b, "SystemModstamp").as_str() > before.as_str());
    org.undelete(&a).unwrap();
    assert_eq!(text(&org, &b, "ParentId"), json!(a));
}

#[test]
fn who_deletes_signs_the_row_if_the_org_does_so() {
    let org = Org::empty();
    let (a, b) = (account(&org, "a"), account(&org, "b"));
    org.sit_down(&org.api_user());
    org.delete(&a).unwrap();
    org.configure(|s| s.delete_signs = true);
    org.delete(&b).unwrap();
    let signed = |id: &str| {
        let rows = org.every_row("Account", "", 10);
        let row = rows.into_iter().find(|(_, row)| row["Id"] == *id).unwrap().1;
        (
            row["LastModifiedById"].clone(),
            row["LastModifiedDate"] == row["SystemModstamp"],
        )
    };
    assert_ne!(signed(&a).0, json!(org.api_user()));
    assert_eq!(signed(&b), (json!(org.api_user()), true));
}

#[test]
fn a_lookup_filled_since_is_not_overwritten() {
    let org = Org::empty();
    let (a, b, c) = (account(&org, "a"), account(&org, "b"), account(&org, "c"));
    org.update(&b, &json!({"ParentId": a})).unwrap();
    org.delete(&a).unwrap();
    org.update(&b, &json!({"ParentId": c})).unwrap();
    org.undelete(&a).unwrap();
    assert_eq!(text(&org, &b, "ParentId"), json!(c));
}

#[test]
fn a_row_that_comes_back_finds_no_dead_links() {
    let org = Org::empty();
    let (a, b) = (account(&org, "a"), account(&org, "b"));
    org.update(&b, &json!({"ParentId": a})).unwrap();
    org.delete(&b).unwrap();
    org.delete(&a).unwrap();
    org.undelete(&b).unwrap();
    assert_eq!(text(&org, &b, "ParentId"), Value::Null);
    org.undelete(&a).unwrap();
    assert_eq!(text(&org, &b, "ParentId"), json!(a));
}

#[test]
fn stamps_that_no_page_settles_are_settings() {
    let org = Org::empty();
    org.configure(|s| {
        s.delete_stamps = false;
        s.undelete_stamps = false;
        s.clear_stamps = false;
        s.cascade_stamps = false;
    });
    let (a, b) = (account(&org, "a"), account(&org, "b"));
    let contact = org
        .create("Contact", &json!({"LastName": "x", "AccountId": a}))
        .unwrap();
    org.update(&b, &json!({"ParentId": a})).unwrap();
    let stamps = |org: &Org| [&a, &b, &contact].map(|id| text(org, id, "SystemModstamp"));
    let before = stamps(&org);
    org.delete(&a).unwrap();
    assert_eq!((org.bin(&contact), stamps(&org)), (Bin::InBin, before.clone()));
    org.undelete(&a).unwrap();
    assert_eq!((org.bin(&contact), stamps(&org)), (Bin::Live, before));
}

#[test]
fn a_restricting_child_forbids_the_delete_and_nothing_is_left_half_done() {
    let org = Org::empty();
    let a = account(&org, "a");
    let contact = org
        .create("Contact", &json!({"LastName": "x", "AccountId": a}))
        .unwrap();
    let case = org
        .create("Case", &json!({"AccountId": a, "ContactId": contact}))
        .unwrap();
    assert_eq!(code(org.delete(&a)), "DELETE_FAILED");
    assert_eq!((org.bin(&a), org.bin(&contact)), (Bin::Live, Bin::Live));
    org.delete(&case).unwrap();
    org.delete(&a).unwrap();
    assert_eq!(org.bin(&contact), Bin::InBin);
}

#[test]
fn the_way_out_of_the_bin() {
    let org = Org::empty();
    let a = account(&org, "a");
    let contact = org
        .create("Contact", &json!({"LastName": "x", "AccountId": a}))
        .unwrap();
    org.delete(&a).unwrap();
    org.purge(&[&a]).unwrap();
    assert_eq!((org.bin(&a), org.bin(&contact)), (Bin::Purged, Bin::Purged));
    assert_eq!(code(org.undelete(&a)), "UNDELETE_FAILED");
    assert_eq!(org.deleted("Contact"), std::slice::from_ref(&contact));
    org.expire_purged();
    assert_eq!((org.bin(&a), org.bin(&contact)), (Bin::Gone, Bin::Gone));
    assert_eq!(code(org.undelete(&a)), "INVALID_CROSS_REFERENCE_KEY");
    assert_eq!(code(org.purge(&[&a])), "INVALID_CROSS_REFERENCE_KEY");
    let b = account(&org, "b");
    org.expire(&[&b]).unwrap();
    assert_eq!(org.bin(&b), Bin::Gone);
    assert_ne!(account(&org, "c"), b, "an Id is never used twice");
}

#[test]
fn a_detail_does_not_return_without_its_master() {
    let org = Org::sample();
    for shipment in org.rows("Shipment__c") {
        org.delete(shipment["Id"].as_str().unwrap()).unwrap();
    }
    let shaft = org.rows("Shaft__c")[0].clone();
    let (shaft, mine) = (shaft["Id"].as_str().unwrap(), shaft["Mine__c"].as_str().unwrap());
    org.delete(shaft).unwrap();
    org.delete(mine).unwrap();
    assert_eq!(code(org.undelete(shaft)), "UNDELETE_FAILED");
    org.undelete(mine).unwrap();
    org.undelete(shaft).unwrap();
}

#[test]
fn a_required_lookup_into_nothing_forbids_the_undelete() {
    let org = Org::sample();
    let mine = org.rows("Mine__c")[0]["Id"].as_str().unwrap().to_owned();
    let mut last = String::new();
    for shipment in org
        .rows("Shipment__c")
        .iter()
        .filter(|r| r["Mine__c"] == json!(mine))
    {
        last = shipment["Id"].as_str().unwrap().to_owned();
        org.delete(&last).unwrap();
    }
    org.delete(&mine).unwrap();
    assert_eq!(code(org.undelete(&last)), "UNDELETE_FAILED");
    org.undelete(&mine).unwrap();
    org.undelete(&last).unwrap();
}

#[test]
fn a_junction_waits_for_its_other_master() {
    let org = Org::empty();
    let (a, b) = (account(&org, "a"), account(&org, "b"));
    let contact = org
        .create("Contact", &json!({"LastName": "x", "AccountId": b}))
        .unwrap();
    let junction = org
        .create(
            "AccountContactRelation",
            &json!({"AccountId": a, "ContactId": contact}),
        )
        .unwrap();
    org.delete(&a).unwrap();
    org.delete(&contact).unwrap();
    org.undelete(&a).unwrap();
    assert_eq!(org.bin(&junction), Bin::InBin);
    org.undelete(&contact).unwrap();
    org.undelete(&junction).unwrap();
    assert_eq!(org.bin(&junction), Bin::Live);
}

#[test]
fn a_unique_value_taken_since_forbids_the_undelete() {
    let org = Org::sample();
    let row = org.rows("Account").into_iter().next_back().unwrap();
    let id = row["Id"].as_str().unwrap();
    org.delete(id).unwrap();
    org.create(
        "Account",
        &json!({"Name": "x", "Customer_Number__c": row["Customer_Number__c"]}),
    )
    .unwrap();
    assert_eq!(code(org.undelete(id)), "DUPLICATE_VALUE");
    assert_eq!(org.bin(id), Bin::InBin);
}

#[test]
fn roll_ups_move_the_parents_stamp_only_when_they_change() {
    let org = Org::sample();
    let shaft = org.rows("Shaft__c")[0].clone();
    let (id, mine) = (shaft["Id"].as_str().unwrap(), shaft["Mine__c"].as_str().unwrap());
    let before = org.row(mine).unwrap();
    org.update(id, &json!({"State__c": "Flooded"})).unwrap();
    assert_eq!(org.row(mine).unwrap(), before);
    org.update(id, &json!({"Depth__c": 1})).unwrap();
    let after = org.row(mine).unwrap();
    assert!(after["SystemModstamp"].as_str() > before["SystemModstamp"].as_str());
    assert_eq!(after["LastModifiedDate"], before["LastModifiedDate"]);
    assert_ne!(after["Total_Depth__c"], before["Total_Depth__c"]);
}

#[test]
fn formulas_change_without_any_stamp() {
    let org = Org::sample();
    let mine = org.rows("Mine__c")[0].clone();
    org.clock().advance(Duration::from_secs(10 * 24 * 3600));
    let later = org.rows("Mine__c")[0].clone();
    let days = |r: &Value| r.as_f64().unwrap();
    assert_eq!(
        days(&later["Age_In_Days__c"]) - days(&mine["Age_In_Days__c"]),
        10.0
    );
    assert_eq!(later["SystemModstamp"], mine["SystemModstamp"]);
}

#[test]
fn the_platform_derives_what_it_derives() {
    let org = Org::empty();
    let c = org
        .create("Contact", &json!({"LastName": "B", "FirstName": " A "}))
        .unwrap();
    assert_eq!(text(&org, &c, "Name"), json!("A B"));
    let o = org
        .create(
            "Opportunity",
            &json!({"Name": "x", "StageName": "Closed Won", "CloseDate": "2026-05-01", "Amount": 10}),
        )
        .unwrap();
    let row = org.row(&o).unwrap();
    assert_eq!(
        [
            &row["IsClosed"],
            &row["IsWon"],
            &row["Probability"],
            &row["ExpectedRevenue"],
            &row["Fiscal"]
        ],
        [
            &json!(true),
            &json!(true),
            &json!(100.0),
            &json!(10.0),
            &json!("2026 2")
        ]
    );
    org.update(&o, &json!({"StageName": "Prospecting", "Probability": 33}))
        .unwrap();
    assert_eq!(text(&org, &o, "Probability"), json!(33.0));
    let case = org.create("Case", &json!({"Status": "Closed"})).unwrap();
    assert!(text(&org, &case, "ClosedDate").is_string());
    assert_eq!(text(&org, &case, "CaseNumber"), json!("00000001"));
    let task = org
        .create("Task", &json!({"Subject": "Call", "WhoId": c}))
        .unwrap();
    assert_eq!(text(&org, &task, "Status"), json!("Not Started"));
}

#[test]
fn circles_of_standard_parents_are_refused_and_of_lookups_are_not() {
    let org = Org::sample();
    let (a, b) = (account(&org, "a"), account(&org, "b"));
    org.update(&b, &json!({"ParentId": a})).unwrap();
    assert_eq!(
        code(org.update(&a, &json!({"ParentId": b}))),
        "CIRCULAR_DEPENDENCY"
    );
    let shipment = &org.rows("Shipment__c")[0];
    let crystal = org.row(shipment["Primary_Crystal__c"].as_str().unwrap()).unwrap();
    assert_eq!(crystal["Shipment__c"], shipment["Id"]);
}

#[test]
fn looking_at_a_row_moves_no_stamp() {
    let org = Org::empty();
    let a = account(&org, "a");
    let before = org.row(&a).unwrap();
    org.clock().advance(Duration::from_secs(60));
    org.view(&a);
    let after = org.row(&a).unwrap();
    assert!(after["LastViewedDate"].is_string());
    assert_eq!(before["SystemModstamp"], after["SystemModstamp"]);
}

#[test]
fn campaigns_bring_their_statuses_when_told_to() {
    let org = Org::empty();
    org.configure(|s| s.auto_rows = true);
    org.create("Campaign", &json!({"Name": "c"})).unwrap();
    assert_eq!(org.rows("CampaignMemberStatus").len(), 2);
}

#[test]
fn users_are_not_deleted() {
    let org = Org::empty();
    assert_eq!(code(org.delete(&org.api_user())), "INVALID_TYPE_FOR_OPERATION");
    assert_eq!(code(org.delete("nonsense")), "MALFORMED_ID");
    assert_eq!(code(org.update("zzzHa0000000001AAA", &json!({}))), "MALFORMED_ID");
}
