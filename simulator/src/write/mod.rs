//! What writing means: create, update, delete, undelete and what they set off.
//!
//! Key decision: one record at a time, inside a transaction that the caller began; a failed record is undone
//! by `State::attempt`, so a rule may refuse half-way.
//! Source: SOAP API guide, "create", "update", "delete", "undelete"; Object Reference, "System Fields".
//! Not here: requests of many records and their replies (`http::collections`).

pub(crate) mod automation;
mod batch;
mod check;
mod coerce;
mod delete;
mod derive;
pub(crate) mod duplicates;
pub(crate) mod files;
pub(crate) mod locks;
pub(crate) mod lookup;
mod merge;
mod order;
mod own;
pub(crate) mod person;
mod relate;
mod rollup;
pub(crate) mod rules;
mod save;
mod standard;
pub(crate) mod transaction;
mod undelete;

pub(crate) use batch::each;
pub(crate) use coerce::{coerce, instant};
pub(crate) use delete::{delete, empty_bin, expire, expire_purged, purge};
pub(crate) use merge::merge;
pub(crate) use own::{take_id, update_own, upsert_own};
pub(crate) use save::{AUDIT, create, create_loaded, update, upsert};
pub(crate) use undelete::undelete;

#[cfg(test)]
mod tests;
