//! A host that may be given a token: https, or plain http on this very machine.
//!
//! Key decision: checked once when it is made, so that no later code can send a secret in the clear or to
//! another host. It is not a URL: paths are joined to it, and absolute ones are refused.

use std::fmt;

use halite_engine::base::error::{Error, Result};
use url::Url;

/// Scheme, host and port, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(Url);

impl Host {
    /// Reads `https://host[:port]`; a path is dropped.
    ///
    /// # Errors
    /// `Invalid` for anything that is not https, except http on localhost.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::invalid(format!("`{text}` is not the address of an org: {why}"))
                .hint("write it as https://NAME.my.salesforce.com")
        };
        let mut url = Url::parse(text).map_err(|e| wrong(&e.to_string()))?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(wrong("no host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("it holds a user name"));
        }
        let allowed = url.scheme() == "https" || (url.scheme() == "http" && is_local(&url));
        if !allowed {
            return Err(wrong("tokens are sent over https only"));
        }
        url.set_path("/");
        url.set_query(None);
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// Whether it is this very machine.
    pub fn is_local(&self) -> bool {
        is_local(&self.0)
    }

    /// The host's name without scheme and port.
    pub fn name(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The address of a path on this host.
    ///
    /// # Errors
    /// `Invalid` for a path that leads elsewhere.
    pub fn join(&self, path: &str) -> Result<Url> {
        let off = || Error::invalid(format!("`{}` leads away from {self}", path_only(path)));
        if !path.starts_with('/') || path.starts_with("//") {
            return Err(off());
        }
        let url = self.0.join(path).map_err(|_| off())?;
        if url.origin() == self.0.origin() {
            Ok(url)
        } else {
            Err(off())
        }
    }
}

/// A path without its query, fit for messages.
pub fn path_only(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or(path)
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

impl fmt::Display for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0.as_str().trim_end_matches('/'))
    }
}
