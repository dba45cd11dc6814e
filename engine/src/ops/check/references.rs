//! Every reference of a catalog, held against what the packs hold.
//!
//! Key decision: a reference is served by its place, else by any other place of the chunk; only when none serves is
//! something lost. Metadata has two places, and each that fails is told. It does not look into pages: that is
//! [`super::pages`].

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::id::{ChunkId, OrgId, PackId};
use crate::format::pack::Location;
use crate::format::page::{Part, decode_derived, decode_keys_into};
use crate::format::seal::ChunkKind;
use crate::ops::check::packs::finding;
use crate::ops::check::{CheckOptions, CheckReport, Level};
use crate::ops::walk::{Seen, Visit, walk};
use crate::vault::catalog::Catalog;
use crate::vault::contents::Contents;
use crate::vault::open::Vault;

/// Walks all references.
pub fn references(
    vault: &Vault,
    catalog: &Catalog,
    contents: &Contents,
    options: &CheckOptions,
    report: &mut CheckReport,
) -> Result<()> {
    let lost: BTreeSet<ChunkId> = catalog.losses()?.into_iter().map(|(id, _)| id).collect();
    report.known_losses = lost.len() as u64;
    let again = lost.iter().filter(|id| contents.places(id).next().is_some());
    report.healed = again.copied().collect();
    let mut visit = References {
        vault,
        catalog,
        contents,
        options,
        report,
        lost,
        metadata: BTreeSet::new(),
    };
    walk(vault, catalog, &mut visit)
}

struct References<'a> {
    vault: &'a Vault,
    catalog: &'a Catalog,
    contents: &'a Contents,
    options: &'a CheckOptions,
    report: &'a mut CheckReport,
    lost: BTreeSet<ChunkId>,
    /// Chunks of metadata whose copies have been looked at: several may refer to one.
    metadata: BTreeSet<ChunkId>,
}

impl Visit for References<'_> {
    fn chunk(&mut self, seen: &Seen<'_>) -> Result<()> {
        self.vault.go_on()?;
        self.report.references += 1;
        if self.lost.contains(&seen.id) {
            return Ok(());
        }
        let served = match seen.at {
            [at] => self.data(seen, at)?,
            [] => match self.contents.places(&seen.id).next() {
                Some(at) => self.data(seen, &at)?,
                None => false,
            },
            copies => self.copies(seen, copies)?,
        };
        if !served {
            self.report.lost(seen);
        }
        Ok(())
    }

    fn draft(&mut self, _: OrgId, _: &PackId) -> Result<()> {
        Ok(())
    }

    /// That it is lost has been told.
    fn unreadable(&mut self, _: &Seen<'_>, _: Error) -> Result<()> {
        Ok(())
    }
}

impl References<'_> {
    fn data(&mut self, seen: &Seen<'_>, at: &Location) -> Result<bool> {
        let place = if self.contents.has(&seen.id, at) {
            Some(*at)
        } else {
            self.contents.places(&seen.id).next()
        };
        if self.options.level == Level::Sample && self.drawn(&seen.id) {
            self.report.sampled += 1;
            let drawn = place.unwrap_or(*at);
            let opened = finding(self.open(seen, &drawn))?;
            return Ok(self.told(seen, &drawn, opened) || self.elsewhere(seen, &[drawn])?);
        }
        // A directory that cannot be read does not make its chunks unreadable.
        Ok(place.is_some() || self.catalog.has_pack(&at.pack) && finding(self.open(seen, at))?.is_ok())
    }

    /// Looks at each copy; whether one serves.
    fn copies(&mut self, seen: &Seen<'_>, copies: &[Location]) -> Result<bool> {
        let first_time = self.metadata.insert(seen.id);
        let mut served = false;
        for at in copies {
            let stands = self.catalog.has_pack(&at.pack) && self.contents.has(&seen.id, at);
            let opened = match (stands, self.options.level) {
                (true, Level::All) => Ok(()),
                _ => finding(self.open(seen, at))?,
            };
            served |= if first_time {
                self.told(seen, at, opened)
            } else {
                opened.is_ok()
            };
        }
        Ok(served || self.elsewhere(seen, copies)?)
    }

    /// Whether another place than these serves.
    fn elsewhere(&self, seen: &Seen<'_>, tried: &[Location]) -> Result<bool> {
        for at in self.contents.places(&seen.id).filter(|at| !tried.contains(at)) {
            if finding(self.open(seen, &at))?.is_ok() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a chunk opened; one that did not is noted, and its pack as damaged.
    fn told(&mut self, seen: &Seen<'_>, at: &Location, opened: Result<()>) -> bool {
        let Err(error) = opened else { return true };
        // Every byte was read: what is wrong with this pack was told.
        if self.options.level != Level::All || !self.report.bad_packs.contains(&at.pack) {
            let (pack, kind, id) = (at.pack, seen.kind, seen.id);
            self.report.bad_packs.insert(pack);
            self.report
                .damage(format_args!("{kind} {id} in pack {pack}"), &error);
        }
        false
    }

    fn open(&self, seen: &Seen<'_>, at: &Location) -> Result<()> {
        let bytes = self.vault.chunk_at(seen.kind, &seen.id, at)?;
        match seen.kind {
            ChunkKind::PageKeys => decode_keys_into(0, &bytes, &mut Vec::new()),
            ChunkKind::PageValues => Part::decode_rows(&Arc::new(bytes), None).map(drop),
            ChunkKind::PageDerived => decode_derived(&bytes).map(drop),
            _ => Ok(()),
        }
    }

    /// Whether a chunk is in the sample: by its name, which is as good as random, and the seed.
    fn drawn(&self, id: &ChunkId) -> bool {
        let word = id.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let mixed = (word ^ self.options.seed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((mixed >> 11) as f64) < self.options.share * (1_u64 << 53) as f64
    }
}
