//! What every backend must do, as one suite that any of them can be put through.
//!
//! Key decision: it is part of the crate under the feature `testing`, so that a host's own backend is held to the
//! same contract. It says nothing of durability: no test in one process can see it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a suite that fails by panicking, for tests only"
)]

use std::sync::Barrier;

use crate::base::error::Kind;
use crate::store::backend::{Backend, Begin, OBJECT_BYTES_MAX, ROOT_BYTES_MAX};

/// Puts empty backends, made by `make`, through the whole contract; panics at the first breach.
pub fn backend_suite(make: &dyn Fn() -> Box<dyn Backend>) {
    objects(&*make());
    ranges(&*make());
    parts(&*make());
    listing(&*make());
    names(&*make());
    bounds(&*make());
    roots(&*make());
    for _ in 0..8 {
        race_of_puts(&*make());
        race_of_swaps(&*make());
    }
    readers_see_whole_objects(&*make());
}

fn objects(store: &dyn Backend) {
    assert!(!store.describe().is_empty());
    for (name, bytes) in [
        ("vault", &b"marker"[..]),
        ("packs/ab/00", b""),
        ("keys/0", &[0xff; 100_000]),
    ] {
        assert_eq!(store.get(name).unwrap_err().kind(), Kind::NotFound);
        assert_eq!(store.size(name).unwrap_err().kind(), Kind::NotFound);
        store.put_new(name, bytes).unwrap();
        assert_eq!(store.get(name).unwrap(), bytes, "{name}");
        assert_eq!(store.size(name).unwrap(), bytes.len() as u64);
        assert_eq!(store.put_new(name, b"other").unwrap_err().kind(), Kind::Busy);
        assert_eq!(store.get(name).unwrap(), bytes, "{name} was overwritten");
    }
    store.delete("vault").unwrap();
    store.delete("vault").unwrap();
    store.delete("packs/ff/never").unwrap();
    assert_eq!(store.get("vault").unwrap_err().kind(), Kind::NotFound);
    assert_eq!(store.get("keys/0").unwrap().len(), 100_000);
}

fn ranges(store: &dyn Backend) {
    let bytes: Vec<u8> = (0..=255).collect();
    store.put_new("packs/ab/0", &bytes).unwrap();
    for (offset, len) in [(0, 256), (0, 0), (10, 5), (255, 1), (256, 0)] {
        let want = bytes.get(offset..offset + len).expect("inside");
        assert_eq!(
            store.get_range("packs/ab/0", offset as u64, len).unwrap(),
            want,
            "{offset}+{len}"
        );
    }
    for (offset, len) in [
        (0, 257),
        (256, 1),
        (300, 1),
        (u64::MAX, 1),
        (u64::MAX, usize::MAX),
        (1, usize::MAX),
    ] {
        let e = store.get_range("packs/ab/0", offset, len).unwrap_err();
        assert_eq!(e.kind(), Kind::Corrupt, "{offset}+{len}: {e}");
    }
    assert_eq!(
        store.get_range("packs/ab/1", 0, 1).unwrap_err().kind(),
        Kind::NotFound
    );
}

fn parts(store: &dyn Backend) {
    let bytes: Vec<u8> = (0..=255).collect();
    let (name, empty) = ("packs/ab/0", "packs/ab/1");
    store.put_new(name, &bytes).unwrap();
    store.put_new(empty, b"").unwrap();
    for (from, len, want) in [
        (Begin::At(0), 256, 0..256),
        (Begin::At(0), 1000, 0..256),
        (Begin::At(10), 5, 10..15),
        (Begin::At(250), 10, 250..256),
        (Begin::At(256), 10, 256..256),
        (Begin::At(u64::MAX), 10, 256..256),
        (Begin::At(7), 0, 7..7),
        (Begin::Tail, 10, 246..256),
        (Begin::Tail, 256, 0..256),
        (Begin::Tail, 1000, 0..256),
        (Begin::Tail, 0, 256..256),
    ] {
        let (part, size) = store.get_part(name, from, len).unwrap();
        assert_eq!((&part[..], size), (&bytes[want], 256), "{from:?}, {len}");
        let nothing = store.get_part(empty, from, len).unwrap();
        assert_eq!(nothing, (Vec::new(), 0), "{from:?}, {len}");
        let absent = store.get_part("packs/ab/2", from, len).unwrap_err();
        assert_eq!(absent.kind(), Kind::NotFound);
    }
}

fn listing(store: &dyn Backend) {
    assert!(store.list("").unwrap().is_empty());
    let names = [
        "keys/1",
        "keys/1.copy",
        "packs/0a/x",
        "packs/0b/y",
        "packs/0b/z",
        "vault",
    ];
    for name in names.iter().rev() {
        store.put_new(name, b"1").unwrap();
    }
    assert!(store.swap_root(None, b"root").unwrap());
    assert_eq!(store.list("").unwrap(), names);
    for (prefix, want) in [
        ("packs/", &names[2..5]),
        ("packs/0b/", &names[3..5]),
        ("packs/0", &names[2..5]),
        ("packs/0b/z", &names[4..5]),
        ("pac", &names[2..5]),
        ("keys/1", &names[0..2]),
        ("vault", &names[5..]),
        ("nothing/", &[]),
        ("keys/1/", &[]),
    ] {
        assert_eq!(store.list(prefix).unwrap(), want, "{prefix}");
    }
}

fn names(store: &dyn Backend) {
    for name in [
        "",
        "/etc/x",
        "../x",
        "packs/../../x",
        "a//b",
        "a/",
        "A",
        "root",
        "root.lock",
        "tmp/x",
        ".x",
        "a\0b",
    ] {
        assert_eq!(
            store.put_new(name, b"1").unwrap_err().kind(),
            Kind::Invalid,
            "{name:?}"
        );
        assert_eq!(store.get(name).unwrap_err().kind(), Kind::Invalid, "{name:?}");
        assert_eq!(
            store.get_range(name, 0, 1).unwrap_err().kind(),
            Kind::Invalid,
            "{name:?}"
        );
        assert_eq!(store.size(name).unwrap_err().kind(), Kind::Invalid, "{name:?}");
        assert_eq!(store.delete(name).unwrap_err().kind(), Kind::Invalid, "{name:?}");
    }
    assert_eq!(store.list("../").unwrap_err().kind(), Kind::Invalid);
}

fn bounds(store: &dyn Backend) {
    assert!(
        store
            .put_new("packs/ab/long", &vec![0; OBJECT_BYTES_MAX + 1])
            .is_err()
    );
    assert_eq!(store.get("packs/ab/long").unwrap_err().kind(), Kind::NotFound);
    assert!(store.swap_root(None, &[0; ROOT_BYTES_MAX + 1]).is_err());
    assert_eq!(store.root().unwrap(), None);
}

fn roots(store: &dyn Backend) {
    assert_eq!(store.root().unwrap(), None);
    assert!(!store.swap_root(Some(b"one"), b"two").unwrap());
    assert_eq!(store.root().unwrap(), None);
    assert!(store.swap_root(None, b"one").unwrap());
    assert!(!store.swap_root(None, b"two").unwrap());
    for wrong in [&b"on"[..], b"one ", b"onE", b""] {
        assert!(!store.swap_root(Some(wrong), b"two").unwrap());
    }
    assert_eq!(store.root().unwrap().unwrap(), b"one");
    assert!(store.swap_root(Some(b"one"), b"two").unwrap());
    assert_eq!(store.root().unwrap().unwrap(), b"two");
}

/// Eight threads want one name: one gets it, the others are told so, and its bytes stand.
fn race_of_puts(store: &dyn Backend) {
    let start = Barrier::new(8);
    let outcomes: Vec<_> = race(|n| {
        start.wait();
        store.put_new("packs/ab/race", &vec![n; 10_000])
    });
    let won: Vec<usize> = (0..8)
        .filter(|&n| outcomes.get(n).is_some_and(Result::is_ok))
        .collect();
    assert_eq!(won.len(), 1, "{} of 8 put one name", won.len());
    assert!(
        outcomes
            .iter()
            .flat_map(|o| o.as_ref().err())
            .all(|e| e.kind() == Kind::Busy),
        "{outcomes:?}"
    );
    let stored = store.get("packs/ab/race").unwrap();
    assert!(
        stored.len() == 10_000 && stored.iter().all(|&b| usize::from(b) == won[0]),
        "the bytes are the winner's"
    );
}

/// Eight threads swap from one root: one wins, and its root stands.
fn race_of_swaps(store: &dyn Backend) {
    for expected in [None, Some(&b"start"[..])] {
        let start = Barrier::new(8);
        let outcomes: Vec<_> = race(|n| {
            start.wait();
            let new = if expected.is_none() {
                b"start".to_vec()
            } else {
                vec![n; 200]
            };
            store.swap_root(expected, &new)
        });
        let won: Vec<usize> = (0..8)
            .filter(|&n| matches!(outcomes.get(n), Some(Ok(true))))
            .collect();
        assert!(
            won.len() == 1 && outcomes.iter().all(Result::is_ok),
            "{outcomes:?}"
        );
        let root = store.root().unwrap().unwrap();
        assert!(
            expected.is_none() || root.iter().all(|&b| usize::from(b) == won[0]),
            "the root is the winner's"
        );
    }
}

fn race<T: Send>(act: impl Fn(u8) -> T + Sync) -> Vec<T> {
    let act = &act;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || act(n))).collect();
        threads
            .into_iter()
            .map(|t| t.join().expect("a racer panicked"))
            .collect()
    })
}

/// A name that can be seen has all of its bytes behind it.
fn readers_see_whole_objects(store: &dyn Backend) {
    std::thread::scope(|scope| {
        scope.spawn(|| (0..40).for_each(|n| store.put_new(&format!("packs/ab/{n}"), &[7; 50_000]).unwrap()));
        let mut seen = 0;
        while seen < 40 {
            let names = store.list("packs/").unwrap();
            seen = names.len();
            for name in names.iter().rev().take(3) {
                assert_eq!(
                    store.get(name).unwrap().len(),
                    50_000,
                    "{name} was seen half written"
                );
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::faulty::Faulty;
    use crate::store::latch::Latched;
    use crate::store::memory::Memory;

    #[test]
    fn memory_keeps_the_contract() {
        backend_suite(&|| Box::new(Memory::new()));
    }

    #[test]
    fn faulty_without_faults_keeps_the_contract() {
        backend_suite(&|| Box::new(Faulty::new(1)));
    }

    #[test]
    fn latched_keeps_the_contract() {
        backend_suite(&|| Box::new(Latched::new(Memory::new())));
    }
}
