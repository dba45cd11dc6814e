//! Check: whether a vault is as it was written, and what it costs where it is not.
//!
//! Key decision: the packs tell what is there, the catalog what should be, and the report is the difference, down to
//! sObject and Ids (`docs/upkeep.md`). It takes no lock, asks no index, and changes nothing.

mod packs;
mod pages;
mod prove;
mod references;
mod report;

use crate::base::error::{Error, Result};
use crate::vault::keys::damaged_copies;
use crate::vault::open::Vault;

pub use report::{CheckReport, Damage, Loss};

/// How far a check goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Slots, catalog, both copies of metadata, and that every chunk of data stands in a directory.
    #[default]
    Structure,
    /// The same, and a share of the data opened.
    Sample,
    /// Every byte, every content, every state.
    All,
}

/// How to check.
#[derive(Debug, Clone, Copy)]
pub struct CheckOptions {
    /// How far.
    pub level: Level,
    /// For [`Level::Sample`]: the share of the chunks of data, 0 to 1.
    pub share: f64,
    /// Which of them: another seed draws others.
    pub seed: u64,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self {
            level: Level::Structure,
            share: 0.05,
            seed: 0,
        }
    }
}

/// How often it looks anew when somebody changed the vault under it.
const TRIES: usize = 5;

/// Checks a vault.
///
/// # Errors
/// Damage is not an error but a finding. `Corrupt` only if the root or the catalog itself cannot be read.
///
/// ```
/// use std::sync::Arc;
/// use halite_engine::ops::check::{CheckOptions, check};
/// use halite_engine::store::memory::Memory;
/// use halite_engine::vault::{Secret, Vault, VaultOptions};
/// let vault = Vault::create(Arc::new(Memory::new()), &Secret::None, VaultOptions::default()).unwrap();
/// assert!(check(&vault, &CheckOptions::default()).unwrap().is_sound());
/// ```
pub fn check(vault: &Vault, options: &CheckOptions) -> Result<CheckReport> {
    let _aside = vault.shelf.set_aside();
    let mut tries = 0;
    loop {
        let catalog = vault.refresh()?;
        let found = once(vault, options);
        tries += 1;
        // What was found missing may have been collected meanwhile.
        let sound = found.as_ref().is_ok_and(CheckReport::is_sound);
        if sound || tries == TRIES || vault.refresh()?.version() == catalog.version() {
            return found;
        }
    }
}

fn once(vault: &Vault, options: &CheckOptions) -> Result<CheckReport> {
    let catalog = vault.catalog();
    let mut report = CheckReport {
        level: options.level,
        version: catalog.version(),
        epoch: catalog.root.epoch,
        ..CheckReport::default()
    };
    for name in damaged_copies(&*vault.backend)? {
        let why = Error::corrupt("key", "it differs from its copy, or is not there");
        report.damage(name, &why);
    }
    let contents = packs::contents(vault, &catalog, options.level, &mut report)?;
    references::references(vault, &catalog, &contents, options, &mut report)?;
    if options.level == Level::All {
        pages::pages(vault, &catalog, &mut report)?;
    }
    report.losses.sort();
    report.losses.dedup();
    Ok(report)
}
