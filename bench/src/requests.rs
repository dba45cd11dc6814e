//! Requests to an object store, counted by one that answers over HTTP: a large first import, an increment, single records.
//!
//! Key decision: the budgets of `docs/object-storage.md` at full size, each case with the vault opened anew, on the machine
//! that imported before and on one that has nothing. It measures no time: nothing here is as far away as a real store.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use halite_engine::base::clock::Clock;
use halite_engine::base::id::{OrgId, RecordId};
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::import::import;
use halite_engine::ops::state::State;
use halite_engine::store::object::{Bucket, Patience};
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_simulator_s3::S3;
use serde_json::Value;
use tempfile::TempDir;

use crate::figures::Figures;
use crate::{Corpus, Shape, describe};

const CONTACT: &str = "Contact";
const DAY: i64 = 86_400_000;
/// 2026-01-01.
const FIRST: i64 = 1_767_225_600_000;
/// Records that are looked up.
const LOOKS: u64 = 20;

/// What is counted.
#[derive(Debug, Clone, Args)]
pub struct Requests {
    /// Records
    #[arg(long, default_value_t = 1_000_000)]
    pub records: u64,
    /// Mean bytes of a record
    #[arg(long, default_value_t = 1_240)]
    pub bytes: usize,
    /// Another seed gives other records
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where files are made; they are removed at the end
    #[arg(long)]
    pub dir: Option<std::path::PathBuf>,
}

struct Counter {
    s3: S3,
    corpus: Corpus,
    records: u64,
    work: TempDir,
}

/// Requests: those of the probe, and all others.
type Asked = (u64, u64);

/// Counts; the figures, and whether all are within their limits.
///
/// # Errors
/// Whatever the vault or the disk says.
pub fn measure(options: &Requests) -> Result<(Value, bool), Box<dyn Error>> {
    let mut counter = Counter::new(options)?;
    let cache = counter.work.path().join("cache");
    let mut report = Figures::default();
    Vault::create(
        counter.bucket(Some(&cache))?,
        &Secret::None,
        VaultOptions::default(),
    )?;
    counter.asked();
    let (_, first) = counter.import(0, Some(&cache), |_, _| true)?;
    report.note("first_import", first);
    let (probe, increment) = counter.import(1, Some(&cache), Corpus::changed)?;
    report.limit("increment", increment as f64, 40.0);
    report.limit("increment_probe", probe as f64, 0.0);
    let (probe, increment) = counter.import(2, None, Corpus::changed)?;
    report.limit("increment_without_a_cache", increment as f64, 40.0);
    report.note("increment_without_a_cache_probe", probe);
    counter.look(&mut report)?;
    report.note("stored_objects", counter.s3.keys().len());
    Ok(report.end())
}

impl Counter {
    fn new(options: &Requests) -> Result<Self, Box<dyn Error>> {
        let work = match &options.dir {
            Some(dir) => TempDir::new_in(dir)?,
            None => TempDir::new()?,
        };
        fs::create_dir(work.path().join("dump"))?;
        fs::write(work.path().join("dump/Contact.describe.json"), describe(CONTACT))?;
        let corpus = Corpus::new(Shape {
            records: options.records,
            bytes: options.bytes,
            seed: options.seed,
            day: 0,
            edit_percent: 1.0,
            add_percent: 0.0,
        });
        Ok(Self {
            s3: S3::start("vaults")?,
            corpus,
            records: options.records,
            work,
        })
    }

    fn bucket(&self, cache: Option<&Path>) -> Result<Arc<Bucket>, Box<dyn Error>> {
        let bucket = Bucket::open_with("s3://vaults/acme", self.s3.variables(), Patience::default())?;
        Ok(Arc::new(match cache {
            Some(dir) => bucket.remembering(dir, &Clock::system()),
            None => bucket,
        }))
    }

    fn open(&self, cache: Option<&Path>) -> Result<Vault, Box<dyn Error>> {
        let options = VaultOptions {
            cache_dir: cache.map(Path::to_owned),
            ..VaultOptions::default()
        };
        Ok(Vault::open(self.bucket(cache)?, &Secret::None, options)?)
    }

    /// What was asked since this was last called.
    fn asked(&self) -> Asked {
        let log = self.s3.take_log();
        let probe = log.iter().filter(|asked| asked.key.contains("/tmp/")).count();
        (probe as u64, (log.len() - probe) as u64)
    }

    /// Imports the rows of a day, all or what changed.
    fn import(
        &mut self,
        day: u64,
        cache: Option<&Path>,
        wanted: fn(&Corpus, u64) -> bool,
    ) -> Result<Asked, Box<dyn Error>> {
        self.corpus.on(day);
        let dump = self.work.path().join("dump");
        let (mut line, mut file) = (
            Vec::new(),
            BufWriter::new(File::create(dump.join("Contact.ndjson"))?),
        );
        for row in (0..self.records).filter(|row| wanted(&self.corpus, *row)) {
            line.clear();
            self.corpus.line(row, &mut line);
            file.write_all(&line)?;
        }
        file.into_inner()?.flush()?;
        let at = Stamp::from_millis(FIRST + (day as i64 + 1) * DAY);
        let vault = self.open(cache)?;
        import(&vault, org()?, at, &dump, day > 0, &mut |_| ())?;
        Ok(self.asked())
    }

    /// Looks records up, each just after opening, and then another one.
    fn look(&self, report: &mut Figures) -> Result<(), Box<dyn Error>> {
        let (mut opening, mut cold, mut warm) = (0, 0, 0);
        for n in 0..LOOKS {
            let vault = self.open(None)?;
            opening = opening.max(self.asked().1);
            self.get(&vault, n * self.records / LOOKS)?;
            cold = cold.max(self.asked().1);
            self.get(
                &vault,
                (n * self.records / LOOKS + self.records / 2) % self.records,
            )?;
            warm = warm.max(self.asked().1);
        }
        report.note("opening_without_a_cache", opening);
        report.limit("record_cold", cold as f64, 6.0);
        report.limit("record_warm", warm as f64, 2.0);
        Ok(())
    }

    fn get(&self, vault: &Vault, row: u64) -> Result<(), Box<dyn Error>> {
        let mut line = Vec::new();
        self.corpus.line(row, &mut line);
        let id: Value = serde_json::from_slice(&line)?;
        let id: RecordId = id["Id"].as_str().ok_or("a row without an Id")?.parse()?;
        let state = State::at(vault, &vault.find_snapshot(org()?, "latest")?);
        let sobject = state.sobject_of(id)?.ok_or("no such record")?;
        state.get(&sobject, id)?.ok_or("no such record")?;
        Ok(())
    }
}

fn org() -> Result<OrgId, Box<dyn Error>> {
    Ok("00D000000000001".parse()?)
}
