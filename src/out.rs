//! The only door to standard output and standard error: text for people, JSON for programs, and exit statuses.
//!
//! Key decision: every write is checked, so that a reader who went away (`| head`) ends the command quietly
//! instead of by a panic. It does not decide what is said, and never colours it.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use halite_engine::{Error, Kind, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// How a command ended, where it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All was done.
    Done,
    /// It ran to its end and the answer is bad: differences are left.
    Bad,
    /// Something is missing; the report says what.
    Partly,
}

impl From<End> for ExitCode {
    fn from(end: End) -> Self {
        match end {
            End::Done => Self::SUCCESS,
            End::Bad => Self::FAILURE,
            End::Partly => Self::from(3),
        }
    }
}

/// Where a command's answer goes.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    json: bool,
}

impl Out {
    /// Text, or JSON if `json`.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether programs read this.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// One line for people; nothing where programs read.
    pub fn line(self, text: impl Display) -> Result<()> {
        if self.json {
            Ok(())
        } else {
            put(format_args!("{text}\n"))
        }
    }

    /// One JSON document or line for programs; nothing where people read.
    pub fn value(self, value: &impl Serialize) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        let text = serde_json::to_string(value)
            .map_err(|e| Error::invalid(format!("the answer has no JSON form: {e}")))?;
        put(format_args!("{text}\n"))
    }

    /// What is going on, drawn only at a terminal and where people read.
    pub fn progress(self) -> ProgressBar {
        if self.json || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        bar
    }
}

/// Writes to standard output; a reader who went away ends the process as SIGPIPE would.
fn put(text: std::fmt::Arguments<'_>) -> Result<()> {
    let mut to = io::stdout().lock();
    match to.write_fmt(text).and_then(|()| to.flush()) {
        Err(gone) if gone.kind() == io::ErrorKind::BrokenPipe => std::process::exit(141),
        written => written.map_err(|e| Error::io("standard output", e)),
    }
}

/// A remark for people, on standard error.
pub fn note(text: impl Display) {
    // Nobody is left to be told of a standard error that is closed.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Says why a command failed; gives its exit status.
pub fn failed(error: &Error) -> ExitCode {
    note(format_args!("error: {}", error.to_string().replace('\n', " ")));
    match error.kind() {
        Kind::Interrupted => ExitCode::from(130),
        _ => ExitCode::FAILURE,
    }
}

/// Shows help, or what was wrong with what was typed.
pub fn usage(refused: &clap::Error) -> ExitCode {
    let _ = refused.print();
    ExitCode::from(if refused.use_stderr() { 2 } else { 0 })
}

/// Bytes for people: `1.2 MB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1_000, "kB"),
    ];
    for (size, name) in UNITS {
        if count >= size {
            return format!("{}.{} {name}", count / size, count % size * 10 / size);
        }
    }
    format!("{count} B")
}

/// A count with its noun: `1 record`, `3 records`.
pub fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
