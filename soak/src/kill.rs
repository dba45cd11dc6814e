//! `kill -9` of the real command at random instants, on a folder on the disk.
//!
//! Key decision: the instant is drawn from how long the same kind of command took before, so that most kills land inside
//! the work, and it is counted how many did. After each the vault is opened by the library, every acknowledged snapshot is
//! read whole, and the command is run again. It does not cut the power: what the system had taken is on the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use halite_engine::base::clock::Clock;
use halite_engine::base::id::OrgId;
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::state::State;
use halite_engine::store::local::Local;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_engine::{Error, Kind, Result};

use crate::dice::Dice;
use crate::model::{Org, SOBJECT, canonical, folder, org};
use crate::report::{Report, say};

const ROWS: u64 = 6000;

/// The folder of one run, and what is true of its vault.
struct Place {
    halite: PathBuf,
    dir: tempfile::TempDir,
    dice: Dice,
    org: Org,
    day: i64,
    /// The hash of what each kept snapshot holds, by its instant.
    kept: BTreeMap<i64, blake3::Hash>,
    /// The number of the key file that opens the vault.
    key: u64,
    /// How long each kind of command took when it was last let be.
    took: BTreeMap<&'static str, Duration>,
    landed: u64,
}

/// What a round does.
struct Round {
    kind: &'static str,
    args: Vec<String>,
    /// The instants of the snapshots that may come of it, or go.
    adds: Option<(i64, blake3::Hash)>,
    drops: BTreeSet<i64>,
    /// The key file that opens the vault when it is done.
    key: u64,
}

/// Runs so many rounds.
pub fn run(halite: &Path, rounds: u64, seed: u64, report: &Report) {
    match Place::new(halite, seed) {
        Ok(mut place) => {
            for round in 0..rounds {
                let wrong = place.round().unwrap_or_else(|error| vec![error.to_string()]);
                report.case(format_args!("round {round} of seed {seed}"), &wrong);
            }
            say(format_args!(
                "{} of {rounds} commands were killed before they ended",
                place.landed
            ));
            if place.landed * 4 < rounds {
                report.case("kills", &["too few landed inside the work".to_owned()]);
            }
        }
        Err(error) => report.case("kills", &[error.to_string()]),
    }
}

impl Place {
    fn new(halite: &Path, seed: u64) -> Result<Self> {
        let dir = tempfile::tempdir().map_err(|e| Error::io("a folder for the vault", e))?;
        let (mut dice, mut now) = (Dice::new(seed, 0), Org::new(org(1)?));
        now.change(&mut dice, 2 * ROWS, ROWS)?;
        let place = Self {
            halite: halite.to_owned(),
            dir,
            dice,
            org: now,
            day: 0,
            kept: BTreeMap::new(),
            key: 0,
            took: BTreeMap::new(),
            landed: 0,
        };
        place.write_key(0)?;
        place.done(&place.command(&["init".into()], "vault"))?;
        Ok(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write_key(&self, number: u64) -> Result<()> {
        let path = self.path(&format!("key{number}"));
        let bytes = blake3::hash(&number.to_le_bytes());
        fs::write(&path, bytes.as_bytes()).map_err(|e| Error::io(path.display(), e))
    }

    fn command(&self, args: &[String], vault: &str) -> Vec<String> {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut all = vec!["--vault".to_owned(), text(self.path(vault))];
        all.extend([
            "--key-file".to_owned(),
            text(self.path(&format!("key{}", self.key))),
        ]);
        all.extend(["--org".to_owned(), "00D000000000001".to_owned()]);
        all.extend(args.iter().cloned());
        all
    }

    fn spawn(&self, args: &[String]) -> Result<std::process::Child> {
        let mut command = Command::new(&self.halite);
        command.args(args).env("XDG_CACHE_HOME", self.path("cache"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command.spawn().map_err(|e| Error::io(self.halite.display(), e))
    }

    /// Runs a command to its end; how long it took.
    fn done(&self, args: &[String]) -> Result<Duration> {
        let began = Clock::system().instant();
        let output = self.spawn(args)?.wait_with_output();
        let output = output.map_err(|e| Error::io(self.halite.display(), e))?;
        if output.status.success() {
            return Ok(began.elapsed());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        Err(Error::new(Kind::Io, format!("{args:?}: {}", text.trim())))
    }

    /// Kills a command after a while; whether it had ended by itself before, and well.
    fn killed(&mut self, args: &[String], after: Duration) -> Result<bool> {
        let mut child = self.spawn(args)?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the instant of a kill is what this is about"
        )]
        std::thread::sleep(after);
        let failed = |e| Error::io("killing halite", e);
        child.kill().map_err(failed)?;
        let output = child.wait_with_output().map_err(failed)?;
        if output.status.code().is_none() {
            self.landed += 1;
            return Ok(false);
        }
        if output.status.success() {
            return Ok(true);
        }
        let text = String::from_utf8_lossy(&output.stderr);
        Err(Error::new(
            Kind::Io,
            format!("it failed by itself: {args:?}: {}", text.trim()),
        ))
    }

    fn round(&mut self) -> Result<Vec<String>> {
        let (round, mut wrong) = (self.next()?, Vec::new());
        let vault = if round.kind == "init" { "other" } else { "vault" };
        let args = self.command(&round.args, vault);
        let took = self
            .took
            .get(round.kind)
            .copied()
            .unwrap_or(Duration::from_millis(40));
        let after = took.mul_f64(self.dice.below(1100) as f64 / 1000.0);
        let ended = self.killed(&args, after)?;
        if round.kind == "init" {
            return self.made(&args, ended);
        }
        let key = self.settle(&round, ended, &mut wrong)?;
        // Again: an import or a rekey that was done needs no second time.
        let again = match round.adds {
            Some((at, _)) => !self.kept.contains_key(&at),
            None => self.key == key && !ended,
        };
        self.key = key;
        if again {
            let took = self.done(&self.command(&round.args, vault))?;
            self.took.insert(round.kind, took);
            self.key = self.settle(&round, true, &mut wrong)?;
        }
        Ok(wrong)
    }

    /// What is next: an import twice as often as anything else.
    fn next(&mut self) -> Result<Round> {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect();
        let mut round = Round {
            kind: "init",
            args: words("init"),
            adds: None,
            drops: BTreeSet::new(),
            key: self.key,
        };
        let chosen = if self.kept.is_empty() {
            0
        } else {
            self.dice.below(10)
        };
        match chosen {
            0..=3 => {
                self.day += 1;
                self.org.change(&mut self.dice, ROWS / 3, ROWS)?;
                let (at, rows) = (1_760_000_000_000 + self.day * 86_400_000, self.org.rows());
                let dir = self.path(&format!("day{}", self.day));
                fs::create_dir_all(&dir).map_err(|e| Error::io(dir.display(), e))?;
                folder(&dir, &rows, &[])?;
                let lines: String = rows.iter().map(|(id, row)| canonical(*id, row) + "\n").collect();
                round.kind = "import";
                round.args = words(&format!("import --as-of {}", Stamp::from_millis(at)));
                round.args.push(dir.to_string_lossy().into_owned());
                round.adds = Some((at, blake3::hash(lines.as_bytes())));
            }
            4 => (round.kind, round.args) = ("compact", words("compact --keep-single 0 --all")),
            5 => {
                (round.kind, round.args) = ("retain", words("retain --keep-last 3"));
                round.drops = self.kept.keys().rev().skip(3).copied().collect();
            }
            6 | 7 => (round.kind, round.args) = ("prune", words("prune --grace 0s --max-unused 0%")),
            8 => {
                round.key = self.key + 1;
                self.write_key(round.key)?;
                (round.kind, round.args) = ("rekey", words("rekey --new-key-file"));
                let key = self.path(&format!("key{}", round.key));
                round.args.push(key.to_string_lossy().into_owned());
            }
            _ => {}
        }
        Ok(round)
    }

    /// A vault that was being made is one, or says that it is none, and the place is good for another once emptied.
    fn made(&mut self, args: &[String], ended: bool) -> Result<Vec<String>> {
        let (place, mut wrong) = (self.path("other"), Vec::new());
        if let Err(error) = self.open("other", self.key)
            && (ended || !matches!(error.kind(), Kind::NotFound))
        {
            wrong.push(format!("a vault whose making was cut off: {error}"));
        }
        drop(fs::remove_dir_all(&place));
        let took = self.done(args)?;
        self.took.insert("init", took);
        self.open("other", self.key)?;
        fs::remove_dir_all(&place).map_err(|e| Error::io(place.display(), e))?;
        Ok(wrong)
    }

    fn open(&self, vault: &str, key: u64) -> Result<Vault> {
        let place = Arc::new(Local::open(&self.path(vault))?);
        let file = self.path(&format!("key{key}"));
        let secret = fs::read(&file).map_err(|e| Error::io(file.display(), e))?;
        Vault::open(place, &Secret::KeyFile(secret.into()), VaultOptions::default())
    }

    /// Opens the vault and compares all of it; gives the key that opened it.
    fn settle(&mut self, round: &Round, ended: bool, wrong: &mut Vec<String>) -> Result<u64> {
        let (vault, key) = match self.open("vault", round.key) {
            Ok(vault) => (vault, round.key),
            Err(_) => (self.open("vault", self.key)?, self.key),
        };
        let org: OrgId = org(1)?;
        let there = vault.snapshots(org)?;
        let instants: BTreeSet<i64> = there.iter().map(|s| s.from.millis()).collect();
        let added = round.adds.filter(|(at, _)| instants.contains(at));
        if ended && added.is_none() && round.adds.is_some() {
            wrong.push(format!("{}: acknowledged, and not there", round.kind));
        }
        self.kept.extend(added);
        let dropped = round.drops.iter().all(|at| !instants.contains(at));
        if dropped {
            self.kept.retain(|at, _| !round.drops.contains(at));
        } else if ended {
            wrong.push(format!("{}: acknowledged, and not dropped", round.kind));
        }
        let wanted: BTreeSet<i64> = self.kept.keys().copied().collect();
        if instants != wanted {
            wrong.push(format!(
                "{}: snapshots {instants:?} instead of {wanted:?}",
                round.kind
            ));
        }
        for snapshot in &there {
            let (state, mut hash) = (State::at(&vault, snapshot), blake3::Hasher::new());
            state.each(SOBJECT, &mut |record| {
                hash.update(record.json.as_bytes()).update(b"\n");
                Ok(())
            })?;
            if self.kept.get(&snapshot.from.millis()) != Some(&hash.finalize()) {
                wrong.push(format!(
                    "{}: snapshot {} holds something else",
                    round.kind, snapshot.number
                ));
            }
        }
        Ok(key)
    }
}
