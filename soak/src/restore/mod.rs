//! Random disasters brought back over HTTP, each out of a seed, and judged by the org's own tables.
//!
//! Key decision: the plan comes from snapshots of a real vault, is carried out by the real connector while replies are
//! lost, processes die and others work, and is run again until it ends; then every record is compared with what it was.
//! What may differ is listed in `judge`, narrowly. It does not test captures: those have histories of their own.

mod carry;
mod judge;
pub(crate) mod kill;
mod truth;
mod undo;
mod values;
mod weather;
mod world;

use std::sync::Arc;
use std::time::Duration;

use halite_connector::Bulk;
use halite_engine::ops::restore::apply::Applied;
use halite_engine::ops::restore::plan::Plan;
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_simulator::Server;

use crate::capture::connect;
use crate::report::say;
use crate::store::Tally;
use carry::{Files, Notes};
use judge::Case;
use truth::Tables;
use weather::Weather;
use world::World;

/// How often a run that failed is begun again.
const TRIES: u64 = 12;

/// One disaster: what was wrong, and how much was done.
pub(crate) fn run(seed: u64) -> (Vec<String>, Tally) {
    told(seed, false)
}

/// The same where people work on files too.
pub(crate) fn run_with_files(seed: u64) -> (Vec<String>, Tally) {
    told(seed, true)
}

fn told(seed: u64, files: bool) -> (Vec<String>, Tally) {
    let mut calls = 0;
    let wrong = disaster(seed, files, &mut calls).unwrap_or_else(|error| vec![error]);
    let tally = Tally {
        calls,
        ..Tally::default()
    };
    (wrong, tally)
}

fn disaster(seed: u64, files: bool, calls: &mut u64) -> Result<Vec<String>, String> {
    let mut world = World::new(seed, files)?;
    let server = Server::start(world.org.clone()).map_err(|e| format!("no server: {e}"))?;
    let vault = Vault::create(Arc::new(Memory::new()), &Secret::None, VaultOptions::default());
    let vault = vault.map_err(|e| e.to_string())?;
    let marked = world.dice.chance(1, 3);
    if marked {
        world.mark()?;
    }
    (0..world.dice.below(30)).for_each(|_| world.step());
    let mut reader = connect(&server, Bulk::Never).map_err(|e| e.to_string())?;
    let fields = truth::fields(&mut reader)?;
    world.org.clock().advance(Duration::from_secs(60));
    let at = carry::snapshot(&vault, &mut reader).map_err(|e| format!("the snapshot: {e}"))?;
    let then = Tables::of(&world.org);
    for _ in 0..5 + world.dice.below(40) {
        world.step();
    }
    for _ in 0..world.dice.below(3) {
        world.disaster();
    }
    world.org.clock().advance(Duration::from_secs(60));
    let now = carry::snapshot(&vault, &mut reader).map_err(|e| format!("the snapshot of now: {e}"))?;
    let before = Tables::of(&world.org);
    let mut plan = carry::plan(&vault, &at, &now).map_err(|e| format!("the plan: {e}"))?;
    if marked {
        plan.header.marker = Some(world::MARKER.to_owned());
    }
    let mut weather = Weather::new(&mut world, &plan)?;
    let mut notes = Notes::default();
    let applied = until_done(
        &plan,
        &server,
        &mut world,
        &mut weather,
        &mut notes,
        Some((&vault, &at)),
    )?;
    let after = Tables::of(&world.org);
    let case = Case {
        then: &then,
        before: &before,
        after: &after,
        plan: &plan,
        applied: &applied,
        fields: &fields,
        weather: &weather,
        marked,
        api_user: world.org.api_user(),
    };
    let mut wrong = case.judge();
    if std::env::var_os("SOAK_CALLS").is_some() {
        tell(&plan, &weather, &notes);
    }
    if wrong.is_empty() {
        wrong = once_more(
            &plan,
            (&server, &world),
            &mut notes,
            &applied,
            Some((&vault, &at)),
        );
    }
    if wrong.is_empty() {
        wrong = back(&case, (&server, &mut world), &notes)?;
    }
    *calls = world.org.calls().values().sum();
    Ok(wrong)
}

/// Takes the restore back.
fn back(
    case: &Case<'_>,
    (server, world): (&Server, &mut World),
    notes: &Notes,
) -> Result<Vec<String>, String> {
    let inverse = carry::inverse(case.plan, notes).map_err(|e| format!("the way back: {e}"))?;
    let (mut weather, mut notes) = (case.weather.back(world), Notes::default());
    let undone = until_done(&inverse, server, world, &mut weather, &mut notes, None);
    let undone = undone.map_err(|e| format!("the way back: {e}"))?;
    if std::env::var_os("SOAK_CALLS").is_some() {
        tell(&inverse, &weather, &notes);
    }
    Ok(undo::judge(case, &inverse, &undone, &Tables::of(&world.org)))
}

/// Runs the plan until a run ends under a clear sky and nothing is open that another run would settle.
fn until_done(
    plan: &Plan,
    server: &Server,
    world: &mut World,
    weather: &mut Weather,
    notes: &mut Notes,
    files: Files<'_>,
) -> Result<Applied, String> {
    let mut last = String::new();
    let mut calm = 0;
    for attempt in 0..TRIES {
        if attempt + 4 < TRIES {
            weather.changes(world, notes);
        } else {
            weather.clears(world, notes);
        }
        let done = carry::run(plan, server, notes, files);
        weather.over(world);
        match done {
            // What is open may be settled once no call can still be under way.
            Ok(applied) if weather.is_clear() && (calm > 1 || weather::is_settled(&applied)) => {
                return Ok(applied);
            }
            Ok(_) => {
                if weather.is_clear() {
                    calm += 1;
                }
                weather.clears_soon();
                world.org.clock().advance(Duration::from_secs(11 * 60));
            }
            Err(error) => {
                last = error.to_string();
                if weather.is_clear() {
                    return Err(format!("it fails under a clear sky: {last}"));
                }
                if world.dice.chance(1, 3) {
                    world.org.clock().advance(Duration::from_secs(11 * 60));
                }
            }
        }
    }
    Err(format!("not done in {TRIES} runs: {last}"))
}

/// Prints what was planned, what happened and what was noted.
fn tell(plan: &Plan, weather: &Weather, notes: &Notes) {
    say(format_args!("{weather:?}"));
    plan.operations.iter().for_each(|op| {
        say(format_args!(
            "{} {} {} {} {}: {:?} before {:?}",
            op.number, op.level, op.action, op.sobject, op.id, op.fields, op.before
        ))
    });
    notes.lines.iter().for_each(say);
}

/// A plan that is done does nothing more.
fn once_more(
    plan: &Plan,
    (server, world): (&Server, &World),
    notes: &mut Notes,
    first: &Applied,
    files: Files<'_>,
) -> Vec<String> {
    let before = Tables::of(&world.org);
    match carry::run(plan, server, notes, files) {
        Err(error) => vec![format!("run once more: {error}")],
        Ok(again) if again.outcomes.ends != first.outcomes.ends && weather::is_settled(first) => {
            vec![format!("run once more, other outcomes: {:?}", again.counts())]
        }
        Ok(_) => {
            let changed = Tables::of(&world.org).changed(&before);
            let wrote = changed.into_iter().next();
            wrote
                .map(|id| format!("run once more, it writes {id}"))
                .into_iter()
                .collect()
        }
    }
}
