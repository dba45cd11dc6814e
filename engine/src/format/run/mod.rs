//! A run: an immutable sorted list of pages of one sObject covering a span of snapshots.
//!
//! Key decision: its directory has one entry a page, not a record, in parts of up to 256 pages; each part has a
//! filter on the Ids in it, so that a point read of an absent Id costs nothing. A run holds no page itself.

mod filter;
mod head;
mod part;

pub use filter::Filter;
pub use head::{PartEntry, RunHead};
pub use part::{PageEntry, RunPart};
