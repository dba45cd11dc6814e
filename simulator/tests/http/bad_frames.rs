//! Bad input inside a frame: multipart bodies and SOAP envelopes.
//!
//! Key decision: as `bad_input`: tables of bytes, each with its refusal.
//! Not here: plain bodies, targets and headers (`bad_input`).

use crate::bad_input::{ROOT, ask, refused};
use crate::support::Session;
use crate::support::raw::{Raw, exchange, request};

#[test]
fn multiparts() {
    let s = Session::sample();
    let part = |name: &str, body: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n\r\n{body}\r\n")
    };
    let entity = part("entity_document", "{\"Name\": \"a\"}");
    for (kind, body, code) in [
        (
            "multipart/form-data",
            format!("{entity}--b--"),
            "INVALID_MULTIPART_REQUEST",
        ),
        (
            "multipart/form-data; boundary=",
            format!("{entity}--b--"),
            "INVALID_MULTIPART_REQUEST",
        ),
        (
            "multipart/form-data; boundary=c",
            format!("{entity}--b--"),
            "INVALID_MULTIPART_REQUEST",
        ),
        (
            "multipart/form-data; boundary=b",
            entity,
            "INVALID_MULTIPART_REQUEST",
        ),
        (
            "multipart/form-data; boundary=b",
            String::new(),
            "INVALID_MULTIPART_REQUEST",
        ),
        (
            "multipart/form-data; boundary=b",
            "--b\r\n\r\nx\r\n--b--".to_owned(),
            "INVALID_MULTIPART_REQUEST",
        ),
        (
            "multipart/form-data; boundary=b",
            "--b--".to_owned(),
            "REQUIRED_FIELD_MISSING",
        ),
        (
            "multipart/form-data; boundary=b",
            format!("{}--b--", part("entity_document", "{")),
            "JSON_PARSER_ERROR",
        ),
    ] {
        let reply = ask(
            &s,
            "POST",
            format!("{ROOT}/sobjects/Attachment").as_bytes(),
            kind,
            body.as_bytes(),
        );
        refused(&reply, 400, code, &format!("{kind} {body}"));
    }
}

#[test]
fn envelopes() {
    let s = Session::sample();
    let envelope = |header: &str, body: &str| {
        format!(
            "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>"
        )
    };
    let session = format!(
        "<SessionHeader><sessionId>{}</sessionId></SessionHeader>",
        s.token
    );
    let good = |body: &str| envelope(&session, body);
    let laughs = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE l [<!ENTITY a \"ha\">{}]>{}",
        (0..12)
            .map(|n| format!("<!ENTITY a{} \"{}\">", n + 1, format!("&a{n};").repeat(10)))
            .collect::<String>(),
        good("<query><queryString>&a12;</queryString></query>")
    );
    let file = format!(
        "<!DOCTYPE l [<!ENTITY f SYSTEM \"file:///etc/hostname\">]>{}",
        good("<query><queryString>&f;</queryString></query>")
    );
    let deep = good(&("<a>".repeat(50_000) + &"</a>".repeat(50_000)));
    let ids: String = (0..201).map(|_| "<ids>001000000000001AAA</ids>").collect();
    let cases = [
        (String::new(), "soapenv:Client"),
        ("salt".to_owned(), "soapenv:Client"),
        ("<e:Envelope>".to_owned(), "soapenv:Client"),
        (good("<a></b>"), "soapenv:Client"),
        (good(""), "soapenv:Client"),
        (good("<nonsense/>"), "soapenv:Client"),
        (good("<query/>"), "soapenv:Client"),
        (
            good("<query><queryString>&nope;</queryString></query>"),
            "soapenv:Client",
        ),
        (
            good("<query><queryString>&#xD800;</queryString></query>"),
            "soapenv:Client",
        ),
        (laughs, "soapenv:Client"),
        (file, "soapenv:Client"),
        (deep, "soapenv:Client"),
        (
            good("<query><queryString>SELEC</queryString></query>"),
            "sf:MALFORMED_QUERY",
        ),
        (
            good("<query><queryString>SELECT Id FROM Nope</queryString></query>"),
            "sf:INVALID_TYPE",
        ),
        (
            good("<queryMore><queryLocator>x</queryLocator></queryMore>"),
            "sf:INVALID_QUERY_LOCATOR",
        ),
        (
            good(&format!("<undelete>{ids}</undelete>")),
            "sf:EXCEEDED_ID_LIMIT",
        ),
        (envelope("", "<getServerTimestamp/>"), "sf:INVALID_SESSION_ID"),
        (
            envelope("<SessionHeader/>", "<getServerTimestamp/>"),
            "sf:INVALID_SESSION_ID",
        ),
    ];
    let post = |path: &str, headers: &[String], body: &[u8]| {
        exchange(s.server.addr(), &request("POST", path.as_bytes(), headers, body)).unwrap()
    };
    let xml = ["SOAPAction: \"\"".to_owned(), "Content-Type: text/xml".to_owned()];
    let faulty = |reply: &Raw, code: &str, about: &str| {
        let text = String::from_utf8_lossy(&reply.body);
        assert_eq!(reply.status, 500, "{about}");
        assert!(
            text.contains(&format!("<faultcode>{code}</faultcode>")),
            "{about}: {text:.400}"
        );
    };
    for (body, code) in &cases {
        for letter in ["u", "c"] {
            let reply = post(&format!("/services/Soap/{letter}/67.0"), &xml, body.as_bytes());
            faulty(&reply, code, &format!("{body:.200}"));
        }
    }
    let stamp = good("<getServerTimestamp/>");
    for version in ["1.0", "99.0", "X", "067.0"] {
        faulty(
            &post(&format!("/services/Soap/u/{version}"), &xml, stamp.as_bytes()),
            "sf:UNSUPPORTED_API_VERSION",
            version,
        );
    }
    faulty(
        &post("/services/Soap/u/67.0", &xml[1..], stamp.as_bytes()),
        "soapenv:Client",
        "no SOAPAction",
    );
    faulty(
        &post("/services/Soap/u/67.0", &xml, b"<a>\xff</a>"),
        "soapenv:Client",
        "no UTF-8",
    );
}
