//! One store for all actors, which hands the turn from one to another, fails, crashes and lies, all out of a seed.
//!
//! Key decision: exactly one actor runs at a time, and only at a call of the store may the turn pass on; so threads
//! interleave at every call that there is, and the same seed gives the same run. What a writer's own thread asks counts
//! as asked by its actor, who waits for it. It keeps to the contract of `Backend`: what was acknowledged stays, what
//! is in the store is whole; answers may be lost, cut or flipped on their way. It does not rot what is stored.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use halite_engine::store::backend::Backend;
use halite_engine::store::memory::Memory;
use halite_engine::{Error, Kind, Result};

use crate::dice::Dice;
use crate::report::say;

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An error, and nothing happened.
    Before,
    /// It happened, and the answer was lost.
    After,
    /// It was sent twice, and the answer is that to the second.
    Doubled,
    /// No space.
    Full,
    /// Every process dies; what this call did is up to the seed.
    Crash,
    /// A bit of the answer is flipped.
    Flipped,
    /// The answer is cut short.
    Short,
}

/// How much goes wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    /// How often, of 1000 calls, the turn passes on.
    pub switch: u64,
    /// How often, of 100 times, who gave the turn away sleeps long.
    pub sleep: u64,
    /// Of 10,000 writing calls, how many fail.
    pub writes: u64,
    /// Of 10,000 reading calls, how many fail or lie.
    pub reads: u64,
    /// Of 10,000 calls, at how many everything dies.
    pub crash: u64,
}

/// Hears of each root that was swapped in, and by whom.
pub type Witness = Box<dyn FnMut(usize, &Memory) + Send>;

/// The store.
pub struct Store {
    live: Memory,
    state: Mutex<State>,
    turns: Vec<Condvar>,
    witness: Mutex<Option<Witness>>,
}

struct State {
    dice: Dice,
    rules: Rules,
    /// Whose turn it is.
    turn: usize,
    seats: Vec<Seat>,
    tick: u64,
    /// Crashes so far: who was opened before the last one is dead.
    crashes: u64,
    /// Objects whose `put_new` has not returned yet.
    unsynced: Vec<String>,
    /// Deletions that a crash may take back.
    deleted: BTreeMap<String, Vec<u8>>,
    full_until: u64,
    /// The call that is to fail, counted from 1, for sweeps.
    planned: Option<(u64, Fault)>,
    faults: u64,
    switches: u64,
    trace: blake3::Hasher,
    /// What was called, for sweeps.
    verbs: Vec<&'static str>,
    /// Whether each call is printed, for who repeats a seed: `SOAK_CALLS=1`.
    told: bool,
}

#[derive(Clone, Copy, Default)]
struct Seat {
    asleep_until: u64,
    done: bool,
}

/// Makes the engine do in this very thread what it would do on all cores, as long as the value lives: the order of calls
/// is that of the seed then, and nobody waits for a thread that waits for its turn.
pub fn alone() -> Option<rayon::ThreadPool> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .use_current_thread();
    pool.build().ok()
}

/// The calls that were made: how many, faults, crashes, times the turn passed, and a hash of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls.
    pub calls: u64,
    /// Calls that failed or lied.
    pub faults: u64,
    /// Crashes.
    pub crashes: u64,
    /// Turns that passed on in the middle of a call.
    pub switches: u64,
    /// Who called what, in order, as a hash.
    pub trace: u64,
}

impl Store {
    /// A store with the content of `live`, for so many actors.
    pub fn new(live: Memory, seed: u64, seats: usize, rules: Rules) -> Arc<Self> {
        let state = State {
            dice: Dice::new(seed, 1 << 32),
            rules,
            turn: 0,
            seats: vec![Seat::default(); seats],
            tick: 0,
            crashes: 0,
            unsynced: Vec::new(),
            deleted: BTreeMap::new(),
            full_until: 0,
            planned: None,
            faults: 0,
            switches: 0,
            trace: blake3::Hasher::new(),
            verbs: Vec::new(),
            told: std::env::var_os("SOAK_CALLS").is_some(),
        };
        Arc::new(Self {
            live,
            state: Mutex::new(state),
            turns: (0..seats).map(|_| Condvar::new()).collect(),
            witness: Mutex::default(),
        })
    }

    /// Tells `witness` of every root from now on.
    pub fn watch(&self, witness: Witness) {
        *self.witness.lock().unwrap_or_else(PoisonError::into_inner) = Some(witness);
    }

    /// Makes the `nth` call from now fail, and no other.
    pub fn plan(&self, nth: usize, fault: Fault) {
        let mut state = self.state();
        state.planned = Some((state.tick + nth as u64, fault));
    }

    /// What was called since this was last asked.
    pub fn verbs(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.state().verbs)
    }

    /// From now on nothing goes wrong and nobody waits.
    pub fn calm(&self) {
        let mut state = self.state();
        (state.rules, state.full_until, state.planned) = (Rules::default(), 0, None);
    }

    /// The store as one actor sees it, until the next crash.
    pub fn seen_by(self: &Arc<Self>, actor: usize) -> Arc<Seen> {
        Arc::new(Seen {
            store: Arc::clone(self),
            actor,
            born: self.state().crashes,
            faults: AtomicU64::new(0),
        })
    }

    /// Waits until it is the actor's turn for the first time.
    pub fn enter(&self, actor: usize) {
        let mut state = self.state();
        while state.turn != actor {
            state = self.turns[actor]
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The actor has nothing more to do.
    pub fn leave(&self, actor: usize) {
        let mut state = self.state();
        state.seats[actor].done = true;
        state.turn = state.next(actor, true);
        self.turns[state.turn].notify_all();
    }

    /// What happened so far.
    pub fn tally(&self) -> Tally {
        let state = self.state();
        let hash = state.trace.finalize();
        Tally {
            calls: state.tick,
            faults: state.faults,
            crashes: state.crashes,
            switches: state.switches,
            trace: hash
                .as_bytes()
                .first_chunk()
                .map_or(0, |b| u64::from_le_bytes(*b)),
        }
    }

    /// The content.
    pub fn memory(&self) -> Memory {
        self.live.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets others act, perhaps.
    fn pause(&self, actor: usize) {
        let mut state = self.state();
        let (times, sleep) = (state.rules.switch, state.rules.sleep);
        if !state.dice.chance(times, 1000) {
            return;
        }
        if state.dice.chance(sleep, 100) {
            state.seats[actor].asleep_until = state.tick + 20 + state.dice.below(2500);
        }
        let next = state.next(actor, false);
        if next == actor {
            return;
        }
        state.switches += 1;
        state.turn = next;
        self.turns[next].notify_all();
        while state.turn != actor {
            state = self.turns[actor]
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl State {
    /// Who is next: anybody awake, or who wakes first.
    fn next(&mut self, actor: usize, leaving: bool) -> usize {
        let seats = || (0..).zip(&self.seats).filter(|(_, seat)| !seat.done);
        let awake: Vec<usize> = seats()
            .filter(|(_, s)| s.asleep_until <= self.tick)
            .map(|(n, _)| n)
            .collect();
        let first = seats().min_by_key(|(_, seat)| seat.asleep_until).map(|(n, _)| n);
        let others = awake.len() > 1 && !leaving;
        let awake: Vec<usize> = awake.into_iter().filter(|n| !others || *n != actor).collect();
        self.dice.pick(&awake).copied().or(first).unwrap_or(actor)
    }

    /// What goes wrong with this call, if anything.
    fn fault(&mut self, verb: &'static str) -> Option<Fault> {
        self.tick += 1;
        if let Some((at, fault)) = self.planned {
            return (at == self.tick).then_some(fault);
        }
        let writes = matches!(verb, "put" | "swap" | "delete");
        if self.dice.chance(self.rules.crash, 10_000) {
            return Some(Fault::Crash);
        }
        if self.tick < self.full_until && verb == "put" {
            return Some(Fault::Full);
        }
        let times = if writes {
            self.rules.writes
        } else {
            self.rules.reads
        };
        let times = if verb == "swap" { times * 5 } else { times };
        if !self.dice.chance(times, 10_000) {
            return None;
        }
        let among: &[Fault] = match verb {
            "swap" => &[
                Fault::Before,
                Fault::After,
                Fault::After,
                Fault::Doubled,
                Fault::Doubled,
            ],
            "put" => &[Fault::Before, Fault::After, Fault::Full, Fault::Doubled],
            "delete" => &[Fault::Before, Fault::After],
            "get" | "range" | "root" => &[Fault::Before, Fault::Flipped, Fault::Short],
            "list" => &[Fault::Before, Fault::Short],
            _ => &[Fault::Before],
        };
        let fault = self.dice.pick(among).copied();
        if fault == Some(Fault::Full) {
            self.full_until = self.tick + self.dice.below(30);
        }
        fault
    }

    /// Everything dies: what was not yet promised is kept or not.
    fn crash(&mut self, live: &Memory) {
        self.crashes += 1;
        for name in std::mem::take(&mut self.unsynced) {
            if self.dice.chance(1, 2) {
                drop(live.delete(&name));
            }
        }
        for (name, bytes) in std::mem::take(&mut self.deleted) {
            if self.dice.chance(1, 2) {
                drop(live.put_new(&name, &bytes));
            }
        }
    }
}

/// The store through the eyes of one actor.
pub struct Seen {
    store: Arc<Store>,
    actor: usize,
    born: u64,
    faults: AtomicU64,
}

impl Seen {
    /// How many of its calls failed or lied.
    pub fn faults(&self) -> u64 {
        self.faults.load(Ordering::SeqCst)
    }

    /// Whether a crash has ended it.
    pub fn dead(&self) -> bool {
        self.store.state().crashes != self.born
    }

    fn alive(&self, state: &State) -> Result<()> {
        if state.crashes == self.born {
            return Ok(());
        }
        Err(Error::new(Kind::Io, "the process has crashed"))
    }

    /// Begins a call: others may act first; then it is known what goes wrong with it.
    fn begin(&self, verb: &'static str, name: &str) -> Result<Option<Fault>> {
        self.alive(&self.store.state())?;
        self.store.pause(self.actor);
        let mut state = self.store.state();
        self.alive(&state)?;
        let fault = state.fault(verb);
        let call = format!("{} actor {} {verb} {name} {fault:?}", state.tick, self.actor);
        state.trace.update(call.as_bytes());
        state.verbs.push(verb);
        if state.told {
            say(call);
        }
        if fault.is_some() {
            state.faults += 1;
            self.faults.fetch_add(1, Ordering::SeqCst);
        }
        Ok(fault)
    }

    /// A call that changes something.
    fn write<T>(
        &self,
        (verb, name): (&'static str, &str),
        second: fn(&str) -> Result<T>,
        act: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let fault = self.begin(verb, name)?;
        let failed = |why: &str| Err(Error::new(Kind::Io, format!("{verb} {name}: {why}")));
        let answer = match fault {
            None => act(),
            Some(Fault::After) => act().and_then(|_| failed("the answer was lost")),
            Some(Fault::Doubled) => act().and_then(|_| second(name)),
            Some(Fault::Full) => Err(Error::new(Kind::Quota, format!("{verb} {name}: no space left"))),
            Some(Fault::Crash) => {
                let happens = self.store.state().dice.chance(1, 2);
                let done = happens.then(act);
                self.store.state().crash(&self.store.live);
                done.unwrap_or_else(|| failed("it crashed"))
            }
            Some(_) => failed("it failed"),
        };
        self.store.pause(self.actor);
        self.alive(&self.store.state())?;
        answer
    }

    /// A call that changes nothing; `lie` spoils the answer.
    fn read<T>(
        &self,
        verb: &'static str,
        name: &str,
        act: impl FnOnce() -> Result<T>,
        lie: impl FnOnce(&mut T, Fault, &mut Dice),
    ) -> Result<T> {
        let fault = self.begin(verb, name)?;
        match fault {
            None => act(),
            Some(lied @ (Fault::Flipped | Fault::Short)) => act().map(|mut answer| {
                lie(&mut answer, lied, &mut self.store.state().dice);
                answer
            }),
            Some(Fault::Crash) => {
                self.store.state().crash(&self.store.live);
                Err(Error::new(Kind::Io, "the process has crashed"))
            }
            Some(_) => Err(Error::new(Kind::Io, format!("{verb} {name}: it failed"))),
        }
    }
}

/// Flips a bit, or cuts bytes off the end.
fn spoil(bytes: &mut Vec<u8>, fault: Fault, dice: &mut Dice) {
    let at = usize::try_from(dice.below(bytes.len() as u64)).unwrap_or(0);
    if fault == Fault::Short {
        bytes.truncate(at);
    } else if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << dice.below(8);
    }
}

impl Backend for Seen {
    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let taken = |name: &str| Err(Error::new(Kind::Busy, format!("{name} already exists")));
        let done = self.write(("put", name), taken, || {
            self.store.live.put_new(name, bytes)?;
            let mut state = self.store.state();
            state.deleted.remove(name);
            state.unsynced.push(name.to_owned());
            Ok(())
        });
        self.store.state().unsynced.retain(|other| other != name);
        done
    }

    fn get(&self, name: &str) -> Result<Vec<u8>> {
        self.read("get", name, || self.store.live.get(name), spoil)
    }

    fn get_range(&self, name: &str, offset: u64, len: usize) -> Result<Vec<u8>> {
        self.read(
            "range",
            name,
            || self.store.live.get_range(name, offset, len),
            spoil,
        )
    }

    fn size(&self, name: &str) -> Result<u64> {
        self.read("size", name, || self.store.live.size(name), |_, _, _| ())
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        // Packs alone may be left out: those that others have just stored.
        let lie = |names: &mut Vec<String>, _, dice: &mut Dice| {
            names.retain(|name| !name.starts_with("packs/") || dice.chance(2, 3));
        };
        self.read("list", prefix, || self.store.live.list(prefix), lie)
    }

    fn delete(&self, name: &str) -> Result<()> {
        // No call: whether a writer that gave up names packs that its thread never sent is up to the scheduler.
        if self.store.live.size(name).is_err() {
            return self.alive(&self.store.state());
        }
        self.write(
            ("delete", name),
            |_| Ok(()),
            || {
                let before = self.store.live.get(name).ok();
                self.store.live.delete(name)?;
                if let Some(bytes) = before {
                    self.store.state().deleted.insert(name.to_owned(), bytes);
                }
                Ok(())
            },
        )
    }

    fn root(&self) -> Result<Option<Vec<u8>>> {
        let lie = |root: &mut Option<Vec<u8>>, fault, dice: &mut Dice| {
            if let Some(bytes) = root {
                spoil(bytes, fault, dice);
            }
        };
        self.read("root", "root", || self.store.live.root(), lie)
    }

    fn swap_root(&self, expected: Option<&[u8]>, new: &[u8]) -> Result<bool> {
        self.write(
            ("swap", "root"),
            |_| Ok(false),
            || {
                let swapped = self.store.live.swap_root(expected, new)?;
                // A root that is swapped for itself, to be durable, is none that came.
                if swapped
                    && expected != Some(new)
                    && let Some(witness) =
                        &mut *self.store.witness.lock().unwrap_or_else(PoisonError::into_inner)
                {
                    witness(self.actor, &self.store.live);
                }
                Ok(swapped)
            },
        )
    }

    fn describe(&self) -> String {
        "a simulated store".to_owned()
    }
}
