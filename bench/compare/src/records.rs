//! Dumps of records: the first state, the next day whole and as a delta, many days kept, any of them given back.
//!
//! Key decision: each day is a dump of all records for every tool, since that is what an export gives; Halite alone also
//! takes what changed, into a vault of its own that began with the same first state. It is not one file a record.

use std::fs;
use std::path::Path;

use clap::Args;

use crate::dump::{Dump, NDJSON};
use crate::measured::{Run, least};
use crate::report::{Report, Row};
use crate::tools::{Store, Tool, gone};
use crate::{Case, Result, Setting, files_of, say};

const CASE: &str = "records";
const OPEN: &str = "open an empty store";
const FIRST: &str = "first day";
const NEXT: &str = "next day";
const DELTA: &str = "next day, its changes alone";
const REST: &str = "all further days";
/// How often opening is measured.
const OPENINGS: u32 = 5;

/// How much of it.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Options {
    /// Records of the dumps
    #[arg(long, default_value_t = 500_000)]
    records: u64,
    /// Mean bytes of a record
    #[arg(long, default_value_t = 1_240)]
    bytes: usize,
    /// Days, the first one too
    #[arg(long, default_value_t = 30)]
    days: u64,
    /// Records edited each day, in a hundred
    #[arg(long, default_value_t = 1.0)]
    edit_percent: f64,
}

/// Measures.
///
/// # Errors
/// What a tool or the disk says.
pub fn measure(options: &Options, setting: &Setting, report: &mut Report) -> Result<()> {
    let dump_of = |folder: &str| {
        let folder = setting.work.join(folder);
        let (records, bytes) = (options.records, options.bytes);
        Dump::new(folder, records, bytes, setting.seed, options.edit_percent)
    };
    let (mut dump, mut changes) = (dump_of("dump")?, dump_of("changes")?);
    let (days, bytes) = (options.days.max(2), dump.whole(0)?);
    report.about(
        "records",
        format!(
            "{} records, {:.1} MB a dump, {} % edited a day, {days} days",
            options.records,
            bytes as f64 / 1e6,
            options.edit_percent
        ),
    );
    let stores = first_day(setting, &dump, report)?;
    let vault = stores.iter().find(|store| store.tool() == Tool::Halite);
    let by_delta = vault.ok_or("Halite is not compared")?.copy("halite-by-delta")?;
    next_day(setting, &stores, &mut dump, report)?;
    delta(setting, &by_delta, &mut changes, report)?;
    further_days(days, &stores, &by_delta, (&mut dump, &mut changes), report)?;
    restores(days, setting, &stores, &dump, report)?;
    compacted(&stores, report)?;
    limits(days, setting, report);
    for store in stores.into_iter().chain([by_delta]) {
        store.remove()?;
    }
    gone(dump.folder())?;
    gone(changes.folder())
}

fn first_day(setting: &Setting, dump: &Dump, report: &mut Report) -> Result<Vec<Store>> {
    let mut stores = Vec::new();
    for installed in setting.tools_of(Case::Records) {
        let name = installed.tool.name();
        say(format_args!("records: the first day, {name}"))?;
        let mut store = Store::make(&setting.work, name, installed)?;
        report.row(Row::new(CASE, OPEN, name).run(least(OPENINGS, |_| store.open())?));
        let empty = store.bytes()?;
        let run = least(setting.rounds, |round| {
            if round > 0 {
                store = Store::make(&setting.work, name, installed)?;
            }
            store.backup(dump.folder(), NDJSON, 0)
        })?;
        report.row(Row::new(CASE, FIRST, name).run(run).bytes(empty, store.bytes()?));
        stores.push(store);
    }
    Ok(stores)
}

/// Does something to a store so many times, each time to the same store; the bytes are those before and after.
fn repeated(rounds: u32, store: &Store, act: &mut dyn FnMut() -> Result<Run>) -> Result<(Run, u64, u64)> {
    let before = store.bytes()?;
    let copy = if rounds > 1 {
        Some(store.copy("before")?)
    } else {
        None
    };
    let run = least(rounds, |round| {
        if let Some(copy) = copy.as_ref().filter(|_| round > 0) {
            store.become_again(copy)?;
        }
        act()
    })?;
    copy.map_or(Ok(()), Store::remove)?;
    Ok((run, before, store.bytes()?))
}

fn next_day(setting: &Setting, stores: &[Store], dump: &mut Dump, report: &mut Report) -> Result<()> {
    dump.whole(1)?;
    for store in stores {
        let name = store.tool().name();
        say(format_args!("records: the next day, {name}"))?;
        let mut backup = || store.backup(dump.folder(), NDJSON, 1);
        let (run, before, now) = repeated(setting.rounds, store, &mut backup)?;
        report.row(Row::new(CASE, NEXT, name).run(run).bytes(before, now));
    }
    Ok(())
}

fn delta(setting: &Setting, store: &Store, changes: &mut Dump, report: &mut Report) -> Result<()> {
    let (rows, _) = changes.changes(1)?;
    report.about("changes of the next day", rows);
    let mut import = || store.import_delta(changes.folder(), 1);
    let (run, before, now) = repeated(setting.rounds, store, &mut import)?;
    report.row(Row::new(CASE, DELTA, "halite").run(run).bytes(before, now));
    Ok(())
}

fn further_days(
    days: u64,
    stores: &[Store],
    by_delta: &Store,
    (dump, changes): (&mut Dump, &mut Dump),
    report: &mut Report,
) -> Result<()> {
    let before: Vec<u64> = stores.iter().map(Store::bytes).collect::<Result<_>>()?;
    let before_delta = by_delta.bytes()?;
    let mut sums = vec![None; stores.len() + 1];
    for day in 2..days {
        say(format_args!("records: day {day} of {days}"))?;
        dump.whole(day)?;
        for (store, sum) in stores.iter().zip(&mut sums) {
            add(sum, store.backup(dump.folder(), NDJSON, day)?);
        }
        changes.changes(day)?;
        add(
            &mut sums[stores.len()],
            by_delta.import_delta(changes.folder(), day)?,
        );
    }
    let row = |name: &str, before: u64, store: &Store, sum: &Option<Run>| {
        let row = Row::new(CASE, REST, name).bytes(before, store.bytes()?);
        Ok::<Row, Box<dyn std::error::Error>>(sum.map_or(row.clone(), |sum| row.run(sum)))
    };
    for ((store, sum), before) in stores.iter().zip(&sums).zip(before) {
        report.row(row(store.tool().name(), before, store, sum)?);
    }
    report.row(row(
        "halite, by changes",
        before_delta,
        by_delta,
        &sums[stores.len()],
    )?);
    Ok(())
}

/// Adds a run to those before it; the largest peak stays.
fn add(sum: &mut Option<Run>, run: Run) {
    *sum = Some(sum.map_or(run, |sum| Run {
        seconds: sum.seconds + run.seconds,
        cpu: sum.cpu + run.cpu,
        peak_mb: sum.peak_mb.max(run.peak_mb),
    }));
}

/// The first day, the one in the middle, the last.
fn points(days: u64) -> [u64; 3] {
    [0, days / 2, days - 1]
}

fn restored(day: u64) -> String {
    format!("day {day} given back")
}

fn restores(days: u64, setting: &Setting, stores: &[Store], dump: &Dump, report: &mut Report) -> Result<()> {
    let to = setting.work.join("back");
    for day in points(days) {
        for store in stores {
            let name = store.tool().name();
            say(format_args!("records: day {day} back, {name}"))?;
            let run = least(setting.rounds, |_| {
                gone(&to)?;
                fs::create_dir(&to)?;
                store.restore(day, &to)
            })?;
            let (lines, bytes) = came_back(&to)?;
            // Halite writes the records in its own form.
            let whole = store.tool() == Tool::Halite || Some(bytes) == dump.bytes_of(day);
            if lines != dump.records() || !whole {
                return Err(format!("{name}: day {day} came back as {lines} records, {bytes} bytes").into());
            }
            report.row(Row::new(CASE, restored(day), name).run(run));
        }
    }
    gone(&to)
}

/// Lines and bytes of the dumps below a folder.
fn came_back(folder: &Path) -> Result<(u64, u64)> {
    let (mut lines, mut bytes) = (0, 0);
    let files = files_of(folder)?;
    for (path, _) in files.iter().filter(|(path, _)| path.ends_with(NDJSON)) {
        let text = fs::read(path)?;
        lines += text.iter().filter(|byte| **byte == b'\n').count() as u64;
        bytes += text.len() as u64;
    }
    Ok((lines, bytes))
}

/// What the vault takes once its runs are merged: without a limit, since the others keep all days as they came.
fn compacted(stores: &[Store], report: &mut Report) -> Result<()> {
    for store in stores.iter().filter(|store| store.tool() == Tool::Halite) {
        let before = store.bytes()?;
        let run = store.compact()?;
        let now = store.bytes()?;
        let row = Row::new(CASE, "compact all days", "halite").run(run);
        report.row(row.bytes(before, now));
    }
    Ok(())
}

fn limits(days: u64, setting: &Setting, report: &mut Report) {
    let limits = Limits { days, report };
    let bytes = limits.first_bytes();
    let mut all = Vec::new();
    for installed in setting.tools_of(Case::Records) {
        match installed.tool {
            Tool::Restic => all.extend(limits.beside_restic()),
            tool @ (Tool::Borg | Tool::Rustic) => all.push(limits.first(tool.name())),
            Tool::Halite => {}
        }
    }
    if let Some(bytes) = bytes {
        let name = "records, first day: Halite's bytes / restic's";
        report.figures.limit(name, bytes, 0.9);
    }
    for (name, ratio, limit) in all
        .into_iter()
        .filter_map(|(name, ratio, limit)| Some((name, ratio?, limit)))
    {
        match limit {
            Some(limit) => report.figures.at_least(&name, ratio, limit),
            None => report.figures.note(&name, (ratio * 100.0).round() / 100.0),
        }
    }
}

/// The ratios: name, how many times more the other takes, and what that must be at least.
type Ratio = (String, Option<f64>, Option<f64>);

struct Limits<'a> {
    days: u64,
    report: &'a Report,
}

impl Limits<'_> {
    fn row(&self, work: &str, tool: &str) -> Option<&Row> {
        self.report.find(CASE, work, tool)
    }

    fn times(&self, work: &str, tool: &str) -> Option<f64> {
        Some(self.row(work, tool)?.seconds? / self.row(work, "halite")?.seconds?)
    }

    fn first(&self, tool: &str) -> Ratio {
        let least = (tool != "rustic").then_some(4.0);
        (
            format!("records, first day: {tool}'s time / Halite's"),
            self.times(FIRST, tool),
            least,
        )
    }

    fn beside_restic(&self) -> Vec<Ratio> {
        let ratio =
            |what: &str, ratio, least: f64| (format!("records, {what} / Halite's"), ratio, Some(least));
        let back = points(self.days).map(|day| self.times(&restored(day), "restic"));
        vec![
            self.first("restic"),
            ratio("next day: restic's time", self.times(NEXT, "restic"), 4.0),
            ratio("next day: restic's added bytes", self.added(), 60.0),
            ratio("next day, its changes alone: restic's time", self.delta(), 40.0),
            ratio("all days kept: restic's bytes", self.kept(), 20.0),
            ratio(
                "any day given back: restic's time",
                back.into_iter().flatten().min_by(f64::total_cmp),
                3.0,
            ),
        ]
    }

    fn first_bytes(&self) -> Option<f64> {
        Some(self.row(FIRST, "halite")?.stored? as f64 / self.row(FIRST, "restic")?.stored? as f64)
    }

    fn added(&self) -> Option<f64> {
        Some(self.row(NEXT, "restic")?.added? as f64 / self.row(NEXT, "halite")?.added?.max(1) as f64)
    }

    fn kept(&self) -> Option<f64> {
        Some(self.row(REST, "restic")?.stored? as f64 / self.row(REST, "halite")?.stored? as f64)
    }

    /// Without what each takes to open an empty store. What is left is a tenth of that at the least: less cannot be
    /// told from noise.
    fn delta(&self) -> Option<f64> {
        let bare = |work: &str, tool: &str| {
            let open = self.row(OPEN, tool)?.seconds?;
            Some((self.row(work, tool)?.seconds? - open).max(open / 10.0))
        };
        Some(bare(NEXT, "restic")? / bare(DELTA, "halite")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(work: impl Into<String>, tool: &str, seconds: f64, before: u64, now: u64) -> Row {
        Row::new(CASE, work, tool).seconds(seconds).bytes(before, now)
    }

    #[test]
    fn ratios_are_of_the_right_rows() {
        let mut report = Report::default();
        for (tool, k) in [("halite", 1.0), ("restic", 10.0)] {
            let bytes = |n: f64| (n * k) as u64;
            report.row(row(OPEN, tool, 0.5, 0, 0));
            report.row(row(FIRST, tool, 2.0 * k, 0, bytes(100.0)));
            report.row(row(NEXT, tool, 3.0 * k, bytes(100.0), bytes(100.0 + k)));
            report.row(row(REST, tool, 4.0, 0, bytes(50.0 * k)));
            for (day, n) in [(0, 1.0), (5, 0.5), (9, 2.0)] {
                report.row(row(restored(day), tool, if k > 1.0 { k * n } else { k }, 0, 0));
            }
        }
        report.row(row(DELTA, "halite", 0.75, 0, 0));
        let limits = Limits {
            days: 10,
            report: &report,
        };
        let ratios: Vec<f64> = limits
            .beside_restic()
            .into_iter()
            .map(|(_, r, _)| r.unwrap())
            .collect();
        assert_eq!(ratios, [10.0, 10.0, 100.0, 118.0, 100.0, 5.0]);
        assert_eq!(limits.first_bytes(), Some(0.1));
        assert_eq!(limits.first("borg").1, None);
        // Less than it takes to open an empty store.
        let mut noisy = Report::default();
        for (work, tool, seconds) in [
            (OPEN, "halite", 0.5),
            (DELTA, "halite", 0.25),
            (OPEN, "restic", 0.5),
        ] {
            noisy.row(row(work, tool, seconds, 0, 0));
        }
        noisy.row(row(NEXT, "restic", 1.0, 0, 0));
        let limits = Limits {
            days: 10,
            report: &noisy,
        };
        assert_eq!(limits.delta(), Some(10.0));
    }

    #[test]
    fn days_are_summed() {
        let mut sum = None;
        for (seconds, peak_mb) in [(1.0, 5.0), (2.0, 3.0)] {
            let run = Run {
                seconds,
                cpu: seconds,
                peak_mb,
            };
            add(&mut sum, run);
        }
        assert_eq!(
            sum,
            Some(Run {
                seconds: 3.0,
                cpu: 3.0,
                peak_mb: 5.0
            })
        );
    }
}
