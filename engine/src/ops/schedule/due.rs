//! What is due: a schedule held against what the activity log says was run.
//!
//! Key decision: the log in the vault is the only memory, so that a restart, another machine and a run by hand count alike;
//! however many times were missed, one run makes up for them. It runs nothing.

use super::Schedule;
use crate::base::id::OrgId;
use crate::base::stamp::Stamp;
use crate::format::mark::{ActivityEntry, Ended};

/// How long after a pause or a failure another attempt is made, in milliseconds.
pub const AGAIN: i64 = 3_600_000;
/// Failed attempts at one due time, after which the next due time is waited for.
const ATTEMPTS: u32 = 3;

/// What became of the backups of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// When the last one began that ran to its end; `NONE`: none did.
    pub ran: Stamp,
    /// How that one ended.
    pub ended: Ended,
    /// When an attempt since then stopped, how, and how many there were.
    pub open: Option<(Stamp, Ended, u32)>,
}

/// When the next backup of a connection is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// When; `NONE`: never.
    pub at: Stamp,
    /// Whether it goes on with, or repeats, an attempt that was begun.
    pub again: bool,
}

impl Past {
    /// From the activity log, oldest line first. A name that stood for another org before begins anew.
    pub fn of(log: &[ActivityEntry], connection: &str, org: OrgId) -> Self {
        let mut past = Self {
            ran: Stamp::NONE,
            ended: Ended::Done,
            open: None,
        };
        let ours = |line: &&ActivityEntry| {
            line.verb == "backup" && line.as_set && line.connection == connection && line.org == Some(org)
        };
        for line in log.iter().filter(ours) {
            match line.ended {
                Ended::Done | Ended::Partly => {
                    (past.ran, past.ended, past.open) = (line.began, line.ended, None);
                }
                Ended::Paused | Ended::Failed => {
                    let before = past.open.map_or(0, |(_, _, tries)| tries);
                    past.open = Some((line.at, line.ended, before + 1));
                }
            }
        }
        past
    }

    /// When the next is due. `first` is when the first was to be; `eager` tries again at once what is unfinished.
    pub fn due(&self, schedule: &Schedule, first: Stamp, eager: bool) -> Due {
        let regular = if self.ran >= first {
            schedule.next_after(self.ran)
        } else {
            Some(first)
        };
        let regular = regular.unwrap_or(Stamp::NONE);
        let wait = if eager { 0 } else { AGAIN };
        match self.open {
            Some((at, Ended::Paused, _)) => Due {
                at: at.minus_millis(-wait),
                again: true,
            },
            // It was not due yet, and somebody tried by hand.
            Some((at, _, _)) if at < regular || !regular.is_some() => Due {
                at: regular,
                again: false,
            },
            Some((at, _, tries)) if tries >= ATTEMPTS => Due {
                at: schedule.next_after(at).unwrap_or(Stamp::NONE),
                again: false,
            },
            Some((at, _, _)) => Due {
                at: at.minus_millis(-wait),
                again: true,
            },
            None => Due {
                at: regular,
                again: false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Stamp {
        format!("2026-01-{text}:00Z").parse().unwrap()
    }

    fn org(text: &str) -> OrgId {
        text.parse().unwrap()
    }

    fn line(began: &str, ended: Ended) -> ActivityEntry {
        ActivityEntry {
            verb: "backup".into(),
            org: Some(org("00D000000000001")),
            connection: "acme".into(),
            as_set: true,
            began: at(began),
            at: at(began).minus_millis(-60_000),
            ended,
            ..ActivityEntry::default()
        }
    }

    fn due(log: &[ActivityEntry], eager: bool) -> (String, bool) {
        let nightly = Schedule::parse("0 2 * * *", "UTC").unwrap();
        let due = Past::of(log, "acme", org("00D000000000001")).due(&nightly, at("05T02:00"), eager);
        (due.at.to_string()[8..16].to_owned(), due.again)
    }

    fn is(day: &str, again: bool) -> (String, bool) {
        (day.to_owned(), again)
    }

    #[test]
    fn one_run_makes_up_for_all_that_were_missed() {
        assert_eq!(due(&[], false), is("05T02:00", false));
        assert_eq!(
            due(&[line("05T02:00", Ended::Done)], false),
            is("06T02:00", false)
        );
        // It was down for four days and ran at noon: the next is in the night.
        assert_eq!(
            due(&[line("09T12:00", Ended::Partly)], false),
            is("10T02:00", false)
        );
        // What ran before the first was to be does not count.
        assert_eq!(
            due(&[line("04T12:00", Ended::Done)], false),
            is("05T02:00", false)
        );
    }

    #[test]
    fn what_stopped_goes_on() {
        let paused = [line("05T02:00", Ended::Done), line("06T02:00", Ended::Paused)];
        assert_eq!(due(&paused, false), is("06T03:01", true));
        assert_eq!(due(&paused, true), is("06T02:01", true));
        let failed = |times: usize| vec![line("06T02:00", Ended::Failed); times];
        assert_eq!(due(&failed(2), false), is("06T03:01", true));
        assert_eq!(due(&failed(3), false), is("07T02:00", false));
        // A failure that was not due moves nothing.
        assert_eq!(
            due(&[line("04T02:00", Ended::Failed)], false),
            is("05T02:00", false)
        );
    }

    #[test]
    fn others_do_not_count() {
        let mut other = line("05T02:00", Ended::Done);
        other.connection = "bolt".into();
        let mut part = line("05T02:00", Ended::Done);
        part.as_set = false;
        // The name stood for another org, which was left in the middle of a capture.
        let mut before = line("05T02:00", Ended::Paused);
        before.org = Some(org("00D000000000002"));
        assert_eq!(due(&[other, part, before], false), is("05T02:00", false));
    }
}
