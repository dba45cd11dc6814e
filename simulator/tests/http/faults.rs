//! Scripted failures, as a client sees them.
//!
//! Key decision: a broken connection must look broken to a real HTTP client, so one is used.
//! Not here: retrying, which is the client's own affair.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use halite_simulator::{CLIENT_ID, CLIENT_SECRET, Chaos, ChaosKind, Fault, Script};
use reqwest::blocking::Client;
use serde_json::{Value, json};

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
    assert_eq!(s.get("/limits"), (200, Value::Null));
    assert!(s.get("/limits").1.is_object());
}

/// A reply as it travels: head and body, up to the end of the connection.
fn raw(s: &Session, path: &str, encoding: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(s.server.addr()).unwrap();
    let head = format!(
        "GET /services/data/v67.0{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nAccept-Encoding: {encoding}\r\nConnection: close\r\n\r\n",
        s.token
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let body = all.split_off(end);
    (String::from_utf8(all).unwrap().to_lowercase(), body)
}

/// What a header says.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .find_map(|l| l.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn bodies_that_break_off() {
    let s = Session::sample();
    let (_, whole) = raw(&s, "/sobjects", "identity");
    let length = whole.len().to_string();
    for (fault, bytes) in [
        (Fault::HalfBody, whole.len() / 2),
        (Fault::CutBody(0), 0),
        (Fault::CutBody(1000), 1000),
        (Fault::CutBody(usize::MAX), whole.len()),
    ] {
        s.org.fault("/sobjects", 1, fault.clone());
        let (head, body) = raw(&s, "/sobjects", "identity");
        assert_eq!(header(&head, "content-length"), Some(length.as_str()));
        assert!(body == whole[..bytes], "{fault:?}: {} bytes", body.len());
        s.org.fault("/sobjects", 1, fault.clone());
        let response = s.request("GET", "/sobjects").send().unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.bytes().is_ok(), bytes == whole.len(), "{fault:?}");
        assert_eq!(s.get("/sobjects").0, 200, "the next connection is sound");
    }
}

#[test]
fn framing_that_lies() {
    let s = Session::sample();
    let (_, whole) = raw(&s, "/sobjects", "identity");
    s.org.fault("/sobjects", 1, Fault::WrongLength);
    let (head, body) = raw(&s, "/sobjects", "identity");
    let half = (whole.len() / 2).to_string();
    assert_eq!(header(&head, "content-length"), Some(half.as_str()));
    assert_eq!(body, whole);
    s.org.fault("/sobjects", 1, Fault::BrokenChunks);
    let (head, body) = raw(&s, "/sobjects", "identity");
    assert_eq!(header(&head, "transfer-encoding"), Some("chunked"));
    assert!(header(&head, "content-length").is_none());
    assert!(body.starts_with(format!("{:x}\r\n[", whole.len() / 2).replace('[', "{").as_bytes()));
    assert!(!body.ends_with(b"0\r\n\r\n"));
    s.org.fault("/sobjects", 1, Fault::BrokenChunks);
    assert!(s.request("GET", "/sobjects").send().unwrap().bytes().is_err());
}

#[test]
fn bodies_that_are_wrong_in_a_sound_frame() {
    let s = Session::sample();
    s.org.fault("/limits", 1, Fault::CutJson);
    let response = s.request("GET", "/limits").send().unwrap();
    assert_eq!(response.status(), 200);
    assert!(serde_json::from_str::<Value>(&response.text().unwrap()).is_err());
    for fault in [Fault::CutGzip, Fault::BadGzip] {
        s.org.fault("/limits", 2, fault.clone());
        let (head, body) = raw(&s, "/limits", "gzip");
        assert_eq!(header(&head, "content-encoding"), Some("gzip"));
        assert_eq!(
            header(&head, "content-length"),
            Some(body.len().to_string().as_str())
        );
        assert!(body.starts_with(&[0x1f, 0x8b]), "{fault:?}");
        let unpacked = s.request("GET", "/limits").send().unwrap().bytes();
        assert!(unpacked.is_err(), "{fault:?} was not seen");
        s.org.fault("/limits", 1, fault);
        let (head, body) = raw(&s, "/limits", "identity");
        assert!(header(&head, "content-encoding").is_none());
        let promised: usize = header(&head, "content-length").unwrap().parse().unwrap();
        assert_eq!(body.len(), promised / 2);
    }
}

#[test]
fn a_body_that_trickles() {
    let s = Session::sample();
    let (_, whole) = raw(&s, "/sobjects", "identity");
    let rate = u32::try_from(whole.len()).unwrap() * 4;
    s.org.fault("/sobjects", 1, Fault::Slow(rate));
    #[expect(clippy::disallowed_methods, reason = "a rate is bytes by time")]
    let begun = Instant::now();
    let response = s
        .request("GET", "/sobjects")
        .header("Accept-Encoding", "identity")
        .send()
        .unwrap();
    assert_eq!(
        response.json::<Value>().unwrap(),
        serde_json::from_slice::<Value>(&whole).unwrap()
    );
    assert!(
        begun.elapsed() >= Duration::from_millis(200),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn what_gateways_say_when_they_throttle() {
    let s = Session::sample();
    for (status, retry_after) in [
        (429, Some("2")),
        (503, Some("Mon, 05 Jan 2026 08:01:00 GMT")),
        (429, None),
    ] {
        s.org.fault("/limits", 1, Fault::Busy { status, retry_after });
        let response = s.request("GET", "/limits").send().unwrap();
        assert_eq!(response.status(), status);
        let header = response
            .headers()
            .get("retry-after")
            .map(|h| h.to_str().unwrap().to_owned());
        assert_eq!(header.as_deref(), retry_after);
    }
}

/// A new access token for a refresh token.
fn refreshed(s: &Session, refresh: &str) -> String {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh),
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
    ];
    let request = s.client.post(s.url("/services/oauth2/token")).form(&form);
    let (status, body) = s.json(request);
    assert_eq!(status, 200, "{body}");
    body["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn a_session_that_expires_while_a_job_is_polled() {
    let mut s = Session::sample();
    s.org.configure(|c| c.bulk.polls = 1);
    let refresh = s.org.refresh_token();
    s.token = refreshed(&s, &refresh);
    let other = s.org.access_token();
    let job = s
        .send(
            "POST",
            "/jobs/query",
            &json!({"operation": "query", "query": "SELECT Id FROM Account"}),
        )
        .1;
    let path = format!("/jobs/query/{}", job["id"].as_str().unwrap());
    s.org.script(Script {
        contains: path.clone(),
        after: 1,
        ..Script::new(Fault::SessionExpires)
    });
    assert_eq!(s.get(&path).0, 200);
    assert_eq!(code(&s.get(&path)), (401, "INVALID_SESSION_ID"));
    assert_eq!(code(&s.get("/limits")), (401, "INVALID_SESSION_ID"));
    s.token = refreshed(&s, &refresh);
    assert_eq!(s.get(&path).1["state"], json!("JobComplete"));
    s.token = other;
    assert_eq!(s.get("/limits").0, 200, "sessions of others live on");
    s.org.fault("/Soap/", 1, Fault::SessionExpires);
    let (status, body) = s.soap("<u:getServerTimestamp/>");
    assert!(status == 500 && body.contains("sf:INVALID_SESSION_ID"), "{body}");
    assert_eq!(s.get("/limits").0, 401);
}

#[test]
fn scripts_by_method_after_some() {
    let s = Session::sample();
    s.org.script(Script {
        contains: "/sobjects/Account".into(),
        method: Some("POST".into()),
        after: 1,
        times: 1,
        ..Script::new(Fault::Html(502))
    });
    let post = || s.send("POST", "/sobjects/Account", &json!({"Name": "A"})).0;
    assert_eq!((s.get("/sobjects/Account").0, post()), (200, 201));
    assert_eq!((s.get("/sobjects/Account").0, post(), post()), (200, 502, 201));
}

#[test]
fn replies_are_compressed_for_who_asks() {
    let s = Session::sample();
    let job = json!({"operation": "query", "query": "SELECT Id, Name FROM Account"});
    s.org.configure(|c| {
        c.bulk.polls = 0;
        c.gzip_from = 300;
    });
    let job = s.send("POST", "/jobs/query", &job).1;
    let results = format!("/jobs/query/{}/results", job["id"].as_str().unwrap());
    s.get(results.trim_end_matches("/results"));
    for (path, kind) in [("/sobjects", "application/json"), (results.as_str(), "text/csv")] {
        let (head, plain) = raw(&s, path, "identity");
        assert!(header(&head, "content-encoding").is_none());
        assert!(header(&head, "content-type").unwrap().starts_with(kind));
        let (head, packed) = raw(&s, path, "deflate, gzip");
        assert_eq!(header(&head, "content-encoding"), Some("gzip"), "{path}");
        assert_eq!(header(&head, "vary"), Some("accept-encoding"));
        assert!(packed.len() < plain.len());
        let unpacked = s.request("GET", path).send().unwrap().bytes().unwrap();
        assert_eq!(unpacked, plain);
    }
    // A client that says by itself what it takes gets it as it is.
    let client = Client::builder().gzip(false).build().unwrap();
    let soap = |body: &str| {
        let text = format!(
            "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Header><SessionHeader><sessionId>{}</sessionId></SessionHeader></e:Header><e:Body>{body}</e:Body></e:Envelope>",
            s.token
        );
        let request = client
            .post(s.url("/services/Soap/u/67.0"))
            .header("SOAPAction", "\"\"");
        request
            .header("Accept-Encoding", "gzip")
            .header("Content-Type", "text/xml")
            .body(text)
            .send()
            .unwrap()
    };
    assert_eq!(soap("<getUserInfo/>").headers()["content-encoding"], "gzip");
    s.org.configure(|c| c.gzip_from = usize::MAX);
    assert!(!soap("<getUserInfo/>").headers().contains_key("content-encoding"));
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

/// What becomes of some requests, one after another, while chaos reigns.
fn run_of(seed: u64, chaos: &Chaos) -> Vec<String> {
    let s = Session::sample();
    s.org.configure(|c| {
        c.seed = seed;
        c.chaos = chaos.clone();
    });
    let one = || match s.request("GET", "/limits").send() {
        Ok(response) => format!("{} {}", response.status(), response.bytes().is_ok()),
        Err(_) => "broken".to_owned(),
    };
    (0..120).map(|_| one()).collect()
}

#[test]
fn chaos_repeats_itself() {
    let shares = [
        (ChaosKind::Drop, 0.1),
        (ChaosKind::HalfBody, 0.1),
        (ChaosKind::Html, 0.2),
    ];
    let chaos = Chaos(shares.into());
    let first = run_of(3, &chaos);
    assert_eq!(first, run_of(3, &chaos));
    assert_ne!(first, run_of(4, &chaos));
    let count = |what: &str| first.iter().filter(|r| r.starts_with(what)).count();
    assert!(
        count("broken") > 2 && count("200") > 40 && count("50") > 8,
        "{first:?}"
    );
    assert!(run_of(3, &Chaos::default()).iter().all(|r| r == "200 OK true"));
}
