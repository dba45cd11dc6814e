//! Writes: one outcome a row, nothing written twice, and unknown where the reply is lost.
//!
//! Key decision: what counts is how often the server saw a write.
//! It does not test what an org does with it.

use halite_engine::base::error::Kind;
use halite_engine::base::id::RecordId;
use halite_engine::ops::org::{Outcome, Target, Upload};

use crate::answers::fault;
use crate::server::{Server, error, id, json, reply};

fn ids(numbers: &[u32]) -> Vec<RecordId> {
    numbers.iter().map(|n| id(*n).parse().unwrap()).collect()
}

fn refused(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Refused(refusal) => &refusal.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_row_has_its_outcome() {
    let server = Server::start(|_| {
        json(format!(
            r#"[{{"id":"{}","success":true,"errors":[]}},{{"success":false,"errors":[{{"statusCode":"REQUIRED_FIELD_MISSING","message":"Required","fields":["Name"]}}]}}]"#,
            id(1)
        ))
    });
    let rows = [r#"{"Name":"A\"é"}"#.to_owned(), " { } ".to_owned()];
    let outcomes = server.org().create("Account", &rows).unwrap();
    assert_eq!(outcomes[0], Outcome::Done(ids(&[1])[0]));
    let Outcome::Refused(refusal) = &outcomes[1] else {
        panic!("{outcomes:?}")
    };
    assert_eq!(
        (refusal.code.as_str(), refusal.fields.as_slice()),
        ("REQUIRED_FIELD_MISSING", &["Name".to_owned()][..])
    );
    let asked = &server.asked()[1];
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("POST", "/services/data/v67.0/composite/sobjects")
    );
    for header in [
        "sforce-auto-assign: false",
        "sforce-duplicate-rule-header: allowsave=true",
    ] {
        assert!(asked.head.to_lowercase().contains(header), "{header}");
    }
    let first = r#"{"attributes":{"type":"Account"},"Name":"A\"é"}"#;
    let second = r#"{"attributes":{"type":"Account"}}"#;
    assert_eq!(
        asked.body.replace("} }", "}}").replace("}  }", "}}"),
        format!(r#"{{"allOrNone":false,"records":[{first},{second}]}}"#)
    );
}

#[test]
fn edits_name_their_row() {
    let server = Server::start(|_| json(format!(r#"[{{"id":"{}","success":true,"errors":[]}}]"#, id(7))));
    let rows = [(ids(&[7])[0], r#"{"Name":null}"#.to_owned())];
    assert_eq!(
        server.org().update("Account", &rows).unwrap(),
        [Outcome::Done(rows[0].0)]
    );
    let asked = &server.asked()[1];
    let record = format!(
        r#"{{"attributes":{{"type":"Account"}},"id":"{}","Name":null}}"#,
        id(7)
    );
    assert_eq!(
        (asked.method.as_str(), asked.body.as_str()),
        (
            "PATCH",
            format!(r#"{{"allOrNone":false,"records":[{record}]}}"#).as_str()
        )
    );
}

#[test]
fn a_lost_reply_is_unknown_and_not_repeated() {
    let half =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n[{\"id\":".to_vec();
    let done = format!(r#"{{"id":"{}","success":true,"errors":[]}}"#, id(1));
    let lost: [Vec<u8>; 8] = [
        Vec::new(),
        half,
        json(""),
        reply(200, "text/html", "<html>"),
        error(500, "UNKNOWN_EXCEPTION", "x"),
        reply(503, "text/html", "<html>"),
        json("[]"),
        json(format!("[{done},{done},{done}]")),
    ];
    for bytes in lost {
        let server = Server::start(move |_| bytes.clone());
        let rows = vec!["{}".to_owned(); 2];
        let outcomes = server.org().create("Account", &rows).unwrap();
        assert!(
            outcomes.len() == 2 && outcomes.iter().all(|o| matches!(o, Outcome::Unknown(_))),
            "{outcomes:?}"
        );
        assert_eq!(server.count("composite"), 1, "{outcomes:?}");
        let undeleted = server.org().undelete(&ids(&[1])).unwrap();
        assert!(matches!(undeleted[..], [Outcome::Unknown(_)]), "{undeleted:?}");
    }
}

#[test]
fn a_call_refused_as_a_whole_wrote_nothing() {
    let cases = [
        (error(400, "JSON_PARSER_ERROR", "x"), Kind::Invalid, 1),
        (
            error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
            Kind::Quota,
            1,
        ),
        (
            error(403, "REQUEST_LIMIT_EXCEEDED", "Concurrent API Requests"),
            Kind::Busy,
            3,
        ),
    ];
    for (bytes, kind, times) in cases {
        let server = Server::start(move |_| bytes.clone());
        let failed = server.org().create("Account", &["{}".to_owned()]).unwrap_err();
        assert_eq!(
            (failed.kind(), server.count("composite")),
            (kind, times),
            "{failed}"
        );
    }
}

#[test]
fn rows_under_a_lock_are_sent_again_alone() {
    let mut round = 0;
    let done = |n| format!(r#"{{"id":"{}","success":true,"errors":[]}}"#, id(n));
    let locked =
        r#"{"success":false,"errors":[{"statusCode":"UNABLE_TO_LOCK_ROW","message":"x","fields":[]}]}"#;
    let server = Server::start(move |_| {
        round += 1;
        match round {
            1 => json(format!("[{},{locked},{}]", done(1), done(3))),
            _ => json(format!("[{}]", done(2))),
        }
    });
    let rows: Vec<_> = ids(&[1, 2, 3])
        .into_iter()
        .map(|id| (id, r#"{"A":1}"#.to_owned()))
        .collect();
    let outcomes = server.org().update("Account", &rows).unwrap();
    assert_eq!(
        outcomes,
        rows.iter().map(|(id, _)| Outcome::Done(*id)).collect::<Vec<_>>()
    );
    assert!(server.asked()[2].body.contains(&id(2)) && !server.asked()[2].body.contains(&id(1)));

    let server = Server::start(move |_| json(format!("[{locked}]")));
    let outcomes = server.org().update("Account", &rows[..1]).unwrap();
    assert_eq!(
        (refused(&outcomes[0]), server.count("composite")),
        ("UNABLE_TO_LOCK_ROW", 4)
    );
}

#[test]
fn nonsense_is_refused_before_it_is_sent() {
    let server = Server::start(|_| json("[]"));
    let mut org = server.org();
    for row in [
        "",
        "[]",
        "{",
        "{}{}",
        r#"{"Id":"x"}"#,
        r#"{"attributes":{}}"#,
        "null",
    ] {
        assert_eq!(
            org.create("Account", &[row.to_owned()]).unwrap_err().kind(),
            Kind::Invalid,
            "{row}"
        );
    }
    assert_eq!(
        org.create("Account", &vec!["{}".to_owned(); 201])
            .unwrap_err()
            .kind(),
        Kind::Invalid
    );
    assert_eq!(
        org.create("Account\"", &["{}".to_owned()]).unwrap_err().kind(),
        Kind::Invalid
    );
    assert_eq!(org.create("Account", &[]).unwrap(), []);
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn deletes_name_their_rows_in_the_path() {
    let error =
        r#"{"success":false,"errors":[{"statusCode":"ENTITY_IS_DELETED","message":"x","fields":[]}]}"#;
    let answer = format!(r#"[{{"id":"{}","success":true,"errors":[]}},{error}]"#, id(1));
    let server = Server::start(move |_| json(answer.clone()));
    let outcomes = server.org().delete(&ids(&[1, 2])).unwrap();
    assert_eq!(outcomes[0], Outcome::Done(ids(&[1])[0]));
    assert_eq!(refused(&outcomes[1]), "ENTITY_IS_DELETED");
    let asked = &server.asked()[1];
    let path = format!("/composite/sobjects?allOrNone=false&ids={},{}", id(1), id(2));
    assert!(
        asked.method == "DELETE" && asked.path.ends_with(&path),
        "{asked:?}"
    );
}

#[test]
fn a_file_that_is_refused_ends_nothing_else() {
    let sent = |status, code: &'static str| {
        let server = Server::start(move |_| error(status, code, "no"));
        let mut give = |take: &mut halite_engine::ops::org::EachPiece<'_>| take(b"hello");
        let mut file = Upload {
            field: "VersionData",
            name: "a.txt",
            bytes: 5,
            read: &mut give,
        };
        server.org().upload("ContentVersion", "{}", &mut file)
    };
    for (status, code) in [
        (400, "FIELD_INTEGRITY_EXCEPTION"),
        (403, "INSUFFICIENT_ACCESS_OR_READONLY"),
        (404, "NOT_FOUND"),
    ] {
        assert_eq!(refused(&sent(status, code).unwrap()), code);
    }
    for (status, code, says) in [
        (403, "REQUEST_LIMIT_EXCEEDED", "REQUEST_LIMIT_EXCEEDED"),
        (403, "API_DISABLED_FOR_ORG", "API_DISABLED_FOR_ORG"),
        (401, "INVALID_SESSION_ID", "no longer valid"),
    ] {
        let error = sent(status, code).unwrap_err();
        assert!(error.to_string().contains(says), "{code}: {error}");
    }
}

#[test]
fn undelete_speaks_soap() {
    let body = format!(
        r#"<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com"><soapenv:Body><undeleteResponse><result><id>{}</id><success>true</success></result><result><errors><message>Entity is not &lt;in&gt; the recycle&#32;bin</message><statusCode>UNDELETE_FAILED</statusCode></errors><id>{}</id><success>false</success></result></undeleteResponse></soapenv:Body></soapenv:Envelope>"#,
        id(1),
        id(2)
    );
    let server = Server::start(move |_| reply(200, "text/xml;charset=UTF-8", &body));
    let outcomes = server.org().undelete(&ids(&[1, 2])).unwrap();
    assert_eq!(outcomes[0], Outcome::Done(ids(&[1])[0]));
    let Outcome::Refused(refusal) = &outcomes[1] else {
        panic!("{outcomes:?}")
    };
    assert_eq!(refusal.message, "Entity is not <in> the recycle bin");
    let asked = &server.asked()[1];
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("POST", "/services/Soap/u/67.0")
    );
    assert!(
        asked.body.contains("<urn:sessionId>00D!token</urn:sessionId>"),
        "{}",
        asked.body
    );
    assert!(asked.body.contains(&format!(
        "<urn:ids>{}</urn:ids><urn:ids>{}</urn:ids>",
        id(1),
        id(2)
    )));
    assert!(!asked.head.to_lowercase().contains("authorization"));
}

#[test]
fn a_soap_fault_of_the_session_is_one_of_the_session() {
    let body = fault(
        "sf:INVALID_SESSION_ID",
        "INVALID_SESSION_ID: Invalid Session ID found",
    );
    let server = Server::start(move |_| reply(500, "text/xml", &body));
    let failed = server.org().undelete(&ids(&[1])).unwrap_err();
    assert_eq!((failed.kind(), server.count("Soap")), (Kind::Auth, 1), "{failed}");
}

#[test]
fn xml_that_expands_is_refused() {
    let body = r#"<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>"#;
    let server = Server::start(move |_| reply(200, "text/xml", body));
    assert!(matches!(
        server.org().undelete(&ids(&[1])).unwrap()[..],
        [Outcome::Unknown(_)]
    ));
}
