//! What the corpora promise: valid lines, ascending Ids, the wanted size, references that hold, days that differ by what
//! was asked for.
//!
//! Key decision: the lines are read back with a JSON parser that had no part in writing them.
//! This is not a check of the values' realism.

use std::collections::{BTreeMap, BTreeSet};

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

type Records = BTreeMap<String, Map<String, Value>>;

fn text(corpus: &Corpus) -> Vec<u8> {
    let mut text = Vec::new();
    (0..corpus.rows()).for_each(|row| corpus.line(row, &mut text));
    text
}

fn lines(corpus: &Corpus) -> Vec<String> {
    let text = String::from_utf8(text(corpus)).unwrap();
    text.split_inclusive('\n').map(str::to_owned).collect()
}

fn records(corpus: &Corpus) -> Records {
    let parsed = lines(corpus)
        .into_iter()
        .map(|line| serde_json::from_str::<Map<String, Value>>(&line).unwrap());
    parsed
        .map(|record| (record["Id"].as_str().unwrap().to_owned(), record))
        .collect()
}

/// One sObject out of 6,000 records of all.
fn one(sobject: SObject, day: u64) -> Corpus {
    let shape = Shape {
        bytes: sobject.bytes(),
        day,
        ..SHAPE
    };
    Corpus::of(sobject, Counts::of_all(6_000), shape)
}

fn changed(first: &Records, second: &Records) -> Vec<String> {
    let changed = first.iter().filter(|(id, record)| second[*id] != **record);
    changed.map(|(id, _)| id.clone()).collect()
}

#[test]
fn lines_are_sorted_by_id_and_of_the_wanted_size() {
    let all = SObject::ALL.map(|sobject| (one(sobject, 0), sobject.bytes()));
    for (corpus, bytes) in all.into_iter().chain([(Corpus::new(SHAPE), SHAPE.bytes)]) {
        let lines = lines(&corpus);
        let ids: Vec<&str> = lines.iter().map(|line| &line[7..25]).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        let mean = lines.iter().map(String::len).sum::<usize>() / lines.len();
        // What rows differ by is more than what their mean may, where there are few.
        let off = bytes / 50 + bytes / lines.len().isqrt();
        assert!(mean.abs_diff(bytes) < off, "{}: {mean}", corpus.sobject);
    }
}

#[test]
fn contacts_are_the_bytes_that_figures_were_measured_on() {
    let later = Shape {
        records: 2_500,
        bytes: 1,
        seed: 7,
        day: 9,
        edit_percent: 3.0,
        add_percent: 0.0,
    };
    let sums = [SHAPE, Shape { day: 1, ..SHAPE }, later].map(|shape| {
        let mut crc = flate2::Crc::new();
        crc.update(&text(&Corpus::new(shape)));
        crc.sum()
    });
    assert_eq!(sums, [2_211_253_813, 959_199_249, 893_129_527]);
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
    let second = Corpus::new(Shape { day: 1, ..SHAPE });
    let (first, second) = (records(&Corpus::new(SHAPE)), records(&second));
    assert_eq!(second.len(), 3_006);
    let edited = changed(&first, &second);
    assert!((15..=50).contains(&edited.len()), "{}", edited.len());
    for id in edited {
        let (before, after) = (&first[&id], &second[&id]);
        assert!(after["SystemModstamp"].as_str() > before["SystemModstamp"].as_str());
        assert_eq!(after["CreatedDate"], before["CreatedDate"]);
    }
}

#[test]
fn references_point_to_records_and_hierarchies_to_earlier_ones() {
    let day = 3;
    let ids: BTreeMap<_, BTreeSet<String>> = SObject::ALL
        .map(|sobject| (sobject.name(), records(&one(sobject, day)).into_keys().collect()))
        .into();
    for sobject in SObject::ALL {
        let records = records(&one(sobject, day));
        let mut within = 0;
        for field in sobject.fields() {
            let (target, own) = match field.kind {
                Kind::Reference(target) => (target, target == sobject && !field.required()),
                Kind::ModifiedBy => (SObject::User, false),
                _ => continue,
            };
            for (id, record) in &records {
                let Some(to) = record.get(field.name).and_then(Value::as_str) else {
                    assert!(!field.required(), "{id} {}", field.name);
                    continue;
                };
                assert!(ids[target.name()].contains(to), "{id} {} {to}", field.name);
                assert!(!own || to < id.as_str(), "{id} {} {to}", field.name);
                within += usize::from(own);
            }
        }
        let flat = sobject == SObject::Opportunity;
        assert_eq!(within == 0, flat, "{sobject}");
    }
}

#[test]
fn sobjects_share_no_draws() {
    let [account, opportunity] = [SObject::Account, SObject::Opportunity]
        .map(|sobject| records(&one(sobject, 0)).into_values().collect::<Vec<_>>());
    let same = account
        .iter()
        .zip(&opportunity)
        .filter(|(a, b)| a["LastModifiedDate"] == b["LastModifiedDate"]);
    assert!(same.count() < 5);
}

#[test]
fn a_wide_object_has_four_hundred_fields_and_most_are_null() {
    let records = records(&one(SObject::Wide, 0));
    assert_eq!(SObject::Wide.fields().len(), 400);
    for record in records.values() {
        let null = record.values().filter(|value| value.is_null()).count();
        assert!(record.len() == 400 && null > 300, "{null}");
    }
}

#[test]
fn hot_edits_fall_on_the_newest_and_are_as_many() {
    let hot = Days {
        pattern: Pattern::HotRecent,
        bump_day: None,
    };
    // Half of 4 % is more than the newest hundredth has rows: what is over falls on the next.
    for edit_percent in [1.0, 4.0] {
        let mut corpus = Corpus::new(Shape {
            records: 20_000,
            edit_percent,
            ..SHAPE
        })
        .with_days(hot);
        let mut counts = [0.0; 3];
        let days = 1..=10;
        for day in days.clone() {
            corpus.on(day);
            let rows = corpus.rows();
            for row in (0..rows).filter(|row| corpus.edited(*row)) {
                let age = (rows - row) * 100 / rows;
                counts[usize::from(age >= 1) + usize::from(age >= 10)] += 1.0;
            }
        }
        let all: f64 = counts.iter().sum();
        let wanted = 200.0 * edit_percent * days.count() as f64;
        assert!((all / wanted - 1.0).abs() < 0.1, "{all} of {wanted}");
        let newest = if edit_percent > 2.0 { 0.25 } else { 0.5 };
        assert!((counts[0] / all - newest).abs() < 0.05, "{counts:?}");
        assert!((counts[2] / all - 0.2).abs() < 0.05, "{counts:?}");
    }
}

#[test]
fn on_the_bump_day_stamps_move_and_nothing_else() {
    let days = Days {
        bump_day: Some(2),
        ..Days::default()
    };
    let mut corpus = one(SObject::Case, 1).with_days(days);
    let before = records(&corpus);
    corpus.on(2);
    assert!((0..corpus.rows()).all(|row| corpus.changed(row) && !corpus.edited(row)));
    let bumped = records(&corpus);
    assert_eq!(before.len(), bumped.len());
    for (id, was) in &before {
        let mut is = bumped[id].clone();
        assert!(is["SystemModstamp"].as_str() > was["SystemModstamp"].as_str());
        is["SystemModstamp"] = was["SystemModstamp"].clone();
        assert_eq!(is, *was);
    }
    corpus.on(3);
    let after = records(&corpus);
    let born = (0..corpus.rows()).filter(|row| corpus.changed(*row) && !corpus.edited(*row));
    assert_eq!(born.count(), after.len() - bumped.len());
    let edited = (0..corpus.rows()).filter(|row| corpus.edited(*row)).count();
    assert_eq!(
        (changed(&bumped, &after).len(), after.len()),
        (edited, before.len() + 4)
    );
}

#[test]
fn the_describe_names_every_field() {
    for sobject in SObject::ALL {
        let describe: Value = serde_json::from_str(&crate::describe_as(sobject, "Any")).unwrap();
        let fields = describe["fields"].as_array().unwrap();
        let names: Vec<&str> = fields.iter().map(|f| f["name"].as_str().unwrap()).collect();
        let records = records(&one(sobject, 0));
        assert!(
            records
                .values()
                .flat_map(Map::keys)
                .all(|key| names.contains(&key.as_str()))
        );
        let prefix = describe["keyPrefix"].as_str().unwrap();
        assert!(records.keys().all(|id| id.starts_with(prefix)));
    }
}
