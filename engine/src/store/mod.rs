//! Where bytes are kept: one contract, and the places that fulfil it.
//!
//! Key decision: a small trait of our own, so that durability and the swap of the root are said in one place and
//! every backend is held to them by one suite. It knows names and bytes, not what they mean.

pub mod backend;
#[cfg(feature = "testing")]
pub mod conformance;
#[cfg(feature = "testing")]
pub mod faulty;
pub mod latch;
pub mod local;
pub mod memory;
#[cfg(feature = "object")]
pub mod object;
