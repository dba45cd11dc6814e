//! getUpdated and getDeleted.
//!
//! Key decision: the org's clock is driven to known minutes, so that both ends of each window are known.
//! Not here: what a delete does to rows (`write::tests`).

use halite_simulator::Org;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{Session, code};

const DAY: &str = "2026-01-05T";

fn at(s: &Session, time: &str) {
    let to: Timestamp = format!("{DAY}{time}Z").parse().unwrap();
    s.org.clock().set(to);
}

fn ask(s: &Session, what: &str, start: &str, end: &str) -> (u16, Value) {
    s.get(&format!(
        "/sobjects/Account/{what}/?start={DAY}{start}Z&end={DAY}{end}%2B00:00"
    ))
}

fn still() -> Session {
    let s = Session::on(Org::empty());
    s.org.configure(|c| c.step = std::time::Duration::ZERO);
    s
}

#[test]
fn windows_are_cut_to_minutes_and_hold_both_ends() {
    let s = still();
    let mut made = Vec::new();
    for time in ["12:29:59", "12:30:00", "12:34:59", "12:35:00", "12:35:01"] {
        at(&s, time);
        made.push(s.org.create("Account", &json!({"Name": time})).unwrap());
    }
    at(&s, "13:00:30");
    let (status, reply) = ask(&s, "updated", "12:30:15", "12:35:15");
    assert_eq!(status, 200);
    assert_eq!(reply["ids"], json!(made[1..4]));
    assert_eq!(reply["latestDateCovered"], json!("2026-01-05T12:35:00.000+0000"));
    let (_, reply) = ask(&s, "updated", "12:30:00", "14:00:00");
    assert_eq!(reply["latestDateCovered"], json!("2026-01-05T13:00:00.000+0000"));
    assert_eq!(reply["ids"], json!(made[1..]));
}

#[test]
fn a_long_transaction_holds_the_date_back() {
    let s = still();
    at(&s, "13:00:00");
    s.org
        .hold_covered_at(Some("2026-01-05T12:10:20Z".parse().unwrap()));
    for what in ["updated", "deleted"] {
        let (_, reply) = ask(&s, what, "12:00:00", "12:50:00");
        assert_eq!(reply["latestDateCovered"], json!("2026-01-05T12:10:00.000+0000"));
    }
    s.org.hold_covered_at(None);
    let (_, reply) = ask(&s, "updated", "12:00:00", "12:50:00");
    assert_eq!(reply["latestDateCovered"], json!("2026-01-05T12:50:00.000+0000"));
}

#[test]
fn deletes_stay_listed_until_the_log_is_purged() {
    let s = still();
    let mut ids = Vec::new();
    for time in ["12:01:00", "12:02:30", "12:03:00"] {
        at(&s, time);
        let id = s.org.create("Account", &json!({"Name": time})).unwrap();
        s.org.delete(&id).unwrap();
        ids.push(id);
    }
    at(&s, "12:10:00");
    s.org.undelete(&ids[1]).unwrap();
    s.org.expire(&[&ids[2]]).unwrap();
    let listed = |reply: &Value| -> Vec<Value> {
        let list = reply["deletedRecords"].as_array().unwrap();
        list.iter().map(|r| r["id"].clone()).collect()
    };
    let (status, reply) = ask(&s, "deleted", "12:00:00", "12:10:00");
    assert_eq!((status, json!(listed(&reply))), (200, json!(ids)));
    assert_eq!(
        reply["deletedRecords"][1]["deletedDate"],
        json!("2026-01-05T12:02:30.000+0000")
    );
    assert_eq!(
        reply["earliestDateAvailable"],
        json!("2025-12-21T12:10:00.000+0000")
    );
    s.org.purge_delete_log("2026-01-05T12:03:00Z".parse().unwrap());
    let (_, reply) = ask(&s, "deleted", "12:00:00", "12:10:00");
    assert_eq!(listed(&reply), [json!(ids[2])]);
    assert_eq!(
        reply["earliestDateAvailable"],
        json!("2026-01-05T12:02:00.000+0000")
    );
    let (_, reply) = ask(&s, "updated", "12:00:00", "12:10:00");
    assert_eq!(reply["ids"], json!([ids[1]]));
}

#[test]
fn children_of_a_delete_are_in_the_log_and_a_refused_delete_is_not() {
    let s = still();
    at(&s, "12:00:00");
    let account = s.org.create("Account", &json!({"Name": "a"})).unwrap();
    let contact = s
        .org
        .create("Contact", &json!({"LastName": "c", "AccountId": account}))
        .unwrap();
    s.org.create("Contract", &json!({"AccountId": account})).unwrap();
    assert!(s.org.delete(&account).is_err());
    s.org.delete(&contact).unwrap();
    at(&s, "12:10:00");
    let (_, reply) = ask(&s, "deleted", "11:00:00", "12:10:00");
    assert_eq!(reply["deletedRecords"], json!([]));
    let (_, reply) = s.get(&format!(
        "/sobjects/Contact/deleted?start={DAY}11:00:00Z&end={DAY}12:10:00Z"
    ));
    assert_eq!(reply["deletedRecords"][0]["id"], json!(contact));
}

#[test]
fn what_is_refused() {
    let s = still();
    at(&s, "12:00:00");
    for name in ["a", "b", "c"] {
        s.org.create("Account", &json!({"Name": name})).unwrap();
    }
    at(&s, "12:10:00");
    let date = (400, "INVALID_REPLICATION_DATE");
    assert_eq!(code(&ask(&s, "updated", "12:05:00", "12:05:00")), date);
    assert_eq!(code(&ask(&s, "updated", "12:05:00", "12:04:00")), date);
    assert_eq!(code(&ask(&s, "updated", "12:04:59", "12:05:59")), date);
    assert_eq!(
        code(&s.get("/sobjects/Account/updated/?start=nope&end=2026-01-05T12:00:00Z")),
        date
    );
    assert_eq!(
        code(&s.get("/sobjects/Account/updated/?start=2026-01-05T12:00:00Z")),
        (400, "MISSING_ARGUMENT")
    );
    let since = |what: &str, start: &str| {
        s.get(&format!(
            "/sobjects/Account/{what}/?start={start}Z&end={DAY}12:00:00Z"
        ))
    };
    assert_eq!(since("updated", "2025-12-07T00:00:00").0, 200);
    assert_eq!(code(&since("updated", "2025-12-05T00:00:00")), date);
    assert_eq!(since("deleted", "2025-12-22T00:00:00").0, 200);
    assert_eq!(code(&since("deleted", "2025-12-20T00:00:00")), date);
    assert_eq!(
        code(&s.get(&format!(
            "/sobjects/ContentVersion/deleted/?start={DAY}11:00:00Z&end={DAY}12:00:00Z"
        ))),
        (400, "INVALID_TYPE_FOR_OPERATION")
    );
    assert_eq!(
        code(&s.get(&format!(
            "/sobjects/Nope/updated/?start={DAY}11:00:00Z&end={DAY}12:00:00Z"
        )))
        .0,
        404
    );
    s.org.configure(|c| c.replication.max_ids = 3);
    assert_eq!(ask(&s, "updated", "11:00:00", "12:10:00").0, 200);
    s.org.configure(|c| c.replication.max_ids = 2);
    assert_eq!(
        code(&ask(&s, "updated", "11:00:00", "12:10:00")),
        (400, "EXCEEDED_ID_LIMIT")
    );
    s.org
        .configure(|c| c.replication.enabled_since = Some("2026-01-05T11:30:00Z".parse().unwrap()));
    assert_eq!(code(&ask(&s, "updated", "11:00:00", "12:10:00")), date);
}
