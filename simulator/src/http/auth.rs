//! OAuth: token, revoke, userinfo and the identity URL.
//!
//! Key decision: client credentials and refresh are served, since those are the flows without a browser.
//! Errors have the shape of OAuth: one object with `error` and `error_description`.
//! Source: Help, "OAuth 2.0 Client Credentials Flow", "OAuth 2.0 Refresh Token Flow", "OAuth Errors".
//! Not here: keeping tokens (`session`).

use serde_json::{Value, json};

use super::reply::Reply;
use super::request::Request;
use crate::error::ApiError;
use crate::org::State;

/// Calls below `/services/oauth2`.
pub(crate) fn answer(state: &mut State, request: &Request, rest: &[&str]) -> Reply {
    match (request.method.as_str(), rest) {
        ("POST", ["token"]) => {
            state.called("token");
            token(state, request)
        }
        ("POST", ["revoke"]) => revoke(state, request),
        ("GET" | "POST", ["userinfo"]) => {
            let session = request.token().and_then(|t| state.sessions.user(t));
            let user = session.unwrap_or_else(|| state.api_user.clone());
            let org = state.org_id.clone();
            identity(state, request, &org, &user)
        }
        (_, ["token"]) => refuse(400, "invalid_request", "must use HTTP POST"),
        _ => Reply::error(&ApiError::not_found()),
    }
}

fn refuse(status: u16, error: &str, description: &str) -> Reply {
    Reply::json(status, &json!({"error": error, "error_description": description}))
}

fn token(state: &mut State, request: &Request) -> Reply {
    let form = request.form();
    let field = |name: &str| {
        form.iter()
            .find(|(k, _)| k == name)
            .map_or("", |(_, v)| v.as_str())
    };
    let grant = field("grant_type");
    if !matches!(grant, "client_credentials" | "refresh_token") {
        return refuse(400, "unsupported_grant_type", "grant type not supported");
    }
    if field("client_id") != state.settings.client_id {
        return refuse(400, "invalid_client_id", "client identifier invalid");
    }
    // The refresh flow may leave the secret out, never send a wrong one.
    let secret = field("client_secret");
    if secret != state.settings.client_secret && !(grant == "refresh_token" && secret.is_empty()) {
        return refuse(400, "invalid_client", "invalid client credentials");
    }
    let mut rotated = None;
    let mut user = state.api_user.clone();
    if grant == "refresh_token" {
        let old = field("refresh_token");
        match state.sessions.refreshable(old) {
            Some(owner) => user = owner,
            None => return refuse(400, "invalid_grant", "expired access/refresh token"),
        }
        if state.settings.rotate_refresh_tokens {
            state.sessions.revoke(old);
            rotated = Some(state.sessions.offline(&user));
        }
    }
    let org = state.org_id.clone();
    let access = state.sessions.open(&org, &user);
    let mut body = json!({
        "access_token": access,
        "signature": "c2ltdWxhdG9yIHNpZ25hdHVyZSBvZiBpZCBhbmQgdGltZQ=",
        "scope": "api id refresh_token",
        "instance_url": request.base,
        "id": format!("{}/id/{org}/{user}", request.base),
        "token_type": "Bearer",
        "issued_at": state.clock.now().as_millisecond().to_string(),
    });
    if let Some(refresh) = rotated {
        body["refresh_token"] = json!(refresh);
    }
    Reply::json(200, &body)
}

fn revoke(state: &mut State, request: &Request) -> Reply {
    let form = request.form();
    let token = form
        .iter()
        .find(|(k, _)| k == "token")
        .map_or("", |(_, v)| v.as_str());
    if state.sessions.revoke(token) {
        Reply::none(200)
    } else {
        refuse(400, "unsupported_token_type", "this token type is not supported")
    }
}

/// Who the token belongs to.
pub(crate) fn identity(state: &mut State, request: &Request, org: &str, user: &str) -> Reply {
    if request.token().and_then(|t| state.sessions.user(t)).is_none() {
        return Reply::text(403, "text/html;charset=UTF-8", "Bad_OAuth_Token");
    }
    let known = crate::id::normalise(user).and_then(|id| state.live(&id).cloned());
    let Some(row) = known.filter(|_| state.org_id.starts_with(org.get(..15).unwrap_or(org))) else {
        return Reply::error(&ApiError::not_found());
    };
    state.called("identity");
    let base = &request.base;
    let org15 = &state.org_id[..15];
    let modified = row
        .text("LastModifiedDate")
        .replace("+0000", "Z")
        .replace(".000", "");
    let get = |field: &str| row.values.get(field).cloned().unwrap_or(Value::Null);
    Reply::json(
        200,
        &json!({
            "sub": format!("{base}/id/{}/{}", state.org_id, row.text("Id")),
            "id": format!("{base}/id/{}/{}", state.org_id, row.text("Id")),
            "user_id": get("Id"), "organization_id": state.org_id, "username": get("Username"),
            "preferred_username": get("Username"), "nick_name": get("Alias"), "name": get("Name"),
            "display_name": get("Name"), "email": get("Email"), "email_verified": true,
            "given_name": get("FirstName"), "family_name": get("LastName"),
            "zoneinfo": get("TimeZoneSidKey"), "timezone": get("TimeZoneSidKey"), "locale": "en_GB",
            "language": get("LanguageLocaleKey"), "utcOffset": 3_600_000, "active": get("IsActive"),
            "is_app_installed": true, "user_type": "STANDARD", "last_modified_date": modified,
            "updated_at": modified,
            "urls": {
                "enterprise": format!("{base}/services/Soap/c/{{version}}/{org15}"),
                "partner": format!("{base}/services/Soap/u/{{version}}/{org15}"),
                "rest": format!("{base}/services/data/v{{version}}/"),
                "sobjects": format!("{base}/services/data/v{{version}}/sobjects/"),
                "query": format!("{base}/services/data/v{{version}}/query/"),
                "custom_domain": base,
            },
        }),
    )
}
