//! From rows to pages and back: where pages end, laying out by column, reading what was laid out.
//!
//! Key decision: key part and value part go together, as a page of a first snapshot has both; the corpus has no derived
//! values. Nothing is compressed here: that is `packs`.

use std::sync::Arc;

use halite_engine::format::page::{Part, decode_keys, encode_keys};

use crate::stages::input::{lay_out, value_bytes};
use crate::stages::{Input, Outcome, Stage};

/// Where pages end: a keyed hash of each Id.
pub fn cut(input: &Arc<Input>) -> Outcome<Stage> {
    let (input, rows) = (Arc::clone(input), input.rows()?);
    let bytes = rows.rows.iter().map(|row| value_bytes(&rows, row)).sum();
    Ok(Stage::new(bytes, move || Ok(input.pages(&rows).len() as u64)))
}

/// Rows are laid out by column.
pub fn encode(input: &Arc<Input>) -> Outcome<Stage> {
    let rows = input.rows()?;
    let (pages, mut part) = (input.pages(&rows), input.part());
    let bytes = rows.rows.iter().map(|row| value_bytes(&rows, row)).sum();
    let mut out = Vec::new();
    Ok(Stage::new(bytes, move || {
        let mut sum = 0;
        for page in &pages {
            sum += encode_keys(1, &page.keys).len();
            out.clear();
            lay_out(&rows, page, &mut part, &mut out);
            sum += out.len();
        }
        Ok(sum as u64)
    }))
}

/// What was laid out is read: every key, every value's place.
pub fn decode(input: &Arc<Input>) -> Outcome<Stage> {
    let parts = input.parts()?;
    let bytes = parts.iter().map(Vec::len).sum();
    Ok(Stage::new(bytes, move || {
        let mut sum = 0;
        for pair in parts.chunks_exact(2) {
            sum += decode_keys(1, &pair[0])?.len();
            let part = Part::decode(&pair[1])?;
            sum += part.columns.iter().map(|column| column.cells.len()).sum::<usize>();
        }
        Ok(sum as u64)
    }))
}
