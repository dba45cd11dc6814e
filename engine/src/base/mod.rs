//! What every layer needs: errors, typed ids, instants, limits, and the one door to time and randomness.
//!
//! Key decision: plain values only, so that no other layer has to look up for a small type.
//! It does no input or output, and knows nothing of bytes on disk.

pub mod clock;
pub mod error;
pub mod id;
pub mod limits;
pub mod stamp;
