//! Signing in: grants, renewals, rotation, and what is refused before a secret is sent.
//!
//! Key decision: the order of keeping and using a rotated token is seen from the requests themselves.
//! It does not test OAuth servers.

use std::sync::{Arc, Mutex};

use halite_connector::{Connect, Environment, Grant, Secret};
use halite_engine::base::error::{Error, Kind};
use halite_engine::ops::org::Source;

use crate::server::{Server, error, json, page, quick, reply, token};

/// A server whose token endpoint gives tokens "1", "2", ..; a request with the token in `dead` is refused.
fn org_with_tokens(dead: &'static [&'static str], more: &'static str) -> Server {
    let mut given = 0;
    Server::bare(Box::new(move |asked| {
        let host = asked
            .head
            .to_lowercase()
            .split("host: ")
            .nth(1)
            .unwrap()
            .split("\r\n")
            .next()
            .unwrap()
            .to_owned();
        if asked.path == "/services/oauth2/token" {
            given += 1;
            return token(&format!("http://{host}"), &given.to_string(), more);
        }
        let refused = dead
            .iter()
            .any(|t| asked.head.contains(&format!("Bearer {t}\r\n")));
        match asked.path.as_str() {
            _ if refused => error(401, "INVALID_SESSION_ID", "Session expired or invalid"),
            "/services/data" => json(r#"[{"version":"66.0"}]"#),
            path if path.contains("COUNT") => page(5, &[], None),
            path if path.contains("Organization") => {
                page(1, &[r#"{"Name":"Acme","IsSandbox":true}"#.into()], None)
            }
            _ => error(403, "Bad_OAuth_Token", "no"),
        }
    }))
}

fn refresh() -> Grant {
    Grant::Refresh {
        client_id: "app".into(),
        client_secret: None,
        refresh_token: Secret::new("old+&"),
    }
}

#[test]
fn client_credentials_sign_in() {
    let server = org_with_tokens(&[], "");
    let mut org = server.client_credentials().unwrap();
    assert_eq!(
        server.asked()[0].body,
        "grant_type=client_credentials&client_id=app&client_secret=hush"
    );
    let identity = org.identity().unwrap();
    assert_eq!(identity.org.to_string(), "00Dx0000000BV7zEAG");
    assert_eq!(identity.user.to_string(), "005x00000012Q9PAAU");
    assert_eq!(
        (
            identity.name.as_str(),
            identity.sandbox,
            identity.api_version.as_str()
        ),
        ("Acme", true, "66.0")
    );
    assert_eq!(
        identity.user_name, "005x00000012Q9PAAU",
        "the org does not say the user's name"
    );
}

#[test]
fn a_session_that_is_over_is_renewed_once() {
    let server = org_with_tokens(&["1"], "");
    let mut org = server.client_credentials().unwrap();
    assert_eq!(org.count("Account").unwrap(), 5);
    assert_eq!(server.count("oauth2/token"), 2);

    let server = org_with_tokens(&["1", "2", "3"], "");
    assert_eq!(server.client_credentials().unwrap_err().kind(), Kind::Auth);
    assert_eq!(server.count("oauth2/token"), 2, "a second refusal is final");
}

#[test]
fn a_token_alone_cannot_be_renewed() {
    let server = org_with_tokens(&["00D!token"], "");
    let error = server.connect().open().unwrap_err();
    assert_eq!((error.kind(), server.asked().len()), (Kind::Auth, 1), "{error}");
    assert!(!format!("{error} {error:?}").contains("00D!token"));
}

#[test]
fn a_rotated_token_is_kept_before_it_is_used() {
    let server = Arc::new(org_with_tokens(&[], r#","refresh_token":"new""#));
    let connect = || {
        Connect::new(server.url.parse().unwrap())
            .grant(refresh())
            .patience(quick())
    };
    let (kept, at) = (Arc::new(Mutex::new(None)), server.clone());
    let keep = kept.clone();
    connect()
        .on_new_grant(move |grant| {
            *keep.lock().unwrap() = Some((grant.clone(), at.asked().len()));
            Ok(())
        })
        .open()
        .unwrap();
    let (grant, asked) = kept.lock().unwrap().take().unwrap();
    assert!(matches!(grant, Grant::Refresh { refresh_token, .. } if refresh_token.expose() == "new"));
    assert_eq!(asked, 1, "nothing but the token had been asked for");
    assert!(server.asked()[0].body.ends_with("refresh_token=old%2B%26"));

    let before = server.asked().len();
    let failed = connect()
        .on_new_grant(|_| Err(Error::new(Kind::Quota, "disk full")))
        .open()
        .unwrap_err();
    assert_eq!(
        (failed.kind(), server.asked().len()),
        (Kind::Quota, before + 1),
        "{failed}"
    );
    assert_eq!(
        connect().open().unwrap_err().kind(),
        Kind::Auth,
        "nobody keeps it"
    );
}

#[test]
fn a_refused_grant_is_an_auth_error() {
    for (status, code) in [
        (400, "invalid_grant"),
        (401, "invalid_client"),
        (400, "unsupported_grant_type"),
    ] {
        let body = format!(r#"{{"error":"{code}","error_description":"authentication failure"}}"#);
        let server = Server::bare(Box::new(move |_| reply(status, "application/json", &body)));
        let error = server.client_credentials().unwrap_err();
        assert_eq!((error.kind(), server.asked().len()), (Kind::Auth, 1), "{error}");
        assert!(
            error.to_string().contains(code) && !error.to_string().contains("hush"),
            "{error}"
        );
    }
}

#[test]
fn secrets_go_over_https_only_and_to_the_right_place() {
    for bad in [
        "http://acme.my.salesforce.com",
        "ftp://x",
        "acme",
        "https://u:p@acme.my.salesforce.com",
    ] {
        assert_eq!(
            bad.parse::<Environment>().unwrap_err().kind(),
            Kind::Invalid,
            "{bad}"
        );
    }
    let grant = Grant::ClientCredentials {
        client_id: "a".into(),
        client_secret: Secret::new("b"),
    };
    let error = Connect::new(Environment::Production)
        .grant(grant)
        .open()
        .unwrap_err();
    assert!(error.to_string().contains("My Domain"), "{error}");
    assert_eq!(
        Connect::new(Environment::Sandbox).open().unwrap_err().kind(),
        Kind::Invalid
    );
}

#[test]
fn an_org_of_other_versions_is_refused() {
    let server = Server::bare(Box::new(|_| json(r#"[{"version":"30.0"},{"version":"99.0"}]"#)));
    let error = server.connect().open().unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported, "{error}");
}

#[test]
fn grants_survive_their_bytes_and_show_nothing() {
    let full = Grant::Refresh {
        client_id: "app".into(),
        client_secret: Some(Secret::new("hush")),
        refresh_token: Secret::new("tok\u{e9}n"),
    };
    let token = Grant::Token {
        instance_url: "https://x".into(),
        access_token: Secret::new("hush"),
    };
    let app = Grant::ClientCredentials {
        client_id: "app".into(),
        client_secret: Secret::new("hush"),
    };
    let key = Grant::Jwt {
        client_id: "app".into(),
        username: "ada@example.com".into(),
        key: Secret::new("hush"),
    };
    for grant in [full, token, app, key, refresh()] {
        let bytes = grant.to_bytes();
        assert_eq!(Grant::from_bytes(&bytes).unwrap(), grant);
        assert!(!format!("{grant:?}").contains("hush"));
        for cut in 0..bytes.len() {
            assert_eq!(
                Grant::from_bytes(&bytes[..cut]).unwrap_err().kind(),
                Kind::Corrupt,
                "{cut}"
            );
        }
    }
    assert_eq!(Grant::from_bytes(&[2, 0]).unwrap_err().kind(), Kind::Unsupported);
}

/// What vaults hold stays readable: the bytes of `docs/connections.md`, written out by hand.
#[test]
fn the_bytes_of_each_kind_of_grant_are_those_of_the_page() {
    let of = |secret: &str| Secret::new(secret);
    let grants = [
        (
            Grant::ClientCredentials {
                client_id: "app".into(),
                client_secret: of("s"),
            },
            &b"\x01\x00\x03\0\0\0app\x01\0\0\0s"[..],
        ),
        (
            Grant::Refresh {
                client_id: "app".into(),
                client_secret: None,
                refresh_token: of("tok"),
            },
            b"\x01\x01\x03\0\0\0app\0\0\0\0\x03\0\0\0tok",
        ),
        (
            Grant::Token {
                instance_url: "https://x".into(),
                access_token: of("t"),
            },
            b"\x01\x02\x09\0\0\0https://x\x01\0\0\0t",
        ),
        (
            Grant::Jwt {
                client_id: "app".into(),
                username: "ada".into(),
                key: of("pem"),
            },
            b"\x01\x03\x03\0\0\0app\x03\0\0\0ada\x03\0\0\0pem",
        ),
    ];
    for (grant, bytes) in grants {
        assert_eq!(grant.to_bytes().as_slice(), bytes, "{grant:?}");
        assert_eq!(Grant::from_bytes(bytes).unwrap(), grant);
    }
}
