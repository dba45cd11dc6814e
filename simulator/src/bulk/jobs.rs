//! All jobs of an org: found by Id, listed, and forgotten a week after their end.
//!
//! Key decision: a job of another user is as good as none, unless the org's setting says otherwise.
//! Source: Bulk API 2.0 guide, "Get Information About All Query Jobs", "Bulk API 2.0 Limits".
//! Not here: processing them (`progress`).

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::job::Job;
use super::usage::Window;
use super::{BulkFault, BulkSettings};
use crate::error::ApiError;
use crate::org::State;

/// The jobs, in the order of their making.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    jobs: BTreeMap<String, Job>,
    faults: Vec<(String, BulkFault)>,
    pub queries: Window,
    /// Bytes of query results.
    pub results: Window,
    pub batches: Window,
    /// Rows of ingest jobs.
    pub records: Window,
}

/// One allowance: its name in `/limits`, all of it, and what is left.
pub(crate) type Allowance = (&'static str, u64, u64);

impl Jobs {
    pub fn put(&mut self, job: Job) {
        self.jobs.insert(job.id.clone(), job);
    }

    pub fn take(&mut self, id: &str) -> Option<Job> {
        self.jobs.remove(id)
    }

    pub fn get(&self, id: &str) -> Option<&Job> {
        self.jobs.get(id)
    }

    pub fn all(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values()
    }

    /// Queues what shall become of the next job over an object.
    pub fn script(&mut self, object: &str, fault: BulkFault) {
        self.faults.push((object.to_owned(), fault));
    }

    /// What was queued for a job over this object, used up.
    pub fn scripted(&mut self, object: &str) -> Option<BulkFault> {
        let at = self
            .faults
            .iter()
            .position(|(name, _)| name.is_empty() || name.eq_ignore_ascii_case(object))?;
        Some(self.faults.remove(at).1)
    }

    /// Forgets jobs that ended too long ago.
    pub fn forget(&mut self, settings: &BulkSettings, now: Timestamp) {
        self.jobs.retain(|_, job| {
            !job.stage.over() || now.duration_since(job.touched).unsigned_abs() < settings.retention
        });
    }

    /// What is left of the daily allowances.
    pub fn allowances(&self, settings: &BulkSettings, now: Timestamp) -> [Allowance; 3] {
        let left = |name, all: u64, used: u64| (name, all, all.saturating_sub(used));
        [
            left(
                "DailyBulkApiBatches",
                settings.daily_batches,
                self.batches.used(now),
            ),
            left(
                "DailyBulkV2QueryJobs",
                settings.daily_query_jobs,
                self.queries.used(now),
            ),
            left(
                "DailyBulkV2QueryFileStorageMB",
                settings.daily_query_megabytes,
                self.results.used(now) >> 20,
            ),
        ]
    }
}

/// The Id of a job of a kind that the running user may see, out of a path.
pub(crate) fn find(state: &mut State, id: &str, query: bool) -> Result<String, ApiError> {
    let now = state.clock.now();
    state.bulk.forget(&state.settings.bulk, now);
    let id = crate::id::normalise(id).ok_or_else(ApiError::not_found)?;
    let seen = state
        .bulk
        .get(&id)
        .is_some_and(|job| job.is_query() == query && visible(state, job));
    if seen { Ok(id) } else { Err(ApiError::not_found()) }
}

/// Whether the running user may see a job.
pub(crate) fn visible(state: &State, job: &Job) -> bool {
    state.settings.bulk.others_jobs || job.creator == state.running
}
