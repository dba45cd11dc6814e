//! What the live packs hold, by their directories or by every byte of them.
//!
//! Key decision: when every byte is read, only chunks that opened count as there, so that the walk of references
//! finds by itself what a damaged byte costs. Packs are read on all cores, one a core at a time. It knows no records.

use std::sync::Mutex;

use rayon::prelude::*;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::PackId;
use crate::format::pack::DirEntry;
use crate::format::scan::scan;
use crate::ops::check::{CheckReport, Level};
use crate::store::backend::pack_name;
use crate::vault::catalog::Catalog;
use crate::vault::contents::Contents;
use crate::vault::open::Vault;

/// Chunks of one pack, and what is wrong with it.
type Found = (Vec<DirEntry>, Vec<Error>);

/// Looks at all live packs of a catalog.
pub fn contents(
    vault: &Vault,
    catalog: &Catalog,
    level: Level,
    report: &mut CheckReport,
) -> Result<Contents> {
    let packs = catalog.packs();
    report.packs = packs.len() as u64;
    let (contents, report) = (Mutex::new(Contents::default()), Mutex::new(report));
    let gone = || Error::new(Kind::Io, "another thread of the check ended badly");
    packs.par_iter().try_for_each(|pack| {
        vault.go_on()?;
        let (entries, errors) = match level {
            Level::All => every_byte(vault, pack)?,
            _ => directory(vault, pack)?,
        };
        contents.lock().map_err(|_| gone())?.add(*pack, entries);
        let mut report = report.lock().map_err(|_| gone())?;
        errors.iter().for_each(|error| report.bad_pack(*pack, error));
        Ok::<(), Error>(())
    })?;
    let mut contents = contents.into_inner().map_err(|_| gone())?;
    contents.settle();
    let report = report.into_inner().map_err(|_| gone())?;
    report.chunks = contents.count() as u64;
    // Threads end in any order.
    report
        .damages
        .sort_by(|a, b| (&a.what, &a.why).cmp(&(&b.what, &b.why)));
    Ok(contents)
}

/// Damage is a finding; that the store does not answer is an error.
pub fn finding<T>(read: Result<T>) -> Result<Result<T>> {
    match read {
        Err(e) if !matches!(e.kind(), Kind::Corrupt | Kind::NotFound | Kind::Unsupported) => Err(e),
        read => Ok(read),
    }
}

fn directory(vault: &Vault, pack: &PackId) -> Result<Found> {
    Ok(match finding(vault.directory(pack))? {
        Ok(entries) => (entries, Vec::new()),
        Err(error) => (Vec::new(), vec![error]),
    })
}

fn every_byte(vault: &Vault, pack: &PackId) -> Result<Found> {
    let bytes = match finding(vault.backend.get(&pack_name(pack)))? {
        Ok(bytes) => bytes,
        Err(error) => return Ok((Vec::new(), vec![error])),
    };
    let (mut entries, mut errors) = (Vec::new(), Vec::new());
    for chunk in scan(&vault.keys, pack, &bytes) {
        match chunk {
            Ok((entry, _)) => entries.push(entry),
            Err(error) => errors.push(error),
        }
    }
    Ok((entries, errors))
}
