//! Scripted failures, as a client sees them.
//!
//! Key decision: a broken connection must look broken to a real HTTP client, so one is used.
//! Not here: retrying, which is the client's own affair.

use std::time::Duration;

use halite_simulator::Fault;
use serde_json::json;

use crate::support::{Session, code};

#[test]
fn answers_that_are_errors() {
    let s = Session::sample();
    s.org.fault(
        "/limits",
        1,
        Fault::Error {
            status: 503,
            code: "SERVER_UNAVAILABLE",
            message: "busy",
        },
    );
    s.org.fault("/limits", 1, Fault::Html(500));
    s.org.fault("/limits", 1, Fault::Empty(200));
    assert_eq!(code(&s.get("/limits")), (503, "SERVER_UNAVAILABLE"));
    let html = s.request("GET", "/limits").send().unwrap();
    assert_eq!(html.status(), 500);
    assert!(html.text().unwrap().starts_with("<html>"));
    assert_eq!(s.get("/limits"), (200, serde_json::Value::Null));
    assert!(s.get("/limits").1.is_object());
}

#[test]
fn half_a_body() {
    let s = Session::sample();
    s.org.fault("/sobjects", 1, Fault::HalfBody);
    let response = s.request("GET", "/sobjects").send().unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().is_err());
    assert_eq!(s.get("/sobjects").0, 200);
}

#[test]
fn connections_that_break() {
    let s = Session::sample();
    let body = json!({"Name": "twice?"});
    let post = || s.request("POST", "/sobjects/Account").json(&body).send();
    s.org.fault("/sobjects/Account", 1, Fault::Drop);
    assert!(post().is_err());
    let made = |s: &Session| {
        s.org
            .rows("Account")
            .iter()
            .filter(|r| r["Name"] == json!("twice?"))
            .count()
    };
    assert_eq!(made(&s), 0);
    s.org.fault("/sobjects/Account", 1, Fault::AppliedButLost);
    assert!(post().is_err());
    assert_eq!(made(&s), 1);
}

#[test]
fn a_slow_answer_is_an_answer() {
    let s = Session::sample();
    s.org.fault("/limits", 1, Fault::Delay(Duration::from_millis(30)));
    assert_eq!(s.get("/limits").0, 200);
    s.org.fault("", 9, Fault::Html(500));
    s.org.clear_faults();
    assert_eq!(s.get("/limits").0, 200);
}
