//! Stretches of packs in a folder of this machine, up to a set number of bytes; what was used longest ago goes first.
//!
//! Key decision: a file a stretch, which its name tells, written beside and renamed, so that processes share the folder
//! without a lock: each believes what it saw last, and what has gone meanwhile is a miss. Nothing is synced and no failure
//! is an error: it can all be fetched again. It does not verify: whoever opens a chunk does.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use crate::base::clock::Clock;
use crate::base::id::{PackId, hex};
use crate::vault::shelf::{Stretch, lock};

/// Stretches that are looked at.
const LOOKS: usize = 4;
/// How old a file that is being written may become.
const LEFT_MILLIS: i64 = 24 * 3_600_000;
/// What such a file is called.
const UNDER_WAY: &str = "new-";

pub(super) struct Folder {
    dir: PathBuf,
    max: u64,
    clock: Clock,
    /// What was seen; none before the first look.
    seen: Mutex<Option<Seen>>,
    /// Whether writing failed: then it is not tried again.
    failed: AtomicBool,
}

#[derive(Default)]
struct Seen {
    /// Lengths, and whether this process has used it.
    files: BTreeMap<(PackId, u64), (u64, bool)>,
    bytes: u64,
}

impl Folder {
    /// The part of `dir` that belongs to this vault at this place.
    pub fn new(dir: &Path, vault: &[u8; 16], place: &str, max: u64, clock: Clock) -> Self {
        let place = blake3::hash(place.as_bytes());
        let name = format!("packs-{}-{}", hex(&vault[..8]), hex(&place.as_bytes()[..8]));
        Self {
            dir: dir.join(name),
            max,
            clock,
            seen: Mutex::new(None),
            failed: AtomicBool::new(false),
        }
    }

    fn path(&self, (pack, start): &(PackId, u64), len: u64) -> PathBuf {
        self.dir.join(format!("{pack}-{start}-{len}"))
    }

    /// What there is, looked up once.
    fn seen<'s>(&self, guard: &'s mut MutexGuard<'_, Option<Seen>>) -> &'s mut Seen {
        guard.get_or_insert_with(|| {
            let mut seen = Seen::default();
            for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
                if let Some((key, len)) = entry.file_name().to_str().and_then(parse) {
                    seen.bytes += len;
                    seen.files.insert(key, (len, false));
                }
            }
            seen
        })
    }

    pub fn get(&self, wanted: &Stretch) -> Option<Vec<u8>> {
        let find = |seen: &Seen| {
            let mut before = seen.files.range(..=(wanted.pack, wanted.start)).rev().take(LOOKS);
            before.find_map(|(key, (len, used))| {
                let stretch = Stretch {
                    pack: key.0,
                    start: key.1,
                    len: *len,
                };
                stretch.covers(wanted).then_some((*key, *len, *used))
            })
        };
        let (key, len, used) = find(self.seen(&mut lock(&self.seen)))?;
        let bytes = self.read(&key, len, wanted.start - key.1, wanted.len, used);
        let mut guard = lock(&self.seen);
        let seen = self.seen(&mut guard);
        match (&bytes, seen.files.get_mut(&key)) {
            (Some(_), Some((_, used))) => *used = true,
            (Some(_), None) => {}
            (None, _) => self.drop_one(seen, &key),
        }
        bytes
    }

    /// Some bytes of a file; of one that this process has not used yet it is noted that it was used.
    fn read(&self, key: &(PackId, u64), whole: u64, at: u64, len: u64, used: bool) -> Option<Vec<u8>> {
        let mut file = File::open(self.path(key, whole)).ok()?;
        if file.metadata().ok()?.len() != whole {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(len).ok()?];
        file.seek(SeekFrom::Start(at)).ok()?;
        file.read_exact(&mut bytes).ok()?;
        if !used {
            let now = u64::try_from(self.clock.now().millis()).unwrap_or(0);
            let touched = File::options().append(true).open(self.path(key, whole));
            let _ = touched
                .and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_millis(now)));
        }
        Some(bytes)
    }

    /// The stretch of a pack that ends last.
    pub fn tail(&self, pack: &PackId) -> Option<(u64, Vec<u8>)> {
        let mut guard = lock(&self.seen);
        let all = self.seen(&mut guard).files.range((*pack, 0)..=(*pack, u64::MAX));
        let last = all.max_by_key(|((_, start), (len, _))| start + len);
        let (start, len) = last.map(|((_, start), (len, _))| (*start, *len))?;
        drop(guard);
        let bytes = self.get(&Stretch {
            pack: *pack,
            start,
            len,
        })?;
        Some((start, bytes))
    }

    pub fn put(&self, pack: PackId, start: u64, bytes: &[u8]) {
        let len = bytes.len() as u64;
        if len == 0 || len > self.max / 4 || self.failed.load(Ordering::Relaxed) {
            return;
        }
        let key = (pack, start);
        let mut guard = lock(&self.seen);
        let seen = self.seen(&mut guard);
        if seen.files.get(&key).is_some_and(|(known, _)| *known >= len) {
            return;
        }
        self.drop_one(seen, &key);
        if let Err(error) = self.write(&key, bytes) {
            tracing::info!(dir = %self.dir.display(), %error, "nothing more is kept of what is read");
            self.failed.store(true, Ordering::Relaxed);
            return;
        }
        seen.files.insert(key, (len, true));
        seen.bytes += len;
        if seen.bytes > self.max {
            self.make_room(seen);
        }
    }

    fn write(&self, key: &(PackId, u64), bytes: &[u8]) -> std::io::Result<()> {
        let mut folder = fs::DirBuilder::new();
        folder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        folder.create(&self.dir)?;
        let random = self
            .clock
            .random::<8>()
            .map_err(|e| std::io::Error::other(e.to_string()))?;
        let under_way = self.dir.join(format!("{UNDER_WAY}{}", hex(&random)));
        let written = fs::write(&under_way, bytes);
        let written = written.and_then(|()| fs::rename(&under_way, self.path(key, bytes.len() as u64)));
        written.inspect_err(|_| drop(fs::remove_file(&under_way)))
    }

    /// Looks at the folder anew, others may have written too, and removes the oldest files down to seven eighths.
    fn make_room(&self, seen: &mut Seen) {
        let (mut files, mut bytes) = (Vec::new(), 0);
        let oldest = self.clock.now().minus_millis(LEFT_MILLIS).millis();
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let Ok(facts) = entry.metadata() else { continue };
            let modified = facts.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let name = entry.file_name();
            match name
                .to_str()
                .map(|name| (parse(name), name.starts_with(UNDER_WAY)))
            {
                Some((Some((key, len)), _)) => {
                    bytes += len;
                    files.push((modified, key, len));
                }
                Some((None, true)) if millis(modified) < oldest => drop(fs::remove_file(entry.path())),
                _ => {}
            }
        }
        files.sort_unstable();
        let mut left = Seen::default();
        for (_, key, len) in files {
            if bytes > self.max - self.max / 8 {
                drop(fs::remove_file(self.path(&key, len)));
                bytes -= len;
                continue;
            }
            let used = seen.files.get(&key).is_some_and(|(_, used)| *used);
            left.bytes += len;
            left.files.insert(key, (len, used));
        }
        *seen = left;
    }

    /// Removes what is kept of packs of which `stays` is not true.
    pub fn retain(&self, stays: &dyn Fn(&PackId) -> bool) {
        let mut guard = lock(&self.seen);
        let seen = self.seen(&mut guard);
        let gone: Vec<_> = seen
            .files
            .keys()
            .filter(|(pack, _)| !stays(pack))
            .copied()
            .collect();
        gone.iter().for_each(|key| self.drop_one(seen, key));
    }

    fn drop_one(&self, seen: &mut Seen, key: &(PackId, u64)) {
        if let Some((len, _)) = seen.files.remove(key) {
            seen.bytes -= len;
            drop(fs::remove_file(self.path(key, len)));
        }
    }
}

fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Pack, beginning and length of a stretch, from the name of its file.
fn parse(name: &str) -> Option<((PackId, u64), u64)> {
    let (pack, rest) = name.split_once('-')?;
    let (start, len) = rest.split_once('-')?;
    Some(((PackId::parse(pack)?, start.parse().ok()?), len.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::stamp::Stamp;

    const LEN: u64 = 2400;

    fn stretch(pack: u8) -> Stretch {
        Stretch {
            pack: PackId([pack; 32]),
            start: 10,
            len: LEN,
        }
    }

    fn put(folder: &Folder, pack: u8) {
        folder.put(PackId([pack; 32]), 10, &vec![pack; 2400]);
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let open = |max| {
            // Later than any file was written.
            let clock = Clock::driven(Stamp::from_millis(4_000_000_000_000), 1);
            Folder::new(dir.path(), &[1; 16], "s3://b/p", max, clock)
        };
        let first = open(4 * LEN);
        (1..=3).for_each(|pack| put(&first, pack));
        // Another process uses the oldest one, and writes two more.
        let second = open(4 * LEN);
        assert_eq!(second.get(&stretch(1)).unwrap(), [1; 2400]);
        (4..=5).for_each(|pack| put(&second, pack));
        let there = |folder: &Folder| {
            (1..=5)
                .filter(|pack| folder.get(&stretch(*pack)).is_some())
                .count()
        };
        assert!(second.get(&stretch(1)).is_some(), "it was used");
        assert!(second.get(&stretch(2)).is_none(), "it was not");
        let left = there(&second);
        assert_eq!(left, 3, "seven eighths of four");
        assert_eq!(there(&first), 1, "of those that it knew");
        assert_eq!(there(&open(4 * LEN)), left);
        // What is too large for it pushes out nothing.
        second.put(PackId([9; 32]), 0, &[0; 2401]);
        assert_eq!(there(&second), left);
    }

    #[test]
    fn a_file_of_another_length_than_its_name_says_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path(), &[1; 16], "s3://b/p", 1 << 20, Clock::system());
        put(&folder, 1);
        let inner = Stretch {
            start: 20,
            len: 5,
            ..stretch(1)
        };
        assert_eq!(folder.get(&inner).unwrap(), [1; 5]);
        assert_eq!(folder.tail(&PackId([1; 32])).unwrap().0, 10);
        fs::write(folder.path(&(PackId([1; 32]), 10), LEN), [1; 100]).unwrap();
        assert!(folder.get(&inner).is_none());
        let files = fs::read_dir(&folder.dir).unwrap().count();
        assert_eq!(files, 0, "it is removed");
        put(&folder, 1);
        assert!(folder.get(&inner).is_some());
    }
}
