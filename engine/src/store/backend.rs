//! What a vault asks of the place it is kept in: seven verbs over named bytes, and one root that is swapped.
//!
//! Key decision: the least that object stores and file systems both do well. Durability is part of the contract,
//! said in each doc line, because a store that loses an acknowledged write loses a backup. It is not a file
//! system: nothing is appended to, renamed or overwritten, and a name is never used for other bytes.

use std::sync::Arc;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::PackId;
use crate::base::limits;

/// The longest object that is read or written whole.
pub const OBJECT_BYTES_MAX: usize = limits::PACK_BYTES_MAX;
/// The longest root that is read; a root has some 200 bytes.
pub const ROOT_BYTES_MAX: usize = 4096;
/// The longest name.
pub const NAME_BYTES_MAX: usize = 200;
/// What a writer keeps for itself and is older than this belongs to nobody: a writer needs seconds.
pub(crate) const STALE_MILLIS: i64 = 24 * 3_600_000;

/// Where a part of an object begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// At this byte.
    At(u64),
    /// So that it ends with the object.
    Tail,
}

impl Begin {
    /// First byte and length of the part of `len` bytes in an object of `size`.
    pub(crate) fn within(self, len: usize, size: u64) -> (u64, usize) {
        let start = match self {
            Self::At(offset) => offset.min(size),
            Self::Tail => size.saturating_sub(len as u64),
        };
        let left = usize::try_from(size - start).unwrap_or(usize::MAX);
        (start, len.min(left))
    }
}

/// A place that keeps named objects and one root. Every call may be made from any thread at any time.
pub trait Backend: Send + Sync {
    /// Stores a new object. Durable before it returns, its name too. `Kind::Busy` if the name is taken: nothing
    /// is overwritten, and of many racing callers exactly one succeeds. After any other error the object may be
    /// there or not; if it is there it is whole.
    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<()>;

    /// The whole object, at most [`OBJECT_BYTES_MAX`]. `Kind::NotFound` if there is none.
    fn get(&self, name: &str) -> Result<Vec<u8>>;

    /// Exactly `len` bytes from `offset`. `Kind::Corrupt` if the object ends before.
    fn get_range(&self, name: &str, offset: u64, len: usize) -> Result<Vec<u8>>;

    /// The length of the object. `Kind::NotFound` if there is none.
    fn size(&self, name: &str) -> Result<u64>;

    /// Up to `len` bytes from `offset` (of the end, the last `len`), as far as the object goes, and its length; nothing
    /// from behind its end. Where each call costs a round trip it is one call, of at most 8 MiB.
    fn get_part(&self, name: &str, from: Begin, len: usize) -> Result<(Vec<u8>, u64)> {
        let size = self.size(name)?;
        let (start, len) = from.within(len, size);
        let bytes = if len == 0 {
            Vec::new()
        } else {
            self.get_range(name, start, len)?
        };
        Ok((bytes, size))
    }

    /// Whether each call costs a round trip over a network, so that few of them count for more than few bytes.
    fn is_far(&self) -> bool {
        false
    }

    /// The names that begin with `prefix`, sorted; the root is not among them. It need not be complete while
    /// others write: what is alive is read from the catalog, never from here.
    fn list(&self, prefix: &str) -> Result<Vec<String>>;

    /// Removes an object; no error if there is none. After a crash it may be back.
    fn delete(&self, name: &str) -> Result<()>;

    /// The root as it is now, or none.
    fn root(&self) -> Result<Option<Vec<u8>>>;

    /// Replaces the root if it is still byte for byte `expected` (`None`: absent). `true` means it is replaced and
    /// durable, `false` that it was another one and is left alone, or was replaced by this same request sent once
    /// before. After an error it may be either: read it.
    fn swap_root(&self, expected: Option<&[u8]>, new: &[u8]) -> Result<bool>;

    /// Removes what writers that crashed left under names that a backend keeps for itself, once it is a day old.
    /// A backend that leaves nothing, or looks after it when it writes, has nothing to do.
    fn sweep(&self) -> Result<()> {
        Ok(())
    }

    /// Where this is, for messages.
    fn describe(&self) -> String;
}

/// Passes every verb on to what a pointer points to.
macro_rules! pointers {
    ($($pointer:ident),*) => {$(
        impl<T: Backend + ?Sized> Backend for $pointer<T> {
            fn put_new(&self, name: &str, bytes: &[u8]) -> Result<()> {
                (**self).put_new(name, bytes)
            }
            fn get(&self, name: &str) -> Result<Vec<u8>> {
                (**self).get(name)
            }
            fn get_range(&self, name: &str, offset: u64, len: usize) -> Result<Vec<u8>> {
                (**self).get_range(name, offset, len)
            }
            fn size(&self, name: &str) -> Result<u64> {
                (**self).size(name)
            }
            fn get_part(&self, name: &str, from: Begin, len: usize) -> Result<(Vec<u8>, u64)> {
                (**self).get_part(name, from, len)
            }
            fn is_far(&self) -> bool {
                (**self).is_far()
            }
            fn list(&self, prefix: &str) -> Result<Vec<String>> {
                (**self).list(prefix)
            }
            fn delete(&self, name: &str) -> Result<()> {
                (**self).delete(name)
            }
            fn root(&self) -> Result<Option<Vec<u8>>> {
                (**self).root()
            }
            fn swap_root(&self, expected: Option<&[u8]>, new: &[u8]) -> Result<bool> {
                (**self).swap_root(expected, new)
            }
            fn sweep(&self) -> Result<()> {
                (**self).sweep()
            }
            fn describe(&self) -> String {
                (**self).describe()
            }
        }
    )*};
}
pointers!(Arc, Box);

/// The name of a pack: fanned out over 256 folders, so that no folder holds more than a few hundred.
pub fn pack_name(pack: &PackId) -> String {
    format!("packs/{:02x}/{pack}", pack.0[0])
}

/// The pack of a name, if it is one of a pack.
pub fn pack_of_name(name: &str) -> Option<PackId> {
    let pack = PackId::parse(name.rsplit('/').next()?)?;
    (pack_name(&pack) == name).then_some(pack)
}

/// Refuses names that some backend could take for something else: only `a-z 0-9 . - _` in parts that begin with
/// a letter or digit, and none of the names that backends keep for themselves.
pub fn check_name(name: &str) -> Result<()> {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"._-".contains(&c);
    let part = |part: &str| {
        part.bytes().all(plain)
            && part.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
            && !part.ends_with('.')
    };
    let own = ["root", "tmp"].contains(&name.split(['/', '.']).next().unwrap_or_default());
    if name.len() <= NAME_BYTES_MAX && !own && name.split('/').all(part) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "`{name}` cannot be the name of an object"
    )))
}

/// Refuses prefixes that are not the beginning of a name.
pub(crate) fn check_prefix(prefix: &str) -> Result<()> {
    match prefix {
        "" => Ok(()),
        _ => check_name(&format!("{prefix}0")),
    }
}

/// Refuses what [`Backend::get`] would not give back.
pub(crate) fn check_len(name: &str, len: usize) -> Result<()> {
    if len <= OBJECT_BYTES_MAX {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{name} has {len} bytes, above the {OBJECT_BYTES_MAX} of an object"
    )))
}

pub(crate) fn check_root_len(len: usize) -> Result<()> {
    if len <= ROOT_BYTES_MAX {
        return Ok(());
    }
    Err(Error::corrupt(
        "root",
        format_args!("it has {len} bytes, above {ROOT_BYTES_MAX}"),
    ))
}

pub(crate) fn taken(name: &str) -> Error {
    Error::new(Kind::Busy, format!("{name} already exists"))
}

pub(crate) fn absent(name: &str) -> Error {
    Error::new(Kind::NotFound, format!("{name} does not exist"))
}

pub(crate) fn cut_short(name: &str, offset: u64, len: usize, size: u64) -> Error {
    Error::corrupt(
        name,
        format_args!("bytes {offset}+{len} were asked for, it has {size}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        let pack = pack_name(&PackId([0xab; 32]));
        for good in ["vault", "keys/00ff", "keys/00ff.copy", "journal/p-1/0003", &pack] {
            check_name(good).unwrap();
        }
        let long = "a".repeat(201);
        let bad = [
            "", "/", "a/", "/a", "a//b", ".", "..", "a/../b", "a/.b", "A", "a b", "a\\b", "a\0", "é", "a.",
            "c:",
        ];
        for bad in bad
            .iter()
            .chain(&["root", "root/x", "root.lock", "tmp/x", "tmp", &long])
        {
            assert_eq!(check_name(bad).unwrap_err().kind(), Kind::Invalid, "{bad:?}");
        }
        for prefix in ["", "packs/", "packs/a", "packs"] {
            check_prefix(prefix).unwrap();
        }
        assert!(check_prefix("../").is_err() && check_prefix("/").is_err() && check_prefix("tmp/").is_err());
    }

    #[test]
    fn packs_are_found_by_their_names() {
        let pack = PackId([0xab; 32]);
        assert_eq!(pack_of_name(&pack_name(&pack)), Some(pack));
        let hex = "ab".repeat(32);
        for name in [
            format!("packs/aa/{hex}"),
            hex.clone(),
            format!("packs/ab/{}", hex.to_uppercase()),
        ] {
            assert_eq!(pack_of_name(&name), None, "{name}");
        }
    }
}
