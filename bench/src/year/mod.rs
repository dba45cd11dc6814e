//! A year of daily snapshots: imports of what changed, compacted every day and pruned every month; what it takes, and how fast it is read.
//!
//! Key decision: all times are relative to one full read of the first day right after it was written, on the same
//! machine in the same run, so that the limits mean the same everywhere. The vault lies in a temporary folder.
//! It does not measure captures over a network.

mod look;
mod make;

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::Days;
use crate::figures::Figures;
use make::Maker;

/// What is measured.
#[derive(Debug, Clone, Args)]
pub struct Year {
    /// Records
    #[arg(long, default_value_t = 200_000)]
    pub records: u64,
    /// Snapshots after the first
    #[arg(long, default_value_t = 365)]
    pub days: u64,
    /// Another seed gives other records
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Mean bytes of a record
    #[arg(long, default_value_t = 1_240)]
    pub bytes: usize,
    /// Which records are edited, and when stamps move
    #[command(flatten)]
    pub pattern: Days,
    /// Where the vault is made; it is removed at the end
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

/// Measures; the figures, and whether all are within their limits.
///
/// # Errors
/// Whatever the vault or the disk says.
pub fn measure(year: &Year) -> Result<(Value, bool), Box<dyn Error>> {
    let mut report = Figures::default();
    let mut maker = Maker::new(year)?;
    maker.first_day()?;
    let first_bytes = maker.stored()?;
    maker.keep_first()?;
    let full = look::full_read(&maker, 1)?;
    report.note("first_snapshot_bytes", first_bytes);
    report.note("full_read_of_day_1_seconds", full.as_secs_f64());
    for day in 1..=year.days {
        maker.day(day)?;
        if day % 30 == 0 || day == year.days {
            maker.prune()?;
            writeln!(
                std::io::stderr(),
                "day {day}: {} MB alive, {} old runs",
                maker.alive()? / 1_000_000,
                maker.old_runs()?
            )?;
        }
    }
    let million = year.records as f64 / 1e6;
    let megabytes = |bytes: f64| bytes / 1e6 / million;
    let alive = maker.alive()?;
    let stored = maker.stored()?;
    report.note("stored_bytes", stored);
    report.note("alive_bytes", alive);
    report.limit(
        "stored_to_first_snapshot",
        stored as f64 / first_bytes as f64,
        2.5,
    );
    let written = maker.written.iter().sum::<u64>() as f64 / year.days.max(1) as f64;
    report.limit("mb_per_million_and_day_when_written", megabytes(written), 4.0);
    report.limit("runs_without_recent_singles", maker.old_runs()? as f64, 12.0);
    // Read again beside what is compared with it: the machine may have been busier or quieter then.
    let full = look::first_read(&maker)?;
    report.note("first_read_again_seconds", full.as_secs_f64());
    times(&mut report, &maker, year, full)?;
    report.note("compact_seconds", maker.compact_time.as_secs_f64());
    report.note("import_seconds", maker.import_time.as_secs_f64());
    report.note("prune_seconds", maker.prune_time.as_secs_f64());
    let merged = maker.merge_all()?;
    report.note("merged_run_bytes", merged.bytes);
    report.note("merged_run_versions", merged.versions);
    let grown = merged.bytes.saturating_sub(first_bytes) as f64;
    report.note(
        "bytes_per_changed_version_once_merged",
        grown / maker.changed.max(1) as f64,
    );
    report.limit(
        "mb_per_million_and_day_once_merged",
        megabytes(grown / year.days.max(1) as f64),
        1.5,
    );
    report.note("peak_memory_mb", peak());
    Ok(report.end())
}

/// How long it takes to look at the vault as it is at the end.
fn times(report: &mut Figures, maker: &Maker, year: &Year, full: Duration) -> Result<(), Box<dyn Error>> {
    let share = |time: Duration| time.as_secs_f64() / full.as_secs_f64();
    let newest = year.days + 1;
    report.limit(
        "full_read_of_newest_day",
        share(look::full_read(maker, newest)?),
        2.0,
    );
    let mut slowest = Duration::ZERO;
    for day in [1, 1 + newest / 4, newest / 2, newest * 3 / 4] {
        slowest = slowest.max(look::full_read(maker, day.clamp(1, newest))?);
    }
    report.limit("full_read_of_any_day", share(slowest), 4.0);
    report.limit("point_read", share(look::point_read(maker, newest)?), 1.0 / 500.0);
    report.limit("history", share(look::versions(maker, newest)?), 1.0 / 100.0);
    report.limit(
        "diff_of_newest_days",
        share(look::which_differ(maker, newest - 1, newest)?),
        1.0 / 30.0,
    );
    let mut old = Duration::ZERO;
    for day in [1, newest / 2, newest * 3 / 4] {
        old = old.max(look::which_differ(maker, day.max(1), day.max(1) + 1)?);
    }
    report.limit("diff_of_old_days", share(old), 1.0 / 5.0);
    report.note(
        "diff_of_newest_days_with_records",
        share(look::differences(maker, newest - 1, newest)?),
    );
    report.note(
        "diff_of_old_days_with_records",
        share(look::differences(maker, newest / 2, newest / 2 + 1)?),
    );
    Ok(())
}

/// The most memory that this process has had, in megabytes; 0 where the system does not say.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|rest| rest.trim().strip_suffix("kB"));
    kilobytes.and_then(|n| n.trim().parse::<u64>().ok()).unwrap_or(0) / 1024
}
