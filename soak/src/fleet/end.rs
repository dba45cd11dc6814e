//! The end of a fleet: the sky is clear, and what stands in the bucket is measured.
//!
//! Key decision: first nothing may be under way any more, then every kind of work succeeds at the first try, and then the
//! bucket is listed from within the server: an object that the root does not name is as wrong as one that is missing. It
//! judges nothing that happened before.

use std::collections::BTreeSet;
use std::time::Duration;

use halite_engine::Result;
use halite_engine::store::backend::pack_name;

use super::acts::{Line, at_once};
use super::behind::PREFIX;
use super::book::{failed, hash};
use super::seat::{Fleet, Seat, pause};
use super::weather::Weather;
use super::{COLLECTOR, WRITES};

/// How many prunes there may be until nothing is left to do.
const PRUNES: u32 = 10;

/// Looks at everything when all is calm.
pub fn end(fleet: &Fleet, lines: &[Line], mut seats: Vec<Seat<'_>>, weather: &Weather) -> Result<()> {
    weather.clear();
    while fleet.s3.connections() > 0 {
        pause(Duration::from_millis(1));
    }
    fleet.s3.settle();
    fleet.s3.age(Duration::from_secs(48 * 3600));
    let misses = || {
        let progress = fleet.progress();
        progress.failures + progress.conflicts.values().sum::<u64>()
    };
    let before = misses();
    for (seat, org) in seats.iter_mut().zip(WRITES) {
        let line = lines.get(org).ok_or_else(|| failed("a writer without an org"))?;
        line.import(seat)?;
    }
    if misses() != before {
        fleet
            .book()
            .wrong
            .push("an import failed under a clear sky".to_owned());
    }
    let collector = seats.get_mut(COLLECTOR).ok_or_else(|| failed("no collector"))?;
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    at_once(collector, "compact", &words("compact --keep-single 1"))?;
    let mut left = PRUNES;
    loop {
        let version = fleet.book().vault()?.catalog().version();
        at_once(collector, "prune", &words("prune --grace 0s --max-unused 0%"))?;
        if fleet.book().vault()?.catalog().version() == version {
            break;
        }
        left = left
            .checked_sub(1)
            .ok_or_else(|| failed("prune does not come to rest"))?;
    }
    at_once(collector, "check", &words("check --read all"))?;
    left_over(fleet)?;
    everything(fleet)
}

/// Nothing is in the bucket but what the root names, and what opens it.
fn left_over(fleet: &Fleet) -> Result<()> {
    let vault = fleet.book().vault()?;
    let keys = fleet.s3.keys();
    let names: BTreeSet<&str> = keys
        .iter()
        .map(|key| {
            key.strip_prefix(PREFIX)
                .map_or(key.as_str(), |name| name.trim_start_matches('/'))
        })
        .collect();
    let packs: BTreeSet<String> = vault.catalog().packs().iter().map(pack_name).collect();
    let mut wrong = Vec::new();
    for missing in packs.iter().filter(|pack| !names.contains(pack.as_str())) {
        wrong.push(format!("{missing} is named by the root, and missing"));
    }
    let of = |prefix: &str| names.iter().filter(|name| name.starts_with(prefix)).count();
    for (prefix, wanted) in [("root", 1), ("vault", 1), ("keys/", 2)] {
        if of(prefix) != wanted {
            wrong.push(format!("{} objects {prefix} instead of {wanted}", of(prefix)));
        }
    }
    let known =
        |name: &str| packs.contains(name) || ["root", "vault"].contains(&name) || name.starts_with("keys/");
    for orphan in names.iter().filter(|name| !known(name)) {
        wrong.push(format!("{orphan} is left over"));
    }
    let condemned = vault.catalog().condemned()?.len();
    if condemned > 0 {
        wrong.push(format!("{condemned} packs are still condemned"));
    }
    fleet.book().wrong.extend(wrong);
    Ok(())
}

/// Every snapshot that is there has its hash; [`super::book::Book::look`] says which must be there.
fn everything(fleet: &Fleet) -> Result<()> {
    let mut book = fleet.book();
    let (listing, vault) = (book.look()?, book.vault()?);
    for (import, info) in &listing {
        let held = hash(&vault, info)?;
        book.read += 1;
        if book.truth(*import).map(|truth| truth.hash) != Some(held) {
            book.wrong
                .push(format!("{import:?} holds something else at the end"));
        }
    }
    crate::report::say(format_args!(
        "at the end {} snapshots in {} objects",
        listing.len(),
        fleet.s3.keys().len()
    ));
    Ok(())
}
