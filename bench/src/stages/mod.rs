//! The stages that a record goes through, each by itself: what `bench stages`, the criterion benches and the guard run.
//!
//! Key decision: one list, so that whatever is measured is guarded too; a stage is prepared once from the same seeded
//! records, and a run gives a number that depends on all it did. It calls the engine's public face, and times nothing.

pub(crate) mod input;
mod packs;
mod pages;
mod pipeline;
mod ratios;
mod rows;
mod vaults;

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;

pub use input::Input;
pub use ratios::{Stages, measure};

/// What may go wrong is told to whoever measures.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// One stage, prepared.
pub struct Stage {
    /// The bytes that a run takes in.
    pub bytes: u64,
    work: Box<dyn FnMut() -> Outcome<u64>>,
}

impl Stage {
    fn new(bytes: usize, work: impl FnMut() -> Outcome<u64> + 'static) -> Self {
        Self {
            bytes: bytes as u64,
            work: Box::new(work),
        }
    }
}

/// Prepares a stage.
pub type Make = fn(&Arc<Input>) -> Outcome<Stage>;

/// All of them by name, in the order in which a record meets them.
pub const STAGES: [(&str, Make); 17] = [
    ("tokenise", rows::tokenise),
    ("canonicalise", rows::canonicalise),
    ("canonicalise-csv", rows::csv),
    ("hash", rows::hash),
    ("cut-pages", pages::cut),
    ("cut-bodies", packs::cut),
    ("page-encode", pages::encode),
    ("compress", packs::compress),
    ("prepare", packs::prepare),
    ("seal", packs::seal),
    ("page-decode", pages::decode),
    ("index", vaults::index),
    ("ingest", vaults::ingest),
    ("merge", vaults::merge),
    ("point-read", vaults::point_read),
    ("diff", vaults::diff_of_days),
    ("export", vaults::export),
];

/// Prepares the stage of that name.
///
/// # Errors
/// No such stage, or what preparing it met.
pub fn stage(name: &str, input: &Arc<Input>) -> Outcome<Stage> {
    let known = STAGES.iter().find(|(other, _)| *other == name);
    let (_, make) = known.ok_or_else(|| format!("no stage {name}"))?;
    make(input)
}

/// Runs a stage once. The guard counts what happens in here, so it is a function of its own.
///
/// # Errors
/// What the stage met.
#[inline(never)]
pub fn stage_run(stage: &mut Stage) -> Outcome<u64> {
    black_box((stage.work)())
}

#[cfg(test)]
mod tests;
