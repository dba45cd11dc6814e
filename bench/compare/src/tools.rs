//! The backup tools by their own commands: make a store, open it, put a state in, get one back.
//!
//! Key decision: each tool has a store with a passphrase and runs with its own defaults; repository and cache lie in one
//! folder, so that a store can be put back as it was before a further round. It measures nothing by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;
use halite_engine::base::stamp::Stamp;

use crate::measured::{Run, run, tell};
use crate::{Result, files_of};

/// 2026-01-01, in milliseconds since 1970.
const DAY_ZERO: i64 = 1_767_225_600_000;
const DAY: i64 = 86_400_000;
const ORG: &str = "00D000000000001EAA";
/// What opens every store.
pub const PASSPHRASE: &str = "measured";

/// A tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tool {
    /// This project's command
    Halite,
    /// restic, by Debian
    Restic,
    /// BorgBackup, by Debian
    Borg,
    /// rustic, by crates.io
    Rustic,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Halite, Self::Restic, Self::Borg, Self::Rustic];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Halite => "halite",
            Self::Restic => "restic",
            Self::Borg => "borg",
            Self::Rustic => "rustic",
        }
    }
}

/// A tool and the program that it is.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Which.
    pub tool: Tool,
    /// Where.
    pub program: PathBuf,
}

/// A store of a tool.
pub struct Store {
    tool: Tool,
    program: PathBuf,
    home: PathBuf,
    /// A key file in place of the passphrase; Halite alone.
    key_file: bool,
}

impl Store {
    /// Makes one in a folder of this name below `work`, in place of what was there.
    ///
    /// # Errors
    /// What the tool says.
    pub fn make(work: &Path, name: &str, installed: &Installed) -> Result<Self> {
        Self {
            tool: installed.tool,
            program: installed.program.clone(),
            home: work.join(name),
            key_file: false,
        }
        .made()
    }

    /// A vault that is opened by a key file, which costs nothing.
    ///
    /// # Errors
    /// What `halite init` says.
    pub fn with_key_file(work: &Path, name: &str, program: &Path) -> Result<Self> {
        Self {
            tool: Tool::Halite,
            program: program.to_owned(),
            home: work.join(name),
            key_file: true,
        }
        .made()
    }

    fn made(self) -> Result<Self> {
        gone(&self.home)?;
        fs::create_dir_all(self.home.join("cache"))?;
        if self.key_file {
            fs::write(self.key(), [7; 64])?;
        }
        let mut init = self.command();
        match self.tool {
            Tool::Halite => init.arg("init"),
            Tool::Restic => init.args(["init", "-q"]),
            Tool::Borg => init
                .args(["init", "--encryption", "repokey-blake2"])
                .arg(self.repo()),
            Tool::Rustic => init.arg("init"),
        };
        tell(&mut init)?;
        Ok(self)
    }

    /// Which tool it is of.
    pub fn tool(&self) -> Tool {
        self.tool
    }

    /// Where its bytes lie.
    pub fn repo(&self) -> PathBuf {
        self.home.join("repo")
    }

    /// The file that opens it.
    pub fn key(&self) -> PathBuf {
        self.home.join("key")
    }

    /// Where Halite keeps what can be rebuilt.
    pub fn index(&self) -> PathBuf {
        self.home.join("cache/halite")
    }

    /// The bytes that it takes, the cache not counted.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn bytes(&self) -> Result<u64> {
        Ok(files_of(&self.repo())?.iter().map(|(_, bytes)| bytes).sum())
    }

    /// The command with what tells it where the store is and how it is opened.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let (repo, cache) = (self.repo(), self.home.join("cache"));
        command.env("XDG_CACHE_HOME", &cache);
        match self.tool {
            Tool::Halite if self.key_file => {
                command.env("HALITE_VAULT", repo).env_remove("HALITE_PASSPHRASE");
                command.arg("--key-file").arg(self.key());
            }
            Tool::Halite => {
                command
                    .env("HALITE_VAULT", repo)
                    .env("HALITE_PASSPHRASE", PASSPHRASE);
            }
            Tool::Restic => {
                command
                    .env("RESTIC_REPOSITORY", repo)
                    .env("RESTIC_PASSWORD", PASSPHRASE);
                command.env("RESTIC_CACHE_DIR", cache);
            }
            Tool::Borg => {
                command
                    .env("BORG_PASSPHRASE", PASSPHRASE)
                    .env("BORG_BASE_DIR", cache);
            }
            Tool::Rustic => {
                command
                    .env("RUSTIC_REPOSITORY", repo)
                    .env("RUSTIC_PASSWORD", PASSPHRASE);
                command.env("RUSTIC_CACHE_DIR", cache).arg("--no-progress");
            }
        }
        command
    }

    fn measure(&self, command: &Command) -> Result<Run> {
        run(&self.home, command)
    }

    /// Lists what it holds: what it takes to open it.
    ///
    /// # Errors
    /// What the tool says.
    pub fn open(&self) -> Result<Run> {
        let mut list = self.command();
        match self.tool {
            Tool::Borg => list.arg("list").arg(self.repo()),
            Tool::Halite | Tool::Restic | Tool::Rustic => list.arg("snapshots"),
        };
        self.measure(&list)
    }

    /// Puts the state of a day in: Halite imports the folder, the others back up `what` in it.
    ///
    /// # Errors
    /// What the tool says.
    pub fn backup(&self, folder: &Path, what: &str, day: u64) -> Result<Run> {
        let mut backup = self.command();
        backup.current_dir(folder);
        let tag = tag(day);
        match self.tool {
            Tool::Halite => return self.import(folder, day, &[]),
            Tool::Restic => backup.args(["backup", "-q", "--tag", &tag, what]),
            Tool::Borg => backup.arg("create").arg(self.archive(day)).arg(what),
            Tool::Rustic => backup.args(["backup", "--tag", &tag, what]),
        };
        self.measure(&backup)
    }

    /// Imports a folder that holds only what changed.
    ///
    /// # Errors
    /// What `halite import` says.
    pub fn import_delta(&self, folder: &Path, day: u64) -> Result<Run> {
        self.import(folder, day, &["--delta"])
    }

    fn import(&self, folder: &Path, day: u64, flags: &[&str]) -> Result<Run> {
        let at = Stamp::from_millis(DAY_ZERO + day as i64 * DAY).to_string();
        let mut import = self.command();
        import
            .args(["import", "--org", ORG, "--as-of", &at])
            .args(flags)
            .arg(folder);
        self.measure(&import)
    }

    /// Merges what a vault holds of many days, and gives the space back; Halite alone.
    ///
    /// # Errors
    /// What `halite` says.
    pub fn compact(&self) -> Result<Run> {
        let mut compact = self.command();
        let run = self.measure(compact.arg("compact"))?;
        // The first condemns, the second deletes.
        for _ in 0..2 {
            tell(self.command().args(["prune", "--grace", "0s"]))?;
        }
        Ok(run)
    }

    /// Gives the whole state of a day back, into a folder that is empty.
    ///
    /// # Errors
    /// What the tool says.
    pub fn restore(&self, day: u64, to: &Path) -> Result<Run> {
        let mut restore = self.command();
        let tag = tag(day);
        match self.tool {
            // Snapshots are counted from 1.
            Tool::Halite => restore
                .args(["export", "--at", &(day + 1).to_string(), "--to"])
                .arg(to),
            Tool::Restic => restore
                .args(["restore", "-q", "latest", "--tag", &tag, "--target"])
                .arg(to),
            Tool::Borg => restore.current_dir(to).arg("extract").arg(self.archive(day)),
            Tool::Rustic => restore.args(["--filter-tags", &tag, "restore", "latest"]).arg(to),
        };
        self.measure(&restore)
    }

    fn archive(&self, day: u64) -> String {
        format!("{}::{}", self.repo().display(), tag(day))
    }

    /// Keeps a copy of the store, cache and all, under another name.
    ///
    /// # Errors
    /// The disk's.
    pub fn copy(&self, name: &str) -> Result<Self> {
        let copy = Self {
            program: self.program.clone(),
            home: self.home.with_file_name(name),
            ..*self
        };
        gone(&copy.home)?;
        tell(Command::new("cp").arg("-a").arg(&self.home).arg(&copy.home))?;
        settle(&copy.home)?;
        Ok(copy)
    }

    /// Becomes what a copy of it holds; the copy stays.
    ///
    /// # Errors
    /// The disk's.
    pub fn become_again(&self, copy: &Self) -> Result<()> {
        gone(&self.home)?;
        tell(Command::new("cp").arg("-a").arg(&copy.home).arg(&self.home))?;
        settle(&self.home)
    }

    /// Removes it.
    ///
    /// # Errors
    /// The disk's.
    pub fn remove(self) -> Result<()> {
        gone(&self.home)
    }
}

fn tag(day: u64) -> String {
    format!("day-{day}")
}

/// Waits until what was written is on the disk, so that nobody's time has the writing of others in it.
///
/// # Errors
/// The disk's.
pub fn settle(folder: &Path) -> Result<()> {
    tell(Command::new("sync").arg("-f").arg(folder)).map(drop)
}

/// Removes a folder with all that is in it, if it is there.
///
/// # Errors
/// The disk's.
pub fn gone(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: {e}", folder.display()).into())
        }
        _ => Ok(()),
    }
}
