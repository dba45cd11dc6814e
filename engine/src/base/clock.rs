//! The only door to time and randomness, so that one seed can drive a whole simulation.
//!
//! Key decision: a value that is passed along, never a global. The system clock decides nothing but names and
//! grace periods: a snapshot's interval comes from the org's own clock. It is not a timer: who waits looks at the clock again.

use crate::base::error::{Error, Kind, Result};
use crate::base::stamp::Stamp;

/// Where the engine gets the time and random bytes from.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    #[cfg(feature = "testing")]
    driven: Option<std::sync::Arc<std::sync::Mutex<Driven>>>,
}

/// A clock that a test drives: a fixed instant and a seeded stream.
#[cfg(feature = "testing")]
#[derive(Debug)]
struct Driven {
    now: Stamp,
    stream: blake3::OutputReader,
}

impl Clock {
    /// The machine's clock and its entropy.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands at `now`, with random bytes made from `seed`.
    #[cfg(feature = "testing")]
    pub fn driven(now: Stamp, seed: u64) -> Self {
        let stream = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
        Self {
            driven: Some(std::sync::Arc::new(std::sync::Mutex::new(Driven { now, stream }))),
        }
    }

    /// Moves a driven clock to `now`; the machine's is nobody's to move.
    #[cfg(feature = "testing")]
    pub fn set(&self, now: Stamp) {
        if let Some(driven) = &self.driven {
            driven
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .now = now;
        }
    }

    /// Now, in milliseconds since 1970 UTC.
    pub fn now(&self) -> Stamp {
        #[cfg(feature = "testing")]
        if let Some(driven) = &self.driven {
            return driven
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .now;
        }
        #[expect(clippy::disallowed_methods, reason = "this is the door")]
        let now = std::time::SystemTime::now();
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Stamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// A monotone instant, for measuring only.
    pub fn instant(&self) -> std::time::Instant {
        #[expect(clippy::disallowed_methods, reason = "this is the door")]
        std::time::Instant::now()
    }

    /// Waits, and ends early once `cancel` is set; says whether nobody did. A driven clock moves instead.
    pub fn wait(&self, time: std::time::Duration, cancel: &std::sync::atomic::AtomicBool) -> bool {
        const STEP: std::time::Duration = std::time::Duration::from_millis(100);
        let stopped = || cancel.load(std::sync::atomic::Ordering::SeqCst);
        #[cfg(feature = "testing")]
        if self.driven.is_some() {
            let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
            self.set(Stamp::from_millis(self.now().millis().saturating_add(millis)));
            return !stopped();
        }
        let begun = self.instant();
        while !stopped() {
            let left = time.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return true;
            }
            #[expect(clippy::disallowed_methods, reason = "this is the door")]
            std::thread::sleep(left.min(STEP));
        }
        false
    }

    /// Random bytes fit for keys and names.
    pub fn random<const N: usize>(&self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        #[cfg(feature = "testing")]
        if let Some(driven) = &self.driven {
            driven
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .stream
                .fill(&mut bytes);
            return Ok(bytes);
        }
        #[expect(clippy::disallowed_methods, reason = "this is the door")]
        getrandom::fill(&mut bytes)
            .map_err(|e| Error::new(Kind::Io, format!("the system gave no random bytes: {e}")))?;
        Ok(bytes)
    }
}
