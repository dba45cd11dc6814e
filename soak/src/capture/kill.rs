//! The real command, killed at random instants of a capture and run again.
//!
//! Key decision: every round begins with a copy of one vault, so that keys are the same and digests can be compared
//! with those of a capture that nothing disturbed; calls are counted by the org. It does not write to the org meanwhile:
//! the other histories do.

#![allow(clippy::disallowed_methods, reason = "a kill comes at a real instant")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use halite_engine::ops::state::State;
use halite_engine::store::local::Local;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_engine::{Error, Result};
use halite_simulator::{CLIENT_ID, CLIENT_SECRET, Org, Plan, Server};

use crate::dice::Dice;
use crate::report::{Report, say};

/// Extra calls that a kill may cost, in thousandths of those of a whole capture.
const EXTRA_MOST: u64 = 20;

/// Kills `rounds` captures.
pub(crate) fn run(halite: &Path, rounds: u64, first: u64, report: &Report) {
    if rounds == 0 {
        return;
    }
    match Place::new(halite, first) {
        Ok(place) => place.rounds(rounds, first, report),
        Err(error) => report.case("captures killed", &[error.to_string()]),
    }
}

/// A vault that is connected to an org and empty, and what a whole capture of it is.
struct Place {
    halite: PathBuf,
    dir: tempfile::TempDir,
    org: Org,
    server: Server,
    calls: u64,
    took: Duration,
    digests: Vec<String>,
}

impl Place {
    fn new(halite: &Path, seed: u64) -> Result<Self> {
        let dir = tempfile::tempdir().map_err(|e| Error::io("a folder for the vault", e))?;
        let org = Org::generate(&Plan {
            seed,
            records: 6000,
            ..Plan::default()
        });
        org.configure(|s| {
            (s.page_size, s.even_pages, s.daily_requests) = (5, true, 100_000_000);
        });
        let server = Server::start(org.clone()).map_err(|e| Error::io("the simulated org", e))?;
        let mut place = Self {
            halite: halite.to_owned(),
            dir,
            org,
            server,
            calls: 0,
            took: Duration::ZERO,
            digests: Vec::new(),
        };
        let url = place.server.url();
        for args in [
            &["init", "--no-encryption"][..],
            &[
                "connect",
                "sim",
                "--environment",
                &url,
                "--client-id",
                CLIENT_ID,
                "--client-secret-env",
                "APP_SECRET",
            ],
        ] {
            place.done("empty", args)?;
        }
        place.copy("whole")?;
        let start = Instant::now();
        place.org.reset_calls();
        place.done("whole", &BACKUP)?;
        place.took = start.elapsed();
        place.calls = place.org.calls().values().sum();
        place.digests = place.digests_of("whole")?;
        Ok(place)
    }

    fn rounds(&self, rounds: u64, seed: u64, report: &Report) {
        let (mut dice, mut extra, mut worst, mut landed) = (Dice::new(seed, 8), 0, 0, 0);
        for round in 0..rounds {
            let wrong = match self.round(&mut dice) {
                Ok((more, true)) => {
                    (extra, worst, landed) = (extra + more, worst.max(more), landed + 1);
                    let least = more * 1000 > self.calls * EXTRA_MOST;
                    let what = format!("{more} calls more than {}", self.calls);
                    if least { vec![what] } else { Vec::new() }
                }
                Ok((_, false)) => Vec::new(),
                Err(error) => vec![error.to_string()],
            };
            report.case(format_args!("kill {round} of seed {seed}"), &wrong);
        }
        say(format_args!(
            "{landed} of {rounds} captures were killed in their work of {} calls: {:.2} calls more on average, {worst} at most",
            self.calls,
            extra as f64 / f64::from(u32::try_from(landed.max(1)).unwrap_or(1))
        ));
        if landed * 2 < rounds {
            report.case("captures killed", &["too few landed inside the work".to_owned()]);
        }
    }

    /// Kills a capture and runs it again: how many calls more that took, and whether the kill hit it at work.
    fn round(&self, dice: &mut Dice) -> Result<(u64, bool)> {
        self.copy("round")?;
        self.org.reset_calls();
        let child = self
            .command("round", &BACKUP)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.map_err(|e| Error::io(self.halite.display(), e))?;
        let micros = u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX);
        std::thread::sleep(Duration::from_micros(dice.below(micros.max(1))));
        let failed = |e| Error::io("killing it", e);
        child.kill().map_err(failed)?;
        let killed = !child.wait().map_err(failed)?.success();
        // What it sent last may still be under way.
        while self.org.busy() {
            std::thread::sleep(Duration::from_millis(1));
        }
        if killed {
            self.done("round", &BACKUP)?;
        }
        if self.digests_of("round")? != self.digests {
            return Err(Error::invalid(
                "the snapshot is not that of an undisturbed capture",
            ));
        }
        let calls: u64 = self.org.calls().values().sum();
        Ok((calls.saturating_sub(self.calls), killed))
    }

    fn command(&self, vault: &str, args: &[&str]) -> Command {
        let mut command = Command::new(&self.halite);
        command.arg("--vault").arg(self.dir.path().join(vault)).args(args);
        command
            .env("XDG_CACHE_HOME", self.dir.path().join("cache"))
            .env("APP_SECRET", CLIENT_SECRET)
            .stdin(Stdio::null());
        command
    }

    fn done(&self, vault: &str, args: &[&str]) -> Result<()> {
        let output = self.command(vault, args).output();
        let output = output.map_err(|e| Error::io(self.halite.display(), e))?;
        if output.status.success() {
            return Ok(());
        }
        let told = [output.stdout, output.stderr].concat();
        Err(Error::invalid(format!(
            "{args:?}: {}",
            String::from_utf8_lossy(&told)
        )))
    }

    /// A fresh copy of the empty vault.
    fn copy(&self, to: &str) -> Result<()> {
        let to = self.dir.path().join(to);
        let _ = std::fs::remove_dir_all(&to);
        let copied = Command::new("cp")
            .arg("-a")
            .arg(self.dir.path().join("empty"))
            .arg(&to)
            .status();
        let copied = copied.map_err(|e| Error::io("cp", e))?;
        copied
            .success()
            .then_some(())
            .ok_or_else(|| Error::invalid("cp failed"))
    }

    /// Digest and count of each sObject of the only snapshot.
    fn digests_of(&self, vault: &str) -> Result<Vec<String>> {
        let place = Arc::new(Local::open(&self.dir.path().join(vault))?);
        let vault = Vault::open(place, &Secret::None, VaultOptions::default())?;
        let snapshots = vault.snapshots(self.org.org_id().parse()?)?;
        let [info] = &snapshots[..] else {
            return Err(Error::invalid(format!(
                "{} snapshots instead of one",
                snapshots.len()
            )));
        };
        let manifest = State::at(&vault, info).manifest()?;
        let mut all: Vec<String> = manifest
            .sobjects
            .iter()
            .map(|s| {
                format!(
                    "{} {} {:?} {:?} {}",
                    s.name,
                    s.live,
                    s.content,
                    s.stamps_digest,
                    s.standing()
                )
            })
            .collect();
        all.sort();
        Ok(all)
    }
}

/// Everything by REST, so that there are many calls.
const BACKUP: [&str; 5] = ["backup", "sim", "--rest-only", "--ceiling", "100"];
