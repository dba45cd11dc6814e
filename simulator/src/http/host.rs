//! Which of Salesforce's hosts a request was sent to.
//!
//! Key decision: one server plays them all, told apart by the `Host` header: the two login hosts, and My
//! Domain under any other name.
//! Source: Help, "My Domain URL Formats"; knowledge article 000886201 (client credentials at My Domain only).
//! Not here: certificates for these names (`tls`).

use super::request::Request;
use crate::org::State;

/// A kind of host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    /// Where users of all orgs of a kind sign in.
    Login {
        sandbox: bool,
    },
    MyDomain,
}

impl Host {
    /// The host of a base URL.
    pub fn of(base: &str) -> Self {
        let name = url::Url::parse(base).ok();
        match name.as_ref().and_then(url::Url::host_str) {
            Some("login.salesforce.com" | "login.localhost") => Self::Login { sandbox: false },
            Some("test.salesforce.com" | "test.localhost") => Self::Login { sandbox: true },
            _ => Self::MyDomain,
        }
    }

    pub fn is_login(self) -> bool {
        self != Self::MyDomain
    }

    /// Whether users of the org can sign in here.
    pub fn knows(self, state: &State) -> bool {
        match self {
            Self::Login { sandbox } => sandbox == state.settings.sandbox,
            Self::MyDomain => true,
        }
    }
}

/// Base URL of the org's API, as told to a client that signed in.
pub(crate) fn instance_url(state: &State, request: &Request) -> String {
    match &state.settings.auth.my_domain {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None if Host::of(&request.base).is_login() => request.server.clone(),
        None => request.base.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_apart() {
        assert_eq!(
            Host::of("https://login.salesforce.com"),
            Host::Login { sandbox: false }
        );
        assert_eq!(
            Host::of("http://test.localhost:8080"),
            Host::Login { sandbox: true }
        );
        assert_eq!(
            Host::of("HTTPS://LOGIN.salesforce.com"),
            Host::Login { sandbox: false }
        );
        for other in [
            "http://127.0.0.1:1",
            "https://a.my.salesforce.com",
            "https://login.salesforce.com.evil.example",
            "",
        ] {
            assert_eq!(Host::of(other), Host::MyDomain, "{other}");
        }
    }
}
