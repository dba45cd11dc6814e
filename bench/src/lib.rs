//! Corpora to measure with: Salesforce-like records, the same bytes for the same seed on every machine.
//!
//! Key decision: a record is a pure function of (seed, day, row), so that an edited day needs no first day on disk.
//! This is not a benchmark: criterion benches and the rivals' scripts stand beside it.
