//! Tests of key slots: each secret opens its own, damage is told from a wrong secret, hostile slots are bounded.
//!
//! Key decision: Argon2 runs at a cost for tests; one test runs at full cost.
//! Nothing here looks inside the sealing, which `format::seal` tests.

use zeroize::Zeroizing;

use super::*;
use crate::store::faulty::Faulty;
use crate::store::memory::Memory;
use crate::vault::slot::{CHECK_BYTES, checksum};

const VAULT: [u8; 16] = [9; 16];

fn master() -> MasterKey {
    MasterKey::from_bytes([0x42; 32])
}

fn clock() -> Clock {
    Clock::driven(Stamp::from_millis(0), 5)
}

fn passphrase(text: &str) -> Secret {
    Secret::Passphrase(Zeroizing::new(text.into()))
}

fn key_file(byte: u8) -> Secret {
    Secret::KeyFile(Zeroizing::new(vec![byte; 32]))
}

fn create(store: &dyn Backend, secret: &Secret, clock: &Clock, cost: Cost) -> Result<String> {
    create_slot(store, &VAULT, &Ring::new(master()), secret, clock, cost)
}

fn add(store: &dyn Backend, secret: &Secret, clock: &Clock) -> String {
    slot_name(&create(store, secret, clock, Cost::FOR_TESTS).unwrap())
}

/// The master key that a secret unwraps.
fn unlock(store: &dyn Backend, vault: &[u8; 16], secret: &Secret) -> Result<MasterKey> {
    super::unlock(store, vault, secret).map(|(ring, _)| ring.newest().clone())
}

/// Makes a vault of a store, as far as slots go.
fn marked(store: &dyn Backend) {
    store
        .put_new(marker::NAME, marker::text(&VAULT).as_bytes())
        .unwrap();
}

fn kind_of<T: std::fmt::Debug>(result: Result<T>) -> (Kind, String) {
    let e = result.unwrap_err();
    (e.kind(), e.to_string())
}

#[test]
fn each_secret_opens_its_slot_and_no_other() {
    let (store, clock) = (Memory::new(), clock());
    let secrets = [
        passphrase("correct horse"),
        passphrase("другой"),
        key_file(1),
        Secret::None,
    ];
    for secret in &secrets {
        add(&store, secret, &clock);
    }
    assert_eq!(store.list("keys/").unwrap().len(), 8);
    for secret in &secrets {
        assert_eq!(unlock(&store, &VAULT, secret).unwrap(), master(), "{secret:?}");
    }
    for wrong in [passphrase("correct horse "), key_file(2)] {
        let (kind, text) = kind_of(unlock(&store, &VAULT, &wrong));
        assert!(
            kind == Kind::Auth && text.contains("does not open memory"),
            "{text}"
        );
    }
    marked(&store);
    let listed = slots(&store).unwrap();
    assert!(listed.len() == 4 && listed.iter().all(|slot| slot.whole));
}

fn holder(store: &Faulty, secret: &Secret) -> Holder {
    Holder::open(Arc::new(store.memory()), secret).unwrap()
}

#[test]
fn a_slot_can_be_revoked_but_not_the_one_that_was_opened() {
    let (store, clock) = (Faulty::new(1), clock());
    marked(&store);
    add(&store, &passphrase("a"), &clock);
    let first = holder(&store, &passphrase("a"));
    let (kind, text) = kind_of(first.remove(first.slot()));
    assert!(
        kind == Kind::Invalid && text.contains("with another key"),
        "{text}"
    );
    let second = first.add(&passphrase("b"), &clock, Cost::FOR_TESTS).unwrap();
    assert_eq!(kind_of(first.remove("zz")).0, Kind::NotFound);
    assert_eq!(kind_of(first.remove("")).0, Kind::NotFound);
    let gone = holder(&store, &passphrase("b"))
        .remove(&first.slot()[..6])
        .unwrap();
    assert_eq!(gone.id, first.slot());
    assert_eq!(kind_of(unlock(&store, &VAULT, &passphrase("a"))).0, Kind::Auth);
    unlock(&store, &VAULT, &passphrase("b")).unwrap();
    let facts = slots(&store).unwrap()[0].facts.unwrap();
    assert_eq!(
        (facts.wrap, facts.made, facts.generation),
        (Wrap::Passphrase, clock.now(), 1)
    );
    assert_eq!(
        store.list("keys/").unwrap(),
        [slot_name(&second), copy_of(&slot_name(&second))]
    );
}

#[test]
fn a_vault_has_no_more_slots_than_a_reader_tries() {
    let (store, clock) = (Faulty::new(1), clock());
    marked(&store);
    (0..SLOTS_MAX as u8).for_each(|n| drop(add(&store, &key_file(n), &clock)));
    let one = holder(&store, &key_file(63));
    assert_eq!(
        kind_of(one.add(&key_file(200), &clock, Cost::FOR_TESTS)).0,
        Kind::Quota
    );
}

#[test]
fn a_damaged_copy_is_written_anew_from_the_other() {
    let (store, clock) = (Faulty::new(1), clock());
    marked(&store);
    let name = add(&store, &passphrase("p"), &clock);
    let good = store.get(&name).unwrap();
    assert!(holder(&store, &passphrase("p")).repair().unwrap().is_empty());
    for bad in [name.clone(), copy_of(&name)] {
        for damage in [
            |store: &Faulty, bad: &str| store.corrupt(bad, 90),
            |store: &Faulty, bad: &str| store.lose(bad),
        ] {
            damage(&store, &bad);
            assert!(!slots(&store).unwrap()[0].whole);
            assert_eq!(
                holder(&store, &passphrase("p")).repair().unwrap(),
                std::slice::from_ref(&bad)
            );
            assert!(slots(&store).unwrap()[0].whole && store.get(&bad).unwrap() == good);
        }
    }
}

#[test]
fn changing_a_passphrase_leaves_a_slot_that_opens_wherever_it_fails() {
    for nth in 1.. {
        let (store, clock) = (Faulty::new(nth), clock());
        marked(&store);
        add(&store, &passphrase("a"), &clock);
        let (made, shared) = (store.mutations(), Arc::new(store));
        shared.fail_at(nth, crate::store::faulty::Fault::Crash);
        let change = || {
            let old = Holder::open(shared.clone(), &passphrase("a"))?;
            old.add(&passphrase("b"), &clock, Cost::FOR_TESTS)?;
            Holder::open(shared.clone(), &passphrase("b"))?.remove(old.slot())
        };
        let changed = change().is_ok();
        let left = shared.crash_image();
        let opens = |text: &str| unlock(&left, &VAULT, &passphrase(text)).is_ok();
        assert!(opens("a") || opens("b"), "{nth}");
        if changed {
            assert_eq!(shared.mutations() - made, 4);
            return;
        }
    }
}

#[test]
fn the_error_says_which_secret_is_asked_for() {
    let store = Memory::new();
    assert_eq!(kind_of(unlock(&store, &VAULT, &Secret::None)).0, Kind::NotFound);
    add(&store, &key_file(1), &clock());
    let (kind, text) = kind_of(unlock(&store, &VAULT, &passphrase("x")));
    assert!(
        kind == Kind::Auth && text.contains("by a key file, not by a passphrase"),
        "{text}"
    );
    let (kind, text) = kind_of(unlock(&store, &VAULT, &Secret::None));
    assert!(kind == Kind::Auth && text.contains("--key-file"), "{text}");
    assert_eq!(kind_of(unlock(&store, &VAULT, &passphrase(""))).0, Kind::Invalid);
    let short = Secret::KeyFile(Zeroizing::new(vec![1; 31]));
    assert_eq!(kind_of(unlock(&store, &VAULT, &short)).0, Kind::Invalid);
    assert!(create(&store, &short, &clock(), Cost::STRONG).is_err());
}

#[test]
fn a_damaged_slot_is_read_from_its_copy_byte_by_byte() {
    let store = Faulty::new(1);
    let name = add(&store, &passphrase("p"), &clock());
    assert_eq!(store.size(&name).unwrap(), SLOT_BYTES as u64);
    for at in 0..SLOT_BYTES {
        store.corrupt(&name, at);
        assert_eq!(
            unlock(&store, &VAULT, &passphrase("p")).unwrap(),
            master(),
            "byte {at}"
        );
        store.corrupt(&name, at);
    }
    store.truncate(&name, 100);
    unlock(&store, &VAULT, &passphrase("p")).unwrap();
    store.lose(&name);
    unlock(&store, &VAULT, &passphrase("p")).unwrap();
    let copy = format!("{name}.copy");
    store.corrupt(&copy, 60);
    let (kind, text) = kind_of(unlock(&store, &VAULT, &passphrase("p")));
    assert!(
        matches!(kind, Kind::NotFound | Kind::Corrupt) && text.contains("no key slot"),
        "{text}"
    );
}

#[test]
fn damage_in_both_copies_is_not_called_a_wrong_passphrase() {
    let store = Faulty::new(1);
    let name = add(&store, &passphrase("p"), &clock());
    for name in [name.clone(), format!("{name}.copy")] {
        store.corrupt(&name, SLOT_BYTES - 60);
    }
    let (kind, text) = kind_of(unlock(&store, &VAULT, &passphrase("p")));
    assert!(kind == Kind::Corrupt && text.contains("checksum"), "{text}");
    marked(&store);
    let id = name.strip_prefix("keys/").unwrap().to_owned();
    let unreadable = SlotInfo {
        id,
        facts: None,
        whole: false,
    };
    assert_eq!(slots(&store).unwrap(), [unreadable]);
}

/// A slot whose bytes were changed, with the checksum made to fit.
fn forged(store: &Memory, name: &str, change: impl Fn(&mut Vec<u8>)) -> Memory {
    let mut bytes = store.get(name).unwrap();
    bytes.truncate(SLOT_BYTES - CHECK_BYTES);
    change(&mut bytes);
    let check = checksum(&bytes);
    bytes.extend_from_slice(&check);
    let other = Memory::new();
    other.put_new(name, &bytes).unwrap();
    other
}

#[test]
fn everything_in_a_slot_is_authenticated() {
    let store = Memory::new();
    let name = add(&store, &key_file(1), &clock());
    for at in 0..SLOT_BYTES - CHECK_BYTES {
        let forged = forged(&store, &name, |bytes| bytes[at] ^= 1);
        assert!(unlock(&forged, &VAULT, &key_file(1)).is_err(), "byte {at}");
    }
    unlock(&forged(&store, &name, |_| {}), &VAULT, &key_file(1)).unwrap();
}

#[test]
fn a_slot_cannot_ask_for_the_machine() {
    let store = Memory::new();
    let name = add(&store, &passphrase("p"), &clock());
    for (at, value) in [(48, u32::MAX), (52, 65), (56, 17), (48, (1 << 20) + 1)] {
        let forged = forged(&store, &name, |b| {
            b[at..at + 4].copy_from_slice(&value.to_le_bytes())
        });
        let (kind, text) = kind_of(unlock(&forged, &VAULT, &passphrase("p")));
        assert!(kind == Kind::Corrupt && text.contains("asks for"), "{text}");
    }
    for n in 0..70 {
        store.put_new(&format!("keys/{n:032x}"), b"x").unwrap();
    }
    assert_eq!(kind_of(unlock(&store, &VAULT, &passphrase("p"))).0, Kind::Invalid);
}

#[test]
fn slots_of_other_vaults_and_newer_kinds_are_of_no_use() {
    let store = Memory::new();
    let name = add(&store, &key_file(1), &clock());
    assert_eq!(kind_of(unlock(&store, &[1; 16], &key_file(1))).0, Kind::Corrupt);
    let generation = |n: u16| {
        let forged = forged(&store, &name, |b| b[14..16].copy_from_slice(&n.to_le_bytes()));
        kind_of(unlock(&forged, &VAULT, &key_file(1))).0
    };
    assert_eq!((generation(0), generation(1001)), (Kind::Corrupt, Kind::Corrupt));
    let newer = forged(&store, &name, |bytes| bytes[8] = 2);
    assert_eq!(kind_of(unlock(&newer, &VAULT, &key_file(1))).0, Kind::Unsupported);
    let capture = forged(&store, &name, |bytes| bytes[11] = 2);
    assert_eq!(kind_of(unlock(&capture, &VAULT, &key_file(1))).0, Kind::NotFound);
}

#[test]
fn the_full_cost_works_and_secrets_do_not_show() {
    let store = Memory::new();
    create(&store, &passphrase("p"), &clock(), Cost::STRONG).unwrap();
    unlock(&store, &VAULT, &passphrase("p")).unwrap();
    assert_eq!(format!("{:?}", passphrase("hidden")), "Secret(a passphrase)");
}

/// A change of this hash is a change of the format: raise the version and keep reading the old one.
#[test]
fn the_bytes_are_for_ever() {
    let (store, clock) = (Memory::new(), clock());
    let mut all = Vec::new();
    for secret in [passphrase("p"), key_file(1), Secret::None] {
        all.extend(store.get(&add(&store, &secret, &clock)).unwrap());
    }
    assert_eq!(
        blake3::hash(&all).to_hex().as_str(),
        "cc613bae173773c9d435869ceef61cb03751e68590cda6be6e1102deafd08bbc"
    );
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_survived(bytes: Vec<u8>) {
        proptest::prop_assert!(Slot::decode(&bytes).is_err());
    }
}
