//! Point reads by Id: a vault beside an SQLite table of the same rows as JSON text, and opening both.
//!
//! Key decision: both are read in this process by their own API, through a cache of the same size, and files that the
//! system has in memory; SQLite in the faster of its two layouts. SQLite does not encrypt; the vault does, and is opened
//! by a key file. It measures no scans.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use halite_engine::ops::lookup::Lookup;
use halite_engine::ops::state::State;
use halite_engine::store::local::Local;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use rusqlite::{Connection, params};

use crate::dump::{Dump, id_of, warm};
use crate::report::{Report, Row};
use crate::tools::{Store, gone};
use crate::{Result, Setting, files_of, say};

const CASE: &str = "reads";
const OPEN: &str = "open";
const FIRST: &str = "first read after opening";
const READ: &str = "a point read";
/// How often opening is measured; the least counts.
const OPENINGS: u32 = 20;
const CACHE: usize = 64 << 20;
/// Rows by which the layout of the table is chosen.
const SAMPLE: u64 = 100_000;
/// A prime: multiples of it go over all rows before one comes again.
const STRIDE: u64 = 2_654_435_761;

/// How much of it.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Options {
    /// Records that are read from
    #[arg(long, default_value_t = 5_000_000)]
    read_records: u64,
    /// Point reads that are measured
    #[arg(long, default_value_t = 20_000)]
    reads: u64,
}

/// What one side takes.
#[derive(Debug, Clone, Copy)]
struct Took {
    open: f64,
    first: f64,
    read: f64,
    bytes: u64,
}

/// Measures.
///
/// # Errors
/// What Halite, SQLite or the disk says.
pub fn measure(options: &Options, setting: &Setting, report: &mut Report) -> Result<()> {
    let (records, reads) = (options.read_records, options.reads);
    let mut dump = Dump::new(setting.work.join("dump"), records, 1_240, setting.seed, 0.0)?;
    let bytes = dump.whole(0)?;
    let megabytes = bytes as f64 / 1e6;
    report.about(
        "reads",
        format!("{reads} of {records} records, {megabytes:.1} MB of JSON"),
    );
    say(format_args!("reads: importing"))?;
    let store = Store::with_key_file(&setting.work, "reads", setting.halite()?)?;
    store.backup(dump.folder(), "", 0)?;
    std::fs::remove_file(dump.folder().join(crate::dump::NDJSON))?;
    let wanted = Wanted::new(&dump, reads)?;
    let vault = of_vault(&store, &wanted, setting.rounds)?;
    rows(report, "halite", vault);
    let sqlite = at_its_best(&dump, &wanted, setting, report)?;
    let figures = &mut report.figures;
    figures.limit(
        "reads, a point read: Halite's time / SQLite's",
        vault.read / sqlite.read,
        5.0,
    );
    figures.limit(
        "reads, bytes: Halite's / SQLite's",
        vault.bytes as f64 / sqlite.bytes as f64,
        0.25,
    );
    figures.limit(
        "reads, opening: Halite's time / SQLite's",
        vault.open / sqlite.open,
        10.0,
    );
    store.remove()?;
    gone(dump.folder())
}

/// SQLite in the layout that is read faster, which a table of fewer rows tells: the other one may take three times the space.
fn at_its_best(dump: &Dump, wanted: &Wanted, setting: &Setting, report: &mut Report) -> Result<Took> {
    let records = dump.records().min(SAMPLE);
    let sample = Dump::new(setting.work.join("sample"), records, 1_240, setting.seed, 0.0)?;
    let few = Wanted::new(&sample, records / 10)?;
    let file = setting.work.join("reads.sqlite");
    let mut best = (f64::INFINITY, TABLES[0]);
    for (name, table) in TABLES {
        say(format_args!("reads: {name}, {records} rows"))?;
        fill(&file, table, &sample)?;
        let took = of_sqlite(&file, &few, setting.rounds)?;
        std::fs::remove_file(&file)?;
        let row = Row::new(CASE, format!("{READ} of {records} alone"), name);
        report.row(row.seconds(took.read).bytes(0, took.bytes));
        if took.read < best.0 {
            best = (took.read, (name, table));
        }
    }
    gone(sample.folder())?;
    let (name, table) = best.1;
    say(format_args!("reads: {name}"))?;
    fill(&file, table, dump)?;
    let took = of_sqlite(&file, wanted, setting.rounds)?;
    std::fs::remove_file(&file)?;
    rows(report, name, took);
    Ok(took)
}

fn rows(report: &mut Report, tool: &str, took: Took) {
    let row = |work: &str, seconds: f64| Row::new(CASE, work, tool).seconds(seconds);
    report.row(row(OPEN, took.open));
    report.row(row(FIRST, took.first));
    report.row(row(READ, took.read).bytes(0, took.bytes));
}

/// The Ids that are read: some to fill the caches, then those that are measured.
struct Wanted {
    before: Vec<String>,
    measured: Vec<String>,
}

impl Wanted {
    fn new(dump: &Dump, reads: u64) -> Result<Self> {
        let rows = spread(dump.records(), 2 * reads);
        let mut before: Vec<String> = rows.map(|row| dump.id(row)).collect::<Result<_>>()?;
        let measured = before.split_off(before.len() / 2);
        Ok(Self { before, measured })
    }

    /// Opens a side, reads, and says what each took; the least of the rounds.
    fn take(&self, rounds: u32, bytes: u64, side: &dyn Side) -> Result<Took> {
        let all = f64::INFINITY;
        let mut took = Took {
            open: all,
            first: all,
            read: all,
            bytes,
        };
        for _ in 0..OPENINGS {
            let start = halite_bench::now();
            side.session(&mut |_| {
                took.open = took.open.min(start.elapsed().as_secs_f64());
                Ok(())
            })?;
        }
        for _ in 0..rounds {
            side.session(&mut |read| self.session(read, &mut took))?;
        }
        Ok(took)
    }

    fn session(&self, read: &mut Reader<'_>, took: &mut Took) -> Result<()> {
        let mut all = |ids: &[String]| {
            let start = halite_bench::now();
            let mut least = usize::MAX;
            for id in ids {
                least = least.min(read(id)?);
            }
            if least == 0 {
                return Err("a record without a byte".into());
            }
            Result::Ok(start.elapsed().as_secs_f64())
        };
        let (first, others) = self.before.split_at(1.min(self.before.len()));
        took.first = took.first.min(all(first)?);
        all(others)?;
        took.read = took
            .read
            .min(all(&self.measured)? / self.measured.len().max(1) as f64);
        Ok(())
    }
}

/// Reads a record; its bytes.
type Reader<'a> = dyn FnMut(&str) -> Result<usize> + 'a;

/// Something that can be opened and read from.
trait Side {
    /// Opens it, hands over what reads, and closes it.
    fn session(&self, inside: &mut dyn FnMut(&mut Reader<'_>) -> Result<()>) -> Result<()>;
}

/// So many different rows, spread over all of them; each once, or all of them again where there are fewer.
fn spread(records: u64, count: u64) -> impl Iterator<Item = u64> {
    (0..count).map(move |n| (u128::from(n) * u128::from(STRIDE) % u128::from(records.max(1))) as u64)
}

struct OfVault {
    repo: PathBuf,
    index: PathBuf,
    key: Vec<u8>,
}

impl Side for OfVault {
    fn session(&self, inside: &mut dyn FnMut(&mut Reader<'_>) -> Result<()>) -> Result<()> {
        let options = VaultOptions {
            cache_dir: Some(self.index.clone()),
            cache_bytes: CACHE,
            ..VaultOptions::default()
        };
        let place = Arc::new(Local::open(&self.repo)?);
        let vault = Vault::open(place, &Secret::KeyFile(self.key.clone().into()), options)?;
        let org = *vault.orgs().first().ok_or("the vault is empty")?;
        let state = State::at(&vault, &vault.find_snapshot(org, "1")?);
        let mut contacts = Lookup::in_any_order(&state, "Contact");
        inside(&mut |id| {
            let record = contacts.get(id.parse()?)?;
            Ok(record
                .ok_or_else(|| format!("{id} is not in the vault"))?
                .json
                .len())
        })
    }
}

fn of_vault(store: &Store, wanted: &Wanted, rounds: u32) -> Result<Took> {
    for (path, _) in files_of(&store.repo())? {
        warm(&path)?;
    }
    let side = OfVault {
        repo: store.repo(),
        index: store.index(),
        key: std::fs::read(store.key())?,
    };
    wanted.take(rounds, store.bytes()?, &side)
}

const TABLES: [(&str, &str); 2] = [
    (
        "SQLite, rowid",
        "CREATE TABLE record (id TEXT PRIMARY KEY, json TEXT NOT NULL)",
    ),
    (
        "SQLite, without rowid",
        "CREATE TABLE record (id TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID",
    ),
];

fn fill(file: &Path, table: &str, dump: &Dump) -> Result<()> {
    let mut connection = Connection::open(file)?;
    connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
    connection.execute_batch(table)?;
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare("INSERT INTO record VALUES (?1, ?2)")?;
        dump.each(|_, line| {
            insert.execute(params![id_of(line)?, std::str::from_utf8(line)?])?;
            Ok(())
        })?;
    }
    transaction.commit()?;
    Ok(())
}

struct OfSqlite<'a>(&'a Path);

impl Side for OfSqlite<'_> {
    fn session(&self, inside: &mut dyn FnMut(&mut Reader<'_>) -> Result<()>) -> Result<()> {
        let connection = Connection::open(self.0)?;
        connection.execute_batch(&format!("PRAGMA cache_size = -{}", CACHE >> 10))?;
        // The file is looked at when a statement is prepared, not before.
        let mut select = connection.prepare("SELECT json FROM record WHERE id = ?1")?;
        inside(&mut |id| {
            let json: String = select.query_row([id], |row| row.get(0))?;
            Ok(json.len())
        })
    }
}

fn of_sqlite(file: &Path, wanted: &Wanted, rounds: u32) -> Result<Took> {
    let bytes = warm(file)?;
    wanted.take(rounds, bytes, &OfSqlite(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_spread_and_none_comes_twice() {
        let mut rows: Vec<u64> = spread(5_000, 1_000).collect();
        assert!(rows.iter().all(|row| *row < 5_000));
        let upper = rows.iter().filter(|row| **row >= 2_500).count();
        assert!((400..600).contains(&upper), "{upper}");
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), 1_000);
    }
}
