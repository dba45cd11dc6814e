//! The whole ingest of a file into a vault on disk, beside what its stages can do by themselves.
//!
//! Key decision: a stage's own speed is what one core does of it alone, in bytes of *source* a second; the stages are what
//! the engine hands from one to the next: text is read, canonicalised, made into pages (cut, laid out, prepared, sealed),
//! packs are written. It is not told how the engine overlaps them.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use halite_engine::base::stamp::Stamp;
use halite_engine::ops::import::import;
use halite_engine::store::local::Local;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use serde_json::json;
use tempfile::TempDir;

use crate::figures::Figures;
use crate::stages::input::FIRST;
use crate::stages::ratios::timed;
use crate::stages::vaults::{Dump, org};
use crate::stages::{Input, Outcome, Stages, stage};

/// Whole ingests, of which the best counts.
const TIMES: u32 = 3;
/// Bytes that are read at once, as an import does.
const READ: usize = 8 << 20;
/// The least share of the slowest stage's own speed times the cores.
const LEAST: f64 = 0.7;

/// The time that each stage takes for a byte of source, on one core.
struct Alone {
    read: f64,
    canonicalise: f64,
    pages: f64,
    write: f64,
}

/// Adds the figures of the pipeline.
pub fn measure(figures: &mut Figures, options: &Stages) -> Outcome<()> {
    let input = Input::new(options.records, options.seed)?;
    let whole = Input::new(options.pipeline, options.seed)?;
    let (dump, source) = (Dump::new(whole.text())?, whole.text().len() as f64);
    drop(whole);
    let (mut best, mut stored) = (Duration::MAX, 0);
    let mut alone = Alone::measure(&input, options.rounds, &dump, stored)?;
    for _ in 0..TIMES {
        let (time, bytes) = ingest(&dump)?;
        (best, stored) = (best.min(time), bytes);
        // Measured in between, so that whoever else uses the machine slows both.
        alone = alone.least(&Alone::measure(&input, options.rounds, &dump, stored)?);
    }
    let took = best.as_secs_f64() / source;
    let cores = std::thread::available_parallelism()?.get() as f64;
    let slowest = alone
        .read
        .max(alone.canonicalise)
        .max(alone.pages)
        .max(alone.write);
    let work = alone.read + alone.canonicalise + alone.pages;
    let speed = |time: f64| (1e-6 / time).round();
    figures.note(
        "pipeline",
        json!({
            "mb_per_second": speed(took),
            "cores": cores,
            "stored_bytes": stored,
            "mb_of_source_per_second_alone": {
                "read": speed(alone.read),
                "canonicalise": speed(alone.canonicalise),
                "pages": speed(alone.pages),
                "write": speed(alone.write),
            },
        }),
    );
    figures.at_least(
        "pipeline_of_slowest_stage_times_cores",
        slowest / cores / took,
        LEAST,
    );
    figures.note(
        "pipeline_of_all_work_on_all_cores",
        (work / cores / took * 100.0).round() / 100.0,
    );
    Ok(())
}

impl Alone {
    /// `stored` bytes are written for the whole dump.
    fn measure(input: &Arc<Input>, rounds: u32, dump: &Dump, stored: u64) -> Outcome<Self> {
        let path = dump.folder().join("Contact.ndjson");
        let source = path.metadata()?.len() as f64;
        let part = |name: &str| -> Outcome<f64> {
            let mut stage = stage(name, input)?;
            let mut best = Duration::MAX;
            for _ in 0..rounds {
                best = best.min(timed(&mut stage)?);
            }
            Ok(best.as_secs_f64() / input.text().len() as f64)
        };
        let pages = ["cut-pages", "page-encode", "prepare", "seal"].map(part);
        Ok(Self {
            read: read(&path)?.as_secs_f64() / source,
            canonicalise: part("canonicalise")?,
            pages: pages.into_iter().sum::<Outcome<f64>>()?,
            write: write(stored)?.as_secs_f64() / source,
        })
    }

    /// The lesser of each; writing counts as it was last, since the first time there is nothing to write.
    fn least(&self, other: &Self) -> Self {
        Self {
            read: self.read.min(other.read),
            canonicalise: self.canonicalise.min(other.canonicalise),
            pages: self.pages.min(other.pages),
            write: other.write,
        }
    }
}

/// One whole ingest: its time, and the bytes that it stored.
fn ingest(dump: &Dump) -> Outcome<(Duration, u64)> {
    let work = TempDir::new()?;
    let options = VaultOptions {
        cache_dir: Some(work.path().join("cache")),
        ..VaultOptions::default()
    };
    let place = work.path().join("vault");
    std::fs::create_dir(&place)?;
    let vault = Vault::create(Arc::new(Local::create(&place)?), &Secret::None, options)?;
    let start = crate::now();
    let at = Stamp::from_millis(FIRST);
    let report = import(&vault, org()?, at, &dump.folder(), false, &mut |_| ())?;
    Ok((start.elapsed(), report.bytes_added))
}

fn read(path: &Path) -> Outcome<Duration> {
    let (mut file, mut buffer) = (File::open(path)?, vec![0; READ]);
    let start = crate::now();
    while file.read(&mut buffer)? > 0 {
        std::hint::black_box(&buffer);
    }
    Ok(start.elapsed())
}

/// So many bytes into a file, until they are durable.
fn write(bytes: u64) -> Outcome<Duration> {
    let (work, buffer) = (TempDir::new()?, vec![7; READ]);
    let mut file = File::create(work.path().join("pack"))?;
    let start = crate::now();
    for _ in 0..bytes.div_ceil(READ as u64) {
        file.write_all(&buffer)?;
    }
    file.sync_all()?;
    Ok(start.elapsed())
}
