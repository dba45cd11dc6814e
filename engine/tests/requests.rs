//! How often a vault asks its object store, counted by the store: the budgets of `docs/object-storage.md`.
//!
//! Key decision: each case is a process of its own: it opens the bucket and the vault anew, and everything that is asked
//! counts, opening and probe too. It measures no time.

mod org;

use std::path::Path;
use std::sync::Arc;

use halite_engine::base::clock::Clock;
use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::ops::state::State;
use halite_engine::store::object::{Bucket, Patience};
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_simulator_s3::{Asked, S3};

use org::Wide;

/// A bucket, and what was asked of it.
struct Counting {
    s3: S3,
}

/// Requests by what they are.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    reads: usize,
    writes: usize,
    deletes: usize,
}

impl Count {
    fn of(log: &[Asked]) -> Self {
        let count = |verbs: &[&str]| {
            log.iter()
                .filter(|asked| verbs.contains(&asked.method.as_str()))
                .count()
        };
        Self {
            reads: count(&["GET", "HEAD", "LIST"]),
            writes: count(&["PUT"]),
            deletes: count(&["DELETE"]),
        }
    }
}

impl Counting {
    fn new() -> Self {
        let counting = Self {
            s3: S3::start("vaults").unwrap(),
        };
        Vault::create(counting.bucket(None), &Secret::None, VaultOptions::default()).unwrap();
        counting.s3.take_log();
        counting
    }

    fn bucket(&self, cache: Option<&Path>) -> Arc<Bucket> {
        let bucket = Bucket::open_with("s3://vaults/acme", self.s3.variables(), Patience::default()).unwrap();
        Arc::new(match cache {
            Some(dir) => bucket.remembering(dir, &Clock::system()),
            None => bucket,
        })
    }

    fn open(&self, cache: Option<&Path>) -> Vault {
        let options = VaultOptions {
            cache_dir: cache.map(Path::to_owned),
            ..VaultOptions::default()
        };
        Vault::open(self.bucket(cache), &Secret::None, options).unwrap()
    }

    fn count(&self, what: &str) -> Count {
        let log = self.s3.take_log();
        let count = Count::of(&log);
        println!("{what}: {count:?}");
        if std::env::var_os("HALITE_REQUESTS").is_some() {
            for asked in &log {
                let key = asked.key.trim_start_matches("acme/");
                println!(
                    "  {} {} {}",
                    asked.method,
                    &key[..key.len().min(24)],
                    asked.range.as_deref().unwrap_or("")
                );
            }
        }
        count
    }

    fn capture(&self, org: &mut Wide, cache: Option<&Path>) {
        let vault = self.open(cache);
        let report = backup(&vault, org, &BackupOptions::default(), &mut |_| ()).unwrap();
        assert!(report.complete());
    }
}

#[test]
fn quiet() {
    let cloud = Counting::new();
    let cache = tempfile::tempdir().unwrap();
    let cache = Some(cache.path());
    let mut org = Wide::new(500, 3);
    cloud.capture(&mut org, cache);
    cloud.count("first of 500");
    org.pass();
    cloud.capture(&mut org, cache);
    cloud.count("quiet");
    org.pass();
    cloud.capture(&mut org, None);
    cloud.count("quiet, no cache");
}

#[test]
fn points() {
    let cloud = Counting::new();
    let mut org = Wide::new(3, 20_000);
    cloud.capture(&mut org, None);
    org.edit(3, 100);
    cloud.capture(&mut org, None);
    cloud.count("made");
    let vault = cloud.open(None);
    cloud.count("opened");
    let state = State::at(&vault, &vault.find_snapshot(vault.orgs()[0], "2").unwrap());
    for n in [4000, 12_000, 103] {
        let id = Wide::id(0, n);
        let sobject = state.sobject_of(id).unwrap().unwrap();
        let record = state.get(&sobject, id).unwrap().unwrap();
        assert!(record.json.contains(&org.text(0, n)));
        cloud.count("point");
    }
}

#[test]
fn increments() {
    for rows in [20_000, 80_000] {
        let cloud = Counting::new();
        let cache = tempfile::tempdir().unwrap();
        let cache = Some(cache.path());
        let mut org = Wide::new(1, rows);
        cloud.capture(&mut org, cache);
        cloud.count("all");
        org.edit(3, 100);
        cloud.capture(&mut org, cache);
        cloud.count("increment");
        org.edit(5, 100);
        cloud.capture(&mut org, None);
        cloud.count("increment, no cache");
    }
}
