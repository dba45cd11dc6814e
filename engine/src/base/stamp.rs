//! An instant in UTC as milliseconds since 1970, read from and written as the API writes it.
//!
//! Key decision: a fixed-format parser without allocation, since every record carries three of them.
//! It accepts `YYYY-MM-DDTHH:MM:SS[.fff]` with `Z`, `+hhmm` or `+hh:mm` and nothing else; it is not a calendar.

use std::fmt;

use crate::base::error::{Error, Result};

/// Milliseconds since 1970-01-01T00:00:00Z; [`Stamp::NONE`] stands for "no stamp".
///
/// ```
/// use halite_engine::base::stamp::Stamp;
/// let s: Stamp = "2024-04-25T17:50:37.000+0200".parse().unwrap();
/// assert_eq!(s.to_string(), "2024-04-25T15:50:37.000Z");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(i64);

impl Stamp {
    /// No stamp: sorts before every real one.
    pub const NONE: Stamp = Stamp(i64::MIN);

    /// From milliseconds since 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whether this is a real instant.
    pub fn is_some(self) -> bool {
        self != Self::NONE
    }

    /// The instant `millis` earlier; `NONE` stays `NONE`.
    #[must_use]
    pub fn minus_millis(self, millis: i64) -> Self {
        if self == Self::NONE {
            self
        } else {
            Self(self.0.saturating_sub(millis))
        }
    }

    /// Days since 1970 and its civil date: year, month, day (UTC).
    pub fn date(self) -> (i64, (i64, i64, i64)) {
        let days = self.0.div_euclid(86_400_000);
        (days, civil(days))
    }

    /// Parses the API's datetime forms; `None` for anything else, also for the 30th of February.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let date = parse_date(text.get(..10)?)?;
        if !matches!(text.get(10), Some(b'T' | b' ')) {
            return None;
        }
        let (millis, rest) = parse_time(text.get(11..)?)?;
        let offset = parse_offset(rest)?;
        Some(Self(date * 86_400_000 + millis - offset * 60_000))
    }

    /// Whether text that [`Stamp::parse`] takes is what [`Stamp::write`] writes.
    pub(crate) fn is_canonical(text: &[u8]) -> bool {
        matches!(text, [to_zone @ .., b'Z'] if Self::is_canonical_to_zone(to_zone))
    }

    /// Whether text that stands before a time zone in what [`Stamp::parse`] takes is what [`Stamp::write`] writes there.
    pub(crate) fn is_canonical_to_zone(text: &[u8]) -> bool {
        matches!(
            text,
            [_, _, _, _, _, _, _, _, _, _, b'T', .., b'.', _, _, _] if text.len() == 23
        )
    }

    /// Writes `YYYY-MM-DDTHH:MM:SS.sssZ`, 24 bytes for years 0 to 9999.
    pub fn write(self, out: &mut Vec<u8>) {
        let ((_, (y, m, d)), ms) = (self.date(), self.0.rem_euclid(86_400_000));
        let (h, min, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        digits(out, y, 4);
        let mut text = *b"-00-00T00:00:00.000Z";
        for (at, value) in [(1, m), (4, d), (7, h), (10, min), (13, s), (16, ms % 1000 / 10)] {
            text[at] += (value / 10) as u8;
            text[at + 1] += (value % 10) as u8;
        }
        text[18] += (ms % 10) as u8;
        out.extend_from_slice(&text);
    }
}

/// Days since 1970 of `YYYY-MM-DD`.
pub fn parse_date(text: &[u8]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else {
        return None;
    };
    let y = number(&[y1, y2, y3, y4])?;
    let (m, d) = (number(&[m1, m2])?, number(&[d1, d2])?);
    (1..=days_of_month(y, m))
        .contains(&d)
        .then(|| days_from_civil(y, m, d))
}

/// Milliseconds of `HH:MM:SS[.f...]`, and what follows it; fractions beyond milliseconds must be zero.
pub fn parse_time(text: &[u8]) -> Option<(i64, &[u8])> {
    let [h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = text else {
        return None;
    };
    let (h, m, s) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?, number(&[*s1, *s2])?);
    if h > 23 || m > 59 || s > 59 {
        return None;
    }
    let base = ((h * 60 + m) * 60 + s) * 1000;
    let [b'.', fraction @ ..] = rest else {
        return Some((base, rest));
    };
    let len = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, rest) = fraction.split_at(len);
    if digits.is_empty() || digits.iter().skip(3).any(|&d| d != b'0') {
        return None;
    }
    let millis = (0..3).fold(0, |n, i| {
        n * 10 + i64::from(digits.get(i).unwrap_or(&b'0') - b'0')
    });
    Some((base + millis, rest))
}

/// Minutes east of UTC of `Z`, `+hhmm`, `+hh:mm`.
fn parse_offset(text: &[u8]) -> Option<i64> {
    let (sign, h, m) = match *text {
        [b'Z'] => return Some(0),
        [sign, h1, h2, m1, m2] | [sign, h1, h2, b':', m1, m2] => (sign, [h1, h2], [m1, m2]),
        _ => return None,
    };
    let minutes = number(&h)? * 60 + number(&m)?;
    match sign {
        b'+' => Some(minutes),
        b'-' => Some(-minutes),
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits
        .iter()
        .try_fold(0, |n, d| d.is_ascii_digit().then(|| n * 10 + i64::from(d - b'0')))
}

fn digits(out: &mut Vec<u8>, mut value: i64, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    for slot in out[start..].iter_mut().rev() {
        *slot = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
}

/// How many days a month has; none if there is no such month.
fn days_of_month(y: i64, m: i64) -> i64 {
    match m {
        4 | 6 | 9 | 11 => 30,
        2 if y % 4 == 0 && (y % 100 != 0 || y % 400 == 0) => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    }
}

/// Days since 1970 of a civil date (Hinnant, "chrono-compatible low-level date algorithms").
fn days_from_civil(y: i64, m: i64, d: i64) -> i64 {
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * ((m + 9) % 12) + 2) / 5 + d - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

/// The civil date of a day since 1970 (same source).
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let m = if mp < 10 { mp + 3 } else { mp - 9 };
    (
        yoe + era * 400 + i64::from(m <= 2),
        m,
        doy - (153 * mp + 2) / 5 + 1,
    )
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NONE {
            return f.write_str("-");
        }
        let mut text = Vec::with_capacity(24);
        self.write(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

impl std::str::FromStr for Stamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(days) = parse_date(text.as_bytes()) {
            return Ok(Self(days * 86_400_000));
        }
        Self::parse(text.as_bytes()).ok_or_else(|| {
            Error::invalid(format!("`{text}` is not a time"))
                .hint("write it as 2026-01-31T12:00:00Z or 2026-01-31")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_400_years_round_trips() {
        for days in -146_097..146_097 {
            let s = Stamp::from_millis(days * 86_400_000 + 12_345_678).to_string();
            assert_eq!(
                Stamp::parse(s.as_bytes()).unwrap().millis(),
                days * 86_400_000 + 12_345_678,
                "{s}"
            );
        }
    }

    #[test]
    fn the_forms_of_rest_and_bulk_are_one_instant() {
        let forms = [
            "2024-02-29T15:50:37.000+0000",
            "2024-02-29T15:50:37.000Z",
            "2024-02-29T15:50:37Z",
        ];
        for form in forms {
            let written = Stamp::parse(form.as_bytes()).unwrap().to_string();
            assert_eq!(written, "2024-02-29T15:50:37.000Z");
            assert_eq!(Stamp::is_canonical(form.as_bytes()), written == form, "{form}");
        }
    }

    proptest::proptest! {
        /// What is taken as it came is what would be written.
        #[test]
        fn canonical_text_is_what_is_written(
            text in "20[0-9]{2}-0[1-9]-[0-2][0-9][T ][01][0-9]:[0-5][0-9]:[0-5][0-9]([.][0-9]{1,3}|)(Z|[+]0[0-9][0-9]{2}|[+]0[0-9]:30)"
        ) {
            if let Some(stamp) = Stamp::parse(text.as_bytes()) {
                proptest::prop_assert_eq!(Stamp::is_canonical(text.as_bytes()), stamp.to_string() == text);
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let bad = [
            "2023-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2024-04-31T00:00:00Z",
            "2024-01-32T00:00:00Z",
            "2024-01-00T00:00:00Z",
            "2024-00-01T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01",
            "",
            "x",
        ];
        for text in bad.iter().chain(&[
            "2024-01-01T00:00:00.0001Z",
            "2024-01-01T00:00:00.000",
            "2024-01-01T00:00:00.",
        ]) {
            assert_eq!(Stamp::parse(text.as_bytes()), None, "{text}");
        }
    }
}
