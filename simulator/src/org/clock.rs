//! The org's clock: the only time there is in the simulator.
//!
//! Key decision: it stands still until a test moves it or a write transaction steps it, so that every stamp
//! of a run is known in advance. Millisecond precision; row stamps are cut to the second, as the API sends
//! them.
//! Not here: waiting (the server's delays use the runtime's timer).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// 2026-01-05T08:00:00Z, where every org starts.
const START_MS: i64 = 1_767_600_000_000;

/// A handle on the org's clock; clones move the same clock.
#[derive(Debug, Clone)]
pub struct Clock(Arc<AtomicI64>);

impl Default for Clock {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(START_MS)))
    }
}

impl Clock {
    /// The time now.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Sets the time; it may go back.
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.as_millisecond(), Ordering::SeqCst);
    }

    /// Moves the time forward.
    pub fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4);
        let limit = Timestamp::MAX.as_millisecond() - 1;
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| {
            Some(now.saturating_add(ms).min(limit))
        });
    }
}

/// A row's stamp: `2026-01-05T08:00:00.000+0000`, cut to the second. Such texts sort as times do.
pub(crate) fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string()
}

/// Durations as a number of seconds, for settings and faults in JSON.
pub(crate) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(time.as_secs_f64())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// The `Date` header of a reply.
pub(crate) fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_only_when_driven() {
        let clock = Clock::default();
        assert_eq!(stamp(clock.now()), "2026-01-05T08:00:00.000+0000");
        clock.advance(Duration::from_millis(1500));
        assert_eq!(stamp(clock.now()), "2026-01-05T08:00:01.000+0000");
        assert_eq!(http_date(clock.now()), "Mon, 05 Jan 2026 08:00:01 GMT");
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        assert!(clock.now() < Timestamp::MAX);
    }
}
