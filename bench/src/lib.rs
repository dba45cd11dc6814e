//! What Halite is measured with: corpora of Salesforce-like records and of files, the same bytes for the same seed on
//! every machine, and a plain HTTP client.
//!
//! Key decision: a record is a pure function of (seed, day, row), so that an edited day needs no first day on disk.
//! This is not a benchmark: the scripts that measure stand beside it, and none of it is linked into the command.

pub mod capture;
mod corpus;
mod describe;
pub mod far;
mod fields;
pub mod figures;
pub mod files;
pub mod http;
pub mod pages;
mod random;
pub mod requests;
pub mod restore;
mod sobject;
pub mod stages;
mod values;
pub mod year;

pub use corpus::{Corpus, Days, Pattern, Shape};
pub use describe::{describe, describe_as};
pub use sobject::{Counts, SObject};

/// The one door to time.
#[expect(clippy::disallowed_methods, reason = "measuring is what this package is for")]
pub fn now() -> std::time::Instant {
    std::time::Instant::now()
}
