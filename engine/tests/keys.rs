//! A new master key under a vault with snapshots: what opens it, what stays readable, what fails where.
//!
//! Key decision: after a failure at each write the vault is opened on what a crash would leave, by one of the two
//! secrets; everything it held must be there, and doing it again must finish it. Slots alone are tested beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use halite_engine::base::clock::Clock;
use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use halite_engine::format::pack::read_directory;
use halite_engine::format::seal::{Keys, MasterKey};
use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::ops::state::{Record, State};
use halite_engine::store::backend::{Backend, pack_name};
use halite_engine::store::faulty::{Fault, Faulty};
use halite_engine::store::memory::Memory;
use halite_engine::vault::keys::{Cost, Holder, slots};
use halite_engine::vault::rekey::{Rekeyed, rekey};
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_engine::{Kind, Result};

use crate::model::Model;

fn file(byte: u8) -> Secret {
    Secret::KeyFile(vec![byte; 32].into())
}

fn open(store: Arc<dyn Backend>, secret: &Secret) -> Result<Vault> {
    Vault::open(store, secret, VaultOptions::default())
}

fn renew(store: &(impl Backend + Clone + 'static), current: &Secret, kept: &Secret) -> Result<Rekeyed> {
    let store: Arc<dyn Backend> = Arc::new(store.clone());
    rekey(&store, current, kept, VaultOptions::default(), Cost::FOR_TESTS)
}

fn state(vault: &Vault, number: u64) -> BTreeMap<RecordId, String> {
    let org = vault.orgs()[0];
    let state = State::at(vault, &vault.find_snapshot(org, &number.to_string()).unwrap());
    let mut all = BTreeMap::new();
    let mut take = |r: &Record| {
        all.insert(r.id, r.json.clone());
        Ok(())
    };
    state.each("Thing__c", &mut take).unwrap();
    all
}

/// Reads everything; how many records were new and edited.
fn capture(vault: &Vault, model: &mut Model) -> (u64, u64) {
    let options = BackupOptions {
        full: true,
        ..BackupOptions::default()
    };
    let report = backup(vault, model, &options, &mut |_| ()).unwrap();
    (report.sobjects[0].created, report.sobjects[0].edited)
}

/// A vault with one snapshot that `file(1)` and `file(2)` open, and the org it came from.
fn begin(store: Arc<dyn Backend>) -> Model {
    let vault = Vault::create(store.clone(), &file(1), VaultOptions::default()).unwrap();
    let holder = Holder::open(store, &file(1)).unwrap();
    holder.add(&file(2), &Clock::system(), Cost::FOR_TESTS).unwrap();
    let mut model = Model {
        now: 1_700_000_000_000,
        ..Model::default()
    };
    (0..200).for_each(|n| model.put(n, &format!("name {n}"), Some(i64::from(n))));
    assert_eq!(capture(&vault, &mut model), (200, 0));
    model
}

#[test]
fn a_new_key_opens_all_and_deduplicates_with_all() {
    let store = Arc::new(Memory::new());
    let mut model = begin(store.clone());
    let first = model.truth();
    let packs: BTreeSet<String> = store.list("packs/").unwrap().into_iter().collect();
    for generation in 2..5 {
        let kept = if generation == 3 { file(4) } else { file(1) };
        let current = if generation == 4 { file(4) } else { file(1) };
        let done = renew(&store, &current, &kept).unwrap();
        assert_eq!(done.generation, generation);
        assert_eq!(done.removed.len(), if generation == 2 { 2 } else { 1 });
        assert_eq!(slots(&*store).unwrap().len(), 1);
        assert_eq!(
            store.list("rings/").unwrap().len(),
            2,
            "the former rings are gone"
        );
        let vault = open(store.clone(), &kept).unwrap();
        assert_eq!(state(&vault, 1), first);
        model.put(generation as u32, "edited", None);
        assert_eq!(
            capture(&vault, &mut model),
            (0, 1),
            "all others are known by their hashes"
        );
        let newest = vault.find_snapshot(vault.orgs()[0], "latest").unwrap().number;
        assert_eq!(state(&vault, newest), model.truth());
        let former = vault.catalog().former_packs().unwrap();
        assert!(former.iter().all(|pack| vault.catalog().has_pack(pack)));
        assert_eq!(done.former_packs, former.len());
        if generation == 2 {
            let names: BTreeSet<String> = former.iter().map(pack_name).collect();
            assert_eq!(names, packs);
        }
    }
    assert_eq!(open(store, &file(2)).err().unwrap().kind(), Kind::Auth);
}

#[test]
fn the_former_key_reads_nothing_new_and_writes_nothing() {
    let store = Arc::new(Memory::new());
    let clock = || Clock::driven(Stamp::from_millis(0), 11);
    let options = || VaultOptions {
        clock: clock(),
        ..VaultOptions::default()
    };
    let vault = Vault::create(store.clone(), &Secret::None, options()).unwrap();
    let drawn = clock();
    let _vault: [u8; 16] = drawn.random().unwrap();
    let old = Keys::derive(&MasterKey::generate(&drawn).unwrap());
    let before: BTreeSet<String> = store.list("packs/").unwrap().into_iter().collect();
    renew(&store, &Secret::None, &file(1)).unwrap();
    let refused = vault.put_grant("name", b"token").unwrap_err();
    assert!(refused.to_string().contains("open it anew"), "{refused}");
    assert!(vault.refresh().is_err());
    open(store.clone(), &file(1))
        .unwrap()
        .put_grant("name", b"token")
        .unwrap();
    let mut counts = [0, 0];
    for pack in open(store.clone(), &file(1)).unwrap().catalog().packs() {
        let name = pack_name(&pack);
        let size = store.size(&name).unwrap();
        let read = read_directory(&old, &pack, size, |at, len| store.get_range(&name, at, len)).is_ok();
        assert_eq!(read, before.contains(&name), "{name}");
        counts[usize::from(read)] += 1;
    }
    assert!(counts[0] >= 4 && counts[1] >= 2, "{counts:?}");
}

#[test]
fn grants_of_before_are_read_after() {
    let store = Arc::new(Memory::new());
    let vault = Vault::create(store.clone(), &file(1), VaultOptions::default()).unwrap();
    vault.put_grant("acme", b"token").unwrap();
    renew(&store, &file(1), &file(1)).unwrap();
    let vault = open(store, &file(1)).unwrap();
    assert_eq!(vault.grant("acme").unwrap().unwrap().as_slice(), b"token");
}

#[test]
fn a_stale_slot_says_what_happened() {
    let store = Faulty::new(1);
    begin(Arc::new(store.memory()));
    let names = store.list("keys/").unwrap();
    let old: Vec<Vec<u8>> = names.iter().map(|name| store.get(name).unwrap()).collect();
    renew(&store.memory(), &file(1), &file(3)).unwrap();
    for (name, bytes) in names.iter().zip(&old) {
        store.put_new(name, bytes).unwrap();
    }
    let e = open(Arc::new(store.memory()), &file(1)).err().unwrap();
    assert!(
        e.kind() == Kind::Auth && e.to_string().contains("given a new key"),
        "{e}"
    );
    // A ring that is damaged is read from its copy, and repaired.
    let rings = store.list("rings/").unwrap();
    store.corrupt(&rings[0], 60);
    open(Arc::new(store.memory()), &file(3)).unwrap();
    let holder = Holder::open(Arc::new(store.memory()), &file(3)).unwrap();
    assert_eq!(holder.repair().unwrap(), [rings[0].clone()]);
    rings.iter().for_each(|ring| store.lose(ring));
    let e = open(Arc::new(store.memory()), &file(3)).err().unwrap();
    assert!(
        e.kind() == Kind::NotFound && e.to_string().contains("from a copy"),
        "{e}"
    );
}

#[test]
fn a_rekey_that_fails_anywhere_leaves_a_key_that_opens() {
    for fault in [Fault::Before, Fault::After, Fault::Full, Fault::Crash] {
        for nth in 1.. {
            let store = Arc::new(Faulty::new(nth));
            let model = begin(store.clone());
            let before = store.mutations();
            store.fail_at(nth, fault);
            let done = renew(&store, &file(1), &file(3));
            let reached = store.mutations() - before >= nth;
            let left = Arc::new(store.crash_image());
            let (old, new) = (open(left.clone(), &file(1)), open(left.clone(), &file(3)));
            assert!(
                old.is_ok() != new.is_ok(),
                "{fault:?} at {nth}: one key is in force"
            );
            assert!(done.is_err() || new.is_ok(), "{fault:?} at {nth}");
            let works = if new.is_ok() { file(3) } else { file(1) };
            assert_eq!(
                state(&old.or(new).unwrap(), 1),
                model.truth(),
                "{fault:?} at {nth}"
            );
            renew(&left, &works, &file(3)).unwrap();
            assert_eq!(slots(&*left).unwrap().len(), 1, "{fault:?} at {nth}");
            assert_eq!(state(&open(left, &file(3)).unwrap(), 1), model.truth());
            if !reached {
                assert!(nth > 10, "ring, slot, metadata, root, and old slots gone: {nth}");
                break;
            }
        }
    }
}
