//! How far a capture is, and about how long the rest of it takes: a bar, lines, or JSON, on standard error.
//!
//! Key decision: the estimate is by rows, each sObject counting as some rows more, from what the last capture found or what
//! the org estimates; it is told only once there is something to go by. It knows nothing of calls: the report does.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use halite_engine::base::clock::Clock;
use halite_engine::ops::capture::Progress;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::args::Progress as Mode;
use crate::out::{Out, bytes, count, note};

/// What an sObject costs beside its rows, in rows.
const SOBJECT: u64 = 200;
/// Between two lines.
const PAUSE: Duration = Duration::from_secs(2);
/// Before an estimate is told.
const SETTLE: Duration = Duration::from_secs(3);

/// What was heard of a capture so far, and where it is told.
pub struct Told {
    mode: Mode,
    bar: ProgressBar,
    clock: Clock,
    begun: Instant,
    last: Option<Instant>,
    sobjects: usize,
    done: usize,
    /// Rows expected of those that are to be read.
    rows: u64,
    /// Rows of those that are done, and of those under way.
    taken: u64,
    under_way: BTreeMap<String, u64>,
    /// What was done when this attempt began.
    before: usize,
}

impl Told {
    /// Tells on `out`; `rows` are expected.
    pub fn new(out: Out, mode: Mode, rows: u64) -> Self {
        let clock = Clock::system();
        let bar = if mode == Mode::Auto {
            out.progress()
        } else {
            ProgressBar::hidden()
        };
        Self {
            mode,
            bar,
            begun: clock.instant(),
            clock,
            last: None,
            sobjects: 0,
            done: 0,
            rows,
            taken: 0,
            under_way: BTreeMap::new(),
            before: 0,
        }
    }

    /// Hears of one thing more.
    pub fn hear(&mut self, progress: &Progress<'_>) {
        let (text, value, always) = match progress {
            Progress::Begun { sobjects, done } => {
                (self.sobjects, self.done, self.before) = (*sobjects, *done, *done);
                let left = (sobjects - done) as u64;
                (
                    format!("{} to read", count(left, "sObject")),
                    json!({"event": "begun"}),
                    true,
                )
            }
            Progress::Rows {
                sobject,
                rows,
                bytes: size,
                before,
            } => {
                self.under_way.insert((*sobject).to_owned(), *rows);
                let of = if *before > 0 {
                    format!(", {before} the last time")
                } else {
                    String::new()
                };
                (
                    format!("{sobject}: {rows} taken{of}, {}", bytes(*size)),
                    json!({"event": "rows", "sobject": sobject, "rows": rows, "bytes": size}),
                    false,
                )
            }
            Progress::Done(sobject) => {
                self.done += 1;
                self.taken += sobject.read;
                self.under_way.remove(&sobject.name);
                (
                    format!("{}: {}", sobject.name, sobject.standing),
                    json!({"event": "done", "sobject": sobject.name, "rows": sobject.read, "standing": sobject.standing}),
                    false,
                )
            }
            Progress::Saved => return,
        };
        self.tell(&text, value, always);
    }

    /// Ends the bar.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn tell(&mut self, text: &str, mut value: Value, always: bool) {
        let (done, all) = (self.done, self.sobjects.max(self.done));
        let left = self.left(self.begun.elapsed());
        let rest = left.map_or(String::new(), |left| format!(", about {} left", time(left)));
        let text = format!("{done} of {all} done{rest}; {text}");
        tracing::info!("{text}");
        self.bar.set_message(text.clone());
        let now = self.clock.instant();
        let due = self.last.is_none_or(|last| now.duration_since(last) >= PAUSE);
        if !always && !due && done < all || matches!(self.mode, Mode::Auto | Mode::None) {
            return;
        }
        self.last = Some(now);
        if self.mode == Mode::Lines {
            note(text);
        } else {
            value["done"] = json!(done);
            value["of"] = json!(all);
            value["seconds_left"] = json!(left.map(|left| left.as_secs()));
            note(value);
        }
    }

    /// About how long the rest takes, after so much time; none while there is nothing to go by.
    fn left(&self, elapsed: Duration) -> Option<Duration> {
        let taken = self.taken + self.under_way.values().sum::<u64>();
        let did = taken + (self.done - self.before) as u64 * SOBJECT;
        let sobjects = (self.sobjects.max(self.done) - self.before) as u64;
        let all = (self.rows.max(taken) + sobjects * SOBJECT).max(did);
        if elapsed < SETTLE || did == 0 {
            return None;
        }
        Some(elapsed.mul_f64((all - did) as f64 / did as f64))
    }
}

/// A time for people: `50 s`, `12 min`, `3 h`.
fn time(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..=99 => format!("{seconds} s"),
        seconds @ 100..=5_999 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h", seconds.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_by_rows() {
        let mut told = Told::new(Out::new(true), Mode::None, 9_600);
        told.hear(&Progress::Begun { sobjects: 4, done: 2 });
        let ten = Duration::from_secs(10);
        assert_eq!(told.left(ten), None, "nothing was done");
        let rows = |rows| Progress::Rows {
            sobject: "Account",
            rows,
            bytes: 0,
            before: 0,
        };
        told.hear(&rows(1_000));
        assert_eq!(told.left(Duration::from_secs(1)), None, "it is too early");
        assert_eq!(told.left(ten), Some(Duration::from_secs(90)));
        told.hear(&rows(5_000));
        assert_eq!(told.left(ten), Some(Duration::from_secs(10)));
        told.hear(&rows(20_000));
        assert!(
            told.left(ten).unwrap() < Duration::from_secs(1),
            "more came than was expected"
        );
        assert_eq!(time(Duration::from_secs(61)), "61 s");
        assert_eq!(time(Duration::from_secs(601)), "11 min");
    }
}
