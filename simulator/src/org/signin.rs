//! Signing in without a call: tokens, approvals and ends of sessions for tests.
//!
//! Key decision: these are what a browser, an administrator or time would do; a test that is about something
//! else need not play the OAuth flows.
//! Not here: the flows (`http::auth`).

use super::Org;

impl Org {
    /// An access token of the API user that is valid now.
    pub fn access_token(&self) -> String {
        let user = self.api_user();
        self.access_token_of(&user)
    }

    /// An access token of a user, by name or Id, that is valid now. Of nobody's, it is valid for nothing.
    pub fn access_token_of(&self, user: &str) -> String {
        let mut state = self.lock();
        let user = state.user_called(user).unwrap_or_default();
        let scopes = state.settings.auth.app.scopes.join(" ");
        state.open_session(&user, &scopes, None)
    }

    /// A refresh token of the API user that is valid now.
    pub fn refresh_token(&self) -> String {
        let user = self.api_user();
        self.refresh_token_of(&user)
    }

    /// A refresh token of a user, by name or Id, that is valid now.
    pub fn refresh_token_of(&self, user: &str) -> String {
        let mut state = self.lock();
        let user = state.user_called(user).unwrap_or_default();
        let scopes = state.settings.auth.app.scopes.join(" ");
        state.sessions.approve(&user);
        state.sessions.offline(&user, &scopes, None).0
    }

    /// A user's consent to the connected app, as if given earlier.
    pub fn approve(&self, user: &str) {
        let mut state = self.lock();
        if let Some(user) = state.user_called(user) {
            state.sessions.approve(&user);
        }
    }

    /// Ends every session: the access tokens given out so far answer 401 from now on. Refresh tokens live.
    pub fn expire_sessions(&self) {
        self.lock().sessions.expire();
    }
}
