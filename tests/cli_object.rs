//! A vault in a bucket, as people use it: every command by its URL, stores that fail and lie, two machines at once.
//!
//! Key decision: beside each vault in the bucket stands one in a folder that is given the same, and what is read from
//! both must be equal. Not here: each fault of each request, which the engine's own tests go through.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use halite_simulator::{CLIENT_ID, CLIENT_SECRET, Org, Server};
use halite_simulator_s3::{ACCESS_KEY, Act, Lie, Rule, S3, SECRET};
use serde_json::Value;
use tempfile::TempDir;

use crate::cli::ORG;

const URL: &str = "s3://vaults/acme";
const OTHER: &str = "00D000000000002";

/// A bucket, and a machine that uses it.
struct Cloud {
    s3: S3,
    scratch: TempDir,
}

impl Cloud {
    fn new() -> Self {
        Self {
            s3: S3::start("vaults").unwrap(),
            scratch: tempfile::tempdir().unwrap(),
        }
    }

    /// With a sealed vault in the bucket.
    fn with_vault() -> Self {
        let cloud = Self::new();
        cloud.done(&["init"]);
        cloud
    }

    fn path(&self, name: &str) -> String {
        self.scratch.path().join(name).to_str().unwrap().to_owned()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_halite"));
        command
            .args(args)
            .envs(self.s3.variables())
            .env("HALITE_VAULT", URL)
            .env("HALITE_PASSPHRASE", "salt")
            .env("APP_SECRET", CLIENT_SECRET)
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("NO_PROXY", "127.0.0.1")
            .current_dir(self.scratch.path())
            .stdin(Stdio::null());
        command
    }

    fn ends(&self, status: i32, args: &[&str]) -> Output {
        let output = self.command(args).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {error}");
        output
    }

    fn done(&self, args: &[&str]) -> String {
        String::from_utf8(self.ends(0, args).stdout).unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[args, &["--json"]].concat())).unwrap()
    }

    /// The one line of error.
    fn fails(&self, args: &[&str]) -> String {
        let output = self.ends(1, args);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(!error.contains(SECRET) && !error.contains(ACCESS_KEY), "{error}");
        error
    }

    /// A dump of so many records, some of which the day changes.
    fn dump(&self, day: u32, records: u32) -> String {
        let dir = self.path(&format!("dump-{day}-{records}"));
        let _ = fs::create_dir(&dir);
        let line = |n: u32| {
            let name = if n % 7 == day % 7 { day } else { 0 };
            format!("{{\"Id\":\"001{n:012}\",\"Name\":\"name {n} of {name}\"}}\n")
        };
        let text: String = (0..records).map(line).collect();
        fs::write(Path::new(&dir).join("Account.ndjson"), text).unwrap();
        dir
    }

    fn import(&self, org: &str, day: u32, records: u32) {
        let (at, dir) = (format!("2026-03-{day:02}"), self.dump(day, records));
        self.done(&["import", "--org", org, "--as-of", &at, &dir]);
    }

    fn snapshots(&self) -> usize {
        self.json(&["snapshots"]).as_array().unwrap().len()
    }
}

/// The files of a folder and their content.
fn files(dir: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().flatten();
    entries
        .filter(|entry| entry.path().is_file())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect()
}

#[test]
fn every_command_works_by_a_url_as_on_a_folder() {
    let cloud = Cloud::new();
    let folder = cloud.path("folder");
    for place in [URL, &folder] {
        cloud.done(&["--vault", place, "init"]);
        for (day, records) in [(1, 900), (2, 910), (3, 905)] {
            let (at, dir) = (format!("2026-03-{day:02}"), cloud.dump(day, records));
            cloud.done(&["--vault", place, "import", "--org", ORG, "--as-of", &at, &dir]);
        }
    }
    let both = |args: &[&str]| {
        let at = |place: &str| cloud.done(&[&["--vault", place], args].concat());
        let (there, here) = (at(URL), at(&folder));
        assert_eq!(there, here, "{args:?}");
        there
    };
    let id = "001000000000001";
    both(&["show", id, "--at", "1"]);
    assert!(both(&["history", id]).contains("2026-03-01"));
    both(&["diff", "1", "3", "--json"]);
    for (at, out) in [("1", "a"), ("3", "c")] {
        for (place, name) in [
            (URL, format!("{out}-url")),
            (folder.as_str(), format!("{out}-dir")),
        ] {
            let to = cloud.path(&name);
            cloud.done(&["--vault", place, "export", "--at", at, "--to", &to]);
        }
        let there = files(&cloud.path(&format!("{out}-url")));
        assert!(there.values().any(|text| text.len() > 10_000));
        assert_eq!(there, files(&cloud.path(&format!("{out}-dir"))));
    }
    for args in [
        &["check", "--read", "all"][..],
        &["stats"],
        &["forget", "1"],
        &["compact"],
        &["erase", "--org", ORG, id, "--yes"],
        &["prune", "--grace", "0s"],
        &["prune", "--grace", "0s"],
        &["repair"],
        &["hold", "2", "--reason", "kept"],
        &["holds"],
        &["check", "--read", "all"],
    ] {
        cloud.done(args);
        cloud.done(&[&["--vault", &folder], args].concat());
    }
    both(&["diff", "2", "3", "--json"]);
    assert!(cloud.fails(&["show", id]).contains(id));
    assert_eq!(cloud.json(&["key", "list"]).as_array().unwrap().len(), 1);
    let verbs = |place: &str| -> Vec<String> {
        let lines = cloud.json(&["--vault", place, "activity"]);
        let lines = lines.as_array().unwrap().iter();
        lines
            .map(|line| line["verb"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(verbs(URL).contains(&"erase".to_owned()));
    assert_eq!(verbs(URL), verbs(&folder));
    let keys = cloud.s3.keys();
    assert!(keys.iter().all(|key| key.starts_with("acme/")), "{keys:?}");
    assert!(!keys.iter().any(|key| key.contains("/tmp/")), "{keys:?}");
    let in_folder = fs::read_dir(Path::new(&folder).join("packs")).unwrap().count();
    assert!(in_folder > 0 && keys.iter().any(|key| key.starts_with("acme/packs/")));
    assert!(
        !Path::new(&cloud.path("s3:")).exists(),
        "a URL was taken for a folder"
    );
}

#[test]
fn an_org_is_backed_up_and_restored_through_a_bucket() {
    let cloud = Cloud::with_vault();
    let org = Org::sample();
    let server = Server::start(org.clone()).unwrap();
    let url = server.url();
    let app = ["--client-id", CLIENT_ID, "--client-secret-env", "APP_SECRET"];
    cloud.done(&[&["connect", "acme", "--environment", &url][..], &app].concat());
    let pass = || org.clock().advance(Duration::from_secs(3600));
    pass();
    cloud.done(&["backup", "acme"]);
    pass();
    let rows = org.rows("Contact");
    let id = rows[0]["Id"].as_str().unwrap().to_owned();
    let before = rows[0]["LastName"].clone();
    org.update(&id, &serde_json::json!({ "LastName": "Wrong" }))
        .unwrap();
    pass();
    // The second snapshot's root is stored, and its answer lost.
    cloud.s3.script(Rule::new("PUT", "root", Act::DoAndHangUp));
    cloud.done(&["backup", "acme"]);
    assert_eq!(cloud.snapshots(), 2);
    let plan = ["restore", "plan", "acme", "--at", "1", "-o", "plan"];
    cloud.done(&plan);
    cloud.done(&["restore", "apply", "plan"]);
    let now = org.rows("Contact");
    let restored = now.iter().find(|row| row["Id"] == id.as_str()).unwrap();
    assert_eq!(restored["LastName"], before);
    cloud.done(&["check", "--read", "all"]);
}

#[test]
fn a_place_that_is_not_empty_is_no_place_for_a_vault() {
    let cloud = Cloud::with_vault();
    let error = cloud.fails(&["init"]);
    assert!(
        error.contains(URL) && error.contains("a vault already"),
        "{error}"
    );
    cloud.s3.plant("other/packs/x", b"x");
    let error = cloud.fails(&["--vault", "s3://vaults/other", "init"]);
    assert!(error.contains("not empty"), "{error}");
    // Beside it there is room, and a prefix is not the beginning of a name.
    cloud.done(&["--vault", "s3://vaults/acm", "init"]);
    assert!(cloud.s3.keys().contains(&"acm/vault".to_owned()));
}

#[test]
fn what_is_wrong_with_a_url_or_a_store_is_said() {
    let cloud = Cloud::new();
    let error = cloud.fails(&["snapshots"]);
    assert!(
        error.contains("s3://vaults/acme is not a vault") && error.contains("halite init"),
        "{error}"
    );
    let error = cloud.fails(&["--vault", "s3://elsewhere/x", "snapshots"]);
    assert!(error.contains("no such bucket"), "{error}");
    for url in ["s3://user:hidden@vaults/x", "ftp://vaults/x", "s3://"] {
        let error = cloud.fails(&["--vault", url, "snapshots"]);
        assert!(
            error.contains("s3://BUCKET/PREFIX") && !error.contains("hidden"),
            "{error}"
        );
    }
    let wrong = cloud
        .command(&["init"])
        .env("AWS_ACCESS_KEY_ID", "AKIAOTHER")
        .output()
        .unwrap();
    let error = String::from_utf8(wrong.stderr).unwrap();
    assert!(
        error.contains("InvalidAccessKeyId") && error.contains("AWS_SECRET_ACCESS_KEY"),
        "{error}"
    );
    assert!(cloud.s3.keys().is_empty());
}

#[test]
fn a_store_that_ignores_conditions_is_refused() {
    let cloud = Cloud::new();
    for lie in [Lie::All, Lie::Races] {
        cloud.s3.lie(lie);
        let error = cloud.fails(&["init"]);
        assert!(error.contains("does not keep conditions"), "{error}");
        assert!(cloud.s3.keys().is_empty(), "{:?}", cloud.s3.keys());
    }
    cloud.s3.lie(Lie::None);
    cloud.done(&["init"]);
    cloud.import(ORG, 1, 10);
    // It was moved to another server since: what reads goes on, and who comes from elsewhere does not write.
    cloud.s3.lie(Lie::Replaces);
    assert_eq!(cloud.snapshots(), 1);
    let dump = cloud.dump(2, 10);
    let again = ["import", "--org", ORG, "--as-of", "2026-03-02", &dump];
    let elsewhere = cloud
        .command(&again)
        .env("XDG_CACHE_HOME", cloud.path("elsewhere"))
        .output()
        .unwrap();
    let error = String::from_utf8(elsewhere.stderr).unwrap();
    assert!(error.contains("does not keep conditions"), "{error}");
    cloud.s3.lie(Lie::None);
    assert_eq!(cloud.snapshots(), 1);
    // Somebody else wrote last: now this machine asks too.
    let elsewhere = cloud
        .command(&again)
        .env("XDG_CACHE_HOME", cloud.path("elsewhere"))
        .status()
        .unwrap();
    assert!(elsewhere.success());
    cloud.s3.lie(Lie::Replaces);
    let dump = cloud.dump(3, 10);
    let error = cloud.fails(&["import", "--org", ORG, "--as-of", "2026-03-03", &dump]);
    assert!(error.contains("does not keep conditions"), "{error}");
    cloud.s3.lie(Lie::None);
    assert_eq!(cloud.snapshots(), 2);
}

#[test]
fn what_this_machine_keeps_of_a_bucket_may_be_wrong_or_gone() {
    let cloud = Cloud::with_vault();
    cloud.import(ORG, 1, 900);
    let shelf = || {
        let shelves = fs::read_dir(cloud.path("cache/halite")).unwrap().flatten();
        let shelves = shelves.filter(|entry| entry.file_name().to_str().unwrap().starts_with("packs-"));
        let files = shelves.flat_map(|shelf| fs::read_dir(shelf.path()).unwrap().flatten());
        files.map(|file| file.path()).collect::<Vec<_>>()
    };
    let shown = cloud.done(&["show", "001000000000001"]);
    let asked = |what: &str| {
        assert_eq!(cloud.done(&["show", "001000000000001"]), shown, "{what}");
        cloud.s3.take_log().len()
    };
    cloud.s3.take_log();
    let warm = asked("as it is");
    assert!(!shelf().is_empty());
    for file in shelf() {
        let mut bytes = fs::read(&file).unwrap();
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
        fs::write(file, bytes).unwrap();
    }
    assert!(asked("spoilt") > warm);
    // In windows, so perhaps with more neighbours than before.
    assert!(asked("fetched again") <= warm);
    fs::remove_dir_all(cloud.path("cache")).unwrap();
    assert!(asked("gone") > warm);
    // In windows, so perhaps with more neighbours than before.
    assert!(asked("fetched again") <= warm);
}

#[test]
fn lost_answers_cost_nothing() {
    let cloud = Cloud::with_vault();
    for (day, act) in [
        (1, Act::DoAndAnswer(500, "InternalError")),
        (2, Act::DoAndHangUp),
        (3, Act::HangUp),
        (4, Act::Answer(503, "SlowDown")),
        (5, Act::Answer(409, "ConditionalRequestConflict")),
    ] {
        cloud.s3.script(Rule::new("PUT", "acme/root", act));
        // The first pack that is stored: this machine wrote last, so nothing is probed.
        cloud.s3.script(Rule::new("PUT", "", act));
        cloud.import(ORG, day, 300);
        cloud.s3.calm();
        assert_eq!(cloud.snapshots(), day as usize, "{act:?}");
    }
    cloud.done(&["check", "--read", "all"]);
}

#[test]
fn a_root_that_cannot_be_stored_publishes_nothing_and_says_so() {
    let cloud = Cloud::with_vault();
    cloud.import(ORG, 1, 50);
    cloud
        .s3
        .script(Rule::new("PUT", "acme/root", Act::Answer(403, "AccessDenied")).times(100));
    let dump = cloud.dump(2, 50);
    let again = ["import", "--org", ORG, "--as-of", "2026-03-02", &dump];
    let error = cloud.fails(&again);
    assert!(
        error.contains("403 AccessDenied") && error.contains("grant"),
        "{error}"
    );
    cloud.s3.calm();
    assert_eq!(cloud.snapshots(), 1);
    cloud.done(&again);
    assert_eq!(cloud.snapshots(), 2);
}

#[test]
fn two_machines_write_into_one_vault() {
    let cloud = Cloud::with_vault();
    let rounds = 3;
    std::thread::scope(|scope| {
        for org in [ORG, OTHER] {
            let cloud = &cloud;
            scope.spawn(move || (1..=rounds).for_each(|day| cloud.import(org, day, 200)));
        }
    });
    for org in [ORG, OTHER] {
        let kept = cloud.json(&["snapshots", "--org", org]);
        assert_eq!(kept.as_array().unwrap().len(), rounds as usize);
    }
    cloud.done(&["check", "--read", "all"]);
}

#[test]
fn a_vault_is_copied_to_a_folder_and_back() {
    let cloud = Cloud::with_vault();
    cloud.import(ORG, 1, 300);
    let there = cloud.path("there");
    let first = cloud.json(&["copy", "--to", &there]);
    assert!(
        first["sent"].as_u64() > Some(2) && first["sent"] == first["packs"],
        "{first}"
    );
    cloud.import(ORG, 2, 320);
    let second = cloud.json(&["copy", "--to", &there]);
    assert!(second["sent"].as_u64() > Some(0) && second["sent"].as_u64() < second["packs"].as_u64());
    cloud.done(&["--vault", &there, "copy", "--to", "s3://vaults/back"]);
    let exported = [URL, &there, "s3://vaults/back"].map(|place| {
        let to = cloud.path(&place.replace(['/', ':'], "-"));
        cloud.done(&["--vault", place, "export", "--to", &to]);
        cloud.done(&["--vault", place, "check", "--read", "all"]);
        files(&to)
    });
    assert!(!exported[0].is_empty() && exported.iter().all(|files| *files == exported[0]));

    let dump = cloud.dump(3, 10);
    cloud.done(&[
        "--vault",
        &there,
        "import",
        &dump,
        "--org",
        OTHER,
        "--as-of",
        "2026-03-03",
    ]);
    let refused = cloud.fails(&["copy", "--to", &there]);
    assert!(
        refused.contains("written to by itself") || refused.contains("not older"),
        "{refused}"
    );
    let elsewhere = cloud.fails(&["copy", "--to", &cloud.path("cache")]);
    assert!(elsewhere.contains("holds something else"), "{elsewhere}");
}
