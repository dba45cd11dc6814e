//! The real command, killed at random instants of a capture and run again.
use crate::report::Report;
use std::path::Path;
/// x
pub(crate) fn run(_halite: &Path, _rounds: u64, _first: u64, _report: &Report) {}
