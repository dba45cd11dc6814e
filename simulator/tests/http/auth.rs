//! A first token, versions, limits and the paths that are none.
//!
//! Key decision: errors are compared whole, since OAuth's have another shape than REST's.
//! Not here: the grants one by one (`oauth`, `grants`), life and use of a token (`sessions`).

use halite_simulator::{CLIENT_ID, CLIENT_SECRET};
use serde_json::{Value, json};

use crate::support::{Session, code};

fn token(session: &Session, form: &[(&str, &str)]) -> (u16, Value) {
    session.json(
        session
            .client
            .post(session.url("/services/oauth2/token"))
            .form(form),
    )
}

#[test]
fn client_credentials_give_a_token_that_works() {
    let mut s = Session::sample();
    let (status, reply) = token(
        &s,
        &[
            ("grant_type", "client_credentials"),
            ("client_id", CLIENT_ID),
            ("client_secret", CLIENT_SECRET),
        ],
    );
    assert_eq!(status, 200);
    assert_eq!(reply["instance_url"], json!(s.server.url()));
    assert!(reply["issued_at"].as_str().unwrap().parse::<u64>().is_ok());
    assert!(reply.get("refresh_token").is_none() && reply.get("expires_in").is_none());
    s.token = reply["access_token"].as_str().unwrap().to_owned();
    assert_eq!(s.get("/limits").0, 200);
    let id = reply["id"].as_str().unwrap();
    let (status, me) = s.json(s.client.get(id).bearer_auth(&s.token));
    assert_eq!((status, &me["user_id"]), (200, &json!(s.org.api_user())));
    assert_eq!(
        s.get("/services/oauth2/userinfo").1["organization_id"],
        json!(s.org.org_id())
    );
}

#[test]
fn token_errors_have_the_shape_of_oauth() {
    let s = Session::sample();
    for (form, error) in [
        (vec![("grant_type", "device")], "unsupported_grant_type"),
        (
            vec![("grant_type", "client_credentials"), ("client_id", "x")],
            "invalid_client_id",
        ),
        (
            vec![
                ("grant_type", "client_credentials"),
                ("client_id", CLIENT_ID),
                ("client_secret", "x"),
            ],
            "invalid_client",
        ),
        (
            vec![
                ("grant_type", "refresh_token"),
                ("client_id", CLIENT_ID),
                ("refresh_token", "x"),
            ],
            "invalid_grant",
        ),
    ] {
        let (status, reply) = token(&s, &form);
        assert_eq!((status, &reply["error"]), (400, &json!(error)), "{reply}");
        assert!(reply["error_description"].is_string());
    }
}

#[test]
fn an_expired_session_is_401() {
    let mut s = Session::sample();
    s.org.expire_sessions();
    let reply = s.get("/sobjects");
    assert_eq!(code(&reply), (401, "INVALID_SESSION_ID"));
    assert_eq!(reply.1[0]["message"], json!("Session expired or invalid"));
    s.token = s.org.access_token();
    assert_eq!(s.get("/sobjects").0, 200);
}

#[test]
fn the_resources_name_who_asks() {
    let s = Session::sample();
    let (status, resources) = s.get("/services/data/v67.0");
    assert_eq!(status, 200);
    assert_eq!(resources["query"], json!("/services/data/v67.0/query"));
    let url = resources["identity"].as_str().unwrap();
    let who = format!("/id/{}/{}", s.org.org_id(), s.org.api_user());
    assert!(url.ends_with(&who), "{url}");
    let (_, identity) = s.json(s.client.get(url).bearer_auth(&s.token));
    assert_eq!(identity["id"], resources["identity"]);
}

#[test]
fn versions_and_unknown_paths() {
    let s = Session::sample();
    let (_, versions) = s.json(s.client.get(s.url("/services/data")));
    let last = versions.as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        last,
        json!({"label": "Summer '26", "url": "/services/data/v67.0", "version": "67.0"})
    );
    for path in [
        "/services/data/v19.0/sobjects",
        "/services/data/v99.0/query?q=x",
        "/nothing",
        "/sobjects/Nope__c/describe",
        "/services/apexrest/x",
    ] {
        let reply = s.get(path);
        assert_eq!(code(&reply), (404, "NOT_FOUND"), "{path}");
        assert_eq!(
            reply.1[0]["message"],
            json!("The requested resource does not exist")
        );
    }
}

#[test]
fn the_usage_header_is_an_estimate_and_the_allowance_is_a_limit() {
    let s = Session::sample();
    let mut seen = Vec::new();
    for _ in 0..12 {
        let response = s.request("GET", "/limits").send().unwrap();
        let info = response.headers()["sforce-limit-info"]
            .to_str()
            .unwrap()
            .to_owned();
        let used = info
            .strip_prefix("api-usage=")
            .unwrap()
            .split('/')
            .next()
            .unwrap()
            .parse::<u64>()
            .unwrap();
        seen.push(used);
    }
    assert!(!seen.is_sorted(), "{seen:?}");
    s.org.configure(|c| c.daily_requests = 5);
    assert_eq!(code(&s.get("/limits")), (403, "REQUEST_LIMIT_EXCEEDED"));
}

#[test]
fn the_date_header_is_the_orgs_clock() {
    let s = Session::sample();
    s.org.clock().set("2031-02-03T04:05:06Z".parse().unwrap());
    let response = s.request("GET", "/limits").send().unwrap();
    assert_eq!(response.headers()["date"], "Mon, 03 Feb 2031 04:05:06 GMT");
}

#[test]
fn counts_and_calls() {
    let s = Session::sample();
    let (_, counts) = s.get("/limits/recordCount?sObjects=Account,Asset");
    assert_eq!(counts, json!({"sObjects": [{"count": 60, "name": "Account"}]}));
    s.org.reset_calls();
    s.query("SELECT Id FROM Account");
    assert_eq!(s.org.calls().get("query"), Some(&1));
}
