//! The corpus of one sObject on disk: a day's whole dump, what changed on a day, or one file a record.
//!
//! Key decision: days follow from the seed, so that each is written when it is its turn and replaces the one before;
//! what was written is on the disk, and read once, before anybody's clock starts. It is no corpus of its own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use halite_bench::{Corpus, Shape, describe};

use crate::Result;
use crate::tools::settle;

/// The file of a dump.
pub const NDJSON: &str = "Contact.ndjson";

/// A corpus and the folder that its days are written to.
pub struct Dump {
    corpus: Corpus,
    folder: PathBuf,
    /// Bytes of the days that were written whole.
    bytes: BTreeMap<u64, u64>,
}

impl Dump {
    /// Of so many records, of which so many in a hundred are edited each day.
    ///
    /// # Errors
    /// The disk's.
    pub fn new(folder: PathBuf, records: u64, bytes: usize, seed: u64, edit_percent: f64) -> Result<Self> {
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("Contact.describe.json"), describe("Contact"))?;
        let corpus = Corpus::new(Shape {
            records,
            bytes,
            seed,
            day: 0,
            edit_percent,
            add_percent: 0.0,
        });
        Ok(Self {
            corpus,
            folder,
            bytes: BTreeMap::new(),
        })
    }

    /// Where it is written.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The records of any day.
    pub fn records(&self) -> u64 {
        self.corpus.rows()
    }

    /// Writes all records of a day; bytes.
    ///
    /// # Errors
    /// The disk's.
    pub fn whole(&mut self, day: u64) -> Result<u64> {
        self.corpus.on(day);
        let (_, bytes) = self.write(|_| true)?;
        self.bytes.insert(day, bytes);
        Ok(bytes)
    }

    /// How large the whole dump of a day was, if it was written.
    pub fn bytes_of(&self, day: u64) -> Option<u64> {
        self.bytes.get(&day).copied()
    }

    /// Writes what was edited on a day; records and bytes.
    ///
    /// # Errors
    /// The disk's.
    pub fn changes(&mut self, day: u64) -> Result<(u64, u64)> {
        self.corpus.on(day);
        self.write(|row| self.corpus.edited(row))
    }

    fn write(&self, wanted: impl Fn(u64) -> bool) -> Result<(u64, u64)> {
        let path = self.folder.join(NDJSON);
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&path)?);
        let (mut line, mut rows) = (Vec::new(), 0);
        for row in (0..self.corpus.rows()).filter(|row| wanted(*row)) {
            line.clear();
            self.corpus.line(row, &mut line);
            file.write_all(&line)?;
            rows += 1;
        }
        file.into_inner()?.sync_all()?;
        Ok((rows, warm(&path)?))
    }

    /// Gives each line with its row.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn each(&self, mut each: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
        let mut line = Vec::new();
        (0..self.corpus.rows()).try_for_each(|row| {
            line.clear();
            self.corpus.line(row, &mut line);
            each(row, line.trim_ascii_end())
        })
    }

    /// The Id of a row.
    ///
    /// # Errors
    /// A line that does not begin with one.
    pub fn id(&self, row: u64) -> Result<String> {
        let mut line = Vec::new();
        self.corpus.line(row, &mut line);
        id_of(&line).map(str::to_owned)
    }

    /// Writes one file a record into a folder: all of them on day 0, those that were edited on any other.
    ///
    /// # Errors
    /// The disk's.
    pub fn files(&mut self, folder: &Path, day: u64) -> Result<()> {
        self.corpus.on(day);
        fs::create_dir_all(folder)?;
        self.each(|row, line| {
            if day == 0 || self.corpus.edited(row) {
                fs::write(folder.join(format!("{}.json", id_of(line)?)), line)?;
            }
            Ok(())
        })?;
        settle(folder)
    }
}

/// The Id that a line has.
///
/// # Errors
/// It has none.
pub fn id_of(line: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(line)?;
    let id = text.split_once("\"Id\":\"").and_then(|(_, rest)| rest.get(..18));
    id.ok_or_else(|| "a line without an Id".into())
}

/// Reads a file to its end and drops it; its bytes.
///
/// # Errors
/// The disk's.
pub fn warm(path: &Path) -> Result<u64> {
    let (mut file, mut buffer, mut bytes) = (File::open(path)?, vec![0; 1 << 20], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(bytes),
            n => bytes += n as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_what_differs_between_two_days() {
        let dir = tempfile::tempdir().unwrap();
        let mut dump = Dump::new(dir.path().to_owned(), 500, 900, 1, 4.0).unwrap();
        let mut lines = |day: Option<u64>| -> Vec<String> {
            match day {
                Some(day) => dump.whole(day).map(drop).unwrap(),
                None => drop(dump.changes(1).unwrap()),
            }
            let text = fs::read_to_string(dir.path().join(NDJSON)).unwrap();
            text.lines().map(str::to_owned).collect()
        };
        let (before, after, changes) = (lines(Some(0)), lines(Some(1)), lines(None));
        let differ: Vec<&String> = after.iter().filter(|line| !before.contains(line)).collect();
        assert_eq!(before.len(), 500);
        assert!(!changes.is_empty() && changes.len() < 100, "{}", changes.len());
        assert_eq!(differ, changes.iter().collect::<Vec<_>>());
    }

    #[test]
    fn one_file_a_record() {
        let dir = tempfile::tempdir().unwrap();
        let mut dump = Dump::new(dir.path().join("dump"), 50, 900, 1, 10.0).unwrap();
        let files = dir.path().join("files");
        dump.files(&files, 0).unwrap();
        assert_eq!(fs::read_dir(&files).unwrap().count(), 50);
        let one = files.join(format!("{}.json", dump.id(7).unwrap()));
        assert_eq!(id_of(&fs::read(one).unwrap()).unwrap(), dump.id(7).unwrap());
    }
}
