//! The same seed gives the same run.
//!
//! Key decision: some hundred requests of every kind, one after another, chaos among them; what came is
//! compared byte by byte, headers and the ends of broken replies included. A clock of the machine, the order
//! of a hash map or a random name anywhere in a reply would show.
//! Not here: requests side by side, whose order nobody promises.

use std::time::Duration;

use halite_simulator::{CLIENT_ID, CLIENT_SECRET, Chaos, ChaosKind, Org};
use serde_json::{Value, json};

use crate::support::Session;
use crate::support::raw::{Raw, exchange, request};
use crate::support::sound;

const ROOT: &str = "/services/data/v67.0";
const JSON: &str = "Content-Type: application/json";

/// A client that writes down all it sees.
struct Run {
    s: Session,
    refresh: String,
    seen: Vec<Option<Raw>>,
}

impl Run {
    fn of(seed: u64) -> Self {
        let s = Session::on(Org::sample());
        s.org.configure(|c| {
            c.seed = seed;
            c.bulk.polls = 1;
            c.chaos = Chaos::spread(0.15);
            c.chaos.0.remove(&ChaosKind::Slow);
        });
        let refresh = s.org.refresh_token();
        Self {
            s,
            refresh,
            seen: Vec::new(),
        }
    }

    /// Sends a request and gives its JSON; a dead session is renewed.
    fn ask(&mut self, method: &str, target: &str, body: &Value) -> Value {
        let mut headers = vec![format!("Authorization: Bearer {}", self.s.token), JSON.to_owned()];
        if self.seen.len().is_multiple_of(2) {
            headers.push("Accept-Encoding: gzip".to_owned());
        }
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.send(&request(method, target.as_bytes(), &headers, body.as_bytes()))
    }

    fn send(&mut self, bytes: &[u8]) -> Value {
        let reply = exchange(self.s.server.addr(), bytes);
        self.seen.push(reply.clone());
        let (status, body) = reply.map_or((0, Value::Null), |r| r.json());
        if status == 401 {
            self.renew();
        }
        body
    }

    fn renew(&mut self) {
        let form = format!(
            "grant_type=refresh_token&refresh_token={}&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}",
            self.refresh
        );
        let kind = ["Content-Type: application/x-www-form-urlencoded".to_owned()];
        let bytes = request("POST", b"/services/oauth2/token", &kind, form.as_bytes());
        if let Some(token) = self.send(&bytes)["access_token"].as_str() {
            token.clone_into(&mut self.s.token);
        }
    }

    fn get(&mut self, target: &str) -> Value {
        self.ask("GET", target, &Value::Null)
    }

    /// A query, and as many of its pages as come.
    fn pages(&mut self, resource: &str, soql: &str) {
        let mut page = self.get(&format!("{ROOT}/{resource}?q={}", soql.replace(' ', "+")));
        while let Some(next) = page["nextRecordsUrl"].as_str().map(str::to_owned) {
            page = self.get(&next);
        }
    }

    fn writes(&mut self, n: usize) {
        let made = self.ask(
            "POST",
            &format!("{ROOT}/sobjects/Account"),
            &json!({"Name": format!("run {n}"), "NumberOfEmployees": n}),
        );
        let id = made["id"].as_str().unwrap_or("001000000000001AAA").to_owned();
        self.ask(
            "PATCH",
            &format!("{ROOT}/sobjects/Account/{id}"),
            &json!({"Description": format!("edited {n}")}),
        );
        let contact = json!({"attributes": {"type": "Contact"}, "LastName": "C", "AccountId": id});
        self.ask(
            "POST",
            &format!("{ROOT}/composite/sobjects"),
            &json!({"records": [contact, {"attributes": {"type": "Contact"}}]}),
        );
        if n.is_multiple_of(3) {
            self.ask("DELETE", &format!("{ROOT}/sobjects/Account/{id}"), &Value::Null);
        }
    }

    fn job(&mut self) {
        let body = json!({"operation": "queryAll", "query": "SELECT Id, Name, CreatedDate FROM Contact"});
        let job = self.ask("POST", &format!("{ROOT}/jobs/query"), &body);
        let id = job["id"].as_str().unwrap_or("750000000000001AAA").to_owned();
        for _ in 0..3 {
            self.get(&format!("{ROOT}/jobs/query/{id}"));
        }
        self.get(&format!("{ROOT}/jobs/query/{id}/results?maxRecords=40"));
        self.get(&format!("{ROOT}/jobs/query/{id}/resultPages?maxRecords=20"));
    }

    fn whole(mut self) -> Vec<Option<Raw>> {
        for n in 0..40 {
            self.writes(n);
            self.pages("query", "SELECT Id, Name, (SELECT Id FROM Contacts) FROM Account");
            self.pages("queryAll", "SELECT FIELDS(STANDARD) FROM Contact");
            self.pages(
                "query",
                "SELECT Industry, COUNT(Id) n FROM Account GROUP BY Industry",
            );
            self.get(&format!("{ROOT}/limits"));
            let object = ["Account", "Contact", "User", "Opportunity"][n % 4];
            self.get(&format!("{ROOT}/sobjects/{object}/describe"));
            self.s.org.clock().advance(Duration::from_secs(61));
            if n.is_multiple_of(5) {
                self.job();
                self.get(&format!("{ROOT}/sobjects"));
            }
        }
        for sound in sound::every(&self.s.org) {
            let headers = sound.headers(&self.s.token);
            self.send(&request(
                sound.method,
                sound.target.as_bytes(),
                &headers,
                &sound.body,
            ));
        }
        self.seen
    }
}

#[test]
fn a_seed_is_a_run() {
    let first = Run::of(5).whole();
    let again = Run::of(5).whole();
    assert!(first.len() > 400, "{} requests", first.len());
    for (n, pair) in first.iter().zip(&again).enumerate() {
        assert!(
            pair.0 == pair.1,
            "reply {n} differs:\n{:.2000?}\n{:.2000?}",
            shown(pair.0),
            shown(pair.1)
        );
    }
    assert_eq!(first.len(), again.len());
    let statuses = |status: u16| first.iter().flatten().filter(|r| r.status == status).count();
    let broken = first.iter().filter(|r| r.is_none()).count();
    assert!(
        broken > 2 && statuses(200) > 200 && statuses(401) > 2 && statuses(503) > 2,
        "chaos reigned"
    );
    let other = Run::of(6).whole();
    assert!(first != other);
}

#[test]
fn a_seed_shows_without_chaos() {
    let calm = |seed| {
        let mut run = Run::of(seed);
        run.s.org.configure(|c| c.chaos = Chaos::default());
        run.pages("query", "SELECT Id FROM Contact");
        run.seen
    };
    assert!(calm(5) == calm(5));
    assert!(calm(5) != calm(6));
}

fn shown(reply: &Option<Raw>) -> Option<(&str, String)> {
    reply
        .as_ref()
        .map(|r| (r.head.as_str(), String::from_utf8_lossy(&r.body).into_owned()))
}
