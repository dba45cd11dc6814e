//! Tortures the engine: simulated stores that fail and lie, real kills, full disks, fleets, each out of a seed.
//!
//! Key decision: a failure is one line with the seed that repeats it, the run goes on, and the last line is
//! `N passed, M failed`. What it promises and what not is in docs/soak.md. It is not a test of the workspace: it runs
//! for as long as it is told to.

mod actors;
mod book;
mod capture;
mod collect;
mod dice;
mod disk;
mod engine;
mod fleet;
mod kill;
mod look;
mod model;
mod read;
mod report;
mod restore;
mod store;
mod sweep;
mod write;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::report::Report;

#[derive(Parser)]
#[command(name = "soak", about = "Tortures the engine with seeds")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Actors on one simulated store that fails and lies; then each call of each operation made to fail
    Engine(Seeds),
    /// Orgs that are written to while they are read, over HTTP; then the real command killed while it reads
    Capture(Captures),
    /// Disasters brought back over HTTP, judged by the org's own tables
    Restore(Restores),
    /// The real command, killed at random instants
    Kill(Kills),
    /// Disks of growing sizes, full at each write
    Disk,
    /// Many processes of the real command on one vault in a bucket that fails, killed at random instants
    Fleet(Fleets),
}

#[derive(Args)]
struct Fleets {
    /// How long
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Until so many commands have succeeded, instead of a time
    #[arg(long)]
    rounds: Option<u64>,
    /// How many commands are killed at work
    #[arg(long, default_value_t = 50)]
    kills: u64,
    /// The seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The command; by default the one built beside this program
    #[arg(long)]
    halite: Option<PathBuf>,
}

#[derive(Args)]
struct Captures {
    #[command(flatten)]
    seeds: Seeds,
    /// How often the command is killed in the middle of a capture and run again
    #[arg(long, default_value_t = 0)]
    kills: u64,
    /// The command; by default the one built beside this program
    #[arg(long)]
    halite: Option<PathBuf>,
}

#[derive(Args)]
struct Restores {
    #[command(flatten)]
    seeds: Seeds,
    /// Files too: documents, versions, links, attachments
    #[arg(long)]
    files: bool,
    /// How often the command is killed in the middle of a restore and run again; a restore killed at every note besides
    #[arg(long, default_value_t = 0)]
    kills: u64,
    /// Operations of the restore that is killed
    #[arg(long, default_value_t = 5_000)]
    operations: u64,
    /// The command; by default the one built beside this program
    #[arg(long)]
    halite: Option<PathBuf>,
}

#[derive(Args)]
struct Kills {
    /// How many
    #[arg(long, default_value_t = 200)]
    rounds: u64,
    /// The seed
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// The command; by default the one built beside this program
    #[arg(long)]
    halite: Option<PathBuf>,
}

#[derive(Args)]
struct Seeds {
    /// How many
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// For how many of them to sweep too: each storage call of each operation fails in each way
    #[arg(long, default_value_t = 1)]
    sweeps: u64,
    /// Print what each seed did
    #[arg(long)]
    verbose: bool,
}

/// The command in the folder of this program.
fn beside() -> PathBuf {
    std::env::current_exe()
        .unwrap_or_default()
        .with_file_name("halite")
}

fn main() -> ExitCode {
    let report = Report::default();
    match Arguments::parse().what {
        What::Engine(seeds) => {
            report.seeds(seeds.first, seeds.seeds, seeds.verbose, engine::run);
            (seeds.first..seeds.first + seeds.sweeps).for_each(|seed| sweep::run(seed, &report));
        }
        What::Capture(Captures { seeds, kills, halite }) => {
            report.seeds(seeds.first, seeds.seeds, seeds.verbose, capture::run);
            let halite = halite.unwrap_or_else(beside);
            capture::kill::run(&halite, kills, seeds.first, &report);
        }
        What::Restore(Restores {
            seeds,
            files,
            kills,
            operations,
            halite,
        }) => {
            let run = if files {
                restore::run_with_files
            } else {
                restore::run
            };
            report.seeds(seeds.first, seeds.seeds, seeds.verbose, run);
            let halite = halite.unwrap_or_else(beside);
            restore::kill::run(&halite, kills, operations, seeds.first, &report);
        }
        What::Disk => disk::run(&report),
        What::Fleet(fleets) => {
            let halite = fleets.halite.unwrap_or_else(beside);
            let minutes = fleet::Length::Minutes(fleets.minutes);
            let length = fleets.rounds.map_or(minutes, fleet::Length::Rounds);
            fleet::run(&halite, length, fleets.kills, fleets.seed, &report);
        }
        What::Kill(kills) => {
            let halite = kills.halite.unwrap_or_else(beside);
            kill::run(&halite, kills.rounds, kills.first, &report);
        }
    }
    report.end()
}
