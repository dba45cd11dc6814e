//! Retention, holds, forgetting and pruning as people type them: what is said, what is left, and exit statuses.
//!
//! Key decision: through the binary, with states compared by `export`; time passes by `--grace 0s` and not by waiting.
//! It does not try races and faults: the engine's own tests do.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use serde_json::Value;

use crate::cli::{ORG, Place};

const OTHER: &str = "00D000000000002";

/// Three snapshots of one org, a day apart.
fn place() -> Place {
    let place = Place::open();
    for day in 1..4 {
        let text: String = (0..60 * day)
            .map(|n| format!("{{\"Id\":\"001{n:012}\",\"Name\":\"name {n} of {day}\"}}\n"))
            .collect();
        let made = place.import(&format!("2026-03-0{day}"), &[("Account.ndjson", &text)]);
        assert!(made.status.success());
    }
    place
}

fn json(place: &Place, args: &[&str]) -> Value {
    serde_json::from_str(&place.done(&[args, &["--json"]].concat())).unwrap()
}

fn numbers(of: &Value) -> Vec<u64> {
    let all = of.as_array().unwrap();
    all.iter()
        .map(|s| s.get("snapshot").unwrap_or(s)["number"].as_u64().unwrap())
        .collect()
}

#[test]
fn retain_says_what_it_drops_and_drops_it() {
    let place = place();
    assert!(place.fails(1, &["retain"]).contains("--keep-last"));
    let planned = json(
        &place,
        &["retain", "--monthly", "1", "--within", "1d", "--dry-run"],
    );
    assert_eq!(
        (numbers(&planned[0]["kept"]), numbers(&planned[0]["dropped"])),
        (vec![2, 3], vec![1])
    );
    assert_eq!(
        planned[0]["kept"][1]["rules"],
        serde_json::json!(["newest", "within", "monthly"])
    );
    assert_eq!(
        numbers(&json(&place, &["snapshots"])),
        [1, 2, 3],
        "a dry run drops nothing"
    );
    let text = place.done(&["retain", "--monthly", "1", "--within", "1d"]);
    assert!(text.contains("   1  2026-03-01T00:00:00.000Z  dropped"), "{text}");
    assert!(text.contains("1 snapshot dropped"), "{text}");
    assert_eq!(numbers(&json(&place, &["snapshots"])), [2, 3]);
}

#[test]
fn a_held_snapshot_stays_until_it_is_released() {
    let place = place();
    let held = json(&place, &["hold", "1", "--reason", "an audit"]);
    assert!(place.done(&["holds"]).contains("for ever: an audit"));
    assert!(place.fails(1, &["forget", "1"]).contains("under a hold"));
    assert!(
        place
            .fails(1, &["forget", "--all", "--org", ORG])
            .contains("under a hold")
    );
    assert_eq!(
        numbers(&json(&place, &["retain", "--keep-last", "1"])[0]["kept"]),
        [1, 3]
    );
    place.done(&["release", held["name"].as_str().unwrap()]);
    assert_eq!(place.done(&["holds"]).trim(), "no holds");
    place.done(&["forget", "2026-03-01"]);
    assert_eq!(numbers(&json(&place, &["snapshots"])), [3]);
    assert!(place.fails(1, &["forget", "3"]).contains("newest"));
    assert!(
        place
            .fails(1, &["hold", "9", "--reason", "x"])
            .contains("no snapshot `9`")
    );
    assert!(
        place
            .fails(1, &["hold", "3", "--reason", "x", "--until", "2020-01-01"])
            .contains("--until")
    );
}

#[test]
fn a_forgotten_org_is_gone_after_two_prunes() {
    let place = place();
    let text: String = (0..40)
        .map(|n| format!("{{\"Id\":\"003{n:012}\",\"Name\":\"{n}\"}}\n"))
        .collect();
    let dump = tempfile::tempdir().unwrap();
    std::fs::write(dump.path().join("Contact.ndjson"), text).unwrap();
    let dir = dump.path().to_str().unwrap();
    place.done(&["import", "--org", OTHER, "--as-of", "2026-03-01", dir]);
    let exported = |name: &str| {
        let to = dump.path().join(name);
        place.done(&["export", "--org", OTHER, "--to", to.to_str().unwrap()]);
        std::fs::read_to_string(to.join("Contact.ndjson")).unwrap()
    };
    let before = exported("before");
    place.fails(2, &["forget", "--all"]);
    place.fails(2, &["forget"]);
    place.done(&["forget", "--all", "--org", ORG]);
    let planned = json(&place, &["prune", "--dry-run"]);
    assert!(
        planned["report"]["packs_condemned"].as_u64().unwrap() >= 3,
        "{planned}"
    );
    assert_eq!(
        json(&place, &["activity"]).as_array().unwrap().len(),
        1,
        "a dry run does nothing"
    );
    let first = json(&place, &["prune", "--grace", "0s", "--max-unused", "0%"]);
    let second = json(&place, &["prune", "--grace", "0s"]);
    let size = |report: &Value, name: &str| report["report"][name].as_u64().unwrap();
    assert_eq!(size(&second, "packs_deleted"), size(&first, "packs_condemned"));
    assert!(
        size(&second, "bytes_after") < size(&first, "bytes_before"),
        "{first} {second}"
    );
    assert_eq!(exported("after"), before);
    let verbs: Vec<String> = json(&place, &["activity"])
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["verb"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(verbs, ["forget", "prune", "prune"]);
    let stats = json(&place, &["stats"]);
    assert_eq!(stats["orgs"].as_array().unwrap().len(), 1);
    assert_eq!(stats["orgs"][0]["sobjects"]["Contact"]["versions"], 40);
    assert_eq!(
        (&stats["packs"]["data"]["dead"], &stats["condemned"]),
        (&0.into(), &0.into())
    );
    assert!(
        place
            .done(&["stats"])
            .contains("Contact: 1 run, 40 versions, 40 live")
    );
    assert!(place.done(&["prune"]).contains("nothing to do"));
}

/// Three records: two that the vault has, one of them in a file with one that it has not.
struct Wanted {
    folder: tempfile::TempDir,
    list: String,
}

fn id(n: u32) -> String {
    format!("001{n:012}")
}

impl Wanted {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("ids").to_str().unwrap().to_owned();
        std::fs::write(&list, format!("{}\n\n{}\n", id(5), id(999))).unwrap();
        Self { folder, list }
    }

    fn erase<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [&["erase", "--ids-file", &self.list, "001000000000150"][..], more].concat()
    }

    /// The lines of a state.
    fn exported(&self, place: &Place, number: &str) -> Vec<String> {
        let to = self.folder.path().join(number);
        place.done(&["export", "--at", number, "--to", to.to_str().unwrap()]);
        let text = std::fs::read_to_string(to.join("Account.ndjson")).unwrap();
        std::fs::remove_dir_all(&to).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn states(&self, place: &Place) -> [Vec<String>; 3] {
        ["1", "2", "3"].map(|number| self.exported(place, number))
    }
}

/// Whether nothing of those that the vault had is named.
fn gone(text: &str) -> bool {
    !text.contains(&id(5)) && !text.contains(&id(150))
}

#[test]
fn an_erasure_says_what_would_go_and_asks() {
    let (place, wanted) = (place(), Wanted::new());
    let before = wanted.states(&place);
    let planned = json(&place, &wanted.erase(&["--dry-run"]));
    let plan = &planned["plan"];
    assert_eq!(
        (
            &plan["ids"],
            &plan["records"],
            &plan["versions"],
            &plan["snapshots"]
        ),
        (&3.into(), &2.into(), &4.into(), &3.into()),
        "{planned}"
    );
    assert!(place.fails(1, &wanted.erase(&["--json"])).contains("--yes"));
    let held = json(
        &place,
        &["hold", "1", "--reason", "an audit", "--until", "2100-01-01"],
    );
    let refused = place.fails(1, &wanted.erase(&["--yes"]));
    assert!(refused.contains("from 2100-01-01T00:00:00.000Z on"), "{refused}");
    place.done(&["release", held["name"].as_str().unwrap()]);
    assert_eq!(wanted.states(&place), before);
    assert!(place.fails(1, &["erase", "--yes", "x"]).contains("Id"));
    assert!(
        place
            .fails(1, &["erase", "--yes", "--org", OTHER, &id(5)])
            .contains("knows no org")
    );
    place.fails(2, &["erase", "--yes"]);
    std::fs::write(&wanted.list, "\nx\n").unwrap();
    assert!(place.fails(1, &wanted.erase(&["--yes"])).contains("line 2"));
    assert_eq!(wanted.states(&place), before);
}

#[test]
fn erased_records_are_gone_from_every_snapshot_and_do_not_come_back() {
    let (place, wanted) = (place(), Wanted::new());
    let mut kept = wanted.states(&place);
    kept.iter_mut().for_each(|state| state.retain(|line| gone(line)));
    let said = place.done(&wanted.erase(&["--yes"]));
    assert!(
        said.starts_with("4 versions of 2 records erased; 3 runs written anew"),
        "{said}"
    );
    assert!(said.contains("searched, no version found"), "{said}");
    assert_eq!(wanted.states(&place), kept);
    assert!(place.fails(1, &["history", &id(5)]).contains("no snapshot"));
    let again = json(&place, &wanted.erase(&["--yes"]));
    assert_eq!(again["report"]["versions"], 0);

    let row = |n| format!("{{\"Id\":\"{}\",\"Name\":\"x\"}}\n", id(n));
    let report = place.import("2026-03-09", &[("Account.ndjson", &(row(5) + &row(6)))]);
    assert!(report.status.success());
    let said = String::from_utf8(report.stdout).unwrap();
    assert!(
        said.contains("1 row left out, whose records were erased"),
        "{said}"
    );
    assert_eq!(wanted.exported(&place, "4").len(), 1);
    let log = place.done(&["activity"]);
    assert!(
        log.contains("3 Ids: 4 versions of 2 records taken out of 3 runs"),
        "{log}"
    );
    assert!(gone(&log));
}

#[test]
fn a_vault_of_one_org_is_copied_out() {
    let place = place();
    let (there, text) = (
        place.path("alone"),
        "{\"Id\":\"001000000000001\",\"Name\":\"theirs\"}\n",
    );
    let other = place.path("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(std::path::Path::new(&other).join("Account.ndjson"), text).unwrap();
    place.done(&["import", "--org", OTHER, "--as-of", "2026-03-01", &other]);
    let text = place.done(&["--org", ORG, "copy", "--to", &there]);
    assert!(text.contains(&format!("is a vault of org {ORG}")), "{text}");
    place.done(&["--vault", &there, "check", "--read", "all"]);
    let [ours, alone] = ["ours", "alone.out"].map(|name| place.path(name));
    place.done(&["export", "--org", ORG, "--at", "2", "--to", &ours]);
    // The only org that is left need not be named.
    place.done(&["--vault", &there, "export", "--at", "2", "--to", &alone]);
    let read = |dir: &str| std::fs::read(std::path::Path::new(dir).join("Account.ndjson")).unwrap();
    assert_eq!(read(&ours), read(&alone));
    let refused = place.fails(1, &["--org", ORG, "copy", "--to", &there]);
    assert!(
        refused.contains("holds a vault") && refused.contains("empty place"),
        "{refused}"
    );
}
