//! The org driven over `/admin`.
//!
//! Key decision: every call is made by a plain client, and what it did is seen through the API or the org.
//! Not here: what the changes mean, which the tests of writes prove.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use halite_simulator::{Admin, Org, Server};
use reqwest::blocking::Client;
use serde_json::{Value, json};

use crate::support::Session;

/// A served org whose `/admin` answers.
pub struct Desk(pub Session);

impl Desk {
    pub fn new(save: Option<PathBuf>) -> Self {
        let org = Org::sample();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Server::start_with(org.clone(), address, Some(Admin { save })).unwrap();
        let token = org.access_token();
        Self(Session {
            org,
            server,
            client: Client::new(),
            token,
        })
    }

    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let url = format!("{}/admin{path}", self.0.server.url());
        let request = self.0.client.request(method.parse().unwrap(), url);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        self.0.json(request)
    }

    pub fn done(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, reply) = self.call(method, path, body);
        assert_eq!(status, 200, "{method} {path}: {reply}");
        reply
    }
}

#[test]
fn absent_unless_asked_for() {
    let s = Session::sample();
    let url = format!("{}/admin/clock", s.server.url());
    assert_eq!(s.json(s.client.get(url)).0, 404);
    let d = Desk::new(None);
    let page = d.0.client.get(format!("{}/admin/clock", d.0.server.url()));
    assert_eq!(d.0.json(page.header("Origin", "http://evil.example")).0, 403);
    assert_eq!(d.call("GET", "/nothing", None).0, 404);
}

#[test]
fn the_clock() {
    let d = Desk::new(None);
    assert_eq!(
        d.done("POST", "/clock", Some(&json!({"set": "2027-03-01T10:00:00Z"})))["now"],
        "2027-03-01T10:00:00Z"
    );
    d.done("POST", "/clock", Some(&json!({"advance": 90.5})));
    assert_eq!(d.done("GET", "/clock", None)["now"], "2027-03-01T10:01:30.5Z");
    assert_eq!(d.call("POST", "/clock", Some(&json!({"set": "soon"}))).0, 400);
    assert_eq!(d.call("POST", "/clock", Some(&json!({"advance": -1}))).0, 400);
}

#[test]
fn faults_by_json() {
    let d = Desk::new(None);
    let busy = json!({"error": {"status": 503, "code": "SERVER_UNAVAILABLE", "message": "busy"}});
    d.done(
        "POST",
        "/faults",
        Some(&json!({"contains": "/limits", "fault": busy})),
    );
    for fault in [
        json!({"html": 500}),
        json!({"empty": 200}),
        json!({"delay": 0.01}),
        json!("drop"),
    ] {
        d.done(
            "POST",
            "/faults",
            Some(&json!({"contains": "/limits", "times": 1, "fault": fault})),
        );
    }
    let (status, reply) = d.0.get("/limits");
    assert_eq!(
        (status, &reply[0]["errorCode"]),
        (503, &json!("SERVER_UNAVAILABLE"))
    );
    assert_eq!(d.0.get("/limits").0, 500);
    assert_eq!(d.0.get("/limits"), (200, Value::Null));
    assert_eq!(d.0.get("/limits").0, 200);
    assert!(d.0.request("GET", "/limits").send().is_err());
    assert_eq!(d.0.get("/limits").0, 200);
    d.done(
        "POST",
        "/faults",
        Some(&json!({"times": 5, "fault": {"html": 500}})),
    );
    assert_eq!(d.0.get("/limits").0, 500);
    d.done("DELETE", "/faults", None);
    assert_eq!(d.0.get("/limits").0, 200);
    assert_eq!(
        d.call("POST", "/faults", Some(&json!({"fault": "explode"}))).0,
        400
    );
}

#[test]
fn changes_as_a_user_and_the_truth_about_them() {
    let d = Desk::new(None);
    let id = d.done("POST", "/records/Account", Some(&json!({"Name": "Admin made"})))["id"].clone();
    let id = id.as_str().unwrap();
    d.done(
        "PATCH",
        &format!("/records/{id}"),
        Some(&json!({"Name": "Admin edited"})),
    );
    let row = d.0.org.row(id).unwrap();
    assert_eq!(row["Name"], "Admin edited");
    assert_eq!(row["LastModifiedById"], json!(d.0.org.ui_user()));
    let before = id[..17].to_owned();
    let seen = || d.done("GET", &format!("/truth/Account?after={before}&limit=1"), None);
    let stands = || seen()["rows"][0]["bin"].clone();
    assert_eq!(seen()["rows"][0]["record"]["Id"], json!(id));
    assert_eq!(seen()["next"], json!(id));
    assert_eq!(stands(), "live");
    d.done("DELETE", &format!("/records/{id}"), None);
    assert_eq!(stands(), "in_bin");
    d.done("POST", &format!("/records/{id}/undelete"), None);
    assert_eq!(stands(), "live");
    d.done("POST", &format!("/records/{id}/purge"), None);
    assert_eq!(stands(), "purged");
    assert_eq!(
        d.call("POST", &format!("/records/{id}/undelete"), None).1[0]["errorCode"],
        "UNDELETE_FAILED"
    );
    d.done("POST", "/records/purged/expire", None);
    assert!(d.0.org.row(id).is_none());
    assert_eq!(
        d.call("POST", "/records/Account", Some(&json!({}))).1[0]["errorCode"],
        "REQUIRED_FIELD_MISSING"
    );
    let objects = d.done("GET", "/truth", None);
    assert!(objects.as_array().unwrap().contains(&json!("Account")));
}

#[test]
fn sessions_calls_and_the_log() {
    let d = Desk::new(None);
    assert_eq!(d.0.get("/limits").0, 200);
    assert_eq!(d.done("GET", "/calls", None)["limits"], 1);
    d.done("DELETE", "/calls", None);
    assert_eq!(d.done("GET", "/calls", None), json!({}));
    d.done("POST", "/sessions/expire", None);
    assert_eq!(d.0.get("/limits").0, 401);
    let log = d.done("GET", "/log", None);
    let seen: Vec<(&str, u64)> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["method"].as_str().unwrap(), e["status"].as_u64().unwrap()))
        .collect();
    assert_eq!(seen, [("GET", 200), ("GET", 401)]);
    assert!(log[0]["target"].as_str().unwrap().ends_with("/limits"));
}

#[test]
fn settings_in_part() {
    let d = Desk::new(None);
    let before = d.done("GET", "/settings", None);
    let after = d.done("POST", "/settings", Some(&json!({"page_size": 7, "step": 0.25})));
    assert_eq!((&after["page_size"], &after["step"]), (&json!(7), &json!(0.25)));
    assert_eq!(after["seed"], before["seed"]);
    let (_, pages) = d.0.rows("/query", "SELECT Id FROM Account LIMIT 20");
    assert!(pages >= 3);
    assert_eq!(d.call("POST", "/settings", Some(&json!({"page_sise": 7}))).0, 400);
    assert_eq!(
        d.call("POST", "/settings", Some(&json!({"page_size": "x"}))).0,
        400
    );
    assert_eq!(d.done("GET", "/settings", None), after);
}

#[test]
fn saving_on_demand() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("org.jsonl");
    let d = Desk::new(Some(file.clone()));
    d.done("POST", "/save", None);
    assert_eq!(
        Org::load_saved(&file).unwrap().rows("Contact"),
        d.0.org.rows("Contact")
    );
    assert_eq!(Desk::new(None).call("POST", "/save", None).0, 409);
    let gone = dir.path().join("no/such/folder");
    assert_eq!(Desk::new(Some(gone)).call("POST", "/save", None).0, 409);
}
