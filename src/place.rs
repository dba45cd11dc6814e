//! Where a vault is: the folder or the URL that `--vault` names.
//!
//! Key decision: whatever has a scheme is a URL, everything else a path; above here nobody asks which it is, but for
//! what it is called. It opens nothing of the vault itself.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use halite_engine::base::clock::Clock;
use halite_engine::store::backend::Backend;
use halite_engine::store::local::Local;
use halite_engine::store::object::{Bucket, canonical, is_url};
use halite_engine::{Error, Kind, Result};

/// A place that was named.
pub enum Place<'a> {
    Folder(&'a Path),
    Url(&'a str),
}

impl<'a> Place<'a> {
    /// What was typed.
    pub fn named(named: &'a Path) -> Self {
        match named.to_str() {
            Some(url) if is_url(url) => Self::Url(url),
            _ => Self::Folder(named),
        }
    }

    /// The place of a vault that is there.
    ///
    /// # Errors
    /// `NotFound` if it is a folder and not there; a bucket is not asked yet.
    pub fn open(&self) -> Result<Arc<dyn Backend>> {
        match self {
            Self::Folder(dir) => {
                let place = Local::open(dir).map_err(|e| match e.kind() {
                    Kind::NotFound => Error::new(
                        Kind::NotFound,
                        format!("{}: there is no such vault", dir.display()),
                    )
                    .hint("`halite init` makes one"),
                    _ => e,
                });
                Ok(Arc::new(place?))
            }
            Self::Url(url) => Ok(Arc::new(bucket(url)?)),
        }
    }

    /// An empty place for a new vault; `then` is asked for its key, or what else is due before a folder is made.
    ///
    /// # Errors
    /// `Invalid` if there is anything in it.
    pub fn make<T>(&self, then: impl FnOnce() -> Result<T>) -> Result<(Arc<dyn Backend>, T)> {
        let a_vault = || {
            Error::new(Kind::Invalid, format!("{self}: it is a vault already"))
                .hint(format!("use it, or name another {}", self.noun()))
        };
        let not_empty =
            || Error::invalid(format!("{self}: the {} is not empty", self.noun())).hint("name an empty one");
        match self {
            Self::Folder(dir) => {
                if dir.join("vault").exists() {
                    return Err(a_vault());
                }
                if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
                    return Err(not_empty());
                }
                let asked = then()?;
                Ok((Arc::new(Local::create(dir)?), asked))
            }
            Self::Url(url) => {
                let bucket = bucket(url)?;
                let names = bucket.list("")?;
                if names.iter().any(|name| name == "vault") {
                    return Err(a_vault());
                }
                if !names.is_empty() || bucket.root()?.is_some() {
                    return Err(not_empty());
                }
                let asked = then()?;
                Ok((Arc::new(bucket), asked))
            }
        }
    }

    /// The place of a copy: one that is there, or a folder that is empty or not there yet, which is made.
    ///
    /// # Errors
    /// `Invalid` for a folder with anything in it but a vault, or a copy that was begun.
    pub fn for_copy(&self) -> Result<Arc<dyn Backend>> {
        let Self::Folder(dir) = self else {
            return self.open();
        };
        let begun = |name: &str| dir.join(name).exists();
        let empty = fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none());
        if empty || begun("vault") || begun("packs") {
            return Ok(Arc::new(Local::create(dir)?));
        }
        Err(Error::invalid(format!("{self}: the folder holds something else"))
            .hint("name an empty folder, or an earlier copy of this vault"))
    }

    /// The same for each way of naming it, as far as this machine can tell: what its locks go by.
    ///
    /// # Errors
    /// What the file system says of a folder.
    pub fn identity(&self) -> Result<PathBuf> {
        match self {
            Self::Folder(dir) => dir.canonicalize().map_err(|e| Error::io(dir.display(), e)),
            Self::Url(url) => Ok(PathBuf::from(canonical(url)?)),
        }
    }

    fn noun(&self) -> &'static str {
        match self {
            Self::Folder(_) => "folder",
            Self::Url(_) => "prefix",
        }
    }
}

/// A bucket that is probed once a week, and not by each command.
fn bucket(url: &str) -> Result<Bucket> {
    let bucket = Bucket::open(url)?;
    Ok(match cache_dir() {
        Some(dir) => bucket.remembering(&dir, &Clock::system()),
        None => bucket,
    })
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(dir) => dir.display().fmt(f),
            Self::Url(url) => f.write_str(url),
        }
    }
}

/// Where what can be had again is kept.
pub fn cache_dir() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(home)?;
    Some(base.join("halite"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_scheme_is_a_url() {
        let folder = |text: &str| matches!(Place::named(Path::new(text)), Place::Folder(_));
        assert!(folder("vault") && folder("/srv/s3") && folder("C:\\vault") && folder("s3:/x"));
        assert!(!folder("s3://bucket/x") && !folder("ftp://x"));
        let identity = |text| Place::named(Path::new(text)).identity().unwrap();
        assert_eq!(identity("az://c/p/"), identity("azure://c/p"));
        assert_eq!(identity("s3://b/p/"), identity("s3://b/p"));
        assert_ne!(identity("s3://b/p"), identity("s3://b/q"));
    }
}
