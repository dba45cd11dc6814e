//! One seed: actors set upon a store, and what must be so when they have gone home.
//!
//! Key decision: when all is calm the store itself is measured too: after a few prunes there is nothing in it but what
//! the last root names, so a pack that nobody ever finds again is a failure like a lost one. What goes on in between is
//! judged by book and actors.

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError};

use halite_engine::base::clock::Clock;
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::ops::check::{CheckOptions, Level, check};
use halite_engine::ops::compact::{CompactOptions, compact};
use halite_engine::ops::prune::{PruneOptions, prune, survey};
use halite_engine::store::backend::Backend;
use halite_engine::store::memory::Memory;
use halite_engine::vault::keys::Cost;
use halite_engine::vault::rekey::rekey;
use halite_engine::vault::{Secret, SnapshotInfo, Vault, VaultOptions};
use halite_engine::{Error, Result};

use crate::actors::{Actor, Role, Stage};
use crate::book::{Book, Content, May};
use crate::dice::Dice;
use crate::look::{self, Verdict};
use crate::model::{Org, Rows, org};
use crate::store::{Rules, Store, Tally, alone};

const ROLES: [Role; 6] = [
    Role::Writer,
    Role::Collector,
    Role::Reader,
    Role::Writer,
    Role::Collector,
    Role::Reader,
];
/// When a stage begins.
pub const START: i64 = 1_750_000_000_000;

/// How much goes wrong under a seed: nothing, writes, reads, or all and crashes.
fn rules(seed: u64, dice: &mut Dice) -> Rules {
    let often = |dice: &mut Dice, of: u64| 1 + dice.below(of);
    let switch = [5, 30, 150, 500][usize::try_from(dice.below(4)).unwrap_or(0)];
    let calm = Rules {
        switch,
        sleep: dice.below(60),
        ..Rules::default()
    };
    match seed % 4 {
        0 => calm,
        1 => Rules {
            writes: often(dice, 400),
            ..calm
        },
        2 => Rules {
            reads: often(dice, 200),
            ..calm
        },
        _ => Rules {
            writes: often(dice, 200),
            reads: often(dice, 60),
            crash: often(dice, 12),
            ..calm
        },
    }
}

/// Runs one seed; gives what was wrong, and what was done.
pub fn run(seed: u64) -> (Vec<String>, Tally) {
    match stage(seed) {
        Ok(stage) => {
            play(&stage, seed);
            (ended(&stage, seed), stage.store.tally())
        }
        Err(error) => (vec![format!("no vault could be made: {error}")], Tally::default()),
    }
}

/// Looks at everything when all is calm; gives all that was wrong.
pub fn ended(stage: &Stage, seed: u64) -> Vec<String> {
    let rests = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| rest(stage, seed)));
    let wrong = match rests {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("when all was calm: {error}")),
        Err(panic) => Some(format!("when all was calm: {}", said(&*panic))),
    };
    let mut book = stage.book();
    book.wrong.extend(wrong);
    std::mem::take(&mut book.wrong)
}

fn stage(seed: u64) -> Result<Stage> {
    let mut dice = Dice::new(seed, 1 << 33);
    let live = Memory::new();
    let options = VaultOptions {
        clock: Clock::driven(Stamp::from_millis(START), seed),
        ..VaultOptions::default()
    };
    Vault::create(Arc::new(live.clone()), &Secret::None, options)?;
    let span = [20, 80, 300, 700][usize::try_from(dice.below(4)).unwrap_or(0)];
    let mut now = Org::new(org(1)?);
    now.change(&mut dice, 2 * span, span)?;
    let store = Store::new(live, seed, ROLES.len(), rules(seed, &mut dice));
    Ok(watched(store, Book::new(ROLES.len()), now, START, span))
}

/// A stage whose book hears of every root.
pub fn watched(store: Arc<Store>, book: Book, org: Org, time: i64, span: u64) -> Stage {
    let book = Arc::new(Mutex::new(book));
    let hears = Arc::clone(&book);
    store.watch(Box::new(move |actor, live| {
        let mut book = hears.lock().unwrap_or_else(PoisonError::into_inner);
        book.witness(actor, live);
    }));
    Stage {
        store,
        book,
        org: Mutex::new(org),
        time: AtomicI64::new(time),
        span,
    }
}

/// Lets all actors act, each in a thread of its own, one at a time.
fn play(stage: &Stage, seed: u64) {
    let steps = 4 + Dice::new(seed, 1 << 34).below(10);
    std::thread::scope(|scope| {
        let act = |(seat, role)| {
            scope.spawn(move || {
                let _leaves = Leaves(&stage.store, seat);
                let _alone = alone();
                stage.store.enter(seat);
                Actor::new(stage, seat, role, seed).act(steps);
            })
        };
        let actors: Vec<_> = ROLES.into_iter().enumerate().map(act).collect();
        for actor in actors {
            if let Err(panic) = actor.join() {
                stage.book().wrong(format!("panic: {}", said(&*panic)));
            }
        }
    });
}

/// Gives the turn on when an actor is done, also by a panic.
struct Leaves<'s>(&'s Store, usize);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.leave(self.1);
    }
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}

/// Faults have stopped: all that is kept is read, everything works, and nothing is left over.
fn rest(stage: &Stage, seed: u64) -> Result<()> {
    let mut dice = Dice::new(seed, 1 << 35);
    stage.store.calm();
    let place: Arc<dyn Backend> = stage.store.seen_by(0);
    let options = VaultOptions {
        clock: Clock::driven(Stamp::from_millis(START * 2), seed ^ 0xFF),
        level: 1,
        ..VaultOptions::default()
    };
    let open = || Vault::open(Arc::clone(&place), &Secret::None, options.clone());
    everything(stage, &open()?, &mut dice)?;
    rekey(
        &place,
        &Secret::None,
        &Secret::None,
        options.clone(),
        Cost::FOR_TESTS,
    )?;
    capture(stage, &open()?, &mut dice)?;
    stage.book().may[0] = May::Keep;
    let how = CompactOptions {
        keep_single: usize::try_from(dice.below(3)).unwrap_or(0),
        all: dice.chance(1, 2),
    };
    compact(&open()?, &how, &mut |_| ())?;
    let at_once = PruneOptions {
        max_unused: 0.0,
        grace: 0,
    };
    let rests = || -> Result<bool> {
        let before = stage.book().version;
        prune(&open()?, &at_once)?;
        Ok(stage.book().version == before)
    };
    let mut runs = 0;
    while !rests()? {
        runs += 1;
        if runs > 10 {
            let last = prune(&open()?, &at_once)?;
            return Err(Error::invalid(format!("prune does not come to rest: {last:?}")));
        }
    }
    everything(stage, &open()?, &mut dice)?;
    left_over(stage, &open()?)?;
    whole(stage, &open()?)
}

/// Every byte is as it was written. The copies of keys are so since the last rekey took away what another one left.
fn whole(stage: &Stage, vault: &Vault) -> Result<()> {
    let all = CheckOptions {
        level: Level::All,
        ..CheckOptions::default()
    };
    let report = check(vault, &all)?;
    if !report.is_sound() {
        let first = report.damages.first().map(|d| format!("{d:?}"));
        stage
            .book()
            .wrong(format!("check finds {} damages: {first:?}", report.damages.len()));
    }
    Ok(())
}

fn capture(stage: &Stage, vault: &Vault, dice: &mut Dice) -> Result<()> {
    let mut source = stage.org();
    source.change(dice, 20, stage.span)?;
    source.now += 1000;
    let (id, from, content) = (org(1)?, source.now, Content::Whole(source.rows()));
    {
        let mut book = stage.book();
        book.attempts.insert((id, from), content);
        book.may[0] = May::Add(id, from);
    }
    backup(vault, &mut *source, &BackupOptions::default(), &mut |_| ())?;
    match stage.book().newest(id) {
        Some(newest) if newest.from.millis() == from => Ok(()),
        _ => Err(Error::invalid("a capture was acknowledged and never published")),
    }
}

/// Reads every kept snapshot, its counts, its difference to another one, and some histories.
fn everything(stage: &Stage, vault: &Vault, dice: &mut Dice) -> Result<()> {
    let (kept, truths, before) = {
        let book = stage.book();
        let kept: Vec<SnapshotInfo> = book.kept.values().cloned().collect();
        (kept, book.truths.clone(), book.before.clone())
    };
    let mut there = Vec::new();
    for org in vault.orgs() {
        there.extend(vault.snapshots(org)?);
    }
    if there != kept {
        let text = format!("{} snapshots are there instead of {}", there.len(), kept.len());
        stage.book().wrong(text);
    }
    let rows = |s: &SnapshotInfo| truths.get(&s.name).cloned().unwrap_or_default();
    let note = |verdict: Verdict| verdict.map(|wrong| stage.book().wrong.extend(wrong));
    for one in &kept {
        let own: Arc<Rows> = rows(one);
        note(look::state(vault, one, &own))?;
        let old = before.get(&one.name).and_then(|name| truths.get(name).cloned());
        note(look::counts(vault, one, &old.unwrap_or_default(), &own))?;
        let same: Vec<_> = kept.iter().filter(|s| s.org == one.org).collect();
        if let Some(other) = dice.pick(&same) {
            note(look::difference(vault, (one, &own), (other, &rows(other))))?;
        }
        let id = crate::model::id(dice.below(stage.span))?;
        let truth = |s: &SnapshotInfo| truths.get(&s.name).map(|rows| &**rows);
        note(look::versions(vault, one.org, id, truth))?;
    }
    survey(vault, vault.catalog()).map(drop)
}

/// Nothing is in the store but what the root names, and what opens it.
fn left_over(stage: &Stage, vault: &Vault) -> Result<()> {
    let names = stage.store.memory().list("")?;
    let of = |prefix: &str| names.iter().filter(|name| name.starts_with(prefix)).count();
    let (packs, marks) = (vault.catalog().packs().len(), vault.catalog().condemned()?.len());
    let found = [of("packs/"), of("keys/"), of("rings/"), names.len()];
    let wanted = [packs, 2, 2, packs + 5];
    if found != wanted || marks > 0 {
        let text = format!(
            "left over: packs, keys, rings, objects {found:?} instead of {wanted:?}, {marks} condemned"
        );
        stage.book().wrong(text);
    }
    Ok(())
}
