//! What no client should send: each refusal with its status and code, and nothing that harms the server.
//!
//! Key decision: tables of requests as bytes, since a decent client would mend half of them. A panic of the
//! server is 500 `UNKNOWN_EXCEPTION`, which no table names.
//! Not here: rules of records (`writes`, `rules`), signing in (`oauth`), requests torn at random (`torn`).

use serde_json::{Value, json};

use crate::support::Session;
use crate::support::raw::{Raw, exchange, request};

pub const ROOT: &str = "/services/data/v67.0";
const JSON: &str = "application/json";

/// Sends a request with a good token.
pub fn ask(s: &Session, method: &str, target: &[u8], kind: &str, body: &[u8]) -> Raw {
    let mut headers = vec![format!("Authorization: Bearer {}", s.token)];
    if !kind.is_empty() {
        headers.push(format!("Content-Type: {kind}"));
    }
    let reply = exchange(s.server.addr(), &request(method, target, &headers, body));
    reply.unwrap_or_else(|| panic!("no reply: {method} {}", String::from_utf8_lossy(target)))
}

/// Asserts a REST error: an array of one object with code and message.
#[track_caller]
pub fn refused(reply: &Raw, status: u16, code: &str, about: &str) {
    let (seen, body) = reply.json();
    assert_eq!(
        (seen, body[0]["errorCode"].as_str()),
        (status, Some(code)),
        "{about}: {body}"
    );
    assert!(
        body[0]["message"].as_str().is_some_and(|m| !m.is_empty()),
        "{about}"
    );
}

fn encoded(text: &str) -> String {
    let bytes = text.bytes().map(|b| format!("%{b:02X}"));
    bytes.collect()
}

#[test]
fn queries() {
    let s = Session::sample();
    let deep = format!(
        "SELECT Id FROM Account WHERE {}Name = 'x'{}",
        "(".repeat(2000),
        ")".repeat(2000)
    );
    let cases = [
        ("", "MALFORMED_QUERY"),
        ("SELECT", "MALFORMED_QUERY"),
        ("SELEC Id FROM Account", "MALFORMED_QUERY"),
        ("SELECT Id FROM", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Name = 'x", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Name = \"x\"", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Name = 'x' AND", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account LIMIT x", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account LIMIT -1", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account; DROP", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account \u{0}", "MALFORMED_QUERY"),
        ("SELECT Id, Id FROM Account", "INVALID_FIELD"),
        ("SELECT Nope FROM Account", "INVALID_FIELD"),
        ("SELECT Owner.Nope FROM Account", "INVALID_FIELD"),
        ("SELECT Nope.Name FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Nope = 1", "INVALID_FIELD"),
        (
            "SELECT Id FROM Account WHERE CreatedDate > 'yesterday'",
            "INVALID_FIELD",
        ),
        (
            "SELECT Id FROM Account WHERE NumberOfEmployees > 'many'",
            "INVALID_FIELD",
        ),
        ("SELECT Id FROM Nope", "INVALID_TYPE"),
        (
            "SELECT Id FROM Account WHERE Id = 'nonsense'",
            "INVALID_QUERY_FILTER_OPERATOR",
        ),
        (deep.as_str(), "QUERY_TOO_COMPLICATED"),
    ];
    for (soql, code) in cases {
        for resource in ["query", "queryAll"] {
            let target = format!("{ROOT}/{resource}?q={}", encoded(soql));
            refused(&ask(&s, "GET", target.as_bytes(), "", b""), 400, code, soql);
        }
    }
    refused(
        &ask(&s, "GET", format!("{ROOT}/query").as_bytes(), "", b""),
        400,
        "MALFORMED_QUERY",
        "no q",
    );
    for locator in ["nonsense", "01gxx0000000001AAA-2000", "0r8", "-1", "%00"] {
        let target = format!("{ROOT}/query/{locator}");
        refused(
            &ask(&s, "GET", target.as_bytes(), "", b""),
            400,
            "INVALID_QUERY_LOCATOR",
            locator,
        );
    }
}

#[test]
fn versions_paths_and_methods() {
    let s = Session::sample();
    for (version, status, code) in [
        ("v1.0", 404, "NOT_FOUND"),
        ("v20.0", 410, "GONE"),
        ("v30.0", 410, "GONE"),
        ("v99.0", 404, "NOT_FOUND"),
        ("v67", 404, "NOT_FOUND"),
        ("v67.1", 404, "NOT_FOUND"),
        ("v067.0", 404, "NOT_FOUND"),
        ("v+67.0", 404, "NOT_FOUND"),
        ("vX", 404, "NOT_FOUND"),
        ("67.0", 404, "NOT_FOUND"),
        ("v99999999999999999999.0", 404, "NOT_FOUND"),
    ] {
        let target = format!("/services/data/{version}/limits");
        refused(&ask(&s, "GET", target.as_bytes(), "", b""), status, code, version);
    }
    for (method, path, status, code) in [
        ("GET", "/nope", 404, "NOT_FOUND"),
        ("GET", "/limits/nope", 404, "NOT_FOUND"),
        ("GET", "/sobjects/Nope", 404, "NOT_FOUND"),
        ("GET", "/sobjects/Nope/describe", 404, "NOT_FOUND"),
        (
            "GET",
            "/sobjects/Account/describe/layouts/more/still",
            404,
            "NOT_FOUND",
        ),
        ("DELETE", "/limits", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/query", 405, "METHOD_NOT_ALLOWED"),
        ("PUT", "/sobjects/Account", 405, "METHOD_NOT_ALLOWED"),
        ("PATCH", "/sobjects/Account", 405, "METHOD_NOT_ALLOWED"),
        ("BREW", "/sobjects", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/composite/batch", 405, "METHOD_NOT_ALLOWED"),
        ("PUT", "/composite/sobjects", 405, "METHOD_NOT_ALLOWED"),
    ] {
        let target = format!("{ROOT}{path}");
        refused(&ask(&s, method, target.as_bytes(), "", b""), status, code, path);
    }
    let allowed = ask(
        &s,
        "DELETE",
        format!("{ROOT}/sobjects/Account").as_bytes(),
        "",
        b"",
    )
    .json()
    .1;
    assert_eq!(
        allowed[0]["message"],
        json!("HTTP Method 'DELETE' not allowed. Allowed are HEAD,GET,POST")
    );
    refused(
        &ask(
            &s,
            "POST",
            b"/services/data/v67.0/sobjects?_HttpMethod=BREW",
            JSON,
            b"{}",
        ),
        405,
        "METHOD_NOT_ALLOWED",
        "_HttpMethod",
    );
}

#[test]
fn targets_that_are_no_text() {
    let s = Session::sample();
    for target in [
        "/sobjects/%zz",
        "/sobjects/%",
        "/sobjects/%ff%fe",
        "/sobjects/%00",
        "/sobjects/..%2f..",
        "/sobjects/Account/%e2%28%a1",
    ] {
        refused(
            &ask(&s, "GET", format!("{ROOT}{target}").as_bytes(), "", b""),
            404,
            "NOT_FOUND",
            target,
        );
    }
    for query in [
        "q=%zz",
        "q=SELECT+Id+FROM+Account+WHERE+Name=%27%",
        "q=%ff",
        "q",
        "=",
        "&&&",
    ] {
        let target = format!("{ROOT}/query?{query}");
        refused(
            &ask(&s, "GET", target.as_bytes(), "", b""),
            400,
            "MALFORMED_QUERY",
            query,
        );
    }
    // What is no HTTP at all is answered below the API.
    for target in [b"/services/data/\xff".as_slice(), b"no slash", b"/a b", b""] {
        let reply = ask(&s, "GET", target, "", b"");
        assert!((400..500).contains(&reply.status), "{target:?}: {}", reply.head);
    }
    let long = format!("{ROOT}/query?q={}", "x".repeat(16_384));
    refused(
        &ask(&s, "GET", long.as_bytes(), "", b""),
        414,
        "URI_TOO_LONG",
        "long",
    );
    let padded = [format!("X-Padding: {}", "y".repeat(16_384))];
    let reply = exchange(s.server.addr(), &request("GET", b"/services/data", &padded, b"")).unwrap();
    assert_eq!(reply.status, 431);
}

#[test]
fn ids() {
    let s = Session::sample();
    let first = |object: &str| s.org.rows(object)[0]["Id"].as_str().unwrap().to_owned();
    let (account, contact) = (first("Account"), first("Contact"));
    let checksum = if account.ends_with('A') { "B" } else { "A" };
    let bad = [
        contact,
        format!("{}-", &account[..14]),
        format!("{}{checksum}", &account[..17]),
        account[..16].to_owned(),
        "0".to_owned(),
    ];
    for id in &bad {
        for (method, body) in [("GET", ""), ("PATCH", "{\"Name\": \"x\"}"), ("DELETE", "")] {
            let target = format!("{ROOT}/sobjects/Account/{id}");
            refused(
                &ask(&s, method, target.as_bytes(), JSON, body.as_bytes()),
                404,
                "NOT_FOUND",
                &format!("{method} {id}"),
            );
        }
        // One of many is refused by itself, and in a lookup as a value.
        let edit = json!({"records": [{"attributes": {"type": "Account"}, "Id": id, "Name": "x"}]});
        let results = s.send("PATCH", "/composite/sobjects", &edit).1;
        assert_eq!(
            results[0]["errors"][0]["statusCode"],
            json!("MALFORMED_ID"),
            "{id}: {results}"
        );
        let reply = ask(
            &s,
            "POST",
            format!("{ROOT}/sobjects/Contact").as_bytes(),
            JSON,
            json!({"LastName": "x", "AccountId": id}).to_string().as_bytes(),
        );
        refused(&reply, 400, "MALFORMED_ID", id);
    }
    let absent = "001000000000001AAA";
    refused(
        &ask(
            &s,
            "GET",
            format!("{ROOT}/sobjects/Account/{absent}").as_bytes(),
            "",
            b"",
        ),
        404,
        "NOT_FOUND",
        absent,
    );
}

#[test]
fn bodies() {
    let s = Session::sample();
    let deep =
        |open: &str, close: &str| format!("{{\"Name\": {}{}}}", open.repeat(10_000), close.repeat(10_000));
    let unclosed = format!("{{\"Name\": {}", "[".repeat(10_000));
    let parser = "JSON_PARSER_ERROR";
    let cases: Vec<(Vec<u8>, &str)> = [
        ("", parser),
        ("salt", parser),
        ("{", parser),
        ("{\"Name\": \"x\"} and more", parser),
        ("[]", parser),
        ("[{\"Name\": \"x\"}]", parser),
        ("null", parser),
        ("3", parser),
        ("\"Name\"", parser),
        ("{\"Name\": {\"a\": 1}}", parser),
        ("{\"Name\": [\"x\"]}", parser),
        ("{\"Name\": \"x\", \"NumberOfEmployees\": 1e999}", parser),
        ("{\"Name\": \"x\", \"NumberOfEmployees\": \"many\"}", parser),
        (
            "{\"Name\": \"x\", \"NumberOfEmployees\": 123456789012345}",
            parser,
        ),
        ("{\"Name\": \"\\ud800\"}", parser),
        ("{\"Name\": \"\\udc00\\ud800\"}", parser),
        ("{\"Name\": \"a\u{0}b\"}", parser),
        ("{\"Name\": NaN}", parser),
        ("{'Name': 'x'}", parser),
        (&deep("[", "]"), parser),
        (&deep("{\"a\":", "1}"), parser),
        (&unclosed, parser),
        ("{}", "REQUIRED_FIELD_MISSING"),
        ("{\"Name\": null}", "REQUIRED_FIELD_MISSING"),
        ("{\"Name\": \"x\", \"Nope\": 1}", "INVALID_FIELD"),
    ]
    .into_iter()
    .map(|(body, code)| (body.as_bytes().to_vec(), code))
    .chain([(b"{\"Name\": \"\xff\xfe\"}".to_vec(), parser)])
    .collect();
    let before = s.org.rows("Account").len();
    for (body, code) in &cases {
        let about = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        refused(
            &ask(
                &s,
                "POST",
                format!("{ROOT}/sobjects/Account").as_bytes(),
                JSON,
                body,
            ),
            400,
            code,
            &about,
        );
    }
    assert_eq!(s.org.rows("Account").len(), before);
    for kind in [
        "",
        "text/plain",
        "application/jsonp",
        "application/x-www-form-urlencoded",
        "json",
        ";",
    ] {
        let reply = ask(
            &s,
            "POST",
            format!("{ROOT}/sobjects/Account").as_bytes(),
            kind,
            b"{\"Name\": \"x\"}",
        );
        refused(&reply, 415, "UNSUPPORTED_MEDIA_TYPE", kind);
    }
    for kind in [
        "Application/JSON",
        "application/json;charset=utf-8",
        " application/json ; x=y",
    ] {
        assert_eq!(
            ask(
                &s,
                "POST",
                format!("{ROOT}/sobjects/Account").as_bytes(),
                kind,
                b"{\"Name\": \"x\"}"
            )
            .status,
            201,
            "{kind}"
        );
    }
}

#[test]
fn bodies_of_many() {
    let s = Session::sample();
    let account = s.org.rows("Account")[0]["Id"].clone();
    let record = json!({"attributes": {"type": "Account"}, "Name": "x"});
    let many = |n: usize| Value::Array(vec![record.clone(); n]);
    let ids = |n: usize| vec![account.as_str().unwrap(); n].join(",");
    let posts = [
        (
            "/composite/sobjects",
            json!({"records": many(201)}),
            "EXCEEDED_ID_LIMIT",
        ),
        ("/composite/sobjects", json!({}), "REQUIRED_FIELD_MISSING"),
        (
            "/composite/sobjects",
            json!({"records": null}),
            "REQUIRED_FIELD_MISSING",
        ),
        (
            "/composite/sobjects",
            json!({"records": {"a": 1}}),
            "REQUIRED_FIELD_MISSING",
        ),
        ("/composite/sobjects", json!([record]), "REQUIRED_FIELD_MISSING"),
        (
            "/composite/sobjects",
            json!({"records": [{"Name": "x"}]}),
            "INVALID_INPUT",
        ),
        ("/composite/sobjects", json!({"records": [null]}), "INVALID_INPUT"),
        (
            "/composite/sobjects",
            json!({"records": [{"attributes": {"type": 5}}]}),
            "INVALID_INPUT",
        ),
        (
            "/composite/sobjects/Account",
            json!({"ids": vec![&account; 2001], "fields": ["Id"]}),
            "EXCEEDED_ID_LIMIT",
        ),
        (
            "/composite/sobjects/Account",
            json!({"ids": [account], "fields": []}),
            "REQUIRED_FIELD_MISSING",
        ),
        (
            "/composite/sobjects/Account",
            json!({"ids": [account], "fields": ["Nope"]}),
            "INVALID_FIELD",
        ),
        (
            "/composite/sobjects/Account",
            json!({"ids": [account], "fields": ["Id FROM Contact --"]}),
            "MALFORMED_QUERY",
        ),
        ("/composite", json!(null), "JSON_PARSER_ERROR"),
        ("/composite", json!([]), "JSON_PARSER_ERROR"),
        (
            "/composite",
            json!({"compositeRequest": {"a": 1}}),
            "JSON_PARSER_ERROR",
        ),
        (
            "/composite/batch",
            json!({"batchRequests": null}),
            "JSON_PARSER_ERROR",
        ),
        (
            "/composite/batch",
            json!({"batchRequests": vec![json!({"method": "GET", "url": "v67.0/limits"}); 26]}),
            "LIMIT_EXCEEDED",
        ),
        ("/composite/tree/Account", json!({"records": 5}), "INVALID_INPUT"),
        (
            "/composite/tree/Account",
            json!({"records": [5]}),
            "INVALID_INPUT",
        ),
        ("/jobs/query", json!(null), "INVALID_INPUT"),
        (
            "/jobs/query",
            json!({"operation": "insert", "query": "SELECT Id FROM Account"}),
            "INVALID_INPUT",
        ),
        (
            "/jobs/query",
            json!({"operation": "query", "query": "SELECT Nope FROM Account"}),
            "INVALID_FIELD",
        ),
        (
            "/jobs/query",
            json!({"operation": "query", "query": 5}),
            "API_ERROR",
        ),
        (
            "/jobs/query",
            json!({"operation": "query", "query": "SELECT Id FROM Account", "columnDelimiter": "DOT"}),
            "API_ERROR",
        ),
    ];
    for (path, body, code) in &posts {
        let about = format!("{path} {body:.80}");
        refused(
            &ask(
                &s,
                "POST",
                format!("{ROOT}{path}").as_bytes(),
                JSON,
                body.to_string().as_bytes(),
            ),
            400,
            code,
            &about,
        );
    }
    for (method, path, code) in [
        (
            "DELETE",
            format!("/composite/sobjects?ids={}", ids(201)),
            "EXCEEDED_ID_LIMIT",
        ),
        (
            "DELETE",
            "/composite/sobjects".to_owned(),
            "REQUIRED_FIELD_MISSING",
        ),
        (
            "GET",
            "/composite/sobjects/Account?ids=,&fields=Id".to_owned(),
            "REQUIRED_FIELD_MISSING",
        ),
        (
            "GET",
            "/jobs/query?queryLocator=!".to_owned(),
            "INVALID_QUERY_LOCATOR",
        ),
    ] {
        refused(
            &ask(&s, method, format!("{ROOT}{path}").as_bytes(), "", b""),
            400,
            code,
            &format!("{path:.60}"),
        );
    }
    let deep = format!("{{\"records\": {}", "[{\"a\": ".repeat(5_000));
    for path in [
        "/composite/sobjects",
        "/composite/tree/Account",
        "/composite",
        "/composite/batch",
        "/jobs/query",
    ] {
        refused(
            &ask(
                &s,
                "POST",
                format!("{ROOT}{path}").as_bytes(),
                JSON,
                deep.as_bytes(),
            ),
            400,
            "JSON_PARSER_ERROR",
            path,
        );
    }
}
