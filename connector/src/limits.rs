//! What is spent of the org's allowance, what it says that is left, and the ceiling that reading keeps to.
//!
//! Key decision: the header is an estimate, since it is not monotone (recorded: 28, 28, 29, 26 within a second),
//! so the last value is kept as it came and nothing is derived from two of them; our own count is looked at beside
//! it. The ceiling stops reading alone, never a write: what a restore has begun must not end half-way for it.

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
#[derive(Debug)]
pub struct Limits {
    spent: Spent,
    usage: Option<Usage>,
    /// Percent of the day's allowance; 100 is no ceiling.
    ceiling: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            spent: Spent::default(),
            usage: None,
            ceiling: 100,
        }
    }
}

impl Limits {
    /// Sets the share of the day's allowance, in percent, beyond which nothing more is read.
    pub fn set_ceiling(&mut self, percent: u8) {
        self.ceiling = percent.min(100);
    }

    /// Counts one request, whatever becomes of it.
    pub fn count(&mut self) {
        self.spent.calls += 1;
    }

    /// Counts a Bulk job that was made.
    pub fn count_job(&mut self) {
        self.spent.jobs += 1;
    }

    /// Counts bytes of Bulk results that came.
    pub fn count_results(&mut self, bytes: usize) {
        self.spent.result_bytes += bytes as u64;
    }

    /// Counts a file that is asked for.
    pub fn count_file(&mut self) {
        self.spent.files += 1;
    }

    /// Takes note of a reply's headers.
    pub fn note(&mut self, headers: &HeaderMap) {
        let header = headers.get("sforce-limit-info").and_then(|v| v.to_str().ok());
        if let Some(usage) = header.and_then(Usage::parse) {
            self.usage = Some(usage);
        }
    }

    /// Whether there is room for one more reading, by what everybody used or by what we did.
    ///
    /// # Errors
    /// `Quota` at the ceiling.
    pub fn may_read(&self) -> Result<()> {
        let Some(Usage { used, allowed }) = self.usage.filter(|_| self.ceiling < 100) else {
            return Ok(());
        };
        let ceiling = allowed.saturating_mul(u64::from(self.ceiling)) / 100;
        if used.max(self.spent.calls) < ceiling {
            return Ok(());
        }
        let ours = self.spent.calls;
        let message = format!(
            "the ceiling is reached: {used} of the org's {allowed} calls a day are used, {ours} of them by this run, \
             and reading ends at {} % ({ceiling})",
            self.ceiling
        );
        Err(Error::new(Kind::Quota, message)
            .hint("the next run goes on where this one ended; wait until calls have grown back, or raise the ceiling"))
    }

    /// What was spent so far.
    pub fn spent(&self) -> Spent {
        self.spent
    }

    /// The org's last word on its allowance.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }
}
