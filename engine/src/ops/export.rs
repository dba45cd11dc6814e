//! A state as files: one `<sObject>.ndjson` each, a record a line, in order of Ids.
//!
//! Key decision: files are written under a temporary name and renamed when whole, so that a reader never meets half
//! an export; what is exported can be imported again. It overwrites nothing that is there.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::base::error::{Error, Kind, Result};
use crate::ops::state::State;

/// Writes every sObject of `state` (or `only` those) into the folder `dir`; returns names and record counts.
pub fn ndjson(state: &State<'_>, only: Option<&[String]>, dir: &Path) -> Result<Vec<(String, u64)>> {
    fs::create_dir_all(dir).map_err(|e| Error::io(dir.display(), e))?;
    let names = state.sobjects()?;
    if let Some(unknown) = only.into_iter().flatten().find(|name| !names.contains(name)) {
        return Err(Error::new(
            Kind::NotFound,
            format!("the snapshot has no sObject {unknown}"),
        ));
    }
    let mut done = Vec::new();
    for name in names
        .into_iter()
        .filter(|name| only.is_none_or(|only| only.contains(name)))
    {
        let path = dir.join(format!("{name}.ndjson"));
        if path.exists() {
            return Err(
                Error::new(Kind::Busy, format!("{} is there already", path.display()))
                    .hint("name an empty folder"),
            );
        }
        let part = dir.join(format!("{name}.ndjson.part"));
        let written = one(state, &name, &part).and_then(|count| {
            fs::rename(&part, &path)
                .map(|()| count)
                .map_err(|e| Error::io(path.display(), e))
        });
        let count = written.inspect_err(|_| drop(fs::remove_file(&part)))?;
        done.push((name, count));
    }
    Ok(done)
}

/// Writes one sObject to `part`; returns how many records it has.
fn one(state: &State<'_>, name: &str, part: &Path) -> Result<u64> {
    let failed = |e| Error::io(part.display(), e);
    let mut out = BufWriter::with_capacity(1 << 20, fs::File::create(part).map_err(failed)?);
    let mut count = 0;
    state.each(name, &mut |record| {
        count += 1;
        out.write_all(record.json.as_bytes())
            .and_then(|()| out.write_all(b"\n"))
            .map_err(failed)
    })?;
    out.flush().map_err(failed)?;
    Ok(count)
}
