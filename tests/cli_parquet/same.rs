//! Whether a folder of Parquet holds what NDJSON holds: read by the reader of the crate, value by value, in order.
//!
//! Key decision: each value of NDJSON is compared in its own text, dates and times as the crate shows them, so that nothing
//! of the exporter is asked. The engine's tests include this file too; it does not know any type of Halite.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::value::RawValue;

/// A table that was read.
#[derive(Default)]
pub(crate) struct Table {
    /// `name type` of each column, as the schema of a file prints them.
    pub(crate) columns: Vec<String>,
    /// Each row, without its nulls.
    pub(crate) rows: Vec<BTreeMap<String, Field>>,
    /// How many row groups each part has.
    pub(crate) parts: Vec<usize>,
}

/// Reads all parts of a table, in order.
pub(crate) fn read(folder: &Path) -> Table {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let mut table = Table::default();
    for (number, path) in paths.iter().enumerate() {
        assert!(
            path.ends_with(format!("part-{number:05}.parquet")),
            "{}",
            path.display()
        );
        let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
        let meta = reader.metadata();
        let mut columns = Vec::new();
        parquet::schema::printer::print_schema(&mut columns, meta.file_metadata().schema());
        let columns = String::from_utf8(columns).unwrap();
        let columns = columns.lines().filter(|line| line.ends_with(';'));
        let columns: Vec<String> = columns
            .map(|line| line.trim().trim_end_matches(';').to_owned())
            .collect();
        assert!(number == 0 || columns == table.columns, "{}", path.display());
        (table.columns, table.parts) = (columns, [table.parts, vec![meta.num_row_groups()]].concat());
        for row in reader.get_row_iter(None).unwrap() {
            let values = row.unwrap().into_columns().into_iter();
            table
                .rows
                .push(values.filter(|(_, value)| *value != Field::Null).collect());
        }
    }
    table
}

/// Whether a value is what NDJSON has.
fn is(value: &Field, json: &str) -> bool {
    let inside = json.trim_matches('"');
    match value {
        Field::Str(text) if json.starts_with('"') => *text == serde_json::from_str::<String>(json).unwrap(),
        Field::Str(text) if json.starts_with('{') => {
            let tagged: BTreeMap<String, String> = serde_json::from_str(json).unwrap();
            tagged.values().eq([text])
        }
        Field::Str(text) => text == json,
        Field::Double(number) => json.parse() == Ok(*number),
        Field::TimestampMicros(_) => {
            value.to_string() == inside.replace('T', " ").replace('Z', "000 +00:00") && json.starts_with('"')
        }
        Field::TimeMicros(_) => value.to_string() == inside.replace('Z', "000") && json.starts_with('"'),
        Field::Date(_) => value.to_string() == inside && json.starts_with('"'),
        other => other.to_string() == json,
    }
}

/// Asserts that a row is a record, but for columns that begin with `_`.
pub(crate) fn same_row(row: &BTreeMap<String, Field>, line: &str) {
    let wanted: BTreeMap<String, Box<RawValue>> = serde_json::from_str(line).unwrap();
    for (name, json) in &wanted {
        let value = row.get(name).unwrap_or(&Field::Null);
        assert!(is(value, json.get()), "{name}: {value}, not {json}\n{line}");
    }
    let more: Vec<_> = row
        .keys()
        .filter(|name| !wanted.contains_key(*name) && !name.starts_with('_'))
        .collect();
    assert!(more.is_empty(), "{more:?} beside {line}");
}

/// Asserts that a table holds what a file of NDJSON holds; gives the table.
pub(crate) fn same(folder: &Path, ndjson: &Path) -> Table {
    let (table, lines) = (read(folder), fs::read_to_string(ndjson).unwrap());
    assert_eq!(table.rows.len(), lines.lines().count(), "{}", folder.display());
    for (row, line) in table.rows.iter().zip(lines.lines()) {
        same_row(row, line);
    }
    table
}
