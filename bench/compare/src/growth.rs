//! What an increment of the same size costs in vaults of different sizes.
//!
//! Key decision: the changes are spread over all records, the worst that can be; the vault is opened by a key file, so
//! that no stretching of a passphrase hides how the cost grows. It is beside no other tool.

use clap::Args;

use crate::dump::Dump;
use crate::measured::least;
use crate::report::{Report, Row};
use crate::tools::{Store, gone};
use crate::{Result, Setting, say};

const CASE: &str = "growth";
/// Increments of each size; the least counts.
const INCREMENTS: u32 = 3;

/// How much of it.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Options {
    /// Records of the vaults
    #[arg(long, value_delimiter = ',', default_values_t = [1_000_000, 5_000_000, 20_000_000])]
    growth: Vec<u64>,
    /// Records that change in each increment
    #[arg(long, default_value_t = 10_000)]
    growth_changes: u64,
    /// Mean bytes of a record; as small as it gets by default
    #[arg(long, default_value_t = 1)]
    growth_bytes: usize,
}

/// Measures.
///
/// # Errors
/// What Halite or the disk says.
pub fn measure(options: &Options, setting: &Setting, report: &mut Report) -> Result<()> {
    let mut costs = Vec::new();
    for records in &options.growth {
        costs.push((*records, increment(*records, options, setting, report)?));
    }
    let least = costs.iter().min_by_key(|(records, _)| *records);
    let most = costs.iter().max_by_key(|(records, _)| *records);
    if let (Some((few, cheap)), Some((many, dear))) = (least, most) {
        let name = format!("growth, an increment: time at {many} records / at {few}");
        report.figures.limit(&name, dear / cheap, 1.6);
    }
    Ok(())
}

fn increment(records: u64, options: &Options, setting: &Setting, report: &mut Report) -> Result<f64> {
    say(format_args!("growth: {records} records"))?;
    let percent = options.growth_changes as f64 * 100.0 / records as f64;
    let folder = setting.work.join("dump");
    let mut dump = Dump::new(folder, records, options.growth_bytes, setting.seed, percent)?;
    let store = Store::with_key_file(&setting.work, "growth", setting.halite()?)?;
    let empty = store.bytes()?;
    dump.whole(0)?;
    let first = store.backup(dump.folder(), "", 0)?;
    let stored = store.bytes()?;
    let work = format!("first import of {records}");
    report.row(Row::new(CASE, work, "halite").run(first).bytes(empty, stored));
    let (mut changed, mut before, mut now) = (0, stored, stored);
    let run = least(INCREMENTS, |round| {
        let day = u64::from(round) + 1;
        changed = dump.changes(day)?.0;
        before = store.bytes()?;
        let run = store.import_delta(dump.folder(), day)?;
        now = store.bytes()?;
        Ok(run)
    })?;
    let work = format!("{changed} changes in {records}");
    report.row(Row::new(CASE, work, "halite").run(run).bytes(before, now));
    store.remove()?;
    gone(dump.folder())?;
    Ok(run.seconds)
}
