//! One repository: opened under a key, read through references, changed by commits of a new catalog.
//!
//! Key decision: the root swap is the only commit point; whatever is written before it is invisible, whatever
//! stands after it is whole. It does not know what a capture or a restore is: those are operations above it.

pub mod cache;
pub mod catalog;
pub mod commit;
pub mod contents;
pub mod erased;
mod grants;
pub mod index;
pub mod keys;
mod loss;
pub(crate) mod marker;
pub mod merge;
pub mod open;
pub mod reader;
pub mod rekey;
pub mod rescue;
pub mod run;
pub(crate) mod shelf;
mod slot;
pub mod writer;

pub use catalog::{Catalog, SnapshotInfo};
pub use keys::Secret;
pub use open::{Vault, VaultOptions};
