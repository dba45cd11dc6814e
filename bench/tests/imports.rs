//! Imports of the corpora and of the sample orgs: what the report counts is what the data say.
//!
//! Key decision: what should be counted is found by reading the lines with a parser of JSON, and by asking the corpus;
//! neither knows the engine.
//! Nothing is measured here.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use halite_bench::http::Connection;
use halite_bench::year::{self, Year};
use halite_bench::{Corpus, Counts, Days, Pattern, SObject, Shape, describe_as};
use halite_engine::ops::import::import;
use halite_engine::ops::report::{Report, SObjectReport};
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_simulator::{Org, Server};
use serde_json::{Map, Value, json};

/// What moves without an edit, or with any.
const STAMPS: [&str; 3] = ["LastModifiedDate", "LastModifiedById", "SystemModstamp"];

type Rows = BTreeMap<String, Map<String, Value>>;

/// Records that are new, edited, with other stamps alone, and gone.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    created: u64,
    edited: u64,
    stamps: u64,
    deleted: u64,
}

impl Told {
    fn by(report: &SObjectReport) -> Self {
        Self {
            created: report.created,
            edited: report.edited,
            stamps: report.stamps,
            deleted: report.deleted,
        }
    }

    fn between(before: &Rows, after: &Rows) -> Self {
        let content = |row: &Map<String, Value>| {
            let kept = row.iter().filter(|(name, _)| !STAMPS.contains(&name.as_str()));
            kept.map(|(name, value)| (name.clone(), value.clone()))
                .collect::<Map<_, _>>()
        };
        let both = || after.iter().filter_map(|(id, row)| Some((before.get(id)?, row)));
        let edited = both().filter(|(was, is)| content(was) != content(is)).count();
        let differ = both().filter(|(was, is)| was != is).count();
        let only = |a: &Rows, b: &Rows| a.keys().filter(|id| !b.contains_key(*id)).count() as u64;
        Self {
            created: only(after, before),
            edited: edited as u64,
            stamps: (differ - edited) as u64,
            deleted: only(before, after),
        }
    }
}

/// A vault, and the folder that is imported into it.
struct Place {
    vault: Vault,
    dump: tempfile::TempDir,
    day: u64,
}

impl Place {
    fn new() -> Self {
        let store = Arc::new(Memory::new());
        Self {
            vault: Vault::create(store, &Secret::None, VaultOptions::default()).unwrap(),
            dump: tempfile::tempdir().unwrap(),
            day: 0,
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.dump.path().join(name), bytes).unwrap();
    }

    /// Imports the folder as the state of the next day.
    fn import(&mut self) -> Report {
        self.day += 1;
        let at = format!("2026-02-{:02}", self.day).parse().unwrap();
        let org = "00D000000000001".parse().unwrap();
        import(&self.vault, org, at, self.dump.path(), false, &mut |_| ()).unwrap()
    }
}

fn parse(text: &[u8]) -> Rows {
    let rows = serde_json::Deserializer::from_slice(text).into_iter::<Map<String, Value>>();
    rows.map(|row| row.unwrap())
        .map(|row| (row["Id"].as_str().unwrap().to_owned(), row))
        .collect()
}

fn text(corpus: &Corpus) -> Vec<u8> {
    let mut text = Vec::new();
    (0..corpus.rows()).for_each(|row| corpus.line(row, &mut text));
    text
}

fn corpus(sobject: SObject, days: Days) -> Corpus {
    let shape = Shape {
        records: 0,
        bytes: sobject.bytes(),
        seed: 5,
        day: 0,
        edit_percent: 10.0,
        add_percent: 2.0,
    };
    Corpus::of(sobject, Counts::of_all(3_000), shape).with_days(days)
}

#[test]
fn each_day_of_each_corpus_is_imported_as_what_it_is() {
    for pattern in [Pattern::Uniform, Pattern::HotRecent] {
        let days = Days {
            pattern,
            bump_day: Some(2),
        };
        let mut corpora = SObject::ALL.map(|sobject| (sobject, corpus(sobject, days)));
        let (mut place, mut before) = (Place::new(), BTreeMap::<&str, Rows>::new());
        for day in 0..4 {
            for (sobject, corpus) in &mut corpora {
                corpus.on(day);
                place.put(&format!("{sobject}.ndjson"), &text(corpus));
                let describe = describe_as(*sobject, sobject.name());
                place.put(&format!("{sobject}.describe.json"), describe.as_bytes());
            }
            let report = place.import();
            assert_eq!(report.sobjects.len(), corpora.len());
            for (sobject, corpus) in &corpora {
                let told = report.sobjects.iter().find(|s| s.name == sobject.name()).unwrap();
                let after = parse(&text(corpus));
                let was = before.insert(sobject.name(), after.clone()).unwrap_or_default();
                let asked = (0..corpus.rows()).filter(|row| corpus.edited(*row)).count() as u64;
                let counted = Told::by(told);
                assert_eq!(counted, Told::between(&was, &after), "{sobject} on day {day}");
                assert_eq!((told.live, told.refused), (corpus.rows(), 0), "{sobject}");
                if day == 2 {
                    let bumped = Told {
                        created: 0,
                        edited: 0,
                        stamps: was.len() as u64,
                        deleted: 0,
                    };
                    assert_eq!((counted, asked), (bumped, 0), "{sobject}");
                } else {
                    // An edit may give a field the value that it has: then the stamps alone move.
                    assert_eq!(told.edited + told.stamps, asked, "{sobject} on day {day}");
                    assert!(
                        asked < 20 || told.edited > 2 * told.stamps,
                        "{sobject} on day {day}"
                    );
                }
            }
        }
    }
}

/// The sample orgs, by name; none where the shared data are not there.
fn orgs() -> Vec<(String, Org)> {
    let root = std::env::var("HALITE_SHARED_DATA").map_or_else(
        |_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")),
        PathBuf::from,
    );
    let mut orgs = vec![("built in".to_owned(), Org::sample())];
    let Ok(entries) = fs::read_dir(root.join("sample-orgs")) else {
        println!(
            "SKIPPED: no sample orgs in {}; set HALITE_SHARED_DATA",
            root.display()
        );
        return orgs;
    };
    let folders = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir());
    let load = |path: &Path| Org::load(path).unwrap().0;
    orgs.extend(folders.map(|path| {
        (
            path.file_name().unwrap().to_string_lossy().into_owned(),
            load(&path),
        )
    }));
    let sets = root.join("npsp/datasets");
    let npsp = load(&root.join("npsp"));
    npsp.load_dump(
        &sets.join("dev_org/test_data.sql"),
        &sets.join("dev_org/mapping.yml"),
    )
    .unwrap();
    orgs.push(("npsp".to_owned(), npsp));
    orgs
}

/// The fields of a describe that are so.
fn fields(describe: &Value, so: impl Fn(&Value) -> bool) -> Vec<&str> {
    let fields = describe["fields"].as_array().unwrap();
    let found = fields.iter().filter(|field| so(field));
    found.filter_map(|field| field["name"].as_str()).collect()
}

/// Puts the rows of an org into the folder, without the bodies of files, which are not imported.
fn dump(org: &Org, describes: &BTreeMap<String, Value>, place: &Place) -> BTreeMap<String, Rows> {
    let mut all = BTreeMap::new();
    for (name, describe) in describes {
        let bodies = fields(describe, |field| field["type"] == "base64");
        let mut lines = Vec::new();
        for mut row in org.rows(name) {
            row.retain(|name, _| !bodies.contains(&name.as_str()));
            lines.extend_from_slice(format!("{}\n", json!(row)).as_bytes());
        }
        place.put(&format!("{name}.ndjson"), &lines);
        all.insert(name.clone(), parse(&lines));
    }
    all
}

/// The describes of the sObjects that have rows, as the org answers them.
fn describes(org: &Org, place: &Place) -> BTreeMap<String, Value> {
    let server = Server::start(org.clone()).unwrap();

    let mut connection = Connection::open(server.addr(), &org.access_token()).unwrap();
    let mut all = BTreeMap::new();
    for name in org
        .objects()
        .into_iter()
        .filter(|name| !org.rows(name).is_empty())
    {
        let target = format!("/services/data/v67.0/sobjects/{name}/describe");
        let answer = connection.send("GET", &target, "", true).unwrap();
        if answer.status == 200 {
            place.put(&format!("{name}.describe.json"), &answer.body);
            all.insert(name, serde_json::from_slice(&answer.body).unwrap());
        }
    }
    all
}

/// Edits a text of every third row that the org lets be edited; how many.
fn edit(org: &Org, describes: &BTreeMap<String, Value>) -> u64 {
    let mut edited = 0;
    for (name, describe) in describes {
        let texts = fields(describe, |field| {
            let text = field["type"] == "string" || field["type"] == "textarea";
            text && field["updateable"] == true && field["unique"] != true
        });
        let Some(field) = texts.first() else {
            continue;
        };
        for row in org.rows(name).iter().step_by(3) {
            let change = json!({ *field: format!("Edited {edited}") });
            edited += u64::from(org.update(row["Id"].as_str().unwrap(), &change).is_ok());
        }
    }
    edited
}

/// What differs between two days, without fields that follow from others.
fn told(describe: &Value, before: &Rows, after: &Rows) -> Told {
    let derived = fields(describe, |field| {
        field["calculated"] == true || field["type"] == "address"
    });
    let without = |rows: &Rows| {
        let mut rows = rows.clone();
        for row in rows.values_mut() {
            row.retain(|name, _| !derived.contains(&name.as_str()));
        }
        rows
    };
    Told::between(&without(before), &without(after))
}

#[test]
fn two_days_of_each_sample_org_are_imported_as_what_they_are() {
    for (name, org) in orgs() {
        let mut place = Place::new();
        let describes = describes(&org, &place);
        let first = dump(&org, &describes, &place);
        let report = place.import();
        assert!(report.sobjects.len() > 3, "{name}");
        for sobject in &report.sobjects {
            let rows = first[&sobject.name].len() as u64;
            assert_eq!(
                (sobject.created, sobject.live, sobject.refused),
                (rows, rows, 0),
                "{name}"
            );
        }
        org.clock().advance(std::time::Duration::from_secs(86_400));
        assert!(edit(&org, &describes) > 0, "{name}: nothing could be edited");
        let second = dump(&org, &describes, &place);
        let report = place.import();
        for sobject in &report.sobjects {
            let of = &sobject.name;
            let wanted = told(&describes[of], &first[of], &second[of]);
            assert_eq!(Told::by(sobject), wanted, "{name} {of}");
        }
        let edited: u64 = report.sobjects.iter().map(|sobject| sobject.edited).sum();
        assert!(edited > 0, "{name}");
    }
}

/// Versions that a year of 2,000 records makes in four days.
fn versions(pattern: Days) -> u64 {
    let shape = Shape {
        records: 2_000,
        bytes: 300,
        seed: 2,
        day: 0,
        edit_percent: 1.0,
        add_percent: 0.0,
    };
    let mut corpus = Corpus::new(shape).with_days(pattern);
    let mut versions = corpus.rows();
    for day in 1..=4 {
        corpus.on(day);
        versions += (0..corpus.rows()).filter(|row| corpus.changed(*row)).count() as u64;
    }
    versions
}

#[test]
fn a_year_has_hot_days_and_one_of_stamps_alone() {
    let bump_day = Some(3);
    let [hot, uniform] = [Pattern::HotRecent, Pattern::Uniform].map(|pattern| Days { pattern, bump_day });
    let year = Year {
        records: 2_000,
        days: 4,
        seed: 2,
        bytes: 300,
        pattern: hot,
        dir: None,
    };
    let (figures, _) = year::measure(&year).unwrap();
    assert_eq!(figures["merged_run_versions"], versions(hot));
    // Else the figure would not tell which it was.
    assert_ne!(versions(hot), versions(uniform));
}
