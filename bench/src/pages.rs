//! Pages laid out by column and compressed: which level of zstd, how many frames, and does a trained dictionary pay?
//!
//! Key decision: the pages are those of a first snapshot, each compressed alone as the engine does; the dictionary is
//! trained on every tenth page and measured on the others. It seals nothing and reads no vault.

use std::error::Error;

use clap::Args;
use serde_json::{Value, json};
use zstd::bulk::Compressor;

use crate::stages::Input;
use crate::stages::input::{Layout, Page, Part};

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
    let samples: Vec<&[u8]> = pages.iter().step_by(10).map(|page| &page.bytes[..]).collect();
    let dictionary = zstd::dict::from_samples(&samples, DICTIONARY)?;
    let rest: Vec<&Part> = (0..)
        .zip(&pages)
        .filter(|(i, _)| i % 10 != 0)
        .map(|(_, page)| page)
        .collect();
    let plain: usize = rest.iter().map(|page| page.bytes.len()).sum();
    let mut lines = Vec::new();
    for level in [1, 2, 3, 5, 9] {
        for (how, trained, apart) in [
            ("one frame", false, false),
            ("a frame for what is alike", false, true),
            ("one frame, with a dictionary", true, false),
        ] {
            let mut compressor = if trained {
                Compressor::with_dictionary(level, &dictionary)?
            } else {
                Compressor::new(level)?
            };
            let (start, mut bytes) = (crate::now(), 0);
            for page in &rest {
                for frame in frames(page, apart) {
                    bytes += compressor.compress(frame)?.len();
                }
            }
            let speed = plain as f64 / 1e6 / start.elapsed().as_secs_f64();
            lines.push(json!({ "level": level, "how": how, "bytes": bytes, "mb_per_second": speed.round() }));
        }
    }
    Ok(json!({ "pages": rest.len(), "plain_bytes": plain, "results": lines }))
}

/// All of a page, or what lies between its ends.
fn frames(page: &Part, apart: bool) -> Vec<&[u8]> {
    let (mut frames, mut rest, mut at) = (Vec::new(), &page.bytes[..], 0);
    for end in page.ends.iter().filter(|_| apart) {
        let (frame, behind) = rest.split_at(end - at);
        frames.push(frame);
        (rest, at) = (behind, *end);
    }
    frames.push(rest);
    frames.retain(|frame| !frame.is_empty());
    frames
}

/// The value parts of all pages.
fn pages(options: &Pages) -> Result<Vec<Part>, Box<dyn Error>> {
    let input = Input::new(options.records, options.seed)?;
    let (rows, mut layout) = (input.rows()?, Layout::new(&input));
    let count = rows.rows.len();
    let starts = (0..count).step_by(options.rows.max(1));
    let pages = starts.map(|start| {
        let page = Page {
            keys: Vec::new(),
            rows: start..count.min(start + options.rows.max(1)),
        };
        let [_, values, _] = layout.parts(&rows, &page);
        values
    });
    Ok(pages.collect())
}
