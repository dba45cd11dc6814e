//! Person accounts: one person that is an Account and a Contact.
//!
//! Key decision: both halves are read by a plain client after each write of one of them.
//! Not here: datasets with person accounts (`datasets`).

use std::time::Duration;

use halite_simulator::Org;
use serde_json::{Value, json};

use crate::admin::Desk;
use crate::support::{Session, code, recorded};

fn enabled() -> Session {
    let org = Org::sample();
    let field = json!({"name": "Level__c", "type": "string", "length": 20});
    org.set_field("Contact", &field).unwrap();
    org.enable_person_accounts();
    Session::on(org)
}

fn person_type(s: &Session) -> Value {
    let soql = "SELECT Id FROM RecordType WHERE SobjectType = 'Account' AND IsPersonType = true";
    s.query(soql).1["records"][0]["Id"].clone()
}

fn create(s: &Session, object: &str, body: &Value) -> String {
    let made = s.send("POST", &format!("/sobjects/{object}"), body);
    assert_eq!(made.0, 201, "{made:?}");
    made.1["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_person_is_an_account_and_a_contact() {
    let s = enabled();
    let body = json!({"RecordTypeId": person_type(&s), "FirstName": "Ana", "LastName": "Jacobson",
        "PersonEmail": "ana@example.com", "PersonMailingCity": "Robinview", "Level__pc": "gold"});
    let path = format!("/sobjects/Account/{}", create(&s, "Account", &body));
    let account = s.get(&path).1;
    assert_eq!(
        (&account["Name"], &account["IsPersonAccount"]),
        (&json!("Ana Jacobson"), &json!(true))
    );
    let half = format!(
        "/sobjects/Contact/{}",
        account["PersonContactId"].as_str().unwrap()
    );
    let contact = s.get(&half).1;
    for (field, value) in [
        ("Name", "Ana Jacobson"),
        ("Email", "ana@example.com"),
        ("MailingCity", "Robinview"),
        ("Level__c", "gold"),
    ] {
        assert_eq!(contact[field], json!(value), "{field}");
    }
    assert_eq!(contact["IsPersonAccount"], json!(true));
    assert_eq!(contact["AccountId"], account["Id"]);
    // A change of either half is a change of both.
    s.org.clock().advance(Duration::from_secs(60));
    assert_eq!(s.send("PATCH", &path, &json!({"LastName": "Smith"})).0, 204);
    let after = s.get(&half).1;
    assert_eq!(after["Name"], json!("Ana Smith"));
    assert_ne!(after["SystemModstamp"], contact["SystemModstamp"]);
    assert_eq!(
        s.send(
            "PATCH",
            &half,
            &json!({"Level__c": null, "Email": "new@example.com"})
        )
        .0,
        204
    );
    let account = s.get(&path).1;
    assert_eq!(
        (&account["PersonEmail"], &account["Level__pc"]),
        (&json!("new@example.com"), &Value::Null)
    );
    let soql = "SELECT PersonContact.Name FROM Account WHERE IsPersonAccount = true";
    assert_eq!(
        s.query(soql).1["records"][0]["PersonContact"]["Name"],
        json!("Ana Smith")
    );
    // They fall and rise together.
    assert_eq!(
        code(&s.json(s.request("DELETE", &half))),
        (400, "INVALID_PERSON_ACCOUNT_OPERATION")
    );
    assert_eq!(s.json(s.request("DELETE", &path)).0, 204);
    assert_eq!(code(&s.get(&half)), (404, "ENTITY_IS_DELETED"));
    s.org.undelete(account["Id"].as_str().unwrap()).unwrap();
    assert_eq!(s.get(&half).0, 200);
}

#[test]
fn what_a_person_account_refuses() {
    let s = enabled();
    let kind = person_type(&s);
    let person = create(&s, "Account", &json!({"LastName": "Alone"}));
    assert_eq!(
        s.org.row(&person).unwrap()["RecordTypeId"],
        kind,
        "a last name makes a person"
    );
    let business = create(&s, "Account", &json!({"Name": "Works"}));
    assert_eq!(s.org.row(&business).unwrap()["IsPersonAccount"], json!(false));
    for (object, body, wanted) in [
        (
            "Account",
            json!({"RecordTypeId": kind, "LastName": "x", "Name": "x"}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
        (
            "Account",
            json!({"RecordTypeId": kind, "FirstName": "x"}),
            "REQUIRED_FIELD_MISSING",
        ),
        (
            "Account",
            json!({"Name": "x", "PersonEmail": "x@example.com"}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
        (
            "Account",
            json!({"LastName": "x", "ParentId": business}),
            "INVALID_PERSON_ACCOUNT_OPERATION",
        ),
        (
            "Account",
            json!({"Name": "x", "ParentId": person}),
            "INVALID_PERSON_ACCOUNT_OPERATION",
        ),
        (
            "Contact",
            json!({"LastName": "x", "AccountId": person}),
            "INVALID_PERSON_ACCOUNT_OPERATION",
        ),
        (
            "Contact",
            json!({"LastName": "x", "IsPersonAccount": true}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
        (
            "Account",
            json!({"LastName": "x", "PersonContactId": null}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
    ] {
        let refused = s.send("POST", &format!("/sobjects/{object}"), &body);
        assert_eq!(code(&refused), (400, wanted), "{object} {body}");
    }
    let path = format!("/sobjects/Account/{business}");
    let turned = s.send("PATCH", &path, &json!({"RecordTypeId": kind}));
    assert_eq!(code(&turned).1, "INVALID_PERSON_ACCOUNT_OPERATION");
    let contact = s.org.row(&person).unwrap()["PersonContactId"].clone();
    let half = format!("/sobjects/Contact/{}", contact.as_str().unwrap());
    let moved = s.send("PATCH", &half, &json!({"AccountId": business}));
    assert_eq!(code(&moved).1, "INVALID_PERSON_ACCOUNT_OPERATION");
    let merged = s.org.merge(&person, &[&business]).unwrap_err();
    assert_eq!(merged.code, "INVALID_PERSON_ACCOUNT_OPERATION");
}

#[test]
fn an_org_without_them_has_no_such_fields_until_they_are_enabled() {
    let d = Desk::new(None);
    let s = &d.0;
    let ask = || s.query("SELECT IsPersonAccount, PersonContactId FROM Account");
    assert_eq!(code(&ask()), (400, "INVALID_FIELD"));
    let stamp = s.org.rows("Account")[0]["SystemModstamp"].clone();
    d.done("POST", "/behaviour/person_accounts", None);
    d.done("POST", "/behaviour/person_accounts", None);
    let (status, rows) = ask();
    assert_eq!(
        (status, &rows["records"][0]["IsPersonAccount"]),
        (200, &json!(false))
    );
    assert_eq!(s.org.rows("Account")[0]["SystemModstamp"], stamp);
    let types = s.query("SELECT Id FROM RecordType WHERE IsPersonType = true").1;
    assert_eq!(types["totalSize"], json!(1));
    // A custom field of Contact is there for persons as long as it is there at all.
    let has = |name: &str| s.query(&format!("SELECT {name} FROM Account")).0;
    assert_eq!(has("Size__pc"), 400);
    let field = json!({"name": "Size__c", "type": "string", "length": 20});
    d.done("POST", "/behaviour/objects/Contact/fields", Some(&field));
    assert_eq!(has("Size__pc"), 200);
    d.done("DELETE", "/behaviour/objects/Contact/fields/Size__c", None);
    assert_eq!(has("Size__pc"), 400);
}

#[test]
fn a_dataset_of_persons_needs_an_org_that_has_them() {
    let Some(root) = recorded("cumulusci-datasets/cumulusci/tasks/bulkdata/tests") else {
        return;
    };
    let (dump, mapping) = (root.join("person_accounts.sql"), root.join("person_accounts.yml"));
    let bare = Org::empty();
    let refused = bare.load_dump(&dump, &mapping).unwrap().refused;
    assert!(
        refused
            .iter()
            .any(|r| r.table == "Account" && r.rule == "INVALID_FIELD")
    );
    let org = Org::empty();
    org.enable_person_accounts();
    let report = org.load_dump(&dump, &mapping).unwrap();
    assert_eq!(
        (
            report.tables["Account"].created,
            report.tables["PersonContact"].matched
        ),
        (1, 1)
    );
    let s = Session::on(org);
    let soql = "SELECT Name, IsPersonAccount, PersonEmail, PersonContact.MailingCity FROM Account";
    let rows = s.query(soql).1["records"].clone();
    assert_eq!(
        (&rows[0]["Name"], &rows[0]["PersonContact"]["MailingCity"]),
        (&json!("Ana Jacobson"), &json!("Robinview"))
    );
    assert_eq!(s.query("SELECT Id FROM Contact").1["totalSize"], json!(1));
}
