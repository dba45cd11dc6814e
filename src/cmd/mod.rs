//! The commands, one file each, and which of them was asked for.
//!
//! Key decision: a command takes its flags and the job, does its work through the engine's and connector's public
//! faces, and says how it ended. None decides anything about records.

mod activity;
mod backup;
mod check;
mod compact;
mod connect;
mod connections;
mod copy;
mod diff;
mod erase;
mod export;
mod forget;
mod history;
mod hold;
mod import;
mod init;
mod key;
mod preflight;
mod prune;
mod restore;
mod retain;
mod run;
mod show;
mod snapshots;
mod stats;

use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use halite_engine::vault::SnapshotInfo;
use halite_engine::{Error, Result};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::args::{Args, Command};
use crate::job::Job;
use crate::out::{End, Out};
use crate::{demo, rehearse, simulate};

pub use backup::report;
pub use restore::{read as read_plan, tell_compared};

/// Does what was typed.
pub fn run(args: Args, cancel: &Arc<AtomicBool>) -> Result<End> {
    let out = Out::new(args.global.json);
    let job = Job {
        global: args.global,
        out,
        cancel: Arc::clone(cancel),
        vault: OnceCell::new(),
    };
    let end = one(&job, &args.command)?;
    Ok(job.passed_over(end))
}

fn one(job: &Job, command: &Command) -> Result<End> {
    match command {
        Command::Init(flags) => init::run(job, flags),
        Command::Connect(flags) => connect::run(job, flags),
        Command::Connection(flags) => connections::change(job, flags),
        Command::Connections => connections::list(job),
        Command::Disconnect(flags) => connections::disconnect(job, flags),
        Command::Preflight(flags) => preflight::run(job, flags),
        Command::Run(flags) => run::run(job, flags),
        Command::Backup(flags) => backup::run(job, flags),
        Command::Import(flags) => import::run(job, flags),
        Command::Snapshots => snapshots::run(job),
        Command::Show(flags) => show::run(job, flags),
        Command::History(flags) => history::run(job, flags),
        Command::Diff(flags) => diff::run(job, flags),
        Command::Export(flags) => export::run(job, flags),
        Command::Compact(flags) => compact::run(job, flags),
        Command::Copy(flags) => copy::run(job, flags),
        Command::Restore(flags) => restore::run(job, flags),
        Command::Retain(flags) => retain::run(job, flags),
        Command::Forget(flags) => forget::run(job, flags),
        Command::Erase(flags) => erase::run(job, flags),
        Command::Hold(flags) => hold::run(job, flags),
        Command::Holds => hold::list(job),
        Command::Release(flags) => hold::release(job, flags),
        Command::Prune(flags) => prune::run(job, flags),
        Command::Check(flags) => check::run(job, flags),
        Command::Repair => check::repair(job),
        Command::Stats => stats::run(job),
        Command::Activity => activity::run(job),
        Command::Key(flags) => key::run(job, flags),
        Command::Rekey(flags) => key::rekey(job, flags),
        Command::Simulate(flags) => simulate::run(job, flags),
        Command::Rehearse(flags) => rehearse::run(job, flags),
        Command::Demo(flags) => demo::run(job, flags),
    }
}

/// A snapshot for programs.
pub fn snapshot_json(info: &SnapshotInfo) -> Value {
    json!({
        "org": info.org.to_string(),
        "number": info.number,
        "name": info.name.to_string(),
        "from": info.from.to_string(),
        "until": info.until.to_string(),
        "taken": info.taken.to_string(),
        "source": info.source,
    })
}

/// A record's JSON text as a value that keeps every character.
pub fn raw(text: &str) -> Result<Box<RawValue>> {
    RawValue::from_string(text.to_owned()).map_err(|e| Error::corrupt("a stored record", e))
}
