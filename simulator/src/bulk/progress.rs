//! Moving a job on, when somebody asks about it.
//!
//! Key decision: reading a job's info counts, asking for results does not; a job is done when it was read
//! often enough and the org's clock went far enough.
//! Source: Bulk API 2.0 guide, "Get Information About a Query Job" for the states.
//! Not here: what the work is (`extract`).

use super::BulkFault;
use super::job::{Job, Stage, Work};
use crate::org::State;

/// Brings a job to where it should be; `read` when its info is being read.
pub(crate) fn advance(state: &mut State, id: &str, read: bool) {
    let Some(mut job) = state.bulk.take(id) else {
        return;
    };
    if !job.stage.over() && job.stage != Stage::Open {
        // The work is done as the user who ordered it.
        let asking = std::mem::replace(&mut state.running, job.creator.clone());
        step(state, &mut job, read);
        state.running = asking;
    }
    state.bulk.put(job);
}

fn step(state: &mut State, job: &mut Job, read: bool) {
    let needed = match job.fault {
        Some(BulkFault::Polls(polls)) => polls,
        _ => state.settings.bulk.polls,
    };
    job.polls += u32::from(read);
    let now = state.clock.now();
    let waited = now.duration_since(job.created).unsigned_abs() >= state.settings.bulk.time;
    let done = waited && (job.polls > needed || needed == 0);
    if !done && (job.polls < 2 && needed > 1 || job.polls == 0) {
        return;
    }
    let Work::Query(extract) = &mut job.work;
    if job.stage == Stage::UploadComplete {
        let bytes = extract.fix(state, job.format);
        state.bulk.results.add(now, bytes as u64);
    }
    let found = extract.ids.len() as u64;
    if done {
        job.processed = found;
        finish(state, job);
    } else if job.stage == Stage::UploadComplete {
        job.turn(Stage::InProgress, now);
    }
}

/// The end of a job, as it is or as it was scripted.
fn finish(state: &State, job: &mut Job) {
    let now = state.clock.now();
    let (stage, error) = match job.fault.take() {
        Some(BulkFault::Fail { message, .. }) => (Stage::Failed, message),
        Some(BulkFault::Abort { .. }) => (Stage::Aborted, None),
        Some(BulkFault::Retries) => {
            job.retries = 15;
            let text = "InternalServerError : Retried more than 15 times. Try adding filters to the query.";
            (Stage::Failed, Some(text.to_owned()))
        }
        _ => (Stage::JobComplete, None),
    };
    if stage == Stage::Failed && job.is_query() {
        job.processed = 0;
    }
    job.error = error;
    job.turn(stage, now);
}
