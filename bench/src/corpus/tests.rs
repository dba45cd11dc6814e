//! What the corpus promises: valid lines, ascending Ids, the wanted size, and days that differ by what was asked for.
//!
//! Key decision: the lines are read back with a JSON parser that had no part in writing them.
//! This is not a check of the values' realism.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::*;

const SHAPE: Shape = Shape {
    records: 3_000,
    bytes: 1_240,
    seed: 1,
    day: 0,
    edit_percent: 1.0,
    add_percent: 0.2,
};

fn lines(shape: Shape) -> Vec<String> {
    let corpus = Corpus::new(shape);
    let line = |row| {
        let mut line = Vec::new();
        corpus.line(row, &mut line);
        String::from_utf8(line).unwrap()
    };
    (0..corpus.rows()).map(line).collect()
}

fn records(shape: Shape) -> BTreeMap<String, Map<String, Value>> {
    let parsed = lines(shape)
        .into_iter()
        .map(|line| serde_json::from_str::<Map<String, Value>>(&line).unwrap());
    parsed
        .map(|record| (record["Id"].as_str().unwrap().to_owned(), record))
        .collect()
}

#[test]
fn lines_are_sorted_by_id_and_of_the_wanted_size() {
    let lines = lines(SHAPE);
    let ids: Vec<&str> = lines.iter().map(|line| &line[7..25]).collect();
    assert!(ids.is_sorted_by(|a, b| a < b));
    let mean = lines.iter().map(String::len).sum::<usize>() / lines.len();
    assert!(mean.abs_diff(1_240) < 25, "{mean}");
}

#[test]
fn ids_have_the_checksum_of_salesforce() {
    assert_eq!(&values::checksum(b"001D000000IRFma"), b"IAH");
    let mut id = Vec::new();
    values::id(&mut id, "001", 62 * 36 + 10);
    assert_eq!(id, b"001Hs00000000aAIAQ");
}

#[test]
fn another_day_edits_and_adds_as_asked_for() {
    let first = records(SHAPE);
    let second = records(Shape { day: 1, ..SHAPE });
    assert_eq!(second.len(), 3_006);
    let edited: Vec<_> = first
        .iter()
        .filter(|(id, record)| second[*id] != **record)
        .collect();
    assert!((15..=50).contains(&edited.len()), "{}", edited.len());
    for (id, before) in edited {
        let after = &second[id];
        assert!(after["SystemModstamp"].as_str() > before["SystemModstamp"].as_str());
        assert_eq!(after["CreatedDate"], before["CreatedDate"]);
    }
}

#[test]
fn the_describe_names_every_field() {
    let describe: Value = serde_json::from_str(&crate::describe("Contact")).unwrap();
    let names: Vec<&str> = describe["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["name"].as_str().unwrap())
        .collect();
    assert!(
        records(SHAPE)
            .values()
            .flat_map(Map::keys)
            .all(|key| names.contains(&key.as_str()))
    );
}
