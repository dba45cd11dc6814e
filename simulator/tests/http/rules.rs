//! Validation rules, automation, locks and mixed transactions, as a client meets them.
//!
//! Key decision: rules come from Rust and from a project's files alike; refusals are compared whole, because
//! clients show them to people.
//! Not here: the formula language (`schema::formula`).

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::Duration;

use halite_simulator::{Deed, Org};
use serde_json::json;

use crate::support::{Session, code};

#[test]
fn a_rule_refuses_with_its_message_and_field() {
    let s = Session::sample();
    s.org
        .add_rule(
            "Contact",
            "AND(ISPICKVAL(Salutation, 'Dr.'), CONTAINS(Account.Name, 'Quack'), NOT(ISNEW()))",
            "No doctors there",
            Some("Salutation"),
        )
        .unwrap();
    let account = s.org.create("Account", &json!({"Name": "Quack Ltd"})).unwrap();
    let body = json!({"LastName": "x", "Salutation": "Dr.", "AccountId": account});
    let (status, made) = s.send("POST", "/sobjects/Contact", &body);
    assert_eq!(status, 201, "not of new rows");
    let path = format!("/sobjects/Contact/{}", made["id"].as_str().unwrap());
    let before = s.org.row(made["id"].as_str().unwrap());
    let reply = s.send("PATCH", &path, &json!({"LastName": "y"}));
    let wanted = json!([{"errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "No doctors there", "fields": ["Salutation"]}]);
    assert_eq!(reply, (400, wanted));
    assert_eq!(s.org.row(made["id"].as_str().unwrap()), before);
    assert_eq!(s.send("PATCH", &path, &json!({"Salutation": "Mr."})).0, 204);
}

#[test]
fn changes_are_seen_by_rules() {
    let s = Session::sample();
    s.org
        .add_rule(
            "Opportunity",
            "ISCHANGED(Amount) && PRIORVALUE(Amount) > Amount",
            "Only up",
            None,
        )
        .unwrap();
    let id = s
        .org
        .create(
            "Opportunity",
            &json!({"Name": "o", "StageName": "Prospecting", "CloseDate": "2026-01-01", "Amount": 5}),
        )
        .unwrap();
    let path = format!("/sobjects/Opportunity/{id}");
    assert_eq!(s.send("PATCH", &path, &json!({"Amount": 7})).0, 204);
    let reply = s.send("PATCH", &path, &json!({"Amount": 6}));
    assert_eq!(code(&reply), (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION"));
}

#[test]
fn a_project_brings_its_rules_and_lists_those_beyond_it() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("o/objects/Account/validationRules");
    fs::create_dir_all(&at).unwrap();
    let write = |name: &str, active: bool, formula: &str| {
        let text = format!(
            "<ValidationRule><fullName>{name}</fullName><active>{active}</active><errorConditionFormula>{formula}</errorConditionFormula><errorDisplayField>Site</errorDisplayField><errorMessage>{name} &amp; co</errorMessage></ValidationRule>"
        );
        fs::write(at.join(format!("{name}.validationRule-meta.xml")), text).unwrap();
    };
    write(
        "Site",
        true,
        "AND( ISBLANK(Site), $Profile.Name &lt;&gt; 'Standard User' )",
    );
    write("Off", false, "TRUE");
    write("Odd", true, "VLOOKUP(a, b, c)");
    write("Gone", true, "ISBLANK(Gone__c)");
    let (org, report) = Org::load(dir.path()).unwrap();
    assert_eq!(org.idle_rules().len(), 2, "{:?}", org.idle_rules());
    assert_eq!(
        report
            .skipped
            .iter()
            .filter(|l| l.contains("not enforced"))
            .count(),
        2
    );
    assert!(
        org.create("Account", &json!({"Name": "by hand"})).is_ok(),
        "the user in the UI has the other profile"
    );
    let s = Session::on(org);
    let reply = s.send("POST", "/sobjects/Account", &json!({"Name": "x"}));
    assert_eq!(reply.1[0]["message"], json!("Site & co"));
    assert_eq!(
        s.send("POST", "/sobjects/Account", &json!({"Name": "x", "Site": "y"}))
            .0,
        201
    );
}

#[test]
fn rules_are_saved_with_the_org() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("org");
    let org = Org::empty();
    org.add_rule("Account", "LEN(Name) > 3", "short names", None)
        .unwrap();
    org.save(&file).unwrap();
    let back = Org::load_saved(&file).unwrap();
    assert_eq!(
        back.create("Account", &json!({"Name": "long"}))
            .unwrap_err()
            .message,
        "short names"
    );
}

#[test]
fn automation_sets_creates_refuses_and_breaks_down() {
    let s = Session::sample();
    let org = &s.org;
    org.on_save(
        "Contact",
        "Fill",
        Some("ISBLANK(Title)"),
        Deed::SetField("Title".into(), "'of ' & Account.Name".into()),
    )
    .unwrap();
    org.on_save(
        "Contact",
        "Count",
        None,
        Deed::UpdateParent("AccountId".into(), "Site".into(), "LastName".into()),
    )
    .unwrap();
    let values = BTreeMap::from([
        ("Subject".to_owned(), "'call ' & LastName".to_owned()),
        ("WhoId".to_owned(), "CASESAFEID(Id)".to_owned()),
    ]);
    org.flow_on_save(
        "Contact",
        "Task",
        Some("ISNEW()"),
        Deed::CreateRow("Task".into(), values),
    )
    .unwrap();
    org.on_save(
        "Contact",
        "No",
        Some("LastName = 'no'"),
        Deed::Refuse("never".into()),
    )
    .unwrap();
    org.on_save(
        "Contact",
        "Crash",
        Some("LastName = 'crash'"),
        Deed::Fail("System.NullPointerException".into()),
    )
    .unwrap();
    org.flow_on_save(
        "Contact",
        "Broken",
        Some("LastName = 'flow'"),
        Deed::Fail("out of paper".into()),
    )
    .unwrap();
    let account = org.create("Account", &json!({"Name": "A"})).unwrap();
    let (_, made) = s.send(
        "POST",
        "/sobjects/Contact",
        &json!({"LastName": "yes", "AccountId": account}),
    );
    let id = made["id"].as_str().unwrap();
    assert_eq!(org.row(id).unwrap()["Title"], json!("of A"));
    assert_eq!(org.row(&account).unwrap()["Site"], json!("yes"));
    let task = org
        .rows("Task")
        .into_iter()
        .find(|t| t["WhoId"] == json!(id))
        .unwrap();
    assert_eq!(task["Subject"], json!("call yes"));
    for (name, wanted) in [
        ("no", "FIELD_CUSTOM_VALIDATION_EXCEPTION"),
        ("crash", "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"),
        ("flow", "CANNOT_EXECUTE_FLOW_TRIGGER"),
    ] {
        let reply = s.send("POST", "/sobjects/Contact", &json!({"LastName": name}));
        assert_eq!(code(&reply), (400, wanted));
    }
    org.on_save(
        "Account",
        "Loop",
        None,
        Deed::CreateRow(
            "Account".into(),
            BTreeMap::from([("Name".to_owned(), "Name".to_owned())]),
        ),
    )
    .unwrap();
    let accounts = org.rows("Account").len();
    let reply = s.send("POST", "/sobjects/Account", &json!({"Name": "again"}));
    assert!(
        reply.1[0]["message"]
            .as_str()
            .unwrap()
            .contains("maximum trigger depth"),
        "{reply:?}"
    );
    assert_eq!(org.rows("Account").len(), accounts, "all of it is undone");
}

#[test]
fn setup_and_data_do_not_mix() {
    let s = Session::sample();
    let group = json!({"attributes": {"type": "Group"}, "Name": "g", "Type": "Queue"});
    let account = json!({"attributes": {"type": "Account"}, "Name": "a"});
    let (_, results) = s.send(
        "POST",
        "/composite/sobjects",
        &json!({"records": [account, group]}),
    );
    assert_eq!(results[0]["success"], json!(true));
    assert_eq!(
        results[1]["errors"][0]["statusCode"],
        json!("MIXED_DML_OPERATION")
    );
    assert_eq!(
        s.send("POST", "/sobjects/Group", &json!({"Name": "g", "Type": "Queue"}))
            .0,
        201
    );
}

#[test]
fn a_locked_row_refuses_itself_and_its_children() {
    let s = Session::sample();
    let account = s.org.create("Account", &json!({"Name": "a"})).unwrap();
    s.org.lock_row(&account);
    let message = format!("unable to obtain exclusive access to this record or 1 records: {account}");
    for (method, path, body) in [
        (
            "POST",
            "/sobjects/Contact".to_owned(),
            json!({"LastName": "x", "AccountId": account}),
        ),
        (
            "PATCH",
            format!("/sobjects/Account/{account}"),
            json!({"Site": "x"}),
        ),
        ("DELETE", format!("/sobjects/Account/{account}"), json!({})),
    ] {
        let (_, reply) = s.send(method, &path, &body);
        assert_eq!(reply[0]["errorCode"], json!("UNABLE_TO_LOCK_ROW"), "{method}");
        assert_eq!(reply[0]["message"], json!(message));
    }
    assert_eq!(
        s.send("POST", "/sobjects/Contact", &json!({"LastName": "x"})).0,
        201
    );
    s.org.unlock_row(&account);
    assert_eq!(
        s.send(
            "PATCH",
            &format!("/sobjects/Account/{account}"),
            &json!({"Site": "x"})
        )
        .0,
        204
    );
}

#[test]
fn two_writes_under_one_parent_collide_while_the_first_is_under_way() {
    let s = Session::sample();
    let account = s.org.create("Account", &json!({"Name": "a"})).unwrap();
    s.org
        .configure(|c| c.behaviour.write_time = Duration::from_millis(500));
    let contact = |name: &str| json!({"LastName": name, "AccountId": account});
    thread::scope(|scope| {
        let first = scope.spawn(|| s.send("POST", "/sobjects/Contact", &contact("first")).0);
        while !s.org.locked_rows().contains(&account) {
            thread::yield_now();
        }
        let second = s.send("POST", "/sobjects/Contact", &contact("second"));
        assert_eq!(code(&second), (400, "UNABLE_TO_LOCK_ROW"));
        assert_eq!(first.join().unwrap(), 201);
    });
    assert_eq!(s.org.locked_rows(), Vec::<String>::new());
    s.org.configure(|c| c.behaviour.write_time = Duration::ZERO);
    assert_eq!(s.send("POST", "/sobjects/Contact", &contact("second")).0, 201);
}
