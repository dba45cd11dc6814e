//! Everything of the shared data that is to be loaded: CumulusCI datasets and SFDX sample orgs.
//!
//! Key decision: `refused.txt` lists every record and reference that is kept out, with the rule and the rule's
//! source; the test compares it with what happens, both ways, so that neither a wrong refusal nor a rule that
//! is gone stays unseen. Counts of rows are those of the data's own README.
//! Not here: projects with planted faults (`projects`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use halite_simulator::{DatasetReport, Org};
use serde_json::json;

use crate::support::{Session, recorded};

const NPSP: &str = "npsp/datasets";
const TESTS: &str = "cumulusci-datasets/cumulusci/tasks/bulkdata/tests";
const SETS: &str = "cumulusci-datasets/datasets";

/// Dump, mapping, and the dumps loaded before it, which it upserts or selects over.
struct Set(
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const SAMPLE: (&str, &str) = ("sample.sql", "mapping.yml");
const BEFORE: (&str, &str) = ("upsert/upsert_before_data.sql", "upsert/upsert_mapping_bulk.yml");

const ALL: [Set; 23] = [
    Set(NPSP, "1k/test_data.sql", "mapping.yml", &[]),
    Set(NPSP, "dev_org/test_data.sql", "dev_org/mapping.yml", &[]),
    Set(NPSP, "qa_org/test_data.sql", "qa_org/mapping.yml", &[]),
    Set(NPSP, "rd2/data.sql", "rd2/mapping_managed.yml", &[]),
    Set(NPSP, "trailhead/test_data.sql", "trailhead/mapping.yml", &[]),
    Set(TESTS, "person_accounts.sql", "person_accounts.yml", &[]),
    Set(TESTS, "recordtypes.sql", "recordtypes.yml", &[]),
    Set(TESTS, "recordtypes_2.sql", "recordtypes_2.yml", &[]),
    Set(
        TESTS,
        "recordtypes_with_ispersontype.sql",
        "recordtypes_with_ispersontype.yml",
        &[],
    ),
    Set(
        TESTS,
        "test_query_db__joins_self_lookups.sql",
        "test_query_db__joins_self_lookups.yml",
        &[],
    ),
    Set(
        TESTS,
        "test_query_db_joins_lookups.sql",
        "test_query_db_joins_lookups_select.yml",
        &[],
    ),
    Set(TESTS, "test_smart_lookup.sql", "test_smart_lookup.yml", &[]),
    Set(TESTS, "testdata.sql", "mapping_v1.yml", &[]),
    Set(SETS, "bad_sample.sql", "mapping.yml", &[]),
    Set(SETS, "sample.sql", "mapping.yml", &[]),
    Set(
        SETS,
        "select/random_sample.sql",
        "select/random_mapping.yml",
        &[SAMPLE],
    ),
    Set(
        SETS,
        "select/similarity_annoy_sample.sql",
        "select/similarity_mapping.yml",
        &[SAMPLE],
    ),
    Set(
        SETS,
        "select/similarity_sample.sql",
        "select/standard_mapping.yml",
        &[SAMPLE],
    ),
    Set(
        SETS,
        "select/similarity_select_insert_sample.sql",
        "select/similarity_select_insert_mapping.yml",
        &[],
    ),
    Set(
        SETS,
        "upsert/upsert_before_data.sql",
        "upsert/upsert_mapping_bulk.yml",
        &[],
    ),
    Set(
        SETS,
        "upsert/upsert_complex_example.sql",
        "upsert/upsert_mapping_rest_complex.yml",
        &[BEFORE],
    ),
    Set(
        SETS,
        "upsert/upsert_example_2.sql",
        "upsert/upsert_mapping_rest.yml",
        &[BEFORE],
    ),
    Set(
        SETS,
        "upsert/upsert_recordtypes.sql",
        "upsert/upsert_mapping_recordtypes.yml",
        &[BEFORE],
    ),
];

/// Sets of orgs with person accounts.
const PERSONS: [&str; 2] = ["person_accounts.sql", "upsert/upsert_recordtypes.sql"];

/// The org that a set goes into, and the report of loading it.
fn loaded(set: &Set) -> Option<(Org, DatasetReport)> {
    let root = recorded(set.0)?;
    let org = if set.0 == NPSP {
        Org::load(root.parent().unwrap()).unwrap().0
    } else {
        Org::empty()
    };
    if PERSONS.contains(&set.1) {
        org.enable_person_accounts();
    }
    for (dump, mapping) in set.3 {
        org.load_dump(&root.join(dump), &root.join(mapping)).unwrap();
    }
    let report = org.load_dump(&root.join(set.1), &root.join(set.2)).unwrap();
    Some((org, report))
}

/// Rows by dump and table, out of the README of the data.
fn told() -> Option<BTreeMap<(String, String), usize>> {
    let text = fs::read_to_string(recorded("README.md")?).unwrap();
    let mut out = BTreeMap::new();
    for line in text.lines().filter(|l| l.contains(".sql | ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        for part in cells[1].split([',', ';']).map(str::trim) {
            if let Some((table, count)) = part
                .rsplit_once(' ')
                .and_then(|(t, n)| Some((t, n.parse().ok()?)))
            {
                out.insert((cells[0].to_owned(), table.to_owned()), count);
            }
        }
    }
    Some(out)
}

#[test]
fn every_row_of_every_dump_is_accounted_for() {
    let Some(told) = told() else { return };
    let mut seen = BTreeMap::new();
    for set in &ALL {
        let Some((_, report)) = loaded(set) else { return };
        for (table, t) in report.tables.iter().filter(|(_, t)| t.rows > 0) {
            let name = format!("{}/{}: {table} {t:?}", set.0, set.1);
            assert_eq!(t.created + t.matched + t.aside + t.refused, t.rows, "{name}");
            let rows = report
                .refused
                .iter()
                .filter(|r| r.table == *table && r.field.is_none());
            assert_eq!(rows.count(), t.refused, "{name}");
            seen.insert((format!("{}/{}", set.0, set.1), table.clone()), t.rows);
        }
    }
    assert_eq!(seen, told);
}

/// The listed refusals of each dataset or sample org, and the rules that have a source.
fn list() -> (BTreeMap<String, BTreeSet<String>>, BTreeSet<String>) {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/refused.txt")).unwrap();
    let (mut lines, mut rules) = (BTreeMap::<String, BTreeSet<String>>::new(), BTreeSet::new());
    for line in text.lines().filter(|l| !l.starts_with('#') && !l.is_empty()) {
        if let Some(rule) = line.strip_prefix("rule ") {
            rules.insert(rule.split(':').next().unwrap().to_owned());
        } else {
            let (set, rest) = line.split_once(" | ").unwrap();
            lines.entry(set.to_owned()).or_default().insert(rest.to_owned());
        }
    }
    (lines, rules)
}

#[test]
fn what_is_refused_is_listed_with_its_rule() {
    if recorded("README.md").is_none() {
        return;
    }
    let (listed, rules) = list();
    let (mut happened, mut unfounded) = (BTreeMap::<String, BTreeSet<String>>::new(), BTreeSet::new());
    for set in &ALL {
        let Some((_, report)) = loaded(set) else { return };
        for no in report.refused {
            let field = no.field.unwrap_or_default();
            let line = format!("{} | {} | {field} | {}", no.table, no.row, no.rule);
            happened
                .entry(format!("{}/{}", set.0, set.1))
                .or_default()
                .insert(line);
            if !rules.contains(&no.rule) {
                unfounded.insert(format!("{}: {}", no.rule, no.message));
            }
        }
    }
    for (name, lines) in projects() {
        happened.insert(name, lines);
    }
    let all = |m: &BTreeMap<String, BTreeSet<String>>| -> BTreeSet<String> {
        let each = m
            .iter()
            .flat_map(|(set, lines)| lines.iter().map(move |l| format!("{set} | {l}")));
        each.collect()
    };
    let (listed, happened) = (all(&listed), all(&happened));
    let new: Vec<_> = happened.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&happened).collect();
    assert!(
        unfounded.is_empty(),
        "rules without a source: {unfounded:#?}\n{new:#?}"
    );
    assert!(
        new.is_empty() && gone.is_empty(),
        "refused, not listed: {new:#?}\nlisted, not refused: {gone:#?}"
    );
}

/// What the sample orgs' reports say was left out, without the folder's own path.
fn projects() -> BTreeMap<String, BTreeSet<String>> {
    let root: PathBuf = recorded("sample-orgs").unwrap();
    let mut out = BTreeMap::new();
    for entry in fs::read_dir(&root).unwrap() {
        let dir = entry.unwrap().path();
        if !dir.is_dir() {
            continue;
        }
        let name = dir.file_name().unwrap().to_string_lossy().into_owned();
        let (_, report) = Org::load(&dir).unwrap();
        let prefix = format!("{}/", dir.display());
        let lines: BTreeSet<String> = report.skipped.iter().map(|l| l.replace(&prefix, "")).collect();
        out.insert(format!("sample-orgs/{name}"), lines);
    }
    out
}

fn planted(dir: &Path) {
    let write = |path: &str, text: &str| {
        let full = dir.join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(full, text).unwrap();
    };
    write(
        "force-app/objects/Fund__c/Fund__c.object-meta.xml",
        "<CustomObject><label>Fund</label></CustomObject>",
    );
    write(
        "datasets/mapping.yml",
        "Insert Funds:\n  sf_object: my__Fund__c\n  table: funds\n  fields: [Name, other__Size__c]\n  static: {my__Note__c: from the dump}\nInsert Accounts:\n  sf_object: Account\n  fields: {Id: sf_id, Name: name, RecordTypeId: rt}\n  lookups:\n    ParentId: {table: Account}\n    Fund__c: {table: funds, key_field: fund}\nInsert Contacts:\n  sf_object: Contact\n  anchor_date: 2000-01-01\n  filters: [\"LastName != 'Nobody'\"]\n  fields: [LastName, Birthdate, Email]\n  lookups:\n    AccountId: {table: Account}\nUpsert Contacts:\n  sf_object: Contact\n  table: changes\n  action: etl_upsert\n  update_key: LastName\n  fields: [LastName, Title]\n",
    );
    write(
        "datasets/small/data.sql",
        "CREATE TABLE funds (id INTEGER, Name VARCHAR(255), other__size__c VARCHAR(255), PRIMARY KEY (id));\nINSERT INTO funds VALUES (1, 'F', '12.5');\nCREATE TABLE Account (sf_id VARCHAR(255), name VARCHAR(255), rt VARCHAR(255), parent_id VARCHAR(255), fund VARCHAR(255), PRIMARY KEY (sf_id));\nINSERT INTO Account VALUES ('A', 'child', 'r1', 'B', '1'),('B', 'parent', '', '', ''),('C', '', '', '', '');\nCREATE TABLE Account_rt_mapping (record_type_id VARCHAR(18), developer_name VARCHAR(255));\nINSERT INTO Account_rt_mapping VALUES ('r1', 'Big_One');\nCREATE TABLE Contact (id INTEGER, LastName VARCHAR(255), Birthdate VARCHAR(255), Email VARCHAR(255), account_id VARCHAR(255), PRIMARY KEY (id));\nINSERT INTO Contact VALUES (1, 'One', '1999-12-31', NULL, 'A'),(2, 'Two', '', '', 'C'),(3, 'Nobody', '', '', '');\nCREATE TABLE changes (id INTEGER, LastName VARCHAR(255), Title VARCHAR(255), PRIMARY KEY (id));\nINSERT INTO changes VALUES (1, 'one', 'Dr'),(2, 'New', 'Ms');\n",
    );
}

#[test]
fn a_planted_dataset_becomes_the_records_it_means() {
    let dir = tempfile::tempdir().unwrap();
    planted(dir.path());
    // The folder of the dataset alone: its objects are those of the project around it.
    let (org, report) = Org::load(&dir.path().join("datasets/small")).unwrap();
    let s = Session::on(org);
    let rows = |soql: &str| s.rows("/query", soql).0;
    let accounts = rows(
        "SELECT Name, Parent.Name, RecordType.DeveloperName, Fund__r.Name, Fund__r.my__Note__c, Fund__r.other__Size__c FROM Account ORDER BY Name",
    );
    assert_eq!(accounts.len(), 2, "{report:?}");
    assert_eq!(
        accounts[0]["Parent"]["Name"],
        json!("parent"),
        "set when its step was done"
    );
    assert_eq!(accounts[0]["RecordType"]["DeveloperName"], json!("Big_One"));
    let fund = &accounts[0]["Fund__r"];
    assert_eq!(
        (&fund["my__Note__c"], &fund["other__Size__c"]),
        (&json!("from the dump"), &json!(12.5))
    );
    let contacts = rows("SELECT LastName, Title, Birthdate, Account.Name FROM Contact ORDER BY LastName");
    let names: Vec<&str> = contacts.iter().map(|c| c["LastName"].as_str().unwrap()).collect();
    assert_eq!(names, ["New", "one", "Two"]);
    // The org's clock stands at 2026-01-05; the dump's at 2000-01-01.
    assert_eq!(
        (&contacts[1]["Birthdate"], &contacts[1]["Title"]),
        (&json!("2026-01-04"), &json!("Dr"))
    );
    assert_eq!(contacts[2]["Account"], json!(null));
    for words in [
        "Account C: REQUIRED_FIELD_MISSING",
        "Contact 2.AccountId: LOOKUP_REFUSED",
        "Contact 3: FILTER",
    ] {
        assert!(
            report.skipped.iter().any(|l| l.contains(words)),
            "{words}: {:#?}",
            report.skipped
        );
    }
    assert_eq!(report.skipped.len(), 3, "{:#?}", report.skipped);
}

#[test]
fn loads_of_one_dataset_are_alike_and_its_references_lead_somewhere() {
    let Some((one, report)) = loaded(&ALL[4]) else {
        return;
    };
    let (two, again) = loaded(&ALL[4]).unwrap();
    assert_eq!(report, again);
    for object in ["Account", "Opportunity", "npe4__Relationship__c"] {
        assert_eq!(one.rows(object), two.rows(object), "{object}");
    }
    let filled = |object: &str, field: &str| one.rows(object).iter().filter(|r| !r[field].is_null()).count();
    assert_eq!(
        filled("npe4__Relationship__c", "npe4__ReciprocalRelationship__c"),
        18
    );
    assert_eq!(
        filled("Engagement_Plan_Task__c", "Engagement_Plan_Template__c"),
        17
    );
    assert!(filled("Opportunity", "RecordTypeId") == 102 && filled("Account", "Level__c") > 0);
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    planted(dir.path());
    let org = Org::empty();
    let fails = |path: &str, words: &str| {
        let error = org.load_dataset(&dir.path().join(path)).unwrap_err().to_string();
        assert!(error.contains(words), "{path}: {error}");
    };
    fails("force-app", "no .sql");
    fails("nowhere", "no such file");
    fs::write(dir.path().join("datasets/small/more.sql"), "SELECT 1;").unwrap();
    fails("datasets/small", "several");
    fails("datasets/small/more.sql", "line 1");
    fs::write(dir.path().join("datasets/mapping.yml"), "A: [").unwrap();
    fails("datasets/small/data.sql", "mapping.yml");
    assert!(org.rows("Account").is_empty());
}
