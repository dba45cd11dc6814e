//! Requests that are being answered, and the limit on those that run long.
//!
//! Key decision: a request counts once it has run for the time of a setting, which a test may set to nothing;
//! the limit is looked at when another request arrives.
//! Source: Limits and Allocations cheat sheet, "Concurrent API Request Limits".
//! Not here: the limit itself (`org::limits`), the allowance of a day.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::error::ApiError;
use crate::org::LimitSettings;

/// Requests that are being answered.
#[derive(Debug, Default)]
pub(crate) struct Visits {
    since: BTreeMap<u64, Instant>,
    made: u64,
}

impl Visits {
    /// Lets a request in: its number, and whether as many long ones as are allowed run already.
    pub fn enter(&mut self, limits: &LimitSettings) -> (u64, bool) {
        let long = |since: &&Instant| since.elapsed() >= limits.long_request;
        let running = self.since.values().filter(long).count() + limits.others_running;
        self.made += 1;
        self.since.insert(self.made, Instant::now());
        (self.made, running >= limits.concurrent_requests)
    }

    /// Whether one is being answered.
    pub fn any(&self) -> bool {
        !self.since.is_empty()
    }

    /// A request is answered.
    pub fn leave(&mut self, number: u64) {
        self.since.remove(&number);
    }
}

/// The refusal of a request over the concurrent limit.
pub(crate) fn crowded() -> ApiError {
    let message = "ConcurrentRequests (Concurrent API Requests) Limit exceeded.";
    ApiError::new("REQUEST_LIMIT_EXCEEDED", message).status(403)
}
