//! What passed, what failed, and who says so.
//!
//! Key decision: failures are printed as they come, a few lines each with the seed; the end is one line and an exit
//! status. Seeds run on all cores, each whole in its own store, so that the order in which they end means nothing.

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::store::{Tally, alone};

/// Lines of one failure that are printed.
const LINES: usize = 4;

/// The count.
#[derive(Default)]
pub struct Report {
    passed: AtomicU64,
    failed: AtomicU64,
}

/// Prints a line. That nobody reads it is no failure of the engine.
pub fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Does the same on all cores.
pub fn everywhere(work: &(impl Fn() + Sync)) {
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let _alone = alone();
                work();
            });
        }
    });
}

impl Report {
    /// One case: nothing wrong, or what.
    pub fn case(&self, name: impl Display, wrong: &[String]) {
        if wrong.is_empty() {
            self.passed.fetch_add(1, Ordering::SeqCst);
            return;
        }
        self.failed.fetch_add(1, Ordering::SeqCst);
        for line in wrong.iter().take(LINES) {
            say(format_args!("{name}: {line}"));
        }
        if wrong.len() > LINES {
            say(format_args!("{name}: and {} more", wrong.len() - LINES));
        }
    }

    /// What another process has counted.
    pub fn add(&self, passed: u64, failed: u64) {
        self.passed.fetch_add(passed, Ordering::SeqCst);
        self.failed.fetch_add(failed, Ordering::SeqCst);
    }

    /// Runs seeds on all cores; the first one twice, which must be the same run.
    pub fn seeds(&self, first: u64, count: u64, verbose: bool, run: fn(u64) -> (Vec<String>, Tally)) {
        let next = AtomicU64::new(first);
        let totals = std::sync::Mutex::new(Tally::default());
        let seed = || Some(next.fetch_add(1, Ordering::SeqCst)).filter(|seed| *seed < first + count);
        let work = || {
            while let Some(seed) = seed() {
                let (mut wrong, tally) = run(seed);
                if seed == first {
                    let again = run(seed).1;
                    if again != tally {
                        wrong.push(format!("not the same run again: {tally:?}, {again:?}"));
                    }
                }
                if verbose {
                    say(format_args!("seed {seed}: {tally:?}"));
                }
                self.case(format_args!("seed {seed}"), &wrong);
                let mut totals = totals.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                totals.calls += tally.calls;
                totals.faults += tally.faults;
                totals.crashes += tally.crashes;
                totals.switches += tally.switches;
            }
        };
        everywhere(&work);
        let totals = totals
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        say(format_args!(
            "{count} seeds from {first}: {} calls, {} of them failed or lied, {} crashes, {} turns passed in the middle of a call",
            totals.calls, totals.faults, totals.crashes, totals.switches
        ));
    }

    /// The last line, and the exit status.
    pub fn end(self) -> ExitCode {
        let (passed, failed) = (self.passed.into_inner(), self.failed.into_inner());
        say(format_args!("{passed} passed, {failed} failed"));
        if failed == 0 && passed > 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
