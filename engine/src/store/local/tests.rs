//! Tests of the folder backend beyond conformance: modes, leftovers of crashes, foreign files, no hard links.
//!
//! Key decision: a crash is shown by making the files that it leaves; that syncs happen in order was looked at
//! with `strace` (see `docs/format.md`).
//! No test needs to run as a certain user.

use super::*;
use crate::store::conformance::backend_suite;

/// A backend with the folder it lives in.
struct Kept(
    Local,
    #[expect(dead_code, reason = "removes the folder when dropped")] tempfile::TempDir,
);

impl Backend for Kept {
    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.0.put_new(name, bytes)
    }
    fn get(&self, name: &str) -> Result<Vec<u8>> {
        self.0.get(name)
    }
    fn get_range(&self, name: &str, offset: u64, len: usize) -> Result<Vec<u8>> {
        self.0.get_range(name, offset, len)
    }
    fn size(&self, name: &str) -> Result<u64> {
        self.0.size(name)
    }
    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.0.list(prefix)
    }
    fn delete(&self, name: &str) -> Result<()> {
        self.0.delete(name)
    }
    fn root(&self) -> Result<Option<Vec<u8>>> {
        self.0.root()
    }
    fn swap_root(&self, expected: Option<&[u8]>, new: &[u8]) -> Result<bool> {
        self.0.swap_root(expected, new)
    }
    fn describe(&self) -> String {
        self.0.describe()
    }
}

fn kept() -> Kept {
    let dir = tempfile::tempdir().unwrap();
    Kept(Local::create(&dir.path().join("a/vault")).unwrap(), dir)
}

#[test]
fn a_folder_keeps_the_contract() {
    backend_suite(&|| Box::new(kept()));
}

#[test]
fn a_folder_without_hard_links_keeps_the_contract() {
    backend_suite(&|| {
        let kept = kept();
        kept.0.links.store(false, Ordering::Relaxed);
        Box::new(kept)
    });
}

#[test]
fn two_openings_of_one_folder_exclude_each_other() {
    let one = kept();
    let two = Local::open(one.0.dir()).unwrap();
    one.put_new("packs/aa/x", b"1").unwrap();
    assert_eq!(two.put_new("packs/aa/x", b"2").unwrap_err().kind(), Kind::Busy);
    assert!(two.swap_root(None, b"r1").unwrap());
    assert!(!one.swap_root(None, b"r2").unwrap());
    let count = |local: &Local, seed: u8| {
        let mut won = 0;
        while won < 50 {
            let now = local.root().unwrap().unwrap();
            let mut next = now.clone();
            next.push(seed);
            won += u32::from(local.swap_root(Some(&now), &next).unwrap());
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| count(&one.0, 1));
        scope.spawn(|| count(&two, 2));
    });
    assert_eq!(one.root().unwrap().unwrap().len(), 102, "a swap was lost");
}

#[test]
fn what_a_crash_leaves_is_no_object() {
    let kept = kept();
    kept.put_new("packs/aa/x", b"1").unwrap();
    let tmp = kept.0.dir().join("tmp");
    assert_eq!(fs::read_dir(&tmp).unwrap().count(), 0, "temporaries stay behind");
    let (old, new) = (tmp.join("00"), tmp.join("11"));
    fs::write(&new, b"torn").unwrap();
    File::create(&old)
        .unwrap()
        .set_modified(std::time::UNIX_EPOCH)
        .unwrap();
    let again = Local::open(kept.0.dir()).unwrap();
    assert_eq!(again.list("").unwrap(), ["packs/aa/x"]);
    again.put_new("packs/aa/y", b"1").unwrap();
    assert!(
        !old.exists() && new.exists(),
        "only what is old belongs to nobody"
    );
}

#[test]
fn foreign_files_are_left_alone() {
    let kept = kept();
    kept.swap_root(None, b"r").unwrap();
    kept.put_new("keys/k", b"1").unwrap();
    for name in [".DS_Store", "Thumbs.db", "keys/.hidden", "lost+found"] {
        fs::write(kept.0.dir().join(name), b"?").unwrap();
    }
    assert_eq!(kept.list("").unwrap(), ["keys/k"]);
    assert_eq!(kept.size("keys").unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn errors_name_the_folder_and_the_object() {
    let kept = kept();
    fs::write(kept.0.dir().join("packs"), b"a file where a folder should be").unwrap();
    let e = kept.put_new("packs/aa/x", b"1").unwrap_err();
    assert!(
        e.message().contains(&kept.describe()) && e.message().contains("packs/aa/x"),
        "{e}"
    );
    assert!(Local::open(&kept.0.dir().join("packs")).is_err());
    let gone = Local::open(&kept.0.dir().join("gone")).err().unwrap();
    assert_eq!(gone.kind(), Kind::NotFound, "{gone}");
    let gone = kept.get("keys/none").unwrap_err();
    assert!(
        gone.kind() == Kind::NotFound && gone.message().contains("keys/none"),
        "{gone}"
    );
    fs::write(kept.0.dir().join("root"), vec![0; ROOT_BYTES_MAX + 1]).unwrap();
    assert!(kept.root().is_err());
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let kept = kept();
    kept.put_new("packs/aa/x", b"1").unwrap();
    kept.swap_root(None, b"r").unwrap();
    for (name, mode) in [
        ("packs/aa/x", 0o600),
        ("root", 0o600),
        ("root.lock", 0o600),
        ("packs/aa", 0o700),
        ("", 0o700),
    ] {
        let meta = fs::metadata(kept.0.dir().join(name)).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, mode, "{name}");
    }
}
