//! Who works on the one store: what each does in a step, and which errors are lawful.
//!
//! Key decision: an error is lawful only for a reason that the book or the store knows of: a fault on this actor's own
//! calls, a crash, a root that somebody else swapped meanwhile, a snapshot that was dropped. A wrong answer never is.
//! Actors share nothing but the store: each opens its own vault, keeps it as long as it likes, and opens it anew after errors.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use halite_engine::base::clock::Clock;
use halite_engine::base::stamp::Stamp;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_engine::{Error, Kind, Result};

use crate::book::{Book, May};
use crate::dice::Dice;
use crate::look::Verdict;
use crate::model::Org;
use crate::store::{Seen, Store};
use crate::{collect, read, write};

/// What an actor is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Captures and imports.
    Writer,
    /// Merges, drops, prunes, holds, changes keys.
    Collector,
    /// Reads, and keeps its vault open all the while.
    Reader,
}

/// What all share.
pub struct Stage {
    /// The store.
    pub store: Arc<Store>,
    /// What is true.
    pub book: Arc<Mutex<Book>>,
    /// The org that is captured.
    pub org: Mutex<Org>,
    /// The machine's clock.
    pub time: AtomicI64,
    /// How many rows there may be.
    pub span: u64,
}

impl Stage {
    /// The book.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The org.
    pub fn org(&self) -> MutexGuard<'_, Org> {
        self.org.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One actor.
pub struct Actor<'s> {
    /// What is shared.
    pub stage: &'s Stage,
    /// Its number.
    pub seat: usize,
    role: Role,
    /// Its decisions.
    pub dice: Dice,
    /// Its clock.
    pub clock: Clock,
    open: Option<Open>,
}

/// A vault that is open, and what was the case then.
pub struct Open {
    /// The vault.
    pub vault: Vault,
    seen: Arc<Seen>,
    rekeyed: u64,
}

impl<'s> Actor<'s> {
    /// The actor of that seat.
    pub fn new(stage: &'s Stage, seat: usize, role: Role, seed: u64) -> Self {
        let now = Stamp::from_millis(stage.time.load(Ordering::SeqCst));
        let mut dice = Dice::new(seed, seat as u64);
        let clock = Clock::driven(now, dice.next());
        Self {
            stage,
            seat,
            role,
            dice,
            clock,
            open: None,
        }
    }

    /// How a vault is opened by this actor.
    pub fn options(&mut self) -> VaultOptions {
        let small = self.role == Role::Reader || self.dice.chance(1, 3);
        VaultOptions {
            cache_bytes: if small { 0 } else { 1 << 20 },
            level: 1,
            clock: self.clock.clone(),
            ..VaultOptions::default()
        }
    }

    /// Does so many things, one after another.
    pub fn act(&mut self, steps: u64) {
        for _ in 0..steps {
            let act: fn(&mut Self) = match self.role {
                Role::Writer => |me| write::step(me),
                Role::Collector => |me| collect::step(me),
                Role::Reader => |me| read::step(me),
            };
            self.do_one(act);
        }
    }

    /// Does one thing with a vault, and judges how it ended. `lawful` knows errors that are right for other reasons.
    pub fn with(
        &mut self,
        what: &str,
        act: impl FnOnce(&mut Self, &Vault) -> Verdict,
        lawful: impl FnOnce(&Book, &Error) -> bool,
    ) {
        let Some(open) = self.vault(what) else { return };
        let before = self.stage.book().version;
        let verdict = act(self, &open.vault);
        let mut book = self.stage.book();
        let overtaken = book.version != before;
        match verdict {
            Ok(None) => {}
            Ok(Some(wrong)) => book.wrong(format!("{what}: {wrong}")),
            Err(error) => {
                let excused = open.seen.faults() > 0
                    || open.seen.dead()
                    || open.rekeyed != book.rekeyed
                    || (error.kind() == Kind::Busy && overtaken);
                if !excused && !lawful(&book, &error) {
                    book.wrong(format!(
                        "{what} failed for no reason ({:?}): {error}",
                        error.kind()
                    ));
                }
                drop(book);
                // A vault that failed is kept now and then: it must not do harm.
                if self.dice.chance(1, 4) {
                    self.open = Some(open);
                }
                return;
            }
        }
        drop(book);
        self.open = Some(open);
    }

    /// Does one thing with the bare store.
    pub fn bare<T>(
        &mut self,
        what: &str,
        act: impl FnOnce(&mut Self, Arc<Seen>) -> Result<T>,
    ) -> Option<(T, Arc<Seen>)> {
        let seen = self.stage.store.seen_by(self.seat);
        let before = {
            let book = self.stage.book();
            (book.version, book.rekeyed)
        };
        let done = act(self, Arc::clone(&seen));
        let mut book = self.stage.book();
        match done {
            Ok(done) => Some((done, seen)),
            Err(error) => {
                let overtaken = error.kind() == Kind::Busy && book.version != before.0;
                let excused = seen.faults() > 0 || seen.dead() || book.rekeyed != before.1;
                if !excused && !overtaken {
                    book.wrong(format!(
                        "{what} failed for no reason ({:?}): {error}",
                        error.kind()
                    ));
                }
                None
            }
        }
    }

    /// Does one thing out of turn, at its own time.
    pub fn do_one(&mut self, act: impl FnOnce(&mut Self)) {
        let passed = 60_000 * (1 + self.dice.below(90).cast_signed());
        let now = self.stage.time.fetch_add(passed, Ordering::SeqCst) + passed;
        self.clock.set(Stamp::from_millis(now));
        act(self);
        self.stage.book().may[self.seat] = May::Keep;
    }

    /// The vault at hand, or a new one.
    fn vault(&mut self, what: &str) -> Option<Open> {
        let keeps = if self.role == Role::Reader { 15 } else { 2 };
        let at_hand = self.open.take().filter(|open| !open.seen.dead());
        if let Some(open) = at_hand.filter(|_| self.dice.chance(keeps, keeps + 1)) {
            return Some(open);
        }
        let rekeyed = self.stage.book().rekeyed;
        let (vault, seen) = self.bare(&format!("opening for {what}"), |me, seen| {
            Vault::open(seen, &Secret::None, me.options())
        })?;
        Some(Open { vault, seen, rekeyed })
    }
}
