//! Schedules against a scan of every minute, in zones whose clocks are put forward and back.
//!
//! Key decision: the scan knows nothing of sets and days: it asks each minute what the wall clock shows and what it
//! showed before. It does not test the database of time zones.

use jiff::ToSpan;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Stamp {
    text.parse().unwrap()
}

fn next(cron: &str, zone: &str, after: &str) -> String {
    let next = Schedule::parse(cron, zone)
        .unwrap()
        .next_after(at(after))
        .unwrap();
    next.to_string().replace(":00.000Z", "Z")
}

#[test]
fn what_people_write() {
    let cases = [
        ("0 2 * * *", "2026-11-26T02:00:00Z", "2026-11-27T02:00Z"),
        ("@daily", "2026-11-26T18:00:00Z", "2026-11-27T00:00Z"),
        ("@HOURLY", "2026-11-26T18:00:00Z", "2026-11-26T19:00Z"),
        ("*/15 * * * *", "2026-11-26T18:50:00Z", "2026-11-26T19:00Z"),
        ("5/20 * * * *", "2026-11-26T18:26:00Z", "2026-11-26T18:45Z"),
        ("0 22 * * Mon-Fri", "2026-11-27T22:00:00Z", "2026-11-30T22:00Z"),
        ("0 0 * * Sat-Sun", "2026-11-28T00:00:00Z", "2026-11-29T00:00Z"),
        ("0 0 * * 7", "2026-11-26T00:00:00Z", "2026-11-29T00:00Z"),
        ("0 0 13 * fri", "2026-11-26T00:00:00Z", "2026-11-27T00:00Z"),
        ("0 0 29 feb *", "2096-03-01T00:00:00Z", "2104-02-29T00:00Z"),
        ("30 1,13 1 */3 *", "2026-11-26T00:00:00Z", "2027-01-01T01:30Z"),
        ("0 0 1 1 *", "1969-12-31T23:59:59Z", "1970-01-01T00:00Z"),
    ];
    for (cron, after, expected) in cases {
        assert_eq!(next(cron, "UTC", after), expected, "{cron}");
    }
}

#[test]
fn what_is_no_schedule() {
    for cron in [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "0 24 * * *",
        "0 0 0 * *",
        "0 0 32 * *",
        "0 0 * 13 *",
        "0 0 * * 8",
        "0 0 30 2 *",
        "*/0 * * * *",
        "5-1 * * * *",
        "a * * * *",
        "1,,2 * * * *",
        "+1 * * * *",
        "0 0 * foo *",
        "@often",
        "1- * * * *",
        "0 0 * * fri-mon",
        "0 0 mon-sun * *",
        "99999999999 * * * *",
    ] {
        assert!(Schedule::parse(cron, "UTC").is_err(), "{cron}");
    }
    let error = Schedule::parse("@daily", "Mars/Olympus").unwrap_err().to_string();
    assert!(
        error.contains("Mars/Olympus") && error.contains("IANA"),
        "{error}"
    );
}

#[test]
fn clocks_that_are_put_forward_and_back() {
    let vienna = |cron, after| next(cron, "Europe/Vienna", after);
    // 02:00 became 03:00, which was 01:00 by UTC.
    assert_eq!(vienna("30 2 * * *", "2026-03-28T12:00:00Z"), "2026-03-29T01:00Z");
    assert_eq!(vienna("30 2 * * *", "2026-03-29T01:00:00Z"), "2026-03-30T00:30Z");
    // The first time that was skipped is the very moment of the change.
    assert_eq!(vienna("0 2 * * *", "2026-03-28T12:00:00Z"), "2026-03-29T01:00Z");
    assert_eq!(vienna("0 2 * * *", "2026-03-29T01:00:00Z"), "2026-03-30T00:00Z");
    assert_eq!(
        next("0 2 * * *", "America/New_York", "2026-03-07T12:00:00Z"),
        "2026-03-08T07:00Z"
    );
    // 03:00 became 02:00.
    assert_eq!(vienna("30 2 * * *", "2026-10-24T12:00:00Z"), "2026-10-25T00:30Z");
    assert_eq!(vienna("30 2 * * *", "2026-10-25T00:30:00Z"), "2026-10-26T01:30Z");
    assert_eq!(vienna("30 * * * *", "2026-10-25T00:30:00Z"), "2026-10-25T01:30Z");
    // Lord Howe's clocks move by half an hour; Apia left out a whole day.
    assert_eq!(
        next("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z"),
        "2026-10-03T15:30Z"
    );
    assert_eq!(
        next("0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z"),
        "2011-12-30T10:00Z"
    );
}

/// Every due time in the minutes after `from`, by what the wall clock shows.
fn scanned(schedule: &Schedule, from: Timestamp, minutes: i64) -> Vec<Timestamp> {
    let fits = |local: jiff::civil::DateTime| {
        schedule.fits(local.date())
            && has(schedule.hours, local.hour().unsigned_abs().into())
            && has(schedule.minutes, local.minute().unsigned_abs().into())
    };
    let mut due = Vec::new();
    // A day before, so that what the clock has shown already is known.
    let mut instant = from - 24.hours();
    let mut furthest = schedule.zone.to_datetime(instant);
    for _ in 0..(minutes + 1440) {
        instant += 1.minute();
        let local = schedule.zone.to_datetime(instant);
        let mut here = false;
        if local > furthest {
            while furthest < local {
                furthest += 1.minute();
                here |= fits(furthest);
            }
        } else {
            here = schedule.hourly && fits(local);
        }
        if here && instant > from {
            due.push(instant);
        }
    }
    due
}

fn cron() -> impl Strategy<Value = String> {
    let part = |least: u32, most: u32| {
        prop_oneof![
            3 => Just("*".to_owned()),
            3 => (least..=most).prop_map(|n| n.to_string()),
            1 => (least..=most, least..=most).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
            1 => (1..20_u32).prop_map(|n| format!("*/{n}")),
            1 => (least..=most, least..=most).prop_map(|(a, b)| format!("{a},{b}")),
        ]
    };
    let days = prop_oneof![3 => Just("*".to_owned()), 1 => part(1, 28)];
    let weekdays = prop_oneof![3 => Just("*".to_owned()), 1 => part(0, 7)];
    (part(0, 59), part(0, 4), days, weekdays).prop_map(|(m, h, d, w)| format!("{m} {h} {d} * {w}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_next_time_is_the_first_that_a_scan_finds(
        cron in cron(),
        zone in proptest::sample::select(vec!["UTC", "Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "America/Santiago"]),
        near in proptest::sample::select(vec!["2026-03-27", "2026-10-23", "2026-03-06", "2026-10-30", "2026-10-02", "2026-04-02", "2026-09-04"]),
        offset in 0..2880_i64,
    ) {
        let schedule = Schedule::parse(&cron, zone).unwrap();
        let mut from = Timestamp::from_millisecond(at(near).millis()).unwrap() + offset.minutes();
        for due in scanned(&schedule, from, 3 * 1440) {
            let next = schedule.next_after(Stamp::from_millis(from.as_millisecond())).unwrap();
            prop_assert_eq!(next.millis(), due.as_millisecond(), "{} in {} after {}", cron, zone, from);
            from = due;
        }
    }
}
