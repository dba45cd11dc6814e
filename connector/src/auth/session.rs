//! Tokens: got for a grant, and got anew when they are over.
//!
//! Key decision: a rotated refresh token is handed to whoever keeps grants *before* anything that came with it is used, so
//! that a crash cannot strand the connection. API hosts come from the token reply alone, never from a pattern (Salesforce
//! Help, "OAuth 2.0 Refresh Token Flow", "Client Credentials Flow", "Revoke OAuth Tokens"). It keeps nothing itself.

use halite_engine::base::error::{Error, Kind, Result};
use serde::Deserialize;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use super::environment::Environment;
use super::grant::Grant;
use crate::error::Fault;
use crate::retry::{Session, Wire};
use crate::transport::{Body, Call, Host, Reply, Secret};

/// Keeps a grant that the org has changed; must not return before it is durable.
pub type KeepGrant = Box<dyn FnMut(&Grant) -> Result<()> + Send>;

/// The reply of the token endpoint; there is no `expires_in`.
#[derive(Deserialize)]
pub struct TokenReply {
    access_token: Secret,
    instance_url: String,
    /// To come again with; also at each use where the app rotates it.
    #[serde(default)]
    pub refresh_token: Option<Secret>,
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
        let form = self.grant.form(&self.login.to_string(), wire.clock().now())?;
        let form = form.ok_or_else(|| {
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
        Grant::ClientCredentials { .. } | Grant::Jwt { .. } => return Ok(false),
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

/// Reads a reply of the token endpoint.
pub fn token_reply(reply: Reply) -> Result<TokenReply, String> {
    let body = Zeroizing::new(reply.body);
    // The parser's own message could quote what it read.
    serde_json::from_slice(&body).map_err(|_| "the token reply does not read as one".into())
}

/// Every 4xx of the token endpoint is about the grant, whatever else the code means.
pub fn refused(fault: Fault) -> Error {
    let error = Error::from(fault);
    match error.kind() {
        Kind::Invalid | Kind::Denied | Kind::NotFound => Error::new(Kind::Auth, error.message())
            .hint("check the client id, its secret and the app's settings"),
        _ => error,
    }
}
