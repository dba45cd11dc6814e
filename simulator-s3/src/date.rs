//! When an object was written, as S3 says it in listings and in headers.
//!
//! Key decision: from the days since 1970 by the civil calendar, twenty lines instead of a crate. It knows no time zones
//! and nothing before 1970.

use std::time::{SystemTime, UNIX_EPOCH};

const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

#[expect(clippy::disallowed_methods, reason = "a store has a clock of its own")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// `2026-01-01T00:00:00.000Z`.
pub(crate) fn of_listing(time: SystemTime) -> String {
    let (days, second) = split(time);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{}.000Z", clock(second))
}

/// `Thu, 01 Jan 2026 00:00:00 GMT`.
pub(crate) fn of_header(time: SystemTime) -> String {
    let (days, second) = split(time);
    let (year, month, day) = civil(days);
    let name = |names: &[&'static str], at: u64| names.iter().cycle().nth(at as usize).copied();
    let weekday = name(&WEEKDAYS, days % 7).unwrap_or_default();
    let month = name(&MONTHS, month - 1).unwrap_or_default();
    format!("{weekday}, {day:02} {month} {year:04} {} GMT", clock(second))
}

fn split(time: SystemTime) -> (u64, u64) {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    (seconds / 86_400, seconds % 86_400)
}

fn clock(second: u64) -> String {
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// Year, month and day of a day since 1970, in years that begin in March, of eras of 400 years.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (400 * era + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, listing, header) in [
            (0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
            (
                951_782_400,
                "2000-02-29T00:00:00.000Z",
                "Tue, 29 Feb 2000 00:00:00 GMT",
            ),
            (
                1_795_867_199,
                "2026-11-28T11:59:59.000Z",
                "Sat, 28 Nov 2026 11:59:59 GMT",
            ),
            (
                4_102_444_799,
                "2099-12-31T23:59:59.000Z",
                "Thu, 31 Dec 2099 23:59:59 GMT",
            ),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(of_listing(time), listing);
            assert_eq!(of_header(time), header);
        }
    }
}
