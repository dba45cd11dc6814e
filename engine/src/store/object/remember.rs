//! What this machine knows of a store: when it was last seen to keep conditions, and which root was written from here.
//!
//! Key decision: only who writes alone may go without asking the store anew, since alone nobody can lose anything: the
//! root is still the one that this machine wrote last, and no other process here has the lock. Everybody else looks
//! before the first write (`docs/object-storage.md` has the argument). Whatever is wrong with the file, the store is asked.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::base::clock::Clock;
use crate::base::error::Result;
use crate::base::id::hex;
use crate::base::stamp::Stamp;

/// How long the whole probe holds.
const HOLDS_MILLIS: i64 = 7 * 24 * 3_600_000;
const TITLE: &str = "halite store 1";

/// What is to be asked of a store before the first write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trial {
    /// Everything, races too.
    Whole,
    /// Whether conditions are kept one after the other.
    Alone,
    /// Nothing.
    None,
}

/// The file, and the lock of who writes alone.
pub(super) struct Remembered {
    path: PathBuf,
    /// Held as long as this lives, if nobody else had it.
    lock: Option<File>,
    clock: Clock,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Record {
    probed: Stamp,
    root: [u8; 32],
}

impl Record {
    fn text(&self) -> String {
        let body = format!("{TITLE}\n{}\n{}\n", self.probed.millis(), hex(&self.root));
        let check = blake3::hash(body.as_bytes());
        format!("{body}{check}\n")
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().skip(1);
        let probed = Stamp::from_millis(lines.next()?.parse().ok()?);
        let root = *blake3::Hash::from_hex(lines.next()?).ok()?.as_bytes();
        let record = Self { probed, root };
        (record.text() == text).then_some(record)
    }
}

impl Remembered {
    /// What is known in `dir` of the store that `identity` says.
    pub(super) fn new(dir: &Path, identity: &str, clock: Clock) -> Self {
        let name = blake3::hash(identity.as_bytes()).to_hex();
        let path = dir.join("stores").join(&name[..32]);
        let lock = || {
            fs::create_dir_all(path.parent()?).ok()?;
            let file = File::create(path.with_extension("lock")).ok()?;
            file.try_lock().is_ok().then_some(file)
        };
        Self {
            lock: lock(),
            path,
            clock,
        }
    }

    fn record(&self) -> Option<Record> {
        Record::parse(&fs::read_to_string(&self.path).ok()?)
    }

    /// What is to be asked, where this is the root that stands.
    pub(super) fn due(&self, root: Option<&[u8]>) -> Trial {
        let now = self.clock.now();
        let holds = |record: &Record| record.probed <= now && now.minus_millis(HOLDS_MILLIS) < record.probed;
        let Some(record) = self.record().filter(holds) else {
            return Trial::Whole;
        };
        let ours = root.is_some_and(|root| record.root == name_of(root));
        match &self.lock {
            Some(_) if ours => Trial::None,
            _ => Trial::Alone,
        }
    }

    /// The whole probe was passed.
    pub(super) fn passed(&self) {
        let root = self.record().map_or([0; 32], |record| record.root);
        self.write(&Record {
            probed: self.clock.now(),
            root,
        });
    }

    /// This root was written from here.
    pub(super) fn wrote(&self, root: &[u8]) {
        if let Some(record) = self.record() {
            let root = name_of(root);
            self.write(&Record { root, ..record });
        }
    }

    /// Whether it can be kept counts for nothing: then the store is asked again.
    fn write(&self, record: &Record) {
        let written = || -> Result<()> {
            let failed = |e| crate::base::error::Error::io(self.path.display(), e);
            let random = hex(&self.clock.random::<8>()?);
            let beside = self.path.with_extension(random);
            fs::write(&beside, record.text()).map_err(failed)?;
            fs::rename(&beside, &self.path).map_err(failed)
        };
        if let Err(error) = written() {
            tracing::info!(%error, "that the store keeps conditions is not remembered");
        }
    }
}

fn name_of(root: &[u8]) -> [u8; 32] {
    *blake3::hash(root).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Clock {
        Clock::driven(Stamp::from_millis(millis), 1)
    }

    #[test]
    fn who_writes_alone_is_not_asked_and_nobody_else_is_spared() {
        let dir = tempfile::tempdir().unwrap();
        let start = 1_700_000_000_000;
        let open = |millis| Remembered::new(dir.path(), "s3://b/p", at(millis));
        let one = open(start);
        assert_eq!(one.due(Some(b"root")), Trial::Whole);
        one.wrote(b"root");
        assert_eq!(one.due(Some(b"root")), Trial::Whole, "nothing was passed yet");
        one.passed();
        assert_eq!(one.due(Some(b"root")), Trial::Alone, "it is somebody else's");
        one.wrote(b"root");
        assert_eq!(one.due(Some(b"root")), Trial::None);
        assert_eq!(
            (one.due(None), one.due(Some(b"other"))),
            (Trial::Alone, Trial::Alone)
        );
        let two = open(start);
        assert_eq!(two.due(Some(b"root")), Trial::Alone, "another one has the lock");
        let elsewhere = Remembered::new(dir.path(), "s3://b/q", at(start));
        assert_eq!(elsewhere.due(Some(b"root")), Trial::Whole);
        drop((one, two));
        for (later, want) in [
            (0, Trial::None),
            (HOLDS_MILLIS - 1, Trial::None),
            (HOLDS_MILLIS, Trial::Whole),
            (-1, Trial::Whole),
        ] {
            assert_eq!(open(start + later).due(Some(b"root")), want, "{later}");
        }
    }

    #[test]
    fn a_file_that_is_not_as_it_was_written_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Remembered::new(dir.path(), "s3://b/p", at(1_700_000_000_000));
        store.passed();
        store.wrote(b"root");
        let whole = fs::read(&store.path).unwrap();
        assert_eq!(store.due(Some(b"root")), Trial::None);
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&store.path, &bytes).unwrap();
            assert_eq!(store.due(Some(b"root")), Trial::Whole, "byte {at}");
            fs::write(&store.path, &whole[..at]).unwrap();
            assert_eq!(store.due(Some(b"root")), Trial::Whole, "cut at {at}");
        }
    }
}
