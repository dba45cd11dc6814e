//! The org's allowance of API calls, as far as replies tell it, and our own count of requests.
//!
//! Key decision: the header is an estimate, since it is not monotone (recorded: 28, 28, 29, 26 within a second),
//! so the last value is kept as it came and nothing is derived from two of them. A ceiling stops reading, so
//! that others, and restores, find something left; writes are never stopped by it.

use halite_engine::base::error::{Error, Kind, Result};
use halite_engine::ops::org::Spent;
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
    jobs: u64,
    result_bytes: u64,
    usage: Option<Usage>,
    /// Percent of the day's allowance beyond which nothing more is read.
    ceiling: Option<u8>,
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

    /// Counts a Bulk job.
    pub fn job(&mut self) {
        self.jobs += 1;
    }

    /// Counts bytes of Bulk results.
    pub fn results(&mut self, bytes: u64) {
        self.result_bytes += bytes;
    }

    /// Sets the share of the day's allowance, in percent, beyond which nothing more is read.
    pub fn set_ceiling(&mut self, percent: u8) {
        self.ceiling = Some(percent).filter(|percent| *percent < 100);
    }

    /// Fails once the ceiling is reached, by what all clients of the org have used.
    ///
    /// # Errors
    /// `Quota`.
    pub fn within_ceiling(&self) -> Result<()> {
        let (Some(ceiling), Some(Usage { used, allowed })) = (self.ceiling, self.usage) else {
            return Ok(());
        };
        if used * 100 < allowed * u64::from(ceiling) {
            return Ok(());
        }
        let message =
            format!("{used} of the org's {allowed} calls a day are used, and the ceiling is {ceiling} %");
        Err(Error::new(Kind::Quota, message)
            .hint("what was read is saved: the next run goes on when the allowance has grown back; or raise the ceiling"))
    }

    /// What was spent.
    pub fn spent(&self) -> Spent {
        Spent {
            calls: self.calls,
            jobs: self.jobs,
            result_bytes: self.result_bytes,
            files: 0,
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
