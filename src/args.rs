//! What was typed: every command and flag, as clap reads them.
//!
//! Key decision: no secret is ever an argument, since arguments are seen by every user of the machine; secrets
//! come from the environment, a command, a file or the terminal. Nothing is resolved here: `job` does that.

mod connect;
mod restore;

use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args as Flags, CommandFactory, Parser, Subcommand, ValueEnum};

pub use connect::{Backup, Change, Connect, Disconnect, Keep, Preflight, Progress, Purpose, Run, Settings};
pub use restore::{Rehearse, Restore, RestoreAgain, RestoreApply, RestorePlan, RestoreReport, RestoreUndo};

/// Backs up and restores Salesforce orgs.
#[derive(Debug, Parser)]
#[command(name = "halite", version, about, max_term_width = 100)]
pub struct Args {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

impl Args {
    /// What clap's derive cannot say: every command but two needs a vault, and `import` needs an org.
    pub fn check(self) -> Result<Self, clap::Error> {
        let missing = match &self.command {
            Command::Demo(_) | Command::Simulate(_) => None,
            Command::Restore(Restore::Show(_) | Restore::Undo(_)) => None,
            _ if self.global.vault.is_none() => {
                Some("no vault named: give --vault DIR|URL or set HALITE_VAULT")
            }
            Command::Import(_) if self.global.org.is_none() => Some("no org named: give --org ID"),
            Command::Forget(flags) if flags.all && self.global.org.is_none() => {
                Some("no org named: --all forgets the org of --org ID")
            }
            _ => None,
        };
        match missing {
            Some(what) => Err(Self::command().error(ErrorKind::MissingRequiredArgument, what)),
            None => Ok(self),
        }
    }
}

/// Flags that every command takes.
#[derive(Debug, Clone, Flags)]
pub struct Global {
    /// The vault: a directory, or s3://BUCKET/PREFIX, gs://…, az://…
    #[arg(long, global = true, env = "HALITE_VAULT", value_name = "DIR|URL")]
    pub vault: Option<PathBuf>,
    /// The org's Id, where the vault holds more than one; for demo and simulate the folder of an SFDX project
    #[arg(long, global = true, value_name = "ID|DIR")]
    pub org: Option<String>,
    /// One JSON document (JSON lines for streams) on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// A command whose first line of output is the passphrase
    #[arg(long, global = true, value_name = "COMMAND", conflicts_with = "key_file")]
    pub passphrase_command: Option<String>,
    /// A file of 32 random bytes or more that is the key
    #[arg(long, global = true, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// The person or program on whose behalf this is done, for the activity log; the system's user if absent
    #[arg(long = "as", global = true, env = "HALITE_AS", value_name = "NAME")]
    pub asked_by: Option<String>,
    /// Go on where records are lost, without them; says which, and ends with status 3
    #[arg(long, global = true)]
    pub despite_losses: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a vault
    Init(Init),
    /// Sign in to an org; the grant is kept sealed in the vault
    Connect(Box<Connect>),
    /// Change how a connected org is backed up, and when
    Connection(Change),
    /// List the orgs one has connected to, when each was backed up and when it will be
    Connections,
    /// Take the grant back where the org lets one, and forget it; snapshots stay
    Disconnect(Disconnect),
    /// Say what the org's user lacks for a backup or a restore, and where in Setup it is given
    Preflight(Preflight),
    /// Back up what is due, now and from now on, by the schedules of all connections
    Run(Run),
    /// Capture a snapshot; the next one reads only what changed
    Backup(Backup),
    /// Make a snapshot from DIR/<sObject>.ndjson or .csv
    Import(Import),
    /// List the snapshots
    Snapshots,
    /// Show one record as it was
    Show(Show),
    /// Show all versions of a record
    History(History),
    /// Show what changed between two times or snapshots
    Diff(Diff),
    /// Write a whole state to files
    Export(Export),
    /// Merge runs, so that the vault stays small and quick
    Compact(Compact),
    /// Bring another place to what the vault is now, pack by pack as they are
    Copy(Copy),
    /// Plan a restore, look at the plan, apply it
    #[command(subcommand)]
    Restore(Restore),
    /// Drop the snapshots that no rule keeps; of every org, unless --org names one
    Retain(Retain),
    /// Drop snapshots, or a whole org
    Forget(Forget),
    /// Remove all versions of records for ever, and prove it
    Erase(Erase),
    /// Keep a snapshot from being dropped
    Hold(Hold),
    /// List the holds
    Holds,
    /// Let a snapshot go that was held
    Release(Release),
    /// Give back the space of what nothing needs any more
    Prune(Prune),
    /// Say whether the vault is as it was written, and what is lost where it is not
    Check(Check),
    /// Replace what is damaged by what can still be read, and enter what cannot as lost
    Repair,
    /// Show what the vault holds and what of it is dead
    Stats,
    /// Show what was done to the vault
    Activity,
    /// List, add, remove and repair the keys that open the vault
    #[command(subcommand)]
    Key(Key),
    /// Give the vault a new master key for all that is to come
    Rekey(NewKey),
    /// Run a simulated org to develop against
    Simulate(Simulate),
    /// Try a restore out on a simulated org that is made of the newest snapshot
    Rehearse(Rehearse),
    /// The whole round trip on a simulated org
    Demo(Demo),
}

#[derive(Debug, Flags)]
pub struct Init {
    /// Make a vault that is not sealed: whoever reads its files reads the records
    #[arg(long)]
    pub no_encryption: bool,
}

#[derive(Debug, Flags)]
pub struct Import {
    /// The folder of <sObject>.ndjson or .csv
    pub dir: PathBuf,
    /// When the files were taken
    #[arg(long, value_name = "TIME")]
    pub as_of: String,
    /// The files hold only what changed; <sObject>.deleted lists Ids
    #[arg(long)]
    pub delta: bool,
}

#[derive(Debug, Flags)]
pub struct Show {
    /// The record's Id
    pub id: String,
    /// A time, or a snapshot's number or name; the newest if absent
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

#[derive(Debug, Flags)]
pub struct History {
    /// The record's Id
    pub id: String,
}

#[derive(Debug, Flags)]
pub struct Diff {
    /// From: a time, or a snapshot's number or name
    pub a: String,
    /// To
    pub b: String,
    /// Only this sObject
    #[arg(long, value_name = "NAME")]
    pub sobject: Option<String>,
    /// Only counts
    #[arg(long)]
    pub summary: bool,
}

/// How a state is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Ndjson,
    Csv,
    Sqlite,
    Parquet,
}

#[derive(Debug, Flags)]
pub struct Compact {
    /// How many of the newest snapshots keep runs of their own, so that comparing them costs what changed
    #[arg(long, default_value_t = 32, value_name = "N")]
    pub keep_single: usize,
    /// Merge all others into one run each, however small the gain
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Flags)]
pub struct Copy {
    /// Where to: nothing yet, or an earlier copy of this vault
    #[arg(long, value_name = "DIR|URL")]
    pub to: PathBuf,
}

#[derive(Debug, Flags)]
pub struct Export {
    /// A time, or a snapshot's number or name; the newest if absent
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// A folder that is empty or does not exist
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    #[arg(long, value_enum, default_value = "ndjson")]
    pub format: Format,
    /// What changed since then, instead of all records; as Parquet
    #[arg(long, value_name = "TIME")]
    pub changes_since: Option<String>,
    /// Only these sObjects
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub sobject: Option<Vec<String>>,
    /// The bodies of files too, each as DIR/<sObject>.<field>/<Id>
    #[arg(long, conflicts_with = "changes_since")]
    pub files: bool,
}

#[derive(Debug, Subcommand)]
pub enum Key {
    /// Let another key open the vault; it is asked for at the terminal unless it is given
    Add(NewKey),
    /// List them; needs none of them
    List,
    /// Remove one; not the one that the vault was opened with
    Remove(KeyRemove),
    /// Write damaged copies of them anew
    Repair,
}

/// Where a new key comes from, if not from HALITE_NEW_PASSPHRASE.
#[derive(Debug, Flags)]
pub struct NewKey {
    /// A command whose first line of output is the new passphrase
    #[arg(long, value_name = "COMMAND", conflicts_with = "new_key_file")]
    pub new_passphrase_command: Option<String>,
    /// A file of 32 random bytes or more that is the new key
    #[arg(long, value_name = "FILE")]
    pub new_key_file: Option<PathBuf>,
}

#[derive(Debug, Flags)]
pub struct KeyRemove {
    /// Its id, or the beginning of it, as `key list` shows it
    #[arg(value_name = "KEY")]
    pub key: String,
}

#[derive(Debug, Flags)]
pub struct Simulate {
    /// The port on 127.0.0.1; any free one if 0
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Go on with the org of this file instead of a new one
    #[arg(long, value_name = "FILE")]
    pub load: Option<PathBuf>,
    /// Write the org to this file at the end, and when POST /admin/save asks for it
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Make up an org of so many records instead
    #[arg(long, value_name = "RECORDS", conflicts_with = "load")]
    pub generate: Option<usize>,
    /// Seed of what the API leaves open (order of rows, size of pages), of chaos, and of the org of --generate
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Let this share of requests, 0 to 1, meet a fault
    #[arg(long, value_name = "SHARE")]
    pub chaos: Option<f64>,
    /// Speak TLS, and write the certificate of the authority that clients have to trust to this file
    #[arg(long, value_name = "FILE")]
    pub tls: Option<PathBuf>,
}

#[derive(Debug, Flags)]
pub struct Demo {
    /// Keep the vault here instead of in a temporary folder
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

/// Which snapshots stay. The newest, and those under holds, always do.
#[derive(Debug, Flags)]
pub struct Retain {
    /// Keep the last N
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub keep_last: u32,
    /// Keep the newest of each of the last N hours that have a snapshot (UTC)
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub hourly: u32,
    /// The same of days
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub daily: u32,
    /// The same of weeks, from Monday
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub weekly: u32,
    /// The same of months
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub monthly: u32,
    /// The same of years
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub yearly: u32,
    /// Keep all within this time before the newest: 30d, 48h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub within: Option<i64>,
    /// Only say what would be dropped
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Flags)]
pub struct Check {
    /// Beside keys, catalog, both copies of metadata and what all data is listed by, read every byte and prove every state
    /// (all), or open a share of the data (5%)
    #[arg(long, value_name = "all|PERCENT", value_parser = reading)]
    pub read: Option<Reading>,
    /// Which share; another each time if absent
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
}

/// What of the data a check reads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reading {
    All,
    Share(f64),
}

#[derive(Debug, Flags)]
pub struct Forget {
    /// Numbers, names or times of snapshots
    #[arg(required_unless_present = "all", value_name = "SNAPSHOT")]
    pub snapshots: Vec<String>,
    /// The whole org of --org, its connections too
    #[arg(long, conflicts_with = "snapshots")]
    pub all: bool,
    /// Only say what would be dropped
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Flags)]
pub struct Erase {
    /// Ids of records
    #[arg(required_unless_present = "ids_file", value_name = "ID")]
    pub ids: Vec<String>,
    /// A file of Ids, one a line
    #[arg(long, value_name = "FILE")]
    pub ids_file: Option<PathBuf>,
    /// Only say what would go
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Flags)]
pub struct Hold {
    /// A number, name or time of a snapshot
    pub snapshot: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// When it ends; never if absent
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}

#[derive(Debug, Flags)]
pub struct Release {
    /// The hold's name, or the beginning of it
    pub name: String,
}

#[derive(Debug, Flags)]
pub struct Prune {
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// The share of dead bytes that may be left
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = percent)]
    pub max_unused: f64,
    /// How long a pack is left before it is deleted; longer than the longest backup
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
    pub grace: i64,
}

/// `500ms`, `90s`, `15m`, `24h`, `30d` or `2w` in milliseconds.
fn duration(text: &str) -> Result<i64, String> {
    let units = [
        ("ms", 1),
        ("s", 1000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
        ("w", 604_800_000),
    ];
    let unit = units
        .iter()
        .find_map(|(unit, millis)| Some((text.strip_suffix(unit)?, millis)));
    let whole = unit.and_then(|(number, millis)| number.parse::<u32>().ok().map(|n| (n, millis)));
    whole
        .and_then(|(number, millis)| i64::from(number).checked_mul(*millis))
        .ok_or_else(|| "write it as 90s, 15m, 24h, 30d or 2w".to_owned())
}

/// The same as a time to wait, of ten minutes at most: a session may live no longer than fifteen.
fn patience(text: &str) -> Result<Duration, String> {
    let millis = u64::try_from(duration(text)?).unwrap_or_default();
    let patience = Duration::from_millis(millis);
    (patience <= Duration::from_secs(600))
        .then_some(patience)
        .ok_or_else(|| "10m at most".to_owned())
}

/// `all`, or `5%` as 0.05.
fn reading(text: &str) -> Result<Reading, String> {
    match text {
        "all" => Ok(Reading::All),
        share => percent(share)
            .map(Reading::Share)
            .map_err(|_| "write it as all or 5%".to_owned()),
    }
}

/// `5%` as 0.05.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse::<f64>().ok();
    number
        .filter(|n| (0.0..=100.0).contains(n))
        .map(|n| n / 100.0)
        .ok_or_else(|| "write it as 5%".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_fit_together() {
        Args::command().debug_assert();
    }

    #[test]
    fn durations_and_shares_are_read() {
        assert_eq!(duration("24h"), Ok(86_400_000));
        assert_eq!(duration("500ms"), Ok(500));
        assert_eq!(duration("2w"), duration("14d"));
        assert!(
            ["", "5", "h", "-1d", "1.5d", "5x"]
                .iter()
                .all(|text| duration(text).is_err())
        );
        assert!(patience("10m").is_ok() && patience("11m").is_err());
        assert_eq!(percent("5%"), Ok(0.05));
        assert_eq!(reading("5%"), Ok(Reading::Share(0.05)));
        assert_eq!(reading("all"), Ok(Reading::All));
        assert!(reading("some").is_err());
        assert!(
            ["", "x", "-1", "101%", "NaN"]
                .iter()
                .all(|text| percent(text).is_err())
        );
    }

    #[test]
    fn a_command_without_its_vault_is_refused() {
        let typed = Args::try_parse_from(["halite", "demo"]).unwrap();
        assert!(typed.check().is_ok());
        if std::env::var_os("HALITE_VAULT").is_none() {
            let typed = Args::try_parse_from(["halite", "snapshots"]).unwrap();
            assert!(typed.check().unwrap_err().to_string().contains("--vault DIR"));
        }
    }
}
