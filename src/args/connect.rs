//! What is typed of connections: how to sign in, and how the org is backed up.
//!
//! Key decision: one set of settings for making a connection and for changing it; what is not named stays as it is.
//! Secrets are not among the flags: they name variables and files.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Flags, ValueEnum};
use halite_engine::ops::capture::Worker;

#[derive(Debug, Flags)]
pub struct Connect {
    /// The name that backups and restores will use
    pub name: String,
    /// production, sandbox, or the org's address
    #[arg(long, default_value = "production", value_name = "production|sandbox|URL")]
    pub environment: String,
    /// The app's consumer key; its secret is read from the variable of --client-secret-env, or asked
    #[arg(long, value_name = "ID", conflicts_with_all = ["token_env", "instance_url"])]
    pub client_id: Option<String>,
    /// The environment variable that holds the app's consumer secret
    #[arg(long, value_name = "VARIABLE", default_value = "HALITE_CLIENT_SECRET")]
    pub client_secret_env: String,
    /// The environment variable that holds a refresh token of that app, from a consent given elsewhere
    #[arg(long, value_name = "VARIABLE", requires = "client_id")]
    pub refresh_token_env: Option<String>,
    /// Sign in with a browser, on this machine, and let the app in; its secret is sent if the variable holds one
    #[arg(long, requires = "client_id", conflicts_with_all = ["refresh_token_env", "jwt_key_file"])]
    pub web: bool,
    /// The app's callback URL on this machine, with --web
    #[arg(
        long,
        value_name = "URL",
        requires = "web",
        default_value = "http://localhost:1717/OauthRedirect"
    )]
    pub redirect: String,
    /// How long somebody may take to sign in, with --web
    #[arg(long, value_name = "DURATION", requires = "web", default_value = "5m", value_parser = super::duration)]
    pub wait: i64,
    /// A file with the app's RSA private key (PEM), to sign in by JWT bearer as --username
    #[arg(long, value_name = "FILE", requires_all = ["client_id", "username"])]
    pub jwt_key_file: Option<PathBuf>,
    /// The user's name in the org, with --jwt-key-file
    #[arg(long, value_name = "NAME", requires = "jwt_key_file")]
    pub username: Option<String>,
    /// The environment variable that holds an access token
    #[arg(long, value_name = "VARIABLE", requires = "instance_url")]
    pub token_env: Option<String>,
    /// The org's API address, with --token-env
    #[arg(long, value_name = "URL", requires = "token_env")]
    pub instance_url: Option<String>,
    /// Do not ask where another user sees less, or another org answers
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub settings: Settings,
}

#[derive(Debug, Flags)]
pub struct Change {
    /// The connection's name
    pub name: String,
    #[command(flatten)]
    pub settings: Settings,
}

#[derive(Debug, Flags)]
pub struct Disconnect {
    /// The connection's name
    pub name: String,
    /// Remove it even if the org cannot be told
    #[arg(long)]
    pub force: bool,
}

/// How the org is backed up.
#[derive(Debug, Clone, Flags)]
#[command(next_help_heading = "What is backed up, and when")]
pub struct Settings {
    /// Only these sObjects
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "A,B",
        conflicts_with = "all_objects"
    )]
    pub only: Option<Vec<String>>,
    /// None of these sObjects
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "A,B",
        conflicts_with = "all_objects"
    )]
    pub except: Option<Vec<String>>,
    /// Every sObject: takes --only and --except back
    #[arg(long)]
    pub all_objects: bool,
    /// When `halite run` backs it up: minute hour day month weekday, or @daily and the like; `never` takes it back
    #[arg(long, value_name = "CRON")]
    pub schedule: Option<String>,
    /// The time zone of the schedule; UTC if nothing is said
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// When the first of these backups is due: now, or a time; the schedule's first time if absent
    #[arg(long, value_name = "now|TIME", requires = "schedule")]
    pub first: Option<String>,
    /// Percent of the org's daily allowance of calls, used by everybody, beyond which nothing more is read; 100 is none
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub ceiling: Option<u8>,
    /// Use no Bulk jobs
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    pub rest_only: Option<bool>,
    #[command(flatten)]
    pub keep: Keep,
}

/// Which snapshots stay after each backup; names as of `retain`.
#[derive(Debug, Clone, Flags)]
#[command(next_help_heading = "Which snapshots stay after each backup")]
pub struct Keep {
    /// The last N
    #[arg(long, value_name = "N", conflicts_with = "keep_all")]
    pub keep_last: Option<u32>,
    /// The newest of each of the last N hours that have one (UTC)
    #[arg(long, value_name = "N", conflicts_with = "keep_all")]
    pub keep_hourly: Option<u32>,
    /// The same of days
    #[arg(long, value_name = "N", conflicts_with = "keep_all")]
    pub keep_daily: Option<u32>,
    /// The same of weeks
    #[arg(long, value_name = "N", conflicts_with = "keep_all")]
    pub keep_weekly: Option<u32>,
    /// The same of months
    #[arg(long, value_name = "N", conflicts_with = "keep_all")]
    pub keep_monthly: Option<u32>,
    /// The same of years
    #[arg(long, value_name = "N", conflicts_with = "keep_all")]
    pub keep_yearly: Option<u32>,
    /// All within this time before the newest: 30d, 48h
    #[arg(long, value_name = "DURATION", value_parser = super::duration, conflicts_with = "keep_all")]
    pub keep_within: Option<i64>,
    /// All: takes the others back
    #[arg(long)]
    pub keep_all: bool,
}

/// How a run tells how far it is, on standard error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// A bar at a terminal, else nothing
    #[default]
    Auto,
    /// A line now and then
    Lines,
    /// A JSON object now and then
    Json,
    /// Nothing
    None,
}

#[derive(Debug, Flags)]
pub struct Backup {
    /// The connection's name
    pub name: String,
    /// Only these sObjects, instead of those of the connection; the others are carried forward
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub only: Option<Vec<String>>,
    /// None of these sObjects, instead of those of the connection
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub except: Option<Vec<String>>,
    /// Read everything anew
    #[arg(long)]
    pub full: bool,
    /// Read one part of the org's sObjects, as the second of four processes or machines; the last to end publishes
    #[arg(long, value_name = "2/4")]
    pub worker: Option<Worker>,
    /// Percent of the org's daily allowance of calls, used by everybody, beyond which nothing more is read; 100 is none
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub ceiling: Option<u8>,
    /// Use no Bulk jobs
    #[arg(long)]
    pub rest_only: bool,
    /// From how many rows a reading goes by a Bulk job
    #[arg(long, value_name = "ROWS", conflicts_with = "rest_only")]
    pub bulk_from: Option<u64>,
    /// How long a call that the org does not answer is tried again, 10m at most: eight times if nothing is said
    #[arg(long, value_name = "DURATION", value_parser = super::patience)]
    pub patience: Option<Duration>,
    /// Fetch no bodies of files
    #[arg(long)]
    pub no_files: bool,
    /// Only say what it is expected to spend
    #[arg(long)]
    pub dry_run: bool,
    /// How it tells how far it is
    #[arg(long, value_enum, default_value = "auto")]
    pub progress: Progress,
}

#[derive(Debug, Flags)]
pub struct Run {
    /// Only these connections
    pub names: Vec<String>,
    /// Do what is due, and what is unfinished, and end
    #[arg(long)]
    pub once: bool,
}

/// What a right is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Purpose {
    /// Read everything
    Backup,
    /// Bring back whatever differs: read, create, edit
    RestoreAll,
    /// Edit records that are there
    RestoreExisting,
    /// Create records that are gone
    RestoreDeleted,
}

#[derive(Debug, Flags)]
pub struct Preflight {
    /// The connection's name
    pub name: String,
    /// What is to be done
    #[arg(long = "for", value_enum, default_value = "backup")]
    pub purpose: Purpose,
}
