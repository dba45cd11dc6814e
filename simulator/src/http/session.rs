//! Sessions: access tokens, refresh tokens, codes, and who has approved the app.
//!
//! Key decision: tokens are opaque texts in the look of the real ones, numbered. A consent with offline access
//! is a numbered grant that its refresh and access tokens bear, so that revoking one can end them all. The
//! timeout slides only when a session is used after half of it has passed.
//! Source: Help, "OAuth Tokens and Scopes", "Modify Session Security Settings" (the half of the timeout).
//! Not here: the token endpoint (`auth`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::request::Request;
use crate::error::ApiError;
use crate::id::{base62, mix, normalise};
use crate::org::State;

/// What an access token stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    pub user: String,
    /// Scopes with spaces between.
    pub scopes: String,
    /// When it was opened, and when its timeout last began, in milliseconds of the epoch.
    pub opened: i64,
    pub active: i64,
    grant: Option<u64>,
}

/// What a refresh token stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Offline {
    pub user: String,
    pub scopes: String,
    pub grant: u64,
}

/// What an authorization code stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Code {
    pub user: String,
    pub scopes: String,
    pub redirect_uri: String,
    pub challenge: Option<String>,
    pub born: i64,
}

/// All tokens of an org.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sessions {
    access: BTreeMap<String, Session>,
    refresh: BTreeMap<String, Offline>,
    /// Codes given out; a used one stays, without its meaning.
    codes: BTreeMap<String, Option<Code>>,
    approved: BTreeSet<String>,
    /// Sign-ins of each user within the last hour.
    logins: BTreeMap<String, Vec<i64>>,
    made: u64,
}

/// Whether scopes with spaces between hold one of these.
pub(crate) fn has_scope(scopes: &str, wanted: &[&str]) -> bool {
    scopes.split(' ').any(|s| wanted.contains(&s))
}

impl Sessions {
    fn text(&mut self) -> String {
        self.made += 1;
        let n = self.made.to_string();
        format!("{}{}", base62(mix(7, &n), 11), base62(mix(11, &n), 11))
    }

    /// Tokens given out so far, which is what they are numbered by.
    pub fn made(&self) -> u64 {
        self.made
    }

    /// A new refresh token of a user, and its grant: the one given, or a new one.
    pub fn offline(&mut self, user: &str, scopes: &str, grant: Option<u64>) -> (String, u64) {
        let token = format!("5Aep861.{}", self.text());
        let grant = grant.unwrap_or(self.made);
        let offline = Offline {
            user: user.to_owned(),
            scopes: scopes.to_owned(),
            grant,
        };
        self.refresh.insert(token.clone(), offline);
        (token, grant)
    }

    /// What a refresh token stands for while it is valid.
    pub fn refreshable(&self, token: &str) -> Option<&Offline> {
        self.refresh.get(token)
    }

    /// Takes one refresh token out of use; its access tokens live on.
    pub fn rotate_away(&mut self, token: &str) {
        self.refresh.remove(token);
    }

    /// Ends an access token alone, or a refresh token with everything of its grant; whether there was one.
    pub fn revoke(&mut self, token: &str) -> bool {
        let Some(Offline { grant, .. }) = self.refresh.remove(token) else {
            return self.access.remove(token).is_some();
        };
        self.refresh.retain(|_, o| o.grant != grant);
        self.access.retain(|_, s| s.grant != Some(grant));
        true
    }

    /// Ends an access token; its refresh token stays.
    pub fn end(&mut self, token: &str) {
        self.access.remove(token);
    }

    /// Ends all access tokens; refresh tokens stay.
    pub fn expire(&mut self) {
        self.access.clear();
    }

    /// A new authorization code. It ends in signs that must be encoded in a URL, as the real ones do.
    pub fn code(&mut self, code: Code) -> String {
        let text = format!("aPrx{}==", self.text());
        self.codes.insert(text.clone(), Some(code));
        text
    }

    /// What a code stands for, the first time; `Some(None)` for a used one.
    pub fn redeem(&mut self, code: &str) -> Option<Option<Code>> {
        self.codes.get_mut(code).map(Option::take)
    }

    pub fn approve(&mut self, user: &str) {
        self.approved.insert(user.to_owned());
    }

    pub fn has_approved(&self, user: &str) -> bool {
        self.approved.contains(user)
    }

    /// Notes a sign-in; false when the user has had this many within the hour.
    pub fn may_sign_in(&mut self, user: &str, now: i64, most: usize) -> bool {
        let times = self.logins.entry(user.to_owned()).or_default();
        times.retain(|t| age(*t, now) < Duration::from_secs(3600));
        let free = times.len() < most;
        if free {
            times.push(now);
        }
        free
    }
}

/// Time from one millisecond of the epoch to another; none if it went back.
pub(crate) fn age(then: i64, now: i64) -> Duration {
    Duration::from_millis(u64::try_from(now.saturating_sub(then)).unwrap_or_default())
}

impl State {
    /// The org's time in milliseconds of the epoch.
    pub fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    /// A new access token of a user.
    pub fn open_session(&mut self, user: &str, scopes: &str, grant: Option<u64>) -> String {
        let org = self.org_id.get(..15).unwrap_or(&self.org_id);
        let token = format!("{org}!AQ8A.{}", self.sessions.text());
        let now = self.now_ms();
        let session = Session {
            user: user.to_owned(),
            scopes: scopes.to_owned(),
            opened: now,
            active: now,
            grant,
        };
        self.sessions.access.insert(token.clone(), session);
        token
    }

    /// The session of an access token while it lasts. Asking uses it.
    pub fn session(&mut self, token: &str) -> Option<Session> {
        let now = self.now_ms();
        let timeout = self.settings.auth.session_timeout;
        let user = self.sessions.access.get(token)?.user.clone();
        let active = self.user_is_active(&user);
        let session = self.sessions.access.get_mut(token)?;
        let idle = age(session.active, now);
        if idle >= timeout || !active {
            self.sessions.access.remove(token);
            return None;
        }
        if idle >= timeout / 2 {
            session.active = now;
        }
        Some(session.clone())
    }

    /// The Id of the user of that name or Id.
    pub fn user_called(&self, name: &str) -> Option<String> {
        let by_id = normalise(name).filter(|id| id.starts_with("005") && self.live(id).is_some());
        let named = |(id, row): (&String, &crate::org::state::Row)| {
            row.text("Username")
                .eq_ignore_ascii_case(name)
                .then(|| id.clone())
        };
        by_id.or_else(|| self.rows("User").find_map(named))
    }

    pub fn user_is_active(&self, user: &str) -> bool {
        self.live(user)
            .is_some_and(|row| row.values.flag("IsActive") != Some(false))
    }
}

/// The user of a REST request, by its `Authorization` header.
pub(crate) fn bearer(state: &mut State, request: &Request) -> Result<String, ApiError> {
    if request.header("authorization").is_none() {
        return Err(ApiError::session());
    }
    let malformed = || ApiError::new("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE").status(401);
    let token = request.token().ok_or_else(malformed)?;
    let session = state.session(token).ok_or_else(ApiError::session)?;
    if has_scope(&session.scopes, &["api", "full"]) {
        Ok(session.user)
    } else {
        let message = "This session is not valid for use with the REST API";
        Err(ApiError::new("INVALID_SESSION_ID", message).status(401))
    }
}
