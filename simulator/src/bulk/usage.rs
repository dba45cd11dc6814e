//! What was used of the daily allowances, over the last 24 hours of the org's clock.
//!
//! Key decision: a rolling window of amounts with their times; what is older falls out when it is read.
//! Source: Limits cheat sheet, "Bulk API 2.0".
//! Not here: what the allowances are (`settings`).

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Amounts used, each with its time.
#[derive(Debug, Default)]
pub(crate) struct Window(VecDeque<(Timestamp, u64)>);

impl Window {
    pub fn add(&mut self, now: Timestamp, amount: u64) {
        while self
            .0
            .front()
            .is_some_and(|(at, _)| now.duration_since(*at) >= DAY)
        {
            self.0.pop_front();
        }
        self.0.push_back((now, amount));
    }

    /// What was used in the 24 hours before now.
    pub fn used(&self, now: Timestamp) -> u64 {
        let fresh = self.0.iter().filter(|(at, _)| now.duration_since(*at) < DAY);
        fresh.map(|(_, amount)| amount).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_later_it_is_free_again() {
        let mut window = Window::default();
        let noon = Timestamp::UNIX_EPOCH;
        window.add(noon, 3);
        window.add(noon + SignedDuration::from_hours(1), 4);
        assert_eq!(window.used(noon + SignedDuration::from_hours(23)), 7);
        assert_eq!(window.used(noon + SignedDuration::from_hours(24)), 4);
        assert_eq!(window.used(noon + SignedDuration::from_hours(25)), 0);
    }
}
