//! From text to rows: tokenise, canonicalise JSON and CSV, hash.
//!
//! Key decision: buffers are kept from run to run, as an ingest keeps them from batch to batch, so that a run costs what
//! the stage does and no page faults. CSV is read and canonicalised together, as pages of the Bulk API are.

use std::io::Write as _;
use std::sync::Arc;

use csv::ByteRecord;
use halite_engine::format::record::{Rows, content_hash, json_keys};
use serde_json::{Map, Value};

use crate::stages::{Input, Outcome, Stage};

/// Every member is found, and every name unescaped.
pub fn tokenise(input: &Arc<Input>) -> Outcome<Stage> {
    let input = Arc::clone(input);
    Ok(Stage::new(input.text().len(), move || {
        let mut names = 0;
        for line in input.lines() {
            json_keys(line, |name| names += name.len() as u64)?;
        }
        Ok(names)
    }))
}

/// Lines of JSON become rows: tokenised, each value in its one form, content hashed.
pub fn canonicalise(input: &Arc<Input>) -> Outcome<Stage> {
    let input = Arc::clone(input);
    let (mut canon, mut rows) = (input.canon(), Rows::default());
    Ok(Stage::new(input.text().len(), move || {
        rows.clear();
        for line in input.lines() {
            canon.json(line, &mut rows)?;
        }
        Ok(rows.bytes() as u64)
    }))
}

/// The same rows from CSV.
pub fn csv(input: &Arc<Input>) -> Outcome<Stage> {
    let (mut canon, mut rows, page) = (input.canon(), Rows::default(), as_csv(input)?);
    Ok(Stage::new(page.len(), move || {
        rows.clear();
        let mut reader = csv::Reader::from_reader(&page[..]);
        canon.columns(&reader.headers()?.iter().collect::<Vec<_>>())?;
        let mut record = ByteRecord::new();
        while reader.read_byte_record(&mut record)? {
            canon.csv(&record, &mut rows)?;
        }
        Ok(rows.bytes() as u64)
    }))
}

/// The content hash of each record.
pub fn hash(input: &Arc<Input>) -> Outcome<Stage> {
    let (objects, ends) = objects(input)?;
    let key = *input.keys.record_key();
    Ok(Stage::new(objects.len(), move || {
        let (mut start, mut sum) = (0, 0_u64);
        for end in &ends {
            sum += u64::from(content_hash(&key, &objects[start..*end]).0[0]);
            start = *end;
        }
        Ok(sum)
    }))
}

/// The canonical objects that are hashed, one behind the other, and where each ends.
pub fn objects(input: &Input) -> Outcome<(Vec<u8>, Vec<usize>)> {
    let (mut canon, mut rows) = (input.canon(), Rows::default());
    let (mut objects, mut ends) = (Vec::new(), Vec::new());
    for line in input.lines() {
        rows.clear();
        canon.json(line, &mut rows)?;
        // Derived values stand behind the object.
        let last = rows.rows.last().and_then(|row| rows.content(row).last());
        let end = last.map_or(1, |cell| {
            (cell.start + cell.len) as usize + cell.kind.frame().1.len()
        });
        objects.extend_from_slice(&rows.arena[..=end]);
        ends.push(objects.len());
    }
    Ok((objects, ends))
}

/// A page of CSV as the Bulk API writes it: every value in quotes.
pub fn as_csv(input: &Input) -> Outcome<Vec<u8>> {
    let names: Vec<&str> = input
        .schema
        .fields()
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    let mut out = Vec::new();
    writeln!(out, "\"{}\"", names.join("\",\""))?;
    for line in input.lines() {
        let record: Map<String, Value> = serde_json::from_slice(line)?;
        let values = names.iter().map(|name| match record.get(*name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.replace('"', "\"\""),
            Some(other) => other.to_string(),
        });
        writeln!(out, "\"{}\"", values.collect::<Vec<_>>().join("\",\""))?;
    }
    Ok(out)
}
