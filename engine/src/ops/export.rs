//! A state as files: one `<sObject>.ndjson` each, a record a line, in order of Ids.
//!
//! Key decision: files are written under a temporary name and renamed when whole, so that a reader never meets half
//! an export; what is exported can be imported again. Bodies of files are files of their own, named by their Ids.
//! It overwrites nothing that is there.

#[cfg(feature = "parquet")]
pub mod parquet;

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::RecordId;
use crate::format::blob::holds_bodies;
use crate::ops::bodies::Body;
use crate::ops::state::State;
use crate::vault::open::Vault;

/// Writes every sObject of `state` (or `only` those) into the folder `dir`; returns names and record counts.
pub fn ndjson(state: &State<'_>, only: Option<&[String]>, dir: &Path) -> Result<Vec<(String, u64)>> {
    fs::create_dir_all(dir).map_err(|e| Error::io(dir.display(), e))?;
    let mut done = Vec::new();
    for name in wanted(state, only)? {
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

/// The sObjects of `state`, or `only` those, that have records to export: what holds bodies of files is none of them.
fn wanted(state: &State<'_>, only: Option<&[String]>) -> Result<Vec<String>> {
    let mut names = state.sobjects()?;
    names.retain(|name| !holds_bodies(name));
    if let Some(unknown) = only.into_iter().flatten().find(|name| !names.contains(name)) {
        return Err(Error::new(
            Kind::NotFound,
            format!("the snapshot has no sObject {unknown}"),
        ));
    }
    names.retain(|name| only.is_none_or(|only| only.contains(name)));
    Ok(names)
}

/// Writes one sObject to `part`; returns how many records it has.
fn one(state: &State<'_>, name: &str, part: &Path) -> Result<u64> {
    let failed = |e| Error::io(part.display(), e);
    let mut out = fs::File::create(part).map_err(failed)?;
    let mut count = 0;
    state.lines(name, &mut |lines, records| {
        count += records;
        out.write_all(lines).map_err(failed)
    })?;
    Ok(count)
}

/// Writes the bodies of files of `state` (or of `only` those sObjects) as `<sObject>.<field>/<Id>[.ext]` into the folder `dir`;
/// returns names and counts.
pub fn files(
    vault: &Vault,
    state: &State<'_>,
    only: Option<&[String]>,
    dir: &Path,
) -> Result<Vec<(String, u64)>> {
    let mut done = Vec::new();
    for name in state.sobjects()?.into_iter().filter(|name| holds_bodies(name)) {
        let of = name.split('.').next().unwrap_or_default();
        if only.is_some_and(|only| only.iter().all(|name| name != of)) {
            continue;
        }
        let (folder, mut count) = (dir.join(&name), 0);
        fs::create_dir_all(&folder).map_err(|e| Error::io(folder.display(), e))?;
        state.each(&name, &mut |record| {
            let body = Body::parse(record.id, &record.json)?;
            let name = format!("{}{}", record.id, extension(state, of, record.id)?);
            let path = folder.join(name);
            let failed = |e| Error::io(path.display(), e);
            let mut out = fs::File::create_new(&path).map_err(failed)?;
            body.read(vault, &mut |bytes| out.write_all(bytes).map_err(failed))
                .inspect_err(|_| drop(fs::remove_file(&path)))?;
            count += 1;
            Ok(())
        })?;
        done.push((name, count));
    }
    Ok(done)
}

/// What the file of a row ends with, by the name that the row gives it: with its dot, if it is short and plain.
fn extension(state: &State<'_>, sobject: &str, id: RecordId) -> Result<String> {
    #[derive(Default, serde::Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Named {
        path_on_client: Option<String>,
        name: Option<String>,
    }
    let Some(row) = state.get(sobject, id)? else {
        return Ok(String::new());
    };
    let Named { path_on_client, name } = serde_json::from_str(&row.json).unwrap_or_default();
    let name = path_on_client.or(name).unwrap_or_default();
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    let plain = (1..=10).contains(&end.len()) && end.bytes().all(|b| b.is_ascii_alphanumeric());
    Ok(if plain { format!(".{end}") } else { String::new() })
}
