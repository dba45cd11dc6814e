//! How the org signs its users in: the connected app, its policies, and which old ways in are open.
//!
//! Key decision: the defaults are those of a new org: no SOAP `login`, no password grant, consent asked for
//! each time, a session timeout of two hours.
//! Source: Help, "Connected App OAuth Policies", "Modify Session Security Settings".
//! Not here: signing in (`http::auth`), the sessions themselves (`http::session`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::seconds;

/// Consumer key that an org accepts unless told otherwise.
pub const CLIENT_ID: &str = "3MVG9.halite.simulator";
/// Consumer secret that an org accepts unless told otherwise.
pub const CLIENT_SECRET: &str = "simulator-secret";
/// Password of every user unless told otherwise.
pub const PASSWORD: &str = "simulator-password";

/// What a user answers when an app asks for access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// Nothing yet: the page is shown and waits for a POST.
    Ask,
    /// Yes, at once.
    Allow,
    /// No, at once.
    Deny,
}

/// The connected app.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct App {
    /// Consumer key.
    pub client_id: String,
    /// Consumer secret.
    pub client_secret: String,
    /// Callback URLs; a redirect must be one of them to the letter.
    pub redirect_uris: Vec<String>,
    /// Scopes that may be asked for, and that are given when none is.
    pub scopes: Vec<String>,
    /// "Require Secret for Web Server Flow".
    pub require_secret: bool,
    /// "Require Secret for Refresh Token Flow".
    pub require_refresh_secret: bool,
    /// "Require Proof Key for Code Exchange".
    pub require_pkce: bool,
    /// A new refresh token is sent with each refresh, and the old one dies.
    pub rotate_refresh_tokens: bool,
    /// Run-as user of the client credentials flow, by Id or name.
    pub run_as: Option<String>,
    /// Public key for JWT bearer: PEM of the key or of an X.509 certificate.
    pub public_key: Option<String>,
    /// "Admin approved users are pre-authorized": no consent is needed for JWT bearer.
    pub pre_authorised: bool,
    /// The app is installed in the org; others are blocked.
    pub installed: bool,
}

/// Settings of signing in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// The connected app.
    pub app: App,
    /// What the user answers at the authorize page.
    pub consent: Consent,
    /// Base URL of the org's My Domain, for `instance_url`; otherwise the host that was asked.
    pub my_domain: Option<String>,
    /// Sliding life of a session.
    #[serde(with = "seconds")]
    pub session_timeout: Duration,
    /// Life of an authorization code (15 minutes, unverified).
    #[serde(with = "seconds")]
    pub code_life: Duration,
    /// How far ahead the `exp` of an assertion may lie.
    #[serde(with = "seconds")]
    pub assertion_window: Duration,
    /// The OAuth error of a verifier that does not fit is `invalid_grant`, as in recorded replies; Help says
    /// `invalid_request`.
    pub mismatch_is_grant: bool,
    /// The OAuth username-password flow is allowed.
    pub password_grant: bool,
    /// SOAP `login` is allowed, where the version still has it.
    pub soap_login: bool,
    /// Password of every user.
    pub password: String,
    /// Security token that must follow the password; none within trusted networks.
    pub security_token: Option<String>,
    /// Sign-ins of one user in an hour.
    pub logins_an_hour: usize,
    /// The org is locked, closed or suspended: nobody signs in.
    pub locked: bool,
}

impl Default for App {
    fn default() -> Self {
        let texts = |list: &[&str]| list.iter().map(|t| (*t).to_owned()).collect();
        Self {
            client_id: CLIENT_ID.to_owned(),
            client_secret: CLIENT_SECRET.to_owned(),
            redirect_uris: texts(&[
                "http://localhost:1717/OauthRedirect",
                "https://login.salesforce.com/services/oauth2/success",
            ]),
            scopes: texts(&["api", "id", "refresh_token"]),
            require_secret: true,
            require_refresh_secret: false,
            require_pkce: false,
            rotate_refresh_tokens: false,
            run_as: Some(crate::id::make("005", 1)),
            public_key: None,
            pre_authorised: false,
            installed: true,
        }
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            app: App::default(),
            consent: Consent::Ask,
            my_domain: None,
            session_timeout: Duration::from_secs(2 * 3600),
            code_life: Duration::from_secs(15 * 60),
            assertion_window: Duration::from_secs(5 * 60),
            mismatch_is_grant: true,
            password_grant: false,
            soap_login: false,
            password: PASSWORD.to_owned(),
            security_token: None,
            logins_an_hour: 3600,
            locked: false,
        }
    }
}
