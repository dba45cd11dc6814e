//! OAuth: what is asked, who asks, and the shape of a refusal.
//!
//! Key decision: parameters are read from form and query alike, as the real endpoints do; every refusal is one
//! object with `error` and `error_description`, and says nothing of who signed in.
//! Source: Help, "OAuth Authorization Flows", "OAuth 2.0 Authorization Errors", "Revoke OAuth Tokens".
//! Not here: keeping tokens (`session`), settings (`org::auth`).

mod assertion;
mod authorize;
mod crypto;
mod identity;
mod password;
pub(crate) mod soap_login;
mod token;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

pub(crate) use identity::{identity, url as identity_url};

use super::reply::Reply;
use super::request::Request;
use super::session::age;
use crate::error::ApiError;
use crate::org::State;

/// Calls below `/services/oauth2`.
pub(crate) fn answer(state: &mut State, request: &Request, rest: &[&str]) -> Reply {
    let params = Params::of(request);
    let result = match (request.method.as_str(), rest) {
        ("GET" | "POST", ["authorize"]) => Ok(authorize::answer(state, request, &params)),
        ("POST", ["token"]) => {
            state.called("token");
            token::answer(state, request, &params)
        }
        (_, ["token"]) => Err(Refusal::new("invalid_request", "must use HTTP POST")),
        ("GET" | "POST", ["revoke"]) => revoke(state, &params),
        ("POST", ["introspect"]) => introspect(state, request, &params),
        ("GET" | "POST", ["userinfo"]) => Ok(identity::userinfo(state, request)),
        _ => Ok(Reply::error(&ApiError::not_found())),
    };
    result.unwrap_or_else(Reply::from)
}

/// An error in the words of OAuth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal {
    status: u16,
    pub error: &'static str,
    pub description: &'static str,
}

impl Refusal {
    pub fn new(error: &'static str, description: &'static str) -> Self {
        Self {
            status: 400,
            error,
            description,
        }
    }

    pub fn grant(description: &'static str) -> Self {
        Self::new("invalid_grant", description)
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self::json(
            refusal.status,
            &json!({"error": refusal.error, "error_description": refusal.description}),
        )
    }
}

/// Form fields and query parameters.
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    fn of(request: &Request) -> Self {
        let mut all = request.form();
        all.extend(request.query.iter().cloned());
        Self(all)
    }

    /// The value of a parameter; empty when there is none.
    pub fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(k, _)| k == name)
            .map_or("", |(_, v)| v.as_str())
    }
}

/// How much a flow asks of the consumer secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secret {
    Required,
    /// May be left out, never wrong.
    Optional,
}

/// Checks key and secret of the app, from the form or a Basic header.
pub(crate) fn client(state: &State, request: &Request, params: &Params, need: Secret) -> Result<(), Refusal> {
    let app = &state.settings.auth.app;
    let basic = request.header("authorization").and_then(basic);
    let status = if basic.is_some() { 401 } else { 400 };
    let (id, secret) = basic.unwrap_or_else(|| {
        (
            params.get("client_id").to_owned(),
            params.get("client_secret").to_owned(),
        )
    });
    let refuse = |error, description| {
        Err(Refusal {
            status,
            error,
            description,
        })
    };
    if id != app.client_id {
        return refuse("invalid_client_id", "client identifier invalid");
    }
    let left_out = secret.is_empty() && need == Secret::Optional;
    if secret != app.client_secret && !left_out {
        return refuse("invalid_client", "invalid client credentials");
    }
    Ok(())
}

/// Key and secret of a Basic header.
fn basic(header: &str) -> Option<(String, String)> {
    let text = STANDARD.decode(header.strip_prefix("Basic ")?.trim()).ok()?;
    let (id, secret) = std::str::from_utf8(&text).ok()?.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// The app may be used by somebody who has not used it before.
pub(crate) fn installed(state: &State) -> Result<(), Refusal> {
    if state.settings.auth.app.installed {
        return Ok(());
    }
    Err(Refusal::new("invalid_client", "app must be installed into org"))
}

/// Whether a user could sign in: neither they nor the org are locked out.
pub(crate) fn welcome(state: &State, user: &str) -> Result<(), Refusal> {
    if state.settings.auth.locked {
        let text = "organization is locked, closed, or suspended";
        return Err(Refusal::new("inactive_org", text));
    }
    if !state.user_is_active(user) {
        return Err(Refusal::new("inactive_user", "user is inactive"));
    }
    Ok(())
}

/// Whether a user may sign in now; counts as a sign-in if so.
pub(crate) fn admit(state: &mut State, user: &str) -> Result<(), Refusal> {
    welcome(state, user)?;
    let (now, most) = (state.now_ms(), state.settings.auth.logins_an_hour);
    if !state.sessions.may_sign_in(user, now, most) {
        return Err(Refusal::new("rate_limit_exceeded", "login rate exceeded"));
    }
    Ok(())
}

fn revoke(state: &mut State, params: &Params) -> Result<Reply, Refusal> {
    let token = params.get("token");
    if state.sessions.revoke(token) {
        Ok(Reply::none(200))
    } else if token.starts_with("5Aep") || token.contains('!') {
        Err(Refusal::new("invalid_token", "invalid token"))
    } else {
        Err(Refusal::new(
            "unsupported_token_type",
            "this token type is not supported",
        ))
    }
}

/// What is known of a token, to the app that got it.
fn introspect(state: &mut State, request: &Request, params: &Params) -> Result<Reply, Refusal> {
    client(state, request, params, Secret::Required)?;
    let token = params.get("token");
    let app = state.settings.auth.app.client_id.clone();
    let about = |state: &State, user: &str, scopes: &str, kind: &str| {
        json!({"active": true, "scope": scopes, "client_id": app, "token_type": kind,
            "username": state.live(user).map(|row| row.text("Username")),
            "sub": identity::url(state, request, user)})
    };
    if let Some(offline) = state.sessions.refreshable(token) {
        let body = about(state, &offline.user, &offline.scopes, "refresh_token");
        return Ok(Reply::json(200, &body));
    }
    let Some(session) = state.session(token) else {
        return Ok(Reply::json(200, &json!({"active": false})));
    };
    let mut body = about(state, &session.user, &session.scopes, "access_token");
    let (opened, now) = (session.opened / 1000, state.now_ms());
    let left = state
        .settings
        .auth
        .session_timeout
        .saturating_sub(age(session.active, now));
    body["iat"] = json!(opened);
    body["nbf"] = json!(opened);
    body["exp"] = json!((now / 1000).saturating_add_unsigned(left.as_secs()));
    Ok(Reply::json(200, &body))
}
