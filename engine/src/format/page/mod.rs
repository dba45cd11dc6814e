//! A page: up to a few hundred records, with their versions, of one sObject, sorted by (Id, snapshot descending), laid out by column.
//!
//! Key decision: three parts, each a chunk: *keys* (who, when, which content), *values*, and *derived* values with
//! the time they were read. Comparing touches keys only; value parts hold no Ids of their own, so that equal data
//! of two orgs is one chunk. A page does not know where it lies: that is the run's directory.

mod cut;
mod keys;
mod keys_read;
mod part;
mod part_read;

pub use cut::{Cutter, IdHash, id_hash};
pub use keys::{KeyRow, VersionKind, encode as encode_keys};
pub use keys_read::{
    Sight, decode as decode_keys, decode_into as decode_keys_into, decode_sight as decode_keys_sight,
};
pub use part::PartBuilder;
pub use part_read::{Column, Part, Span, decode_derived, decode_derived_rows, encode_derived};
