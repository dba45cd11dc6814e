//! Damage as people meet it: a check that fails, a repair, a state with a hole, and a backup that fills it.
//!
//! Key decision: through the binary, on files whose bytes are changed.
//! It does not try every kind of damage: the engine's own tests do.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::Place;

fn dump() -> String {
    (0..300)
        .map(|n| format!("{{\"Id\":\"001{n:012}\",\"Name\":\"name {n}\"}}\n"))
        .collect()
}

fn place() -> Place {
    let place = Place::open();
    assert!(
        place
            .import("2026-03-01", &[("Account.ndjson", &dump())])
            .status
            .success()
    );
    place
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path);
        }
    }
    files
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_sound_vault_is_called_sound() {
    let place = place();
    for read in [&[][..], &["--read", "50%"], &["--read", "all"]] {
        let text = place.done(&[&["check"], read].concat());
        assert!(text.contains("the vault is as it was written"), "{text}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&place.done(&["check", "--read", "all", "--json"])).unwrap();
    assert_eq!(json["sound"], true);
    assert_eq!(json["report"]["level"], "all");
    assert_eq!(json["report"]["states_proved"], 2);
    place.done(&["repair"]);
}

#[test]
fn what_is_lost_is_said_passed_over_and_filled() {
    let place = place();
    // The pack of data is the one with the most bytes.
    let packs = files(Path::new(&place.path("vault/packs")));
    let data = packs
        .iter()
        .max_by_key(|file| fs::metadata(file).unwrap().len())
        .unwrap();
    flip(data, 120);
    let checked = place.run(&["check", "--read", "all"]);
    let text = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(checked.status.code(), Some(1));
    assert!(
        text.contains("lost: page") && text.contains("Account, Ids 001"),
        "{text}"
    );
    let repaired = place.run(&["repair"]);
    assert_eq!(repaired.status.code(), Some(3));
    place.done(&["check", "--read", "all"]);
    let to = place.path("out");
    let to = to.as_str();
    let refused = place.fails(1, &["export", "--to", to]);
    assert!(refused.contains("--despite-losses"), "{refused}");
    fs::remove_dir_all(to).unwrap();
    let passed = place.run(&["export", "--to", to, "--despite-losses"]);
    assert_eq!(passed.status.code(), Some(3));
    assert!(
        String::from_utf8(passed.stderr)
            .unwrap()
            .contains("lost, and passed over")
    );
    let left = fs::read_to_string(Path::new(to).join("Account.ndjson")).unwrap();
    assert!(left.lines().count() < 300);
    fs::remove_dir_all(to).unwrap();
    assert!(
        place
            .import("2026-03-02", &[("Account.ndjson", &dump())])
            .status
            .success()
    );
    place.done(&["export", "--to", to]);
    let filled = fs::read_to_string(Path::new(to).join("Account.ndjson")).unwrap();
    assert_eq!(filled.lines().count(), 300);
}

#[test]
fn a_vault_that_does_not_open_is_mended() {
    for (name, at) in [("root", 100), ("vault", 20)] {
        let place = place();
        flip(&Path::new(&place.path("vault")).join(name), at);
        place.fails(1, &["snapshots"]);
        let text = place.done(&["repair"]);
        assert!(text.contains("written anew"), "{text}");
        assert!(place.done(&["snapshots"]).contains("2026-03-01"));
        place.done(&["check", "--read", "all"]);
    }
}
