//! JWT bearer: an assertion signed by the app stands for a user who has approved it.
//!
//! Key decision: checked in the order of form, app, signature, audience, time, user, so that a refusal never
//! says more than the asker has shown to know. `exp` may be a number or the text of one, since clients send
//! both.
//! Source: Help, "OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration"; RFC 7523.
//! Not here: SAML assertions.

use serde_json::Value;

use super::token::{Granted, at_home};
use super::{Params, Refusal, admit, crypto, installed};
use crate::http::host::{Host, instance_url};
use crate::http::request::Request;
use crate::http::session::age;
use crate::org::State;

pub(super) fn grant(state: &mut State, request: &Request, params: &Params) -> Result<Granted, Refusal> {
    let claims = claims(state, params.get("assertion"))?;
    installed(state)?;
    if !audience(state, request, text(&claims, "aud")) {
        return Err(Refusal::grant("audience is invalid"));
    }
    in_time(state, &claims)?;
    at_home(state, request)?;
    let approved =
        |user: &String| state.settings.auth.app.pre_authorised || state.sessions.has_approved(user);
    let user = state
        .user_called(text(&claims, "sub"))
        .filter(approved)
        .ok_or(Refusal::grant("user hasn't approved this consumer"))?;
    admit(state, &user)?;
    Ok(Granted::online(state, user))
}

fn text<'a>(claims: &'a Value, name: &str) -> &'a str {
    claims[name].as_str().unwrap_or_default()
}

/// The claims of an assertion that the app has signed.
fn claims(state: &State, assertion: &str) -> Result<Value, Refusal> {
    let invalid = Refusal::grant("invalid assertion");
    let json = |part: &str| -> Option<Value> { serde_json::from_slice(&crypto::base64url(part)?).ok() };
    let (message, signature) = assertion.rsplit_once('.').ok_or(invalid)?;
    let (header, payload) = message.split_once('.').ok_or(invalid)?;
    let header = json(header).ok_or(invalid)?;
    let claims = json(payload).ok_or(invalid)?;
    let app = &state.settings.auth.app;
    if text(&claims, "iss") != app.client_id {
        return Err(Refusal::new("invalid_client_id", "client identifier invalid"));
    }
    let signature = crypto::base64url(signature).ok_or(invalid)?;
    let key = app.public_key.as_deref().ok_or(invalid)?;
    if text(&header, "alg") != "RS256" || !crypto::verifies(key, message, &signature) {
        return Err(invalid);
    }
    Ok(claims)
}

/// Whether the audience is the login host of the org's kind, or its My Domain.
fn audience(state: &State, request: &Request, aud: &str) -> bool {
    let aud = aud.trim_end_matches('/');
    match Host::of(aud) {
        login @ Host::Login { .. } => login.knows(state),
        Host::MyDomain => [&request.base, &instance_url(state, request)]
            .iter()
            .any(|own| *own == aud),
    }
}

fn in_time(state: &State, claims: &Value) -> Result<(), Refusal> {
    let exp = match &claims["exp"] {
        Value::Number(n) => n.as_i64(),
        Value::String(s) => s.parse().ok(),
        _ => None,
    };
    let exp: i64 = exp.ok_or(Refusal::grant("invalid assertion"))?;
    let left = age(state.now_ms(), exp.saturating_mul(1000));
    if left.is_zero() {
        Err(Refusal::grant("expired authorization code"))
    } else if left > state.settings.auth.assertion_window {
        Err(Refusal::grant("invalid assertion"))
    } else {
        Ok(())
    }
}
