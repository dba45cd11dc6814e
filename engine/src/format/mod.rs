//! What stands on disk, as pure functions between values and bytes.
//!
//! Key decision: no input or output here, so that fuzzing and miri are cheap; `docs/format.md` is the reference.
//! It does not know where bytes are kept, nor what an operation means.

pub mod blob;
pub mod catalog;
pub mod codec;
pub mod derive;
pub mod describe;
pub mod digest;
pub mod draft;
pub mod entry;
pub mod kind;
pub mod loss;
pub mod manifest;
pub mod mark;
pub mod master;
pub mod pack;
pub mod page;
pub mod place;
pub mod record;
pub mod ring;
pub mod root;
pub mod run;
pub mod scan;
pub mod schema;
pub mod seal;
