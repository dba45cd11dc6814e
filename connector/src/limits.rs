//! The org's allowance of API calls, as far as replies tell it, and our own count of requests.
//!
//! Key decision: the header is an estimate, since it is not monotone (recorded: 28, 28, 29, 26 within a second),
//! so the last value is kept as it came and nothing is derived from two of them. It stops nothing by itself:
//! the org refuses when the allowance is used up.

use reqwest::header::HeaderMap;

/// Calls of the last 24 hours, all clients of the org together (REST API guide, "Sforce-Limit-Info").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Calls made.
    pub used: u64,
    /// Calls allowed.
    pub allowed: u64,
}

impl Usage {
    /// Reads `api-usage=18/5000`, whatever follows it: `; per-app-api-usage=17/250(appName=x)`.
    ///
    /// ```
    /// use halite_connector::Usage;
    /// let usage = Usage::parse("api-usage=18/5000; per-app-api-usage=17/250(appName=x)");
    /// assert_eq!(usage, Some(Usage { used: 18, allowed: 5000 }));
    /// assert_eq!(Usage::parse("per-app-api-usage=17/250"), None);
    /// ```
    pub fn parse(header: &str) -> Option<Self> {
        let (used, rest) = header.trim().strip_prefix("api-usage=")?.split_once('/')?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        Some(Self {
            used: used.parse().ok()?,
            allowed: rest[..digits].parse().ok()?,
        })
    }
}

/// What is known of calls so far.
#[derive(Debug, Default)]
pub struct Limits {
    calls: u64,
    usage: Option<Usage>,
}

impl Limits {
    /// Counts one request, whatever becomes of it.
    pub fn count(&mut self) {
        self.calls += 1;
    }

    /// Takes note of a reply's headers.
    pub fn note(&mut self, headers: &HeaderMap) {
        let header = headers.get("sforce-limit-info").and_then(|v| v.to_str().ok());
        if let Some(usage) = header.and_then(Usage::parse) {
            self.usage = Some(usage);
        }
    }

    /// Requests made, retries included.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// The org's last word on its allowance.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }
}
