//! The storage engine: keeps every state of a Salesforce org, deduplicated, and reads any of them back.
//!
//! Key decision: sorted runs of record pages (an index entry a page, not a record) on a content-addressed
//! chunk store, so that a snapshot costs what changed. Five layers, each imports only those before it:
//! [`base`] -> [`mod@format`] -> [`store`] -> [`vault`] -> [`ops`]. The API is synchronous and never prints.
//!
//! It does not speak to Salesforce: an org is a [`ops::org::Source`] that somebody else implements.

pub mod base;
pub mod format;
pub mod ops;
pub mod store;
pub mod vault;

pub use base::error::{Error, Kind, Result};
