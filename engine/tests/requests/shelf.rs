//! What is kept of a far store on this machine: never believed, bounded, and nobody else's.
//!
//! Key decision: the files are spoilt behind everybody's back, and then all records must be as they are, at the cost of
//! requests alone. How files are named is not looked at, but for the pack that they are of.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use halite_engine::ops::check::{CheckOptions, check};
use halite_engine::ops::erase::{EraseOptions, erase};
use halite_engine::ops::state::State;
use halite_engine::vault::{Vault, VaultOptions};
use tempfile::TempDir;

use super::Cloud;
use super::org::Wide;

/// All files of the shelves in a cache, sorted.
fn files(cache: &TempDir) -> Vec<PathBuf> {
    let shelves = fs::read_dir(cache.path())
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let shelves = shelves.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("packs-"));
    let all = shelves.flat_map(|shelf| fs::read_dir(shelf).unwrap().flatten());
    let mut all: Vec<_> = all.map(|entry| entry.path()).collect();
    all.sort();
    all
}

fn bytes(files: &[PathBuf]) -> u64 {
    files.iter().map(|file| fs::metadata(file).unwrap().len()).sum()
}

/// Everything that a vault holds is as the org has it.
fn whole(vault: &Vault, org: &Wide) {
    let state = State::at(vault, &vault.find_snapshot(vault.orgs()[0], "latest").unwrap());
    for sobject in 0..org.sobjects {
        let mut n = 0;
        let each = &mut |record: &halite_engine::ops::state::Record| {
            assert_eq!(record.id, Wide::id(sobject, n));
            assert!(record.json.contains(&org.text(sobject, n)), "{}", record.json);
            n += 1;
            Ok(())
        };
        state.each(&Wide::name(sobject), each).unwrap();
        assert_eq!(n, org.rows);
    }
}

/// A vault of two snapshots, and the cache of who made it.
fn made() -> (Cloud, TempDir, Wide) {
    let (cloud, cache, mut org) = (Cloud::new(), tempfile::tempdir().unwrap(), Wide::new(3, 4000));
    cloud.capture(&mut org, Some(&cache));
    org.edit(3, 100);
    cloud.capture(&mut org, Some(&cache));
    (cloud, cache, org)
}

#[test]
fn files_that_are_wrong_cost_requests_and_nothing_else() {
    let flip = |bytes: &mut Vec<u8>| {
        let step = (bytes.len() / 200).max(1);
        bytes.iter_mut().step_by(step).for_each(|byte| *byte ^= 0x20);
    };
    type Spoil<'a> = &'a dyn Fn(&mut Vec<u8>);
    let spoils: [Spoil<'_>; 4] = [
        &flip,
        &|bytes| bytes.truncate(bytes.len() / 2),
        &|bytes| bytes.fill(0),
        // As long as it was, and from elsewhere in the pack.
        &|bytes| bytes.rotate_left(100),
    ];
    for (number, spoil) in spoils.into_iter().enumerate() {
        let (cloud, cache, mut org) = made();
        let before = files(&cache);
        assert!(before.len() > 4, "{before:?}");
        for file in &before {
            let mut bytes = fs::read(file).unwrap();
            spoil(&mut bytes);
            fs::write(file, bytes).unwrap();
        }
        whole(&cloud.open(Some(&cache)), &org);
        let again = cloud.count();
        assert!(again.reads > 6, "{number}: it was fetched again: {again:?}");
        // What was fetched is kept, and right.
        cloud.open(Some(&cache));
        let opened = cloud.count();
        assert_eq!(opened.reads, 4, "{number}: {opened:?}");
        for file in files(&cache) {
            fs::write(file, b"x").unwrap();
        }
        org.edit(7, 100);
        cloud.capture(&mut org, Some(&cache));
        whole(&cloud.open(None), &org);
    }
}

#[test]
fn another_vaults_files_are_no_use_and_two_vaults_share_a_folder() {
    let (cloud, cache, org) = made();
    let (other, theirs, mut wider) = (Cloud::of(2), tempfile::tempdir().unwrap(), Wide::new(4, 3000));
    other.capture(&mut wider, Some(&theirs));
    // Theirs under the names of ours.
    for (ours, theirs) in files(&cache).iter().zip(files(&theirs).iter().cycle()) {
        let mut bytes = fs::read(theirs).unwrap();
        bytes.resize(fs::metadata(ours).unwrap().len() as usize, 0);
        fs::write(ours, bytes).unwrap();
    }
    whole(&cloud.open(Some(&cache)), &org);
    // Both URLs are the same: it is the vault that counts.
    for _ in 0..2 {
        whole(&other.open(Some(&cache)), &wider);
        whole(&cloud.open(Some(&cache)), &org);
    }
    cloud.count();
    other.count();
    other.open(Some(&cache));
    cloud.open(Some(&cache));
    assert_eq!((cloud.count().reads, other.count().reads), (4, 4));
}

#[test]
fn the_bound_is_kept_and_the_files_may_go_at_any_time() {
    let (cloud, cache, mut org) = made();
    let all = bytes(&files(&cache));
    let small = || VaultOptions {
        shelf_bytes: all / 2,
        ..VaultOptions::default()
    };
    let other = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        whole(&cloud.open_with(Some(&other), small()), &org);
        let kept = bytes(&files(&other));
        assert!(kept > 0 && kept <= all / 2, "{kept} of {all}");
    }
    let nothing = VaultOptions {
        shelf_bytes: 0,
        ..VaultOptions::default()
    };
    let none = tempfile::tempdir().unwrap();
    whole(&cloud.open_with(Some(&none), nothing), &org);
    assert!(files(&none).is_empty());
    // Under the feet of an open vault, which keeps nothing in memory.
    let forgetful = VaultOptions {
        cache_bytes: 0,
        ..VaultOptions::default()
    };
    let vault = cloud.open_with(Some(&cache), forgetful);
    files(&cache)
        .iter()
        .step_by(2)
        .for_each(|file| fs::remove_file(file).unwrap());
    whole(&vault, &org);
    fs::remove_dir_all(cache.path()).unwrap();
    whole(&vault, &org);
    org.edit(9, 100);
    cloud.capture(&mut org, Some(&cache));
    whole(&cloud.open(Some(&cache)), &org);
    fs::create_dir_all(cache.path()).unwrap();
}

#[test]
fn what_is_kept_is_sealed_and_goes_with_its_pack() {
    let (cloud, cache, org) = made();
    for file in files(&cache) {
        let bytes = fs::read(&file).unwrap();
        for text in [Wide::id(0, 3).to_string(), Wide::name(0), org.text(0, 3)] {
            assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()));
        }
    }
    // Another machine erases a record: the packs that it was in are deleted.
    let elsewhere = cloud.open(None);
    let gone = erase(
        &elsewhere,
        elsewhere.orgs()[0],
        &[Wide::id(0, 3)],
        &EraseOptions::default(),
        &mut |_| (),
    );
    assert!(gone.unwrap().proof.holds());
    let there: BTreeSet<String> = cloud
        .s3
        .keys()
        .iter()
        .map(|key| key.rsplit('/').next().unwrap().to_owned())
        .collect();
    let of = |file: &PathBuf| file.file_name().unwrap().to_str().unwrap()[..64].to_owned();
    assert!(files(&cache).iter().any(|file| !there.contains(&of(file))));
    cloud.open(Some(&cache));
    let left = files(&cache);
    assert!(
        !left.is_empty() && left.iter().all(|file| there.contains(&of(file))),
        "{left:?}"
    );
}

#[test]
fn a_check_looks_at_the_store() {
    let (cloud, cache, _) = made();
    let options = CheckOptions::default();
    assert!(check(&cloud.open(Some(&cache)), &options).unwrap().is_sound());
    for key in cloud.s3.keys().iter().filter(|key| key.contains("packs/")) {
        let mut bytes = cloud.s3.object(key).unwrap();
        let sound = bytes.clone();
        // In the directory, which is on the shelf.
        let at = bytes.len() - 30;
        bytes[at] ^= 1;
        cloud.s3.plant(key, &bytes);
        let found = check(&cloud.open(Some(&cache)), &options).unwrap();
        assert!(!found.is_sound(), "{key}");
        cloud.s3.plant(key, &sound);
    }
    assert!(check(&cloud.open(Some(&cache)), &options).unwrap().is_sound());
}
