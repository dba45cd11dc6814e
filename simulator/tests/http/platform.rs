//! What the platform does to whole tables, and transactions that are committed late.
//!
//! Key decision: each is seen through the API as a backup sees it: by stamps, by `queryAll`, by describes.
//! Not here: `/admin`, by which the same is done from outside (`behave`).

use std::time::Duration;

use halite_simulator::Org;
use serde_json::{Value, json};

use crate::support::{Session, code};

fn stamps(s: &Session, object: &str) -> Vec<(Value, Value)> {
    let rows = s.org.rows(object);
    let pair = |r: &halite_simulator::Record| (r["SystemModstamp"].clone(), r["LastModifiedDate"].clone());
    rows.iter().map(pair).collect()
}

fn ids(s: &Session, soql: &str) -> Vec<String> {
    let (rows, _) = s.rows("/query", soql);
    rows.iter()
        .map(|r| r["Id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_late_commit_appears_behind_the_watermark() {
    let s = Session::sample();
    let there = s.org.create("Account", &json!({"Name": "there"})).unwrap();
    let late = s.org.begin_late();
    let behind = late.create("Account", &json!({"Name": "behind"})).unwrap();
    late.create("Contact", &json!({"LastName": "x", "AccountId": behind}))
        .unwrap();
    late.update(&there, &json!({"Fax": "1"})).unwrap();
    s.org.clock().advance(Duration::from_secs(600));
    let after = s.org.create("Account", &json!({"Name": "after"})).unwrap();
    let seen = s.org.row(&after).unwrap()["SystemModstamp"].clone();
    let now = "2026-01-05T09:00:00Z";
    s.org.clock().set(now.parse().unwrap());
    let named = |name: &str| ids(&s, &format!("SELECT Id FROM Account WHERE Name = '{name}'"));
    assert_eq!(named("behind"), [""; 0]);
    assert_eq!(code(&s.get(&format!("/sobjects/Account/{behind}"))).0, 404);
    assert_eq!(s.org.row(&there).unwrap()["Fax"], Value::Null);
    // The rows are locked meanwhile, and replication is covered up to the start of the transaction only.
    let path = format!("/sobjects/Account/{there}");
    assert_eq!(
        code(&s.send("PATCH", &path, &json!({"Fax": "2"}))),
        (400, "UNABLE_TO_LOCK_ROW")
    );
    let window = "/sobjects/Account/updated/?start=2026-01-05T07:00:00Z&end=2026-01-05T09:00:00Z";
    let covered = |s: &Session| s.get(window).1["latestDateCovered"].clone();
    assert_eq!(covered(&s), json!("2026-01-05T08:00:00.000+0000"));
    late.commit();
    assert_eq!(named("behind"), [behind.as_str()]);
    let row = s.org.row(&behind).unwrap();
    assert!(row["SystemModstamp"].as_str() < seen.as_str(), "{row:?}");
    assert!(behind < after, "its Id is of that time, too");
    assert_eq!(s.org.row(&there).unwrap()["Fax"], json!("1"));
    assert_eq!(covered(&s), json!("2026-01-05T09:00:00.000+0000"));
    assert_eq!(s.send("PATCH", &path, &json!({"Fax": "2"})).0, 204);
    assert!(
        s.get(window).1["ids"]
            .as_array()
            .unwrap()
            .contains(&json!(behind))
    );
}

#[test]
fn a_late_delete_is_logged_behind_too_and_a_roll_back_leaves_nothing() {
    let s = Session::sample();
    let (one, two) = (
        s.org.create("Account", &json!({"Name": "one"})).unwrap(),
        s.org.create("Account", &json!({"Name": "two"})).unwrap(),
    );
    let before = s.org.rows("Account");
    let lost = s.org.begin_late();
    lost.create("Account", &json!({"Name": "lost"})).unwrap();
    lost.delete(&two).unwrap();
    assert_eq!(
        lost.create("Account", &json!({})).unwrap_err().code,
        "REQUIRED_FIELD_MISSING"
    );
    lost.roll_back();
    assert_eq!(s.org.rows("Account"), before);
    s.org.clock().advance(Duration::from_secs(60));
    let now = s.org.clock().now().to_string();
    let row = s
        .org
        .row(&s.org.create("Account", &json!({"Name": "now"})).unwrap());
    let stamp = row.unwrap()["SystemModstamp"].as_str().unwrap().to_owned();
    assert!(
        stamp.as_str() > now.trim_end_matches('Z'),
        "time goes on: {stamp}"
    );
    let late = s.org.begin_late();
    late.delete(&one).unwrap();
    s.org.clock().set("2026-01-05T09:00:00Z".parse().unwrap());
    let deleted = "/sobjects/Account/deleted/?start=2026-01-05T07:00:00Z&end=2026-01-05T08:30:00Z";
    assert_eq!(s.get(deleted).1["deletedRecords"], json!([]));
    late.commit();
    assert_eq!(s.get(deleted).1["deletedRecords"][0]["id"], json!(one));
}

#[test]
fn a_mass_stamp_moves_every_row_and_no_edit() {
    let s = Session::sample();
    s.org.clock().advance(Duration::from_secs(60));
    let before = stamps(&s, "Account");
    assert_eq!(s.org.restamp("Account").unwrap(), before.len());
    let after = stamps(&s, "Account");
    let first = after[0].0.clone();
    for ((old, modified), (new, still)) in before.iter().zip(&after) {
        assert!(new.as_str() > old.as_str());
        assert_eq!((modified, new), (still, &first));
    }
    assert!(s.org.restamp("Nothing__c").is_err());
}

#[test]
fn fields_come_change_and_go_while_the_org_runs() {
    let s = Session::sample();
    let described = |name: &str| {
        let fields = s.get("/sobjects/Account/describe").1["fields"].clone();
        let mut fields = fields.as_array().unwrap().clone().into_iter();
        fields.find(|f| f["name"] == name)
    };
    let before = stamps(&s, "Account");
    let text = json!({"name": "Level__c", "type": "string", "length": 10});
    s.org.set_field("Account", &text).unwrap();
    assert_eq!(stamps(&s, "Account"), before, "a new field moves no stamp");
    let field = described("Level__c").unwrap();
    assert_eq!(
        (&field["type"], &field["length"], &field["createable"]),
        (&json!("string"), &json!(10), &json!(true))
    );
    let make = |level: &str| {
        let body = json!({"Name": "x", "Level__c": level});
        let made = s.send("POST", "/sobjects/Account", &body);
        assert_eq!(made.0, 201, "{made:?}");
        format!("/sobjects/Account/{}", made.1["id"].as_str().unwrap())
    };
    let (seven, high) = (make("7"), make("high"));
    s.org.clock().advance(Duration::from_secs(60));
    let before = stamps(&s, "Account");
    let number = json!({"name": "Level__c", "type": "double", "precision": 4, "scale": 0});
    s.org.set_field("Account", &number).unwrap();
    assert_eq!(described("Level__c").unwrap()["type"], json!("double"));
    assert_eq!(s.get(&seven).1["Level__c"].as_f64(), Some(7.0));
    assert_eq!(
        s.get(&high).1["Level__c"],
        Value::Null,
        "what does not fit is lost"
    );
    let moved = |before: &[(Value, Value)]| {
        let after = stamps(&s, "Account");
        before
            .iter()
            .zip(&after)
            .all(|(b, a)| a.0.as_str() > b.0.as_str() && a.1 == b.1)
    };
    assert!(moved(&before));
    s.org.clock().advance(Duration::from_secs(60));
    let before = stamps(&s, "Account");
    s.org.remove_field("Account", "Level__c").unwrap();
    assert!(described("Level__c").is_none());
    assert!(moved(&before));
    assert_eq!(
        code(&s.query("SELECT Level__c FROM Account")),
        (400, "INVALID_FIELD")
    );
    s.org.set_field("Account", &number).unwrap();
    assert_eq!(
        s.get(&seven).1["Level__c"],
        Value::Null,
        "its values are gone for good"
    );
}

#[test]
fn fields_that_are_needed_stay() {
    let s = Session::sample();
    let code = |name: &str| s.org.remove_field("Account", name).unwrap_err().code;
    assert_eq!(
        (code("Phone"), code("Nope__c")),
        ("INVALID_OPERATION", "INVALID_FIELD")
    );
    s.org
        .add_rule("Account", "ISBLANK(Customer_Number__c)", "no", None)
        .unwrap();
    assert_eq!(code("Customer_Number__c"), "DEPENDENCY_EXISTS");
    let odd = [
        json!({"name": "X"}),
        json!({"name": "X", "type": "string"}),
        json!(1),
    ];
    for field in odd {
        assert_eq!(
            s.org.set_field("Account", &field).unwrap_err().code,
            "INVALID_INPUT"
        );
    }
}

#[test]
fn archived_activities_are_for_query_all_and_frozen() {
    let s = Session::sample();
    let task = s.org.create("Task", &json!({"Subject": "old"})).unwrap();
    s.org.clock().advance(Duration::from_secs(60));
    let before = s.org.row(&task).unwrap();
    s.org.archive(&task).unwrap();
    let row = s.org.row(&task).unwrap();
    assert!(row["SystemModstamp"].as_str() > before["SystemModstamp"].as_str());
    assert_eq!(row["LastModifiedDate"], before["LastModifiedDate"]);
    let soql = "SELECT Id, IsArchived, IsDeleted FROM Task WHERE Subject = 'old'";
    assert_eq!(s.rows("/query", soql).0.len(), 0);
    let (rows, _) = s.rows("/queryAll", soql);
    assert_eq!(
        (&rows[0]["IsArchived"], &rows[0]["IsDeleted"]),
        (&json!(true), &json!(false))
    );
    let path = format!("/sobjects/Task/{task}");
    assert_eq!(
        code(&s.send("PATCH", &path, &json!({"Subject": "new"}))),
        (400, "ENTITY_IS_ARCHIVED")
    );
    let account = s.org.create("Account", &json!({"Name": "x"})).unwrap();
    assert!(s.org.archive(&account).is_err());
}

#[test]
fn formulas_move_no_stamp() {
    let s = Session::sample();
    let formula = json!({"name": "Loud__c", "type": "string", "calculated": true, "createable": false,
        "updateable": false, "calculatedFormula": "UPPER(Account.Name)"});
    s.org.set_field("Contact", &formula).unwrap();
    let account = s.org.create("Account", &json!({"Name": "quiet"})).unwrap();
    let values = json!({"LastName": "x", "AccountId": account});
    let contact = s.org.create("Contact", &values).unwrap();
    let before = s.org.row(&contact).unwrap();
    assert_eq!(before["Loud__c"], json!("QUIET"));
    s.org.clock().advance(Duration::from_secs(60));
    s.org.update(&account, &json!({"Name": "loud"})).unwrap();
    let after = s.org.row(&contact).unwrap();
    assert_eq!(after["Loud__c"], json!("LOUD"));
    assert_eq!(after["SystemModstamp"], before["SystemModstamp"]);
}

#[test]
fn what_is_purged_is_seen_by_query_all_and_the_log_and_then_by_the_log_alone() {
    let s = Session::on(Org::sample());
    let id = s.org.create("Account", &json!({"Name": "gone"})).unwrap();
    s.org.delete(&id).unwrap();
    s.org.clock().advance(Duration::from_secs(120));
    let all = || {
        let soql = "SELECT Id, IsDeleted FROM Account WHERE Name = 'gone'";
        s.rows("/queryAll", soql).0.len()
    };
    let logged = || {
        let path = "/sobjects/Account/deleted/?start=2026-01-05T07:00:00Z&end=2026-01-05T08:30:00Z";
        let log = s.get(path).1["deletedRecords"].clone();
        log.as_array()
            .unwrap()
            .iter()
            .filter(|r| r["id"] == json!(id))
            .count()
    };
    let undelete = || s.org.undelete(&id).unwrap_err().code;
    assert_eq!((all(), logged()), (1, 1));
    s.org.purge(&[&id]).unwrap();
    assert_eq!((all(), logged(), undelete()), (1, 1, "UNDELETE_FAILED"));
    s.org.expire_purged();
    assert_eq!(
        (all(), logged(), undelete()),
        (0, 1, "INVALID_CROSS_REFERENCE_KEY")
    );
    s.org.purge_delete_log("2026-01-05T08:30:00Z".parse().unwrap());
    assert_eq!((all(), logged()), (0, 0));
}
