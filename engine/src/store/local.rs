//! A vault in a folder of a file system.
//!
//! Key decision: written over `std::fs` by hand, since the common library does not sync by default and cannot
//! swap. A new object is a synced temporary file that is then linked to its name, and the folder synced; the root
//! is renamed over under an OS file lock. `docs/format.md` says what a crash leaves. It keeps no state in memory
//! that another process could make wrong, and never trusts a listing for what is alive.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};
use crate::base::id::hex;
use crate::base::stamp::Stamp;
use crate::store::backend::{
    Backend, OBJECT_BYTES_MAX, ROOT_BYTES_MAX, STALE_MILLIS, absent, check_len, check_name, check_prefix,
    check_root_len, cut_short, taken,
};

/// A folder as a backend.
pub struct Local {
    dir: PathBuf,
    clock: Clock,
    /// Folders whose own names this process has synced.
    durable: Mutex<BTreeSet<PathBuf>>,
    swept: AtomicBool,
    /// Whether the file system has hard links, as far as is known.
    links: AtomicBool,
}

/// A temporary file, removed when it is dropped.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename it is gone; else the next writer sweeps what stays.
        let _ = fs::remove_file(&self.0);
    }
}

impl Local {
    /// A folder that is there.
    pub fn open(dir: &Path) -> Result<Self> {
        match fs::metadata(dir) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Err(Error::invalid(format!("{} is not a folder", dir.display()))),
            Err(e) => return Err(Error::io(dir.display(), e)),
        }
        let dir = fs::canonicalize(dir).map_err(|e| Error::io(dir.display(), e))?;
        Ok(Self {
            dir,
            clock: Clock::system(),
            durable: Mutex::default(),
            swept: AtomicBool::new(false),
            links: AtomicBool::new(true),
        })
    }

    /// A folder that is made, with those above it, if it is not there.
    pub fn create(dir: &Path) -> Result<Self> {
        make_durably(dir).map_err(|e| Error::io(format_args!("making {}", dir.display()), e))?;
        Self::open(dir)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn path(&self, name: &str) -> Result<PathBuf> {
        check_name(name)?;
        Ok(self.dir.join(name))
    }

    /// An error of `name` here, with what to do about a folder that may not be written to.
    fn error(&self, name: &str, e: io::Error) -> Error {
        let at = self.dir.display();
        match e.kind() {
            ErrorKind::NotFound => absent(name).within(at),
            ErrorKind::ReadOnlyFilesystem => Error::new(Kind::Denied, format!("{at}: {name}: {e}"))
                .hint("the file system is mounted read-only")
                .caused_by(e),
            ErrorKind::PermissionDenied => Error::io(format_args!("{at}: {name}"), e)
                .hint("check who owns the vault's folder, and its mode"),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::io(format_args!("{at}: {name}"), e)
                .hint("make room, then run it again: nothing published is lost"),
            _ => Error::io(format_args!("{at}: {name}"), e),
        }
    }

    /// Makes the folder of an object, each level synced into the one above. Also where another process made it,
    /// which may not have come to its sync yet.
    fn folder(&self, folder: &Path) -> io::Result<()> {
        let known = |set: &BTreeSet<PathBuf>| set.contains(folder);
        if folder == self.dir || known(&self.durable.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(());
        }
        let parent = folder.parent().ok_or(ErrorKind::NotFound)?;
        self.folder(parent)?;
        make_one(folder)?;
        sync_folder(parent)?;
        self.durable
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(folder.into());
        Ok(())
    }

    /// A new file with these bytes, synced, under a name that nobody looks for.
    fn temporary(&self, bytes: &[u8]) -> io::Result<Temporary> {
        let folder = self.dir.join("tmp");
        self.folder(&folder)?;
        if !self.swept.swap(true, Ordering::Relaxed) {
            self.sweep(&folder);
        }
        let random: [u8; 16] = self.clock.random().map_err(io::Error::other)?;
        let temporary = Temporary(folder.join(hex(&random)));
        let mut file = private(OpenOptions::new().write(true).create_new(true)).open(&temporary.0)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(temporary)
    }

    /// Removes what crashed writers left. By age, since their locks died with them; failing is no harm.
    fn sweep(&self, folder: &Path) {
        let now = self.clock.now();
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let modified = entry.metadata().and_then(|meta| meta.modified()).ok();
            let since = modified.and_then(|m| m.duration_since(std::time::UNIX_EPOCH).ok());
            let millis = since.and_then(|s| i64::try_from(s.as_millis()).ok());
            if millis.is_some_and(|m| Stamp::from_millis(m) < now.minus_millis(STALE_MILLIS)) {
                tracing::info!(file = %entry.path().display(), "removing a temporary file that a crash left");
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Gives a synced file its name, unless the name is taken.
    fn publish(&self, temporary: &Temporary, path: &Path) -> io::Result<()> {
        if self.links.load(Ordering::Relaxed) {
            match fs::hard_link(&temporary.0, path) {
                Err(e) if matches!(e.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied) => {
                    self.links.store(false, Ordering::Relaxed);
                }
                other => return other,
            }
        }
        // No hard links here: look and rename, under the lock that every writer of this vault takes for it.
        let _lock = self.lock()?;
        if fs::symlink_metadata(path).is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        fs::rename(&temporary.0, path)
    }

    /// Waits for the lock of the root; it is let go when the file is closed, also by a crash.
    fn lock(&self) -> io::Result<File> {
        let path = self.dir.join("root.lock");
        let file = private(OpenOptions::new().write(true).create(true).truncate(false)).open(path)?;
        file.lock()?;
        Ok(file)
    }

    fn put(&self, name: &str, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if fs::symlink_metadata(path).is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let folder = path.parent().ok_or(ErrorKind::NotFound)?;
        self.folder(folder)?;
        let temporary = self.temporary(bytes)?;
        self.publish(&temporary, path)?;
        sync_folder(folder)?;
        tracing::trace!(name, bytes = bytes.len(), "stored");
        Ok(())
    }

    fn swap(&self, expected: Option<&[u8]>, new: &[u8]) -> Result<bool> {
        let io = |e| self.error("root", e);
        let _lock = self.lock().map_err(io)?;
        if self.root()?.as_deref() != expected {
            return Ok(false);
        }
        let temporary = self.temporary(new).map_err(io)?;
        fs::rename(&temporary.0, self.dir.join("root")).map_err(io)?;
        sync_folder(&self.dir).map_err(io)?;
        Ok(true)
    }

    /// Adds the names of the files under `folder` that begin with `prefix`.
    fn collect(&self, folder: &Path, within: &str, prefix: &str, out: &mut Vec<String>) -> io::Result<()> {
        let entries = match fs::read_dir(folder) {
            Err(e)
                if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
                    && folder != self.dir =>
            {
                return Ok(());
            }
            other => other?,
        };
        for entry in entries {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().map(|n| format!("{within}{n}")) else {
                continue;
            };
            let kind = entry.file_type()?;
            // What is no name of ours (the root, temporaries, files of the system) is not an object.
            if check_name(&name).is_err() {
                continue;
            }
            if kind.is_dir() && (name.starts_with(prefix) || prefix.starts_with(&name)) {
                self.collect(&entry.path(), &format!("{name}/"), prefix, out)?;
            } else if kind.is_file() && name.starts_with(prefix) {
                out.push(name);
            }
        }
        Ok(())
    }
}

impl Backend for Local {
    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<()> {
        check_len(name, bytes.len())?;
        let path = self.path(name)?;
        self.put(name, &path, bytes).map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => taken(name).within(self.dir.display()),
            _ => self.error(name, e),
        })
    }

    fn get(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.path(name)?;
        read_bounded(&path, OBJECT_BYTES_MAX).map_err(|e| self.error(name, e))
    }

    fn get_range(&self, name: &str, offset: u64, len: usize) -> Result<Vec<u8>> {
        let path = self.path(name)?;
        let file = File::open(path).map_err(|e| self.error(name, e))?;
        let size = file.metadata().map_err(|e| self.error(name, e))?.len();
        if offset.checked_add(len as u64).is_none_or(|end| end > size) || len > OBJECT_BYTES_MAX {
            return Err(cut_short(name, offset, len, size).within(self.dir.display()));
        }
        let mut bytes = vec![0; len];
        read_at(&file, &mut bytes, offset).map_err(|e| self.error(name, e))?;
        Ok(bytes)
    }

    fn size(&self, name: &str) -> Result<u64> {
        let path = self.path(name)?;
        match fs::metadata(path) {
            Ok(meta) if meta.is_file() => Ok(meta.len()),
            Ok(_) => Err(absent(name).within(self.dir.display())),
            Err(e) => Err(self.error(name, e)),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        check_prefix(prefix)?;
        let within = prefix
            .rsplit_once('/')
            .map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let mut out = Vec::new();
        self.collect(&self.dir.join(&within), &within, prefix, &mut out)
            .map_err(|e| self.error(prefix, e))?;
        out.sort_unstable();
        Ok(out)
    }

    fn delete(&self, name: &str) -> Result<()> {
        let path = self.path(name)?;
        match fs::remove_file(&path) {
            // Synced so that what was erased does not come back, though the contract would allow it.
            Ok(()) => path
                .parent()
                .map_or(Ok(()), sync_folder)
                .map_err(|e| self.error(name, e)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            Err(e) => Err(self.error(name, e)),
        }
    }

    fn root(&self) -> Result<Option<Vec<u8>>> {
        match read_bounded(&self.dir.join("root"), ROOT_BYTES_MAX) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == ErrorKind::NotFound && self.dir.is_dir() => Ok(None),
            Err(e) => Err(self.error("root", e)),
        }
    }

    fn swap_root(&self, expected: Option<&[u8]>, new: &[u8]) -> Result<bool> {
        check_root_len(new.len())?;
        self.swap(expected, new)
    }

    fn describe(&self) -> String {
        self.dir.display().to_string()
    }
}

/// Only the owner may read and write what is made.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

fn make_one(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(ErrorKind::NotADirectory.into()),
        other => other,
    }
}

/// Makes a folder and those above it, each synced into the one above.
fn make_durably(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    make_durably(parent)?;
    make_one(folder)?;
    sync_folder(parent)
}

/// Makes names in a folder durable. Where folders cannot be opened, their file systems do it by themselves.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

fn read_bounded(path: &Path, max: usize) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let too_long = || io::Error::new(ErrorKind::FileTooLarge, format!("it is longer than {max} bytes"));
    let len = usize::try_from(size)
        .ok()
        .filter(|&len| len <= max)
        .ok_or_else(too_long)?;
    let mut bytes = Vec::with_capacity(len);
    file.take(max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > max {
        Err(too_long())
    } else {
        Ok(bytes)
    }
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn read_at(mut file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    io::Seek::seek(&mut file, io::SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}

#[cfg(test)]
mod tests;
