//! A file of a report on its way: written under a temporary name, readable by its owner alone, and renamed when whole.
//!
//! Key decision: nobody ever meets half a report, and an older one is replaced by a rename, not written over. Dropped
//! before its end it leaves nothing. It knows nothing of what it holds.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::base::error::{Error, Result};

/// A file that is not whole yet.
pub(super) struct Part {
    to: BufWriter<File>,
    temporary: TempPath,
    path: PathBuf,
}

impl Part {
    /// Of the file `name` in the folder `dir`.
    pub fn new(dir: &Path, name: &str) -> Result<Self> {
        let path = dir.join(name);
        let temporary = dir.join(format!("{name}.part"));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // One that an earlier run left may be open to others.
        let _ = std::fs::remove_file(&temporary);
        let failed = |e| Error::io(temporary.display(), e);
        let file = options.open(&temporary).map_err(failed)?;
        Ok(Self {
            to: BufWriter::with_capacity(1 << 16, file),
            temporary: TempPath::try_from_path(&temporary).map_err(failed)?,
            path,
        })
    }

    /// What a failed write means.
    pub fn failed(&self, error: io::Error) -> Error {
        Error::io(self.path.display(), error)
    }

    /// Gives the file its name.
    pub fn keep(mut self) -> Result<()> {
        let path = self.path;
        let failed = |e| Error::io(path.display(), e);
        self.to.flush().map_err(failed)?;
        self.to.get_ref().sync_all().map_err(failed)?;
        self.temporary.persist(&path).map_err(|e| failed(e.error))
    }
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
