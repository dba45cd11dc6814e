//! Moving a job on, when somebody asks about it.
//!
//! Key decision: reading a job's info counts, asking for results does not; a job is done when it was read
//! often enough and the org's clock went far enough.
//! Source: Bulk API 2.0 guide, "Get Information About a Query Job", "Get Job Info" for the states.
//! Not here: what the work is (`extract`, `ingest`).

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
    let waiting = job.stage == Stage::UploadComplete;
    if let Work::Query(extract) = &mut job.work {
        if waiting {
            let bytes = extract.fix(state, job.format);
            state.bulk.results.add(now, bytes as u64);
        }
        if done {
            job.processed = extract.ids.len() as u64;
        }
    } else if let Err(message) = ingest(state, job, if done { 1 } else { needed + 1 }) {
        job.error = Some(message);
        return job.turn(Stage::Failed, now);
    }
    if done {
        finish(state, job);
    } else if waiting {
        job.turn(Stage::InProgress, now);
    }
}

/// Saves the rows that are due: one part of `parts` with each reading of the info, all of them in the end.
fn ingest(state: &mut State, job: &mut Job, parts: u32) -> Result<(), String> {
    let Work::Ingest(ingest) = &mut job.work else {
        return Ok(());
    };
    if job.stage == Stage::UploadComplete {
        ingest.open(state, &job.object, job.format)?;
        ingest.charge(state)?;
    }
    let all = ingest.chunks();
    let most = match job.fault {
        Some(BulkFault::Fail { after, .. } | BulkFault::Abort { after }) => all.min(after),
        Some(BulkFault::Retries) => 0,
        _ => all,
    };
    let due = if parts == 1 {
        all
    } else {
        all * job.polls as usize / parts as usize
    };
    ingest.process(state, &job.object, job.format, due.min(most));
    job.processed = ingest.outcomes.len() as u64;
    Ok(())
}

/// The end of a job, as it is or as it was scripted.
fn finish(state: &State, job: &mut Job) {
    let now = state.clock.now();
    let tries = if job.is_query() { 15 } else { 10 };
    let (stage, error) = match job.fault.take() {
        Some(BulkFault::Fail { message, .. }) => (Stage::Failed, message),
        Some(BulkFault::Abort { .. }) => (Stage::Aborted, None),
        Some(BulkFault::Retries) => {
            job.retries = tries;
            let remedy = if job.is_query() {
                " Try adding filters to the query."
            } else {
                ""
            };
            let text = format!("InternalServerError : Retried more than {tries} times.{remedy}");
            (Stage::Failed, Some(text))
        }
        Some(BulkFault::LoseResults) => {
            if let Work::Ingest(ingest) = &mut job.work {
                ingest.lose(state.settings.seed, &job.id);
            }
            (Stage::JobComplete, None)
        }
        _ => (Stage::JobComplete, None),
    };
    if stage == Stage::Failed && job.is_query() {
        job.processed = 0;
    }
    job.error = error;
    job.turn(stage, now);
}
