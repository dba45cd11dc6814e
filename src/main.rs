//! The `halite` command: what was typed becomes a job, the job is done, and its end becomes an exit status.
//!
//! Key decision: `args` says what was typed, `job` what is meant by it, `cmd` holds one file a command, and `out`
//! is the only door to standard output. There is no logic of backup or restore here: the engine has it.

mod args;
mod cmd;
mod connection;
mod demo;
mod job;
mod out;
mod place;
mod progress;
mod rehearse;
mod simulate;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = match args::Args::try_parse().and_then(args::Args::check) {
        Ok(args) => args,
        Err(refused) => return out::usage(&refused),
    };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let cancel = match job::cancel() {
        Ok(cancel) => cancel,
        Err(error) => return out::failed(&error),
    };
    match cmd::run(args, &cancel) {
        Ok(end) => end.into(),
        Err(error) => out::failed(&error),
    }
}
