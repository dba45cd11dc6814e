//! From rows to pages and back: where pages end, laying out by column, reading what was laid out.
//!
//! Key decision: keys, values and derived values go together, as a page of a first snapshot has all three. Nothing is
//! compressed here: that is `packs`.

use std::sync::Arc;

use halite_engine::format::page::{Part, decode_derived, decode_keys};
use halite_engine::format::record::Rows;

use crate::stages::input::{Layout, value_bytes};
use crate::stages::{Input, Outcome, Stage};

/// Where pages end: a keyed hash of each Id.
pub fn cut(input: &Arc<Input>) -> Outcome<Stage> {
    let (input, rows) = (Arc::clone(input), input.rows()?);
    Ok(Stage::new(values(&rows), move || {
        Ok(input.pages(&rows).len() as u64)
    }))
}

fn values(rows: &Rows) -> usize {
    rows.rows.iter().map(|row| value_bytes(rows, row)).sum()
}

/// Rows are laid out by column.
pub fn encode(input: &Arc<Input>) -> Outcome<Stage> {
    let rows = input.rows()?;
    let (pages, mut layout) = (input.pages(&rows), Layout::new(input));
    Ok(Stage::new(values(&rows), move || {
        let parts = pages.iter().flat_map(|page| layout.parts(&rows, page));
        Ok(parts.map(|part| part.bytes.len() as u64).sum())
    }))
}

/// What was laid out is read: every key, every value's place.
pub fn decode(input: &Arc<Input>) -> Outcome<Stage> {
    let parts = input.parts()?;
    let bytes = parts.iter().map(|part| part.bytes.len()).sum();
    let cells = |part: &Part| {
        part.columns
            .iter()
            .map(|column| column.cells.len())
            .sum::<usize>()
    };
    Ok(Stage::new(bytes, move || {
        let mut sum = 0;
        for page in parts.chunks_exact(3) {
            sum += decode_keys(1, &page[0].bytes)?.len();
            sum += cells(&Part::decode(&page[1].bytes)?);
            sum += cells(&decode_derived(&page[2].bytes)?.1);
        }
        Ok(sum as u64)
    }))
}
