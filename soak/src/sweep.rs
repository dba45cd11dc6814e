//! Each storage call of each operation fails once, in each way that it can.
//!
//! Key decision: an operation is played once to see what it calls, then once for each call and fault upon the same
//! content; after each, the vault is opened anew on what is left, the operation is run again and must succeed, and all
//! is measured as at the end of a seed. It has one actor, not several: what others do at the same time is the seeds' business.

use std::sync::atomic::{AtomicUsize, Ordering};

use std::sync::Arc;

use halite_engine::Result;
use halite_engine::base::clock::Clock;
use halite_engine::base::stamp::Stamp;
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, Vault, VaultOptions};

use crate::actors::{Actor, Role, Stage};
use crate::book::Book;
use crate::dice::Dice;
use crate::engine::{START, ended, watched};
use crate::model::{Org, org};
use crate::report::{Report, everywhere, say};
use crate::store::{Fault, Rules, Store};
use crate::{collect, write};

/// What an actor does.
type Act = fn(&mut Actor<'_>);

const OPERATIONS: [(&str, Role, Act); 13] = [
    ("capture", Role::Writer, write::captured),
    ("import", Role::Writer, write::imported),
    ("import of an old state", Role::Writer, write::imported_of_old),
    ("import of changes", Role::Writer, write::changed),
    ("compact", Role::Collector, collect::compacted),
    ("prune", Role::Collector, collect::pruned),
    ("retain", Role::Collector, collect::retained),
    ("forget", Role::Collector, collect::forgotten),
    ("forget an org", Role::Collector, collect::org_forgotten),
    ("hold", Role::Collector, collect::held),
    ("check", Role::Collector, collect::checked),
    ("repair", Role::Collector, collect::repaired),
    ("rekey", Role::Collector, collect::rekeyed),
];

const SPAN: u64 = 90;

/// A vault with a past.
struct Base {
    live: Memory,
    book: Book,
    org: Org,
    time: i64,
}

impl Base {
    /// The same for one seed.
    fn new(seed: u64) -> Result<Self> {
        let live = Memory::new();
        let options = VaultOptions {
            clock: Clock::driven(Stamp::from_millis(START), seed),
            ..VaultOptions::default()
        };
        Vault::create(Arc::new(live.clone()), &Secret::None, options)?;
        let (mut dice, mut now) = (Dice::new(seed, 1 << 36), Org::new(org(1)?));
        now.change(&mut dice, 2 * SPAN, SPAN)?;
        let book = Book::new(1);
        let store = Store::new(live, seed, 1, Rules::default());
        let stage = watched(store, book, now, START, SPAN);
        let past: [Act; 10] = [
            write::captured,
            write::captured,
            write::imported_of_old,
            collect::compacted,
            write::captured,
            collect::forgotten,
            write::imported_of_old,
            collect::pruned,
            write::captured,
            collect::org_forgotten,
        ];
        let mut actor = Actor::new(&stage, 0, Role::Writer, seed);
        past.into_iter().for_each(|act| actor.do_one(act));
        drop(actor);
        let (book, org) = (stage.book().clone(), stage.org().clone());
        Ok(Self {
            live: stage.store.memory(),
            book,
            org,
            time: stage.time.load(Ordering::SeqCst),
        })
    }

    fn stage(&self, seed: u64) -> Stage {
        let store = Store::new(self.live.fork(), seed, 1, Rules::default());
        watched(store, self.book.clone(), self.org.clone(), self.time, SPAN)
    }
}

/// The faults that a call may meet.
fn faults(verb: &str) -> &'static [Fault] {
    match verb {
        "put" | "swap" => &[
            Fault::Before,
            Fault::After,
            Fault::Doubled,
            Fault::Full,
            Fault::Crash,
        ],
        "delete" => &[Fault::Before, Fault::After, Fault::Crash],
        "get" | "range" | "root" => &[Fault::Before, Fault::Flipped, Fault::Short, Fault::Crash],
        _ => &[Fault::Before, Fault::Crash],
    }
}

/// Sweeps all operations upon the vault of a seed.
pub fn run(seed: u64, report: &Report) {
    let base = match Base::new(seed) {
        Ok(base) => base,
        Err(error) => return report.case(format_args!("sweep {seed}"), &[error.to_string()]),
    };
    for (name, role, act) in OPERATIONS {
        let stage = base.stage(seed);
        Actor::new(&stage, 0, role, seed ^ 2).do_one(act);
        let verbs = stage.store.verbs();
        report.case(format_args!("sweep {seed}: {name}"), &ended(&stage, seed));
        let mut cases = Vec::new();
        for (nth, verb) in (1..).zip(verbs) {
            cases.extend(faults(verb).iter().map(|fault| (nth, verb, *fault)));
        }
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some((nth, verb, fault)) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                let wrong = case(&base, seed, role, act, (*nth, *fault));
                report.case(
                    format_args!("sweep {seed}: {name}, call {nth} ({verb}) {fault:?}"),
                    &wrong,
                );
            }
        };
        everywhere(&work);
        say(format_args!("sweep {seed}: {name}, {} cases", cases.len()));
    }
}

/// One call, one fault.
fn case(base: &Base, seed: u64, role: Role, act: Act, (nth, fault): (usize, Fault)) -> Vec<String> {
    let stage = base.stage(seed ^ (nth as u64) << 32);
    stage.store.plan(nth, fault);
    Actor::new(&stage, 0, role, seed ^ 2).do_one(act);
    stage.store.calm();
    if stage.store.tally().faults == 0 {
        stage.book().wrong("the call that was to fail was not made");
    }
    // Again, and now nothing excuses an error.
    Actor::new(&stage, 0, role, seed ^ 3).do_one(act);
    ended(&stage, seed)
}
