//! The engine through its public face: captures from an org that is a plain map, checked against that map.
//!
//! Key decision: one binary; the org here is a model and not the simulator, so that the engine is tested alone.
//! It does not test commands or the network: those are the root package's tests.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod canonical;
mod capture;
mod damage;
mod drafts;
mod faults;
mod files;
mod forward;
mod golden;
mod import;
mod keys;
mod merging;
mod model;
mod object;
mod publish;
mod requests;
mod spans;
mod upkeep;
mod verified;
mod walk;
