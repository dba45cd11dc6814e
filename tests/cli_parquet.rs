//! `halite export --format parquet`: every sample org read back beside NDJSON, and the command's answers.
//!
//! Key decision: the files are read by the reader of the crate, the orgs captured over HTTP; what NDJSON holds is the
//! truth here. Real engines read the same folders in `tests/clients`, not here.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use halite::ops::export::{ndjson, parquet as tables};
use halite::ops::state::State;
use serde_json::{Value, json};

use crate::cli::Place;
use crate::restore_empty::{self, orgs, vault};

mod same;

use same::{read, same};

#[test]
fn every_sample_org_reads_back_as_ndjson_has_it() {
    let (mut types, mut records, mut gone) = (BTreeSet::new(), 0, 0);
    for (name, org) in orgs() {
        let vault = vault();
        let mut place = restore_empty::Place::of(org.clone());
        place.backup(&vault);
        // One record of each object goes to the recycle bin, where the org lets it.
        for object in org.objects() {
            let data = object.ends_with("__c") || ["Account", "Contact", "Opportunity"].contains(&&*object);
            let rows = org.rows(&object);
            if let Some(row) = rows.first().filter(|_| data) {
                gone += u32::from(org.delete(row["Id"].as_str().unwrap()).is_ok());
            }
        }
        let now = place.backup(&vault);
        let (dir, state) = (tempfile::tempdir().unwrap(), State::at(&vault, &now));
        let [lines, parquet] = ["lines", "parquet"].map(|to| dir.path().join(to));
        let counts = ndjson(&state, None, &lines).unwrap();
        let written = tables::state(&state, None, &parquet).unwrap();
        assert_eq!(
            counts,
            written
                .iter()
                .map(|of| (of.sobject.clone(), of.rows))
                .collect::<Vec<_>>()
        );
        for of in &written {
            assert!(of.as_text.is_empty(), "{name}: {of:?}");
            let table = same(
                &parquet.join(&of.sobject),
                &lines.join(format!("{}.ndjson", of.sobject)),
            );
            records += table.rows.len();
            let of_type = |column: &String| column.replace(column.split(' ').nth(2).unwrap(), "");
            types.extend(table.columns.iter().map(of_type));
        }
    }
    assert!(
        records > 100 && gone > 5,
        "{records} records, {gone} deleted before"
    );
    for wanted in [
        "BOOLEAN",
        "INT32",
        "DOUBLE",
        "DATE",
        "TIMESTAMP(MICROS,true)",
        "STRING",
    ] {
        assert!(
            types.iter().any(|of| of.contains(wanted)),
            "{wanted} in none of {types:?}"
        );
    }
}

const DESCRIBE: &str = r#"{"name":"Account","keyPrefix":"001","fields":[
    {"name":"Id","type":"id"},{"name":"Name","type":"string"},{"name":"Size__c","type":"double"}]}"#;

fn line(n: u32, name: &str, size: &str) -> String {
    format!("{{\"Id\":\"001{n:012}\",\"Name\":\"{name}\",\"Size__c\":{size}}}\n")
}

#[test]
fn the_command_writes_states_and_changes() {
    let place = Place::open();
    for (as_of, lines) in [
        ("2026-01-01", line(1, "Acme", "1") + &line(2, "Bolt", "2.5")),
        (
            "2026-02-01",
            line(2, "Nut", "2.5") + &line(3, "Cog", "123456789012345678"),
        ),
    ] {
        let files = [
            ("Account.ndjson", lines.as_str()),
            ("Account.describe.json", DESCRIBE),
        ];
        assert_eq!(place.import(as_of, &files).status.code(), Some(0));
    }
    let export = |to: &str, more: &[&str]| {
        let to = place.path(to);
        let args = ["export", "--json", "--format", "parquet", "--to", &to];
        serde_json::from_str::<Value>(&place.done(&[&args, more].concat())).unwrap()
    };
    let first = export("first", &["--at", "1"]);
    assert_eq!(
        first["sobjects"],
        json!([{ "name": "Account", "records": 2, "as_text": [] }])
    );
    assert_eq!(
        read(Path::new(&place.path("first/Account"))).columns[2],
        "OPTIONAL DOUBLE Size__c"
    );
    let second = export("second", &["--sobject", "Account"]);
    let too_long = json!([{ "field": "Size__c", "id": "001000000000003AAA" }]);
    assert_eq!(second["sobjects"][0]["as_text"], too_long);
    place.done(&["export", "--to", &place.path("lines")]);
    let lines = place.path("lines/Account.ndjson");
    same(Path::new(&place.path("second/Account")), Path::new(&lines));

    let changes = export("changes", &["--changes-since", "2026-01-15"]);
    assert_eq!(
        (&changes["records"], &changes["since"]["number"]),
        (&json!(4), &json!(1))
    );
    let rows = read(Path::new(&place.path("changes/Account"))).rows;
    let told = rows
        .iter()
        .map(|row| format!("{} {}", row["Name"], row["_change_type"]).replace('"', ""));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "Acme delete",
            "Bolt update_preimage",
            "Nut update_postimage",
            "Cog insert"
        ]
    );
    let again = ["export", "--to", &place.path("second"), "--format", "parquet"];
    assert!(place.fails(1, &again).contains("not empty"));
    let since = ["export", "--to", &place.path("z"), "--changes-since", "1"];
    assert!(place.fails(1, &since).contains("--format parquet"));
    let files = [&since[..], &["--format", "parquet", "--files"]].concat();
    assert!(place.fails(2, &files).contains("--files"));
    assert!(!fs::exists(place.path("z")).unwrap());
}
