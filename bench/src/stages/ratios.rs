//! `bench stages`: how fast each stage is beside what it cannot be faster than, or what one would take instead.
//!
//! Key decision: both sides of a ratio are run in turn, over and over, and the best of each counts: whoever else uses the
//! machine slows both. One thread does all of it, but for the pipeline. No figure is good by itself: only ratios are.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};
use simd_json::{Buffers, Tape};

use crate::figures::Figures;
use crate::stages::rows::objects;
use crate::stages::{Input, Outcome, STAGES, Stage, packs, pipeline, stage, stage_run};

/// Bytes that are copied to know how fast memory is: more than caches hold.
const COPIED: usize = 256 << 20;

/// What is measured.
#[derive(Debug, Clone, Args)]
pub struct Stages {
    /// Records that each stage takes in: few, so that most runs are over before the system gives the core to others
    #[arg(long, default_value_t = 400)]
    pub records: u64,
    /// Records that go through the whole pipeline
    #[arg(long, default_value_t = 200_000)]
    pub pipeline: u64,
    /// Runs of each stage, of which the best counts
    #[arg(long, default_value_t = 100)]
    pub rounds: u32,
    /// Another seed gives other records
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Measures; the figures, and whether all are within their limits.
///
/// # Errors
/// Whatever a stage or the disk says.
pub fn measure(options: &Stages) -> Outcome<(Value, bool)> {
    let mut figures = Figures::default();
    let input = Input::new(options.records, options.seed)?;
    let copied = memory_copy(options.rounds);
    figures.note("memory_copy_mb_per_second", copied.round());
    let mut speeds = Map::new();
    for (name, make) in STAGES {
        let mut stage = make(&input)?;
        let mut best = Duration::MAX;
        for _ in 0..options.rounds {
            best = best.min(timed(&mut stage)?);
        }
        let speed = stage.bytes as f64 / 1e6 / best.as_secs_f64();
        let share = (speed / copied * 10_000.0).round() / 10_000.0;
        speeds.insert(
            name.to_owned(),
            json!({ "mb_per_second": speed.round(), "of_memory_copy": share }),
        );
    }
    figures.note("stages", speeds);
    beside_others(&mut figures, &input, options.rounds)?;
    pipeline::measure(&mut figures, options)?;
    Ok(figures.end())
}

/// The time of one run.
pub fn timed(stage: &mut Stage) -> Outcome<Duration> {
    let start = crate::now();
    stage_run(stage)?;
    Ok(start.elapsed())
}

/// How many times as fast `one` is as `other`.
fn faster(
    rounds: u32,
    one: &mut dyn FnMut() -> Outcome<Duration>,
    other: &mut dyn FnMut() -> Outcome<Duration>,
) -> Outcome<f64> {
    let (mut best, mut rival) = (Duration::MAX, Duration::MAX);
    for _ in 0..rounds {
        best = best.min(one()?);
        rival = rival.min(other()?);
    }
    Ok(rival.as_secs_f64() / best.as_secs_f64())
}

fn beside_others(figures: &mut Figures, input: &Arc<Input>, rounds: u32) -> Outcome<()> {
    let mut canonicalise = stage("canonicalise", input)?;
    let mut ours = || timed(&mut canonicalise);
    let to_serde_json = faster(rounds, &mut ours, &mut || values(input))?;
    figures.at_least("canonicalise_to_serde_json_values", to_serde_json, 3.0);
    let to_tape = faster(rounds, &mut ours, &mut || tapes(input, false))?;
    figures.at_least("canonicalise_to_simd_json_tapes", to_tape, 1.5);
    let to_kept = faster(rounds, &mut ours, &mut || tapes(input, true))?;
    figures.note("canonicalise_to_simd_json_tapes_in_kept_buffers", two(to_kept));
    let mut tokenise = stage("tokenise", input)?;
    let alone = faster(rounds, &mut || timed(&mut tokenise), &mut || tapes(input, false))?;
    figures.note("tokenise_to_simd_json_tapes", two(alone));

    let (mut hash, (whole, _)) = (stage("hash", input)?, objects(input)?);
    let to_blake3 = faster(rounds, &mut || timed(&mut hash), &mut || {
        Ok(time(|| blake3::hash(&whole)))
    })?;
    figures.note("hash_to_blake3_of_all_at_once", two(to_blake3));

    let mut zstd = stage("compress", input)?;
    let mut prepare = stage("prepare", input)?;
    let to_zstd = faster(rounds, &mut || timed(&mut prepare), &mut || timed(&mut zstd))?;
    figures.note("prepare_to_zstd", two(to_zstd));
    figures.note("level_of_zstd", packs::level());
    Ok(())
}

fn two(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let start = crate::now();
    std::hint::black_box(work());
    start.elapsed()
}

/// serde_json: a `Value` a line, dropped again.
fn values(input: &Input) -> Outcome<Duration> {
    let start = crate::now();
    for line in input.lines() {
        std::hint::black_box(serde_json::from_slice::<Value>(line)?);
    }
    Ok(start.elapsed())
}

/// simd-json: a tape a line. It writes into what it reads: the copy is made before the clock starts.
fn tapes(input: &Input, kept: bool) -> Outcome<Duration> {
    let mut text = input.text().to_vec();
    let (mut buffers, mut tape) = (Buffers::default(), Tape::null());
    let start = crate::now();
    for place in input.places() {
        let line = &mut text[place.clone()];
        if kept {
            let mut filled = tape.reset();
            simd_json::fill_tape(line, &mut buffers, &mut filled)?;
            std::hint::black_box(&filled);
            tape = filled.reset();
        } else {
            std::hint::black_box(simd_json::to_tape(line)?);
        }
    }
    Ok(start.elapsed())
}

/// Megabytes a second.
fn memory_copy(rounds: u32) -> f64 {
    let (from, mut to) = (vec![7_u8; COPIED], vec![0_u8; COPIED]);
    let best = (0..rounds.min(5)).map(|_| {
        time(|| {
            to.copy_from_slice(std::hint::black_box(&from));
            std::hint::black_box(&to);
        })
    });
    COPIED as f64 / 1e6 / best.min().unwrap_or(Duration::MAX).as_secs_f64()
}
