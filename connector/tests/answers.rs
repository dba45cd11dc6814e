//! Bad answers: what the connector makes of 401, 403, 500, HTML, half a body, an empty one and none at all.
//!
//! Key decision: each test looks at the kind, at the message, and at how often the org was asked.
//! This is not about rows: those are in `reading`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use halite_connector::Usage;
use halite_engine::base::error::{Error, Kind};
use halite_engine::ops::org::Source;

use crate::server::{Server, error, json, page, reply};

/// Asks for a count that is answered with `bad`; gives the error and how often it was asked.
fn count_answered(bad: Vec<u8>) -> (Error, usize) {
    let server = Server::start(move |_| bad.clone());
    let error = server.org().count("Account").unwrap_err();
    (error, server.count("/query"))
}

#[test]
fn what_passes_is_asked_again_and_explained() {
    let half =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"totalSize\":1,";
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"totalSize\":1,\"d";
    let bad: [(Vec<u8>, &str); 10] = [
        (
            error(500, "UNKNOWN_EXCEPTION", "oops"),
            "500 UNKNOWN_EXCEPTION: oops",
        ),
        (reply(503, "text/html", "<html>down</html>"), "503"),
        (error(420, "X", "y"), "420"),
        (reply(406, "text/plain", ""), "406"),
        (
            reply(200, "text/html;charset=UTF-8", "<html>log in</html>"),
            "HTML",
        ),
        (json(""), "empty"),
        (json(r#"{"totalSize":1,"done":tru"#), "does not parse"),
        (half.to_vec(), "broke off"),
        (chunked.to_vec(), "broke off"),
        (Vec::new(), "no reply"),
    ];
    for (bytes, words) in bad {
        let (error, asked) = count_answered(bytes);
        let text = error.to_string();
        assert!(
            text.contains(words) && text.contains("GET /services/data/v67.0/query (tried 3 times"),
            "{text}"
        );
        assert!(!text.contains("COUNT") && !text.contains('\n'), "{text}");
        assert!(matches!(error.kind(), Kind::Io | Kind::Busy), "{text}");
        assert_eq!(asked, 3, "{text}");
    }
}

#[test]
fn what_does_not_pass_is_asked_once() {
    let cases = [
        (
            error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
            Kind::Quota,
        ),
        (error(403, "API_DISABLED_FOR_ORG", "no"), Kind::Denied),
        (reply(403, "text/html", "<html></html>"), Kind::Denied),
        (error(400, "INVALID_FIELD", "No such column"), Kind::Invalid),
        (error(404, "NOT_FOUND", "gone"), Kind::NotFound),
        (reply(410, "application/json", ""), Kind::Unsupported),
        (reply(431, "text/plain", "too long"), Kind::Invalid),
    ];
    for (bytes, kind) in cases {
        let (error, asked) = count_answered(bytes);
        assert_eq!((error.kind(), asked), (kind, 1), "{error}");
    }
}

#[test]
fn too_many_at_once_is_waited_for() {
    let text = "ConcurrentRequests (Concurrent API Requests) Limit exceeded.";
    let (error, asked) = count_answered(error(403, "REQUEST_LIMIT_EXCEEDED", text));
    assert_eq!((error.kind(), asked), (Kind::Busy, 3), "{error}");
}

#[test]
fn one_good_answer_after_bad_ones_is_enough() {
    let mut bad = vec![Vec::new(), reply(200, "text/html", "<html>"), page(7, &[], None)].into_iter();
    let server = Server::start(move |_| bad.next().unwrap());
    let mut org = server.org();
    assert_eq!(org.count("Account").unwrap(), 7);
    assert_eq!(org.calls(), 4, "the request for versions and three for the count");
    assert_eq!(
        org.usage(),
        Some(Usage {
            used: 18,
            allowed: 5000
        })
    );
}

#[test]
fn a_token_goes_to_no_other_host() {
    let elsewhere = Server::bare(Box::new(|_| json("[]")));
    let to = elsewhere.url.replace("127.0.0.1", "localhost");
    let moved = format!("HTTP/1.1 302 Found\r\nLocation: {to}/x\r\nContent-Length: 0\r\n\r\n").into_bytes();
    let (error, asked) = count_answered(moved);
    assert!(error.to_string().contains("localhost"), "{error}");
    assert_eq!((asked, elsewhere.asked().len()), (1, 0));

    let host = elsewhere.url.trim_start_matches("http://");
    for next in [
        elsewhere.url.clone(),
        format!("//{host}"),
        format!(r"/\\\\{host}"),
        format!("/%0A/@{host}"),
    ] {
        let path = format!("{next}/services/data/v67.0/query/01g");
        let server = Server::start(move |asked| match asked.path.contains("SELECT") {
            true => page(2, &[r#"{"Id":"001000000000001"}"#.into()], Some(&path)),
            false => crate::server::error(404, "NOT_FOUND", "nothing here"),
        });
        server.org().ids("Account", &mut |_| Ok(())).unwrap_err();
        assert_eq!(elsewhere.asked().len(), 0, "{next}");
    }
}

#[test]
fn names_cannot_smuggle_soql() {
    let server = Server::start(|_| page(0, &[], None));
    let mut org = server.org();
    for name in [
        "Account WHERE Id != null",
        "Account/../x",
        "",
        "A'",
        "Acc\u{f6}unt",
    ] {
        assert_eq!(org.count(name).unwrap_err().kind(), Kind::Invalid);
        assert_eq!(org.describe(name).unwrap_err().kind(), Kind::Invalid);
    }
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn stopping_is_seen_while_waiting_for_a_reply() {
    let server = Server::start(|_| {
        std::thread::park_timeout(std::time::Duration::from_secs(5));
        page(1, &[], None)
    });
    let cancel = Arc::new(AtomicBool::new(false));
    let mut org = server.connect().cancel(cancel.clone()).open().unwrap();
    std::thread::spawn(move || {
        std::thread::park_timeout(std::time::Duration::from_millis(200));
        cancel.store(true, Ordering::Relaxed);
    });
    let clock = halite_engine::base::clock::Clock::system();
    let start = clock.instant();
    assert_eq!(org.count("Account").unwrap_err().kind(), Kind::Interrupted);
    assert!(start.elapsed().as_secs() < 3);
}

#[test]
fn an_org_can_be_used_within_another_runtime() {
    let server = Server::start(|_| page(3, &[], None));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { assert_eq!(server.org().count("Account").unwrap(), 3) });
}

#[test]
fn the_clock_falls_back_to_the_date() {
    let server = Server::start(|_| {
        reply(
            500,
            "text/xml",
            &fault("sf:INVALID_TYPE", "INVALID_TYPE: no SOAP here"),
        )
    });
    assert_eq!(
        server.org().now().unwrap().to_string(),
        "1994-11-06T08:49:37.000Z"
    );
}

/// A SOAP fault as the org words it.
pub fn fault(code: &str, text: &str) -> String {
    format!(
        r#"<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><soapenv:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring></soapenv:Fault></soapenv:Body></soapenv:Envelope>"#
    )
}
