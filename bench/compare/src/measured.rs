//! Runs a command and says what it took: wall time, CPU, the largest resident set.
//!
//! Key decision: every command runs below `/usr/bin/time`, which adds up its children too, whatever the tool is; wall
//! time is by the one door to time, which is finer than that program's hundredths. It knows no tool.

use std::path::Path;
use std::process::Command;

use crate::Result;

/// What a command took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// Wall time.
    pub seconds: f64,
    /// User and system time.
    pub cpu: f64,
    /// Largest resident set.
    pub peak_mb: f64,
}

/// Runs a command to its end; `scratch` is a folder for what `time` says.
///
/// # Errors
/// The command did not end well, with the end of what it printed.
pub fn run(scratch: &Path, command: &Command) -> Result<Run> {
    let told = scratch.join("time");
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-q", "-f", "%U %S %M", "-o"]).arg(&told);
    timed.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => timed.env(name, value),
            None => timed.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        timed.current_dir(dir);
    }
    let start = halite_bench::now();
    let output = timed.output().map_err(|e| format!("/usr/bin/time: {e}"))?;
    let seconds = start.elapsed().as_secs_f64();
    fine(command, &output)?;
    parse(seconds, &std::fs::read_to_string(told)?).ok_or_else(|| "`time` says nothing".into())
}

/// Runs a command whose time is of no interest; what it printed.
///
/// # Errors
/// As [`run`].
pub fn tell(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|e| format!("{name}: {e}"))?;
    fine(command, &output)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn fine(command: &Command, output: &std::process::Output) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let told = [&output.stdout[..], &output.stderr[..]].concat();
    let told = String::from_utf8_lossy(&told);
    let last: Vec<&str> = told.lines().rev().take(8).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    Err(format!("{command:?}: {}\n{}", output.status, last.join("\n")).into())
}

/// Reads the last line of `%U %S %M`: seconds, seconds, kilobytes of 1024 bytes.
fn parse(seconds: f64, told: &str) -> Option<Run> {
    let line = told.lines().last()?;
    let numbers: Vec<f64> = line.split(' ').map_while(|word| word.parse().ok()).collect();
    let [user, system, kilobytes] = numbers[..] else {
        return None;
    };
    Some(Run {
        seconds,
        cpu: user + system,
        peak_mb: kilobytes * 1024.0 / 1e6,
    })
}

/// The quickest of so many rounds, with the largest peak of all of them.
///
/// # Errors
/// Those of `once`.
pub fn least(rounds: u32, mut once: impl FnMut(u32) -> Result<Run>) -> Result<Run> {
    let mut best = once(0)?;
    for round in 1..rounds {
        let run = once(round)?;
        let peak_mb = best.peak_mb.max(run.peak_mb);
        if run.seconds < best.seconds {
            best = run;
        }
        best.peak_mb = peak_mb;
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_time_says_is_read() {
        let run = parse(2.5, "1.25 0.50 1000\n").unwrap();
        assert_eq!((run.seconds, run.cpu, run.peak_mb), (2.5, 1.75, 1.024));
        let after_a_failure = "Command exited with non-zero status 1\n0.00 0.25 2000\n";
        assert_eq!(parse(1.0, after_a_failure).unwrap().cpu, 0.25);
        for bad in ["", "1 2", "1 2 3 4", "1 x 3"] {
            assert_eq!(parse(1.0, bad), None, "{bad}");
        }
    }

    #[test]
    fn the_quickest_round_counts_and_the_largest_peak() {
        let rounds = [(3.0, 10.0), (1.0, 20.0), (2.0, 30.0)];
        let run = least(3, |round| {
            let (seconds, peak_mb) = rounds[round as usize];
            Ok(Run {
                seconds,
                cpu: seconds,
                peak_mb,
            })
        });
        let run = run.unwrap();
        assert_eq!((run.seconds, run.cpu, run.peak_mb), (1.0, 1.0, 30.0));
    }

    #[test]
    fn a_command_that_fails_is_an_error_with_its_words() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo so it goes >&2; exit 3"]);
        let error = run(dir.path(), &command).unwrap_err().to_string();
        assert!(error.contains("so it goes"), "{error}");
    }
}
