//! When a store is asked whether it keeps conditions, and what a store that stopped doing so can do.
//!
//! Key decision: machines are folders; a store begins to lie between two writes, and whoever could lose something must be
//! refused before anything is published. Which answers a probe takes for honest stands in `object.rs`.

use halite_engine::Kind;
use halite_engine::ops::capture::{BackupOptions, backup};
use halite_simulator_s3::Lie;
use tempfile::TempDir;

use super::Cloud;
use super::org::Wide;

/// What a whole probe asks, and one without races.
const WHOLE: usize = 26;
const ALONE: usize = 7;

fn machines() -> [TempDir; 2] {
    [(); 2].map(|()| tempfile::tempdir().unwrap())
}

#[test]
fn who_writes_alone_is_probed_once() {
    let (cloud, [one, two]) = (Cloud::new(), machines());
    let mut org = Wide::new(2, 10);
    let mut probes = |cache: Option<&TempDir>| {
        org.pass();
        cloud.capture(&mut org, cache).probe
    };
    assert_eq!([&one, &one, &one].map(|cache| probes(Some(cache))), [WHOLE, 0, 0]);
    assert_eq!(probes(Some(&two)), WHOLE, "it never wrote there");
    assert_eq!(
        [&one, &one, &two, &one].map(|cache| probes(Some(cache))),
        [ALONE, 0, ALONE, ALONE]
    );
    assert_eq!(probes(None), WHOLE);
    // Two processes of one machine: the one that is there has the lock.
    assert_eq!(probes(Some(&one)), ALONE);
    let there = cloud.bucket(Some(&one));
    assert_eq!([&one, &one].map(|cache| probes(Some(cache))), [ALONE, ALONE]);
    drop(there);
    assert_eq!(probes(Some(&one)), 0);
}

#[test]
fn a_store_that_begins_to_lie_is_refused_before_two_write_there() {
    for lie in [Lie::All, Lie::Creates, Lie::Replaces] {
        let (cloud, [one, two]) = (Cloud::new(), machines());
        let mut org = Wide::new(2, 10);
        cloud.capture(&mut org, Some(&two));
        org.pass();
        cloud.capture(&mut org, Some(&one));
        cloud.s3.lie(lie);
        let mut refused = |cache: &TempDir| {
            org.pass();
            let vault = cloud.open(Some(cache));
            let before = vault.catalog().version();
            let error = backup(&vault, &mut org, &BackupOptions::default(), &mut |_| ())
                .err()
                .unwrap();
            assert_eq!(error.kind(), Kind::Unsupported, "{lie:?}: {error}");
            assert_eq!(cloud.open(None).catalog().version(), before, "{lie:?}");
        };
        refused(&two);
        // Who wrote last loses nothing as long as nobody else writes.
        org.pass();
        cloud.capture(&mut org, Some(&one));
        let mut refused = |cache: &TempDir| {
            let vault = cloud.open(Some(cache));
            let error = backup(&vault, &mut org, &BackupOptions::default(), &mut |_| ())
                .err()
                .unwrap();
            assert_eq!(error.kind(), Kind::Unsupported, "{lie:?}: {error}");
        };
        refused(&two);
        let there = cloud.bucket(Some(&one));
        refused(&one);
        drop(there);
    }
}
