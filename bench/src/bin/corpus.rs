//! Writes corpora: one sObject as newline-delimited JSON with its describe beside it, all of them, or files.
//!
//! Key decision: one buffer is filled and written again and again; the file is as large as asked for, memory is not.
//! This is not a general generator: the fields are those of `halite_bench`.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Parser;
use halite_bench::files::{Files, Library};
use halite_bench::{Corpus, Counts, Days, SObject, Shape, describe_as};

/// Bytes that are gathered before a write.
const BUFFER: usize = 1 << 20;

/// Write Salesforce-like records and files: the same bytes for the same arguments on every machine.
#[derive(Parser)]
struct Arguments {
    /// Records on day 0; with --all those of all sObjects together
    #[arg(long, default_value_t = 500_000)]
    records: u64,
    /// Mean bytes of a record; where nothing is said each sObject has its own, Contact 1240
    #[arg(long)]
    bytes: Option<usize>,
    /// Another seed gives another corpus
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The day to write; 0 is the first state
    #[arg(long, default_value_t = 0)]
    day: u64,
    /// Records edited each day, per cent
    #[arg(long, default_value_t = 0.0)]
    edit_percent: f64,
    /// Records added at the end each day, per cent
    #[arg(long, default_value_t = 0.0)]
    add_percent: f64,
    #[command(flatten)]
    days: Days,
    /// Account, Contact, Case, Opportunity, Wide__c or User; the others are taken to be there in proportion, but for
    /// Contact, which points to 60,000 Accounts whatever its size
    #[arg(long, default_value_t = SObject::Contact)]
    sobject: SObject,
    /// All sObjects, in proportion and pointing to each other
    #[arg(long, conflicts_with = "sobject", requires = "out")]
    all: bool,
    /// The file, named for the sObject: DIR/Contact.ndjson; the describe goes to DIR/Contact.describe.json. With --all
    /// the folder
    #[arg(long, required_unless_present = "files")]
    out: Option<PathBuf>,
    /// Write files into this folder: v0, v1, … with documents, images and archives each
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    #[command(flatten)]
    sizes: Files,
}

impl Arguments {
    fn shape(&self, sobject: SObject) -> Shape {
        Shape {
            records: self.records,
            bytes: self.bytes.unwrap_or(sobject.bytes()),
            seed: self.seed,
            day: self.day,
            edit_percent: self.edit_percent,
            add_percent: self.add_percent,
        }
    }

    fn all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)?;
        let counts = Counts::of_all(self.records);
        SObject::ALL.into_iter().try_for_each(|sobject| {
            let corpus = Corpus::of(sobject, counts, self.shape(sobject));
            let path = dir.join(format!("{sobject}.ndjson"));
            write(&corpus.with_days(self.days), sobject, &path)
        })
    }

    fn one(&self, path: &Path) -> io::Result<()> {
        let shape = self.shape(self.sobject);
        let corpus = match self.sobject {
            SObject::Contact => Corpus::new(shape),
            other => Corpus::of(other, Counts::around(other, self.records), shape),
        };
        write(&corpus.with_days(self.days), self.sobject, path)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if let Some(dir) = &arguments.files {
        let library = Library::new(&arguments.sizes, arguments.seed);
        library.write(dir, arguments.sizes.versions)?;
    }
    match &arguments.out {
        Some(dir) if arguments.all => arguments.all(dir)?,
        Some(path) => arguments.one(path)?,
        None => {}
    }
    Ok(())
}

fn write(corpus: &Corpus, sobject: SObject, path: &Path) -> io::Result<()> {
    let name = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    fs::write(
        path.with_file_name(format!("{name}.describe.json")),
        describe_as(sobject, &name),
    )?;
    let mut file = File::create(path)?;
    let mut buffer = Vec::with_capacity(BUFFER + (BUFFER >> 4));
    for row in 0..corpus.rows() {
        corpus.line(row, &mut buffer);
        if buffer.len() >= BUFFER {
            file.write_all(&buffer)?;
            buffer.clear();
        }
    }
    file.write_all(&buffer)
}
