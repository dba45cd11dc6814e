//! What the org has room for: storage, requests of a day, long requests at a time.
//!
//! Key decision: every limit is reached by a plain client and let go again, so that a limit that never binds
//! and one that never lets go both fail.
//! Not here: the allowances of Bulk jobs (`bulk_query`).

use std::time::Duration;

use halite_simulator::{Fault, Org};
use serde_json::{Value, json};

use crate::support::{Session, code};

fn room(s: &Session, name: &str) -> u64 {
    let limits = s.get("/limits").1;
    limits[name]["Remaining"].as_u64().unwrap()
}

#[test]
fn storage_falls_as_rows_and_files_are_added_and_fills() {
    let s = Session::on(Org::empty());
    s.org.configure(|c| c.limits.data_storage_mb = 1);
    s.org.configure(|c| c.limits.file_storage_mb = 2);
    assert_eq!((room(&s, "DataStorageMB"), room(&s, "FileStorageMB")), (0, 2));
    let account = |n: usize| json!({"attributes": {"type": "Account"}, "Name": format!("A{n}")});
    let mut ids = Vec::new();
    // 512 rows of 2 KB are a megabyte; the standard price book is one of them.
    for n in 0..4 {
        let count = if n < 3 { 150 } else { 61 };
        let body = json!({"records": (0..count).map(account).collect::<Vec<_>>()});
        let made = s.send("POST", "/composite/sobjects", &body).1;
        ids.extend(made.as_array().unwrap().iter().map(|r| r["id"].clone()));
    }
    assert!(ids.iter().all(Value::is_string));
    let one_more = || s.send("POST", "/sobjects/Account", &json!({"Name": "full"}));
    assert_eq!(code(&one_more()), (400, "STORAGE_LIMIT_EXCEEDED"));
    // An edit takes no room, and what is in the recycle bin takes none either.
    let path = format!("/sobjects/Account/{}", ids[0].as_str().unwrap());
    assert_eq!(s.send("PATCH", &path, &json!({"Name": "smaller"})).0, 204);
    assert_eq!(s.json(s.request("DELETE", &path)).0, 204);
    assert_eq!(one_more().0, 201);
    assert_eq!(code(&one_more()).1, "STORAGE_LIMIT_EXCEEDED");
    s.org.configure(|c| c.limits.data_storage_mb = 3);
    assert_eq!(room(&s, "DataStorageMB"), 2);
    let file = |bytes: usize| json!({"Title": "f", "PathOnClient": "f.txt", "VersionData": "QUJD".repeat(bytes / 3)});
    assert_eq!(s.send("POST", "/sobjects/ContentVersion", &file(3 << 18)).0, 201);
    assert_eq!(room(&s, "FileStorageMB"), 1);
    let refused = s.send("POST", "/sobjects/ContentVersion", &file(6 << 18));
    assert_eq!(code(&refused), (400, "STORAGE_LIMIT_EXCEEDED"));
    assert_eq!(
        s.org.rows("ContentVersion").len(),
        1,
        "a refused file leaves no trace"
    );
    assert_eq!(room(&s, "FileStorageMB"), 1);
}

#[test]
fn the_allowance_of_a_day_comes_back_after_a_day() {
    let s = Session::sample();
    s.org.configure(|c| c.daily_requests = 3);
    for _ in 0..3 {
        assert_eq!(s.get("/limits").0, 200);
    }
    let (status, refused) = s.get("/limits");
    assert_eq!(
        (status, &refused[0]["errorCode"], &refused[0]["message"]),
        (
            403,
            &json!("REQUEST_LIMIT_EXCEEDED"),
            &json!("TotalRequests Limit exceeded.")
        )
    );
    s.org.clock().advance(Duration::from_secs(23 * 3600));
    assert_eq!(s.get("/limits").0, 403);
    s.org.clock().advance(Duration::from_secs(2 * 3600));
    assert_eq!(s.get("/limits").0, 200);
}

#[test]
fn long_requests_at_a_time_are_limited() {
    let s = Session::sample();
    s.org.configure(|c| c.limits.others_running = 24);
    assert_eq!(s.get("/limits").0, 200);
    s.org.configure(|c| c.limits.others_running = 25);
    let (status, refused) = s.get("/limits");
    assert_eq!(
        (status, &refused[0]["errorCode"]),
        (403, &json!("REQUEST_LIMIT_EXCEEDED"))
    );
    assert_eq!(
        refused[0]["message"],
        json!("ConcurrentRequests (Concurrent API Requests) Limit exceeded.")
    );
    let (status, fault) = s.soap("<u:getServerTimestamp/>");
    assert_eq!(status, 500);
    assert!(fault.contains("sf:REQUEST_LIMIT_EXCEEDED"), "{fault}");
    assert!(
        fault.contains("ConcurrentRequests (Concurrent API Requests)"),
        "{fault}"
    );
    // Requests of one's own count too, once they have run as long as the setting says.
    s.org.configure(|c| {
        (c.limits.others_running, c.limits.concurrent_requests) = (0, 1);
    });
    s.org
        .fault("/limits/recordCount", 2, Fault::Delay(Duration::from_secs(3)));
    let beside = |wanted: u16| {
        std::thread::scope(|threads| {
            let slow = threads.spawn(|| s.get("/limits/recordCount?sObjects=Account").0);
            while !s.org.busy() {
                std::thread::yield_now();
            }
            assert_eq!(s.get("/limits").0, wanted);
            assert_eq!(slow.join().unwrap(), 200, "who came first is answered");
        });
    };
    beside(200);
    s.org.configure(|c| c.limits.long_request = Duration::ZERO);
    beside(403);
    assert_eq!(s.get("/limits").0, 200);
}

#[test]
fn a_composite_is_one_call_and_a_batch_as_many_as_it_holds() {
    let s = Session::sample();
    let query = |n: usize| {
        json!({"method": "GET", "referenceId": format!("q{n}"),
            "url": "/services/data/v67.0/query?q=SELECT+Id+FROM+Account+LIMIT+1"})
    };
    let used = || s.org.calls().values().sum::<u64>();
    let composite = |n: usize| {
        let list: Vec<Value> = (0..n).map(query).collect();
        s.send("POST", "/composite", &json!({"compositeRequest": list}))
    };
    let before = used();
    assert_eq!(composite(5).0, 200);
    assert_eq!(used() - before, 1);
    assert_eq!(composite(6).0, 400);
    let before = used();
    let list: Vec<Value> = (0..4)
        .map(|_| json!({"method": "GET", "url": "v67.0/limits"}))
        .collect();
    assert_eq!(
        s.send("POST", "/composite/batch", &json!({"batchRequests": list}))
            .0,
        200
    );
    assert_eq!(used() - before, 4);
}
