//! What one signs in with, the bytes it is kept as, and the form that turns it into a token.
//!
//! Key decision: what a grant is is written once here, secrets in custody; its bytes are told in `docs/connections.md`, and
//! every version of them stays readable. It does not speak to anybody.

use halite_engine::base::error::{Error, Kind, Result};
use halite_engine::base::stamp::Stamp;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use super::jwt::{Claims, assertion};
use crate::transport::Secret;

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
    /// A key of the app's and a user who has approved it.
    Jwt {
        /// Consumer key.
        client_id: String,
        /// The user's name in the org.
        username: String,
        /// RSA private key, PEM.
        key: Secret,
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
            Self::Jwt {
                client_id,
                username,
                key,
            } => (3, vec![client_id, username, key.expose()]),
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
            (3, [id, username, key]) => Ok(Self::Jwt {
                client_id: (*id).into(),
                username: (*username).into(),
                key: Secret::new(*key),
            }),
            _ => Err(damaged()),
        }
    }

    /// The form that asks a login host for an access token at `now`; none for a grant that is one.
    pub fn form(&self, login: &str, now: Stamp) -> Result<Option<Zeroizing<String>>> {
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
            Self::Jwt {
                client_id,
                username,
                key,
            } => {
                let claims = Claims {
                    issuer: client_id,
                    subject: username,
                    audience: login,
                };
                let assertion = assertion(&claims, key.expose(), now)?;
                form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
                    .append_pair("assertion", &assertion);
            }
            Self::Token { .. } => return Ok(None),
        }
        Ok(Some(Zeroizing::new(form.finish())))
    }
}
