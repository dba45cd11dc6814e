//! How often a vault asks its object store, counted by the store: the budgets of `docs/object-storage.md`.
//!
//! Key decision: each case is a process of its own: it opens the bucket and the vault anew, and everything that is asked
//! counts, opening too; what the probe asks is counted apart. `HALITE_REQUESTS=1` and `--nocapture` show each request. It
//! measures no time.

mod org;
mod probe;
mod shelf;

use std::fs;
use std::sync::Arc;

use halite_engine::base::clock::Clock;
use halite_engine::base::id::OrgId;
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::ops::compact::{CompactOptions, compact};
use halite_engine::ops::import::import;
use halite_engine::ops::org::Source;
use halite_engine::ops::prune::{PruneOptions, prune};
use halite_engine::ops::state::State;
use halite_engine::store::object::{Bucket, Patience};
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_simulator_s3::{Asked, S3};
use tempfile::TempDir;

use org::Wide;

/// Requests by what they are.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    reads: usize,
    writes: usize,
    deletes: usize,
    /// Any of them, for the probe.
    probe: usize,
}

impl Count {
    fn of(log: &[Asked]) -> Self {
        let (probe, others): (Vec<_>, Vec<_>) = log.iter().partition(|asked| asked.key.contains("/tmp/"));
        let count = |verbs: &[&str]| {
            let fits = |asked: &&&Asked| verbs.contains(&asked.method.as_str());
            others.iter().filter(fits).count()
        };
        Self {
            reads: count(&["GET", "HEAD", "LIST"]),
            writes: count(&["PUT"]),
            deletes: count(&["DELETE"]),
            probe: probe.len(),
        }
    }

    fn within(self, reads: usize, writes: usize) -> bool {
        self.reads <= reads && self.writes <= writes && self.deletes == 0
    }
}

/// A bucket with a vault, and what was asked of it.
struct Cloud {
    s3: S3,
}

impl Cloud {
    fn new() -> Self {
        Self::of(1)
    }

    /// With the keys of that seed.
    fn of(seed: u64) -> Self {
        let cloud = Self {
            s3: S3::start("vaults").unwrap(),
        };
        // The same key each time: with any other, filters are wrong about other Ids (2 in 100), which costs a read.
        let options = VaultOptions {
            clock: Clock::driven(Stamp::from_millis(1_700_000_000_000), seed),
            ..VaultOptions::default()
        };
        Vault::create(cloud.bucket(None), &Secret::None, options).unwrap();
        cloud.s3.take_log();
        cloud
    }

    /// As a machine sees it whose cache that is.
    fn bucket(&self, cache: Option<&TempDir>) -> Arc<Bucket> {
        let bucket = Bucket::open_with("s3://vaults/acme", self.s3.variables(), Patience::default()).unwrap();
        Arc::new(match cache {
            Some(dir) => bucket.remembering(dir.path(), &Clock::system()),
            None => bucket,
        })
    }

    fn open(&self, cache: Option<&TempDir>) -> Vault {
        self.open_with(cache, VaultOptions::default())
    }

    fn open_with(&self, cache: Option<&TempDir>, options: VaultOptions) -> Vault {
        let options = VaultOptions {
            cache_dir: cache.map(|dir| dir.path().to_owned()),
            ..options
        };
        Vault::open(self.bucket(cache), &Secret::None, options).unwrap()
    }

    /// What was asked since this was last called.
    fn count(&self) -> Count {
        Count::of(&self.s3.take_log())
    }

    fn capture(&self, org: &mut Wide, cache: Option<&TempDir>) -> Count {
        let vault = self.open(cache);
        let report = backup(&vault, org, &BackupOptions::default(), &mut |_| ()).unwrap();
        assert!(report.complete());
        self.count()
    }
}

/// Sees that a record is as the org has it, by the ways that `halite show` goes.
fn shown(vault: &Vault, org: &Wide, sobject: u32, n: u32) {
    let state = State::at(vault, &vault.find_snapshot(vault.orgs()[0], "latest").unwrap());
    let id = Wide::id(sobject, n);
    let name = state.sobject_of(id).unwrap().unwrap();
    let record = state.get(&name, id).unwrap().unwrap();
    assert!(record.json.contains(&org.text(sobject, n)), "{}", record.json);
}

#[test]
fn a_capture_in_which_nothing_changed_is_three_writes_and_six_reads() {
    let (cloud, cache) = (Cloud::new(), tempfile::tempdir().unwrap());
    let mut org = Wide::new(500, 3);
    cloud.capture(&mut org, Some(&cache));
    for _ in 0..2 {
        org.pass();
        let quiet = cloud.capture(&mut org, Some(&cache));
        assert!(quiet.within(6, 3) && quiet.probe == 0, "{quiet:?}");
    }
    // A machine that has nothing: the nodes of the catalog besides, and the probe.
    org.pass();
    let cold = cloud.capture(&mut org, None);
    assert!(cold.within(8, 3) && cold.probe == 26, "{cold:?}");
    // Another one wrote: its part of the catalog besides, and the store is asked whether it keeps conditions.
    org.pass();
    let after = cloud.capture(&mut org, Some(&cache));
    assert!(after.within(6, 3) && after.probe == 7, "{after:?}");
    assert_eq!(
        cloud
            .open(Some(&cache))
            .snapshots(cloud.open(None).orgs()[0])
            .unwrap()
            .len(),
        5
    );
}

#[test]
fn an_import_of_nothing_is_three_writes_and_six_reads() {
    let (cloud, cache) = (Cloud::new(), tempfile::tempdir().unwrap());
    let org: OrgId = "00D000000000001".parse().unwrap();
    let mut wide = Wide::new(500, 3);
    let dump = tempfile::tempdir().unwrap();
    for n in 0..500 {
        let name = Wide::name(n);
        let rows: String = (0..3)
            .map(|row| wide.row(n, row, 1_600_000_000_000) + "\n")
            .collect();
        fs::write(dump.path().join(format!("{name}.ndjson")), rows).unwrap();
        let describe = wide.describe(&name).unwrap();
        fs::write(dump.path().join(format!("{name}.describe.json")), describe).unwrap();
    }
    let day = |day: &str, delta: bool| {
        let vault = cloud.open(Some(&cache));
        import(&vault, org, day.parse().unwrap(), dump.path(), delta, &mut |_| ()).unwrap();
        cloud.count()
    };
    day("2026-01-01", false);
    // The same once more: everything is compared, with keys that are on the shelf.
    let same = day("2026-01-02", false);
    assert!(same.within(6, 3), "{same:?}");
    for n in 0..500 {
        let rows = dump.path().join(format!("{}.ndjson", Wide::name(n)));
        fs::rename(&rows, rows.with_extension("deleted")).unwrap();
        fs::write(rows.with_extension("deleted"), "").unwrap();
    }
    let nothing = day("2026-01-03", true);
    assert!(nothing.within(6, 3), "{nothing:?}");
}

#[test]
fn a_record_is_six_reads_cold_and_two_warm() {
    let cloud = Cloud::new();
    let mut org = Wide::new(3, 60_000);
    cloud.capture(&mut org, None);
    for first in [3, 20, 50] {
        org.edit(first, 100);
        cloud.capture(&mut org, None);
    }
    // Unedited, edited lately, edited first; of another sObject.
    for record in [(0, 1234), (0, 50_050), (0, 3), (2, 40_000)] {
        let vault = cloud.open(None);
        assert!(cloud.count().within(8, 0));
        shown(&vault, &org, record.0, record.1);
        let cold = cloud.count();
        assert!(cold.within(6, 0), "{record:?}: {cold:?}");
        // One that no increment has, so that all directories were looked into.
        shown(&vault, &org, record.0, 7778);
        cloud.count();
        for n in [777, 30_050, 59_999] {
            shown(&vault, &org, record.0, n);
            let warm = cloud.count();
            assert!(warm.within(2, 0), "{record:?} {n}: {warm:?}");
        }
    }
}

#[test]
fn merged_and_pruned_a_vault_of_many_days_is_read_as_cheaply() {
    let (cloud, cache) = (Cloud::new(), tempfile::tempdir().unwrap());
    let mut org = Wide::new(1, 10_000);
    cloud.capture(&mut org, Some(&cache));
    for day in 0..20 {
        org.edit(day, 100);
        cloud.capture(&mut org, Some(&cache));
        compact(&cloud.open(Some(&cache)), &CompactOptions::default(), &mut |_| ()).unwrap();
    }
    let at_once = PruneOptions {
        grace: 0,
        ..PruneOptions::default()
    };
    for _ in 0..3 {
        prune(&cloud.open(Some(&cache)), &at_once).unwrap();
    }
    let vault = cloud.open(None);
    cloud.count();
    shown(&vault, &org, 0, 4321);
    let cold = cloud.count();
    assert!(cold.within(6, 0), "{cold:?}");
    shown(&vault, &org, 0, 8019);
    assert!(cloud.count().within(2, 0));
}

#[test]
fn an_increment_does_not_ask_more_of_more_records() {
    let counts = [20_000, 80_000].map(|rows| {
        let (cloud, cache) = (Cloud::new(), tempfile::tempdir().unwrap());
        let mut org = Wide::new(1, rows);
        cloud.capture(&mut org, Some(&cache));
        org.edit(3, 100);
        let warm = cloud.capture(&mut org, Some(&cache));
        assert!(warm.within(6, 4) && warm.probe == 0, "{warm:?}");
        org.edit(5, 100);
        let cold = cloud.capture(&mut org, None);
        assert!(cold.within(16, 4), "{cold:?}");
        let vault = cloud.open(None);
        [3, 5, 7, 103, rows - 1]
            .iter()
            .for_each(|n| shown(&vault, &org, 0, *n));
        warm
    });
    assert_eq!(counts[0], counts[1]);
}
