//! A fleet: writers, a collector and readers, each a process of the real command, on one vault in a bucket that fails.
//!
//! Key decision: nothing here makes them take turns, so what is found is what a machine's own scheduling, kills and weather
//! bring about; the oracle therefore judges only what was said to be done. A seed does not repeat a run call by call, as
//! `engine` does.

mod acts;
mod behind;
mod book;
mod end;
mod seat;
mod weather;

use std::path::Path;
use std::sync::Arc;

use halite_engine::{Error, Result};
use halite_simulator_s3::S3;

use self::acts::{Line, at_once, collect, read};
use self::seat::{Fleet, Progress, Seat};
use self::weather::{Seen, Weather};
use crate::dice::Dice;
use crate::model::org;
use crate::report::{Report, say};

/// The bucket.
const BUCKET: &str = "fleet";
/// The machine of each seat: four writers, the collector, two readers.
const MACHINES: [&str; 7] = ["a", "b", "c", "d", "e", "a", "f"];
/// The org that each writer writes.
const WRITES: [usize; 4] = [0, 1, 2, 2];
const COLLECTOR: usize = 4;

/// How long a run is.
#[derive(Debug, Clone, Copy)]
pub enum Length {
    Minutes(f64),
    /// Commands that succeed.
    Rounds(u64),
}

/// Sends one out.
pub fn run(halite: &Path, length: Length, kills: u64, seed: u64, report: &Report) {
    let name = format!("fleet of seed {seed}");
    match sail(halite, length, kills, seed) {
        Ok((done, wrong)) => {
            report.add(done, 0);
            report.case(name, &wrong);
        }
        Err(error) => report.case(name, &[error.to_string()]),
    }
}

/// Gives how many commands succeeded, and what was wrong.
fn sail(halite: &Path, length: Length, kills: u64, seed: u64) -> Result<(u64, Vec<String>)> {
    let s3 = Arc::new(S3::start(BUCKET).map_err(|e| Error::io("the S3 of the tests", e))?);
    let fleet = Fleet::new(Arc::clone(&s3), halite, length, kills, &mut Dice::new(seed, 70))?;
    let mut seats = Vec::new();
    for (number, machine) in MACHINES.iter().enumerate() {
        seats.push(Seat::new(&fleet, number, machine, seed)?);
    }
    let mut lines = Vec::new();
    for (number, shared) in [(1, false), (2, false), (3, true)] {
        lines.push(Line::new(org(number)?, shared, seed)?);
    }
    if let Some(first) = seats.first_mut() {
        at_once(first, "init", &["init".to_owned()])?;
    }
    let weather = Weather::new(seed);
    s3.judge(weather.clone());
    seats = play(&fleet, &lines, seats);
    if fleet.book().wrong.is_empty()
        && let Err(error) = end::end(&fleet, &lines, seats, &weather)
    {
        fleet.book().wrong.push(format!("at the end: {error}"));
    }
    tell(&fleet.progress(), &weather.seen());
    let mut book = fleet.book();
    say(format_args!(
        "{} imports tried, {} snapshots read whole and equal to what was sent",
        book.entries.len(),
        book.read
    ));
    let done = fleet.progress().done.values().sum();
    Ok((done, std::mem::take(&mut book.wrong)))
}

/// Lets all seats work at once until the run is over or something is wrong.
fn play<'f>(fleet: &'f Fleet, lines: &[Line], seats: Vec<Seat<'f>>) -> Vec<Seat<'f>> {
    let work = |mut seat: Seat<'f>| {
        while !fleet.progress().is_over() {
            let step = match WRITES.get(seat.number).and_then(|org| lines.get(*org)) {
                Some(line) => line.import(&mut seat),
                None if seat.number == COLLECTOR => collect(&mut seat, lines),
                None => read(&mut seat, lines),
            };
            let wrong = {
                let mut book = fleet.book();
                let who = seat.number;
                book.wrong
                    .extend(step.err().map(|error| format!("seat {who}: {error}")));
                !book.wrong.is_empty()
            };
            fleet.progress().stop |= wrong;
        }
        seat
    };
    std::thread::scope(|scope| {
        let working: Vec<_> = seats
            .into_iter()
            .map(|seat| scope.spawn(move || work(seat)))
            .collect();
        let mut back = Vec::new();
        for seat in working {
            match seat.join() {
                Ok(seat) => back.push(seat),
                Err(_) => fleet.book().wrong.push("a seat panicked".to_owned()),
            }
        }
        back
    })
}

fn tell(progress: &Progress, seen: &Seen) {
    let list = |counts: &std::collections::BTreeMap<&'static str, u64>| {
        let parts: Vec<String> = counts
            .iter()
            .map(|(what, times)| format!("{times} {what}"))
            .collect();
        let total: u64 = counts.values().sum();
        format!("{total} ({})", parts.join(", "))
    };
    say(format_args!("commands that succeeded: {}", list(&progress.done)));
    say(format_args!("killed at work: {}", list(&progress.killed)));
    say(format_args!("others came first: {}", list(&progress.conflicts)));
    say(format_args!("failed by the weather: {}", progress.failures));
    say(format_args!(
        "{} requests, {} roots published, {} refused; faults: {}",
        seen.requests,
        seen.swaps,
        seen.lost_swaps,
        list(&seen.faults)
    ));
}
