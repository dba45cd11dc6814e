//! Bulk jobs of several sObjects: made up front, run side by side by the org, given on one after the other.
//!
//! Key decision: each job is told to the sink as soon as it is made, so that another run can take it up; whichever is
//! done first is given on first, while the next one is asked about. A job that comes to nothing is read by REST, one of an earlier run that is gone is
//! made anew. Open jobs are left alone when a run ends early: they are what the next one goes on with.

use std::collections::VecDeque;
use std::time::Duration;

use halite_engine::ops::org::Sink;

use super::{Query, rows};
use crate::asks::of_one;
use crate::bulk::{self, Job, Known, State};
use crate::error::Fault;
use crate::rest::Rest;
use crate::retry::{Begun, Caller, Session};

/// Jobs at a time.
const AT_ONCE: usize = 5;
/// The wait before the second look; each further one is half as long again, up to the patience there is.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Waits from which on all jobs are looked at, and not the oldest alone: it is slow, and another may be done.
const SLOW: Duration = Duration::from_secs(1);
/// A job that takes longer than this is given up.
const TOO_LONG: Duration = Duration::from_secs(24 * 3600);

/// A job and the reading it is for.
struct Running<'a> {
    query: Query<'a>,
    job: Job,
    /// Whether it was made by an earlier run.
    taken_up: bool,
    /// The question how far it is, on its way.
    look: Option<Begun>,
    /// How it ended.
    over: Option<Result<State, Fault>>,
}

impl<'a> Running<'a> {
    fn new(query: Query<'a>, job: Job, taken_up: bool) -> Self {
        Self {
            query,
            job,
            taken_up,
            look: None,
            over: None,
        }
    }

    /// Asks how far it is, and waits for the answer only if told to: whether it is over.
    fn is_over<S: Session>(
        &mut self,
        caller: &mut Caller<S>,
        rest: &Rest,
        wait: bool,
    ) -> Result<bool, Fault> {
        if self.over.is_some() {
            return Ok(true);
        }
        let look = match self.look.take() {
            Some(look) => look,
            None => bulk::look(caller, rest, &self.job)?,
        };
        if !wait && !caller.is_there(&look) {
            self.look = Some(look);
            return Ok(false);
        }
        self.over = match bulk::seen(caller, &self.job, look) {
            Ok(State::Working) => None,
            Err(fault) if fault.is_of_run() => return Err(fault),
            end => Some(end),
        };
        Ok(self.over.is_some())
    }
}

/// The jobs that run, and the readings that wait for one.
#[derive(Default)]
pub struct Lane<'a> {
    waiting: VecDeque<Query<'a>>,
    running: Vec<Running<'a>>,
    /// What the org takes no job for.
    pub refused: Vec<Query<'a>>,
}

impl<'a> Lane<'a> {
    /// A reading to be done by a job.
    pub fn push(&mut self, query: Query<'a>) {
        self.waiting.push_back(query);
    }

    /// A reading whose job was made by an earlier run.
    pub fn take_up(&mut self, query: Query<'a>, job: Job) {
        self.running.push(Running::new(query, job, true));
    }

    /// Makes jobs, as many as may run at a time.
    pub fn fill<S: Session>(
        &mut self,
        caller: &mut Caller<S>,
        rest: &Rest,
        known: &mut Known,
        sink: &mut dyn Sink,
    ) -> Result<(), Fault> {
        while self.running.len() < AT_ONCE {
            let Some(query) = self.waiting.pop_front() else {
                return Ok(());
            };
            let job = if known.may(&query.select, query.read.describe) {
                bulk::create(caller, rest, known, &query.select)?
            } else {
                None
            };
            match job {
                None => self.refused.push(query),
                Some(job) => {
                    sink.reached(query.at, &job.position().encode())?;
                    self.running.push(Running::new(query, job, false));
                }
            }
        }
        Ok(())
    }

    /// Waits for all jobs and gives their rows on; gives back what is to be read by REST.
    pub fn finish<S: Session>(
        &mut self,
        caller: &mut Caller<S>,
        rest: &Rest,
        known: &mut Known,
        sink: &mut dyn Sink,
    ) -> Result<Vec<Query<'a>>, Fault> {
        let (mut wait, mut waited) = (FIRST_WAIT, Duration::ZERO);
        loop {
            self.fill(caller, rest, known, sink)?;
            if self.running.is_empty() {
                return Ok(std::mem::take(&mut self.refused));
            }
            let looked_at = if wait < SLOW { 1 } else { self.running.len() };
            let mut over = None;
            for (at, running) in self.running.iter_mut().enumerate().take(looked_at) {
                if over.is_none() && running.is_over(caller, rest, true)? {
                    over = Some(at);
                }
            }
            if let Some(at) = over {
                self.end(caller, rest, known, at, sink)?;
                (wait, waited) = (FIRST_WAIT, Duration::ZERO);
                continue;
            }
            if waited > TOO_LONG {
                self.give_up(caller, rest, known);
                continue;
            }
            caller.wire.look_again_after(wait)?;
            waited += wait;
            wait = (wait + wait / 2).min(LONGEST_WAIT);
        }
    }

    /// Ends a job that is over: its rows are given on, or it is read otherwise.
    fn end<S: Session>(
        &mut self,
        caller: &mut Caller<S>,
        rest: &Rest,
        known: &mut Known,
        at: usize,
        sink: &mut dyn Sink,
    ) -> Result<(), Fault> {
        let mut running = self.running.remove(at);
        known.over(&running.job);
        match running.over.take() {
            Some(Ok(State::Complete(total))) => self.give(caller, rest, known, running, total, sink)?,
            Some(Ok(State::Failed(why))) if !running.taken_up => self.fails(known, running.query, why),
            Some(Err(fault)) if !running.taken_up => self.fails(known, running.query, fault),
            _ => {
                let sobject = running.query.select.sobject;
                tracing::warn!(sobject, "the job of an earlier run is gone: anew");
                self.waiting.push_back(running.query);
            }
        }
        Ok(())
    }

    /// The rows of a job that is done; where they do not come as they should, those that REST gives, from the
    /// beginning. Meanwhile the next job is asked about.
    fn give<S: Session>(
        &mut self,
        caller: &mut Caller<S>,
        rest: &Rest,
        known: &mut Known,
        running: Running<'_>,
        total: Option<u64>,
        sink: &mut dyn Sink,
    ) -> Result<(), Fault> {
        let Running { query, mut job, .. } = running;
        let at = query.at;
        let mut each = |page: &[u8], behind: Option<&Job>| {
            sink.csv(at, page)?;
            match behind {
                Some(job) => Ok(sink.reached(at, &job.position().encode())?),
                None => Ok(()),
            }
        };
        let mut meanwhile = |caller: &mut Caller<S>| match self.running.first_mut() {
            Some(next) => next.is_over(caller, rest, false).map(drop),
            None => Ok(()),
        };
        match bulk::read(caller, rest, &mut job, total, &mut each, &mut meanwhile) {
            Ok(()) => Ok(sink.done(at, Ok(()))?),
            Err(fault) if fault.is_of_run() => Err(fault),
            Err(fault) => {
                known.refuse(query.select.sobject, fault);
                by_rest(caller, rest, vec![query], sink)
            }
        }
    }

    fn fails(&mut self, known: &mut Known, query: Query<'a>, why: impl std::fmt::Display) {
        known.refuse(query.select.sobject, why);
        self.refused.push(query);
    }

    /// Stops what does not come to an end.
    fn give_up<S: Session>(&mut self, caller: &mut Caller<S>, rest: &Rest, known: &mut Known) {
        for running in self.running.drain(..) {
            bulk::abort(caller, rest, &running.job.id);
            known.over(&running.job);
            known.refuse(running.query.select.sobject, "its job was not done within a day");
            self.refused.push(running.query);
        }
    }
}

/// What the org takes no job for, by REST.
pub fn by_rest<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    queries: Vec<Query<'_>>,
    sink: &mut dyn Sink,
) -> Result<(), Fault> {
    for mut query in queries {
        let end = rows(caller, rest, &mut query, sink);
        sink.done(query.at, of_one(end)?)?;
    }
    Ok(())
}
