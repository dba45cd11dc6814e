//! The authorize page: a user lets the app in, and the app gets a code.
//!
//! Key decision: while app or redirect are in doubt the answer is an error page, afterwards every answer is a
//! redirect. The page is a form of plain HTML that posts to its own address, so that a test presses its
//! buttons with one request; a setting answers in the user's place.
//! Source: Help, "OAuth 2.0 Web Server Flow", "OAuth 2.0 Authorization Errors".
//! Not here: a sign-in form: whoever is chosen is believed.

use quick_xml::escape::escape;
use url::Url;

use super::token::OFFLINE;
use super::{Params, Refusal, crypto, installed, welcome};
use crate::http::host::Host;
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::session::{Code, has_scope};
use crate::org::{Consent, State};

const HTML: &str = "text/html;charset=UTF-8";

/// `GET` and `POST /services/oauth2/authorize`
pub(super) fn answer(state: &mut State, request: &Request, params: &Params) -> Reply {
    state.called("authorize");
    let redirect = match redirect(state, params) {
        Ok(redirect) => redirect,
        Err(refusal) => return error_page(refusal),
    };
    match decide(state, request, params) {
        Ok(Some(code)) => send(redirect, params, &[("code", &code)]),
        Ok(None) => page(state, request, params),
        Err(no) => {
            let fields = [("error", no.error), ("error_description", no.description)];
            send(redirect, params, &fields)
        }
    }
}

/// Where the answer goes, once app and address are known good.
fn redirect(state: &State, params: &Params) -> Result<Url, Refusal> {
    let app = &state.settings.auth.app;
    if params.get("client_id") != app.client_id {
        return Err(Refusal::new("invalid_client_id", "client identifier invalid"));
    }
    let wanted = params.get("redirect_uri");
    if wanted.is_empty() {
        return Err(Refusal::new("redirect_uri_missing", "redirect_uri not provided"));
    }
    installed(state)?;
    let known = app.redirect_uris.iter().any(|uri| uri == wanted);
    Url::parse(wanted).ok().filter(|_| known).ok_or(Refusal::new(
        "redirect_uri_mismatch",
        "redirect_uri must match configuration",
    ))
}

/// A code, nothing while the user has not decided, or the error to redirect with.
fn decide(state: &mut State, request: &Request, params: &Params) -> Result<Option<String>, Refusal> {
    if params.get("response_type") != "code" {
        let text = "response type not supported";
        return Err(Refusal::new("unsupported_response_type", text));
    }
    let scopes = scopes(state, params.get("scope"))?;
    let challenge = challenge(state, params)?;
    let denied = Refusal::new("access_denied", "end-user denied authorization");
    let hint = user(state, request, params.get("login_hint"));
    let chosen = match (params.get("decision"), state.settings.auth.consent) {
        ("deny", _) | ("", Consent::Deny) => return Err(denied),
        ("allow", _) => user(state, request, params.get("user")),
        _ if params.get("prompt") == "none" => {
            let me = hint.or_else(|| host_user(state, request));
            let agreed = me.filter(|me| state.sessions.has_approved(me));
            let not_now = Refusal::new("immediate_unsuccessful", "immediate unsuccessful");
            Some(agreed.ok_or(not_now)?)
        }
        (_, Consent::Allow) => hint.or_else(|| host_user(state, request)),
        _ => None,
    };
    let Some(user) = chosen else { return Ok(None) };
    welcome(state, &user)?;
    if has_scope(&scopes, &OFFLINE) {
        state.sessions.approve(&user);
    }
    let code = Code {
        user,
        scopes,
        redirect_uri: params.get("redirect_uri").to_owned(),
        challenge,
        born: state.now_ms(),
    };
    Ok(Some(state.sessions.code(code)))
}

/// The scopes asked for, or all of the app's.
fn scopes(state: &State, asked: &str) -> Result<String, Refusal> {
    let own = &state.settings.auth.app.scopes;
    let offline = own.iter().any(|s| OFFLINE.contains(&s.as_str()));
    let known = |s: &str| own.iter().any(|o| o == s) || (offline && OFFLINE.contains(&s));
    let asked: Vec<&str> = asked.split_whitespace().collect();
    if asked.is_empty() {
        Ok(own.join(" "))
    } else if asked.iter().all(|s| known(s)) {
        Ok(asked.join(" "))
    } else {
        let text = "requested scope is invalid, unknown, or malformed";
        Err(Refusal::new("invalid_scope", text))
    }
}

fn challenge(state: &State, params: &Params) -> Result<Option<String>, Refusal> {
    let text = params.get("code_challenge");
    if text.is_empty() {
        let required = state.settings.auth.app.require_pkce;
        let missing = Refusal::new("invalid_request", "missing required code challenge");
        return if required { Err(missing) } else { Ok(None) };
    }
    let method = params.get("code_challenge_method");
    let hash = crypto::base64url(text).is_some_and(|bytes| bytes.len() == 32);
    if !hash || !matches!(method, "" | "S256") {
        return Err(Refusal::new("invalid_request", "invalid code challenge"));
    }
    Ok(Some(text.trim_end_matches('=').to_owned()))
}

/// The user of that name, if users of this org sign in at this host.
fn user(state: &State, request: &Request, name: &str) -> Option<String> {
    let here = Host::of(&request.base).knows(state);
    state.user_called(name).filter(|_| here)
}

/// Who signs in where nobody is named: the API user.
fn host_user(state: &State, request: &Request) -> Option<String> {
    user(state, request, &state.api_user)
}

fn send(mut to: Url, params: &Params, fields: &[(&str, &str)]) -> Reply {
    to.query_pairs_mut().extend_pairs(fields);
    if !params.get("state").is_empty() {
        to.query_pairs_mut().append_pair("state", params.get("state"));
    }
    Reply::none(302).with("Location", to.into())
}

fn error_page(refusal: Refusal) -> Reply {
    let description = refusal.description.replace(' ', "%20");
    let text = format!("error={}&error_description={description}", refusal.error);
    Reply::text(400, HTML, text)
}

fn page(state: &State, request: &Request, params: &Params) -> Reply {
    let here = Host::of(&request.base).knows(state);
    let hint = params.get("login_hint");
    let options: String = state
        .rows("User")
        .filter(|(id, _)| here && state.user_is_active(id))
        .map(|(_, row)| {
            let name = row.text("Username");
            let chosen = if name == hint { " selected" } else { "" };
            format!("<option{chosen}>{}</option>", escape(name))
        })
        .collect();
    let hidden: String = params
        .0
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "decision" | "user"))
        .map(|(name, value)| {
            format!(
                "<input type=\"hidden\" name=\"{}\" value=\"{}\">",
                escape(name),
                escape(value)
            )
        })
        .collect();
    let missed = if params.get("decision") == "allow" {
        "<p>Please check your username and password.</p>"
    } else {
        ""
    };
    Reply::text(
        200,
        HTML,
        format!(
            "<!DOCTYPE html><html><head><title>Allow Access?</title></head><body><h1>Allow Access?</h1>{missed}<form method=\"post\" action=\"/services/oauth2/authorize\">{hidden}<select name=\"user\">{options}</select><button name=\"decision\" value=\"allow\">Allow</button><button name=\"decision\" value=\"deny\">Deny</button></form></body></html>"
        ),
    )
}
