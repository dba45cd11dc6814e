//! Halite beside the tools that a user would take instead: the same data, in the same run, by one command.
//!
//! Key decision: only ratios between figures of one run have limits, since times of a shared machine mean nothing by
//! themselves; the exit status says whether all hold. It does not judge what the tools are for otherwise.

mod dump;
mod files;
mod folder;
mod growth;
mod install;
mod measured;
mod one_file;
mod reads;
mod records;
mod releases;
mod report;
mod tools;

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use report::Report;
use tools::{Installed, Tool};

/// Errors are for whoever runs this.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What every command of Halite keeps to (docs/upkeep.md).
const PEAK_MB: f64 = 400.0;

#[derive(Parser)]
#[command(
    name = "compare",
    about = "Measures Halite beside restic, borg, rustic and SQLite"
)]
struct Arguments {
    /// Only these cases
    #[arg(long, value_delimiter = ',')]
    only: Vec<Case>,
    /// Beside these tools alone
    #[arg(long, value_delimiter = ',')]
    tools: Vec<Tool>,
    /// One JSON object in place of tables
    #[arg(long)]
    json: bool,
    /// Where the temporary folder is made; it is removed at the end
    #[arg(long)]
    dir: Option<PathBuf>,
    /// How often what can be repeated is; the least of each counts
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// Another seed gives other records
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    records: records::Options,
    #[command(flatten)]
    one_file: one_file::Options,
    #[command(flatten)]
    reads: reads::Options,
    #[command(flatten)]
    growth: growth::Options,
    #[command(subcommand)]
    inner: Option<Inner>,
}

#[derive(Subcommand)]
enum Inner {
    /// What this program runs itself as, to be measured as a process: a folder of files into a vault
    #[command(hide = true)]
    Take(files::Take),
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Case {
    /// Dumps of records: first, next day, many days, restores
    Records,
    /// The same records, one file each for the others
    OneFileARecord,
    /// Point reads, beside SQLite
    Reads,
    /// Files: releases of public packages
    Files,
    /// Increments of the same size into vaults of different sizes
    Growth,
}

impl Case {
    /// Which other tools it compares with.
    fn others(self) -> &'static [Tool] {
        match self {
            Self::Records | Self::OneFileARecord => &[Tool::Restic, Tool::Borg, Tool::Rustic],
            Self::Files => &[Tool::Restic, Tool::Rustic],
            Self::Reads | Self::Growth => &[],
        }
    }
}

/// What all cases share.
pub struct Setting {
    /// Where they work.
    work: PathBuf,
    /// What is there.
    tools: Vec<Installed>,
    rounds: u32,
    seed: u64,
}

impl Setting {
    /// The program of Halite.
    fn halite(&self) -> Result<&Path> {
        let halite = self.tools.iter().find(|installed| installed.tool == Tool::Halite);
        Ok(&halite.ok_or("Halite is not installed")?.program)
    }

    /// Those that a case compares.
    fn tools_of(&self, case: Case) -> impl Iterator<Item = &Installed> {
        let wanted = move |tool: Tool| tool == Tool::Halite || case.others().contains(&tool);
        self.tools.iter().filter(move |installed| wanted(installed.tool))
    }
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(Inner::Take(take)) = &arguments.inner {
        files::take(take)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (text, ok) = compare(&arguments)?;
    writeln!(std::io::stdout(), "{}", text.trim_end())?;
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn compare(arguments: &Arguments) -> Result<(String, bool)> {
    let chosen = |case: &Case| arguments.only.is_empty() || arguments.only.contains(case);
    let cases: Vec<Case> = Case::value_variants().iter().copied().filter(chosen).collect();
    let asked = |tool: &Tool| arguments.tools.is_empty() || arguments.tools.contains(tool);
    let needed = |tool: &Tool| cases.iter().any(|case| case.others().contains(tool));
    let wanted: Vec<Tool> = Tool::ALL
        .into_iter()
        .filter(|tool| *tool == Tool::Halite || asked(tool) && needed(tool))
        .collect();
    let place = match &arguments.dir {
        Some(dir) => tempfile::tempdir_in(std::path::absolute(dir)?)?,
        None => tempfile::tempdir()?,
    };
    let setting = Setting {
        work: place.path().to_owned(),
        tools: install::install(&wanted)?,
        rounds: arguments.rounds.max(1),
        seed: arguments.seed,
    };
    let mut report = Report::default();
    install::about(&mut report, &setting.tools)?;
    report.about("seed", arguments.seed);
    report.about("rounds", setting.rounds);
    for case in cases {
        match case {
            Case::Records => records::measure(&arguments.records, &setting, &mut report)?,
            Case::OneFileARecord => one_file::measure(&arguments.one_file, &setting, &mut report)?,
            Case::Reads => reads::measure(&arguments.reads, &setting, &mut report)?,
            Case::Files => files::measure(&setting, &mut report)?,
            Case::Growth => growth::measure(&arguments.growth, &setting, &mut report)?,
        }
    }
    if let Some(peak) = report.peak() {
        report
            .figures
            .limit("Halite's largest resident set, MB", peak, PEAK_MB);
    }
    Ok(report.end(arguments.json))
}

/// Tells how far it has come.
///
/// # Errors
/// Standard error is closed.
fn say(what: std::fmt::Arguments<'_>) -> Result<()> {
    Ok(writeln!(std::io::stderr(), "compare: {what}")?)
}

/// Every file below a folder with its bytes, in order of paths.
///
/// # Errors
/// A folder that cannot be read.
fn files_of(folder: &Path) -> Result<Vec<(PathBuf, u64)>> {
    let (mut all, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                all.push((entry.path(), entry.metadata()?.len()));
            }
        }
    }
    all.sort();
    Ok(all)
}
