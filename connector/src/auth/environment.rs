//! Where an org's users sign in.
//!
//! Key decision: three kinds, told apart by what a person would say; an own address is checked when it is read. API hosts
//! are not told by it: they come from the token reply alone.

use std::fmt;
use std::str::FromStr;

use halite_engine::base::error::{Error, Result};

use crate::transport::Host;

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
    /// The host that gives tokens out.
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
