//! Access and refresh tokens.
//!
//! Key decision: tokens are opaque texts in the look of the real ones, numbered, valid until a test ends
//! them; there is no sliding timeout, since no test should depend on one.
//! Source: Help, "OAuth 2.0 Tokens".
//! Not here: the token endpoint (`auth`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All tokens of an org.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sessions {
    /// Token to the Id of its user.
    access: BTreeMap<String, String>,
    refresh: BTreeMap<String, String>,
    made: u64,
}

impl Sessions {
    fn text(&mut self) -> String {
        self.made += 1;
        let a = crate::id::mix(7, &self.made.to_string());
        let b = crate::id::mix(11, &self.made.to_string());
        format!("{}{}", crate::id::base62(a, 11), crate::id::base62(b, 11))
    }

    /// Tokens given out so far, which is what they are numbered by.
    pub fn made(&self) -> u64 {
        self.made
    }

    /// A new access token of a user of an org.
    pub fn open(&mut self, org: &str, user: &str) -> String {
        let token = format!("{}!AQ8A.{}", org.get(..15).unwrap_or(org), self.text());
        self.access.insert(token.clone(), user.to_owned());
        token
    }

    /// A new refresh token of a user.
    pub fn offline(&mut self, user: &str) -> String {
        let token = format!("5Aep861.{}", self.text());
        self.refresh.insert(token.clone(), user.to_owned());
        token
    }

    /// The user of an access token that is valid now.
    pub fn user(&self, token: &str) -> Option<String> {
        self.access.get(token).cloned()
    }

    /// The user of a refresh token that is valid now.
    pub fn refreshable(&self, token: &str) -> Option<String> {
        self.refresh.get(token).cloned()
    }

    /// Ends a token of either kind; whether there was one.
    pub fn revoke(&mut self, token: &str) -> bool {
        self.access.remove(token).is_some() | self.refresh.remove(token).is_some()
    }

    /// Ends all access tokens; refresh tokens stay.
    pub fn expire(&mut self) {
        self.access.clear();
    }
}
