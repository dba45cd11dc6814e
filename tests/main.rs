//! The one end-to-end test binary of the project: every file beside this one is a module of it.
//!
//! Key decision: one binary links once, where one binary a file would link as often as there are files.
//! This is not the place for tests of one function: those stand beside the function.

mod cli;
mod cli_connections;
mod cli_damage;
mod cli_demo;
mod cli_faults;
mod cli_object;
mod cli_parquet;
mod cli_rehearse;
mod cli_restore;
mod cli_restore_automation;
mod cli_restore_check;
mod cli_restore_choice;
mod cli_restore_rights;
mod cli_restore_to;
mod cli_rights;
mod cli_run;
mod cli_sign_in;
mod cli_stop;
mod cli_upkeep;
mod cli_workers;
mod files;
mod histories;
mod restore_empty;
mod restore_files;
mod tidy;

/// The example is run, so that it stays true.
#[path = "../examples/restore.rs"]
mod example_restore;

#[test]
fn the_example_of_a_restore_runs() -> halite::Result<()> {
    example_restore::main()
}
