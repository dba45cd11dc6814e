//! Numbers, dates and times.
//!
//! Key decision: a date plus a number is a date, a datetime plus a number counts in days, and the
//! difference of two of a kind is a number of days. What has no value (a 30th of February) is null.
//! Source: Salesforce Help, "Math Functions", "Date and Time Functions".
//! Not here: texts (`texts`).

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span};

use super::{Op, Val};

const DAY_SECONDS: f64 = 86_400.0;

/// `+` and `-` where a date or a time takes part.
pub(super) fn arithmetic(op: Op, a: &Val, b: &Val) -> Val {
    let shift = |n: f64| if op == Op::Add { n } else { -n };
    match (op, a, b) {
        (Op::Sub, Val::Day(x), Val::Day(y)) => x
            .since(*y)
            .map_or(Val::Null, |s| Val::Num(f64::from(s.get_days()))),
        (Op::Sub, Val::Instant(x), Val::Instant(y)) => {
            Val::Num(x.duration_since(*y).as_secs_f64() / DAY_SECONDS)
        }
        (Op::Add | Op::Sub, Val::Day(d), Val::Num(n)) | (Op::Add, Val::Num(n), Val::Day(d)) => {
            let days = whole(shift(*n)).and_then(|n| Span::new().try_days(n).ok());
            days.and_then(|span| d.checked_add(span).ok())
                .map_or(Val::Null, Val::Day)
        }
        (Op::Add | Op::Sub, Val::Instant(t), Val::Num(n)) | (Op::Add, Val::Num(n), Val::Instant(t)) => {
            SignedDuration::try_from_secs_f64(shift(*n) * DAY_SECONDS)
                .ok()
                .and_then(|span| t.checked_add(span).ok())
                .map_or(Val::Null, Val::Instant)
        }
        _ => Val::Null,
    }
}

/// The whole part of a number that fits a calendar.
fn whole(n: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be small")]
    (n.abs() < 1e9).then_some(n.trunc() as i64)
}

/// Computes a function of numbers or dates; `None` when it is another kind's.
pub(super) fn call(name: &str, values: &[Val]) -> Option<Val> {
    let number = |i: usize| match values.get(i) {
        Some(Val::Num(n)) => Some(*n),
        _ => None,
    };
    let found = match name {
        "ABS" => number(0).map(f64::abs).map(Val::Num),
        // Away from zero and towards it, as the documentation says.
        "CEILING" => number(0).map(|n| Val::Num(n.abs().ceil().copysign(n))),
        "FLOOR" => number(0).map(|n| Val::Num(n.abs().floor().copysign(n))),
        "SQRT" => number(0).filter(|n| *n >= 0.0).map(|n| Val::Num(n.sqrt())),
        "ROUND" => number(0)
            .zip(number(1))
            .map(|(n, places)| Val::Num(round(n, places))),
        "MOD" => number(0)
            .zip(number(1))
            .filter(|(_, by)| *by != 0.0)
            .map(|(n, by)| Val::Num(n - by * (n / by).floor())),
        "MAX" | "MIN" => extreme(values, name == "MAX"),
        "DATE" => date(number(0), number(1), number(2)).map(Val::Day),
        "DATEVALUE" => values.first().and_then(day_of).map(Val::Day),
        "DATETIMEVALUE" => values.first().and_then(instant_of),
        "YEAR" => day(values).map(|d| Val::Num(f64::from(d.year()))),
        "MONTH" => day(values).map(|d| Val::Num(f64::from(d.month()))),
        "DAY" => day(values).map(|d| Val::Num(f64::from(d.day()))),
        "WEEKDAY" => day(values).map(|d| Val::Num(f64::from(d.weekday().to_sunday_one_offset()))),
        "ADDMONTHS" => add_months(values, number(1)),
        _ => return None,
    };
    Some(found.unwrap_or(Val::Null))
}

fn round(n: f64, places: f64) -> f64 {
    let scale = 10f64.powf(places.trunc().clamp(-18.0, 18.0));
    (n * scale).round() / scale
}

fn extreme(values: &[Val], most: bool) -> Option<Val> {
    let numbers = values.iter().filter_map(|v| match v {
        Val::Num(n) => Some(*n),
        _ => None,
    });
    numbers
        .reduce(|a, b| if (a < b) == most { b } else { a })
        .map(Val::Num)
}

fn date(year: Option<f64>, month: Option<f64>, day: Option<f64>) -> Option<Date> {
    let part = |n: Option<f64>| whole(n?);
    Date::new(
        i16::try_from(part(year)?).ok()?,
        i8::try_from(part(month)?).ok()?,
        i8::try_from(part(day)?).ok()?,
    )
    .ok()
}

fn day(values: &[Val]) -> Option<Date> {
    match values.first() {
        Some(Val::Day(d)) => Some(*d),
        _ => None,
    }
}

fn day_of(value: &Val) -> Option<Date> {
    match value {
        Val::Day(d) => Some(*d),
        Val::Instant(t) => Some(t.to_zoned(TimeZone::UTC).date()),
        Val::Text(t) => t.get(..10).unwrap_or(t).parse().ok(),
        _ => None,
    }
}

fn instant_of(value: &Val) -> Option<Val> {
    match value {
        Val::Instant(_) => Some(value.clone()),
        Val::Day(d) => {
            let midnight = d.to_zoned(TimeZone::UTC).ok()?;
            Some(Val::Instant(midnight.timestamp()))
        }
        Val::Text(t) => format!("{}Z", t.trim().trim_end_matches('Z').replacen(' ', "T", 1))
            .parse()
            .ok()
            .map(Val::Instant),
        _ => None,
    }
}

fn add_months(values: &[Val], months: Option<f64>) -> Option<Val> {
    let span = Span::new().try_months(whole(months?)?).ok()?;
    day(values)?.checked_add(span).ok().map(Val::Day)
}
