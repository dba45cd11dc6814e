//! What goes wrong with the requests of a fleet, by a seed, and what was seen of them.
//!
//! Key decision: spells of a few hundred requests, so that calm and storm alternate as they do, and each kind of fault
//! has a time in which it comes often. A condition is never ignored here: a store that does that is refused, and no vault
//! can be kept in one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use halite_simulator_s3::{Act, Asked, Judge};

use crate::dice::Dice;

/// The sky over a bucket, shared with whoever wants to know or to clear it.
#[derive(Clone)]
pub struct Weather(Arc<Mutex<Sky>>);

struct Sky {
    dice: Dice,
    spell: Spell,
    /// Requests until the next spell.
    left: u64,
    clear_for_good: bool,
    seen: Seen,
}

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Requests.
    pub requests: u64,
    /// Replacements of the root that the store refused, since it was another one.
    pub lost_swaps: u64,
    /// Replacements of the root that it did.
    pub swaps: u64,
    /// What went wrong, and how often.
    pub faults: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Spell {
    Clear,
    Slow,
    Lossy,
    Storm,
}

const SPELLS: [Spell; 4] = [Spell::Clear, Spell::Slow, Spell::Lossy, Spell::Storm];
/// In a lossy spell one request of so many is hit, and in a storm.
const HIT: u64 = 25;
/// In a storm one of so many fails for good, and one of so many is never answered.
const REFUSED: u64 = 1_500;
const SILENT: u64 = 6_000;
/// The longest that an answer takes, in milliseconds, on either side of what is done.
const SLOWEST: u64 = 80;
/// One of so many is slow in its time, and of replacements of the root.
const SLOW: u64 = 10;
const SLOW_ROOT: u64 = 2;

impl Weather {
    /// The weather of a seed.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Sky {
            dice: Dice::new(seed, 71),
            spell: Spell::Clear,
            left: 100,
            clear_for_good: false,
            seen: Seen::default(),
        })))
    }

    /// Nothing goes wrong from now on.
    pub fn clear(&self) {
        self.sky(|sky| sky.clear_for_good = true);
    }

    /// What was seen up to now.
    pub fn seen(&self) -> Seen {
        self.sky(|sky| sky.seen.clone())
    }

    fn sky<T>(&self, act: impl FnOnce(&mut Sky) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Judge for Weather {
    fn asked(&mut self, asked: &Asked) -> Option<Act> {
        self.sky(|sky| {
            sky.seen.requests += 1;
            let (act, name) = sky.strikes(asked)?;
            *sky.seen.faults.entry(name).or_default() += 1;
            Some(act)
        })
    }

    fn answered(&mut self, asked: &Asked, status: u16) {
        if asked.method == "PUT" && is_root(asked) {
            self.sky(|sky| match status {
                200 => sky.seen.swaps += 1,
                _ => sky.seen.lost_swaps += 1,
            });
        }
    }
}

fn is_root(asked: &Asked) -> bool {
    asked.key == format!("{}/root", super::behind::PREFIX)
}

impl Sky {
    fn strikes(&mut self, asked: &Asked) -> Option<(Act, &'static str)> {
        if self.clear_for_good {
            return None;
        }
        if self.left == 0 {
            self.left = 100 + self.dice.below(700);
            self.spell = self.dice.pick(&SPELLS).copied().unwrap_or(Spell::Clear);
        }
        self.left -= 1;
        let (slow, lossy) = (
            [Spell::Slow, Spell::Storm].contains(&self.spell),
            [Spell::Lossy, Spell::Storm].contains(&self.spell),
        );
        if self.spell == Spell::Storm && self.dice.chance(1, SILENT) {
            let done = self.dice.chance(1, 2);
            return Some((
                if done { Act::DoAndSilence } else { Act::Silence },
                "never answered",
            ));
        }
        if self.spell == Spell::Storm && self.dice.chance(1, REFUSED) {
            let right = Act::Answer(403, "AccessDenied");
            let space = Act::Answer(507, "InsufficientStorage");
            let full = asked.method == "PUT" && self.dice.chance(1, 2);
            return Some((if full { space } else { right }, "refused"));
        }
        if lossy && self.dice.chance(1, HIT) {
            return Some(self.lost(asked));
        }
        let often = match asked.method.as_str() {
            "PUT" if is_root(asked) => SLOW_ROOT,
            _ => SLOW,
        };
        if slow && self.dice.chance(1, often) {
            let mut millis = || u32::try_from(self.dice.below(SLOWEST)).unwrap_or(0);
            return Some((Act::Slow(millis(), millis()), "slow"));
        }
        None
    }

    /// An answer that is lost or an error, with or without what was asked being done.
    fn lost(&mut self, asked: &Asked) -> (Act, &'static str) {
        let late = 1 + u32::try_from(self.dice.below(60)).unwrap_or(0);
        let failed = [
            (Act::Answer(500, "InternalError"), "not done, 500"),
            (Act::Answer(503, "SlowDown"), "not done, 503"),
            (Act::HangUp, "not done, closed"),
        ];
        let done = [
            (Act::DoAndAnswer(500, "InternalError"), "done, 500"),
            (Act::DoAndAnswer(503, "SlowDown"), "done, 503"),
            (Act::DoAndHangUp, "done, closed"),
            (Act::HangUpAndLate(late), "done late, closed"),
        ];
        let raced = [
            (Act::Answer(409, "ConditionalRequestConflict"), "not done, 409"),
            (Act::DoAndAnswer(409, "OperationAborted"), "done, 409"),
        ];
        let choices = match asked.method.as_str() {
            "PUT" if is_root(asked) => {
                let twice = [(Act::DoAndAnswer(412, "PreconditionFailed"), "done, 412")];
                [&failed[..], &done, &raced, &twice].concat()
            }
            "PUT" => [&failed[..], &done, &raced].concat(),
            "DELETE" => [&failed[..], &done].concat(),
            "HEAD" => failed.to_vec(),
            _ => [&failed[..], &[(Act::HalfBody, "half an answer")]].concat(),
        };
        let chosen = self.dice.pick(&choices).copied();
        chosen.unwrap_or((Act::HangUp, "not done, closed"))
    }
}
