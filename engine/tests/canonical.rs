//! One record as REST's JSON and as Bulk's CSV: the same canonical bytes, cells and hash.
//!
//! Key decision: values are drawn by the type that a describe gives, and both texts are written by this test with
//! every freedom the two APIs have (escapes, exponents, offsets, order, nulls). Besides a describe of every type,
//! the recorded ones of the shared data are used if they are there. It does not look at values a type refuses.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use halite_engine::Kind;
use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use halite_engine::format::describe::{Describe, FieldKind};
use halite_engine::format::record::{Canon, Mode, Rows};
use halite_engine::format::schema::Schema;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::golden::EVERY_TYPE;

/// A value as REST writes it in JSON, and as Bulk writes it in CSV.
type Both = (String, String);

/// A string of JSON, each character escaped or not as `bits` say.
fn quoted(text: &str, bits: u64) -> String {
    let mut out = String::from("\"");
    for (i, c) in text.chars().enumerate() {
        let chance = bits.rotate_right(i as u32 * 3) & 7;
        let short = match c {
            '"' => Some("\\\""),
            '\\' => Some("\\\\"),
            '/' => Some("\\/"),
            '\n' => Some("\\n"),
            '\r' => Some("\\r"),
            '\t' => Some("\\t"),
            '\u{8}' => Some("\\b"),
            '\u{c}' => Some("\\f"),
            _ => None,
        };
        let must = c < ' ' || c == '"' || c == '\\';
        match short {
            Some(short) if must && chance > 1 || chance == 2 => out.push_str(short),
            _ if must || chance == 1 => {
                let mut units = [0; 2];
                c.encode_utf16(&mut units)
                    .iter()
                    .for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
            }
            _ if chance == 0 => {
                let mut units = [0; 2];
                c.encode_utf16(&mut units)
                    .iter()
                    .for_each(|unit| out.push_str(&format!("\\u{unit:04X}")));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Text that is the same in both.
fn text(values: impl Strategy<Value = String>) -> impl Strategy<Value = Both> {
    (values, prop_oneof![3 => Just(u64::MAX), 1 => any::<u64>()])
        .prop_map(|(text, bits)| (quoted(&text, bits), text))
}

/// `digits` times ten to the `scale`, written in one of the ways that JSON allows.
fn number(digits: i64, scale: i8, way: u8) -> String {
    let (sign, all) = (
        if digits < 0 { "-" } else { "" },
        digits.unsigned_abs().to_string(),
    );
    let scale = if digits == 0 { 0 } else { i32::from(scale) };
    match way % 4 {
        0 if scale == 0 => format!("{sign}{all}.0"),
        1 => format!("{sign}{all}E{scale}"),
        2 => {
            let (first, rest) = all.split_at(1);
            format!("{sign}{first}.{rest}0e{:+}", scale + rest.len() as i32)
        }
        _ if scale >= 0 => format!("{sign}{all}{}", "0".repeat(scale as usize)),
        _ => {
            let all = format!("{all:0>width$}", width = scale.unsigned_abs() as usize + 1);
            let (whole, fraction) = all.split_at(all.len() - scale.unsigned_abs() as usize);
            format!("{sign}{whole}.{fraction}")
        }
    }
}

fn numbers() -> BoxedStrategy<Both> {
    let digits = prop_oneof![any::<i64>(), -1000..1000_i64, Just(400), Just(0)];
    (digits, -20..20_i8, any::<u8>(), any::<u8>())
        .prop_map(|(digits, scale, one, other)| (number(digits, scale, one), number(digits, scale, other)))
        .boxed()
}

/// An instant, in REST with an offset, in Bulk with `Z`.
fn instants() -> BoxedStrategy<Both> {
    let millis = prop_oneof![
        -60_000_000_000_000..250_000_000_000_000_i64,
        (0..4_000_000_i64).prop_map(|s| s * 1000)
    ];
    let offsets = prop_oneof![4 => Just(0_i64), 1 => -14..=14_i64];
    (millis, offsets, any::<bool>())
        .prop_map(|(millis, hours, colon)| {
            let there = Stamp::from_millis(millis + hours * 3_600_000).to_string();
            let offset = format!(
                "{}{:02}{}00",
                if hours < 0 { '-' } else { '+' },
                hours.abs(),
                if colon { ":" } else { "" }
            );
            let rest = there.replace('Z', &offset);
            (format!("\"{rest}\""), Stamp::from_millis(millis).to_string())
        })
        .boxed()
}

fn ids() -> BoxedStrategy<Both> {
    let bits = prop_oneof![3 => Just(u64::MAX), 1 => any::<u64>()];
    ("[0-9A-Za-z]{15}", any::<[bool; 2]>(), bits)
        .prop_map(|(short, [a, b], bits)| {
            let long = short.parse::<RecordId>().unwrap().to_string();
            let (rest, bulk) = (if a { &long } else { &short }, if b { &long } else { &short });
            (quoted(rest, bits), bulk.clone())
        })
        .boxed()
}

fn value(kind: FieldKind) -> BoxedStrategy<Both> {
    let days = (-700_000..2_900_000_i64).prop_map(|d| Stamp::from_millis(d * 86_400_000).to_string());
    match kind {
        FieldKind::Id => ids(),
        FieldKind::Boolean => any::<bool>().prop_map(|b| (b.to_string(), b.to_string())).boxed(),
        FieldKind::Number => numbers(),
        FieldKind::Date => text(days.prop_map(|s| s[..10].to_owned())).boxed(),
        FieldKind::DateTime => instants(),
        FieldKind::Time => (0..86_400_000_i64, any::<bool>())
            .prop_map(|(ms, plain)| {
                let time = Stamp::from_millis(ms).to_string()[11..].to_owned();
                let short = if plain {
                    time.replace(".000Z", "Z")
                } else {
                    time.clone()
                };
                (format!("\"{time}\""), short)
            })
            .boxed(),
        FieldKind::Any => prop_oneof![
            text(".{0,12}".prop_map(String::from)),
            numbers().prop_map(|(one, _)| (one.clone(), one)),
            any::<bool>().prop_map(|b| (b.to_string(), b.to_string())),
            Just((
                r#"{"a":[1, "x\"}"],"b":null}"#.to_owned(),
                r#"{"a":[1, "x\"}"],"b":null}"#.to_owned()
            )),
        ]
        .boxed(),
        FieldKind::Text | FieldKind::Base64 | FieldKind::Compound => {
            let awkward = "[\u{0}-\u{1f}\"\\\\/,;é\u{7f}\u{2028}\u{fffd}😀 *X]{0,12}";
            text(prop_oneof![".{0,20}", awkward, "[A-Z*]{3,8}"]).boxed()
        }
    }
}

/// A record: for each field a value or null, and how the two texts are arranged.
fn record(describe: &Describe) -> BoxedStrategy<(Vec<Option<Both>>, u64)> {
    let field = |kind| proptest::option::weighted(0.8, value(kind));
    let fields: Vec<_> = describe
        .fields
        .iter()
        .map(|f| {
            if f.name == "Id" {
                ids().prop_map(Some).boxed()
            } else {
                field(f.kind).boxed()
            }
        })
        .collect();
    (fields, any::<u64>()).boxed()
}

/// The record as REST sends it: `attributes` first, fields in some order, nulls said or left out.
fn json(describe: &Describe, values: &[Option<Both>], seed: u64) -> String {
    let mut members = Vec::new();
    for (i, (field, value)) in describe.fields.iter().zip(values).enumerate() {
        let name = quoted(&field.name, if seed.is_multiple_of(5) { seed } else { u64::MAX });
        match (field.kind, value) {
            (FieldKind::Base64, _) => {}
            (FieldKind::Compound, Some((text, _))) => {
                members.push(format!(r#"{name}:{{"city":{text},"n":[1,{{}}]}}"#))
            }
            (_, Some((rest, _))) => {
                let colon = [":", " : ", ":", ": "][(seed >> (i % 60)) as usize % 4];
                members.push(format!("{name}{colon}{rest}"));
            }
            (_, None) if seed >> (i % 64) & 1 == 1 => members.push(format!("{name}:null")),
            (_, None) => {}
        }
    }
    let len = members.len().max(1);
    members.rotate_left(seed as usize % len);
    if seed.is_multiple_of(3) {
        members.reverse();
    }
    members.insert(
        0,
        r#""attributes":{"type":"X","url":"/services/data/v67.0/\"}{"}"#.to_owned(),
    );
    format!(
        "{{ {}\n}}",
        members.join(if seed.is_multiple_of(2) { "," } else { " ,\t" })
    )
}

/// The record as Bulk sends it, header and one line, read back by the CSV reader that imports use.
fn csv(describe: &Describe, values: &[Option<Both>], seed: u64) -> (Vec<String>, Vec<String>) {
    let plain = |kind| !matches!(kind, FieldKind::Base64 | FieldKind::Compound);
    let mut columns: Vec<_> = describe
        .fields
        .iter()
        .zip(values)
        .filter(|(f, _)| plain(f.kind))
        .collect();
    let len = columns.len();
    columns.rotate_right((seed >> 7) as usize % len);
    let style = if seed.is_multiple_of(2) {
        csv::QuoteStyle::Always
    } else {
        csv::QuoteStyle::Necessary
    };
    let mut writer = csv::WriterBuilder::new()
        .quote_style(style)
        .from_writer(Vec::new());
    let name = |name: &str| {
        if seed.is_multiple_of(7) {
            name.to_uppercase()
        } else {
            name.to_owned()
        }
    };
    writer
        .write_record(columns.iter().map(|(f, _)| name(&f.name)))
        .unwrap();
    writer
        .write_record(columns.iter().map(|(_, v)| v.as_ref().map_or("", |v| &v.1)))
        .unwrap();
    let bytes = writer.into_inner().unwrap();
    let mut reader = csv::Reader::from_reader(&bytes[..]);
    let header = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let line = reader.records().next().unwrap().unwrap();
    (header, line.iter().map(str::to_owned).collect())
}

/// Draws `cases` records of a describe and compares.
fn agree(describe: &Describe, cases: u32) {
    let schema = Arc::new(Schema::of(describe).unwrap());
    let config = ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 3000,
        ..ProptestConfig::with_cases(cases)
    };
    let outcome = TestRunner::new(config).run(&record(describe), |(values, seed)| {
        let canon = || Canon::new(Arc::clone(&schema), &[5; 32], Mode::Refuse);
        let (mut rest, mut bulk) = (Rows::default(), Rows::default());
        let sent = json(describe, &values, seed);
        canon()
            .json(sent.as_bytes(), &mut rest)
            .map_err(|e| TestCaseError::fail(format!("{e}: {sent}")))?;
        // One that has met the names before, in this order and in another.
        let mut used = canon();
        for (rows, first) in [(1, seed), (2, seed.rotate_left(9))] {
            let mut again = Rows::default();
            used.json(json(describe, &values, first).as_bytes(), &mut again)
                .unwrap();
            again.clear();
            used.json(sent.as_bytes(), &mut again).unwrap();
            prop_assert_eq!(
                (&rest.arena, &rest.cells, &rest.rows),
                (&again.arena, &again.cells, &again.rows),
                "{} times {}",
                rows,
                &sent
            );
        }
        let (header, line) = csv(describe, &values, seed);
        let mut canon = canon();
        canon
            .columns(&header.iter().map(String::as_str).collect::<Vec<_>>())
            .unwrap();
        canon
            .csv(line.iter().map(String::as_str), &mut bulk)
            .map_err(|e| TestCaseError::fail(format!("{e}: {line:?}")))?;
        let texts = [&rest, &bulk].map(|rows| String::from_utf8(rows.arena.clone()).unwrap());
        prop_assert_eq!(&texts[0], &texts[1]);
        prop_assert_eq!(&rest.cells, &bulk.cells);
        prop_assert_eq!(rest.rows[0], bulk.rows[0]);
        // What was kept is a record itself, and the same one.
        let mut again = Rows::default();
        let content = rest.content(&rest.rows[0]).last().map_or(2, |c| {
            let (_, after) = c.kind.frame();
            (c.start + c.len) as usize + after.len() + 1
        });
        if !texts[0].contains("$masked") {
            let id = rest.rows[0].id;
            let kept = texts[0][..content].replacen(
                '{',
                &format!("{{\"Id\":\"{id}\"{}", if content > 2 { "," } else { "" }),
                1,
            );
            canon.json(kept.as_bytes(), &mut again).unwrap();
            prop_assert_eq!(rest.rows[0].hash, again.rows[0].hash, "a fixed point");
        }
        Ok(())
    });
    if let Err(e) = outcome {
        panic!("{}: {e}", describe.name);
    }
}

fn describes(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            describes(&path, found);
        } else if path.extension().is_some_and(|e| e == "json") {
            found.push(path);
        }
    }
}

#[test]
fn every_type_is_the_same_in_json_and_csv() {
    let describe = Describe::parse(EVERY_TYPE.as_bytes()).unwrap();
    let kinds: Vec<_> = describe.fields.iter().map(|f| f.kind).collect();
    use FieldKind::{Any, Base64, Boolean, Compound, Date, DateTime, Id, Number, Text, Time};
    for kind in [
        Any, Base64, Boolean, Compound, Date, DateTime, Id, Number, Text, Time,
    ] {
        assert!(kinds.contains(&kind), "{kind:?}");
    }
    agree(&describe, 400);
}

#[test]
fn recorded_describes_are_the_same_in_json_and_csv() {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data").to_owned();
    let shared = std::env::var("HALITE_SHARED_DATA").unwrap_or(default);
    let mut files = Vec::new();
    describes(&Path::new(&shared).join("describes"), &mut files);
    let full: Vec<_> = files
        .iter()
        .filter_map(|path| Describe::parse(&std::fs::read(path).unwrap()).ok())
        .collect();
    if full.is_empty() {
        println!("SKIPPED: no describes in {shared}/describes; set HALITE_SHARED_DATA");
        return;
    }
    println!(
        "{} describes of {} files in {shared}/describes",
        full.len(),
        files.len()
    );
    full.iter().for_each(|describe| agree(describe, 20));
}

#[test]
fn halves_of_a_character_do_not_become_one_across_values() {
    let describe = br#"{"name":"X__c","fields":[{"name":"Id","type":"id"},{"name":"A__c","type":"string"},
        {"name":"B__c","type":"string"}]}"#;
    let schema = Arc::new(Schema::of(&Describe::parse(describe).unwrap()).unwrap());
    let (mut canon, mut rows) = (Canon::new(schema, &[7; 32], Mode::KeepRaw), Rows::default());
    canon.columns(&["Id", "A__c", "B__c"]).unwrap();
    let (first, second) = "é".as_bytes().split_at(1);
    let refused = canon.csv([&b"a00D0000008pQRA"[..], first, second], &mut rows);
    assert_eq!(refused.unwrap_err().kind(), Kind::Invalid);
    assert!(rows.rows.is_empty() && rows.arena.is_empty());
    canon
        .csv([&b"a00D0000008pQRA"[..], "é".as_bytes(), b"x"], &mut rows)
        .unwrap();
    assert_eq!(rows.rows.len(), 1);
}
