//! A client for the tests.
//!
//! Key decision: no knowledge of the simulator beyond its URL: JSON in, JSON out.
//! Not here: a connector: nothing is retried.

pub mod ingest;
pub mod raw;
pub mod sound;
pub mod xml;

use std::path::PathBuf;
use std::time::Duration;

use halite_simulator::{Org, Server};
use reqwest::blocking::{Client, RequestBuilder, Response};
use serde_json::Value;

/// A served org and a session on it.
pub struct Session {
    pub org: Org,
    pub server: Server,
    pub client: Client,
    pub token: String,
}

impl Session {
    /// Its sessions outlast any journey of the clock; a test of their timeout sets one.
    pub fn on(org: Org) -> Self {
        org.configure(|c| c.auth.session_timeout = Duration::from_secs(100 * 365 * 24 * 3600));
        let server = Server::start(org.clone()).unwrap();
        let token = org.access_token();
        Self {
            org,
            server,
            client: Client::new(),
            token,
        }
    }

    pub fn sample() -> Self {
        Self::on(Org::sample())
    }

    pub fn url(&self, path: &str) -> String {
        let base = self.server.url();
        if path.starts_with("/services") {
            format!("{base}{path}")
        } else {
            format!("{base}/services/data/v67.0{path}")
        }
    }

    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.client
            .request(method.parse().unwrap(), self.url(path))
            .bearer_auth(&self.token)
    }

    /// Status and JSON (null for an empty body).
    pub fn json(&self, request: RequestBuilder) -> (u16, Value) {
        read(request.send().unwrap())
    }

    pub fn get(&self, path: &str) -> (u16, Value) {
        self.json(self.request("GET", path))
    }

    pub fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.json(self.request(method, path).json(body))
    }

    pub fn query(&self, soql: &str) -> (u16, Value) {
        self.json(self.request("GET", "/query").query(&[("q", soql)]))
    }

    /// Every row of a query, over all pages, and how many pages there were.
    pub fn rows(&self, resource: &str, soql: &str) -> (Vec<Value>, usize) {
        let (status, mut page) = self.json(self.request("GET", resource).query(&[("q", soql)]));
        assert_eq!(status, 200, "{page}");
        let mut rows = page["records"].as_array().unwrap().clone();
        let mut pages = 1;
        while let Some(next) = page["nextRecordsUrl"].as_str().map(str::to_owned) {
            page = self.get(&next).1;
            rows.extend(page["records"].as_array().unwrap().clone());
            pages += 1;
        }
        (rows, pages)
    }

    pub fn soap(&self, body: &str) -> (u16, String) {
        self.soap_at("u", "", body)
    }

    /// A SOAP call on one of the two interfaces (`u`, `c`), with more headers.
    pub fn soap_at(&self, interface: &str, headers: &str, body: &str) -> (u16, String) {
        let text = format!(
            "<?xml version=\"1.0\"?><e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:u=\"urn:partner.soap.sforce.com\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><e:Header><u:SessionHeader><u:sessionId>{}</u:sessionId></u:SessionHeader>{headers}</e:Header><e:Body>{body}</e:Body></e:Envelope>",
            self.token
        );
        let request = self
            .client
            .post(self.url(&format!("/services/Soap/{interface}/67.0")));
        let response = request
            .header("SOAPAction", "\"\"")
            .header("Content-Type", "text/xml")
            .body(text)
            .send()
            .unwrap();
        (response.status().as_u16(), response.text().unwrap())
    }
}

fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// The code of a REST error.
#[track_caller]
pub fn code(reply: &(u16, Value)) -> (u16, &str) {
    (
        reply.0,
        reply.1[0]["errorCode"]
            .as_str()
            .unwrap_or_else(|| panic!("no error: {reply:?}")),
    )
}

/// A folder of recorded data; says loudly when it is not there.
pub fn recorded(path: &str) -> Option<PathBuf> {
    let root = std::env::var("HALITE_SHARED_DATA").map_or_else(
        |_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")),
        PathBuf::from,
    );
    let full = root.join(path);
    if full.exists() {
        return Some(full);
    }
    println!(
        "SKIPPED: {} is not there (set HALITE_SHARED_DATA)",
        full.display()
    );
    None
}
