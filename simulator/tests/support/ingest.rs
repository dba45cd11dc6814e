//! Ingest jobs, as the tests drive them.
//!
//! Key decision: every step is one call, so that a test can leave one out; `run` does them all.
//! Not here: retrying.

use serde_json::{Value, json};

use super::Session;

/// Rows of a list of results, by column.
pub type Rows = Vec<Vec<(String, String)>>;

/// Makes a job.
#[track_caller]
pub fn made(s: &Session, order: &Value) -> String {
    let reply = s.send("POST", "/jobs/ingest", order);
    assert_eq!(reply.0, 200, "{reply:?}");
    reply.1["id"].as_str().unwrap().to_owned()
}

/// Uploads; gives status and reply.
pub fn put(s: &Session, id: &str, csv: impl Into<Vec<u8>>) -> (u16, Value) {
    let request = s.request("PUT", &format!("/jobs/ingest/{id}/batches"));
    s.json(
        request
            .header("Content-Type", "text/csv; charset=UTF-8")
            .body(csv.into()),
    )
}

/// Sets a job's state.
pub fn turn(s: &Session, id: &str, state: &str) -> (u16, Value) {
    s.send("PATCH", &format!("/jobs/ingest/{id}"), &json!({"state": state}))
}

pub fn info(s: &Session, id: &str) -> Value {
    s.get(&format!("/jobs/ingest/{id}")).1
}

/// Makes, uploads and closes a job.
#[track_caller]
pub fn closed(s: &Session, order: &Value, csv: impl Into<Vec<u8>>) -> String {
    let id = made(s, order);
    assert_eq!(put(s, &id, csv).0, 201);
    assert_eq!(turn(s, &id, "UploadComplete").0, 200);
    id
}

/// Runs a job to its end; gives its info then.
#[track_caller]
pub fn run(s: &Session, order: &Value, csv: impl Into<Vec<u8>>) -> Value {
    let id = closed(s, order, csv);
    loop {
        let info = info(s, &id);
        if ["JobComplete", "Failed", "Aborted"].contains(&info["state"].as_str().unwrap()) {
            return info;
        }
    }
}

/// The text of a list of results.
#[track_caller]
pub fn text(s: &Session, info: &Value, list: &str) -> String {
    let id = info["id"].as_str().unwrap();
    let reply = s
        .request("GET", &format!("/jobs/ingest/{id}/{list}"))
        .send()
        .unwrap();
    assert_eq!(reply.status(), 200);
    reply.text().unwrap()
}

/// The rows of a list of results.
#[track_caller]
pub fn rows(s: &Session, info: &Value, list: &str) -> Rows {
    let text = text(s, info, list);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    reader
        .records()
        .map(|r| {
            names
                .iter()
                .cloned()
                .zip(r.unwrap().iter().map(str::to_owned))
                .collect()
        })
        .collect()
}

/// The values of one column, in order.
pub fn column(rows: &Rows, name: &str) -> Vec<String> {
    let mut out: Vec<String> = rows
        .iter()
        .flat_map(|r| r.iter().filter(|(n, _)| n == name).map(|(_, v)| v.clone()))
        .collect();
    out.sort();
    out
}
