//! Writes a corpus as newline-delimited JSON, and its describe beside it.
//!
//! Key decision: one buffer is filled and written again and again; the file is as large as asked for, memory is not.
//! This is not a general generator: the fields are those of `halite_bench`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Parser;
use halite_bench::{Corpus, Shape, describe};

/// Bytes that are gathered before a write.
const BUFFER: usize = 1 << 20;

/// Write Salesforce-like records: the same bytes for the same arguments on every machine.
#[derive(Parser)]
struct Arguments {
    /// Records on day 0
    #[arg(long, default_value_t = 500_000)]
    records: u64,
    /// Mean bytes of a record
    #[arg(long, default_value_t = 1_240)]
    bytes: usize,
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
    /// The file, named for the sObject: DIR/Contact.ndjson; the describe goes to DIR/Contact.describe.json
    #[arg(long)]
    out: PathBuf,
}

fn main() -> io::Result<()> {
    let Arguments {
        records,
        bytes,
        seed,
        day,
        edit_percent,
        add_percent,
        out,
    } = Arguments::parse();
    let corpus = Corpus::new(Shape {
        records,
        bytes,
        seed,
        day,
        edit_percent,
        add_percent,
    });
    let sobject = out.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    fs::write(
        out.with_file_name(format!("{sobject}.describe.json")),
        describe(&sobject),
    )?;

    let mut file = File::create(&out)?;
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
