//! What the seats of a fleet do: writers import, the collector clears up, readers read.
//!
//! Key decision: each step is one command that is run until it succeeds, and the book is asked right after. A writer of
//! an org that others write too takes a later time when his is passed; nothing else is ever given up.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use halite_engine::base::id::{OrgId, RecordId};
use halite_engine::{Error, Result};

use super::book::{Import, Truth, failed, hash, time};
use super::seat::{End, Seat};
use crate::dice::Dice;
use crate::model::{Org, Rows, SOBJECT, folder};

/// The rows of an org, of which a few change from day to day.
pub const ROWS: u64 = 1_200;
const DAY: i64 = 86_400_000;
const FIRST: i64 = 1_700_000_000_000;

/// An org, and how far it is; its writers share it.
pub struct Line {
    pub id: OrgId,
    /// Whether several write it.
    shared: bool,
    state: Mutex<Days>,
}

struct Days {
    org: Org,
    day: i64,
    dice: Dice,
    /// The newest state that is known to be there.
    newest: Option<Arc<Rows>>,
}

/// A day to import.
struct Dump {
    at: i64,
    rows: Arc<Rows>,
    dir: PathBuf,
    delta: bool,
}

/// `--org`, as a beginning of arguments.
fn of(org: OrgId, args: &[&str]) -> Vec<String> {
    let mut all = vec!["--org".to_owned(), org.to_string()];
    all.extend(args.iter().map(|arg| (*arg).to_owned()));
    all
}

impl Line {
    pub fn new(id: OrgId, shared: bool, seed: u64) -> Result<Self> {
        let mut days = Days {
            org: Org::new(id),
            day: 0,
            dice: Dice::new(seed, id.to_string().bytes().map(u64::from).sum()),
            newest: None,
        };
        days.org.change(&mut days.dice, 2 * ROWS, ROWS)?;
        Ok(Self {
            id,
            shared,
            state: Mutex::new(days),
        })
    }

    /// The next day, written down in the book and as files.
    fn next(&self, seat: &mut Seat<'_>) -> Result<Dump> {
        let mut guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let days = &mut *guard;
        let times = 1 + days.dice.below(ROWS / 4);
        days.org.change(&mut days.dice, times, ROWS)?;
        days.day += 1;
        let (at, rows) = (FIRST + days.day * DAY, days.org.rows());
        let dir = seat.fleet.folder(&format!("org-{}-{}", self.id, days.day))?;
        let old = days
            .newest
            .clone()
            .filter(|_| !self.shared && days.dice.chance(1, 3));
        match &old {
            None => folder(&dir, &rows, &[])?,
            Some(old) => {
                let mut came = (*rows).clone();
                came.retain(|id, row| old.get(id) != Some(row));
                let gone: Vec<RecordId> = old.keys().filter(|id| !rows.contains_key(id)).copied().collect();
                folder(&dir, &came, &gone)?;
            }
        }
        let truth = Truth::of(&rows, &mut days.dice, ROWS)?;
        seat.fleet.book().tries((self.id, at), truth);
        let delta = old.is_some();
        Ok(Dump { at, rows, dir, delta })
    }

    /// Imports the next day, or a later one.
    pub fn import(&self, seat: &mut Seat<'_>) -> Result<()> {
        loop {
            let dump = self.next(seat)?;
            let mut args = of(self.id, &["import", "--json", "--as-of", &time(dump.at)]);
            args.extend(dump.delta.then(|| "--delta".to_owned()));
            args.push(dump.dir.to_string_lossy().into_owned());
            let (import, fleet, mut passed) = ((self.id, dump.at), seat.fleet, false);
            let kind = if dump.delta { "import of changes" } else { "import" };
            seat.until_done(kind, &|_| args.clone(), &mut |error| {
                if !error.contains("is not later than") {
                    return Ok(false);
                }
                passed = !fleet.book().is_there(import)?;
                Ok(true)
            })?;
            drop(std::fs::remove_dir_all(&dump.dir));
            if !passed {
                self.state.lock().unwrap_or_else(PoisonError::into_inner).newest = Some(dump.rows);
                return proved(seat, import);
            }
            if !self.shared {
                let what = format!("org {} is passed by somebody who does not write it", self.id);
                return Err(failed(what));
            }
            let mut progress = seat.fleet.progress();
            progress.done.entry(kind).and_modify(|done| *done -= 1);
            *progress.conflicts.entry("import, passed by another").or_default() += 1;
        }
    }
}

/// An import was acknowledged: it is there, and holds what was sent.
fn proved(seat: &Seat<'_>, import: Import) -> Result<()> {
    let (found, drops, vault) = {
        let mut book = seat.fleet.book();
        let drops = book.begun(import.0);
        (book.acknowledged(import)?, drops, book.vault()?)
    };
    let Some(info) = found else { return Ok(()) };
    let held = hash(&vault, &info);
    let mut book = seat.fleet.book();
    match held {
        Ok(held) => {
            book.read += 1;
            if book.truth(import).map(|truth| truth.hash) != Some(held) {
                book.wrong.push(format!("{import:?} holds something else"));
            }
        }
        Err(_) if book.dropped_since(import.0, drops) => {}
        Err(error) => book.wrong.push(format!("{import:?} cannot be read: {error}")),
    }
    Ok(())
}

/// One step of the collector.
pub fn collect(seat: &mut Seat<'_>, lines: &[Line]) -> Result<()> {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let line = seat.dice.pick(lines).map(|line| line.id);
    let org = line.ok_or_else(|| failed("no org"))?;
    match seat.dice.below(10) {
        0..=2 => {
            let grace = if seat.dice.chance(1, 3) { "1s" } else { "0s" };
            let unused = if seat.dice.chance(1, 2) { "0%" } else { "5%" };
            let args = words(&format!("prune --json --grace {grace} --max-unused {unused}"));
            seat.until_done("prune", &|_| args.clone(), &mut |_| Ok(false))?;
        }
        3..=4 => {
            let all = if seat.dice.chance(1, 3) { " --all" } else { "" };
            let args = format!("compact --json --keep-single {}{all}", seat.dice.below(4));
            seat.until_done("compact", &|_| words(&args), &mut |_| Ok(false))?;
        }
        5..=7 => {
            let last = 2 + seat.dice.below(4);
            seat.fleet.book().drops_begin(org);
            let args = of(org, &["retain", "--json", "--keep-last", &last.to_string()]);
            // An org of which nothing is there yet.
            seat.until_done("retain", &|_| args.clone(), &mut |error| {
                Ok(error.contains("has no snapshot in this vault"))
            })?;
            let newer = |at: i64, listing: &super::book::Listing| {
                listing.range((org, at)..=(org, i64::MAX)).count() as u64 >= last
            };
            seat.fleet.book().drops_end(org, &newer)?;
        }
        _ => forget(seat, org)?,
    }
    Ok(())
}

fn forget(seat: &mut Seat<'_>, org: OrgId) -> Result<()> {
    let mut kept = seat.fleet.book().kept(org);
    kept.pop();
    let Some(&at) = seat.dice.pick(&kept) else {
        return Ok(());
    };
    let named = seat.fleet.book().look()?.remove(&(org, at));
    let name = named.map(|info| info.name.to_string());
    let name = name.ok_or_else(|| failed(format!("snapshot {at} of org {org} is lost")))?;
    seat.fleet.book().drops_begin(org);
    let args = of(org, &["forget", "--json", &name]);
    let fleet = seat.fleet;
    seat.until_done("forget", &|_| args.clone(), &mut |error| {
        // The one that was killed had done it.
        Ok(error.contains("no snapshot") && !fleet.book().is_there((org, at))?)
    })?;
    let mut book = seat.fleet.book();
    book.drops_end(org, &|gone, _| gone == at)?;
    if book.kept(org).contains(&at) {
        book.wrong
            .push(format!("snapshot {at} of org {org} was forgotten, and is there"));
    }
    Ok(())
}

/// One step of a reader.
pub fn read(seat: &mut Seat<'_>, lines: &[Line]) -> Result<()> {
    if seat.dice.chance(1, 6) {
        let share = if seat.dice.chance(1, 2) { "all" } else { "20%" };
        let args: Vec<String> = ["check", "--json", "--read", share].map(str::to_owned).into();
        return seat
            .until_done("check", &|_| args.clone(), &mut |_| Ok(false))
            .map(drop);
    }
    let line = seat.dice.pick(lines).map(|line| line.id);
    let org = line.ok_or_else(|| failed("no org"))?;
    let (drops, listing, kept) = {
        let mut book = seat.fleet.book();
        (book.begun(org), book.look()?, book.kept(org))
    };
    let Some(&at) = seat.dice.pick(&kept) else {
        return Ok(());
    };
    let Some(info) = listing.get(&(org, at)) else {
        return Ok(());
    };
    let truth = seat.fleet.book().truth((org, at)).cloned();
    let truth = truth.ok_or_else(|| failed("a snapshot without a truth"))?;
    let name = info.name.to_string();
    if seat.dice.chance(1, 2) {
        show(seat, (org, at), &name, &truth, drops)
    } else {
        export(seat, (org, at), &name, &truth, drops)
    }
}

fn export(seat: &mut Seat<'_>, (org, at): Import, name: &str, truth: &Truth, drops: u64) -> Result<()> {
    let (fleet, number) = (seat.fleet, seat.number);
    let to = |nth: u32| fleet.dir.path().join(format!("export-{number}-{nth}"));
    let last = std::cell::Cell::new(0);
    let args = |nth: u32| {
        last.set(nth);
        of(
            org,
            &[
                "export",
                "--json",
                "--at",
                name,
                "--to",
                &to(nth).to_string_lossy(),
            ],
        )
    };
    let said = seat.until_done("export", &args, &mut |_| {
        Ok(fleet.book().dropped_since(org, drops))
    })?;
    let last = last.get();
    if said.is_some() {
        let path = to(last).join(format!("{SOBJECT}.ndjson"));
        let bytes = std::fs::read(&path).map_err(|e| Error::io(path.display(), e))?;
        let mut book = fleet.book();
        book.read += 1;
        if blake3::hash(&bytes) != truth.hash {
            book.wrong.push(format!(
                "an export of snapshot {at} of org {org} is not what was sent"
            ));
        }
    }
    (0..=last).for_each(|nth| drop(std::fs::remove_dir_all(to(nth))));
    Ok(())
}

fn show(seat: &mut Seat<'_>, (org, at): Import, name: &str, truth: &Truth, drops: u64) -> Result<()> {
    let Some((id, wanted)) = seat.dice.pick(&truth.records).cloned() else {
        return Ok(());
    };
    let (fleet, mut absent) = (seat.fleet, false);
    let args = of(org, &["show", &id.to_string(), "--at", name]);
    let said = seat.until_done("show", &|_| args.clone(), &mut |error| {
        let absences = [
            "it was deleted by snapshot",
            "it is not in snapshot",
            "was read in snapshot",
        ];
        absent = absences.iter().any(|words| error.contains(words));
        Ok(absent || fleet.book().dropped_since(org, drops))
    })?;
    if (said.is_some() || absent) && said != wanted {
        let what = format!("record {id} of snapshot {at} of org {org}: {said:?} instead of {wanted:?}");
        fleet.book().wrong.push(what);
    }
    Ok(())
}

/// Runs a command that must succeed at once.
pub fn at_once(seat: &mut Seat<'_>, kind: &'static str, args: &[String]) -> Result<String> {
    match seat.once(kind, args)? {
        End::Done(said) => Ok(said),
        End::Killed => Err(failed(format!("{args:?} was killed by somebody"))),
        End::Failed(error) => Err(failed(format!("under a clear sky: {args:?}: {error}"))),
    }
}
