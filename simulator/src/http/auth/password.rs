//! User name and password: the old way in, for the OAuth password grant and for SOAP `login`.
//!
//! Key decision: all users share one password, a setting. The security token follows it where the org asks
//! for one; without it the refusal is another than for a wrong password in SOAP, and the same in OAuth.
//! Source: Help, "OAuth 2.0 Username-Password Flow", "Reset Your Security Token".
//! Not here: passwords that expire, multi-factor authentication.

use super::token::{Granted, at_home};
use super::{Params, Refusal, Secret, admit, client, installed};
use crate::http::host::Host;
use crate::http::request::Request;
use crate::org::State;

/// Why a password does not let its user in.
pub(super) enum Wrong {
    Password,
    SecurityToken,
}

/// The user whom name and password let in at this host.
pub(super) fn check(state: &State, request: &Request, name: &str, password: &str) -> Result<String, Wrong> {
    let here = Host::of(&request.base).knows(state);
    let user = state.user_called(name).filter(|_| here).ok_or(Wrong::Password)?;
    let auth = &state.settings.auth;
    let rest = password
        .strip_prefix(auth.password.as_str())
        .ok_or(Wrong::Password)?;
    match (rest, auth.security_token.as_deref()) {
        ("", None) => Ok(user),
        (rest, Some(token)) if rest == token => Ok(user),
        ("", Some(_)) => Err(Wrong::SecurityToken),
        _ => Err(Wrong::Password),
    }
}

/// The OAuth username-password flow.
pub(super) fn grant(state: &mut State, request: &Request, params: &Params) -> Result<Granted, Refusal> {
    client(state, request, params, Secret::Required)?;
    at_home(state, request)?;
    installed(state)?;
    let failure = Refusal::grant("authentication failure");
    if !state.settings.auth.password_grant {
        return Err(failure);
    }
    let user = check(state, request, params.get("username"), params.get("password")).map_err(|_| failure)?;
    admit(state, &user)?;
    Ok(Granted::online(state, user))
}
