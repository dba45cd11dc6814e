//! What stands on disk, as pure functions between values and bytes.
//!
//! Key decision: no input or output here, so that fuzzing and miri are cheap; `docs/format.md` is the reference.

pub mod codec;
pub mod describe;
pub mod pack;
pub mod page;
pub mod record;
pub mod root;
pub mod scan;
pub mod schema;
pub mod seal;
