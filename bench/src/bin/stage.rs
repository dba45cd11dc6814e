//! Prepares one stage and runs it once: what `bench/guard` counts the instructions of.
//!
//! Key decision: it ends the moment that the run has ended, so that nothing after it is counted; records come from a file,
//! so that making them is not counted either. It measures nothing itself.

use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use clap::Parser;
use halite_bench::stages::{Input, STAGES, stage, stage_run};

/// Run one stage once
#[derive(Parser)]
struct Arguments {
    /// Its name; none lists all
    name: Option<String>,
    /// The records that it takes in, as `corpus` wrote them
    #[arg(long)]
    records: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let Some(name) = arguments.name else {
        for (name, _) in STAGES {
            writeln!(std::io::stdout(), "{name}")?;
        }
        return Ok(());
    };
    let input = match arguments.records {
        Some(path) => Input::of(fs::read(path)?)?,
        None => Input::new(2_000, 1)?,
    };
    let mut stage = stage(&name, &input)?;
    stage_run(&mut stage)?;
    std::process::exit(0)
}
