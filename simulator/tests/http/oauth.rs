//! The web server flow, from the page to the token, and what is refused on the way.
//!
//! Key decision: the client follows no redirect, since the redirect is the answer; codes are read out of it.
//! Not here: the other grants (`grants`), what tokens are good for (`sessions`).

use std::time::Duration;

use halite_simulator::{CLIENT_ID, CLIENT_SECRET, Consent};
use reqwest::Url;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::redirect::Policy;
use serde_json::{Value, json};

use crate::support::Session;

const BACK: &str = "http://localhost:1717/OauthRedirect";
/// The example of RFC 7636.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Posts a form to the token endpoint.
pub fn token(s: &Session, form: &[(&str, &str)]) -> (u16, Value) {
    let post = s.client.post(s.url("/services/oauth2/token"));
    s.json(post.form(form))
}

/// Asserts on the error of a refusal and its description.
#[track_caller]
pub fn refused(reply: &(u16, Value), error: &str, description: &str) {
    assert_eq!(
        *reply,
        (400, json!({"error": error, "error_description": description}))
    );
}

fn authorize(s: &Session, more: &[(&str, &str)]) -> RequestBuilder {
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let mut all = vec![
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", BACK),
    ];
    all.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    all.extend(more);
    client.get(s.url("/services/oauth2/authorize")).query(&all)
}

/// Parameters of the redirect.
#[track_caller]
fn redirected(reply: &Response) -> Vec<(String, String)> {
    assert_eq!(reply.status(), 302);
    let to = Url::parse(reply.headers()["location"].to_str().unwrap()).unwrap();
    assert_eq!(to.as_str().split('?').next(), Some(BACK));
    to.query_pairs().into_owned().collect()
}

fn code(s: &Session, more: &[(&str, &str)]) -> String {
    let reply = authorize(s, more).send().unwrap();
    let (name, value) = redirected(&reply).swap_remove(0);
    assert_eq!(name, "code", "{value}");
    value
}

fn exchange(s: &Session, code: &str, more: &[(&str, &str)]) -> (u16, Value) {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
        ("redirect_uri", BACK),
    ];
    form.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    form.extend(more);
    token(s, &form)
}

fn consenting() -> Session {
    let s = Session::sample();
    s.org.configure(|c| c.auth.consent = Consent::Allow);
    s
}

#[test]
fn a_user_presses_allow_and_the_app_gets_a_token() {
    let mut s = Session::sample();
    let page = authorize(&s, &[("state", "a b&c"), ("scope", "api refresh_token")])
        .send()
        .unwrap();
    assert_eq!(page.status(), 200);
    assert!(
        page.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/html")
    );
    let page = page.text().unwrap();
    assert!(page.contains("<option>ada@salt.example</option>"), "{page}");
    assert!(
        !page.contains("gaway@salt.example"),
        "an inactive user cannot sign in"
    );
    assert!(page.contains("name=\"state\" value=\"a b&amp;c\""), "{page}");

    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let pressed = client.post(s.url("/services/oauth2/authorize")).form(&[
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", BACK),
        ("state", "a b&c"),
        ("scope", "api refresh_token"),
        ("user", "ada@salt.example"),
        ("decision", "allow"),
    ]);
    let answer = redirected(&pressed.send().unwrap());
    assert_eq!(answer[1], ("state".to_owned(), "a b&c".to_owned()));
    let (status, reply) = exchange(&s, &answer[0].1, &[]);
    assert_eq!(status, 200, "{reply}");
    assert_eq!(reply["scope"], json!("api refresh_token"));
    assert_eq!(reply["token_type"], json!("Bearer"));
    assert!(reply["refresh_token"].is_string() && reply.get("expires_in").is_none());
    assert!(reply["id"].as_str().unwrap().ends_with(&s.org.ui_user()));
    s.token = reply["access_token"].as_str().unwrap().to_owned();
    assert_eq!(s.get("/limits").0, 200);
}

#[test]
fn the_signature_is_that_of_id_and_time() {
    let s = consenting();
    let (_, reply) = exchange(&s, &code(&s, &[]), &[]);
    let text = [&reply["id"], &reply["issued_at"]]
        .map(|v| v.as_str().unwrap())
        .concat();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, CLIENT_SECRET.as_bytes());
    let signature = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        reply["signature"].as_str().unwrap(),
    );
    aws_lc_rs::hmac::verify(&key, text.as_bytes(), &signature.unwrap()).unwrap();
}

#[test]
fn a_denial_is_a_redirect() {
    let s = Session::sample();
    let denial = [
        ("error", "access_denied"),
        ("error_description", "end-user denied authorization"),
        ("state", "x"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()));
    let pressed = authorize(&s, &[("state", "x"), ("decision", "deny")])
        .send()
        .unwrap();
    assert_eq!(redirected(&pressed), denial);
    s.org.configure(|c| c.auth.consent = Consent::Deny);
    assert_eq!(
        redirected(&authorize(&s, &[("state", "x")]).send().unwrap()),
        denial
    );
}

#[test]
fn what_the_redirect_tells() {
    let s = consenting();
    for (more, error, description) in [
        (
            ("response_type", "token"),
            "unsupported_response_type",
            "response type not supported",
        ),
        (
            ("scope", "api nonsense"),
            "invalid_scope",
            "requested scope is invalid, unknown, or malformed",
        ),
        (
            ("code_challenge", "short"),
            "invalid_request",
            "invalid code challenge",
        ),
        (
            ("prompt", "none"),
            "immediate_unsuccessful",
            "immediate unsuccessful",
        ),
        (
            ("login_hint", "gaway@salt.example"),
            "inactive_user",
            "user is inactive",
        ),
    ] {
        let answer = redirected(&authorize(&s, &[more]).send().unwrap());
        assert_eq!(answer[0].1, error, "{more:?}");
        assert_eq!(answer[1].1, description, "{more:?}");
    }
    s.org.configure(|c| c.auth.app.require_pkce = true);
    let answer = redirected(&authorize(&s, &[]).send().unwrap());
    assert_eq!(answer[1].1, "missing required code challenge");
    let plain = [("code_challenge", CHALLENGE), ("code_challenge_method", "plain")];
    assert_eq!(
        redirected(&authorize(&s, &plain).send().unwrap())[0].1,
        "invalid_request"
    );
    code(&s, &[("code_challenge", CHALLENGE)]);
}

#[test]
fn where_app_or_address_are_in_doubt_nothing_is_redirected() {
    let s = consenting();
    let told = |more: &[(&str, &str)]| {
        let reply = authorize(&s, more).send().unwrap();
        (reply.status().as_u16(), reply.text().unwrap())
    };
    let error = |text: &str| (400, format!("error={text}"));
    assert_eq!(
        told(&[("client_id", "x")]),
        error("invalid_client_id&error_description=client%20identifier%20invalid")
    );
    assert_eq!(
        told(&[("redirect_uri", "")]),
        error("redirect_uri_missing&error_description=redirect_uri%20not%20provided")
    );
    assert_eq!(
        told(&[("redirect_uri", "http://localhost:1718/OauthRedirect")]),
        error("redirect_uri_mismatch&error_description=redirect_uri%20must%20match%20configuration")
    );
    s.org.configure(|c| c.auth.app.installed = false);
    assert_eq!(
        told(&[]),
        error("invalid_client&error_description=app%20must%20be%20installed%20into%20org")
    );
}

#[test]
fn a_code_works_once_and_for_a_quarter_of_an_hour() {
    let s = consenting();
    let once = code(&s, &[]);
    assert_eq!(exchange(&s, &once, &[]).0, 200);
    refused(
        &exchange(&s, &once, &[]),
        "invalid_grant",
        "expired authorization code",
    );
    let late = code(&s, &[]);
    s.org.clock().advance(Duration::from_secs(15 * 60));
    refused(
        &exchange(&s, &late, &[]),
        "invalid_grant",
        "expired authorization code",
    );
    let timely = code(&s, &[]);
    s.org.clock().advance(Duration::from_secs(15 * 60 - 1));
    assert_eq!(exchange(&s, &timely, &[]).0, 200);
    refused(
        &exchange(&s, "made up", &[]),
        "invalid_grant",
        "invalid authorization code",
    );
    let elsewhere = [(
        "redirect_uri",
        "https://login.salesforce.com/services/oauth2/success",
    )];
    let reply = exchange(&s, &code(&s, &[]), &elsewhere);
    refused(
        &reply,
        "redirect_uri_mismatch",
        "redirect_uri must match configuration",
    );
}

/// The challenge of a verifier.
fn hash(verifier: &str) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, hash)
}

#[test]
fn the_verifier_must_be_that_of_the_challenge() {
    let s = consenting();
    let with = |challenge: &str, verifier: &str| {
        let code = code(
            &s,
            &[("code_challenge", challenge), ("code_challenge_method", "S256")],
        );
        exchange(&s, &code, &[("code_verifier", verifier)])
    };
    assert_eq!(with(CHALLENGE, VERIFIER).0, 200);
    refused(&with(CHALLENGE, ""), "invalid_grant", "invalid code verifier");
    refused(
        &with(CHALLENGE, &"x".repeat(43)),
        "invalid_grant",
        "invalid code verifier",
    );
    // 128 random bytes in base64url, as Help says; then of the right hash, but too long, or with a sign that the
    // endpoint does not take.
    assert_eq!(with(&hash(&"x".repeat(171)), &"x".repeat(171)).0, 200);
    for wrong in ["x".repeat(172), "x".repeat(42), "~".repeat(43)] {
        refused(
            &with(&hash(&wrong), &wrong),
            "invalid_grant",
            "invalid code verifier",
        );
    }
    s.org.configure(|c| c.auth.mismatch_is_grant = false);
    refused(
        &with(CHALLENGE, &"x".repeat(43)),
        "invalid_request",
        "invalid code verifier",
    );
    refused(&with(CHALLENGE, ""), "invalid_grant", "invalid code verifier");
}

#[test]
fn the_secret_is_optional_where_the_app_says_so() {
    let s = consenting();
    let wrong = [("client_secret", "wrong")];
    let none = [("client_secret", "")];
    refused(
        &exchange(&s, &code(&s, &[]), &none),
        "invalid_client",
        "invalid client credentials",
    );
    s.org.configure(|c| c.auth.app.require_secret = false);
    assert_eq!(exchange(&s, &code(&s, &[]), &none).0, 200);
    refused(
        &exchange(&s, &code(&s, &[]), &wrong),
        "invalid_client",
        "invalid client credentials",
    );
}

#[test]
fn scopes_decide_over_refresh_and_rest() {
    let mut s = consenting();
    let (_, reply) = exchange(&s, &code(&s, &[("scope", "id")]), &[]);
    assert!(reply.get("refresh_token").is_none(), "{reply}");
    let id = reply["id"].as_str().unwrap().to_owned();
    s.token = reply["access_token"].as_str().unwrap().to_owned();
    assert_eq!(s.json(s.client.get(id).bearer_auth(&s.token)).0, 200);
    let (status, refusal) = s.get("/limits");
    assert_eq!(status, 401);
    assert_eq!(
        refusal,
        json!([{"message": "This session is not valid for use with the REST API", "errorCode": "INVALID_SESSION_ID"}])
    );
    let (_, reply) = exchange(&s, &code(&s, &[("scope", "api offline_access")]), &[]);
    assert!(reply["refresh_token"].is_string(), "{reply}");
}

#[test]
fn consent_and_exchange_are_one_sign_in() {
    let s = consenting();
    s.org.configure(|c| c.auth.logins_an_hour = 1);
    assert_eq!(exchange(&s, &code(&s, &[]), &[]).0, 200);
    refused(
        &exchange(&s, &code(&s, &[]), &[]),
        "rate_limit_exceeded",
        "login rate exceeded",
    );
}

#[test]
fn a_consent_is_remembered() {
    let s = consenting();
    code(&s, &[("login_hint", "ada@salt.example")]);
    s.org.configure(|c| c.auth.consent = Consent::Ask);
    code(&s, &[("login_hint", "ada@salt.example"), ("prompt", "none")]);
    let other = authorize(&s, &[("prompt", "none")]).send().unwrap();
    assert_eq!(redirected(&other)[0].1, "immediate_unsuccessful");
}

#[test]
fn users_of_a_sandbox_are_unknown_at_the_login_host_of_production() {
    let s = consenting();
    let at = |host: &str| authorize(&s, &[]).header("host", host).send().unwrap();
    let page = at("login.salesforce.com");
    assert_eq!(page.status(), 200);
    assert!(!page.text().unwrap().contains("<option>"));
    let here = redirected(&at("test.salesforce.com"));
    assert_eq!(here[0].0, "code");
}
