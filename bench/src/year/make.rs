//! Makes the year: a first import of everything, then each day an import of what changed and a compaction, each month
//! a prune.
//!
//! Key decision: the vault is opened anew each day, as a command would; the rows of a day are those that the corpus
//! says were changed on it. It does not measure reading.

use std::collections::HashSet;
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use halite_engine::base::id::{ChunkId, OrgId, PackId};
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::compact::{CompactOptions, compact};
use halite_engine::ops::import::import;
use halite_engine::ops::prune::{PruneOptions, prune};
use halite_engine::ops::walk::{Seen, Visit, walk};
use halite_engine::store::local::Local;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use tempfile::TempDir;

use crate::year::Year;
use crate::{Corpus, Shape, describe};

/// The sObject.
pub const CONTACT: &str = "Contact";
const DAY: i64 = 86_400_000;
/// 2026-01-01.
const FIRST: i64 = 1_767_225_600_000;

/// A vault in the making.
pub struct Maker {
    corpus: Corpus,
    records: u64,
    bump_day: Option<u64>,
    work: TempDir,
    /// Bytes that each day's import wrote.
    pub written: Vec<u64>,
    /// Rows that were edited, or whose stamps moved.
    pub changed: u64,
    pub compact_time: Duration,
    pub import_time: Duration,
    pub prune_time: Duration,
}

/// What the whole is once merged.
pub struct Whole {
    pub bytes: u64,
    pub versions: u64,
}

impl Maker {
    pub fn new(year: &Year) -> Result<Self, Box<dyn Error>> {
        let work = match &year.dir {
            Some(dir) => TempDir::new_in(dir)?,
            None => TempDir::new()?,
        };
        let corpus = Corpus::new(Shape {
            records: year.records,
            bytes: year.bytes,
            seed: year.seed,
            day: 0,
            edit_percent: 1.0,
            add_percent: 0.0,
        })
        .with_days(year.pattern);
        fs::create_dir(work.path().join("dump"))?;
        fs::create_dir(work.path().join("vault"))?;
        let maker = Self {
            corpus,
            records: year.records,
            bump_day: year.pattern.bump_day,
            work,
            written: Vec::new(),
            changed: 0,
            compact_time: Duration::ZERO,
            import_time: Duration::ZERO,
            prune_time: Duration::ZERO,
        };
        Vault::create(
            Arc::new(Local::create(&maker.place())?),
            &Secret::None,
            maker.options(),
        )?;
        fs::write(maker.dump().join("Contact.describe.json"), describe(CONTACT))?;
        Ok(maker)
    }

    /// Whether this snapshot has nothing but stamps that its forerunner has not.
    pub fn stamps_alone(&self, snapshot: u64) -> bool {
        self.bump_day.is_some_and(|day| day + 1 == snapshot)
    }

    fn place(&self) -> PathBuf {
        self.work.path().join("vault")
    }

    fn dump(&self) -> PathBuf {
        self.work.path().join("dump")
    }

    fn options(&self) -> VaultOptions {
        VaultOptions {
            cache_dir: Some(self.work.path().join("cache")),
            ..VaultOptions::default()
        }
    }

    /// Opens it, with nothing in memory.
    pub fn open(&self) -> Result<Vault, Box<dyn Error>> {
        Ok(Vault::open(
            Arc::new(Local::open(&self.place())?),
            &Secret::None,
            self.options(),
        )?)
    }

    pub fn org() -> Result<OrgId, Box<dyn Error>> {
        Ok("00D000000000001".parse()?)
    }

    /// Imports everything.
    pub fn first_day(&mut self) -> Result<(), Box<dyn Error>> {
        self.import(0, |_, _| true)?;
        Ok(())
    }

    /// Keeps a copy of the vault as it is, to be read beside it at the end.
    pub fn keep_first(&self) -> Result<(), Box<dyn Error>> {
        copy(&self.place(), &self.work.path().join("first"))
    }

    /// Opens that copy, with nothing in memory.
    pub fn open_first(&self) -> Result<Vault, Box<dyn Error>> {
        let options = VaultOptions {
            cache_dir: Some(self.work.path().join("first-cache")),
            ..VaultOptions::default()
        };
        let place = Local::open(&self.work.path().join("first"))?;
        Ok(Vault::open(Arc::new(place), &Secret::None, options)?)
    }

    /// Imports what was edited on a day, and compacts.
    pub fn day(&mut self, day: u64) -> Result<(), Box<dyn Error>> {
        self.corpus.on(day);
        let start = crate::now();
        let (rows, bytes) = self.import(day, Corpus::changed)?;
        self.import_time += start.elapsed();
        self.changed += rows;
        self.written.push(bytes);
        let start = crate::now();
        compact(&self.open()?, &CompactOptions::default(), &mut |_| ())?;
        self.compact_time += start.elapsed();
        Ok(())
    }

    /// Gives back the space of what merging has left, without the grace that a vault of several writers needs.
    pub fn prune(&mut self) -> Result<(), Box<dyn Error>> {
        let start = crate::now();
        let at_once = PruneOptions {
            grace: 0,
            ..PruneOptions::default()
        };
        // The first condemns, the second deletes.
        for _ in 0..2 {
            prune(&self.open()?, &at_once)?;
        }
        self.prune_time += start.elapsed();
        Ok(())
    }

    fn import(&self, day: u64, wanted: fn(&Corpus, u64) -> bool) -> Result<(u64, u64), Box<dyn Error>> {
        let (mut line, mut rows) = (Vec::new(), 0);
        let mut file = BufWriter::new(File::create(self.dump().join("Contact.ndjson"))?);
        for row in (0..self.records).filter(|row| wanted(&self.corpus, *row)) {
            line.clear();
            self.corpus.line(row, &mut line);
            file.write_all(&line)?;
            rows += 1;
        }
        file.into_inner()?.flush()?;
        let at = Stamp::from_millis(FIRST + (day as i64 + 1) * DAY);
        let report = import(
            &self.open()?,
            Self::org()?,
            at,
            &self.dump(),
            day > 0,
            &mut |_| (),
        )?;
        Ok((rows, report.bytes_added))
    }

    /// Bytes of all files of the vault.
    pub fn stored(&self) -> Result<u64, Box<dyn Error>> {
        bytes_in(&self.place())
    }

    /// Bytes of all chunks that the catalog keeps alive: what is stored once prune has run, but for the directories
    /// of packs (44 bytes a chunk).
    pub fn alive(&self) -> Result<u64, Box<dyn Error>> {
        let vault = self.open()?;
        let mut alive = Alive::default();
        walk(&vault, &vault.catalog(), &mut alive)?;
        Ok(alive.bytes)
    }

    /// Runs but for the newest of one snapshot each.
    pub fn old_runs(&self) -> Result<usize, Box<dyn Error>> {
        let runs = self.open()?.catalog().runs(Self::org()?, CONTACT)?;
        let singles = runs.iter().rev().take_while(|run| run.low == run.high);
        Ok(runs.len() - singles.take(CompactOptions::default().keep_single).count())
    }

    /// Merges all into one run.
    pub fn merge_all(&self) -> Result<Whole, Box<dyn Error>> {
        let vault = self.open()?;
        // A snapshot in which nothing changed does not keep runs apart: everything is merged.
        let options = CompactOptions {
            keep_single: 0,
            all: true,
        };
        let report = compact(&vault, &options, &mut |_| ())?;
        let last = report.merges.last().ok_or("nothing to merge")?;
        Ok(Whole {
            bytes: last.bytes,
            versions: last.versions,
        })
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

#[derive(Default)]
struct Alive {
    seen: HashSet<ChunkId>,
    bytes: u64,
}

impl Visit for Alive {
    fn chunk(&mut self, seen: &Seen<'_>) -> halite_engine::Result<()> {
        if self.seen.insert(seen.id) {
            self.bytes += seen.at.iter().map(|at| u64::from(at.len) + 44).sum::<u64>();
        }
        Ok(())
    }

    fn draft(&mut self, _: OrgId, _: &PackId) -> halite_engine::Result<()> {
        Ok(())
    }
}

fn bytes_in(dir: &Path) -> Result<u64, Box<dyn Error>> {
    let mut sum = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        sum += if entry.file_type()?.is_dir() {
            bytes_in(&entry.path())?
        } else {
            entry.metadata()?.len()
        };
    }
    Ok(sum)
}
