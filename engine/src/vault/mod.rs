//! One vault: its keys, its index, its catalog, reading and writing.
//!
//! Key decision: the root swap is the only commit point. It does not know what a capture or a restore is.

pub mod cache;
pub mod index;
pub mod keys;
