//! What is asked again, and why: the one loop around every request.
//!
//! Key decision: reads and writes differ. A read is repeated after 406, 420, 429 and 5xx, after an empty, cut
//! off or HTML body, and after one that does not parse, since all of these were seen to pass; with jittered
//! waits that double, within a number of tries and a total time. A write is repeated only where it is certain
//! that nothing was done (never sent, or refused as a whole by a limit); otherwise its outcome is unknown.
//! A session that is over is renewed once and the call replayed once. The daily limit is never waited for.

use std::time::{Duration, Instant};

use halite_engine::base::clock::Clock;
use halite_engine::base::error::{Error, Result};
use halite_engine::ops::org::Refusal;
use reqwest::header::HeaderMap;

use crate::error::{Fault, Verdict};
use crate::limits::Limits;
use crate::transport::{Call, EachPiece, Give, Host, OnStop, Reply, Secret, Started, Transport, Whole};

/// How long one call is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Most tries of one call.
    pub tries: u32,
    /// About the first wait; each further one is twice as long.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
    /// No try begins later than this after the first; below the 15 minutes that the shortest session lives.
    pub budget: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            tries: 8,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(30),
            budget: Duration::from_secs(300),
        }
    }
}

impl Patience {
    /// As many tries as this time has room for.
    pub fn within(budget: Duration) -> Self {
        let usual = Self::default();
        Self {
            tries: u32::MAX,
            first_wait: usual.first_wait.min(budget / 100),
            longest_wait: usual.longest_wait.min(budget / 4),
            budget,
        }
    }
}

/// Where to send, and as whom; renewed when it is over.
pub trait Session: Send {
    /// The org's own host.
    fn host(&self) -> &Host;
    /// The access token.
    fn token(&self) -> &Secret;
    /// Signs in anew.
    fn renew(&mut self, wire: &mut Wire) -> Result<()>;
}

/// The transport with all that a repeated call needs.
pub struct Wire {
    transport: Transport,
    limits: Limits,
    patience: Patience,
    clock: Clock,
}

/// What became of a write.
pub enum Written<T> {
    /// The org's reply.
    Reply(T),
    /// It may or may not have been done, and why that is not known.
    Lost(String),
}

/// A reading under way.
pub struct Begun {
    call: Call,
    started: Started,
}

/// One call being tried.
struct Trial {
    start: Instant,
    tries: u32,
}

impl Wire {
    /// A wire without a word said on it yet.
    pub fn new(transport: Transport, patience: Patience, clock: Clock) -> Self {
        Self {
            transport,
            limits: Limits::default(),
            patience,
            clock,
        }
    }

    /// Where times and randomness come from.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What is known of calls so far.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The same, to be told of what is spent.
    pub fn limits_mut(&mut self) -> &mut Limits {
        &mut self.limits
    }

    /// Waits before a job is looked at again, for the time given or, with little patience, for less.
    pub fn look_again_after(&self, time: Duration) -> Result<()> {
        self.transport.wait(time.min(self.patience.longest_wait))
    }

    /// Waits about as long as before try number `tries` of a call.
    pub fn pause(&self, tries: u32) -> Result<()> {
        let doubled = self
            .patience
            .first_wait
            .saturating_mul(1 << tries.saturating_sub(1).min(16));
        let most = doubled.min(self.patience.longest_wait);
        let jitter = f64::from(u16::from_le_bytes(self.clock.random()?)) / f64::from(u16::MAX);
        self.transport.wait(most.mul_f64(0.5 + jitter / 2.0))
    }

    /// One try: counted, sent, noted.
    fn once(
        &mut self,
        host: &Host,
        call: &Call,
        token: Option<&Secret>,
        on_stop: OnStop,
    ) -> Result<Reply, Fault> {
        self.transport.check()?;
        self.limits.count();
        let reply = self.transport.send(host, call, token, on_stop)?;
        self.limits.note(&reply.headers);
        tracing::debug!(call = %call.name(), bytes = reply.body.len(), "replied");
        Ok(reply)
    }

    /// Asks without a session, for tokens: repeated as reads are, but a reply under way is awaited, since a new
    /// refresh token may be in it. `parse` says what a broken body is.
    pub fn ask<T>(
        &mut self,
        host: &Host,
        call: &Call,
        parse: &dyn Fn(Reply) -> Result<T, String>,
    ) -> Result<T, Fault> {
        let mut trial = self.trial();
        loop {
            trial.tries += 1;
            match self
                .once(host, call, None, OnStop::Await)
                .and_then(|reply| parsed(reply, parse))
            {
                Ok(value) => return Ok(value),
                Err(fault) if fault.verdict() == Verdict::Wait && self.may_wait(&trial) => {
                    self.wait(call, &trial, &fault)?;
                }
                Err(fault) => return Err(self.told(call, &trial, fault)),
            }
        }
    }

    fn trial(&self) -> Trial {
        Trial {
            start: self.clock.instant(),
            tries: 0,
        }
    }

    fn elapsed(&self, trial: &Trial) -> Duration {
        self.clock.instant().saturating_duration_since(trial.start)
    }

    fn may_wait(&self, trial: &Trial) -> bool {
        trial.tries < self.patience.tries && self.elapsed(trial) < self.patience.budget
    }

    fn wait(&self, call: &Call, trial: &Trial, fault: &Fault) -> Result<()> {
        tracing::warn!(call = %call.name(), tries = trial.tries, %fault, "asking again");
        self.pause(trial.tries)
    }

    /// Adds what was asked, how often and for how long.
    fn told(&self, call: &Call, trial: &Trial, fault: Fault) -> Fault {
        let (tries, time) = (trial.tries, self.elapsed(trial));
        let times = if tries == 1 {
            "once".into()
        } else {
            format!("{tries} times in {:.1} s", time.as_secs_f64())
        };
        fault.within(format!("{} (tried {times})", call.name()))
    }
}

/// Calls within a session.
pub struct Caller<S> {
    /// The wire that is shared with signing in.
    pub wire: Wire,
    /// Who calls.
    pub session: S,
}

impl<S: Session> Caller<S> {
    /// Reads: asks until there is a whole reply that `parse` accepts.
    ///
    /// # Errors
    /// The last fault, with method, path, tries and time.
    pub fn read<T>(&mut self, call: &Call, parse: &dyn Fn(Reply) -> Result<T, String>) -> Result<T, Fault> {
        self.wire.limits.may_read()?;
        let mut trial = self.wire.trial();
        let mut renewed = false;
        loop {
            trial.tries += 1;
            let reply = self.wire.once(
                self.session.host(),
                call,
                Some(self.session.token()),
                OnStop::GiveUp,
            );
            let fault = match reply.and_then(|reply| parsed(reply, parse)) {
                Ok(value) => return Ok(value),
                Err(fault) => fault,
            };
            match fault.verdict() {
                Verdict::SignIn if !renewed => {
                    renewed = true;
                    self.session.renew(&mut self.wire)?;
                }
                Verdict::Wait if self.wire.may_wait(&trial) => self.wire.wait(call, &trial, &fault)?,
                _ => return Err(self.wire.told(call, &trial, fault)),
            }
        }
    }

    /// Reads a body as it comes, from byte `from` on; after a cut the rest of it. Tries count anew where bytes came.
    ///
    /// # Errors
    /// The last fault, as [`Caller::read`]; an error of `each`.
    pub fn stream(&mut self, call: &Call, from: u64, each: &mut EachPiece<'_>) -> Result<(), Fault> {
        self.wire.limits.may_read()?;
        let (mut trial, mut renewed, mut at) = (self.wire.trial(), false, from);
        let mut whole = Whole::default();
        loop {
            trial.tries += 1;
            self.wire.limits.count();
            let (before, mut refused) = (at, false);
            let mut take = |begins: u64, bytes: &[u8]| {
                let taken = each(begins, bytes);
                refused = taken.is_err();
                at = begins + bytes.len() as u64;
                taken
            };
            let (host, token) = (self.session.host(), self.session.token());
            let fault = match self
                .wire
                .transport
                .stream(host, call, token, (before, &mut whole), &mut take)
            {
                Ok(headers) => {
                    self.wire.limits.note(&headers);
                    return Ok(());
                }
                Err(fault) if refused => return Err(fault),
                Err(fault) => fault,
            };
            if at > before {
                trial = self.wire.trial();
                trial.tries = 1;
            }
            match fault.verdict() {
                Verdict::SignIn if !renewed => {
                    renewed = true;
                    self.session.renew(&mut self.wire)?;
                }
                Verdict::Wait if self.wire.may_wait(&trial) => self.wire.wait(call, &trial, &fault)?,
                _ => return Err(self.wire.told(call, &trial, fault)),
            }
        }
    }

    /// Begins to read, so that the reply comes while something else is done.
    ///
    /// # Errors
    /// As before any reading; what becomes of the call itself shows when it is finished.
    pub fn begin(&mut self, call: Call) -> Result<Begun, Fault> {
        self.wire.limits.may_read()?;
        self.wire.limits.count();
        let (host, token) = (self.session.host(), self.session.token());
        let started = self.wire.transport.start(host, &call, token)?;
        Ok(Begun { call, started })
    }

    /// The headers of what was begun; none where it is no success.
    pub fn head(&self, begun: &mut Begun) -> Option<HeaderMap> {
        self.wire.transport.head(&mut begun.started)
    }

    /// Whether finishing what was begun need not wait for the org.
    pub fn is_there(&self, begun: &Begun) -> bool {
        begun.started.is_there()
    }

    /// What was begun, asked again as any reading where it came to nothing.
    ///
    /// # Errors
    /// As [`Caller::read`].
    pub fn finish<T>(
        &mut self,
        begun: Begun,
        parse: &dyn Fn(Reply) -> Result<T, String>,
    ) -> Result<T, Fault> {
        let reply = self.wire.transport.finish(begun.started);
        if let Ok(reply) = &reply {
            self.wire.limits.note(&reply.headers);
        }
        match reply.and_then(|reply| parsed(reply, parse)) {
            Err(fault) if fault.verdict() == Verdict::Stop => Err(fault.within(begun.call.name())),
            Err(fault) => {
                tracing::debug!(call = %begun.call.name(), %fault, "asking again");
                self.read(&begun.call, parse)
            }
            value => value,
        }
    }

    /// Writes: sent once, and again only where nothing was done.
    ///
    /// # Errors
    /// Only where nothing was done.
    pub fn write<T>(
        &mut self,
        call: &Call,
        parse: &dyn Fn(Reply) -> Result<T, String>,
    ) -> Result<Written<T>, Error> {
        let mut trial = self.wire.trial();
        let mut renewed = false;
        loop {
            trial.tries += 1;
            let reply = self.wire.once(
                self.session.host(),
                call,
                Some(self.session.token()),
                OnStop::Await,
            );
            let fault = match reply.and_then(|reply| parsed(reply, parse)) {
                Ok(value) => return Ok(Written::Reply(value)),
                Err(fault) => fault,
            };
            if !fault.nothing_done() {
                let fault = self.wire.told(call, &trial, fault);
                tracing::warn!(%fault, "the outcome of a write is unknown");
                return Ok(Written::Lost(fault.to_string()));
            }
            match fault.verdict() {
                Verdict::SignIn if !renewed => {
                    renewed = true;
                    self.session.renew(&mut self.wire)?;
                }
                Verdict::Wait if self.wire.may_wait(&trial) => self.wire.wait(call, &trial, &fault)?,
                _ => return Err(self.wire.told(call, &trial, fault).into()),
            }
        }
    }

    /// Writes one row with a body that is given as it goes; what the org refuses of the row is its answer.
    ///
    /// # Errors
    /// As [`Caller::write`].
    pub fn upload<T>(
        &mut self,
        call: &Call,
        (content_type, bytes): (&str, u64),
        give: &mut Give<'_>,
        parse: &dyn Fn(Reply) -> Result<T, String>,
    ) -> Result<Written<Result<T, Refusal>>, Error> {
        let mut trial = self.wire.trial();
        let mut renewed = false;
        loop {
            trial.tries += 1;
            self.wire.transport.check()?;
            self.wire.limits.count();
            let (host, token) = (self.session.host(), Some(self.session.token()));
            let transport = &self.wire.transport;
            let reply = transport.upload(host, call, token, (content_type, bytes), give);
            if let Ok(reply) = &reply {
                self.wire.limits.note(&reply.headers);
            }
            let fault = match reply.and_then(|reply| parsed(reply, parse)) {
                Ok(value) => return Ok(Written::Reply(Ok(value))),
                Err(fault) => fault,
            };
            if !fault.nothing_done() {
                let fault = self.wire.told(call, &trial, fault);
                tracing::warn!(%fault, "the outcome of a write is unknown");
                return Ok(Written::Lost(fault.to_string()));
            }
            match (fault.verdict(), fault.of_row()) {
                (Verdict::SignIn, _) if !renewed => {
                    renewed = true;
                    self.session.renew(&mut self.wire)?;
                }
                (Verdict::Wait, _) if self.wire.may_wait(&trial) => self.wire.wait(call, &trial, &fault)?,
                (_, Some(refusal)) => return Ok(Written::Reply(Err(refusal))),
                _ => return Err(self.wire.told(call, &trial, fault).into()),
            }
        }
    }
}

fn parsed<T>(reply: Reply, parse: &dyn Fn(Reply) -> Result<T, String>) -> Result<T, Fault> {
    parse(reply).map_err(Fault::unreadable)
}

/// The value of a header that is text.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
