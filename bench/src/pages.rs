//! Pages laid out by column and compressed: which level of zstd, and does a trained dictionary pay?
//!
//! Key decision: the pages are those of a first snapshot, each compressed alone as the engine does; the dictionary is
//! trained on every tenth page and measured on the others. It seals nothing and reads no vault.

use std::error::Error;
use std::sync::Arc;

use clap::Args;
use halite_engine::format::describe::Describe;
use halite_engine::format::page::PartBuilder;
use halite_engine::format::record::{Canon, Mode, Rows};
use halite_engine::format::schema::Schema;
use serde_json::{Value, json};
use zstd::bulk::Compressor;

use crate::{Corpus, Shape, describe};

/// The size of a trained dictionary, as zstd's own tool has it.
const DICTIONARY: usize = 112_640;

/// What is measured.
#[derive(Debug, Clone, Args)]
pub struct Pages {
    /// Records
    #[arg(long, default_value_t = 50_000)]
    pub records: u64,
    /// Records a page
    #[arg(long, default_value_t = 200)]
    pub rows: usize,
    /// Another seed gives other records
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Bytes and time for each level, with and without a dictionary.
///
/// # Errors
/// Whatever zstd says.
pub fn measure(options: &Pages) -> Result<Value, Box<dyn Error>> {
    let pages = pages(options)?;
    let samples: Vec<&[u8]> = pages.iter().step_by(10).map(|page| &page[..]).collect();
    let dictionary = zstd::dict::from_samples(&samples, DICTIONARY)?;
    let rest: Vec<&Vec<u8>> = (0..)
        .zip(&pages)
        .filter(|(i, _)| i % 10 != 0)
        .map(|(_, page)| page)
        .collect();
    let plain: usize = rest.iter().map(|page| page.len()).sum();
    let mut lines = Vec::new();
    for level in [1, 3, 9] {
        for trained in [false, true] {
            let mut compressor = if trained {
                Compressor::with_dictionary(level, &dictionary)?
            } else {
                Compressor::new(level)?
            };
            let (start, mut bytes) = (crate::now(), 0);
            for page in &rest {
                bytes += compressor.compress(page)?.len();
            }
            let speed = plain as f64 / 1e6 / start.elapsed().as_secs_f64();
            lines.push(json!({ "level": level, "dictionary": trained, "bytes": bytes, "mb_per_second": speed.round() }));
        }
    }
    Ok(json!({ "pages": rest.len(), "plain_bytes": plain, "results": lines }))
}

/// The value parts of all pages.
fn pages(options: &Pages) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let corpus = Corpus::new(Shape {
        records: options.records,
        bytes: 1_240,
        seed: options.seed,
        day: 0,
        edit_percent: 0.0,
        add_percent: 0.0,
    });
    let schema = Arc::new(Schema::of(&Describe::parse(describe("Contact").as_bytes())?)?);
    let mut part = PartBuilder::new(schema.fields().iter().map(|field| field.name.clone()));
    let mut canon = Canon::new(Arc::clone(&schema), &[7; 32], Mode::Refuse);
    let mut pages = Vec::new();
    let all: Vec<u64> = (0..options.records).collect();
    for numbers in all.chunks(options.rows.max(1)) {
        let mut rows = Rows::default();
        for number in numbers {
            let mut line = Vec::new();
            corpus.line(*number, &mut line);
            canon.json(line.trim_ascii(), &mut rows)?;
        }
        for row in &rows.rows {
            for cell in rows.content(row) {
                part.push(usize::from(cell.field), cell.kind, rows.value(cell));
            }
            part.end_row();
        }
        let mut bytes = Vec::new();
        part.finish(&mut bytes);
        pages.push(bytes);
    }
    Ok(pages)
}
