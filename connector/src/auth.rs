//! Signing in: a grant becomes an access token, and a new one when that is over.
//!
//! Key decision: a rotated refresh token is handed to whoever keeps grants *before* anything that came with it
//! is used, so that a crash cannot strand the connection. API hosts come from the token reply alone, never from
//! a pattern (Salesforce Help, "OAuth 2.0 Refresh Token Flow", "Client Credentials Flow").
//! It does not open a browser, and it never uses the retired SOAP login.

use std::fmt;
use std::str::FromStr;

use halite_engine::base::error::{Error, Kind, Result};
use serde::Deserialize;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use crate::error::Fault;
use crate::retry::{Session, Wire};
use crate::transport::{Body, Call, Host, Reply, Secret};

/// Which login host an org belongs to.
///
/// ```
/// use halite_connector::Environment;
/// let sandbox: Environment = "sandbox".parse().unwrap();
/// assert_eq!(sandbox.to_string(), "sandbox");
/// assert!("http://example.com".parse::<Environment>().is_err(), "tokens go over https only");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Environment {
    /// `login.salesforce.com`.
    Production,
    /// `test.salesforce.com`.
    Sandbox,
    /// The org's own My Domain, or a simulated org on this machine.
    Host(String),
}

impl Environment {
    pub(crate) fn login_host(&self) -> Result<Host> {
        Host::parse(match self {
            Self::Production => "https://login.salesforce.com",
            Self::Sandbox => "https://test.salesforce.com",
            Self::Host(url) => url,
        })
    }
}

impl FromStr for Environment {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "production" => Ok(Self::Production),
            "sandbox" => Ok(Self::Sandbox),
            url => Ok(Self::Host(Host::parse(url)?.to_string())),
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Production => "production",
            Self::Sandbox => "sandbox",
            Self::Host(url) => url,
        })
    }
}

/// What the org gave us to sign in with. Debug shows no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// An app with a run-as user; the org's own My Domain only.
    ClientCredentials {
        /// Consumer key.
        client_id: String,
        /// Consumer secret.
        client_secret: Secret,
    },
    /// A refresh token from a consent given earlier.
    Refresh {
        /// Consumer key.
        client_id: String,
        /// Consumer secret, where the app requires one.
        client_secret: Option<Secret>,
        /// Changes at each use where the app rotates it.
        refresh_token: Secret,
    },
    /// An access token that somebody else got; it cannot be renewed.
    Token {
        /// The org's API host.
        instance_url: String,
        /// The token.
        access_token: Secret,
    },
}

/// First byte of a grant's bytes.
const GRANT_VERSION: u8 = 1;

impl Grant {
    /// The grant as bytes to be sealed: version, kind, then each text with its length in four bytes.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let (kind, texts): (u8, Vec<&str>) = match self {
            Self::ClientCredentials {
                client_id,
                client_secret,
            } => (0, vec![client_id, client_secret.expose()]),
            Self::Refresh {
                client_id,
                client_secret,
                refresh_token,
            } => {
                let secret = client_secret.as_ref().map_or("", Secret::expose);
                (1, vec![client_id, secret, refresh_token.expose()])
            }
            Self::Token {
                instance_url,
                access_token,
            } => (2, vec![instance_url, access_token.expose()]),
        };
        let len = 2 + texts.iter().map(|t| t.len() + 4).sum::<usize>();
        let mut bytes = Zeroizing::new(Vec::with_capacity(len));
        bytes.extend([GRANT_VERSION, kind]);
        for text in texts {
            bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes
    }

    /// Reads what [`Grant::to_bytes`] wrote.
    ///
    /// # Errors
    /// `Unsupported` for a newer version, `Corrupt` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let damaged = || Error::corrupt("a kept grant", "its bytes do not read as one");
        let (&[version, kind], mut rest) = bytes.split_first_chunk::<2>().ok_or_else(damaged)?;
        if version != GRANT_VERSION {
            return Err(
                Error::new(Kind::Unsupported, format!("a kept grant has version {version}"))
                    .hint("use the newer build that wrote it, or connect again"),
            );
        }
        let mut texts = Vec::new();
        while !rest.is_empty() {
            let (len, tail) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
            let len = usize::try_from(u32::from_le_bytes(*len)).map_err(|_| damaged())?;
            let (text, tail) = tail.split_at_checked(len).ok_or_else(damaged)?;
            texts.push(std::str::from_utf8(text).map_err(|_| damaged())?);
            rest = tail;
        }
        match (kind, texts.as_slice()) {
            (0, [id, secret]) => Ok(Self::ClientCredentials {
                client_id: (*id).into(),
                client_secret: Secret::new(*secret),
            }),
            (1, [id, secret, token]) => Ok(Self::Refresh {
                client_id: (*id).into(),
                client_secret: (!secret.is_empty()).then(|| Secret::new(*secret)),
                refresh_token: Secret::new(*token),
            }),
            (2, [url, token]) => Ok(Self::Token {
                instance_url: (*url).into(),
                access_token: Secret::new(*token),
            }),
            _ => Err(damaged()),
        }
    }

    /// The form that asks for an access token; none for a grant that is one.
    fn form(&self) -> Option<Zeroizing<String>> {
        let mut form = Serializer::new(String::new());
        match self {
            Self::ClientCredentials {
                client_id,
                client_secret,
            } => {
                form.append_pair("grant_type", "client_credentials")
                    .append_pair("client_id", client_id)
                    .append_pair("client_secret", client_secret.expose());
            }
            Self::Refresh {
                client_id,
                client_secret,
                refresh_token,
            } => {
                form.append_pair("grant_type", "refresh_token")
                    .append_pair("client_id", client_id);
                if let Some(secret) = client_secret {
                    form.append_pair("client_secret", secret.expose());
                }
                form.append_pair("refresh_token", refresh_token.expose());
            }
            Self::Token { .. } => return None,
        }
        Some(Zeroizing::new(form.finish()))
    }
}

/// Keeps a grant that the org has changed; must not return before it is durable.
pub type KeepGrant = Box<dyn FnMut(&Grant) -> Result<()> + Send>;

/// The reply of the token endpoint; there is no `expires_in`.
#[derive(Deserialize)]
struct TokenReply {
    access_token: Secret,
    instance_url: String,
    #[serde(default)]
    refresh_token: Option<Secret>,
    /// `https://login.salesforce.com/id/ORG/USER`.
    #[serde(default)]
    id: Option<String>,
}

/// A session that can renew itself from its grant.
pub struct SignedIn {
    login: Host,
    grant: Grant,
    keep: Option<KeepGrant>,
    host: Host,
    token: Secret,
    identity: Option<String>,
}

impl SignedIn {
    /// Signs in.
    ///
    /// # Errors
    /// `Auth` where the org refuses the grant, `Invalid` where the environment cannot take it.
    pub fn open(
        environment: &Environment,
        grant: Grant,
        keep: Option<KeepGrant>,
        wire: &mut Wire,
    ) -> Result<Self> {
        let login = environment.login_host()?;
        if let Grant::Token {
            instance_url,
            access_token,
        } = &grant
        {
            let (host, token) = (Host::parse(instance_url)?, access_token.clone());
            return Ok(Self {
                login,
                grant,
                keep,
                host,
                token,
                identity: None,
            });
        }
        let own = matches!(environment, Environment::Host(_));
        if matches!(grant, Grant::ClientCredentials { .. }) && !own {
            return Err(
                Error::invalid(format!("{} takes no client credentials", login.name()))
                    .hint("give the org's My Domain address as environment: https://NAME.my.salesforce.com"),
            );
        }
        let mut session = Self {
            host: login.clone(),
            login,
            grant,
            keep,
            token: Secret::new(""),
            identity: None,
        };
        session.renew(wire)?;
        Ok(session)
    }

    /// The identity URL that came with the token.
    pub fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }

    /// Keeps a new refresh token before anything else that came with it is used.
    fn rotate(&mut self, new: Secret) -> Result<()> {
        let Grant::Refresh {
            client_id,
            client_secret,
            refresh_token,
        } = &self.grant
        else {
            return Ok(());
        };
        if *refresh_token == new {
            return Ok(());
        }
        let grant = Grant::Refresh {
            client_id: client_id.clone(),
            client_secret: client_secret.clone(),
            refresh_token: new,
        };
        let keep = self.keep.as_mut().ok_or_else(|| {
            Error::new(Kind::Auth, "the org gave a new refresh token and nobody keeps it")
                .hint("connect in a way that keeps grants, or turn rotation off in the app")
        })?;
        keep(&grant).map_err(|e| e.within("keeping the org's new refresh token"))?;
        tracing::info!("refresh token rotated and kept");
        self.grant = grant;
        Ok(())
    }
}

impl Session for SignedIn {
    fn host(&self) -> &Host {
        &self.host
    }

    fn token(&self) -> &Secret {
        &self.token
    }

    fn renew(&mut self, wire: &mut Wire) -> Result<()> {
        let form = self.grant.form().ok_or_else(|| {
            Error::new(
                Kind::Auth,
                format!("the access token for {} is no longer valid", self.host),
            )
            .hint("connect again with a new token, or with a grant that can be renewed")
        })?;
        let call = Call::post("/services/oauth2/token", Body::Form(form));
        let reply = wire.ask(&self.login, &call, &token_reply).map_err(refused)?;
        let host = Host::parse(&reply.instance_url)?;
        if host.is_local() && !self.login.is_local() {
            return Err(Error::invalid(format!(
                "{} names {host} as the org's host",
                self.login
            )));
        }
        if let Some(new) = reply.refresh_token {
            self.rotate(new)?;
        }
        tracing::info!(host = %host, "signed in");
        (self.host, self.token, self.identity) = (host, reply.access_token, reply.id);
        Ok(())
    }
}

/// Takes a grant's token back (Help, "Revoke OAuth Tokens"): a refresh token with all its access tokens. A grant whose
/// secret belongs to the app and not to a consent has none to take back; then it is false.
///
/// # Errors
/// As any request; a token that the org does not know any more is no error.
pub fn revoke(environment: &Environment, grant: &Grant, wire: &mut Wire) -> Result<bool> {
    let (host, token) = match grant {
        Grant::ClientCredentials { .. } => return Ok(false),
        Grant::Refresh { refresh_token, .. } => (environment.login_host()?, refresh_token),
        Grant::Token {
            instance_url,
            access_token,
        } => (Host::parse(instance_url)?, access_token),
    };
    let form = Serializer::new(String::new())
        .append_pair("token", token.expose())
        .finish();
    let mut call = Call::post("/services/oauth2/revoke", Body::Form(Zeroizing::new(form)));
    // The reply has no body.
    call.headers = &[("accept", "*/*")];
    let whole = |reply: Reply| match reply.body.trim_ascii() {
        [] => Ok(()),
        _ => Err("a page where there should be none".to_owned()),
    };
    match wire.ask(&host, &call, &whole) {
        Ok(()) => Ok(true),
        Err(fault) if fault.has("invalid_token") => Ok(true),
        Err(fault) => Err(fault.into()),
    }
}

fn token_reply(reply: Reply) -> Result<TokenReply, String> {
    let body = Zeroizing::new(reply.body);
    // The parser's own message could quote what it read.
    serde_json::from_slice(&body).map_err(|_| "the token reply does not read as one".into())
}

/// Every 4xx of the token endpoint is about the grant, whatever else the code means.
fn refused(fault: Fault) -> Error {
    let error = Error::from(fault);
    match error.kind() {
        Kind::Invalid | Kind::Denied | Kind::NotFound => Error::new(Kind::Auth, error.message())
            .hint("check the client id, its secret and the app's settings"),
        _ => error,
    }
}
