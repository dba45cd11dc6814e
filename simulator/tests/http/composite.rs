//! Many requests in one: composite, batch, tree.
//!
//! Key decision: what one call costs of the allowance is counted, since that is why clients use them.
//! Not here: collections (`writes`, `keys`).

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Session, code, recorded};

const ROOT: &str = "/services/data/v67.0/sobjects";

fn sub(method: &str, url: &str, id: &str, body: Option<Value>) -> Value {
    let mut out = json!({"method": method, "url": url, "referenceId": id});
    if let Some(body) = body {
        out["body"] = body;
    }
    out
}

fn composite(s: &Session, all_or_none: bool, list: &Value) -> (u16, Value) {
    let body = json!({"allOrNone": all_or_none, "compositeRequest": list});
    let (status, reply) = s.send("POST", "/composite", &body);
    (status, reply["compositeResponse"].clone())
}

fn used(s: &Session) -> u64 {
    s.org.calls().values().sum()
}

#[test]
fn one_after_another_with_references() {
    let s = Session::sample();
    let before = used(&s);
    let (status, answers) = composite(
        &s,
        false,
        &json!([
            sub(
                "POST",
                &format!("{ROOT}/Account"),
                "acc",
                Some(json!({"Name": "Ref & Co", "NumberOfEmployees": 7}))
            ),
            sub(
                "GET",
                &format!("{ROOT}/Account/@{{acc.id}}?fields=Name,NumberOfEmployees,Phone"),
                "read",
                None
            ),
            sub(
                "POST",
                &format!("{ROOT}/Contact"),
                "con",
                Some(
                    json!({"LastName": "at @{read.Name}", "AccountId": "@{acc.id}", "Phone": "@{read.Phone}"})
                )
            ),
            sub(
                "GET",
                "/services/data/v60.0/query?q=SELECT Id, LastName FROM Contact WHERE AccountId = '@{acc.id}'",
                "found",
                None
            ),
            sub(
                "PATCH",
                &format!("{ROOT}/Contact/@{{found.records[0].Id}}"),
                "patch",
                Some(json!({"FirstName": "@{read.NumberOfEmployees} up", "Title": "t"}))
            ),
            sub("DELETE", &format!("{ROOT}/Contact/@{{con.id}}"), "gone", None),
        ]),
    );
    assert_eq!(status, 200);
    assert_eq!(used(&s) - before, 1);
    let id = answers[0]["body"]["id"].as_str().unwrap();
    assert_eq!(
        answers[0]["httpHeaders"]["Location"],
        json!(format!("{ROOT}/Account/{id}"))
    );
    assert_eq!(answers[1]["body"]["Name"], json!("Ref & Co"));
    assert_eq!(answers[3]["body"]["records"][0]["LastName"], json!("at Ref & Co"));
    let statuses: Vec<&Value> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|a| &a["httpStatusCode"])
        .collect();
    assert_eq!(statuses, [201, 200, 201, 200, 204, 204]);
    assert_eq!(answers[4]["body"], Value::Null);
    let contact = s.org.row(answers[2]["body"]["id"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&contact["FirstName"], &contact["Phone"]),
        (&json!("7 up"), &Value::Null)
    );
    if let Some(path) = recorded("responses/camel/composite_success.json") {
        let real = load(&path);
        let keys = |v: &Value| v.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&real["compositeResponse"][0]), keys(&answers[0]));
    }
}

fn load(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_failure_takes_along_what_depends_on_it() {
    let s = Session::sample();
    let list = json!([
        sub("POST", &format!("{ROOT}/Account"), "bad", Some(json!({}))),
        sub(
            "POST",
            &format!("{ROOT}/Contact"),
            "child",
            Some(json!({"LastName": "x", "AccountId": "@{bad.id}"}))
        ),
        sub(
            "POST",
            &format!("{ROOT}/Account"),
            "good",
            Some(json!({"Name": "good"}))
        ),
    ]);
    let (status, answers) = composite(&s, false, &list);
    assert_eq!(status, 200);
    assert_eq!(
        answers[0]["body"][0]["errorCode"],
        json!("REQUIRED_FIELD_MISSING")
    );
    assert_eq!(
        answers[1]["body"],
        json!([{"errorCode": "PROCESSING_HALTED", "message": "Invalid reference specified. No value for bad.id found in bad."}])
    );
    assert_eq!(answers[2]["httpStatusCode"], json!(201));
    let before = s.org.rows("Account");
    let mut list = json!([list[2], list[0], list[2]]);
    list[0]["referenceId"] = json!("first");
    let (status, answers) = composite(&s, true, &list);
    assert_eq!(status, 200);
    let codes: Vec<&Value> = (0..3).map(|i| &answers[i]["body"][0]["errorCode"]).collect();
    assert_eq!(
        codes,
        ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING", "PROCESSING_HALTED"]
    );
    assert_eq!(
        answers[0]["body"][0]["message"],
        json!("The transaction was rolled back since another operation in the same transaction failed.")
    );
    assert_eq!(
        (&answers[0]["httpStatusCode"], &answers[0]["httpHeaders"]),
        (&json!(400), &json!({}))
    );
    assert_eq!(s.org.rows("Account"), before);
}

#[test]
fn all_or_none_undoes_deletes_and_their_log() {
    let s = Session::sample();
    let account = s.org.create("Account", &json!({"Name": "stays"})).unwrap();
    let list = json!([
        sub("DELETE", &format!("{ROOT}/Account/{account}"), "del", None),
        sub("POST", &format!("{ROOT}/Account"), "bad", Some(json!({}))),
    ]);
    composite(&s, true, &list);
    assert_eq!(s.org.bin(&account), halite_simulator::Bin::Live);
    s.org.clock().advance(std::time::Duration::from_secs(120));
    let deleted = s
        .get("/sobjects/Account/deleted/?start=2026-01-05T07:00:00Z&end=2026-01-05T09:00:00Z")
        .1;
    assert_eq!(deleted["deletedRecords"], json!([]));
}

#[test]
fn composite_is_limited() {
    let s = Session::sample();
    let many =
        |n: usize, url: &str| -> Value { (0..n).map(|i| sub("GET", url, &format!("r{i}"), None)).collect() };
    let account = format!("{ROOT}/Account");
    let query = "/services/data/v67.0/query?q=SELECT+Id+FROM+Account+LIMIT+1";
    assert_eq!(composite(&s, false, &many(25, &account)).0, 200);
    let (status, answers) = composite(&s, false, &many(26, &account));
    assert_eq!(
        (status, &answers[0]["body"][0]["errorCode"]),
        (400, &json!("LIMIT_EXCEEDED"))
    );
    assert_eq!(composite(&s, false, &many(5, query)).0, 200);
    assert_eq!(composite(&s, false, &many(6, query)).0, 400);
    for (list, wanted) in [
        (json!([sub("GET", &account, "a[1]", None)]), "JSON_PARSER_ERROR"),
        (
            json!([sub("GET", &account, "a", None), sub("GET", &account, "a", None)]),
            "INVALID_INPUT",
        ),
        (json!([{"method": "GET", "url": account}]), "JSON_PARSER_ERROR"),
        (
            json!([{"method": "GET", "url": account, "referenceId": "a", "httpHeaders": {"Authorization": "x"}}]),
            "INVALID_INPUT",
        ),
    ] {
        let reply = s.send("POST", "/composite", &json!({"compositeRequest": list}));
        assert_eq!(code(&reply), (400, wanted), "{list}");
    }
    let (_, answers) = composite(
        &s,
        false,
        &json!([
            sub("GET", "/sobjects/Account", "a", None),
            sub("GET", "/services/data/v67.0/limits", "b", None),
            sub("PUT", &account, "c", None)
        ]),
    );
    let statuses: Vec<&Value> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|a| &a["httpStatusCode"])
        .collect();
    assert_eq!(statuses, [400, 404, 405]);
}

#[test]
fn headers_of_a_subrequest_are_its_own() {
    let s = Session::sample();
    let mut item = sub("GET", &format!("{ROOT}/Account/describe"), "d", None);
    item["httpHeaders"] = json!({"If-Modified-Since": "Tue, 31 May 2033 18:00:00 GMT"});
    let (_, answers) = composite(
        &s,
        false,
        &json!([item, sub("GET", &format!("{ROOT}/Account/describe"), "e", None)]),
    );
    assert_eq!(
        (&answers[0]["httpStatusCode"], &answers[1]["httpStatusCode"]),
        (&json!(304), &json!(200))
    );
}

#[test]
fn batches_are_charged_for_each() {
    let s = Session::sample();
    let before = used(&s);
    let body = json!({"batchRequests": [
        {"method": "GET", "url": "v67.0/sobjects/Account/describe"},
        {"method": "POST", "url": "v67.0/sobjects/Account", "richInput": {"Name": "batch"}},
        {"method": "GET", "url": "v67.0/sobjects/Nope"},
        {"method": "GET", "url": "v67.0/limits"}]});
    let (status, reply) = s.send("POST", "/composite/batch", &body);
    assert_eq!((status, &reply["hasErrors"]), (200, &json!(true)));
    assert_eq!(used(&s) - before, 4);
    assert_eq!(reply["results"][0]["result"]["name"], json!("Account"));
    assert_eq!(reply["results"][1]["statusCode"], json!(201));
    assert_eq!(reply["results"][2]["result"][0]["errorCode"], json!("NOT_FOUND"));
    assert_eq!(reply["results"][3]["statusCode"], json!(200));
    let mut halting = body;
    halting["haltOnError"] = json!(true);
    let (_, reply) = s.send("POST", "/composite/batch", &halting);
    assert_eq!(reply["results"][3]["statusCode"], json!(412));
    assert_eq!(
        reply["results"][3]["result"][0]["errorCode"],
        json!("BATCH_PROCESSING_HALTED")
    );
    let many: Vec<Value> = (0..26)
        .map(|_| json!({"method": "GET", "url": "v67.0/limits"}))
        .collect();
    assert_eq!(
        code(&s.send("POST", "/composite/batch", &json!({"batchRequests": many}))),
        (400, "LIMIT_EXCEEDED")
    );
    s.org.configure(|c| c.daily_requests = 8 + 1);
    let many: Vec<Value> = (0..3)
        .map(|_| json!({"method": "GET", "url": "v67.0/limits"}))
        .collect();
    let calls = used(&s);
    s.org.configure(|c| c.daily_requests = calls + 1);
    let (_, reply) = s.send("POST", "/composite/batch", &json!({"batchRequests": many}));
    assert_eq!(
        reply["results"][1]["result"][0]["errorCode"],
        json!("REQUEST_LIMIT_EXCEEDED")
    );
}

#[test]
fn trees_are_planted_whole() {
    let s = Session::sample();
    let tree = |last: Value| {
        json!({"records": [{"attributes": {"type": "Account", "referenceId": "a"}, "Name": "tree",
            "Contacts": {"records": [{"attributes": {"type": "Contact", "referenceId": "c"}, "LastName": last}]}}]})
    };
    let (status, reply) = s.send("POST", "/composite/tree/Account", &tree(json!("leaf")));
    assert_eq!((status, &reply["hasErrors"]), (201, &json!(false)));
    let id = |n: usize| reply["results"][n]["id"].as_str().unwrap();
    assert_eq!(s.org.row(id(1)).unwrap()["AccountId"], json!(id(0)));
    let before = s.org.rows("Account").len();
    let (status, reply) = s.send("POST", "/composite/tree/Account", &tree(Value::Null));
    assert_eq!((status, &reply["results"][0]["referenceId"]), (400, &json!("c")));
    assert_eq!(
        reply["results"][0]["errors"][0]["statusCode"],
        json!("REQUIRED_FIELD_MISSING")
    );
    assert_eq!(s.org.rows("Account").len(), before);
    let record =
        |i: usize| json!({"attributes": {"type": "Account", "referenceId": format!("r{i}")}, "Name": "x"});
    let many: Vec<Value> = (0..201).map(record).collect();
    assert_eq!(
        code(&s.send("POST", "/composite/tree/Account", &json!({"records": many}))).0,
        400
    );
    let twice = json!({"records": [record(1), record(1)]});
    assert_eq!(
        code(&s.send("POST", "/composite/tree/Account", &twice)),
        (400, "INVALID_INPUT")
    );
    assert_eq!(s.org.rows("Account").len(), before);
}
