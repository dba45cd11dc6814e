//! What one does with a vault: capture, look, compare, restore.
//!
//! Key decision: operations are functions over a vault, not methods of one type that knows every verb.
//! None of them prints, and none of them speaks to Salesforce but through [`org`].

pub mod bodies;
pub mod capture;
pub mod check;
pub mod compact;
pub mod copy;
pub mod diff;
pub mod erase;
pub mod export;
pub mod history;
pub mod hold;
pub mod import;
mod ingest;
mod lines;
pub mod lookup;
pub mod org;
pub mod prune;
mod publish;
mod render;
pub mod repair;
pub mod report;
pub mod restore;
pub mod retain;
pub mod schedule;
pub mod sight;
mod spill;
pub mod state;
mod view;
pub mod walk;
