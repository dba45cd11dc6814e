//! Records by external ids, relationships and conditions.
//!
//! Key decision: each way of naming a row is tried for reading, writing and deleting.
//! Not here: records by Id (`writes`).

use serde_json::{Value, json};

use crate::support::{Session, code};

const KEYED: &str = "/sobjects/Account/Customer_Number__c";

fn keyed(s: &Session) -> (String, String) {
    let row = s
        .org
        .rows("Account")
        .into_iter()
        .find(|r| r["Customer_Number__c"].is_string())
        .unwrap();
    let text = |f: &str| row[f].as_str().unwrap().to_owned();
    (text("Id"), text("Customer_Number__c"))
}

#[test]
fn read_and_deleted_by_external_id() {
    let s = Session::sample();
    let (id, key) = keyed(&s);
    let (status, row) = s.get(&format!("{KEYED}/{key}?fields=Id,Name"));
    assert_eq!((status, &row["Id"]), (200, &json!(id)));
    assert!(row["Phone"].is_null() && row["Name"].is_string());
    assert_eq!(code(&s.get(&format!("{KEYED}/none"))), (404, "NOT_FOUND"));
    assert_eq!(code(&s.get("/sobjects/Account/Name/x")), (404, "NOT_FOUND"));
    let made = s.send("PATCH", &format!("{KEYED}/Z-1"), &json!({"Name": "z"})).1;
    assert_eq!(s.json(s.request("DELETE", &format!("{KEYED}/z-1"))).0, 204);
    assert_eq!(
        s.org.bin(made["id"].as_str().unwrap()),
        halite_simulator::Bin::InBin
    );
    assert_eq!(
        code(&s.json(s.request("DELETE", &format!("{KEYED}/Z-1")))),
        (404, "NOT_FOUND")
    );
}

#[test]
fn upserts() {
    let s = Session::sample();
    let post = s.send(
        "POST",
        &format!("{KEYED}/Z-2?_HttpMethod=PATCH"),
        &json!({"Name": "posted"}),
    );
    assert_eq!((post.0, &post.1["created"]), (201, &json!(true)));
    let id = post.1["id"].as_str().unwrap();
    let by_id = s.send(
        "PATCH",
        &format!("/sobjects/Account/Id/{id}"),
        &json!({"Name": "by id"}),
    );
    assert_eq!((by_id.0, &by_id.1["created"]), (200, &json!(false)));
    assert_eq!(s.org.row(id).unwrap()["Name"], json!("by id"));
    let new = s.send("POST", "/sobjects/Account/Id", &json!({"Name": "new"}));
    assert_eq!(new.0, 201);
    let named = s.send(
        "PATCH",
        &format!("{KEYED}/Z-2"),
        &json!({"Name": "n", "Customer_Number__c": "Z-2"}),
    );
    assert_eq!(code(&named), (400, "INVALID_FIELD"));
    let contact = |email: &str| {
        s.org
            .create("Contact", &json!({"LastName": "x", "Email": email}))
            .unwrap()
    };
    let twins = [contact("twin@salt.example"), contact("twin@salt.example")];
    for (method, body) in [
        ("GET", Value::Null),
        ("PATCH", json!({"LastName": "y"})),
        ("DELETE", Value::Null),
    ] {
        let (status, urls) = s.send(method, "/sobjects/Contact/Email/twin@salt.example", &body);
        let wanted: Vec<String> = twins
            .iter()
            .map(|id| format!("/services/data/v67.0/sobjects/Contact/{id}"))
            .collect();
        assert_eq!((status, urls), (300, json!(wanted)), "{method}");
    }
}

#[test]
fn collections_by_external_id() {
    let s = Session::sample();
    let (id, key) = keyed(&s);
    let record = |key: Value, name: &str| json!({"attributes": {"type": "Account"}, "Customer_Number__c": key, "Name": name});
    let body = json!({"records": [record(json!(key), "old"), record(json!("Z-3"), "new"), record(Value::Null, "none"), record(json!("Z-4"), "")]});
    let (status, results) = s.send("PATCH", "/composite/sobjects/Account/Customer_Number__c", &body);
    assert_eq!(status, 200);
    assert_eq!(
        (&results[0]["id"], &results[0]["created"]),
        (&json!(id), &json!(false))
    );
    assert_eq!(results[1]["created"], json!(true));
    assert_eq!(results[2]["errors"][0]["statusCode"], json!("MISSING_ARGUMENT"));
    assert_eq!(
        results[3]["errors"][0]["statusCode"],
        json!("REQUIRED_FIELD_MISSING")
    );
    assert_eq!(s.org.row(&id).unwrap()["Name"], json!("old"));
    let new = results[1]["id"].as_str().unwrap();
    let (_, rows) = s.get(&format!(
        "/composite/sobjects/Account?ids={new},0012300000bVTq1AAG,{id}&fields=Name,Id"
    ));
    assert_eq!(
        (&rows[0]["Name"], &rows[1], &rows[2]["Id"]),
        (&json!("new"), &Value::Null, &json!(id))
    );
    let other = json!({"records": [{"attributes": {"type": "Contact"}, "LastName": "x"}]});
    assert_eq!(
        s.send("PATCH", "/composite/sobjects/Account/Customer_Number__c", &other)
            .0,
        400
    );
    assert_eq!(
        code(&s.send("PATCH", "/composite/sobjects/Account/Name", &body)),
        (404, "NOT_FOUND")
    );
}

#[test]
fn references_by_external_id() {
    let s = Session::sample();
    let (id, key) = keyed(&s);
    let body = json!({"LastName": "ref", "Account": {"Customer_Number__c": key}, "Owner": {"Username": "ada@salt.example"}});
    let (status, made) = s.send("POST", "/sobjects/Contact", &body);
    assert_eq!(status, 201, "{made}");
    let path = format!("/sobjects/Contact/{}", made["id"].as_str().unwrap());
    let row = s.get(&path).1;
    assert_eq!(
        (&row["AccountId"], &row["OwnerId"]),
        (&json!(id), &json!(s.org.ui_user()))
    );
    let (_, other) = s.send("PATCH", &format!("{KEYED}/Z-5"), &json!({"Name": "other"}));
    assert_eq!(
        s.send("PATCH", &path, &json!({"Account": {"Customer_Number__c": "Z-5"}}))
            .0,
        204
    );
    assert_eq!(s.get(&path).1["AccountId"], other["id"]);
    let (status, made) = s.send(
        "POST",
        "/sobjects/Case",
        &json!({"Owner": {"attributes": {"type": "User"}, "Username": "ada@salt.example"}}),
    );
    assert_eq!(status, 201, "{made}");
    for body in [
        json!({"LastName": "x", "Account": {"Customer_Number__c": "none"}}),
        json!({"LastName": "x", "Account": {"Name": "x"}}),
        json!({"LastName": "x", "Account": {}}),
        json!({"LastName": "x", "Nobody": {"Name": "x"}}),
    ] {
        assert_eq!(
            code(&s.send("POST", "/sobjects/Contact", &body)),
            (400, "INVALID_FIELD"),
            "{body}"
        );
    }
    let record = |key: &str| json!({"attributes": {"type": "Contact"}, "LastName": "many", "Account": {"Customer_Number__c": key}});
    let (status, results) = s.send(
        "POST",
        "/composite/sobjects",
        &json!({"records": [record(&key), record("none")]}),
    );
    assert_eq!((status, &results[0]["success"]), (200, &json!(true)));
    assert_eq!(
        results[1]["errors"][0]["message"],
        json!("Foreign key external ID: none not found for field Customer_Number__c in entity Account")
    );
}

#[test]
fn ways_along_relationships() {
    let s = Session::sample();
    let contact = s
        .org
        .rows("Contact")
        .into_iter()
        .find(|c| c["AccountId"].is_string())
        .unwrap();
    let (id, account) = (
        contact["Id"].as_str().unwrap(),
        contact["AccountId"].as_str().unwrap(),
    );
    let (status, row) = s.get(&format!("/sobjects/Contact/{id}/Account?fields=Name"));
    assert_eq!((status, &row["attributes"]["type"]), (200, &json!("Account")));
    let (status, below) = s.get(&format!("/sobjects/Account/{account}/Contacts?fields=LastName"));
    assert_eq!((status, &below["done"]), (200, &json!(true)));
    let count = s
        .org
        .rows("Contact")
        .iter()
        .filter(|c| c["AccountId"] == json!(account))
        .count();
    assert_eq!(below["totalSize"], json!(count));
    assert_eq!(
        code(&s.get(&format!("/sobjects/Account/{account}/Parent"))),
        (404, "NOT_FOUND")
    );
    assert_eq!(
        code(&s.get(&format!("/sobjects/Account/{account}/Nope"))),
        (404, "NOT_FOUND")
    );
}

#[test]
fn describes_are_sent_when_they_changed() {
    let s = Session::sample();
    for path in ["/sobjects", "/sobjects/Account/describe"] {
        let first = s.request("GET", path).send().unwrap();
        let header = |name: &str| first.headers()[name].to_str().unwrap().to_owned();
        let (tag, date) = (header("etag"), header("last-modified"));
        let again = |name: &str, value: &str| {
            s.request("GET", path)
                .header(name, value)
                .send()
                .unwrap()
                .status()
                .as_u16()
        };
        assert_eq!(again("If-None-Match", &tag), 304);
        assert_eq!(again("If-Modified-Since", &date), 304);
        assert_eq!(again("If-None-Match", "\"other\""), 200);
        assert_eq!(again("If-Modified-Since", "Tue, 31 May 2016 18:00:00 GMT"), 200);
        assert_eq!(again("If-Modified-Since", "nonsense"), 200);
        if path.ends_with("describe") {
            s.org.clock().advance(std::time::Duration::from_secs(60));
            s.org.permit(&s.org.api_user(), |p| {
                p.grant(halite_simulator::Permission::CreateAuditFields);
            });
            assert_eq!(again("If-Modified-Since", &date), 200);
            assert_eq!(again("If-None-Match", &tag), 200);
        }
    }
}

#[test]
fn writes_that_come_too_late() {
    let s = Session::sample();
    let id = s.org.create("Account", &json!({"Name": "a"})).unwrap();
    let path = format!("/sobjects/Account/{id}");
    let read = || s.request("GET", &path).send().unwrap();
    let headers = read().headers().clone();
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (tag, date) = (header("etag"), header("last-modified"));
    let patch = |name: &str, value: &str| {
        let request = s.request("PATCH", &path).header(name, value);
        s.json(request.json(&json!({"Fax": "1"})))
    };
    assert_eq!(patch("If-Unmodified-Since", &date).0, 204);
    s.org.update(&id, &json!({"Name": "b"})).unwrap();
    assert_eq!(
        code(&patch("If-Unmodified-Since", &date)),
        (412, "PRECONDITION_FAILED")
    );
    assert_eq!(code(&patch("If-Match", &tag)), (412, "PRECONDITION_FAILED"));
    assert_eq!(patch("If-Unmodified-Since", "soon").0, 400);
    let now = read().headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(patch("If-Match", &format!("\"x\", {now}")).0, 204);
    let read = |name: &str, value: &str| {
        s.request("GET", &path)
            .header(name, value)
            .send()
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(read("If-Unmodified-Since", &date), 412);
    assert_eq!(read("If-Modified-Since", &date), 200);
    assert_eq!(read("If-Modified-Since", "Tue, 31 May 2033 18:00:00 GMT"), 304);
    let contact = s.org.rows("Contact")[0]["Id"].clone();
    let reply = s
        .request("GET", &format!("/sobjects/Contact/{}", contact.as_str().unwrap()))
        .send()
        .unwrap();
    assert!(reply.headers().get("etag").is_none() && reply.headers().get("last-modified").is_some());
}

#[test]
fn assignment_rules_apply_unless_told_not_to() {
    let s = Session::sample();
    let queue = s.org.rows("Group")[0]["Id"].as_str().unwrap().to_owned();
    s.org.configure(|c| {
        c.assignment.0.insert("Case".into(), queue.clone());
    });
    let me = s.org.api_user();
    let owner = |value: Option<&str>| {
        let mut request = s.request("POST", "/sobjects/Case").json(&json!({"OwnerId": me}));
        if let Some(value) = value {
            request = request.header("Sforce-Auto-Assign", value);
        }
        let made = s.json(request).1;
        s.org.row(made["id"].as_str().unwrap()).unwrap()["OwnerId"].clone()
    };
    assert_eq!(owner(None), json!(queue));
    assert_eq!(owner(Some("TRUE")), json!(queue));
    assert_eq!(owner(Some("FALSE")), json!(me));
    let behind = s.org.create("Case", &json!({})).unwrap();
    assert_eq!(s.org.row(&behind).unwrap()["OwnerId"], json!(s.org.ui_user()));
}
