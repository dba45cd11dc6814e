//! A seat of a fleet: a machine on which the real command runs, is killed now and then, and is run again until it succeeds.
//!
//! Key decision: a kill is meant for a seat, in the order of the seed, and it is drawn before the command starts, by how
//! long such a command took before: so kills land inside the work of all seats alike. It knows nothing of what the
//! commands do.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use halite_engine::base::clock::Clock;
use halite_engine::{Error, Result};
use halite_simulator_s3::S3;

use super::behind::PREFIX;
use super::book::{Book, failed};
use super::{BUCKET, Length};
use crate::dice::Dice;

/// How often a command is tried.
const TRIES: u32 = 25;

/// What the seats of a fleet share.
pub struct Fleet {
    pub s3: Arc<S3>,
    pub halite: PathBuf,
    pub dir: tempfile::TempDir,
    book: Mutex<Book>,
    progress: Mutex<Progress>,
}

/// How far the run is.
pub struct Progress {
    pub length: Length,
    began: std::time::Instant,
    /// Commands that succeeded, by what they are.
    pub done: BTreeMap<&'static str, u64>,
    /// Commands that failed because others came first, by what they are.
    pub conflicts: BTreeMap<&'static str, u64>,
    /// Commands that failed by the weather.
    pub failures: u64,
    /// Commands that were killed, by what they are.
    pub killed: BTreeMap<&'static str, u64>,
    /// Whom each kill is meant for that is still to come, the next one last.
    victims: Vec<usize>,
    kills: u64,
    /// No command is started any more.
    pub stop: bool,
}

/// How a command ended.
pub enum End {
    /// Well; what it said.
    Done(String),
    /// By the kill that was meant for it.
    Killed,
    /// What it said.
    Failed(String),
}

impl Fleet {
    /// Over a server that stands already.
    pub fn new(s3: Arc<S3>, halite: &Path, length: Length, kills: u64, dice: &mut Dice) -> Result<Self> {
        let dir = tempfile::tempdir().map_err(|e| Error::io("a folder for the fleet", e))?;
        let secret = blake3::hash(b"fleet").as_bytes().to_vec();
        let key = dir.path().join("key");
        fs::write(&key, &secret).map_err(|e| Error::io(key.display(), e))?;
        let seats = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 6];
        let victims = (0..kills)
            .map(|_| dice.pick(&seats).copied().unwrap_or(0))
            .collect();
        let progress = Progress {
            length,
            began: Clock::system().instant(),
            done: BTreeMap::new(),
            conflicts: BTreeMap::new(),
            failures: 0,
            killed: BTreeMap::new(),
            victims,
            kills,
            stop: false,
        };
        Ok(Self {
            book: Mutex::new(Book::new(Arc::clone(&s3), secret)),
            s3,
            halite: halite.to_owned(),
            dir,
            progress: Mutex::new(progress),
        })
    }

    /// What is true.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far it is.
    pub fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A folder that is there.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.dir.path().join(name);
        fs::create_dir_all(&path).map_err(|e| Error::io(path.display(), e))?;
        Ok(path)
    }
}

impl Progress {
    /// How much of the run is behind, from 0 to 1.
    fn share(&self) -> f64 {
        let done: u64 = self.done.values().sum();
        let share = match self.length {
            Length::Minutes(minutes) => self.began.elapsed().as_secs_f64() / (minutes * 60.0),
            Length::Rounds(rounds) => done as f64 / rounds.max(1) as f64,
        };
        share.min(1.0)
    }

    /// Whether it is over: its length is behind and all kills have hit.
    pub fn is_over(&self) -> bool {
        self.stop || (self.share() >= 1.0 && self.victims.is_empty())
    }

    /// Whether the command that this seat is about to start is to be killed.
    fn hunts(&mut self, seat: usize) -> bool {
        let due = (self.share() * self.kills as f64).ceil() as usize;
        let (kills, left) = (self.kills as usize, self.victims.len());
        let open = due.saturating_sub(kills - left);
        let found = self
            .victims
            .iter()
            .rev()
            .take(open)
            .position(|victim| *victim == seat);
        found.is_some_and(|from_end| self.victims.remove(left - 1 - from_end) == seat)
    }
}

/// One seat.
pub struct Seat<'f> {
    pub fleet: &'f Fleet,
    pub number: usize,
    pub dice: Dice,
    /// The folder of its machine's caches.
    cache: PathBuf,
    took: BTreeMap<&'static str, Duration>,
}

impl<'f> Seat<'f> {
    /// One on a machine of that name.
    pub fn new(fleet: &'f Fleet, number: usize, machine: &str, seed: u64) -> Result<Self> {
        Ok(Self {
            fleet,
            number,
            dice: Dice::new(seed, 80 + number as u64),
            cache: fleet.folder(&format!("cache-{machine}"))?,
            took: BTreeMap::new(),
        })
    }

    fn said(&self, what: &str) -> PathBuf {
        self.fleet.dir.path().join(format!("{what}-{}", self.number))
    }

    fn spawn(&self, args: &[String]) -> Result<Child> {
        let to = |what: &str| {
            let path = self.said(what);
            File::create(&path).map_err(|e| Error::io(path.display(), e))
        };
        let mut command = Command::new(&self.fleet.halite);
        command
            .arg("--vault")
            .arg(format!("s3://{BUCKET}/{PREFIX}"))
            .arg("--key-file")
            .arg(self.fleet.dir.path().join("key"))
            .args(args)
            .envs(self.fleet.s3.variables())
            .env("XDG_CACHE_HOME", &self.cache)
            .env("NO_PROXY", "127.0.0.1")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(to("out")?)
            .stderr(to("err")?);
        command
            .spawn()
            .map_err(|e| Error::io(self.fleet.halite.display(), e))
    }

    /// Runs a command once; kills it, if it is its turn.
    pub fn once(&mut self, kind: &'static str, args: &[String]) -> Result<End> {
        let hunted = self.fleet.progress().hunts(self.number);
        let ended = self.run(kind, args, hunted);
        let mut progress = self.fleet.progress();
        match &ended {
            Ok(End::Killed) => *progress.killed.entry(kind).or_default() += 1,
            // It was done before: the next one then.
            _ if hunted => progress.victims.push(self.number),
            _ => {}
        }
        ended
    }

    fn run(&mut self, kind: &'static str, args: &[String], hunted: bool) -> Result<End> {
        let began = Clock::system().instant();
        let mut child = self.spawn(args)?;
        let broken = |e| Error::io("waiting for halite", e);
        if hunted {
            let took = self.took.get(kind).copied().unwrap_or(Duration::from_millis(300));
            pause(took.mul_f64(self.dice.below(1100) as f64 / 1000.0));
            child.kill().map_err(broken)?;
        }
        let status = child.wait().map_err(broken)?;
        if !hunted && status.success() {
            self.took.insert(kind, began.elapsed());
        }
        let text = |what: &str| -> Result<String> {
            let path = self.said(what);
            let bytes = fs::read(&path).map_err(|e| Error::io(path.display(), e))?;
            Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
        };
        match status.code() {
            None => Ok(End::Killed),
            Some(0) => Ok(End::Done(text("out")?)),
            Some(code) => Ok(End::Failed(format!(
                "{} (status {code})",
                [text("out")?, text("err")?].concat()
            ))),
        }
    }

    /// Runs a command until it succeeds, and gives what it says. `settled` is asked about each error: whether that is as good
    /// as success.
    pub fn until_done(
        &mut self,
        kind: &'static str,
        args: &dyn Fn(u32) -> Vec<String>,
        settled: &mut dyn FnMut(&str) -> Result<bool>,
    ) -> Result<Option<String>> {
        for nth in 0..TRIES {
            let args = args(nth);
            let error = match self.once(kind, &args)? {
                End::Done(said) => {
                    *self.fleet.progress().done.entry(kind).or_default() += 1;
                    return Ok(Some(said));
                }
                End::Killed => continue,
                End::Failed(error) => error,
            };
            if settled(&error)? {
                *self.fleet.progress().done.entry(kind).or_default() += 1;
                return Ok(None);
            }
            let mut progress = self.fleet.progress();
            match excuse(&error) {
                Some(Excuse::Others) => *progress.conflicts.entry(kind).or_default() += 1,
                Some(Excuse::Weather) => progress.failures += 1,
                None => return Err(failed(format!("{args:?}: {error}"))),
            }
        }
        Err(failed(format!("{kind} failed or was killed {TRIES} times")))
    }
}

enum Excuse {
    Others,
    Weather,
}

/// Why a command may have failed, by what it said.
fn excuse(error: &str) -> Option<Excuse> {
    let says = |words: &[&str]| words.iter().any(|words| error.contains(words));
    if says(&["panicked", "damaged", "does not keep conditions"]) {
        return None;
    }
    if says(&[
        "given up after",
        "403 AccessDenied",
        "507 InsufficientStorage",
        "answered 403",
        "answered 507",
    ]) {
        return Some(Excuse::Weather);
    }
    says(&["run it again"]).then_some(Excuse::Others)
}

/// Waits.
#[expect(
    clippy::disallowed_methods,
    reason = "the instant of a kill is what this is about"
)]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
