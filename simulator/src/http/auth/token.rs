//! The token endpoint: a grant becomes an access token.
//!
//! Key decision: every flow ends in one `Granted`, and one place makes the reply of it, so that all replies
//! have the same shape. There is no `expires_in`; a refresh token comes only where the flow makes one.
//! Source: Help, "OAuth 2.0 Web Server Flow", "Refresh Token Flow", "Client Credentials Flow".
//! Not here: the page that gives out codes (`authorize`), assertions (`assertion`), passwords (`password`).

use serde_json::json;

use super::{Params, Refusal, Secret, admit, assertion, client, crypto, identity, installed, password};
use crate::http::host::{self, Host};
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::session::{age, has_scope};
use crate::org::State;

/// Scopes that ask for a refresh token.
pub(super) const OFFLINE: [&str; 2] = ["refresh_token", "offline_access"];

/// Longest PKCE verifier: 128 random bytes in base64url, as Help asks for (RFC 7636 ends at 128 signs).
const VERIFIER: usize = 171;

/// Who gets a token.
pub(super) struct Granted {
    pub user: String,
    pub scopes: String,
    /// A refresh token to hand out, and the grant the access token is of.
    pub refresh: Option<String>,
    pub grant: Option<u64>,
}

impl Granted {
    /// An access token alone, with the app's scopes but the offline ones.
    pub fn online(state: &State, user: String) -> Self {
        let scopes = state.settings.auth.app.scopes.iter().map(String::as_str);
        let scopes: Vec<&str> = scopes.filter(|s| !OFFLINE.contains(s)).collect();
        Self {
            user,
            scopes: scopes.join(" "),
            refresh: None,
            grant: None,
        }
    }
}

/// `POST /services/oauth2/token`
pub(super) fn answer(state: &mut State, request: &Request, params: &Params) -> Result<Reply, Refusal> {
    let granted = match params.get("grant_type") {
        "authorization_code" => code(state, request, params),
        "refresh_token" => refresh(state, request, params),
        "client_credentials" => credentials(state, request, params),
        "password" => password::grant(state, request, params),
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => assertion::grant(state, request, params),
        _ => Err(Refusal::new("unsupported_grant_type", "grant type not supported")),
    }?;
    let id = identity::url(state, request, &granted.user);
    let issued_at = state.now_ms().to_string();
    let secret = &state.settings.auth.app.client_secret;
    let mut body = json!({
        "signature": crypto::hmac(secret, &format!("{id}{issued_at}")),
        "scope": granted.scopes,
        "instance_url": host::instance_url(state, request),
        "id": id,
        "token_type": "Bearer",
        "issued_at": issued_at,
        "access_token": state.open_session(&granted.user, &granted.scopes, granted.grant),
    });
    if let Some(refresh) = granted.refresh {
        body["refresh_token"] = json!(refresh);
    }
    Ok(Reply::json(200, &body).with("Cache-Control", "no-cache,no-store".to_owned()))
}

/// The host has to be one where the org's users sign in.
pub(super) fn at_home(state: &State, request: &Request) -> Result<(), Refusal> {
    if Host::of(&request.base).knows(state) {
        return Ok(());
    }
    Err(Refusal::grant("authentication failure"))
}

fn code(state: &mut State, request: &Request, params: &Params) -> Result<Granted, Refusal> {
    let need = if state.settings.auth.app.require_secret {
        Secret::Required
    } else {
        Secret::Optional
    };
    client(state, request, params, need)?;
    at_home(state, request)?;
    let code = match state.sessions.redeem(params.get("code")) {
        None => return Err(Refusal::grant("invalid authorization code")),
        Some(code) => code.filter(|c| age(c.born, state.now_ms()) < state.settings.auth.code_life),
    };
    let code = code.ok_or(Refusal::grant("expired authorization code"))?;
    if params.get("redirect_uri") != code.redirect_uri {
        let text = "redirect_uri must match configuration";
        return Err(Refusal::new("redirect_uri_mismatch", text));
    }
    if let Some(challenge) = &code.challenge {
        verify(state, challenge, params.get("code_verifier"))?;
    }
    admit(state, &code.user)?;
    let offline =
        has_scope(&code.scopes, &OFFLINE).then(|| state.sessions.offline(&code.user, &code.scopes, None));
    let (refresh, grant) = offline.unzip();
    Ok(Granted {
        user: code.user,
        scopes: code.scopes,
        refresh,
        grant,
    })
}

/// Compares a PKCE verifier with its challenge.
fn verify(state: &State, challenge: &str, verifier: &str) -> Result<(), Refusal> {
    let text = "invalid code verifier";
    if verifier.is_empty() {
        return Err(Refusal::grant(text));
    }
    let sign = |c: u8| c.is_ascii_alphanumeric() || b"-._".contains(&c);
    let whole = (43..=VERIFIER).contains(&verifier.len()) && verifier.bytes().all(sign);
    if whole && crypto::challenge(verifier) == challenge {
        return Ok(());
    }
    if state.settings.auth.mismatch_is_grant {
        Err(Refusal::grant(text))
    } else {
        Err(Refusal::new("invalid_request", text))
    }
}

fn refresh(state: &mut State, request: &Request, params: &Params) -> Result<Granted, Refusal> {
    let app = &state.settings.auth.app;
    let rotate = app.rotate_refresh_tokens;
    let need = if app.require_refresh_secret {
        Secret::Required
    } else {
        Secret::Optional
    };
    client(state, request, params, need)?;
    at_home(state, request)?;
    let old = params.get("refresh_token");
    let offline = state.sessions.refreshable(old).cloned();
    let offline = offline.ok_or(Refusal::grant("expired access/refresh token"))?;
    admit(state, &offline.user)?;
    let new = rotate.then(|| {
        state.sessions.rotate_away(old);
        let (user, scopes) = (&offline.user, &offline.scopes);
        state.sessions.offline(user, scopes, Some(offline.grant)).0
    });
    Ok(Granted {
        user: offline.user,
        scopes: offline.scopes,
        refresh: new,
        grant: Some(offline.grant),
    })
}

fn credentials(state: &mut State, request: &Request, params: &Params) -> Result<Granted, Refusal> {
    if Host::of(&request.base).is_login() {
        return Err(Refusal::grant("request not supported on this domain"));
    }
    client(state, request, params, Secret::Required)?;
    installed(state)?;
    let run_as = state.settings.auth.app.run_as.clone();
    let user = run_as
        .and_then(|name| state.user_called(&name))
        .ok_or(Refusal::grant("no client credentials user enabled"))?;
    admit(state, &user)?;
    Ok(Granted::online(state, user))
}
