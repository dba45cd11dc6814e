//! Tests of key slots: each secret opens its own, damage is told from a wrong secret, hostile slots are bounded.
//!
//! Key decision: Argon2 runs at a cost for tests; one test runs at full cost.
//! Nothing here looks inside the sealing, which `format::seal` tests.

use super::*;
use crate::base::stamp::Stamp;
use crate::store::faulty::Faulty;
use crate::store::memory::Memory;

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

fn add(store: &dyn Backend, secret: &Secret, clock: &Clock) -> String {
    create_slot_with(store, &VAULT, &master(), secret, clock, Cost::FOR_TESTS).unwrap()
}

fn kind_of(result: Result<MasterKey>) -> (Kind, String) {
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
    assert_eq!(slots(&store, &VAULT).unwrap().len(), 4);
}

#[test]
fn a_slot_can_be_revoked() {
    let (store, clock) = (Memory::new(), clock());
    let name = add(&store, &passphrase("a"), &clock);
    add(&store, &passphrase("b"), &clock);
    remove_slot(&store, &name).unwrap();
    assert_eq!(kind_of(unlock(&store, &VAULT, &passphrase("a"))).0, Kind::Auth);
    unlock(&store, &VAULT, &passphrase("b")).unwrap();
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
    assert!(create_slot(&store, &VAULT, &master(), &short, &clock()).is_err());
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
    assert_eq!(slots(&store, &VAULT).unwrap(), [SlotInfo { name, wrap: None }]);
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
    let newer = forged(&store, &name, |bytes| bytes[8] = 2);
    assert_eq!(kind_of(unlock(&newer, &VAULT, &key_file(1))).0, Kind::Unsupported);
    let capture = forged(&store, &name, |bytes| bytes[11] = 2);
    assert_eq!(kind_of(unlock(&capture, &VAULT, &key_file(1))).0, Kind::NotFound);
}

#[test]
fn the_full_cost_works_and_secrets_do_not_show() {
    let store = Memory::new();
    create_slot(&store, &VAULT, &master(), &passphrase("p"), &clock()).unwrap();
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
        "42bd4e1f68467b5c187ec610ca8d790a22f32e2d9f83d24b42590538f077450c"
    );
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_survived(bytes: Vec<u8>) {
        proptest::prop_assert!(Slot::decode(&bytes).is_err());
    }
}
