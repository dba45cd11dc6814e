//! When a backup is due: the five fields of cron in a time zone, and what counts as a run that was missed.
//!
//! Key decision: the next time is found day by day over sets of minutes, hours and days, so that it costs little however
//! rare it is, and every local time has exactly one meaning where clocks are put forward or back. It starts nothing and
//! reads no clock: whoever runs a schedule does.

mod due;

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

use crate::base::error::{Error, Result};
use crate::base::stamp::Stamp;

pub use due::{AGAIN, Due, Past};

/// When something is to be done, again and again.
///
/// ```
/// use halite_engine::ops::schedule::Schedule;
/// let nightly = Schedule::parse("0 2 * * MON-FRI", "Europe/Vienna").unwrap();
/// // Friday noon: the next one is on Monday at two, which is midnight by UTC in summer.
/// let next = nightly.next_after("2026-07-03T12:00:00Z".parse().unwrap());
/// assert_eq!(next.unwrap().to_string(), "2026-07-06T00:00:00.000Z");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether a day that fits one of days and weekdays will do: both are named.
    either: bool,
    /// Whether it is meant for each hour, so that an hour that comes twice counts twice.
    hourly: bool,
    zone: TimeZone,
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const NAMED: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];
/// Longer than between two 29ths of February of one weekday, around a century that is no leap year.
const DAYS_AHEAD: u32 = 366 * 48;

/// One field: what it is called, its least and most, and the names that stand for numbers from the least on.
struct Field {
    what: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    field("minute", 0, 59, &[]),
    field("hour", 0, 23, &[]),
    field("day of the month", 1, 31, &[]),
    field("month", 1, 12, &MONTHS),
    field("day of the week", 0, 7, &WEEKDAYS),
];

const fn field(what: &'static str, least: u32, most: u32, names: &'static [&'static str]) -> Field {
    Field {
        what,
        least,
        most,
        names,
    }
}

impl Schedule {
    /// Reads `minute hour day month weekday`, or `@daily` and the like, and the name of a time zone of the IANA database
    /// (`UTC`, `Europe/Vienna`).
    ///
    /// # Errors
    /// `Invalid` for anything else, and for a time that never comes.
    pub fn parse(cron: &str, zone: &str) -> Result<Self> {
        let wrong = |why: String| {
            Error::invalid(format!("`{cron}` is no schedule: {why}"))
                .hint("write five fields, minute hour day month weekday: \"0 2 * * *\" is daily at 02:00")
        };
        let lower = cron.trim().to_ascii_lowercase();
        let text = NAMED
            .iter()
            .find(|(name, _)| *name == lower)
            .map_or(lower.as_str(), |n| n.1);
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = words[..] else {
            return Err(wrong(format!("it has {} fields", words.len())));
        };
        let read = |at: usize, text: &str| set(&FIELDS[at], text).map_err(wrong);
        let star = |text: &str| text.starts_with('*');
        let weekdays = read(4, weekday)?;
        let schedule = Self {
            minutes: read(0, minute)?,
            hours: read(1, hour)?,
            days: read(2, day)?,
            months: read(3, month)?,
            weekdays: (weekdays | weekdays >> 7) & 0x7f,
            either: !star(day) && !star(weekday),
            hourly: star(hour),
            zone: zone_of(zone)?,
        };
        match schedule.next_after(Stamp::from_millis(0)) {
            Some(_) => Ok(schedule),
            None => Err(wrong("there is no such day".to_owned())),
        }
    }

    /// The first time after `after`. A time that clocks skip when they are put forward is the moment they are; one that
    /// comes twice when they are put back is its first, unless the hour begins with `*`. None: beyond all calendars.
    pub fn next_after(&self, after: Stamp) -> Option<Stamp> {
        let from = Timestamp::from_millisecond(after.millis()).ok()?;
        let mut date = self.zone.to_datetime(from).date().yesterday().ok()?;
        for _ in 0..DAYS_AHEAD {
            if self.fits(date) {
                let times = self.times(date).into_iter().filter(|time| *time > from);
                if let Some(next) = times.min() {
                    return Some(Stamp::from_millis(next.as_millisecond()));
                }
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    fn fits(&self, date: Date) -> bool {
        let day = has(self.days, date.day().unsigned_abs().into());
        let weekday = has(
            self.weekdays,
            date.weekday().to_sunday_zero_offset().unsigned_abs().into(),
        );
        let either = if self.either {
            day || weekday
        } else {
            day && weekday
        };
        either && has(self.months, date.month().unsigned_abs().into())
    }

    /// Every time of a day that fits.
    fn times(&self, date: Date) -> Vec<Timestamp> {
        let mut times = Vec::new();
        for hour in (0..24_i8).filter(|n| has(self.hours, n.unsigned_abs().into())) {
            for minute in (0..60_i8).filter(|n| has(self.minutes, n.unsigned_abs().into())) {
                let local = date.at(hour, minute, 0, 0);
                let found = self.zone.to_ambiguous_timestamp(local);
                match found.offset() {
                    AmbiguousOffset::Unambiguous { .. } => times.extend(found.compatible()),
                    AmbiguousOffset::Gap { .. } => {
                        times.extend(found.later().ok().and_then(|later| self.change_until(later)));
                    }
                    AmbiguousOffset::Fold { .. } => {
                        times.extend(found.earlier());
                        times.extend(found.later().ok().filter(|_| self.hourly));
                    }
                }
            }
        }
        times
    }

    /// When the clocks were changed last, at this instant or before it.
    fn change_until(&self, instant: Timestamp) -> Option<Timestamp> {
        let behind = instant.checked_add(1.nanosecond()).ok()?;
        Some(self.zone.preceding(behind).next()?.timestamp())
    }
}

fn zone_of(name: &str) -> Result<TimeZone> {
    if name.eq_ignore_ascii_case("utc") {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|_| {
        Error::invalid(format!("this machine knows no time zone `{name}`"))
            .hint("name it as the IANA database does (Europe/Vienna), or use UTC")
    })
}

fn has(set: u64, n: u32) -> bool {
    set >> n & 1 == 1
}

/// The numbers of a field: a list of `*`, `a`, `a-b`, each perhaps with a step behind `/`.
fn set(field: &Field, text: &str) -> Result<u64, String> {
    let mut all = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let every = step.map_or(Some(1), |step| step.parse::<u32>().ok().filter(|n| *n > 0));
        let every = every.ok_or_else(|| format!("the step of {} `{part}`", field.what))?;
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (field.least, field.most),
            // Sunday ends a week as well as it begins one: `sat-sun`.
            Some((first, "sun")) => (number(field, first)?, number(field, "7")?),
            Some((first, last)) => (number(field, first)?, number(field, last)?),
            None if step.is_some() => (number(field, range)?, field.most),
            None => (number(field, range)?, number(field, range)?),
        };
        if first > last {
            return Err(format!("{} `{part}` runs backwards", field.what));
        }
        (first..=last).step_by(every as usize).for_each(|n| all |= 1 << n);
    }
    Ok(all)
}

fn number(field: &Field, text: &str) -> Result<u32, String> {
    let named = field
        .names
        .iter()
        .zip(field.least..)
        .find(|(name, _)| **name == text);
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    named
        .map(|(_, n)| n)
        .or(number)
        .filter(|n| (field.least..=field.most).contains(n))
        .ok_or_else(|| format!("{} `{text}` is not {} to {}", field.what, field.least, field.most))
}

#[cfg(test)]
mod tests;
