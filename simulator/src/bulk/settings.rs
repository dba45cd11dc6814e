//! What may differ between orgs in their Bulk API, and what a test can script.
//!
//! Key decision: as with all settings, what no page settles is a switch; failures are queued for the next
//! jobs over an object and used up one by one.
//! Not here: faults of single requests (`org::faults`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::org::seconds;

/// Settings of the Bulk API.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BulkSettings {
    /// The org's edition has the Bulk API.
    pub enabled: bool,
    /// How often a job's info is read before it says that the job is done.
    pub polls: u32,
    /// How long a job takes by the org's clock, besides.
    #[serde(with = "seconds")]
    pub time: Duration,
    /// The values of a query job are read when it is processed, as the real API does by keeping files; if
    /// not, each page reads them when it is asked for, and only the set of Ids is fixed.
    pub frozen: bool,
    /// Rows a page of query results at most, where the client names no number.
    pub page_rows: usize,
    /// Columns of query results come in an order of their own instead of that of the SELECT (unverified).
    pub shuffled_columns: bool,
    /// Large and small decimals are written as `3.5E8` (unverified).
    pub exponents: bool,
    /// A query without rows answers `No records found for this query` instead of a header line (unverified).
    pub empty_text: bool,
    /// Users see and change the jobs of others too.
    pub others_jobs: bool,
    /// Objects whose query jobs need "View All Data" (which ones is not written down).
    pub view_all_data_for: Vec<String>,
    /// A byte order mark before an upload is taken off; if not, it is part of the first name (unverified).
    pub skips_bom: bool,
    /// Objects that this org's Bulk API does not support, besides the known ones.
    pub unsupported: Vec<String>,
    /// How long jobs are kept after their end.
    #[serde(with = "seconds")]
    pub retention: Duration,
    /// Largest upload, in bytes of base64, which is how the org keeps it.
    pub upload_bytes: usize,
    /// Query jobs in 24 hours.
    pub daily_query_jobs: u64,
    /// Megabytes of query results in 24 hours.
    pub daily_query_megabytes: u64,
    /// Batches of ingest jobs in 24 hours; each 10,000 rows are one.
    pub daily_batches: u64,
    /// Rows of ingest jobs in 24 hours.
    pub daily_records: u64,
}

impl Default for BulkSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            polls: 2,
            time: Duration::ZERO,
            frozen: true,
            page_rows: 50_000,
            shuffled_columns: false,
            exponents: true,
            empty_text: false,
            others_jobs: false,
            view_all_data_for: Vec::new(),
            skips_bom: false,
            unsupported: Vec::new(),
            retention: Duration::from_secs(7 * 24 * 3600),
            upload_bytes: 150_000_000,
            daily_query_jobs: 10_000,
            daily_query_megabytes: 976_562,
            daily_batches: 15_000,
            daily_records: 150_000_000,
        }
    }
}

/// What becomes of a job instead of its success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkFault {
    /// It fails, with this `errorMessage`; an ingest job after it processed this many chunks of 200 rows.
    Fail {
        /// `errorMessage`; a failed job often has none.
        message: Option<String>,
        /// Chunks that are processed before.
        after: usize,
    },
    /// An administrator aborts it, after this many chunks of an ingest job.
    Abort {
        /// Chunks that are processed before.
        after: usize,
    },
    /// It was retried more often than the API does.
    Retries,
    /// The results of one chunk of 200 rows are missing, although its rows were processed (ingest jobs).
    LoseResults,
    /// It takes this many readings of its info.
    Polls(u32),
}
