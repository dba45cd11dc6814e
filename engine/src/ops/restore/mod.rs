//! Restore: the difference between then and now, turned into operations, and carried out.
//!
//! Key decision: a plan is plain values in a file that people can read and edit; planning asks two states of the
//! org and never the org itself but for what fires on writes, applying asks the org before each write. It deletes nothing.

pub mod again;
pub mod apply;
pub mod automation;
pub mod between;
mod check;
mod choice;
pub mod condition;
mod draft;
mod elsewhere;
pub mod fields;
mod file;
mod foretell;
pub mod graph;
pub mod journal;
mod look;
mod mapping;
pub mod masking;
pub mod moved;
pub mod packed;
pub mod plan;
pub mod planner;
pub mod remedy;
pub mod report;
mod rights;
mod seen;
mod special;
pub mod texts;
pub mod undo;
pub mod verify;
pub mod view;

#[cfg(test)]
mod tests;
