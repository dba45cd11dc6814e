//! Writes over REST: single, many at once, and every refusal.
//!
//! Key decision: one table of refusals, each with the code that the API gives.
//! Not here: rules that need no HTTP (`write::tests`).

use halite_simulator::Permission;
use serde_json::{Value, json};

use crate::support::{Session, code};

#[test]
fn the_life_of_a_record() {
    let s = Session::sample();
    let (status, made) = s.send(
        "POST",
        "/sobjects/Account",
        &json!({"Name": " Neu & Söhne ", "Phone": ""}),
    );
    assert_eq!(
        (status, &made["success"], &made["errors"]),
        (201, &json!(true), &json!([]))
    );
    let id = made["id"].as_str().unwrap();
    let path = format!("/sobjects/Account/{id}");
    let (_, row) = s.get(&path);
    assert_eq!(
        (&row["Name"], &row["Phone"]),
        (&json!("Neu & Söhne"), &Value::Null)
    );
    assert_eq!(row["CreatedById"], json!(s.org.api_user()));
    assert_eq!(row["OwnerId"], json!(s.org.api_user()));
    assert_eq!(row["SystemModstamp"], row["CreatedDate"]);
    assert_eq!(
        s.send("PATCH", &path, &json!({"Fax": "1", "name": "Other"})),
        (204, Value::Null)
    );
    let (_, row) = s.get(&format!("{path}?fields=Name,Fax,LastModifiedDate,CreatedDate"));
    assert_eq!((&row["Name"], &row["Fax"]), (&json!("Other"), &json!("1")));
    assert!(row["LastModifiedDate"].as_str() > row["CreatedDate"].as_str());
    assert_eq!(s.json(s.request("DELETE", &path)).0, 204);
    assert_eq!(code(&s.get(&path)), (404, "ENTITY_IS_DELETED"));
    assert_eq!(
        code(&s.send("PATCH", &path, &json!({"Fax": "2"}))),
        (404, "ENTITY_IS_DELETED")
    );
    assert_eq!(
        code(&s.json(s.request("DELETE", &path))),
        (404, "ENTITY_IS_DELETED")
    );
    assert_eq!(
        code(&s.get("/sobjects/Account/0012300000bVTq1")),
        (404, "NOT_FOUND")
    );
}

#[test]
fn refusals_of_create() {
    let s = Session::sample();
    let inactive = s
        .org
        .rows("User")
        .iter()
        .find(|u| u["IsActive"] == json!(false))
        .unwrap()["Id"]
        .clone();
    let deleted = s.org.create("Account", &json!({"Name": "x"})).unwrap();
    s.org.delete(&deleted).unwrap();
    for (object, body, wanted) in [
        ("Account", json!({}), "REQUIRED_FIELD_MISSING"),
        ("Account", json!({"Name": "   "}), "REQUIRED_FIELD_MISSING"),
        ("Account", json!({"Name": "x", "Nope__c": 1}), "INVALID_FIELD"),
        (
            "Account",
            json!({"Name": "x", "CreatedDate": "2020-01-01T00:00:00Z"}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
        (
            "Account",
            json!({"Name": "x", "BillingAddress": {"city": "y"}}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
        ("Account", json!({"Name": 5}), "JSON_PARSER_ERROR"),
        ("Account", json!({"Name": "x".repeat(256)}), "STRING_TOO_LONG"),
        (
            "Account",
            json!({"Name": "x", "AnnualRevenue": 1e19}),
            "NUMBER_OUTSIDE_VALID_RANGE",
        ),
        (
            "Account",
            json!({"Name": "x", "ParentId": "nope"}),
            "MALFORMED_ID",
        ),
        (
            "Account",
            json!({"Name": "x", "ParentId": s.org.api_user()}),
            "MALFORMED_ID",
        ),
        (
            "Account",
            json!({"Name": "x", "ParentId": "0012300000bVTq1AAG"}),
            "INVALID_CROSS_REFERENCE_KEY",
        ),
        (
            "Account",
            json!({"Name": "x", "ParentId": deleted}),
            "ENTITY_IS_DELETED",
        ),
        (
            "Account",
            json!({"Name": "x", "OwnerId": inactive}),
            "INACTIVE_OWNER_OR_USER",
        ),
        (
            "Account",
            json!({"Name": "x", "Customer_Number__c": "c-00001"}),
            "DUPLICATE_VALUE",
        ),
        (
            "Account",
            json!({"Name": "x", "Interests__c": "Brine;Gold"}),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        ),
        (
            "Contact",
            json!({"LastName": "x", "Email": "not an address"}),
            "INVALID_EMAIL_ADDRESS",
        ),
        (
            "Contact",
            json!({"LastName": "x", "Name": "y"}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
        (
            "Case",
            json!({"RecordTypeId": s.org.rows("RecordType")[0]["Id"]}),
            "INVALID_CROSS_REFERENCE_KEY",
        ),
        ("Shaft__c", json!({"Depth__c": 1}), "REQUIRED_FIELD_MISSING"),
        (
            "Shaft__c",
            json!({"Name": "SH-1"}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
        (
            "ContentDocument",
            json!({"Title": "x"}),
            "INVALID_TYPE_FOR_OPERATION",
        ),
        ("Account", json!([1]), "JSON_PARSER_ERROR"),
    ] {
        let reply = s.send("POST", &format!("/sobjects/{object}"), &body);
        assert_eq!(code(&reply), (400, wanted), "{object} {body}");
    }
    let request = s
        .request("POST", "/sobjects/Account")
        .header("Content-Type", "application/json")
        .body("{\"Name\":");
    assert_eq!(code(&s.json(request)), (400, "JSON_PARSER_ERROR"));
    let missing = s.send("POST", "/sobjects/Opportunity", &json!({"Name": "x"}));
    assert_eq!(
        missing.1,
        json!([{"errorCode": "REQUIRED_FIELD_MISSING", "fields": ["StageName", "CloseDate"],
        "message": "Required fields are missing: [StageName, CloseDate]"}])
    );
}

#[test]
fn collections_are_positional_and_share_a_stamp() {
    let s = Session::sample();
    let record = |name: Value| json!({"attributes": {"type": "Account"}, "Name": name});
    let body = json!({"records": [record(json!("a")), record(Value::Null), record(json!("b"))]});
    let (status, results) = s.send("POST", "/composite/sobjects", &body);
    assert_eq!(status, 200);
    assert_eq!(
        results[1],
        json!({"success": false, "errors": [{"statusCode": "REQUIRED_FIELD_MISSING",
        "message": "Required fields are missing: [Name]", "fields": ["Name"]}]})
    );
    let stamp = |r: &Value| s.org.row(r["id"].as_str().unwrap()).unwrap()["SystemModstamp"].clone();
    assert_eq!(stamp(&results[0]), stamp(&results[2]));
    let ids: Vec<&str> = [0, 2]
        .iter()
        .map(|i: &usize| results[*i]["id"].as_str().unwrap())
        .collect();
    let (_, rows) = s.send(
        "POST",
        "/composite/sobjects/Account",
        &json!({"ids": [ids[1], "0012300000bVTq1AAG", ids[0]], "fields": ["Name"]}),
    );
    assert_eq!(
        (&rows[0]["Name"], &rows[1], &rows[2]["Name"]),
        (&json!("b"), &Value::Null, &json!("a"))
    );
    let body = json!({"records": [{"attributes": {"type": "Account"}, "id": ids[0], "Name": "A"}, {"attributes": {"type": "Contact"}, "id": ids[1], "LastName": "x"}]});
    let (_, results) = s.send("PATCH", "/composite/sobjects", &body);
    assert_eq!(
        (&results[0]["success"], &results[1]["errors"][0]["statusCode"]),
        (&json!(true), &json!("MALFORMED_ID"))
    );
    let (_, results) = s.json(s.request(
        "DELETE",
        &format!("/composite/sobjects?ids={},{},{}", ids[0], ids[1], ids[0]),
    ));
    assert_eq!(
        (&results[0]["success"], &results[1]["success"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(results[2]["errors"][0]["statusCode"], json!("ENTITY_IS_DELETED"));
}

#[test]
fn all_or_none_undoes_the_innocent() {
    let s = Session::sample();
    let before = s.org.rows("Account");
    let body = json!({"allOrNone": true, "records": [{"attributes": {"type": "Account"}, "Name": "a"}, {"attributes": {"type": "Account"}}]});
    let (_, results) = s.send("POST", "/composite/sobjects", &body);
    assert_eq!(
        results[0]["errors"][0]["statusCode"],
        json!("ALL_OR_NONE_OPERATION_ROLLED_BACK")
    );
    assert_eq!(
        results[1]["errors"][0]["statusCode"],
        json!("REQUIRED_FIELD_MISSING")
    );
    assert_eq!(s.org.rows("Account"), before);
}

#[test]
fn collections_are_limited() {
    let s = Session::sample();
    let many = |n: usize, kinds: &[&str]| -> Value {
        let records: Vec<Value> = (0..n)
            .map(|i| json!({"attributes": {"type": kinds[i % kinds.len()]}, "Name": "x"}))
            .collect();
        json!({"records": records})
    };
    assert_eq!(
        s.send("POST", "/composite/sobjects", &many(201, &["Account"])).0,
        400
    );
    assert_eq!(
        code(&s.send("POST", "/composite/sobjects", &many(11, &["Account", "Campaign"]))),
        (400, "LIMIT_EXCEEDED")
    );
    assert_eq!(
        s.send("POST", "/composite/sobjects", &many(10, &["Account", "Campaign"]))
            .0,
        200
    );
    let before = s.org.rows("Account").len();
    let body = json!({"records": [{"attributes": {"type": "Account"}, "Name": "a"}, {"attributes": {"type": "Account"}, "Name": "b", "Nope": 1}]});
    assert_eq!(
        code(&s.send("POST", "/composite/sobjects", &body)),
        (400, "INVALID_FIELD")
    );
    assert_eq!(s.org.rows("Account").len(), before);
}

#[test]
fn upsert_by_external_id() {
    let s = Session::sample();
    let path = "/sobjects/Account/Customer_Number__c/C-90000%2F1";
    let (status, made) = s.send("PATCH", path, &json!({"Name": "up"}));
    assert_eq!((status, &made["created"]), (201, &json!(true)));
    let (status, again) = s.send("PATCH", path, &json!({"Name": "up again"}));
    assert_eq!(
        (status, &again["created"], &again["id"]),
        (200, &json!(false), &made["id"])
    );
    assert_eq!(
        s.org.row(made["id"].as_str().unwrap()).unwrap()["Customer_Number__c"],
        json!("C-90000/1")
    );
    assert_eq!(
        code(&s.send("PATCH", "/sobjects/Account/Nope/1", &json!({}))),
        (404, "NOT_FOUND")
    );
}

#[test]
fn audit_fields_only_with_the_permission() {
    let s = Session::sample();
    let body = json!({"Name": "old", "CreatedDate": "2019-05-05T01:02:03Z", "LastModifiedDate": "2019-06-05T01:02:03Z"});
    assert_eq!(
        code(&s.send("POST", "/sobjects/Account", &body)).1,
        "INVALID_FIELD_FOR_INSERT_UPDATE"
    );
    s.org
        .permit(&s.org.api_user(), |p| p.grant(Permission::CreateAuditFields));
    let described = s.get("/sobjects/Account/describe").1;
    let created = described["fields"]
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["name"] == "CreatedDate");
    assert_eq!(created.unwrap()["createable"], json!(true));
    let (status, made) = s.send("POST", "/sobjects/Account", &body);
    let row = s.org.row(made["id"].as_str().unwrap()).unwrap();
    assert_eq!(
        (status, &row["CreatedDate"]),
        (201, &json!("2019-05-05T01:02:03.000+0000"))
    );
    assert_eq!(row["LastModifiedDate"], json!("2019-06-05T01:02:03.000+0000"));
    assert!(row["SystemModstamp"].as_str().unwrap() > "2026");
}
