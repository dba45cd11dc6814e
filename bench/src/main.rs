//! Measures Halite: each subcommand makes its own data, measures, and prints one JSON object.
//!
//! Key decision: every figure stands with its limit and whether it holds, and the exit status says whether all do.
//! It is not a comparison with other tools: the scripts beside it are.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use halite_bench::capture::{self, Capture};
use halite_bench::far::{self, Far};
use halite_bench::pages::{self, Pages};
use halite_bench::requests::{self, Requests};
use halite_bench::restore::{self, Restore};
use halite_bench::stages::{self, Stages};
use halite_bench::year::{self, Year};

#[derive(Parser)]
#[command(name = "bench", about = "Measures Halite")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// A year of daily snapshots, compacted every day
    Year(Year),
    /// Captures of simulated orgs: calls, time and memory, beside simple-salesforce and jsforce
    Capture(Capture),
    /// Restores of simulated orgs: calls against the least that would do, time and memory
    Restore(Restore),
    /// Requests to an object store: an increment of a million records, single records
    Requests(Requests),
    /// A whole state out of a bucket far away: how much of the link it fills
    Far(Far),
    /// Levels of zstd on pages, with and without a trained dictionary
    Pages(Pages),
    /// Each stage beside the machine's limits and other parsers, and the whole ingest beside its stages
    Stages(Stages),
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let (report, ok) = match Arguments::parse().what {
        What::Year(options) => year::measure(&options)?,
        What::Capture(options) => capture::measure(&options)?,
        What::Restore(options) => restore::measure(&options)?,
        What::Requests(options) => requests::measure(&options)?,
        What::Far(options) => far::measure(&options)?,
        What::Stages(options) => stages::measure(&options)?,
        What::Pages(options) => (pages::measure(&options)?, true),
    };
    writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&report)?)?;
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
