//! Named ranges of days (`TODAY`, `LAST_N_DAYS:30`) and parts of dates (`CALENDAR_YEAR(..)`).
//!
//! Key decision: a range is its first day and the day after its last, in UTC, by the org's clock; weeks begin
//! on Sunday, the fiscal year on 1 January.
//! Source: SOQL and SOSL Reference, "Date Formats and Date Literals", "Date Functions".
//! Not here: what a comparison with a range means (`plan::filter`).

use jiff::civil::{Date, DateTime};
use jiff::{Span, Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::ast::{DatePart, Literal};

/// Most days, weeks, months or years that a range may span or lie away.
const MAX_NUMBER: u32 = 100_000;

/// Ranges that a number follows after a colon.
const NUMBERED: [&str; 3] = ["LAST_N_", "NEXT_N_", "N_"];

/// The literal that a word is, if it names a range of days.
pub(crate) fn named(word: &str) -> Option<Literal> {
    let upper = word.to_ascii_uppercase();
    let (name, number) = match upper.split_once(':') {
        Some((name, n)) => (name, Some(n.parse().ok().filter(|n| *n <= MAX_NUMBER)?)),
        None => (upper.as_str(), None),
    };
    let numbered = NUMBERED.iter().any(|p| name.starts_with(p));
    if numbered != number.is_some() {
        return None;
    }
    // Any day tells whether the name is one.
    span(name, number, Date::constant(2000, 1, 1))?;
    Some(Literal::Days(name.to_owned(), number))
}

/// The first day of a range and the day after its last.
pub(crate) fn span(name: &str, number: Option<u32>, today: Date) -> Option<(Date, Date)> {
    let n = i64::from(number.unwrap_or(1));
    let day = |by: i64| plus(today, Unit::Day, by);
    match name {
        "TODAY" => return Some((today, day(1)?)),
        "YESTERDAY" => return Some((day(-1)?, today)),
        "TOMORROW" => return Some((day(1)?, day(2)?)),
        "LAST_90_DAYS" => return Some((day(-90)?, day(1)?)),
        "NEXT_90_DAYS" => return Some((day(1)?, day(91)?)),
        "LAST_N_DAYS" => return Some((day(-n)?, day(1)?)),
        "NEXT_N_DAYS" => return Some((day(1)?, day(n + 1)?)),
        "N_DAYS_AGO" => return Some((day(-n)?, day(1 - n)?)),
        _ => {}
    }
    let (way, unit) = match name.strip_suffix("_AGO") {
        Some(rest) => ("AGO", rest.strip_prefix("N_")?),
        None => match NUMBERED.iter().find_map(|p| Some((*p, name.strip_prefix(p)?))) {
            Some((prefix, rest)) => (prefix, rest),
            None => name.split_once('_')?,
        },
    };
    let unit = unit
        .strip_prefix("FISCAL_")
        .filter(|u| u.starts_with(['Q', 'Y']))
        .unwrap_or(unit);
    // `LAST_WEEK`, but `LAST_N_WEEKS:2`.
    let unit = if number.is_some() {
        unit.strip_suffix('S')?
    } else {
        unit
    };
    let unit = Unit::named(unit)?;
    let start = unit.start(today)?;
    let at = |by: i64| plus(start, unit, by);
    match way {
        "THIS" => Some((start, at(1)?)),
        "LAST" => Some((at(-1)?, start)),
        "NEXT" => Some((at(1)?, at(2)?)),
        "LAST_N_" => Some((at(-n)?, start)),
        "NEXT_N_" => Some((at(1)?, at(n + 1)?)),
        "AGO" => Some((at(-n)?, at(1 - n)?)),
        _ => None,
    }
}

#[derive(Debug, Clone, Copy)]
enum Unit {
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "WEEK" => Self::Week,
            "MONTH" => Self::Month,
            "QUARTER" => Self::Quarter,
            "YEAR" => Self::Year,
            _ => return None,
        })
    }

    /// First day of the unit that a day lies in.
    fn start(self, day: Date) -> Option<Date> {
        match self {
            Self::Day => Some(day),
            Self::Week => plus(day, Self::Day, -i64::from(day.weekday().to_sunday_zero_offset())),
            Self::Month => Some(day.first_of_month()),
            Self::Quarter => Date::new(day.year(), (day.month() - 1) / 3 * 3 + 1, 1).ok(),
            Self::Year => Some(day.first_of_year()),
        }
    }
}

fn plus(day: Date, unit: Unit, by: i64) -> Option<Date> {
    let span = Span::new();
    let span = match unit {
        Unit::Day => span.try_days(by),
        Unit::Week => span.try_weeks(by),
        Unit::Month => span.try_months(by),
        Unit::Quarter => span.try_months(by * 3),
        Unit::Year => span.try_years(by),
    };
    day.checked_add(span.ok()?).ok()
}

/// The moment that a stored date or datetime means.
fn moment(value: &Value) -> Option<DateTime> {
    let text = value.as_str()?;
    match text.parse::<Date>() {
        Ok(day) if text.len() == 10 => Some(day.at(0, 0, 0, 0)),
        _ => {
            let at: Timestamp = crate::write::instant(text)?;
            Some(at.to_zoned(TimeZone::UTC).datetime())
        }
    }
}

/// A part of a stored date or datetime; null of null.
pub(crate) fn part(part: DatePart, value: &Value) -> Value {
    let Some(at) = moment(value) else {
        return Value::Null;
    };
    let day = at.date();
    match part {
        DatePart::Year => json!(day.year()),
        DatePart::Quarter => json!((day.month() - 1) / 3 + 1),
        DatePart::Month => json!(day.month()),
        DatePart::DayInMonth => json!(day.day()),
        DatePart::DayInWeek => json!(day.weekday().to_sunday_one_offset()),
        DatePart::DayInYear => json!(day.day_of_year()),
        DatePart::DayOnly => json!(day.to_string()),
        DatePart::HourInDay => json!(at.hour()),
        DatePart::WeekInMonth => json!((day.day() - 1) / 7 + 1),
        DatePart::WeekInYear => json!((day.day_of_year() - 1) / 7 + 1),
    }
}

/// A value as `FORMAT()` shows it to a user in the United States.
pub(crate) fn formatted(value: &Value) -> Value {
    match value {
        Value::Number(n) => json!(grouped(n.as_f64().unwrap_or(0.0))),
        Value::String(text) => match moment(value) {
            Some(at) if text.len() == 10 => json!(format!("{}/{}/{}", at.month(), at.day(), at.year())),
            Some(at) => json!(at.strftime("%-m/%-d/%Y, %-I:%M %p").to_string()),
            None => value.clone(),
        },
        _ => value.clone(),
    }
}

/// `1234567.5` as `1,234,567.5`.
fn grouped(number: f64) -> String {
    let text = format!("{:.3}", number.abs());
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let mut out = String::from(if number < 0.0 { "-" } else { "" });
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    let rest = rest.trim_end_matches('0');
    if !rest.is_empty() {
        out.push('.');
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_days() {
        // A Wednesday.
        let today: Date = "2026-02-11".parse().unwrap();
        for (name, number, from, to) in [
            ("TODAY", None, "2026-02-11", "2026-02-12"),
            ("YESTERDAY", None, "2026-02-10", "2026-02-11"),
            ("LAST_WEEK", None, "2026-02-01", "2026-02-08"),
            ("THIS_WEEK", None, "2026-02-08", "2026-02-15"),
            ("NEXT_WEEK", None, "2026-02-15", "2026-02-22"),
            ("LAST_MONTH", None, "2026-01-01", "2026-02-01"),
            ("THIS_QUARTER", None, "2026-01-01", "2026-04-01"),
            ("NEXT_FISCAL_QUARTER", None, "2026-04-01", "2026-07-01"),
            ("LAST_YEAR", None, "2025-01-01", "2026-01-01"),
            ("LAST_90_DAYS", None, "2025-11-13", "2026-02-12"),
            ("LAST_N_DAYS", Some(2), "2026-02-09", "2026-02-12"),
            ("NEXT_N_DAYS", Some(2), "2026-02-12", "2026-02-14"),
            ("N_DAYS_AGO", Some(2), "2026-02-09", "2026-02-10"),
            ("LAST_N_WEEKS", Some(2), "2026-01-25", "2026-02-08"),
            ("N_MONTHS_AGO", Some(1), "2026-01-01", "2026-02-01"),
            ("NEXT_N_QUARTERS", Some(2), "2026-04-01", "2026-10-01"),
            ("LAST_N_FISCAL_YEARS", Some(3), "2023-01-01", "2026-01-01"),
        ] {
            let range = span(name, number, today).map(|(a, b)| (a.to_string(), b.to_string()));
            assert_eq!(range, Some((from.to_owned(), to.to_owned())), "{name}");
        }
        for word in [
            "LAST_N_DAYS",
            "TODAY:3",
            "LAST_N_DAYS:9999999",
            "THIS_DAY",
            "LAST_N_WEEK:1",
            "Name",
        ] {
            assert_eq!(named(word), None, "{word}");
        }
        assert_eq!(
            named("last_n_days:7"),
            Some(Literal::Days("LAST_N_DAYS".into(), Some(7)))
        );
    }

    #[test]
    fn parts_and_formats() {
        let at = json!("2026-02-11T13:05:00.000+0000");
        for (which, value) in [
            (DatePart::Quarter, json!(1)),
            (DatePart::DayInWeek, json!(4)),
            (DatePart::DayInYear, json!(42)),
            (DatePart::DayOnly, json!("2026-02-11")),
            (DatePart::HourInDay, json!(13)),
            (DatePart::WeekInMonth, json!(2)),
            (DatePart::WeekInYear, json!(6)),
        ] {
            assert_eq!(part(which, &at), value, "{which:?}");
        }
        assert_eq!(part(DatePart::Year, &Value::Null), Value::Null);
        assert_eq!(formatted(&at), json!("2/11/2026, 1:05 PM"));
        assert_eq!(formatted(&json!("2026-02-11")), json!("2/11/2026"));
        assert_eq!(formatted(&json!(-1_234_567.5)), json!("-1,234,567.5"));
        assert_eq!(formatted(&json!(400.0)), json!("400"));
    }
}
