//! The behaviour of the org, switched by `/admin` and seen by a plain client.
//!
//! Key decision: each switch is thrown from outside and its effect read through the API, so that the switch
//! and the behaviour are proved together.
//! Not here: limits (`limits`), stamps of whole tables (`platform`), which are driven from Rust.

use serde_json::{Value, json};

use crate::admin::Desk;
use crate::support::code;

#[test]
fn triggers_on_delete_and_undelete() {
    let d = Desk::new(None);
    let s = &d.0;
    let add = |event: &str, when: &str, deed: &Value| {
        let body = json!({"object": "Account", "name": "Guard", "event": event, "when": when, "deed": deed});
        d.call("POST", "/behaviour/automation", Some(&body)).0
    };
    assert_eq!(
        add("delete", "Name = 'kept'", &json!({"Refuse": "not this one"})),
        200
    );
    assert_eq!(
        add("delete", "Name = 'broken'", &json!({"Fail": "null pointer"})),
        200
    );
    let task = json!({"CreateRow": ["Task", {"Subject": "'deleted ' & Name"}]});
    assert_eq!(add("delete", "Name = 'noted'", &task), 200);
    assert_eq!(add("undelete", "Name = 'noted'", &json!({"Refuse": "stay"})), 200);
    assert_eq!(add("delete", "TRUE", &json!({"SetField": ["Fax", "'1'"]})), 400);
    let make = |name: &str| s.org.create("Account", &json!({"Name": name})).unwrap();
    let delete = |id: &str| s.json(s.request("DELETE", &format!("/sobjects/Account/{id}")));
    let kept = delete(&make("kept"));
    assert_eq!(code(&kept), (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION"));
    assert_eq!(kept.1[0]["message"], json!("not this one"));
    let broken = delete(&make("broken"));
    assert_eq!(code(&broken), (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"));
    assert!(
        broken.1[0]["message"]
            .as_str()
            .unwrap()
            .contains("execution of BeforeDelete")
    );
    let noted = make("noted");
    assert_eq!(delete(&noted).0, 204);
    let tasks = s.query("SELECT Id FROM Task WHERE Subject = 'deleted noted'").1;
    assert_eq!(tasks["totalSize"], json!(1));
    let (_, back) = s.soap(&format!("<u:undelete><u:ids>{noted}</u:ids></u:undelete>"));
    assert!(back.contains("FIELD_CUSTOM_VALIDATION_EXCEPTION"), "{back}");
    assert_eq!(
        code(&s.get(&format!("/sobjects/Account/{noted}"))).1,
        "ENTITY_IS_DELETED"
    );
}

#[test]
fn a_cascade_sets_no_trigger_off_and_a_restriction_refuses() {
    let d = Desk::new(None);
    let s = &d.0;
    let account = s.org.create("Account", &json!({"Name": "x"})).unwrap();
    let contact = json!({"LastName": "x", "AccountId": account});
    let contact = s.org.create("Contact", &contact).unwrap();
    let body = json!({"object": "Contact", "name": "G", "event": "delete", "deed": {"Refuse": "no"}});
    d.done("POST", "/behaviour/automation", Some(&body));
    let path = format!("/sobjects/Contact/{contact}");
    assert_eq!(code(&s.json(s.request("DELETE", &path))).0, 400);
    let case = s.org.create("Case", &json!({"AccountId": account})).unwrap();
    let delete = || s.json(s.request("DELETE", &format!("/sobjects/Account/{account}")));
    assert_eq!(code(&delete()), (400, "DELETE_FAILED"));
    s.org.delete(&case).unwrap();
    assert_eq!(delete().0, 204, "the contact's trigger is not asked");
    assert_eq!(code(&s.get(&path)).1, "ENTITY_IS_DELETED");
}

#[test]
fn rules_rights_and_record_types() {
    let d = Desk::new(None);
    let s = &d.0;
    let rule = json!({"object": "Lead", "formula": "Company = 'x'", "message": "no", "field": "Company"});
    d.done("POST", "/behaviour/rules", Some(&rule));
    let lead = || {
        s.send(
            "POST",
            "/sobjects/Lead",
            &json!({"LastName": "x", "Company": "x"}),
        )
    };
    assert_eq!(code(&lead()), (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION"));
    let types = s.org.rows("RecordType");
    let kind = types.iter().find(|t| t["IsActive"] == json!(true)).unwrap();
    let (id, object) = (
        kind["Id"].as_str().unwrap(),
        kind["SobjectType"].as_str().unwrap(),
    );
    let permissions = format!("/behaviour/permissions/{}", s.org.api_user());
    let rights = |body: &Value| d.done("POST", &permissions, Some(body));
    let available = || {
        let infos = s.get(&format!("/sobjects/{object}/describe")).1["recordTypeInfos"].clone();
        let mut infos = infos.as_array().unwrap().clone().into_iter();
        infos.find(|i| i["recordTypeId"] == json!(id)).unwrap()["available"].clone()
    };
    let row = s.org.rows(object)[0]["Id"].clone();
    let path = format!("/sobjects/{object}/{}", row.as_str().unwrap());
    let change = |to: &Value| s.send("PATCH", &path, &json!({"RecordTypeId": to}));
    assert_eq!(change(&Value::Null).0, 204);
    assert_eq!(available(), json!(true));
    rights(&json!({"record_types": {id: false}}));
    assert_eq!(available(), json!(false));
    let refused = change(&json!(id));
    assert_eq!(code(&refused), (400, "INVALID_CROSS_REFERENCE_KEY"));
    rights(&json!({"record_types": {id: true}}));
    assert_eq!(change(&json!(id)).0, 204);
    rights(&json!({"objects": {"Lead": {"create": false}}, "fields": {"Account": {"Fax": {"read": false}}}}));
    assert_eq!(code(&lead()).1, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY");
    assert_eq!(code(&s.query("SELECT Fax FROM Account")).1, "INVALID_FIELD");
    rights(&json!({"grant": ["CreateAuditFields"], "objects": {"Lead": {}}}));
    let old = json!({"LastName": "y", "Company": "y", "CreatedDate": "2019-01-01T00:00:00Z"});
    assert_eq!(s.send("POST", "/sobjects/Lead", &old).0, 201);
    assert_eq!(
        d.call("POST", &permissions, Some(&json!({"grant": ["Flying"]})))
            .0,
        400
    );
}

#[test]
fn locks_merges_duplicates_and_replication() {
    let d = Desk::new(None);
    let s = &d.0;
    let make = |name: &str| s.org.create("Account", &json!({"Name": name})).unwrap();
    let (one, two) = (make("one"), make("two"));
    let path = format!("/sobjects/Account/{one}");
    let edit = || s.send("PATCH", &path, &json!({"Fax": "1"}));
    d.done("POST", &format!("/records/{one}/lock"), None);
    assert_eq!(d.done("GET", "/behaviour/locks", None), json!([one]));
    assert_eq!(code(&edit()).1, "UNABLE_TO_LOCK_ROW");
    d.done("POST", &format!("/records/{one}/unlock"), None);
    assert_eq!(edit().0, 204);
    d.done(
        "POST",
        &format!("/records/{one}/merge"),
        Some(&json!({"losers": [two]})),
    );
    let soql = format!("SELECT IsDeleted, MasterRecordId FROM Account WHERE Id = '{two}'");
    let (rows, _) = s.rows("/queryAll", &soql);
    assert_eq!(
        (&rows[0]["IsDeleted"], &rows[0]["MasterRecordId"]),
        (&json!(true), &json!(one))
    );
    let rule = json!({"name": "Twins", "object": "Account", "fields": ["Name"], "block": true});
    d.done("POST", "/behaviour/duplicate_rules", Some(&rule));
    let again = s.send("POST", "/sobjects/Account", &json!({"Name": "one"}));
    assert_eq!(code(&again).1, "DUPLICATES_DETECTED");
    let window = "/sobjects/Account/updated/?start=2026-01-05T07:00:00Z&end=2026-01-05T07:30:00Z";
    let hold = |at: Value| d.done("POST", "/behaviour/replication", Some(&json!({"hold_at": at})));
    hold(json!("2026-01-05T07:10:00Z"));
    let covered = || s.get(window).1["latestDateCovered"].clone();
    assert_eq!(covered(), json!("2026-01-05T07:10:00.000+0000"));
    hold(Value::Null);
    assert_eq!(covered(), json!("2026-01-05T07:30:00.000+0000"));
}

#[test]
fn tables_and_late_transactions() {
    let d = Desk::new(None);
    let s = &d.0;
    let accounts = s.org.rows("Account").len();
    let done = d.done("POST", "/behaviour/objects/Account/restamp", None);
    assert_eq!(done, json!({"rows": accounts}));
    let field = json!({"name": "Level__c", "type": "double"});
    d.done("POST", "/behaviour/objects/Account/fields", Some(&field));
    assert_eq!(s.query("SELECT Level__c FROM Account").0, 200);
    d.done("DELETE", "/behaviour/objects/Account/fields/Level__c", None);
    assert_eq!(code(&s.query("SELECT Level__c FROM Account")).1, "INVALID_FIELD");
    let begin = || d.done("POST", "/behaviour/late", None)["late"].as_u64().unwrap();
    let late = format!("/behaviour/late/{}", begin());
    let made = d.done(
        "POST",
        &format!("{late}/records/Account"),
        Some(&json!({"Name": "late"})),
    );
    let id = made["id"].as_str().unwrap();
    d.done(
        "PATCH",
        &format!("{late}/records/{id}"),
        Some(&json!({"Fax": "9"})),
    );
    assert_eq!(
        d.call("POST", &format!("{late}/records/Account"), Some(&json!({})))
            .0,
        400
    );
    let path = format!("/sobjects/Account/{id}?fields=Fax");
    assert_eq!(s.get(&path).0, 404);
    d.done("POST", &format!("{late}/commit"), None);
    assert_eq!(s.get(&path).1["Fax"], json!("9"));
    assert_eq!(d.call("POST", &format!("{late}/commit"), None).0, 404);
    let lost = format!("/behaviour/late/{}", begin());
    d.done("DELETE", &format!("{lost}/records/{id}"), None);
    d.done("DELETE", &lost, None);
    assert_eq!(s.get(&path).0, 200);
    let task = s.org.create("Task", &json!({"Subject": "old"})).unwrap();
    d.done("POST", &format!("/records/{task}/archive"), None);
    let path = format!("/sobjects/Task/{task}");
    assert_eq!(
        code(&s.send("PATCH", &path, &json!({"Subject": "x"}))).1,
        "ENTITY_IS_ARCHIVED"
    );
}

#[test]
fn a_campaign_is_born_with_its_statuses() {
    let d = Desk::new(None);
    let s = &d.0;
    let labels = |name: &str| {
        s.send("POST", "/sobjects/Campaign", &json!({"Name": name}));
        let soql = format!(
            "SELECT Label FROM CampaignMemberStatus WHERE Campaign.Name = '{name}' ORDER BY SortOrder"
        );
        let (rows, _) = s.rows("/query", &soql);
        rows.iter().map(|r| r["Label"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(labels("bare"), [""; 0]);
    d.done("POST", "/settings", Some(&json!({"auto_rows": true})));
    assert_eq!(labels("full"), ["Sent", "Responded"]);
}

#[test]
fn a_roll_up_moves_its_stamp_by_a_setting() {
    let d = Desk::new(None);
    let s = &d.0;
    let mine = s.org.rows("Mine__c")[0]["Id"].as_str().unwrap().to_owned();
    let mut before = s.org.row(&mine).unwrap();
    let mut dig = |moves: bool| {
        d.done("POST", "/clock", Some(&json!({"advance": 60})));
        let shaft = json!({"Mine__c": mine, "Depth__c": 10});
        assert_eq!(s.send("POST", "/sobjects/Shaft__c", &shaft).0, 201);
        let after = s.get(&format!("/sobjects/Mine__c/{mine}")).1;
        assert_ne!(after["Shafts__c"], before["Shafts__c"]);
        assert_eq!(after["LastModifiedDate"], before["LastModifiedDate"]);
        assert_eq!(after["SystemModstamp"] != before["SystemModstamp"], moves);
        before = s.org.row(&mine).unwrap();
    };
    dig(true);
    d.done("POST", "/settings", Some(&json!({"rollup_stamps": false})));
    dig(false);
}
