//! What one does with a vault: capture, look, compare, restore.
//!
//! Key decision: operations are functions over a vault, not methods of one type that knows every verb.

pub mod org;
