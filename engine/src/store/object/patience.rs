//! How long a store is asked: a count, a time, and pauses that grow.
//!
//! Key decision: one budget for each verb, kept here and not in the client below, so that every request is counted
//! and the error can say how often, for how long and with what last answer. It does not know what a verb is: whether
//! it may be sent again as it is the caller says.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::Remote;
use super::answer::{Failure, Nature};
use super::wire::{Seen, watched};
use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};

/// What a slow line carries in a second.
const BYTES_PER_SECOND: usize = 256 << 10;
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// How long a store is asked for one thing before it is given up.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Requests at most.
    pub requests: u32,
    /// No further request is made after this time.
    pub whole: Duration,
    /// How long one may take, beside a second for each 256 KiB it carries.
    pub answer: Duration,
    /// The pause before the second request; the next ones are twice as long each, up to ten seconds.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            requests: 8,
            whole: Duration::from_secs(600),
            answer: Duration::from_secs(30),
            pause: Duration::from_millis(100),
        }
    }
}

/// The requests that were made for one thing.
pub(super) struct Tries<'r> {
    remote: &'r Remote,
    /// What is done, to what: `storing`, `packs/ab/…`.
    what: &'static str,
    name: String,
    asked: u32,
    began: Instant,
}

impl Remote {
    pub(super) fn tries(&self, what: &'static str, name: &str) -> Tries<'_> {
        Tries {
            remote: self,
            what,
            name: name.to_owned(),
            asked: 0,
            began: Instant::now(),
        }
    }

    /// What follows the head of an answer, whose body has `bytes`, in its time.
    pub(super) async fn rest<T>(
        &self,
        bytes: usize,
        body: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, Failure> {
        let broken = |e| Failure::of(&e, Some(Seen::Status(200)));
        let time = self.time(bytes);
        let ended = timeout(time, body).await;
        ended.map_or_else(
            |_| Err(Failure::late(time.as_secs())),
            |read| read.map_err(broken),
        )
    }

    fn time(&self, bytes: usize) -> Duration {
        self.patience.answer + Duration::from_secs((bytes / BYTES_PER_SECOND) as u64)
    }

    /// One request that carries `bytes`, in its time.
    pub(super) async fn once<T>(
        &self,
        bytes: usize,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, Failure> {
        let time = self.time(bytes);
        match watched(timeout(time, request)).await {
            (Err(_), _) => Err(Failure::late(time.as_secs())),
            (Ok(Ok(value)), _) => Ok(value),
            (Ok(Err(e)), seen) => Err(Failure::of(&e, seen)),
        }
    }
}

impl Tries<'_> {
    /// Waits before the next request; the error that ends it all if there may be none.
    pub(super) async fn again(&mut self, failure: &Failure) -> Result<()> {
        self.asked += 1;
        if matches!(failure.nature, Nature::Final(_) | Nature::Missing | Nature::Range) {
            return Err(failure.error(&self.remote.address, self.what, &self.name));
        }
        let patience = &self.remote.patience;
        let doubled = patience.pause.saturating_mul(1 << (self.asked - 1).min(16));
        let [dice] = Clock::system().random::<1>()?;
        let pause = doubled.min(PAUSE_MAX).mul_f64(1.0 - f64::from(dice) / 512.0);
        if self.asked >= patience.requests || self.began.elapsed() + pause > patience.whole {
            return Err(self.given_up(failure));
        }
        tracing::debug!(name = %self.name, what = self.what, asked = self.asked, answer = failure.answer(), "asking the store again");
        sleep(pause).await;
        Ok(())
    }

    fn given_up(&self, failure: &Failure) -> Error {
        let (at, seconds) = (&self.remote.address, self.began.elapsed().as_secs_f64());
        let requests = match self.asked {
            1 => "1 request".to_owned(),
            n => format!("{n} requests"),
        };
        let message = format!(
            "{at}: {} {}: given up after {requests} in {seconds:.1} s, the last answer was: {}",
            self.what,
            self.name,
            failure.answer()
        );
        let hint = if failure.nature == Nature::NotSent {
            format!("check the network and {}, then run it again", at.endpoint())
        } else {
            "run it again once the store answers; what was published before is safe".to_owned()
        };
        Error::new(Kind::Io, message).hint(hint)
    }
}
