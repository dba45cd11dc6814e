//! The grants without a browser: refresh, client credentials, JWT bearer, password.
//!
//! Key decision: assertions are signed here by a key made for the test, of which the org knows the public half
//! alone; no signature is copied from a recording.
//! Not here: the web server flow (`oauth`).

use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use halite_simulator::{CLIENT_ID, CLIENT_SECRET, PASSWORD};
use serde_json::{Value, json};

use crate::oauth::{refused, token};
use crate::support::Session;

const JWT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

fn refresh(s: &Session, old: &str) -> (u16, Value) {
    token(
        s,
        &[
            ("grant_type", "refresh_token"),
            ("client_id", CLIENT_ID),
            ("client_secret", CLIENT_SECRET),
            ("refresh_token", old),
        ],
    )
}

#[test]
fn refresh_gives_a_token_of_the_same_user() {
    let s = Session::sample();
    let old = s.org.refresh_token_of("ada@salt.example");
    let (status, reply) = refresh(&s, &old);
    assert_eq!(status, 200);
    assert!(reply["id"].as_str().unwrap().ends_with(&s.org.ui_user()));
    assert!(reply.get("refresh_token").is_none());
    assert_eq!(refresh(&s, &old).0, 200, "without rotation it lives on");
}

#[test]
fn a_rotated_refresh_token_is_dead() {
    let s = Session::sample();
    s.org.configure(|c| c.auth.app.rotate_refresh_tokens = true);
    let old = s.org.refresh_token();
    let (_, first) = refresh(&s, &old);
    let new = first["refresh_token"].as_str().unwrap();
    assert_ne!(new, old);
    refused(
        &refresh(&s, &old),
        "invalid_grant",
        "expired access/refresh token",
    );
    assert_eq!(refresh(&s, new).0, 200);
}

#[test]
fn the_secret_of_a_refresh() {
    let s = Session::sample();
    let old = s.org.refresh_token();
    let with = |secret: &str| {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", CLIENT_ID),
            ("client_secret", secret),
            ("refresh_token", &old),
        ];
        token(&s, &form)
    };
    assert_eq!(with("").0, 200);
    refused(&with("wrong"), "invalid_client", "invalid client credentials");
    s.org.configure(|c| c.auth.app.require_refresh_secret = true);
    refused(&with(""), "invalid_client", "invalid client credentials");
}

fn credentials(s: &Session, host: &str) -> (u16, Value) {
    let post = s.client.post(s.url("/services/oauth2/token"));
    let post = if host.is_empty() {
        post
    } else {
        post.header("host", host)
    };
    s.json(post.form(&[
        ("grant_type", "client_credentials"),
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
    ]))
}

#[test]
fn client_credentials_are_for_my_domain_and_run_as_a_user() {
    let s = Session::sample();
    for host in ["login.salesforce.com", "test.salesforce.com", "test.localhost:1"] {
        refused(
            &credentials(&s, host),
            "invalid_grant",
            "request not supported on this domain",
        );
    }
    let (_, reply) = credentials(&s, "salt--dev.sandbox.my.salesforce.com");
    assert_eq!(
        reply["instance_url"],
        json!("http://salt--dev.sandbox.my.salesforce.com")
    );
    assert_eq!(reply["scope"], json!("api id"), "there is nothing to refresh");
    s.org
        .configure(|c| c.auth.my_domain = Some("https://salt.my.salesforce.com/".to_owned()));
    assert_eq!(
        credentials(&s, "").1["instance_url"],
        json!("https://salt.my.salesforce.com")
    );
    s.org
        .configure(|c| c.auth.app.run_as = Some("ada@salt.example".to_owned()));
    let (_, reply) = credentials(&s, "");
    assert!(reply["id"].as_str().unwrap().ends_with(&s.org.ui_user()));
    s.org.configure(|c| c.auth.app.run_as = None);
    refused(
        &credentials(&s, ""),
        "invalid_grant",
        "no client credentials user enabled",
    );
    s.org.configure(|c| c.auth.app.installed = false);
    refused(
        &credentials(&s, ""),
        "invalid_client",
        "app must be installed into org",
    );
}

#[test]
fn key_and_secret_may_come_in_a_basic_header() {
    let s = Session::sample();
    let with = |id: &str, secret: &str| {
        let post = s.client.post(s.url("/services/oauth2/token"));
        s.json(
            post.basic_auth(id, Some(secret))
                .form(&[("grant_type", "client_credentials")]),
        )
    };
    assert_eq!(with(CLIENT_ID, CLIENT_SECRET).0, 200);
    let (status, reply) = with(CLIENT_ID, "wrong");
    assert_eq!((status, &reply["error"]), (401, &json!("invalid_client")));
    assert_eq!(with("x", CLIENT_SECRET).1["error"], json!("invalid_client_id"));
}

#[test]
fn nobody_signs_in_who_may_not() {
    let s = Session::sample();
    s.org
        .configure(|c| c.auth.app.run_as = Some("gaway@salt.example".to_owned()));
    refused(&credentials(&s, ""), "inactive_user", "user is inactive");
    s.org.configure(|c| {
        c.auth.app.run_as = Some("ada@salt.example".to_owned());
        c.auth.logins_an_hour = 2;
    });
    assert_eq!(credentials(&s, "").0, 200);
    assert_eq!(credentials(&s, "").0, 200);
    refused(&credentials(&s, ""), "rate_limit_exceeded", "login rate exceeded");
    s.org.clock().advance(Duration::from_secs(3600));
    assert_eq!(credentials(&s, "").0, 200);
    s.org.configure(|c| c.auth.locked = true);
    refused(
        &credentials(&s, ""),
        "inactive_org",
        "organization is locked, closed, or suspended",
    );
}

#[test]
fn the_endpoint_takes_posts_and_known_grants() {
    let s = Session::sample();
    let get = s.json(s.client.get(s.url("/services/oauth2/token")));
    refused(&get, "invalid_request", "must use HTTP POST");
    refused(
        &token(&s, &[]),
        "unsupported_grant_type",
        "grant type not supported",
    );
    let device = [("grant_type", "urn:ietf:params:oauth:grant-type:device_code")];
    refused(
        &token(&s, &device),
        "unsupported_grant_type",
        "grant type not supported",
    );
}

/// A key whose public half the org's app holds, and a session on the org.
fn with_key() -> (Session, KeyPair) {
    let s = Session::sample();
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let public: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
    let pem = pem("PUBLIC KEY", public.as_ref());
    s.org.configure(|c| c.auth.app.public_key = Some(pem));
    (s, key)
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|l| std::str::from_utf8(l).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

fn sign(key: &KeyPair, header: &Value, claims: &Value) -> String {
    let part = |v: &Value| URL_SAFE_NO_PAD.encode(v.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let scheme = if header["alg"] == "RS512" {
        &RSA_PKCS1_SHA512
    } else {
        &RSA_PKCS1_SHA256
    };
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(scheme, &SystemRandom::new(), message.as_bytes(), &mut signature)
        .unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn assertion(s: &Session, key: &KeyPair, change: &Value) -> (u16, Value) {
    let mut claims = json!({"iss": CLIENT_ID, "sub": "ada@salt.example", "aud": "https://test.salesforce.com",
        "exp": s.org.clock().now().as_second() + 180});
    claims
        .as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    let signed = sign(key, &json!({"alg": "RS256"}), &claims);
    token(s, &[("grant_type", JWT), ("assertion", &signed)])
}

#[test]
fn an_assertion_of_an_approved_user_gives_a_token() {
    let (mut s, key) = with_key();
    let first = assertion(&s, &key, &json!({}));
    refused(&first, "invalid_grant", "user hasn't approved this consumer");
    s.org.approve("ada@salt.example");
    let (status, reply) = assertion(&s, &key, &json!({}));
    assert_eq!(status, 200, "{reply}");
    assert!(reply["id"].as_str().unwrap().ends_with(&s.org.ui_user()));
    assert!(reply.get("refresh_token").is_none());
    s.token = reply["access_token"].as_str().unwrap().to_owned();
    assert_eq!(s.get("/limits").0, 200);

    let text = (s.org.clock().now().as_second() + 60).to_string();
    for change in [
        json!({"exp": text}),
        json!({"aud": s.server.url()}),
        json!({"sub": "ADA@salt.example"}),
    ] {
        assert_eq!(assertion(&s, &key, &change).0, 200, "{change}");
    }
    s.org.configure(|c| c.auth.app.pre_authorised = true);
    assert_eq!(assertion(&s, &key, &json!({"sub": "halite@salt.example"})).0, 200);
}

#[test]
fn assertions_that_are_refused() {
    let (s, key) = with_key();
    s.org.configure(|c| c.auth.app.pre_authorised = true);
    let now = s.org.clock().now().as_second();
    for (change, error, description) in [
        (
            json!({"iss": "x"}),
            "invalid_client_id",
            "client identifier invalid",
        ),
        (
            json!({"aud": "https://login.salesforce.com"}),
            "invalid_grant",
            "audience is invalid",
        ),
        (
            json!({"aud": "https://evil.example"}),
            "invalid_grant",
            "audience is invalid",
        ),
        (json!({"exp": now}), "invalid_grant", "expired authorization code"),
        (
            json!({"exp": now - 500}),
            "invalid_grant",
            "expired authorization code",
        ),
        (json!({"exp": now + 3600}), "invalid_grant", "invalid assertion"),
        (json!({"exp": null}), "invalid_grant", "invalid assertion"),
        (json!({"exp": i64::MAX}), "invalid_grant", "invalid assertion"),
        (
            json!({"sub": "nobody@salt.example"}),
            "invalid_grant",
            "user hasn't approved this consumer",
        ),
        (
            json!({"sub": "gaway@salt.example"}),
            "inactive_user",
            "user is inactive",
        ),
    ] {
        refused(&assertion(&s, &key, &change), error, description);
    }
    let claims = json!({"iss": CLIENT_ID, "sub": "ada@salt.example", "aud": "https://test.salesforce.com", "exp": now + 60});
    let good = sign(&key, &json!({"alg": "RS256"}), &claims);
    let other = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let bad = [
        String::new(),
        "a.b.c".to_owned(),
        good[..good.len() - 8].to_owned(),
        good.replacen('.', "..", 1),
        sign(&other, &json!({"alg": "RS256"}), &claims),
        sign(&key, &json!({"alg": "RS512"}), &claims),
    ];
    for text in bad {
        let reply = token(&s, &[("grant_type", JWT), ("assertion", &text)]);
        refused(&reply, "invalid_grant", "invalid assertion");
    }
    s.org.configure(|c| c.auth.app.public_key = None);
    refused(
        &assertion(&s, &key, &json!({})),
        "invalid_grant",
        "invalid assertion",
    );
}

#[test]
fn the_app_may_hold_a_certificate() {
    let (s, key) = with_key();
    s.org.configure(|c| c.auth.app.pre_authorised = true);
    let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
    let own = rcgen::KeyPair::try_from(der.as_ref()).unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&own).unwrap();
    s.org
        .configure(|c| c.auth.app.public_key = Some(certificate.pem()));
    assert_eq!(assertion(&s, &key, &json!({})).0, 200);
    s.org
        .configure(|c| c.auth.app.public_key = Some("no key".to_owned()));
    refused(
        &assertion(&s, &key, &json!({})),
        "invalid_grant",
        "invalid assertion",
    );
}

#[test]
fn a_password_is_refused_in_new_orgs() {
    let s = Session::sample();
    let with = |user: &str, password: &str| {
        let form = [
            ("grant_type", "password"),
            ("client_id", CLIENT_ID),
            ("client_secret", CLIENT_SECRET),
            ("username", user),
            ("password", password),
        ];
        token(&s, &form)
    };
    let failure = ("invalid_grant", "authentication failure");
    refused(&with("ada@salt.example", PASSWORD), failure.0, failure.1);
    s.org.configure(|c| c.auth.password_grant = true);
    let (status, reply) = with("ada@salt.example", PASSWORD);
    assert_eq!(status, 200);
    assert!(reply["id"].as_str().unwrap().ends_with(&s.org.ui_user()));
    refused(&with("ada@salt.example", "wrong"), failure.0, failure.1);
    refused(&with("nobody", PASSWORD), failure.0, failure.1);
    s.org
        .configure(|c| c.auth.security_token = Some("TOKEN".to_owned()));
    refused(&with("ada@salt.example", PASSWORD), failure.0, failure.1);
    assert_eq!(with("ada@salt.example", &format!("{PASSWORD}TOKEN")).0, 200);
}
