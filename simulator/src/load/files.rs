//! The files of a project.
//!
//! Key decision: listed once, sorted, without following symbolic links, so that every load of the same
//! project is the same.
//! Not here: what the files mean.

use std::fs;
use std::path::{Path, PathBuf};

use super::LoadError;

/// Deepest directory looked into.
const MAX_DEPTH: usize = 32;

/// All files below a directory, sorted by path.
pub(crate) fn all(dir: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let mut out = Vec::new();
    walk(dir, 0, &mut out)?;
    out.sort();
    Ok(out)
}

fn walk(dir: &Path, depth: usize, out: &mut Vec<PathBuf>) -> Result<(), LoadError> {
    let fail = |source| LoadError::Read {
        path: dir.to_owned(),
        source,
    };
    for entry in fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let kind = entry.file_type().map_err(fail)?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if kind.is_file() {
            out.push(entry.path());
        } else if kind.is_dir() && !hidden && entry.file_name() != "node_modules" && depth < MAX_DEPTH {
            walk(&entry.path(), depth + 1, out)?;
        }
    }
    Ok(())
}

/// Reads a file as text; bytes that are no UTF-8 become replacement characters.
pub(crate) fn text(path: &Path) -> Result<String, LoadError> {
    let bytes = fs::read(path).map_err(|source| LoadError::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(String::from_utf8_lossy(&bytes)
        .trim_start_matches('\u{feff}')
        .to_owned())
}

/// Whether a file's name ends so.
pub(crate) fn named(path: &Path, end: &str) -> bool {
    path.file_name()
        .is_some_and(|n| n.to_string_lossy().ends_with(end))
}

/// Whether a directory of that name lies on the path.
pub(crate) fn within(path: &Path, dir: &str) -> bool {
    path.parent()
        .is_some_and(|p| p.components().any(|c| c.as_os_str() == dir))
}
