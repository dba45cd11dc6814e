//! States and changes written as Parquet and read back by the crate's reader, beside what NDJSON and `diff` say.
//!
//! Key decision: here row groups and parts are small, so that there are many of them. What DuckDB reads in the files is
//! seen by `tests/clients`, and no API is needed here.

use std::fs;
use std::sync::Arc;

use super::*;
use crate::base::error::Kind as ErrorKind;
use crate::base::id::OrgId;
use crate::ops::export::ndjson;
use crate::ops::import::import;
use crate::store::memory::Memory;
use crate::vault::{Secret, VaultOptions};

#[path = "../../../../../tests/cli_parquet/same.rs"]
mod same;

use same::{read, same, same_row};

const FIELDS: &str = r#"{"name":"Id","type":"id"},{"name":"Name","type":"string"},{"name":"OwnerId","type":"reference"},
    {"name":"Open__c","type":"boolean"},{"name":"Count__c","type":"int"},{"name":"Big__c","type":"long"},
    {"name":"Revenue__c","type":"currency"},{"name":"Share__c","type":"percent"},{"name":"Ratio__c","type":"double"},
    {"name":"Formula__c","type":"double","calculated":true},{"name":"Born__c","type":"date"},
    {"name":"Seen__c","type":"datetime"},{"name":"At__c","type":"time"},{"name":"Picks__c","type":"multipicklist"},
    {"name":"Text__c","type":"textarea"},{"name":"Any__c","type":"anyType"},{"name":"Where__c","type":"address"},
    {"name":"IsDeleted","type":"boolean"},{"name":"SystemModstamp","type":"datetime"},
    {"name":"LastModifiedDate","type":"datetime"},{"name":"LastModifiedById","type":"reference"}"#;

/// A vault, an org, and a folder for files.
struct Place {
    vault: Vault,
    org: OrgId,
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let store = Arc::new(Memory::new());
        Self {
            vault: Vault::create(store, &Secret::None, VaultOptions::default()).unwrap(),
            org: "00D000000000001".parse().unwrap(),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// Imports a day: all records of `Thing__c`, or changes only if Ids that went are given.
    fn day(&self, day: u8, fields: &str, lines: &str, gone: Option<&str>) {
        let dir = tempfile::tempdir().unwrap();
        let describe = format!(r#"{{"name":"Thing__c","keyPrefix":"a00","fields":[{fields}]}}"#);
        fs::write(dir.path().join("Thing__c.describe.json"), describe).unwrap();
        fs::write(dir.path().join("Thing__c.ndjson"), lines).unwrap();
        if let Some(gone) = gone {
            fs::write(dir.path().join("Thing__c.deleted"), gone).unwrap();
        }
        let at = format!("2026-01-{day:02}").parse().unwrap();
        import(&self.vault, self.org, at, dir.path(), gone.is_some(), &mut |_| ()).unwrap();
    }

    fn at(&self, number: u64) -> SnapshotInfo {
        self.vault.find_snapshot(self.org, &number.to_string()).unwrap()
    }

    /// Exports a snapshot both ways and compares; what was written, and the table.
    fn exported(&self, number: u64) -> (Written, same::Table) {
        let info = self.at(number);
        let state = State::at(&self.vault, &info);
        let [lines, tables] = ["lines", "tables"].map(|to| self.dir.path().join(format!("{number}-{to}")));
        ndjson(&state, None, &lines).unwrap();
        let mut written = super::state(&state, None, &tables).unwrap();
        let table = same(&tables.join("Thing__c"), &lines.join("Thing__c.ndjson"));
        let there: Vec<_> = fs::read_dir(&tables)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!((there, written.len()), (vec!["Thing__c".into()], 1));
        let written = written.remove(0);
        assert_eq!(written.rows, table.rows.len() as u64);
        (written, table)
    }
}

fn id(n: usize) -> String {
    format!("a00{n:012}")
}

/// A record with values at the edges of their types, and nulls; another one for each `turn`.
fn line(n: usize, turn: usize) -> String {
    let pick = |from: &[&str]| from[(n * 7 + turn) % from.len()].to_owned();
    let mut fields = vec![format!(r#""Id":"{}","Name":"Søl \"{n}\" 🧂 {turn}""#, id(n))];
    for (name, values) in [
        ("Open__c", &["true", "false", "null"][..]),
        ("Count__c", &["0", "-2147483648", "2147483647", "null", "12"]),
        ("Big__c", &["9223372036854775807", "-9223372036854775808", "null"]),
        (
            "Revenue__c",
            &["0.1", "-0.01", "90071992547409.91", "1E+22", "null", "400.00"],
        ),
        ("Share__c", &["33.333333333333336", "null", "1E-7"]),
        (
            "Ratio__c",
            &["1.7976931348623157E+308", "5E-324", "123456789012345", "null"],
        ),
        ("Formula__c", &["2", "null"]),
        (
            "Born__c",
            &[
                "\"1969-12-31\"",
                "\"1700-01-01\"",
                "\"4000-12-31\"",
                "null",
                "\"1970-01-01\"",
            ],
        ),
        (
            "Seen__c",
            &[
                "\"1969-12-31T23:59:59.999Z\"",
                "null",
                "\"1700-01-01T00:00:00.000+0000\"",
                "\"2026-02-28T12:00:00.001Z\"",
            ],
        ),
        ("At__c", &["\"00:00:00.000Z\"", "\"23:59:59.999Z\"", "null"]),
        ("Picks__c", &["\"A;B;C\"", "null", "\"Straße; naïve\""]),
        (
            "Text__c",
            &["null", "\"a\\nb\\t\\\\ \\u0001\"", "\"\\ud83e\\uddc2\""],
        ),
        (
            "Any__c",
            &["null", "{\"a\":[1,null]}", "true", "\"text\"", "12.50"],
        ),
        ("OwnerId", &["\"005000000000001AAA\"", "null"]),
        ("LastModifiedDate", &["\"1969-07-20T20:17:40.000Z\"", "null"]),
    ] {
        fields.push(format!("\"{name}\":{}", pick(values)));
    }
    fields.push(r#""SystemModstamp":"2026-01-01T00:00:00.000Z","IsDeleted":false"#.to_owned());
    format!("{{{}}}\n", fields.join(","))
}

#[test]
fn a_state_reads_back_as_ndjson_has_it() {
    let place = Place::new();
    let lines: String = (0..3000).map(|n| line(n, 0)).collect();
    let long = format!(
        "{{\"Id\":\"{}\",\"Text__c\":\"{}\"}}\n",
        id(3000),
        "größer ".repeat(40_000)
    );
    place.day(1, FIELDS, &(lines + &long), None);
    let edits: String = (0..3000).step_by(9).map(|n| line(n, 1)).collect();
    let gone: String = (5..3000).step_by(500).map(|n| id(n) + "\n").collect();
    place.day(2, FIELDS, &edits, Some(&gone));
    let (written, table) = place.exported(1);
    assert!(written.rows == 3001 && written.as_text.is_empty(), "{written:?}");
    assert!(table.parts.len() >= 3 && table.parts[0] == 3, "{:?}", table.parts);
    let columns = [
        "OPTIONAL BYTE_ARRAY Any__c (STRING)",
        "OPTIONAL INT64 At__c (TIME(MICROS,false))",
        "OPTIONAL INT64 Big__c",
        "OPTIONAL INT32 Born__c (DATE)",
        "OPTIONAL INT32 Count__c",
        "OPTIONAL DOUBLE Formula__c",
        "REQUIRED BYTE_ARRAY Id (STRING)",
        "OPTIONAL BOOLEAN IsDeleted",
        "OPTIONAL BYTE_ARRAY LastModifiedById (STRING)",
        "OPTIONAL INT64 LastModifiedDate (TIMESTAMP(MICROS,true))",
        "OPTIONAL BYTE_ARRAY Name (STRING)",
        "OPTIONAL BOOLEAN Open__c",
        "OPTIONAL BYTE_ARRAY OwnerId (STRING)",
        "OPTIONAL BYTE_ARRAY Picks__c (STRING)",
        "OPTIONAL DOUBLE Ratio__c",
        "OPTIONAL DOUBLE Revenue__c",
        "OPTIONAL INT64 Seen__c (TIMESTAMP(MICROS,true))",
        "OPTIONAL DOUBLE Share__c",
        "OPTIONAL INT64 SystemModstamp (TIMESTAMP(MICROS,true))",
        "OPTIONAL BYTE_ARRAY Text__c (STRING)",
    ];
    assert_eq!(table.columns, columns);
    let (written, _) = place.exported(2);
    assert_eq!(written.rows, 2995, "what is gone is in no state");
}

#[test]
fn a_column_whose_values_do_not_fit_is_text_and_told() {
    let place = Place::new();
    let fields = |of: &str| {
        format!(
            r#"{{"name":"Id","type":"id"}},{{"name":"Good__c","type":"double"}},{{"name":"Half__c","type":"int"}},
            {{"name":"Long__c","type":"currency"}},{{"name":"Was__c","type":"{of}"}}"#
        )
    };
    let line = |n: usize, rest: &str| format!("{{\"Id\":\"{}\",{rest}}}\n", id(n));
    let all = (0..3000).map(|n| {
        let was = if n == 2900 { "\"12 apples\"" } else { "\"12\"" };
        line(
            n,
            &format!(r#""Good__c":{n},"Half__c":{n},"Long__c":12.5,"Was__c":{was}"#),
        )
    });
    place.day(1, &fields("string"), &all.collect::<String>(), None);
    assert!(place.exported(1).0.as_text.is_empty());
    let edits = line(7, r#""Was__c":3"#)
        + &line(70, r#""Half__c":2.5,"Was__c":3"#)
        + &line(71, r#""Half__c":3000000000"#)
        + &line(2999, r#""Long__c":12345678901234567"#);
    place.day(2, &fields("double"), &edits, Some(""));
    let (written, table) = place.exported(2);
    let told: Vec<_> = written
        .as_text
        .iter()
        .map(|c| (c.field.as_str(), c.id.to_string()))
        .collect();
    let whole = |n| id(n).parse::<crate::base::id::RecordId>().unwrap().to_string();
    assert_eq!(
        told,
        [
            ("Was__c", whole(0)),
            ("Half__c", whole(70)),
            ("Long__c", whole(2999))
        ]
    );
    assert_eq!(
        table.columns,
        [
            "OPTIONAL DOUBLE Good__c",
            "OPTIONAL BYTE_ARRAY Half__c (STRING)",
            "REQUIRED BYTE_ARRAY Id (STRING)",
            "OPTIONAL BYTE_ARRAY Long__c (STRING)",
            "OPTIONAL BYTE_ARRAY Was__c (STRING)",
        ]
    );
}

#[test]
fn columns_are_those_of_all_describes_up_to_the_snapshot() {
    let place = Place::new();
    let field =
        |name: &str, of: &str| format!(r#"{{"name":"Id","type":"id"}},{{"name":"{name}","type":"{of}"}}"#);
    let line = |n: usize, rest: &str| format!("{{\"Id\":\"{}\",{rest}}}\n", id(n));
    let columns = |number| place.exported(number).1.columns[..].join(", ");
    let id = "REQUIRED BYTE_ARRAY Id (STRING)";
    let old = "OPTIONAL INT32 Old__c";
    place.day(1, &field("Old__c", "int"), "", None);
    assert_eq!(columns(1), format!("{id}, {old}"));
    place.day(2, &field("Old__c", "int"), &line(1, r#""Old__c":5"#), None);
    place.day(
        3,
        &field("New__c", "date"),
        &line(2, r#""New__c":"2026-01-03""#),
        Some(""),
    );
    assert_eq!(columns(2), format!("{id}, {old}"));
    assert_eq!(columns(3), format!("{id}, OPTIONAL INT32 New__c (DATE), {old}"));
}

#[test]
fn changes_are_those_of_a_diff() {
    let place = Place::new();
    let lines: String = (0..400).map(|n| line(n, 0)).collect();
    place.day(1, FIELDS, &lines, None);
    let edits: String = (0..400)
        .step_by(9)
        .map(|n| line(n, 1))
        .chain([line(400, 0)])
        .collect();
    place.day(2, FIELDS, &edits, Some(&id(5)));
    let (a, b) = (place.at(1), place.at(2));
    let mut wanted = Vec::new();
    diff(&place.vault, &a, &b, None, &mut |change| {
        let fields = (!change.fields.is_empty()).then(|| format!("[\"{}\"]", change.fields.join("\",\"")));
        let kinds = match change.kind {
            ChangeKind::Created => ["", "insert"],
            ChangeKind::Edited => ["update_preimage", "update_postimage"],
            ChangeKind::Deleted => ["delete", ""],
        };
        let sides = [change.before, change.after].into_iter().zip(kinds);
        wanted.extend(sides.filter_map(|(record, kind)| Some((record?.json, kind, fields.clone()))));
        Ok(())
    })
    .unwrap();
    let dir = place.dir.path().join("changes");
    let written = changes(&place.vault, &a, &b, None, &dir).unwrap();
    let table = read(&dir.join("Thing__c"));
    assert_eq!(
        (written[0].rows, table.rows.len()),
        (wanted.len() as u64, wanted.len())
    );
    assert_eq!(
        table.columns[..2],
        [
            "REQUIRED BYTE_ARRAY _change_type (STRING)",
            "OPTIONAL BYTE_ARRAY _changed_fields (STRING)"
        ]
    );
    for (row, (json, kind, fields)) in table.rows.iter().zip(wanted) {
        same_row(row, &json);
        let told = ["_change_type", "_changed_fields"].map(|name| row.get(name).map(ToString::to_string));
        assert_eq!(
            told,
            [
                Some(format!("\"{kind}\"")),
                fields.map(|fields| format!("\"{fields}\""))
            ]
        );
    }
    let refused = changes(&place.vault, &b, &a, None, &dir).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    let none = place.dir.path().join("none");
    assert_eq!(changes(&place.vault, &b, &b, None, &none).unwrap()[0].rows, 0);
    assert_eq!(read(&none.join("Thing__c")).columns, table.columns);
}

#[test]
fn an_export_that_fails_leaves_nothing_and_touches_nothing() {
    let place = Place::new();
    place.day(1, FIELDS, &line(1, 0), None);
    let info = place.at(1);
    let state = State::at(&place.vault, &info);
    let dir = place.dir.path().join("there");
    for taken in ["Thing__c", "_Thing__c.part"] {
        fs::create_dir_all(dir.join(taken)).unwrap();
        fs::write(dir.join(taken).join("kept"), "").unwrap();
        let refused = super::state(&state, None, &dir).unwrap_err();
        assert!(refused.to_string().contains(taken), "{refused}");
        assert!(dir.join(taken).join("kept").exists());
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "{taken}");
        fs::remove_dir_all(&dir).unwrap();
    }
    fs::create_dir_all(&dir).unwrap();
    let columns = vec![Column::new("Id", Kind::Text, true)];
    let mut table = Table::begin(&dir, "Thing__c", columns, 0, Vec::new()).unwrap();
    let known = br#"{"Id":"a00000000000001AAA"}"#;
    (0..5000).for_each(|_| table.take(&[], known).unwrap());
    let unknown = table
        .take(&[], br#"{"Id":"a00000000000001AAA","Strange":1}"#)
        .unwrap_err();
    assert!(unknown.to_string().contains("Strange"), "{unknown}");
    drop(table);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
}

/// Values that an import refuses and a capture keeps, tagged.
#[test]
fn what_was_kept_as_it_came_is_text() {
    let dir = tempfile::tempdir().unwrap();
    let columns = |kind| vec![Column::new("Id", Kind::Text, true), Column::new("N", kind, false)];
    let lines = [
        r#"{"Id":"a00000000000001AAA","N":{"$raw":"3 \"m\""}}"#,
        r#"{"Id":"a00000000000002AAA","N":{"$masked":"****"}}"#,
        r#"{"Id":"a00000000000003AAA","N":3}"#,
        r#"{"Id":"a00000000000004AAA"}"#,
    ];
    let filled = |kind| {
        let mut table = Table::begin(dir.path(), "X__c", columns(kind), 0, Vec::new()).unwrap();
        lines
            .iter()
            .for_each(|line| table.take(&[], line.as_bytes()).unwrap());
        table.end().unwrap()
    };
    let wider = filled(Kind::Double).unwrap_err();
    assert_eq!((wider.len(), wider[0].field.as_str()), (1, "N"));
    assert_eq!(wider[0].id.to_string(), "a00000000000001AAA");
    assert_eq!(filled(Kind::Text), Ok(4));
    let table = read(&dir.path().join("X__c"));
    table
        .rows
        .iter()
        .zip(lines)
        .for_each(|(row, line)| same_row(row, line));
}
