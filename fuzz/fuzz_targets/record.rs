//! A record from any text: an error or a canonical row, which is a fixed point.
//!
//! Key decision: the canonical content is read as a record again (its Id put back) and must have the same hash.
//! It does not compare with another JSON reader: the property tests do.
#![no_main]

use std::sync::Arc;

use halite_engine::format::describe::Describe;
use halite_engine::format::record::{Canon, Mode, Rows};
use halite_engine::format::schema::Schema;

const DESCRIBE: &str = r#"{"name":"X","fields":[{"name":"Id","type":"id"},{"name":"a","type":"string"},
    {"name":"b","type":"double"},{"name":"c","type":"datetime"},{"name":"d","type":"boolean"},{"name":"e","type":"anyType"},
    {"name":"f","type":"reference","referenceTo":["X"]},{"name":"g","type":"time"},{"name":"h","type":"address"}]}"#;

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let schema = Arc::new(Schema::of(&Describe::parse(DESCRIBE.as_bytes()).unwrap()).unwrap());
    let (mut canon, mut rows) = (Canon::new(schema, &[1; 32], Mode::Refuse), Rows::default());
    if canon.json(text, &mut rows).is_err() {
        assert!(rows.rows.is_empty() && rows.arena.is_empty() && rows.cells.is_empty());
        return;
    }
    let content = std::str::from_utf8(&rows.arena).unwrap().to_owned();
    let id = rows.rows[0].id;
    let again = match content.strip_prefix("{}") {
        Some(_) => format!("{{\"Id\":\"{id}\"}}"),
        None => format!("{{\"Id\":\"{id}\",{}", &content[1..]),
    };
    canon.json(again.as_bytes(), &mut rows).unwrap();
    assert_eq!(rows.rows[0].hash, rows.rows[1].hash, "{content}");
});
